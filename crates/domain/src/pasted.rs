//! What comes along when a value is copied from a page or a mail: blanks, quotes, marks that nobody sees.

/// The value without them. Equal to what was given where nothing came along.
pub(crate) fn unpasted(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_quote(c) || is_unseen(c))
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{ab}' | '\u{bb}' | '\u{2018}'..='\u{201f}' | '\u{2039}' | '\u{203a}')
}

/// Zero-width characters, direction marks, and the byte order mark.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
