//! `deploy/`: its YAML parses, its scripts too, its environments and configuration files hold, and every key that it names is one of the configuration's.
//!
//! `kubernetes/postrider.yaml` is what Helm makes of the chart. Helm takes minutes to build, so it is needed only to render: the
//! manifest carries the hash of the chart that it was made from, and a chart that moved on is noticed without Helm.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_yaml_ng::{Deserializer, Value};

use crate::{process, promtool, workspace};

const CHART: &str = "deploy/helm/";
const MANIFEST: &str = "deploy/kubernetes/postrider.yaml";
const HASH_LINE: &str = "# Chart: ";

/// What stands for a value that a Secret holds.
const SECRET_VALUE: &str = "postgres://postrider@database:5432/postrider";

/// Checks all of it; the configuration's keys are told by the program.
pub(crate) fn run(program: &Path) -> anyhow::Result<()> {
    let paths: Vec<String> =
        workspace::files()?.into_iter().filter(|path| path.starts_with("deploy/")).collect();
    let mut documents = Vec::new();
    let mut keys = BTreeSet::new();
    for path in &paths {
        let text = fs::read_to_string(workspace::root().join(path))?;
        keys.extend(keys_in(&text));
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
        if extension == Some("yaml") && !path.starts_with("deploy/helm/templates/") {
            for document in Deserializer::from_str(&text) {
                let mut value = <Value as serde::Deserialize>::deserialize(document)
                    .with_context(|| format!("{path} is no YAML"))?;
                value.apply_merge().with_context(|| format!("a merge in {path}"))?;
                documents.push((path.as_str(), value));
            }
        }
        if extension == Some("toml") {
            let mut command = Command::new(program);
            command.arg("check-config").arg("--config").arg(workspace::root().join(path)).env_clear();
            process::output(&mut command).with_context(|| path.clone())?;
        }
        if extension == Some("sh") {
            process::output(Command::new("bash").arg("-n").arg(workspace::root().join(path)))?;
        }
    }
    let mut environments = 0;
    for (path, document) in &documents {
        for environment in environments_of(document) {
            check_config(program, &environment).with_context(|| format!("an environment of {path}"))?;
            environments += 1;
        }
    }
    for key in &keys {
        let said = check_config(program, &BTreeMap::from([(key.clone(), String::new())]));
        if said.is_err_and(|error| format!("{error:#}").contains("unknown key")) {
            bail!("deploy/ names {key}, which is no key of the configuration");
        }
    }
    if environments == 0 || keys.is_empty() {
        bail!("no environment and no key was found in deploy/: this check does not see what it should");
    }
    promtool::run()?;
    fresh()?;
    image_has_every_member()?;
    println!("   {} documents, {environments} environments and {} keys hold", documents.len(), keys.len());
    Ok(())
}

/// Renders the manifest anew, by the Helm on PATH.
pub(crate) fn render() -> anyhow::Result<()> {
    let mut helm = Command::new("helm");
    helm.args([
        "template",
        "postrider",
        "deploy/helm",
        "--namespace",
        "postrider",
        "--kube-version",
        "1.34.0",
    ]);
    let rendered = process::output(helm.current_dir(workspace::root()))?;
    let header = format!(
        "# What Helm makes of deploy/helm with its own values: `cargo xtask deploy --render`. Not edited by hand.\n\
         # kubectl create namespace postrider && kubectl --namespace postrider apply -f deploy/kubernetes/postrider.yaml\n\
         {HASH_LINE}{}\n",
        chart_hash()?
    );
    fs::write(workspace::root().join(MANIFEST), header + &rendered)
        .with_context(|| format!("write {MANIFEST}"))
}

fn fresh() -> anyhow::Result<()> {
    let text = fs::read_to_string(workspace::root().join(MANIFEST))?;
    let noted = text.lines().find_map(|line| line.strip_prefix(HASH_LINE)).unwrap_or_default();
    if noted == chart_hash()? {
        Ok(())
    } else {
        bail!("{MANIFEST} is stale: run `cargo xtask deploy --render`, with Helm on PATH")
    }
}

/// One hash over the chart's files and their names.
fn chart_hash() -> anyhow::Result<String> {
    let mut whole = Vec::new();
    for path in workspace::files()?.iter().filter(|path| path.starts_with(CHART)) {
        whole.extend_from_slice(path.as_bytes());
        whole.extend(fs::read(workspace::root().join(path))?);
    }
    let mut git = Command::new("git")
        .args(["hash-object", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start git")?;
    git.stdin.take().context("git has no input")?.write_all(&whole)?;
    Ok(String::from_utf8(git.wait_with_output()?.stdout)?.trim().to_owned())
}

/// The image is built from what its .dockerignore lets through, and cargo wants the manifest of every member.
fn image_has_every_member() -> anyhow::Result<()> {
    let ignore = "deploy/Dockerfile.dockerignore";
    let text = fs::read_to_string(workspace::root().join(ignore))?;
    let let_through: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for package in workspace::metadata()?.packages {
        let manifest = PathBuf::from(&package.manifest_path);
        let manifest = manifest.strip_prefix(workspace::root().canonicalize()?).unwrap_or(&manifest);
        if !let_through.iter().any(|path| manifest.starts_with(path)) {
            bail!("{ignore} keeps {} out of the image's build", manifest.display());
        }
    }
    Ok(())
}

/// The environments of a compose file's services and of a Deployment's containers.
fn environments_of(document: &Value) -> Vec<BTreeMap<String, String>> {
    let services = document.get("services").and_then(Value::as_mapping).into_iter().flatten();
    let of_services = services.filter_map(|(_, service)| {
        let pairs = service.get("environment")?.as_mapping()?;
        Some(
            pairs
                .iter()
                .filter_map(|(name, value)| Some((name.as_str()?.to_owned(), plain(value)?)))
                .collect(),
        )
    });
    let containers =
        document.get("spec").and_then(|spec| spec.get("template")?.get("spec")?.get("containers"));
    let containers = containers.and_then(Value::as_sequence).into_iter().flatten();
    let of_containers = containers.filter_map(|container| {
        let pairs = container.get("env")?.as_sequence()?.iter();
        let pair = |pair: &Value| {
            let value = pair.get("value").map_or_else(|| Some(SECRET_VALUE.to_owned()), plain);
            Some((pair.get("name")?.as_str()?.to_owned(), value?))
        };
        Some(pairs.filter_map(pair).collect())
    });
    let ours = |environment: &BTreeMap<String, String>| {
        environment.keys().any(|name| name.starts_with("POSTRIDER_"))
    };
    of_services.chain(of_containers).filter(ours).collect()
}

fn plain(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()))
}

/// Every word of the form `POSTRIDER_<SECTION>__<KEY>`.
fn keys_in(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .filter(|word| word.starts_with("POSTRIDER_") && word.contains("__"))
        .filter(|word| !word.ends_with('_'))
        .map(str::to_owned)
        .collect()
}

fn check_config(program: &Path, environment: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.arg("check-config").env_clear().envs(environment);
    process::output(&mut command).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::{environments_of, keys_in};

    #[test]
    fn a_key_is_found_wherever_it_stands() {
        let text = "a POSTRIDER_LISTEN__GRPC=1, `POSTRIDER_VAULT__ROLE` POSTRIDER_KEY POSTRIDER_<SECTION>__<KEY> POSTRIDER_";
        let keys: Vec<_> = keys_in(text).into_iter().collect();
        assert_eq!(keys, ["POSTRIDER_LISTEN__GRPC", "POSTRIDER_VAULT__ROLE"]);
    }

    #[test]
    fn a_container_s_environment_is_its_values_and_what_stands_for_its_secrets() {
        let text =
            "spec: {template: {spec: {containers: [{env: [{name: POSTRIDER_A__B, value: c}, {name: D}]}]}}}";
        let environments = environments_of(&serde_yaml_ng::from_str(text).unwrap());
        assert_eq!(environments[0]["POSTRIDER_A__B"], "c");
        assert!(environments[0]["D"].starts_with("postgres://"));
    }
}
