//! The same messages read by Python's `email`, a reader that shares nothing with ours.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy as _, ValueTree as _};
use serde_json::{Value, json};

use super::properties::{drafts, runner};
use super::*;

const MESSAGES: usize = 256;

/// One line of base64 in, one line of JSON out, for each message.
fn read_by_python(messages: &[Vec<u8>]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_mail.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test: it is the second reader");
    let mut input = python.stdin.take().expect("its input");
    let lines: String = messages.iter().map(|message| BASE64.encode(message) + "\n").collect();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().expect("its output");
    writing.join().expect("a thread").expect("it reads to the end");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn wanted_by(email: &Email) -> Value {
    let list = |list: &[Address]| -> Value {
        list.iter()
            .map(|one| {
                let name = one.display_name.as_ref().map(HeaderText::as_str).unwrap_or_default();
                json!([name, one.address.as_str()])
            })
            .collect()
    };
    let lines =
        |text: &Option<String>| text.as_ref().map(|text| text.replace("\r\n", "\n").replace('\r', "\n"));
    let mut files: Vec<Value> = email
        .attachments
        .iter()
        .map(|file| {
            let id = file.content_id.as_ref().map(|id| format!("<{}>", id.as_str()));
            json!([file.file_name.as_str(), id, BASE64.encode(&file.content)])
        })
        .collect();
    files.sort_by_key(ToString::to_string);
    json!({
        "subject": email.subject.as_str(),
        "message_id": ID,
        "to": list(&email.to),
        "cc": list(&email.cc),
        "bcc": list(&email.bcc),
        "reply_to": list(&email.reply_to),
        "text": lines(&email.text),
        "html": lines(&email.html),
        "files": files,
        "defects": [],
    })
}

#[test]
fn python_reads_what_was_put_in() {
    let mut runner = runner();
    let (mut emails, mut messages) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        let draft = drafts().new_tree(&mut runner).expect("an email").current();
        let (email, message) = mime(draft);
        emails.push(email);
        messages.push(message);
    }
    let read = read_by_python(&messages);
    assert_eq!(read.len(), emails.len());
    for ((email, read), message) in emails.iter().zip(&read).zip(&messages) {
        let wanted = wanted_by(email);
        for (name, wanted) in wanted.as_object().expect("an object") {
            assert_eq!(&read[name], wanted, "{name} of {}", String::from_utf8_lossy(message));
        }
    }
}
