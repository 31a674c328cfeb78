//! `WatchMessages`: request → where to begin and what to tell; the rest is `watch`.

use std::sync::Arc;

use postrider_domain::Violations;
use postrider_proto::v1;
use tokio::time::Instant;

use crate::app::App;
use crate::call::Authorised;
use crate::convert::from_proto;
use crate::status::Refusal;
use crate::watch::{Answers, Cursor, Filter, Watch, Whose};

pub(super) async fn watch_messages(
    app: Arc<App>,
    call: Authorised<v1::WatchMessagesRequest>,
) -> Result<Answers, Refusal> {
    let Authorised { request, caller, id, .. } = call;
    let mut violations = Violations::default();
    let whose = match request.reseller.as_str() {
        "" => Some(match caller.resellers() {
            Some(own) => Whose::These(own.to_vec()),
            None => Whose::All,
        }),
        named => from_proto::reseller(named, &mut violations).map(Whose::One),
    };
    let states = from_proto::states(&request.states, &mut violations);
    let labels = violations.labels("labels", request.labels);
    let cursor = given_cursor(&request.cursor, !request.reseller.is_empty(), &mut violations);
    let whose = violations.into_result(whose)?;
    let filter = Filter { whose, states, labels };
    let epoch = app.store.epoch().await?;
    let cursor = match cursor {
        Some((of, _)) if of != epoch => return Err(Refusal::CursorExpired),
        Some((_, cursor)) => cursor,
        None => now(&app, &filter).await?,
    };
    Ok(Watch { app, call: id, caller, filter, cursor, epoch, heartbeat: Instant::now() }.start())
}

/// With its epoch. Empty: none was given. One of another kind of watch is not taken.
fn given_cursor(
    text: &str,
    is_of_one: bool,
    violations: &mut Violations,
) -> Option<(Option<String>, Cursor)> {
    if text.is_empty() {
        return None;
    }
    let cursor =
        Cursor::parse(text).filter(|(_, cursor)| matches!(cursor, Cursor::OfOne { .. }) == is_of_one);
    violations.check("cursor", cursor.ok_or("is not a cursor of this watch"))
}

async fn now(app: &App, filter: &Filter) -> Result<Cursor, Refusal> {
    Ok(match filter.reseller() {
        Some(reseller) => Cursor::OfOne { number: app.store.last_event(reseller).await?, within: None },
        None => Cursor::OfAll { position: app.store.last_position().await?, within: None },
    })
}
