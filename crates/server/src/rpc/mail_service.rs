//! `MailService`: each RPC goes through the one wrapper.

use std::sync::Arc;

use postrider_proto::v1;
use postrider_proto::v1::mail_service_server::MailService;
use tonic::{Request, Response, Status};

use super::{batch_send_mail, get_message, list_messages, send_mail, steer, watch_messages};
use crate::app::App;
use crate::call::call;
use crate::watch::Answers;

pub(crate) struct Mail(pub Arc<App>);

#[tonic::async_trait]
impl MailService for Mail {
    type WatchMessagesStream = Answers;

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
        call(&self.0, "/postrider.v1.MailService/BatchSendMail", request, batch_send_mail::batch_send_mail)
            .await
    }

    async fn watch_messages(
        &self,
        request: Request<v1::WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        call(&self.0, "/postrider.v1.MailService/WatchMessages", request, watch_messages::watch_messages)
            .await
    }

    async fn cancel_message(
        &self,
        request: Request<v1::CancelMessageRequest>,
    ) -> Result<Response<v1::CancelMessageResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/CancelMessage", request, steer::cancel_message).await
    }

    async fn retry_message(
        &self,
        request: Request<v1::RetryMessageRequest>,
    ) -> Result<Response<v1::RetryMessageResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/RetryMessage", request, steer::retry_message).await
    }

    async fn retry_messages(
        &self,
        request: Request<v1::RetryMessagesRequest>,
    ) -> Result<Response<v1::RetryMessagesResponse>, Status> {
        call(&self.0, "/postrider.v1.MailService/RetryMessages", request, steer::retry_messages).await
    }
}
