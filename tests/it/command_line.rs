//! The command line as a user runs it: what it prints, and its exit codes.

use postrider_sandbox::seed;
use postrider_testkit::{Finished, Mistake};
use serde_json::Value;

use crate::support::{given, ready};

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
