//! `cargo xtask crash-loop`, `crash-sweep` and `torn-disks`: the shipped build killed for as long as it takes, at each point of a script, and its
//! files torn. The test command does some of it with the build that the tests ran on.

use std::process::Command;

use crate::{process, system, workspace};

pub(crate) fn run(kills: u64, seed: u64, stores: &[String]) -> anyhow::Result<()> {
    build()?;
    kill("release", kills, seed, stores)
}

pub(crate) fn run_sweep(every: u64, seed: u64) -> anyhow::Result<()> {
    build()?;
    sweep("release", every, seed)
}

pub(crate) fn run_torn(images: u64, seed: u64) -> anyhow::Result<()> {
    build()?;
    tear("release", images, seed)
}

fn build() -> anyhow::Result<()> {
    system::ready()?;
    process::run(&mut process::cargo(&["build", "--locked", "--release", "--bin", "postrider"]))
}

/// On the program of a profile, which is built.
pub(crate) fn kill(profile: &str, kills: u64, seed: u64, stores: &[String]) -> anyhow::Result<()> {
    let mut command = on(profile, seed);
    command.args(["kill", "--kills", &kills.to_string()]);
    command.args(stores.iter().map(|store| format!("--store={store}")));
    process::run(&mut command)
}

/// The same at every so-manieth call that writes, syncs or sends.
pub(crate) fn sweep(profile: &str, every: u64, seed: u64) -> anyhow::Result<()> {
    process::run(on(profile, seed).args(["sweep", "--every", &every.to_string()]))
}

/// The same, of its files after a loss of power.
pub(crate) fn tear(profile: &str, images: u64, seed: u64) -> anyhow::Result<()> {
    process::run(on(profile, seed).args(["tear", "--images", &images.to_string()]))
}

fn on(profile: &str, seed: u64) -> Command {
    let program = workspace::root().join("target").join(profile).join("postrider");
    let mut command =
        process::cargo(&["run", "--locked", "--quiet", "--package", "postrider-crash-loop", "--"]);
    command.arg("--program").arg(program).args(["--seed", &seed.to_string()]);
    command
}
