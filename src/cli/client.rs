//! A connection to a running service, and the calls over it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use postrider_proto::v1::access_service_client::AccessServiceClient;
use postrider_proto::v1::mail_service_client::MailServiceClient;
use postrider_proto::v1::settings_service_client::SettingsServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::access_key::AccessKey;
use super::environment::Environment;
use super::failure::Failure;
use super::place::{self, Place, Scheme};
use super::progress::Sent;
use super::screen::Output;
use super::{input, rpc_error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a call may last, unless the command knows better.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Bytes of one response: a page of 1,000 messages with their attempts.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of send, settings, messages and keys")]
pub(crate) struct ClientFlags {
    /// The service's data directory, which also says where it is and holds its first key [default: ./postrider-data,
    /// of the sandbox ./postrider-sandbox; environment: POSTRIDER_DATA_DIR].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the service is [default: what the data directory says, else http://127.0.0.1:50051; environment:
    /// POSTRIDER_URL].
    #[arg(long, global = true)]
    url: Option<String>,
    /// The file with the access key [default: admin.key in the data directory; environment: POSTRIDER_KEY_FILE, or
    /// POSTRIDER_KEY with the key itself].
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// PEM file of the certificate authority to trust, in place of the system's. Without --url: TLS is spoken where the data
    /// directory says.
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How to print the answer [default: text].
    #[arg(long, global = true, value_enum, hide_default_value = true)]
    output: Option<Output>,
}

impl ClientFlags {
    pub(crate) fn output(&self) -> Output {
        self.output.unwrap_or_default()
    }

    /// For a command that is no client: its data directory, and a word about flags that mean nothing to it.
    pub(crate) fn only_data_dir(self, command: &str) -> Result<Option<PathBuf>, Failure> {
        let given = [
            ("--url", self.url.is_some()),
            ("--key-file", self.key_file.is_some()),
            ("--ca-file", self.ca_file.is_some()),
            ("--output", self.output.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(Failure::usage(format_args!("{flag} means nothing to `postrider {command}`")))
            }
            None => Ok(self.data_dir),
        }
    }
}

/// Shows the key and the deadline with every call.
#[derive(Clone)]
pub(crate) struct Shown {
    authorization: MetadataValue<Ascii>,
    /// None: it is a stream without an end.
    deadline: Option<Duration>,
}

impl Interceptor for Shown {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.authorization.clone());
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        Ok(request)
    }
}

type Calls = InterceptedService<Channel, Shown>;

pub(crate) struct Client {
    channel: Channel,
    /// What left over it, for who shows progress.
    pub sent: Sent,
    authorization: MetadataValue<Ascii>,
    /// Whom it asked and with which key, for errors.
    asked: String,
}

impl Client {
    pub(crate) async fn connect(flags: &ClientFlags, environment: &Environment) -> Result<Self, Failure> {
        let scheme = if flags.ca_file.is_some() { Scheme::Https } else { Scheme::Http };
        let places = place::find(flags.url.as_deref(), flags.data_dir.as_deref(), scheme, environment);
        let mut silent = Vec::new();
        let sent = Sent::default();
        for place in &places {
            match sent.connect(&endpoint(place, flags.ca_file.as_deref())?).await {
                Ok(channel) => {
                    let key = AccessKey::find(flags.key_file.as_deref(), environment, &place.folders)?;
                    return Self::over(channel, sent, place, &key);
                }
                Err(error) => silent.push(rpc_error::silence(place, &error)),
            }
        }
        Err(Failure::Failed(anyhow::anyhow!(
            "{}\nstart one with `postrider serve` or `postrider serve --sandbox`, or name another with --url; with TLS it is \
             --url https://NAME:PORT, and --ca-file for an authority of your own",
            silent.join("\n")
        )))
    }

    /// For a service of this machine, whose key file is known.
    pub(crate) async fn with_key_file(place: &Place, key_file: &Path) -> anyhow::Result<Self> {
        let sent = Sent::default();
        let channel = sent.connect(&endpoint(place, None)?).await?;
        Ok(Self::over(channel, sent, place, &AccessKey::read(key_file)?)?)
    }

    /// The same over a connection that is there, of which nobody is shown progress.
    pub(crate) fn over_channel(channel: Channel, place: &Place, key_file: &Path) -> anyhow::Result<Self> {
        Ok(Self::over(channel, Sent::default(), place, &AccessKey::read(key_file)?)?)
    }

    fn over(channel: Channel, sent: Sent, place: &Place, key: &AccessKey) -> Result<Self, Failure> {
        let asked = format!("{} (from {}) with the key of {}", place.url, place.named_by, key.named_by);
        Ok(Self { channel, sent, authorization: key.authorization()?, asked })
    }

    pub(crate) fn mail(&self, deadline: Duration) -> MailServiceClient<Calls> {
        MailServiceClient::with_interceptor(self.channel.clone(), self.shown(Some(deadline)))
            .max_decoding_message_size(RESPONSE_BYTES_MAX)
    }

    /// For a stream that lasts as long as it is read.
    pub(crate) fn endless_mail(&self) -> MailServiceClient<Calls> {
        MailServiceClient::with_interceptor(self.channel.clone(), self.shown(None))
            .max_decoding_message_size(RESPONSE_BYTES_MAX)
    }

    pub(crate) fn settings(&self, deadline: Duration) -> SettingsServiceClient<Calls> {
        SettingsServiceClient::with_interceptor(self.channel.clone(), self.shown(Some(deadline)))
            .max_decoding_message_size(RESPONSE_BYTES_MAX)
    }

    pub(crate) fn access(&self) -> AccessServiceClient<Calls> {
        AccessServiceClient::with_interceptor(self.channel.clone(), self.shown(Some(DEADLINE)))
            .max_decoding_message_size(RESPONSE_BYTES_MAX)
    }

    /// A refused call, to be shown to the user.
    pub(crate) fn refused(&self, status: &Status) -> Failure {
        Failure::Failed(anyhow::anyhow!("{}\nasked: {}", rpc_error::describe(status), self.asked))
    }

    fn shown(&self, deadline: Option<Duration>) -> Shown {
        Shown { authorization: self.authorization.clone(), deadline }
    }
}

fn endpoint(place: &Place, ca_file: Option<&Path>) -> Result<Endpoint, Failure> {
    let no_url = |_| {
        let Place { url, named_by, .. } = place;
        Failure::usage(format_args!("`{url}` (from {named_by}) is no URL such as http://127.0.0.1:50051"))
    };
    let endpoint = Endpoint::from_shared(place.url.clone()).map_err(no_url)?;
    let scheme = endpoint.uri().scheme_str().unwrap_or_default().to_owned();
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
    match (scheme.as_str(), ca_file) {
        ("http", None) => Ok(endpoint),
        ("http", Some(_)) => Err(Failure::usage("--ca-file is for an https URL")),
        ("https", ca_file) => {
            let tls = match ca_file {
                Some(file) => {
                    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(input::bytes(file)?))
                }
                None => ClientTlsConfig::new().with_native_roots(),
            };
            let no_tls = |error| Failure::Usage(anyhow::Error::new(error).context("TLS cannot be set up"));
            endpoint.tls_config(tls).map_err(no_tls)
        }
        _ => Err(Failure::usage(format_args!("`{}` begins with neither http:// nor https://", place.url))),
    }
}
