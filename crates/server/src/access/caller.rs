//! Who is calling, and what that one may do.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap};
use jiff::Timestamp;
use postrider_domain::ResellerId;
use postrider_store::{AccessKey, Scope};
use tonic::transport::server::TcpConnectInfo;

use crate::status::Refusal;

/// Who is calling, in the extensions of every request that got past the door but those to health and reflection.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) right: Right,
    /// From where, as far as the door knows.
    pub(super) source: Option<IpAddr>,
}

/// What opened the door.
#[derive(Debug, Clone)]
pub(super) enum Right {
    Key(Arc<AccessKey>),
    Granted(Arc<Grant>),
}

/// What a certificate's name or a token gives, without a key of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// As logs and the audit tell it.
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
    /// `None`: all.
    pub(crate) resellers: Option<Vec<ResellerId>>,
    /// When it ends; `None`: with its connection.
    pub(crate) end: Option<Timestamp>,
}

/// The word for all resellers, where resellers are named.
pub(crate) const ALL_RESELLERS: &str = "*";

impl Caller {
    /// A key's id, or the name of a grant.
    pub fn name(&self) -> &str {
        match &self.right {
            Right::Key(key) => key.id.as_str(),
            Right::Granted(grant) => &grant.name,
        }
    }

    pub(crate) fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Whether there is the scope, or `admin`, which holds every scope.
    pub fn has(&self, scope: Scope) -> bool {
        let scopes = match &self.right {
            Right::Key(key) => &key.scopes,
            Right::Granted(grant) => &grant.scopes,
        };
        scopes.iter().any(|&own| own == scope || own == Scope::Admin)
    }

    /// The resellers that the caller is bound to; `None` is all. Lists are filtered by it.
    pub fn resellers(&self) -> Option<&[ResellerId]> {
        match &self.right {
            Right::Key(key) => (!key.resellers.is_empty()).then_some(key.resellers.as_slice()),
            Right::Granted(grant) => grant.resellers.as_deref(),
        }
    }
}

/// A name in a certificate. A URI is no DNS name of the same text: who may sign the one may not sign the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ClientName {
    /// In lower case.
    Dns(String),
    Uri(String),
}

impl ClientName {
    /// As it is written: no DNS name has a colon, and every URI has.
    pub(crate) fn parse(text: &str) -> Self {
        if text.contains(':') { Self::Uri(text.to_owned()) } else { Self::Dns(text.to_ascii_lowercase()) }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Dns(name) | Self::Uri(name)) = self;
        f.write_str(name)
    }
}

/// Those in the certificate that the client of a connection showed, which an authority of the operator's signed.
#[derive(Debug, Clone)]
pub(crate) struct ClientNames {
    pub(crate) names: Arc<[ClientName]>,
    /// When the certificate ends, which its connection may outlive.
    pub(crate) end: Timestamp,
}

/// Why somebody is not let in, and who it is where that was proven: by a key that is revoked or over, or a certificate that has ended.
pub(super) struct TurnedAway {
    pub(super) refusal: Refusal,
    /// Empty: a stranger.
    pub(super) name: String,
}

impl TurnedAway {
    pub(super) fn known(name: &str) -> Self {
        Self { refusal: Refusal::Unauthenticated, name: name.to_owned() }
    }
}

impl<E: Into<Refusal>> From<E> for TurnedAway {
    fn from(error: E) -> Self {
        Self { refusal: error.into(), name: String::new() }
    }
}

/// What a request shows of its caller.
pub(crate) struct Shown {
    /// The value of the header `authorization`; empty where there is none, or more than one.
    pub(super) authorization: Vec<u8>,
    pub(super) names: Option<ClientNames>,
}

impl Shown {
    /// The header is taken out of the request, so that nothing behind can print it.
    pub(crate) fn take(headers: &mut HeaderMap, extensions: &Extensions) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let authorization = match (values.next(), values.next()) {
            (Some(only), None) => only.as_bytes().to_vec(),
            // Why not empty: whoever shows two shows a wrong one, whatever the certificate says.
            (Some(_), Some(_)) => b" ".to_vec(),
            (None, _) => Vec::new(),
        };
        headers.remove(AUTHORIZATION);
        Self { authorization, names: extensions.get().cloned() }
    }
}

/// Whence a request came, where the door says so.
pub(crate) fn source(extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    // A socket for both families tells IPv4 as IPv6's.
    peer.map(|address| address.ip().to_canonical())
}
