//! `SettingsService`: each RPC goes through the one wrapper.

use std::sync::Arc;

use postrider_proto::v1;
use postrider_proto::v1::settings_service_server::SettingsService;
use tonic::{Request, Response, Status};

use super::{delete_settings, get_settings, list_settings, pause, put_settings, test_settings};
use crate::app::App;
use crate::call::call;

pub(crate) struct SettingsRpcs(pub Arc<App>);

#[tonic::async_trait]
impl SettingsService for SettingsRpcs {
    type WatchSettingsTestStream = test_settings::Events;

    async fn put_settings(
        &self,
        request: Request<v1::PutSettingsRequest>,
    ) -> Result<Response<v1::PutSettingsResponse>, Status> {
        call(&self.0, "/postrider.v1.SettingsService/PutSettings", request, put_settings::put_settings).await
    }

    async fn get_settings(
        &self,
        request: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::GetSettingsResponse>, Status> {
        call(&self.0, "/postrider.v1.SettingsService/GetSettings", request, get_settings::get_settings).await
    }

    async fn list_settings(
        &self,
        request: Request<v1::ListSettingsRequest>,
    ) -> Result<Response<v1::ListSettingsResponse>, Status> {
        call(&self.0, "/postrider.v1.SettingsService/ListSettings", request, list_settings::list_settings)
            .await
    }

    async fn delete_settings(
        &self,
        request: Request<v1::DeleteSettingsRequest>,
    ) -> Result<Response<v1::DeleteSettingsResponse>, Status> {
        call(
            &self.0,
            "/postrider.v1.SettingsService/DeleteSettings",
            request,
            delete_settings::delete_settings,
        )
        .await
    }

    async fn test_settings(
        &self,
        request: Request<v1::TestSettingsRequest>,
    ) -> Result<Response<v1::TestSettingsResponse>, Status> {
        call(&self.0, "/postrider.v1.SettingsService/TestSettings", request, test_settings::test_settings)
            .await
    }

    async fn watch_settings_test(
        &self,
        request: Request<v1::WatchSettingsTestRequest>,
    ) -> Result<Response<Self::WatchSettingsTestStream>, Status> {
        call(
            &self.0,
            "/postrider.v1.SettingsService/WatchSettingsTest",
            request,
            test_settings::watch_settings_test,
        )
        .await
    }

    async fn pause_sending(
        &self,
        request: Request<v1::PauseSendingRequest>,
    ) -> Result<Response<v1::PauseSendingResponse>, Status> {
        call(&self.0, "/postrider.v1.SettingsService/PauseSending", request, pause::pause_sending).await
    }

    async fn resume_sending(
        &self,
        request: Request<v1::ResumeSendingRequest>,
    ) -> Result<Response<v1::ResumeSendingResponse>, Status> {
        call(&self.0, "/postrider.v1.SettingsService/ResumeSending", request, pause::resume_sending).await
    }
}
