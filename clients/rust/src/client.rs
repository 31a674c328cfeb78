//! The client: every RPC of the API as a method. Read first: [`Client::call`].

use std::path::Path;
use std::time::{Duration, Instant};

use futures::stream::try_unfold;
use futures::{Stream, TryFutureExt as _};
use tokio::time::{sleep, timeout};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::retry::Repeat;
use crate::v1::access_service_client::AccessServiceClient;
use crate::v1::mail_service_client::MailServiceClient;
use crate::v1::settings_service_client::SettingsServiceClient;
use crate::{ConnectError, Error, connection, v1, watch};

/// How long a call may last, repeats and waits included, unless [`Client::with_timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A page of 1,000 messages with their attempts.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// Calls one Postrider service. A clone shares the connection: make one and clone it.
#[derive(Clone, Debug)]
pub struct Client {
    mail: MailServiceClient<Channel>,
    settings: SettingsServiceClient<Channel>,
    access: AccessServiceClient<Channel>,
    authorization: MetadataValue<Ascii>,
    timeout: Duration,
}

impl Client {
    /// For a URL such as `https://postrider.example:50051`, with the system's certificate authorities. It connects with the
    /// first call, and needs a Tokio runtime.
    ///
    /// With `http` the key and all mail cross the network as they are: that is for this machine, or behind a proxy with TLS.
    pub fn new(url: &str, key: &str) -> Result<Self, ConnectError> {
        Ok(Self::over(connection::channel(url, None)?, connection::authorization(key)?))
    }

    /// The same for an https URL, trusting only the certificate authorities in a PEM file.
    pub fn with_ca_file(url: &str, key: &str, ca_file: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let channel = connection::channel(url, Some(ca_file.as_ref()))?;
        Ok(Self::over(channel, connection::authorization(key)?))
    }

    /// For the service at `POSTRIDER_URL` (default: on this machine) with the key in `POSTRIDER_KEY`.
    pub fn from_env() -> Result<Self, ConnectError> {
        let (url, key) = connection::from_env()?;
        Self::new(&url, &key)
    }

    fn over(channel: Channel, authorization: MetadataValue<Ascii>) -> Self {
        Self {
            mail: MailServiceClient::new(channel.clone()).max_decoding_message_size(RESPONSE_BYTES_MAX),
            settings: SettingsServiceClient::new(channel.clone())
                .max_decoding_message_size(RESPONSE_BYTES_MAX),
            access: AccessServiceClient::new(channel).max_decoding_message_size(RESPONSE_BYTES_MAX),
            authorization,
            timeout: TIMEOUT,
        }
    }

    /// The same client, over the same connection, with another time for each call, repeats and waits included.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Accepts one email and answers once it is on disk, or with `WAIT_FOR_SENT` once it came to something.
    pub async fn send_mail(&self, mut request: v1::SendMailRequest) -> Result<v1::SendMailResponse, Error> {
        identify(&mut request.request_id);
        let once = async |mut client: Self, request| client.mail.send_mail(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Accepts up to 1,000 emails of one reseller, together at most 64 MiB. The results stand in the order of the
    /// requests.
    pub async fn batch_send_mail(
        &self,
        mut request: v1::BatchSendMailRequest,
    ) -> Result<v1::BatchSendMailResponse, Error> {
        request.requests.iter_mut().for_each(|item| identify(&mut item.request_id));
        let once = async |mut client: Self, request| client.mail.batch_send_mail(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Tells where one message is, with every attempt. It needs no settings.
    pub async fn get_message(&self, request: v1::GetMessageRequest) -> Result<v1::GetMessageResponse, Error> {
        let once = async |mut client: Self, request| client.mail.get_message(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Lists a reseller's messages, the newest first.
    pub async fn list_messages(
        &self,
        request: v1::ListMessagesRequest,
    ) -> Result<v1::ListMessagesResponse, Error> {
        let once = async |mut client: Self, request| client.mail.list_messages(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Stops a message that has not been sent, and destroys its content.
    pub async fn cancel_message(
        &self,
        request: v1::CancelMessageRequest,
    ) -> Result<v1::CancelMessageResponse, Error> {
        let once = async |mut client: Self, request| client.mail.cancel_message(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Sends a message again under the same ids, with a fresh expiry.
    pub async fn retry_message(
        &self,
        request: v1::RetryMessageRequest,
    ) -> Result<v1::RetryMessageResponse, Error> {
        let once = async |mut client: Self, request| client.mail.retry_message(request).await;
        self.call(Repeat::Unsafe, request, once).await
    }

    /// Does [`Client::retry_message`] for all of a reseller's messages that match, skips those that cannot be retried,
    /// and counts the rest.
    pub async fn retry_messages(
        &self,
        request: v1::RetryMessagesRequest,
    ) -> Result<v1::RetryMessagesResponse, Error> {
        let once = async |mut client: Self, request| client.mail.retry_messages(request).await;
        self.call(Repeat::Unsafe, request, once).await
    }

    /// Saves a reseller's settings. It replaces all but the credential, which stays when left out; the first put needs
    /// one.
    pub async fn put_settings(
        &self,
        request: v1::PutSettingsRequest,
    ) -> Result<v1::PutSettingsResponse, Error> {
        let once = async |mut client: Self, request| client.settings.put_settings(request).await;
        self.call(Repeat::Unsafe, request, once).await
    }

    /// Gives a reseller's settings, without the secret.
    pub async fn get_settings(
        &self,
        request: v1::GetSettingsRequest,
    ) -> Result<v1::GetSettingsResponse, Error> {
        let once = async |mut client: Self, request| client.settings.get_settings(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Lists the settings of all resellers that the caller may see, by reseller.
    pub async fn list_settings(
        &self,
        request: v1::ListSettingsRequest,
    ) -> Result<v1::ListSettingsResponse, Error> {
        let once = async |mut client: Self, request| client.settings.list_settings(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Destroys a reseller's settings, credential and data key. The history of its messages stays, without content.
    pub async fn delete_settings(
        &self,
        request: v1::DeleteSettingsRequest,
    ) -> Result<v1::DeleteSettingsResponse, Error> {
        let once = async |mut client: Self, request| client.settings.delete_settings(request).await;
        self.call(Repeat::Unsafe, request, once).await
    }

    /// Tries settings in five steps, at most up to a test mail, and says of each what was found. A failed test is an
    /// answer, not an error.
    pub async fn test_settings(
        &self,
        mut request: v1::TestSettingsRequest,
    ) -> Result<v1::TestSettingsResponse, Error> {
        identify(&mut request.request_id);
        let once = async |mut client: Self, request| client.settings.test_settings(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Stops a reseller's mail until [`Client::resume_sending`]. Mail is still accepted and waits; attempts under way
    /// end by themselves.
    pub async fn pause_sending(
        &self,
        request: v1::PauseSendingRequest,
    ) -> Result<v1::PauseSendingResponse, Error> {
        let once = async |mut client: Self, request| client.settings.pause_sending(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Ends an operator's pause, and wakes a lane that its settings hold. Nothing else ends an operator's pause.
    pub async fn resume_sending(
        &self,
        request: v1::ResumeSendingRequest,
    ) -> Result<v1::ResumeSendingResponse, Error> {
        let once = async |mut client: Self, request| client.settings.resume_sending(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Makes a key. Its secret is in the reply and nowhere else: only a keyed hash is kept.
    pub async fn create_key(&self, request: v1::CreateKeyRequest) -> Result<v1::CreateKeyResponse, Error> {
        let once = async |mut client: Self, request| client.access.create_key(request).await;
        self.call(Repeat::Unsafe, request, once).await
    }

    /// Lists the keys that the caller may see, revoked and expired ones too. Without their secrets.
    pub async fn list_keys(&self, request: v1::ListKeysRequest) -> Result<v1::ListKeysResponse, Error> {
        let once = async |mut client: Self, request| client.access.list_keys(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Ends a key for good, at once; its open streams end too. On a revoked key it is OK again.
    pub async fn revoke_key(&self, request: v1::RevokeKeyRequest) -> Result<v1::RevokeKeyResponse, Error> {
        let once = async |mut client: Self, request| client.access.revoke_key(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Lists what callers changed, the newest first.
    pub async fn list_audit_events(
        &self,
        request: v1::ListAuditEventsRequest,
    ) -> Result<v1::ListAuditEventsResponse, Error> {
        let once = async |mut client: Self, request| client.access.list_audit_events(request).await;
        self.call(Repeat::Safe, request, once).await
    }

    /// Tells of each change of a message, without gaps: when the stream breaks it goes on by itself from the last cursor.
    ///
    /// It ends with an error that does not pass, such as a revoked key or `CURSOR_EXPIRED`. To go on after a restart of your
    /// own program, keep the cursor of the last response and give it in the request.
    pub fn watch(
        &self,
        request: v1::WatchMessagesRequest,
    ) -> impl Stream<Item = Result<v1::WatchMessagesResponse, Error>> + Send + use<> {
        watch::watch(self.clone(), request, watch::SILENCE)
    }

    /// Does [`Client::test_settings`] and tells of each step as it begins and ends; the last response has the result. For people
    /// who wait for it. The test goes on to its end also when the stream is dropped.
    pub fn watch_settings_test(
        &self,
        mut request: v1::WatchSettingsTestRequest,
    ) -> impl Stream<Item = Result<v1::WatchSettingsTestResponse, Error>> + Send + use<> {
        identify(&mut request.request_id);
        let (client, end) = (self.clone(), Instant::now() + self.timeout);
        let opened = async move {
            let once = async |mut client: Self, request| client.settings.watch_settings_test(request).await;
            Ok::<_, Error>(try_unfold(client.call(Repeat::Safe, request, once).await?, move |stream| {
                next(stream, end)
            }))
        };
        opened.try_flatten_stream()
    }

    pub(crate) async fn open_watch(
        &self,
        request: v1::WatchMessagesRequest,
    ) -> Result<Streaming<v1::WatchMessagesResponse>, Error> {
        Ok(self.mail.clone().watch_messages(self.shown(request)).await?.into_inner())
    }

    /// Makes a call, again and again while the service says so and the deadline allows it.
    async fn call<Q: Clone, S>(
        &self,
        repeat: Repeat,
        request: Q,
        once: impl AsyncFn(Self, Request<Q>) -> Result<Response<S>, Status>,
    ) -> Result<S, Error> {
        let end = Instant::now() + self.timeout;
        let mut attempt = 0;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut shown = self.shown(request.clone());
            shown.set_timeout(left);
            let error = match timeout(left, once(self.clone(), shown)).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => Error::from(status),
                Err(_) => return Err(too_late()),
            };
            match error.delay_before_repeat(repeat, attempt) {
                Some(delay) if Instant::now() + delay < end => sleep(delay).await,
                _ => return Err(error),
            }
            attempt += 1;
        }
    }

    fn shown<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}

/// The next response of a stream that has until `end`, and the stream.
async fn next<S>(mut stream: Streaming<S>, end: Instant) -> Result<Option<(S, Streaming<S>)>, Error> {
    let left = end.saturating_duration_since(Instant::now());
    let read = timeout(left, stream.message()).await.map_err(|_| too_late())?;
    Ok(read?.map(|response| (response, stream)))
}

fn too_late() -> Error {
    Error::without_status(Code::DeadlineExceeded, "the deadline came first")
}

/// Makes a request safe to repeat.
fn identify(request_id: &mut String) {
    if request_id.is_empty() {
        *request_id = uuid::Uuid::new_v4().to_string();
    }
}
