//! Graph's answer → outcome and finding: the one map, and the only one.
//!
//! The status says whether the message may have been taken; the codes say whose fault it was. Codes are read from the
//! innermost out, the first that is known wins, and a code that is not known leaves it to the status, so that nothing
//! is guessed from text. Text decides only where Graph gives nothing else: which switch in Exchange denies access.
//!
//! What cannot be proven not to have been taken is in doubt: every 2xx but 202, every 5xx but the few that refuse, and
//! every call without an answer that had started. Before a draft is sent nothing can have been taken.

use postrider_domain::{Finding, FindingClass, FindingCode, Outcome, PayloadForm, Verdict};

use crate::answer::Answer;
use crate::http::NoAnswer;
use crate::roles::TokenRoles;

/// What is known of a call beside its answer.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The caller named a `from`, so that a refusal of it is the message's own fault.
    pub from_given: bool,
    pub form: PayloadForm,
    /// Advice: chooses between findings of class SETTINGS.
    pub roles: TokenRoles,
    pub step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It hands the message over.
    Send,
    /// It prepares a draft, which needs `Mail.ReadWrite`: nothing leaves the mailbox by it. An answer that comes here is
    /// none of those that were hoped for.
    Prepare,
}

pub(crate) fn classify(answer: &Answer, call: &Call) -> Verdict {
    let verdict = match (call.step, answer.status) {
        (Step::Send, 202) => Verdict::sent(None),
        (Step::Send, 200..=299) => in_doubt(FindingCode::AcceptedNot202, call),
        (_, 400..=499 | 503) => refused(answer, call),
        (_, 501) => of_finding(Finding::new(FindingCode::MicrosoftRefused)),
        (_, 507) => of_finding(Finding::new(FindingCode::MailboxFull)),
        (_, 509) => of_finding(Finding::new(FindingCode::Throttled)),
        (Step::Send, 500..=599) => in_doubt(FindingCode::OutcomeUnknown, call),
        // A redirect is never followed: whoever sent it did not take the message.
        (Step::Prepare, 500..=599) | (Step::Send, ..=199 | 300..) => {
            of_finding(Finding::new(FindingCode::MicrosoftUnavailable))
        }
        (Step::Prepare, _) => of_finding(Finding::new(FindingCode::MicrosoftRefused)),
    };
    Verdict {
        finding: verdict.finding.map(|finding| answer.evidence(finding)),
        retry_after: answer.head.retry_after,
        graph_request_id: answer.request_id.clone(),
        ..verdict
    }
}

pub(crate) fn classify_no_answer(no_answer: &NoAnswer, call: &Call) -> Verdict {
    let verdict = if no_answer.not_started || call.step == Step::Prepare {
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
    let finding = known.unwrap_or_else(|| of_status(answer));
    // Another token may do, unless the code says that every token of this app would be like it.
    let token_refused = answer.status == 401
        && matches!(finding.code, FindingCode::TokenRefused | FindingCode::MicrosoftUnavailable);
    Verdict { token_refused, ..of_finding(finding) }
}

/// Every code that a mail can meet. `BadRequest`, which says nothing, is left to the status.
fn of_code(code: &str, answer: &Answer, call: &Call) -> Option<Finding> {
    use FindingCode as F;
    Some(Finding::new(match code {
        "ErrorAccessDenied" | "Authorization_RequestDenied" | "accessDenied" => {
            return Some(access_denied(answer, call));
        }
        "NoPermissionsInAccessToken" if call.step == Step::Prepare => return Some(needs_read_write(call)),
        "ErrorSendAsDenied" => return Some(send_as_denied(call)),
        "NoPermissionsInAccessToken" => F::ConsentMissing,
        "InvalidAuthenticationToken" | "unauthenticated" => F::TokenRefused,
        "Authorization_IdentityNotFound" => F::ServicePrincipalMissing,
        "OrganizationFromTenantGuidNotFound" | "MailboxNotEnabledForRESTAPI" => F::MailboxNotLicensed,
        "ErrorInvalidUser" | "ResourceNotFound" | "Request_ResourceNotFound" | "ErrorNonExistentMailbox" => {
            F::MailboxNotFound
        }
        "ErrorInvalidRecipients" | "ErrorExceededMaxRecipientLimit" => F::RecipientInvalid,
        "ErrorInvalidRequest"
        | "invalidRequest"
        | "RequestBodyRead"
        | "UnableToDeserializePostBody"
        | "ErrorMimeContentInvalidBase64String"
        | "ErrorMimeContentInvalid"
        | "InvalidInternetMessageHeader"
        | "InvalidInternetMessageHeaderCollection"
        | "ErrorInvalidIdMalformed"
        | "ErrorInvalidPropertySet"
        | "ErrorPropertyValidationFailure" => F::MessageInvalid,
        "ErrorMessageSizeExceeded" => F::MessageTooLarge,
        "ErrorQuotaExceeded" | "quotaLimitReached" => F::MailboxFull,
        "ErrorExceededMessageLimit" | "ErrorSubmissionQuotaExceeded" => F::DailyLimit,
        "ErrorAccountSuspend" | "ErrorMessageSubmissionBlocked" => F::SenderBlocked,
        "ApplicationThrottled"
        | "TooManyRequests"
        | "activityLimitReached"
        | "ErrorMessageThrottled"
        | "ErrorServerBusy"
        | "ErrorExceededConnectionCount" => F::Throttled,
        "ErrorIrresolvableConflict"
        | "MailboxInfoStale"
        | "serviceNotAvailable"
        | "ErrorMailboxStoreUnavailable"
        | "ErrorMailboxMoveInProgress"
        | "ErrorMailboxFailover"
        | "ErrorADUnavailable"
        | "ErrorInsufficientResources"
        | "ErrorConnectionFailed"
        | "ErrorNotEnoughMemory"
        | "ErrorTooManyObjectsOpened" => F::MicrosoftUnavailable,
        // A draft that somebody deleted meanwhile.
        "ErrorItemNotFound" | "itemNotFound" => F::MicrosoftRefused,
        _ => return None,
    }))
}

/// An answer whose codes say nothing that is known. Without any code it need not be Graph's at all, but a gateway's on
/// the way: that holds no lane and fails no message, but for its size.
fn of_status(answer: &Answer) -> Finding {
    let is_graphs = !answer.codes.is_empty();
    Finding::new(match answer.status {
        400 | 411 | 422 if is_graphs => FindingCode::MessageInvalid,
        413 => FindingCode::MessageTooLarge,
        429 => FindingCode::Throttled,
        401 if is_graphs || answer.challenged => FindingCode::TokenRefused,
        408 | 409 | 412 | 423 | 503 => FindingCode::MicrosoftUnavailable,
        401 | 403 | 404 if !is_graphs => FindingCode::MicrosoftUnavailable,
        _ => FindingCode::MicrosoftRefused,
    })
}

/// One code for many causes. A switch in Exchange (an application access policy, `[RAOP]`, or OData turned off) is told
/// by text alone; the rest is the likeliest reading of the token.
fn access_denied(answer: &Answer, call: &Call) -> Finding {
    let says = |text| answer.message.contains(text);
    Finding::new(match (call.step, &call.roles) {
        _ if says("[RAOP]") => FindingCode::MailboxOutOfScope,
        _ if says("Access to OData is disabled") => FindingCode::MailboxAccessDisabled,
        (_, roles) if roles.is_delegated => FindingCode::DelegatedNotApplication,
        (Step::Prepare, roles) if !roles.has("Mail.ReadWrite") => return needs_read_write(call),
        (Step::Send, roles) if !roles.has("Mail.Send") => FindingCode::MailSendMissing,
        _ => FindingCode::MailboxOutOfScope,
    })
}

/// Class MESSAGE, although it may be that the app is allowed nothing at all: one large mail must not hold a lane whose
/// other mail goes out by a grant of Exchange's, which no token shows.
fn needs_read_write(call: &Call) -> Finding {
    let roles = if call.roles.is_known { call.roles.roles.join(" ") } else { "not known".to_owned() };
    Finding::new(FindingCode::AttachmentNeedsReadWrite).with("roles", roles)
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
