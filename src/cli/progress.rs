//! How much of a large call has left, shown on a terminal while it goes.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::net::TcpStream;
use tokio_util::io::InspectWriter;
use tonic::transport::{Channel, Endpoint, Error, Uri};

/// Less than this is gone before anybody looks.
const LARGE: u64 = 1 << 20;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Bytes that have left over a connection.
#[derive(Clone, Default)]
pub(crate) struct Sent(Arc<AtomicU64>);

impl Sent {
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Connects so that what leaves is counted.
    pub(crate) async fn connect(&self, endpoint: &Endpoint) -> Result<Channel, Error> {
        let sent = Arc::clone(&self.0);
        let connector = tower::service_fn(move |uri: Uri| {
            let sent = Arc::clone(&sent);
            async move {
                let stream = TcpStream::connect(address(&uri)).await?;
                stream.set_nodelay(true)?;
                let count = move |bytes: &[u8]| {
                    sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                };
                Ok::<_, io::Error>(TokioIo::new(InspectWriter::new(stream, count)))
            }
        });
        endpoint.connect_with_connector(connector).await
    }

    /// Shows how much of a call of so many bytes has left, then that it is waited for.
    pub(crate) async fn shown<T>(
        &self,
        size: usize,
        waits_for: &'static str,
        call: impl Future<Output = T>,
    ) -> T {
        let size = size as u64;
        if size < LARGE || !io::stderr().is_terminal() {
            return call.await;
        }
        let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
        bar.set_style(style());
        let before = self.bytes();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        tokio::pin!(call);
        loop {
            tokio::select! {
                biased;
                answer = &mut call => {
                    bar.finish_and_clear();
                    return answer;
                }
                _ = ticks.tick() => {
                    let left = (self.bytes() - before).min(size);
                    bar.set_position(left);
                    bar.set_message(if left < size { "on its way" } else { waits_for });
                }
            }
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn address(uri: &Uri) -> (String, u16) {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    (host, uri.port_u16().unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_where_to_connect() {
        let of = |url: &str| address(&url.parse().expect("a URL"));
        assert_eq!(of("http://127.0.0.1:50051"), ("127.0.0.1".to_owned(), 50_051));
        assert_eq!(of("https://postrider.example"), ("postrider.example".to_owned(), 443));
        assert_eq!(of("http://[::1]:1"), ("::1".to_owned(), 1));
    }
}
