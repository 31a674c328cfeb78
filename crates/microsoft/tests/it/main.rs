//! Entra and Graph as a caller of this crate meets them, over real sockets.

#![expect(clippy::expect_used, reason = "a test's helper fails the test")]

mod classify;
mod draft;
mod fuzz;
mod identity;
mod support;
mod wire;
