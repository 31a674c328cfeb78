//! What is told to those who watch over the service.

use serde::Deserialize;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Whether metrics tell whose they are.
    pub reseller_labels: bool,
}
