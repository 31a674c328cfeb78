//! `AccessService`: each RPC goes through the one wrapper.

use std::sync::Arc;

use postrider_proto::v1;
use postrider_proto::v1::access_service_server::AccessService;
use tonic::{Request, Response, Status};

use super::{audit, keys};
use crate::app::App;
use crate::call::call;

pub(crate) struct AccessRpcs(pub Arc<App>);

#[tonic::async_trait]
impl AccessService for AccessRpcs {
    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Result<Response<v1::CreateKeyResponse>, Status> {
        call(&self.0, "/postrider.v1.AccessService/CreateKey", request, keys::create_key).await
    }

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        call(&self.0, "/postrider.v1.AccessService/ListKeys", request, keys::list_keys).await
    }

    async fn revoke_key(
        &self,
        request: Request<v1::RevokeKeyRequest>,
    ) -> Result<Response<v1::RevokeKeyResponse>, Status> {
        call(&self.0, "/postrider.v1.AccessService/RevokeKey", request, keys::revoke_key).await
    }

    async fn list_audit_events(
        &self,
        request: Request<v1::ListAuditEventsRequest>,
    ) -> Result<Response<v1::ListAuditEventsResponse>, Status> {
        call(&self.0, "/postrider.v1.AccessService/ListAuditEvents", request, audit::list_audit_events).await
    }
}
