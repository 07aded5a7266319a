//! What is answered to whom: the settings of answering that may change while queries come.
//!
//! ```text
//! query ──▶ Gate::answer ──▶ port53_zone::answer::respond ──▶ rates ──▶ response, a shorter one, or none
//! ```
//!
//! A [`Gate`] belongs to one UDP thread and shares nothing with others but the settings, which it looks at
//! without a lock. TCP needs none: who completes a handshake is where it says.

mod prefix;
mod rates;

pub use prefix::{Prefix, PrefixError};
pub use rates::{PRIVATE, Rates};

use crate::traffic;
use arc_swap::{ArcSwap, Cache};
use port53_zone::answer::{self, Asked, Responded, Transport};
use port53_zone::image::Zones;
use rates::{Table, Verdict};
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// Settings that can be replaced while queries are answered.
#[derive(Clone, Debug, Default)]
pub struct Answering {
    /// What is put into answers.
    pub answer: answer::Settings,
    /// How many of them a client gets.
    pub rates: Rates,
}

/// The settings in use, shared by everything that answers.
pub type Shared = Arc<ArcSwap<Answering>>;

/// What became of a query over UDP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// There is a response.
    Answered(Responded),
    /// There must be none (RFC 8906 §3.2), or it would be of no use.
    Unanswered,
    /// There is none, because its client had too many.
    Limited,
}

/// Answers the queries of one UDP thread.
#[derive(Debug)]
pub struct Gate {
    inner: RefCell<Inner>,
    counters: Arc<traffic::Worker>,
}

#[derive(Debug)]
struct Inner {
    settings: Cache<Shared, Arc<Answering>>,
    table: Table,
}

impl Gate {
    /// Answers by what is set in `shared`, also when it changes.
    pub fn new(shared: Shared, counters: Arc<traffic::Worker>) -> Self {
        Gate { inner: RefCell::new(Inner { settings: Cache::new(shared), table: Table::new() }), counters }
    }

    /// Answers `query`, which came from `client` at `now` ([`milliseconds`]), into `out`, and counts cookies and
    /// what was limited. No allocation, no lock.
    pub fn answer(&self, zones: &Zones, client: IpAddr, now: u64, query: &[u8], out: &mut [u8]) -> Outcome {
        let Inner { settings, table } = &mut *self.inner.borrow_mut();
        let settings = settings.load();
        let mut asked = Asked::new(Transport::Udp, client, now);
        let Some(made) = answer::respond(zones, &settings.answer, &asked, query, out) else {
            return Outcome::Unanswered;
        };
        self.counters.cookie(made.cookie);
        match table.judge(&settings.rates, client, &made, now) {
            Verdict::Send => Outcome::Answered(made),
            Verdict::Drop => {
                self.counters.limited();
                Outcome::Limited
            }
            Verdict::Slip => {
                self.counters.slipped();
                asked.is_limited = true;
                let made = answer::respond(zones, &settings.answer, &asked, query, out);
                made.map_or(Outcome::Unanswered, Outcome::Answered)
            }
        }
    }
}

/// Now, in milliseconds since 1970, as [`Asked::now`] is.
pub fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
