//! Keeping: checkpoints beside the path of publications, history that thins with age, and what is stored.
//!
//! A second after the first change that no checkpoint has, the content is stored: the slices that are not there,
//! the revision over them. The next head takes it up, at the latest half a minute later.
//!
//! Pruning takes revisions that history does not keep, then slices that nothing names: two looks in a row must
//! find so, because a resolver may still be reading them. While slices are being stored nothing is pruned, and
//! the other way round, so that a slice which was seen to be there stays there. What others delete is stored again
//! as far as it is known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use port53_client::slices::{SliceError, Slices};
use port53_store::{Checkpoint, Revision};
use port53_zone::content::{Content, Digest, Slice};
use port53_zone::{Name, name};

use super::zone::{Keeping, Restore, Rollback};
use super::{Engine, Timer, wall};
use crate::cluster::store::{Store, WriteError};
use crate::history::{self, Age};
use crate::index::{Key, Noted, Stored, StoredSlice};

/// From the first change that no checkpoint has to the checkpoint.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);
/// When a checkpoint is taken up by a head of its own, where no change comes.
const TAKE_UP_AFTER: Duration = Duration::from_secs(30);
/// From something missing to storing it again: more may be missing.
const RESTORE_AFTER: Duration = Duration::from_millis(200);
/// Objects that one look deletes at most.
const AT_ONCE: usize = 500;

/// What is stored beside heads.
#[derive(Debug, Default)]
pub(super) struct Library {
    /// Jobs that store slices.
    storing: usize,
    /// Told to end when slices must be stored.
    pruning: Option<Arc<AtomicBool>>,
    /// Every revision that is to be there.
    revisions: BTreeMap<Key, Stored>,
    /// The slices below each inner slice, as far as they were read.
    below: HashMap<Digest, Below>,
    /// What nothing named when it was last looked.
    unnamed: HashSet<Digest>,
}

/// What an inner slice names.
#[derive(Clone, Debug)]
struct Below {
    are_leaves: bool,
    slices: Arc<[Digest]>,
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
    /// The content of a revision was read.
    Revision { apex: Name, serial: u32, result: Result<(Revision, Content), String> },
    /// It was looked for what nothing needs.
    Pruned(Pruned),
    /// What was missing was stored again.
    Restored { slices: Vec<Digest>, revisions: Vec<(Key, Stored)>, result: Result<(), WriteError> },
}

/// See [`Ended::Pruned`].
#[derive(Default)]
pub(super) struct Pruned {
    below: HashMap<Digest, Below>,
    unnamed: HashSet<Digest>,
    deleted: Vec<Digest>,
    revisions: Vec<Key>,
    trouble: Option<String>,
}

impl Library {
    /// Whether slices may be stored now. If not, they soon may.
    pub(super) fn may_store_slices(&self) -> bool {
        if let Some(stop) = &self.pruning {
            stop.store(true, Ordering::Relaxed);
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
    /// The slices of a content that are not stored.
    pub(super) fn slices_to_store(&self, content: &Content) -> Vec<(Digest, Slice)> {
        let namespace = self.store.namespace();
        content.slices_beyond(|digest| self.index.slices.has(namespace, digest)).collect()
    }

    /// Takes note of what was stored here, before the watch tells of it.
    pub(super) fn is_stored(&mut self, slices: &[Digest], revision: Revision, uid: String) {
        self.slices_are_stored(slices);
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
        let may_store = self.library.may_store_slices();
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
                        Ok(read) => Rollback::Read(Box::new(read)),
                        Err(why) => {
                            Rollback::Impossible(serial, format!("serial {serial} cannot be read: {why}"))
                        }
                    };
                    self.plan.heard(Instant::now());
                }
            }
            Ended::Pruned(pruned) => self.pruned(pruned),
            Ended::Restored { slices, revisions, result } => {
                self.library.ended_storing();
                match result {
                    Ok(()) => {
                        self.slices_are_stored(&slices);
                        for (key, stored) in revisions {
                            self.index.revisions.insert(key, stored);
                        }
                    }
                    Err(error) => {
                        tracing::warn!("what is missing cannot be stored, and it is tried again: {error}");
                        self.at(Instant::now() + TAKE_UP_AFTER / 10, Timer::Restore);
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
        let keeping = std::mem::take(&mut zone.keeping);
        match result {
            Ok(uid) => {
                if let Keeping::Storing(ready) = keeping {
                    zone.keeping = Keeping::Stored(ready);
                    self.at(now + TAKE_UP_AFTER, Timer::TakeUp(apex.clone()));
                }
                self.is_stored(slices, revision, uid);
            }
            Err(error) => {
                let serial = revision.soa.serial;
                tracing::warn!("serial {serial} of {} is not stored yet: {error}", name::display(apex));
                if matches!(error, WriteError::Refused(_)) {
                    // The next version has a serial of its own.
                    zone.serials.insert(serial);
                }
                zone.keeping = Keeping::Due;
                self.at(now + TAKE_UP_AFTER / 10, Timer::Checkpoint(apex.clone()));
            }
        }
    }

    /// Takes over how large zones were that were published by a process before this one.
    pub(super) fn remember_sizes(&mut self) {
        let (now, elapsed) = (wall().as_second(), self.elapsed(Instant::now()));
        for (apex, zone) in &mut self.zones {
            let sizes = self.index.revisions.iter().filter(|(_, stored)| stored.revision.apex == *apex);
            let sizes = sizes.map(|(_, stored)| {
                let ago = Duration::from_secs((now - stored.created).max(0) as u64);
                (ago, stored.revision.rrsets as usize)
            });
            zone.guard.remember(sizes, elapsed);
        }
    }

    /// Takes note of a change to what is stored.
    pub(super) fn stored_noted(&mut self, noted: Noted) {
        match noted {
            Noted::Gone => self.at(Instant::now() + RESTORE_AFTER, Timer::Restore),
            Noted::Input if !self.index.is_whole() => {}
            Noted::Input => {
                for (key, stored) in self.index.revisions.iter() {
                    self.library.revisions.entry(key.clone()).or_insert_with(|| (**stored).clone());
                }
            }
            Noted::Nothing | Noted::Status(_) => {}
        }
    }

    /// Stores again what others deleted, as far as it is known.
    pub(super) fn restore_what_is_missing(&mut self) {
        if !self.is_ready() {
            return;
        }
        if !self.library.may_store_slices() {
            return self.at(Instant::now() + RESTORE_AFTER, Timer::Restore);
        }
        let namespace = self.store.namespace();
        let contents = self
            .zones
            .values()
            .filter_map(|zone| zone.serving())
            .flat_map(|stored| [&stored.base, &stored.content]);
        let mut missing: HashMap<Digest, Slice> = HashMap::new();
        for content in contents.filter(|content| self.library.names(content)) {
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

    /// Looks for what nothing needs, and deletes it.
    pub(super) fn prune(&mut self, now: Instant) {
        self.at(now + self.settings.prune_interval, Timer::Prune);
        if !self.is_ready() || self.library.storing > 0 || self.library.pruning.is_some() {
            return;
        }
        let needed = self.revisions_needed();
        let surplus: Vec<(Key, String)> = self
            .index
            .revisions
            .iter()
            .filter(|(key, _)| !needed.contains(*key))
            .map(|(key, stored)| (key.clone(), stored.uid.clone()))
            .take(AT_ONCE)
            .collect();
        for (key, _) in &surplus {
            self.library.revisions.remove(key);
        }
        let roots = self.roots();
        let stored = self.index.slices.iter();
        let slices = stored.filter_map(|((_, name), slice)| Some((Digest::parse(name)?, slice.uid.clone())));
        let work = Pruning {
            store: self.store.clone(),
            surplus,
            roots,
            slices: slices.collect(),
            below: self.library.below.clone(),
            unnamed: std::mem::take(&mut self.library.unnamed),
            stop: Arc::new(AtomicBool::new(false)),
        };
        self.library.pruning = Some(work.stop.clone());
        self.jobs.spawn(async move { super::Ended::Keep(Ended::Pruned(work.run().await)) });
    }

    /// Revisions that history keeps, that a head names, or that are about to be named.
    fn revisions_needed(&self) -> BTreeSet<Key> {
        let namespace = self.store.namespace();
        let mut of_zones: BTreeMap<&Name, Vec<Age>> = BTreeMap::new();
        for (_, stored) in self.index.revisions.iter() {
            let Revision { apex, soa, octets, .. } = &stored.revision;
            let age = Age { serial: soa.serial, created: stored.created, octets: *octets };
            of_zones.entry(apex).or_default().push(age);
        }
        let mut needed = BTreeSet::new();
        for (apex, mut ages) in of_zones {
            ages.sort_by_key(|age| std::cmp::Reverse((age.created, age.serial)));
            let head = port53_store::head_object_name(apex);
            let kept = history::kept(&ages, wall().as_second(), self.settings.history_octets);
            needed.extend(
                kept.into_iter()
                    .map(|serial| (namespace.to_owned(), port53_crds::revision_name(&head, serial))),
            );
        }
        for zone in self.zones.values() {
            let of_head = zone.stored.iter().map(|stored| &stored.head);
            let pinned = of_head
                .clone()
                .filter_map(|head| Some(port53_crds::revision_name(&head.name(), head.pinned?)));
            let ready = match &zone.keeping {
                Keeping::Storing(ready) | Keeping::Stored(ready) => Some(ready.checkpoint.revision.clone()),
                _ => None,
            };
            let names = of_head.map(|head| head.checkpoint.revision.clone()).chain(pinned).chain(ready);
            needed.extend(names.map(|name| (namespace.to_owned(), name)));
        }
        needed
    }

    /// The top slices of all that is to stay.
    fn roots(&self) -> Vec<Digest> {
        let revisions = self.index.revisions.iter().filter_map(|(_, stored)| stored.revision.checkpoint.root);
        let zones = self.zones.values().flat_map(|zone| {
            let of_head = zone.stored.as_ref().and_then(|stored| stored.head.checkpoint.root);
            let ready = match &zone.keeping {
                Keeping::Storing(ready) | Keeping::Stored(ready) => ready.checkpoint.root,
                _ => None,
            };
            of_head.into_iter().chain(ready)
        });
        revisions.chain(zones).collect()
    }

    fn pruned(&mut self, pruned: Pruned) {
        self.library.pruning = None;
        let namespace = self.store.namespace();
        for digest in &pruned.deleted {
            self.index.slices.remove(&(namespace.to_owned(), digest.to_string()));
        }
        for key in &pruned.revisions {
            self.index.revisions.remove(key);
        }
        if !pruned.deleted.is_empty() || !pruned.revisions.is_empty() {
            tracing::info!(revisions = pruned.revisions.len(), slices = pruned.deleted.len(), "pruned");
        }
        if let Some(why) = pruned.trouble {
            tracing::warn!("what is not needed stays for now: {why}");
        }
        self.library.below = pruned.below;
        self.library.unnamed = pruned.unnamed;
        // Whoever waited to store slices may.
        self.plan.heard(Instant::now());
    }
}

impl Library {
    /// Whether a revision that is to be there has this content.
    fn names(&self, content: &Content) -> bool {
        let root = content.root();
        self.revisions.values().any(|stored| stored.revision.checkpoint.root == root)
    }
}

/// One look for what nothing needs.
struct Pruning {
    store: Store,
    surplus: Vec<(Key, String)>,
    roots: Vec<Digest>,
    slices: Vec<(Digest, Option<String>)>,
    below: HashMap<Digest, Below>,
    unnamed: HashSet<Digest>,
    stop: Arc<AtomicBool>,
}

impl Pruning {
    async fn run(self) -> Pruned {
        let mut pruned = Pruned::default();
        if let Err(why) = self.work(&mut pruned).await {
            pruned.trouble = Some(why);
        }
        pruned
    }

    async fn work(self, pruned: &mut Pruned) -> Result<(), String> {
        let named = named(&self.store.reader, &self.roots, &self.below, &mut pruned.below).await?;
        pruned.unnamed =
            self.slices.iter().map(|(digest, _)| *digest).filter(|digest| !named.contains(digest)).collect();
        for (key, uid) in self.surplus {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.store.delete_revision(&key.1, &uid).await.map_err(|error| error.to_string())?;
            pruned.revisions.push(key);
        }
        let was_unnamed = |digest: &Digest| self.unnamed.contains(digest) && pruned.unnamed.contains(digest);
        let surplus: Vec<_> = self
            .slices
            .iter()
            .filter_map(|(digest, uid)| Some((*digest, uid.clone()?)))
            .filter(|(digest, _)| was_unnamed(digest))
            .take(AT_ONCE)
            .collect();
        for (digest, uid) in surplus {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.store.delete_slice(&digest, &uid).await.map_err(|error| error.to_string())?;
            pruned.deleted.push(digest);
        }
        Ok(())
    }
}

/// All slices below `roots`, and the roots. Inner slices that are not `known` are read; leaves need not be, unless
/// they are a root. All that are named are put into `below`.
async fn named(
    reader: &Slices,
    roots: &[Digest],
    known: &HashMap<Digest, Below>,
    below: &mut HashMap<Digest, Below>,
) -> Result<HashSet<Digest>, String> {
    let mut named = HashSet::new();
    let mut stack: Vec<Digest> = roots.to_vec();
    while let Some(digest) = stack.pop() {
        if below.contains_key(&digest) || !named.insert(digest) {
            continue;
        }
        let of_slice = match known.get(&digest) {
            Some(below) => below.clone(),
            None => match reader.get(digest).await {
                Ok(slice) => Below {
                    are_leaves: slice.height() <= 1,
                    slices: slice.children().map_err(|error| error.to_string())?.into(),
                },
                // One that is lost names nothing any more.
                Err(SliceError::Lost(_)) => continue,
                Err(SliceError::Unreachable(why)) => return Err(why),
            },
        };
        match of_slice.are_leaves {
            true => named.extend(of_slice.slices.iter()),
            false => stack.extend(of_slice.slices.iter()),
        }
        below.insert(digest, of_slice);
    }
    Ok(named)
}
