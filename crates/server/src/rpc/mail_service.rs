//! `MailService`: each RPC goes through the one wrapper.

use std::sync::Arc;

use futures::stream::Empty;
use postrider_proto::v1;
use postrider_proto::v1::mail_service_server::MailService;
use tonic::{Request, Response, Status};

use super::{get_message, list_messages, send_mail};
use crate::app::App;
use crate::call::{call, later};

pub(crate) struct Mail(pub Arc<App>);

#[tonic::async_trait]
impl MailService for Mail {
    type WatchMessagesStream = Empty<Result<v1::WatchMessagesResponse, Status>>;

    async fn send_mail(
        &self,
        request: Request<v1::SendMailRequest>,
    ) -> Result<Response<v1::SendMailResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/SendMail", request, send_mail::send_mail).await
    }

    async fn get_message(
        &self,
        request: Request<v1::GetMessageRequest>,
    ) -> Result<Response<v1::GetMessageResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/GetMessage", request, get_message::get_message).await
    }

    async fn list_messages(
        &self,
        request: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/ListMessages", request, list_messages::list_messages).await
    }

    async fn batch_send_mail(
        &self,
        request: Request<v1::BatchSendMailRequest>,
    ) -> Result<Response<v1::BatchSendMailResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/BatchSendMail", request, later).await
    }

    async fn watch_messages(
        &self,
        request: Request<v1::WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        call(&self.0, "/postrider.v1.MailService/WatchMessages", request, later).await
    }

    async fn cancel_message(
        &self,
        request: Request<v1::CancelMessageRequest>,
    ) -> Result<Response<v1::CancelMessageResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/CancelMessage", request, later).await
    }

    async fn retry_message(
        &self,
        request: Request<v1::RetryMessageRequest>,
    ) -> Result<Response<v1::RetryMessageResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/RetryMessage", request, later).await
    }

    async fn retry_messages(
        &self,
        request: Request<v1::RetryMessagesRequest>,
    ) -> Result<Response<v1::RetryMessagesResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/RetryMessages", request, later).await
    }
}
