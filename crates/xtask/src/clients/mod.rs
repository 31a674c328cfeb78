//! The clients of `clients/`: their generated code is fresh, their tests pass, and their examples send a mail.
//!
//! Rules
//! - Each is built and tested by its language's ordinary toolchain, from its lock file.
//! - The examples run against the built program with the sandbox, over a real socket.
//! - A toolchain that lacks is a failure. A developer may leave a client out by `--skip-client`; CI may not.
//! - One that fails does not stop the next.

mod generated;
mod language;
mod service;

use std::path::Path;
use std::time::Instant;

use anyhow::bail;
use clap::Args;

use self::language::Language;
use self::service::Service;

/// Which clients to leave out.
#[derive(Args)]
pub(crate) struct Selection {
    /// Leave a client out, because its toolchain is not here; refused where CI is set
    #[arg(long = "skip-client", value_name = "LANGUAGE")]
    skipped: Vec<Language>,
}

impl Selection {
    fn languages(&self) -> anyhow::Result<Vec<Language>> {
        if !self.skipped.is_empty() && std::env::var_os("CI").is_some() {
            bail!("--skip-client is for a developer's machine: in CI every client is tested");
        }
        let mut languages = Language::ALL.to_vec();
        languages.retain(|language| !self.skipped.contains(language));
        Ok(languages)
    }
}

/// Tests every selected client; `buf` generates what is compared with the code that is checked in.
pub(crate) fn run(selection: &Selection, buf: &Path) -> anyhow::Result<()> {
    let languages = selection.languages()?;
    for skipped in &selection.skipped {
        println!("   {skipped}: LEFT OUT, by --skip-client");
    }
    let service = Service::start()?;
    each(&languages, |language| {
        let client = language.client();
        client.prepare()?;
        generated::check(language, &client, buf)?;
        client.test(&service)
    })
}

/// Writes the generated code anew.
pub(crate) fn generate(selection: &Selection, buf: &Path) -> anyhow::Result<()> {
    each(&selection.languages()?, |language| {
        let client = language.client();
        client.prepare()?;
        generated::write(language, &client, buf)
    })
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
