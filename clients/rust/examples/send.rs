//! Sends a mail for a reseller, waits until Microsoft took it, and tests the reseller's settings.
//!
//! `POSTRIDER_URL=http://127.0.0.1:50051 POSTRIDER_KEY=pr_… cargo run -p postrider-client --example send [RESELLER [RECIPIENT]]`

use std::time::Duration;

use anyhow::{anyhow, bail};
use postrider_client::v1::{Address, Email, MessageState, SendMailRequest, TestSettingsRequest, WaitFor};
use postrider_client::{Client, Error};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let reseller = arguments.next().unwrap_or_else(|| "acme".to_owned());
    let recipient = arguments.next().unwrap_or_else(|| "ada@example.net".to_owned());
    let client = Client::from_env()?.with_timeout(Duration::from_mins(1));
    let explained = |error: Error| match error.reason.as_str() {
        "SETTINGS_MISSING" => {
            anyhow!("{reseller} has no settings yet: `postrider settings put {reseller} …`")
        }
        _ => error.into(),
    };

    let address = Address { address: recipient, display_name: "Ada".to_owned() };
    let email = Email {
        to: vec![address],
        subject: "Hello from Rust".to_owned(),
        text: "Sent by the Rust client's example.".to_owned(),
        ..Email::default()
    };
    let request = SendMailRequest {
        reseller: reseller.clone(),
        email: Some(email),
        wait_for: WaitFor::Sent.into(),
        ..SendMailRequest::default()
    };
    let message = client.send_mail(request).await.map_err(explained)?.message.unwrap_or_default();
    println!("{} {}", message.message_id, message.state().as_str_name());
    if message.state() != MessageState::Sent {
        let finding = message.finding.unwrap_or_default();
        bail!("not sent: {}\n{}", finding.title, finding.mend);
    }

    let request = TestSettingsRequest { reseller: reseller.clone(), ..TestSettingsRequest::default() };
    let test = client.test_settings(request).await.map_err(explained)?;
    for step in &test.steps {
        println!("{} {}", step.name().as_str_name(), step.status().as_str_name());
        for finding in &step.findings {
            println!("  {}: {}\n  {}", finding.code, finding.title, finding.mend);
        }
    }
    if !test.passed {
        bail!("the settings do not work");
    }
    Ok(())
}
