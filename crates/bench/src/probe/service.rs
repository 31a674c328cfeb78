//! The least service that there can be: it decodes a mail, lets many callers share a transaction, and answers.

use std::io;
use std::path::Path;

use postrider_proto::v1::mail_service_server::{MailService, MailServiceServer};
use postrider_proto::v1::{
    BatchSendMailRequest, BatchSendMailResponse, CancelMessageRequest, CancelMessageResponse,
    GetMessageRequest, GetMessageResponse, ListMessagesRequest, ListMessagesResponse, Message,
    RetryMessageRequest, RetryMessageResponse, RetryMessagesRequest, RetryMessagesResponse, SendMailRequest,
    SendMailResponse, WatchMessagesRequest, WatchMessagesResponse,
};
use postrider_testkit::{Client, Program};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::tokio_stream::Empty;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::table::Table;
use crate::meter::Meter;

/// Rows of one transaction at most.
const BATCH: usize = 256;
/// PostgreSQL writes more with two connections than with one.
const POSTGRES_WRITERS: usize = 2;

type Waiting = (Vec<u8>, oneshot::Sender<()>);

/// Until it is killed.
pub(crate) async fn serve(database: Option<String>) -> anyhow::Result<()> {
    let writers = match database {
        Some(url) => writers(&url).await,
        None => Vec::new(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening grpc={}", listener.local_addr()?);
    let service = MailServiceServer::new(Minimal { writers });
    Server::builder()
        .tcp_nodelay(true)
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

async fn writers(url: &str) -> Vec<mpsc::Sender<Waiting>> {
    let count = if url.starts_with("sqlite:") { 1 } else { POSTGRES_WRITERS };
    let mut writers = Vec::new();
    for _ in 0..count {
        let mut table = Table::open(url).await;
        let (sender, mut receiver) = mpsc::channel::<Waiting>(4 * BATCH);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, BATCH).await > 0 {
                let (contents, waiting): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                table.insert(&contents).await;
                for waits in waiting {
                    // A caller who is gone needs no answer.
                    waits.send(()).ok();
                }
            }
        });
        writers.push(sender);
    }
    writers
}

struct Minimal {
    writers: Vec<mpsc::Sender<Waiting>>,
}

impl Minimal {
    async fn write(&self, reseller: &str, content: Vec<u8>) {
        let number = usize::from(reseller.bytes().last().unwrap_or_default());
        let Some(writer) = self.writers.get(number % self.writers.len().max(1)) else { return };
        let (answer, answered) = oneshot::channel();
        writer.send((content, answer)).await.expect("a writer");
        answered.await.expect("written");
    }
}

#[tonic::async_trait]
impl MailService for Minimal {
    async fn send_mail(
        &self,
        request: Request<SendMailRequest>,
    ) -> Result<Response<SendMailResponse>, Status> {
        let request = request.into_inner();
        let content = request.email.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
        self.write(&request.reseller, content).await;
        let message = Message { reseller: request.reseller, ..Message::default() };
        Ok(Response::new(SendMailResponse { message: Some(message), replayed: false }))
    }

    async fn batch_send_mail(
        &self,
        _: Request<BatchSendMailRequest>,
    ) -> Result<Response<BatchSendMailResponse>, Status> {
        Err(nothing())
    }

    async fn get_message(
        &self,
        _: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageResponse>, Status> {
        Err(nothing())
    }

    async fn list_messages(
        &self,
        _: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        Err(nothing())
    }

    type WatchMessagesStream = Empty<Result<WatchMessagesResponse, Status>>;

    async fn watch_messages(
        &self,
        _: Request<WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        Err(nothing())
    }

    async fn cancel_message(
        &self,
        _: Request<CancelMessageRequest>,
    ) -> Result<Response<CancelMessageResponse>, Status> {
        Err(nothing())
    }

    async fn retry_message(
        &self,
        _: Request<RetryMessageRequest>,
    ) -> Result<Response<RetryMessageResponse>, Status> {
        Err(nothing())
    }

    async fn retry_messages(
        &self,
        _: Request<RetryMessagesRequest>,
    ) -> Result<Response<RetryMessagesResponse>, Status> {
        Err(nothing())
    }
}

fn nothing() -> Status {
    io::Error::new(io::ErrorKind::Unsupported, "a limit takes mail, and nothing else").into()
}

/// One that runs, in a process of its own.
pub(crate) struct Probe {
    program: Program,
    client: Client,
}

impl Probe {
    /// Answers at once.
    pub(crate) async fn echo(folder: &Path) -> Self {
        Self::start(folder, None).await
    }

    pub(crate) async fn on(folder: &Path, database: &str) -> Self {
        Self::start(folder, Some(database)).await
    }

    async fn start(folder: &Path, database: Option<&str>) -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut command = Command::new(this);
        command.arg("probe").args(database.map(|database| format!("--database={database}")));
        let program = Program::start(command, folder, "probe");
        let address = program.listens(&["grpc"]).await.remove(0).expect("an address");
        Self { program, client: Client::to(&address, "none") }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn meter(&self) -> Meter {
        Meter::of(self.program.id())
    }
}
