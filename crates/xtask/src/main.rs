//! Every task of the project that is not cargo's own: `cargo xtask <command>`.

mod api_doc;
mod bench;
mod clients;
mod counts;
mod crash_loop;
mod deny;
mod deploy;
mod findings;
mod microsoft_clients;
mod process;
mod promtool;
mod proto;
mod release;
mod sbom;
mod simulate;
mod steps;
mod system;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tools::{CARGO_CYCLONEDX, Toolbox};

/// Tasks of the project that are not cargo's own.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    /// A folder (or one with `bin` in it) that already has buf, grpcurl, cargo-deny and cargo-cyclonedx in the pinned versions
    #[arg(long = "tools", env = "POSTRIDER_TOOLS", value_name = "FOLDER", global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The one test command: sets up what it needs, then checks and tests everything
    Test {
        #[command(flatten)]
        clients: clients::Selection,
    },
    /// Tests the clients of clients/ alone: generated code, tests, and examples against the built program
    Clients {
        /// Only write their generated code anew
        #[arg(long)]
        generate: bool,
        /// Against this program, instead of building it
        #[arg(long, value_name = "FILE", conflicts_with = "generate")]
        program: Option<PathBuf>,
        #[command(flatten)]
        selection: clients::Selection,
    },
    /// Checks deploy/ alone: YAML, scripts, alert rules, and every key of the configuration that it names
    Deploy {
        /// Only render kubernetes/postrider.yaml anew from the chart, by the Helm on PATH
        #[arg(long)]
        render: bool,
        /// Against this program, instead of building it
        #[arg(long, value_name = "FILE", conflicts_with = "render")]
        program: Option<PathBuf>,
    },
    /// Holds the project's invariants: dependency edges, words, headers, budgets
    Tidy,
    /// Generates the API's types, its descriptor set and docs/api.md anew
    Proto {
        /// Only compare, and fail when what is checked in is stale
        #[arg(long)]
        check: bool,
    },
    /// Generates docs/findings.md anew from the catalogue
    Findings {
        /// Only compare, and fail when what is checked in is stale
        #[arg(long)]
        check: bool,
    },
    /// Builds the program as it is handed on: the same commit makes the same bytes
    Release {
        /// Also in a clone elsewhere, and fails where the two differ
        #[arg(long)]
        twice: bool,
    },
    /// Writes target/sbom/postrider.cdx.json: what the program is made of, as CycloneDX
    Sbom,
    /// Runs the dispatcher through so many simulated storms; a failure names its seed
    Simulate {
        /// How many
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Only this one, and all that happens in it
        #[arg(long, value_name = "SEED")]
        trace: Option<u64>,
    },
    /// Kills the built service again and again under load, and counts what is lost, doubled or too much
    CrashLoop {
        /// Kills that hit a commit or an attempt, on each database
        #[arg(long, default_value_t = 1_000)]
        kills: u64,
        /// What happens when is drawn from it
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// `sqlite` or `postgres`; both at the same time where none is named
        #[arg(long = "store", value_name = "STORE", default_values = ["sqlite", "postgres"])]
        stores: Vec<String>,
    },
    /// Kills the built service at each call of a first start and a short script that writes, syncs or sends
    CrashSweep {
        /// Only at every so-manieth of them, from one on that the seed says
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        every: u64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measures the release build beside what this machine allows: a table, and JSON in target/bench
    Bench {
        /// All sizes and repeats, for the table that is published; without it some minutes
        #[arg(long)]
        full: bool,
        /// Only this scenario: accept, one_mail, drain, neighbour, growth, memory, replicas
        #[arg(long = "only", value_name = "SCENARIO")]
        only: Vec<String>,
    },
    /// Opens what a loss of power could leave of the built service's files
    TornDisks {
        /// How many images
        #[arg(long, default_value_t = 10_000)]
        images: u64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Finds or installs the tools, servers, and Microsoft's own clients, that `test` needs
    Tools,
}

fn main() -> ExitCode {
    let Arguments { folder, command } = Arguments::parse();
    let toolbox = Toolbox::new(folder);
    let result = match command {
        Command::Test { clients } => return test::run(&toolbox, &clients),
        Command::Clients { generate: true, selection, .. } => clients::generate(&selection, &toolbox),
        Command::Clients { program, selection, .. } => clients::run(&selection, program, &toolbox),
        Command::Deploy { render: true, .. } => deploy::render(),
        Command::Deploy { program, .. } => {
            program.map_or_else(workspace::program, Ok).and_then(|program| deploy::run(&program))
        }
        Command::Tidy => tidy::run().map(|note| println!("{note}")),
        Command::Proto { check } => proto::run(check).and_then(|()| api_doc::run(check)),
        Command::Simulate { seeds, from, trace } => simulate::run(seeds, from, trace),
        Command::CrashLoop { kills, seed, stores } => crash_loop::run(kills, seed, &stores),
        Command::CrashSweep { every, seed } => crash_loop::run_sweep(every, seed),
        Command::Bench { full, only } => bench::run(full, &only),
        Command::TornDisks { images, seed } => crash_loop::run_torn(images, seed),
        Command::Findings { check } => findings::run(check),
        Command::Release { twice } => release::run(twice),
        Command::Sbom => {
            toolbox.path(&CARGO_CYCLONEDX).and_then(|tool| sbom::run(&tool)).map(|note| println!("{note}"))
        }
        Command::Tools => {
            toolbox.all().and_then(|()| system::ready()).and_then(|()| microsoft_clients::ready().map(drop))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
