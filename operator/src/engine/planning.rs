//! Planning: the stages over all that is known, and then a decision for each zone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use port53_crds::{Holder, RELEASE_ANNOTATION, ROLLBACK_ANNOTATION, Zone};
use port53_store::Revision;
use port53_zone::content::Change;
use port53_zone::{Name, Rtype, name, serial};

use super::both::{First, Stamps};
use super::deciding::{Decision, Orders};
use super::zone::{Asked, Rollback, ZoneState};
use super::{Engine, Timer, keeping, leaving};
use crate::guard;
use crate::index::Key;
use crate::objects::ObjectRef;
use crate::stages::{Inputs, Published, ZoneOutcome};

/// The most between two plans, in a cluster where each takes long.
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// A plan that took less is followed by the next at once.
const NO_PAUSE: Duration = Duration::from_millis(5);

/// When plans are made.
#[derive(Debug)]
pub(super) struct Plans {
    /// How many were made.
    pub(super) number: u64,
    /// When the first was heard of that is not planned for.
    heard: Option<Instant>,
    /// None before this: planning takes half of the time at most.
    due: Instant,
}

impl Plans {
    pub(super) fn new(now: Instant) -> Self {
        Plans { number: 0, heard: None, due: now }
    }

    /// Something changed that a plan depends on.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard.get_or_insert(now);
    }
}

impl Engine {
    pub(super) fn plan_if_due(&mut self, now: Instant) {
        let Some(heard) = self.plan.heard else { return };
        if now < self.plan.due {
            self.at(self.plan.due, Timer::Plan);
            return;
        }
        self.plan.heard = None;
        self.make_plan(heard, now);
        let took = now.elapsed();
        self.metrics.planned(took);
        let pause = if took < NO_PAUSE { Duration::ZERO } else { took.min(MOST_PAUSE) };
        self.plan.due = Instant::now() + pause;
        tracing::debug!(number = self.plan.number, micros = took.as_micros() as u64, "planned");
    }

    fn make_plan(&mut self, heard: Instant, now: Instant) {
        self.plan.number += 1;
        if self.plan.number == 1 {
            self.remember_sizes();
            self.remember_what_is_stored();
        }
        self.follow_secrets();
        let withdrawn = self.withdrawn_zones();
        let objects = self.index.objects(&withdrawn);
        let serials = self.serials();
        let settings = self.stage_settings();
        let inputs =
            Inputs { objects: &objects, published: &self.published, serials: &serials, settings: &settings };
        let plan = self.planner.plan(&inputs);
        self.note_verdicts(plan.verdicts, now);
        let unknown = self.unknown_zones();
        for mut outcome in plan.zones {
            self.keep_what_is_not_known(&mut outcome, &unknown);
            self.consider(outcome, heard, now);
        }
        self.see_to_leaving(now);
    }

    /// What a zone's next serial must be above, by apex: of those that are known, and of Zones that are new.
    fn serials(&self) -> BTreeMap<Name, Vec<u32>> {
        let mut serials: BTreeMap<Name, Vec<u32>> = BTreeMap::new();
        for (apex, zone) in &self.zones {
            let above = zone.serials_above();
            if !above.is_empty() {
                serials.insert(apex.clone(), above);
            }
        }
        // Revisions of one zone stand together.
        let mut last: Option<(&Name, Option<u32>)> = None;
        for (_, stored) in self.index.revisions.iter() {
            let revision = &stored.revision;
            let published = match last {
                Some((apex, published)) if *apex == revision.apex => published,
                _ => self.published.get(&revision.apex).map(|published| published.soa.serial),
            };
            last = Some((&revision.apex, published));
            let serial = revision.soa.serial;
            if published.is_none_or(|published| serial::is_newer(serial, published)) {
                serials.entry(revision.apex.clone()).or_default().push(serial);
            }
        }
        for (key, zone) in self.index.zones.iter() {
            let serial = self.index.zones.status(key).and_then(|status| status.serial);
            if let Some(serial) = serial
                && let Ok(apex) = name::parse_absolute(&zone.spec.domain)
                && self
                    .published
                    .get(&apex)
                    .is_none_or(|published| serial::is_newer(serial, published.soa.serial))
            {
                serials.entry(apex).or_default().push(serial);
            }
        }
        // Secondaries of legacy that come here must find a higher one.
        for (apex, serial) in &self.legacy_serials {
            let published = self.published.get(apex).map(|published| published.soa.serial);
            if published.is_none_or(|published| serial::is_newer(*serial, published)) {
                serials.entry(apex.clone()).or_default().push(*serial);
            }
        }
        serials
    }

    /// Decides about one zone.
    fn consider(&mut self, outcome: ZoneOutcome, heard: Instant, now: Instant) {
        let ObjectRef::Zone { namespace, name } = &outcome.holder else { return };
        let holder = Holder { namespace: namespace.clone(), name: name.clone() };
        let apex = outcome.apex.clone();
        let orders = self.orders(&holder, &outcome);
        let elapsed = self.elapsed(now);
        let zone = self.zones.entry(apex.clone()).or_insert_with(|| ZoneState::new(now));
        if !zone.is_idle() {
            zone.is_passed_over = true;
            return;
        }
        if zone.serving().is_none()
            && !zone.is_salvaged
            && let Some(object) = self.index.zones.get(&key_of(&holder)).cloned()
            && self.is_salvaged(&apex, &object)
        {
            return;
        }
        let Some(zone) = self.zones.get_mut(&apex) else { return };
        if zone.stored.is_none() && zone.asked != Asked::Answered {
            if zone.asked == Asked::NotYet {
                zone.asked = Asked::Asking;
                self.ask_serials(&apex);
            }
            return;
        }
        // A Zone that went without a word could never be told from one that is missing.
        let may_begin =
            self.index.zones.get(&key_of(&holder)).is_some_and(|zone| {
                leaving::has_finalizer(zone) && zone.metadata.deletion_timestamp.is_none()
            });
        if zone.serving().is_none() && !may_begin {
            return;
        }
        if now < zone.due {
            let due = zone.due;
            self.at(due, Timer::Plan);
            return;
        }
        let told = |zone: &ZoneState| {
            let impossible = match &zone.rollback {
                Rollback::Impossible(serial, _) => Some(*serial),
                _ => None,
            };
            (zone.rejected, zone.held.clone(), impossible)
        };
        let before = told(zone);
        let told_before = zone.both.told.clone();
        let decision = zone.decide(&outcome, &holder, &orders, elapsed);
        zone.rejected = (outcome.rejected + zone.both.refused()) as u64;
        let content = match &decision {
            Ok(Decision::Publish(version, ..)) => Some(&version.stored.content),
            _ => None,
        };
        let content = content.or(zone.serving().map(|stored| &stored.content)).cloned();
        if let Some(content) = content {
            zone.note_still_below(&outcome, &content);
        }
        match decision {
            Ok(Decision::Settled) => {
                // What a person released and is not held any more is gone: perhaps by a process before this one.
                if outcome.changes.is_empty() && zone.held.is_none() {
                    zone.spent = orders.released;
                }
                self.settled(&outcome);
            }
            Ok(Decision::Again(after)) => {
                self.at(now + after, Timer::Plan);
                self.settled(&outcome);
            }
            Ok(Decision::Wait) => {}
            Ok(Decision::Read(serial)) => self.read_revision(&apex, serial),
            Ok(Decision::Publish(version, guard, released)) => {
                if guard.is_waiting() {
                    self.at(now + guard::REPLACEMENT_PATIENCE, Timer::Plan);
                }
                self.publish(*version, guard, released, heard, now);
            }
            Err(error) => {
                tracing::error!(
                    "zone {} cannot be built, its last version stays: {error}",
                    name::display(&apex)
                );
            }
        }
        self.owners_wait_for_legacy(&apex, &told_before);
        self.write_what_is_meant(&apex, now);
        // While something is held the annotation that releases it is told of, too.
        if self.zones.get(&apex).is_some_and(|zone| zone.held.is_some() || told(zone) != before) {
            self.report_zone_of(&apex);
        }
    }

    /// What is in service stays where what is wanted cannot be known: of a record that is there and cannot be
    /// read, which was not removed; and of a zone below of which it is not known what is published.
    fn keep_what_is_not_known(&mut self, outcome: &mut ZoneOutcome, unknown: &[Name]) {
        let unreadable = self.index.records().unreadable();
        let Some(zone) = self.zones.get_mut(&outcome.apex) else { return };
        zone.kept_back.clear();
        if unreadable.is_empty() && unknown.is_empty() {
            return;
        }
        let Some(stored) = zone.serving() else { return };
        let is_kept = |change: &Change| {
            // DS is the parent's own, whatever the zone below is.
            let is_below = |below: &Name| {
                let is_ds = change.name() == below && change.rtype() == Rtype::DS;
                below.ends_with(&outcome.apex) && change.name().ends_with(below) && !is_ds
            };
            let is_unreadable = || {
                let Change::Remove { name, rtype } = change else { return false };
                let owner = stored.content.owner_of(name, *rtype);
                let key = owner.as_deref().and_then(|owner| owner.split_once('/'));
                key.is_some_and(|(namespace, name)| {
                    unreadable.contains(&(namespace.to_owned(), name.to_owned()))
                })
            };
            unknown.iter().any(is_below) || is_unreadable()
        };
        let stay = outcome.changes.iter().filter(|change| is_kept(change));
        let stays: BTreeSet<(Name, bool)> =
            stay.map(|change| (change.name().clone(), change.rtype() == Rtype::DS)).collect();
        if stays.is_empty() {
            return;
        }
        // What comes at a name where something stays might clash with it.
        let is_beside = |change: &Change| {
            stays.iter().any(|(name, is_ds)| name == change.name() && *is_ds == (change.rtype() == Rtype::DS))
        };
        let (kept, changes): (Vec<Change>, Vec<Change>) =
            std::mem::take(&mut outcome.changes).into_iter().partition(is_beside);
        outcome.changes = changes;
        let owners = kept.into_iter().filter_map(|change| match change {
            Change::Put { owner, .. } => owner,
            Change::Remove { .. } => None,
        });
        zone.kept_back = owners.collect();
    }

    /// What people say of a zone beside its records.
    fn orders(&self, holder: &Holder, outcome: &ZoneOutcome) -> Orders {
        let apex = &outcome.apex;
        let first = self.first(apex);
        let is_alone = matches!(first, First::Nobody);
        let mut stamps = Stamps::new();
        if !is_alone {
            stamps = self.stamps(&outcome.changes);
            let head = self.zones.get(apex).and_then(|zone| zone.serving()).map(|stored| &stored.head);
            for intent in head.iter().flat_map(|head| head.intents.iter().flatten()) {
                stamps.extend(self.stamps(&intent.new));
            }
        }
        let pinned = || self.zones.get(apex).and_then(|zone| zone.serving()?.head.pinned);
        match self.index.zones.get(&key_of(holder)) {
            Some(zone) => Orders {
                max_removed_percent: zone.spec.guard.max_removed_percent,
                released: annotation(zone, RELEASE_ANNOTATION).map(str::to_owned),
                // One that is no serial releases nothing: the zone stays as it is.
                rollback: annotation(zone, ROLLBACK_ANNOTATION)
                    .and_then(|serial| serial.trim().parse().ok().or_else(pinned)),
                least: zone.spec.soa.initial_serial,
                // A Zone whose last edit is refused is as it was before.
                transfer: self.is_zone_accepted(&key_of(holder)).then(|| self.may_transfer(zone, apex)),
                forwarding: self.forwardings.get(apex).cloned(),
                first,
                stamps,
            },
            // Without its Zone everything stays as it is.
            None => Orders { rollback: pinned(), first, stamps, ..Orders::default() },
        }
    }

    /// All that a plan wants of a zone is published, held or pinned.
    fn settled(&mut self, outcome: &ZoneOutcome) {
        let Some(zone) = self.zones.get_mut(&outcome.apex) else { return };
        let owners = zone.owners_waiting(outcome);
        let pinned = zone.serving().and_then(|stored| stored.head.pinned);
        let before = std::mem::replace(&mut zone.pinned_owners, owners.clone());
        if before != owners {
            self.pinned_records_are(&outcome.apex, pinned, &before, &owners);
        }
        self.records_are_published(&outcome.apex, self.plan.number);
    }

    /// Reads what a zone is to be rolled back to.
    fn read_revision(&mut self, apex: &Name, serial: u32) {
        let kept: Vec<&Revision> = self.index.revisions_of(apex).map(|stored| &stored.revision).collect();
        let revision = kept.iter().find(|kept| kept.soa.serial == serial).map(|kept| (*kept).clone());
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let Some(revision) = revision else {
            let mut there: Vec<u32> = kept.iter().map(|kept| kept.soa.serial).collect();
            there.sort_unstable();
            let there: Vec<String> = there.iter().rev().map(u32::to_string).collect();
            let why = format!(
                "annotation {ROLLBACK_ANNOTATION}: no revision of serial {serial} is kept: write one of {}",
                there.join(", ")
            );
            zone.rollback = Rollback::Impossible(serial, why);
            self.plan.heard(Instant::now());
            return;
        };
        zone.rollback = Rollback::Reading(serial);
        let reader = self.store.reader.clone();
        let apex = apex.clone();
        self.jobs.spawn(async move {
            let checkpoint = revision.checkpoint.clone();
            let result = reader.content(apex.clone(), checkpoint, None).await;
            let result = result.map(|content| Box::new((revision, content)));
            super::Ended::Keep(keeping::Ended::Revision {
                apex,
                serial,
                result: result.map_err(|error| (error.is_passing(), error.to_string())),
            })
        });
    }
}

pub(super) fn key_of(holder: &Holder) -> Key {
    (holder.namespace.clone(), holder.name.clone())
}

pub(super) fn annotation<'z>(zone: &'z Zone, name: &str) -> Option<&'z str> {
    zone.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// What is published of a zone, as the stages take it.
pub(super) fn published(stored: &super::version::Stored) -> Published {
    let holder = &stored.head.holder;
    Published {
        holder: ObjectRef::Zone { namespace: holder.namespace.clone(), name: holder.name.clone() },
        content: stored.content.clone(),
        soa: stored.head.soa.clone(),
    }
}
