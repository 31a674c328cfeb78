//! Where Postrider listens.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, de};

use super::Fault;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    #[serde(deserialize_with = "address")]
    pub grpc: SocketAddr,
    #[serde(deserialize_with = "address")]
    pub http: SocketAddr,
    #[serde(deserialize_with = "address")]
    pub sandbox: SocketAddr,
    /// A listener of their own for metrics and probes. Neither keys nor mail cross it.
    #[serde(deserialize_with = "optional_address")]
    pub metrics: Option<SocketAddr>,
    /// Whether plaintext may leave the machine.
    pub allow_plaintext: bool,
}

impl Listen {
    pub(super) fn check(&self) -> Result<(), Fault> {
        let listeners =
            [("listen.grpc", self.grpc), ("listen.http", self.http), ("listen.sandbox", self.sandbox)];
        match listeners.into_iter().find(|(_, address)| !address.ip().is_loopback()) {
            Some((key, _)) if !self.allow_plaintext => Err(Fault { key, problem: PUBLIC.to_owned() }),
            _ => Ok(()),
        }
    }
}

const PUBLIC: &str = "is no loopback address, and this version has no TLS: use 127.0.0.1 or [::1], \
                      or set listen.allow_plaintext = true behind a proxy that has";

/// Empty: none.
fn optional_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Ok(None) } else { parse(&text).map(Some) }
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    parse(&String::deserialize(from)?)
}

fn parse<E: de::Error>(text: &str) -> Result<SocketAddr, E> {
    text.parse().map_err(|_| E::custom("must be an IP address and a port, such as 127.0.0.1:50051"))
}
