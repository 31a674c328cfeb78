//! A file too large for one request: an upload session, piece after piece.
//!
//! The session's URL is itself the right to write, and is treated as a secret: it is shown to nobody, goes only to hosts
//! of Microsoft's, and never together with the access token. A piece whose answer was lost is asked for, not guessed.

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use postrider_domain::{Finding, FindingCode, Outcome, Verdict, limits};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::classify::Step;
use crate::draft::encoded;
use crate::graph::{Came, Session};
use crate::http::NoAnswer;
use crate::payload::Part;

/// Bytes of a piece: below Graph's 4 MB, and a multiple of 320 KiB, which other services of Graph's ask for.
const PIECE_BYTES: usize = 12 * 320 * 1024;
/// Graph's "3 MB", by its larger reading: up to this a file that a session refuses for being small is sent whole.
const SMALL_BYTES: usize = 3 * 1024 * 1024;
/// Times that an upload goes on after a break.
const BREAKS_MAX: u32 = 3;

impl Session<'_> {
    pub(crate) async fn upload(&self, id: &str, file: &Part) -> Result<(), Box<Verdict>> {
        let url = match self.begin(id, file).await {
            Err(verdict) if is_too_small(&verdict) && file.content.len() <= SMALL_BYTES => {
                return self.add_whole(id, file).await;
            }
            begun => begun?,
        };
        let total = file.content.len();
        let (mut next, mut breaks) = (0, 0);
        while next < total {
            let end = (next + PIECE_BYTES).min(total);
            let came = self.put(&url, &file.content, next, end).await;
            let reached = match &came {
                Ok(Came { status: 201, .. }) if end == total => total,
                Ok(Came { status: 200 | 202, body, .. }) => expected(body).unwrap_or(end),
                _ if is_break(&came) && breaks < BREAKS_MAX => self.stands_at(&url).await?,
                _ => return Err(Box::new(self.verdict(came, Step::Prepare))),
            };
            // What was not sent cannot have arrived, and what is asked for again and again never does.
            breaks += u32::from(reached < end);
            if reached > end || breaks > BREAKS_MAX {
                return Err(Box::new(lost_count(reached, end)));
            }
            next = reached;
        }
        Ok(())
    }

    async fn begin(&self, id: &str, file: &Part) -> Result<SecretString, Box<Verdict>> {
        let item = json!({"AttachmentItem": {
            "attachmentType": "file",
            "name": file.name,
            "contentType": file.content_type,
            "size": file.content.len(),
            "isInline": file.is_inline,
            "contentId": file.content_id,
        }});
        let path = format!("/messages/{}/attachments/createUploadSession", encoded(id));
        let body = Some(("application/json", Bytes::from(item.to_string())));
        let came = self.prepare(Method::POST, &path, body, &[200, 201]).await?;
        let session: Value = serde_json::from_slice(&came.body).unwrap_or_default();
        let url = session.get("uploadUrl").and_then(Value::as_str).unwrap_or_default();
        if self.microsoft.hosts.takes_uploads(self.cloud, url) {
            return Ok(SecretString::from(url));
        }
        let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let finding = Finding::new(FindingCode::MicrosoftRefused)
            .with("reason", "the upload was to go to a host that is not known as Microsoft's")
            .with("upload_host", host.unwrap_or_default());
        Err(Box::new(Verdict::of(Outcome::Deferred, finding)))
    }

    async fn put(
        &self,
        url: &SecretString,
        content: &Bytes,
        from: usize,
        end: usize,
    ) -> Result<Came, NoAnswer> {
        let range = format!("bytes {from}-{}/{}", end - 1, content.len());
        let request = self
            .microsoft
            .http
            .put(url.expose_secret())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_RANGE, range);
        self.ask(Step::Prepare, request, Some(content.slice(from..end)), limits::ANSWER_BYTES_MAX).await
    }

    /// The first byte that is still missing.
    async fn stands_at(&self, url: &SecretString) -> Result<usize, Box<Verdict>> {
        let request = self.microsoft.http.get(url.expose_secret());
        let came = self.ask(Step::Prepare, request, None, limits::ANSWER_BYTES_MAX).await;
        match &came {
            Ok(Came { status: 200, body, .. }) => expected(body),
            _ => None,
        }
        .ok_or_else(|| Box::new(self.verdict(came, Step::Prepare)))
    }
}

fn lost_count(reached: usize, end: usize) -> Verdict {
    let finding = Finding::new(FindingCode::MicrosoftRefused)
        .with("reason", "an upload did not go forward")
        .with("sent_bytes", end)
        .with("next_expected", reached);
    Verdict::of(Outcome::Deferred, finding)
}

/// Nothing is known of what arrived; a 416 says that it was something else than we think.
fn is_break(came: &Result<Came, NoAnswer>) -> bool {
    came.as_ref().map_or(true, |came| matches!(came.status, 416 | 500..=599) && came.status != 503)
}

/// `nextExpectedRanges`: `["2097152"]`, `["2097152-"]` or `["2097152-4194303"]`.
pub(crate) fn expected(body: &[u8]) -> Option<usize> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let range = json.get("nextExpectedRanges")?.as_array()?.first()?.as_str()?;
    range.split('-').next()?.parse().ok()
}

fn is_too_small(verdict: &Verdict) -> bool {
    let code = verdict.finding.as_ref().and_then(|finding| finding.evidence.get("error_code"));
    code.is_some_and(|code| code == "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_missing_is_read_in_each_of_its_forms() {
        for (body, at) in [
            (r#"{"nextExpectedRanges":["0-"]}"#, Some(0)),
            (r#"{"nextExpectedRanges":["2097152"]}"#, Some(2_097_152)),
            (r#"{"nextExpectedRanges":["2097152-4194303"]}"#, Some(2_097_152)),
            (r#"{"nextExpectedRanges":[]}"#, None),
            (r#"{"nextExpectedRanges":["-5"]}"#, None),
            (r#"{"nextExpectedRanges":[5]}"#, None),
            ("", None),
        ] {
            assert_eq!(expected(body.as_bytes()), at, "{body}");
        }
    }
}
