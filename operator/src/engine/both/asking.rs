//! Writing what is meant to legacy, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use port53_crds::{ConditionType, Reason, Way, find_condition};
use port53_legacy::Server;
use port53_store::Intent;
use port53_zone::Name;
use port53_zone::content::Change;
use port53_zone::name;

use super::moves::Place;
use super::points::{Point, reached};
use super::refusing::{Refusal, SETTLE};
use super::{
    Both, Counterpart, First, REMOVED_AGAIN, Stamp, Stamps, State, Try, Word, Written, moves, shown,
};
use crate::engine::statuses::{Object, Standing};
use crate::engine::{self, Engine, Timer};
use crate::migrations::agreed::Print;
use crate::migrations::merge::{Apart, Changed};
use crate::migrations::sending::{NotTaken, said, write_and_read_back};
use crate::migrations::updates::updates;
use crate::report::KEPT;

/// The first pause before legacy is asked again; each that follows is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Legacy was asked to have what an intent says.
pub(in crate::engine) struct Ended {
    apex: Name,
    intent: Intent,
    result: Result<(), NotTaken>,
}

impl Engine {
    /// Asks legacy for all that the head of a zone says is meant, and that is not being asked.
    pub(in crate::engine) fn write_what_is_meant(&mut self, apex: &Name, now: Instant) {
        if !self.leads {
            return;
        }
        let First::Legacy(counterpart) = self.first(apex) else { return };
        let elapsed = self.elapsed(now);
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let Some(stored) = zone.serving() else { return };
        let intents: Vec<Intent> = stored.head.intents.iter().flatten().cloned().collect();
        let (content, is_pinned) = (stored.content.clone(), stored.head.pinned.is_some());
        // Forward goes what is not published yet.
        let is_to_be_asked = |intent: &Intent| {
            intent.way == Way::Back || !is_pinned && moves::missing(&intent.old, &content).is_empty()
        };
        let mut begun = Vec::new();
        for intent in intents.into_iter().filter(is_to_be_asked) {
            if zone.both.begin_to_ask(&intent, &counterpart, elapsed) {
                begun.push(intent);
            }
        }
        for intent in begun {
            reached(match intent.way {
                Way::Forward => Point::Intended,
                Way::Back => Point::BackIntended,
            });
            let Ok(server) = counterpart.server.clone() else { continue };
            let (apex, room) = (apex.clone(), self.writing.clone());
            self.jobs.spawn(async move {
                let _place = room.acquire().await;
                let mut result = match updates(&apart(&intent)).pop() {
                    Some(planned) => {
                        let sent = || reached(Point::Sent);
                        write_and_read_back(server.clone(), apex.clone(), planned, sent).await.result
                    }
                    None => Ok(()),
                };
                if let (Err(NotTaken::Partly(why)), Way::Forward) = (&result, intent.way) {
                    result = Err(put_back(server, &apex, &intent, why).await);
                }
                if result.is_ok() {
                    reached(match intent.way {
                        Way::Forward => Point::AtLegacy,
                        Way::Back => Point::BackAtLegacy,
                    });
                }
                engine::Ended::Both(Ended { apex, intent, result })
            });
        }
        if let Some(again) = self.zones.get(apex).and_then(|zone| zone.both.again_at()) {
            let at = self.started + again;
            self.at(at.max(now), Timer::Plan);
        }
    }

    /// The versions of the objects that own what changes, and what they were told.
    pub(in crate::engine) fn stamps(&self, changes: &[Change]) -> Stamps {
        let records = self.index.records();
        let stamp = |owner: Arc<str>| {
            let (namespace, name) = owner.split_once('/')?;
            let key = (namespace.to_owned(), name.to_owned());
            let metadata = &records.get(&key)?.metadata;
            let generation = metadata.generation.unwrap_or_default();
            let status = records.status(&key).filter(|status| status.observed_generation == generation);
            let accepted =
                status.and_then(|status| find_condition(&status.conditions, ConditionType::Accepted));
            let refused = accepted.and_then(|accepted| {
                let is_it = |reason: &&Reason| reason.as_str() == accepted.reason;
                let reason = [Reason::LegacyRefused, Reason::RolledBack].iter().find(is_it)?;
                let text = accepted.message.strip_suffix(KEPT).unwrap_or(&accepted.message);
                Some((*reason, text.to_owned()))
            });
            let stamp = Stamp { uid: metadata.uid.clone().unwrap_or_default(), generation, refused };
            Some((owner, stamp))
        };
        moves::owners(changes).into_iter().filter_map(stamp).collect()
    }

    /// Tells the owners of changes that wait for legacy, or were refused there, and those that do not any more.
    pub(in crate::engine) fn owners_wait_for_legacy(
        &mut self,
        apex: &Name,
        before: &BTreeMap<Arc<str>, Word>,
    ) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        if *before == zone.both.told {
            return;
        }
        let now = zone.both.told.clone();
        let others = before.iter().filter(|(owner, word)| now.get(*owner) != Some(*word));
        let new = now.iter().filter(|(owner, word)| before.get(*owner) != Some(*word));
        let changed: BTreeSet<&Arc<str>> = others.chain(new).map(|(owner, _)| owner).collect();
        for owner in changed {
            let Some((namespace, name)) = owner.split_once('/') else { continue };
            let key = (namespace.to_owned(), name.to_owned());
            let Some(told) = self.statuses.records.get_mut(&key) else { continue };
            if now.contains_key(owner) {
                // Perhaps it was published for a moment.
                told.standing = Standing::Unpublished;
                zone.unconfirmed.remove(&key);
                zone.unpublished.insert(key.clone());
            }
            // What is on its way is told after a second, as ever.
            if now.get(owner).is_some_and(|word| *word != Word::Underway) {
                self.statuses.queue(Object::Record(key));
            }
        }
    }

    pub(in crate::engine) fn both_ended(&mut self, ended: Ended) {
        let Ended { apex, intent, result } = ended;
        let now = Instant::now();
        let elapsed = self.elapsed(now);
        let stamps = self.stamps(&intent.new);
        let seen = match self.first(&apex) {
            First::Legacy(counterpart) => counterpart.seen.as_ref().map(|seen| seen.serial),
            _ => None,
        };
        let Some(zone) = self.zones.get_mut(&apex) else { return };
        if let Err(NotTaken::Said(why) | NotTaken::Partly(why)) = &result {
            let (apex, name) = (name::display(&apex), name::display(&intent.name));
            tracing::warn!(zone = apex, name, "legacy refuses a change, and it is published nowhere: {why}");
        }
        zone.both.was_asked(&intent, result, stamps, seen, now, elapsed);
        self.plan.heard(now);
    }
}

impl Both {
    /// Whether legacy is to be asked now. Then it is being asked.
    pub(super) fn begin_to_ask(&mut self, intent: &Intent, counterpart: &Counterpart, now: Duration) -> bool {
        let key = Place::of_intent(intent);
        let pause = match self.state(intent) {
            None => FIRST_PAUSE,
            Some(State::Waiting { again, pause, .. }) if *again <= now => (2 * *pause).min(LONGEST_PAUSE),
            Some(_) => return false,
        };
        let state = match &counterpart.server {
            Ok(_) => State::Asking { pause },
            Err((_, why)) => State::Waiting { again: now + pause, pause, why: why.clone() },
        };
        let is_asked = matches!(state, State::Asking { .. });
        self.tries.insert(key, Try { new: intent.new.clone(), way: intent.way, state });
        is_asked
    }

    pub(super) fn was_asked(
        &mut self,
        intent: &Intent,
        result: Result<(), NotTaken>,
        stamps: Stamps,
        seen: Option<u32>,
        at: Instant,
        now: Duration,
    ) {
        let key = Place::of_intent(intent);
        let Some(tried) = self.tries.get_mut(&key).filter(|tried| tried.is_of(intent)) else { return };
        let State::Asking { pause } = tried.state else { return };
        let waiting = |why| State::Waiting { again: now + pause, pause, why };
        tried.state = match (result, intent.way) {
            (Ok(()), way) => {
                let is_there = if way == Way::Forward { &intent.new } else { &intent.old };
                self.written.insert(key.clone(), Written { changes: is_there.clone(), at });
                State::There(now)
            }
            (Err(NotTaken::Passing((_, why))), _) => waiting(why),
            // Somebody has written something else there meanwhile: that is a difference like any other.
            (Err(NotTaken::Changed(_)), Way::Back) => State::There(now),
            (Err(NotTaken::Said(why) | NotTaken::Partly(why)), Way::Back) => waiting(why),
            (Err(NotTaken::Said(why) | NotTaken::Partly(why)), Way::Forward) => {
                return self.refuse(key, intent, stamps, format!("legacy refuses it: {why}"), None, now);
            }
            (Err(NotTaken::Changed(found)), Way::Forward) => {
                let text = format!(
                    "legacy has {} there, and not what is published: somebody changed it. {SETTLE}",
                    shown(&found)
                );
                return self.refuse(key, intent, stamps, text, Some(seen), now);
            }
        };
    }

    fn refuse(
        &mut self,
        key: Place,
        intent: &Intent,
        stamps: Stamps,
        text: String,
        other_since: Option<Option<u32>>,
        now: Duration,
    ) {
        self.tries.remove(&key);
        // Of what is removed there is no object that could change.
        let again = moves::owners(&intent.new).is_empty().then_some(now + REMOVED_AGAIN);
        let (new, reason) = (intent.new.clone(), Reason::LegacyRefused);
        self.refused.insert(key, Refusal { new, stamps, reason, text, other_since, again });
    }
}

/// Legacy said yes and did it in part, or otherwise (RFC 2136 §3.4.2): it is to have again what it had, from what it has now.
async fn put_back(server: Server, apex: &Name, intent: &Intent, why: &str) -> NotTaken {
    let back = Intent { way: Way::Back, ..intent.clone() };
    let mut apart = apart(&back);
    for one in &mut apart {
        match server.rrset(apex, &one.name, one.rtype).await {
            Ok(found) => one.theirs = found,
            Err(trouble) => return NotTaken::Passing(said(trouble)),
        }
    }
    let is_other = |one: &Apart| one.ours.as_ref().map(Print::of) != one.theirs.as_ref().map(Print::of);
    apart.retain(is_other);
    let Some(planned) = updates(&apart).pop() else { return NotTaken::Said(why.to_owned()) };
    match write_and_read_back(server, apex.clone(), planned, || {}).await.result {
        Ok(()) => NotTaken::Said(format!("{why}; what it did of it was put back")),
        Err(NotTaken::Passing(trouble)) => NotTaken::Passing(trouble),
        Err(_) => NotTaken::Said(format!(
            "{why}; what it did of it could not be put back: see port53 migration diff"
        )),
    }
}

/// What is apart between what legacy is to have and what it is thought to have.
fn apart(intent: &Intent) -> Vec<Apart> {
    let (to_be, thought) = match intent.way {
        Way::Forward => (&intent.new, &intent.old),
        Way::Back => (&intent.old, &intent.new),
    };
    let rrset = |change: &Change| match change {
        Change::Put { rrset, .. } => Some(rrset.clone()),
        Change::Remove { .. } => None,
    };
    let one = |to_be: &Change| {
        let thought = thought.iter().find(|thought| thought.rtype() == to_be.rtype())?;
        Some(Apart {
            name: to_be.name().clone(),
            rtype: to_be.rtype(),
            ours: rrset(to_be),
            theirs: rrset(thought),
            changed: Changed::Port53,
        })
    };
    to_be.iter().filter_map(one).collect()
}
