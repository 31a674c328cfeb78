//! `SendMail`: validate → accept → wake, and wait where the caller asked for it.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Message, limits};
use postrider_proto::v1;
use tokio::time::Instant;

use crate::accept::{Prepared, accept, prepare, validated};
use crate::app::App;
use crate::call::Authorised;
use crate::convert::to_proto;
use crate::status::Refusal;

pub(super) async fn send_mail(
    app: Arc<App>,
    call: Authorised<v1::SendMailRequest>,
) -> Result<v1::SendMailResponse, Refusal> {
    let Authorised { request, deadline, room, .. } = call;
    let began = Instant::now();
    let validate_only = request.validate_only;
    let waits = request.wait_for == i32::from(v1::WaitFor::Sent) && !validate_only;
    let (message, replayed) = match prepare(&app, request).await? {
        Prepared::Replayed(message) => (*message, true),
        Prepared::New(new, settings) if validate_only => {
            return validated(&app, *new, &settings).await;
        }
        Prepared::New(new, _) => {
            let (message, replayed) = accept(&app, *new).await?;
            if !replayed {
                app.metrics.accepted_after(began.elapsed());
            }
            (message, replayed)
        }
    };
    drop(room);
    let message = if waits { wait_for_sent(&app, message, deadline).await? } else { message };
    Ok(v1::SendMailResponse { message: Some(to_proto::message(message)), replayed })
}

async fn wait_for_sent(app: &App, accepted: Message, deadline: Option<Instant>) -> Result<Message, Refusal> {
    let (reseller, id) = (accepted.reseller.clone(), accepted.id);
    let mut wait = app.waits.begin(&reseller, id);
    let until = answer_by(deadline);
    let mut last = accepted;
    let mut time_is_up = false;
    loop {
        last = app.store.get_message(&reseller, &id).await?.unwrap_or(last);
        // The message stays accepted; the caller learns its id and its state so far.
        if last.state.ends_a_wait() || time_is_up {
            return Ok(last);
        }
        tokio::select! {
            biased;
            () = wait.changed() => {}
            () = tokio::time::sleep_until(until) => time_is_up = true,
            () = app.shutdown.cancelled() => time_is_up = true,
            () = tokio::time::sleep(app.look_every) => {}
        }
    }
}

/// Shortly before the caller stops waiting, so that the answer still arrives: half a second, or a tenth of what is left.
fn answer_by(deadline: Option<Instant>) -> Instant {
    let now = Instant::now();
    let Some(deadline) = deadline else { return now + limits::WAIT_DEFAULT };
    let left = deadline.saturating_duration_since(now);
    deadline.checked_sub((left / 10).min(Duration::from_millis(500))).unwrap_or(now)
}
