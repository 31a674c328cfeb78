//! `postrider credentials`: what is done to the stores of credentials themselves. No client: the service is stopped.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use postrider_server::config::CredentialStoreKind;
use postrider_server::credentials::{self, CredentialsError, MigrateError, Migrated, Migration, RekeyFailed};
use postrider_server::{OfflineError, init_telemetry};

use super::configuration::ConfigurationFlags;
use super::environment::Environment;
use super::failure::Failure;
use super::screen::{add, say};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Makes a new key that seals, and seals by it all that lies in the database. Killed, it goes on when run again.
    Rekey(ConfigurationFlags),
    /// Moves credentials from one store into the other, each verified. Killed, it goes on when run again.
    Migrate(MigrateArguments),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArguments {
    /// The store they are in.
    #[arg(long, value_name = "STORE", value_parser = store)]
    from: CredentialStoreKind,
    /// The store they are to be in.
    #[arg(long, value_name = "STORE", value_parser = store)]
    to: CredentialStoreKind,
    /// Read all that would be moved, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    flags: ConfigurationFlags,
}

fn store(text: &str) -> Result<CredentialStoreKind, String> {
    match text {
        "sealed" => Ok(CredentialStoreKind::Sealed),
        "vault" => Ok(CredentialStoreKind::Vault),
        _ => Err("the stores are sealed and vault".to_owned()),
    }
}

fn name(store: CredentialStoreKind) -> &'static str {
    match store {
        CredentialStoreKind::Sealed => "the sealed store",
        CredentialStoreKind::Vault => "Vault",
    }
}

pub(crate) fn run(
    command: CredentialsCommand,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        CredentialsCommand::Rekey(flags) => {
            let config = flags.load(data_dir, overrides, false, environment)?;
            let _logs = init_telemetry(config.log, None).map_err(anyhow::Error::new)?;
            let mut progress = Progress::of("records sealed anew");
            let rekeyed = runtime.block_on(credentials::rekey(&config, |done| progress.show(done, None)));
            let rekeyed = rekeyed.map_err(|error| match error {
                RekeyFailed::Offline(error) => of_offline(error),
                RekeyFailed::Rekey(error) => Failure::Failed(error.into()),
            })?;
            let resumed = if rekeyed.resumed { "went on with an earlier rekey: " } else { "" };
            let left = match rekeyed.left {
                0 => String::new(),
                left => format!("; {left} damaged records that nothing names any more were left as they are"),
            };
            say(&format!(
                "{resumed}{} records are sealed by the new key, and the old one is gone{left}",
                rekeyed.records
            ))
        }
        CredentialsCommand::Migrate(MigrateArguments { from, to, dry_run, flags }) => {
            if from == to {
                return Err(Failure::usage("--from and --to name the same store"));
            }
            let config = flags.load(data_dir, overrides, false, environment)?;
            let _logs = init_telemetry(config.log, None).map_err(anyhow::Error::new)?;
            let migration = Migration { from, to, dry_run };
            let mut progress = Progress::of("resellers looked at");
            let told = |done, total| progress.show(done, Some(total));
            let migrated = runtime.block_on(credentials::migrate(&config, migration, told));
            let migrated = migrated.map_err(|error| match error {
                MigrateError::Offline(error) => of_offline(error),
                other => Failure::Failed(other.into()),
            })?;
            report(&migrated, migration)
        }
    }
}

fn report(migrated: &Migrated, migration: Migration) -> Result<(), Failure> {
    let Migration { from, to, dry_run } = migration;
    let Migrated { moved, there, failed } = migrated;
    let done = if dry_run { "would be moved" } else { "moved" };
    let mut text = format!(
        "{moved} credentials {done} from {} to {}, {there} were there already, {} stay where they are\n",
        name(from),
        name(to),
        failed.len()
    );
    for (reseller, why) in failed {
        add(&mut text, format_args!("  {reseller}: {why}\n"));
    }
    say(&text)?;
    if failed.is_empty() { Ok(()) } else { Err(Failure::Answered) }
}

/// What an operator can mend before the next try is configuration.
fn of_offline(error: OfflineError) -> Failure {
    match error {
        OfflineError::Credentials(CredentialsError::Vault(error)) if !error.is_configuration() => {
            Failure::Failed(anyhow!(OfflineError::Credentials(CredentialsError::Vault(error))))
        }
        error => Failure::Usage(error.into()),
    }
}

/// Lines on standard error: the first, the last, and each hundredth part between.
struct Progress {
    what: &'static str,
    next: u64,
}

impl Progress {
    fn of(what: &'static str) -> Self {
        Self { what, next: 1 }
    }

    fn show(&mut self, done: u64, total: Option<u64>) {
        if done < self.next && total != Some(done) {
            return;
        }
        self.next = done + total.map_or(1_000, |total| (total / 100).max(1));
        match total {
            Some(total) => eprintln!("{done} of {total} {}", self.what),
            None => eprintln!("{done} {}", self.what),
        }
    }
}
