//! `postrider check-store`, `migrate` and `recover-access`: the database itself, without the service.
//!
//! What is wrong with a store is the answer, on standard output; why it could not be looked at is an error.

use std::path::PathBuf;

use postrider_server::{Checked, Migrated, OfflineError};
use secrecy::ExposeSecret as _;

use super::configuration::ConfigurationFlags;
use super::environment::Environment;
use super::failure::Failure;
use super::screen::{Colour, Screen, add, indented, say};

pub(crate) fn check(
    flags: ConfigurationFlags,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
    screen: &Screen,
) -> Result<(), Failure> {
    let config = flags.load(data_dir, overrides, false, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checked = runtime.block_on(postrider_server::check_store(&config)).map_err(of_database)?;
    say(&report(&checked, screen))?;
    if checked.iter().all(|one| one.broken.is_empty()) { Ok(()) } else { Err(Failure::Answered) }
}

fn report(checked: &[Checked], screen: &Screen) -> String {
    let mut text = String::new();
    for Checked { name, promise, broken } in checked {
        let mark = if broken.is_empty() {
            screen.paint(Colour::Green, "✔")
        } else {
            screen.paint(Colour::Red, "✘")
        };
        add(&mut text, format_args!("{mark} {name}: {promise}\n"));
        add(&mut text, format_args!("{}", indented("    ", &broken.join("\n"))));
    }
    let broken = checked.iter().filter(|one| !one.broken.is_empty()).count();
    add(
        &mut text,
        format_args!("{}\n", if broken == 0 { "the store is sound" } else { "the store is broken" }),
    );
    text
}

pub(crate) fn migrate(
    flags: ConfigurationFlags,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
) -> Result<(), Failure> {
    let config = flags.load(data_dir, overrides, false, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Migrated { from, to } = runtime.block_on(postrider_server::migrate(&config)).map_err(of_database)?;
    say(&if from == to {
        format!("the database has schema {to} already")
    } else {
        format!("the database was brought from schema {from} to schema {to}")
    })
}

/// The key alone goes to standard output, as `keys create` does it.
pub(crate) fn recover_access(
    flags: ConfigurationFlags,
    data_dir: Option<PathBuf>,
    overrides: Vec<(String, String)>,
    environment: &Environment,
) -> Result<(), Failure> {
    let config = flags.load(data_dir, overrides, false, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let key = runtime.block_on(postrider_server::recover_access(&config)).map_err(of_database)?;
    say(key.expose_secret())?;
    eprintln!(
        "This key may do everything, and is shown this once. Revoke the lost ones: `postrider keys list`, \
         `postrider keys revoke KEY_ID`."
    );
    Ok(())
}

/// A store that cannot be opened is a broken one, or none.
fn of_database(error: OfflineError) -> Failure {
    match error {
        error @ (OfflineError::Store(_) | OfflineError::AdminKey(_)) => Failure::Failed(error.into()),
        error => Failure::Usage(error.into()),
    }
}
