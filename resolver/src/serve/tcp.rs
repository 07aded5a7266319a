//! Accepting connections over TCP, for whatever is spoken on them.

use super::connections::Slot;
use super::framing;
use super::front::Front;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Pause after the system refused a connection, so that a lack of descriptors is not a busy loop.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until told to stop, then waits for those that are open to end.
pub(super) async fn accept(listener: TcpListener, front: Arc<Front>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    front.opened();
                    // Places are given in the order of arrival, whichever task runs first.
                    let slot = front.connections.enter(Some(peer.ip()));
                    open.spawn(serve(stream, peer, slot, front.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = open.join_next() => {}
            () = front.stop.cancelled() => break,
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, _peer: SocketAddr, slot: Slot, front: Arc<Front>) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let reason = tokio::select! {
        reason = framing::run(stream, &slot, &front) => reason,
        () = slot.evicted() => crate::traffic::Closed::Evicted,
    };
    front.closed(reason);
}
