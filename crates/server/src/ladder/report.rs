//! What a test tells, step by step.

use std::time::Duration;

use postrider_domain::{Finding, FindingClass, MessageId};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Shape,
    Directory,
    Credential,
    Permission,
    Send,
}

impl Step {
    const ALL: [Self; 5] = [Self::Shape, Self::Directory, Self::Credential, Self::Permission, Self::Send];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepStatus {
    Passed,
    Warned,
    Failed,
    Skipped,
}

#[derive(Debug)]
pub(crate) struct StepResult {
    pub step: Step,
    pub status: StepStatus,
    pub findings: Vec<Finding>,
    /// Absent where it was skipped.
    pub duration: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub steps: Vec<StepResult>,
    /// The test mail, if one was made.
    pub message: Option<MessageId>,
    /// Whether this very call saw its mail taken. An earlier one tells nothing of the settings as they are now.
    pub proven: bool,
}

/// What a step gives to the next with what it advises, or what is wrong.
pub(super) type Noted<T> = Result<(T, Vec<Finding>), Vec<Finding>>;

impl Report {
    /// Notes a step, and hands on what it gives to the next.
    pub(super) fn step<T>(&mut self, step: Step, started: Instant, result: Noted<T>) -> Option<T> {
        let (value, status, findings) = match result {
            Ok((value, advice)) => {
                let warned = advice.iter().any(|finding| !is_mere_advice(finding));
                (Some(value), if warned { StepStatus::Warned } else { StepStatus::Passed }, advice)
            }
            Err(findings) => (None, StepStatus::Failed, findings),
        };
        self.steps.push(StepResult { step, status, findings, duration: Some(started.elapsed()) });
        value
    }

    /// The steps that were not reached.
    pub(super) fn rest_skipped(mut self) -> Self {
        for step in Step::ALL.into_iter().skip(self.steps.len()) {
            let (status, duration) = (StepStatus::Skipped, None);
            self.steps.push(StepResult { step, status, findings: Vec::new(), duration });
        }
        self
    }

    pub(crate) fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.status != StepStatus::Failed)
    }
}

/// Where to look for the mail is said of every test that passed.
fn is_mere_advice(finding: &Finding) -> bool {
    finding.class == FindingClass::Advice && finding.code == postrider_domain::FindingCode::SentCheckJunk
}
