//! DNS over HTTPS (RFC 8484) over HTTP/3, on h3. The limits are those of [`super::https`].

use super::bounded::Bounded;
use super::connections::Slot;
use super::doh::{self, Ask};
use super::engine::MESSAGE;
use super::front::Front;
use super::quic::{self, AT_ONCE, STREAMS};
use crate::traffic::Closed;
use bytes::{Buf, Bytes};
use futures::FutureExt;
use h3::quic::RecvStream;
use h3::server::{RequestResolver, RequestStream};
use http::StatusCode;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, unconstrained};
use tokio::time::{sleep, timeout};

type Connection = Bounded<h3_quinn::Connection>;

/// Serves a connection to its end.
pub(super) async fn serve(connection: quinn::Connection, slot: &Arc<Slot>, front: &Arc<Front>) -> Closed {
    let transport = Bounded::new(h3_quinn::Connection::new(connection.clone()));
    let mut builder = h3::server::builder();
    builder.max_field_section_size(u64::from(doh::HEADERS));
    let Ok(mut http) = builder.build::<Connection, Bytes>(transport).await else { return Closed::Broken };
    let budget = Arc::new(Semaphore::new(AT_ONCE));
    let mut requests = JoinSet::new();
    let reason = loop {
        let mut idle = front.idle();
        if !requests.is_empty() {
            idle += front.limits.query + front.limits.write;
        }
        tokio::select! {
            // Before the requests of a client, which may be many without end.
            biased;
            () = front.stop.cancelled() => break Closed::Leaving,
            () = slot.evicted() => return Closed::Evicted,
            accepted = http.accept() => match accepted {
                Ok(Some(request)) => {
                    requests.spawn(respond(request, budget.clone(), slot.clone(), front.clone()));
                }
                Ok(None) => return Closed::ByClient,
                Err(_) => return connection.close_reason().map_or(Closed::Malformed, |error| quic::ended(&error)),
            },
            Some(_) = requests.join_next() => {}
            () = sleep(idle.saturating_sub(slot.unused())) => if slot.unused() >= idle {
                break Closed::Idle;
            },
        }
    };
    // What has arrived is answered; the client ends the connection once it has its answers (RFC 9114 §5.2).
    for _ in 0..STREAMS {
        let Some(Ok(Some(request))) = unconstrained(http.accept()).now_or_never() else { break };
        requests.spawn(respond(request, budget.clone(), slot.clone(), front.clone()));
    }
    let last = async {
        let _ = http.shutdown(0).await;
        while requests.join_next().await.is_some() {}
        while let Ok(Some(_)) = http.accept().await {}
        connection.closed().await;
    };
    let _ = timeout(front.limits.goodbye(), last).await;
    reason
}

/// Answers one request. `None` when it ended before.
async fn respond(
    request: RequestResolver<Connection, Bytes>,
    budget: Arc<Semaphore>,
    slot: Arc<Slot>,
    front: Arc<Front>,
) -> Option<()> {
    let _permit = budget.acquire().await.ok()?;
    let (head, mut stream) = timeout(front.limits.query, request.resolve_request()).await.ok()?.ok()?;
    let (head, ()) = head.into_parts();
    let answered = match doh::ask(&head) {
        Ok(Ask::Message(message)) => doh::answer(&front, slot.client(), &message).await,
        Ok(Ask::Body) => match timeout(front.limits.query, read(&mut stream)).await {
            Ok(Ok(body)) => doh::answer(&front, slot.client(), &body).await,
            Ok(Err(status)) => Err(status),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        },
        Err(status) => Err(status),
    };
    if answered.is_ok() {
        slot.useful();
    }
    let (response, body) = answered.unwrap_or_else(|status| (doh::refusal(status), Bytes::new()));
    let write = async {
        stream.send_response(response).await?;
        if !body.is_empty() {
            stream.send_data(body).await?;
        }
        stream.finish().await
    };
    if !matches!(timeout(front.limits.write, write).await, Ok(Ok(()))) {
        front.engine.send_failed();
        stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
        return None;
    }
    Some(())
}

async fn read<S: RecvStream>(stream: &mut RequestStream<S, Bytes>) -> Result<Vec<u8>, StatusCode> {
    let mut body = Vec::new();
    while let Some(mut piece) = stream.recv_data().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        if body.len() + piece.remaining() > MESSAGE {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        while piece.has_remaining() {
            let chunk = piece.chunk();
            body.extend_from_slice(chunk);
            let taken = chunk.len();
            piece.advance(taken);
        }
    }
    Ok(body)
}
