//! From a configuration to a running service, and back to nothing: the one place where concrete types meet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postrider_credential_store::{
    CredentialStore, KeyPurpose, KeyedHash, LocalKey, LocalKeyError, SealedCredentialStore,
};
use postrider_dispatch::{Dispatcher, Policy, Ports, Wakeup};
use postrider_domain::{Clock, SystemClock};
use postrider_microsoft::{Hosts, Microsoft, NotAnOrigin, SetupError};
use postrider_proto::v1::access_service_server::AccessServiceServer;
use postrider_proto::v1::mail_service_server::MailServiceServer;
use postrider_proto::v1::settings_service_server::SettingsServiceServer;
use postrider_store::{DynStore, SealedStore as _, SqliteStore, StoreError, StoreKind};
use postrider_token_cache::TokenCache;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;

use crate::access::{Access, AccessLayer, AdminKeyError, make_admin_key};
use crate::app::App;
use crate::config::Config;
use crate::data_dir::{DataDir, DataDirError, Endpoints};
use crate::door::DoorLayer;
use crate::health::Health;
use crate::ports::{MicrosoftPort, OutboxPort, SealedPort, TokensPort};
use crate::proofs::Proofs;
use crate::reflection::add_reflection;
use crate::rpc::{AccessRpcs, Mail, SettingsRpcs};
use crate::wait::Waits;
use crate::{door, http};

/// Memory that access tokens may take: some 10,000 of them.
const TOKEN_CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// How long attempts in flight are heard out. What is left is in doubt at the next start.
const DISPATCH_GRACE: Duration = Duration::from_secs(10);

/// How long handlers whose caller went away, and the probes' pages, are waited for.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Why the service did not start, in one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    LocalKey(#[from] LocalKeyError),
    #[error(
        "{database} is there but its key file {key} is not: put the key file back, without it the stored credentials \
         cannot be read",
        database = database.display(), key = key.display()
    )]
    KeyFileGone { database: PathBuf, key: PathBuf },
    #[error(
        "{key} is not the key file that belongs to {database}: put that one back, without it the stored credentials \
         cannot be read",
        database = database.display(), key = key.display()
    )]
    OtherKeyFile { database: PathBuf, key: PathBuf },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    AdminKey(#[from] AdminKeyError),
    #[error(transparent)]
    Hosts(#[from] NotAnOrigin),
    #[error("the HTTP client for Microsoft cannot be built: {0}")]
    Microsoft(#[from] SetupError),
    #[error("microsoft.ca_file {path} cannot be read: {cause}", path = path.display())]
    CaFile { path: PathBuf, cause: std::io::Error },
    #[error(
        "{key} cannot listen on {address}: {cause}; stop what has it, or choose another with --{key}=ADDRESS:PORT"
    )]
    Listen { key: &'static str, address: SocketAddr, cause: std::io::Error },
    #[error("reflection cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
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
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = config.storage.sqlite_path(&data_dir.database());
    let key = local_key(&data_dir, &database)?;
    let kind = if config.sandbox { StoreKind::Sandbox } else { StoreKind::Real };
    let grpc = listen("listen.grpc", config.listen.grpc).await?;
    let web = listen("listen.http", config.listen.http).await?;
    let store = SqliteStore::open(&database, kind, Arc::clone(&clock)).await?;
    if !store.bind_key(&key.id()).await? {
        return Err(ServeError::OtherKeyFile { database, key: data_dir.local_key() });
    }
    let store = Arc::new(store);
    let app = Arc::new(build(&config, Arc::clone(&store) as DynStore, &key, clock, shutdown.clone())?);
    let pepper = KeyedHash::new(&key, KeyPurpose::AccessKeys);
    let admin_key_file = data_dir.admin_key();
    let admin_key_made = make_admin_key(store.as_ref(), &pepper, app.clock.as_ref(), &admin_key_file).await?;
    for listener in [&grpc, &web].into_iter().filter_map(|listener| listener.local_addr().ok()) {
        if !listener.ip().is_loopback() {
            tracing::warn!(%listener, "listening in plaintext beyond loopback: keys and mail can be read on the way");
        }
    }
    let endpoints = Endpoints { grpc: grpc.local_addr().ok(), http: web.local_addr().ok(), sandbox };
    data_dir.write_endpoints(&endpoints)?;
    ready(&Started { endpoints, admin_key_file, admin_key_made });
    run(&config, app, grpc, web).await?;
    store.close().await;
    Ok(())
}

fn local_key(data_dir: &DataDir, database: &std::path::Path) -> Result<LocalKey, ServeError> {
    let path = data_dir.local_key();
    if !database.exists() {
        return Ok(LocalKey::load_or_create(&path)?.0);
    }
    LocalKey::load(&path).map_err(|error| match error {
        missing if missing.is_missing() => {
            ServeError::KeyFileGone { database: database.to_owned(), key: path }
        }
        other => other.into(),
    })
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|cause| ServeError::Listen { key, address, cause })
}

fn build(
    config: &Config,
    store: DynStore,
    key: &LocalKey,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<App, ServeError> {
    let hosts =
        Hosts::replaced(config.microsoft.login_url.as_deref(), config.microsoft.graph_url.as_deref())?;
    let ca = match &config.microsoft.ca_file {
        Some(path) => {
            Some(std::fs::read(path).map_err(|cause| ServeError::CaFile { path: path.clone(), cause })?)
        }
        None => None,
    };
    let credentials: Arc<dyn CredentialStore> =
        Arc::new(SealedCredentialStore::new(Arc::new(SealedPort(Arc::clone(&store))), key));
    let pepper = KeyedHash::new(key, KeyPurpose::AccessKeys);
    let microsoft = Microsoft::new(hosts, ca.as_deref(), Arc::clone(&clock))?;
    Ok(App {
        access: Arc::new(Access::new(store.clone(), pepper, Arc::clone(&clock))),
        store,
        credentials,
        tokens: TokenCache::new(TOKEN_CACHE_BYTES, Arc::clone(&clock)),
        proofs: Proofs::new(microsoft.clone(), config.federated.clone(), config.identity.clone()),
        microsoft,
        content_hash: KeyedHash::new(key, KeyPurpose::ContentHash),
        wakeup: Wakeup::default(),
        waits: Waits::default(),
        clock,
        pace: config.pace.limits(),
        call_timeout: config.microsoft.call_timeout,
        message_bytes_max: config.limits.message_bytes,
        puts: tokio::sync::Mutex::new(()),
        shutdown,
        tasks: TaskTracker::new(),
    })
}

/// Runs all parts until shutdown, then lets them end in order: calls first, attempts after.
async fn run(config: &Config, app: Arc<App>, grpc: TcpListener, web: TcpListener) -> Result<(), ServeError> {
    let shutdown = app.shutdown.clone();
    let dispatching = tokio::spawn(dispatcher(config, &app).run(shutdown.clone()));
    let health = Health::new(*app.store.health().borrow()).await;
    let (routes, listener) = (routes(&app, config, &health)?, config.listen.grpc.ip());
    let pages = tokio::spawn(door::serve_http(web, http::pages(health.readiness()), shutdown.clone()));
    let following = tokio::spawn(health.follow(app.store.health(), shutdown.clone()));
    let (door, access) =
        (DoorLayer::new(config.limits.message_bytes), AccessLayer::new(app.access.clone(), listener));
    let serving = async {
        let served = door::serve_grpc(grpc, routes, door, access, shutdown.clone()).await;
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
        tracing::warn!("attempts were still in flight: the next start resolves them as in doubt");
    }
    app.tasks.close();
    drop(tokio::time::timeout(LAST_GRACE, app.tasks.wait()).await);
    drop(tokio::time::timeout(LAST_GRACE, pages).await);
    following.abort();
    served.map_err(|error| ServeError::Serve(error.to_string()))
}

fn routes(app: &Arc<App>, config: &Config, health: &Health) -> Result<Routes, ServeError> {
    let bytes_max = config.limits.request_bytes();
    let mail = MailServiceServer::new(Mail(Arc::clone(app)));
    let settings = SettingsServiceServer::new(SettingsRpcs(Arc::clone(app)));
    let access = AccessServiceServer::new(AccessRpcs(Arc::clone(app)));
    let routes = Routes::new(health.service())
        .add_service(mail.max_decoding_message_size(bytes_max).accept_compressed(Gzip))
        .add_service(settings.max_decoding_message_size(bytes_max).accept_compressed(Gzip))
        .add_service(access.max_decoding_message_size(bytes_max).accept_compressed(Gzip));
    Ok(add_reflection(routes)?)
}

fn dispatcher(config: &Config, app: &Arc<App>) -> Dispatcher {
    let ports = Ports {
        outbox: Arc::new(OutboxPort::new(Arc::clone(&app.store), config.limits.message_bytes)),
        tokens: Arc::new(TokensPort {
            store: Arc::clone(&app.store),
            credentials: Arc::clone(&app.credentials),
            cache: app.tokens.clone(),
            proofs: app.proofs.clone(),
        }),
        microsoft: Arc::new(MicrosoftPort { microsoft: app.microsoft.clone(), cache: app.tokens.clone() }),
        observer: Arc::new(app.waits.clone()),
        clock: Arc::clone(&app.clock),
    };
    let policy =
        Policy { pace: app.pace, lease: config.lease.duration, call_timeout: config.microsoft.call_timeout };
    Dispatcher::new(ports, policy, app.wakeup.clone())
}
