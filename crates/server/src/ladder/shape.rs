//! SHAPE: what can be told of the values by looking at them. No call leaves.

use postrider_domain::{
    ClientId, Credential, DirectoryId, EmailAddress, Finding, FindingCode, SettingsValues,
};

use super::Trial;
use crate::app::App;

/// All that is wrong at once, each as the finding of its value.
pub(super) fn look(trial: &Trial, app: &App) -> Result<(SettingsValues, Vec<Finding>), Vec<Finding>> {
    let draft = &trial.draft;
    let mut findings = Vec::new();
    let mut note = |code: FindingCode, field: &str, error: Option<String>| {
        if let Some(error) = error {
            findings.push(Finding::new(code).with("field", field).with("reason", error));
        }
    };
    let wrong = |error: &dyn ToString| Some(error.to_string());
    note(
        FindingCode::TenantNotFound,
        "tenant_id",
        DirectoryId::parse(&draft.tenant_id).err().and_then(|e| wrong(&e)),
    );
    note(
        FindingCode::ClientNotFound,
        "client_id",
        ClientId::parse(&draft.client_id).err().and_then(|e| wrong(&e)),
    );
    let mailbox = EmailAddress::parse(&draft.sender_mailbox);
    note(FindingCode::MailboxNotFound, "sender_mailbox", mailbox.err().and_then(|e| wrong(&e)));
    let secret_is_id = trial
        .credential
        .as_ref()
        .is_ok_and(Credential::is_secret_id)
        .then(|| "has the form of a secret's ID, a GUID".to_owned());
    note(FindingCode::SecretIsId, "client_secret", secret_is_id);
    findings.extend(trial.credential.as_ref().err().cloned());
    if !findings.is_empty() {
        return Err(findings);
    }
    // What is left to be wrong is an option, such as an address of send_as.
    SettingsValues::parse(draft.clone(), "candidate", app.pace).map(|values| (values, Vec::new())).map_err(
        |violations| {
            let finding = |v: &postrider_domain::Violation| {
                Finding::new(FindingCode::SendAsDenied).with("field", &v.field).with("reason", &v.description)
            };
            violations.iter().map(finding).collect()
        },
    )
}
