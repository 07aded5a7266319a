//! One zone: what is published of it, what is being done about it, and what is next. Pure but for the state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::DynamicObject;
use port53_crds::{HeadState, Holder};
use port53_store::Revision;
use port53_zone::content::{Change, Content, ContentError};
use port53_zone::{Soa, serial};

use super::assembling::Assembly;
use super::version::{Ready, Stored, Version, Wish};
use crate::cluster::confirm::Confirmation;
use crate::guard::Memory;
use crate::index::Key;
use crate::report::Held;
use crate::stages::ZoneOutcome;

/// Versions of a head that were written here and of which the watch may still tell.
const REMEMBERED: usize = 64;
/// The least and the most between two publications of a zone.
const LEAST_PAUSE: Duration = Duration::from_millis(5);
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct ZoneState {
    /// What the head says, as far as it could be read.
    pub(crate) stored: Option<Stored>,
    /// The resourceVersion of the head; nothing while there is none.
    pub(crate) version: Option<String>,
    own: VecDeque<String>,
    pub(crate) work: Work,
    /// What was told of the head while it was being written.
    pub(crate) told: Option<Box<DynamicObject>>,
    /// The head was told to be gone while it was being written: it is looked up then.
    pub(crate) is_told_gone: bool,
    /// No publication before this.
    pub(crate) due: Instant,
    /// Publications that failed since the last that did not.
    pub(crate) failures: u32,
    pub(crate) guard: Memory,
    pub(crate) held: Option<Held>,
    /// The id that was released last: it counts once.
    pub(crate) spent: Option<String>,
    pub(crate) restore: Restore,
    /// Serials that were seen and may be above the published one.
    pub(crate) serials: BTreeSet<u32>,
    pub(crate) asked: Asked,
    pub(crate) keeping: Keeping,
    pub(crate) confirming: Confirming,
    pub(crate) rollback: Rollback,
    /// RRsets that wait because the zone is pinned: who owns them.
    pub(crate) pinned_owners: BTreeSet<Arc<str>>,
    /// Records whose newest version is not published.
    pub(crate) unpublished: BTreeSet<Key>,
    /// Records that are published and not confirmed, with their serials.
    pub(crate) unconfirmed: BTreeMap<Key, u32>,
    /// Whether its Zone was deleted, it is withdrawn, and no resolver answers for it.
    pub(crate) has_left: bool,
    pub(crate) rejected: u64,
    /// Whether a plan found it busy, and has to be made again.
    pub(crate) is_passed_over: bool,
    /// Whether what is published could not be read yet, and nobody waits for it.
    pub(crate) is_delayed: bool,
}

/// What is being done to the head.
#[derive(Debug)]
pub(crate) enum Work {
    /// Nothing.
    Idle,
    /// What is published is being read, at the start; here while it waits for revisions to be listed.
    Assembling(Option<Box<Assembly>>),
    /// It is being written.
    Publishing(Box<Attempt>),
    /// It is not known whether that was written: the head is being read.
    Looking(Option<Box<Attempt>>),
}

/// A publication on its way.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) version: Version,
    /// The plan that it carries out.
    pub(crate) plan: u64,
    pub(crate) begun: Instant,
    /// When the first of its changes was heard of.
    pub(crate) heard: Instant,
    /// The guard, once it is published.
    pub(crate) guard: Memory,
    /// The id of removals that a person released for it.
    pub(crate) released: Option<String>,
    pub(crate) takes_ready: bool,
}

/// Whether the head must be written although nothing changed.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Restore {
    /// It need not.
    #[default]
    Nothing,
    /// As it was: it is missing, or was edited.
    AsItWas,
    /// Under a higher serial: another one may have been followed.
    HigherSerial,
}

/// Whether the resolvers were asked what serial they answer, before a zone without a head gets its first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Asked {
    #[default]
    NotYet,
    Asking,
    Answered,
}

/// Checkpoints beside the path of publications.
#[derive(Debug, Default)]
pub(crate) enum Keeping {
    #[default]
    Nothing,
    /// One is due.
    Due,
    /// Being stored.
    Storing(Ready),
    /// Stored, and to be taken up by the next head.
    Stored(Ready),
}

/// Questions to the resolvers.
#[derive(Debug, Default)]
pub(crate) struct Confirming {
    pub(crate) is_asking: bool,
    /// What they answered last.
    pub(crate) last: Option<Confirmation>,
    /// Rounds that did not end with all of them, since the last that did.
    pub(crate) rounds: u32,
    /// When they are asked again.
    pub(crate) again_at: Option<Instant>,
}

/// What a person wants the zone to be rolled back to.
#[derive(Debug, Default)]
pub(crate) enum Rollback {
    #[default]
    Nowhere,
    /// The content of the revision of this serial is being read.
    Reading(u32),
    /// It is here.
    Read(Box<(Revision, Content)>),
    /// It cannot be had, and why.
    Impossible(u32, String),
}

/// What people say beside the records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    pub(crate) max_removed_percent: u32,
    pub(crate) released: Option<String>,
    pub(crate) rollback: Option<u32>,
    /// The lowest serial that the zone may have.
    pub(crate) least: Option<u32>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Decision {
    /// What people want is published; what is not is held or pinned.
    Settled,
    /// The same, but for removals that wait so long for a replacement.
    Again(Duration),
    /// Nothing yet: something is on its way.
    Wait,
    /// The revision of this serial must be read first.
    Read(u32),
    /// Write this. Then the guard is so, and the id that a person released is spent.
    Publish(Box<Version>, Memory, Option<String>),
}

impl ZoneState {
    pub(crate) fn new(now: Instant) -> Self {
        ZoneState {
            stored: None,
            version: None,
            own: VecDeque::new(),
            work: Work::Idle,
            told: None,
            is_told_gone: false,
            due: now,
            failures: 0,
            guard: Memory::default(),
            held: None,
            spent: None,
            restore: Restore::Nothing,
            serials: BTreeSet::new(),
            asked: Asked::NotYet,
            keeping: Keeping::Nothing,
            confirming: Confirming::default(),
            rollback: Rollback::Nowhere,
            pinned_owners: BTreeSet::new(),
            unpublished: BTreeSet::new(),
            unconfirmed: BTreeMap::new(),
            has_left: false,
            rejected: 0,
            is_passed_over: false,
            is_delayed: false,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle)
    }

    /// What is in service.
    pub(crate) fn serving(&self) -> Option<&Stored> {
        self.stored.as_ref().filter(|stored| stored.head.state == HeadState::Serving)
    }

    /// The serial that was published last, also of a zone that is withdrawn.
    pub(crate) fn serial(&self) -> Option<u32> {
        self.stored.as_ref().map(|stored| stored.head.soa.serial)
    }

    pub(crate) fn holder(&self) -> Option<&Holder> {
        self.stored.as_ref().map(|stored| &stored.head.holder)
    }

    /// Serials that the next one must be above, beside that of what is in service.
    pub(crate) fn serials_above(&self) -> Vec<u32> {
        let Some(stored) = self.serving() else {
            return self.serials.iter().copied().chain(self.serial()).collect();
        };
        let published = stored.head.soa.serial;
        self.serials.iter().copied().filter(|&seen| serial::is_newer(seen, published)).collect()
    }

    /// Whether a version of the head was written here.
    pub(crate) fn is_own(&self, version: &str) -> bool {
        self.own.iter().any(|own| own == version)
    }

    /// Takes note of what was written.
    pub(crate) fn written(&mut self, version: String, stored: Stored, began: Instant, now: Instant) {
        if self.own.len() == REMEMBERED {
            self.own.pop_front();
        }
        self.own.push_back(version.clone());
        self.version = Some(version);
        self.stored = Some(stored);
        self.restore = Restore::Nothing;
        self.failures = 0;
        self.due = now + (2 * (now - began)).clamp(LEAST_PAUSE, MOST_PAUSE);
    }

    /// What is to be done, when nothing is being done. `now` is since some fixed moment.
    ///
    /// # Errors
    /// When the content cannot hold the changes, which the rules should have refused.
    pub(crate) fn decide(
        &mut self,
        outcome: &ZoneOutcome,
        holder: &Holder,
        orders: &Orders,
        now: Duration,
    ) -> Result<Decision, ContentError> {
        if orders.released.is_none() {
            self.spent = None;
        }
        if let Some(decision) = self.rolled_back(holder, orders) {
            return Ok(decision);
        }
        let known = self.serials_above();
        let Some(stored) = self.serving() else {
            let wish = Wish {
                holder: holder.clone(),
                soa: outcome.soa.clone(),
                content: outcome.applied.content.clone(),
                changes: Vec::new(),
            };
            let version = Version::next(None, None, wish);
            return Ok(Decision::Publish(Box::new(version), self.guard.clone(), None));
        };
        let old = &stored.head;
        let wanted = Soa { serial: old.soa.serial, ..outcome.soa.clone() };
        let is_behind = orders.least.is_some_and(|least| serial::is_newer(least, old.soa.serial));
        let is_as_wanted = wanted == old.soa
            && !is_behind
            && old.pinned.is_none()
            && self.restore == Restore::Nothing
            && old.holder == *holder;
        // Nearly all zones, nearly always.
        if is_as_wanted && outcome.changes.is_empty() && self.held.is_none() && !self.guard.is_waiting() {
            return Ok(Decision::Settled);
        }
        let mut guard = self.guard.clone();
        let screened = guard.screen(
            &stored.content,
            outcome.changes.clone(),
            orders.max_removed_percent,
            orders.released.as_deref().filter(|&id| self.spent.as_deref() != Some(id)),
            now,
        )?;
        let is_new_version = screened.applied.content.digest() != old.digest
            || wanted != old.soa
            || is_behind
            || self.restore == Restore::HigherSerial;
        let decision = if is_as_wanted && !is_new_version && screened.changes.is_empty() {
            match screened.again_after {
                Some(after) => Decision::Again(after),
                None => Decision::Settled,
            }
        } else {
            let serial = match is_new_version {
                false => old.soa.serial,
                true if serial::is_newer(outcome.soa.serial, old.soa.serial) => outcome.soa.serial,
                true => serial::next_after(known.into_iter().chain([old.soa.serial])),
            };
            let wish = Wish {
                holder: holder.clone(),
                soa: Soa { serial, ..wanted },
                content: screened.applied.content,
                changes: screened.changes,
            };
            let version = Version::next(Some(stored), self.ready(), wish);
            Decision::Publish(Box::new(version), guard.clone(), screened.released)
        };
        self.held = screened.held;
        if !matches!(decision, Decision::Publish(..)) {
            self.guard = guard;
        }
        Ok(decision)
    }

    /// What a rollback that a person wants comes to; nothing when none is wanted or possible.
    fn rolled_back(&mut self, holder: &Holder, orders: &Orders) -> Option<Decision> {
        let Some(wanted) = orders.rollback else {
            self.rollback = Rollback::Nowhere;
            return None;
        };
        let stored = self.serving()?;
        let is_pinned = stored.head.pinned == Some(wanted);
        if is_pinned && self.restore == Restore::Nothing {
            return Some(Decision::Settled);
        }
        if is_pinned && self.restore == Restore::AsItWas {
            return Some(Decision::Publish(Box::new(Version::again(stored)), self.guard.clone(), None));
        }
        match &self.rollback {
            Rollback::Read(read) if read.0.soa.serial == wanted => {
                let known = self.serials_above();
                let serial = serial::next_after(known.into_iter().chain([stored.head.soa.serial]));
                let (revision, content) = (&read.0, read.1.clone());
                let version = Version::rolled_back(holder.clone(), revision, content, serial);
                Some(Decision::Publish(Box::new(version), self.guard.clone(), None))
            }
            // What is pinned to another revision stays so while this one cannot be had.
            Rollback::Impossible(serial, _) if *serial == wanted => {
                stored.head.pinned.is_some().then_some(Decision::Settled)
            }
            Rollback::Reading(serial) if *serial == wanted => Some(Decision::Wait),
            _ => Some(Decision::Read(wanted)),
        }
    }

    /// The checkpoint that the next head takes up.
    fn ready(&self) -> Option<&Ready> {
        match &self.keeping {
            Keeping::Stored(ready) => Some(ready),
            _ => None,
        }
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.ready().is_some()
    }

    /// The changes that wait because the zone is pinned, by who owns them.
    pub(crate) fn owners_waiting(&self, outcome: &ZoneOutcome) -> BTreeSet<Arc<str>> {
        if self.serving().is_none_or(|stored| stored.head.pinned.is_none()) {
            return BTreeSet::new();
        }
        let owners = outcome.changes.iter().filter_map(|change| match change {
            Change::Put { owner, .. } => owner.clone(),
            Change::Remove { .. } => None,
        });
        owners.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::ObjectRef;
    use port53_zone::{Name, RRset, Rtype, name, rdata};

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    fn content(hosts: usize) -> Content {
        let rrsets = (0..hosts).map(|host| {
            let owner = name::parse(&format!("h{host}"), &apex()).expect("a name");
            let value = rdata::parse_value(Rtype::A, "192.0.2.1").expect("a value");
            (RRset::new(owner, Rtype::A, 60, [value]), Some(Arc::from("dns/www")))
        });
        Content::build(apex(), [1; 16], rrsets).expect("a content")
    }

    fn soa(serial: u32) -> Soa {
        let (primary, contact) = (apex(), apex());
        Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 }
    }

    fn holder() -> Holder {
        Holder { namespace: "dns".to_owned(), name: "example-com".to_owned() }
    }

    /// What the stages would say: from a content of `before` hosts to one of `after`, with this serial.
    fn outcome(before: usize, after: usize, serial: u32) -> ZoneOutcome {
        let (old, new) = (content(before), content(after));
        let changes: Vec<Change> = port53_zone::content::diff(&old, &new)
            .into_iter()
            .map(port53_zone::content::Difference::into_change)
            .collect();
        ZoneOutcome {
            holder: ObjectRef::Zone { namespace: "dns".to_owned(), name: "example-com".to_owned() },
            apex: apex(),
            soa: soa(serial),
            applied: old.apply(&changes).expect("applies"),
            is_new_version: before != after,
            accepted: after,
            rejected: 0,
            changes,
        }
    }

    fn orders() -> Orders {
        Orders { max_removed_percent: 30, ..Orders::default() }
    }

    fn publish(zone: &mut ZoneState, outcome: &ZoneOutcome, orders: &Orders, now: u64) -> Stored {
        match zone.decide(outcome, &holder(), orders, Duration::from_secs(now)).expect("decided") {
            Decision::Publish(version, guard, _) => {
                let now = Instant::now();
                zone.guard = guard;
                zone.written("v".to_owned(), version.stored.clone(), now, now);
                version.stored
            }
            other => panic!("{other:?}"),
        }
    }

    fn serving(hosts: usize, serial: u32) -> ZoneState {
        let mut zone = ZoneState::new(Instant::now());
        publish(&mut zone, &outcome(0, hosts, serial), &orders(), 0);
        zone
    }

    #[test]
    fn what_is_published_is_settled_and_a_change_is_published() {
        let mut zone = serving(3, 1);
        let decided = zone.decide(&outcome(3, 3, 1), &holder(), &orders(), Duration::from_secs(1));
        assert!(matches!(decided, Ok(Decision::Settled)));
        let stored = publish(&mut zone, &outcome(3, 4, 2), &orders(), 2);
        assert_eq!((stored.head.soa.serial, stored.head.rrsets), (2, 4));
    }

    #[test]
    fn removals_beyond_the_limit_take_no_new_serial_and_are_said() {
        let mut zone = serving(20, 1);
        let less = outcome(20, 5, 2);
        let first = zone.decide(&less, &holder(), &orders(), Duration::from_secs(1)).expect("decided");
        assert!(matches!(first, Decision::Again(_)), "{first:?}");
        let then = zone.decide(&less, &holder(), &orders(), Duration::from_secs(3)).expect("decided");
        assert!(matches!(then, Decision::Settled), "{then:?}");
        let id = zone.held.clone().expect("held").id;
        let released = Orders { released: Some(id), ..orders() };
        assert_eq!(publish(&mut zone, &less, &released, 4).head.rrsets, 5);
        assert!(zone.held.is_none());
    }

    #[test]
    fn a_head_that_was_edited_is_written_again_and_above_a_serial_that_may_have_been_followed() {
        let mut zone = serving(3, 1);
        zone.restore = Restore::AsItWas;
        assert_eq!(publish(&mut zone, &outcome(3, 3, 1), &orders(), 1).head.soa.serial, 1);
        zone.restore = Restore::HigherSerial;
        zone.serials.insert(9);
        assert_eq!(publish(&mut zone, &outcome(3, 3, 1), &orders(), 2).head.soa.serial, 10);
    }

    #[test]
    fn a_rollback_is_read_published_kept_and_left() {
        let mut zone = serving(3, 1);
        let old = zone.stored.clone().expect("stored");
        publish(&mut zone, &outcome(3, 4, 2), &orders(), 1);
        let back = Orders { rollback: Some(1), ..orders() };
        let decided = zone.decide(&outcome(4, 4, 2), &holder(), &back, Duration::from_secs(2));
        assert!(matches!(decided, Ok(Decision::Read(1))));
        let revision = Revision::of(&old.content, old.head.soa.clone(), holder(), 0);
        zone.rollback = Rollback::Read(Box::new((revision, old.content)));
        let pinned = publish(&mut zone, &outcome(4, 4, 2), &back, 3);
        assert_eq!((pinned.head.soa.serial, pinned.head.pinned, pinned.head.rrsets), (3, Some(1), 3));
        let waits = outcome(3, 4, 4);
        let decided = zone.decide(&waits, &holder(), &back, Duration::from_secs(4));
        assert!(matches!(decided, Ok(Decision::Settled)));
        assert_eq!(zone.owners_waiting(&waits).len(), 0, "a difference has no owners");
        let on = publish(&mut zone, &waits, &orders(), 5);
        assert_eq!((on.head.soa.serial, on.head.pinned, on.head.rrsets), (4, None, 4));
    }

    #[test]
    fn a_rollback_that_is_not_possible_changes_nothing() {
        let mut zone = serving(3, 1);
        zone.rollback = Rollback::Impossible(7, "there is none".to_owned());
        let back = Orders { rollback: Some(7), ..orders() };
        assert_eq!(publish(&mut zone, &outcome(3, 4, 2), &back, 1).head.rrsets, 4);
    }
}
