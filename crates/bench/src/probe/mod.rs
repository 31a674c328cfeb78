//! The limits of this machine, each as little as can be: what the service does beyond them is its cost.

mod disk;
mod service;
mod table;

pub(crate) use disk::{append, commit, milliseconds};
pub(crate) use service::{Probe, serve};
