//! A small Postrider with TLS that answers each call with the next of its failures, and well when there are none left.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use postrider_client::{Client, v1};
use postrider_proto::v1::access_service_server::{AccessService, AccessServiceServer};
use postrider_proto::v1::mail_service_server::{MailService, MailServiceServer};
use postrider_proto::v1::settings_service_server::{SettingsService, SettingsServiceServer};
use postrider_proto::v1::watch_settings_test_response::Event;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

pub(crate) const KEY: &str = "pr_test_key";

fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)
}

/// What came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) request_ids: Vec<String>,
    pub(crate) cursors: Vec<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) created: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Service {
    failures: Arc<Mutex<VecDeque<Status>>>,
    seen: Arc<Mutex<Seen>>,
}

pub(crate) fn refusal(code: Code, reason: &str, mut details: ErrorDetails) -> Status {
    let metadata = HashMap::from([("message_id".to_owned(), "m1".to_owned())]);
    details.set_error_info(reason, "postrider", metadata).set_request_info("r1", "");
    Status::with_error_details(code, "no", details)
}

pub(crate) fn retry_after(delay: Duration) -> ErrorDetails {
    ErrorDetails::with_retry_info(Some(delay))
}

impl Service {
    pub(crate) fn failing(failures: impl IntoIterator<Item = Status>) -> Self {
        Self { failures: Arc::new(Mutex::new(failures.into_iter().collect())), seen: Arc::default() }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves, and gives a client that trusts its authority.
    pub(crate) async fn client(&self) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let read = |name| std::fs::read(tls(name)).unwrap();
        let identity = Identity::from_pem(read("server.pem"), read("server-key.pem"));
        let server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .unwrap()
            .add_service(MailServiceServer::new(self.clone()))
            .add_service(SettingsServiceServer::new(self.clone()))
            .add_service(AccessServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Client::with_ca_file(&format!("https://{address}"), KEY, tls("ca.pem")).unwrap()
    }

    fn note<Q>(&self, request: &Request<Q>, note: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
        seen.keys.push(key);
        note(&mut seen);
    }

    fn next(&self) -> Option<Status> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn answer<S: Default>(&self, response: S) -> Result<Response<S>, Status> {
        self.next().map_or_else(|| Ok(Response::new(response)), Err)
    }
}

fn message(id: &str) -> v1::Message {
    v1::Message { message_id: id.to_owned(), ..v1::Message::default() }
}

fn none<S>() -> Result<Response<S>, Status> {
    Err(Status::unimplemented("not played here"))
}

#[tonic::async_trait]
impl MailService for Service {
    async fn send_mail(
        &self,
        request: Request<v1::SendMailRequest>,
    ) -> Result<Response<v1::SendMailResponse>, Status> {
        self.note(&request, |seen| seen.request_ids.push(request.get_ref().request_id.clone()));
        self.answer(v1::SendMailResponse { message: Some(message("m1")), replayed: false })
    }

    type WatchMessagesStream = BoxStream<'static, Result<v1::WatchMessagesResponse, Status>>;

    /// Says one cursor and one event, then breaks off; at cursor `silent` it says nothing for ever, the first time.
    async fn watch_messages(
        &self,
        request: Request<v1::WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        let cursor = request.get_ref().cursor.clone();
        self.note(&request, |seen| seen.cursors.push(cursor.clone()));
        if cursor == "silent" && self.seen().cursors.len() == 1 {
            return Ok(Response::new(stream::pending().boxed()));
        }
        let following = match cursor.as_str() {
            "" => "1",
            "1" => "2",
            _ => "3",
        };
        let event = v1::WatchMessagesResponse {
            cursor: following.to_owned(),
            message: Some(message(&format!("m{following}"))),
        };
        let heartbeat = v1::WatchMessagesResponse { cursor, message: None };
        let end = self.next().map(Err);
        Ok(Response::new(stream::iter([Ok(heartbeat), Ok(event)].into_iter().chain(end)).boxed()))
    }

    async fn batch_send_mail(
        &self,
        _: Request<v1::BatchSendMailRequest>,
    ) -> Result<Response<v1::BatchSendMailResponse>, Status> {
        none()
    }

    async fn get_message(
        &self,
        _: Request<v1::GetMessageRequest>,
    ) -> Result<Response<v1::GetMessageResponse>, Status> {
        none()
    }

    async fn list_messages(
        &self,
        _: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesResponse>, Status> {
        none()
    }

    async fn cancel_message(
        &self,
        _: Request<v1::CancelMessageRequest>,
    ) -> Result<Response<v1::CancelMessageResponse>, Status> {
        none()
    }

    async fn retry_message(
        &self,
        _: Request<v1::RetryMessageRequest>,
    ) -> Result<Response<v1::RetryMessageResponse>, Status> {
        none()
    }

    async fn retry_messages(
        &self,
        _: Request<v1::RetryMessagesRequest>,
    ) -> Result<Response<v1::RetryMessagesResponse>, Status> {
        none()
    }
}

#[tonic::async_trait]
impl AccessService for Service {
    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Result<Response<v1::CreateKeyResponse>, Status> {
        self.note(&request, |seen| seen.created += 1);
        self.answer(v1::CreateKeyResponse::default())
    }

    async fn list_keys(
        &self,
        _: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        none()
    }

    async fn revoke_key(
        &self,
        _: Request<v1::RevokeKeyRequest>,
    ) -> Result<Response<v1::RevokeKeyResponse>, Status> {
        none()
    }

    async fn list_audit_events(
        &self,
        _: Request<v1::ListAuditEventsRequest>,
    ) -> Result<Response<v1::ListAuditEventsResponse>, Status> {
        none()
    }
}

#[tonic::async_trait]
impl SettingsService for Service {
    type WatchSettingsTestStream = BoxStream<'static, Result<v1::WatchSettingsTestResponse, Status>>;

    /// One step, and the result.
    async fn watch_settings_test(
        &self,
        request: Request<v1::WatchSettingsTestRequest>,
    ) -> Result<Response<Self::WatchSettingsTestStream>, Status> {
        self.note(&request, |seen| seen.request_ids.push(request.get_ref().request_id.clone()));
        let passed = v1::TestSettingsResponse { passed: true, ..v1::TestSettingsResponse::default() };
        let events = [Event::Began(v1::TestStep::Shape.into()), Event::Result(passed)];
        let events = events.map(|event| Ok(v1::WatchSettingsTestResponse { event: Some(event) }));
        self.next().map_or_else(|| Ok(Response::new(stream::iter(events).boxed())), Err)
    }

    async fn put_settings(
        &self,
        _: Request<v1::PutSettingsRequest>,
    ) -> Result<Response<v1::PutSettingsResponse>, Status> {
        none()
    }

    async fn get_settings(
        &self,
        _: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::GetSettingsResponse>, Status> {
        none()
    }

    async fn list_settings(
        &self,
        _: Request<v1::ListSettingsRequest>,
    ) -> Result<Response<v1::ListSettingsResponse>, Status> {
        none()
    }

    async fn delete_settings(
        &self,
        _: Request<v1::DeleteSettingsRequest>,
    ) -> Result<Response<v1::DeleteSettingsResponse>, Status> {
        none()
    }

    async fn test_settings(
        &self,
        _: Request<v1::TestSettingsRequest>,
    ) -> Result<Response<v1::TestSettingsResponse>, Status> {
        none()
    }

    async fn pause_sending(
        &self,
        _: Request<v1::PauseSendingRequest>,
    ) -> Result<Response<v1::PauseSendingResponse>, Status> {
        none()
    }

    async fn resume_sending(
        &self,
        _: Request<v1::ResumeSendingRequest>,
    ) -> Result<Response<v1::ResumeSendingResponse>, Status> {
        none()
    }
}
