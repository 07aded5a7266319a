//! Changes that are at a legacy DNS and here, or at neither (`dualWrite: Sync` of a ZoneMigration). Pure but for the state.
//!
//! ```text
//! a change ──▶ intent in the head ──▶ UPDATE at legacy, read back ──▶ published ──▶ answered by resolvers: the intent goes
//!                     │                     │ refused                    │ cannot be, or answered by none
//!                     │ not wanted any more ▼                            ▼
//!                     └────▶ legacy is put back ◀── the intent says Back, and what was is published again
//! ```
//!
//! An intent is about one RRset, or one name where an alias comes or goes. It is written before the first of the two writes,
//! and stays until both have been seen to have the same; so whoever finds it after a crash looks at legacy and goes on, or
//! puts it back, and nothing else has to be remembered. What is known beside it is found again, by trying once more.
//!
//! What legacy refuses is final until the object changes: who owns the RRset is told, and what was before stays at both.
//! What cannot be asked is tried again. What legacy was seen to have already needs no intent.
//!
//! | room | what it does |
//! |---|---|
//! | `mod` | what of the changes may be published now, and what is meant |
//! | `counterpart` | the legacy DNS, as it is known |
//! | `moves` | changes by name, and what undoes them |
//! | `refusing` | what is at neither, and how long |
//! | `asking` | writes to legacy, and takes note of what came of it |
//! | [`points`] | where a process may end between the writes |

mod asking;
mod counterpart;
mod moves;
pub mod points;
mod refusing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use port53_crds::{MAX_INTENTS, MAX_JOURNAL, Reason, Way};
use port53_store::{Head, Intent};
use port53_zone::content::{Change, journal};
use port53_zone::{Name, RRset, Rtype, serial};

pub(super) use asking::Ended;
pub use counterpart::{Counterpart, Counterparts, First, Seen};
use moves::{Move, Place};
use refusing::Refusal;

use super::version::Stored;

/// How long a published change may be answered by no resolver, or not be published at all, until both are put back.
const PATIENCE: Duration = Duration::from_secs(20);
/// Octets of what a head says of all that is on its way, before base64: an object has 1.5 MiB.
const MOST_OCTETS: usize = 512 * 1024;
/// Before what legacy refused to remove is tried again: there is no object that could change.
const REMOVED_AGAIN: Duration = Duration::from_secs(300);

/// The version of an object that owns an RRset, and what its status says of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stamp {
    pub(crate) uid: String,
    pub(crate) generation: i64,
    /// Why this generation was refused, as a process before this one has said.
    pub(crate) refused: Option<(Reason, String)>,
}

/// The objects that own what changes.
pub(crate) type Stamps = BTreeMap<Arc<str>, Stamp>;

/// What an owner is told of a change that is not published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Word {
    /// Legacy is to have it first.
    Underway,
    /// Legacy cannot be asked: why.
    Unreachable(String),
    /// It is at neither, and that is final: why.
    Refused(Reason, String),
}

/// What the resolvers answered when they were asked last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Answered {
    /// The serial that they were asked for, and were to have at least.
    pub(crate) serial: u32,
    pub(crate) by: By,
}

/// How many of them answered it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    /// None, and some were asked.
    None,
    /// Some, or there is none to ask.
    Some,
    All,
}

/// What the gate looks at beside its own state.
pub(crate) struct View<'a> {
    pub(crate) stored: &'a Stored,
    pub(crate) first: &'a First,
    pub(crate) stamps: &'a Stamps,
    /// Nothing before they were asked.
    pub(crate) answered: Option<Answered>,
    /// Why the head could not be written, since the last time that it could.
    pub(crate) trouble: Option<&'a str>,
    /// Since some fixed moment.
    pub(crate) now: Duration,
}

/// What may go on.
#[derive(Debug)]
pub(crate) struct Gated {
    /// What may be published now.
    pub(crate) changes: Vec<Change>,
    /// What the head is to say of what is on its way.
    pub(crate) intents: Option<Vec<Intent>>,
    /// Whether something of what was wanted may not.
    pub(crate) is_less: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Both {
    /// How far each intent has come, as this process knows it.
    tries: BTreeMap<Place, Try>,
    refused: BTreeMap<Place, Refusal>,
    /// What legacy was written, until it is looked at there: what was seen before that is old.
    written: BTreeMap<Place, Written>,
    /// What owners are told.
    pub(crate) told: BTreeMap<Arc<str>, Word>,
    /// Removals that legacy refuses, which no object could be told of.
    pub(crate) not_removed: Vec<(Name, String)>,
}

/// What legacy was written, and when it had said so.
#[derive(Debug)]
struct Written {
    changes: Vec<Change>,
    at: Instant,
}

/// An intent, as far as it was tried.
#[derive(Debug)]
struct Try {
    new: Vec<Change>,
    way: Way,
    state: State,
}

impl Try {
    fn is_of(&self, intent: &Intent) -> bool {
        self.way == intent.way && self.new == intent.new
    }
}

#[derive(Debug)]
enum State {
    /// Legacy is being asked; before it is asked again it is waited so long.
    Asking { pause: Duration },
    /// It could not be, and is asked again at this time, after this pause.
    Waiting { again: Duration, pause: Duration, why: String },
    /// It was seen to have what is meant, at this time.
    There(Duration),
    /// It has it, and so has what is published since this time, from this serial on.
    Published { since: Duration, serial: u32 },
}

/// What becomes of an intent.
enum Step {
    /// It stays, and what it is about waits.
    Wait,
    /// It stays, and what is meant may be published.
    Publish,
    /// Both have what they are to have.
    Done,
    /// It is put back.
    Back,
}

impl Both {
    /// Whether a plan that wants nothing has nothing to look at here.
    pub(crate) fn is_quiet(&self, head: &Head, first: &First) -> bool {
        let is_as_told = match first {
            First::Unknown => true,
            First::Nobody => head.intents.is_none(),
            First::Legacy(_) => head.intents.is_some(),
        };
        // What was written there is looked for in what is seen there.
        is_as_told && !head.has_intents() && self.told.is_empty() && self.written.is_empty()
    }

    /// What of `changes` may be published now, and what the head is to say.
    pub(crate) fn gate(&mut self, view: &View<'_>, changes: Vec<Change>) -> Gated {
        let counterpart = match view.first {
            First::Nobody => None,
            First::Unknown if view.stored.head.intents.is_none() => None,
            First::Unknown => Some(None),
            First::Legacy(counterpart) => Some(Some(counterpart.as_ref())),
        };
        self.told.clear();
        self.not_removed.clear();
        let Some(counterpart) = counterpart else {
            self.tries.clear();
            self.refused.clear();
            self.written.clear();
            return Gated { changes, intents: None, is_less: false };
        };
        let scope = counterpart.map(|counterpart| &counterpart.scope);
        let (mut moves, mut pass) = moves::split(changes, &view.stored.content, scope);
        let mut intents = Vec::new();
        for intent in view.stored.head.intents.iter().flatten() {
            let key = Place::of_intent(intent);
            let wanted = moves.get(&key);
            let step = match counterpart {
                // By now each side has its own.
                Some(_) if scope.is_some_and(|scope| moves::is_own(scope, &intent.new)) => Step::Done,
                Some(_) => self.step(view, &key, intent, wanted),
                None => Step::Wait,
            };
            match step {
                Step::Done => {
                    self.tries.remove(&key);
                    continue;
                }
                Step::Back => {
                    intents.push(Intent { way: Way::Back, ..intent.clone() });
                    self.tries.remove(&key);
                    pass.extend(moves::missing(&intent.old, &view.stored.content));
                }
                Step::Wait if intent.way == Way::Back => {
                    intents.push(intent.clone());
                    pass.extend(moves::missing(&intent.old, &view.stored.content));
                }
                Step::Wait => intents.push(intent.clone()),
                Step::Publish => {
                    intents.push(intent.clone());
                    pass.extend(moves.remove(&key).map(|wanted| wanted.new).unwrap_or_default());
                    continue;
                }
            }
            if let Some(wanted) = moves.remove(&key) {
                self.tell(&key, &wanted, view);
            }
        }
        let is_less = self.begin(view, counterpart, moves, &mut pass, &mut intents);
        let is_less = is_less || !self.told.is_empty() || !self.not_removed.is_empty();
        Gated { changes: pass, intents: Some(intents), is_less }
    }

    /// While a person has rolled the zone back nothing of it goes forward, and what was on its way is put back at legacy.
    /// What the zone has then follows there as any difference does.
    pub(crate) fn while_pinned(&mut self, intents: &[Intent]) -> Vec<Intent> {
        let is_back_there =
            |intent: &Intent| intent.way == Way::Back && matches!(self.state(intent), Some(State::There(_)));
        let left: Vec<Intent> = intents
            .iter()
            .filter(|intent| !is_back_there(intent))
            .map(|intent| Intent { way: Way::Back, ..intent.clone() })
            .collect();
        self.tries.retain(|_, tried| tried.way == Way::Back);
        left
    }

    /// Takes up what is not on its way yet. Says whether something has to wait.
    fn begin(
        &mut self,
        view: &View<'_>,
        counterpart: Option<&Counterpart>,
        moves: BTreeMap<Place, Move>,
        pass: &mut Vec<Change>,
        intents: &mut Vec<Intent>,
    ) -> bool {
        let mut is_less = false;
        let seen = counterpart.and_then(|counterpart| counterpart.seen.as_ref());
        let on_their_way: BTreeSet<Place> = intents.iter().map(Place::of_intent).collect();
        self.refused.retain(|key, _| moves.contains_key(key) || on_their_way.contains(key));
        let is_seen =
            |changes: &[Change]| seen.is_some_and(|seen| moves::missing(changes, &seen.content).is_empty());
        // What legacy was asked for after it was written has it, or what somebody else has written over it.
        let is_looked_at =
            |written: &Written| is_seen(&written.changes) || seen.is_some_and(|seen| seen.asked > written.at);
        self.written.retain(|_, written| !is_looked_at(written));
        let apex = view.stored.content.apex();
        let octets_of = |changes: &[Change]| journal::encode(apex, changes).len();
        let of_intent = |intent: &Intent| octets_of(&intent.new) + octets_of(&intent.old);
        let mut octets: usize = intents.iter().map(of_intent).sum();
        for (key, wanted) in moves {
            self.remember_refusal(&key, &wanted, view.stamps);
            let is_refused = self.is_refused(&key, &wanted, view, seen);
            if !is_refused && is_seen(&wanted.new) && !self.written.contains_key(&key) {
                // It came from there, or was put there by hand.
                pass.extend(wanted.new);
                continue;
            }
            is_less = true;
            if is_refused {
                self.tell(&key, &wanted, view);
                continue;
            }
            let (new, old) = (octets_of(&wanted.new), octets_of(&wanted.old));
            if new.max(old) > MAX_JOURNAL {
                self.refuse_what_does_not_fit(&key, &wanted, view);
                self.tell(&key, &wanted, view);
                continue;
            }
            let octets_then = octets + new + old;
            let is_in_the_way = |other: &Intent| key.is_in_the_way_of(&Place::of_intent(other));
            let has_room = intents.len() < MAX_INTENTS
                && (octets == 0 || octets_then <= MOST_OCTETS)
                && !intents.iter().any(is_in_the_way);
            if counterpart.is_some() && has_room {
                octets = octets_then;
                intents.push(Intent {
                    name: wanted.name.clone(),
                    way: Way::Forward,
                    new: wanted.new.clone(),
                    old: wanted.old.clone(),
                    legacy_serial: seen.map(|seen| seen.serial),
                });
            }
            self.tell(&key, &wanted, view);
        }
        is_less
    }

    /// How far an intent has come here, where it was tried as it is.
    fn state(&self, intent: &Intent) -> Option<&State> {
        let tried = self.tries.get(&Place::of_intent(intent));
        tried.filter(|tried| tried.is_of(intent)).map(|tried| &tried.state)
    }

    /// What is next for an intent of the head.
    fn step(&mut self, view: &View<'_>, key: &Place, intent: &Intent, wanted: Option<&Move>) -> Step {
        let is_published = moves::missing(&intent.new, &view.stored.content).is_empty();
        let is_wanted = wanted.is_some_and(|wanted| wanted.new == intent.new);
        let state = self.state(intent);
        if intent.way == Way::Back {
            return match state {
                Some(State::There(_)) => Step::Done,
                _ => Step::Wait,
            };
        }
        if self.refused.get(key).is_some_and(|refusal| refusal.new == intent.new) {
            // Legacy has what it had.
            return Step::Done;
        }
        if is_published {
            return self.await_answers(view, key, intent);
        }
        match state {
            Some(State::There(since)) if is_wanted => match view.trouble {
                Some(trouble) if view.now >= *since + PATIENCE => {
                    let text = format!(
                        "it was at legacy and could not be published here for {} s: both have again what they had: {trouble}",
                        PATIENCE.as_secs()
                    );
                    self.roll_back(key, intent, view.stamps, text);
                    Step::Back
                }
                _ => Step::Publish,
            },
            Some(State::Asking { .. }) => Step::Wait,
            _ if is_wanted => Step::Wait,
            // What is wanted meanwhile is another, or nothing. Perhaps it is there already.
            _ => Step::Back,
        }
    }

    /// What is next for an intent that is published: whether resolvers answer it.
    fn await_answers(&mut self, view: &View<'_>, key: &Place, intent: &Intent) -> Step {
        let (since, serial) = match self.state(intent) {
            Some(State::Published { since, serial }) => (*since, *serial),
            _ => {
                let (since, serial) = (view.now, view.stored.head.soa.serial);
                let state = State::Published { since, serial };
                let tried = Try { new: intent.new.clone(), way: intent.way, state };
                self.tries.insert(key.clone(), tried);
                (since, serial)
            }
        };
        // What was answered of a version before it says nothing of it.
        let answered = view.answered.filter(|answered| !serial::is_newer(serial, answered.serial));
        match answered.map(|answered| answered.by) {
            Some(By::All) => {
                points::reached(points::Point::Confirmed);
                Step::Done
            }
            _ if view.now < since + PATIENCE => Step::Wait,
            Some(By::Some) => Step::Done,
            Some(By::None) => {
                let text = format!(
                    "it was at legacy and published here, and no nameserver answered it within {} s: both have again \
                     what they had; look at the pods of the nameservers, then change the object",
                    PATIENCE.as_secs()
                );
                self.roll_back(key, intent, view.stamps, text);
                Step::Back
            }
            // They were not asked since.
            None => Step::Wait,
        }
    }

    /// Tells the owners of what is wanted why it is not published.
    fn tell(&mut self, key: &Place, wanted: &Move, view: &View<'_>) {
        let refusal = self.refused.get(key).filter(|refusal| refusal.new == wanted.new);
        let unreachable = match view.first {
            First::Legacy(counterpart) => counterpart.server.as_ref().err().map(|(_, why)| why.clone()),
            _ => Some("it is not known yet what is to be written to legacy".to_owned()),
        };
        let waits = match self.tries.get(key).map(|tried| &tried.state) {
            Some(State::Waiting { why, .. }) => Some(why.clone()),
            _ => unreachable,
        };
        let word = match (refusal, waits) {
            (Some(refusal), _) => Word::Refused(refusal.reason, refusal.text.clone()),
            (None, Some(why)) => Word::Unreachable(why),
            (None, None) => Word::Underway,
        };
        let owners = moves::owners(&wanted.new);
        if owners.is_empty()
            && let Word::Refused(_, text) = &word
        {
            self.not_removed.push((wanted.name.clone(), text.clone()));
        }
        for owner in owners {
            self.told.insert(owner, word.clone());
        }
    }

    /// Names that were written to legacy and not looked at there since.
    pub(crate) fn written_names(&self) -> impl Iterator<Item = Name> {
        self.written.values().filter_map(|written| Some(written.changes.first()?.name().clone()))
    }

    /// How many changes were refused.
    pub(crate) fn refused(&self) -> usize {
        self.told.values().filter(|word| matches!(word, Word::Refused(..))).count()
    }

    /// When the gate is to be looked at again though nothing was heard.
    pub(crate) fn again_at(&self) -> Option<Duration> {
        let tries = self.tries.values().filter_map(|tried| match tried.state {
            State::Asking { .. } => None,
            State::Waiting { again, .. } => Some(again),
            State::There(since) | State::Published { since, .. } => Some(since + PATIENCE),
        });
        let refusals = self.refused.values().filter_map(|refusal| refusal.again);
        tries.chain(refusals).min()
    }
}

/// A head that says so was written.
pub(super) fn was_published(stored: &Stored) {
    let is_published = |intent: &Intent| {
        intent.way == Way::Forward && moves::missing(&intent.new, &stored.content).is_empty()
    };
    if stored.head.intents.iter().flatten().any(is_published) {
        points::reached(points::Point::Published);
    }
}

/// What legacy was found to have, in a few words.
pub(crate) fn shown(found: &[(Rtype, Option<RRset>)]) -> String {
    use port53_zone::rdata;
    let one = |(rtype, rrset): &(Rtype, Option<RRset>)| match rrset {
        None => format!("no {}", rdata::display_rtype(*rtype)),
        Some(rrset) => {
            let values = rrset.values().iter().take(4).map(|value| rdata::display(*rtype, value));
            let values: String = values.collect::<Vec<_>>().join(", ").chars().take(200).collect();
            format!("{} {} {values}", rrset.ttl, rdata::display_rtype(*rtype))
        }
    };
    found.iter().map(one).collect::<Vec<_>>().join(" and ")
}
