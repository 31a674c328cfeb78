//! Runs seeds: `simulate [SEEDS] [FROM]`; with `simulate trace SEED`, one seed, whose trace is printed; with
//! `simulate fleet LANES REPLICAS`, a fleet of that size.

use std::process::ExitCode;

use postrider_simulation::fleet::{self, Fleet};
use postrider_simulation::{Trace, seeds};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, default| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    if arguments.first().is_some_and(|first| first == "trace") {
        let trace = Trace::readable();
        let report = postrider_simulation::run::run(number(1, 0), &trace);
        println!("{}{}", trace.text(), report.failure());
        return if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if arguments.first().is_some_and(|first| first == "fleet") {
        let (lanes, replicas) = (number(1, 1_000_000), number(2, 50));
        println!("{}", fleet::run(Fleet::of(lanes, replicas)));
        return ExitCode::SUCCESS;
    }
    let from = number(1, 0);
    let summary = seeds::run(from..from + number(0, 1_000));
    print!("{summary}");
    if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
