//! `postrider settings test`: the ladder, one line a step as it ends, and under it what was found and what to do.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use postrider_proto::v1::watch_settings_test_response::Event;
use postrider_proto::v1::{
    FindingClass, Settings, TestLevel, TestSettingsRequest, TestSettingsResponse, TestStatus, TestStep,
    TestStepResult, WatchSettingsTestRequest,
};

use super::candidate::SettingsFlags;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::screen::{Colour, Output, Screen, add, json, plain, say};
use crate::cli::{finding, time, words};

/// Four calls to Microsoft and a test mail through its lane.
pub(super) const DEADLINE: Duration = Duration::from_mins(3);

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    reseller: String,
    /// Who gets the test mail [default: the sender mailbox itself].
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// How far to go: up to an access token, or up to a test mail [default: send].
    #[arg(long, ignore_case = true, value_parser = words::one_of(words::LEVELS))]
    level: Option<TestLevel>,
    /// Settings to try without saving them; what is not given is as saved.
    #[command(flatten)]
    flags: SettingsFlags,
}

pub(super) async fn run(arguments: TestArguments, client: &Client, screen: &Screen) -> Result<(), Failure> {
    let TestArguments { reseller, recipient, level, flags } = arguments;
    let request = TestSettingsRequest {
        candidate: candidate(flags, &reseller, client).await?,
        reseller,
        level: level.unwrap_or_default().into(),
        recipient: recipient.unwrap_or_default(),
        request_id: String::new(),
    };
    let response = match screen.output() {
        Output::Text => {
            let watched = tokio::time::timeout(DEADLINE, watched(request, client, screen)).await;
            let response = watched.map_err(|_| anyhow!("the test did not end within {DEADLINE:?}"))??;
            say(&ending(&response))?;
            response
        }
        Output::Json => {
            let response = client.settings(DEADLINE).test_settings(request).await;
            let response = response.map_err(|status| client.refused(&status))?.into_inner();
            say(&json("postrider.v1.TestSettingsResponse", &response)?)?;
            response
        }
    };
    if response.passed { Ok(()) } else { Err(Failure::Answered) }
}

/// Shows each step as it ends, and on a terminal which one is under way.
async fn watched(
    request: TestSettingsRequest,
    client: &Client,
    screen: &Screen,
) -> Result<TestSettingsResponse, Failure> {
    let TestSettingsRequest { reseller, candidate, level, recipient, request_id } = request;
    let request = WatchSettingsTestRequest { reseller, candidate, level, recipient, request_id };
    let events = client.settings(DEADLINE).watch_settings_test(request).await;
    let mut events = events.map_err(|status| client.refused(&status))?.into_inner();
    while let Some(told) = events.message().await.map_err(|status| client.refused(&status))? {
        match told.event {
            Some(Event::Began(name)) => screen.meanwhile(&under_way(name, screen))?,
            Some(Event::Ended(result)) => say(&screen.in_its_place(&step(&result, screen)))?,
            Some(Event::Result(response)) => return Ok(response),
            // One that is new since this program was built.
            None => {}
        }
    }
    Err(Failure::Failed(anyhow!("the service ended the test without its result")))
}

fn under_way(name: i32, screen: &Screen) -> String {
    let name = TestStep::try_from(name).unwrap_or_default();
    let name = words::short(name.as_str_name(), "TEST_STEP_");
    format!("{} {name:<10}  under way", screen.paint(Colour::Faint, "…"))
}

/// The saved settings with the flags over them; none without flags.
async fn candidate(
    flags: SettingsFlags,
    reseller: &str,
    client: &Client,
) -> Result<Option<Settings>, Failure> {
    if flags.is_empty() {
        return Ok(None);
    }
    let read = super::read(reseller, client).await;
    let saved = match read {
        Ok(saved) => saved,
        // Why: a key with the scope `test` alone may try whole settings without seeing the saved ones.
        Err(status) if flags.is_whole() && super::has_reason(&status, "ACCESS_DENIED") => None,
        Err(status) => return Err(client.refused(&status)),
    };
    let blank = || Settings { reseller: reseller.to_owned(), ..Settings::default() };
    flags.merge(saved.unwrap_or_else(blank)).map(Some)
}

pub(super) fn text(response: &TestSettingsResponse, screen: &Screen) -> String {
    let steps: String = response.steps.iter().map(|result| step(result, screen)).collect();
    steps + &ending(response)
}

fn ending(response: &TestSettingsResponse) -> String {
    let mut text = String::new();
    if !response.message_id.is_empty() {
        add(&mut text, format_args!("test mail: {}\n", plain(&response.message_id)));
    }
    text + if response.passed { "passed\n" } else { "not passed\n" }
}

fn step(result: &TestStepResult, screen: &Screen) -> String {
    let mark = match result.status() {
        TestStatus::Passed => screen.paint(Colour::Green, "✔"),
        TestStatus::Warned => screen.paint(Colour::Yellow, "!"),
        TestStatus::Failed => screen.paint(Colour::Red, "✘"),
        TestStatus::Skipped | TestStatus::Unspecified => screen.paint(Colour::Faint, "–"),
    };
    let name = words::short(result.name().as_str_name(), "TEST_STEP_");
    let took = match &result.duration {
        Some(span) if result.status() != TestStatus::Skipped => time::took(span),
        _ => "skipped".to_owned(),
    };
    let findings = result.findings.iter().map(|found| match found.class() {
        FindingClass::Advice => finding::short(found, "    ", screen),
        _ => finding::text(found, "    ", screen),
    });
    let line = format!("{mark} {name:<10}  {took:<8}  {}", plain(&result.detail));
    format!("{}\n{}", line.trim_end(), findings.collect::<String>())
}

#[cfg(test)]
mod tests {
    use postrider_proto::v1::Finding;

    use super::*;

    fn result(name: TestStep, status: TestStatus, milliseconds: Option<i32>) -> TestStepResult {
        let duration = milliseconds
            .map(|milliseconds| prost_types::Duration { seconds: 0, nanos: milliseconds * 1_000_000 });
        let detail = String::new();
        TestStepResult { name: name.into(), status: status.into(), findings: Vec::new(), duration, detail }
    }

    #[test]
    fn the_ladder_shows_each_step_and_under_it_what_was_found() {
        let finding = Finding {
            code: "SECRET_IS_ID".to_owned(),
            class: FindingClass::Settings.into(),
            title: "The secret's ID was entered".to_owned(),
            mend: "Enter the secret's Value.".to_owned(),
            ..Finding::default()
        };
        let mut failed = result(TestStep::Credential, TestStatus::Failed, Some(213));
        failed.findings.push(finding);
        failed.detail = "asked for an access token".to_owned();
        let response = TestSettingsResponse {
            passed: false,
            steps: vec![
                result(TestStep::Shape, TestStatus::Passed, Some(0)),
                result(TestStep::Directory, TestStatus::Passed, Some(80)),
                failed,
                TestStepResult {
                    detail: "not tried: CREDENTIAL failed".to_owned(),
                    ..result(TestStep::Permission, TestStatus::Skipped, None)
                },
                result(TestStep::Send, TestStatus::Skipped, Some(0)),
            ],
            message_id: String::new(),
        };
        insta::assert_snapshot!(text(&response, &Screen::piped()), @r"
        ✔ SHAPE       0 ms
        ✔ DIRECTORY   80 ms
        ✘ CREDENTIAL  213 ms    asked for an access token
            SECRET_IS_ID: The secret's ID was entered
            What to do
              Enter the secret's Value.
        – PERMISSION  skipped   not tried: CREDENTIAL failed
        – SEND        skipped
        not passed
        ");
    }
}
