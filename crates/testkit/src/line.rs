//! A line between a client and a server, whatever they speak: it can be cut, also at a word.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// On which side of the server's answer the line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server does not hear the word.
    Before,
    /// The server has answered, and the client does not hear it.
    After,
}

/// A proxy for one server. Cheap to clone; it serves as long as the test runs.
#[derive(Debug, Clone)]
pub struct Line {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The next client that says the word is cut off.
    at: Mutex<Option<(Cut, &'static str)>>,
    cuts: Mutex<usize>,
}

impl Line {
    /// To `host:port`.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (shared, server) = (Arc::new(Shared::default()), server.to_owned());
        let line = Self { address, shared: Arc::clone(&shared) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (shared, server) = (Arc::clone(&shared), server.clone());
                // A connection that breaks ends for both.
                tokio::spawn(async move { drop(shared.pass(client, &server).await) });
            }
        });
        line
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Once: the connection of the next client that says this.
    pub fn cuts(&self, cut: Cut, word: &'static str) {
        *self.shared.at.lock().unwrap() = Some((cut, word));
    }

    /// How often it was cut.
    pub fn times_cut(&self) -> usize {
        *self.shared.cuts.lock().unwrap()
    }
}

impl Shared {
    async fn pass(&self, mut client: TcpStream, server: &str) -> std::io::Result<()> {
        let mut server = TcpStream::connect(server).await?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        let (mut said, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            tokio::select! {
                count = client.read(&mut said) => {
                    let said = &said[..count?];
                    match self.cut_at(said) {
                        _ if said.is_empty() => return Ok(()),
                        Some(Cut::Before) => return Ok(()),
                        Some(Cut::After) => {
                            server.write_all(said).await?;
                            // Whatever it answers, nobody hears it.
                            return server.read(&mut answered).await.map(drop);
                        }
                        None => server.write_all(said).await?,
                    }
                }
                count = server.read(&mut answered) => match count? {
                    0 => return Ok(()),
                    count => client.write_all(&answered[..count]).await?,
                },
            }
        }
    }

    fn cut_at(&self, said: &[u8]) -> Option<Cut> {
        let mut at = self.at.lock().unwrap();
        let (cut, word) = (*at)?;
        let found = said.windows(word.len()).any(|window| window == word.as_bytes());
        found.then(|| {
            *at = None;
            *self.cuts.lock().unwrap() += 1;
            cut
        })
    }
}
