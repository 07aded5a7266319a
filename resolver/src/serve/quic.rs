//! QUIC connections, for whatever is spoken on them, and DNS over QUIC (RFC 9250).
//!
//! This is a front of our own on quinn, not hickory-server 0.26: that one awaits a whole handshake before it
//! accepts the next connection, so that one client that begins a handshake and leaves holds up all others;
//! it reads the streams of a connection one after the other; it has no cap on connections and asks nobody
//! for a Retry; a stop aborts what is in flight; and an answer has to go through its message type, which
//! writes other octets than ours. The engine is the same here as for TCP.
//!
//! What bounds a client: the places and patience of [`super::connections`], [`STREAMS`] open at once, of
//! which [`AT_ONCE`] are read and answered at a time while the others wait in the flow control of QUIC, and
//! a time for each step. Under load (half of the places for handshakes taken) an address is proven by a
//! Retry first (RFC 9000 §8.1.2).

use super::connections::Slot;
use super::engine::{HEADER, Handled, MESSAGE};
use super::front::Front;
use super::h3;
use crate::traffic::Closed;
use crate::transfer::{Over, Waiting};
use domain::base::Message;
use domain::base::opt::AllOptData;
use futures::FutureExt;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{ConnectionError, Endpoint, EndpointConfig, Incoming, ReadToEndError, ServerConfig, VarInt};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, unconstrained};
use tokio::time::{sleep, timeout};

/// Streams that a client may have open at once.
pub(super) const STREAMS: u32 = 32;
/// Streams of a connection that are read and answered at a time.
pub(super) const AT_ONCE: usize = 4;
/// The control stream and the two of QPACK that HTTP/3 has (RFC 9114 §6.2), and some that it may grease with.
const STREAMS_ONE_WAY: u32 = 8;
/// Octets of a stream, and of all streams of a connection, that are held before they are read.
const STREAM_WINDOW: u32 = 32 << 10;
const WINDOW: u32 = 128 << 10;
/// Octets in all that are held for connections not yet accepted.
const INCOMING: u64 = 4 << 20;

/// Error codes of RFC 9250 §4.3.
const NO_ERROR: VarInt = VarInt::from_u32(0);
const INTERNAL_ERROR: VarInt = VarInt::from_u32(1);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);
const REQUEST_CANCELLED: VarInt = VarInt::from_u32(3);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);

/// What is spoken on a connection.
#[derive(Clone, Copy)]
pub(super) enum Spoken {
    Dns,
    Http,
}

/// Makes an endpoint of a bound socket.
pub(super) fn endpoint(
    socket: UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    spoken: Spoken,
    front: &Front,
) -> std::io::Result<Endpoint> {
    let tls = QuicServerConfig::try_from(tls).map_err(std::io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config
        .max_incoming(front.limits.handshakes)
        .incoming_buffer_size(u64::from(STREAM_WINDOW))
        .incoming_buffer_size_total(INCOMING);
    let mut transport = quinn::TransportConfig::default();
    let one_way = match spoken {
        Spoken::Dns => 0,
        Spoken::Http => STREAMS_ONE_WAY,
    };
    transport
        .max_concurrent_bidi_streams(STREAMS.into())
        .max_concurrent_uni_streams(one_way.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(WINDOW.into())
        .send_window(u64::from(WINDOW))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(front.limits.idle.try_into().ok());
    config.transport_config(Arc::new(transport));
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(quinn::TokioRuntime))
}

/// Accepts connections until told to stop, then waits for those that are open to end.
pub(super) async fn accept(endpoint: Endpoint, spoken: Spoken, front: Arc<Front>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            // Before those who come, who may be many without end.
            biased;
            () = front.stop.cancelled() => break,
            incoming = endpoint.accept() => match incoming {
                Some(incoming) if front.handshakes.are_many() && incoming.may_retry() => {
                    // What cannot be sent now is sent when the client tries again.
                    let _ = incoming.retry();
                }
                Some(incoming) => {
                    front.opened();
                    let slot = front.handshakes.enter(Some(incoming.remote_address().ip()));
                    open.spawn(serve(incoming, slot, spoken, front.clone()));
                }
                None => break,
            },
            Some(_) = open.join_next() => {}
        }
    }
    // Whoever comes now is refused at once.
    endpoint.set_server_config(None);
    while open.join_next().await.is_some() {}
    endpoint.close(NO_ERROR, b"");
    let _ = timeout(front.limits.goodbye(), endpoint.wait_idle()).await;
}

async fn serve(incoming: Incoming, slot: Slot, spoken: Spoken, front: Arc<Front>) {
    let handshake = async { incoming.accept().ok()?.await.ok() };
    let connection = tokio::select! {
        connection = timeout(front.limits.handshake, handshake) => connection.ok().flatten().ok_or(Closed::Handshake),
        () = slot.evicted() => Err(Closed::Evicted),
        () = front.stop.cancelled() => Err(Closed::Leaving),
    };
    let connection = match connection {
        Ok(connection) => connection,
        Err(reason) => return front.closed(reason),
    };
    drop(slot);
    let slot = front.connections.enter(Some(connection.remote_address().ip()));
    let reason = match spoken {
        Spoken::Dns => serve_dns(&connection, &Arc::new(slot), &front).await,
        Spoken::Http => h3::serve(connection, &Arc::new(slot), &front).await,
    };
    front.closed(reason);
}

/// Why a stream of DNS over QUIC was not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// It ends the connection (RFC 9250 §4.3.3).
    Protocol,
    /// It ends the stream.
    Stream,
}

async fn serve_dns(connection: &quinn::Connection, slot: &Arc<Slot>, front: &Arc<Front>) -> Closed {
    let budget = Arc::new(Semaphore::new(AT_ONCE));
    let mut streams = JoinSet::new();
    loop {
        let mut idle = front.idle();
        if !streams.is_empty() {
            // Streams are given their own time, but do not keep a connection alive that is never useful.
            idle += front.limits.query + front.limits.write;
        }
        tokio::select! {
            // Before the streams of a client, which may be many without end.
            biased;
            () = front.stop.cancelled() => break,
            () = slot.evicted() => {
                connection.close(EXCESSIVE_LOAD, b"");
                return Closed::Evicted;
            }
            stream = connection.accept_bi() => match stream {
                Ok((send, receive)) => {
                    streams.spawn(serve_stream(send, receive, budget.clone(), slot.clone(), front.clone()));
                }
                Err(error) => return ended(&error),
            },
            Some(done) = streams.join_next() => if let Ok(Err(Fault::Protocol)) = done {
                connection.close(PROTOCOL_ERROR, b"");
                return Closed::Malformed;
            },
            () = sleep(idle.saturating_sub(slot.unused())) => if slot.unused() >= idle {
                connection.close(NO_ERROR, b"");
                return Closed::Idle;
            },
        }
    }
    // What has arrived is answered, and its answers have arrived, before the connection ends.
    for _ in 0..STREAMS {
        let Some(Ok((send, receive))) = unconstrained(connection.accept_bi()).now_or_never() else { break };
        streams.spawn(serve_stream(send, receive, budget.clone(), slot.clone(), front.clone()));
    }
    let last = async { while streams.join_next().await.is_some() {} };
    let _ = timeout(front.limits.goodbye(), last).await;
    connection.close(NO_ERROR, b"");
    Closed::Leaving
}

/// Why a connection ended that we did not end.
pub(super) fn ended(error: &ConnectionError) -> Closed {
    match error {
        ConnectionError::ApplicationClosed(_) | ConnectionError::ConnectionClosed(_) => Closed::ByClient,
        ConnectionError::TimedOut => Closed::Idle,
        _ => Closed::Broken,
    }
}

/// Answers one stream: one query, and one response, or those of a transfer (RFC 9250 §4.2).
async fn serve_stream(
    mut send: quinn::SendStream,
    mut receive: quinn::RecvStream,
    budget: Arc<Semaphore>,
    slot: Arc<Slot>,
    front: Arc<Front>,
) -> Result<(), Fault> {
    let Ok(permit) = budget.acquire().await else { return Err(Fault::Stream) };
    let answered = answer(&mut send, &mut receive, &slot, &front).await;
    drop(permit);
    match answered {
        Ok(()) => {
            slot.useful();
            // A connection that is closed takes with it what has not arrived.
            let _ = timeout(front.limits.write, send.stopped()).await;
            Ok(())
        }
        Err((fault, code)) => {
            // A stream that is dropped would end as if an empty response were all of it.
            let _ = (send.reset(code), receive.stop(code));
            Err(fault)
        }
    }
}

async fn answer(
    send: &mut quinn::SendStream,
    receive: &mut quinn::RecvStream,
    slot: &Slot,
    front: &Front,
) -> Result<(), (Fault, VarInt)> {
    let read = timeout(front.limits.query, receive.read_to_end(2 + MESSAGE)).await;
    let octets = read.map_err(|_| (Fault::Stream, EXCESSIVE_LOAD))?.map_err(|error| match error {
        ReadToEndError::TooLong => (Fault::Protocol, PROTOCOL_ERROR),
        ReadToEndError::Read(_) => (Fault::Stream, REQUEST_CANCELLED),
    })?;
    let query = query(&octets).ok_or((Fault::Protocol, PROTOCOL_ERROR))?;
    match front.engine.answer(slot.client(), Over::Stream, query, None, framed) {
        Handled::Nothing => return Err((Fault::Stream, PROTOCOL_ERROR)),
        Handled::Response(response) => write(send, &response, front).await?,
        Handled::Transfer(waiting) => transfer(send, waiting, slot, front).await?,
        Handled::Forwarded(forwarded) => match front.engine.forwarded(forwarded).await {
            Some(response) => write(send, &framed(&response), front).await?,
            None => return Err((Fault::Stream, PROTOCOL_ERROR)),
        },
    }
    send.finish().map_err(|_| {
        front.engine.send_failed();
        (Fault::Stream, EXCESSIVE_LOAD)
    })
}

/// Sends the messages of a transfer one after another on its stream (RFC 9250 §4.2), each when the client has
/// taken the one before.
async fn transfer(
    send: &mut quinn::SendStream,
    waiting: Box<Waiting>,
    slot: &Slot,
    front: &Front,
) -> Result<(), (Fault, VarInt)> {
    let begun = Instant::now();
    let mut transfer = front.engine.start(waiting).await;
    let sending = Instant::now();
    let (mut message, mut sent) = (Vec::new(), 0);
    while transfer.next_into(&mut message) {
        sent += message.len();
        write(send, &message, front).await?;
        message.clear();
        slot.useful();
        if front.limits.is_too_slow(sending.elapsed(), sent) {
            return Err((Fault::Stream, EXCESSIVE_LOAD));
        }
    }
    front.engine.sent(transfer, begun).ok_or((Fault::Stream, INTERNAL_ERROR))
}

async fn write(send: &mut quinn::SendStream, octets: &[u8], front: &Front) -> Result<(), (Fault, VarInt)> {
    match timeout(front.limits.write, send.write_all(octets)).await {
        Ok(Ok(())) => Ok(()),
        _ => {
            front.engine.send_failed();
            Err((Fault::Stream, EXCESSIVE_LOAD))
        }
    }
}

/// The query of a whole stream: one message with its length before it, of id 0, and without the keepalive
/// option (RFC 9250 §4.2, §4.2.1, §5.5.2). Anything else is an error of the protocol.
fn query(octets: &[u8]) -> Option<&[u8]> {
    let (length, message) = octets.split_first_chunk::<2>()?;
    let is_right = message.len() == usize::from(u16::from_be_bytes(*length))
        && message.len() >= HEADER
        && message[..2] == [0, 0]
        && !has_keepalive(message);
    is_right.then_some(message)
}

fn has_keepalive(message: &[u8]) -> bool {
    let opt = Message::from_octets(message).ok().and_then(|message| message.opt());
    opt.is_some_and(|opt| {
        let options = opt.opt().iter::<AllOptData<_, _>>();
        options.flatten().any(|option| matches!(option, AllOptData::TcpKeepalive(_)))
    })
}

fn framed(response: &[u8]) -> Vec<u8> {
    // A message has at most 65,535 octets, so its length fits.
    [&(response.len() as u16).to_be_bytes(), response].concat()
}

#[cfg(test)]
mod tests {
    use super::query;

    /// RFC 9250 §4.2: length and message, no more and no less; §4.2.1: id 0.
    #[test]
    fn rfc9250_4_2_a_stream_has_one_query_of_id_0() {
        let message = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        let with = |length: u16, message: &[u8]| [&length.to_be_bytes(), message].concat();
        assert_eq!(query(&with(17, &message)), Some(&message[..]));
        assert_eq!(query(&[]), None);
        assert_eq!(query(&with(16, &message)), None, "an octet more");
        assert_eq!(query(&with(18, &message)), None, "an octet less");
        assert_eq!(query(&with(11, &message[..11])), None, "no header");
        let mut numbered = message;
        numbered[1] = 1;
        assert_eq!(query(&with(17, &numbered)), None, "an id");
        let mut keepalive = message.to_vec();
        keepalive[11] = 1;
        keepalive.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 11, 0, 0]);
        assert_eq!(query(&with(32, &keepalive)), None, "the keepalive option");
    }
}
