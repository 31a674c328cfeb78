//! `cargo xtask crash-loop`: the shipped build killed for as long as it takes. The test command does some of it with the build
//! that the tests ran on.

use crate::{process, system, workspace};

pub(crate) fn run(kills: u64, seed: u64, stores: &[String]) -> anyhow::Result<()> {
    system::ready()?;
    process::run(&mut process::cargo(&["build", "--locked", "--release", "--bin", "postrider"]))?;
    kill("release", kills, seed, stores)
}

/// On the program of a profile, which is built.
pub(crate) fn kill(profile: &str, kills: u64, seed: u64, stores: &[String]) -> anyhow::Result<()> {
    let program = workspace::root().join("target").join(profile).join("postrider");
    let mut command =
        process::cargo(&["run", "--locked", "--quiet", "--package", "postrider-crash-loop", "--"]);
    command.arg("--program").arg(program);
    command.args(["--kills", &kills.to_string(), "--seed", &seed.to_string()]);
    command.args(stores.iter().map(|store| format!("--store={store}")));
    process::run(&mut command)
}
