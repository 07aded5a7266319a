//! What is answered to whom: the settings of answering that may change while queries come.
//!
//! ```text
//! query ──▶ Gate::answer ──▶ transfers, port53_zone::answer::respond ──▶ rates ──▶ response, a shorter one, or none
//! ```
//!
//! A [`Gate`] belongs to one UDP thread and shares nothing with others but the settings, which it looks at
//! without a lock. TCP needs none: who completes a handshake is where it says.

mod rates;

pub use rates::{PRIVATE, Rates};

use crate::traffic;
use crate::transfer::{Answered, Over, Single, Transfers};
use arc_swap::{ArcSwap, Cache};
use port53_zone::answer::{self, Asked, Responded, Transport};
use port53_zone::image::{Forward, Zones};
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
    /// Another is to be asked, for who said so ([`Gate::may_forward`]).
    Forwarded(Forward),
    /// There must be none (RFC 8906 §3.2), or it would be of no use.
    Unanswered,
    /// There is none, because its client had too many.
    Limited,
}

/// Answers the queries of one UDP thread.
#[derive(Debug)]
pub struct Gate {
    inner: RefCell<Inner>,
    transfers: Arc<Transfers>,
    counters: Arc<traffic::Worker>,
    may_forward: bool,
}

#[derive(Debug)]
struct Inner {
    settings: Cache<Shared, Arc<Answering>>,
    table: Table,
}

impl Gate {
    /// Answers by what is set in `shared`, also when it changes.
    pub fn new(shared: Shared, transfers: Arc<Transfers>, counters: Arc<traffic::Worker>) -> Self {
        let inner = Inner { settings: Cache::new(shared), table: Table::new() };
        Gate { inner: RefCell::new(inner), transfers, counters, may_forward: false }
    }

    /// The same for who can ask others: [`Outcome::Forwarded`].
    #[must_use]
    pub fn may_forward(self, may_forward: bool) -> Self {
        Gate { may_forward, ..self }
    }

    /// Answers `query`, which came from `client` at `now` ([`milliseconds`]), into `out`, and counts cookies and
    /// what was limited. No allocation and no lock, unless it is signed or asks for a transfer.
    pub fn answer(&self, zones: &Zones, client: IpAddr, now: u64, query: &[u8], out: &mut [u8]) -> Outcome {
        let Inner { settings, table } = &mut *self.inner.borrow_mut();
        let settings = settings.load();
        let mut asked = Asked::new(Transport::Udp, client, now);
        asked.may_forward = self.may_forward;
        let over = Over::Udp(settings.answer.udp_limit);
        // The response, and whether it is shorter for who is limited: what refuses a signature is not.
        let mut respond = |asked: &Asked| {
            let mut can_be_short = false;
            let respond = |single: Single<'_>, out: &mut [u8]| {
                can_be_short = true;
                single.respond(zones, &settings.answer, asked, out)
            };
            match self.transfers.answer(zones, query, client, over, out, respond) {
                Answered::Response(made) => Some((made, can_be_short)),
                // What takes more than one response does not come over UDP.
                Answered::Nothing | Answered::Transfer(_) => None,
            }
        };
        let Some((made, can_be_short)) = respond(&asked) else { return Outcome::Unanswered };
        self.counters.cookie(made.cookie);
        match table.judge(&settings.rates, client, &made, now) {
            Verdict::Send => {
                return match made.forward {
                    None => Outcome::Answered(made),
                    Some(forward) => Outcome::Forwarded(forward),
                };
            }
            Verdict::Slip => {
                asked.is_limited = true;
                let made = match can_be_short {
                    true => respond(&asked).map(|(made, _)| made),
                    false => Some(made).filter(|made| made.len <= query.len()),
                };
                if let Some(made) = made {
                    self.counters.slipped();
                    return Outcome::Answered(made);
                }
            }
            Verdict::Drop => {}
        }
        self.counters.limited();
        Outcome::Limited
    }
}

/// Now, in milliseconds since 1970, as [`Asked::now`] is.
pub fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
