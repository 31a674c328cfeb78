//! sendMail: one call, one request on the wire, one verdict.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use postrider_domain::{AccessToken, Cloud, EmailAddress, Outcome, PayloadForm, Verdict};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::answer::Answer;
use crate::classify::{Call, classify, classify_no_answer};
use crate::payload::Payload;
use crate::{Microsoft, http as wire, roles};

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
    /// For the whole call, connecting included.
    pub timeout: Duration,
}

impl Microsoft {
    /// Hands one message to Graph. A payload over Graph's limit is refused here, before anything is sent.
    pub async fn send_mail(&self, call: SendMail<'_>) -> Verdict {
        if let Some(finding) = call.payload.too_large() {
            return Verdict::of(Outcome::Rejected, finding);
        }
        let known =
            Call { from_given: call.payload.from_given, form: call.payload.form(), roles: roles(call.token) };
        let content_type = match call.payload.form() {
            PayloadForm::Mime => "text/plain",
            PayloadForm::Json => "application/json",
        };
        let request = self
            .http
            .post(self.hosts.send_mail(call.cloud, call.mailbox))
            // Marks the header as sensitive, so that no log of the stack below shows it.
            .bearer_auth(call.token.secret.expose_secret())
            .header(CONTENT_TYPE, content_type)
            .header("client-request-id", call.client_request_id.to_string())
            .header("return-client-request-id", "true")
            .timeout(call.timeout)
            .body(call.payload.body);
        let verdict = match wire::send(request).await {
            Ok(response) => classify(&self.answer(response).await, &known),
            Err(no_answer) => classify_no_answer(&no_answer, &known),
        };
        with_client_request_id(verdict, call.client_request_id)
    }

    async fn answer(&self, response: reqwest::Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A 202 is whole with its head: nothing that follows can take it back.
        let body = if status == 202 { Vec::new() } else { wire::body(response).await };
        Answer::read(status, &headers, &body, self.clock.now())
    }
}

/// Also where Graph did not give it back.
fn with_client_request_id(mut verdict: Verdict, id: Uuid) -> Verdict {
    if let Some(finding) = &mut verdict.finding {
        finding.evidence.insert("client_request_id".to_owned(), id.to_string());
    }
    verdict
}
