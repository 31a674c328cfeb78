//! When a message is tried again: the whole schedule, to be scanned by a reader.

use std::time::Duration;

use jiff::Timestamp;
use postrider_dispatch::{backoff, decide, probe_gap};
use postrider_domain::{
    Finding, FindingCode, Hold, InDoubtPolicy, MessageId, Outcome, Priority, Queued, Resolution, Verdict,
};

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn queued() -> Queued {
    Queued {
        id: MessageId::of_uuid(uuid::Uuid::from_u128(1)),
        priority: Priority::Normal,
        attempts: 1,
        backoffs: 1,
        in_doubt: false,
        policy: InDoubtPolicy::AtLeastOnce,
        due_time: now(),
        expire_time: Timestamp::MAX,
        recipient_count: 1,
        content_bytes: 1_000,
    }
}

fn seconds(until: Timestamp) -> String {
    format!("in {} s", until.duration_since(now()).as_secs())
}

fn shown(resolution: &Resolution) -> String {
    match resolution {
        Resolution::End(state) => format!("ends {}", state.as_str()),
        Resolution::Again { at, counts } => {
            format!("again {}{}", seconds(*at), if *counts { "" } else { ", uncounted" })
        }
        Resolution::LaneWaits { until } => format!("lane waits, {}", seconds(*until)),
        Resolution::LaneHeld(hold) => {
            format!("lane held, probe {} is {}", hold.probes + 1, seconds(hold.probe_time))
        }
    }
}

#[test]
fn gaps_grow_and_stop_growing() {
    let gaps: Vec<_> = (0..9).map(|tries| backoff(tries).as_secs()).collect();
    assert_eq!(gaps, [5, 15, 45, 135, 405, 1215, 3600, 3600, 3600]);
    let probes: Vec<_> = (0..10).map(|probes| probe_gap(probes).as_secs()).collect();
    assert_eq!(probes, [60, 120, 240, 480, 960, 1920, 3840, 7200, 7200, 7200]);
    assert_eq!((backoff(u32::MAX), probe_gap(u32::MAX)), (Duration::from_hours(1), Duration::from_hours(2)));
}

#[test]
fn every_verdict_has_its_resolution() {
    use FindingCode::{
        DailyLimit, MicrosoftUnavailable, OutcomeUnknown, RecipientInvalid, SecretExpired, Throttled,
    };
    let of = |outcome, code| Verdict::of(outcome, Finding::new(code));
    let asked = |verdict: Verdict, s| Verdict { retry_after: Some(Duration::from_secs(s)), ..verdict };
    let hold = Hold { finding: Finding::new(SecretExpired), probe_time: now(), probes: 2 };
    let once = Queued { policy: InDoubtPolicy::AtMostOnce, ..queued() };
    let tried = |attempts| Queued { attempts, ..queued() };
    let doubted = Queued { in_doubt: true, ..queued() };
    let cases = [
        ("202", Verdict::sent(None), queued(), 0, None),
        ("in doubt, at least once", of(Outcome::InDoubt, OutcomeUnknown), queued(), 0, None),
        ("in doubt, at most once", of(Outcome::InDoubt, OutcomeUnknown), once, 0, None),
        ("refused for its own fault", of(Outcome::Rejected, RecipientInvalid), queued(), 0, None),
        ("the same, after a doubt", of(Outcome::Rejected, RecipientInvalid), doubted, 0, None),
        ("settings", of(Outcome::Deferred, SecretExpired), queued(), 0, None),
        ("settings, third probe", of(Outcome::Deferred, SecretExpired), queued(), 0, Some(&hold)),
        ("limit", of(Outcome::Deferred, Throttled), queued(), 0, None),
        ("limit, asked for 2 s", asked(of(Outcome::Deferred, Throttled), 2), queued(), 0, None),
        ("limit, asked for 300 s", asked(of(Outcome::Deferred, Throttled), 300), queued(), 0, None),
        ("limit, asked for nothing", asked(of(Outcome::Deferred, Throttled), 0), queued(), 0, None),
        ("daily limit, asked for 60 s", asked(of(Outcome::Deferred, DailyLimit), 60), queued(), 0, None),
        ("daily limit", of(Outcome::Deferred, DailyLimit), queued(), 0, None),
        ("limit, of a message's ninth try", of(Outcome::Deferred, Throttled), tried(9), 0, None),
        ("limit, after the lane waited twice", of(Outcome::Deferred, Throttled), queued(), 2, None),
        ("outage", of(Outcome::Deferred, MicrosoftUnavailable), queued(), 0, None),
        ("outage, of a message's ninth try", of(Outcome::Deferred, MicrosoftUnavailable), tried(9), 0, None),
        (
            "outage, after the lane waited nine times",
            of(Outcome::Deferred, MicrosoftUnavailable),
            queued(),
            9,
            None,
        ),
    ];
    let table: Vec<_> = cases
        .iter()
        .map(|(name, verdict, queued, lane_waits, hold)| {
            format!("{name}: {}", shown(&decide(verdict, queued, *lane_waits, *hold, now())))
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"), @"
    202: ends sent
    in doubt, at least once: again in 15 s
    in doubt, at most once: ends outcome_unknown
    refused for its own fault: ends failed
    the same, after a doubt: ends outcome_unknown
    settings: lane held, probe 1 is in 60 s
    settings, third probe: lane held, probe 4 is in 480 s
    limit: lane waits, in 5 s
    limit, asked for 2 s: lane waits, in 2 s
    limit, asked for 300 s: lane waits, in 300 s
    limit, asked for nothing: lane waits, in 5 s
    daily limit, asked for 60 s: lane waits, in 3600 s
    daily limit: lane waits, in 3600 s
    limit, of a message's ninth try: lane waits, in 5 s
    limit, after the lane waited twice: lane waits, in 45 s
    outage: lane waits, in 5 s
    outage, of a message's ninth try: lane waits, in 5 s
    outage, after the lane waited nine times: lane waits, in 60 s
    ");
}
