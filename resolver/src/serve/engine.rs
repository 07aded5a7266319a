//! The one way from a message on a stream to its answer, whatever the stream is: what it came with, answering,
//! and counting.

use crate::forward::{Forwarder, Place};
use crate::limits;
use crate::traffic::{self, Traffic, Transport};
use crate::transfer::{Answered, Over, Single, Transfer, Transfers, Waiting};
use arc_swap::ArcSwap;
use port53_zone::answer::{self, Asked, Cookie, Responded};
use port53_zone::image::Zones;
use std::cell::RefCell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The greatest message (RFC 1035 §4.2.2).
pub(super) const MESSAGE: usize = 65_535;
/// The least message: a header.
pub(super) const HEADER: usize = 12;

thread_local! {
    /// Where an answer is written before its size is known.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MESSAGE].into_boxed_slice());
}

/// What became of a query.
pub(super) enum Handled<R> {
    /// There must be no response.
    Nothing,
    /// What was made of its response.
    Response(R),
    /// A zone transfer, which has many responses; where there may be more than one.
    Transfer(Box<Waiting>),
    /// Another is asked: [`Engine::forwarded`].
    Forwarded(Box<Forwarded>),
}

/// A query that is forwarded.
pub(super) struct Forwarded {
    place: Place,
    asked: Asked,
    query: Vec<u8>,
    begun: Instant,
}

/// What became of a response on its way to the client.
enum Entered {
    Made(Responded),
    Forwarded(Box<Forwarded>),
    Nothing,
}

/// Answers for one transport.
pub(super) struct Engine {
    zones: Arc<ArcSwap<Zones>>,
    answering: limits::Shared,
    transfers: Arc<Transfers>,
    transport: Transport,
    counters: Arc<traffic::Worker>,
    forwarder: Option<Arc<Forwarder>>,
}

impl Engine {
    pub(super) fn new(
        zones: Arc<ArcSwap<Zones>>,
        answering: limits::Shared,
        transfers: Arc<Transfers>,
        forwarder: Option<Arc<Forwarder>>,
        transport: Transport,
        traffic: &Traffic,
    ) -> Self {
        let counters = traffic.worker(transport);
        Engine { zones, answering, transfers, transport, counters, forwarder }
    }

    /// Answers `query` of `client`, which may have more than one response as `over` says, and gives the response to `take`. `idle` is what a client that asks for it is told of
    /// how long it may stay without a query, where the transport has such a thing (RFC 7828 §3: TCP and TLS; RFC 9250
    /// §5.5.2: not QUIC).
    pub(super) fn answer<R>(
        &self,
        client: IpAddr,
        over: Over,
        query: &[u8],
        idle: Option<Duration>,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Handled<R> {
        let begun = Instant::now();
        self.counters.received();
        SCRATCH.with_borrow_mut(|scratch| {
            let mut asked = Asked::new(answer::Transport::Tcp, client, limits::milliseconds());
            asked.is_encrypted = self.transport != Transport::Tcp;
            asked.may_forward = self.forwarder.is_some();
            asked.keepalive = idle.and_then(|idle| u16::try_from(idle.as_millis() / 100).ok());
            match self.respond(&asked, over, query, scratch) {
                Answered::Nothing => {
                    self.counters.unanswered();
                    Handled::Nothing
                }
                Answered::Response(made) => {
                    let made = match self.enter(made, begun, &asked, query, scratch) {
                        Entered::Made(made) => made,
                        Entered::Forwarded(forwarded) => return Handled::Forwarded(forwarded),
                        Entered::Nothing => return Handled::Nothing,
                    };
                    let taken = take(&scratch[..made.len]);
                    self.counters.cookie(made.cookie);
                    self.counters.answered(made.qtype, made.rcode, made.truncated, begun.elapsed());
                    Handled::Response(taken)
                }
                Answered::Transfer(waiting) => Handled::Transfer(waiting),
            }
        })
    }

    /// What `made` is for the client: a response, or a place for its query among those that are forwarded.
    fn enter(&self, made: Responded, begun: Instant, asked: &Asked, query: &[u8], out: &mut [u8]) -> Entered {
        let Some((forward, forwarder)) = made.forward.zip(self.forwarder.as_ref()) else {
            return Entered::Made(made);
        };
        self.counters.cookie(made.cookie);
        match forwarder.enter(forward) {
            Some(place) => {
                Entered::Forwarded(Box::new(Forwarded { place, asked: *asked, query: query.to_vec(), begun }))
            }
            None => match forwarder.without_place(forward, asked, query, out) {
                Some(made) => Entered::Made(Responded { cookie: Cookie::None, ..made }),
                None => Entered::Nothing,
            },
        }
    }

    /// The response to a query that is forwarded. `None` when there must be none.
    pub(super) async fn forwarded(&self, forwarded: Box<Forwarded>) -> Option<Vec<u8>> {
        let Forwarded { place, asked, query, begun } = *forwarded;
        let mut out = vec![0; MESSAGE];
        let Some(made) = place.answer(&asked, &query, &mut out).await else {
            self.counters.unanswered();
            return None;
        };
        self.counters.answered(made.qtype, made.rcode, made.truncated, begun.elapsed());
        out.truncate(made.len);
        Some(out)
    }

    /// Starts a transfer when there is a place for it.
    pub(super) async fn start(&self, waiting: Box<Waiting>) -> Transfer {
        waiting.enter(&self.transfers).await
    }

    /// Counts a transfer that was sent from `begun` on. `None` when the client has not everything.
    pub(super) fn sent(&self, transfer: Transfer, begun: Instant) -> Option<()> {
        let (qtype, rcode) = transfer.finish()?;
        self.counters.answered(qtype, rcode, false, begun.elapsed());
        Some(())
    }

    /// A response could not be sent.
    pub(super) fn send_failed(&self) {
        self.counters.send_failed();
    }

    /// A panic costs one answer.
    fn respond(&self, asked: &Asked, over: Over, query: &[u8], out: &mut [u8]) -> Answered {
        let (zones, answering) = (self.zones.load(), self.answering.load());
        let respond =
            |single: Single<'_>, out: &mut [u8]| single.respond(&zones, &answering.answer, asked, out);
        let answer = || self.transfers.answer(&zones, query, asked.client, over, out, respond);
        catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| {
            self.counters.panicked();
            tracing::error!("answering a query panicked: this is a bug, please report it");
            Answered::Nothing
        })
    }
}
