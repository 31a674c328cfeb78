//! PostgreSQL itself, for tests: one server a test binary, a database a test.
//!
//! The server is the one that `POSTRIDER_TEST_POSTGRES_URL` names, or one of this machine's programs, started in a folder
//! of its own on a socket of its own. It ends when the process that started it does, however that ends: a small shell
//! watches.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const URL_VARIABLE: &str = "POSTRIDER_TEST_POSTGRES_URL";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    bin: Option<PathBuf>,
    /// With the database left out.
    place: Place,
    made: AtomicU32,
}

#[derive(Debug)]
enum Place {
    /// A server that was there.
    Given(String),
    Own(Own),
}

/// A server of ours.
#[derive(Debug)]
struct Own {
    folder: tempfile::TempDir,
    port: u16,
}

impl Postgres {
    /// The one of this test binary.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match variable(URL_VARIABLE) {
            Some(url) => Self { bin: None, place: Place::Given(url), made: AtomicU32::new(0) },
            None => Self::started(),
        })
    }

    /// One for a test that ends it, or looks at it alone.
    pub fn started() -> Self {
        Self::started_in(&memory())
    }

    /// One whose data lies in a new folder of this one: on its disk, which is waited for.
    pub fn started_in(parent: &Path) -> Self {
        let bin = programs();
        let folder = folder_in(parent);
        let own = Own { port: free_port(), folder };
        let data = own.data();
        let made = as_its_user(&bin.join("initdb"))
            .args([
                "--no-sync",
                "--no-instructions",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
            ])
            .args(["--locale=C", "-D"])
            .arg(&data)
            .output()
            .unwrap_or_else(|error| panic!("initdb cannot be started: {error}"));
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let this = Self { bin: Some(bin), place: Place::Own(own), made: AtomicU32::new(0) };
        this.start();
        this
    }

    /// A new, empty database.
    pub fn database(&self) -> Database<'_> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("postrider_{}_{number}", std::process::id());
        self.sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        Database { server: self, name }
    }

    /// Starts it again after [`Postgres::stop`].
    pub fn start(&self) {
        let (bin, own) = self.own();
        let log = own.folder.path().join("log");
        let watch = ends_with_this_process(&log.display().to_string(), own.folder.path());
        let mut command = as_its_user(Path::new("/bin/sh"));
        command.arg("-c").arg(watch).arg(bin.join("postgres")).arg("-D").arg(own.data());
        command.args(["-p", &own.port.to_string(), "-k"]).arg(own.folder.path());
        for setting in
            ["listen_addresses=127.0.0.1", "max_connections=200", "shared_buffers=64MB", "max_wal_size=256MB"]
        {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = command.spawn().unwrap_or_else(|error| panic!("postgres cannot be started: {error}"));
        std::thread::spawn(move || shell.wait());
        for _ in 0..600 {
            let asked =
                self.psql("postgres", "SELECT 1").output().expect("psql, of PostgreSQL's client programs");
            if asked.status.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("postgres did not start: {}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// `immediate` is as if it had crashed.
    pub fn stop(&self, mode: &str) {
        let (bin, own) = self.own();
        let stopped = as_its_user(&bin.join("pg_ctl"))
            .args(["stop", "-w", "-m", mode, "-D"])
            .arg(own.data())
            .output()
            .unwrap();
        assert!(stopped.status.success(), "pg_ctl: {}", String::from_utf8_lossy(&stopped.stderr));
    }

    /// Stops it, and starts it as a standby of nobody.
    pub fn becomes_a_standby(&self) {
        let (_, own) = self.own();
        self.stop("fast");
        let made = as_its_user(Path::new("touch")).arg(own.data().join("standby.signal")).status().unwrap();
        assert!(made.success(), "standby.signal cannot be made");
        self.start();
    }

    /// Runs SQL outside of any test's database.
    pub fn administers(&self, sql: &str) {
        self.sql("postgres", sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// For a pooler's configuration: whoever comes is the user of the tests.
    pub(crate) fn pooled_as(&self) -> String {
        match &self.place {
            Place::Own(own) => format!("host=127.0.0.1 port={} user=postgres", own.port),
            Place::Given(_) => {
                let asked = "SELECT 'host=' || host(inet_server_addr()) || ' port=' || inet_server_port() || ' user=' || current_user";
                self.sql("postgres", asked).unwrap_or_else(|error| panic!("{asked}: {error}"))
            }
        }
    }

    fn own(&self) -> (&Path, &Own) {
        match (&self.bin, &self.place) {
            (Some(bin), Place::Own(own)) => (bin, own),
            _ => panic!("the server that {URL_VARIABLE} names is not the test's to stop"),
        }
    }

    fn url(&self, database: &str) -> String {
        match &self.place {
            Place::Given(url) => {
                let (server, _) = url.rsplit_once('/').unwrap_or((url, ""));
                format!("{server}/{database}")
            }
            Place::Own(own) => format!("postgres://postgres@127.0.0.1:{}/{database}", own.port),
        }
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let beside = self.bin.as_ref().map(|bin| bin.join("psql")).filter(|psql| psql.is_file());
        let psql = beside.unwrap_or_else(|| "psql".into());
        let mut command = Command::new(psql);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database), "-c", sql]);
        command.stdin(Stdio::null());
        command
    }

    fn sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let ran = self.psql(database, sql).output().unwrap_or_else(|error| panic!("psql: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
    }
}

impl Own {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// One database of a server. It goes with its server.
#[derive(Debug)]
pub struct Database<'s> {
    server: &'s Postgres,
    name: String,
}

impl Database<'_> {
    /// For `storage.url`.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// `host:port` of its server, where a proxy may forward to.
    pub fn address(&self) -> String {
        let url = self.url();
        let server = url.rsplit('@').next().and_then(|rest| rest.split('/').next());
        server.unwrap_or_else(|| panic!("no server in {url}")).to_owned()
    }

    /// The same by another address of the server, such as a proxy's.
    pub fn url_at(&self, address: &str) -> String {
        format!("postgres://postgres@{address}/{}", self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL as somebody else's hand; what it answers, a line a row.
    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The same, or what the server says is wrong with it.
    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        self.server.sql(&self.name, sql)
    }
}

/// The folder of PostgreSQL's programs, of the newest version there is.
fn programs() -> PathBuf {
    if let Some(path) = variable("PATH")
        && let Some(bin) = std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file())
    {
        return bin;
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut bins: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    bins.sort();
    bins.into_iter().rfind(|bin| bin.join("initdb").is_file()).unwrap_or_else(|| {
        panic!(
            "PostgreSQL's programs are not there: install them (Debian: postgresql), or set {URL_VARIABLE}"
        )
    })
}

/// A shell's program that runs what follows it. It ends with this process, and leaves nothing: it looks every second
/// whether that lives.
pub(crate) fn ends_with_this_process(log: &str, folder: &Path) -> String {
    format!(
        "lives() {{ kill -0 {this} 2>/dev/null || [ -d /proc/{this} ]; }}; \
         \"$0\" \"$@\" >>'{log}' 2>&1 & server=$!; \
         while lives && kill -0 $server 2>/dev/null; do sleep 1; done; \
         kill -INT $server 2>/dev/null; wait $server; lives || rm -rf '{folder}'",
        this = std::process::id(),
        folder = folder.display(),
    )
}

/// In memory where that can be: the server syncs as it does on a disk, and nobody waits for it.
fn memory() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() }
}

pub(crate) fn folder() -> tempfile::TempDir {
    folder_in(&memory())
}

fn folder_in(parent: &Path) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("postrider-pg-").tempdir_in(parent).unwrap();
    if is_root() {
        let owned = Command::new("chown").arg(user()).arg(folder.path()).status().unwrap();
        assert!(owned.success(), "chown {}", user());
    }
    folder
}

/// PostgreSQL does not run as root.
pub(crate) fn as_its_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", user(), "--"]).arg(program).current_dir("/");
    command
}

fn user() -> &'static str {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if passwd.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

#[expect(clippy::disallowed_methods, reason = "how whoever runs the tests names a server of theirs")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
