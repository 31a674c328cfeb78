//! The command line as a user runs it: what it prints, and its exit codes.

use std::process::Stdio;

use postrider_proto::v1::MessageState;
use postrider_sandbox::seed;
use postrider_testkit::{Finished, Mistake, Service, in_time, mail, run};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::support::{given, mortal, ready};

const SEND: [&str; 8] =
    ["send", "acme", "--to", "Ann <ann@customer.example>", "--subject", "An offer", "--text", "Dear Ann"];

fn failed(finished: &Finished, code: i32, named: &str) {
    assert_eq!(finished.code, code, "{finished:#?}");
    let all = format!("{}{}", finished.stdout, finished.stderr);
    assert!(all.contains(named), "{named} in {finished:#?}");
    assert!(!all.contains("panicked"), "{finished:#?}");
}

#[tokio::test]
async fn send_waits_and_shows_what_became_of_the_mail() {
    let service = ready().await;
    let shown = service.cli(&[&SEND[..], &["--wait", "sent"]].concat()).await.answer();
    assert!(shown.contains("SENT") && shown.contains("An offer"), "{shown}");
    let received = service.microsoft().received().await;
    assert_eq!(received[0].recipients, ["ann@customer.example"]);
    assert!(received[0].text().contains("\"Ann\" <ann@customer.example>"), "{}", received[0].text());

    let json = service.cli(&[&SEND[..], &["--wait", "sent", "--output", "json"]].concat()).await.json();

    assert_eq!(json["message"]["state"], "MESSAGE_STATE_SENT", "{json}");
    assert_eq!(json["message"]["recipientCount"], 1);
}

/// What a terminal, which `script` is, shows of a secret that is asked for, of what is typed then, and of how the terminal is left.
async fn at_a_terminal(service: &Service, typed: &str) -> String {
    let rotates = format!(
        "trap : INT; {} settings rotate acme --client-secret-file - --data-dir {}; echo exit $?; stty -a",
        env!("CARGO_BIN_EXE_postrider"),
        service.data_dir().display()
    );
    let mut script = Command::new("script");
    script.args(["-q", "-c", &rotates, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.spawn().expect("script, of util-linux");
    let (mut keys, mut shown) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let mut screen = Vec::new();
    let prompted = async {
        while !String::from_utf8_lossy(&screen).contains("it does not show") {
            assert_ne!(shown.read_buf(&mut screen).await.unwrap(), 0, "it never asked for the secret");
        }
    };
    in_time("the secret is asked for", prompted).await;
    keys.write_all(typed.as_bytes()).await.unwrap();
    in_time("the command ends", shown.read_to_end(&mut screen)).await.unwrap();
    script.wait().await.unwrap();
    String::from_utf8_lossy(&screen).into_owned()
}

#[tokio::test]
async fn a_secret_that_is_typed_does_not_show() {
    let service = ready().await;
    let screen = at_a_terminal(&service, &format!("{}\n\u{4}", seed::SECRET)).await;
    assert!(screen.contains("exit 0") && screen.contains(" echo "), "{screen}");
    assert!(!screen.contains(seed::SECRET), "the screen shows the secret");
}

#[tokio::test]
async fn a_secret_that_is_broken_off_leaves_the_terminal_as_it_was() {
    let service = ready().await;
    let screen = at_a_terminal(&service, "half a sec\u{3}").await;
    assert!(screen.contains("exit 130") && screen.contains(" echo "), "{screen}");
}

#[tokio::test]
async fn send_that_does_not_end_as_sent_exits_1() {
    let service = ready().await;
    service.admin().puts(Mistake::SecretsId.settings()).await;
    let held = service.cli(&[&SEND[..], &["--wait", "sent"]].concat()).await;
    failed(&held, 1, "SECRET_IS_ID");
    failed(&held, 1, "HELD");
    let accepted = service.cli(&SEND).await;
    assert_eq!(accepted.code, 0, "not waited for: {accepted:#?}");
}

#[tokio::test]
async fn a_refused_mail_shows_every_field_and_exits_1() {
    let service = ready().await;
    let wrong = [
        "send",
        "acme",
        "--to",
        "ann@customer.example",
        "--subject",
        "two\nlines",
        "--text",
        "t",
        "--ttl",
        "0s",
    ];
    failed(&service.cli(&wrong).await, 1, "email.subject");
    failed(
        &service.cli(&["send", "globex", "--to", "a@b.example", "--subject", "s", "--text", "t"]).await,
        1,
        "SETTINGS_MISSING",
    );
    failed(&service.cli(&["send", "acme", "--subject", "s", "--text", "t"]).await, 2, "--to");
}

#[tokio::test]
async fn messages_are_listed_and_got() {
    let service = ready().await;
    let sent = service.cli(&[&SEND[..], &["--wait", "sent", "--output", "json"]].concat()).await.json();
    let id = sent["message"]["messageId"].as_str().unwrap();

    let table = service.cli(&["messages", "list", "acme"]).await.answer();
    assert!(table.lines().count() == 2 && table.contains(id) && table.contains("SENT"), "{table}");
    let listed = service.cli(&["messages", "list", "acme", "--output", "json"]).await.json();
    assert_eq!(listed["messages"][0]["messageId"], id);
    let shown = service.cli(&["messages", "get", "acme", id]).await.answer();
    assert!(shown.contains(id) && shown.contains("An offer"), "{shown}");
    let got = service.cli(&["messages", "get", "acme", id, "--output", "json"]).await.json();
    assert_eq!(got["message"]["attempts"][0]["outcome"], "ATTEMPT_OUTCOME_SENT", "{got}");
    failed(&service.cli(&["messages", "get", "acme", "nothing"]).await, 1, "MESSAGE_NOT_FOUND");
}

/// The id of a message that is accepted and held.
async fn held(service: &Service, label: &str) -> String {
    let sent = service.cli(&[&SEND[..], &["--label", label, "--output", "json"]].concat()).await.json();
    assert_eq!(sent["message"]["state"], "MESSAGE_STATE_HELD", "{sent}");
    sent["message"]["messageId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sending_is_paused_and_resumed() {
    let service = ready().await;
    let paused = service.cli(&["settings", "pause", "acme", "--reason", "an audit"]).await.answer();
    assert!(paused.contains("PAUSED") && paused.contains("an audit"), "{paused}");
    let id = held(&service, "team=blue").await;

    let resumed = service.cli(&["settings", "resume", "acme", "--reason", "done", "--output", "json"]).await;

    assert_ne!(resumed.json()["settings"]["status"]["state"], "SETTINGS_STATE_PAUSED");
    let message = service.admin().message("acme", &id).await;
    service.admin().reaches(&message, MessageState::Sent).await;
    failed(&service.cli(&["settings", "pause", "globex"]).await, 1, "SETTINGS_MISSING");
}

#[tokio::test]
async fn messages_are_cancelled_and_retried_one_or_many() {
    let service = ready().await;
    service.cli(&["settings", "pause", "acme"]).await.answer();
    let (one, other) = (held(&service, "team=blue").await, held(&service, "team=red").await);
    for id in [&one, &other] {
        let cancelled = service.cli(&["messages", "cancel", "acme", id]).await.answer();
        assert!(cancelled.contains(id) && cancelled.contains("CANCELLED"), "{cancelled}");
    }

    let retried = service.cli(&["messages", "retry", "acme", &one, "--output", "json"]).await.json();

    assert_eq!(retried["message"]["messageId"], one.as_str());
    assert_eq!(retried["message"]["state"], "MESSAGE_STATE_HELD");
    let filtered = ["messages", "retry", "acme", "--state", "cancelled,failed", "--label", "team=red"];
    let many = service.cli(&filtered).await.answer();
    assert_eq!(many, "1 retried\n");
    let none = service.cli(&[&filtered[..], &["--accept-duplicate", "--output", "json"]].concat()).await;
    assert_eq!(none.json()["retriedCount"].as_i64().unwrap_or_default(), 0, "they wait already");
    failed(&service.cli(&["messages", "retry", "acme", &one]).await, 1, "MESSAGE_STATE");
    failed(&service.cli(&["messages", "cancel", "acme", "nothing"]).await, 1, "MESSAGE_NOT_FOUND");
    failed(&service.cli(&["messages", "retry", "acme"]).await, 2, "--state");
    failed(&service.cli(&["messages", "retry", "acme", &one, "--state", "failed"]).await, 2, "--state");
}

/// The JSON of each line so far that is of a message.
fn events(stdout: &str) -> Vec<Value> {
    let whole = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let answers = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
    answers.filter(|answer| answer.get("message").is_some()).collect()
}

#[tokio::test]
async fn a_watch_shows_each_change_on_its_line_and_goes_on_over_a_restart() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let watch = ["messages", "watch", "acme", "--state", "sent", "--label", "team=blue", "--output", "json"];
    let mut watching = service.cli_goes_on(&watch, "watch");
    watching.says("that it watches", |stdout| stdout.lines().count() >= 1).await;
    let blue = || mail("acme").labelled("team", "blue").waiting_for_sent();
    let first = service.admin().sends(blue()).await;
    watching.says("the first", |stdout| events(stdout).len() == 1).await;

    // It listens on another port then, which the data directory tells.
    service.is_killed_and_returns().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let second = service.admin().sends(blue()).await;

    let said = watching.says("the second", |stdout| events(stdout).len() == 2).await;
    let told: Vec<_> = events(&said);
    let ids: Vec<_> = told.iter().map(|event| event["message"]["messageId"].as_str().unwrap()).collect();
    assert_eq!(ids, [first.message_id.as_str(), second.message_id.as_str()]);
    watching.interrupt().await;
    assert_eq!(watching.ends().await.code(), Some(0));
    let last = told[0]["cursor"].as_str().unwrap();
    assert!(watching.stderr().contains("--cursor "), "{}", watching.stderr());
    let again = ["messages", "watch", "acme", "--state", "sent", "--cursor", last];
    let again = service.cli_goes_on(&again, "again");
    let line = again.says("what came after the cursor", |stdout| stdout.lines().count() >= 2).await;
    assert!(line.contains(&second.message_id) && line.contains("\tSENT\t"), "{line}");
    assert!(!line.contains(&first.message_id), "{line}");
}

#[tokio::test]
async fn a_watch_that_cannot_be_ends_with_the_reason() {
    let service = ready().await;
    failed(&service.cli(&["messages", "watch", "acme", "--cursor", "no cursor"]).await, 1, "cursor");
}

#[tokio::test]
async fn settings_are_put_got_tested_listed_and_deleted() {
    let service = ready().await;
    let file = service.world().file("secret.txt", &format!("{}\n", seed::SECRET));
    let file = file.to_str().unwrap();
    let put = [
        "settings",
        "put",
        "globex",
        "--tenant-id",
        seed::TENANT_ID,
        "--client-id",
        seed::CLIENT_ID,
        "--sender-mailbox",
        seed::MAILBOX,
        "--client-secret-file",
    ];
    service.cli(&[&put[..], &[file]].concat()).await.answer();
    service.cli_reading(&[&put[..], &["-"]].concat(), seed::SECRET).await.answer();

    let shown = service.cli(&["settings", "get", "globex"]).await.answer();
    assert!(shown.contains(seed::MAILBOX) && !shown.contains(seed::SECRET), "{shown}");
    let got: Value = service.cli(&["settings", "get", "globex", "--output", "json"]).await.json();
    assert_eq!(got["settings"]["senderMailbox"], seed::MAILBOX);
    assert_eq!(got["settings"]["credentialInfo"]["kind"], "CREDENTIAL_KIND_CLIENT_SECRET", "{got}");
    let tested = service.cli(&["settings", "test", "globex"]).await.answer();
    for step in ["SHAPE", "DIRECTORY", "CREDENTIAL", "PERMISSION", "SEND"] {
        assert!(tested.contains(step), "{tested}");
    }
    let listed = service.cli(&["settings", "list"]).await.answer();
    assert!(listed.contains("acme") && listed.contains("globex"), "{listed}");
    let moved =
        service.cli(&["settings", "put", "globex", "--sender-mailbox", seed::SECOND_MAILBOX]).await.answer();
    assert!(
        moved.contains(seed::SECOND_MAILBOX) && moved.contains(seed::CLIENT_ID),
        "the rest stays: {moved}"
    );
    let again = service.cli(&["settings", "test", "globex"]).await;
    assert_eq!(again.code, 0, "the credential stays: {again:#?}");
    service.cli(&["settings", "delete", "globex"]).await.answer();
    failed(&service.cli(&["settings", "get", "globex"]).await, 1, "SETTINGS_MISSING");
}

#[tokio::test]
async fn a_test_with_the_secrets_id_names_the_mistake_and_its_mend_and_exits_1() {
    let service = ready().await;
    let file = service.world().file("secret.txt", seed::SECRET_ID);
    let tested =
        service.cli(&["settings", "test", "acme", "--client-secret-file", file.to_str().unwrap()]).await;
    failed(&tested, 1, "SECRET_IS_ID");
    let explained = service.world().runs(&["findings", "SECRET_IS_ID", "--output", "json"]).await.json();
    let mend = explained["mend"].as_str().unwrap();
    let first_words: String = mend.split_whitespace().take(5).collect::<Vec<_>>().join(" ");
    let squeezed = tested.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed.contains(&first_words), "{first_words} in {tested:#?}");
    assert!(!tested.stdout.contains('\u{1b}'), "no colours but on a terminal: {tested:?}");

    let json = service
        .cli(&[
            "settings",
            "test",
            "acme",
            "--client-secret-file",
            file.to_str().unwrap(),
            "--output",
            "json",
        ])
        .await;

    assert_eq!(json.code, 1);
    let answer: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(answer["steps"].as_array().unwrap().len(), 5, "{answer}");
    let sent = service.cli(&[&SEND[..], &["--wait", "sent"]].concat()).await;
    assert_eq!(sent.code, 0, "nothing of it was saved: {sent:#?}");
}

#[tokio::test]
async fn keys_are_made_listed_used_and_revoked() {
    let service = ready().await;
    let made =
        service.cli(&["keys", "create", "shop", "--scope", "send", "--reseller", "acme"]).await.answer();
    let key = made.trim();
    assert!(key.starts_with("pr_") && key.lines().count() == 1, "the key alone: {made:?}");
    let listed = service.cli(&["keys", "list", "--output", "json"]).await.json();
    let keys = listed["keys"].as_array().unwrap();
    let shop = keys.iter().find(|key| key["name"] == "shop").unwrap();
    assert_eq!(shop["scopes"], serde_json::json!(["SCOPE_SEND"]));
    assert_eq!(shop["resellers"], serde_json::json!(["acme"]));
    let file = service.world().file("shop.key", key);
    let with_key = |rest: &[&str]| {
        let arguments: Vec<String> = rest
            .iter()
            .map(|&word| word.to_owned())
            .chain(["--key-file".to_owned(), file.display().to_string()])
            .collect();
        let service = &service;
        async move { service.cli(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    assert_eq!(with_key(&SEND).await.code, 0);
    failed(&with_key(&["keys", "list"]).await, 1, "ACCESS_DENIED");

    service.cli(&["keys", "revoke", shop["keyId"].as_str().unwrap()]).await.answer();

    failed(&with_key(&SEND).await, 1, "UNAUTHENTICATED");
    failed(&service.cli(&["keys", "revoke", "nothing"]).await, 1, "KEY_NOT_FOUND");
    failed(&service.cli(&["keys", "create", "shop", "--scope", "everything"]).await, 2, "everything");
}

#[tokio::test]
async fn findings_are_explained_without_a_service() {
    let world = given();
    let all = world.runs(&["findings"]).await.answer();
    for mistake in Mistake::ALL {
        assert!(all.contains(mistake.code()), "{all}");
        let page = world.runs(&["findings", mistake.code()]).await.answer();
        assert!(page.len() > 80, "{page}");
    }
    let listed = world.runs(&["findings", "--output", "json"]).await.json();
    assert!(listed["findings"].as_array().unwrap().len() >= 35, "{listed}");
    failed(&world.runs(&["findings", "NO_SUCH"]).await, 2, "NO_SUCH");
}

#[tokio::test]
async fn what_is_no_command_exits_2_and_no_service_exits_1() {
    let world = given();
    assert_eq!(world.runs(&["--version"]).await.answer().split_whitespace().next(), Some("postrider"));
    assert_eq!(world.runs(&["fax"]).await.code, 2);
    assert_eq!(world.runs(&["send"]).await.code, 2);
    assert_eq!(world.runs(&["serve", "--bogus"]).await.code, 2);
    let key = world.file("some.key", "pr_nobody_0000");
    // Port 1 is nobody's.
    let alone = world
        .runs(&["keys", "list", "--url", "http://127.0.0.1:1", "--key-file", key.to_str().unwrap()])
        .await;
    failed(&alone, 1, "postrider serve");
}

#[tokio::test]
async fn a_secret_is_never_an_argument() {
    let world = given();
    let refused = world.runs(&["settings", "put", "acme", "--client-secret", "value"]).await;
    assert_eq!(refused.code, 2, "{refused:#?}");
}

/// Runs a client command on a terminal of its own, and gives what the terminal would show.
async fn on_a_terminal(service: &Service, arguments: &[&str]) -> Finished {
    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut command = Command::new("python3");
    service.world().bare(&mut command);
    command.args(["-c", spawn]).arg(service.world().program()).args(arguments);
    command.arg("--data-dir").arg(service.data_dir()).env("TERM", "xterm").env_remove("NO_COLOR");
    run(command, "").await
}

#[tokio::test]
async fn on_a_terminal_the_ladder_tells_each_step_while_it_is_under_way_and_then_its_end_in_its_place() {
    let service = ready().await;
    let shown = on_a_terminal(&service, &["settings", "test", "acme"]).await;
    assert_eq!(shown.code, 0, "{shown:#?}");
    for step in ["SHAPE", "DIRECTORY", "CREDENTIAL", "PERMISSION", "SEND"] {
        let under_way = shown.stdout.find(&format!("{step:<10}  under way\r\u{1b}[K"));
        let ended = shown.stdout.find(&format!("\u{1b}[0m {step:<10}  0 ms"));
        let ended = ended.or_else(|| shown.stdout.rfind(&format!("\u{1b}[0m {step:<10}  ")));
        assert!(under_way.is_some() && under_way < ended, "{step} in {shown:#?}");
    }
    assert!(shown.stdout.ends_with("passed\r\n"), "{shown:#?}");
    let file = service.world().file("secret.txt", "wrong");
    let arguments = ["settings", "test", "acme", "--client-secret-file", file.to_str().unwrap()];
    let failed = on_a_terminal(&service, &arguments).await;
    assert_eq!(failed.code, 1, "{failed:#?}");
    assert!(failed.stdout.contains("\u{1b}[31m✘\u{1b}[0m CREDENTIAL"), "{failed:#?}");
    let mend = failed.stdout.find("What to do").unwrap();
    assert!(
        mend < failed.stdout.find("SEND        skipped").unwrap(),
        "the mend is told at once: {failed:#?}"
    );
}

#[tokio::test]
async fn on_a_terminal_a_large_mail_shows_how_much_of_it_has_left() {
    let service = ready().await;
    let file = service.world().path().join("large.bin");
    std::fs::write(&file, vec![b'x'; 8 << 20]).unwrap();
    let large = [&SEND[..], &["--attach", file.to_str().unwrap()]].concat();
    let shown = on_a_terminal(&service, &large).await;
    assert_eq!(shown.code, 0, "{shown:#?}");
    assert!(shown.stdout.contains("of 8.00 MiB, "), "{shown:#?}");
    let piped = service.cli(&large).await;
    assert_eq!((piped.code, piped.stderr.as_str()), (0, ""), "only on a terminal");
    let small = on_a_terminal(&service, &SEND).await;
    assert!(!small.stdout.contains("MiB"), "{small:#?}");
}

#[tokio::test]
async fn shells_and_manuals_are_told_every_command() {
    let world = given();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.runs(&["completions", shell]).await.answer();
        for word in ["settings", "client-secret-file", "request-id", "watch"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    let completes = r#"source <(./postrider completions bash); COMP_WORDS=(postrider settings te); COMP_CWORD=2
        _postrider postrider te settings; echo "${COMPREPLY[@]}""#;
    std::os::unix::fs::symlink(world.program(), world.path().join("postrider")).unwrap();
    let mut bash = Command::new("bash");
    world.bare(&mut bash);
    bash.args(["-c", completes]);
    assert_eq!(run(bash, "").await.answer(), "test\n");
    let page = world.runs(&["man"]).await.answer();
    assert!(page.contains(".TH postrider 1") && page.contains("postrider\\-send(1)"), "{page}");
    world.runs(&["man", "--into", "pages"]).await.answer();
    let page = std::fs::read_to_string(world.path().join("pages/postrider-settings-test.1")).unwrap();
    assert!(page.contains("client\\-secret\\-file"), "{page}");
}
