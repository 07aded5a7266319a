//! Accepting connections over TCP, for whatever is spoken on them: DNS, DNS in TLS, HTTPS.
//!
//! What comes before the first query (the PROXY header, the handshake of TLS) has a time and places of its
//! own: when those are taken, the handshake that was begun first goes. So handshakes begun and left cost
//! neither a connection that is served nor a client that is quick.

use super::connections::Slot;
use super::front::Front;
use super::tls::DOT;
use super::{framing, https, proxy};
use crate::traffic::{Closed, Transport};
use crate::transfer::Over;
use futures::FutureExt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, unconstrained};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Pause after the system refused a connection, so that a lack of descriptors is not a busy loop.
const PAUSE: Duration = Duration::from_millis(50);
/// Connections that came before the end and are still accepted: as many as wait at most.
const LAST: usize = 1024;

/// Accepts connections until told to stop, then waits for those that are open to end.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, front: Arc<Front>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            // Before those who come, who may be many without end.
            biased;
            () = front.stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(stream, peer, &tls, &front, &mut open),
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = open.join_next() => {}
        }
    }
    // Who came before has asked perhaps.
    for _ in 0..LAST {
        let Some(Ok((stream, peer))) = unconstrained(listener.accept()).now_or_never() else { break };
        admit(stream, peer, &tls, &front, &mut open);
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Gives a connection its place. Places are given in the order of arrival, whichever task runs first.
fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    tls: &Option<TlsAcceptor>,
    front: &Arc<Front>,
    open: &mut JoinSet<()>,
) {
    front.opened();
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let is_proxy = front.is_proxy(peer.ip());
    if tls.is_none() && !is_proxy {
        let slot = front.connections.enter(Some(peer.ip()));
        open.spawn(serve(Stream::Plain(stream), slot, front.clone()));
    } else {
        let slot = front.handshakes.enter((!is_proxy).then_some(peer.ip()));
        open.spawn(greet(stream, peer, slot, tls.clone(), front.clone()));
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Does what comes before the first query, in time, and then serves.
async fn greet(stream: TcpStream, peer: SocketAddr, slot: Slot, tls: Option<TlsAcceptor>, front: Arc<Front>) {
    let greeted = tokio::select! {
        greeted = timeout(front.limits.handshake, client_and_stream(stream, peer, tls, &front)) => {
            greeted.ok().flatten().ok_or(Closed::Handshake)
        }
        () = slot.evicted() => Err(Closed::Evicted),
        () = front.stop.cancelled() => Err(Closed::Leaving),
    };
    drop(slot);
    match greeted {
        Ok((client, stream)) => {
            let slot = front.connections.enter(Some(client));
            serve(stream, slot, front).await;
        }
        Err(reason) => front.closed(reason),
    }
}

async fn client_and_stream(
    mut stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    front: &Front,
) -> Option<(IpAddr, Stream)> {
    let mut client = peer.ip();
    if front.is_proxy(peer.ip()) {
        client = proxy::take(&mut stream).await?.client.map_or(client, |client| client.ip());
    }
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => Stream::Tls(Box::new(tls.accept(stream).await.ok()?)),
    };
    Some((client, stream))
}

/// RFC 9103 §7.1, §8: transfers over TLS need version 1.3, and a client that says that it speaks DNS.
fn over_tls(stream: &TlsStream<TcpStream>) -> Over {
    let (_, session) = stream.get_ref();
    let is_new = session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
    match is_new && session.alpn_protocol() == Some(DOT) {
        true => Over::Stream,
        false => Over::Request,
    }
}

async fn serve(stream: Stream, slot: Slot, front: Arc<Front>) {
    let reason = match (stream, front.transport) {
        (Stream::Tls(stream), Transport::Https) => https::serve(stream, slot, &front).await,
        (Stream::Tls(stream), _) => {
            let over = over_tls(&stream);
            framing::serve(stream, over, &slot, &front).await
        }
        (Stream::Plain(stream), _) => framing::serve(stream, Over::Stream, &slot, &front).await,
    };
    front.closed(reason);
}
