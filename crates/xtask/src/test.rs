//! `cargo xtask test`: the one test command, from a bare clone to the last line `N passed, N failed`.
//!
//! Rules
//! - Cheap steps come first, and a step that fails does not stop the next.
//! - A step that cannot run is a failure with its reason, never skipped. The one exception is the database of
//!   advisories, which may be out of reach: `deny.rs` says so in plain words.
//! - Clippy and the tests share the dev profile and the target folder: dependencies are compiled once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};

use crate::counts::Counts;
use crate::microsoft_clients::{self, Clients};
use crate::tools::{BUF, CARGO_CYCLONEDX, CARGO_DENY, GRPCURL, Toolbox, VAULT};
use crate::{clients, crash_loop, deny, deploy, process, sbom, system, tidy, workspace};

/// How the tests learn where grpcurl and Vault are.
const GRPCURL_VARIABLE: &str = "POSTRIDER_GRPCURL";
const VAULT_VARIABLE: &str = "POSTRIDER_VAULT";

/// Effective kills on each database.
const KILLS: u64 = 10;
const SEED: u64 = 1;
/// Of its calls that write, sync or send in a short script, each so-manieth is its last.
const EVERY: u64 = 200;
/// Of a disk that lost its power.
const IMAGES: u64 = 500;

/// How the tests learn where Microsoft's clients are.
const PYTHON_VARIABLE: &str = "POSTRIDER_CLIENTS_PYTHON";
const NODE_VARIABLE: &str = "POSTRIDER_CLIENTS_NODE";

/// Runs every step and prints the summary. Exit code 0 only where all of them passed.
pub(crate) fn run(toolbox: &Toolbox, selection: &clients::Selection) -> ExitCode {
    let mut steps = crate::steps::Steps::new(16);
    steps.run("format", "every file as rustfmt writes it", || {
        process::run(&mut process::cargo(&["fmt", "--all", "--check"]))
    });
    steps.run("tidy", "dependency edges, words, headers, budgets", || {
        tidy::run().map(|note| println!("   {note}"))
    });
    steps.run("tools", "buf, grpcurl, cargo-deny, cargo-cyclonedx and vault, found or built", || {
        toolbox.all()
    });
    steps.run("servers", "PostgreSQL, pgbouncer, strace and jq, found or installed", system::ready);
    let microsoft =
        steps.run("microsoft", "Microsoft's own clients, found or installed", microsoft_clients::ready);
    steps.run("contract", "the API's files: lint, and nothing broken since the first ones", || {
        contract(&toolbox.path(&BUF)?)
    });
    steps.run("dependencies", "licences, banned crates, duplicates, sources, advisories", || {
        deny::run(&toolbox.path(&CARGO_DENY)?)
    });
    steps.run("bill of materials", "CycloneDX, with all that the program is linked from", || {
        sbom::run(&toolbox.path(&CARGO_CYCLONEDX)?).map(|note| println!("   {note}"))
    });
    steps.run("lints", "clippy on every target, a warning is an error", || {
        let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
        process::run(&mut process::cargo(&clippy))
    });
    let mut counts = Counts::default();
    steps.run("tests", "units, the built binary from outside, examples in the documentation", || {
        tests(&toolbox.path(&GRPCURL)?, &toolbox.path(&VAULT)?, microsoft.as_ref(), &mut counts)
    });
    steps.run(
        "crash loop",
        "the built binary killed under load, on both databases: nothing lost or doubled",
        || crash_loop::kill("debug", KILLS, SEED, &["sqlite", "postgres"].map(str::to_owned)),
    );
    steps.run("crash points", "killed at some calls of a script that write, sync or send: the same", || {
        crash_loop::sweep("debug", EVERY, SEED)
    });
    steps.run("torn disks", "what a loss of power leaves of its files: sound, and nothing lost", || {
        crash_loop::tear("debug", IMAGES, SEED)
    });
    steps.run("planted bugs", "the simulation finds each of them", || planted(&mut counts));
    steps.run("deploy", "manifests, scripts, alert rules, and every key that they name", || {
        deploy::run(&workspace::built_program()?)
    });
    steps.run("clients", "their tests, and their examples against the built binary", || {
        clients::run(selection, Some(workspace::built_program()?), toolbox)
    });
    print!("{}", steps.summary());
    println!("{counts}");
    if steps.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `buf lint`, and `buf breaking` against the first commit that had the API's files.
fn contract(buf: &Path) -> anyhow::Result<()> {
    let root = workspace::root();
    process::run(Command::new(buf).args(["lint", "proto"]).current_dir(&root))?;
    let mut log = Command::new("git");
    log.args(["log", "--reverse", "--format=%H", "--diff-filter=A", "--", "proto/postrider"])
        .current_dir(&root);
    let commits = process::output(&mut log)?;
    let Some(first) = commits.lines().next() else {
        println!("   no commit has the API's files yet: nothing that could be broken");
        return Ok(());
    };
    let folder = root.join("target/xtask");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let archive = "target/xtask/first-contract.tar";
    let mut export = Command::new("git");
    export.args(["archive", "--format=tar", "--output", archive, first, "proto"]).current_dir(&root);
    process::output(&mut export)?;
    let against = format!("{archive}#subdir=proto");
    process::run(Command::new(buf).args(["breaking", "proto", "--against", &against]).current_dir(&root))
}

fn tests(grpcurl: &Path, vault: &Path, clients: Option<&Clients>, counts: &mut Counts) -> anyhow::Result<()> {
    let mut command = process::cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
    if let Some(Clients { python, node }) = clients {
        command.env(PYTHON_VARIABLE, python).env(NODE_VARIABLE, node);
    }
    command.env(GRPCURL_VARIABLE, grpcurl).env(VAULT_VARIABLE, vault);
    let tools = format!("{GRPCURL_VARIABLE}={} {VAULT_VARIABLE}={}", grpcurl.display(), vault.display());
    println!("   $ {tools} {}", process::spelled(&command));
    counted(command, counts)
}

/// In a build of their own: a bug that can be planted is in no other.
fn planted(counts: &mut Counts) -> anyhow::Result<()> {
    let package = ["test", "--locked", "--package", "postrider-simulation"];
    let mut command = process::cargo(&package);
    command.args(["--features", "planted", "--test", "planted"]);
    println!("   $ {}", process::spelled(&command));
    counted(command, counts)
}

/// Passed through line by line, while its closing lines are summed.
fn counted(mut command: Command, counts: &mut Counts) -> anyhow::Result<()> {
    let passed = counts.passed;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start cargo")?;
    let mut lines = BufReader::new(child.stdout.take().context("cargo test has no output")?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        std::io::stdout().write_all(&line)?;
        counts.read(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait()?;
    if !status.success() {
        // Why: what did not compile, or died before its closing line, is in nobody's count.
        counts.failed = counts.failed.max(1);
        bail!("`{}` ended with {status}; the failures are named above", process::spelled(&command));
    }
    if counts.passed == passed {
        bail!("`{}` passed but ran no test", process::spelled(&command));
    }
    Ok(())
}
