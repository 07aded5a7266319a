//! Connections to a legacy server over TCP: messages with their length before (RFC 1035 §4.2.2), each waited for so long
//! and no longer.

use crate::message::{Asked, Message};
use crate::trouble::{Attempt, Step, Trouble, Wrong};
use domain::base::iana::Rcode;
use port53_secondaries::keys::Key;
use port53_secondaries::now;
use port53_secondaries::tsig::{Answers, Flaw, Signer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection, and what it is for.
pub(crate) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    step: Step,
}

impl Connection {
    /// To the first address that takes one within `wait`.
    ///
    /// # Errors
    /// When none does; each is named.
    pub(crate) async fn open(addresses: &[SocketAddr], wait: Duration, step: Step) -> Result<Self, Trouble> {
        let mut attempts = Vec::new();
        for &address in addresses {
            let why = match timeout(wait, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A query is one segment; nothing is gained by waiting for more. Without it, it only is slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(Connection { stream, address, step });
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no connection within {} s", wait.as_secs_f32()),
            };
            attempts.push(Attempt { address, why });
        }
        Err(Trouble::Unreachable(attempts))
    }

    /// Trouble with who is at the other end.
    pub(crate) fn trouble(&self, wrong: Wrong) -> Trouble {
        Trouble::Server { address: self.address, step: self.step, wrong }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When it is not taken within `wait`. A part of it may have been.
    pub(crate) async fn send(&mut self, message: &[u8], wait: Duration) -> Result<(), Wrong> {
        let framed = [&(message.len() as u16).to_be_bytes()[..], message].concat();
        let sent = timeout(wait, self.stream.write_all(&framed)).await;
        sent.map_err(|_| Wrong::TimedOut(wait))?.map_err(closed)
    }

    /// The next message.
    ///
    /// # Errors
    /// [`Wrong::TimedOut`] when it is not there in whole within `wait`, [`Wrong::Closed`] when it cannot come.
    pub(crate) async fn receive(&mut self, wait: Duration) -> Result<Vec<u8>, Wrong> {
        let read = async {
            let mut message = vec![0; usize::from(self.stream.read_u16().await?)];
            self.stream.read_exact(&mut message).await?;
            Ok(message)
        };
        timeout(wait, read).await.map_err(|_| Wrong::TimedOut(wait))?.map_err(closed)
    }

    /// Sends a query and gives its only answer, whose signature and question were checked, whatever its rcode.
    pub(crate) async fn exchange(
        &mut self,
        query: &[u8],
        key: Option<&Arc<Key>>,
        asked: Asked,
        wait: Duration,
    ) -> Result<Vec<u8>, Wrong> {
        let (signed, mut signatures) = Signatures::sign(query, key)?;
        self.send(&signed, wait).await?;
        let answer = self.receive(wait).await?;
        Message::read(&answer)?.check(query, asked)?;
        signatures.take(&answer)?;
        Ok(answer)
    }
}

/// What is expected of the signatures of answers.
pub(crate) struct Signatures(Option<Answers>);

impl Signatures {
    /// Signs a query when there is a key.
    ///
    /// # Errors
    /// When it has no room for a signature.
    pub(crate) fn sign(query: &[u8], key: Option<&Arc<Key>>) -> Result<(Vec<u8>, Self), Wrong> {
        let mut message = query.to_vec();
        let Some(key) = key else { return Ok((message, Signatures(None))) };
        let mut signer = Signer::of_query(key.clone(), now());
        if !signer.sign(&mut message, now()) {
            return Err(Wrong::Malformed("the query has no room for its signature"));
        }
        Ok((message, Signatures(Some(Answers::to(&signer)))))
    }

    /// Takes the next answer. A refusal may come unsigned: whoever cannot check a signature cannot make one.
    ///
    /// # Errors
    /// When its signature is not right, or it says that ours was not.
    pub(crate) fn take(&mut self, answer: &[u8]) -> Result<(), Wrong> {
        let Some(answers) = &mut self.0 else { return Ok(()) };
        let Err(flaw) = answers.take(answer, now()) else { return Ok(()) };
        let rcode = Message::read(answer)?.rcode();
        Err(match flaw {
            Flaw::Unsigned if rcode != Rcode::NOERROR && rcode != Rcode::NXDOMAIN => {
                Wrong::Refused { rcode, said: Some(flaw) }
            }
            Flaw::Said(_) if rcode != Rcode::NOERROR => Wrong::Refused { rcode, said: Some(flaw) },
            flaw => Wrong::Signature(flaw),
        })
    }

    /// Whether the answers may end here.
    pub(crate) fn may_end(&self) -> bool {
        self.0.as_ref().is_none_or(Answers::may_end)
    }
}

fn closed(error: io::Error) -> Wrong {
    Wrong::Closed(match error.kind() {
        io::ErrorKind::UnexpectedEof => "it was closed".to_owned(),
        _ => error.to_string(),
    })
}
