//! One zone: what is published of it, what is being done about it, and what is next. Pure but for the state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::DynamicObject;
use port53_crds::{HeadState, Holder};
use port53_store::Revision;
use port53_zone::content::{Change, Content};
use port53_zone::{Name, Rtype, serial};

use super::assembling::Reading;
use super::both::{Answered, Both, By};
use super::version::{Ready, Stored, Version};
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
    /// Whether slices were found that are not what their names say: the next content is stored whole.
    pub(crate) is_stored_wrong: bool,
    /// Whether revisions were looked at for want of a head.
    pub(crate) is_salvaged: bool,
    /// Who owns changes that are kept back, because what they meet is not known.
    pub(crate) kept_back: BTreeSet<Arc<str>>,
    /// Who owns what is below a delegation or DNAME that is to go and has not gone yet: it is not answered until then.
    pub(crate) still_below: BTreeSet<Arc<str>>,
    /// Why it could not be published, since the last time that it could.
    pub(crate) trouble: Option<String>,
    /// The serial that secondaries were told of last, and how many nameservers answered it with all their pods.
    pub(crate) told_secondaries: Option<(u32, usize)>,
    /// What is on its way to a legacy DNS and here.
    pub(crate) both: Both,
}

/// What is being done to the head.
#[derive(Debug)]
pub(crate) enum Work {
    /// Nothing.
    Idle,
    /// What is published is being read, at the start.
    Assembling(Reading),
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
    pub(crate) last: Option<Arc<Confirmation>>,
    /// Rounds that did not end with all of them, since the last that did.
    pub(crate) rounds: u32,
    /// When they are asked again.
    pub(crate) again_at: Option<Instant>,
    /// When the first change of what is published was heard of, until all of them answer it.
    pub(crate) heard: Option<Instant>,
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
            is_stored_wrong: false,
            is_salvaged: false,
            kept_back: BTreeSet::new(),
            still_below: BTreeSet::new(),
            trouble: None,
            told_secondaries: None,
            both: Both::default(),
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

    /// The serials that were published here last or are on their way.
    pub(crate) fn ours(&self) -> impl Iterator<Item = u32> + use<> {
        let on_its_way = match &self.work {
            Work::Publishing(attempt) | Work::Looking(Some(attempt)) => {
                Some(attempt.version.stored.head.soa.serial)
            }
            _ => None,
        };
        [self.serial(), on_its_way].into_iter().flatten()
    }

    /// The highest of these and `wanted`, which was published here.
    pub(crate) fn highest(&self, wanted: u32) -> u32 {
        self.ours().fold(wanted, |highest, ours| if serial::is_newer(ours, highest) { ours } else { highest })
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
        // A serial that was seen meanwhile may still be above it.
        let ours = self.serial();
        self.serials.retain(|&seen| ours.is_some_and(|ours| serial::is_newer(seen, ours)));
        self.restore = if self.serials.is_empty() { Restore::Nothing } else { Restore::HigherSerial };
        self.failures = 0;
        self.due = now + (2 * (now - began)).clamp(LEAST_PAUSE, MOST_PAUSE);
    }

    /// What the resolvers answered when they were asked last.
    pub(super) fn answered(&self) -> Option<Answered> {
        let last = self.confirming.last.as_deref()?;
        let by = match last.answering {
            _ if last.is_complete() => By::All,
            0 if last.asked > 0 => By::None,
            _ => By::Some,
        };
        Some(Answered { serial: last.serial, by })
    }

    /// The checkpoint that the next head takes up.
    pub(super) fn ready(&self) -> Option<&Ready> {
        match &self.keeping {
            Keeping::Stored(ready) => Some(ready),
            _ => None,
        }
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.ready().is_some()
    }

    /// Takes note of what stays below delegations and DNAMEs, for their removal is held or waits, once `content` is
    /// published of what is wanted.
    pub(crate) fn note_still_below(&mut self, outcome: &ZoneOutcome, content: &Content) {
        let is_cut = |rtype| matches!(rtype, Rtype::NS | Rtype::DNAME);
        let staying = |change: &Change| match change {
            Change::Remove { name, rtype } if is_cut(*rtype) && *name != outcome.apex => {
                content.get(name, *rtype).map(|_| (name.clone(), *rtype))
            }
            _ => None,
        };
        let cuts: Vec<(Name, Rtype)> = outcome.changes.iter().filter_map(staying).collect();
        self.still_below.clear();
        if cuts.is_empty() {
            return;
        }
        // What is beside a DNAME is answered.
        let is_below = |owner: &Name| {
            let is_taken =
                |(cut, rtype): &(Name, Rtype)| owner.ends_with(cut) && (*rtype == Rtype::NS || owner != cut);
            cuts.iter().any(is_taken)
        };
        let below = outcome.applied.content.iter().filter(|(rrset, _)| is_below(&rrset.name));
        self.still_below = below.filter_map(|(_, owner)| owner).collect();
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
    use crate::engine::version::Wish;
    use port53_zone::{Soa, name};

    fn stored() -> Stored {
        let apex = name::parse_absolute("example.com").expect("a name");
        let (primary, contact) = (apex.clone(), apex.clone());
        let soa = Soa { primary, contact, serial: 1, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 };
        let holder = Holder { namespace: "dns".to_owned(), name: "example-com".to_owned() };
        let content = Content::empty(apex, [1; 16]);
        Version::next(None, None, Wish { holder, soa, content, changes: Vec::new() }).stored
    }

    /// The first change goes out at once; those that come while it is written, and as long again, go out together.
    #[test]
    fn the_next_publication_waits_for_twice_as_long_as_the_last_took() {
        let begun = Instant::now();
        for (took, pause) in [(0, 5), (1, 5), (3, 6), (40, 80), (2_000, 1_000)] {
            let mut zone = ZoneState::new(begun);
            assert!(zone.due <= begun, "the first waits for nothing");
            let now = begun + Duration::from_millis(took);
            zone.written("v".to_owned(), stored(), begun, now);
            assert_eq!(zone.due - now, Duration::from_millis(pause), "of one that took {took} ms");
        }
    }
}
