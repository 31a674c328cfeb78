//! What the tests need and comes from the system: PostgreSQL, pgbouncer before it, strace, which sees what is written, and jq,
//! which a page tells its reader to type.
//!
//! Found where distributions put them. What is missing is installed by apt-get where that is there and may be used; elsewhere
//! the error says what to install.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::process;

/// A program, the folders beside PATH where it may lie, and Debian's package.
struct Server {
    program: &'static str,
    package: &'static str,
}

const SERVERS: [Server; 4] = [
    Server { program: "postgres", package: "postgresql" },
    Server { program: "pgbouncer", package: "pgbouncer" },
    Server { program: "strace", package: "strace" },
    Server { program: "jq", package: "jq" },
];

/// Says of each where it is.
pub(crate) fn ready() -> anyhow::Result<()> {
    let missing: Vec<_> = SERVERS.iter().filter(|server| server.place().is_none()).collect();
    if !missing.is_empty() {
        let packages: Vec<_> = missing.iter().map(|server| server.package).collect();
        install(&packages)?;
    }
    for server in SERVERS {
        match server.place() {
            Some(path) => println!("   {}: {}", server.program, path.display()),
            None => bail!("{} is not there, though its package was installed", server.program),
        }
    }
    Ok(())
}

impl Server {
    fn place(&self) -> Option<PathBuf> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let beside = versions.map(|version| version.path().join("bin").join(self.program));
        let sbin = Path::new("/usr/sbin").join(self.program);
        let mut places = process::on_path(self.program).into_iter().chain(beside).chain([sbin]);
        places.find(|path| path.is_file())
    }
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let names = packages.join(" ");
    let is_root = process::output(Command::new("id").arg("-u"))?.trim() == "0";
    if !is_root || process::on_path("apt-get").is_empty() {
        bail!("{names} must be installed by the system's package manager (Debian: apt-get install {names})");
    }
    println!("   {names}: not here; installed by apt-get");
    process::run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    process::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}
