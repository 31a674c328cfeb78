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
    /// Whether the API describes itself (grpc.reflection).
    pub reflection: bool,
}

impl Listen {
    /// Whether it does so to whoever asks: whoever reaches a loopback listener has the program at hand.
    pub(crate) fn reflection_needs_no_key(&self) -> bool {
        self.reflection && self.grpc.ip().is_loopback()
    }

    /// The sandbox has a certificate of its own, or none.
    pub(super) fn check(&self, has_tls: bool) -> Result<(), Fault> {
        let listeners = [
            ("listen.grpc", self.grpc, has_tls),
            ("listen.http", self.http, has_tls),
            ("listen.sandbox", self.sandbox, false),
        ];
        match listeners.into_iter().find(|(_, address, is_safe)| !is_safe && !address.ip().is_loopback()) {
            Some((key, ..)) if !self.allow_plaintext => Err(Fault { key, problem: PUBLIC.to_owned() }),
            _ => Ok(()),
        }
    }
}

const PUBLIC: &str = "is no loopback address, and has no TLS: set tls.certificate_file and tls.key_file, use 127.0.0.1 or \
                      [::1], or set listen.allow_plaintext = true behind a proxy that has";

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
