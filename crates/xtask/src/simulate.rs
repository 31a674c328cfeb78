//! `cargo xtask simulate`: long runs of the simulation, optimised. The test command runs the first thousands.

use crate::process;

pub(crate) fn run(seeds: u64, from: u64, trace: Option<u64>) -> anyhow::Result<()> {
    let mut command =
        process::cargo(&["run", "--locked", "--release", "--package", "postrider-simulation", "--"]);
    match trace {
        Some(seed) => command.args(["trace", &seed.to_string()]),
        None => command.args([&seeds.to_string(), &from.to_string()]),
    };
    process::run(&mut command)
}
