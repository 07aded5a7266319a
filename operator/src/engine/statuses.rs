//! What every object is to be told, and who waits to be told it. Pure but for the state.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::confirm::Confirmation;
use crate::index::Key;
use crate::verdict::{Outcome, Verdict};

/// How long a record may wait before it is told what for.
pub(super) const INTERIM: Duration = Duration::from_secs(1);

/// Who has a status.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Object {
    Zone(Key),
    Record(Key),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    pub(super) records: BTreeMap<Key, Told>,
    pub(super) zones: BTreeMap<Key, ToldZone>,
    /// What the stages said last.
    pub(super) last: Vec<Arc<[Verdict]>>,
    pub(super) waiting: VecDeque<Object>,
    /// What is in `waiting`.
    pub(super) queued: HashSet<Object>,
    pub(super) writing: HashSet<Object>,
    /// Records that are told what they wait for, and when.
    interim: VecDeque<(Instant, Key)>,
    /// Why statuses could not be written, said once.
    pub(super) trouble: Option<String>,
}

/// What a record is to be told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) verdict: Verdict,
    /// The plan that it came in.
    pub(super) plan: u64,
    pub(super) noticed: Instant,
    pub(super) standing: Standing,
    /// Whether it was told that it waits, and not for whom, because that was not known.
    pub(super) is_owed_who: bool,
}

/// How far what a record says is published.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    Unpublished,
    /// With this serial, or before it.
    Published(u32),
    /// Every resolver was seen to answer it.
    Served(Arc<Confirmation>),
    /// It waits, because the zone is rolled back to this serial.
    Pinned(u32),
}

#[derive(Debug)]
pub(super) struct ToldZone {
    pub(super) verdict: Verdict,
    pub(super) noticed: Instant,
    /// When a status was written last.
    pub(super) last: Option<Instant>,
}

impl Statuses {
    /// What an object was told is nothing to another of its name.
    pub(super) fn forget(&mut self, object: &Object) {
        match object {
            Object::Zone(key) => drop(self.zones.remove(key)),
            Object::Record(key) => drop(self.records.remove(key)),
        }
    }

    /// Takes note of what the stages say of a record. Nothing of that is published yet.
    pub(super) fn note(&mut self, key: Key, verdict: Verdict, plan: u64, now: Instant) {
        if verdict.outcome == Outcome::Accepted && verdict.zone.is_some() {
            self.interim.push_back((now + INTERIM, key.clone()));
        }
        let standing = Standing::Unpublished;
        self.records.insert(key, Told { verdict, plan, noticed: now, standing, is_owed_who: false });
    }

    /// Records that were heard of a second ago. One that was heard of again since waits a second from then.
    pub(super) fn waited(&mut self, now: Instant) -> Vec<Key> {
        let due = std::iter::from_fn(|| self.interim.pop_front_if(|(at, _)| *at <= now));
        let is_so = |key: &Key| self.records.get(key).is_some_and(|told| told.noticed + INTERIM <= now);
        due.map(|(_, key)| key).filter(is_so).collect()
    }

    /// Has all that the stages say looked at with the next plan.
    pub(super) fn look_at_all(&mut self) {
        self.last.clear();
    }

    /// Has the status of an object looked at.
    pub(super) fn queue(&mut self, object: Object) {
        if self.queued.insert(object.clone()) {
            self.waiting.push_back(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::ObjectRef;
    use port53_zone::name;

    /// What comes first is told when it is a second old; an edit shortly before that is not a second old then.
    #[test]
    fn a_record_that_was_edited_meanwhile_is_told_what_it_waits_for_a_second_after_the_edit() {
        let mut statuses = Statuses::default();
        let key: Key = ("dns".to_owned(), "www".to_owned());
        let edited = |generation| Verdict {
            object: ObjectRef::Record { namespace: key.0.clone(), name: key.1.clone() },
            generation,
            zone: Some(name::parse_absolute("example.com").expect("a name")),
            name: None,
            outcome: Outcome::Accepted,
            complaints: Vec::new(),
        };
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        statuses.note(key.clone(), edited(1), 1, start);
        assert!(statuses.waited(after(999)).is_empty());
        statuses.note(key.clone(), edited(2), 2, after(999));
        assert!(statuses.waited(after(1_998)).is_empty());
        assert_eq!(statuses.waited(after(1_999)), [key]);
        assert!(statuses.waited(after(10_000)).is_empty());
    }
}
