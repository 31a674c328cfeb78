//! Bad input at the start: one plain sentence that names the thing and the mend, and nothing is served.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use postrider_testkit::{Finished, ServiceBuilder};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::given;

/// One sentence on standard error, which names all of these.
fn assert_refused(ended: &Finished, codes: &[i32], named: &[&str]) {
    assert!(codes.contains(&ended.code), "{ended:#?}");
    assert!(!ended.stdout.contains("listening"), "{ended:#?}");
    let errors: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one sentence: {ended:#?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
    for name in named {
        assert!(errors[0].contains(name), "it names {name}: {ended:#?}");
    }
}

/// A data directory that was used, and what it was used with.
async fn used() -> ServiceBuilder {
    let mut service = given().service().starts().await;
    assert_eq!(service.is_asked_to_end().await.code(), Some(0), "{}", service.stderr());
    service.built().clone()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn an_unknown_key_is_named_with_where_it_was_set() {
    let world = given();
    let file = world.file("wrong.toml", "[listen]\ngrcp = \"127.0.0.1:0\"\n");
    let by_file = world.service().with_argument("--config").with_argument(&text(&file)).ends().await;
    assert_refused(&by_file, &[2], &["listen.grcp", "wrong.toml"]);
    let by_flag = world.service().with("listen.grcp", "127.0.0.1:0").ends().await;
    assert_refused(&by_flag, &[2], &["listen.grcp"]);
    let by_variable = world.service().with_environment("POSTRIDER_LISTEN__GRCP", "127.0.0.1:0").ends().await;
    assert_refused(&by_variable, &[2], &["POSTRIDER_LISTEN__GRCP"]);
    assert!(!world.service().data_dir().exists(), "nothing is made");
}

#[tokio::test]
async fn a_value_that_does_not_hold_is_named_by_its_key() {
    let world = given();
    for (key, value) in [
        ("listen.grpc", "nowhere"),
        ("microsoft.call_timeout", "soon"),
        ("pace.concurrency", "5"),
        ("log.level", "loud"),
        ("credentials.store", "elsewhere"),
        ("microsoft.graph_url", "http://graph.example"),
    ] {
        let ended = world.service().with(key, value).ends().await;
        assert_refused(&ended, &[2], &[key]);
    }
}

#[tokio::test]
async fn names_that_others_put_into_the_environment_are_ignored() {
    let mut service = given()
        .service()
        .with_environment("POSTRIDER_PORT", "tcp://10.0.0.1:50051")
        .with_environment("POSTRIDER_SERVICE_HOST", "10.0.0.1")
        .starts()
        .await;
    assert_eq!(service.is_asked_to_end().await.code(), Some(0));
}

#[tokio::test]
async fn the_command_line_goes_over_the_environment_and_that_over_the_file() {
    let world = given();
    let file = world.file("postrider.toml", "[pace]\nconcurrency = 99\n");
    let check = |arguments: &[&str], variable: Option<&str>| {
        let mut command = world.command();
        command.arg("check-config").args(["--config", &text(&file)]).args(arguments);
        command.envs(variable.map(|value| ("POSTRIDER_PACE__CONCURRENCY", value)));
        postrider_testkit::run(command, "")
    };
    assert_refused(&check(&[], None).await, &[2], &["pace.concurrency", "postrider.toml"]);
    assert_eq!(check(&[], Some("2")).await.code, 0);
    let both = check(&["--pace.concurrency=77"], Some("2")).await;
    assert_refused(&both, &[2], &["pace.concurrency", "command line"]);
}

#[tokio::test]
async fn check_config_says_that_it_holds_and_changes_nothing() {
    let world = given();
    let good = world.file("good.toml", "[log]\nlevel = \"debug\"\n");
    let holds = world.runs(&["check-config", "--config", &text(&good), "--data-dir", "unmade"]).await;
    assert_eq!(holds.code, 0, "{holds:#?}");
    assert!(!world.path().join("unmade").exists());
    let replaced = ["check-config", "--microsoft.login_url=http://127.0.0.1:1"];
    let replaced = world.runs(&replaced).await;
    assert!(replaced.stdout.contains("in Microsoft's place there is http://127.0.0.1:1"), "{replaced:#?}");
    let broken = world.file("broken.toml", "[log\n");
    let refused = world.runs(&["check-config", "--config", &text(&broken)]).await;
    assert_refused(&refused, &[2], &["broken.toml"]);
    let missing = world.runs(&["check-config", "--config", "not-there.toml"]).await;
    assert_refused(&missing, &[2], &["not-there.toml"]);
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_used_is_named() {
    let world = given();
    let file = world.file("a-file", "not a directory");
    for path in [file.clone(), file.join("below"), "/proc/postrider".into()] {
        let ended = world.service().in_data_dir(&path).ends().await;
        assert_refused(&ended, &[1, 2], &[&text(&path), "--data-dir"]);
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let world = given();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["listen.grpc", "listen.http", "listen.sandbox"] {
        let ended = world.service().with(key, &address).ends().await;
        assert_refused(&ended, &[1, 2], &[&address, key]);
    }
}

#[tokio::test]
async fn listening_beyond_this_machine_without_tls_needs_a_word() {
    let world = given();
    let ended = world.service().with("listen.grpc", "0.0.0.0:0").ends().await;
    assert_refused(&ended, &[2], &["listen.grpc"]);
}

#[tokio::test]
async fn a_second_process_on_the_data_directory_is_refused() {
    let service = given().service().starts().await;
    let second = service.built().ends().await;
    assert_refused(&second, &[1, 2], &[&text(service.data_dir()), "another"]);
    assert_eq!(service.admin().health("").await.unwrap(), "SERVING", "the first goes on");
    service.admin().messages("acme").await;
}

#[tokio::test]
async fn a_key_file_that_others_may_read_is_refused_with_the_command_that_mends_it() {
    let used = used().await;
    let key = used.data_dir().join("postrider.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused(&used.ends().await, &[1, 2], &["chmod 600", &text(&key)]);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    used.starts().await;
}

#[tokio::test]
async fn a_key_file_that_is_gone_is_never_made_anew_beside_a_database() {
    let used = used().await;
    let key = used.data_dir().join("postrider.key");
    let bytes = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert_refused(&used.ends().await, &[1, 2], &[&text(&key)]);
    assert!(!key.exists());
    std::fs::write(&key, "not a key").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_refused(&used.ends().await, &[1, 2], &[&text(&key)]);
    std::fs::write(&key, bytes).unwrap();
    used.starts().await;
}

#[tokio::test]
async fn a_database_of_a_newer_postrider_is_not_touched() {
    let used = used().await;
    let database = used.data_dir().join("postrider.db");
    let mut db = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (999999, 'of a later version', 1, x'00', 0)";
    sqlx::query(newer).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    assert_refused(&used.ends().await, &[1, 2], &[&text(&database), "newer"]);
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_never_made_anew() {
    let used = used().await;
    let database = used.data_dir().join("postrider.db");
    for damage in
        [&b"this is no database at all, but long enough to be read as one ................."[..], b""]
    {
        std::fs::write(&database, damage).unwrap();
        assert_refused(&used.ends().await, &[1, 2], &[&text(&database)]);
        assert_eq!(std::fs::read(&database).unwrap(), damage);
    }
}

#[tokio::test]
async fn a_store_of_one_kind_never_starts_as_the_other() {
    let world = given();
    let microsoft = world.microsoft().await;
    let sandboxed = world.service().in_data_dir(world.path().join("one"));
    sandboxed.clone().starts().await.is_asked_to_end().await;
    let real = world.service().sending_to(&microsoft).in_data_dir(world.path().join("other"));
    real.clone().starts().await.is_asked_to_end().await;

    let sandbox_as_real = real.clone().in_data_dir(sandboxed.data_dir()).ends().await;
    assert_refused(&sandbox_as_real, &[1, 2], &["--sandbox", "another data directory"]);
    let real_as_sandbox = sandboxed.in_data_dir(real.data_dir()).ends().await;
    assert_refused(&real_as_sandbox, &[1, 2], &["--sandbox", "another data directory"]);
}

#[tokio::test]
async fn a_restart_keeps_the_first_key_and_makes_no_other() {
    let mut service = given().service().starts().await;
    let key = service.admin().key().to_owned();
    service.is_killed_and_returns().await;
    assert_eq!(service.admin().key(), key);
    service.admin().messages("acme").await;
}

#[tokio::test]
async fn the_key_file_of_another_installation_is_told_apart() {
    let (mine, theirs) = (used().await, used().await);
    std::fs::copy(theirs.data_dir().join("postrider.key"), mine.data_dir().join("postrider.key")).unwrap();
    assert_refused(&mine.ends().await, &[1, 2], &["postrider.key", "is not the key file that belongs to"]);
}
