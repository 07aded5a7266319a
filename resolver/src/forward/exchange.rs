//! One question to one address of legacy, and what it says.
//!
//! Each has a socket of its own, so its port is one that the system draws afresh, and an ID that is drawn too; the
//! socket is connected, so what comes from another address is not seen. What comes and is no response to the question
//! is passed over: the answer may still come. A question over UDP goes over UDP, any other over TCP.

use super::server::{Server, clock};
use port53_zone::answer::forward::{Answer, Heard, Question};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Octets of the largest message.
const MESSAGE: usize = 65_535;
/// Octets of the largest message that is asked for over UDP.
const DATAGRAM: usize = 4_096;

/// What a question goes over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    Udp,
    Tcp,
}

/// What a server said.
#[derive(Debug)]
pub(super) enum Said {
    Answer(Answer),
    /// SERVFAIL, REFUSED or NOTAUTH, and no answer.
    Refused(Answer),
}

/// Asks `server`. Takes as long as it takes.
///
/// # Errors
/// When it cannot be reached, or says what is of no use.
pub(super) async fn exchange(server: &Server, question: &Question, over: Over) -> io::Result<Said> {
    let has_edns = question.has_edns() && server.may_have_edns(clock());
    match once(server.address, question, over, has_edns).await? {
        Some(said) => Ok(said),
        None => {
            server.knows_no_edns(clock());
            let said = once(server.address, question, over, false).await?;
            said.ok_or_else(|| io::Error::from(ErrorKind::InvalidData))
        }
    }
}

/// Nothing when the server does not know EDNS.
async fn once(address: SocketAddr, question: &Question, over: Over, edns: bool) -> io::Result<Option<Said>> {
    // Keys that the system drew, and a counter: what one hash shows of them tells nobody the next.
    let id = RandomState::new().build_hasher().finish() as u16;
    let query = question.query(id, edns);
    let hear = |response: &[u8]| match question.hear(id, edns, response) {
        Heard::Foreign => None,
        Heard::Useless => Some(Err(io::Error::from(ErrorKind::InvalidData))),
        Heard::WithoutEdns => Some(Ok(None)),
        Heard::Refused(answer) => Some(Ok(Some(Said::Refused(answer)))),
        Heard::Answer(answer) => Some(Ok(Some(Said::Answer(answer)))),
    };
    match over {
        Over::Udp => {
            let any = match address {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(address).await?;
            socket.send(&query).await?;
            let mut response = vec![0; DATAGRAM];
            loop {
                let len = socket.recv(&mut response).await?;
                if let Some(heard) = hear(&response[..len]) {
                    return heard;
                }
            }
        }
        Over::Tcp => {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            // A question has less than 65,535 octets.
            stream.write_all(&[&(query.len() as u16).to_be_bytes(), &query[..]].concat()).await?;
            let len = stream.read_u16().await?;
            let mut response = vec![0; usize::from(len).min(MESSAGE)];
            stream.read_exact(&mut response).await?;
            // Nothing else was asked on this connection.
            hear(&response).unwrap_or_else(|| Err(ErrorKind::InvalidData.into()))
        }
    }
}
