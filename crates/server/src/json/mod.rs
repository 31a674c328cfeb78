//! The API as JSON over HTTP, for those who have only curl: three RPCs, with the same keys, handlers and errors as over gRPC.
//!
//! Rules
//! - Who calls, and whether for the path's reseller, is known before the body is read.
//! - Protobuf's JSON both ways; errors in Google's form. What makes them is `status.rs`, as everywhere.

mod codec;

use std::future::ready;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Router, response::IntoResponse as _};
use futures::StreamExt as _;
use http_body::Body as _;
use postrider_domain::Violations;
use postrider_proto::v1;
use postrider_proto::v1::mail_service_server::MailService as _;
use postrider_proto::v1::settings_service_server::SettingsService as _;
use tonic::{Request, Status};

pub(crate) use self::codec::Codec;
use crate::access::{Caller, ResellerClaim, Shown, authorise, rpc_name, source};
use crate::app::App;
use crate::begun::Begun;
use crate::door::NoRoom;
use crate::rpc::{Mail, SettingsRpcs};
use crate::status::Refusal;

const SEND_MAIL: &str = "/postrider.v1.MailService/SendMail";
const GET_MESSAGE: &str = "/postrider.v1.MailService/GetMessage";
const TEST_SETTINGS: &str = "/postrider.v1.SettingsService/TestSettings";
/// What no RPC is served under.
const NOTHING: &str = "";

/// What JSON adds to a request beside the base64 of its files.
const REST_BYTES: usize = 1024 * 1024;

/// Of the path. What is no text is as one that is left out.
type Named<T> = Result<Path<T>, PathRejection>;

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

async fn send_mail(State(api): State<Api>, path: Named<String>, http: HttpRequest) -> Response {
    let (reseller, mail) = (named(path), Mail(Arc::clone(&api.app)));
    let request = |body, caller: Caller| {
        api.read(
            SEND_MAIL,
            body,
            caller,
            |request: &mut v1::SendMailRequest| &mut request.reseller,
            &reseller,
        )
    };
    api.call(SEND_MAIL, http, &reseller, request, |request| async move { mail.send_mail(request).await })
        .await
}

async fn get_message(State(api): State<Api>, path: Named<(String, String)>, http: HttpRequest) -> Response {
    let ((reseller, message_id), mail) = (named(path), Mail(Arc::clone(&api.app)));
    let request = |_, _| ready(Ok(v1::GetMessageRequest { reseller: reseller.clone(), message_id }));
    api.call(GET_MESSAGE, http, &reseller, request, |request| async move { mail.get_message(request).await })
        .await
}

async fn test_settings(State(api): State<Api>, path: Named<String>, http: HttpRequest) -> Response {
    let (reseller, settings) = (named(path), SettingsRpcs(Arc::clone(&api.app)));
    let request = |body, caller: Caller| {
        api.read(
            TEST_SETTINGS,
            body,
            caller,
            |request: &mut v1::TestSettingsRequest| &mut request.reseller,
            &reseller,
        )
    };
    api.call(TEST_SETTINGS, http, &reseller, request, |request| async move {
        settings.test_settings(request).await
    })
    .await
}

/// As over gRPC: what there is not is told to callers alone.
async fn nothing(State(api): State<Api>, http: HttpRequest) -> Response {
    let begun = Begun::now(NOTHING, http.extensions());
    let refusal = api.admit(&begun, http.into_parts().0).await.err().unwrap_or(Refusal::Unimplemented);
    api.refuse(&begun, refusal)
}

fn named<T: Default>(path: Named<T>) -> T {
    path.map(|Path(named)| named).unwrap_or_default()
}

impl Api {
    /// Whoever may call `rpc` for the path's reseller is asked for the request, which the handler answers.
    async fn call<Q, A, Requested, Handled>(
        &self,
        rpc: &'static str,
        http: HttpRequest,
        reseller: &str,
        request: impl FnOnce(Body, Caller) -> Requested,
        handler: impl FnOnce(Request<Q>) -> Handled,
    ) -> Response
    where
        A: prost::Message,
        Requested: Future<Output = Result<Q, Refusal>>,
        Handled: Future<Output = Result<tonic::Response<A>, Status>>,
    {
        let begun = Begun::now(rpc, http.extensions());
        let (head, body) = http.into_parts();
        let asked = async {
            let caller = self.admit(&begun, head).await?;
            let claim = ResellerClaim::One(reseller);
            authorise(&caller, rpc, claim)
                .map_err(|_| self.app.access.denied(rpc, &caller, claim.reseller().as_ref()))?;
            Ok(called(request(body, caller.clone()).await?, caller, &begun))
        };
        match asked.await {
            Ok(request) => match handler(request).await {
                Ok(answer) => {
                    self.codec.answer(&format!("{}Response", rpc_name(rpc)), answer.get_ref()).into_response()
                }
                Err(status) => self.codec.error(&status).into_response(),
            },
            Err(refusal) => self.refuse(&begun, refusal),
        }
    }

    /// The caller, who may make this call for some reseller.
    async fn admit(&self, begun: &Begun, mut head: Parts) -> Result<Caller, Refusal> {
        let shown = Shown::take(&mut head.headers, &head.extensions);
        let caller = self.app.access.admit(&begun.path, &shown, source(&head.extensions)).await?;
        begun.let_in(&head.headers);
        Ok(caller)
    }

    /// The request of an RPC, whose reseller is the path's.
    async fn read<M: prost::Message + Default>(
        &self,
        rpc: &str,
        body: Body,
        caller: Caller,
        place: fn(&mut M) -> &mut String,
        reseller: &str,
    ) -> Result<M, Refusal> {
        let limits = self.app.limits;
        let bytes_max = limits.one_request_bytes() / 3 * 4 + REST_BYTES;
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let room = self.app.budget.take(caller.name(), announced.unwrap_or(bytes_max).min(bytes_max)).await;
        let _room = room.map_err(|NoRoom| Refusal::Overloaded)?;
        let too_large = Refusal::RequestTooLarge { what: "an email", limit_bytes: limits.message_bytes };
        let body = whole(body, bytes_max).await?.ok_or(too_large)?;
        let mut request = self.codec.read(&format!("{}Request", rpc_name(rpc)), &body)?;
        of_path(place(&mut request), reseller)?;
        Ok(request)
    }

    fn refuse(&self, begun: &Begun, refusal: Refusal) -> Response {
        self.codec.error(&begun.refused(&self.app.metrics, refusal)).into_response()
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

fn of_path(named: &mut String, reseller: &str) -> Result<(), Violations> {
    if !named.is_empty() && *named != reseller {
        return Err(Violations::one("reseller", "must be empty or the reseller of the path"));
    }
    reseller.clone_into(named);
    Ok(())
}

/// As the layers of gRPC leave it.
fn called<M>(request: M, caller: Caller, begun: &Begun) -> Request<M> {
    let mut request = Request::new(request);
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(begun.id);
    request.extensions_mut().insert(begun.clone());
    request
}
