//! The API with one access key, and the calls that tests make most.

use postrider_proto::v1::access_service_client::AccessServiceClient;
use postrider_proto::v1::mail_service_client::MailServiceClient;
use postrider_proto::v1::settings_service_client::SettingsServiceClient;
use postrider_proto::v1::{
    AccessKey, CreateKeyRequest, GetMessageRequest, GetSettingsRequest, ListMessagesRequest, Message,
    MessageState, PutSettingsRequest, Scope, SendMailRequest, SendMailResponse, Settings,
    TestSettingsRequest, TestSettingsResponse,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::authority::Issued;
use crate::patience::seen;

/// Shows the key with each call.
#[derive(Clone)]
pub struct Shown(Option<MetadataValue<Ascii>>);

impl Interceptor for Shown {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

type Calls = InterceptedService<Channel, Shown>;

/// A caller: a connection and a key. Clones share the connection.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    way: Way,
    shown: Shown,
    key: String,
}

/// How a service is reached.
#[derive(Clone)]
pub struct Way {
    /// `host:port`
    address: String,
    tls: Option<ClientTlsConfig>,
}

impl Way {
    pub fn plain(address: &str) -> Self {
        Self { address: address.to_owned(), tls: None }
    }

    /// Trusting this authority alone.
    pub fn over_tls(address: &str, authority_pem: &str) -> Self {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority_pem));
        Self { address: address.to_owned(), tls: Some(tls.domain_name("localhost")) }
    }

    /// The same, showing a certificate of one's own.
    #[must_use]
    pub fn showing(self, issued: &Issued) -> Self {
        let identity = Identity::from_pem(&issued.certificate, &issued.key);
        Self { tls: self.tls.map(|tls| tls.identity(identity)), ..self }
    }

    fn endpoint(&self) -> Endpoint {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", self.address)).unwrap();
        let endpoint = endpoint.tcp_nodelay(true);
        match &self.tls {
            Some(tls) => endpoint.tls_config(tls.clone()).unwrap(),
            None => endpoint,
        }
    }
}

/// `Bearer …`, as it stands in the metadata.
pub fn authority(key: &str) -> MetadataValue<Ascii> {
    format!("Bearer {key}").parse().expect("a key is visible ASCII")
}

impl Client {
    /// At `host:port`, connected when it is first used.
    pub fn to(address: &str, key: &str) -> Self {
        Self::by(&Way::plain(address), key)
    }

    /// The same by another way.
    pub fn by(way: &Way, key: &str) -> Self {
        let channel = way.endpoint().connect_lazy();
        Self { channel, way: way.clone(), shown: Shown(Some(authority(key))), key: key.to_owned() }
    }

    /// The same caller on a connection of its own.
    #[must_use]
    pub fn on_another_connection(&self) -> Self {
        Self::by(&self.way, &self.key)
    }

    /// The same connection without a key.
    #[must_use]
    pub fn without_key(&self) -> Self {
        Self { shown: Shown(None), key: String::new(), ..self.clone() }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn mail(&self) -> MailServiceClient<Calls> {
        MailServiceClient::with_interceptor(self.channel(), self.shown.clone())
    }

    pub fn settings(&self) -> SettingsServiceClient<Calls> {
        SettingsServiceClient::with_interceptor(self.channel(), self.shown.clone())
    }

    pub fn access(&self) -> AccessServiceClient<Calls> {
        AccessServiceClient::with_interceptor(self.channel(), self.shown.clone())
    }

    /// What `grpc.health.v1` says of a service, such as `SERVING`; the empty name is the whole server.
    pub async fn health(&self, service: &str) -> Result<String, Status> {
        let request = HealthCheckRequest { service: service.to_owned() };
        let response = HealthClient::new(self.channel()).check(request).await?;
        Ok(response.into_inner().status().as_str_name().to_owned())
    }

    /// Sends, whatever comes of it.
    pub async fn tries(&self, mail: impl Into<SendMailRequest>) -> Result<SendMailResponse, Status> {
        self.mail().send_mail(mail.into()).await.map(tonic::Response::into_inner)
    }

    /// Sends, and answers the message as the reply shows it.
    pub async fn sends(&self, mail: impl Into<SendMailRequest>) -> Message {
        let response =
            self.tries(mail).await.unwrap_or_else(|status| panic!("the mail is refused: {status:?}"));
        response.message.expect("the reply has a message")
    }

    pub async fn message(&self, reseller: &str, message_id: &str) -> Message {
        let request = GetMessageRequest { reseller: reseller.to_owned(), message_id: message_id.to_owned() };
        let response = self.mail().get_message(request).await;
        response.unwrap_or_else(|status| panic!("{message_id}: {status:?}")).into_inner().message.unwrap()
    }

    /// Waits until the message is in this state.
    pub async fn reaches(&self, message: &Message, state: MessageState) -> Message {
        self.becomes(message, state.as_str_name(), |message| message.state() == state).await
    }

    /// The same for any fact.
    pub async fn becomes(&self, message: &Message, what: &str, is: impl Fn(&Message) -> bool) -> Message {
        let look = || self.message(&message.reseller, &message.message_id);
        seen(&format!("the message is {what}"), look, is).await
    }

    /// All messages of a reseller.
    pub async fn messages(&self, reseller: &str) -> Vec<Message> {
        let mut request = ListMessagesRequest {
            reseller: reseller.to_owned(),
            page_size: 1_000,
            ..ListMessagesRequest::default()
        };
        let mut messages = Vec::new();
        loop {
            let page = self.mail().list_messages(request.clone()).await.unwrap().into_inner();
            messages.extend(page.messages);
            if page.next_page_token.is_empty() {
                return messages;
            }
            request.page_token = page.next_page_token;
        }
    }

    pub async fn tries_to_put(&self, settings: Settings) -> Result<Settings, Status> {
        let request = PutSettingsRequest { settings: Some(settings) };
        let response = self.settings().put_settings(request).await?;
        Ok(response.into_inner().settings.expect("the reply has settings"))
    }

    pub async fn puts(&self, settings: Settings) -> Settings {
        self.tries_to_put(settings)
            .await
            .unwrap_or_else(|status| panic!("the settings are refused: {status:?}"))
    }

    pub async fn saved_settings(&self, reseller: &str) -> Settings {
        let request = GetSettingsRequest { reseller: reseller.to_owned() };
        self.settings().get_settings(request).await.unwrap().into_inner().settings.unwrap()
    }

    /// Tests a candidate, or without one what is saved.
    pub async fn tests(&self, reseller: &str, candidate: Option<Settings>) -> TestSettingsResponse {
        let request = TestSettingsRequest {
            reseller: reseller.to_owned(),
            candidate,
            ..TestSettingsRequest::default()
        };
        let response = self.settings().test_settings(request).await;
        response.unwrap_or_else(|status| panic!("the test is refused: {status:?}")).into_inner()
    }

    /// A client with a new key.
    pub async fn with_key(&self, scopes: &[Scope], resellers: &[&str]) -> (AccessKey, Client) {
        let request = CreateKeyRequest {
            name: "a test's key".to_owned(),
            scopes: scopes.iter().map(|scope| i32::from(*scope)).collect(),
            resellers: resellers.iter().map(|&name| name.to_owned()).collect(),
            expire_time: None,
        };
        let response = self.access().create_key(request).await.unwrap().into_inner();
        (response.key.unwrap(), Client::by(&self.way, &response.secret))
    }
}
