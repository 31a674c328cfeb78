//! What a command prints: text for people, or protobuf's JSON for programs.
//!
//! Rules
//! - Colours and table lines only on a terminal; `NO_COLOR` is respected. Piped, a table is a heading and one line an
//!   entry, with tabs between the cells.
//! - What the service says is printed without its control characters, so that no subject can command a terminal.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};

use anyhow::Context;
use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets;
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::environment::Environment;
use super::failure::Failure;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// Protobuf's JSON of the response.
    Json,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Bold,
    Green,
    Yellow,
    Red,
    Faint,
}

/// Standard output, as the user wants it.
#[derive(Debug)]
pub(crate) struct Screen {
    output: Output,
    terminal: bool,
    /// And all else that takes escape sequences.
    colours: bool,
}

impl Screen {
    pub(crate) fn new(output: Output, environment: &Environment) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { output, terminal, colours: terminal && !environment.refuses_colours() }
    }

    pub(crate) fn output(&self) -> Output {
        self.output
    }

    /// Prints a response: its JSON, or the text that is made of it.
    pub(crate) fn answer<M: prost::Message>(
        &self,
        name: &str,
        response: &M,
        text: impl FnOnce(&M, &Self) -> String,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Text => say(&text(response, self)),
            Output::Json => say(&json(name, response)?),
        }
    }

    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Bold => 1,
            Colour::Faint => 2,
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// What is under way, on a terminal, until something else is said in its place: see [`Screen::in_its_place`].
    pub(crate) fn meanwhile(&self, text: &str) -> Result<(), Failure> {
        if self.colours {
            let mut stdout = io::stdout().lock();
            write!(stdout, "{text}")?;
            stdout.flush()?;
        }
        Ok(())
    }

    /// The text that takes the place of what was under way.
    pub(crate) fn in_its_place(&self, text: &str) -> String {
        if self.colours { format!("\r\u{1b}[K{text}") } else { text.to_owned() }
    }

    /// One line of what comes bit by bit, and so has no columns.
    pub(crate) fn row(&self, cells: &[String]) -> String {
        cells.join(if self.terminal { "  " } else { "\t" })
    }

    pub(crate) fn table(&self, heading: &[&str], rows: &[Vec<String>]) -> String {
        if !self.terminal {
            let lines = rows.iter().map(|row| row.join("\t"));
            return std::iter::once(heading.join("\t")).chain(lines).collect::<Vec<_>>().join("\n");
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(heading).add_rows(rows);
        table.trim_fmt()
    }
}

/// Prints what a command answers; nothing where there is nothing to say.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let text = text.trim_end_matches('\n');
    if text.is_empty() { Ok(()) } else { Ok(print(text)?) }
}

/// Prints a text as a whole, with an end of line, so that a reader has it at once.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Puts more to a text.
pub(crate) fn add(text: &mut String, more: fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(more);
}

/// One line of the service's, without control characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Several lines of the service's, each after `indent`.
pub(crate) fn indented(indent: &str, lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines() {
        let indent = if line.is_empty() { "" } else { indent };
        add(&mut text, format_args!("{indent}{}\n", plain(line)));
    }
    text
}

/// Names and values, the values in one column. A pair without a value is left out.
pub(crate) fn listed(pairs: &[(&str, String)]) -> String {
    let shown = || pairs.iter().filter(|(_, value)| !value.is_empty());
    let width = shown().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in shown() {
        add(&mut text, format_args!("{name:width$}  {value}\n"));
    }
    text
}

/// Protobuf's JSON of a message, by its full name.
pub(crate) fn json<M: prost::Message>(name: &str, message: &M) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&dynamic(name, message)?)?)
}

/// The same in one line, for one of many.
pub(crate) fn line<M: prost::Message>(name: &str, message: &M) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&dynamic(name, message)?)?)
}

fn dynamic<M: prost::Message>(name: &str, message: &M) -> anyhow::Result<DynamicMessage> {
    let pool =
        DescriptorPool::decode(postrider_proto::FILE_DESCRIPTOR_SET).context("the API's descriptor set")?;
    let descriptor =
        pool.get_message_by_name(name).with_context(|| format!("the API has no message {name}"))?;
    Ok(DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?)
}

#[cfg(test)]
impl Screen {
    /// What a pipe gets.
    pub(crate) fn piped() -> Self {
        Self { output: Output::Text, terminal: false, colours: false }
    }
}

#[cfg(test)]
mod tests {
    use postrider_proto::v1;

    use super::*;

    #[test]
    fn json_is_that_of_protobuf() {
        let message = v1::Message {
            message_id: "m1".to_owned(),
            state: v1::MessageState::Sent.into(),
            ..Default::default()
        };
        let response = v1::SendMailResponse { message: Some(message), replayed: true };
        let json: serde_json::Value =
            serde_json::from_str(&json("postrider.v1.SendMailResponse", &response).expect("JSON"))
                .expect("JSON");
        let expected = serde_json::json!({"message": {"messageId": "m1", "state": "MESSAGE_STATE_SENT"}, "replayed": true});
        assert_eq!(json, expected);
    }

    #[test]
    fn a_piped_table_has_tabs_and_no_decoration() {
        let table = Screen::piped().table(&["ID", "STATE"], &[vec!["m1".to_owned(), "SENT".to_owned()]]);
        assert_eq!(table, "ID\tSTATE\nm1\tSENT");
    }

    #[test]
    fn no_escape_sequence_of_a_subject_reaches_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\tc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(indented("  ", "a\n\nb\u{7}"), "  a\n\n  b\u{fffd}\n");
    }
}
