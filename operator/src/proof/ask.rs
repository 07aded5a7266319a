//! Asking a nameserver many questions over one transport.
//!
//! What a question costs is paid by the operator and the nameserver together, so only some are on their way at once.
//! A datagram may be lost, so a question over UDP is asked again, and counts as unanswered after the third time.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use domain::base::MessageBuilder;
use domain::base::iana::{Class, OptionCode};
use futures::StreamExt;
use port53_zone::{Name, Rtype};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::judge::ZONEVERSION;
use super::{Question, encrypted};

/// How long a datagram is waited for, and how often it is sent.
const DATAGRAM: Duration = Duration::from_millis(700);
const ATTEMPTS: usize = 3;
/// Questions over UDP on their way at once.
const AT_ONCE: usize = 8;
/// Over a connection.
const PIPELINED: usize = 64;
/// How long a connection may take, and how long nothing may come over it.
pub(super) const CONNECTION: Duration = Duration::from_secs(3);
/// What fits a datagram that is not fragmented (RFC 9715).
const PAYLOAD: u16 = 1232;
/// More than any answer to such a query.
const LARGEST_DATAGRAM: usize = 4096;

/// How a nameserver is asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// A datagram each way.
    Udp,
    /// A connection (RFC 7766).
    Tcp,
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over QUIC (RFC 9250).
    Quic,
    /// DNS over HTTPS (RFC 8484).
    Https,
}

impl Transport {
    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Quic => "QUIC",
            Transport::Https => "HTTPS",
        }
    }
}

/// What came back: the octets, and how long it took; or why nothing did.
pub type Replied = Result<(Vec<u8>, Duration), String>;

/// Asks all the questions. There is a reply or a reason for each, in their order.
pub async fn all(address: SocketAddr, transport: Transport, questions: &[Question]) -> Vec<Replied> {
    match transport {
        Transport::Udp => over_udp(address, questions, &OURS).await,
        Transport::Tcp => over_tcp(address, questions, &OURS).await,
        Transport::Tls => match encrypted::tls(address).await {
            Ok(stream) => converse(stream, questions, &OURS).await,
            Err(why) => nothing(questions, &why),
        },
        // One message on each stream, so the ID has nothing to tell apart (RFC 9250 §4.2.1, RFC 8484 §4.1).
        Transport::Quic => timed(questions, encrypted::quic(address, &queries(questions)).await),
        Transport::Https => timed(questions, encrypted::https(address, &queries(questions)).await),
    }
}

/// Asks all the questions over UDP, with these options without values.
pub(crate) async fn over_udp(
    address: SocketAddr,
    questions: &[Question],
    options: &[OptionCode],
) -> Vec<Replied> {
    let ask = |question: &Question| {
        let query = message_of(&question.name, question.rtype, fastrand::u16(..), false, options);
        async move { datagram(address, &query).await }
    };
    let asked: Vec<_> = questions.iter().map(ask).collect();
    futures::stream::iter(asked).buffered(AT_ONCE).collect().await
}

/// Asks all the questions over one connection, with these options without values.
pub(crate) async fn over_tcp(
    address: SocketAddr,
    questions: &[Question],
    options: &[OptionCode],
) -> Vec<Replied> {
    match connect(address).await {
        Ok(stream) => converse(stream, questions, options).await,
        Err(why) => nothing(questions, &why),
    }
}

/// What a nameserver of ours is asked with: which version the answer is of, and to answer by itself.
const OURS: [OptionCode; 2] = [ZONEVERSION, ANSWER_HERE];

/// Has a nameserver answer by itself, also for a zone that it forwards to a legacy DNS.
pub(crate) const ANSWER_HERE: OptionCode = OptionCode::from_int(port53_zone::answer::ANSWER_HERE);

/// A query without RD, that asks which version the answer is of.
fn query(question: &Question, id: u16) -> Vec<u8> {
    message_of(&question.name, question.rtype, id, false, &OURS)
}

/// The octets of a query, with an OPT that has these options without values in it.
pub(crate) fn message_of(
    name: &Name,
    rtype: Rtype,
    id: u16,
    is_recursion_desired: bool,
    options: &[OptionCode],
) -> Vec<u8> {
    let mut query = MessageBuilder::new_vec();
    query.header_mut().set_id(id);
    query.header_mut().set_rd(is_recursion_desired);
    let mut query = query.question();
    // A vector takes whatever it is given.
    let _ = query.push((name, rtype, Class::IN));
    let mut query = query.additional();
    let _ = query.opt(|opt| {
        opt.set_udp_payload_size(PAYLOAD);
        options.iter().try_for_each(|option| opt.push_raw_option(*option, 0, |_| Ok(())))
    });
    query.finish()
}

async fn datagram(address: SocketAddr, query: &[u8]) -> Replied {
    let mut last = "does not answer".to_owned();
    for _ in 0..ATTEMPTS {
        let begun = Instant::now();
        match timeout(DATAGRAM, exchange(address, query)).await {
            Ok(Ok(reply)) => return Ok((reply, begun.elapsed())),
            Ok(Err(error)) => last = format!("cannot be asked: {error}"),
            Err(_) => {}
        }
    }
    Err(last)
}

/// Sends a query in a datagram and waits for the answer to it, for as long as the caller likes.
///
/// # Errors
/// When it cannot be sent, or the other side says that nobody listens.
pub(crate) async fn exchange(address: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    // A socket of its own for each: that it is connected, and its port, tell its answer from others.
    let socket = UdpSocket::bind(any_of_family(address)).await?;
    socket.connect(address).await?;
    socket.send(query).await?;
    let mut reply = vec![0; LARGEST_DATAGRAM];
    loop {
        let length = socket.recv(&mut reply).await?;
        if length >= 12 && reply[..2] == query[..2] {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

/// Any address, of the family of another.
pub(super) fn any_of_family(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn queries(questions: &[Question]) -> Vec<Vec<u8>> {
    questions.iter().map(|question| query(question, 0)).collect()
}

fn nothing(questions: &[Question], why: &str) -> Vec<Replied> {
    questions.iter().map(|_| Err(why.to_owned())).collect()
}

fn timed(questions: &[Question], replies: Result<Vec<(Vec<u8>, Duration)>, String>) -> Vec<Replied> {
    match replies {
        Ok(replies) => replies.into_iter().map(Ok).collect(),
        Err(why) => nothing(questions, &why),
    }
}

/// A connection.
///
/// # Errors
/// In words, when there is none.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let stream = match timeout(CONNECTION, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(format!("takes no connection: {error}")),
        Err(_) => return Err("takes no connection".to_owned()),
    };
    // Without it the last of many small messages waits for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Sends a query over a connection of its own and waits for the answer, for as long as the caller likes.
///
/// # Errors
/// In words, when there is none.
pub(crate) async fn exchange_over_tcp(address: SocketAddr, query: &[u8]) -> Result<Vec<u8>, String> {
    let mut stream = connect(address).await?;
    let length = (query.len() as u16).to_be_bytes();
    stream.write_all(&[&length[..], query].concat()).await.map_err(|error| error.to_string())?;
    message(&mut stream).await.map_err(|error| error.to_string())
}

/// All the questions over one connection, without waiting for one answer before the next question.
async fn converse(
    stream: impl AsyncRead + AsyncWrite,
    questions: &[Question],
    options: &[OptionCode],
) -> Vec<Replied> {
    let mut replies = nothing(questions, "does not answer");
    let fail = |replies: &mut [Replied], why: &str| {
        replies.iter_mut().filter(|reply| reply.is_err()).for_each(|reply| *reply = Err(why.to_owned()));
    };
    let (mut from, mut to) = tokio::io::split(stream);
    let first = fastrand::u16(..);
    for (part, replies) in questions.chunks(PIPELINED).zip(replies.chunks_mut(PIPELINED)) {
        let begun = Instant::now();
        let queries: Vec<Vec<u8>> = (0u16..)
            .zip(part)
            .map(|(number, question)| {
                message_of(&question.name, question.rtype, first.wrapping_add(number), false, options)
            })
            .collect();
        let sent = async {
            for query in &queries {
                let length = (query.len() as u16).to_be_bytes();
                if to.write_all(&[&length[..], query].concat()).await.is_err() {
                    // What is read, or not, says it.
                    return;
                }
            }
            let _ = to.flush().await;
        };
        let mut places: HashMap<u16, usize> =
            (0..part.len()).map(|place| (first.wrapping_add(place as u16), place)).collect();
        let read = async {
            while !places.is_empty() {
                let message = match timeout(CONNECTION, message(&mut from)).await {
                    Ok(Ok(message)) => message,
                    Ok(Err(error)) => return Some(format!("ends the connection: {error}")),
                    Err(_) => return Some("does not answer".to_owned()),
                };
                let id = message.first_chunk::<2>().map(|id| u16::from_be_bytes(*id));
                if let Some(place) = id.and_then(|id| places.remove(&id)) {
                    replies[place] = Ok((message, begun.elapsed()));
                }
            }
            None
        };
        let ((), trouble) = futures::join!(sent, read);
        if let Some(why) = trouble {
            fail(replies, &why);
            break;
        }
    }
    replies
}

async fn message(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    from.read_exact(&mut length).await?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    from.read_exact(&mut message).await?;
    Ok(message)
}
