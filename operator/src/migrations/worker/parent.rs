//! Asking the zone above: whether it has DS, and where it delegates to. Beside the turns, for one that does not answer takes
//! its time, and what changes on either side must not wait for it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use port53_crds::{Entry, parse_duration};
use port53_zone::{Name, RRset, Rtype, name, rdata};
use tokio_util::task::AbortOnDropHandle;

use super::super::address;
use super::super::parent::Waits;
use super::{Turn, Worker};
use crate::nameservers::above::{Above, above};
use crate::objects::ObjectRef;
use crate::stages::{self, Inputs};

/// Least time between two looks, whatever a spec says.
const LEAST: Duration = Duration::from_secs(1);

/// A question on its way, or the last one.
#[derive(Debug, Default)]
pub(super) struct Asking {
    running: Option<AbortOnDropHandle<Result<Above, String>>>,
    began: Option<Instant>,
    /// The generation of the spec that it began after.
    generation: Option<i64>,
}

impl Worker {
    /// Takes note of what was said, and asks again when that is due.
    pub(super) fn see_parent(&mut self, turn: &Turn) {
        let spec = &turn.migration.spec;
        if spec.shadow.is_none() && !spec.finish {
            self.asking_parent = Asking::default();
            return;
        }
        if let Some(ended) = self.asking_parent.running.as_mut().and_then(FutureExt::now_or_never) {
            self.asking_parent.running = None;
            let said = ended.unwrap_or_else(|error| Err(error.to_string()));
            self.ours = self.own_nameservers(turn);
            let is_shown = |ours: &&BTreeSet<Name>| turn.apex_ns().is_some_and(|ns| hosts(&ns) == **ours);
            let ours = self.ours.as_ref().filter(is_shown);
            let theirs =
                self.theirs.as_ref().and_then(|theirs| theirs.content.get(&turn.scope.apex, Rtype::NS));
            let ttl = theirs.iter().chain(&turn.apex_ns()).map(|ns| ns.ttl).max().unwrap_or_default();
            self.parent.looked(said, self.asking_parent.generation, ours, ttl, Timestamp::now());
        }
        let pause = parse_duration(&spec.parent.poll).unwrap_or(Duration::from_secs(60)).max(LEAST);
        let generation = turn.migration.metadata.generation;
        let is_due = self.asking_parent.began.is_none_or(|began| began.elapsed() >= pause)
            || self.asking_parent.generation != generation;
        if !is_due || self.asking_parent.running.is_some() {
            return;
        }
        let addresses = spec.parent.addresses.iter().map(|text| address("spec.parent.addresses", text));
        let addresses: Result<Vec<SocketAddr>, String> = addresses.collect();
        let apex = turn.scope.apex.clone();
        let asked = async move { above(&apex, &addresses?).await };
        self.asking_parent = Asking {
            running: Some(AbortOnDropHandle::new(tokio::spawn(asked))),
            began: Some(Instant::now()),
            generation,
        };
    }

    /// Why no nameserver may be cut over, where the zone above has it so.
    pub(super) fn unsigned_is_refused(&self, turn: &Turn) -> Option<Waits> {
        turn.migration.spec.shadow.as_ref()?;
        let keys =
            self.theirs.as_ref().and_then(|theirs| theirs.content.get(&turn.scope.apex, Rtype::DNSKEY));
        let generation = turn.migration.metadata.generation;
        self.parent.allows_unsigned(keys.is_some(), generation, Timestamp::now()).err()
    }

    /// The hostnames of the Zone's own nameservers, where it matters that the zone above names these. To find them takes a
    /// look at all Zones.
    fn own_nameservers(&self, turn: &Turn) -> Option<BTreeSet<Name>> {
        if turn.migration.spec.entry != Some(Entry::NewNameservers) {
            return None;
        }
        let apex = &turn.scope.apex;
        let zone = ObjectRef::of_zone(&turn.zone);
        // A DNSRecord at the apex is what a person wants there; but one that came with an import names those of legacy.
        if turn.ours.owner_of(apex, Rtype::NS).is_some_and(|owner| owner != zone.owner()) {
            let wanted = turn.apex_ns().as_ref().map(hosts).unwrap_or_default();
            let theirs = self.theirs.as_ref().and_then(|theirs| theirs.content.get(apex, Rtype::NS));
            if !theirs.as_ref().map(hosts).is_some_and(|theirs| wanted.is_subset(&theirs)) {
                return Some(wanted);
            }
        }
        let world = &turn.world;
        let serials = Default::default();
        let inputs = Inputs {
            objects: &world.objects,
            published: &world.published,
            serials: &serials,
            settings: &world.settings,
        };
        stages::nameservers_of(&inputs, &zone).as_ref().map(hosts)
    }
}

impl Turn {
    /// The NS that the apex shows.
    pub(super) fn apex_ns(&self) -> Option<RRset> {
        self.ours.get(&self.scope.apex, Rtype::NS)
    }
}

/// The hostnames of NS.
fn hosts(ns: &RRset) -> BTreeSet<Name> {
    let texts = ns.values().iter().map(|value| rdata::display(ns.rtype, value));
    texts.filter_map(|text| name::parse_absolute(&text).ok()).collect()
}
