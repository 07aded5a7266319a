//! Heads: written, and watched for what others do to them.
//!
//! A write whose outcome is not known is looked up, and nothing is written until it is. A head that another
//! edited or deleted is written again, above its serial where resolvers may have followed it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::DynamicObject;
use port53_client::jittered;
use port53_client::watch::What;
use port53_crds::{HeadState, ZoneHead};
use port53_store::{Head, head_object_name};
use port53_zone::content::Digest;
use port53_zone::{Name, name, serial};

use super::version::Version;
use super::zone::{Attempt, Keeping, Restore, Work, ZoneState};
use super::{Engine, both, planning};
use crate::cluster::store::WriteError;
use crate::guard::Memory;

/// The first pause after a failure; each that follows is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How far the heads are known.
#[derive(Debug, Default)]
pub(super) struct Heads {
    is_listed: bool,
    /// While a list is read: the zones that it had so far.
    listing: Option<BTreeSet<Name>>,
}

impl Heads {
    pub(super) fn are_whole(&self) -> bool {
        self.is_listed
    }
}

/// A job about a head that ended.
pub(super) enum Ended {
    /// A head was written, with these slices before it.
    Published { apex: Name, slices: Vec<Digest>, uid: Option<String>, result: Result<String, WriteError> },
    /// A head was looked up.
    Looked { apex: Name, result: Result<Option<Box<ZoneHead>>, WriteError> },
}

/// A head as it was told or looked up.
pub(super) struct Found {
    /// Its resourceVersion.
    pub(super) version: String,
    /// What it says, also where another field cannot be read.
    pub(super) serial: Option<u32>,
    pub(super) state: HeadState,
    pub(super) head: Result<Head, String>,
}

impl Engine {
    pub(super) fn head_told(&mut self, what: What) {
        match what {
            What::ListBegins => self.heads.listing = Some(BTreeSet::new()),
            What::Object(object) => self.head_is(object),
            What::Deleted(object) => {
                if let Some(apex) = apex_of(&object) {
                    self.head_is_gone(&apex);
                }
            }
            What::Listed => {
                let listed = self.heads.listing.take().unwrap_or_default();
                if std::mem::replace(&mut self.heads.is_listed, true) {
                    let is_missing = |(apex, zone): &(&Name, &ZoneState)| {
                        zone.version.is_some() && !listed.contains(*apex)
                    };
                    let missing: Vec<Name> =
                        self.zones.iter().filter(is_missing).map(|(apex, _)| apex.clone()).collect();
                    missing.iter().for_each(|apex| self.head_is_gone(apex));
                }
                self.plan.heard(Instant::now());
            }
            What::Following | What::Lost(_) => {}
        }
    }

    fn head_is(&mut self, object: Box<DynamicObject>) {
        let Some(apex) = apex_of(&object) else {
            let name = object.name_any();
            tracing::warn!("ZoneHead {name} is not the head of its domain and is left alone: delete it");
            return;
        };
        if let Some(listing) = &mut self.heads.listing {
            listing.insert(apex.clone());
        }
        let now = Instant::now();
        let zone = self.zones.entry(apex.clone()).or_insert_with(|| ZoneState::new(now));
        let version = object.resource_version().unwrap_or_default();
        let is_list = self.heads.listing.is_some();
        match &zone.work {
            // A list that shows what was written before the last: time went back.
            Work::Idle if is_list && zone.is_own(&version) && zone.version.as_ref() != Some(&version) => {
                self.look_up(&apex);
            }
            _ if zone.is_own(&version) => {}
            // It may be what is being written: that is known when the write has ended.
            Work::Publishing(_) | Work::Looking(_) | Work::Assembling(_) => zone.told = Some(object),
            Work::Idle if zone.stored.is_none() => self.assemble(&apex, Found::told(*object)),
            // Another operator works, and this is what it publishes.
            Work::Idle if !self.leads => self.follow(&apex, Found::told(*object)),
            Work::Idle => self.head_was_found(&apex, Some(Found::told(*object))),
        }
    }

    fn head_is_gone(&mut self, apex: &Name) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        if !zone.is_idle() {
            zone.is_told_gone = true;
            return;
        }
        if !self.leads {
            (zone.version, zone.stored) = (None, None);
            self.published.remove(apex);
            return;
        }
        if zone.version.take().is_some() && zone.stored.is_some() {
            tracing::warn!("the ZoneHead of {} was deleted: it is restored", name::display(apex));
            zone.restore = zone.restore.max(Restore::AsItWas);
            self.plan.heard(Instant::now());
        }
    }

    /// Publishes a version by one write, after its checkpoint where it needs one.
    pub(super) fn publish(
        &mut self,
        version: Version,
        guard: Memory,
        released: Option<String>,
        heard: Instant,
        now: Instant,
    ) {
        let apex = version.apex().clone();
        if version.first.is_some() && !self.library.may_store_slices() {
            // Pruning is told to end, and what it took is known then.
            return;
        }
        let (slices, first) = match version.first.clone() {
            None => (Vec::new(), None),
            Some(mut first) => {
                let slices = self.slices_to_store(&version.stored.content);
                first.octets = slices.iter().map(|(_, slice)| slice.0.len() as u64).sum();
                self.library.begins_to_store();
                (slices, Some(first))
            }
        };
        let Some(zone) = self.zones.get_mut(&apex) else { return };
        let over = zone.version.clone();
        let head = version.stored.head.clone();
        let plan = self.plan.number;
        let begun = Instant::now();
        let attempt = Attempt {
            version: Version { first: first.clone(), ..version },
            plan,
            begun,
            heard,
            guard,
            released,
        };
        zone.work = Work::Publishing(Box::new(attempt));
        tracing::trace!(zone = name::display(&apex), planned = now.elapsed().as_micros() as u64, "writing");
        let store = self.store.clone();
        self.jobs.spawn(async move {
            let digests: Vec<Digest> = slices.iter().map(|(digest, _)| *digest).collect();
            let mut uid = None;
            let result = async {
                if let Some(first) = &first {
                    uid = Some(store.write_checkpoint(slices, first).await?);
                }
                store.put_head(&head, over.as_deref()).await
            }
            .await;
            super::Ended::Head(Ended::Published { apex, slices: digests, uid, result })
        });
    }

    pub(super) fn head_ended(&mut self, ended: Ended) {
        match ended {
            Ended::Published { apex, slices, uid, result } => {
                let Some(zone) = self.zones.get_mut(&apex) else { return };
                let Work::Publishing(attempt) = std::mem::replace(&mut zone.work, Work::Idle) else { return };
                if let Some(first) = &attempt.version.first {
                    self.library.ended_storing();
                    if let Some(uid) = uid {
                        self.is_stored(&slices, first.clone(), uid);
                    }
                }
                match result {
                    Ok(version) => self.was_published(&apex, *attempt, version),
                    Err(error) => self.was_not_published(&apex, attempt, error),
                }
            }
            Ended::Looked { apex, result } => self.head_was_looked_up(&apex, result),
        }
    }

    fn was_published(&mut self, apex: &Name, attempt: Attempt, version: String) {
        let now = Instant::now();
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let head = &attempt.version.stored.head;
        tracing::debug!(
            zone = name::display(apex),
            serial = head.soa.serial,
            rrsets = head.rrsets,
            journal = head.journal.len(),
            heard_to_write = (attempt.begun - attempt.heard).as_micros() as u64,
            write = (now - attempt.begun).as_micros() as u64,
            "published"
        );
        let is_first = zone.serving().is_none();
        let is_serving = head.state == HeadState::Serving;
        if is_first && is_serving {
            let (serial, rrsets) = (head.soa.serial, head.rrsets);
            tracing::info!(zone = name::display(apex), serial, rrsets, "a zone is published");
        }
        both::was_published(&attempt.version.stored);
        zone.guard = attempt.guard;
        zone.trouble = None;
        if attempt.released.is_some() {
            zone.spent = attempt.released;
            self.plan.heard(now);
        }
        // What a checkpoint covers is no part of a journal that began again.
        let begins_again = zone.stored.as_ref().is_none_or(|old| old.head.checkpoint != head.checkpoint)
            || head.pinned.is_some();
        let was_pinned = zone.serving().and_then(|stored| stored.head.pinned);
        let is_pinned = head.pinned;
        zone.keeping = match std::mem::take(&mut zone.keeping) {
            Keeping::Storing(_) | Keeping::Stored(_) if begins_again || !is_serving => Keeping::Nothing,
            keeping => keeping,
        };
        zone.written(version, attempt.version.stored.clone(), attempt.begun, now);
        zone.confirming.heard = is_serving.then_some(attempt.heard);
        self.metrics.published(now - attempt.begun);
        if is_serving {
            zone.has_left = false;
            self.published.insert(apex.clone(), planning::published(&attempt.version.stored));
            // Who waits for a zone that is pinned is known when it is planned for.
            match (was_pinned, is_pinned) {
                (None, None) => self.records_are_published(apex, attempt.plan),
                _ => self.plan.heard(now),
            }
            self.checkpoint_is_due(apex);
            self.confirm(apex);
            if attempt.version.stored.head.has_intents() {
                self.write_what_is_meant(apex, now);
                self.plan.heard(now);
            }
        } else {
            tracing::info!(zone = name::display(apex), "a zone is withdrawn");
            self.published.remove(apex);
            self.tell_secondaries_no_more(apex);
            self.plan.heard(now);
        }
        self.plan_again_if_passed_over(apex);
        self.hear_what_was_told(apex);
    }

    fn was_not_published(&mut self, apex: &Name, attempt: Box<Attempt>, error: WriteError) {
        self.metrics.not_published();
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let serial = attempt.version.stored.head.soa.serial;
        let why = (error != WriteError::Conflict).then(|| error.to_string());
        if let Some(why) = why.filter(|why| zone.trouble.as_ref() != Some(why)) {
            let zone_name = name::display(apex);
            tracing::warn!("serial {serial} of {zone_name} may not be published, and is looked up: {why}");
            zone.trouble = Some(why);
        }
        // A revision of that serial may be there with another content.
        if matches!(error, WriteError::Refused(_)) && attempt.version.first.is_some() {
            zone.serials.insert(serial);
        }
        zone.failures = zone.failures.saturating_add(1);
        zone.work = Work::Looking(Some(attempt));
        self.look(apex);
        self.report_zone_of(apex);
    }

    /// Has the head of a zone looked up, of which something was heard that cannot be so.
    fn look_up(&mut self, apex: &Name) {
        if let Some(zone) = self.zones.get_mut(apex)
            && zone.is_idle()
        {
            zone.work = Work::Looking(None);
            self.look(apex);
        }
    }

    /// Reads the head of a zone, later each time that something fails.
    fn look(&mut self, apex: &Name) {
        let Some(zone) = self.zones.get(apex) else { return };
        let pause = match zone.failures {
            0 | 1 => Duration::ZERO,
            more => jittered((FIRST_PAUSE * 2u32.saturating_pow(more - 2)).min(LONGEST_PAUSE)),
        };
        let (store, apex) = (self.store.clone(), apex.clone());
        self.jobs.spawn(async move {
            tokio::time::sleep(pause).await;
            let result = store.head(&apex).await.map(|head| head.map(Box::new));
            super::Ended::Head(Ended::Looked { apex, result })
        });
    }

    fn head_was_looked_up(&mut self, apex: &Name, result: Result<Option<Box<ZoneHead>>, WriteError>) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let there = match result {
            Ok(there) => there,
            Err(error) => {
                zone.failures = zone.failures.saturating_add(1);
                tracing::warn!("the ZoneHead of {} cannot be looked up: {error}", name::display(apex));
                return self.look(apex);
            }
        };
        let Work::Looking(attempt) = std::mem::replace(&mut zone.work, Work::Idle) else { return };
        // What was told meanwhile may be older than this, or newer.
        let was_told = zone.told.take().is_some() | std::mem::take(&mut zone.is_told_gone);
        let found = there.as_deref().map(Found::looked_up);
        if let (Some(found), Some(attempt)) = (&found, attempt)
            && found.head.as_ref() == Ok(&attempt.version.stored.head)
        {
            self.was_published(apex, *attempt, found.version.clone());
        } else {
            self.plan.heard(Instant::now());
            match found {
                Some(found) if zone.stored.is_none() => self.assemble(apex, found),
                found => self.head_was_found(apex, found),
            }
        }
        if was_told {
            self.look_up(apex);
        }
    }

    /// A head is as nobody here left it, or gone.
    fn head_was_found(&mut self, apex: &Name, found: Option<Found>) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let Some(Found { version, serial, head, .. }) = found else {
            zone.version = None;
            if zone.stored.is_some() {
                tracing::warn!("the ZoneHead of {} is gone: it is restored", name::display(apex));
                zone.restore = zone.restore.max(Restore::AsItWas);
                self.plan.heard(Instant::now());
            }
            return;
        };
        zone.version = Some(version);
        zone.serials.extend(serial);
        self.plan.heard(Instant::now());
        let Some(stored) = &zone.stored else { return };
        let ours = &stored.head;
        match &head {
            Ok(head) if head == ours => return,
            // Whoever follows it serves what is meant to be served.
            Ok(head) if (head.state, &head.soa, head.digest) == (ours.state, &ours.soa, ours.digest) => {
                zone.restore = zone.restore.max(Restore::AsItWas);
            }
            Err(_) if serial == Some(ours.soa.serial) => zone.restore = zone.restore.max(Restore::AsItWas),
            _ => zone.restore = Restore::HigherSerial,
        }
        let zone = name::display(apex);
        match head {
            Ok(_) => tracing::warn!("the ZoneHead of {zone} was changed by another: it is restored"),
            Err(why) => tracing::warn!("the ZoneHead of {zone} was edited, and is restored: {why}"),
        }
    }

    /// Looks at what was told of a head while it was being written.
    pub(super) fn hear_what_was_told(&mut self, apex: &Name) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        if std::mem::take(&mut zone.is_told_gone) {
            zone.told = None;
            return self.look_up(apex);
        }
        if let Some(object) = zone.told.take() {
            self.head_is(object);
        }
    }

    fn plan_again_if_passed_over(&mut self, apex: &Name) {
        if let Some(zone) = self.zones.get_mut(apex)
            && std::mem::take(&mut zone.is_passed_over)
        {
            self.plan.heard(Instant::now());
        }
    }

    /// A serial above the published one was seen at a resolver: it goes on from there.
    pub(super) fn serial_was_seen(&mut self, apex: &Name, seen: u32) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        if zone.ours().all(|ours| serial::is_newer(seen, ours)) {
            if zone.serials.insert(seen) {
                let zone_name = name::display(apex);
                tracing::warn!("a nameserver answers serial {seen} of {zone_name}, above what is published");
            }
            zone.restore = Restore::HigherSerial;
            self.plan.heard(Instant::now());
        }
    }
}

impl Found {
    fn told(object: DynamicObject) -> Self {
        let said = &object.data["spec"];
        let serial = said["serial"].as_u64().and_then(|serial| serial.try_into().ok());
        let is_withdrawn = said["state"].as_str() == Some("Withdrawn");
        Found {
            version: object.resource_version().unwrap_or_default(),
            serial,
            state: if is_withdrawn { HeadState::Withdrawn } else { HeadState::Serving },
            head: object
                .try_parse::<ZoneHead>()
                .map_err(|error| error.to_string())
                .and_then(|head| read(&head)),
        }
    }

    fn looked_up(head: &ZoneHead) -> Self {
        let version = head.resource_version().unwrap_or_default();
        Found { version, serial: Some(head.spec.serial), state: head.spec.state, head: read(head) }
    }
}

fn read(head: &ZoneHead) -> Result<Head, String> {
    Head::read(head).map_err(|error| error.to_string())
}

/// The zone whose head an object is by its name and domain, whatever else stands in it.
fn apex_of(object: &DynamicObject) -> Option<Name> {
    let apex = name::parse_absolute(object.data["spec"]["domain"].as_str()?).ok()?;
    (head_object_name(&apex) == object.name_any()).then_some(apex)
}
