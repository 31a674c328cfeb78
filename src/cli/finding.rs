//! A finding as a person reads it: what it is, what happened, what to do, and what it was seen by.

use postrider_proto::v1::{Finding, FindingClass};

use super::screen::{Colour, Screen, add, indented, plain};

/// Its lines, each after `indent`.
pub(crate) fn text(finding: &Finding, indent: &str, screen: &Screen) -> String {
    let mut text = heading(finding, indent, screen);
    let deeper = format!("{indent}  ");
    text += &indented(&deeper, first_paragraph(&finding.explanation));
    if !finding.mend.is_empty() {
        add(&mut text, format_args!("{indent}{}\n", screen.paint(Colour::Bold, "What to do")));
        text += &indented(&deeper, &finding.mend);
    }
    if !finding.evidence.is_empty() {
        add(&mut text, format_args!("{indent}{}\n", screen.paint(Colour::Bold, "Seen by")));
        for (name, value) in &finding.evidence {
            add(&mut text, format_args!("{deeper}{}: {}\n", plain(name), plain(value)));
        }
    }
    text
}

/// What it advises, and where there is more: where nothing is wrong, it must not bury what else is told.
pub(crate) fn short(finding: &Finding, indent: &str, screen: &Screen) -> String {
    let mut text = heading(finding, indent, screen);
    let deeper = format!("{indent}  ");
    text += &indented(&deeper, first_paragraph(&finding.mend));
    let more = format!("More: postrider findings {}", plain(&finding.code));
    text + &indented(&deeper, &more)
}

fn heading(finding: &Finding, indent: &str, screen: &Screen) -> String {
    let colour = if finding.class() == FindingClass::Advice { Colour::Yellow } else { Colour::Red };
    let code = screen.paint(colour, &plain(&finding.code));
    format!("{indent}{code}: {}\n", plain(&finding.title))
}

/// Code and title alone.
pub(crate) fn line(finding: &Finding) -> String {
    format!("{}: {}", plain(&finding.code), plain(&finding.title))
}

fn first_paragraph(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_tells_the_mend_and_the_evidence() {
        let finding = Finding {
            code: "SECRET_IS_ID".to_owned(),
            class: FindingClass::Settings.into(),
            title: "The secret's ID was entered in place of its Value".to_owned(),
            explanation: "It has the form of an ID.\n\nThe panel shows two columns.".to_owned(),
            mend: "Enter the Value.\n\n1. Open the panel.".to_owned(),
            evidence: [("status".to_owned(), "401".to_owned())].into(),
            docs_url: String::new(),
        };
        insta::assert_snapshot!(short(&finding, "", &Screen::piped()), @r"
        SECRET_IS_ID: The secret's ID was entered in place of its Value
          Enter the Value.
          More: postrider findings SECRET_IS_ID
        ");
        insta::assert_snapshot!(text(&finding, "  ", &Screen::piped()), @r"
          SECRET_IS_ID: The secret's ID was entered in place of its Value
            It has the form of an ID.
          What to do
            Enter the Value.

            1. Open the panel.
          Seen by
            status: 401
        ");
    }
}
