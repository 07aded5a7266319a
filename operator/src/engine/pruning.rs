//! Pruning: takes revisions that history does not keep, then slices that nothing names.
//!
//! Two looks in a row must find that nothing names a slice, because a resolver may still be reading it. While slices
//! are being stored nothing is pruned, and the other way round, so that a slice which was seen to be there stays
//! there. Deleted is only what still is what was looked at, by its uid.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use port53_client::slices::{SliceError, Slices};
use port53_store::Revision;
use port53_zone::Name;
use port53_zone::content::Digest;

use super::keeping::{Ended, PRUNE_SOON, RESTORE_AFTER};
use super::zone::Keeping;
use super::{Engine, Timer, wall};
use crate::cluster::store::Store;
use crate::history::{self, Age};
use crate::index::Key;

/// Objects that one look deletes at most.
const AT_ONCE: usize = 500;

/// What an inner slice names.
#[derive(Clone, Debug)]
pub(super) struct Below {
    are_leaves: bool,
    slices: Arc<[Digest]>,
}

/// What came of one look.
#[derive(Default)]
pub(super) struct Pruned {
    below: HashMap<Digest, Below>,
    unnamed: HashSet<Digest>,
    deleted: Vec<Digest>,
    revisions: Vec<Key>,
    trouble: Option<String>,
}

impl Engine {
    /// Looks for what nothing needs, and deletes it.
    pub(super) fn prune(&mut self, now: Instant) {
        let interval = self.settings.prune_interval;
        if !self.is_ready() || self.library.storing > 0 || self.library.pruning.is_some() {
            return self.at(now + interval.min(PRUNE_SOON), Timer::Prune);
        }
        let is_cut_short = std::mem::take(&mut self.library.prunes_soon);
        self.at(now + if is_cut_short { interval.min(PRUNE_SOON) } else { interval }, Timer::Prune);
        let needed = self.revisions_needed();
        let surplus: Vec<(Key, String)> = self
            .index
            .revisions
            .iter()
            .filter(|(key, _)| !needed.contains(*key))
            // What a zone names that is still being read is not known.
            .filter(|(_, stored)| !self.is_unknown(&stored.revision.apex))
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
            of_head.into_iter().chain(ready).chain(zone.root_under_way())
        });
        revisions.chain(zones).collect()
    }

    pub(super) fn pruned(&mut self, pruned: Pruned) {
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
        if std::mem::take(&mut self.library.restores_later) {
            self.restore_after(RESTORE_AFTER);
        }
        // Whoever waited to store slices may.
        self.plan.heard(Instant::now());
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
        let named =
            named(&self.store.reader, &self.roots, &self.below, &mut pruned.below, &self.stop).await?;
        let Some(named) = named else {
            // Cut short: what is known is kept for the next look.
            for (digest, below) in self.below {
                pruned.below.entry(digest).or_insert(below);
            }
            return Ok(());
        };
        let surplus;
        (pruned.unnamed, surplus) = look(&self.slices, &named, &self.unnamed);
        for (key, uid) in self.surplus {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.store.delete_revision(&key.1, &uid).await.map_err(|error| error.to_string())?;
            pruned.revisions.push(key);
        }
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

/// What one look comes to: slices that are not among `named`, and those of them that go, because nothing named them
/// at the look `before` either. One whose object the watch has not told of yet stays.
fn look(
    slices: &[(Digest, Option<String>)],
    named: &HashSet<Digest>,
    before: &HashSet<Digest>,
) -> (HashSet<Digest>, Vec<(Digest, String)>) {
    let unnamed = || slices.iter().filter(|(digest, _)| !named.contains(digest));
    let surplus = unnamed()
        .filter(|(digest, _)| before.contains(digest))
        .filter_map(|(digest, uid)| Some((*digest, uid.clone()?)))
        .take(AT_ONCE);
    (unnamed().map(|(digest, _)| *digest).collect(), surplus.collect())
}

/// All slices below `roots`, and the roots. Inner slices that are not `known` are read; leaves need not be, unless
/// they are a root. All that are named are put into `below`. Nothing when it was told to stop.
async fn named(
    reader: &Slices,
    roots: &[Digest],
    known: &HashMap<Digest, Below>,
    below: &mut HashMap<Digest, Below>,
    stop: &AtomicBool,
) -> Result<Option<HashSet<Digest>>, String> {
    let mut named = HashSet::new();
    let mut stack: Vec<Digest> = roots.to_vec();
    while let Some(digest) = stack.pop() {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
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
    Ok(Some(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::of(&[number])
    }

    fn digests(numbers: &[u8]) -> HashSet<Digest> {
        numbers.iter().map(|number| digest(*number)).collect()
    }

    /// The slices 1 to 4 as objects, and what goes at a look at which these are named.
    fn goes(named: &[u8], before: &mut HashSet<Digest>) -> HashSet<Digest> {
        let slices: Vec<_> = (1..=4).map(|number| (digest(number), Some(number.to_string()))).collect();
        let (unnamed, surplus) = look(&slices, &digests(named), before);
        *before = unnamed;
        assert!(surplus.iter().all(|(of, uid)| *of == digest(uid.parse().expect("a number"))));
        surplus.into_iter().map(|(digest, _)| digest).collect()
    }

    #[test]
    fn what_nothing_names_goes_at_the_second_look_in_a_row_and_at_no_other() {
        let mut before = HashSet::new();
        assert_eq!(goes(&[1, 2], &mut before), digests(&[]));
        // One is wanted again, as one that is published a second time is; one is no longer.
        assert_eq!(goes(&[1, 3], &mut before), digests(&[4]));
        assert_eq!(goes(&[1, 2], &mut before), digests(&[4]));
        assert_eq!(goes(&[1, 2], &mut before), digests(&[3, 4]));
    }

    #[test]
    fn a_slice_that_was_written_just_now_has_no_object_that_could_be_deleted() {
        let slices = [(digest(1), None), (digest(2), Some("a".to_owned()))];
        let all = digests(&[1, 2]);
        let (unnamed, surplus) = look(&slices, &HashSet::new(), &all);
        assert_eq!((unnamed, surplus), (all, vec![(digest(2), "a".to_owned())]));
    }

    fn inner(are_leaves: bool, below: &[u8]) -> Below {
        Below { are_leaves, slices: below.iter().map(|number| digest(*number)).collect() }
    }

    /// Nobody is there who could be asked for a slice.
    async fn all_named(roots: &[u8], stop: bool) -> Result<Option<HashSet<Digest>>, String> {
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().expect("an address"));
        let client = kube::Client::try_from(nowhere).expect("a client");
        let reader = Slices::new(client, "port53", Arc::default());
        let known = HashMap::from([
            (digest(1), inner(false, &[2, 3])),
            (digest(2), inner(true, &[10, 11])),
            (digest(3), inner(true, &[11, 12])),
            (digest(4), inner(true, &[13])),
        ]);
        let roots: Vec<Digest> = roots.iter().map(|number| digest(*number)).collect();
        named(&reader, &roots, &known, &mut HashMap::new(), &AtomicBool::new(stop)).await
    }

    #[tokio::test]
    async fn all_that_is_below_a_root_is_named() {
        assert_eq!(all_named(&[1], false).await, Ok(Some(digests(&[1, 2, 3, 10, 11, 12]))));
        assert_eq!(all_named(&[2, 4], false).await, Ok(Some(digests(&[2, 4, 10, 11, 13]))));
    }

    /// A look that does not come to its end says nothing of what is not named.
    #[tokio::test]
    async fn what_cannot_be_read_or_is_cut_short_names_nothing_and_lets_nothing_go() {
        assert!(all_named(&[1, 5], false).await.is_err());
        assert_eq!(all_named(&[1], true).await, Ok(None));
    }
}
