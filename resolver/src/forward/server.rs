//! One address of a legacy DNS: whether it is worth waiting for.
//!
//! ```text
//! in use ──FAILURES in a row──▶ given up ──any answer──▶ in use
//!                                 │  ▲
//!                                 └──┴ one question each PROBE, for which no client waits: the SOA of a zone
//! ```
//!
//! Who failed several times in a row is not waited for in full with each question, or every client would pay the whole
//! timeout. It is asked now and then beside what is answered otherwise, and one answer brings it back.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Failures in a row after which an address is given up.
const FAILURES: u32 = 5;
/// Milliseconds between two questions to an address that is given up.
const PROBE: u64 = 1_000;
/// Milliseconds for which an address is asked without EDNS that did not know it.
const WITHOUT_EDNS: u64 = 600_000;

/// Milliseconds since this process began to count them, never 0.
pub(super) fn clock() -> u64 {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// An address, shared by all zones that forward to it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Failures in a row.
    failures: AtomicU32,
    /// When it may be asked next, once it is given up.
    next_probe: AtomicU64,
    without_edns_until: AtomicU64,
}

/// Whether a server may be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Use {
    Yes,
    /// It is given up, and its turn to show that it is back. For the one who is told so.
    Probe,
    No,
}

impl Server {
    pub(super) fn new(address: SocketAddr) -> Self {
        Server {
            address,
            failures: AtomicU32::new(0),
            next_probe: AtomicU64::new(0),
            without_edns_until: AtomicU64::new(0),
        }
    }

    /// Whether it may be asked at `now` ([`clock`]).
    pub(super) fn may_be_asked(&self, now: u64) -> Use {
        if !self.is_given_up() {
            return Use::Yes;
        }
        let due = self.next_probe.load(Relaxed);
        let takes = || self.next_probe.compare_exchange(due, now + PROBE, Relaxed, Relaxed).is_ok();
        if now >= due && takes() { Use::Probe } else { Use::No }
    }

    /// It did not answer.
    pub(super) fn failed(&self, now: u64) {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if failures == FAILURES {
            self.next_probe.store(now + PROBE, Relaxed);
            tracing::warn!(legacy = %self.address, "does not answer: it is asked once a second, and not waited for");
        }
    }

    /// It did.
    pub(super) fn answered(&self) {
        if self.is_given_up() {
            tracing::info!(legacy = %self.address, "answers again");
        }
        if self.failures.load(Relaxed) > 0 {
            self.failures.store(0, Relaxed);
        }
    }

    /// Whether it is not waited for.
    pub(super) fn is_given_up(&self) -> bool {
        self.failures.load(Relaxed) >= FAILURES
    }

    /// It does not know EDNS (RFC 6891 §7).
    pub(super) fn knows_no_edns(&self, now: u64) {
        self.without_edns_until.store(now + WITHOUT_EDNS, Relaxed);
    }

    /// Whether it may be asked with EDNS.
    pub(super) fn may_have_edns(&self, now: u64) -> bool {
        now >= self.without_edns_until.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server::new("192.0.2.53:53".parse().expect("an address"))
    }

    #[test]
    fn who_fails_in_a_row_is_asked_once_a_second_until_it_answers() {
        let server = server();
        for _ in 1..FAILURES {
            server.failed(10);
            assert_eq!(server.may_be_asked(10), Use::Yes);
        }
        server.failed(10);
        assert_eq!(server.may_be_asked(10), Use::No);
        assert_eq!(server.may_be_asked(9 + PROBE), Use::No);
        assert_eq!(server.may_be_asked(10 + PROBE), Use::Probe);
        assert_eq!(server.may_be_asked(10 + PROBE), Use::No, "one of them");
        server.failed(11 + PROBE);
        assert_eq!(server.may_be_asked(10 + 2 * PROBE), Use::Probe, "further failures put nothing off");
        server.answered();
        assert_eq!(server.may_be_asked(10 + 2 * PROBE), Use::Yes);
        server.failed(20);
        assert_eq!(server.may_be_asked(20), Use::Yes, "it counts anew");
    }

    #[test]
    fn what_fails_now_and_then_is_not_given_up() {
        let server = server();
        for _ in 0..10 * FAILURES {
            server.failed(10);
            server.answered();
        }
        assert!(!server.is_given_up());
    }

    #[test]
    fn it_is_tried_with_edns_again_after_a_while() {
        let server = server();
        assert!(server.may_have_edns(1));
        server.knows_no_edns(5);
        assert!(!server.may_have_edns(4 + WITHOUT_EDNS) && server.may_have_edns(5 + WITHOUT_EDNS));
    }
}
