//! Graph's answer → outcome and finding: the one map, and the only one.
//!
//! The status says whether the message may have been taken; the codes say whose fault it was. Codes are read from the
//! innermost out, the first that is known wins, and a code that is not known leaves it to the status, so that nothing
//! is guessed from text. Text decides only where Graph gives nothing else: which switch in Exchange denies access.
//!
//! What cannot be proven not to have been taken is in doubt: every 2xx but 202, every 5xx but the few that refuse, and
//! every call without an answer that had started.

use postrider_domain::{Finding, FindingClass, FindingCode, Outcome, PayloadForm, Verdict};

use crate::answer::Answer;
use crate::http::NoAnswer;
use crate::roles::TokenRoles;

/// What is known of a call beside its answer.
#[derive(Debug)]
pub(crate) struct Call {
    /// The caller named a `from`, so that a refusal of it is the message's own fault.
    pub from_given: bool,
    pub form: PayloadForm,
    /// Advice: chooses between findings of class SETTINGS.
    pub roles: TokenRoles,
}

pub(crate) fn classify(answer: &Answer, call: &Call) -> Verdict {
    let verdict = match answer.status {
        202 => Verdict::sent(None),
        200..=299 => in_doubt(FindingCode::AcceptedNot202, call),
        400..=499 | 503 => refused(answer, call),
        501 => of_finding(Finding::new(FindingCode::MicrosoftUnavailable)),
        507 => of_finding(Finding::new(FindingCode::MailboxFull)),
        509 => of_finding(Finding::new(FindingCode::Throttled)),
        500..=599 => in_doubt(FindingCode::OutcomeUnknown, call),
        // A redirect is never followed: whoever sent it did not take the message.
        _ => of_finding(Finding::new(FindingCode::MicrosoftUnavailable)),
    };
    Verdict {
        finding: verdict.finding.map(|finding| answer.evidence(finding)),
        retry_after: answer.head.retry_after,
        graph_request_id: answer.request_id.clone(),
        ..verdict
    }
}

pub(crate) fn classify_no_answer(no_answer: &NoAnswer, call: &Call) -> Verdict {
    let verdict = if no_answer.not_started {
        of_finding(Finding::new(FindingCode::NetworkUnreachable))
    } else {
        in_doubt(FindingCode::OutcomeUnknown, call)
    };
    let evidence =
        |finding: Finding| finding.with("failure", no_answer.failure).with("cause", &no_answer.cause);
    Verdict { finding: verdict.finding.map(evidence), ..verdict }
}

/// Graph said no, so that nothing was taken.
fn refused(answer: &Answer, call: &Call) -> Verdict {
    let known = answer.codes.iter().rev().find_map(|code| of_code(code, answer, call));
    let finding = known.unwrap_or_else(|| of_status(answer, call));
    // Another token may do, unless the code blames the settings: then every token would be like it.
    let token_refused = answer.status == 401 && finding.class != FindingClass::Settings;
    Verdict { token_refused, ..of_finding(finding) }
}

fn of_code(code: &str, answer: &Answer, call: &Call) -> Option<Finding> {
    use FindingCode as F;
    Some(Finding::new(match code {
        "ErrorAccessDenied" | "Authorization_RequestDenied" | "accessDenied" => {
            return Some(access_denied(answer, call));
        }
        "ErrorSendAsDenied" => return Some(send_as_denied(call)),
        "NoPermissionsInAccessToken" => F::ConsentMissing,
        "Authorization_IdentityNotFound" => F::ServicePrincipalMissing,
        "OrganizationFromTenantGuidNotFound" | "MailboxNotEnabledForRESTAPI" => F::MailboxNotLicensed,
        "ErrorInvalidUser" | "ResourceNotFound" | "Request_ResourceNotFound" | "ErrorNonExistentMailbox" => {
            F::MailboxNotFound
        }
        "ErrorInvalidRecipients" | "ErrorExceededMaxRecipientLimit" => F::RecipientInvalid,
        "ErrorMessageSizeExceeded" => F::MessageTooLarge,
        "ErrorQuotaExceeded" | "quotaLimitReached" => F::MailboxFull,
        "ErrorExceededMessageLimit"
        | "ErrorSubmissionQuotaExceeded"
        | "ErrorAccountSuspend"
        | "ErrorMessageSubmissionBlocked" => F::DailyLimit,
        "ApplicationThrottled"
        | "TooManyRequests"
        | "activityLimitReached"
        | "ErrorMessageThrottled"
        | "ErrorServerBusy"
        | "ErrorExceededConnectionCount" => F::Throttled,
        // With a 401 the first two also ask for another token.
        "InvalidAuthenticationToken"
        | "unauthenticated"
        | "ErrorIrresolvableConflict"
        | "MailboxInfoStale"
        | "serviceNotAvailable" => F::MicrosoftUnavailable,
        _ => return None,
    }))
}

/// An answer whose codes say nothing that is known. Without any code it need not be Graph's at all, but a gateway's on
/// the way: that holds no lane.
fn of_status(answer: &Answer, call: &Call) -> Finding {
    let is_graphs = !answer.codes.is_empty();
    Finding::new(match answer.status {
        400 | 406 | 411 | 415 | 422 => FindingCode::MessageInvalid,
        413 => FindingCode::MessageTooLarge,
        429 => FindingCode::Throttled,
        403 if is_graphs => return access_denied(answer, call),
        404 if is_graphs => FindingCode::MailboxNotFound,
        _ => FindingCode::MicrosoftUnavailable,
    })
}

/// One code for many causes. A switch in Exchange (an application access policy, `[RAOP]`, or OData turned off) is told
/// by text alone; the rest is the likeliest reading of the token.
fn access_denied(answer: &Answer, call: &Call) -> Finding {
    let by_switch =
        answer.message.contains("[RAOP]") || answer.message.contains("Access to OData is disabled");
    let code = match &call.roles {
        _ if by_switch => FindingCode::MailboxOutOfScope,
        roles if roles.is_delegated => FindingCode::DelegatedNotApplication,
        roles if roles.has("Mail.Send") => FindingCode::MailboxOutOfScope,
        _ => FindingCode::MailSendMissing,
    };
    Finding::new(code).with("message", &answer.message)
}

fn send_as_denied(call: &Call) -> Finding {
    let finding = Finding::new(FindingCode::SendAsDenied);
    if call.from_given { finding.classed(FindingClass::Message) } else { finding }
}

fn in_doubt(code: FindingCode, call: &Call) -> Verdict {
    let finding = Finding::new(code);
    Verdict::of(
        Outcome::InDoubt,
        match call.form {
            PayloadForm::Mime => finding,
            PayloadForm::Json => finding.with("message_id", "none: sent as JSON, which cannot carry it"),
        },
    )
}

fn of_finding(finding: Finding) -> Verdict {
    let outcome = match finding.class {
        FindingClass::Message => Outcome::Rejected,
        FindingClass::InDoubt => Outcome::InDoubt,
        FindingClass::Settings | FindingClass::Limit | FindingClass::Outage | FindingClass::Advice => {
            Outcome::Deferred
        }
    };
    Verdict::of(outcome, finding)
}
