//! No caller's value names a host: nothing that stands in a request makes the service connect to where it points.

use postrider_proto::v1::{MessageState, Settings};
use postrider_testkit::{acme_settings, authority, mail, raw, secret};
use tokio::net::{TcpListener, TcpStream};

use crate::every_field::{every_rpc, planted};
use crate::support::{given, ready};

#[tokio::test]
async fn no_field_makes_the_service_connect_to_where_it_points() {
    let service = ready().await;
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap_at = trap.local_addr().unwrap();
    let page = format!("http://{trap_at}/");

    let linked = mail("acme").waiting_for_sent().with(|email| {
        email.html = format!("<img src={page}a.png><link rel=stylesheet href={page}b.css>");
        email.headers.insert("List-Unsubscribe".to_owned(), format!("<{page}>"));
    });
    assert_eq!(service.admin().sends(linked).await.state(), MessageState::Sent);
    let directories =
        [trap_at.to_string(), format!("{trap_at}/common"), format!("x@{trap_at}"), format!("..//{trap_at}")];
    for tenant_id in directories {
        let candidate = Settings { tenant_id, credential: Some(secret("a-secret")), ..acme_settings() };
        assert!(!service.admin().tests("acme", Some(candidate)).await.passed);
    }
    let admin = Some(authority(service.admin().key()));
    let texts = [
        page,
        trap_at.to_string(),
        format!("//{trap_at}/"),
        format!("x@{trap_at}"),
        format!("\\\\{trap_at}\\x"),
    ];
    for (path, request) in every_rpc() {
        for body in texts.iter().flat_map(|text| planted(&request, text)) {
            // Well or ill: whether it was answered is not asked here.
            drop(raw::call(service.admin(), admin.clone(), &path, body).await);
        }
    }

    let ours = TcpStream::connect(trap_at).await.unwrap();
    let (_, first) = trap.accept().await.unwrap();
    assert_eq!(first, ours.local_addr().unwrap(), "nobody connected before us");
}

#[tokio::test]
async fn no_proxy_that_the_environment_names_is_used() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", trap.local_addr().unwrap());
    let names = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let service = given().service();
    let service = names.into_iter().fold(service, |service, name| service.with_environment(name, &proxy));
    let service = service.starts().await;
    assert_eq!(service.admin().sends(mail("acme").waiting_for_sent()).await.state(), MessageState::Sent);
    let ours = TcpStream::connect(trap.local_addr().unwrap()).await.unwrap();
    let (_, first) = trap.accept().await.unwrap();
    assert_eq!(first, ours.local_addr().unwrap(), "nobody connected before us");
}
