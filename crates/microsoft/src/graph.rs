//! Handing a message to Graph: sendMail in one request, or by way of a draft (`draft.rs`). One verdict either way.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method};
use postrider_domain::{AccessToken, Cloud, EmailAddress, Outcome, PayloadForm, Verdict, limits};
use reqwest::RequestBuilder;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::answer::Answer;
use crate::classify::{Call, Step, classify, classify_no_answer};
use crate::draft::encoded;
use crate::http::NoAnswer;
use crate::left_draft::LeftDraft;
use crate::payload::{Payload, Shape};
use crate::{Microsoft, http as wire, observer, roles};

/// One message on its way to Graph. `Debug` shows neither token nor content.
#[derive(Debug)]
pub struct SendMail<'a> {
    pub cloud: Cloud,
    /// Always the settings' mailbox: it names the path.
    pub mailbox: &'a EmailAddress,
    pub token: &'a AccessToken,
    pub payload: Payload,
    /// Graph gives it back; Microsoft's support can find the call by it.
    pub client_request_id: Uuid,
    /// For all of it, connecting included.
    pub timeout: Duration,
}

/// What became of a message.
#[derive(Debug)]
pub struct Handed {
    pub verdict: Verdict,
    /// What is still to be put away. Only a mail that takes a draft leaves one.
    pub left: Option<LeftDraft>,
}

impl Microsoft {
    /// Hands one message to Graph. What Graph would refuse for its size is refused here, before anything is sent.
    pub async fn send_mail(&self, call: SendMail<'_>) -> Handed {
        if let Some(finding) = call.payload.too_large() {
            return Handed { verdict: Verdict::of(Outcome::Rejected, finding), left: None };
        }
        let SendMail { cloud, mailbox, token, payload, client_request_id, timeout } = call;
        let (form, from_given) = (payload.form(), payload.from_given);
        let session = Session {
            microsoft: self,
            mailbox: self.hosts.mailbox(cloud, mailbox),
            cloud,
            token,
            client_request_id,
            deadline: Instant::now() + timeout,
            known: Call { from_given, form, roles: roles(token), step: Step::Send },
        };
        let (verdict, left) = match payload.shape {
            Shape::Request(body) => (session.send_request(body).await, None),
            Shape::Draft(draft) => session.send_draft(draft).await,
        };
        let left = left.map(|left| LeftDraft {
            url: session.draft(&left.id),
            token: token.clone(),
            client_request_id,
            wait: left.wait,
        });
        Handed { verdict: with_client_request_id(verdict, client_request_id), left }
    }
}

/// What all calls for one message share.
pub(crate) struct Session<'a> {
    pub microsoft: &'a Microsoft,
    /// The mailbox's URL.
    mailbox: String,
    pub cloud: Cloud,
    token: &'a AccessToken,
    client_request_id: Uuid,
    deadline: Instant,
    known: Call,
}

/// An answer that came, whatever it says.
pub(crate) struct Came {
    pub status: u16,
    headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Session<'_> {
    async fn send_request(&self, body: Bytes) -> Verdict {
        let request = self.request(Method::POST, "/sendMail").header(CONTENT_TYPE, self.content_type());
        let came = self.ask(Step::Send, request, Some(body), limits::ANSWER_BYTES_MAX).await;
        self.verdict(came, Step::Send)
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match self.known.form {
            PayloadForm::Mime => "text/plain",
            PayloadForm::Json => "application/json",
        }
    }

    /// `path` goes on after the mailbox.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.mailbox);
        self.microsoft.graph_request(method, &url, self.token, self.client_request_id)
    }

    /// The URL of a draft.
    fn draft(&self, id: &str) -> String {
        format!("{}/messages/{}", self.mailbox, encoded(id))
    }

    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// One request, within what is left of the time. An empty body is spoken of, as Graph asks for it.
    pub(crate) async fn ask(
        &self,
        step: Step,
        request: RequestBuilder,
        body: Option<Bytes>,
        bytes_max: usize,
    ) -> Result<Came, NoAnswer> {
        let request = request.timeout(self.time_left());
        let answer = async {
            match body {
                Some(body) if body.is_empty() => wire::send(request.header(CONTENT_LENGTH, 0)).await,
                Some(body) => wire::send_body(request, body).await,
                None => wire::send(request).await,
            }
        };
        let call = match step {
            Step::Send => observer::Call::SendMail,
            Step::Prepare => observer::Call::Upload,
        };
        let response = self.microsoft.observed(call, answer).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A 202 is whole with its head: nothing that follows can take it back.
        let body = if status == 202 { Vec::new() } else { wire::body(response, bytes_max).await };
        Ok(Came { status, headers, body })
    }

    /// What an answer, or none, means at this step.
    pub(crate) fn verdict(&self, came: Result<Came, NoAnswer>, step: Step) -> Verdict {
        let call = Call { step, ..self.known.clone() };
        match came {
            Ok(came) => {
                let now = self.microsoft.clock.now();
                classify(&Answer::read(came.status, &came.headers, &came.body, now), &call)
            }
            Err(no_answer) => classify_no_answer(&no_answer, &call),
        }
    }
}

impl Microsoft {
    pub(crate) fn graph_request(
        &self,
        method: Method,
        url: &str,
        token: &AccessToken,
        client_request_id: Uuid,
    ) -> RequestBuilder {
        self.http
            .request(method, url)
            // Marks the header as sensitive, so that no log of the stack below shows it.
            .bearer_auth(token.secret.expose_secret())
            .header("client-request-id", client_request_id.to_string())
            .header("return-client-request-id", "true")
    }
}

/// Also where Graph did not give it back.
fn with_client_request_id(mut verdict: Verdict, id: Uuid) -> Verdict {
    if let Some(finding) = &mut verdict.finding {
        finding.evidence.insert("client_request_id".to_owned(), id.to_string());
    }
    verdict
}
