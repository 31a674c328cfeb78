//! cargo-deny: what `deny.toml` allows in the dependency tree, and known vulnerabilities where they can be looked up.

use std::path::Path;
use std::process::Command;

use crate::{process, workspace};

/// Bans, licences and sources always; advisories where their database can be fetched.
pub(crate) fn run(cargo_deny: &Path) -> anyhow::Result<()> {
    let command = |arguments: &[&str]| {
        let mut command = Command::new(cargo_deny);
        command.args(["--workspace", "--locked"]).args(arguments).current_dir(workspace::root());
        command
    };
    process::run(&mut command(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    if let Err(error) = process::output(&mut command(&["fetch", "db"])) {
        let why = format!("{error:#}");
        let why = why.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        println!("   The advisory database cannot be reached from here ({why}).");
        println!(
            "   So known vulnerabilities were NOT looked up in this run; where the network allows it, they are."
        );
        return Ok(());
    }
    process::run(&mut command(&["check", "--hide-inclusion-graph", "--disable-fetch", "advisories"]))
}
