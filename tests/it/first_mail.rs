//! The first mail, as the README and the service itself say how it is sent.

use std::path::{Path, PathBuf};

use postrider_proto::v1::{Attachment, MessageState};
use postrider_testkit::{Finished, Program, Service, World, mail, run};
use serde_json::Value;
use tokio::process::Command;

use crate::support::{given, grpcurl, path_with, ready};

/// A call that `serve --sandbox` printed, once it is there.
async fn printed(service: &mut Service, is_it: fn(&str) -> bool) -> String {
    let has_it = |text: &str| text.split_inclusive('\n').any(|line| line.ends_with('\n') && is_it(line));
    let text = service.program().says("a call to paste", has_it).await;
    text.lines().find(|line| is_it(line)).unwrap().to_owned()
}

/// Pastes a line into a shell on whose `PATH` grpcurl is.
async fn pasted(world: &World, line: &str, folders: &[PathBuf]) -> Finished {
    let mut command = Command::new("sh");
    world.bare(&mut command);
    command.args(["-c", line]).env("PATH", path_with(folders));
    run(command, "").await
}

#[tokio::test]
async fn the_grpcurl_call_that_is_printed_sends_a_mail() {
    let mut service = ready().await;
    let line = printed(&mut service, |line| line.starts_with("grpcurl ")).await;
    let folder = grpcurl().parent().unwrap().to_owned();

    let answer: Value = pasted(service.world(), &line, &[folder]).await.json();

    assert_eq!(answer["message"]["state"], "MESSAGE_STATE_SENT", "{answer}");
    let subject = answer["message"]["subject"].as_str().unwrap();
    let received = service.microsoft().received().await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].subject, subject);
    assert_eq!(received[0].internet_message_id, answer["message"]["internetMessageId"].as_str().unwrap());
    let (status, page) = service.microsoft().page("/").await;
    assert_eq!(status, 200);
    assert!(page.contains(subject), "{page}");
    assert!(page.contains(&received[0].recipients[0]), "{page}");
}

#[tokio::test]
async fn the_wrong_setting_that_is_printed_names_its_mend() {
    let mut service = ready().await;
    let line = printed(&mut service, |line| line.contains("settings test")).await;

    let tested = pasted(service.world(), &line, &[]).await;

    assert_eq!(tested.code, 1, "{tested:#?}");
    assert!(tested.stdout.contains("SECRET_IS_ID"), "{tested:#?}");
}

#[tokio::test]
async fn the_greeting_tells_the_addresses_and_where_the_key_is() {
    let mut service = ready().await;
    printed(&mut service, |line| line.starts_with("grpcurl ")).await;
    let greeting = service.stdout();
    let key_file = service.data_dir().join("admin.key");
    let (grpc, http) = (service.grpc(), service.http());
    let sandbox = service.microsoft().origin().trim_start_matches("http://").to_owned();
    assert!(
        greeting.starts_with(&format!("listening grpc={grpc} http={http} sandbox={sandbox}\n")),
        "{greeting}"
    );
    assert!(greeting.contains(&key_file.display().to_string()), "{greeting}");
    assert!(!greeting.contains("pr_"), "the key itself is not printed: {greeting}");
    assert!(!greeting.contains('\u{1b}'), "no colours but on a terminal: {greeting:?}");
    let endpoints = std::fs::read_to_string(service.data_dir().join("endpoints.json")).unwrap();
    let endpoints: Value = serde_json::from_str(&endpoints).unwrap();
    assert_eq!(endpoints, serde_json::json!({"grpc": grpc, "http": http, "sandbox": sandbox}));
}

#[tokio::test]
async fn the_mail_is_on_the_inbox_page_as_a_person_would_read_it() {
    let service = ready().await;
    let offer = mail("acme").about("Offer 4711 — für Ada").waiting_for_sent().with(|email| {
        email.html = "<p>Dear <b>Ann</b></p><script>alert(1)</script>".to_owned();
        email.cc = vec![postrider_testkit::address("carl@customer.example")];
        email.bcc = vec![postrider_testkit::address("archive@customer.example")];
        email.attachments = vec![Attachment {
            file_name: "offer.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            content: "the price is 7".into(),
            content_id: String::new(),
        }];
    });

    let sent = service.admin().sends(offer).await;

    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    let received = service.microsoft().received().await;
    assert_eq!(received[0].recipients.len(), 3);
    let (_, inbox) = service.microsoft().page("/").await;
    assert!(inbox.contains("Offer 4711 — für Ada"), "{inbox}");
    let link = inbox.split("href=\"").find(|rest| rest.starts_with("/messages/")).unwrap();
    let (status, page) = service.microsoft().page(link.split('"').next().unwrap()).await;
    assert_eq!(status, 200);
    for shown in
        ["sales@acme.example", "ann@customer.example", "carl@customer.example", "offer.txt", "sandbox"]
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("<script>alert"), "a mail's HTML is no part of the page: {page}");
}

/// The commands of the README's `sh` blocks, in order.
fn readme_commands() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut commands = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            "" => {}
            command if inside => commands.push(command.to_owned()),
            _ => {}
        }
    }
    commands
}

/// The arguments after `cargo run … --`, if that is what the command is.
fn arguments(command: &str) -> Option<&str> {
    command.strip_prefix("cargo run")?.split_once("-- ").map(|(_, arguments)| arguments)
}

/// The ports are any free ones, which the environment says; all else is as written.
#[tokio::test]
async fn the_commands_of_the_readme_do_what_it_says() {
    let commands = readme_commands();
    let own: Vec<_> = commands.iter().filter_map(|command| arguments(command)).collect();
    assert_eq!(own.first(), Some(&"serve --sandbox"), "{commands:#?}");
    assert!(commands.iter().any(|command| command == "cargo xtask test"), "{commands:#?}");
    assert!(own.iter().any(|line| line.starts_with("send acme ")), "{commands:#?}");
    let world = given();
    let mut serve = world.command();
    for listener in ["GRPC", "HTTP", "SANDBOX"] {
        serve.env(format!("POSTRIDER_LISTEN__{listener}"), "127.0.0.1:0");
    }
    serve.args(["serve", "--sandbox"]);
    let program = Program::start(serve, world.path(), "readme");
    program.says("that acme is ready", |text| text.contains("grpcurl ") && text.ends_with('\n')).await;

    let begin = commands.iter().position(|command| arguments(command) == Some("serve --sandbox")).unwrap();
    for command in &commands[begin + 1..] {
        let line = match arguments(command) {
            Some(arguments) => format!("'{}' {arguments}", world.program().display()),
            None if command.starts_with("echo ") => command.clone(),
            // The rest is for a machine with an installed Postrider and a real Microsoft.
            None => continue,
        };
        let done = pasted(&world, &line, &[]).await;
        if line.contains("settings test") {
            assert_eq!(done.code, 1, "{line}: {done:#?}");
            assert!(done.stdout.contains("SECRET_IS_ID"), "{line}: {done:#?}");
            assert!(done.stdout.contains("DIRECTORY"), "{line}: {done:#?}");
        } else {
            assert_eq!(done.code, 0, "{line}: {done:#?}");
        }
        if line.contains(" send acme ") {
            assert!(done.stdout.contains("SENT"), "{line}: {done:#?}");
        }
    }
}
