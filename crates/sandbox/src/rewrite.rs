//! What Exchange changes in a mail on its way out, where a scenario asks for it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::directory::Mailbox;
use crate::kind::{Call, Kind};
use crate::limits;
use crate::message::Mail;
use crate::raw;
use crate::scripted::Script;

/// The names of x- headers that each mailbox has seen in a JSON message. Exchange maps a header name to a property when
/// JSON first brings it, and drops MIME headers whose names it has not mapped.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    known: Mutex<HashSet<(String, String)>>,
}

impl Headers {
    pub(crate) fn learn(&self, mail: &Mail) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for field in raw::split(&mail.raw).0.into_iter().filter(|field| field.name.starts_with("x-")) {
            if known.len() < limits::HEADER_NAMES_MAX {
                known.insert((mail.mailbox.to_lowercase(), field.name));
            }
        }
    }

    fn knows(&self, mailbox: &str, name: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(mailbox.to_lowercase(), name.to_owned()))
    }
}

pub(crate) fn by_exchange(script: &Script<'_>, mailbox: &Mailbox, mail: Mail) -> Mail {
    let taken = |wanted: Kind| {
        let is = move |kind: Kind| kind == wanted;
        script.shared.scenarios.take(script.scope, Call::SendMail, script.call.now, is).is_some()
    };
    let mail = if taken(Kind::DropUnknownHeaders) { without_unknown_headers(script, mail) } else { mail };
    if taken(Kind::RewriteFrom) { from_primary(mailbox, mail) } else { mail }
}

fn without_unknown_headers(script: &Script<'_>, mail: Mail) -> Mail {
    let (fields, body) = raw::split(&mail.raw);
    let stays = |name: &str| !name.starts_with("x-") || script.shared.headers.knows(&mail.mailbox, name);
    let kept = fields.iter().filter(|field| stays(&field.name)).map(|field| field.lines);
    let joined = raw::join(kept, body);
    Mail { raw: joined.into(), ..mail }
}

fn from_primary(mailbox: &Mailbox, mail: Mail) -> Mail {
    let own = format!("From: <{}>\r\n", mailbox.address);
    let (fields, body) = raw::split(&mail.raw);
    let rewritten =
        fields.iter().map(|field| if field.name == "from" { own.as_bytes() } else { field.lines });
    let joined = raw::join(rewritten, body);
    Mail { raw: joined.into(), ..mail }
}
