//! Every recorded answer of Microsoft's, and what it comes to: one file a case, one line a case.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use postrider_dispatch::decide;
use postrider_domain::{
    Cloud, Finding, InDoubtPolicy, MessageId, Outcome, Priority, Queued, Resolution, Verdict,
};
use postrider_microsoft::{Proof, SendMail};
use secrecy::SecretString;

use crate::support::{
    SECRET, Server, Then, asks, asks_by, call, certificate, directory, email, email_from_desk, large_email,
    mailbox, now, payload, token,
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

/// What becomes of the message and of its lane, at its first try.
fn effect(verdict: &Verdict) -> String {
    let queued = Queued {
        id: MessageId::parse("0192f0c1-2b3d-7e4f-8000-00000000000a").expect("an id"),
        priority: Priority::Normal,
        attempts: 0,
        backoffs: 0,
        in_doubt: false,
        policy: InDoubtPolicy::AtLeastOnce,
        due_time: now(),
        expire_time: Timestamp::MAX,
        recipient_count: 1,
    };
    let after = |time: Timestamp| {
        let seconds = time.duration_since(now()).as_secs_f64();
        format!("{seconds} s")
    };
    let does = match decide(verdict, &queued, None, now()) {
        Resolution::End(state) => format!("message {}", state.as_str()),
        Resolution::Again { at, .. } => format!("message again in {}", after(at)),
        Resolution::LaneWaits { until } => format!("lane waits {}", after(until)),
        Resolution::LaneHeld(hold) => format!("lane held, probed in {}", after(hold.probe_time)),
    };
    let wait = verdict.retry_after.filter(|_| verdict.outcome == Outcome::Sent);
    let slows = wait.map(|wait| format!(", lane waits {} s", wait.as_secs_f64())).unwrap_or_default();
    let first = if verdict.token_refused { "another token at once; then " } else { "" };
    format!("{first}{does}{slows}")
}

/// Columns, without blanks at a line's end.
fn line(table: &mut String, name: &str, columns: [&str; 3]) {
    let line = format!("{name:<44} {:<9} {:<36} {}", columns[0], columns[1], columns[2]);
    writeln!(table, "{}", line.trim_end()).expect("memory");
}

async fn graph_table(prefix: &str, large: bool) -> String {
    let mut table = String::new();
    for case in cases(prefix) {
        let server = case.served().await;
        let email = match case.note("from") {
            Some(_) => email_from_desk(),
            None if large => large_email(),
            None => email(),
        };
        let token = token(case.note("token").unwrap_or("Mail.Send"));
        let mailbox = mailbox();
        let call = SendMail { payload: payload(&email), ..call(&mailbox, &token) };
        let verdict = server.microsoft().send_mail(call).await.verdict;
        line(
            &mut table,
            &case.name,
            [verdict.outcome.as_str(), &finding(verdict.finding.as_ref()), &effect(&verdict)],
        );
        assert_eq!(server.asked().len(), 1, "{}: one call, one request", case.name);
    }
    table
}

#[tokio::test]
async fn every_answer_of_graphs_has_one_outcome() {
    insta::assert_snapshot!(graph_table("graph_", false).await);
}

/// Before a draft is sent nothing is in doubt, and a permission that only drafts need holds no lane.
#[tokio::test]
async fn every_answer_before_a_draft_is_sent_has_one_outcome() {
    insta::assert_snapshot!(graph_table("draft_", true).await);
}

#[tokio::test]
async fn every_answer_of_entras_is_a_token_or_one_finding() {
    let mut table = String::new();
    for case in cases("entra_") {
        let server = case.served().await;
        let microsoft = server.microsoft();
        let given = match case.note("proof") {
            Some("assertion") => {
                asks_by(&microsoft, &Proof::Assertion(SecretString::from("e30.e30.x"))).await
            }
            Some(kind) => {
                asks_by(&microsoft, &Proof::Certificate(&certificate(kind.starts_with("expired")))).await
            }
            None if case.note("secret").is_some() => {
                asks(&microsoft, Cloud::Global, "11111111-aaaa-bbbb-cccc-222222222222").await
            }
            None => asks(&microsoft, Cloud::Global, SECRET).await,
        };
        match given {
            Ok(token) => {
                let life = format!("lives {}", token.expire_time.duration_since(now()));
                line(&mut table, &case.name, ["token", "-", &life]);
            }
            Err(refusal) => {
                let verdict = Verdict::of(Outcome::Deferred, *refusal.finding);
                let verdict = Verdict { retry_after: refusal.retry_after, ..verdict };
                line(&mut table, &case.name, ["none", &finding(verdict.finding.as_ref()), &effect(&verdict)]);
            }
        }
        let asked = if case.name == "700024_assertion_untimely" { 2 } else { 1 };
        assert_eq!(server.asked().len(), asked, "{}: one call, one request", case.name);
    }
    insta::assert_snapshot!(table);
}

/// The codes of Microsoft's that are known to meet a mailer: each has a recorded answer, and by it a row above.
#[test]
fn every_known_code_has_a_recorded_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let answers: BTreeSet<String> = std::fs::read_dir(folder.join("answers"))
        .expect("the answers")
        .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text"))
        .collect();
    let known = std::fs::read_to_string(folder.join("known_codes.txt")).expect("the list");
    let codes: Vec<&str> = known.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(codes.len() > 100, "{}", codes.len());
    let missing: Vec<_> = codes
        .iter()
        .filter(|code| {
            let (number, quoted) = (format!("AADSTS{code}:"), format!("\"code\":\"{code}\""));
            !answers.iter().any(|answer| answer.contains(&number) || answer.contains(&quoted))
        })
        .collect();
    assert!(missing.is_empty(), "no recorded answer of {missing:?}");
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
        let verdict = microsoft.send_mail(call).await.verdict;
        let graph = verdict.graph_request_id.unwrap_or_default();
        writeln!(shown, "graph {name} ({graph})\n{:#?}", verdict.finding.expect("a finding").evidence)
            .expect("memory");
    }
    for name in
        ["7000215_secret_wrong", "429_plain", "401_number_unknown", "401_assertion_refused_without_a_number"]
    {
        let case = cases("entra_").into_iter().find(|case| case.name == name).expect("the case");
        let microsoft = case.served().await.microsoft();
        let refusal = asks(&microsoft, Cloud::Global, SECRET).await;
        let evidence = refusal.expect_err("no token").finding.evidence;
        writeln!(shown, "entra {name}\n{evidence:#?}").expect("memory");
    }
    insta::assert_snapshot!(shown);
}
