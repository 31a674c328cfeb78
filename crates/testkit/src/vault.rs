//! HashiCorp Vault itself: started on a free port for one test, and arranged as an operator would.
//!
//! The policy under which Postrider runs is the very file of `deploy/vault/policy.hcl`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::patience::seen;
use crate::program::Program;
use crate::world::{ServiceBuilder, World};

const ROOT_TOKEN: &str = "root";
/// As `deploy/vault/policy.hcl` has them.
pub const MOUNT: &str = "secret";
pub const PREFIX: &str = "postrider";
const ROLE: &str = "postrider";

/// A running Vault. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub struct Vault {
    address: String,
    client: reqwest::Client,
    world: World,
    root: Arc<Root>,
    _process: Arc<Program>,
}

/// What opens it. Development mode has no key.
struct Root {
    token: String,
    unseal_key: Option<String>,
}

/// vault, or how to get it.
pub fn vault_program() -> PathBuf {
    let given = std::env::var_os("POSTRIDER_VAULT").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("vault"));
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/vault");
    given.into_iter().chain(on_path).chain([own]).find(|file| file.is_file()).expect(
        "vault is neither in POSTRIDER_VAULT nor on PATH: `cargo xtask tools` gets it, `cargo xtask test` does all",
    )
}

/// Vault cannot be asked which port it was given. These are not among those that the system gives to whoever asks for any,
/// so that nobody takes one before Vault does; the next one is for its cluster.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    let bound = |port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let free = |port: &u16| bound(*port) && bound(port + 1);
    let next = || Some(first + NEXT.fetch_add(2, Ordering::Relaxed) % 2_000);
    std::iter::from_fn(next).take(2_000).find(free).expect("a port is free")
}

impl Vault {
    /// In development mode: in memory, unsealed, with KV version 2 at `secret`, and the policy and an AppRole for Postrider.
    pub async fn starts(world: &World) -> Self {
        let vault = Self::starts_empty(world).await;
        vault.is_arranged().await;
        vault
    }

    /// The same as it comes: nothing is arranged for Postrider.
    pub async fn starts_empty(world: &World) -> Self {
        let port = free_port();
        let mut command = Command::new(vault_program());
        command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id", ROOT_TOKEN]);
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let root = Root { token: ROOT_TOKEN.to_owned(), unseal_key: None };
        Self::run(world, command, &format!("http://127.0.0.1:{port}"), client(None), root).await
    }

    /// On disk, sealed at every start, and unsealed once by this.
    pub async fn starts_on_disk(world: &World) -> Self {
        let (port, folder) = (free_port(), world.path().join("vault-data"));
        std::fs::create_dir_all(&folder).unwrap();
        let config = format!(
            "storage \"raft\" {{ path = \"{}\"\n node_id = \"one\" }}\n\
             listener \"tcp\" {{ address = \"127.0.0.1:{port}\"\n tls_disable = true }}\n\
             api_addr = \"http://127.0.0.1:{port}\"\ncluster_addr = \"https://127.0.0.1:{}\"\n\
             disable_mlock = true\n",
            folder.display(),
            free_port()
        );
        let address = format!("http://127.0.0.1:{port}");
        Self::starts_by(world, &config, &address, client(None)).await
    }

    /// With TLS by a certificate of the authority in `ca_file`, and client certificates asked for.
    pub async fn starts_with_tls(world: &World, certificate: &Path, key: &Path, ca_file: &Path) -> Self {
        let port = free_port();
        let config = format!(
            "storage \"inmem\" {{}}\n\
             listener \"tcp\" {{ address = \"127.0.0.1:{port}\"\n tls_cert_file = \"{}\"\n tls_key_file = \"{}\" }}\n\
             api_addr = \"https://127.0.0.1:{port}\"\ndisable_mlock = true\n",
            certificate.display(),
            key.display()
        );
        let ca = std::fs::read(ca_file).unwrap();
        let address = format!("https://127.0.0.1:{port}");
        Self::starts_by(world, &config, &address, client(Some(&ca))).await
    }

    async fn starts_by(world: &World, config: &str, address: &str, client: reqwest::Client) -> Self {
        let file = world.file("vault.hcl", config);
        let mut command = Command::new(vault_program());
        command.arg("server").arg("-config").arg(file);
        let blank = Root { token: String::new(), unseal_key: None };
        let mut vault = Self::run(world, command, address, client, blank).await;
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let made = vault.asks(Method::PUT, "sys/init", &shares).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let unseal_key = Some(text(&made["keys_base64"][0]));
        vault.root = Arc::new(Root { token: text(&made["root_token"]), unseal_key });
        vault.is_unsealed().await;
        vault
            .asks(
                Method::POST,
                &format!("sys/mounts/{MOUNT}"),
                &json!({"type": "kv", "options": {"version": "2"}}),
            )
            .await;
        vault.is_arranged().await;
        vault
    }

    async fn run(
        world: &World,
        mut command: Command,
        address: &str,
        client: reqwest::Client,
        root: Root,
    ) -> Self {
        world.bare(&mut command);
        command.env("HOME", world.path()).env_remove("VAULT_ADDR").env_remove("VAULT_TOKEN");
        let program = Program::start(command, world.path(), "vault");
        let (root, process) = (Arc::new(root), Arc::new(program));
        let vault =
            Self { address: address.to_owned(), client, world: world.clone(), root, _process: process };
        vault.answers("sys/health?standbyok=true&sealedcode=200&uninitcode=200", StatusCode::OK).await;
        vault
    }

    /// Waits until a path answers so.
    async fn answers(&self, path: &str, status: StatusCode) {
        let look = async || {
            let asked =
                self.client.get(self.url(path)).header("X-Vault-Token", &self.root.token).send().await;
            asked.ok().map(|answer| answer.status())
        };
        seen(&format!("Vault answers {status} at {path}"), look, |answered| *answered == Some(status)).await;
    }

    async fn is_arranged(&self) {
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/vault/policy.hcl");
        let policy = json!({"policy": std::fs::read_to_string(policy).unwrap()});
        // A KV engine that was just mounted upgrades itself first.
        self.answers(&format!("{MOUNT}/config"), StatusCode::OK).await;
        self.asks(Method::PUT, "sys/policies/acl/postrider", &policy).await;
        self.asks(Method::POST, &format!("{MOUNT}/config"), &json!({"cas_required": true})).await;
        self.asks(Method::POST, "sys/mounts/transit", &json!({"type": "transit"})).await;
        self.asks(Method::POST, "transit/keys/postrider", &json!({})).await;
        self.asks(Method::POST, "sys/auth/approle", &json!({"type": "approle"})).await;
        self.gives_tokens_for(&json!({})).await;
    }

    /// What the role's tokens are like, such as `{"token_ttl": "5s"}`.
    pub async fn gives_tokens_for(&self, role: &Value) {
        let mut role = role.clone();
        role["token_policies"] = json!(["postrider"]);
        self.asks(Method::POST, &format!("auth/approle/role/{ROLE}"), &role).await;
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.address)
    }

    /// A request of the operator's: its answer, or null where there is none.
    pub async fn asks(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = self.tries(method, path, body, &self.root.token).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// The same with any token, whatever comes of it.
    pub async fn tries(&self, method: Method, path: &str, body: &Value, token: &str) -> (StatusCode, Value) {
        let mut request = self.client.request(method, self.url(path)).header("X-Vault-Token", token);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    pub async fn reads(&self, path: &str) -> Value {
        self.asks(Method::GET, path, &Value::Null).await
    }

    /// Data and metadata of a reseller's secret, of its latest version.
    pub async fn secret(&self, reseller: &str) -> Value {
        self.reads(&format!("{MOUNT}/data/{PREFIX}/{reseller}")).await["data"].clone()
    }

    /// The numbers of the versions that are neither deleted nor destroyed.
    pub async fn versions(&self, reseller: &str) -> Vec<u64> {
        let path = format!("{MOUNT}/metadata/{PREFIX}/{reseller}");
        let (status, answer) = self.tries(Method::GET, &path, &Value::Null, &self.root.token).await;
        if status == StatusCode::NOT_FOUND {
            return Vec::new();
        }
        let versions = answer["data"]["versions"].as_object().unwrap_or_else(|| panic!("{answer}"));
        let is_there = |of: &Value| of["destroyed"] == false && of["deletion_time"] == "";
        let mut numbers: Vec<u64> = versions
            .iter()
            .filter(|(_, of)| is_there(of))
            .map(|(number, _)| number.parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// Waits until exactly these versions are there.
    pub async fn comes_to_have(&self, reseller: &str, versions: &[u64]) {
        let what = format!("{reseller} has the versions {versions:?}");
        seen(&what, || self.versions(reseller), |there| there == versions).await;
    }

    /// Another hand writes a secret, check-and-set on whatever is there.
    pub async fn is_written_by_hand(&self, reseller: &str, data: &Value) {
        let path = format!("{MOUNT}/metadata/{PREFIX}/{reseller}");
        let (_, metadata) = self.tries(Method::GET, &path, &Value::Null, &self.root.token).await;
        let cas = metadata["data"]["current_version"].as_u64().unwrap_or(0);
        let body = json!({"data": data, "options": {"cas": cas}});
        self.asks(Method::POST, &format!("{MOUNT}/data/{PREFIX}/{reseller}"), &body).await;
    }

    pub async fn is_sealed(&self) {
        self.asks(Method::PUT, "sys/seal", &Value::Null).await;
    }

    pub async fn is_unsealed(&self) {
        let body = json!({"key": self.root.unseal_key.as_ref().expect("it has a key")});
        self.asks(Method::PUT, "sys/unseal", &body).await;
        self.answers("sys/health", StatusCode::OK).await;
    }

    pub async fn role_id(&self) -> String {
        let answer = self.reads(&format!("auth/approle/role/{ROLE}/role-id")).await;
        answer["data"]["role_id"].as_str().unwrap().to_owned()
    }

    pub async fn secret_id(&self) -> String {
        let answer =
            self.asks(Method::POST, &format!("auth/approle/role/{ROLE}/secret-id"), &json!({})).await;
        answer["data"]["secret_id"].as_str().unwrap().to_owned()
    }

    /// A response-wrapping token of a secret id.
    pub async fn wrapped_secret_id(&self) -> String {
        let url = self.url(&format!("auth/approle/role/{ROLE}/secret-id"));
        let request =
            self.client.post(url).header("X-Vault-Token", &self.root.token).header("X-Vault-Wrap-TTL", "60s");
        let answer: Value = request.json(&json!({})).send().await.unwrap().json().await.unwrap();
        answer["wrap_info"]["token"].as_str().unwrap().to_owned()
    }

    /// A token under Postrider's policy.
    pub async fn token(&self, more: &Value) -> String {
        let mut body = more.clone();
        body["policies"] = json!(["postrider"]);
        let answer = self.asks(Method::POST, "auth/token/create-orphan", &body).await;
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Revokes every token that the role gave.
    pub async fn revokes_all_logins(&self) {
        self.asks(Method::PUT, "sys/leases/revoke-prefix/auth/approle", &Value::Null).await;
    }

    /// A private file with this in it.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.world.file(name, text);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    /// Lets the service keep its credentials here, by AppRole.
    pub async fn keeps_credentials_of(&self, service: ServiceBuilder) -> ServiceBuilder {
        let secret_id = self.file("secret-id", &self.secret_id().await);
        service
            .with("credentials.store", "vault")
            .with("vault.address", &self.address)
            .with("vault.role_id", &self.role_id().await)
            .with("vault.secret_id_file", &secret_id.display().to_string())
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests must not depend on the product's own client")]
fn client(ca: Option<&[u8]>) -> reqwest::Client {
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(ca) = ca {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(ca).unwrap());
    }
    builder.build().unwrap()
}
