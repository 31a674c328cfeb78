//! Who is told of each request: what it was for, what came, how long it took. Neither whose it was nor what was in it.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use postrider_domain::TRACE;
use reqwest::Response;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use crate::Microsoft;
use crate::http::NoAnswer;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    Token,
    Discovery,
    /// The one that sends: after it the mail is on its way, or may be.
    SendMail,
    /// All that is done for a large mail before it is sent.
    Upload,
}

impl Call {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Discovery => "discovery",
            Self::SendMail => "send_mail",
            Self::Upload => "upload",
        }
    }
}

pub trait Observer: Debug + Send + Sync {
    /// `status` is that of HTTP; absent: no answer came. `took` ends with the answer's head.
    fn asked(&self, call: Call, status: Option<u16>, took: Duration);
}

#[derive(Debug)]
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn asked(&self, _: Call, _: Option<u16>, _: Duration) {}
}

impl Microsoft {
    pub(crate) async fn observed(
        &self,
        call: Call,
        request: impl Future<Output = Result<Response, NoAnswer>>,
    ) -> Result<Response, NoAnswer> {
        let began = Instant::now();
        let span = info_span!(
            target: TRACE, "microsoft_request", otel.kind = "client", call = call.as_str(),
            http.response.status_code = Empty
        );
        let answer = request.instrument(span.clone()).await;
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        span.record("http.response.status_code", status);
        self.observer.asked(call, status, began.elapsed());
        answer
    }
}
