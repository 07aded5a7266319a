//! Keeping: checkpoints beside the path of publications, history that thins with age, and what is stored.
//!
//! A second after the first change that no checkpoint has, the content is stored: the slices that are not there,
//! the revision over them. The next head takes it up, at the latest half a minute later.
//!
//! While slices are being stored nothing is pruned, and the other way round ([`super::pruning`]). What others delete
//! is stored again as far as it is known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use port53_store::{Checkpoint, Revision};
use port53_zone::content::{Content, Digest, Slice};
use port53_zone::{Name, name};

use super::pruning::{Below, Pruned};
use super::zone::{Keeping, Restore, Rollback};
use super::{Engine, Timer, wall};
use crate::cluster::store::WriteError;
use crate::index::{Key, Noted, Stored, StoredSlice};

/// From the first change that no checkpoint has to the checkpoint.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);
/// When a checkpoint is taken up by a head of its own, where no change comes.
const TAKE_UP_AFTER: Duration = Duration::from_secs(30);
/// From something missing to storing it again: more may be missing.
pub(super) const RESTORE_AFTER: Duration = Duration::from_millis(200);
/// From one look that could not be had, or was cut short, to the next.
pub(super) const PRUNE_SOON: Duration = Duration::from_secs(5);

/// What is stored beside heads.
#[derive(Debug, Default)]
pub(super) struct Library {
    /// Jobs that store slices.
    pub(super) storing: usize,
    /// Told to end when slices must be stored.
    pub(super) pruning: Option<Arc<AtomicBool>>,
    /// Every revision that is to be there.
    pub(super) revisions: BTreeMap<Key, Stored>,
    /// The slices below each inner slice, as far as they were read.
    pub(super) below: HashMap<Digest, Below>,
    /// What nothing named when it was last looked.
    pub(super) unnamed: HashSet<Digest>,
    /// A look for what is missing is due.
    restores_soon: bool,
    /// What was missing is being stored.
    restoring: bool,
    /// Something went while it was being pruned or restored.
    pub(super) restores_later: bool,
    /// Pruning was put off or stopped: it goes on soon.
    pub(super) prunes_soon: bool,
}

/// A job that ended.
pub(super) enum Ended {
    /// A checkpoint was stored beside the path.
    Checkpoint {
        apex: Name,
        slices: Vec<Digest>,
        revision: Box<Revision>,
        result: Result<String, WriteError>,
    },
    /// The content of a revision was read; if not, whether it may go better another time, and why.
    Revision { apex: Name, serial: u32, result: Result<Box<(Revision, Content)>, (bool, String)> },
    /// It was looked for what nothing needs.
    Pruned(Pruned),
    /// What was missing was stored again.
    Restored { slices: Vec<Digest>, revisions: Vec<(Key, Stored)>, result: Result<(), WriteError> },
}

impl Library {
    /// Whether slices may be stored now. If not, they soon may.
    pub(super) fn may_store_slices(&mut self) -> bool {
        if let Some(stop) = &self.pruning {
            stop.store(true, Ordering::Relaxed);
            self.prunes_soon = true;
        }
        self.pruning.is_none()
    }

    pub(super) fn begins_to_store(&mut self) {
        self.storing += 1;
    }

    pub(super) fn ended_storing(&mut self) {
        self.storing -= 1;
    }
}

impl Engine {
    /// The slices of a content that are not stored; all of them where some are not what their names say.
    pub(super) fn slices_to_store(&self, content: &Content) -> Vec<(Digest, Slice)> {
        if self.zones.get(content.apex()).is_some_and(|zone| zone.is_stored_wrong) {
            return content.slices().collect();
        }
        let namespace = self.store.namespace();
        content.slices_beyond(|digest| self.index.slices.has(namespace, digest)).collect()
    }

    /// Takes note of what was stored here, before the watch tells of it.
    pub(super) fn is_stored(&mut self, slices: &[Digest], revision: Revision, uid: String) {
        self.slices_are_stored(slices);
        if let Some(zone) = self.zones.get_mut(&revision.apex) {
            zone.is_stored_wrong = false;
        }
        let key = (self.store.namespace().to_owned(), revision.checkpoint.revision.clone());
        let stored = Stored { revision, created: wall().as_second(), uid };
        self.library.revisions.insert(key.clone(), stored.clone());
        self.index.revisions.insert(key, stored);
    }

    fn slices_are_stored(&mut self, slices: &[Digest]) {
        let namespace = self.store.namespace();
        for digest in slices {
            self.index.slices.insert((namespace.to_owned(), digest.to_string()), StoredSlice::default());
        }
    }

    /// A checkpoint is due, unless one is or the journal is empty.
    pub(super) fn checkpoint_is_due(&mut self, apex: &Name) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let needs_one = zone.serving().is_some_and(|stored| !stored.head.journal.is_empty());
        if needs_one && matches!(zone.keeping, Keeping::Nothing) {
            zone.keeping = Keeping::Due;
            self.at(Instant::now() + CHECKPOINT_AFTER, Timer::Checkpoint(apex.clone()));
        }
    }

    /// Stores what is published of a zone.
    pub(super) fn store_checkpoint(&mut self, apex: &Name) {
        let again = Instant::now() + CHECKPOINT_AFTER;
        // Pruning goes on: a checkpoint can wait, and comes again and again.
        let may_store = self.library.pruning.is_none();
        let Some(zone) = self.zones.get_mut(apex) else { return };
        if !matches!(zone.keeping, Keeping::Due) {
            return;
        }
        zone.keeping = Keeping::Nothing;
        let Some(stored) = zone.serving().cloned() else { return };
        let serial = stored.head.soa.serial;
        if stored.head.journal.is_empty() || stored.head.checkpoint.serial == serial {
            // That who owns what changed makes no new serial, and a revision never changes.
            return;
        }
        if !may_store {
            zone.keeping = Keeping::Due;
            return self.at(again, Timer::Checkpoint(apex.clone()));
        }
        let ready = super::version::Ready {
            checkpoint: Checkpoint::of(&stored.content, serial),
            content: stored.content.clone(),
            covers: stored.head.journal.len(),
        };
        zone.keeping = Keeping::Storing(ready);
        let slices = self.slices_to_store(&stored.content);
        let octets = slices.iter().map(|(_, slice)| slice.0.len() as u64).sum();
        let revision =
            Revision::of(&stored.content, stored.head.soa.clone(), stored.head.holder.clone(), octets);
        self.library.begins_to_store();
        let (store, apex) = (self.store.clone(), apex.clone());
        self.jobs.spawn(async move {
            let digests = slices.iter().map(|(digest, _)| *digest).collect();
            let result = store.write_checkpoint(slices, &revision).await;
            let revision = Box::new(revision);
            super::Ended::Keep(Ended::Checkpoint { apex, slices: digests, revision, result })
        });
    }

    /// Writes a head that takes up the checkpoint, where no change did.
    pub(super) fn take_up(&mut self, apex: &Name) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        if zone.has_ready() {
            zone.restore = zone.restore.max(Restore::AsItWas);
            self.plan.heard(Instant::now());
        }
    }

    pub(super) fn keep_ended(&mut self, ended: Ended) {
        match ended {
            Ended::Checkpoint { apex, slices, revision, result } => {
                self.library.ended_storing();
                self.checkpoint_ended(&apex, &slices, *revision, result);
            }
            Ended::Revision { apex, serial, result } => {
                let Some(zone) = self.zones.get_mut(&apex) else { return };
                if matches!(zone.rollback, Rollback::Reading(wanted) if wanted == serial) {
                    zone.rollback = match result {
                        Ok(read) => Rollback::Read(read),
                        Err((true, why)) => {
                            tracing::warn!("serial {serial} cannot be read, and is tried again: {why}");
                            zone.rollback = Rollback::Nowhere;
                            return self.at(Instant::now() + PRUNE_SOON, Timer::Plan);
                        }
                        Err((false, why)) => {
                            Rollback::Impossible(serial, format!("serial {serial} cannot be read: {why}"))
                        }
                    };
                    self.plan.heard(Instant::now());
                }
            }
            Ended::Pruned(pruned) => self.pruned(pruned),
            Ended::Restored { slices, revisions, result } => {
                self.library.ended_storing();
                self.library.restoring = false;
                if std::mem::take(&mut self.library.restores_later) {
                    self.restore_after(RESTORE_AFTER);
                }
                match result {
                    Ok(()) => {
                        self.slices_are_stored(&slices);
                        for (key, stored) in revisions {
                            self.index.revisions.insert(key, stored);
                        }
                    }
                    Err(error) => {
                        tracing::warn!("what is missing cannot be stored, and it is tried again: {error}");
                        self.restore_after(TAKE_UP_AFTER / 10);
                    }
                }
            }
        }
    }

    fn checkpoint_ended(
        &mut self,
        apex: &Name,
        slices: &[Digest],
        revision: Revision,
        result: Result<String, WriteError>,
    ) {
        let now = Instant::now();
        let Some(zone) = self.zones.get_mut(apex) else { return };
        // Another may be on its way by now, or none be wanted.
        let is_wanted =
            matches!(&zone.keeping, Keeping::Storing(ready) if ready.checkpoint == revision.checkpoint);
        match result {
            Ok(uid) => {
                if is_wanted && let Keeping::Storing(ready) = std::mem::take(&mut zone.keeping) {
                    zone.keeping = Keeping::Stored(ready);
                    self.at(now + TAKE_UP_AFTER, Timer::TakeUp(apex.clone()));
                }
                self.is_stored(slices, revision, uid);
            }
            Err(_) if !is_wanted => {}
            Err(error) => {
                let serial = revision.soa.serial;
                tracing::warn!("serial {serial} of {} is not stored yet: {error}", name::display(apex));
                if matches!(error, WriteError::Refused(_)) {
                    // The next version has a serial of its own, and a checkpoint.
                    zone.serials.insert(serial);
                    zone.keeping = Keeping::Nothing;
                    return;
                }
                zone.keeping = Keeping::Due;
                self.at(now + TAKE_UP_AFTER / 10, Timer::Checkpoint(apex.clone()));
            }
        }
    }

    /// Takes over how large zones were that were published by a process before this one.
    pub(super) fn remember_sizes(&mut self) {
        let (now, elapsed) = (wall().as_second(), self.elapsed(Instant::now()));
        let mut sizes: BTreeMap<&Name, Vec<(Duration, usize)>> = BTreeMap::new();
        for (_, stored) in self.index.revisions.iter() {
            let ago = Duration::from_secs((now - stored.created).max(0) as u64);
            let size = stored.revision.rrsets as usize;
            sizes.entry(&stored.revision.apex).or_default().push((ago, size));
        }
        for (apex, sizes) in sizes {
            if let Some(zone) = self.zones.get_mut(apex) {
                zone.guard.remember(sizes, elapsed);
            }
        }
    }

    /// Takes note of a change to what is stored.
    pub(super) fn stored_noted(&mut self, noted: Noted) {
        match noted {
            Noted::Gone(_) => self.restore_after(RESTORE_AFTER),
            Noted::Input if !self.index.is_whole() => {}
            // What is being pruned is no longer to be there.
            Noted::Input | Noted::New(_) if self.library.pruning.is_some() => {}
            Noted::Input | Noted::New(_) if self.library.revisions.len() == self.index.revisions.len() => {}
            Noted::Input | Noted::New(_) => self.remember_what_is_stored(),
            Noted::Nothing | Noted::Status(_) => {}
        }
    }

    /// Has it looked for what others deleted: once, however much is told to be gone.
    pub(super) fn restore_after(&mut self, pause: Duration) {
        if !std::mem::replace(&mut self.library.restores_soon, true) {
            self.at(Instant::now() + pause, Timer::Restore);
        }
    }

    /// Everything that is stored is to be there from now on.
    pub(super) fn remember_what_is_stored(&mut self) {
        for (key, stored) in self.index.revisions.iter() {
            self.library.revisions.entry(key.clone()).or_insert_with(|| (**stored).clone());
        }
    }

    /// Stores again what others deleted, as far as it is known.
    pub(super) fn restore_what_is_missing(&mut self) {
        self.library.restores_soon = false;
        if !self.is_ready() {
            return self.restore_after(PRUNE_SOON);
        }
        if self.library.pruning.is_some() || self.library.restoring {
            // What it deletes is not missing; it is looked again when that is known.
            self.library.restores_later = true;
            return;
        }
        let namespace = self.store.namespace();
        let contents = self
            .zones
            .values()
            .filter_map(|zone| zone.serving())
            .flat_map(|stored| [&stored.base, &stored.content]);
        let roots: HashSet<Option<Digest>> =
            self.library.revisions.values().map(|stored| stored.revision.checkpoint.root).collect();
        let mut missing: HashMap<Digest, Slice> = HashMap::new();
        for content in contents.filter(|content| roots.contains(&content.root())) {
            missing.extend(content.slices().filter(|(digest, _)| !self.index.slices.has(namespace, digest)));
        }
        let revisions: Vec<(Key, Stored)> = self
            .library
            .revisions
            .iter()
            .filter(|(key, _)| self.index.revisions.get(key).is_none())
            .map(|(key, stored)| (key.clone(), stored.clone()))
            .collect();
        if missing.is_empty() && revisions.is_empty() {
            return;
        }
        tracing::warn!(
            slices = missing.len(),
            revisions = revisions.len(),
            "what was deleted by another is stored again"
        );
        self.library.restoring = true;
        self.library.begins_to_store();
        let store = self.store.clone();
        let slices: Vec<(Digest, Slice)> = missing.into_iter().collect();
        self.jobs.spawn(async move {
            let digests = slices.iter().map(|(digest, _)| *digest).collect();
            let result = async {
                store.write_slices(slices).await?;
                for (_, stored) in &revisions {
                    store.write_checkpoint(Vec::new(), &stored.revision).await?;
                }
                Ok(())
            }
            .await;
            super::Ended::Keep(Ended::Restored { slices: digests, revisions, result })
        });
    }
}
