//! `PutSettings`: settings and credential change together or not at all.
//!
//! That a change begins is written down, the credential is put under a version of its own, and the settings' row then
//! names that version. A process that dies in between leaves an orphan that nothing names; the janitor finds it by what
//! was written down, and destroys it.

use std::sync::Arc;

use postrider_credential_store::Change;
use postrider_domain::{
    Credential, CredentialKind, Etag, Finding, FindingCode, ResellerId, Settings, SettingsValues, Violations,
};
use postrider_proto::v1;
use postrider_store::{ChangeId, NewSettings, Put, Scope};

use crate::access::Caller;
use crate::app::App;
use crate::call::Authorised;
use crate::convert::{CredentialInput, credential, settings_draft, to_proto};
use crate::proofs::NotBound;
use crate::status::Refusal;

/// Tries of a put without an etag that puts of the same reseller get in the way of: each time one of them went through.
const TRIES: u32 = 100;

pub(super) async fn put_settings(
    app: Arc<App>,
    call: Authorised<v1::PutSettingsRequest>,
) -> Result<v1::PutSettingsResponse, Refusal> {
    check_federated(&call.caller, call.request.settings.as_ref())?;
    let Some(mut request) = call.request.settings else {
        return Err(Violations::one("settings", "is required").into());
    };
    let mut violations = Violations::default();
    let reseller = violations.check("settings.reseller", ResellerId::parse(&request.reseller));
    let expected = Some(request.etag.clone()).filter(|etag| !etag.is_empty()).map(Etag::of_store);
    let credential = credential(request.credential.take(), FIELD, &mut violations).await;
    let draft = settings_draft(request, FIELD, &mut violations);
    let values = violations.take(SettingsValues::parse(draft, FIELD, app.pace));
    let mut saved = match &reseller {
        Some(reseller) => app.store.get_settings(reseller).await?,
        None => None,
    };
    // With an etag they were saved once, and what is wrong is told below.
    let is_first = saved.is_none() && reseller.is_some() && expected.is_none();
    if is_first && matches!(credential, Some(CredentialInput::Saved)) {
        violations.push(
            "settings.credential",
            "is required the first time: give client_secret, certificate or federated",
        );
    }
    let ((reseller, values), credential) = violations.into_result(reseller.zip(values).zip(credential))?;
    // Before the credential is put: a refused put leaves nothing behind. The store looks again, in its transaction.
    if expected.is_some() && saved.as_ref().map(|saved| &saved.etag) != expected.as_ref() {
        return Err(Refusal::EtagMismatch);
    }
    // Who named an etag learns of another's put; who did not wants theirs to hold.
    let mut tries = if expected.is_some() { 1 } else { TRIES };
    let by = call.caller.name().to_owned();
    let wanted = Wanted { reseller, values, credential, expected, by };
    loop {
        tries -= 1;
        if matches!(wanted.credential, CredentialInput::Saved) {
            check_kept(&call.caller, saved.as_ref(), &wanted.values)?;
        }
        match wanted.put(&app, saved).await {
            Err(Refusal::EtagMismatch) if tries > 0 => {
                saved = app.store.get_settings(&wanted.reseller).await?;
            }
            put => return put.map(|settings| v1::PutSettingsResponse { settings: Some(settings) }),
        }
    }
}

const FIELD: &str = "settings";

/// Of those that are told without asking anybody.
fn is_of_shape(finding: &Finding) -> bool {
    finding.code == FindingCode::CertificateExpired || finding.evidence.contains_key("field")
}

/// A federated source is one identity for all: naming one is the operator's.
pub(super) fn check_federated(caller: &Caller, settings: Option<&v1::Settings>) -> Result<(), Refusal> {
    let federated = matches!(
        settings.and_then(|settings| settings.credential.as_ref()),
        Some(v1::settings::Credential::Federated(_))
    );
    if federated && !caller.has(Scope::Admin) { Err(Refusal::AccessDenied) } else { Ok(()) }
}

/// To keep one while it is turned to another app is to name it anew.
pub(super) fn check_kept(
    caller: &Caller,
    saved: Option<&Settings>,
    values: &SettingsValues,
) -> Result<(), Refusal> {
    let is_turned = saved.is_some_and(|saved| {
        let old = &saved.values;
        saved.credential.kind == CredentialKind::Federated
            && (&old.directory, &old.client, old.cloud) != (&values.directory, &values.client, values.cloud)
    });
    if is_turned && !caller.has(Scope::Admin) { Err(Refusal::AccessDenied) } else { Ok(()) }
}

/// Before the credential is put, as far as it can be known: a refused put leaves nothing behind.
async fn check_source(
    app: &App,
    given: &Credential,
    reseller: &ResellerId,
    values: &SettingsValues,
) -> Result<(), Refusal> {
    let Credential::Federated { source } = given else { return Ok(()) };
    match app.proofs.bound(source, reseller, values) {
        Ok(_) if is_taken(app, given, reseller, values).await? => Err(Refusal::SourceTaken),
        Ok(_) => Ok(()),
        Err(NotBound::Reseller) => Err(Refusal::SourceTaken),
        Err(problem) => Err(Violations::one("settings.federated.source", problem).into()),
    }
}

/// Whether another reseller has what is a federated source.
pub(super) async fn is_taken(
    app: &App,
    credential: &Credential,
    reseller: &ResellerId,
    values: &SettingsValues,
) -> Result<bool, Refusal> {
    let fingerprint = app.credentials.fingerprint(credential);
    let is_federated = credential.kind() == CredentialKind::Federated;
    Ok(is_federated && app.store.is_source_taken(reseller, values, &fingerprint).await?)
}

/// Settings that were found to be well formed.
struct Wanted {
    reseller: ResellerId,
    values: SettingsValues,
    credential: CredentialInput,
    expected: Option<Etag>,
    /// The caller's key.
    by: String,
}

impl Wanted {
    /// Once. `saved` is what is saved now; a credential that stays is that of just these.
    async fn put(&self, app: &App, saved: Option<Settings>) -> Result<v1::Settings, Refusal> {
        let Self { reseller, values, expected, .. } = self;
        let now = app.clock.now();
        let new = |credential, change, finding, expected| NewSettings {
            reseller: reseller.clone(),
            values: values.clone(),
            credential,
            change,
            finding,
            expected,
            now,
        };
        match (&self.credential, saved) {
            (CredentialInput::Given(given), saved) => {
                check_source(app, given, reseller, values).await?;
                let in_use = saved.map(|saved| saved.credential.version);
                let change = Change { id: uuid::Uuid::new_v4(), by: self.by.clone(), time: now, in_use };
                app.store.begin_change(reseller, ChangeId(change.id), now).await?;
                let credential = app.credentials.put(reseller, given, &change).await?;
                save(
                    app,
                    new(credential, Some(ChangeId(change.id)), given.looks_wrong(now), expected.clone()),
                )
                .await
            }
            (CredentialInput::Saved, Some(saved)) => {
                // What looking at it told is still so.
                let finding = saved.status.finding.filter(is_of_shape);
                save(app, new(saved.credential, None, finding, Some(saved.etag))).await
            }
            (CredentialInput::Saved, None) => Err(Refusal::SettingsMissing(reseller.clone())),
        }
    }
}

async fn save(app: &App, new: NewSettings) -> Result<v1::Settings, Refusal> {
    let reseller = new.reseller.clone();
    let settings = match app.store.put_settings(new).await? {
        Put::Saved(settings) => settings,
        // The credential that was just put is an orphan, which the janitor destroys.
        Put::EtagMismatch => return Err(Refusal::EtagMismatch),
        Put::SourceTaken => return Err(Refusal::SourceTaken),
    };
    app.rotation.refused.forget(&reseller);
    app.tokens.forget_reseller(&reseller);
    app.wakeup.lane_changed(&reseller);
    let now = app.clock.now();
    let usage = app.store.usage(&reseller, now).await?;
    Ok(to_proto::settings(*settings, None, usage, now))
}
