//! Callers by certificate: a name that the operator maps to scopes and resellers lets in without a key, and nothing else in a certificate does.

use postrider_proto::v1::{GetSettingsRequest, ListSettingsRequest};
use postrider_testkit::{Authority, Client, Issued, Refusal, Service, acme_settings, mail, reason};
use reqwest::header::CONTENT_TYPE;
use tonic::Code;

use crate::support::{given, is_told};

const GRPC_WEB: &str = "application/grpc-web+proto";

const CLIENTS: &str = r#"
[[tls.clients]]
san = "spiffe://platform.example/shop"
scopes = ["send"]
resellers = ["acme"]

[[tls.clients]]
san = "Operator.Platform.example"
scopes = ["admin"]
resellers = ["*"]
"#;

struct Given {
    service: Service,
    ours: Authority,
    callers: Authority,
}

async fn callers() -> Given {
    let (world, ours, callers) = (given(), Authority::named("ours"), Authority::named("callers"));
    let ca_file = world.file("callers.pem", callers.pem()).display().to_string();
    let file = world.file("postrider.toml", CLIENTS).display().to_string();
    let service = world.service().over_tls(&ours).with("tls.client_ca_file", &ca_file);
    let service = service.with_argument("--config").with_argument(&file).starts().await;
    Given { service, ours, callers }
}

impl Given {
    fn showing(&self, issued: &Issued) -> Client {
        Client::by(&self.service.way().showing(issued), "").without_key()
    }

    #[expect(clippy::disallowed_methods, reason = "a caller's own client")]
    fn http_showing(&self, Issued { certificate, key }: &Issued) -> reqwest::Client {
        let trusted = reqwest::Certificate::from_pem(self.ours.pem().as_bytes()).unwrap();
        let identity = reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([trusted]).identity(identity).build().unwrap()
    }

    fn named(&self, names: &[&str]) -> Client {
        self.showing(&self.callers.issues(names))
    }
}

fn list() -> ListSettingsRequest {
    ListSettingsRequest::default()
}

#[tokio::test]
async fn a_name_lets_in_with_its_scopes_for_its_resellers_and_no_further() {
    let given = callers().await;
    let shop = given.named(&["spiffe://platform.example/shop"]);
    shop.sends(mail("acme").waiting_for_sent()).await;
    let denied = shop.tries_to_put(acme_settings()).await.unwrap_err();
    assert_eq!(Refusal::of(&denied).kind(), (Code::PermissionDenied, "ACCESS_DENIED"));
    let elsewhere = shop.tries(mail("globex")).await.unwrap_err();
    assert_eq!(reason(&elsewhere), "ACCESS_DENIED");
    let operator = given.named(&["unheard.example", "operator.platform.EXAMPLE"]);
    operator.puts(acme_settings()).await;
    let (_, made) = operator.with_key(&[postrider_proto::v1::Scope::Read], &[]).await;
    made.without_key().settings().list_settings(list()).await.expect("the certificate is still shown");
    let shop = "san:spiffe://platform.example/shop";
    is_told(&given.service, shop, &["PutSettings ACCESS_DENIED", "SendMail ACCESS_DENIED"]).await;
    is_told(&given.service, "san:operator.platform.example", &["CreateKey", "PutSettings"]).await;
}

#[tokio::test]
async fn a_name_lets_in_as_far_over_http() {
    let given = callers().await;
    let shop = given.http_showing(&given.callers.issues(&["spiffe://platform.example/shop"]));
    let post = |path: &str| shop.post(format!("https://{}{path}", given.service.http()));
    let mail = r#"{"email": {"to": [{"address": "ann@customer.example"}], "text": "Hello."}}"#;
    let sent = post("/v1/resellers/acme/messages").body(mail).send().await.unwrap();
    assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
    let denied = post("/v1/resellers/acme/settings:test").body("{}").send().await.unwrap();
    assert_eq!(denied.status(), 403);
    let denied = post("/postrider.v1.SettingsService/PutSettings").header(CONTENT_TYPE, GRPC_WEB);
    assert_eq!(denied.body(vec![0; 5]).send().await.unwrap().headers()["grpc-status"], "7");
    let refused = ["PutSettings ACCESS_DENIED", "TestSettings ACCESS_DENIED"];
    is_told(&given.service, "san:spiffe://platform.example/shop", &refused).await;
}

#[tokio::test]
async fn nothing_else_in_a_certificate_lets_in() {
    let given = callers().await;
    for names in [&["spiffe://platform.example/shop/other"][..], &["10.0.0.1"], &["common-name.example"]] {
        let refused = given.named(names).settings().list_settings(list()).await.unwrap_err();
        assert_eq!(reason(&refused), "UNAUTHENTICATED", "{names:?}");
    }
    is_told(&given.service, "", &["ListSettings UNAUTHENTICATED"]).await;
    let strangers = Authority::named("callers");
    let forged = given.showing(&strangers.issues(&["operator.platform.example"]));
    let refused = forged.settings().list_settings(list()).await.unwrap_err();
    assert!(refused.details().is_empty(), "it does not come to an answer of ours: {refused:?}");
}

#[tokio::test]
async fn keys_and_certificates_are_served_side_by_side_and_a_key_that_is_shown_decides() {
    let given = callers().await;
    given.service.admin().sends(mail("acme")).await;
    let issued = given.callers.issues(&["operator.platform.example"]);
    let way = given.service.way().showing(&issued);
    let wrong = Client::by(&way, "pr_wrong").settings().list_settings(list()).await.unwrap_err();
    assert_eq!(reason(&wrong), "UNAUTHENTICATED");
    let (_, reader) = given.service.admin().with_key(&[postrider_proto::v1::Scope::Send], &[]).await;
    let request = GetSettingsRequest { reseller: "acme".to_owned() };
    let bound = Client::by(&way, reader.key()).settings().get_settings(request).await.unwrap_err();
    assert_eq!(reason(&bound), "ACCESS_DENIED", "the key's rights, not the certificate's");
    let open = Client::by(&given.service.way(), "").without_key();
    assert_eq!(open.health("").await.unwrap(), "SERVING", "a probe needs neither");
}
