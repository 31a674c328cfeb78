//! `cargo xtask bench`: what the built service reaches, beside what this machine allows.

use crate::{process, system, workspace};

pub(crate) fn run(full: bool, only: &[String]) -> anyhow::Result<()> {
    system::ready()?;
    let release = ["--locked", "--release"];
    let built = ["build", "--bin", "postrider", "--package", "postrider"];
    process::run(process::cargo(&built).args(release))?;
    let target = workspace::root().join("target");
    let mut command = process::cargo(&["run", "--quiet", "--package", "postrider-bench"]);
    command.args(release).args(["--", "run", "--program"]).arg(target.join("release/postrider"));
    command.arg("--folder").arg(target.join("bench"));
    command.args(full.then_some("--full"));
    command.args(only.iter().map(|name| format!("--only={name}")));
    process::run(&mut command)
}
