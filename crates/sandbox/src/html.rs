//! HTML from templates, in which a value cannot become markup by mistake.
//!
//! A template holds `{{name}}`; it is filled in one pass, so that a value that looks like a placeholder stays text.

use std::fmt::Write;

/// Markup that is safe to show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Text, with everything escaped that HTML could read as its own, in attributes too.
    pub(crate) fn text(text: &str) -> Markup {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                c if c.is_control() && !c.is_whitespace() => escaped.push('\u{fffd}'),
                c => escaped.push(c),
            }
        }
        Markup(escaped)
    }

    pub(crate) fn fill(template: &str, values: &[(&str, Markup)]) -> Markup {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((name, after)) = after.split_once("}}") else { break };
            if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
                filled.push_str(&value.0);
            } else {
                let _ = write!(filled, "<!-- no value for a placeholder -->");
            }
            rest = after;
        }
        filled.push_str(rest);
        Markup(filled)
    }

    pub(crate) fn join(parts: impl IntoIterator<Item = Markup>) -> Markup {
        Markup(parts.into_iter().map(|part| part.0).collect())
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_neither_markup_nor_a_placeholder() {
        let values = [("a", Markup::text("<script>'\"&{{b}}")), ("b", Markup::text("no"))];
        let page = Markup::fill("<p title=\"{{a}}\">", &values).into_string();
        assert_eq!(page, "<p title=\"&lt;script&gt;&#39;&quot;&amp;{{b}}\">");
    }
}
