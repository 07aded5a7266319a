//! Shadow: what legacy answered is answered here too, after the client has its answer, and compared.
//!
//! One task takes pairs of question and answer from a queue of [`WAITING`]; when that is full a comparison is left out
//! and counted. What is compared with is what this resolver has when it looks, over TCP, so that it is whole.

use super::counts::NotCompared;
use super::samples::{Sample, TEXT};
use super::zones::Zone;
use arc_swap::ArcSwap;
use port53_zone::answer::compare::{self, Compared, What};
use port53_zone::answer::forward::{Answer, Question};
use port53_zone::answer::{self, Asked, Transport};
use port53_zone::image::{ZoneState, Zones};
use port53_zone::{Rtype, name, rdata};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc;

/// Comparisons that may wait.
const WAITING: usize = 256;
const MESSAGE: usize = 65_535;

/// An answer of legacy to be compared.
pub(super) struct Pair {
    pub(super) zone: Arc<Zone>,
    pub(super) question: Question,
    pub(super) legacy: Answer,
}

/// The way to the task that compares.
#[derive(Debug)]
pub(super) struct Shadow {
    waiting: mpsc::Sender<Pair>,
    what: What,
}

impl Shadow {
    /// Starts the task, which ends with the last handle. Must be called on a runtime.
    pub(super) fn start(zones: Arc<ArcSwap<Zones>>, what: What) -> Self {
        let (waiting, mut pairs) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut ours = vec![0; MESSAGE];
            while let Some(pair) = pairs.recv().await {
                look_at(&pair, &zones.load(), what, &mut ours);
                tokio::task::yield_now().await;
            }
        });
        Shadow { waiting, what }
    }

    /// Has a pair compared when there is room.
    pub(super) fn compare(&self, pair: Pair) {
        let is_apex = pair.question.name().as_ref() == Some(&pair.zone.apex);
        let why_not = match pair.question.rtype() {
            Rtype::ANY => Some(NotCompared::Any),
            Rtype::NS if is_apex => Some(NotCompared::ApexNs),
            Rtype::SOA if is_apex && !self.what.soa => Some(NotCompared::ApexSoa),
            _ if pair.legacy.is_truncated() => Some(NotCompared::Truncated),
            _ => None,
        };
        let zone = pair.zone.clone();
        match why_not {
            Some(why) => zone.counts.not_compared(why),
            None if self.waiting.try_send(pair).is_err() => zone.counts.not_compared(NotCompared::Full),
            None => {}
        }
    }
}

fn look_at(pair: &Pair, zones: &Zones, what: What, ours: &mut [u8]) {
    let counts = &pair.zone.counts;
    if !matches!(zones.get(&pair.zone.apex), Some(ZoneState::Serving(_))) {
        return counts.not_compared(NotCompared::NotComplete);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let asked = Asked::new(Transport::Tcp, IpAddr::V4(Ipv4Addr::LOCALHOST), now.as_millis() as u64);
    let query = pair.question.query(0, true);
    let settings = answer::Settings::default();
    let Some(made) = answer::respond(zones, &settings, &asked, &query, ours) else {
        return counts.not_compared(NotCompared::Unreadable);
    };
    let (legacy, ours) = (pair.legacy.as_slice(), &ours[..made.len]);
    let said = pair.zone.said.load();
    let is_left_out = said.as_ref().is_some_and(|said| {
        let names = &said.forwarding.not_compared;
        [legacy, ours].iter().any(|response| compare::is_about(response, &pair.zone.apex, names))
    });
    if is_left_out {
        return counts.not_compared(NotCompared::LeftOut);
    }
    match compare::compare_within(&pair.zone.apex, legacy, ours, what) {
        Compared::Same => counts.same(),
        Compared::Truncated => counts.not_compared(NotCompared::Truncated),
        Compared::Unreadable => counts.not_compared(NotCompared::Unreadable),
        Compared::Differs(differences) => {
            counts.differs(&differences);
            let sample = Sample {
                at: now.as_secs(),
                question: text(&pair.question),
                differences: differences.iter().map(|difference| difference.label()).collect(),
                legacy: compare::text(legacy, TEXT),
                port53: compare::text(ours, TEXT),
            };
            differences.first().iter().for_each(|kind| pair.zone.add_sample(**kind, sample.clone()));
        }
    }
}

fn text(question: &Question) -> String {
    let name = question.name().map_or_else(|| "?".to_owned(), |name| name::display(&name));
    let dnssec = if question.is_dnssec_ok() { " +dnssec" } else { "" };
    format!("{name} {}{dnssec}", rdata::display_rtype(question.rtype()))
}
