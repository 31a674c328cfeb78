//! Microsoft's own clients take the sandbox for Microsoft: MSAL for Python and for Node get tokens by secret and by
//! certificate, and Microsoft's Graph client for JavaScript sends a mail and a file by an upload session.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use data_encoding::{BASE64, HEXUPPER};
use mail_parser::{MessageParser, MimeHeaders};
use postrider_sandbox::seed::{CLIENT_ID, MAILBOX, SECRET, TENANT_ID};
use postrider_testkit::{Finished, Microsoft, World, run};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::given;

const FILE_BYTES: usize = 7_000_000;

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/microsoft/tests/certificates");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// What `cargo xtask tools` has installed.
fn installed(variable: &str, own: &str) -> PathBuf {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/clients").join(own);
    given.into_iter().chain([own]).find(|path| path.exists()).expect(
        "Microsoft's clients are not installed: `cargo xtask tools` gets them, `cargo xtask test` does all",
    )
}

fn blocks(pem: &str, label: &str) -> Vec<String> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let parts = pem.split(begin.as_str()).skip(1).filter_map(|part| part.split(end.as_str()).next());
    parts.map(|part| format!("{begin}{part}{end}\n")).collect()
}

fn thumbprint(algorithm: &'static Algorithm, pem: &str) -> String {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    HEXUPPER.encode(digest(algorithm, &BASE64.decode(body.as_bytes()).unwrap()).as_ref())
}

/// One app with a secret and a certificate, and the right to send and to prepare drafts.
async fn microsoft(world: &World) -> (Microsoft, Value) {
    let microsoft = world.lenient_microsoft_over_tls().await;
    let leaf = fixture("leaf.pem");
    let app = json!({
        "client_id": CLIENT_ID,
        "secrets": [{"value": SECRET}],
        "certificates": [leaf],
        "roles": ["Mail.Send", "Mail.ReadWrite"],
    });
    let directory = json!({"apps": [app], "mailboxes": [{"address": MAILBOX}]});
    microsoft.knows_directory(TENANT_ID, &directory).await;
    let pem = fixture("chain.pem");
    let chain: String = [leaf.clone()].into_iter().chain(blocks(&pem, "CERTIFICATE")).take(2).collect();
    let given = json!({
        "origin": microsoft.origin().replace("127.0.0.1", "localhost"),
        "ca_file": microsoft.ca_file().unwrap(),
        "tenant_id": TENANT_ID,
        "client_id": CLIENT_ID,
        "mailbox": MAILBOX,
        "secret": SECRET,
        "private_key": blocks(&pem, "PRIVATE KEY")[0],
        "chain": chain,
        "thumbprint": thumbprint(&SHA1_FOR_LEGACY_USE_ONLY, &leaf),
        "thumbprint_sha256": thumbprint(&SHA256, &leaf),
        "file_bytes": FILE_BYTES,
    });
    (microsoft, given)
}

async fn runs(world: &World, mut command: Command, script: &str, given: &Value) -> Finished {
    world.bare(&mut command);
    for variable in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "NODE_OPTIONS"] {
        command.env_remove(variable);
    }
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script));
    run(command, &given.to_string()).await
}

#[tokio::test]
async fn msal_for_python_gets_tokens_by_secret_and_certificate_and_sends_with_them() {
    let world = given();
    let (microsoft, given) = microsoft(&world).await;
    let python = installed("POSTRIDER_CLIENTS_PYTHON", "python/bin/python");
    let finished = runs(&world, Command::new(python), "python/msal_client.py", &given).await;
    assert_eq!(finished.json()["sent"], 3);
    let subjects: Vec<_> = microsoft.received().await.into_iter().map(|mail| mail.subject).collect();
    assert_eq!(
        subjects,
        [
            "Python: secret",
            "Python: certificate by its SHA-1 thumbprint",
            "Python: certificate with its chain"
        ]
    );
    assert_eq!(microsoft.breaches().await, []);
}

#[tokio::test]
async fn msal_for_node_gets_tokens_and_the_graph_client_sends_a_mail_and_an_upload() {
    let world = given();
    let (microsoft, mut given) = microsoft(&world).await;
    given["packages"] = json!(installed("POSTRIDER_CLIENTS_NODE", "node"));
    let mut node = Command::new("node");
    node.env("NODE_EXTRA_CA_CERTS", microsoft.ca_file().unwrap());
    let finished = runs(&world, node, "node/graph_client.mjs", &given).await;
    assert_eq!(finished.json()["tokens"], 2);
    let received = microsoft.received().await;
    let subjects: Vec<_> = received.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, ["JavaScript: a mail", "JavaScript: an upload"]);
    let raw = BASE64.decode(received[1].raw.as_bytes()).unwrap();
    let parsed = MessageParser::default().parse(&raw).unwrap();
    let file = parsed.attachments().next().unwrap();
    assert_eq!(file.attachment_name(), Some("plan.bin"));
    let expected: Vec<u8> = b"0123456789abcdef0".iter().copied().cycle().take(FILE_BYTES).collect();
    assert!(file.contents() == expected, "every byte of it, in its place");
    assert_eq!(microsoft.breaches().await, []);
}
