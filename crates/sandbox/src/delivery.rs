//! What becomes of a mail after its 202: on its way, delivered, or bounced. It is fixed when the mail is accepted and
//! comes true with the time, so that a message trace and the Inbox can be asked about it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::kind::{Call, Kind};
use crate::limits;
use crate::message::Mail;
use crate::scripted::Script;

#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// When it is delivered, or bounces.
    pub(crate) time: Timestamp,
    pub(crate) bounce: Option<Bounce>,
}

/// A non-delivery report.
#[derive(Debug, Clone)]
pub(crate) struct Bounce {
    /// Such as `5.1.10`.
    pub(crate) status: &'static str,
    pub(crate) text: &'static str,
    pub(crate) recipients: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Delivered,
    Failed,
}

impl State {
    /// As message traces call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Delivered => "delivered",
            State::Failed => "failed",
        }
    }
}

impl Delivery {
    pub(crate) fn at(time: Timestamp) -> Delivery {
        Delivery { time, bounce: None }
    }

    /// Failed as soon as it failed for one of its recipients.
    pub(crate) fn overall(&self, now: Timestamp) -> State {
        match (now < self.time, &self.bounce) {
            (true, _) => State::Pending,
            (false, Some(_)) => State::Failed,
            (false, None) => State::Delivered,
        }
    }

    pub(crate) fn state(&self, recipient: &str, now: Timestamp) -> State {
        let fails = |bounce: &Bounce| bounce.recipients.iter().any(|one| one == recipient);
        match self.overall(now) {
            State::Failed if !self.bounce.as_ref().is_some_and(fails) => State::Delivered,
            overall => overall,
        }
    }

    pub(crate) fn bounced(&self, now: Timestamp) -> Option<&Bounce> {
        self.bounce.as_ref().filter(|_| self.time <= now)
    }
}

/// When the last mails of each mailbox were, or will be, delivered: Exchange holds a mailbox to thirty a minute.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    slots: Mutex<HashMap<String, VecDeque<Timestamp>>>,
}

impl Pace {
    /// The next mail's: at once while fewer than thirty went within a minute, or, `spaced`, two seconds after the last.
    fn slot(&self, mailbox: &str, now: Timestamp, spaced: bool) -> Timestamp {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let own = slots.entry(mailbox.to_lowercase()).or_default();
        let window = SignedDuration::from_secs(limits::RATE_WINDOW_SECONDS);
        let (before, gap) = if spaced {
            (own.back(), SignedDuration::from_secs(2))
        } else {
            (own.len().checked_sub(limits::MESSAGES_PER_MINUTE).and_then(|at| own.get(at)), window)
        };
        let free = before.and_then(|before| before.checked_add(gap).ok()).unwrap_or(now);
        let slot = free.max(now).max(own.back().copied().unwrap_or(now));
        own.push_back(slot);
        if own.len() > limits::MESSAGES_PER_MINUTE {
            own.pop_front();
        }
        slot
    }
}

/// As the directory and the scenarios have it.
pub(crate) fn of(script: &Script<'_>, mail: &Mail) -> Delivery {
    let Script { shared, scope, call, .. } = script;
    let spec = shared.scenarios.take(scope, Call::SendMail, call.now, Kind::is_delivery);
    let kind = spec.as_ref().map(|spec| spec.kind);
    let spaced = kind == Some(Kind::SlowDelivery);
    let paced = spaced || shared.is_strict();
    let from = if paced { shared.pace.slot(&mail.mailbox, call.now, spaced) } else { call.now };
    let underway = i64::try_from(scope.known.directory.delivery_milliseconds).unwrap_or(i64::MAX);
    let time = from.checked_add(SignedDuration::from_millis(underway)).unwrap_or(from);
    let is_outside = |recipient: &&String| {
        !recipient.rsplit_once('@').is_some_and(|(_, domain)| scope.known.answers_to(domain))
    };
    let bounce = match kind {
        Some(Kind::NdrLater) => Some(Bounce {
            status: "5.1.10",
            text: "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            recipients: mail.recipients.clone(),
        }),
        Some(Kind::Terrl) => Some(Bounce {
            status: "5.7.233",
            text: "Your message can't be sent because your tenant exceeded its daily limit for sending email to external \
                   recipients (tenant external recipient rate limit)",
            recipients: mail.recipients.iter().filter(is_outside).cloned().collect(),
        }),
        _ => None,
    };
    Delivery { time, bounce: bounce.filter(|bounce| !bounce.recipients.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn thirty_go_at_once_and_the_next_waits_until_the_minute_is_over() {
        let pace = Pace::default();
        assert!((0..30).all(|second| pace.slot("a@b.c", at(second), false) == at(second)));
        assert_eq!(pace.slot("A@b.c", at(30), false), at(60));
        assert_eq!(pace.slot("a@b.c", at(30), false), at(61));
        assert_eq!(pace.slot("other@b.c", at(30), false), at(30));
        assert_eq!(pace.slot("a@b.c", at(500), false), at(500));
    }

    #[test]
    fn spaced_mail_goes_one_in_two_seconds() {
        let pace = Pace::default();
        let slots: Vec<_> = (0..3).map(|_| pace.slot("a@b.c", at(0), true)).collect();
        assert_eq!(slots, [at(0), at(2), at(4)]);
    }
}
