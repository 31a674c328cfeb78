//! The command line: what can be said to `postrider`, and which module does it.
//!
//! | command | module |
//! | --- | --- |
//! | `serve`, `sandbox`, `check-config` | [`serve`], [`sandbox`], [`configuration`] |
//! | `check-store`, `migrate`, `recover-access`: on the database itself | [`store`] |
//! | `credentials …`: with the service stopped | [`credentials`] |
//! | `send`, `settings …`, `messages …`, `keys …`, `audit`: clients of a running service | [`send`], [`settings`], [`messages`], [`keys`], [`audit`] |
//! | `findings` | [`findings`] |
//! | `completions`, `man` | [`completions`] |
//!
//! Rules
//! - Standard output has the answer and nothing else; logs, hints and errors go to standard error.
//! - Exit codes: 0 done, 1 failed, 2 usage or configuration ([`failure`]).
//! - A secret is never an argument: it comes from a file or from standard input.
//! - A client knows the API and nothing else of the service.

mod access_key;
mod attachment;
mod audit;
mod client;
mod completions;
mod configuration;
mod credentials;
pub(crate) mod environment;
mod failure;
mod finding;
mod findings;
mod input;
mod keys;
mod messages;
mod nearest;
mod overrides;
mod place;
mod progress;
mod retry;
mod rpc_error;
mod sandbox;
mod screen;
mod send;
mod serve;
mod settings;
mod signals;
mod store;
mod time;
mod value;
mod words;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::client::{Client, ClientFlags};
use self::configuration::ConfigurationFlags;
use self::environment::Environment;
use self::failure::Failure;
use self::screen::Screen;

/// The version and, built from a clone, its revision. `build.rs` stamps it.
const VERSION: &str = match option_env!("POSTRIDER_VERSION_LONG") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// Sends each reseller's email from its own Microsoft 365 mailbox, through Microsoft Graph.
#[derive(Debug, Parser)]
#[command(name = "postrider", version = VERSION, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    client: ClientFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service, or with --sandbox the service and a stand-in Microsoft to try it with.
    Serve(serve::ServeArguments),
    /// Runs the stand-in Microsoft alone.
    Sandbox(sandbox::SandboxArguments),
    /// Says whether the configuration holds, and changes nothing.
    CheckConfig(ConfigurationFlags),
    /// Says whether what is stored is sound, also beside a running service, and changes nothing.
    CheckStore(ConfigurationFlags),
    /// Brings the database to the schema of this version. One in SQLite may have no service; replicas on PostgreSQL go on.
    Migrate(ConfigurationFlags),
    /// Makes a key that may do everything and prints it, this once: for when all such keys are lost. On SQLite with the service
    /// stopped; on PostgreSQL also beside it.
    RecoverAccess(ConfigurationFlags),
    /// Sends one email.
    Send(Box<send::SendArguments>),
    /// The stores of credentials, with the service stopped: rekey, migrate.
    #[command(subcommand)]
    Credentials(credentials::CredentialsCommand),
    /// What a reseller's mail is sent with, and whether it is: put, get, test, rotate, pause, resume, list, delete.
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// What became of messages, and what to do about it: list, get, watch, cancel, retry.
    #[command(subcommand)]
    Messages(messages::MessagesCommand),
    /// The keys by which callers are known: create, list, revoke.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Tells who changed what, and whether the record of it is whole.
    Audit(audit::AuditArguments),
    /// Lists all that can be wrong, or explains one finding.
    Findings(findings::FindingsArguments),
    /// Prints what makes a shell complete this program's commands.
    Completions(completions::CompletionsArguments),
    /// Prints the manual page, for `man -l -`; or writes one for each command into a folder.
    Man(completions::ManArguments),
}

impl Command {
    /// Whether `--section.key=value` means something to it.
    fn is_configured(&self) -> bool {
        matches!(
            self,
            Self::Serve(_)
                | Self::Sandbox(_)
                | Self::CheckConfig(_)
                | Self::CheckStore(_)
                | Self::Migrate(_)
                | Self::RecoverAccess(_)
                | Self::Credentials(_)
        )
    }
}

/// One call of the program, as its arguments say it.
#[derive(Debug)]
pub(crate) struct Invocation {
    cli: Cli,
    /// `--section.key=value`, without the hyphens.
    overrides: Vec<(String, String)>,
}

impl Invocation {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let (rest, overrides) = overrides::extract(arguments.iter().cloned());
        match Cli::try_parse_from(rest) {
            Ok(cli) if overrides.is_empty() || cli.command.is_configured() => Ok(Self { cli, overrides }),
            // What looks like an override is then something else, such as a subject, or a mistake that clap names.
            Ok(_) => Ok(Self { cli: Cli::try_parse_from(arguments)?, overrides: Vec::new() }),
            Err(error) => match Cli::try_parse_from(arguments) {
                Ok(cli) => Ok(Self { cli, overrides: Vec::new() }),
                Err(_) => Err(error),
            },
        }
    }

    pub(crate) fn run(self, environment: &Environment) -> Result<(), Failure> {
        let Self { cli: Cli { client: flags, command }, overrides } = self;
        let screen = Screen::new(flags.output(), environment);
        match command {
            Command::Serve(arguments) => {
                let data_dir = flags.only_data_dir("serve")?;
                serve::run(arguments, data_dir, overrides, environment)
            }
            Command::Sandbox(arguments) => {
                let data_dir = flags.only_data_dir("sandbox")?;
                sandbox::run(arguments, data_dir, overrides, environment)
            }
            Command::CheckConfig(arguments) => {
                let data_dir = flags.only_data_dir("check-config")?;
                configuration::check(arguments, data_dir, overrides, environment)
            }
            Command::CheckStore(arguments) => {
                let data_dir = flags.only_data_dir("check-store")?;
                store::check(arguments, data_dir, overrides, environment, &screen)
            }
            Command::Migrate(arguments) => {
                let data_dir = flags.only_data_dir("migrate")?;
                store::migrate(arguments, data_dir, overrides, environment)
            }
            Command::RecoverAccess(arguments) => {
                let data_dir = flags.only_data_dir("recover-access")?;
                store::recover_access(arguments, data_dir, overrides, environment)
            }
            Command::Credentials(command) => {
                let data_dir = flags.only_data_dir("credentials")?;
                credentials::run(command, data_dir, overrides, environment)
            }
            Command::Findings(arguments) => findings::run(&arguments, &screen),
            Command::Completions(arguments) => completions::completions(&arguments, Cli::command()),
            Command::Man(arguments) => completions::man(arguments, Cli::command()),
            Command::Send(arguments) => {
                call(&flags, environment, async |client| send::run(*arguments, client, &screen).await)
            }
            Command::Settings(command) => {
                call(&flags, environment, async |client| settings::run(command, client, &screen).await)
            }
            Command::Messages(command) => {
                let connect = async || Client::connect(&flags, environment).await;
                call(&flags, environment, async |client| {
                    messages::run(command, client, connect, &screen).await
                })
            }
            Command::Keys(command) => {
                call(&flags, environment, async |client| keys::run(command, client, &screen).await)
            }
            Command::Audit(arguments) => {
                call(&flags, environment, async |client| audit::run(arguments, client, &screen).await)
            }
        }
    }
}

/// Runs a client command against the service that the flags, the environment or this folder name.
fn call(
    flags: &ClientFlags,
    environment: &Environment,
    command: impl AsyncFnOnce(&Client) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::connect(flags, environment).await?;
        command(&client).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Invocation, clap::Error> {
        Invocation::parse(line.iter().map(OsString::from))
    }

    #[test]
    fn every_command_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_override_may_stand_anywhere_after_serve_or_before_it() {
        for line in [
            ["postrider", "serve", "--listen.grpc=127.0.0.1:0", "--sandbox"],
            ["postrider", "--listen.grpc=127.0.0.1:0", "serve", "--sandbox"],
        ] {
            let invocation = parse(&line).expect("it parses");
            assert_eq!(invocation.overrides, [("listen.grpc".to_owned(), "127.0.0.1:0".to_owned())]);
        }
    }

    /// Commands that a page tells its reader to type: a line of a block, or between backticks.
    fn commands_of(page: &str) -> Vec<String> {
        let inline = page.split('`').skip(1).step_by(2).map(str::trim);
        let lines = page.lines().map(str::trim);
        let all = inline.chain(lines).filter(|text| text.starts_with("postrider ") && !text.contains('\n'));
        all.map(str::to_owned).collect()
    }

    #[test]
    fn every_command_that_a_finding_names_is_one_of_ours() {
        let pages = postrider_domain::FindingCode::ALL.iter().flat_map(|code| commands_of(code.page()));
        let commands: Vec<_> = pages.collect();
        assert!(commands.len() > 40, "{commands:#?}");
        for command in commands {
            let words = command.split_whitespace();
            // An example of a message's id has its form.
            let words = words.map(|word| match word {
                "MESSAGE_ID" => "0192f0c1-2b3d-7e4f-8000-00000000000a",
                word => word,
            });
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{command}: {error}");
            }
        }
    }

    #[test]
    fn an_override_means_nothing_to_a_client_command() {
        let error = parse(&["postrider", "keys", "list", "--listen.grpc=127.0.0.1:0"]).expect_err("refused");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--listen.grpc"), "{error}");
    }

    #[test]
    fn a_value_that_looks_like_an_override_stays_a_value() {
        let line = "postrider send acme --to a@b.example --subject s --text --pace.concurrency=9";
        let invocation = parse(&line.split(' ').collect::<Vec<_>>()).expect("it parses");
        assert!(invocation.overrides.is_empty());
    }

    #[test]
    fn a_mistake_beside_an_override_is_named_itself() {
        let error = parse(&["postrider", "serve", "--listen.grpc=[::1]:0", "--bogus"]).expect_err("refused");
        assert!(error.to_string().contains("--bogus"), "{error}");
    }
}
