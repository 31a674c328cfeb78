//! Pages of lists are long reads. Of them no more than half of the connections serve any at a time, so that whoever accepts mail
//! or looks for work finds one free.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Statement;
use crate::StoreError;

/// How long a page waits for those before it.
const WAIT_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Pages(Semaphore);

impl Pages {
    /// For so many connections that read.
    pub(crate) fn among(readers: u32) -> Self {
        Self(Semaphore::new(usize::try_from(readers / 2).unwrap_or(1).max(1)))
    }

    /// What else reads waits for nobody.
    pub(crate) async fn turn(
        &self,
        statement: &Statement,
    ) -> Result<Option<SemaphorePermit<'_>>, StoreError> {
        if !statement.is_page {
            return Ok(None);
        }
        match tokio::time::timeout(WAIT_MAX, self.0.acquire()).await {
            Ok(Ok(turn)) => Ok(Some(turn)),
            _ => Err(StoreError::Overloaded),
        }
    }
}
