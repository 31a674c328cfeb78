//! Decides what is sent when. Pure decisions, and a thin loop around them.
//!
//! ```text
//! wake ─▶ lease a due lane ─▶ pace ─▶ token ─▶ submit ─▶ decide ─▶ record ─▶ release
//! ```
//! Microsoft counts concurrency, messages a minute and recipients a day by mailbox, so order, fairness and
//! back-pressure are decided by lane and nowhere else.
//!
//! Rules
//! - Woken, not polled: a lane is looked at when a message is accepted, when its time comes, or when settings change.
//! - One holder drains a lane at a time, under a random token. An attempt is written down before the call to Graph.
//! - A call without an answer is in doubt, never failed and never silently repeated.
//! - A finding of class settings holds the lane. Its messages keep their attempts; one is tried at growing gaps.
//! - An outage of Microsoft's stops all lanes of its cloud, and they come back one by one.
//! - Nothing starts after the lease is no longer trusted: counted from before it was asked for, less a margin.
//!
//! Crash: the lease runs out, the next holder counts the open calls against the mailbox until their deadline, and
//! resolves them as in doubt after it.
//! Knows: the ports in [`ports`], the domain. Does not know: tonic, SQL, HTTP.
//! Read first: `tests/lane.rs` of the simulation.

mod attempt;
mod breaker;
mod crowded_out;
mod dispatcher;
mod lane;
mod lease;
mod memory;
mod order;
mod pace;
pub mod ports;
mod retry;
mod signal;

pub use breaker::{Breaker, Breakers, Pass, Told};
pub use dispatcher::{Dispatcher, Policy, Wakeup};
pub use pace::{Attempt, NotYet, Pace, Paces, Turn};
pub use ports::{Microsoft, Outbox, PortError, Ports, Submission, Tokens};
pub use retry::{backoff, decide, probe_gap};
