//! Each promise of the module's header, by what an operator would write.

use std::time::Duration;

use super::*;

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(Sources { environment: pairs(variables), ..Sources::default() })
}

fn from_command_line(overrides: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(Sources { overrides: pairs(overrides), ..Sources::default() })
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("postrider.toml");
    std::fs::write(&file, text).unwrap();
    let loaded = Config::load(Sources { file: Some(file.clone()), ..Sources::default() });
    loaded.map_err(|error| match error {
        ConfigError::UnknownKey { key, mend, .. } => {
            ConfigError::UnknownKey { key, origin: "the file".to_owned(), mend }
        }
        ConfigError::Value { key, problem, .. } => {
            ConfigError::Value { key, origin: "the file".to_owned(), problem }
        }
        ConfigError::NotToml { problem, .. } => ConfigError::NotToml { path: "the file".into(), problem },
        other @ ConfigError::Unreadable { .. } => other,
    })
}

fn sentence(loaded: Result<Config, ConfigError>) -> String {
    loaded.map_or_else(|error| error.to_string(), |_| String::new())
}

fn sqlite(config: &Config, default: &str) -> Option<PathBuf> {
    match config.storage.database(default.as_ref()) {
        Database::Sqlite(path) => Some(path),
        Database::Postgres(_) => None,
    }
}

#[test]
fn a_password_of_the_database_is_not_printed() {
    let config = from_command_line(&[("storage.url", "postgres://postrider:hunter2@db/mail")]).unwrap();
    assert!(sqlite(&config, "x").is_none());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_defaults_alone_are_a_working_configuration() {
    let config = Config::load(Sources::default()).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("./postrider-data"));
    assert_eq!(config.listen.grpc.to_string(), "127.0.0.1:50051");
    assert_eq!(config.listen.http.to_string(), "127.0.0.1:9464");
    assert_eq!(config.listen.sandbox.to_string(), "127.0.0.1:8025");
    assert!(config.listen.reflection_needs_no_key());
    assert_eq!(sqlite(&config, "data/postrider.db"), Some(PathBuf::from("data/postrider.db")));
    assert_eq!(config.pace.recipients_per_day, postrider_domain::limits::MAILBOX_RECIPIENTS_PER_DAY);
    assert_eq!(config.retention.history, postrider_domain::limits::HISTORY_KEPT);
    assert_eq!((config.microsoft.login_url, config.microsoft.graph_url), (None, None));
    assert_eq!(config.microsoft.call_timeout, postrider_domain::limits::CALL_TIMEOUT);
    assert_eq!(
        config.pace.limits().messages_per_minute,
        postrider_domain::limits::MAILBOX_MESSAGES_PER_MINUTE
    );
    assert_eq!(config.lease.duration, Duration::from_secs(10));
    assert_eq!(config.limits.message_bytes, postrider_domain::limits::EMAIL_BYTES_MAX);
    assert_eq!(config.log, Log { format: LogFormat::Text, level: LogLevel::Info });
}

#[test]
fn the_command_line_goes_over_the_environment_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("postrider.toml");
    std::fs::write(&file, "[lease]\nduration = '20s'\n[log]\nlevel = 'warn'\n[pace]\nconcurrency = 1\n")
        .unwrap();
    let config = Config::load(Sources {
        file: Some(file),
        environment: pairs(&[("POSTRIDER_LEASE__DURATION", "30s"), ("POSTRIDER_LOG__LEVEL", "debug")]),
        overrides: pairs(&[("lease.duration", "40s")]),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(config.lease.duration, Duration::from_secs(40));
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.pace.concurrency, 1);
}

#[test]
fn an_unknown_key_is_an_error_wherever_it_comes_from() {
    insta::assert_snapshot!(sentence(from_file("[listen]\ngprc = '127.0.0.1:1'")), @"unknown key `listen.gprc`, set by the file: mend or remove it; the keys of listen are allow_plaintext, grpc, http, metrics, reflection, sandbox");
    insta::assert_snapshot!(sentence(from_file("[valut]\naddress = 'https://vault'")), @"unknown key `valut.address`, set by the file: mend or remove it; the sections are credentials, federated, lease, limits, listen, log, microsoft, oidc, pace, retention, storage, telemetry, tls, vault");
    insta::assert_snapshot!(sentence(from_file("[listen]\n\"a\\nb\" = 1")), @r"unknown key `listen.a\nb`, set by the file: mend or remove it; the keys of listen are allow_plaintext, grpc, http, metrics, reflection, sandbox");
    insta::assert_snapshot!(sentence(from_environment(&[("POSTRIDER_LISTEN__METRIC", "127.0.0.1:1")])), @"unknown key `listen.metric`, set by the environment as POSTRIDER_LISTEN__METRIC: mend or remove it; the keys of listen are allow_plaintext, grpc, http, metrics, reflection, sandbox");
    insta::assert_snapshot!(sentence(from_command_line(&[("pace.concurency", "1")])), @"unknown key `pace.concurency`, set by the command line: mend or remove it; the keys of pace are concurrency, messages_per_minute, recipients_per_day");
}

#[test]
fn a_source_of_assertions_is_named_by_the_operator_and_bound_or_not() {
    let file = "[federated.k8s]\ntoken_file = '/var/run/token'\nreseller = 'acme'\n\
                tenant_id = 'Contoso.example'\n[federated.vm_1]\nmanaged_identity = \
                '11111111-2222-3333-4444-555555555555'\n";
    let sources = from_file(file).unwrap().federated;
    let source = |name: &str| sources[&postrider_domain::SourceName::parse(name).unwrap()].clone();
    let k8s = source("k8s");
    assert_eq!(k8s.place, AssertionPlace::File("/var/run/token".into()));
    assert_eq!(k8s.reseller.map(|reseller| reseller.to_string()).as_deref(), Some("acme"));
    assert_eq!(k8s.directory.map(|directory| directory.to_string()).as_deref(), Some("contoso.example"));
    assert_eq!(k8s.client, None);
    assert!(matches!(source("vm_1").place, AssertionPlace::ManagedIdentity(_)));
    let named = from_environment(&[("POSTRIDER_FEDERATED__K8S__TOKEN_FILE", "token")]).unwrap();
    assert_eq!(named.federated.len(), 1);
}

#[test]
fn a_source_that_does_not_hold_is_an_error_with_its_key() {
    insta::assert_snapshot!(sentence(from_file("[federated.k8s]\nreseller = 'acme'")), @"`federated`, set by the file, has a source k8s whose token_file is missing: name a file, or give managed_identity");
    insta::assert_snapshot!(sentence(from_file("[federated.k8s]\ntoken_file = 'a'\nmanaged_identity = 'b'")), @"`federated`, set by the file, has a source k8s whose managed_identity stands beside token_file: give one of the two");
    insta::assert_snapshot!(sentence(from_file("[federated.k8s]\nmanaged_identity = 'b'")), @"`federated`, set by the file, has a source k8s whose managed_identity must be a GUID such as 11111111-2222-3333-4444-555555555555");
    insta::assert_snapshot!(sentence(from_file("[federated.k8s]\ntoken_file = 'a'\ntenant_id = 'common'")), @"`federated`, set by the file, has a source k8s whose tenant_id is a word for all directories: give the reseller's own directory ID or domain");
    insta::assert_snapshot!(sentence(from_file("[federated.k8s]\ntoken = 'a'")), @"unknown key `federated.k8s.token`, set by the file: mend or remove it; the keys of federated.<name> are token_file, managed_identity, reseller, tenant_id, client_id");
    insta::assert_snapshot!(sentence(from_file("[federated.K8S]\ntoken_file = 'a'")), @"unknown key `federated.K8S.token_file`, set by the file: mend or remove it; the keys of federated.<name> are token_file, managed_identity, reseller, tenant_id, client_id");
    insta::assert_snapshot!(sentence(from_file("[federated]\ntoken_file = 'a'")), @"unknown key `federated.token_file`, set by the file: mend or remove it; the keys of federated.<name> are token_file, managed_identity, reseller, tenant_id, client_id");
}

#[test]
fn azures_own_names_say_where_an_app_service_has_its_identities() {
    let config = from_environment(&[
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/MSI/token/"),
        ("IDENTITY_HEADER", "a-secret-of-the-platform"),
    ])
    .unwrap();
    let shown = format!("{:?}", config.identity);
    assert!(shown.contains("127.0.0.1:41741") && !shown.contains("a-secret"), "{shown}");
    let elsewhere = format!("{:?}", Config::load(Sources::default()).unwrap().identity);
    assert!(elsewhere.contains("169.254.169.254"), "{elsewhere}");
}

#[test]
fn names_without_two_underscores_are_not_configuration() {
    let injected = [
        ("POSTRIDER_SERVICE_HOST", "10.0.0.1"),
        ("POSTRIDER_PORT", "tcp://10.0.0.1:50051"),
        ("POSTRIDER_KEY", "pr_…"),
        ("OTHER__THING", "1"),
        ("POSTRIDER_DATA_DIR", "/var/lib/postrider"),
    ];
    let config = from_environment(&injected).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/postrider"));
}

#[test]
fn the_sandbox_has_a_data_directory_of_its_own_unless_one_is_named() {
    let load = |data_dir: Option<&str>| {
        Config::load(Sources { sandbox: true, data_dir: data_dir.map(PathBuf::from), ..Sources::default() })
    };
    assert_eq!(load(None).unwrap().data_dir, PathBuf::from("./postrider-sandbox"));
    assert_eq!(load(Some("here")).unwrap().data_dir, PathBuf::from("here"));
}

#[test]
fn a_value_that_does_not_hold_names_its_key_its_origin_and_the_mend() {
    let environment = |name, value| sentence(from_environment(&[(name, value)]));
    insta::assert_snapshot!(environment("POSTRIDER_LISTEN__GRPC", "localhost"), @"`listen.grpc`, set by the environment as POSTRIDER_LISTEN__GRPC, must be an IP address and a port, such as 127.0.0.1:50051");
    insta::assert_snapshot!(environment("POSTRIDER_LISTEN__HTTP", "0.0.0.0:9464"), @"`listen.http`, set by the environment as POSTRIDER_LISTEN__HTTP, is no loopback address, and has no TLS: set tls.certificate_file and tls.key_file, use 127.0.0.1 or [::1], or set listen.allow_plaintext = true behind a proxy that has");
    insta::assert_snapshot!(environment("POSTRIDER_STORAGE__URL", "mysql://u:secret@db/x"), @"`storage.url`, set by the environment as POSTRIDER_STORAGE__URL, must be sqlite:<path> or postgres://…, or empty for postrider.db in the data directory");
    insta::assert_snapshot!(environment("POSTRIDER_RETENTION__HISTORY", "1h"), @"`retention.history`, set by the environment as POSTRIDER_RETENTION__HISTORY, must be 1d to 3660d");
    insta::assert_snapshot!(environment("POSTRIDER_LIMITS__QUEUED_MESSAGES", "0"), @"`limits.queued_messages`, set by the environment as POSTRIDER_LIMITS__QUEUED_MESSAGES, must be at least 1");
    insta::assert_snapshot!(environment("POSTRIDER_CREDENTIALS__STORE", "vault"), @"`vault.address`, set by the defaults, must be set, since credentials.store or credentials.key needs Vault (auth approle)");
    insta::assert_snapshot!(environment("POSTRIDER_CREDENTIALS__STORE", "disk"), @"`credentials.store`, set by the environment as POSTRIDER_CREDENTIALS__STORE, must be sealed or vault");
    insta::assert_snapshot!(environment("POSTRIDER_CREDENTIALS__KEY", "tpm"), @"`credentials.key`, set by the environment as POSTRIDER_CREDENTIALS__KEY, must be file, systemd or transit");
    insta::assert_snapshot!(environment("POSTRIDER_CREDENTIALS__KEEP_REPLACED", "0s"), @"`credentials.keep_replaced`, set by the environment as POSTRIDER_CREDENTIALS__KEEP_REPLACED, must be 1s to 30d");
    insta::assert_snapshot!(environment("POSTRIDER_VAULT__ADDRESS", "http://vault.example:8200"), @"`vault.address`, set by the environment as POSTRIDER_VAULT__ADDRESS, would send credentials unencrypted over the network: use https, or a loopback address");
    insta::assert_snapshot!(environment("POSTRIDER_VAULT__ADDRESS", "https://vault.example:8200/v1"), @"`vault.address`, set by the environment as POSTRIDER_VAULT__ADDRESS, must be an origin without a path, such as https://vault.example:8200");
    insta::assert_snapshot!(environment("POSTRIDER_VAULT__AUTH", "ldap"), @"`vault.auth`, set by the environment as POSTRIDER_VAULT__AUTH, must be token, approle, jwt or cert");
    insta::assert_snapshot!(environment("POSTRIDER_VAULT__PREFIX", "a/../b"), @"`vault.prefix`, set by the environment as POSTRIDER_VAULT__PREFIX, must be letters, digits, `-`, `_` and `.`, parted by single slashes");
    insta::assert_snapshot!(environment("POSTRIDER_MICROSOFT__LOGIN_URL", "http://login.example"), @"`microsoft.login_url`, set by the environment as POSTRIDER_MICROSOFT__LOGIN_URL, would send credentials unencrypted over the network: use https, or a loopback address");
    insta::assert_snapshot!(environment("POSTRIDER_MICROSOFT__GRAPH_URL", "https://graph.example/v1.0"), @"`microsoft.graph_url`, set by the environment as POSTRIDER_MICROSOFT__GRAPH_URL, must be an origin without a path, such as https://login.microsoftonline.com");
    insta::assert_snapshot!(environment("POSTRIDER_MICROSOFT__CA_FILE", "/nowhere/ca.pem"), @"`microsoft.ca_file`, set by the environment as POSTRIDER_MICROSOFT__CA_FILE, names /nowhere/ca.pem, which cannot be read: name a PEM file, or none");
    insta::assert_snapshot!(environment("POSTRIDER_PACE__CONCURRENCY", "5"), @"`pace.concurrency`, set by the environment as POSTRIDER_PACE__CONCURRENCY, must be 1 to 4, which is Microsoft's limit for a mailbox");
    insta::assert_snapshot!(environment("POSTRIDER_PACE__MESSAGES_PER_MINUTE", "many"), @"`pace.messages_per_minute`, set by the environment as POSTRIDER_PACE__MESSAGES_PER_MINUTE, must be a whole number");
    insta::assert_snapshot!(environment("POSTRIDER_LEASE__DURATION", "10"), @"`lease.duration`, set by the environment as POSTRIDER_LEASE__DURATION, must be a whole number and a unit, such as 500ms, 10s, 2m, 1h or 3d");
    insta::assert_snapshot!(environment("POSTRIDER_LIMITS__MESSAGE_BYTES", "0"), @"`limits.message_bytes`, set by the environment as POSTRIDER_LIMITS__MESSAGE_BYTES, must be 1024 to 157286400");
    insta::assert_snapshot!(environment("POSTRIDER_LOG__FORMAT", "xml"), @"`log.format`, set by the environment as POSTRIDER_LOG__FORMAT, must be text or json");
    insta::assert_snapshot!(sentence(from_file("[lease]\nduration = 10")), @"`lease.duration`, set by the file, must be a whole number and a unit, such as 500ms, 10s, 2m, 1h or 3d");
    insta::assert_snapshot!(sentence(from_file("[log]\nlevel = 'loud'")), @"`log.level`, set by the file, must be off, error, warn, info, debug or trace");
}

#[test]
fn vault_needs_what_its_auth_method_reads() {
    let base = [("credentials.store", "vault"), ("vault.address", "https://vault.example:8200")];
    let missing = |more: &[(&str, &str)]| {
        let text = sentence(from_command_line(&[&base, more].concat()));
        text.split('`').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(missing(&[("vault.auth", "token")]), "vault.token_file");
    assert_eq!(missing(&[]), "vault.role_id");
    assert_eq!(missing(&[("vault.role_id", "r")]), "vault.secret_id_file");
    assert_eq!(missing(&[("vault.auth", "jwt"), ("vault.role", "r")]), "vault.jwt_file");
    assert_eq!(missing(&[("vault.auth", "cert"), ("vault.certificate_file", "c")]), "vault.key_file");
    assert_eq!(missing(&[("vault.auth", "token"), ("vault.token_file", "t")]), "");
}

#[test]
fn a_file_that_is_not_toml_is_refused_without_quoting_it() {
    insta::assert_snapshot!(sentence(from_file("[log]\nlevel = secret-of-mine\n")), @"the file is not TOML: TOML parse error at line 2, column 9");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let loaded = Config::load(Sources { file: Some("/nowhere/postrider.toml".into()), ..Sources::default() });
    insta::assert_snapshot!(sentence(loaded), @"cannot read the configuration file /nowhere/postrider.toml: No such file or directory (os error 2); give --config a file that can be read");
}

#[test]
fn plaintext_beyond_loopback_can_be_allowed() {
    let config =
        from_command_line(&[("listen.grpc", "0.0.0.0:0"), ("listen.allow_plaintext", "true")]).unwrap();
    assert_eq!(config.listen.grpc.port(), 0);
}

#[test]
fn an_origin_loses_its_last_slash_and_a_loopback_one_may_be_plain() {
    let config = from_command_line(&[
        ("microsoft.login_url", "http://127.0.0.1:8025/"),
        ("microsoft.graph_url", "https://graph.microsoft.com"),
        ("storage.url", "sqlite:/var/lib/postrider/mail.db"),
    ])
    .unwrap();
    assert_eq!(config.microsoft.login_url.as_deref(), Some("http://127.0.0.1:8025"));
    assert_eq!(config.microsoft.graph_url.as_deref(), Some("https://graph.microsoft.com"));
    assert_eq!(sqlite(&config, "x"), Some(PathBuf::from("/var/lib/postrider/mail.db")));
}

#[test]
fn a_client_that_does_not_hold_is_named_with_what_to_do() {
    let clients = |text: &str| {
        let files = "[tls]\ncertificate_file = 'a'\nkey_file = 'b'\nclient_ca_file = 'c'\n[[tls.clients]]\n";
        sentence(from_file(&format!("{files}{text}")))
    };
    insta::assert_snapshot!(clients("san = 'a.example'\nscopes = ['send', 'post']\nresellers = ['*']"), @"`tls.clients[0]`, set by the file, has a client `a.example` with the scope `post`: they are send, read, settings, test, admin");
    insta::assert_snapshot!(clients("san = 'a.example'\nscopes = ['send']\nresellers = []"), @r#"`tls.clients[0]`, set by the file, has a client `a.example` without resellers: name them, or "*" for all"#);
    insta::assert_snapshot!(clients("san = '*.example'\nscopes = ['send']\nresellers = ['*']"), @"`tls.clients[0]`, set by the file, has a client `*.example` whose san is no DNS name or URI of a certificate");
    insta::assert_snapshot!(clients("san = 'a.example'\nscopes = ['send']"), @r#"`tls.clients[0]`, set by the file, has a client `a.example` without resellers: name them, or "*" for all"#);
    let one = "san = 'a.example'\nscopes = ['send']\nresellers = ['acme']\n";
    insta::assert_snapshot!(clients(&format!("{one}[[tls.clients]]\n{one}")), @"`tls.clients`, set by the file, has two clients `a.example`: give one of them all scopes and resellers");
    insta::assert_snapshot!(sentence(from_file(&format!("[[tls.clients]]\n{one}"))), @"`tls.client_ca_file`, set by the file, is needed by tls.clients: name the file");
}
