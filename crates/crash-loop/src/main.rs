//! Development only: the built program, killed again and again under load, and its three logs given to the checker that the
//! simulation ends in.
//!
//! | file | holds |
//! | --- | --- |
//! | `run` | from the beginning to the checker |
//! | `storm` | what is done to the processes and their connections, and when |
//! | `replica` | one process, and what lies around it |
//! | `gate` | between it and Microsoft |
//! | `callers` | those who send, and what they were told |
//! | `report` | the table that is published |
//! | `sweep`, `first_start` | killed at each write, sync and send of a first start and a short script |
//! | `strace` | the tracer, attached |
//! | `tear`, `journal`, `disk` | apart from that: what a loss of power leaves of its files |
//!
//! The sandbox is a process of its own, which outlives every kill: the witness. A kill counts where a call of a caller's, and so
//! a commit perhaps, or an attempt was open.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a loop that finds something fails; only tests are built with it"
)]

mod callers;
mod disk;
mod first_start;
mod gate;
mod journal;
mod replica;
mod report;
mod run;
mod storm;
mod strace;
mod sweep;
mod tear;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::run::{Database, Plan, run};

/// What becomes of the built service when it is killed, and of its files when the power goes.
#[derive(Parser)]
struct Arguments {
    /// The built `postrider`
    #[arg(long)]
    program: PathBuf,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Kills it again and again under load, and counts what is lost, doubled, late or too much
    Kill {
        /// Effective kills on each database
        #[arg(long, default_value_t = 1_000)]
        kills: u64,
        /// The databases, all at the same time
        #[arg(long = "store", value_enum, required = true)]
        stores: Vec<Database>,
    },
    /// Kills it at each call of a first start and a short script that writes, syncs or sends
    Sweep {
        /// Only each so-manieth point, from one on that the seed says
        #[arg(long, default_value = "1")]
        every: NonZeroUsize,
    },
    /// Opens what a loss of power could leave of its files
    Tear {
        /// How many images
        #[arg(long, default_value_t = 10_000)]
        images: usize,
    },
}

fn main() -> ExitCode {
    let Arguments { program, seed, what } = Arguments::parse();
    let program = program.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    println!("seed {seed}");
    match what {
        What::Kill { kills, stores } => kill(&program, seed, kills, stores),
        What::Sweep { every } => {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            println!("{}", tokio::task::LocalSet::new().block_on(&runtime, sweep::run(program, every, seed)));
            ExitCode::SUCCESS
        }
        What::Tear { images } => {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let (full, careless) = runtime.block_on(tear::run(&program, images, seed));
            println!("synced as it is: {full}\nsynced as NORMAL does (the canary): {careless}");
            ExitCode::SUCCESS
        }
    }
}

fn kill(program: &Path, seed: u64, kills: u64, stores: Vec<Database>) -> ExitCode {
    let run = |database| {
        let plan = Plan { program: program.to_owned(), database, kills, seed };
        std::thread::spawn(move || {
            let report = tokio::runtime::Runtime::new().expect("a runtime").block_on(run(plan));
            println!("{report}");
        })
    };
    let running: Vec<_> = stores.into_iter().map(run).collect();
    // Each waits to its end, whatever became of the others.
    let ended: Vec<_> = running.into_iter().map(std::thread::JoinHandle::join).collect();
    if ended.iter().all(Result::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
