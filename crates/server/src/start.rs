//! From a configuration to a running service, and back to nothing: the one place where concrete types meet.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postrider_credential_store::{CredentialStore, KeyPurpose, KeyedHash, LocalKey, Vault, VaultProbe};
use postrider_dispatch::{Breakers, Dispatcher, Policy, Ports, Wakeup};
use postrider_domain::{Clock, limits};
use postrider_microsoft::{Hosts, Microsoft, NotAnOrigin, SetupError, http_client};
use postrider_proto::v1::access_service_server::AccessServiceServer;
use postrider_proto::v1::mail_service_server::MailServiceServer;
use postrider_proto::v1::settings_service_server::SettingsServiceServer;
use postrider_store::StoreError;
use postrider_token_cache::TokenCache;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;

use crate::access::{Access, AccessLayer, AdminKeyError, Rates, Refusals, Tokens, made_here, make_admin_key};
use crate::app::App;
use crate::config::{Config, CredentialStoreKind};
use crate::credentials::{
    Asking, CredentialsError, FoundKey, Janitor, Notices, Refused, Rotation, TokensPort, Watch, open_vault,
};
use crate::data_dir::{DataDir, DataDirError, Endpoints};
use crate::door::{Certificates, DoorLayer, Listening, RequestBudget};
use crate::health::{Health, Readiness};
use crate::http::{Pages, nothing_here};
use crate::left_drafts::LeftDrafts;
use crate::metrics::Metrics;
use crate::open::Opened;
use crate::ports::{MicrosoftPort, OutboxPort};
use crate::proofs::{Asked, Proofs};
use crate::queue::WholeQueue;
use crate::reflection::add_reflection;
use crate::restored;
use crate::rpc::{AccessRpcs, Mail, SettingsRpcs};
use crate::wait::Waits;
use crate::{door, grpc_web, json, purge};

/// A quarter of what may wait for a writer.
const BATCH_PLACES: usize = 256;
/// Memory that access tokens may take: some 10,000 of them.
const TOKEN_CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// How long attempts in flight are heard out. What is left is in doubt at the next start.
const DISPATCH_GRACE: Duration = Duration::from_secs(10);

/// Calls to Graph in flight, of all lanes together: each has a connection of its own.
const CALLS_MAX: usize = 512;
/// Memory for content on its way to Graph, of small mail and of large.
const CONTENT_BYTES: usize = 256 * 1024 * 1024;
/// How long handlers whose caller went away, and the probes' pages, are waited for.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Why the service did not start, in one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("{}", crate::status::with_sources(.0))]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    AdminKey(#[from] AdminKeyError),
    #[error(transparent)]
    Hosts(#[from] NotAnOrigin),
    #[error("an HTTP client cannot be built: {0}")]
    Microsoft(#[from] SetupError),
    #[error("{key} {path} cannot be read: {cause}", path = path.display())]
    CaFile { key: &'static str, path: PathBuf, cause: std::io::Error },
    #[error(
        "{key} cannot listen on {address}: {cause}; stop what has it, or choose another with --{key}=ADDRESS:PORT"
    )]
    Listen { key: &'static str, address: SocketAddr, cause: std::io::Error },
    #[error(transparent)]
    Tls(#[from] door::TlsError),
    #[error("reflection cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("the API cannot be served as JSON: {0}")]
    Json(#[from] prost_reflect::DescriptorError),
    #[error("serving ended: {0}")]
    Serve(String),
}

/// What is served, once everything listens.
#[derive(Debug)]
pub struct Started {
    pub endpoints: Endpoints,
    pub admin_key_file: PathBuf,
    /// Whether the first access key was made just now.
    pub admin_key_made: bool,
}

/// Serves until `shutdown`. `ready` is told once all listen and `endpoints.json` is in place.
///
/// `sandbox` is where a stand-in Microsoft in the same process listens; its store is of its own kind.
pub async fn serve(
    config: Config,
    sandbox: Option<SocketAddr>,
    shutdown: CancellationToken,
    ready: impl FnOnce(&Started),
) -> Result<(), ServeError> {
    let data_dir = DataDir::open(&config.data_dir)?;
    let database = config.storage.database(&data_dir.database());
    let vault = open_vault(&config).await?;
    let found = FoundKey::find(&config, data_dir.path(), &database, vault.as_ref()).await?;
    let listeners = Listeners::bind(&config).await?;
    let opened = Opened::open(&config, &database).await?;
    let keys = found.keys(&config.vault, &opened.store, &database).await?;
    let store = Arc::clone(&opened.store).sealed_by(keys.content());
    let opened = Opened { store: Arc::clone(&store), ..opened };
    if config.restored {
        let messages = restored::take_as_in_doubt(&store, opened.clock.now()).await?;
        tracing::warn!(
            event = "restored",
            messages,
            "what waited in the backup may have been sent, and is OUTCOME_UNKNOWN now; leave --restored out from the next start on"
        );
    }
    let credentials = Arc::new(keys.stores(&config, &store, vault.as_ref()));
    let queue = WholeQueue::new(config.limits.of_all(), store.queue().await?);
    let parts = Parts { opened, credentials, queue };
    let app = Arc::new(build(&config, parts, &keys.key, shutdown.clone())?);
    let pepper = KeyedHash::new(&keys.key, KeyPurpose::AccessKeys);
    let admin_key_file = data_dir.admin_key();
    let first_key = made_here(&[("file", "admin.key"), ("scopes", "admin")]);
    let admin_key_made =
        make_admin_key(&*store.clone().by(first_key), &pepper, app.clock.as_ref(), &admin_key_file).await?;
    let endpoints = listeners.endpoints(sandbox);
    data_dir.write_endpoints(&endpoints)?;
    ready(&Started { endpoints, admin_key_file, admin_key_made });
    run(&config, app, vault, listeners).await?;
    store.close().await;
    Ok(())
}

/// What the service is reached by.
struct Listeners {
    grpc: TcpListener,
    web: TcpListener,
    /// For metrics and probes, where they are not on the other's.
    metrics: Option<TcpListener>,
    /// Of the first two.
    tls: Option<Arc<Certificates>>,
}

impl Listeners {
    async fn bind(config: &Config) -> Result<Self, ServeError> {
        let (tls, addresses) = (Certificates::open(&config.tls)?, &config.listen);
        let grpc = listen("listen.grpc", addresses.grpc).await?;
        let web = listen("listen.http", addresses.http).await?;
        let metrics = match addresses.metrics {
            Some(address) => Some(listen("listen.metrics", address).await?),
            None => None,
        };
        Ok(Self { grpc, web, metrics, tls })
    }

    fn endpoints(&self, sandbox: Option<SocketAddr>) -> Endpoints {
        let (grpc, http) = (self.grpc.local_addr().ok(), self.web.local_addr().ok());
        let exposed = |address: &SocketAddr| self.tls.is_none() && !address.ip().is_loopback();
        for listener in [grpc, http].into_iter().flatten().filter(exposed) {
            tracing::warn!(event = "listening_in_plaintext", %listener, "listening in plaintext beyond loopback: keys and mail can be read on the way");
        }
        let metrics = self.metrics.as_ref().and_then(|listener| listener.local_addr().ok());
        Endpoints { grpc, http, sandbox, metrics }
    }
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|cause| ServeError::Listen { key, address, cause })
}

/// What an app is built from, beside its configuration.
struct Parts {
    opened: Opened,
    credentials: Arc<dyn CredentialStore>,
    queue: WholeQueue,
}

fn build(
    config: &Config,
    parts: Parts,
    key: &LocalKey,
    shutdown: CancellationToken,
) -> Result<App, ServeError> {
    let Parts { opened: Opened { store, clock, look_every }, credentials, queue } = parts;
    let pepper = KeyedHash::new(key, KeyPurpose::AccessKeys);
    let metrics = Arc::new(Metrics::new(config.telemetry.reseller_labels));
    let microsoft = microsoft(config, &clock)?.observed_by(metrics.of_microsoft());
    let tokens = TokenCache::new(TOKEN_CACHE_BYTES, Arc::clone(&clock));
    let wakeup = Wakeup::default();
    let refusals = Refusals::new(store.clone(), Arc::clone(&clock));
    let asked = Asked::new(Arc::clone(&metrics), Arc::clone(&clock));
    let proofs = Proofs::new(microsoft.clone(), config.federated.clone(), config.identity.clone(), asked);
    let asking = Asking { proofs: proofs.clone(), entra: Breakers::default(), clock: Arc::clone(&clock) };
    let rotation = Rotation {
        store: Arc::clone(&store),
        credentials: Arc::clone(&credentials),
        asking,
        tokens: tokens.clone(),
        wakeup: wakeup.clone(),
        clock: Arc::clone(&clock),
        refused: Refused::default(),
    };
    let access = Access::new(store.clone(), pepper, Arc::clone(&clock), refusals)
        .letting_in(&config.tls.clients)
        .trusting(callers_tokens(config, &clock)?)
        .limited_to(Rates::of(config.limits));
    Ok(App {
        access: Arc::new(access),
        store,
        credentials,
        tokens,
        rotation,
        metrics,
        microsoft,
        proofs,
        content_hash: KeyedHash::new(key, KeyPurpose::ContentHash),
        wakeup,
        waits: Waits::default(),
        clock,
        pace: config.pace.limits(),
        call_timeout: config.microsoft.call_timeout,
        limits: config.limits,
        keep_replaced: config.credentials.keep_replaced,
        budget: RequestBudget::of(config.limits.request_bytes),
        queue,
        batch_places: Semaphore::new(BATCH_PLACES),
        look_every,
        shutdown,
        tasks: TaskTracker::new(),
    })
}

fn microsoft(config: &Config, clock: &Arc<dyn Clock>) -> Result<Microsoft, ServeError> {
    let hosts =
        Hosts::replaced(config.microsoft.login_url.as_deref(), config.microsoft.graph_url.as_deref())?;
    let ca = ca_file("microsoft.ca_file", config.microsoft.ca_file.as_deref())?;
    Ok(Microsoft::new(hosts, ca.as_deref(), Arc::clone(clock))?)
}

fn callers_tokens(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<Tokens>, ServeError> {
    let oidc = config.oidc.clone();
    let Some((issuer, audience)) = oidc.issuer.zip(oidc.audience) else { return Ok(None) };
    let http = http_client(ca_file("oidc.ca_file", oidc.ca_file.as_deref())?.as_deref())?;
    Ok(Some(Tokens::new(http, issuer, audience, oidc.jwks_url, Arc::clone(clock))))
}

fn ca_file(key: &'static str, path: Option<&Path>) -> Result<Option<Vec<u8>>, ServeError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|cause| ServeError::CaFile { key, path: path.to_owned(), cause })
    };
    path.map(read).transpose()
}

/// Runs all parts until shutdown, then lets them end in order: calls first, attempts after.
async fn run(
    config: &Config,
    app: Arc<App>,
    vault: Option<Vault>,
    listeners: Listeners,
) -> Result<(), ServeError> {
    let Listeners { grpc, web, metrics, tls } = listeners;
    let shutdown = app.shutdown.clone();
    let dispatching = tokio::spawn(dispatcher(config, &app).run(shutdown.clone()));
    let is_vault_there = vault.as_ref().filter(|_| config.credentials.need_vault()).map(Vault::is_there);
    let mut upkeep = upkeep(config, &app, vault);
    if let Some(tls) = &tls {
        app.metrics.own_certificate_ends(tls.end());
        upkeep.spawn(Arc::clone(tls).follow(Arc::clone(&app.metrics)));
    }
    let health = Health::new(app.store.health(), is_vault_there).await;
    let routes = routes(&app, config, &health)?;
    let door = DoorLayer::new(config.limits, app.budget.clone(), Arc::clone(&app.metrics));
    let open_reflection = config.listen.reflection_needs_no_key();
    let access = AccessLayer::new(Arc::clone(&app.access), Arc::clone(&app.metrics), open_reflection);
    let api = json::router(Arc::clone(&app))?.merge(grpc_web::router(routes.clone(), &door, &access));
    let pages = serve_pages(&app, health.readiness(), api, (web, tls.clone()), metrics);
    let following = tokio::spawn(health.follow(shutdown.clone()));
    let connections = app.metrics.connections("grpc", config.limits.connections);
    let listening =
        Listening { listener: grpc, tls, limits: config.limits, connections, shutdown: shutdown.clone() };
    let serving = async {
        let served = door::serve_grpc(listening, routes, door, access).await;
        // Also when serving ended by itself.
        shutdown.cancel();
        served
    };
    let hearing_out = async {
        shutdown.cancelled().await;
        tokio::time::timeout(DISPATCH_GRACE, dispatching).await
    };
    let (served, heard_out) = tokio::join!(serving, hearing_out);
    if heard_out.is_err() {
        tracing::warn!(
            event = "attempts_left",
            "attempts were still in flight: the next start resolves them as in doubt"
        );
    }
    app.tasks.close();
    drop(tokio::time::timeout(LAST_GRACE, app.tasks.wait()).await);
    drop(tokio::time::timeout(LAST_GRACE, pages.join_all()).await);
    following.abort();
    drop(upkeep);
    served.map_err(|error| ServeError::Serve(error.to_string()))
}

/// The API over HTTP and the pages, on one listener or two.
fn serve_pages(
    app: &Arc<App>,
    readiness: watch::Receiver<Readiness>,
    api: axum::Router,
    (web, tls): (TcpListener, Option<Arc<Certificates>>),
    metrics: Option<TcpListener>,
) -> JoinSet<io::Result<()>> {
    let (metrics_of, store, clock) =
        (Arc::clone(&app.metrics), Arc::clone(&app.store), Arc::clone(&app.clock));
    let pages = Pages { readiness, metrics: metrics_of, store, clock }.router();
    let (web_pages, own) = match metrics {
        Some(listener) => (api, Some(("metrics", listener, pages, None))),
        None => (api.merge(pages), None),
    };
    let mut serving = JoinSet::new();
    for (name, listener, pages, tls) in own.into_iter().chain([("http", web, web_pages, tls)]) {
        let connections = app.metrics.connections(name, app.limits.connections);
        let listening =
            Listening { listener, tls, limits: app.limits, connections, shutdown: app.shutdown.clone() };
        serving.spawn(door::serve_http(listening, pages.fallback(nothing_here)));
    }
    serving
}

/// What keeps the database and the credentials in order while the service runs. Ends when dropped, anywhere.
fn upkeep(config: &Config, app: &Arc<App>, vault: Option<Vault>) -> JoinSet<()> {
    let (store, clock) = (Arc::clone(&app.store), Arc::clone(&app.clock));
    let keep = config.credentials.keep_replaced;
    let janitor = Janitor {
        store: Arc::clone(&store),
        credentials: Arc::clone(&app.credentials),
        clock: Arc::clone(&clock),
        keep,
    };
    let notices = Notices { store: Arc::clone(&store), clock };
    let mut tasks = JoinSet::new();
    tasks.spawn(app.waits.clone().follow(store.changes(), app.shutdown.clone()));
    tasks.spawn(purge::run(Arc::clone(&store), app.shutdown.clone()));
    let counted = Arc::clone(app);
    tasks.spawn(
        async move { counted.queue.follow(Arc::clone(&counted.store), counted.shutdown.clone()).await },
    );
    tasks.spawn(janitor.run());
    tasks.spawn(notices.run());
    let (rotation, interval) = (app.rotation.clone(), config.vault.watch_interval);
    tasks.spawn(Watch { store, rotation, interval, vault: vault.clone() }.run());
    if let Some(vault) = vault {
        let probe = vault_probe(config);
        tasks.spawn(async move { vault.keep(probe).await });
    }
    tasks
}

fn vault_probe(config: &Config) -> VaultProbe {
    match config.credentials.store {
        CredentialStoreKind::Sealed => VaultProbe::Token,
        CredentialStoreKind::Vault => {
            VaultProbe::Credentials { mount: config.vault.mount.clone(), prefix: config.vault.prefix.clone() }
        }
    }
}

fn routes(app: &Arc<App>, config: &Config, health: &Health) -> Result<Routes, ServeError> {
    let (bytes_max, batch_bytes_max) = (config.limits.one_request_bytes(), config.limits.batch_bytes());
    let mail = MailServiceServer::new(Mail(Arc::clone(app)));
    let settings = SettingsServiceServer::new(SettingsRpcs(Arc::clone(app)));
    let access = AccessServiceServer::new(AccessRpcs(Arc::clone(app)));
    let routes = Routes::new(health.service())
        .add_service(mail.max_decoding_message_size(batch_bytes_max).accept_compressed(Gzip))
        .add_service(settings.max_decoding_message_size(bytes_max).accept_compressed(Gzip))
        .add_service(access.max_decoding_message_size(bytes_max).accept_compressed(Gzip));
    if config.listen.reflection { Ok(add_reflection(routes)?) } else { Ok(routes) }
}

fn dispatcher(config: &Config, app: &Arc<App>) -> Dispatcher {
    let ports = Ports {
        outbox: Arc::new(OutboxPort { store: Arc::clone(&app.store), metrics: Arc::clone(&app.metrics) }),
        tokens: Arc::new(TokensPort {
            store: Arc::clone(&app.store),
            credentials: Arc::clone(&app.credentials),
            cache: app.tokens.clone(),
            asking: app.rotation.asking.clone(),
            rotation: app.rotation.clone(),
        }),
        microsoft: Arc::new(MicrosoftPort {
            microsoft: app.microsoft.clone(),
            cache: app.tokens.clone(),
            left_drafts: LeftDrafts {
                microsoft: app.microsoft.clone(),
                wakeup: app.wakeup.clone(),
                clock: Arc::clone(&app.clock),
            },
            pace: app.pace,
        }),
        clock: Arc::clone(&app.clock),
    };
    let policy = Policy {
        pace: app.pace,
        lease: config.lease.duration,
        call_timeout: config.microsoft.call_timeout,
        calls_max: CALLS_MAX,
        content_bytes: CONTENT_BYTES,
        content_bytes_max: config.limits.message_bytes + limits::REQUEST_REST_BYTES,
        look_every: app.look_every,
    };
    Dispatcher::new(ports, policy, app.wakeup.clone())
}
