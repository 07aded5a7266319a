//! What a worker remembers between two looks: what was sent and not yet seen, what was refused, what is apart and since
//! when. Pure. All of it can be found again but since when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use port53_crds::Reject;
use port53_zone::content::{Change, Content, ContentError, diff};
use port53_zone::{Name, RRset, Rtype};

use super::agreed::{Agreed, Place, Print};
use super::merge::Apart;
use super::scope::Scope;

/// How long what was written here may take until it is published. After that it is written again.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(30);
/// After a refusal it is tried again, for what it depends on may have changed.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// How often legacy was looked at.
    looks: u64,
    first_seen: BTreeMap<Place, First>,
    sent: BTreeMap<Place, (Option<Print>, Instant)>,
    refused: BTreeMap<Place, Refusal>,
    tried: BTreeMap<Name, Tried>,
    /// What is not written here because somebody else says it: what both sides have, and who.
    kept: BTreeMap<Place, ([Option<Print>; 2], String)>,
    /// What was read back from legacy after it was transferred last.
    read_back: BTreeMap<(Name, Rtype), Option<RRset>>,
    /// What was here when it was looked at last, and what was apart.
    looked_at: Option<(Content, Vec<(Name, Rtype)>)>,
}

/// A difference as it was first seen.
#[derive(Debug)]
struct First {
    sides: [Option<Print>; 2],
    since: Timestamp,
    look: u64,
}

/// What both sides have at a name.
type Sides = BTreeMap<Place, [Option<Print>; 2]>;

/// What the API server does not take.
#[derive(Debug)]
struct Refusal {
    print: Option<Print>,
    reject: Reject,
    again: Instant,
}

/// An update that legacy did not take, while both sides are as they were then.
#[derive(Debug)]
struct Tried {
    sides: Sides,
    pause: Duration,
    again: Instant,
    /// What it said, where that was no.
    said: Option<String>,
}

impl Memory {
    /// Legacy was looked at once more.
    pub(super) fn looked(&mut self) {
        self.looks += 1;
    }

    /// Other RRsets count than before: what both agree on is noted anew.
    pub(super) fn scope_is_other(&mut self) {
        self.looked_at = None;
    }

    /// Legacy was transferred: nothing that was read back before counts any more.
    pub(super) fn transferred(&mut self) {
        self.read_back.clear();
    }

    /// An RRset as legacy was found to have it.
    pub(super) fn read_back(&mut self, name: &Name, rtype: Rtype, found: Option<RRset>) {
        self.read_back.insert((name.clone(), rtype), found);
    }

    /// What legacy has: what was transferred, with what was read back since.
    ///
    /// # Errors
    /// When that cannot be held.
    pub(super) fn seen_there(&self, transferred: &Content) -> Result<Content, ContentError> {
        if self.read_back.is_empty() {
            return Ok(transferred.clone());
        }
        let changes = self.read_back.iter().map(|((name, rtype), found)| match found {
            Some(rrset) => Change::Put { rrset: rrset.clone(), owner: None },
            None => Change::Remove { name: name.clone(), rtype: *rtype },
        });
        Ok(transferred.apply(&changes.collect::<Vec<_>>())?.content)
    }

    /// Takes note of what is the same on both sides, and of what is apart.
    pub(super) fn note(
        &mut self,
        ours: &Content,
        apart: &[Apart],
        scope: &Scope,
        agreed: &mut Agreed,
        now: Timestamp,
    ) {
        match self.looked_at.take() {
            None => {
                let all = ours.iter().map(|(rrset, _)| rrset);
                agreed.note_all(all.filter(|rrset| scope.takes(&rrset.name, rrset.rtype)), apart);
            }
            Some((before, was_apart)) => {
                let is_apart: std::collections::BTreeSet<Place> = apart.iter().map(Apart::place).collect();
                let changed = diff(&before, ours).into_iter().map(|difference| {
                    let change = difference.into_change();
                    (change.name().clone(), change.rtype())
                });
                for (name, rtype) in
                    changed.chain(was_apart).filter(|(name, rtype)| scope.takes(name, *rtype))
                {
                    let place = Place::of(&name, rtype);
                    if !is_apart.contains(&place) {
                        agreed.note(place, ours.get(&name, rtype).as_ref().map(Print::of));
                    }
                }
            }
        }
        self.looked_at =
            Some((ours.clone(), apart.iter().map(|one| (one.name.clone(), one.rtype)).collect()));
        let mut before = std::mem::take(&mut self.first_seen);
        for one in apart {
            let (place, sides) = (one.place(), sides(one));
            let first = before.remove(&place).filter(|first| first.sides == sides);
            let first = first.unwrap_or(First { sides, since: now, look: self.looks });
            self.first_seen.insert(place, first);
        }
        let first_seen = &self.first_seen;
        self.sent.retain(|place, _| first_seen.contains_key(place));
        self.refused.retain(|place, _| first_seen.contains_key(place));
        self.kept
            .retain(|place, (sides, _)| first_seen.get(place).is_some_and(|first| first.sides == *sides));
        // What legacy said was about other records.
        self.tried.retain(|_, tried| {
            tried
                .sides
                .iter()
                .all(|(place, sides)| first_seen.get(place).is_some_and(|first| first.sides == *sides))
        });
    }

    /// Takes note of what was brought here and is published by now, while legacy has changed again meanwhile: both agreed on
    /// it, though they were never seen to. Says whether there was any.
    pub(super) fn note_brought(&self, apart: &[Apart], agreed: &mut Agreed) -> bool {
        let is_here = |one: &&Apart| {
            let ours = one.ours.as_ref().map(Print::of);
            let is_brought = self.sent.get(&one.place()).is_some_and(|(sent, _)| *sent == ours);
            is_brought && agreed.at(one.place()) != ours
        };
        let brought: Vec<&Apart> = apart.iter().filter(is_here).collect();
        for one in &brought {
            agreed.note(one.place(), one.ours.as_ref().map(Print::of));
        }
        !brought.is_empty()
    }

    /// Since when it differs, where it was seen twice.
    pub(super) fn counts_since(&self, place: Place) -> Option<Timestamp> {
        self.first_seen.get(&place).filter(|first| first.look < self.looks).map(|first| first.since)
    }

    /// Whether what is to be here is on its way.
    pub(super) fn is_sent(&self, place: Place, print: Option<Print>, now: Instant) -> bool {
        self.sent
            .get(&place)
            .is_some_and(|(sent, at)| *sent == print && now.duration_since(*at) < PUBLISHED_WITHIN)
    }

    /// It is on its way.
    pub(super) fn sent(&mut self, place: Place, print: Option<Print>, now: Instant) {
        self.refused.remove(&place);
        self.kept.remove(&place);
        self.sent.insert(place, (print, now));
    }

    /// Somebody else says it here, so it is not written.
    pub(super) fn is_kept(&mut self, place: Place, who: String) {
        if let Some(first) = self.first_seen.get(&place) {
            self.kept.insert(place, (first.sides, who));
        }
    }

    /// Who says it, where that is why it is not written here.
    pub(super) fn kept(&self, place: Place) -> Option<&str> {
        self.kept.get(&place).map(|(_, who)| who.as_str())
    }

    /// The API server does not take it.
    pub(super) fn refused(&mut self, place: Place, print: Option<Print>, reject: Reject, now: Instant) {
        self.refused.insert(place, Refusal { print, reject, again: now + LONGEST_PAUSE / 5 });
    }

    /// What it said, while there is no reason to try again.
    pub(super) fn refusal(&self, place: Place, print: Option<Print>, now: Instant) -> Option<&Reject> {
        let refusal = self.refused.get(&place)?;
        (refusal.print == print && now < refusal.again).then_some(&refusal.reject)
    }

    /// Whether an update of this name may be sent now.
    pub(super) fn may_try(&self, name: &Name, now: Instant) -> bool {
        self.tried.get(name).is_none_or(|tried| tried.again <= now)
    }

    /// Legacy did not take an update of this name: because of this, where it said so.
    pub(super) fn tried(&mut self, name: &Name, apart: &[Apart], said: Option<String>, now: Instant) {
        let pause = self.tried.get(name).map_or(FIRST_PAUSE, |tried| (tried.pause * 2).min(LONGEST_PAUSE));
        let sides = apart.iter().map(|one| (one.place(), sides(one))).collect();
        self.tried.insert(name.clone(), Tried { sides, pause, again: now + pause, said });
    }

    /// A person has said what is to be of these names, so what was said before is no reason to wait.
    pub(super) fn try_again(&mut self, is_about: impl Fn(&Name) -> bool) {
        self.tried.retain(|name, _| !is_about(name));
        self.refused.clear();
    }

    /// What legacy said to an update of this name.
    pub(super) fn said(&self, name: &Name) -> Option<&str> {
        self.tried.get(name)?.said.as_deref()
    }

    /// What it said to any.
    pub(super) fn any_said(&self) -> Option<(&Name, &str)> {
        self.tried.iter().find_map(|(name, tried)| Some((name, tried.said.as_deref()?)))
    }

    /// When the next update may be tried again.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.tried.values().map(|tried| tried.again).min()
    }
}

fn sides(apart: &Apart) -> [Option<Print>; 2] {
    [&apart.ours, &apart.theirs].map(|side| side.as_ref().map(Print::of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::merge::Changed;
    use crate::migrations::scope::NotCounted;
    use port53_zone::{name, rdata};

    fn apart(ours: &str, theirs: &str) -> Apart {
        let name = name::parse_absolute("www.example.com").expect("a name");
        let rrset = |address: &str| {
            let value = rdata::parse_value(Rtype::A, address).expect("an address");
            RRset::new(name.clone(), Rtype::A, 60, [value])
        };
        let (ours, theirs) = (Some(rrset(ours)), Some(rrset(theirs)));
        Apart { name, rtype: Rtype::A, ours, theirs, changed: Changed::Both }
    }

    struct Looks {
        memory: Memory,
        agreed: Agreed,
    }

    impl Looks {
        fn note(&mut self, apart: &[Apart]) {
            let apex = name::parse_absolute("example.com").expect("a name");
            let scope = Scope { apex: apex.clone(), apex_ns: false, left_out: NotCounted::default() };
            let ours = Content::empty(apex, [0; 16]);
            self.memory.looked();
            self.memory.note(&ours, apart, &scope, &mut self.agreed, Timestamp::now());
        }
    }

    /// "A difference counts when seen twice."
    #[test]
    fn a_difference_counts_when_it_is_seen_twice() {
        let mut looks = Looks { memory: Memory::default(), agreed: Agreed::default() };
        let one = apart("192.0.2.1", "192.0.2.2");
        looks.note(std::slice::from_ref(&one));
        assert_eq!(looks.memory.counts_since(one.place()), None);
        looks.note(std::slice::from_ref(&one));
        assert!(looks.memory.counts_since(one.place()).is_some());
        // It is another.
        looks.note(&[apart("192.0.2.1", "192.0.2.3")]);
        assert_eq!(looks.memory.counts_since(one.place()), None);
    }

    /// A record was brought here, and changed at legacy before it was seen to be published: that was listed as changed on both
    /// sides, and stayed so.
    #[test]
    fn what_was_brought_here_is_agreed_on_though_legacy_has_changed_again() {
        let mut looks = Looks { memory: Memory::default(), agreed: Agreed::default() };
        let one = apart("192.0.2.1", "192.0.2.2");
        assert!(!looks.memory.note_brought(std::slice::from_ref(&one), &mut looks.agreed));
        looks.memory.sent(one.place(), one.ours.as_ref().map(Print::of), Instant::now());
        assert!(looks.memory.note_brought(std::slice::from_ref(&one), &mut looks.agreed));
        assert_eq!(looks.agreed.at(one.place()), one.ours.as_ref().map(Print::of));
        // Once is enough; and what was brought is not what is here.
        assert!(!looks.memory.note_brought(std::slice::from_ref(&one), &mut looks.agreed));
        assert!(!looks.memory.note_brought(&[apart("192.0.2.3", "192.0.2.2")], &mut looks.agreed));
    }

    /// A prerequisite had failed because legacy had changed; what legacy had then was preferred over by a person, and was
    /// not written, for the refusal of before seemed to be about that too.
    #[test]
    fn what_legacy_said_is_about_the_records_that_it_was_said_of() {
        let mut looks = Looks { memory: Memory::default(), agreed: Agreed::default() };
        let now = Instant::now();
        let one = apart("192.0.2.1", "192.0.2.2");
        looks.note(std::slice::from_ref(&one));
        looks.memory.tried(&one.name, std::slice::from_ref(&one), Some("REFUSED".to_owned()), now);
        looks.note(std::slice::from_ref(&one));
        assert_eq!(
            (looks.memory.said(&one.name), looks.memory.may_try(&one.name, now)),
            (Some("REFUSED"), false)
        );
        looks.note(&[apart("192.0.2.1", "192.0.2.3")]);
        assert_eq!((looks.memory.said(&one.name), looks.memory.may_try(&one.name, now)), (None, true));
    }
}
