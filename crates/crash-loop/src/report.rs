//! What came of it: the table that is published.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use postrider_domain::{Message, MessageId, MessageState, Outcome};
use postrider_simulation::checker::Fault;

use crate::replica::LEASE_SECONDS;
use crate::run::Database;
use crate::storm::{Recovery, Told};

/// Beyond a lease and what it takes to look for lanes.
const SLOW: Duration = Duration::from_secs(LEASE_SECONDS + 1);

pub(crate) struct Report {
    pub(crate) database: Database,
    pub(crate) told: Told,
    /// What must not be.
    pub(crate) faults: Vec<Fault>,
    /// Calls whose request, and whose answer, died with a replica.
    pub(crate) lost: (u64, u64),
    pub(crate) unanswered: u64,
    pub(crate) replayed: u64,
    pub(crate) messages: Vec<Message>,
    pub(crate) copies: BTreeMap<MessageId, usize>,
}

impl Report {
    /// Nothing was wrong, and everything that was to go wrong did.
    pub(crate) fn is_good(&self) -> bool {
        self.faults.is_empty() && self.counters().iter().all(|(_, count)| *count > 0)
    }

    /// Of what was injected.
    fn counters(&self) -> Vec<(String, u64)> {
        let struck = self.told.struck.iter().map(|(event, count)| (format!("{event:?}"), *count));
        let seen = [
            ("requests lost", self.lost.0),
            ("answers lost", self.lost.1),
            ("calls unanswered", self.unanswered),
            ("calls known again", self.replayed),
            ("attempts in doubt", self.doubts() as u64),
        ];
        struck.chain(seen.map(|(name, count)| (name.to_owned(), count))).collect()
    }

    fn doubts(&self) -> usize {
        let attempts = self.messages.iter().flat_map(|message| &message.attempts);
        attempts.filter(|attempt| attempt.outcome == Some(Outcome::InDoubt)).count()
    }

    fn of(&self, is: impl Fn(&Fault) -> bool) -> usize {
        self.faults.iter().filter(|fault| is(fault)).count()
    }

    /// Shortest first.
    fn recoveries(&self) -> Vec<Recovery> {
        let mut all = self.told.recoveries.clone();
        all.sort_by_key(|recovery| recovery.took);
        all
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |state| self.messages.iter().filter(|message| message.state == state).count();
        let doubled = self.copies.values().filter(|copies| **copies > 1).count();
        let recoveries = self.recoveries();
        let took = |index: usize| recoveries.get(index).map_or(Duration::ZERO, |recovery| recovery.took);
        let (median, max) = (took(recoveries.len() / 2), took(recoveries.len().saturating_sub(1)));
        let recovery = match self.database {
            Database::Sqlite => "from the start to the first call",
            Database::Postgres => "from the kill to a call of the other replica for a lane of the dead",
        };
        writeln!(f, "| {:?} | |\n| --- | --- |", self.database)?;
        writeln!(f, "| effective kills (of all) | {} ({}) |", self.told.effective, self.told.kills)?;
        for (name, is_such) in NAMED {
            writeln!(f, "| {name} | {} |", self.of(is_such))?;
        }
        writeln!(
            f,
            "| other faults | {} |",
            self.of(|fault| !NAMED.iter().any(|(_, is_such)| is_such(fault)))
        )?;
        writeln!(
            f,
            "| messages: SENT, OUTCOME_UNKNOWN | {}, {} |",
            count(MessageState::Sent),
            count(MessageState::OutcomeUnknown)
        )?;
        writeln!(f, "| doubled, and its history says so | {doubled} |")?;
        writeln!(
            f,
            "| attempts in doubt, attempts open at the kills | {}, {} |",
            self.doubts(),
            self.told.attempts
        )?;
        writeln!(
            f,
            "| recovery, {recovery}: median, max of {} | {median:.2?}, {max:.2?} |",
            recoveries.len()
        )?;
        writeln!(f, "| `check-store` after a kill, sound | {} |", self.told.checks)?;
        for (name, count) in self.counters() {
            writeln!(f, "| injected: {name} | {count} |")?;
        }
        let slow = recoveries.iter().filter(|recovery| recovery.took > SLOW);
        for Recovery { took, events: [kill, before] } in slow {
            writeln!(f, "slow: {took:.2?} after {kill:?}, which came after {before:?}")?;
        }
        self.faults.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}

/// A fault with a line of its own.
pub(crate) type Named = (&'static str, fn(&Fault) -> bool);

pub(crate) const NAMED: [Named; 9] = [
    ("acknowledged and lost", |fault| matches!(fault, Fault::Lost(_))),
    ("doubled unflagged", |fault| matches!(fault, Fault::DoubledInSilence(_) | Fault::Twins(_))),
    ("doubled with `AT_MOST_ONCE`", |fault| matches!(fault, Fault::DoubledAgainstPolicy(_))),
    ("wrongly SENT", |fault| matches!(fault, Fault::WronglySent(_))),
    ("sent with other content", |fault| matches!(fault, Fault::OtherContent(_))),
    ("over a mailbox's limit", |fault| matches!(fault, Fault::OverALimit(_))),
    ("stuck", |fault| matches!(fault, Fault::Stuck(_))),
    ("out of order", |fault| matches!(fault, Fault::OutOfOrder(_))),
    ("unfair", |fault| matches!(fault, Fault::Unfair(_))),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storm::Event;

    fn report() -> Report {
        let told = Told { struck: BTreeMap::from([(Event::KillAtCall, 1)]), ..Told::default() };
        let attempt = postrider_domain::Attempt {
            number: postrider_domain::AttemptNumber(1),
            start_time: jiff::Timestamp::UNIX_EPOCH,
            end_time: Some(jiff::Timestamp::UNIX_EPOCH),
            outcome: Some(Outcome::InDoubt),
            finding: None,
            graph_request_id: None,
        };
        let message = Message {
            reseller: postrider_domain::ResellerId::parse("acme").expect("a slug"),
            id: MessageId::of_uuid(uuid::Uuid::nil()),
            request_id: None,
            state: MessageState::Sent,
            internet_message_id: None,
            create_time: jiff::Timestamp::UNIX_EPOCH,
            update_time: jiff::Timestamp::UNIX_EPOCH,
            send_time: None,
            expire_time: jiff::Timestamp::UNIX_EPOCH,
            next_attempt_time: None,
            attempts: vec![attempt],
            finding: None,
            subject: String::new(),
            recipient_count: 1,
            labels: BTreeMap::new(),
        };
        Report {
            database: Database::Sqlite,
            told,
            faults: Vec::new(),
            lost: (1, 1),
            unanswered: 1,
            replayed: 1,
            messages: vec![message],
            copies: BTreeMap::new(),
        }
    }

    #[test]
    fn a_loop_in_which_nothing_was_wrong_and_everything_struck_is_good() {
        assert!(report().is_good());
    }

    #[test]
    fn one_fault_is_too_many_and_is_told() {
        let report = Report { faults: vec![Fault::Lost("a mail".to_owned())], ..report() };
        assert!(!report.is_good());
        assert!(report.to_string().contains("| acknowledged and lost | 1 |"), "{report}");
    }

    #[test]
    fn a_loop_in_which_something_never_struck_proves_nothing() {
        assert!(!Report { lost: (0, 1), ..report() }.is_good());
        let told = Told { struck: BTreeMap::from([(Event::CutCallers, 0)]), ..Told::default() };
        assert!(!Report { told, ..report() }.is_good());
    }
}
