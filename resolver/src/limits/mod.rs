//! What is answered to whom: the settings of answering that may change while queries come.
//!
//! ```text
//! query ──▶ Gate::answer ──▶ port53_zone::answer::respond ──▶ response, or none
//! ```
//!
//! A [`Gate`] belongs to one UDP thread and shares nothing with others but the settings, which it looks at
//! without a lock.

use arc_swap::{ArcSwap, Cache};
use port53_zone::answer::{self, Asked, Responded, Transport};
use port53_zone::image::Zones;
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// Settings that can be replaced while queries are answered.
#[derive(Clone, Debug, Default)]
pub struct Answering {
    /// What is put into answers.
    pub answer: answer::Settings,
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
}

/// Answers the queries of one UDP thread.
#[derive(Debug)]
pub struct Gate {
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Cache<Shared, Arc<Answering>>,
}

impl Gate {
    /// Answers by what is set in `shared`, also when it changes.
    pub fn new(shared: Shared) -> Self {
        Gate { inner: RefCell::new(Inner { settings: Cache::new(shared) }) }
    }

    /// Answers `query`, which came from `client` at `now` ([`milliseconds`]), into `out`. No allocation, no lock.
    pub fn answer(&self, zones: &Zones, client: IpAddr, now: u64, query: &[u8], out: &mut [u8]) -> Outcome {
        let inner = &mut *self.inner.borrow_mut();
        let settings = inner.settings.load();
        let asked = Asked::new(Transport::Udp, client, now);
        match answer::respond(zones, &settings.answer, &asked, query, out) {
            Some(made) => Outcome::Answered(made),
            None => Outcome::Unanswered,
        }
    }
}

/// Now, in milliseconds since 1970, as [`Asked::now`] is.
pub fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
