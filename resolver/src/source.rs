//! How a source gives zones and changes: the [`Publisher`].
//!
//! A source (a directory, the disk cache, later the API server) holds a clone of the publisher and says
//! what it knows: the content of a zone, that a zone exists but is not complete, that a zone is
//! withdrawn, that its list is complete. The publisher keeps the rules that hold whatever the source:
//!
//! - One swap: a change is seen whole or not at all, and no query waits for it.
//! - Never less than is known: absence removes nothing. A zone goes only by [`Publisher::withdraw`];
//!   one that is in service stays in service when its source says it is assembling it again.
//! - Never backwards: a lower serial (RFC 1982) is refused unless the caller insists.
//!
//! A version that was replaced is freed here and never by those who answer: it is kept until nobody else has it.
//! [`ArcSwap::swap`] settles with everyone who was reading, so from then on its count says who has it; no one new
//! can get it. What is still being read at the swap goes with the next change, or when the book is next looked at.
//!
//! Beside what is served it keeps a book of what health, metrics and the disk cache want to know. The
//! book has a lock, which queries never take.

mod forwarding;

use crate::forward::Directory;
use arc_swap::ArcSwap;
use port53_zone::Name;
use port53_zone::image::{Image, ZoneState, Zones};
use port53_zone::serial;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A handle with which sources change what is served. Clones are the same publisher.
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
}

struct Shared {
    zones: Arc<ArcSwap<Zones>>,
    book: Mutex<Book>,
    changed: Condvar,
}

struct Book {
    entries: BTreeMap<Name, Entry>,
    list_complete: bool,
    source: SourceState,
    /// Zones whose copy on disk is behind. `None`: nobody keeps a copy.
    unsaved: Option<BTreeSet<Name>>,
    /// Versions that were replaced and may still be read.
    replaced: Vec<Arc<Zones>>,
    /// Versions that came since the follower last looked, none for a zone that was withdrawn. `None`: nobody
    /// follows.
    versions: Option<BTreeMap<Name, Vec<Arc<Image>>>>,
    /// Who answers for zones that move here.
    directory: Directory,
}

/// Versions of a zone kept for a follower that is behind; then the newest takes the place of the one before.
const VERSIONS: usize = 16;

struct Entry {
    image: Option<Arc<Image>>,
    known_since: Instant,
    updated: Instant,
}

/// How the source itself is doing. It changes no answer: what is served stays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceState {
    /// Nothing was heard yet.
    Starting,
    /// Changes are being followed.
    Following,
    /// What is served comes from the disk cache alone; nothing gives changes.
    DiskOnly,
    /// The source cannot be reached or read; the text says why.
    Lost(String),
}

impl SourceState {
    /// The states as labels, in the order of the variants.
    pub const LABELS: [&'static str; 4] = ["starting", "following", "disk-only", "lost"];

    /// The label of this state.
    pub fn label(&self) -> &'static str {
        match self {
            SourceState::Starting => Self::LABELS[0],
            SourceState::Following => Self::LABELS[1],
            SourceState::DiskOnly => Self::LABELS[2],
            SourceState::Lost(_) => Self::LABELS[3],
        }
    }
}

/// Why a content was not taken into service. What was served before still is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "zone {}: serial {offered} is not above serial {held}, which is in service (RFC 1982 §3.2): \
     publish it with a higher serial", port53_zone::name::display(.apex)
)]
pub struct SerialRefused {
    /// The zone.
    pub apex: Name,
    /// The serial in service.
    pub held: u32,
    /// The serial that was offered.
    pub offered: u32,
}

/// What is known of one zone, as of a moment.
#[derive(Clone)]
pub struct ZoneView {
    /// The zone.
    pub apex: Name,
    /// What is served; `None` while it is assembled (answers are SERVFAIL).
    pub image: Option<Arc<Image>>,
    /// When a source first named it.
    pub known_since: Instant,
    /// When its content last changed.
    pub updated: Instant,
}

/// What is known of everything, as of a moment.
#[derive(Clone)]
pub struct Overview {
    /// Whether a source has said that it has named every zone it knows.
    pub list_complete: bool,
    /// How the source is doing.
    pub source: SourceState,
    /// Every zone, in canonical order.
    pub zones: Vec<ZoneView>,
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

impl Publisher {
    /// A publisher that serves nothing yet: every question is refused.
    pub fn new() -> Self {
        let book = Book {
            entries: BTreeMap::new(),
            list_complete: false,
            source: SourceState::Starting,
            unsaved: None,
            replaced: Vec::new(),
            versions: None,
            directory: Directory::default(),
        };
        Publisher {
            shared: Arc::new(Shared {
                zones: Arc::new(ArcSwap::from_pointee(Zones::default())),
                book: Mutex::new(book),
                changed: Condvar::new(),
            }),
        }
    }

    /// What is served, for [`crate::serve::run`].
    pub fn zones(&self) -> Arc<ArcSwap<Zones>> {
        self.shared.zones.clone()
    }

    /// Takes `image` into service. An equal serial is taken: it is the same version told again, or
    /// a source without serials of its own.
    ///
    /// # Errors
    /// When the zone in service has a higher serial, or one that RFC 1982 cannot compare.
    pub fn put(&self, image: Image) -> Result<(), SerialRefused> {
        let mut book = self.book();
        if let Some(held) = book.served(image.apex())
            && !matches!(serial::compare(held, image.soa().serial), Some(Ordering::Less | Ordering::Equal))
        {
            return Err(SerialRefused { apex: image.apex().clone(), held, offered: image.soa().serial });
        }
        self.install(&mut book, image, true);
        Ok(())
    }

    /// Takes an image that was read from disk into service, unless a source was faster.
    pub(crate) fn put_from_disk(&self, image: Image) {
        let mut book = self.book();
        if book.served(image.apex()).is_none() {
            self.install(&mut book, image, false);
        }
    }

    /// Says that `apex` is a zone of ours whose content is not complete: SERVFAIL, unless an earlier
    /// content is in service, which then stays.
    pub fn assembling(&self, apex: Name) {
        let mut book = self.book();
        if book.entries.contains_key(&apex) {
            return;
        }
        let now = Instant::now();
        book.entries.insert(apex.clone(), Entry { image: None, known_since: now, updated: now });
        self.bring_in(&mut book, &apex, ZoneState::Assembling);
    }

    /// Stops serving `apex`; questions for it are refused from now on. Says whether it was known.
    pub fn withdraw(&self, apex: &Name) -> bool {
        let mut book = self.book();
        let known = book.entries.remove(apex).is_some();
        if known {
            self.swap(&mut book, |zones| zones.remove(apex));
            self.note_unsaved(&mut book, apex);
            self.note_version(&mut book, apex, None);
        }
        known
    }

    /// Says that every zone the source knows has been named by [`Self::put`] or [`Self::assembling`].
    /// Removes nothing.
    pub fn list_complete(&self) {
        self.book().list_complete = true;
    }

    /// Says how the source is doing. When it is lost while zones are in service, which a restarted process has
    /// from its disk, these are the best list to be had: a pod that is not ready is not asked.
    pub fn source_is(&self, state: SourceState) {
        let mut book = self.book();
        let is_serving = book.entries.values().any(|entry| entry.image.is_some());
        book.list_complete |= is_serving && matches!(state, SourceState::Lost(_));
        book.source = state;
    }

    /// How the source is doing.
    pub fn source(&self) -> SourceState {
        self.book().source.clone()
    }

    /// What is known of everything now.
    pub fn overview(&self) -> Overview {
        let mut book = self.book();
        book.free_replaced();
        Overview {
            list_complete: book.list_complete,
            source: book.source.clone(),
            zones: book.entries.iter().map(|(apex, entry)| entry.view(apex)).collect(),
        }
    }

    /// What is known of one zone.
    pub fn view(&self, apex: &Name) -> Option<ZoneView> {
        self.book().entries.get(apex).map(|entry| entry.view(apex))
    }

    /// From now on changes are noted for the disk cache. All that is served already counts as changed.
    pub(crate) fn note_changes(&self) {
        let mut book = self.book();
        if book.unsaved.is_none() {
            book.unsaved = Some(BTreeSet::new());
        }
    }

    /// Says that what is kept of a zone beside its content has changed.
    pub(crate) fn is_unsaved(&self, apex: &Name) {
        self.note_unsaved(&mut self.book(), apex);
    }

    /// Notes zones as unsaved again, because saving them failed.
    pub(crate) fn still_unsaved(&self, apexes: impl IntoIterator<Item = Name>) {
        if let Some(unsaved) = &mut self.book().unsaved {
            unsaved.extend(apexes);
        }
    }

    /// Waits until a zone has changed since the last call, at most `patience`, and takes the names of
    /// those that have. Empty when the wait was in vain.
    pub(crate) fn take_unsaved(&self, patience: Duration) -> BTreeSet<Name> {
        let nothing = |book: &mut Book| book.unsaved.as_ref().is_none_or(BTreeSet::is_empty);
        let (mut book, _) = self
            .shared
            .changed
            .wait_timeout_while(self.book(), patience, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        book.free_replaced();
        book.unsaved.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// From now on versions are noted for [`Self::take_versions`], those in service first.
    pub(crate) fn note_versions(&self) {
        let mut book = self.book();
        let served =
            book.entries.iter().filter_map(|(apex, entry)| Some((apex.clone(), vec![entry.image.clone()?])));
        book.versions = Some(served.collect());
    }

    /// Waits until a version has come into service since the last call, at most `patience`. The versions of each
    /// zone, oldest first; none when it was withdrawn.
    pub(crate) fn take_versions(&self, patience: Duration) -> BTreeMap<Name, Vec<Arc<Image>>> {
        let nothing = |book: &mut Book| book.versions.as_ref().is_none_or(BTreeMap::is_empty);
        let (mut book, _) = self
            .shared
            .changed
            .wait_timeout_while(self.book(), patience, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        book.versions.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note_version(&self, book: &mut Book, apex: &Name, image: Option<Arc<Image>>) {
        let Some(versions) = &mut book.versions else { return };
        let versions = versions.entry(apex.clone()).or_default();
        match image {
            None => versions.clear(),
            Some(image) => {
                versions.truncate(VERSIONS - 1);
                versions.push(image);
            }
        }
        self.shared.changed.notify_all();
    }

    fn install(&self, book: &mut Book, image: Image, to_disk: bool) {
        let image = Arc::new(image);
        let apex = image.apex().clone();
        let now = Instant::now();
        let entry =
            book.entries.entry(apex.clone()).or_insert(Entry { image: None, known_since: now, updated: now });
        entry.image = Some(image.clone());
        entry.updated = now;
        self.bring_in(book, &apex, ZoneState::Serving(image.clone()));
        self.note_version(book, &apex, Some(image));
        if to_disk {
            self.note_unsaved(book, &apex);
        }
    }

    fn note_unsaved(&self, book: &mut Book, apex: &Name) {
        if let Some(unsaved) = &mut book.unsaved {
            unsaved.insert(apex.clone());
            self.shared.changed.notify_all();
        }
    }

    fn bring_in(&self, book: &mut Book, apex: &Name, state: ZoneState) {
        let forward = book.directory.forward_of(apex);
        self.swap(book, |zones| {
            let zones = zones.put(apex, state);
            // One that is there already has it.
            if forward.is_some() { zones.forward(apex, forward) } else { zones }
        });
    }

    /// Replaces what is served. Callers hold the book, so changes never overtake each other.
    fn swap(&self, book: &mut Book, change: impl FnOnce(&Zones) -> Zones) {
        let next = change(&self.shared.zones.load());
        let replaced = self.shared.zones.swap(Arc::new(next));
        book.replaced.push(replaced);
        book.free_replaced();
    }

    /// A panic elsewhere must not stop publication: every change to the book is complete or not begun
    /// at any point that could panic.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn served(&self, apex: &Name) -> Option<u32> {
        Some(self.entries.get(apex)?.image.as_ref()?.soa().serial)
    }

    /// Frees those replaced versions that nobody reads.
    fn free_replaced(&mut self) {
        // To be the only one who has it is known by `get_mut`, which also sees all that readers did before.
        self.replaced.retain_mut(|zones| Arc::get_mut(zones).is_none());
    }
}

impl Entry {
    fn view(&self, apex: &Name) -> ZoneView {
        ZoneView {
            apex: apex.clone(),
            image: self.image.clone(),
            known_since: self.known_since,
            updated: self.updated,
        }
    }
}
