//! Zones that are deleted: served for their removal delay, then withdrawn, then gone. A finalizer keeps the
//! object until no resolver answers for the zone. Never by absence: a Zone that is missing changes nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use port53_client::jittered;
use port53_crds::{FINALIZER, HeadState, KEEP_ANNOTATION, RELEASE_ANNOTATION, Zone};
use port53_zone::{Name, name, serial};

use super::reporting::leaves_at;
use super::version::Version;
use super::zone::{Restore, ZoneState};
use super::{Engine, Timer, planning, wall};
use crate::cluster::people::{self, Edit};
use crate::cluster::store::WriteError;
use crate::index::{Key, key};

/// Before a Zone is edited again that was changed meanwhile.
const AFTER_CONFLICT: Duration = Duration::from_millis(100);
/// Between attempts to edit a Zone.
const RETRY: Duration = Duration::from_secs(2);

/// The metadata of a Zone was edited, or not.
pub(super) struct Ended {
    key: Key,
    edit: Edit,
    result: Result<(), WriteError>,
}

/// Whether a Zone cannot go without a word.
pub(super) fn has_finalizer(zone: &Zone) -> bool {
    zone.metadata.finalizers.iter().flatten().any(|name| name == FINALIZER)
}

impl Engine {
    /// Zones that were deleted and whose zones are withdrawn: they hold nothing any more.
    pub(super) fn withdrawn_zones(&self) -> BTreeSet<Key> {
        let deleted = self.index.zones.iter().filter(|(_, zone)| zone.metadata.deletion_timestamp.is_some());
        let is_withdrawn = |zone: &Zone| {
            let stored = self.held_by(zone).and_then(|(_, state)| state.stored.as_ref());
            stored.is_some_and(|stored| stored.head.state == HeadState::Withdrawn)
        };
        deleted.filter(|(_, zone)| is_withdrawn(zone)).map(|(key, _)| key.clone()).collect()
    }

    /// The zone that a Zone holds.
    fn held_by(&self, zone: &Zone) -> Option<(Name, &ZoneState)> {
        let apex = name::parse_absolute(&zone.spec.domain).ok()?;
        let state = self.zones.get(&apex)?;
        let holder = state.holder()?;
        (planning::key_of(holder) == key(&zone.metadata)).then_some((apex, state))
    }

    /// Goes on with what is being deleted, and sees that what may be deleted has the finalizer.
    pub(super) fn see_to_leaving(&mut self, now: Instant) {
        let zones: Vec<_> = self.index.zones.iter().map(|(key, zone)| (key.clone(), zone.clone())).collect();
        for (key, zone) in zones {
            let has_finalizer = has_finalizer(&zone);
            match (leaves_at(&zone), has_finalizer) {
                (None, false) if self.is_zone_accepted(&key) => self.edit(key, Edit::AddFinalizer),
                (Some(at), true) => self.leave(key, &zone, at, now),
                _ => self.take_spent_release(key, &zone),
            }
        }
        self.restore_withdrawn(now);
    }

    fn leave(&mut self, key: Key, zone: &Zone, at: k8s_openapi::jiff::Timestamp, now: Instant) {
        if planning::annotation(zone, KEEP_ANNOTATION) == Some("true") {
            return self.edit(key, Edit::RemoveFinalizer);
        }
        // What is on its way may be its first publication.
        if let Ok(apex) = name::parse_absolute(&zone.spec.domain)
            && let Some(state) = self.zones.get_mut(&apex)
            && !state.is_idle()
        {
            state.is_passed_over = true;
            return;
        }
        let Some((apex, state)) = self.held_by(zone) else {
            return self.edit(key, Edit::RemoveFinalizer);
        };
        let Some(stored) = &state.stored else { return };
        match stored.head.state {
            HeadState::Withdrawn if state.has_left => self.edit(key, Edit::RemoveFinalizer),
            HeadState::Withdrawn => self.confirm(&apex),
            HeadState::Serving => match Duration::try_from(at.duration_since(wall())) {
                Ok(left) if !left.is_zero() => self.at(now + left, Timer::Plan),
                _ => {
                    let (version, guard) = (Version::withdrawn(stored), state.guard.clone());
                    self.publish(version, guard, None, now, now);
                }
            },
        }
    }

    /// An annotation that released removals is taken away when it did its work.
    fn take_spent_release(&mut self, key: Key, zone: &Zone) {
        let Some(id) = planning::annotation(zone, RELEASE_ANNOTATION) else { return };
        if self.held_by(zone).is_some_and(|(_, state)| state.spent.as_deref() == Some(id)) {
            self.edit(key, Edit::TakeRelease(id.to_owned()));
        }
    }

    /// Heads that say Withdrawn stay so, whoever edits or deletes them.
    fn restore_withdrawn(&mut self, now: Instant) {
        let edited = self.zones.values().filter_map(|state| {
            let stored = state.stored.as_ref().filter(|stored| stored.head.state == HeadState::Withdrawn)?;
            (state.is_idle() && state.restore != Restore::Nothing).then(|| (stored.clone(), state))
        });
        let edited: Vec<_> = edited
            .map(|(stored, state)| {
                let version = match state.restore {
                    Restore::HigherSerial => {
                        Version::again_as(&stored, serial::next_after(state.serials_above()))
                    }
                    _ => Version::again(&stored),
                };
                (version, state.guard.clone())
            })
            .collect();
        for (version, guard) in edited {
            self.publish(version, guard, None, now, now);
        }
    }

    /// Edits the metadata of a Zone, unless that is being done.
    fn edit(&mut self, key: Key, edit: Edit) {
        if !self.edited.insert(key.clone()) {
            self.edits_put_off.insert(key);
            return;
        }
        let client = self.client.clone();
        self.jobs.spawn(async move {
            let result = people::edit_zone(client, &key, &edit).await;
            match &result {
                Ok(()) => {}
                Err(WriteError::Conflict) => tokio::time::sleep(jittered(AFTER_CONFLICT)).await,
                Err(_) => tokio::time::sleep(jittered(RETRY)).await,
            }
            super::Ended::Leave(Ended { key, edit, result })
        });
    }

    pub(super) fn leave_ended(&mut self, Ended { key, edit, result }: Ended) {
        self.edited.remove(&key);
        match result {
            // The watch tells of it. What else is to be edited was put off meanwhile.
            Ok(()) => {
                if self.edits_put_off.remove(&key) {
                    self.plan.heard(Instant::now());
                }
            }
            // What changed meanwhile may be a status, which is no reason for a plan.
            Err(WriteError::Conflict) => self.plan.heard(Instant::now()),
            Err(error) => {
                let (namespace, name) = key;
                tracing::warn!(
                    "Zone {namespace}/{name} cannot be edited ({edit:?}), and it is tried again: {error}"
                );
                // What is still to be done is found by the next plan.
                self.plan.heard(Instant::now());
            }
        }
    }
}
