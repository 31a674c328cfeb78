//! Where a reader stands: opaque to it, and read back with suspicion.
//!
//! ```text
//! one reseller:   r1 <number of the event> [message within it]
//! all resellers:  a1 <order> <reseller> <number> [message within it]
//! ```
//! Before it, once the database was restored: `e <epoch>`.
//!
//! A message within an event: those of a lane that was stopped or freed are told one by one, after that event.

use data_encoding::BASE64URL_NOPAD;
use postrider_domain::MessageId;
use postrider_store::{Event, Position};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Of one reseller: after the event of this number.
    OfOne {
        number: i64,
        within: Option<MessageId>,
    },
    OfAll {
        position: Position,
        within: Option<MessageId>,
    },
}

impl Cursor {
    /// With the epoch in which it was given, if there was one.
    pub(crate) fn parse(text: &str) -> Option<(Option<String>, Self)> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let decoded = String::from_utf8(bytes).ok()?;
        let words: Vec<_> = decoded.split(' ').collect();
        match words.as_slice() {
            ["e", epoch, place @ ..] => Some((Some((*epoch).to_owned()), Self::of_words(place)?)),
            place => Some((None, Self::of_words(place)?)),
        }
    }

    fn of_words(words: &[&str]) -> Option<Self> {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        match words {
            ["r1", event, rest @ ..] => {
                Some(Self::OfOne { number: number(event)?, within: within(rest).ok()? })
            }
            ["a1", order, reseller, event, rest @ ..] => Some(Self::OfAll {
                position: Position {
                    order: number(order)?,
                    reseller: (*reseller).to_owned(),
                    number: number(event)?,
                },
                within: within(rest).ok()?,
            }),
            _ => None,
        }
    }

    pub(crate) fn to_text(&self, epoch: Option<&str>) -> String {
        let epoch = epoch.map(|epoch| format!("e {epoch} ")).unwrap_or_default();
        let (place, within) = match self {
            Self::OfOne { number, within } => (format!("r1 {number}"), within),
            Self::OfAll { position: Position { order, reseller, number }, within } => {
                (format!("a1 {order} {reseller} {number}"), within)
            }
        };
        let within = within.map(|id| format!(" {id}")).unwrap_or_default();
        BASE64URL_NOPAD.encode(format!("{epoch}{place}{within}").as_bytes())
    }

    /// Once the event and all that belongs to it were told.
    pub(crate) fn after(&self, event: &Event) -> Self {
        match self {
            Self::OfOne { .. } => Self::OfOne { number: event.number, within: None },
            Self::OfAll { .. } => Self::OfAll { position: event.position(), within: None },
        }
    }

    /// Within the next event, once this message was told.
    pub(crate) fn at(&self, id: MessageId) -> Self {
        let mut at = self.clone();
        match &mut at {
            Self::OfOne { within, .. } | Self::OfAll { within, .. } => *within = Some(id),
        }
        at
    }

    pub(crate) fn within(&self) -> Option<MessageId> {
        match self {
            Self::OfOne { within, .. } | Self::OfAll { within, .. } => *within,
        }
    }
}

struct NotAMessageId;

fn within(words: &[&str]) -> Result<Option<MessageId>, NotAMessageId> {
    match words {
        [] => Ok(None),
        [id] => MessageId::parse(id).map(Some).ok_or(NotAMessageId),
        _ => Err(NotAMessageId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_given() {
        let position = Position { order: 7, reseller: "acme".to_owned(), number: 3 };
        let id = MessageId::of_uuid(uuid::Uuid::from_u128(1));
        for cursor in [
            Cursor::OfOne { number: 0, within: None },
            Cursor::OfOne { number: 12, within: Some(id) },
            Cursor::OfAll { position: position.clone(), within: None },
            Cursor::OfAll { position, within: Some(id) },
        ] {
            for epoch in [None, Some("4f1d".to_owned())] {
                assert_eq!(Cursor::parse(&cursor.to_text(epoch.as_deref())), Some((epoch, cursor.clone())));
            }
        }
    }

    #[test]
    fn what_is_no_cursor_is_not_read_as_one() {
        let coded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        for text in
            ["r1", "r1 -1", "r1 x", "r1 1 2", "a1 1", "a1 1 acme", "b1 1", "r1 1 ", "", "e 4f1d", "e r1 1"]
        {
            assert_eq!(Cursor::parse(&coded(text)), None, "{text:?}");
        }
        assert_eq!(Cursor::parse("not base64!"), None);
    }
}
