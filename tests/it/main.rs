//! Postrider from outside: the built binary over real sockets, one module a promise, one function a sentence of it.
//!
//! Read in this order. (`cfg(test)` tells clippy that the helpers are tests too.)

#[cfg(test)]
mod support;

#[cfg(test)]
mod every_field;

#[cfg(test)]
mod first_mail;

#[cfg(test)]
mod validation;

#[cfg(test)]
mod durable_accept;

#[cfg(test)]
mod check_store;

#[cfg(test)]
mod restored;

#[cfg(test)]
mod recover_access;

#[cfg(test)]
mod full_disk;

#[cfg(test)]
mod idempotency;

#[cfg(test)]
mod batch;

#[cfg(test)]
mod delivery;

#[cfg(test)]
mod large_mail;

#[cfg(test)]
mod scenarios;

#[cfg(test)]
mod watch;

#[cfg(test)]
mod steering;

#[cfg(test)]
mod queue;

#[cfg(test)]
mod replicas;

#[cfg(test)]
mod rolling_restart;

#[cfg(test)]
mod mistakes;

#[cfg(test)]
mod settings;

#[cfg(test)]
mod settings_test;

#[cfg(test)]
mod credentials;

#[cfg(test)]
mod microsoft_clients;

#[cfg(test)]
mod access;

#[cfg(test)]
mod audit;

#[cfg(test)]
mod certificates;

#[cfg(test)]
mod content_at_rest;

#[cfg(test)]
mod oidc;

#[cfg(test)]
mod rates;

#[cfg(test)]
mod tls;

#[cfg(test)]
mod hostile_clients;

#[cfg(test)]
mod secrets;

#[cfg(test)]
mod redaction;

#[cfg(test)]
mod egress;

#[cfg(test)]
mod vault;

#[cfg(test)]
mod rotation;

#[cfg(test)]
mod credential_commands;

#[cfg(test)]
mod tokens;

#[cfg(test)]
mod start;

#[cfg(test)]
mod command_line;

#[cfg(test)]
mod documents;

#[cfg(test)]
mod health;

#[cfg(test)]
mod metrics;

#[cfg(test)]
mod traces;

#[cfg(test)]
mod json;

#[cfg(test)]
mod grpc_web;

#[cfg(test)]
mod logging;
