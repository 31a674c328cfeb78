//! `TestSettings`, and `WatchSettingsTest` for whoever looks on: a candidate, or what is saved, climbs the ladder. A
//! failed test is an answer, not an error.

use std::sync::Arc;

use postrider_domain::{
    Cloud, Credential, DirectoryId, EmailAddress, Etag, Finding, ResellerId, Settings, SettingsValues,
    Violations,
};
use postrider_proto::v1;
use postrider_proto::v1::watch_settings_test_response::Event;
use postrider_store::Scope;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use super::put_settings::{check_federated, check_kept, is_taken};
use crate::access::Caller;
use crate::app::App;
use crate::call::Authorised;
use crate::convert::{self, Candidate, CredentialInput, canonical, from_proto, to_proto};
use crate::credentials::lost;
use crate::ladder::{Progress, Report, Teller, Trial, climb};
use crate::status::Refusal;

pub(crate) type Events = ReceiverStream<Result<v1::WatchSettingsTestResponse, Status>>;

/// More than a test has to tell, so that it waits for no reader.
const EVENTS_MAX: usize = 16;

pub(super) async fn test_settings(
    app: Arc<App>,
    call: Authorised<v1::TestSettingsRequest>,
) -> Result<v1::TestSettingsResponse, Refusal> {
    let prepared = prepared(&app, &call.caller, call.request).await?;
    run(&app, prepared, Box::new(|_| ())).await
}

pub(super) async fn watch_settings_test(
    app: Arc<App>,
    call: Authorised<v1::WatchSettingsTestRequest>,
) -> Result<Events, Refusal> {
    let Authorised { request, caller, id, trace, .. } = call;
    let v1::WatchSettingsTestRequest { reseller, candidate, level, recipient, request_id } = request;
    let request = v1::TestSettingsRequest { reseller, candidate, level, recipient, request_id };
    let prepared = prepared(&app, &caller, request).await?;
    let (events, stream) = mpsc::channel(EVENTS_MAX);
    let (teller, running) = (events.clone(), Arc::clone(&app));
    let work = async move {
        let result =
            run(&running, prepared, Box::new(move |progress| drop(teller.try_send(Ok(told(&progress))))))
                .await;
        let last = result.map(|response| event(Event::Result(response)));
        drop(events.try_send(last.map_err(|refusal| refusal.into_status(id))));
    };
    app.tasks.spawn(work.in_current_span().instrument(trace));
    Ok(ReceiverStream::new(stream))
}

fn event(event: Event) -> v1::WatchSettingsTestResponse {
    v1::WatchSettingsTestResponse { event: Some(event) }
}

fn told(progress: &Progress<'_>) -> v1::WatchSettingsTestResponse {
    event(match progress {
        Progress::Began(step) => Event::Began(to_proto::step(*step).into()),
        Progress::Ended(result) => Event::Ended(to_proto::step_result(result)),
    })
}

/// What is to be tried, and the etag where it is what is saved.
struct Prepared {
    trial: Trial,
    etag: Option<Etag>,
}

async fn run(app: &Arc<App>, prepared: Prepared, tell: Teller) -> Result<v1::TestSettingsResponse, Refusal> {
    let Prepared { trial, etag } = prepared;
    let reseller = trial.reseller.clone();
    let report = climb(app, trial, tell).await?;
    if let Some(etag) = etag.filter(|_| report.proven) {
        app.store.settings_work(&reseller, &etag).await?;
        app.tokens.forget_reseller(&reseller);
        app.wakeup.lane_changed(&reseller);
    }
    Ok(reply(&report))
}

async fn prepared(app: &App, caller: &Caller, request: v1::TestSettingsRequest) -> Result<Prepared, Refusal> {
    check_federated(caller, request.candidate.as_ref())?;
    let content_hash = canonical::hash_of_test(&app.content_hash, &request);
    let mut violations = Violations::default();
    let v = &mut violations;
    let reseller = from_proto::reseller(&request.reseller, v);
    let level = from_proto::enumeration::<v1::TestLevel>(request.level, "level", v);
    let request_id = from_proto::request_id(&request.request_id, v);
    let recipient = Some(request.recipient.as_str()).filter(|text| !text.is_empty());
    let recipient = recipient.and_then(|text| v.check("recipient", EmailAddress::parse(text)));
    let candidate = match request.candidate {
        Some(candidate) => {
            if !candidate.reseller.is_empty() && candidate.reseller != request.reseller {
                v.push("candidate.reseller", "must be empty or the request's reseller");
            }
            // As it was given: its malformed values are findings of SHAPE, not errors of the call.
            Some(convert::candidate(candidate, app.pace).await)
        }
        None => None,
    };
    let reseller = violations.into_result(reseller)?;
    let Tested { sender_mailbox, place, values, credential, lost, wrong, etag } =
        tested(app, caller, &reseller, candidate).await?;
    let elsewhere = recipient.as_ref().is_some_and(|to| !sender_mailbox.eq_ignore_ascii_case(to.as_str()));
    if elsewhere && !caller.has(Scope::Send) {
        return Err(Refusal::AccessDenied);
    }
    let source_is_anothers = match (&credential, &values) {
        (Some(credential), Some(values)) => is_taken(app, credential, &reseller, values).await?,
        _ => false,
    };
    let token_only = level == Some(v1::TestLevel::Token);
    let trial = Trial {
        reseller,
        place,
        values,
        credential,
        lost,
        source_is_anothers,
        wrong,
        recipient,
        request_id,
        content_hash,
        token_only,
    };
    Ok(Prepared { trial, etag })
}

/// What to test, and the etag where it is what is saved.
struct Tested {
    sender_mailbox: String,
    place: Option<(Cloud, DirectoryId)>,
    values: Option<SettingsValues>,
    credential: Option<Credential>,
    lost: Option<Finding>,
    wrong: Violations,
    etag: Option<Etag>,
}

async fn tested(
    app: &App,
    caller: &Caller,
    reseller: &ResellerId,
    candidate: Option<Candidate>,
) -> Result<Tested, Refusal> {
    let saved = app.store.get_settings(reseller).await?;
    let Some(Candidate { sender_mailbox, place, values, credential, wrong }) = candidate else {
        let saved = saved.ok_or_else(|| Refusal::SettingsMissing(reseller.clone()))?;
        // What is tested is what the next mail would be sent with.
        let saved = match app.rotation.catch_up(&saved).await {
            Some(_) => app.store.get_settings(reseller).await?.unwrap_or(saved),
            None => saved,
        };
        let (credential, lost) = saved_credential(app, &saved).await?;
        let sender_mailbox = saved.values.mailbox.to_string();
        let place = Some((saved.values.cloud, saved.values.directory.clone()));
        let (values, etag) = (Some(saved.values), Some(saved.etag));
        return Ok(Tested {
            sender_mailbox,
            place,
            values,
            credential,
            lost,
            wrong: Violations::default(),
            etag,
        });
    };
    if let (Some(CredentialInput::Saved), Some(values)) = (&credential, &values) {
        check_kept(caller, saved.as_ref(), values)?;
    }
    let (credential, lost) = match (credential, saved) {
        (None, _) => (None, None),
        (Some(CredentialInput::Given(credential)), _) => (Some(credential), None),
        (Some(CredentialInput::Saved), Some(saved)) => saved_credential(app, &saved).await?,
        (Some(CredentialInput::Saved), None) => {
            return Err(Violations::one("candidate.credential", "is required: none is saved").into());
        }
    };
    Ok(Tested { sender_mailbox, place, values, credential, lost, wrong, etag: None })
}

/// Or why it is lost, which no waiting mends.
async fn saved_credential(
    app: &App,
    saved: &Settings,
) -> Result<(Option<Credential>, Option<Finding>), Refusal> {
    match app.credentials.get(&saved.reseller, &saved.credential.version).await {
        Ok(credential) => Ok((Some(credential), None)),
        Err(error) if error.is_outage() => Err(error.into()),
        Err(error) => Ok((None, Some(lost(&error)))),
    }
}

fn reply(report: &Report) -> v1::TestSettingsResponse {
    v1::TestSettingsResponse {
        passed: report.passed(),
        message_id: report.message.map(|id| id.to_string()).unwrap_or_default(),
        steps: report.steps.iter().map(to_proto::step_result).collect(),
    }
}
