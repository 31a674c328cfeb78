//! Spans that are for traces: the target under which they are made, whichever crate makes them.

/// Logs do not show these spans, and traces show no others. What is in one may leave the house: names, ids and codes; no
/// address, no subject, no secret.
pub const TRACE: &str = "postrider_trace";
