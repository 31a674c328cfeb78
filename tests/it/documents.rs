//! What a page tells its reader to type works: each command of ours in the documents is run, from this page's first to its
//! last, against a service whose Microsoft is the sandbox.
//!
//! The calls of docs/grpcurl.md and docs/json.md, and what README runs by cargo, have tests of their own.

use std::collections::BTreeSet;
use std::path::Path;

use postrider_sandbox::seed;
use postrider_testkit::{Finished, Program, Service, Vault, World, run, vault_program};
use tokio::process::Command;

use crate::support::{given, path_with};

/// In the order in which a newcomer reads them.
const PAGES: [&str; 9] = [
    "docs/getting-started.md",
    "README.md",
    "docs/operating.md",
    "docs/clients.md",
    "docs/rotation.md",
    "docs/sandbox.md",
    "docs/vault.md",
    "docs/postgresql.md",
    "deploy/README.md",
];

/// What needs a Vault or a PostgreSQL of the page's own: `vault.rs`, `credential_commands.rs` and `replicas.rs` run those,
/// and here only their form is looked at.
const ELSEWHERE: [&str; 3] = ["--config postrider.toml", "--storage.url=postgres:", "credentials "];

/// Lines of `sh` blocks and what stands between backticks, without what follows a `#` or a pipe.
fn commands_of(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let (mut commands, mut in_block) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = line == "```sh";
        } else if in_block {
            commands.push(line.to_owned());
        } else {
            commands.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    let ours = commands.into_iter().filter(|command| command.starts_with("postrider "));
    let alone = |command: String| command.split(['|', '#']).next().unwrap_or_default().trim().to_owned();
    ours.map(alone).collect()
}

/// The `sh` blocks, as one script.
fn script_of(page: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.map(|(block, _)| block).collect()
}

/// `postrider settings test` and the like name a command, and do not say for whom.
fn is_a_name(command: &str) -> bool {
    let mut words = command.split(' ').skip(1);
    let group = matches!(words.next(), Some("settings" | "messages" | "keys" | "credentials"));
    group && words.clone().count() == 1 && words.all(|word| word.bytes().all(|b| b.is_ascii_lowercase()))
}

/// A shell of the reader's, with `postrider` on its PATH.
struct Reader {
    world: World,
    service: Service,
    folders: usize,
}

impl Reader {
    async fn new() -> Self {
        let world = given();
        let microsoft = world.microsoft().await;
        let service = world
            .service()
            .sending_to(&microsoft)
            .in_data_dir(world.path().join("postrider-data"))
            .starts()
            .await;
        std::fs::create_dir(world.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(world.program(), world.path().join("bin/postrider")).unwrap();
        Self { world, service, folders: 0 }
    }

    async fn types(&self, line: &str) -> Finished {
        let mut shell = Command::new("sh");
        self.world.bare(&mut shell);
        shell.args(["-c", line]).env("PATH", path_with(&[self.world.path().join("bin")]));
        run(shell, seed::SECRET).await
    }

    /// With what stands for the reader's own values.
    async fn filled_in(&self, command: &str) -> String {
        let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        for at in 1..words.len() {
            match words[at - 1].as_str() {
                "--tenant-id" => seed::TENANT_ID.clone_into(&mut words[at]),
                "--client-id" => seed::CLIENT_ID.clone_into(&mut words[at]),
                _ => {}
            }
            match words[at].as_str() {
                "RESELLER" => "acme".clone_into(&mut words[at]),
                "CODE" => "SECRET_IS_ID".clone_into(&mut words[at]),
                "DIR" => "pages".clone_into(&mut words[at]),
                "MESSAGE_ID" => words[at] = self.message(command.contains(" retry ")).await,
                _ => {}
            }
        }
        words.join(" ")
    }

    /// The id of a message that waits, or of one that can be retried.
    async fn message(&self, to_retry: bool) -> String {
        let held = "postrider settings pause acme && postrider send acme --to a@b.example --subject s --text t --output json";
        let said = self.types(held).await.answer();
        let said = said.split_once('{').map(|(_, json)| format!("{{{json}")).unwrap();
        let sent: serde_json::Value = serde_json::from_str(&said).unwrap();
        let id = sent["message"]["messageId"].as_str().unwrap().to_owned();
        if to_retry {
            self.types(&format!("postrider messages cancel acme {id}")).await.answer();
        }
        id
    }

    /// A server, in a folder of its own and on free ports, until it listens.
    async fn starts(&mut self, command: &str) {
        self.folders += 1;
        let folder = self.world.path().join(format!("server-{}", self.folders));
        std::fs::create_dir(&folder).unwrap();
        let mut server = self.world.command();
        for listener in ["GRPC", "HTTP", "SANDBOX"] {
            server.env(format!("POSTRIDER_LISTEN__{listener}"), "127.0.0.1:0");
        }
        server.args(command.split(' ').skip(1)).current_dir(&folder);
        let mut server = Program::start(server, self.world.path(), &format!("server-{}", self.folders));
        server.says(&format!("that it listens: {command}"), |text| text.starts_with("listening ")).await;
        server.terminate().await;
        assert!(server.ends().await.success(), "{command}: {}", server.stderr());
    }
}

#[tokio::test]
async fn every_command_that_a_page_tells_its_reader_to_type_works() {
    let mut reader = Reader::new().await;
    let (mut done, mut offline) = (BTreeSet::new(), Vec::new());
    for page in PAGES {
        for command in commands_of(page) {
            if !done.insert(command.clone()) {
                continue;
            }
            if is_a_name(&command) || ELSEWHERE.iter().any(|part| command.contains(part)) {
                let help = reader.types(&format!("{command} --help")).await;
                assert_eq!(help.code, 0, "{page}: {command}: {help:#?}");
            } else if command.starts_with("postrider serve") || command.starts_with("postrider sandbox") {
                reader.starts(&command).await;
            } else if command == "postrider migrate" {
                offline.push(command);
            } else {
                let typed = reader.filled_in(&command).await;
                let finished = reader.types(&typed).await;
                assert_eq!(finished.code, 0, "{page}: {command}, typed as {typed}: {finished:#?}");
            }
        }
    }
    reader.types("postrider settings resume acme").await.answer();
    assert!(reader.service.is_asked_to_end().await.success());
    for command in offline {
        assert_eq!(reader.types(&command).await.code, 0, "{command}");
    }
    assert!(done.len() > 40, "{done:#?}");
    assert!(done.iter().any(|command| command.starts_with("postrider messages retry")), "{done:#?}");
}

/// The service is the one with the sandbox, of which the page says that it serves too, and goes on beside the rest.
#[tokio::test]
async fn the_way_of_the_vault_page_leads_from_an_empty_vault_to_a_first_mail_and_a_secret_by_another_hand() {
    let world = given();
    let vault = Vault::starts_empty(&world).await;
    let script = script_of("docs/vault.md");
    let (way, _) = script.split_once("vault secrets enable transit").unwrap();
    let serve = "postrider serve --sandbox --config postrider.toml >serve.log 2>&1 &\n\
                 until grep -q 'grpcurl ' serve.log; do kill -0 $!; sleep 0.1; done";
    let way = way
        .replace("vault server -dev -dev-root-token-id=root\n", "")
        .replace("http://127.0.0.1:8200", vault.address())
        .replace(
            "deploy/vault/policy.hcl",
            &format!("{}/deploy/vault/policy.hcl", env!("CARGO_MANIFEST_DIR")),
        )
        .replace("postrider serve --config postrider.toml", serve)
        .replace(
            "--tenant-id … --client-id …",
            &format!("--tenant-id {} --client-id {}", seed::TENANT_ID, seed::CLIENT_ID),
        )
        .replace("--client-secret-file -", "--client-secret-file secret.txt")
        .replace("printf %s '…'", "cat secret.txt");
    assert!(!way.contains('…'), "{way}");
    world.file("secret.txt", seed::SECRET);
    std::fs::create_dir(world.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(world.program(), world.path().join("bin/postrider")).unwrap();
    let mut bash = Command::new("bash");
    world.bare(&mut bash);
    bash.args(["-eu", "-o", "pipefail", "-c", &format!("trap 'kill %1; wait' EXIT\n{way}")]);
    let tools = vault_program().parent().unwrap().to_owned();
    bash.env("PATH", path_with(&[world.path().join("bin"), tools])).env("HOME", world.path());
    for listener in ["GRPC", "HTTP", "SANDBOX"] {
        bash.env(format!("POSTRIDER_LISTEN__{listener}"), "127.0.0.1:0");
    }
    let done = run(bash, "").await;
    assert_eq!(done.code, 0, "{done:#?}");
    for said in ["the configuration holds", "passed", "SENT", "\"kind\": \"client_secret\""] {
        assert!(done.stdout.contains(said), "{said} in {done:#?}");
    }
    assert_eq!(vault.secret("acme").await["data"]["expire_time"], "2027-12-01T00:00:00Z", "another hand's");
}
