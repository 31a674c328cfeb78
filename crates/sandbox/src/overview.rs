//! The pages beside the inbox: directories with their apps and mailboxes, scenarios, and limits that were broken.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::Value;

use crate::clock;
use crate::directory::{App, Known, Mailbox, Secret};
use crate::html::Markup;
use crate::inbox::show;
use crate::kind::KINDS;
use crate::page::{Page, frame};
use crate::seed;
use crate::shared::{Shared, SharedState};

const DIRECTORIES: &str = include_str!("pages/directories.html");
const DIRECTORY: &str = include_str!("pages/directory.html");
const SCENARIOS: &str = include_str!("pages/scenarios.html");
const LIMITS: &str = include_str!("pages/limits.html");
const TABLE: &str = "<div class=\"card scroll\"><table>{{rows}}</table></div>";
const NONE: &str = "<div class=\"card empty\"><p>{{text}}</p></div>";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/directories", get(directories))
        .route("/scenarios", get(scenarios))
        .route("/limits", get(limits))
}

async fn directories(State(shared): SharedState) -> Response {
    let now = clock::now();
    let all = Markup::join(shared.directories.all().iter().map(|known| directory(known, now)));
    show(StatusCode::OK, frame(Page::Directories, Markup::fill(DIRECTORIES, &[("directories", all)])))
}

fn directory(known: &Known, now: Timestamp) -> Markup {
    let name = match known.tenant_id.to_string() {
        id if id == known.name() => {
            known.directory.domains.first().map_or(id.clone(), |own| format!("{own} ({id})"))
        }
        id => format!("{} ({id})", known.name()),
    };
    let values = [
        ("name", Markup::text(&name)),
        ("apps", Markup::join(known.directory.apps.iter().map(|one| app(one, now)))),
        ("mailboxes", Markup::join(known.directory.mailboxes.iter().map(mailbox))),
    ];
    Markup::fill(DIRECTORY, &values)
}

fn app(app: &App, now: Timestamp) -> Markup {
    let mut proofs: Vec<String> = app.secrets.iter().map(|one| secret(one, now)).collect();
    proofs.extend((!app.certificates.is_empty()).then(|| format!("{} certificates", app.certificates.len())));
    proofs.extend(app.trusted_subjects.iter().map(|name| format!("certificates of {name}")));
    proofs.extend(
        app.federated_credentials
            .iter()
            .map(|one| format!("assertions of {} for {}", one.issuer, one.subject)),
    );
    let states = [
        (!app.enabled, "switched off"),
        (!app.service_principal, "no enterprise application"),
        (!app.consented, "no admin consent"),
        (app.conditional_access_blocked, "blocked by conditional access"),
    ];
    let states: Vec<&str> = states.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    row(&[&app.client_id, &proofs.join("; "), &app.roles.join(", "), &or(&states.join(", "), "in order")])
}

/// The Value only of those that everybody knows anyway.
fn secret(secret: &Secret, now: Timestamp) -> String {
    let own = [seed::SECRET, seed::EXPIRED_SECRET].into_iter().find(|own| *own == secret.value);
    let value = own.map_or_else(|| "a secret".to_owned(), |own| format!("secret {own}"));
    let id = if secret.id.is_empty() { String::new() } else { format!(" (its ID: {})", secret.id) };
    let end = secret.expire_time.map(|time| {
        let word = if time <= now { "expired" } else { "until" };
        format!(", {word} {}", time.strftime("%Y-%m-%d"))
    });
    format!("{value}{id}{}", end.unwrap_or_default())
}

fn mailbox(mailbox: &Mailbox) -> Markup {
    let state = if mailbox.licensed { "in order" } else { "no Exchange Online licence" };
    row(&[&mailbox.address, &mailbox.send_as.join(", "), state])
}

async fn scenarios(State(shared): SharedState) -> Response {
    let posted: Vec<Markup> = shared.scenarios.list().iter().map(scenario).collect();
    let active = table(posted, "None: every call is answered as the directory has it.");
    let kinds = Markup::join(KINDS.iter().map(|(name, _, what)| {
        let values = [("name", Markup::text(name)), ("what", Markup::text(what))];
        Markup::fill("<tr><td><code>{{name}}</code></td><td>{{what}}</td></tr>", &values)
    }));
    let content = Markup::fill(SCENARIOS, &[("active", active), ("kinds", kinds)]);
    show(StatusCode::OK, frame(Page::Scenarios, content))
}

fn scenario(posted: &Value) -> Markup {
    let text = |name: &str| {
        posted.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let whom = text("mailbox").or(text("tenant")).or(text("directory")).unwrap_or_default();
    let left = match text("times").as_deref() {
        Some("0") => "used up".to_owned(),
        Some(times) => format!("{times} more"),
        None => "until it is deleted".to_owned(),
    };
    let rest = posted.as_object().into_iter().flatten();
    let rest: Vec<String> = rest
        .filter(|(name, _)| !["scenario", "mailbox", "tenant", "directory", "times"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    row(&[&text("scenario").unwrap_or_default(), &whom, &rest.join(", "), &left])
}

async fn limits(State(shared): SharedState) -> Response {
    let counted = shared.breaches.all();
    let rows = counted.iter().map(|(mailbox, limit, count)| {
        row(&[mailbox, limit.name(), &if *count == 1 { "once".to_owned() } else { format!("{count} times") }])
    });
    let breaches = table(rows.collect(), "None so far.");
    let mode = if shared.is_strict() {
        "This sandbox is strict: a request that comes too early is refused as well."
    } else {
        "This sandbox is lenient: a request that comes too early is counted, and answered."
    };
    let content = Markup::fill(LIMITS, &[("mode", Markup::text(mode)), ("breaches", breaches)]);
    show(StatusCode::OK, frame(Page::Limits, content))
}

fn table(rows: Vec<Markup>, none: &str) -> Markup {
    if rows.is_empty() {
        return Markup::fill(NONE, &[("text", Markup::text(none))]);
    }
    Markup::fill(TABLE, &[("rows", Markup::join(rows))])
}

fn row(cells: &[&str]) -> Markup {
    let cell = |text: &&str| Markup::fill("<td>{{text}}</td>", &[("text", Markup::text(text))]);
    Markup::fill("<tr>{{cells}}</tr>", &[("cells", Markup::join(cells.iter().map(cell)))])
}

fn or(text: &str, other: &str) -> String {
    if text.is_empty() { other.to_owned() } else { text.to_owned() }
}
