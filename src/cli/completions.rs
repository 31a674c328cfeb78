//! `postrider completions` and `postrider man`: what a shell and a reader of manuals want to know of this command line.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::failure::Failure;
use super::screen;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// For which shell.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// A page for each command, as files in this folder, in place of the main page on standard output.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(crate) fn completions(arguments: &CompletionsArguments, mut command: Command) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print(&script)
}

pub(crate) fn man(arguments: ManArguments, command: Command) -> Result<(), Failure> {
    if let Some(folder) = arguments.into {
        let problem = || format!("the pages cannot be written to {}", folder.display());
        std::fs::create_dir_all(&folder).with_context(problem)?;
        clap_mangen::generate_to(command, &folder).with_context(problem)?;
        return Ok(());
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    print(&page)
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    Ok(screen::print(String::from_utf8_lossy(bytes).trim_end())?)
}
