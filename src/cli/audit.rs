//! `postrider audit`: who changed what, and whether the chains of events are whole.
//!
//! Rules
//! - Events come from the newest to the oldest. Each is hashed anew and held against the one before it, here and not by the
//!   service, so that a service that was altered vouches for nothing.
//! - An event that does not fit is shown all the same, then named on standard error, and the exit code is 1.
//! - As JSON it is one event a line, so that it can be followed by other programs.

use std::collections::BTreeMap;

use clap::Args;
use postrider_domain::{AuditEvent, BrokenChain, ChainHash, ResellerId};
use postrider_proto::v1;

use super::client::Client;
use super::failure::Failure;
use super::screen::{Output, Screen, line, plain, say};
use super::time;

/// Entries of a page when all are asked for.
const PAGE_ALL: i32 = 1_000;

#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// Only what was done to this reseller [default: all].
    #[arg(default_value = "", hide_default_value = true)]
    reseller: String,
    /// Only events from this time on: a time in RFC 3339, or a day.
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    since: Option<prost_types::Timestamp>,
    /// Only events before this time.
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    until: Option<prost_types::Timestamp>,
}

pub(crate) async fn run(arguments: AuditArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let mut request = v1::ListAuditEventsRequest {
        reseller: arguments.reseller,
        start_time: arguments.since,
        end_time: arguments.until,
        page_size: PAGE_ALL,
        page_token: String::new(),
    };
    // Cut at its oldest end by a time that was asked for, a chain does not show how it began.
    let mut chains = Chains { begins: request.start_time.is_none(), ..Chains::default() };
    let mut rows = Vec::new();
    loop {
        let page = client.access().list_audit_events(request.clone()).await;
        let page = page.map_err(|status| client.refused(&status))?.into_inner();
        for event in &page.events {
            chains.check(event);
            match screen.output() {
                Output::Json => say(&line("postrider.v1.AuditEvent", event)?)?,
                Output::Text => rows.push(row(event)),
            }
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if screen.output() == Output::Text {
        say(&screen.table(&["TIME", "RESELLER", "NUMBER", "ACTOR", "FROM", "ACTION", "DETAILS"], &rows))?;
    }
    chains.end()
}

/// What was seen of each chain, from its newest event on.
#[derive(Debug, Default)]
struct Chains {
    /// Whether all events were asked for, from the first.
    begins: bool,
    newer: BTreeMap<String, AuditEvent>,
    newest: BTreeMap<String, (i64, ChainHash)>,
    broken: Vec<String>,
}

impl Chains {
    fn check(&mut self, event: &v1::AuditEvent) {
        let Some(older) = read(event) else {
            return self.broken.push(format!("event {} cannot be read", plain(&event.event_id)));
        };
        let chain = older.chain().to_owned();
        self.newest.entry(chain.clone()).or_insert((older.number, older.hash));
        if let Some(newer) = self.newer.insert(chain, older.clone()) {
            self.note(&newer, newer.check(Some(&older)));
        }
    }

    fn note(&mut self, event: &AuditEvent, checked: Result<(), BrokenChain>) {
        if let Err(broken) = checked {
            let name = if event.chain().is_empty() { "nobody" } else { event.chain() };
            self.broken.push(format!("event {} of {name} {broken}", event.number));
        }
    }

    /// The oldest events, which follow none that was seen.
    fn end(mut self) -> Result<(), Failure> {
        for oldest in std::mem::take(&mut self.newer).into_values() {
            let checked = match oldest.check(None) {
                // What came before was not asked for.
                Err(BrokenChain::Torn) if !self.begins => Ok(()),
                Ok(()) if self.begins && oldest.number > 1 => Err(BrokenChain::Torn),
                checked => checked,
            };
            self.note(&oldest, checked);
        }
        if !self.broken.is_empty() {
            return Err(
                anyhow::anyhow!("the audit is not what was written: {}", self.broken.join("; ")).into()
            );
        }
        for (chain, (number, hash)) in &self.newest {
            let name = if chain.is_empty() { "nobody" } else { chain };
            eprintln!("{name}: whole up to event {number}, whose hash is {hash}");
        }
        Ok(())
    }
}

fn read(event: &v1::AuditEvent) -> Option<AuditEvent> {
    let time = event.event_time.as_ref()?;
    let reseller =
        if event.reseller.is_empty() { None } else { Some(ResellerId::parse(&event.reseller).ok()?) };
    Some(AuditEvent {
        reseller,
        number: event.number,
        time: jiff::Timestamp::new(time.seconds, time.nanos).ok()?,
        actor: event.actor.clone(),
        action: event.action.clone(),
        source_address: event.source_address.clone(),
        details: event.details.clone().into_iter().collect(),
        previous_hash: ChainHash::parse(&event.previous_hash)?,
        hash: ChainHash::parse(&event.hash)?,
    })
}

fn row(event: &v1::AuditEvent) -> Vec<String> {
    let details: BTreeMap<_, _> = event.details.iter().collect();
    let details: Vec<_> = details.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        time::shown(event.event_time.as_ref()),
        plain(&event.reseller),
        event.number.to_string(),
        plain(&event.actor),
        plain(&event.source_address),
        plain(&event.action),
        plain(&details.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of `acme`, the newest first.
    fn listed(numbers: std::ops::RangeInclusive<i64>) -> Vec<v1::AuditEvent> {
        let mut previous_hash = ChainHash::START;
        let mut events = Vec::new();
        for number in 1..=*numbers.end() {
            let mut event = v1::AuditEvent {
                event_time: Some(prost_types::Timestamp { seconds: 1_800_000_000 + number, nanos: 0 }),
                actor: "k1".to_owned(),
                action: "PauseSending".to_owned(),
                reseller: "acme".to_owned(),
                number,
                previous_hash: previous_hash.to_string(),
                hash: previous_hash.to_string(),
                ..v1::AuditEvent::default()
            };
            previous_hash = read(&event).unwrap().hashed();
            event.hash = previous_hash.to_string();
            events.push(event);
        }
        events.retain(|event| numbers.contains(&event.number));
        events.reverse();
        events
    }

    fn is_whole(events: &[v1::AuditEvent], begins: bool) -> bool {
        let mut chains = Chains { begins, ..Chains::default() };
        for event in events {
            chains.check(event);
        }
        chains.end().is_ok()
    }

    #[test]
    fn a_chain_is_whole_from_its_first_event_or_from_the_time_that_was_asked_for() {
        assert!(is_whole(&listed(1..=4), true));
        assert!(is_whole(&listed(3..=4), false));
        assert!(!is_whole(&listed(3..=4), true), "the first two were taken out");
    }

    #[test]
    fn what_was_altered_or_taken_out_shows() {
        for place in 0..4 {
            let mut events = listed(1..=4);
            events[place].actor = "k2".to_owned();
            assert!(!is_whole(&events, true), "altered: {place}");
        }
        for place in 1..4 {
            let mut events = listed(1..=4);
            events.remove(place);
            assert!(!is_whole(&events, true), "taken out: {place}");
        }
    }
}
