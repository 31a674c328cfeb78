//! `PutSettings`: settings and credential change together or not at all.
//!
//! The credential is put first, under a version of its own; the settings' row then names that version. A process that
//! dies between the two leaves an orphan that nothing names, and the next put prunes it.

use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::{
    Credential, CredentialInfo, Etag, Finding, FindingCode, ResellerId, SettingsValues, Violations,
};
use postrider_proto::v1;
use postrider_store::{NewSettings, Put, Scope};

use crate::access::Caller;
use crate::app::App;
use crate::call::Authorised;
use crate::convert::{CredentialInput, settings_draft, to_proto};
use crate::status::Refusal;

/// From when on an expiry is worth a word.
const EXPIRES_SOON: std::time::Duration = std::time::Duration::from_hours(30 * 24);

pub(super) async fn put_settings(
    app: Arc<App>,
    call: Authorised<v1::PutSettingsRequest>,
) -> Result<v1::PutSettingsResponse, Refusal> {
    check_federated(&call.caller, call.request.settings.as_ref())?;
    let Some(request) = call.request.settings else {
        return Err(Violations::one("settings", "is required").into());
    };
    let mut violations = Violations::default();
    let reseller = violations.check("settings.reseller", ResellerId::parse(&request.reseller));
    let expected = Some(request.etag.clone()).filter(|etag| !etag.is_empty()).map(Etag::of_store);
    let (draft, credential) = settings_draft(request, "settings", &mut violations);
    let values = violations.take(SettingsValues::parse(draft, "settings", app.pace));
    let _one_at_a_time = app.puts.lock().await;
    let now = app.clock.now();
    let kept = match (&reseller, &credential) {
        (Some(reseller), Some(CredentialInput::Saved)) => {
            kept_credential(&app, reseller, &mut violations).await?
        }
        _ => None,
    };
    let parsed = reseller.zip(values).zip(credential);
    let ((reseller, values), credential) = violations.into_result(parsed)?;
    let (credential, finding) = match credential {
        CredentialInput::Given(given) => {
            (app.credentials.put(&reseller, &given, now).await?, known_at_once(&given, now))
        }
        CredentialInput::Saved => match kept {
            Some((info, finding)) => (info, finding),
            None => return Err(Violations::one("settings.credential", CREDENTIAL_REQUIRED).into()),
        },
    };
    let new = NewSettings { reseller: reseller.clone(), values, credential, finding, expected, now };
    save(&app, new).await.map(|settings| v1::PutSettingsResponse { settings: Some(settings) })
}

/// A federated source is one identity for all: naming one is the operator's.
pub(super) fn check_federated(caller: &Caller, settings: Option<&v1::Settings>) -> Result<(), Refusal> {
    let federated = matches!(
        settings.and_then(|settings| settings.credential.as_ref()),
        Some(v1::settings::Credential::Federated(_))
    );
    if federated && !caller.has(Scope::Admin) { Err(Refusal::AccessDenied) } else { Ok(()) }
}

const CREDENTIAL_REQUIRED: &str = "is required the first time: give client_secret";

/// The saved credential and what is known of it, or a violation.
async fn kept_credential(
    app: &App,
    reseller: &ResellerId,
    violations: &mut Violations,
) -> Result<Option<(CredentialInfo, Option<Finding>)>, Refusal> {
    let saved = app.store.get_settings(reseller).await?;
    if saved.is_none() {
        violations.push("settings.credential", CREDENTIAL_REQUIRED);
    }
    let advice = |finding: &Finding| {
        matches!(
            finding.code,
            FindingCode::SecretIsId | FindingCode::SecretExpired | FindingCode::SecretExpiresSoon
        )
    };
    Ok(saved.map(|saved| (saved.credential, saved.status.finding.filter(advice))))
}

async fn save(app: &App, new: NewSettings) -> Result<v1::Settings, Refusal> {
    let (reseller, version) = (new.reseller.clone(), new.credential.version.clone());
    let settings = match app.store.put_settings(new).await? {
        Put::Saved(settings) => settings,
        // The credential that was just put is an orphan, which the next put prunes.
        Put::EtagMismatch => return Err(Refusal::EtagMismatch),
    };
    if let Err(error) = app.credentials.prune(&reseller, Some(&version)).await {
        tracing::warn!(%reseller, %error, "older credentials are left for the next put to prune");
    }
    app.tokens.forget_reseller(&reseller);
    app.wakeup.settings_changed(&reseller);
    app.waits.lane_changed(&reseller);
    let usage = app.store.usage(&reseller, app.clock.now()).await?;
    Ok(to_proto::settings(*settings, usage))
}

/// What can be told of a credential without asking Entra.
pub(crate) fn known_at_once(credential: &Credential, now: Timestamp) -> Option<Finding> {
    if credential.is_secret_id() {
        return Some(Finding::new(FindingCode::SecretIsId));
    }
    let expire_time = credential.expire_time()?;
    let code = if expire_time <= now {
        FindingCode::SecretExpired
    } else if expire_time <= now.saturating_add(EXPIRES_SOON).unwrap_or(Timestamp::MAX) {
        FindingCode::SecretExpiresSoon
    } else {
        return None;
    };
    Some(Finding::new(code).with("expire_time", expire_time))
}
