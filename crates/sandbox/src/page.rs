//! The inbox page's HTML: the list, one mail, and "not found". The templates are in `pages/`.

use jiff::Timestamp;
use mail_parser::{Address, Message, MessageParser, MimeHeaders};

use crate::attachment;
use crate::delivery::State;
use crate::html::Markup;
use crate::limits;
use crate::message::{Mail, Stored};

const FRAME: &str = include_str!("pages/frame.html");
const INBOX: &str = include_str!("pages/inbox.html");
const ROW: &str = include_str!("pages/row.html");
const EMPTY: &str = include_str!("pages/empty.html");
const MAIL: &str = include_str!("pages/mail.html");
const NOT_FOUND: &str = include_str!("pages/not_found.html");
const REFRESH: &str = "<meta http-equiv=\"refresh\" content=\"5\">";
const LINK: &str = "<a href=\"{{path}}\">{{name}}</a>";
const HERE: &str = "<a href=\"{{path}}\" aria-current=\"page\">{{name}}</a>";
const FIELD: &str = "<dt>{{name}}</dt><dd>{{value}}</dd>";
const TEXT: &str = "<section class=\"body\"><pre>{{text}}</pre></section>";
const HTML: &str = "<section class=\"body\"><iframe title=\"The mail's HTML\" sandbox srcdoc=\"{{html}}\"></iframe></section>";
const HEADING: &str = "<h2>{{text}}</h2>";
const FILE: &str = "<li><a href=\"/messages/{{number}}/attachments/{{index}}\">{{name}}</a> <span class=\"quiet\">{{size}}</span></li>";
const FILES: &str = "<h2>Attachments</h2><ul class=\"files\">{{files}}</ul>";
/// Stands before a mail's own HTML in its frame: no scripts, no network, whatever the mail says.
const HTML_POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" \
    content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"><base target=\"_blank\">";

/// The page that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page<'a> {
    Inbox,
    Directories,
    Scenarios,
    Limits,
    /// Below the inbox, by its title.
    Below(&'a str),
}

impl Page<'_> {
    fn title(self) -> String {
        match self {
            Page::Inbox => "Inbox".to_owned(),
            Page::Directories => "Directories".to_owned(),
            Page::Scenarios => "Scenarios".to_owned(),
            Page::Limits => "Limits".to_owned(),
            Page::Below(title) => title.to_owned(),
        }
    }
}

pub(crate) fn inbox(newest: &[Stored], total: usize, now: Timestamp) -> Markup {
    let content = if newest.is_empty() {
        Markup::fill(EMPTY, &[])
    } else {
        let count = match total {
            1 => "1 mail".to_owned(),
            _ if total > newest.len() => format!("{total} mails, the newest {} here", limits::INBOX_ROWS_MAX),
            _ => format!("{total} mails"),
        };
        let rows = Markup::join(newest.iter().map(|stored| row(stored, now)));
        Markup::fill(INBOX, &[("count", Markup::text(&count)), ("rows", rows)])
    };
    frame(Page::Inbox, content)
}

fn row(stored: &Stored, now: Timestamp) -> Markup {
    let mail = &stored.mail;
    Markup::fill(
        ROW,
        &[
            ("number", Markup::text(&stored.number.to_string())),
            ("subject", subject(mail)),
            ("mailbox", Markup::text(&mail.mailbox)),
            ("recipients", Markup::text(&shortened(&mail.recipients))),
            ("copies", copies(stored)),
            ("time", time(mail)),
            ("fate", fate(mail, now)),
        ],
    )
}

pub(crate) fn mail(stored: &Stored, now: Timestamp) -> Markup {
    let mail = &stored.mail;
    let message = MessageParser::default().parse(&mail.raw).unwrap_or_default();
    let values = [
        ("number", Markup::text(&stored.number.to_string())),
        ("subject", subject(mail)),
        ("copies", copies(stored)),
        ("fields", fields(mail, &message, now)),
        ("body", body(&message)),
        ("files", files(stored.number, &message)),
    ];
    let title = if mail.subject.is_empty() { "(no subject)" } else { &mail.subject };
    frame(Page::Below(title), Markup::fill(MAIL, &values))
}

pub(crate) fn not_found() -> Markup {
    frame(Page::Below("Not found"), Markup::fill(NOT_FOUND, &[]))
}

/// A whole page, with the way to the others. All but a single mail refresh themselves.
pub(crate) fn frame(page: Page<'_>, content: Markup) -> Markup {
    let links = [
        (Page::Inbox, "/"),
        (Page::Directories, "/directories"),
        (Page::Scenarios, "/scenarios"),
        (Page::Limits, "/limits"),
    ];
    let nav = Markup::join(links.into_iter().map(|(other, path)| {
        let template = if other == page { HERE } else { LINK };
        Markup::fill(template, &[("path", Markup::text(path)), ("name", Markup::text(&other.title()))])
    }));
    let refresh = if matches!(page, Page::Below(_)) { "" } else { REFRESH };
    let values = [
        ("title", Markup::text(&page.title())),
        ("head", Markup::fill(refresh, &[])),
        ("nav", nav),
        ("content", content),
    ];
    Markup::fill(FRAME, &values)
}

/// Says aloud what is not plainly delivered.
fn fate(mail: &Mail, now: Timestamp) -> Markup {
    let template = match mail.delivery.overall(now) {
        State::Delivered => return Markup::default(),
        State::Pending => "<span class=\"quiet\">on its way</span>",
        State::Failed => "<span class=\"copies\">bounced</span>",
    };
    Markup::fill(template, &[])
}

fn told(mail: &Mail, now: Timestamp) -> String {
    let time = mail.delivery.time.strftime("%Y-%m-%d %H:%M:%S UTC");
    match (mail.delivery.overall(now), &mail.delivery.bounce) {
        (State::Failed, Some(bounce)) => {
            format!(
                "bounced {time} for {}: 550 {} {}",
                bounce.recipients.join(", "),
                bounce.status,
                bounce.text
            )
        }
        (State::Pending, _) => format!("on its way until {time}"),
        _ => format!("delivered {time}"),
    }
}

fn fields(mail: &Mail, message: &Message<'_>, now: Timestamp) -> Markup {
    let rows = [
        ("From", addresses(message.from())),
        ("To", addresses(message.to())),
        ("Cc", addresses(message.cc())),
        ("Bcc", addresses(message.bcc())),
        ("Reply to", addresses(message.reply_to())),
        ("Date", message.date().map(mail_parser::DateTime::to_rfc822).unwrap_or_default()),
        ("Sent by mailbox", mail.mailbox.clone()),
        ("Accepted", mail.time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ("Delivery", told(mail, now)),
        ("Message-ID", mail.internet_message_id.clone()),
    ];
    let field = |(name, value): (&str, String)| {
        Markup::fill(FIELD, &[("name", Markup::text(name)), ("value", Markup::text(&value))])
    };
    Markup::join(rows.into_iter().filter(|(_, value)| !value.is_empty()).map(field))
}

fn addresses(address: Option<&Address<'_>>) -> String {
    let one = |addr: &mail_parser::Addr<'_>| match (addr.name(), addr.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (None, Some(word)) | (Some(word), None) => word.to_owned(),
        (None, None) => String::new(),
    };
    address.into_iter().flat_map(Address::iter).map(one).collect::<Vec<_>>().join(", ")
}

/// The HTML and the text, where the mail itself has both.
fn body(message: &Message<'_>) -> Markup {
    let html = message.html_part(0).filter(|part| part.is_text_html()).and_then(|_| message.body_html(0));
    let text = message.text_part(0).filter(|part| !part.is_text_html()).and_then(|_| message.body_text(0));
    let shown_html = html.map(|html| {
        let html = format!("{HTML_POLICY}{}", attachment::inline_images(&html, message));
        Markup::fill(HTML, &[("html", Markup::text(&html))])
    });
    let heading = shown_html.is_some() && text.is_some();
    let heading =
        if heading { Markup::fill(HEADING, &[("text", Markup::text("As text"))]) } else { Markup::default() };
    let shown_text = text.map(|text| Markup::fill(TEXT, &[("text", Markup::text(&text))]));
    Markup::join([shown_html.unwrap_or_default(), heading, shown_text.unwrap_or_default()])
}

fn files(number: u64, message: &Message<'_>) -> Markup {
    let file = |(index, part): (usize, &mail_parser::MessagePart<'_>)| {
        let kind = part.content_type().map(content_type).unwrap_or_default();
        let size = format!("{} bytes {kind}", part.contents().len());
        let values = [
            ("number", Markup::text(&number.to_string())),
            ("index", Markup::text(&index.to_string())),
            ("name", Markup::text(&attachment::name(part, index))),
            ("size", Markup::text(&size)),
        ];
        Markup::fill(FILE, &values)
    };
    let files: Vec<Markup> = message.attachments().enumerate().map(file).collect();
    if files.is_empty() { Markup::default() } else { Markup::fill(FILES, &[("files", Markup::join(files))]) }
}

fn content_type(kind: &mail_parser::ContentType<'_>) -> String {
    kind.subtype().map_or_else(|| kind.ctype().to_owned(), |subtype| format!("{}/{subtype}", kind.ctype()))
}

fn subject(mail: &Mail) -> Markup {
    Markup::text(if mail.subject.trim().is_empty() { "(no subject)" } else { &mail.subject })
}

/// Says aloud what should not be: the same mail more than once.
fn copies(stored: &Stored) -> Markup {
    if stored.copies < 2 {
        return Markup::default();
    }
    Markup::fill(
        "<span class=\"copies\">{{n}} copies</span>",
        &[("n", Markup::text(&stored.copies.to_string()))],
    )
}

fn time(mail: &Mail) -> Markup {
    Markup::text(&mail.time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn shortened(recipients: &[String]) -> String {
    let shown = recipients.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    if recipients.len() > 3 { format!("{shown} and {} more", recipients.len() - 3) } else { shown }
}
