//! Development only: what the built service reaches, beside what this machine allows at that moment.
//!
//! | file | holds |
//! | --- | --- |
//! | `probe/` | the limits: the disk alone, a minimal service on the same database, Microsoft asked without a service |
//! | `load` | callers, each with one call after the other |
//! | `meter` | what a process used: CPU and memory |
//! | `field` | a service with its database, its Microsoft and its resellers |
//! | `accept`, `one_mail`, `drain`, `growth`, `size`, `replicas` | the scenarios |
//! | `figure`, `report` | one figure beside its limit and its bar; all of them as a table and as JSON |
//!
//! Rules
//! - A figure is a ratio to a limit that is measured in the same run, right before or after it: a busy machine slows both.
//! - Callers, service, Microsoft and probes are processes of their own.
//! - It measures. Whether a figure reaches its bar is told, and is no failed test.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot be made fails; nothing of it is shipped"
)]

mod accept;
mod drain;
mod field;
mod figure;
mod growth;
mod load;
mod meter;
mod one_mail;
mod probe;
mod replicas;
mod report;
mod scale;
mod size;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::report::Report;
use crate::scale::Scale;

/// What the built service reaches, beside what this machine allows.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measures
    Run {
        /// The built `postrider`, of the release profile
        #[arg(long)]
        program: PathBuf,
        /// A folder on the disk that is measured
        #[arg(long)]
        folder: PathBuf,
        /// All sizes and repeats; without it what is done in some minutes
        #[arg(long)]
        full: bool,
        /// Only scenarios of these names
        #[arg(long = "only", value_name = "SCENARIO")]
        only: Vec<String>,
    },
    /// Serves as a limit to be measured; started by `run`
    #[command(hide = true)]
    Probe {
        /// A database of one table; without one a call is answered at once
        #[arg(long)]
        database: Option<String>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Run { program, folder, full, only } => {
            let program = program.canonicalize()?;
            std::fs::create_dir_all(&folder)?;
            let scale = if full { Scale::full() } else { Scale::short() };
            let mut report = Report::new(&folder, full);
            let ground = field::Ground { program, folder: folder.canonicalize()? };
            for (name, scenario) in scenarios() {
                if only.is_empty() || only.iter().any(|only| only == name) {
                    eprintln!("{name} …");
                    report.add(scenario(ground.clone(), scale).await);
                }
            }
            println!("{report}");
            report.write()
        }
        What::Probe { database } => probe::serve(database).await,
    }
}

type Scenario = fn(field::Ground, Scale) -> futures::future::BoxFuture<'static, Vec<figure::Figure>>;

fn scenarios() -> [(&'static str, Scenario); 7] {
    [
        ("accept", |ground, scale| Box::pin(accept::run(ground, scale))),
        ("one_mail", |ground, scale| Box::pin(one_mail::run(ground, scale))),
        ("drain", |ground, scale| Box::pin(drain::run(ground, scale))),
        ("neighbour", |ground, scale| Box::pin(drain::neighbour(ground, scale))),
        ("growth", |ground, scale| Box::pin(growth::run(ground, scale))),
        ("memory", |ground, scale| Box::pin(size::run(ground, scale))),
        ("replicas", |ground, scale| Box::pin(replicas::run(ground, scale))),
    ]
}
