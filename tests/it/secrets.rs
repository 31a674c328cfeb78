//! No secret leaves: planted canaries stand in no output, no reply, no error and no file, in no spelling.

use postrider_proto::v1::certificate::Content;
use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{
    Attachment, Certificate, FederatedCredential, GetSettingsRequest, ListKeysRequest, ListSettingsRequest,
    MessageState, Scope, Settings,
};
use postrider_sandbox::seed;
use postrider_testkit::{Mistake, acme_settings, canary, mail, secret};
use serde_json::json;

use crate::support::{directory_with_secret, given};

/// In the form of Entra's Values.
const CANARY: &str = "cAn8Q~ry.planted-by-a_test~0123456789abcd";
const WRONG_CANARY: &str = "cAn8Q~ry.that-opens_nothing~9876543210xy";
const PASTED_CANARY: &str = "cAn8Q~ry.in_the_wrong-field~55555555";
const BODY_CANARY: &str = "canary of a body, seen by its reader alone";

#[tokio::test]
async fn canaries_stand_in_no_output_no_reply_and_no_file() {
    let world = given();
    let microsoft = world.microsoft().await;
    microsoft.knows_directory(seed::TENANT_ID, &directory_with_secret(CANARY)).await;
    let mut service = world.service().sending_to(&microsoft).with("log.level", "trace").starts().await;
    let token = microsoft.issues_token(seed::TENANT_ID, seed::CLIENT_ID, CANARY).await;
    // Tokens differ in nonce and time; what the sandbox puts in the signature's place is the same in all of them.
    let token_end = token.rsplit('.').next().unwrap().to_owned();
    let mut settings = acme_settings();
    settings.credential = Some(secret(CANARY));
    let (_, sender) = service.admin().with_key(&[Scope::Send], &["acme"]).await;
    let mut replies = Vec::new();

    replies.push(format!("{:?}", service.admin().puts(settings.clone()).await));
    replies.push(format!("{:?}", service.admin().saved_settings("acme").await));
    let request = ListSettingsRequest::default();
    replies.push(format!("{:?}", service.admin().settings().list_settings(request).await));
    replies.push(format!("{:?}", service.admin().access().list_keys(ListKeysRequest {}).await));
    replies.push(format!("{:?}", service.admin().tests("acme", None).await));
    let body = mail("acme").waiting_for_sent().with(|email| BODY_CANARY.clone_into(&mut email.text));
    replies.push(format!("{:?}", sender.sends(body).await));
    settings.credential = Some(secret(WRONG_CANARY));
    replies.push(format!("{:?}", service.admin().tests("acme", Some(settings.clone())).await));
    replies.push(format!("{:?}", service.admin().puts(settings.clone()).await));
    replies.push(format!("{:?}", sender.sends(mail("acme").waiting_for_sent()).await));
    replies.push(format!("{:?}", service.admin().tests("acme", None).await));
    settings.tenant_id = PASTED_CANARY.to_owned();
    settings.client_id = PASTED_CANARY.to_owned();
    settings.credential = Some(secret(&format!("{CANARY}\n")));
    replies.push(format!("{:?}", service.admin().tries_to_put(settings).await.unwrap_err()));
    let stranger = service.client(&format!("{}x", sender.key()));
    let request = GetSettingsRequest { reseller: "acme".to_owned() };
    replies.push(format!("{:?}", stranger.settings().get_settings(request).await.unwrap_err()));
    replies.push(format!("{:?}", sender.tries(mail("globex")).await.unwrap_err()));
    service.admin().puts(Mistake::WrongClient.settings()).await;
    service.is_asked_to_end().await;

    let admin_key = service.admin().key().to_owned();
    let key_secret = |key: &str| key.rsplit('_').next().unwrap().to_owned();
    let sealing_key =
        std::fs::read_to_string(service.data_dir().join("postrider.key")).unwrap().trim().to_owned();
    let canaries = [
        ("the client secret", CANARY.to_owned()),
        ("another client secret", WRONG_CANARY.to_owned()),
        ("the seed's client secret", seed::SECRET.to_owned()),
        ("the sender's key", key_secret(sender.key())),
        ("the admin's key", key_secret(&admin_key)),
        ("the access token", token_end),
        ("the sealing key", sealing_key),
    ];
    let (stdout, stderr) = (service.stdout(), service.stderr());
    assert!(!stderr.is_empty(), "at the level trace something is logged");
    for (name, value) in &canaries {
        assert!(value.len() >= 16, "{name} is long enough to be looked for");
        for (place, text) in [("standard output", &stdout), ("standard error", &stderr)] {
            assert!(!canary::is_in(value, text.as_bytes()), "{name} stands in {place}");
        }
        for reply in &replies {
            assert!(!canary::is_in(value, reply.as_bytes()), "{name} stands in {reply}");
        }
        let mut files = canary::files_with(value, service.data_dir());
        // The two files whose purpose it is to hold them.
        files.retain(|file| match *name {
            "the admin's key" => !file.ends_with("admin.key"),
            "the sealing key" => !file.ends_with("postrider.key"),
            _ => true,
        });
        assert!(files.is_empty(), "{name} stands in {files:?}");
    }
    for (place, text) in [("standard output", &stdout), ("standard error", &stderr)] {
        assert!(!canary::is_in(BODY_CANARY, text.as_bytes()), "a mail's body stands in {place}");
    }
}

/// While it runs the write-ahead log is on disk too.
#[tokio::test]
async fn the_files_of_a_killed_process_hold_no_secret() {
    let world = given();
    let microsoft = world.microsoft().await;
    microsoft.knows_directory(seed::TENANT_ID, &directory_with_secret(CANARY)).await;
    let mut service = world.service().sending_to(&microsoft).starts().await;
    let mut settings = acme_settings();
    settings.credential = Some(secret(CANARY));
    service.admin().puts(settings).await;
    let (_, sender) = service.admin().with_key(&[Scope::Send], &["acme"]).await;
    sender.sends(mail("acme").waiting_for_sent()).await;

    service.is_killed().await;

    for value in [CANARY, sender.key().rsplit('_').next().unwrap()] {
        assert_eq!(canary::files_with(value, service.data_dir()), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn the_files_with_keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let service = crate::support::ready().await;
    for name in ["postrider.key", "admin.key"] {
        let mode = service.data_dir().join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    for entry in std::fs::read_dir(service.data_dir()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{} may be used by others", entry.path().display());
    }
}

/// A certificate's key and what opens it, an assertion, and the URL of an upload, which is itself a right to write.
#[tokio::test]
async fn what_proves_an_app_in_other_ways_stands_nowhere_either() {
    const PASSPHRASE: &str = "correct-horse";
    /// What the stand-in puts at the end of every upload URL.
    const UPLOAD: &str = "eyJhbGciOiJub25lIn0";
    let fixtures =
        std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates/microsoft/tests/certificates");
    let text = |name: &str| std::fs::read_to_string(fixtures.join(name)).unwrap();
    let key =
        text("chain.pem").split("PRIVATE KEY-----\n").nth(1).unwrap().lines().nth(3).unwrap().to_owned();
    let signature = data_encoding::BASE64URL_NOPAD.encode(b"a canary in an assertion");
    let world = given();
    let file = world.file("token", &format!("e30.e30.{signature}"));
    let microsoft = world.microsoft().await;
    let app = json!({
        "client_id": seed::CLIENT_ID,
        "certificates": [text("leaf.pem")],
        "roles": ["Mail.Send", "Mail.ReadWrite"],
    });
    let directory = json!({"apps": [app], "mailboxes": [{"address": seed::MAILBOX}]});
    microsoft.knows_directory(seed::TENANT_ID, &directory).await;
    let mut service = world
        .service()
        .sending_to(&microsoft)
        .with("log.level", "trace")
        .with("federated.k8s.token_file", file.to_str().unwrap())
        .starts()
        .await;
    let settings = |credential| Settings { credential: Some(credential), ..acme_settings() };
    let certificate = |content| {
        let passphrase = PASSPHRASE.to_owned();
        Credential::Certificate(Certificate { content: Some(content), passphrase, send_chain: true })
    };
    let mut replies = Vec::new();
    let pfx = Content::Pfx(std::fs::read(fixtures.join("aes256.pfx")).unwrap().into());
    replies.push(format!("{:?}", service.admin().puts(settings(certificate(pfx))).await));
    replies.push(format!(
        "{:?}",
        service.admin().puts(settings(certificate(Content::Pem(text("chain.pem"))))).await
    ));
    let large = mail("acme").waiting_for_sent().with(|email| {
        email.attachments = vec![Attachment {
            file_name: "a.bin".to_owned(),
            content_type: "application/octet-stream".to_owned(),
            content: vec![7; 5_000_000].into(),
            content_id: String::new(),
        }];
    });
    let sent = service.admin().sends(large).await;
    assert_eq!(sent.state(), MessageState::Sent, "{sent:#?}");
    replies.push(format!("{sent:?}"));
    let broken = certificate(Content::Pem(text("encrypted_slow.pem")));
    replies.push(format!("{:?}", service.admin().tries_to_put(settings(broken)).await.unwrap_err()));
    let federated = Credential::Federated(FederatedCredential { source: "k8s".to_owned() });
    replies.push(format!("{:?}", service.admin().tests("acme", Some(settings(federated.clone()))).await));
    replies.push(format!("{:?}", service.admin().puts(settings(federated)).await));
    replies.push(format!("{:?}", service.admin().tests("acme", None).await));
    service.is_asked_to_end().await;

    let outputs = [("standard output", service.stdout()), ("standard error", service.stderr())];
    for canary in [key.as_str(), PASSPHRASE, signature.as_str(), UPLOAD] {
        for (place, text) in &outputs {
            assert!(!canary::is_in(canary, text.as_bytes()), "{canary} stands in {place}");
        }
        for reply in &replies {
            assert!(!canary::is_in(canary, reply.as_bytes()), "{canary} stands in {reply}");
        }
        let files = canary::files_with(canary, service.data_dir());
        assert_eq!(files, Vec::<std::path::PathBuf>::new(), "{canary}");
    }
}
