//! QUIC streams that give at most so many octets, for h3.
//!
//! h3 0.0.8 keeps the octets of a frame until all of it is there, whatever length it announces, on request
//! streams and on control streams. Behind this, that is [`MOST`] octets: no request of ours is larger.

use super::doh;
use super::engine::MESSAGE;
use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::quic::{
    Connection, ConnectionErrorIncoming, OpenStreams, RecvStream, SendStream, StreamErrorIncoming, StreamId,
    WriteBuf,
};
use std::task::{Context, Poll};

/// A message, the header fields before it, and some frames around them.
const MOST: usize = MESSAGE + 2 * doh::HEADERS as usize;

/// Something of QUIC, or a stream with what it may still give.
pub(super) struct Bounded<T> {
    inner: T,
    left: usize,
}

impl<T> Bounded<T> {
    pub(super) fn new(inner: T) -> Self {
        Bounded { inner, left: MOST }
    }
}

impl<T: RecvStream<Buf = Bytes>> RecvStream for Bounded<T> {
    type Buf = Bytes;

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let polled = self.inner.poll_data(context);
        if let Poll::Ready(Ok(Some(octets))) = &polled {
            match self.left.checked_sub(octets.len()) {
                Some(left) => self.left = left,
                None => {
                    self.inner.stop_sending(Code::H3_EXCESSIVE_LOAD.value());
                    return Poll::Ready(Err(StreamErrorIncoming::Unknown("a stream is too long".into())));
                }
            }
        }
        polled
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.inner.stop_sending(error_code);
    }

    fn recv_id(&self) -> StreamId {
        self.inner.recv_id()
    }
}

impl<B: Buf, T: SendStream<B>> SendStream<B> for Bounded<T> {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.inner.poll_ready(context)
    }

    fn send_data<D: Into<WriteBuf<B>>>(&mut self, data: D) -> Result<(), StreamErrorIncoming> {
        self.inner.send_data(data)
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.inner.poll_finish(context)
    }

    fn reset(&mut self, reset_code: u64) {
        self.inner.reset(reset_code);
    }

    fn send_id(&self) -> StreamId {
        self.inner.send_id()
    }
}

impl<B: Buf, T: OpenStreams<B>> OpenStreams<B> for Bounded<T>
where
    T::BidiStream: RecvStream<Buf = Bytes>,
{
    type BidiStream = Bounded<T::BidiStream>;
    type SendStream = T::SendStream;

    fn poll_open_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        self.inner.poll_open_bidi(context).map_ok(Bounded::new)
    }

    fn poll_open_send(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.inner.poll_open_send(context)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.inner.close(code, reason);
    }
}

impl<B: Buf, T: Connection<B>> Connection<B> for Bounded<T>
where
    T::BidiStream: RecvStream<Buf = Bytes>,
    T::RecvStream: RecvStream<Buf = Bytes>,
{
    type RecvStream = Bounded<T::RecvStream>;
    type OpenStreams = Bounded<T::OpenStreams>;

    fn poll_accept_recv(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        self.inner.poll_accept_recv(context).map_ok(Bounded::new)
    }

    fn poll_accept_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        self.inner.poll_accept_bidi(context).map_ok(Bounded::new)
    }

    fn opener(&self) -> Self::OpenStreams {
        Bounded::new(self.inner.opener())
    }
}
