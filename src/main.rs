//! The command `postrider`: reads the environment and the arguments, runs the command, ends with its exit code.

mod cli;

use std::process::ExitCode;

use cli::environment::Environment;

fn main() -> ExitCode {
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
