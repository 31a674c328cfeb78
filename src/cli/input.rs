//! What a command reads beside its arguments: files, and standard input where a file is named `-`. A secret that is typed or
//! pasted at a terminal does not show.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::Context;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::failure::Failure;
use super::signals;

/// A file's text, or that of standard input for `-`.
pub(crate) fn text(file: &Path) -> Result<String, Failure> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read as text")?;
        return Ok(text);
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text)
}

/// A file's bytes.
pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(bytes)
}

/// A secret from a file, or from standard input for `-`, without the one end of line that editors leave.
pub(crate) fn secret(file: &Path) -> Result<SecretString, Failure> {
    let is_typed = file == Path::new("-") && io::stdin().is_terminal();
    let hidden = is_typed.then(Hidden::begin).transpose();
    let hidden = hidden.context("the terminal would show the secret: give it by a file")?;
    let mut text = text(file)?;
    drop(hidden);
    trim_end_of_line(&mut text);
    Ok(SecretString::from(text))
}

/// While it is there the terminal shows nothing of what is typed.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let terminal = io::stdin();
        let before = tcgetattr(&terminal)?;
        let shown = before.clone();
        signals::end_with(move || show_again(&shown))?;
        let mut without_echo = before.clone();
        without_echo.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &without_echo)?;
        eprintln!("The secret, then Enter and Ctrl-D (it does not show):");
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        show_again(&self.before);
    }
}

fn show_again(before: &Termios) {
    // There is nothing else to try.
    tcsetattr(io::stdin(), OptionalActions::Now, before).ok();
}

fn trim_end_of_line(text: &mut String) {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_loses_one_end_of_line_and_no_more() {
        let trimmed = |text: &str| {
            let mut text = text.to_owned();
            trim_end_of_line(&mut text);
            text
        };
        assert_eq!(trimmed("secret\n"), "secret");
        assert_eq!(trimmed("secret\r\n"), "secret");
        assert_eq!(trimmed("secret"), "secret");
        assert_eq!(trimmed("secret \n\n"), "secret \n");
    }
}
