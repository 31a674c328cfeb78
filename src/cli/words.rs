//! The API's enums by their short names: `sent` for `MESSAGE_STATE_SENT`.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use postrider_proto::v1::{
    Cloud, InDoubtPolicy, MessageState, Priority, Scope, SettingsState, TestLevel, WaitFor,
};

type Words<E> = &'static [(&'static str, E)];

pub(crate) const STATES: Words<MessageState> = &[
    ("accepted", MessageState::Accepted),
    ("scheduled", MessageState::Scheduled),
    ("sending", MessageState::Sending),
    ("deferred", MessageState::Deferred),
    ("held", MessageState::Held),
    ("sent", MessageState::Sent),
    ("outcome-unknown", MessageState::OutcomeUnknown),
    ("failed", MessageState::Failed),
    ("cancelled", MessageState::Cancelled),
    ("expired", MessageState::Expired),
    ("delivered", MessageState::Delivered),
    ("bounced", MessageState::Bounced),
];

pub(crate) const SCOPES: Words<Scope> = &[
    ("send", Scope::Send),
    ("read", Scope::Read),
    ("settings", Scope::Settings),
    ("test", Scope::Test),
    ("admin", Scope::Admin),
];

pub(crate) const CLOUDS: Words<Cloud> = &[
    ("global", Cloud::Global),
    ("us-gov-high", Cloud::UsGovHigh),
    ("us-gov-dod", Cloud::UsGovDod),
    ("china", Cloud::China),
];

pub(crate) const PRIORITIES: Words<Priority> =
    &[("normal", Priority::Normal), ("urgent", Priority::Urgent), ("bulk", Priority::Bulk)];

pub(crate) const IN_DOUBT: Words<InDoubtPolicy> =
    &[("at-least-once", InDoubtPolicy::AtLeastOnce), ("at-most-once", InDoubtPolicy::AtMostOnce)];

pub(crate) const WAITS: Words<WaitFor> = &[("accepted", WaitFor::Accepted), ("sent", WaitFor::Sent)];

pub(crate) const LEVELS: Words<TestLevel> = &[("token", TestLevel::Token), ("send", TestLevel::Send)];

pub(crate) const SETTINGS_STATES: Words<SettingsState> = &[
    ("ready", SettingsState::Ready),
    ("untested", SettingsState::Untested),
    ("paused", SettingsState::Paused),
];

/// Takes one of the words, also with the API's underscores; with clap's `ignore_case`, in any letter case.
pub(crate) fn one_of<E: Copy + Send + Sync + 'static>(
    words: Words<E>,
) -> impl TypedValueParser<Value = E> + 'static {
    let possible = words.iter().map(|(word, _)| PossibleValue::new(*word).alias(word.replace('-', "_")));
    PossibleValuesParser::new(possible).try_map(move |said: String| {
        let said = said.replace('_', "-");
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&said));
        found.map(|(_, value)| *value).ok_or("unknown word")
    })
}

/// The part of an enum's name after its type's prefix: `SENT` of `MESSAGE_STATE_SENT`.
pub(crate) fn short(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn a_word_is_taken_as_the_api_spells_it_too() {
        let taken = |said: &str| {
            let state = Arg::new("state").ignore_case(true).value_parser(one_of(STATES));
            let line = Command::new("list").arg(state).try_get_matches_from(["list", said]);
            line.map(|line| line.get_one::<MessageState>("state").copied())
        };
        for said in ["outcome-unknown", "outcome_unknown", "OUTCOME_UNKNOWN"] {
            assert_eq!(taken(said).expect(said), Some(MessageState::OutcomeUnknown));
        }
        let told = taken("unknown").expect_err("no word").to_string();
        assert!(told.contains("outcome-unknown") && !told.contains("outcome_unknown"), "{told}");
    }

    #[test]
    fn every_state_has_its_word() {
        for (word, state) in STATES {
            let name = short(state.as_str_name(), "MESSAGE_STATE_");
            assert_eq!(*word, name.to_ascii_lowercase().replace('_', "-"));
        }
        assert_eq!(
            STATES.len() + 1,
            (0..100).filter(|number| MessageState::try_from(*number).is_ok()).count()
        );
    }
}
