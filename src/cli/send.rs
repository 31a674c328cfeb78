//! `postrider send`: one email.
//!
//! A call without `--request-id` gets one here, so that asking again after a doubtful answer cannot send twice.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use postrider_proto::v1::send_mail_request::Expiration;
use postrider_proto::v1::{
    Address, Email, InDoubtPolicy, MessageState, Priority, SendMailRequest, SendMailResponse, WaitFor,
};

use prost::Message as _;

use super::client::{Client, DEADLINE};
use super::failure::Failure;
use super::screen::Screen;
use super::{attachment, input, messages, retry, time, value, words};

/// The service answers a call that waits half a second before its deadline at the latest.
const DEADLINE_SENT: Duration = Duration::from_secs(31);

/// A mail is given as much more time as it takes at this rate: 1 Mbit/s.
const SENT_BYTES_PER_SECOND: u64 = 128 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "The answer is waited for one minute, with --wait sent half a minute, and for large mail longer: as long as it takes \
                        at 1 Mbit/s, such as three minutes more for 22 MB."
)]
#[command(group = ArgGroup::new("recipients").args(["to", "cc", "bcc"]).multiple(true).required(true))]
#[command(group = ArgGroup::new("body").args(["text", "text_file", "html", "html_file"]).multiple(true).required(true))]
pub(crate) struct SendArguments {
    /// The reseller from whose mailbox it goes.
    reseller: String,
    /// A recipient, `ann@x.example` or `Ann <ann@x.example>`; may be given more than once, as may --cc and --bcc.
    #[arg(long, value_name = "ADDRESS", value_parser = value::address)]
    to: Vec<Address>,
    /// A recipient of a copy.
    #[arg(long, value_name = "ADDRESS", value_parser = value::address)]
    cc: Vec<Address>,
    /// A recipient of a copy whom the others do not see.
    #[arg(long, value_name = "ADDRESS", value_parser = value::address)]
    bcc: Vec<Address>,
    /// Another sender than the settings' mailbox: one that the settings allow.
    #[arg(long, value_name = "ADDRESS", value_parser = value::address)]
    from: Option<Address>,
    /// Where answers go.
    #[arg(long, value_name = "ADDRESS", value_parser = value::address)]
    reply_to: Vec<Address>,
    #[arg(long, allow_hyphen_values = true)]
    subject: String,
    /// The body as plain text.
    #[arg(long, allow_hyphen_values = true, conflicts_with = "text_file")]
    text: Option<String>,
    /// The body as plain text, from a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// The body as HTML.
    #[arg(long, allow_hyphen_values = true, conflicts_with = "html_file")]
    html: Option<String>,
    /// The body as HTML, from a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    html_file: Option<PathBuf>,
    /// A file that goes with it; may be given more than once.
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// A further header.
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::pair)]
    header: Vec<(String, String)>,
    /// A label to find the message by.
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label: Vec<(String, String)>,
    /// Makes it safe to send again: the same id and content are one message [default: a new one].
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    #[arg(long, ignore_case = true, value_parser = words::one_of(words::PRIORITIES))]
    priority: Option<Priority>,
    /// The earliest time to send it, in RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    send_time: Option<prost_types::Timestamp>,
    /// How long to try before it is given up, such as 1h [default: 3 days].
    #[arg(long, value_name = "SPAN", value_parser = time::span)]
    ttl: Option<prost_types::Duration>,
    /// What to do when nobody knows whether Microsoft took it [default: at-least-once].
    #[arg(long, ignore_case = true, value_parser = words::one_of(words::IN_DOUBT))]
    in_doubt: Option<InDoubtPolicy>,
    /// Check all and store nothing.
    #[arg(long)]
    validate_only: bool,
    /// What to wait for [default: accepted].
    #[arg(long, ignore_case = true, value_parser = words::one_of(words::WAITS))]
    wait: Option<WaitFor>,
}

pub(crate) async fn run(arguments: SendArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let request = arguments.request()?;
    let waits = request.wait_for() == WaitFor::Sent && !request.validate_only;
    let mut mail = client.mail(deadline(waits, request.encoded_len()));
    let (size, waits_for) = (request.encoded_len(), if waits { "sending" } else { "being stored" });
    let mut once = async || client.sent.shown(size, waits_for, mail.send_mail(request.clone())).await;
    let response = retry::patiently(&mut once).await.map_err(|status| {
        if !request.validate_only
            && matches!(status.code(), tonic::Code::Unavailable | tonic::Code::Cancelled)
        {
            eprintln!("to send it again without sending it twice, add --request-id {}", request.request_id);
        }
        client.refused(&status)
    })?;
    screen.answer("postrider.v1.SendMailResponse", &response, text)?;
    let state = response.message.as_ref().map(postrider_proto::v1::Message::state);
    if waits && state != Some(MessageState::Sent) { Err(Failure::Answered) } else { Ok(()) }
}

/// How long the whole call may last.
fn deadline(waits: bool, bytes: usize) -> Duration {
    let answer = if waits { DEADLINE_SENT } else { DEADLINE };
    answer + Duration::from_secs(bytes as u64 / SENT_BYTES_PER_SECOND)
}

impl SendArguments {
    fn request(self) -> Result<SendMailRequest, Failure> {
        let stdin =
            [&self.text_file, &self.html_file].into_iter().flatten().filter(|file| file.as_os_str() == "-");
        if stdin.count() > 1 {
            return Err(Failure::usage("standard input can be one of --text-file and --html-file, not both"));
        }
        let email = Email {
            from: self.from,
            to: self.to,
            cc: self.cc,
            bcc: self.bcc,
            reply_to: self.reply_to,
            subject: self.subject,
            text: body(self.text, self.text_file)?,
            html: body(self.html, self.html_file)?,
            attachments: self.attach.iter().map(|file| attachment::read(file)).collect::<Result<_, _>>()?,
            headers: value::map("--header", self.header)?,
            ..Email::default()
        };
        let made = || if self.validate_only { String::new() } else { uuid::Uuid::new_v4().to_string() };
        Ok(SendMailRequest {
            reseller: self.reseller,
            email: Some(email),
            request_id: self.request_id.unwrap_or_else(made),
            wait_for: self.wait.unwrap_or_default().into(),
            send_time: self.send_time,
            expiration: self.ttl.map(Expiration::Ttl),
            priority: self.priority.unwrap_or_default().into(),
            labels: value::map("--label", self.label)?,
            validate_only: self.validate_only,
            in_doubt: self.in_doubt.unwrap_or_default().into(),
        })
    }
}

fn body(text: Option<String>, file: Option<PathBuf>) -> Result<String, Failure> {
    match (text, file) {
        (Some(text), _) => Ok(text),
        (None, Some(file)) => input::text(&file),
        (None, None) => Ok(String::new()),
    }
}

fn text(response: &SendMailResponse, screen: &Screen) -> String {
    let Some(message) = &response.message else { return String::new() };
    if message.message_id.is_empty() {
        return "It would be accepted. Nothing was stored.".to_owned();
    }
    let known =
        if response.replayed { "An earlier call with this request id sent it already.\n" } else { "" };
    format!("{known}{}", messages::text(message, screen))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: SendArguments,
    }

    fn request(line: &[&str]) -> Result<SendMailRequest, String> {
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        line.arguments.request().map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_call_without_a_request_id_gets_one_of_its_own() {
        let line = ["send", "acme", "--to", "a@x.example", "--subject", "s", "--text", "t"];
        let (one, other) = (request(&line).expect("a request"), request(&line).expect("a request"));
        assert_eq!(one.request_id.len(), 36);
        assert_ne!(one.request_id, other.request_id);
    }

    #[test]
    fn every_flag_finds_its_field() {
        let line = "send acme --to Ann<ann@x.example> --bcc b@x.example --subject s --text t --label team=blue \
                    --header x-a=b --request-id r1 --priority URGENT --ttl 1h --in-doubt at-most-once --wait sent";
        let request = request(&line.split_whitespace().collect::<Vec<_>>()).expect("a request");
        let email = request.email.clone().expect("an email");
        assert_eq!(
            (email.to[0].display_name.as_str(), email.to[0].address.as_str()),
            ("Ann", "ann@x.example")
        );
        assert_eq!(email.headers["x-a"], "b");
        assert_eq!(request.labels["team"], "blue");
        assert_eq!((request.request_id.as_str(), request.priority()), ("r1", Priority::Urgent));
        assert_eq!(
            request.expiration,
            Some(Expiration::Ttl(prost_types::Duration { seconds: 3_600, nanos: 0 }))
        );
        assert_eq!((request.in_doubt(), request.wait_for()), (InDoubtPolicy::AtMostOnce, WaitFor::Sent));
    }

    #[test]
    fn the_reseller_may_follow_any_flag() {
        let line = "send --to a@x.example --subject s --text t --attach Cargo.toml --attach build.rs acme";
        let request = request(&line.split_whitespace().collect::<Vec<_>>()).expect("a request");
        assert_eq!(request.reseller, "acme");
        let names: Vec<_> = request
            .email
            .iter()
            .flat_map(|email| &email.attachments)
            .map(|file| file.file_name.as_str())
            .collect();
        assert_eq!(names, ["Cargo.toml", "build.rs"]);
    }

    #[test]
    fn a_large_mail_has_the_time_that_a_slow_line_takes() {
        let at_4_mbit = |bytes: u64| Duration::from_secs(bytes * 8 / 4_000_000);
        for (waits, least) in [(false, DEADLINE), (true, DEADLINE_SENT)] {
            assert_eq!(deadline(waits, 2_000), least);
            assert!(deadline(waits, 20_000_000) >= least + at_4_mbit(20_000_000));
        }
    }

    #[test]
    fn a_mail_needs_a_recipient_and_a_body() {
        let no_recipient = request(&["send", "acme", "--subject", "s", "--text", "t"]);
        assert!(no_recipient.expect_err("refused").contains("--to"));
        let no_body = request(&["send", "acme", "--to", "a@x.example", "--subject", "s"]);
        assert!(no_body.expect_err("refused").contains("--text"));
    }
}
