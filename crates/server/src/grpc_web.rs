//! gRPC-Web on the HTTP port: the services of the API behind the layers of the gRPC port, for whoever has HTTP/1.1 alone.
//!
//! No page of another origin may call: there are no CORS headers. A browser reaches it through what serves its own page.

use axum::Router;
use postrider_proto::v1::access_service_server::SERVICE_NAME as ACCESS;
use postrider_proto::v1::mail_service_server::SERVICE_NAME as MAIL;
use postrider_proto::v1::settings_service_server::SERVICE_NAME as SETTINGS;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::Layer as _;

use crate::access::AccessLayer;
use crate::door::DoorLayer;

pub(crate) fn router(routes: Routes, door: &DoorLayer, access: &AccessLayer) -> Router {
    let service = GrpcWebLayer::new().layer(door.layer(access.layer(routes.prepare())));
    [MAIL, SETTINGS, ACCESS].into_iter().fold(Router::new(), |router, name| {
        router.route_service(&format!("/{name}/{{rpc}}"), service.clone())
    })
}
