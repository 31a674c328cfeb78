//! pgbouncer itself before a PostgreSQL, in transaction mode: each transaction may have another connection.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use crate::postgres::{self, Postgres};

/// A running pooler. It ends when the process that started it does.
#[derive(Debug)]
pub struct Pgbouncer {
    folder: tempfile::TempDir,
    port: u16,
}

impl Pgbouncer {
    /// The one of this test binary, before its PostgreSQL.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Pgbouncer> = OnceLock::new();
        SHARED.get_or_init(|| Self::started(Postgres::shared()))
    }

    fn started(server: &Postgres) -> Self {
        let this = Self { folder: postgres::folder(), port: postgres::free_port() };
        let configuration = this.folder.path().join("pgbouncer.ini");
        // What sqlx asks for at the start of a connection, and a pooler cannot know: `extra_float_digits`.
        let text = format!(
            "[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 6\nmax_client_conn = 500\n\
             server_idle_timeout = 1\nignore_startup_parameters = extra_float_digits\nlogfile = {log}\n",
            server = server.pooled_as(),
            port = this.port,
            log = this.log().display(),
        );
        std::fs::write(&configuration, text).unwrap();
        let mut command = postgres::as_its_user(Path::new("/bin/sh"));
        command.arg("-c").arg(postgres::ends_with_this_process("/dev/null", this.folder.path()));
        command.arg(program()).arg(&configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell =
            command.spawn().unwrap_or_else(|error| panic!("pgbouncer cannot be started: {error}"));
        std::thread::spawn(move || shell.wait());
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", this.port)).is_ok() {
                return this;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("pgbouncer did not start: {}", std::fs::read_to_string(this.log()).unwrap_or_default());
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

fn program() -> PathBuf {
    let path = postgres::variable("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut places = folders.map(|folder| folder.join("pgbouncer"));
    places
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("pgbouncer is not there: install it (Debian: pgbouncer)"))
}
