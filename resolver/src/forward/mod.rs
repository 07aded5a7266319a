//! Forwarding: while a zone moves here from a legacy DNS, a nameserver that is not cut over answers with what legacy
//! says.
//!
//! ```text
//! UDP thread, connection ──a zone with a number──▶ enter ──▶ ask ──▶ legacy
//!                                                    │        │
//!                                       too many     │        ├─▶ client ──▶ shadow: answered here too, compared
//!                                                    └─▶ instead ◀─ not in time
//!                                                         └─▶ last known, or ours ──▶ client
//! ```
//!
//! What is served says which zones forward ([`port53_zone::image::Zones`]), by a number that only this module knows the
//! meaning of. A query for any other zone looks at one field more and pays nothing else. A UDP thread hands a query that
//! is to be forwarded to a task and goes on; the answer goes out by the same socket, from the address that was asked.
//! A change of who answers is one swap of what is served: the next query sees it, those on their way end as they began.
//!
//! What is forwarded, and what is not:
//!
//! | what comes | what is done | why |
//! |---|---|---|
//! | QUERY of class IN for a name in the zone, of any type but those below, ANY too | forwarded, over UDP when it came so, else over TCP | |
//! | the same with a TSIG of a key of ours, or with the EDNS option 65053 | answered here | the operator, and people, ask what this nameserver has |
//! | with a TSIG of another key | BADKEY, as ever | legacy's keys are not ours to speak with |
//! | AXFR, IXFR | as ever: ours, to whom `transfer` allows it | legacy sees our address, to which it may allow more than to the client |
//! | NOTIFY, UPDATE, other opcodes | NOTIMP, as ever | the same |
//! | class CHAOS | answered here | it is about this server |
//! | other classes, meta types, EDNS of another version, malformed | refused here, as ever | |
//! | no cookie where one is demanded, or over the rate limit | answered here, as ever | before anything is forwarded. For the limits a forwarded query counts as an answer by its name, whatever comes of it |
//!
//! | file | what it does |
//! |---|---|
//! | `decide` | who answers for a zone. Pure |
//! | `over`, `fallback` | the override of this resolver, and the command that writes it |
//! | `zones` | the zones with a legacy DNS, by name and number |
//! | `ask`, `exchange`, `server` | questions to legacy: attempts, sockets, and who is not waited for |
//! | `known` | what legacy last said |
//! | `shadow`, `samples` | comparing |
//! | `counts`, `page` | what there is to see |
//!
//! What a message to legacy is made of, and what of its answer the client gets: [`port53_zone::answer::forward`].

mod ask;
mod counts;
mod decide;
mod exchange;
mod fallback;
mod known;
mod over;
mod page;
mod samples;
mod server;
mod shadow;
mod zones;

use counts::Of;
pub use counts::{By, Counts, Instead, LEGACY_BOUNDS, NotCompared};
pub use decide::{Answerer, Because, Decision};
pub use fallback::fall_back;
pub use over::Override;
pub use page::{page, page_of};
pub use samples::Sample;
pub(crate) use zones::Directory;
pub use zones::{View, Zone};

use crate::limits;
use crate::source::Publisher;
use arc_swap::ArcSwap;
use ask::{NoAnswer, ask};
use exchange::Over;
use known::Known;
use port53_crds::Otherwise;
use port53_zone::Rtype;
use port53_zone::answer::compare::What;
use port53_zone::answer::forward::{Answer, Question};
use port53_zone::answer::{self, Asked, Responded, Transport};
use port53_zone::image::{Forward, Zones};
use shadow::{Pair, Shadow};
use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use zones::{Numbered, Said};

/// How often the override is looked at.
const LOOK: Duration = Duration::from_millis(200);
const SERVFAIL: u16 = 2;

/// What may be set about forwarding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Which nameserver of its set this resolver is of.
    pub nameserver: Option<String>,
    /// Questions on their way to legacy at once; each has a socket.
    pub in_flight: usize,
    /// Of them, of one zone.
    pub in_flight_zone: usize,
    /// Octets of what legacy last said that are kept.
    pub known: usize,
    /// What counts when answers are compared.
    pub compare: What,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            nameserver: None,
            in_flight: 512,
            in_flight_zone: 256,
            known: 16 << 20,
            compare: What::default(),
        }
    }
}

/// Who forwards. See the module.
pub struct Forwarder {
    zones: Arc<ArcSwap<Zones>>,
    numbered: Numbered,
    answering: limits::Shared,
    settings: Settings,
    in_flight: AtomicUsize,
    known: Mutex<Known>,
    shadow: Shadow,
    runtime: tokio::runtime::Handle,
}

impl Forwarder {
    /// Forwards what `publisher` has forwarded, with what is set in `answering`. Must be called on a runtime, on which
    /// it asks.
    pub fn start(publisher: &Publisher, answering: limits::Shared, settings: Settings) -> Arc<Self> {
        publisher.set_nameserver(settings.nameserver.clone());
        let zones = publisher.zones();
        Arc::new(Forwarder {
            numbered: publisher.numbered(),
            answering,
            in_flight: AtomicUsize::new(0),
            known: Mutex::new(Known::new(settings.known)),
            shadow: Shadow::start(zones.clone(), settings.compare),
            settings,
            zones,
            runtime: tokio::runtime::Handle::current(),
        })
    }

    /// Questions on their way to legacy.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Octets of what legacy last said.
    pub fn known_octets(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).octets()
    }

    /// Waits until no question is on its way any more, as long as one can take.
    pub(crate) async fn finish(&self) {
        let none = async {
            while self.in_flight() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let longest = Duration::from_millis(port53_crds::GREATEST_LEGACY_TIMEOUT.into());
        let _ = tokio::time::timeout(longest, none).await;
    }

    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// Takes a place for a question of a zone that forwards; none when too many are on their way, or the zone has
    /// ceased to forward meanwhile.
    pub(crate) fn enter(self: &Arc<Self>, forward: Forward) -> Option<Place> {
        let zone = self.zone(forward)?;
        let said = zone.said.load_full()?;
        let takes = |count: &AtomicUsize, most| {
            count.fetch_update(Relaxed, Relaxed, |count| (count < most).then_some(count + 1)).is_ok()
        };
        if !takes(&self.in_flight, self.settings.in_flight) {
            return None;
        }
        if !takes(&zone.in_flight, self.settings.in_flight_zone) {
            self.in_flight.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Place { forwarder: self.clone(), zone, said })
    }

    /// Answers a question for which there is no place, into `out`.
    pub(crate) fn without_place(
        &self,
        forward: Forward,
        asked: &Asked,
        query: &[u8],
        out: &mut [u8],
    ) -> Option<Responded> {
        let none = NoAnswer::because(Instead::Full);
        self.instead(self.zone(forward).as_deref(), None, none, asked, query, out)
    }

    fn zone(&self, forward: Forward) -> Option<Arc<Zone>> {
        self.numbered.load().get(forward.0 as usize).cloned()
    }

    /// Answers what legacy did not, into `out`.
    fn instead(
        &self,
        zone: Option<&Zone>,
        question: Option<&Question>,
        none: NoAnswer,
        asked: &Asked,
        query: &[u8],
        out: &mut [u8],
    ) -> Option<Responded> {
        let settings = self.answering.load();
        let settings = &settings.answer;
        let otherwise = zone.and_then(|zone| Some(zone.said.load().as_ref()?.forwarding.otherwise));
        let count = |question: Option<&Question>, by| {
            if let Some(zone) = zone {
                let of = question.map_or(Of::Other, |question| zone.of(question));
                zone.counts.instead(of, by, none.why);
            }
        };
        if otherwise == Some(Otherwise::LastKnown) {
            let read;
            let question = match question {
                Some(question) => question,
                None => {
                    read = Question::read(settings, asked, query)?;
                    &read
                }
            };
            if let Some(answer) = self.last_known(question) {
                count(Some(question), By::LastKnown);
                return question.respond(settings, asked, query, &answer, out);
            }
        }
        let asked = Asked { may_forward: false, ..*asked };
        let made = answer::respond(&self.zones.load(), settings, &asked, query, out);
        // Who has nothing either passes on what legacy said.
        if let (Some(refusal), Some(question), true) =
            (&none.refusal, question, made.is_none_or(|made| made.rcode == SERVFAIL))
        {
            count(Some(question), By::Legacy);
            return question.respond(settings, &asked, query, refusal, out);
        }
        count(question, By::Port53);
        made
    }

    fn last_known(&self, question: &Question) -> Option<Answer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&question.key(), server::clock())
    }
}

impl Debug for Forwarder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A place among the questions on their way to legacy, for one of them.
pub(crate) struct Place {
    forwarder: Arc<Forwarder>,
    zone: Arc<Zone>,
    said: Arc<Said>,
}

impl Place {
    /// Asks legacy what `query` asks, and writes the response into `out`. `None` when there must be none.
    pub(crate) async fn answer(&self, asked: &Asked, query: &[u8], out: &mut [u8]) -> Option<Responded> {
        let Place { forwarder, zone, said } = self;
        let settings = forwarder.answering.load_full();
        let question = Question::read(&settings.answer, asked, query)?;
        let over = match asked.transport {
            Transport::Udp => Over::Udp,
            Transport::Tcp => Over::Tcp,
        };
        let begun = Instant::now();
        let probe = || Question::of(&zone.apex, Rtype::SOA);
        let answer = match ask(&said.servers, &question, probe, over, said.forwarding.timeout).await {
            Ok(answer) => answer,
            Err(none) => return forwarder.instead(Some(zone), Some(&question), none, asked, query, out),
        };
        zone.counts.by_legacy(zone.of(&question), begun.elapsed());
        let made = question.respond(&settings.answer, asked, query, &answer, out);
        if said.forwarding.otherwise == Otherwise::LastKnown {
            let mut known = forwarder.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.put(question.key(), answer.clone(), server::clock());
        }
        if said.forwarding.compare {
            forwarder.shadow.compare(Pair { zone: zone.clone(), question, legacy: answer });
        }
        made
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.zone.in_flight.fetch_sub(1, Relaxed);
        self.forwarder.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Takes over the override in `cache` whenever it changes, until dropped. What cannot be read changes nothing and is
/// said once.
pub async fn follow_override(publisher: Publisher, cache: PathBuf) {
    let mut wrong = None;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        // A small file, which is mostly not there.
        match Override::read(&cache) {
            Ok(over) => {
                wrong = None;
                publisher.set_override(over);
            }
            Err(why) if wrong.as_ref() != Some(&why) => {
                tracing::error!("the override of forwarding cannot be read and stays as it was: {why}");
                wrong = Some(why);
            }
            Err(_) => {}
        }
    }
}
