//! DIRECTORY, CREDENTIAL, PERMISSION: what Entra says of the settings before a mail is sent.

use postrider_domain::{
    AccessToken, Cloud, Credential, CredentialKind, DirectoryId, Finding, FindingClass, FindingCode,
    ResellerId, SettingsValues, expiry_finding,
};
use postrider_microsoft::{Discovered, roles};

use super::report::{Noted, Wrong};
use crate::app::App;

/// Whether there is such a directory, and whether it says to be in the cloud that is given. Needs no credential.
pub(super) async fn directory(app: &App, cloud: Cloud, directory: &DirectoryId) -> Noted<()> {
    let asked = format!("asked Microsoft for the directory {directory}");
    let found = match app.microsoft.discover(cloud, directory).await {
        Ok(found) => found,
        Err(finding) => return Err(Wrong { detail: asked, findings: vec![finding] }),
    };
    let Discovered { directory, region, cloud: told } = found;
    let id = directory.map(|id| format!(": it is {id}")).unwrap_or_default();
    let region = region.map(|region| format!(", region {region}")).unwrap_or_default();
    let detail = format!("{asked}{id}{region}");
    let other = told.filter(|told| *told != cloud).map(|other| perhaps_in_another_cloud(other, cloud));
    Ok(((), detail, other.into_iter().collect()))
}

/// Advice: what a directory's metadata name as its Graph (`msgraph_host`) is not documented to tell the two clouds of the
/// US Government apart. The next steps tell.
fn perhaps_in_another_cloud(other: Cloud, given: Cloud) -> Finding {
    let (other, given) = (other.as_str(), given.as_str());
    Finding::new(FindingCode::TenantNotFound)
        .classed(FindingClass::Advice)
        .with("field", "cloud")
        .with(
            "reason",
            format!(
                "the directory was found, but its metadata name the cloud {other}, and the settings say {given}. \
                 Microsoft does not document that they are always right, so that the test goes on: if a step after \
                 this one fails, correct the cloud first"
            ),
        )
}

pub(super) async fn token(
    app: &App,
    reseller: &ResellerId,
    values: &SettingsValues,
    credential: &Credential,
) -> Noted<AccessToken> {
    let by = match credential.kind() {
        CredentialKind::ClientSecret => "client secret",
        CredentialKind::Certificate => "certificate",
        CredentialKind::Federated => "federated assertion",
    };
    let token = app.proofs.token(reseller, values, credential).await.map_err(|refusal| Wrong {
        detail: format!("asked Microsoft for an access token for the app {}, by its {by}", values.client),
        findings: vec![*refusal.finding],
    })?;
    let now = app.clock.now();
    let minutes = token.expire_time.duration_since(now).as_mins();
    let detail = format!(
        "got an access token for the app {}, by its {by}; it is good for {minutes} minutes",
        values.client
    );
    let advice = expiry_finding(credential.kind(), credential.expire_time(), now);
    Ok((token, detail, advice.into_iter().collect()))
}

/// What the token says of what it may do. Advice, never a verdict.
pub(super) fn permission(token: &AccessToken) -> ((), String, Vec<Finding>) {
    let told = roles(token);
    if !told.is_known {
        let detail = "the access token cannot be read, which is no fault: the test mail will tell".to_owned();
        return ((), detail, Vec::new());
    }
    let shown = if told.roles.is_empty() { "none".to_owned() } else { told.roles.join(" ") };
    let code = if told.is_delegated {
        FindingCode::DelegatedNotApplication
    } else if told.roles.is_empty() {
        FindingCode::ConsentMissing
    } else if told.has("Mail.Send") {
        FindingCode::AccessTooBroad
    } else {
        FindingCode::MailSendMissing
    };
    let mut finding = Finding::new(code).with("roles", &shown);
    // What Exchange's New-ServicePrincipal asks for, and what is easily mistaken for the app registration's.
    if let Some(id) = told.object {
        finding = finding.with("enterprise_application_object_id", id);
    }
    ((), format!("read the permissions in the access token: {shown}"), vec![finding])
}
