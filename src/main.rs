//! The command `postrider`: reads the environment and the arguments, runs the command, ends with its exit code.

mod cli;
mod hardening;

use std::process::ExitCode;

use cli::environment::Environment;

fn main() -> ExitCode {
    if let Err(error) = hardening::harden() {
        eprintln!("warning: core dumps cannot be turned off ({error}): turn them off with `ulimit -c 0`");
    }
    let environment = Environment::read();
    let invocation = match cli::Invocation::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) => error.exit(),
    };
    match invocation.run(&environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
