//! Every recorded answer of Microsoft's, and what it comes to: one file a case, one line a case.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use postrider_domain::{Cloud, Finding};
use postrider_microsoft::SendMail;

use crate::support::{
    SECRET, Server, Then, call, client, directory, email, email_from_desk, mailbox, now, payload, secret,
    token,
};

/// A recorded answer, and the notes that stand above it (`# token: delegated`).
struct Case {
    name: String,
    notes: Vec<(String, String)>,
    bytes: Vec<u8>,
}

impl Case {
    fn note(&self, name: &str) -> Option<&str> {
        self.notes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    async fn served(&self) -> Server {
        Server::that(Then::Answer(self.bytes.clone())).await
    }
}

fn cases(prefix: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers");
    let files = std::fs::read_dir(folder).expect("the answers").map(|file| file.expect("a file").path());
    let mut cases: Vec<Case> = files.filter_map(|path| case(&path, prefix)).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty(), "no answers of {prefix}");
    cases
}

fn case(path: &Path, prefix: &str) -> Option<Case> {
    let name = path.file_stem()?.to_str()?.strip_prefix(prefix)?.to_owned();
    let file = std::fs::read_to_string(path).expect("text");
    let (notes, answer): (Vec<&str>, Vec<&str>) = file.lines().partition(|line| line.starts_with("# "));
    let notes = notes.iter().filter_map(|note| note.strip_prefix("# ")?.split_once(": "));
    let answer = answer.join("\n");
    let (head, body) = answer.split_once("\n\n").unwrap_or((answer.trim_end(), ""));
    let head = head.replace('\n', "\r\n");
    let bytes =
        format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes();
    Some(Case { name, notes: notes.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(), bytes })
}

fn finding(finding: Option<&Finding>) -> String {
    finding.map_or("-".to_owned(), |finding| format!("{} {}", finding.code, finding.class.as_str()))
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map(|wait| format!("wait {wait:?}")).unwrap_or_default()
}

/// Columns, without blanks at a line's end.
fn line(table: &mut String, name: &str, columns: [&str; 3]) {
    let line = format!("{name:<34} {:<9} {:<36} {}", columns[0], columns[1], columns[2]);
    writeln!(table, "{}", line.trim_end()).expect("memory");
}

#[tokio::test]
async fn every_answer_of_graphs_has_one_outcome() {
    let mut table = String::new();
    for case in cases("graph_") {
        let server = case.served().await;
        let email = if case.note("from").is_some() { email_from_desk() } else { email() };
        let token = token(case.note("token").unwrap_or("Mail.Send"));
        let verdict = server
            .microsoft()
            .send_mail(SendMail { payload: payload(&email), ..call(&mailbox(), &token) })
            .await;
        let again = if verdict.token_refused { "another token" } else { "" };
        let last = format!("{} {again}", wait(verdict.retry_after));
        line(
            &mut table,
            &case.name,
            [verdict.outcome.as_str(), &finding(verdict.finding.as_ref()), last.trim()],
        );
        assert_eq!(server.asked().len(), 1, "{}: one call, one request", case.name);
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn every_answer_of_entras_is_a_token_or_one_finding() {
    let mut table = String::new();
    for case in cases("entra_") {
        let server = case.served().await;
        let value =
            if case.note("secret").is_some() { "11111111-aaaa-bbbb-cccc-222222222222" } else { SECRET };
        match server.microsoft().token(Cloud::Global, &directory(), &client(), &secret(value)).await {
            Ok(token) => {
                let life = format!("lives {}", token.expire_time.duration_since(now()));
                line(&mut table, &case.name, ["token", "-", &life]);
            }
            Err(refusal) => {
                let found = finding(Some(&refusal.finding));
                line(&mut table, &case.name, ["none", &found, &wait(refusal.retry_after)]);
            }
        }
        assert_eq!(server.asked().len(), 1, "{}: one call, one request", case.name);
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn discovery_finds_the_directory_or_says_what_is_wrong() {
    let mut table = String::new();
    for case in cases("discovery_") {
        let server = case.served().await;
        match server.microsoft().discover(Cloud::Global, &directory()).await {
            Ok(found) => {
                let directory = found.directory.map(|id| id.to_string()).unwrap_or_default();
                let cloud = found.cloud.map(Cloud::as_str).unwrap_or_default();
                let region = found.region.unwrap_or_default();
                line(&mut table, &case.name, ["found", &directory, &format!("{region} {cloud}")]);
            }
            Err(found) => line(&mut table, &case.name, ["none", &finding(Some(&found)), ""]),
        }
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_finding_carries_what_microsofts_support_asks_for() {
    let mut shown = String::new();
    for name in ["403_raop", "404_invalid_user", "500_json_payload", "502_html"] {
        let case = cases("graph_").into_iter().find(|case| case.name == name).expect("the case");
        let email = if case.note("from").is_some() { email_from_desk() } else { email() };
        let microsoft = case.served().await.microsoft();
        let (mailbox, token) = (mailbox(), token("none"));
        let call = SendMail { payload: payload(&email), ..call(&mailbox, &token) };
        let verdict = microsoft.send_mail(call).await;
        let graph = verdict.graph_request_id.unwrap_or_default();
        writeln!(shown, "graph {name} ({graph})\n{:#?}", verdict.finding.expect("a finding").evidence)
            .expect("memory");
    }
    for name in ["7000215_secret_wrong", "429_plain"] {
        let case = cases("entra_").into_iter().find(|case| case.name == name).expect("the case");
        let microsoft = case.served().await.microsoft();
        let refusal = microsoft.token(Cloud::Global, &directory(), &client(), &secret(SECRET)).await;
        let evidence = refusal.expect_err("no token").finding.evidence;
        writeln!(shown, "entra {name}\n{evidence:#?}").expect("memory");
    }
    insta::assert_snapshot!(shown);
}
