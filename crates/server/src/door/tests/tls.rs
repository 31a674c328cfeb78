//! Our certificates, seen by clients that come and go while their files change.

use postrider_domain::limits::HANDSHAKES_MAX;
use postrider_testkit::{Authority, Issued};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};

use super::*;

/// A pair in files, and what to trust.
struct Pair {
    folder: tempfile::TempDir,
    authority: String,
}

impl Pair {
    fn new() -> Self {
        let pair = Self { folder: tempfile::tempdir().unwrap(), authority: String::new() };
        pair.renewed()
    }

    /// Another pair in the same files.
    fn renewed(self) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.folder.path().join("tls.key"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(self.folder.path().join("tls.pem"), made.cert.pem()).unwrap();
        Self { authority: made.cert.pem(), ..self }
    }

    fn files(&self) -> crate::config::Tls {
        let file = |name| Some(self.folder.path().join(name));
        crate::config::Tls {
            certificate_file: file("tls.pem"),
            key_file: file("tls.key"),
            client_ca_file: None,
            clients: Vec::new(),
        }
    }

    /// Speaks TLS and HTTP/2's first words, trusting this pair alone.
    async fn greets(&self, address: std::net::SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        self.greets_showing(address, None).await
    }

    /// The same with a certificate of the client's own.
    async fn greets_showing(
        &self,
        address: std::net::SocketAddr,
        shown: Option<&Issued>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        greets_by(&self.connector(shown, &[&TLS13, &TLS12]), address).await
    }

    /// A client that remembers its sessions.
    fn connector(
        &self,
        shown: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(Issued { certificate, key }) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

async fn greets_by(
    connector: &TlsConnector,
    address: std::net::SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await?;
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
    stream.read_exact(&mut [0; 9]).await?;
    Ok(stream)
}

#[tokio::test]
async fn a_certificate_is_replaced_while_open_connections_go_on() {
    let pair = Pair::new();
    let tls = Certificates::open(&pair.files()).unwrap().unwrap();
    let served = served_with(Some(Arc::clone(&tls))).await;
    let mut before = pair.greets(served.address).await.unwrap();
    assert!(!tls.look().unwrap(), "nothing has changed");
    let old = pair.authority.clone();
    let pair = pair.renewed();
    assert!(pair.greets(served.address).await.is_err(), "not before it is looked at");
    assert!(tls.look().unwrap());
    pair.greets(served.address).await.unwrap();
    let stale = Pair { folder: tempfile::tempdir().unwrap(), authority: old };
    assert!(stale.greets(served.address).await.is_err(), "the old one is no longer shown");
    // A PING is answered on the connection that was open.
    before.write_all(&[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await.unwrap();
    before.read_exact(&mut [0; 9]).await.unwrap();
}

#[tokio::test]
async fn the_authority_of_callers_is_replaced_under_way_too() {
    let (pair, before, after) = (Pair::new(), Authority::named("before"), Authority::named("after"));
    let (old, new) = (before.issues(&["shop.example"]), after.issues(&["shop.example"]));
    let file = pair.folder.path().join("callers.pem");
    std::fs::write(&file, before.pem()).unwrap();
    let files = crate::config::Tls { client_ca_file: Some(file.clone()), ..pair.files() };
    let tls = Certificates::open(&files).unwrap().unwrap();
    let served = served_with(Some(Arc::clone(&tls))).await;
    let mut open = pair.greets_showing(served.address, Some(&old)).await.unwrap();
    assert!(pair.greets_showing(served.address, Some(&new)).await.is_err(), "it is not yet known");
    std::fs::write(&file, after.pem()).unwrap();
    assert!(tls.look().unwrap());
    pair.greets_showing(served.address, Some(&new)).await.unwrap();
    assert!(pair.greets_showing(served.address, Some(&old)).await.is_err(), "it is no longer known");
    open.write_all(&[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await.unwrap();
    open.read_exact(&mut [0; 9]).await.unwrap();
}

#[tokio::test]
async fn a_session_is_resumed_by_nobody_who_would_then_show_no_certificate() {
    let (pair, callers) = (Pair::new(), Authority::named("callers"));
    let file = pair.folder.path().join("callers.pem");
    std::fs::write(&file, callers.pem()).unwrap();
    let with_callers = crate::config::Tls { client_ca_file: Some(file), ..pair.files() };
    let shown = callers.issues(&["shop.example"]);
    for (files, again) in [(pair.files(), HandshakeKind::Resumed), (with_callers, HandshakeKind::Full)] {
        let served = served_with(Certificates::open(&files).unwrap()).await;
        for version in [&TLS12, &TLS13] {
            let connector = pair.connector(Some(&shown), &[version]);
            for expected in [HandshakeKind::Full, again] {
                let stream = greets_by(&connector, served.address).await.unwrap();
                assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected), "{version:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_pair_that_does_not_serve_is_named_and_the_one_before_goes_on() {
    let pair = Pair::new();
    let tls = Certificates::open(&pair.files()).unwrap().unwrap();
    let served = served_with(Some(Arc::clone(&tls))).await;
    std::fs::write(pair.folder.path().join("tls.key"), "half a fi").unwrap();
    let error = tls.look().unwrap_err().to_string();
    assert!(error.starts_with("tls.key_file ") && error.contains("holds no private key"), "{error}");
    pair.greets(served.address).await.unwrap();
    let others = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(pair.folder.path().join("tls.key"), others.signing_key.serialize_pem()).unwrap();
    assert!(tls.look().unwrap_err().to_string().contains("do not serve together"));
    pair.greets(served.address).await.unwrap();
    let missing = crate::config::Tls { key_file: Some("/nowhere/tls.key".into()), ..pair.files() };
    let error = Certificates::open(&missing).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("/nowhere/tls.key cannot be read"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_is_closed_and_one_that_fails_ends_nothing() {
    let pair = Pair::new();
    let served = served_with(Certificates::open(&pair.files()).unwrap()).await;
    let mut garbage = TcpStream::connect(served.address).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _end = garbage.read_to_end(&mut Vec::new()).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    // The beginning of a ClientHello.
    silent.write_all(&[22, 3, 1, 0, 200, 1]).await.unwrap();
    let _end = silent.read_to_end(&mut Vec::new()).await;
    assert_eq!((served.cut("handshake_failed"), served.told("tls_handshakes", "")), (2, 0));
    pair.greets(served.address).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn handshakes_under_way_hold_up_neither_others_nor_the_end() {
    let pair = Pair::new();
    let served = served_with(Certificates::open(&pair.files()).unwrap()).await;
    let mut silent = Vec::new();
    for _ in 0..HANDSHAKES_MAX - 1 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    pair.greets(served.address).await.unwrap();
    assert_eq!(served.told("tls_handshakes", ""), HANDSHAKES_MAX as u64 - 1);
    let begun = Instant::now();
    served.shutdown.cancel();
    let metrics = served.metrics;
    served.ended.await;
    assert!(begun.elapsed() < serve::GRACE);
    while told(&metrics, "grpc", "connections", "") > 0 {
        tokio::task::yield_now().await;
    }
}
