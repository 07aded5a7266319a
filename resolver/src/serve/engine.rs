//! The one way from a message on a stream to its answer, whatever the stream is: answering, the EDNS
//! options of streams, and counting.

use super::options;
use crate::traffic::{self, Traffic, Transport};
use arc_swap::ArcSwap;
use port53_zone::answer::{self, Responded};
use port53_zone::image::Zones;
use std::cell::RefCell;
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

/// Answers for one transport.
pub(super) struct Engine {
    zones: Arc<ArcSwap<Zones>>,
    settings: answer::Settings,
    transport: Transport,
    counters: Arc<traffic::Worker>,
}

impl Engine {
    pub(super) fn new(
        zones: Arc<ArcSwap<Zones>>,
        settings: answer::Settings,
        transport: Transport,
        traffic: &Traffic,
    ) -> Self {
        Engine { zones, settings, transport, counters: traffic.worker(transport) }
    }

    /// Answers `query` and gives the response to `take`. `idle` is what a client that asks for it is told of
    /// how long it may stay without a query. `None` when there must be no response.
    pub(super) fn answer<R>(
        &self,
        query: &[u8],
        idle: impl FnOnce() -> Duration,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        let begun = Instant::now();
        self.counters.received();
        SCRATCH.with_borrow_mut(|scratch| {
            let Some(made) = self.respond(query, scratch) else {
                self.counters.unanswered();
                return None;
            };
            let len = self.add_options(query, made.len, idle, scratch);
            let taken = take(&scratch[..len]);
            self.counters.answered(made.qtype, made.rcode, made.truncated, begun.elapsed());
            Some(taken)
        })
    }

    /// A response could not be sent.
    pub(super) fn send_failed(&self) {
        self.counters.send_failed();
    }

    /// A panic costs one answer.
    fn respond(&self, query: &[u8], out: &mut [u8]) -> Option<Responded> {
        let zones = self.zones.load();
        let respond = || answer::respond(&zones, &self.settings, answer::Transport::Tcp, query, out);
        catch_unwind(AssertUnwindSafe(respond)).unwrap_or_else(|_| {
            self.counters.panicked();
            tracing::error!("answering a query panicked: this is a bug, please report it");
            None
        })
    }

    /// Keepalive is of TCP and TLS only (RFC 7828 §3, RFC 9250 §5.5.2), padding of what is encrypted (RFC 7830 §4).
    fn add_options(
        &self,
        query: &[u8],
        mut len: usize,
        idle: impl FnOnce() -> Duration,
        out: &mut [u8],
    ) -> usize {
        let asked = options::asked(query);
        if asked.keepalive && matches!(self.transport, Transport::Tcp | Transport::Tls) {
            len = options::add_keepalive(out, len, idle());
        }
        if asked.padding && self.transport != Transport::Tcp {
            len = options::add_padding(out, len);
        }
        len
    }
}
