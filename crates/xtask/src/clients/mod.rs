//! The clients of `clients/`: their generated code is fresh, their tests pass, and their examples send a mail.
//!
//! Rules
//! - Each is built and tested by its language's ordinary toolchain, from its lock file.
//! - The examples run against the built program with the sandbox, over a real socket.
//! - A toolchain that lacks is a failure. A developer may leave a client out by `--skip-client`; CI may not.
//! - One that fails does not stop the next.

mod generated;
mod grpcurl;
mod language;
mod service;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use clap::Args;

use self::language::Language;
use self::service::Service;
use crate::tools::{BUF, GRPCURL, Toolbox};

/// Which clients to leave out.
#[derive(Args)]
pub(crate) struct Selection {
    /// Leave a client out, because its toolchain is not here; refused where CI is set
    #[arg(long = "skip-client", value_name = "LANGUAGE")]
    skipped: Vec<Language>,
}

impl Selection {
    fn languages(&self, in_ci: bool) -> anyhow::Result<Vec<Language>> {
        if !self.skipped.is_empty() && in_ci {
            bail!("--skip-client is for a developer's machine: in CI every client is tested");
        }
        let mut languages = Language::ALL.to_vec();
        languages.retain(|language| !self.skipped.contains(language));
        Ok(languages)
    }
}

/// Tests every selected client, and the calls of `docs/grpcurl.md`, against the program, or the one built here.
pub(crate) fn run(selection: &Selection, program: Option<PathBuf>, tools: &Toolbox) -> anyhow::Result<()> {
    let languages = selection.languages(in_ci())?;
    for skipped in &selection.skipped {
        println!("   {skipped}: LEFT OUT, by --skip-client");
    }
    let (buf, grpcurl) = (tools.path(&BUF)?, tools.path(&GRPCURL)?);
    let service = Service::start(program)?;
    grpcurl::run(&service, &grpcurl)?;
    each(&languages, |language| {
        let client = language.client();
        client.prepare()?;
        generated::check(language, &client, &buf)?;
        client.test(&service)
    })
}

/// Writes the generated code anew.
pub(crate) fn generate(selection: &Selection, tools: &Toolbox) -> anyhow::Result<()> {
    let buf = tools.path(&BUF)?;
    each(&selection.languages(in_ci())?, |language| {
        let client = language.client();
        client.prepare()?;
        generated::write(language, &client, &buf)
    })
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

fn each(languages: &[Language], step: impl Fn(Language) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut failures = Vec::new();
    for language in languages {
        let begun = Instant::now();
        match step(*language) {
            Ok(()) => println!("   {language}: ok, {:.1} s", begun.elapsed().as_secs_f64()),
            Err(error) => {
                println!("   {language}: FAILED: {error:#}");
                failures.push(format!("{language}: {error:#}"));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::{Language, Selection};

    #[test]
    fn a_developer_may_leave_a_client_out_and_ci_may_not() {
        let selection = Selection { skipped: vec![Language::Java] };
        let selected = selection.languages(false).unwrap();
        assert!(selected.len() == 4 && !selected.contains(&Language::Java));
        assert!(selection.languages(true).is_err());
        assert_eq!(Selection { skipped: Vec::new() }.languages(true).unwrap().len(), Language::ALL.len());
    }
}
