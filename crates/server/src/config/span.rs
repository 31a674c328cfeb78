//! Spans as an operator writes them: a whole number and a unit.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number and a unit, such as 500ms, 10s, 2m, 1h or 3d")]
pub(super) struct NotASpan;

pub(super) fn parse(text: &str) -> Result<Duration, NotASpan> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| NotASpan)?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(NotASpan),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(NotASpan)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_whole_number_and_a_unit() {
        for (text, seconds) in [("10s", 10), ("2m", 120), ("1h", 3_600), ("3d", 259_200), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        for bad in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 s",
            "10S",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(parse(bad), Err(NotASpan), "{bad:?}");
        }
    }
}
