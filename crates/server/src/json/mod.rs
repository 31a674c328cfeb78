//! The API as JSON over HTTP, for those who have only curl: three RPCs, with the same keys, handlers and errors as over gRPC.
//!
//! Rules
//! - Who calls, and whether for the path's reseller, is known before the body is read.
//! - Protobuf's JSON both ways; errors in Google's form. What makes them is `status.rs`, as everywhere.

mod codec;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Router, response::IntoResponse as _};
use futures::StreamExt as _;
use http_body::Body as _;
use postrider_domain::Violations;
use postrider_proto::v1;
use postrider_proto::v1::mail_service_server::MailService as _;
use postrider_proto::v1::settings_service_server::SettingsService as _;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use self::codec::Codec;
use crate::access::{Caller, ResellerClaim, Shown, authorise, source};
use crate::app::App;
use crate::door::NoRoom;
use crate::rpc::{Mail, SettingsRpcs};
use crate::status::{CallId, Refusal};
use crate::traces::TRACEPARENT;

const SEND_MAIL: &str = "/postrider.v1.MailService/SendMail";
const GET_MESSAGE: &str = "/postrider.v1.MailService/GetMessage";
const TEST_SETTINGS: &str = "/postrider.v1.SettingsService/TestSettings";
/// What no RPC is served under.
const NOTHING: &str = "";

/// What JSON adds to a request beside the base64 of its files.
const REST_BYTES: usize = 1024 * 1024;

type Reseller = Result<Path<String>, PathRejection>;

#[derive(Clone)]
struct Api {
    app: Arc<App>,
    codec: Codec,
}

/// An error means that the descriptor set that was compiled in does not decode.
pub(crate) fn router(app: Arc<App>) -> Result<Router, prost_reflect::DescriptorError> {
    let api = Api { app, codec: Codec::new()? };
    // What a path may spell in another way: some clients encode all that is not a letter.
    let with_colons = [":", "%3A", "%3a"].into_iter().fold(Router::new(), |router, colon| {
        router.route(&format!("/v1/resellers/{{reseller}}/settings{colon}test"), post(test_settings))
    });
    Ok(with_colons
        .route("/v1/resellers/{reseller}/messages", post(send_mail))
        .route("/v1/resellers/{reseller}/messages/{message_id}", get(get_message))
        .route("/v1/{*rest}", any(nothing))
        .method_not_allowed_fallback(nothing)
        .with_state(api))
}

async fn send_mail(
    State(api): State<Api>,
    reseller: Reseller,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
) -> Response {
    let id = CallId::fresh();
    let answer = async {
        let (caller, reseller) = api.admit(SEND_MAIL, reseller, headers, &extensions).await?;
        let mut request: v1::SendMailRequest = api.read("SendMailRequest", body).await?;
        of_path(&mut request.reseller, reseller)?;
        Ok((request, caller))
    };
    match answer.await {
        Ok((request, caller)) => {
            let answer = Mail(Arc::clone(&api.app)).send_mail(called(request, caller, id)).await;
            api.answer("SendMailResponse", answer)
        }
        Err(refusal) => api.refuse(refusal, id),
    }
}

async fn get_message(
    State(api): State<Api>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let id = CallId::fresh();
    let (reseller, message_id) = match path {
        Ok(Path((reseller, message_id))) => (Ok(Path(reseller)), message_id),
        Err(rejected) => (Err(rejected), String::new()),
    };
    match api.admit(GET_MESSAGE, reseller, headers, &extensions).await {
        Ok((caller, reseller)) => {
            let request = v1::GetMessageRequest { reseller, message_id };
            let answer = Mail(Arc::clone(&api.app)).get_message(called(request, caller, id)).await;
            api.answer("GetMessageResponse", answer)
        }
        Err(refusal) => api.refuse(refusal, id),
    }
}

async fn test_settings(
    State(api): State<Api>,
    reseller: Reseller,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
) -> Response {
    let id = CallId::fresh();
    let answer = async {
        let (caller, reseller) = api.admit(TEST_SETTINGS, reseller, headers, &extensions).await?;
        let mut request: v1::TestSettingsRequest = api.read("TestSettingsRequest", body).await?;
        of_path(&mut request.reseller, reseller)?;
        Ok((request, caller))
    };
    match answer.await {
        Ok((request, caller)) => {
            let answer = SettingsRpcs(Arc::clone(&api.app)).test_settings(called(request, caller, id)).await;
            api.answer("TestSettingsResponse", answer)
        }
        Err(refusal) => api.refuse(refusal, id),
    }
}

/// As over gRPC: what there is not is told to callers alone.
async fn nothing(State(api): State<Api>, mut headers: HeaderMap, extensions: Extensions) -> Response {
    let shown = Shown::take(&mut headers, &extensions);
    let admitted = api.app.access.admit(NOTHING, &shown, source(&extensions)).await;
    api.refuse(admitted.err().unwrap_or(Refusal::Unimplemented), CallId::fresh())
}

impl Api {
    /// The caller, who may make this call for the path's reseller. One that is no text is an empty one.
    async fn admit(
        &self,
        rpc: &str,
        reseller: Reseller,
        mut headers: HeaderMap,
        extensions: &Extensions,
    ) -> Result<(Known, String), Refusal> {
        let shown = Shown::take(&mut headers, extensions);
        let traceparent = headers.remove(TRACEPARENT);
        let caller = self.app.access.admit(rpc, &shown, source(extensions)).await?;
        let Path(reseller) = reseller.unwrap_or_else(|_| Path(String::new()));
        authorise(&caller, rpc, ResellerClaim::One(&reseller))
            .map_err(|_| self.app.access.denied(rpc, &caller))?;
        Ok((Known { caller, traceparent }, reseller))
    }

    async fn read<M: prost::Message + Default>(&self, name: &str, body: Body) -> Result<M, Refusal> {
        let limits = self.app.limits;
        let bytes_max = limits.one_request_bytes() / 3 * 4 + REST_BYTES;
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let room = self.app.budget.take(announced.unwrap_or(bytes_max).min(bytes_max)).await;
        let _room = room.map_err(|NoRoom| Refusal::Overloaded)?;
        match whole(body, bytes_max).await? {
            Some(body) => self.codec.read(name, &body),
            None => Err(Refusal::RequestTooLarge { what: "an email", limit_bytes: limits.message_bytes }),
        }
    }

    fn answer<M: prost::Message>(&self, name: &str, answer: Result<tonic::Response<M>, Status>) -> Response {
        match answer {
            Ok(answer) => self.codec.answer(name, answer.get_ref()).into_response(),
            Err(status) => self.codec.error(&status).into_response(),
        }
    }

    fn refuse(&self, refusal: Refusal, id: CallId) -> Response {
        self.codec.error(&refusal.into_status(id)).into_response()
    }
}

/// The body, if it has no more than so many bytes. Of a larger one as much again is read and thrown away: many clients
/// hear no answer while they still send.
async fn whole(body: Body, bytes_max: usize) -> Result<Option<Vec<u8>>, Refusal> {
    let (mut stream, mut whole, mut thrown_away) = (body.into_data_stream(), Vec::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Refusal::Undecodable { cause: error.to_string() })?;
        if thrown_away == 0 && whole.len() + chunk.len() <= bytes_max {
            whole.extend_from_slice(&chunk);
        } else {
            whole = Vec::new();
            thrown_away += chunk.len();
            if thrown_away > bytes_max {
                break;
            }
        }
    }
    Ok((thrown_away == 0).then_some(whole))
}

fn of_path(named: &mut String, reseller: String) -> Result<(), Violations> {
    if !named.is_empty() && *named != reseller {
        return Err(Violations::one("reseller", "must be empty or the reseller of the path"));
    }
    *named = reseller;
    Ok(())
}

/// Who calls, and in which trace.
struct Known {
    caller: Caller,
    traceparent: Option<HeaderValue>,
}

/// As the layers of gRPC leave it.
fn called<M>(request: M, known: Known, id: CallId) -> Request<M> {
    let Known { caller, traceparent } = known;
    let headers =
        traceparent.map(|value| (HeaderName::from_static(TRACEPARENT), value)).into_iter().collect();
    let mut request = Request::from_parts(MetadataMap::from_headers(headers), Extensions::new(), request);
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(id);
    request
}
