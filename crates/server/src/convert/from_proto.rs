//! Requests into domain types, with everything that is wrong at once.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AddressDraft, AttachmentDraft, Email, EmailDraft, Importance, InDoubtPolicy, Labels, MessageState,
    Priority, RequestId, ResellerId, SettingsState, Violations, limits,
};
use postrider_proto::v1;
use postrider_store::Scope;

/// What `SendMail` asks for, once it has been looked at.
#[derive(Debug)]
pub(crate) struct SendMail {
    pub reseller: ResellerId,
    pub email: Email,
    pub request_id: Option<RequestId>,
    pub send_time: Option<Timestamp>,
    pub expire_time: Timestamp,
    pub priority: Priority,
    pub policy: InDoubtPolicy,
    pub labels: Labels,
}

pub(crate) fn reseller(text: &str, violations: &mut Violations) -> Option<ResellerId> {
    violations.check("reseller", ResellerId::parse(text))
}

pub(crate) fn send_mail(request: v1::SendMailRequest, now: Timestamp) -> Result<SendMail, Violations> {
    let mut violations = Violations::default();
    let v = &mut violations;
    let reseller = reseller(&request.reseller, v);
    if request.email.is_none() {
        v.push("email", "is required");
    }
    let email = request.email.and_then(|email| {
        let draft = email_draft(email, "email", v);
        v.take(Email::parse(draft, "email"))
    });
    let request_id = request_id(&request.request_id, v);
    let wait_for = enumeration::<v1::WaitFor>(request.wait_for, "wait_for", v);
    let send_time = timestamp(request.send_time, "send_time", v).filter(|time| *time > now);
    if wait_for == Some(v1::WaitFor::Sent) && send_time.is_some() {
        v.push("wait_for", "cannot wait for SENT with a send_time");
    }
    check_span(now, send_time.unwrap_or(now), "send_time", v);
    let expire_time = expire_time(request.expiration, send_time.unwrap_or(now), v);
    let priority = match enumeration::<v1::Priority>(request.priority, "priority", v) {
        Some(v1::Priority::Urgent) => Priority::Urgent,
        Some(v1::Priority::Bulk) => Priority::Bulk,
        _ => Priority::Normal,
    };
    let policy = match enumeration::<v1::InDoubtPolicy>(request.in_doubt, "in_doubt", v) {
        Some(v1::InDoubtPolicy::AtMostOnce) => InDoubtPolicy::AtMostOnce,
        _ => InDoubtPolicy::AtLeastOnce,
    };
    let labels = v.labels("labels", request.labels);
    let parsed = reseller.zip(email).zip(expire_time).map(|((reseller, email), expire_time)| SendMail {
        reseller,
        email,
        request_id,
        send_time,
        expire_time,
        priority,
        policy,
        labels,
    });
    violations.into_result(parsed)
}

/// Empty: none was given.
pub(crate) fn request_id(text: &str, violations: &mut Violations) -> Option<RequestId> {
    if text.is_empty() { None } else { violations.check("request_id", RequestId::parse(text)) }
}

/// `from` is the later of acceptance and `send_time`: the default and `ttl` count from it.
fn expire_time(
    expiration: Option<v1::send_mail_request::Expiration>,
    from: Timestamp,
    violations: &mut Violations,
) -> Option<Timestamp> {
    use v1::send_mail_request::Expiration;
    let after = |span: Duration| from.saturating_add(span).ok();
    match expiration {
        None => after(limits::EXPIRY_DEFAULT),
        Some(Expiration::ExpireTime(time)) => {
            let time = timestamp(Some(time), "expire_time", violations)?;
            if time <= from {
                violations.push("expire_time", "must be after now, and after send_time");
            }
            check_span(from, time, "expire_time", violations);
            Some(time)
        }
        Some(Expiration::Ttl(ttl)) => {
            let time = duration(ttl).filter(|ttl| !ttl.is_zero()).and_then(after);
            let time = violations.check("ttl", time.ok_or("must be greater than 0, and within 365 days"))?;
            check_span(from, time, "ttl", violations);
            Some(time)
        }
    }
}

fn check_span(from: Timestamp, to: Timestamp, field: &str, violations: &mut Violations) {
    if to.duration_since(from) > span(limits::SCHEDULE_MAX) {
        violations.push(field, "must be within 365 days");
    }
}

fn span(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}

/// What was stored as content, read back: it was looked at when it was accepted.
pub(crate) fn stored_email(email: v1::Email) -> Result<Email, Violations> {
    let mut violations = Violations::default();
    let draft = email_draft(email, "email", &mut violations);
    Email::parse(draft, "email")
}

fn email_draft(email: v1::Email, field: &str, violations: &mut Violations) -> EmailDraft {
    let importance =
        enumeration::<v1::Importance>(email.importance, &format!("{field}.importance"), violations);
    let addresses = |list: Vec<v1::Address>| list.into_iter().map(address_draft).collect();
    EmailDraft {
        from: email.from.map(address_draft),
        to: addresses(email.to),
        cc: addresses(email.cc),
        bcc: addresses(email.bcc),
        reply_to: addresses(email.reply_to),
        subject: email.subject,
        text: email.text,
        html: email.html,
        attachments: email.attachments.into_iter().map(attachment_draft).collect(),
        headers: email.headers,
        importance: match importance {
            Some(v1::Importance::Low) => Importance::Low,
            Some(v1::Importance::High) => Importance::High,
            _ => Importance::Normal,
        },
        save_to_sent_items: email.save_to_sent_items.unwrap_or(true),
    }
}

fn address_draft(address: v1::Address) -> AddressDraft {
    AddressDraft { address: address.address, display_name: address.display_name }
}

fn attachment_draft(attachment: v1::Attachment) -> AttachmentDraft {
    AttachmentDraft {
        file_name: attachment.file_name,
        content_type: attachment.content_type,
        content: attachment.content,
        content_id: attachment.content_id,
    }
}

/// A value this version does not know is an error, not a default.
pub(crate) fn enumeration<E: TryFrom<i32>>(
    value: i32,
    field: &str,
    violations: &mut Violations,
) -> Option<E> {
    violations.check(field, E::try_from(value).map_err(|_| "is not a value this version knows"))
}

pub(crate) fn timestamp(
    time: Option<prost_types::Timestamp>,
    field: &str,
    violations: &mut Violations,
) -> Option<Timestamp> {
    let time = time?;
    violations.check(
        field,
        Timestamp::new(time.seconds, time.nanos).map_err(|_| "is not a time between the years 1 and 9999"),
    )
}

/// `None`: negative, or past all counting.
pub(crate) fn duration(duration: prost_types::Duration) -> Option<Duration> {
    Duration::try_from(duration).ok()
}

/// As callers see them, without those of message trace, which never occur here.
pub(crate) fn states(states: &[i32], violations: &mut Violations) -> Vec<MessageState> {
    let state = |(index, value): (usize, &i32)| {
        let field = format!("states[{index}]");
        match enumeration::<v1::MessageState>(*value, &field, violations)? {
            v1::MessageState::Unspecified => {
                violations.push(field, "must name a state");
                None
            }
            v1::MessageState::Accepted => Some(MessageState::Accepted),
            v1::MessageState::Scheduled => Some(MessageState::Scheduled),
            v1::MessageState::Sending => Some(MessageState::Sending),
            v1::MessageState::Deferred => Some(MessageState::Deferred),
            v1::MessageState::Held => Some(MessageState::Held),
            v1::MessageState::Sent => Some(MessageState::Sent),
            v1::MessageState::OutcomeUnknown => Some(MessageState::OutcomeUnknown),
            v1::MessageState::Failed => Some(MessageState::Failed),
            v1::MessageState::Cancelled => Some(MessageState::Cancelled),
            v1::MessageState::Expired => Some(MessageState::Expired),
            v1::MessageState::Delivered | v1::MessageState::Bounced => {
                violations.push(field, "message trace is not part of this version");
                None
            }
        }
    };
    states.iter().enumerate().filter_map(state).collect()
}

/// A scope of a key to make: each must be named.
pub(crate) fn scope(scope: i32, index: usize, violations: &mut Violations) -> Option<Scope> {
    let field = format!("scopes[{index}]");
    match enumeration::<v1::Scope>(scope, &field, violations)? {
        v1::Scope::Unspecified => {
            violations.push(field, "must name a scope");
            None
        }
        v1::Scope::Send => Some(Scope::Send),
        v1::Scope::Read => Some(Scope::Read),
        v1::Scope::Settings => Some(Scope::Settings),
        v1::Scope::Test => Some(Scope::Test),
        v1::Scope::Admin => Some(Scope::Admin),
    }
}

/// The state to list settings of; unspecified: any.
pub(crate) fn settings_state(state: i32, violations: &mut Violations) -> Option<SettingsState> {
    match enumeration::<v1::SettingsState>(state, "status", violations)? {
        v1::SettingsState::Unspecified => None,
        v1::SettingsState::Ready => Some(SettingsState::Ready),
        v1::SettingsState::Untested => Some(SettingsState::Untested),
        v1::SettingsState::Paused => Some(SettingsState::Paused),
    }
}
