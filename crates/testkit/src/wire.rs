//! A wire that can be cut: what lies between a client and a server that speak over TCP, whatever they speak.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How PostgreSQL's clients say it, in a simple query.
const COMMIT: &[u8] = b"COMMIT\0";
const BUFFER: usize = 64 * 1024;

/// Cheap to clone; it serves as long as the test runs.
#[derive(Clone)]
pub struct Wire {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Mutex<String>,
    /// Turns with each cut, which ends every connection of the time.
    cut: watch::Sender<u64>,
    alive: AtomicUsize,
    /// The next COMMIT's answer is not passed on.
    withholds: AtomicBool,
    withheld: AtomicU64,
    commits: watch::Sender<u64>,
}

impl Wire {
    /// To `host:port`.
    pub async fn to(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream.to_owned()),
            cut: watch::Sender::new(0),
            alive: AtomicUsize::new(0),
            withholds: AtomicBool::new(false),
            withheld: AtomicU64::new(0),
            commits: watch::Sender::new(0),
        });
        let carried = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(Arc::clone(&carried), client));
            }
        });
        Self { address, shared }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where new connections lead from now on.
    pub fn leads_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.shared.upstream.lock().unwrap());
    }

    /// Cuts every connection, and says how many there were.
    pub fn is_cut(&self) -> usize {
        let alive = self.shared.alive.load(Ordering::Relaxed);
        self.shared.cut.send_modify(|cuts| *cuts += 1);
        alive
    }

    /// Lets the next COMMIT through to PostgreSQL, and cuts its connection in place of the answer.
    pub fn withholds_an_answer(&self) {
        self.shared.withholds.store(true, Ordering::Relaxed);
    }

    /// How often that happened.
    pub fn withheld(&self) -> u64 {
        self.shared.withheld.load(Ordering::Relaxed)
    }

    /// Turns with each COMMIT, once it was passed on.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.shared.commits.subscribe()
    }
}

async fn carry(shared: Arc<Shared>, client: TcpStream) {
    let mut cut = shared.cut.subscribe();
    let upstream = shared.upstream.lock().unwrap().clone();
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    shared.alive.fetch_add(1, Ordering::Relaxed);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let withheld = AtomicBool::new(false);
    let up = async {
        let mut bytes = vec![0; BUFFER];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            let sent = &bytes[..count];
            let commits = sent.windows(COMMIT.len()).any(|part| part == COMMIT);
            if commits && shared.withholds.swap(false, Ordering::Relaxed) {
                withheld.store(true, Ordering::Relaxed);
            }
            if to_server.write_all(sent).await.is_err() {
                return;
            }
            if commits {
                shared.commits.send_modify(|commits| *commits += 1);
            }
        }
    };
    let down = async {
        let mut bytes = vec![0; BUFFER];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            if withheld.load(Ordering::Relaxed) {
                shared.withheld.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
        _ = cut.changed() => {}
    }
    shared.alive.fetch_sub(1, Ordering::Relaxed);
}
