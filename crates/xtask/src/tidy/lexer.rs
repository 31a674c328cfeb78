//! Tells code, strings and comments of a Rust file apart, so that a rule for one does not stumble over another.
//!
//! It knows what Rust's own lexer knows of the borders: nested block comments, raw strings, and a quote that begins a
//! lifetime rather than a character. It does not know what the code means.

/// What a byte of a Rust file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    /// The inside and the quotes of a string or character literal.
    Text,
    Comment,
    Documentation,
}

/// One kind for each byte of the text.
pub(crate) fn kinds(text: &str) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (kind, length) = next(rest, kinds.last().copied(), text.get(..kinds.len()).unwrap_or_default());
        kinds.extend(std::iter::repeat_n(kind, length));
        rest = rest.get(length..).unwrap_or_default();
    }
    kinds
}

/// The kind and length of what `rest` begins with; `before` is what came earlier.
fn next(rest: &str, last: Option<Kind>, before: &str) -> (Kind, usize) {
    if rest.starts_with("//") {
        let length = rest.find('\n').unwrap_or(rest.len());
        let documents = rest.starts_with("//!") || (rest.starts_with("///") && !rest.starts_with("////"));
        return (if documents { Kind::Documentation } else { Kind::Comment }, length);
    }
    if rest.starts_with("/*") {
        let documents = rest.starts_with("/**") || rest.starts_with("/*!");
        return (if documents { Kind::Documentation } else { Kind::Comment }, block_comment(rest));
    }
    if rest.starts_with('"') {
        return (Kind::Text, quoted(rest, '"'));
    }
    if rest.starts_with('\'') {
        return character(rest).map_or((Kind::Code, 1), |length| (Kind::Text, length));
    }
    let in_word = last == Some(Kind::Code) && before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if !in_word && let Some(length) = raw_string(rest) {
        return (Kind::Text, length);
    }
    (Kind::Code, rest.chars().next().map_or(1, char::len_utf8))
}

fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(rest.len())
}

/// The length of a literal up to and with its closing quote; a backslash hides the next character.
fn quoted(rest: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if hidden => hidden = false,
            '\\' => hidden = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; none where the quote begins a lifetime or a label.
fn character(rest: &str) -> Option<usize> {
    let mut after = rest.chars().skip(1);
    let first = after.next()?;
    (first == '\\' || after.next() == Some('\'')).then(|| quoted(rest, '\''))
}

/// `r"…"`, `br#"…"#`, `cr"…"`.
fn raw_string(rest: &str) -> Option<usize> {
    let inside = ["r", "br", "cr"]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix).filter(|inside| inside.starts_with(['"', '#'])))?;
    let marks = inside.len() - inside.trim_start_matches('#').len();
    let inside = inside.get(marks..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(marks));
    let begin = rest.len() - inside.len();
    Some(inside.find(&end).map_or(rest.len(), |at| begin + at + end.len()))
}

/// For each line of `code` (blanked of all else), whether it lies in an inline `#[cfg(test)] mod name { … }`.
pub(crate) fn test_lines(code: &str) -> Vec<bool> {
    const MARK: &str = "#[cfg(test)]";
    let mut lines = vec![false; code.lines().count()];
    for (at, _) in code.match_indices(MARK) {
        let Some(item) = code.get(at + MARK.len()..) else { continue };
        let Some(length) = inline_module(item) else { continue };
        let line_of = |byte: usize| code.get(..byte).unwrap_or_default().matches('\n').count();
        let (first, last) = (line_of(at), line_of(at + MARK.len() + length));
        lines.iter_mut().take(last + 1).skip(first).for_each(|line| *line = true);
    }
    lines
}

/// The length of an inline module that `item` begins with, after more attributes and a visibility.
fn inline_module(item: &str) -> Option<usize> {
    let mut rest = item.trim_start();
    while rest.starts_with("#[") {
        rest = rest.get(rest.find(']')? + 1..)?.trim_start();
    }
    let head = rest.get(..rest.find(['{', ';'])?)?;
    if !head.split_whitespace().any(|word| word == "mod") {
        return None;
    }
    let open = item.len() - rest.len() + head.len();
    let mut depth = 0_usize;
    for (at, character) in item.get(open..)?.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (character == '}').then_some(open + at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Kind, kinds, test_lines};

    fn code(text: &str) -> String {
        let kept = text.chars().zip(kinds(text));
        kept.map(|(character, kind)| if kind == Kind::Code { character } else { '_' }).collect()
    }

    #[test]
    fn strings_and_comments_are_no_code() {
        assert_eq!(code(r#"a("//", b"\"") // c"#), "a(____, b____) ____");
        assert_eq!(code("x /* a /* b */ c */ y"), "x _________________ y");
        assert_eq!(code("r#\"a\"b\"# + r"), "________ + r");
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(code("fn f<'a>(c: &'a str) { '\"'; '\\''; }"), "fn f<'a>(c: &'a str) { ___; ____; }");
    }

    #[test]
    fn an_inline_test_module_is_told_from_the_product() {
        let lines = test_lines("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        assert_eq!(lines, [false, true, true, true, true, false]);
        assert_eq!(test_lines("#[cfg(test)]\nmod tests;\n"), [false, false]);
    }
}
