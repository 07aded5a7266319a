//! DNS over HTTPS (RFC 8484) over HTTP/2, on hyper. Over HTTP/3: [`super::h3`].
//!
//! A front of our own for the reasons of [`super::quic`], and because hickory-server 0.26 takes POST over
//! HTTP/2 only: a GET is read as a request without a body.
//!
//! What bounds a client, besides places and patience: [`STREAMS`] requests at once, of which [`AT_ONCE`]
//! are read and answered at a time while the others wait in the flow control of HTTP/2; header fields of
//! 16 KiB; an answer is handed over in pieces as the client takes them. Requests begun and reset at once
//! (CVE-2023-44487, "rapid reset") are limited to twenty that wait, by h2 since 0.3.17; frames of one
//! header block without end by h2 since 0.4.4; resets that the client provokes (CVE-2025-8671) by h2
//! since 0.4.11. Here is 0.4.20 or later, and these limits stay as they are.

use super::connections::Slot;
use super::doh::{self, Ask};
use super::engine::MESSAGE;
use super::front::Front;
use super::quic::{AT_ONCE, STREAMS};
use crate::traffic::Closed;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

const STREAM_WINDOW: u32 = 32 << 10;
const WINDOW: u32 = 128 << 10;
/// Octets that are handed to HTTP/2 at a time.
const PIECE: usize = 4 << 10;

/// What the requests of a connection share.
struct Shared {
    front: Arc<Front>,
    slot: Slot,
    budget: Arc<Semaphore>,
}

/// Serves a connection to its end.
pub(super) async fn serve<S>(stream: S, slot: Slot, front: &Arc<Front>) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::new(Shared { front: front.clone(), slot, budget: Arc::new(Semaphore::new(AT_ONCE)) });
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.respond(request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(doh::HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(PIECE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let reason = loop {
        // A request that is being read is given its time, but keeps no connection that is never useful.
        let idle = front.idle() + front.limits.query;
        tokio::select! {
            ended = connection.as_mut() => return match ended {
                Ok(()) => Closed::ByClient,
                Err(_) => Closed::Broken,
            },
            () = shared.slot.evicted() => return Closed::Evicted,
            () = front.stop.cancelled() => break Closed::Leaving,
            () = sleep(idle.saturating_sub(shared.slot.unused())) => if shared.slot.unused() >= idle {
                break Closed::Idle;
            }
        }
    };
    // Requests in flight are answered first.
    connection.as_mut().graceful_shutdown();
    let _ = timeout(front.limits.goodbye(), connection).await;
    reason
}

impl Shared {
    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        let Ok(permit) = self.budget.clone().acquire_owned().await else {
            return doh::refusal(StatusCode::SERVICE_UNAVAILABLE).map(|()| Answer::empty());
        };
        match self.answer(request).await {
            Ok((response, rest)) => {
                self.slot.useful();
                response.map(|()| Answer { rest, _permit: Some(permit) })
            }
            Err(status) => doh::refusal(status).map(|()| Answer::empty()),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<(Response<()>, Bytes), StatusCode> {
        let (head, body) = request.into_parts();
        match doh::ask(&head)? {
            Ask::Message(message) => doh::answer(&self.front, self.slot.client(), &message).await,
            Ask::Body => {
                let body = Limited::new(body, MESSAGE).collect();
                let body = timeout(self.front.limits.query, body).await;
                let body = body.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
                let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
                doh::answer(&self.front, self.slot.client(), &body.to_bytes()).await
            }
        }
    }
}

/// The body of a response, which holds its place in the budget until it is handed over or the client goes.
struct Answer {
    rest: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Answer {
    fn empty() -> Self {
        Answer { rest: Bytes::new(), _permit: None }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.rest.len().min(PIECE);
        match self.rest.split_to(piece) {
            piece if piece.is_empty() => Poll::Ready(None),
            piece => Poll::Ready(Some(Ok(Frame::data(piece)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
