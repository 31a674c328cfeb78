//! One mail on a service that has nothing else to do: accepted, and on its way, beside the pieces that this takes at least.

use std::time::Instant;

use postrider_proto::v1::WaitFor;
use postrider_sandbox::seed;
use postrider_testkit::{Client, Microsoft};
use serde_json::{Value, json};

use crate::field::{Field, Ground, Kind, Storage, mailbox};
use crate::figure::{Bar, Figure, Spread};
use crate::load::request;
use crate::probe::{Probe, append, commit, milliseconds};
use crate::scale::Scale;

const SIZE: usize = 2_000;
/// A mail that is sent was accepted, its attempt was begun, and it ended: each is on disk before the next.
const COMMITS_OF_A_SENT_MAIL: f64 = 3.0;

pub(crate) async fn run(ground: Ground, scale: Scale) -> Vec<Figure> {
    let mut figures = Vec::new();
    let room = ground.room();
    let synced: Vec<f64> =
        (0..scale.repeats).map(|_| median(&append(room.path(), scale.lone_calls))).collect();
    figures.push(Figure::alone("4 KiB appended and synced", "ms", &synced, None));
    for kind in Kind::ALL {
        let storage = Storage::new(&ground, kind);
        let field = Field::of(&ground, &storage, 1).await;
        field.has_resellers(1).await;
        let echo = Probe::echo(storage.path()).await;
        let graph = Graph::of(&field.microsoft).await;
        let (mut accepted, mut beyond) = (Vec::new(), Vec::new());
        for _ in 0..scale.repeats {
            let called = median(&calls(echo.client(), WaitFor::Accepted, scale.lone_calls).await);
            let written = median(&commit(&storage.limit_url(), SIZE, scale.lone_calls).await);
            let asked = median(&graph.asked(scale.lone_calls).await);
            let sent = median(&calls(field.admin(), WaitFor::Sent, scale.lone_calls).await);
            field.pauses(1).await;
            let ours = median(&calls(field.admin(), WaitFor::Accepted, scale.lone_calls).await);
            field.resumes(1).await;
            field.is_drained(1).await;
            accepted.push((ours, called + written));
            beyond.push(sent - called - COMMITS_OF_A_SENT_MAIL * written - asked);
        }
        figures.push(Figure::beside(
            format!("accept, {}, a lone caller, beside a call and a commit", kind.name()),
            "ms",
            &accepted,
            Some(Bar::AtMost(1.3)),
        ));
        figures.push(Figure::alone(
            format!("accept to sent, {}, beyond a call, 3 commits and a request to Graph", kind.name()),
            "ms",
            &beyond,
            Some(Bar::AtMost(5.0)),
        ));
    }
    figures
}

fn median(values: &[f64]) -> f64 {
    Spread::of(values.iter().copied()).median
}

/// Milliseconds of each of so many calls, one after the other.
pub(crate) async fn calls(client: &Client, wait_for: WaitFor, count: usize) -> Vec<f64> {
    let mut service = client.mail();
    let mut taken = Vec::new();
    for _ in 0..count {
        let mut request = request(0, SIZE);
        request.set_wait_for(wait_for);
        let begun = Instant::now();
        service.send_mail(request).await.unwrap_or_else(|status| panic!("a call was refused: {status:?}"));
        taken.push(milliseconds(begun.elapsed()));
    }
    taken
}

/// Microsoft, asked without a service.
pub(crate) struct Graph {
    client: reqwest::Client,
    origin: String,
    token: String,
}

impl Graph {
    #[expect(clippy::disallowed_methods, reason = "the limit must not depend on the product's own client")]
    pub(crate) async fn of(microsoft: &Microsoft) -> Self {
        let client = reqwest::Client::new();
        let origin = microsoft.origin().to_owned();
        let asked = client
            .post(format!("{origin}/{}/oauth2/v2.0/token", seed::TENANT_ID))
            .form(&[
                ("client_id", seed::CLIENT_ID),
                ("client_secret", seed::SECRET),
                ("scope", "https://graph.microsoft.com/.default"),
                ("grant_type", "client_credentials"),
            ])
            .send();
        let answer: Value = asked.await.expect("an answer").json().await.expect("JSON");
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        Self { client, origin, token }
    }

    /// Milliseconds of each of so many mails, one after the other.
    pub(crate) async fn asked(&self, count: usize) -> Vec<f64> {
        let mut taken = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            self.sends(0).await;
            taken.push(milliseconds(begun.elapsed()));
        }
        taken
    }

    pub(crate) async fn sends(&self, mailbox_number: usize) {
        let mail = json!({"message": {
            "subject": "An offer",
            "body": {"contentType": "text", "content": "An offer to you. ".repeat(SIZE / 17)},
            "toRecipients": [{"emailAddress": {"address": "ann@customer.example"}}],
        }});
        let url = format!("{}/v1.0/users/{}/sendMail", self.origin, mailbox(mailbox_number));
        let answer =
            self.client.post(url).bearer_auth(&self.token).json(&mail).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 202, "{:?}", answer.text().await);
    }
}
