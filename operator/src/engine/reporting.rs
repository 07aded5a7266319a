//! Reporting: who is to be told what, and when.
//!
//! A record that is refused is told at once; one that is accepted when every resolver answers it, and after a
//! second what it waits for: at first as far as that is known then, and once more when it is known who does not
//! answer. A Zone is told at most once a second. What is to be written is compared with what is
//! there, so an operator that starts again writes nothing; a status that another edited is written again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use port53_client::jittered;
use port53_crds::{RELEASE_ANNOTATION, ROLLBACK_ANNOTATION, parse_duration};
use port53_zone::{Name, serial};

use super::both::Word;
use super::statuses::{INTERIM, Object, Standing, ToldZone};
use super::zone::{Rollback, ZoneState};
use super::{Engine, Timer, planning, wall};
use crate::cluster::people::{self, Status};
use crate::cluster::store::WriteError;
use crate::index::Key;
use crate::objects::ObjectRef;
use crate::report::{Facts, Service, record_status, zone_status};
use crate::verdict::{Outcome, Verdict};

/// Statuses on their way at once.
const AT_ONCE: usize = 16;
/// Between two statuses of one Zone.
const ZONE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the status of a Zone waits for what is under way.
const ZONE_PATIENCE: Duration = Duration::from_secs(5);
/// Between attempts to write a status.
const RETRY: Duration = Duration::from_secs(2);

/// A status that was written, or not.
pub(super) struct Ended {
    object: Object,
    /// Of the object that it was written to.
    uid: Option<String>,
    status: Status,
    result: Result<(), WriteError>,
}

impl Engine {
    /// Whether a Zone is accepted.
    pub(super) fn is_zone_accepted(&self, key: &Key) -> bool {
        self.statuses.zones.get(key).is_some_and(|told| told.verdict.outcome == Outcome::Accepted)
    }

    /// Takes note of what the stages say of every object. What they say of a zone as before is skipped.
    pub(super) fn note_verdicts(&mut self, verdicts: Vec<Arc<[Verdict]>>, now: Instant) {
        // Kept until now, so that no other can have the address of one that is gone.
        let last = std::mem::take(&mut self.statuses.last);
        let before: HashSet<usize> = last.iter().map(as_address).collect();
        for of_zone in &verdicts {
            if before.contains(&as_address(of_zone)) {
                continue;
            }
            // Nothing is said of a zone while it is not known what of it is in service.
            let is_known =
                |verdict: &&Verdict| verdict.zone.as_ref().is_none_or(|apex| !self.is_unknown(apex));
            let known: Vec<&Verdict> = of_zone.iter().filter(is_known).collect();
            for verdict in known {
                match &verdict.object {
                    ObjectRef::Record { namespace, name } => {
                        self.note_record((namespace.clone(), name.clone()), verdict, now);
                    }
                    ObjectRef::Zone { namespace, name } => {
                        self.note_zone((namespace.clone(), name.clone()), verdict, now);
                    }
                    ObjectRef::MasterFile(_) | ObjectRef::MasterRecord { .. } => {}
                }
            }
        }
        self.statuses.last = verdicts;
    }

    fn note_zone(&mut self, key: Key, verdict: &Verdict, now: Instant) {
        let told = self.statuses.zones.get(&key);
        if told.is_some_and(|told| told.verdict == *verdict) {
            return;
        }
        let last = told.and_then(|told| told.last);
        self.statuses.zones.insert(key.clone(), ToldZone { verdict: verdict.clone(), noticed: now, last });
        self.statuses.queue(Object::Zone(key));
    }

    fn note_record(&mut self, key: Key, verdict: &Verdict, now: Instant) {
        if self.statuses.records.get(&key).is_some_and(|told| told.verdict == *verdict) {
            return;
        }
        let plan = self.plan.number;
        let is_accepted = verdict.outcome == Outcome::Accepted;
        let zone = verdict.zone.clone().filter(|_| is_accepted);
        self.statuses.note(key.clone(), verdict.clone(), plan, now);
        let Some(apex) = zone else { return self.statuses.queue(Object::Record(key)) };
        let zone = self.zones.entry(apex).or_insert_with(|| ZoneState::new(now));
        zone.unpublished.insert(key);
        self.at(now + INTERIM, Timer::Interim);
    }

    /// What came with a plan up to this one is published.
    pub(super) fn records_are_published(&mut self, apex: &Name, plan: u64) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let Some(stored) = zone.serving() else { return };
        let (serial, pinned) = (stored.head.soa.serial, stored.head.pinned);
        for key in std::mem::take(&mut zone.unpublished) {
            let Some(told) = self.statuses.records.get_mut(&key) else { continue };
            if told.verdict.zone.as_ref() != Some(apex) {
                continue;
            }
            if told.plan > plan {
                // What is published is the version before.
                zone.unpublished.insert(key);
                continue;
            }
            let owner: Arc<str> = format!("{}/{}", key.0, key.1).into();
            let waits_for_legacy = zone.both.told.contains_key(&owner);
            if waits_for_legacy || zone.kept_back.contains(&owner) || zone.still_below.contains(&owner) {
                zone.unpublished.insert(key);
                continue;
            }
            let waits = pinned.filter(|_| zone.pinned_owners.contains(&owner));
            told.standing = waits.map_or(Standing::Published(serial), Standing::Pinned);
            match waits {
                Some(_) => self.statuses.queue(Object::Record(key)),
                None => drop(zone.unconfirmed.insert(key, serial)),
            }
        }
        let last = zone.confirming.last.as_ref();
        if last.is_some_and(|last| last.serial == serial && last.is_complete()) {
            self.records_are_served(apex, serial);
        }
    }

    /// Every resolver answers a serial.
    pub(super) fn records_are_served(&mut self, apex: &Name, confirmed: u32) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let Some(confirmation) = zone.confirming.last.clone() else { return };
        let (later, served): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut zone.unconfirmed)
            .into_iter()
            .partition(|(_, of)| serial::is_newer(*of, confirmed));
        zone.unconfirmed = later;
        for (key, of) in served {
            // Only what is still to be told as it was published.
            if let Some(told) = self.statuses.records.get_mut(&key)
                && matches!(told.standing, Standing::Published(serial) if serial == of)
            {
                told.standing = Standing::Served(confirmation.clone());
                self.statuses.queue(Object::Record(key));
            }
        }
    }

    /// A zone was pinned, or is no longer: who waits for it now, and who did before.
    pub(super) fn pinned_records_are(
        &mut self,
        apex: &Name,
        pinned: Option<u32>,
        before: &BTreeSet<Arc<str>>,
        now: &BTreeSet<Arc<str>>,
    ) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        for owner in before.symmetric_difference(now) {
            let Some((namespace, name)) = owner.split_once('/') else { continue };
            let key = (namespace.to_owned(), name.to_owned());
            let Some(told) = self.statuses.records.get_mut(&key) else { continue };
            match pinned.filter(|_| now.contains(owner)) {
                Some(serial) => told.standing = Standing::Pinned(serial),
                None => {
                    told.standing = Standing::Unpublished;
                    zone.unpublished.insert(key.clone());
                }
            }
            self.statuses.queue(Object::Record(key));
        }
    }

    /// Tells records what they wait for, a second after they were heard of.
    pub(super) fn report_what_waits(&mut self, now: Instant) {
        for key in self.statuses.waited(now) {
            let is_asked = self.statuses.records.get(&key).is_some_and(|told| match &told.standing {
                Standing::Published(serial) => {
                    let apex = told.verdict.zone.as_ref();
                    apex.is_some_and(|apex| self.confirmation_of(apex, *serial).is_some())
                }
                _ => false,
            });
            if let Some(told) = self.statuses.records.get_mut(&key) {
                told.is_owed_who = !is_asked;
            }
            self.statuses.queue(Object::Record(key));
        }
    }

    /// Not every resolver answers a serial: it is told which, once, by the records that were told that they wait.
    pub(super) fn records_wait(&mut self, apex: &Name, asked: u32) {
        let Some(zone) = self.zones.get(apex) else { return };
        for (key, _) in zone.unconfirmed.iter().filter(|(_, of)| !serial::is_newer(**of, asked)) {
            if let Some(told) = self.statuses.records.get_mut(key)
                && std::mem::take(&mut told.is_owed_who)
            {
                self.statuses.queue(Object::Record(key.clone()));
            }
        }
    }

    pub(super) fn report_zone_of(&mut self, apex: &Name) {
        if let Some(holder) = self.zones.get(apex).and_then(|zone| zone.holder()) {
            let key = planning::key_of(holder);
            self.statuses.queue(Object::Zone(key));
        }
    }

    /// Writes statuses that are not as they should be, some at once.
    pub(super) fn write_statuses(&mut self, now: Instant) {
        if self.plan.number == 0 {
            return;
        }
        let mut put_off = Vec::new();
        while self.statuses.writing.len() < AT_ONCE
            && let Some(object) = self.statuses.waiting.pop_front()
        {
            if self.statuses.writing.contains(&object) {
                // Looked at again when that has ended.
                put_off.push(object);
                continue;
            }
            self.statuses.queued.remove(&object);
            let status = match &object {
                Object::Zone(key) => self.zone_status(key, now),
                Object::Record(key) => self.record_status(key),
            };
            if let Some(status) = status {
                self.write_status(object, status, now);
            }
        }
        self.statuses.waiting.extend(put_off);
    }

    fn record_status(&self, key: &Key) -> Option<Status> {
        let told = self.statuses.records.get(key)?;
        let apex = told.verdict.zone.as_ref();
        let word = self.word_of(apex, key);
        let service = match &told.standing {
            Standing::Unpublished if let Some(word) = word => match word {
                Word::Underway => Service::Unpublished,
                Word::Unreachable(why) => Service::LegacyUnreachable(why),
                Word::Refused(reason, why) => Service::Refused(*reason, why),
            },
            Standing::Unpublished if self.is_still_below(apex, key) => Service::StillBelow,
            Standing::Unpublished => Service::Unpublished,
            Standing::Pinned(serial) => Service::Pinned(*serial),
            Standing::Served(confirmation) => Service::Served(confirmation),
            Standing::Published(serial) => {
                let confirmation = apex.and_then(|apex| self.confirmation_of(apex, *serial));
                Service::Waiting { serial: *serial, confirmation }
            }
        };
        // Only of an object that is there, and not of what another operator looks after by now.
        self.index.records().get(key).filter(|record| self.index.looks_after(record))?;
        let status = record_status(&told.verdict, service, self.index.records().status(key), wall())?;
        Some(Status::Record(Box::new(status)))
    }

    /// What a record is told of a change that legacy is to have first.
    fn word_of(&self, apex: Option<&Name>, (namespace, name): &Key) -> Option<&Word> {
        let told = &self.zones.get(apex?)?.both.told;
        if told.is_empty() { None } else { told.get(format!("{namespace}/{name}").as_str()) }
    }

    fn is_still_below(&self, apex: Option<&Name>, (namespace, name): &Key) -> bool {
        let still_below = apex.and_then(|apex| self.zones.get(apex)).map(|zone| &zone.still_below);
        still_below.is_some_and(|owners| {
            !owners.is_empty() && owners.contains(format!("{namespace}/{name}").as_str())
        })
    }

    fn zone_status(&mut self, key: &Key, now: Instant) -> Option<Status> {
        let told = self.statuses.zones.get(key)?;
        let object = self.index.zones.get(key)?;
        if let Some(again) = told.last.map(|last| last + ZONE_INTERVAL).filter(|again| *again > now) {
            self.at(again, Timer::Report(Object::Zone(key.clone())));
            return None;
        }
        let apex = told.verdict.zone.as_ref();
        let zone = apex.and_then(|apex| self.zones.get(apex));
        let zone = zone.filter(|zone| zone.holder().is_some_and(|holder| planning::key_of(holder) == *key));
        let stored = zone.and_then(|zone| zone.serving());
        // What is published and answered in a moment is told then: no Zone is unready for each publication.
        let answered = apex.zip(stored).map(|(apex, stored)| {
            let serial = stored.head.soa.serial;
            (serial, self.confirmation_of(apex, serial))
        });
        let is_under_way = match answered {
            Some((_, confirmation)) => {
                confirmation.is_none() && zone.is_some_and(|zone| zone.confirming.is_asking)
            }
            None => told.verdict.outcome == Outcome::Accepted && told.last.is_none(),
        };
        let until = told.last.map_or(told.noticed + INTERIM, |last| last + ZONE_PATIENCE);
        if is_under_way && now < until {
            self.at(until, Timer::Report(Object::Zone(key.clone())));
            return None;
        }
        let service = match answered {
            Some((_, Some(confirmation))) if confirmation.is_complete() => Service::Served(confirmation),
            Some((serial, confirmation)) => Service::Waiting { serial, confirmation },
            None => Service::Unpublished,
        };
        let trouble = apex.and_then(|apex| self.zones.get(apex)?.trouble.as_deref());
        let trouble = trouble.map(|why| format!("what changed since is not published: {why}"));
        let note = note(object, zone.map(|zone| &zone.rollback)).or(trouble);
        let transfers = self.transfers_known(object);
        let facts = Facts {
            serial: stored.map(|stored| stored.head.soa.serial),
            records: stored.map_or(0, |stored| stored.head.rrsets),
            rejected: zone.map_or(0, |zone| zone.rejected),
            service,
            held: zone.and_then(|zone| zone.held.as_ref()),
            max_removed_percent: object.spec.guard.max_removed_percent,
            released: planning::annotation(object, RELEASE_ANNOTATION),
            pinned: stored.and_then(|stored| stored.head.pinned),
            transfers: transfers.as_ref(),
            leaves_at: leaves_at(object).filter(|_| stored.is_some()),
            note: note.as_deref(),
        };
        let status = zone_status(&told.verdict, &facts, self.index.zones.status(key), wall())?;
        Some(Status::Zone(Box::new(status)))
    }

    fn write_status(&mut self, object: Object, status: Status, now: Instant) {
        let key = match &object {
            Object::Zone(key) => {
                if let Some(told) = self.statuses.zones.get_mut(key) {
                    told.last = Some(now);
                }
                key.clone()
            }
            Object::Record(key) => key.clone(),
        };
        self.statuses.writing.insert(object.clone());
        let uid = match &object {
            Object::Zone(key) => self.index.zones.get(key).and_then(|zone| zone.metadata.uid.clone()),
            Object::Record(key) => {
                self.index.records().get(key).and_then(|record| record.metadata.uid.clone())
            }
        };
        let client = self.client.clone();
        self.jobs.spawn(async move {
            let result = people::write_status(client, &key, uid.as_deref(), &status).await;
            super::Ended::Report(Ended { object, uid, status, result })
        });
    }

    pub(super) fn report_ended(&mut self, Ended { object, uid, status, result }: Ended) {
        self.statuses.writing.remove(&object);
        match result {
            Ok(()) => {
                if self.statuses.trouble.take().is_some() {
                    tracing::info!("statuses can be written again");
                }
                match (&object, status) {
                    (Object::Zone(key), Status::Zone(status)) => {
                        self.index.zones.status_is(key, uid.as_deref(), *status);
                    }
                    (Object::Record(key), Status::Record(status)) => {
                        self.index.record_status_is(key, uid.as_deref(), *status);
                    }
                    _ => {}
                }
            }
            // It is gone, or another of its name is there; the watch says so too.
            Err(WriteError::Conflict) => {
                self.at(Instant::now() + jittered(RETRY), Timer::Report(object));
            }
            Err(error) => {
                let why = error.to_string();
                if self.statuses.trouble.as_ref() != Some(&why) {
                    tracing::warn!("a status cannot be written, and is tried again: {why}");
                    self.statuses.trouble = Some(why);
                }
                self.at(Instant::now() + jittered(RETRY), Timer::Report(object));
            }
        }
    }
}

fn as_address(verdicts: &Arc<[Verdict]>) -> usize {
    verdicts.as_ptr().addr()
}

/// When a Zone that was deleted is withdrawn.
pub(super) fn leaves_at(zone: &port53_crds::Zone) -> Option<Timestamp> {
    let deleted = zone.metadata.deletion_timestamp.as_ref()?.0;
    let delay = parse_duration(&zone.spec.removal_delay).unwrap_or(Duration::from_secs(3600));
    deleted.checked_add(delay).ok()
}

/// What is wrong with a rollback that a person wants.
fn note(zone: &port53_crds::Zone, rollback: Option<&Rollback>) -> Option<String> {
    let wanted = planning::annotation(zone, ROLLBACK_ANNOTATION)?;
    if wanted.trim().parse::<u32>().is_err() {
        return Some(format!(
            "annotation {ROLLBACK_ANNOTATION}: \"{wanted}\" is no serial: write that of a ZoneRevision"
        ));
    }
    match rollback {
        Some(Rollback::Impossible(_, why)) => Some(why.clone()),
        _ => None,
    }
}
