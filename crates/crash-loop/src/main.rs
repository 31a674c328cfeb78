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
//!
//! The sandbox is a process of its own, which outlives every kill: the witness. A kill counts where a call of a caller's, and so
//! a commit perhaps, or an attempt was open.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a loop that finds something fails; only tests are built with it"
)]

mod callers;
mod gate;
mod replica;
mod report;
mod run;
mod storm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::run::{Database, Plan, run};

/// Kills the service again and again, and counts what is lost, doubled, late or too much.
#[derive(Parser)]
struct Arguments {
    /// The built `postrider`
    #[arg(long)]
    program: PathBuf,
    /// Effective kills on each database
    #[arg(long, default_value_t = 1_000)]
    kills: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The databases, all at the same time
    #[arg(long = "store", value_enum, required = true)]
    stores: Vec<Database>,
}

fn main() -> ExitCode {
    let Arguments { program, kills, seed, stores } = Arguments::parse();
    let program = program.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    println!("seed {seed}");
    let run = |database| {
        let plan = Plan { program: program.clone(), database, kills, seed };
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
