//! Prometheus's own check of the alert rules: that they are read, and that each fires when its unit test says so.
//!
//! promtool is taken where it is, else out of Debian's package, which is fetched and unpacked into `target/tools` and not
//! installed. Elsewhere the error says what to install. To build it takes Go some minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_yaml_ng::Value;

use crate::{process, workspace};

const RULES: &str = "deploy/grafana/alerts.yaml";
const TESTS: &str = "deploy/grafana/alerts.test.yaml";
const PACKAGE: &str = "prometheus";

/// Checks the rules, runs their tests, and finds none without both a case that fires and one that does not.
pub(crate) fn run() -> anyhow::Result<()> {
    let promtool = promtool()?;
    process::run(Command::new(&promtool).args(["check", "rules", RULES]).current_dir(workspace::root()))?;
    process::run(Command::new(&promtool).args(["test", "rules", TESTS]).current_dir(workspace::root()))?;
    let (rules, tests) = (read(RULES)?, read(TESTS)?);
    let alerts: Vec<&str> =
        list(&rules, "groups").flat_map(|group| list(group, "rules")).filter_map(name("alert")).collect();
    let cases: Vec<&Value> = list(&tests, "tests").flat_map(|test| list(test, "alert_rule_test")).collect();
    for alert in &alerts {
        let of_it = cases.iter().filter(|case| name("alertname")(case) == Some(alert));
        let (firing, quiet): (Vec<&Value>, Vec<_>) =
            of_it.partition(|case| list(case, "exp_alerts").count() > 0);
        if firing.is_empty() || quiet.is_empty() {
            bail!("{TESTS} needs a case in which {alert} fires, and one in which it does not");
        }
    }
    println!("   {}: {} alerts and {} cases hold", promtool.display(), alerts.len(), cases.len());
    Ok(())
}

fn read(path: &str) -> anyhow::Result<Value> {
    let text = fs::read_to_string(workspace::root().join(path))?;
    serde_yaml_ng::from_str(&text).with_context(|| format!("{path} is no YAML"))
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_sequence).into_iter().flatten()
}

fn name(key: &'static str) -> impl Fn(&Value) -> Option<&str> {
    move |value| value.get(key)?.as_str()
}

fn promtool() -> anyhow::Result<PathBuf> {
    let own = workspace::root().join("target/tools/bin/promtool");
    if let Some(found) =
        process::on_path("promtool").into_iter().chain([own.clone()]).find(|path| path.is_file())
    {
        return Ok(found);
    }
    println!("   promtool: not here; unpacked from Debian's package {PACKAGE}");
    fetch(&own).context(
        "promtool, of Prometheus 2.30 or newer, must be on PATH (Debian: apt-get install prometheus)",
    )?;
    Ok(own)
}

fn fetch(own: &Path) -> anyhow::Result<()> {
    let folder = workspace::root().join("target/tools/build/promtool");
    fs::create_dir_all(&folder)?;
    let download = || process::run(Command::new("apt-get").args(["download", PACKAGE]).current_dir(&folder));
    // The lists of packages may be missing or old.
    if download().is_err() {
        process::run(Command::new("apt-get").args(["update", "-qq"]))?;
        download()?;
    }
    let mut files = fs::read_dir(&folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let package =
        files.find(|path| path.extension().is_some_and(|end| end == "deb")).context("no package came")?;
    process::run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&folder))?;
    fs::copy(folder.join("usr/bin/promtool"), own).context("the package has no promtool")?;
    Ok(fs::remove_dir_all(&folder)?)
}
