//! A directory in the place of an API server: what people wrote, read from files.
//!
//! ```text
//! files ──walk, open──▶ master files ──▶ zones ─────────────────────┐
//!                  └──▶ manifests ──yaml, admission──▶ objects ─────┴─▶ Objects, findings
//! ```
//!
//! It is read again and again ([`Directory::refresh`]), a file only when its stamp changed. What was there
//! before stays where the new is not understood, as an API server keeps the object whose update it refuses:
//! an object that is not admitted keeps its last version; so do all objects of a file that cannot be read, or
//! that has a document of which it is not known what it is. What a readable file no longer has is deleted,
//! and so is what was in a file that is gone, once it was gone for a while: editors save by putting another
//! file in its place.

mod manifests;
mod master;
mod named;
mod once;
mod open;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use port53_operator::objects::{MasterZone, ObjectRef, Objects};
use port53_zone::Name;
use port53_zone::master::Position;

use crate::admission::Admission;
use crate::finding::{Finding, MALFORMED, UNREADABLE};
use manifests::{Context, Key, Object, Written};
use named::Named;
pub use named::Watched;
pub(crate) use once::{File, Manifest, Manifests, files, open, read_manifests};
pub(crate) use open::{Refused, Root, text as octets};
use open::{SETTLED, Stamp, text};
use walk::FileKind;

/// See the module.
pub struct Directory {
    admission: Arc<Admission>,
    namespace: String,
    named: Vec<Named>,
    /// How long a file must be gone before what it held is deleted.
    patience: Duration,
    files: BTreeMap<Arc<str>, FileState>,
    /// About directories, not files.
    findings: Vec<Finding>,
    /// Objects that are written a second time.
    repeated: Vec<Finding>,
    counted: BTreeMap<Key, Arc<Written>>,
    objects: Objects,
}

struct FileState {
    kind: FileKind,
    /// What it was read from, also what was not there; empty when it must be read again.
    sources: Sources,
    /// Since when there is no such file.
    gone_since: Option<Instant>,
    holds: Holds,
    findings: Vec<Finding>,
}

type Sources = Vec<(PathBuf, Option<Stamp>)>;

#[derive(Default)]
struct Holds {
    written: Vec<Arc<Written>>,
    zone: Option<Arc<MasterZone>>,
    foreign: usize,
}

/// Who is writing files while they are read.
#[derive(Clone, Copy)]
pub enum Writers<'a> {
    /// Nobody who matters: files are read as they are.
    None,
    /// Somebody may be, and does not tell: a file must have been as it is for a while.
    Silent,
    /// Whoever watches the files says of one that was just read whether somebody wrote it meanwhile.
    Told(&'a dyn Fn(&Path) -> bool),
}

impl Writers<'_> {
    /// Whether a file that was read may have been read by halves.
    fn disturb(self, root: &Root, (relative, stamp): &(PathBuf, Option<Stamp>)) -> bool {
        let is_same = |stamp: &Stamp| root.stamp(relative).is_some_and(|now| stamp.looks_same(&now));
        match (self, stamp) {
            (Writers::None, _) | (Writers::Silent, None) => false,
            (Writers::Silent, Some(stamp)) => !(stamp.is_settled() && is_same(stamp)),
            (Writers::Told(disturbs), None) => disturbs(&root.path().join(relative)),
            (Writers::Told(disturbs), Some(stamp)) => {
                disturbs(&root.path().join(relative)) || !is_same(stamp)
            }
        }
    }
}

/// What came of looking at a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Looked {
    Same,
    Changed,
    /// Somebody is writing it.
    Unsettled,
}

/// What came of a refresh.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refreshed {
    /// Whether anything is other than before.
    pub is_changed: bool,
    /// When to refresh again although nothing may happen until then: files are gone and not yet given up.
    pub again_after: Option<Duration>,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Files of manifests and master files.
    pub files: usize,
    /// Zones, as objects or as master files.
    pub zones: usize,
    /// DNSRecords.
    pub records: usize,
    /// Objects of kinds that are not ours, which are left alone.
    pub foreign_objects: usize,
}

/// Why nothing can be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there, or there is no right to read it.
    #[error("cannot read {path}: name a directory or a file that exists and can be read")]
    Unreadable {
        /// As it was named.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file whose name does not tell what it is.
    #[error(
        "{0} is neither manifests nor a master file by its name: name it *.yaml, *.yml, *.json or *.zone"
    )]
    UnknownKind(String),
}

impl Directory {
    /// What the paths name: directories, or files that end in `.yaml`, `.yml`, `.json` or `.zone`. Nothing
    /// is read yet. Objects that name no namespace are in `namespace`. What was in a file is deleted when it
    /// was gone for `patience`.
    ///
    /// # Errors
    /// When one of the paths cannot be read, or does not tell what it is.
    pub fn open(
        paths: &[PathBuf],
        namespace: &str,
        patience: Duration,
        admission: Arc<Admission>,
    ) -> Result<Self, OpenError> {
        Ok(Directory {
            admission,
            patience,
            namespace: namespace.to_owned(),
            named: paths.iter().map(|path| Named::open(path)).collect::<Result<_, _>>()?,
            files: BTreeMap::new(),
            findings: Vec::new(),
            repeated: Vec::new(),
            counted: BTreeMap::new(),
            objects: Objects::default(),
        })
    }

    /// Whether what was named leads elsewhere than at the last look: a link that is pointed elsewhere is not
    /// among what is watched.
    pub fn is_elsewhere(&self) -> bool {
        self.named.iter().any(Named::is_elsewhere)
    }

    /// What to watch.
    pub fn watched(&self) -> Watched {
        let mut watched = Watched::default();
        self.named.iter().for_each(|named| named.watch(&mut watched));
        watched
    }

    /// Reads what changed, but for files that somebody is writing just now: those stay as they were.
    pub fn refresh(&mut self, writers: Writers<'_>) -> Refreshed {
        let findings = std::mem::take(&mut self.findings);
        let mut present = BTreeSet::new();
        let mut is_changed = false;
        let mut is_any_unsettled = false;
        for i in 0..self.named.len() {
            let (files, unlisted) = self.list(i);
            for (relative, kind) in files {
                let shown = self.named[i].show(&relative);
                match self.refresh_file(i, &relative, kind, shown.clone(), writers) {
                    Looked::Same => {}
                    Looked::Changed => is_changed = true,
                    Looked::Unsettled => is_any_unsettled = true,
                }
                present.insert(shown);
            }
            // What is in a directory that cannot be listed is not known to be gone.
            let unlisted: Vec<Arc<str>> = unlisted.iter().map(|path| self.named[i].show(path)).collect();
            let is_hidden = |file: &str| unlisted.iter().any(|dir| Path::new(file).starts_with(&**dir));
            present.extend(self.files.keys().filter(|file| is_hidden(file)).cloned());
        }
        let (is_any_deleted, mut again_after) = self.delete_gone(&present);
        if is_any_unsettled {
            again_after = Some(again_after.map_or(SETTLED, |sooner| sooner.min(SETTLED)));
        }
        is_changed |= is_any_deleted || findings != self.findings;
        if is_changed {
            self.count();
        }
        Refreshed { is_changed, again_after }
    }

    /// Deletes files that are gone for long enough. Says whether there are any, and when to look again.
    fn delete_gone(&mut self, present: &BTreeSet<Arc<str>>) -> (bool, Option<Duration>) {
        let now = Instant::now();
        let before = self.files.len();
        let mut again_after: Option<Duration> = None;
        self.files.retain(|file, state| {
            if present.contains(file) {
                state.gone_since = None;
                return true;
            }
            let gone_for = now.duration_since(*state.gone_since.get_or_insert(now));
            let Some(left) = self.patience.checked_sub(gone_for).filter(|left| !left.is_zero()) else {
                return false;
            };
            again_after = Some(again_after.map_or(left, |sooner| sooner.min(left)));
            true
        });
        (before != self.files.len(), again_after)
    }

    /// What people wrote, as of the last refresh.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What could not be read or admitted.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let of_files = self.files.values().flat_map(|file| &file.findings);
        self.findings.iter().chain(of_files).chain(&self.repeated)
    }

    /// Where an object is written, or a field of it.
    pub fn locate(&self, object: &ObjectRef, field: &str) -> (Arc<str>, (u32, u32)) {
        match object {
            ObjectRef::MasterFile(file) => (file.clone(), (0, 0)),
            ObjectRef::MasterRecord { file, position } => Self::place(position, file),
            ObjectRef::Zone { .. } | ObjectRef::Record { .. } => {
                match self.counted.get(&Key::Ours(object.clone())) {
                    Some(written) => (written.file.clone(), written.at(field)),
                    None => ("".into(), (0, 0)),
                }
            }
        }
    }

    /// A position in the master file `file`, or in what it includes.
    pub fn place(position: &Position, file: &Arc<str>) -> (Arc<str>, (u32, u32)) {
        master::place(position, file)
    }

    /// How much was read.
    pub fn counts(&self) -> Counts {
        Counts {
            files: self.files.len(),
            zones: self.objects.zones.len() + self.objects.master_zones.len(),
            records: self.objects.records.len(),
            foreign_objects: self.files.values().map(|file| file.holds.foreign).sum(),
        }
    }

    /// The files of one of the named, and the directories that cannot be listed.
    fn list(&mut self, named: usize) -> (Vec<(PathBuf, FileKind)>, Vec<PathBuf>) {
        let named = &mut self.named[named];
        named.follow();
        let found = named.list();
        for (path, error) in &found.unlisted {
            let message = format!("the directory cannot be listed: {error}");
            let fix = "make it readable; until then what it held stays as it was";
            self.findings.push(Finding::error(&named.show(path), (0, 0), UNREADABLE, message, fix));
        }
        for path in &found.linked_directories {
            let message = "a link to a directory is not followed";
            let fix = "put the directory itself here, or name it on the command line";
            let finding = Finding::error(&named.show(path), (0, 0), UNREADABLE, message, fix);
            self.findings.push(finding.as_warning());
        }
        self.findings.sort();
        (found.files, found.unlisted.into_iter().map(|(path, _)| path).collect())
    }

    /// Reads a file if its stamp changed.
    fn refresh_file(
        &mut self,
        named: usize,
        relative: &Path,
        kind: FileKind,
        shown: Arc<str>,
        writers: Writers<'_>,
    ) -> Looked {
        let root = &self.named[named].root;
        let before = self.files.get(&shown);
        let sources = before.map(|file| &file.sources[..]).unwrap_or_default();
        let is_same = |(path, stamp): &(PathBuf, Option<Stamp>)| match (stamp, root.stamp(path)) {
            (None, None) => true,
            (Some(stamp), Some(now)) => stamp.is_same(&now),
            _ => false,
        };
        if !sources.is_empty() && sources.iter().all(is_same) {
            return Looked::Same;
        }
        let read = match kind {
            FileKind::Manifests => self.read_manifests(root, relative, &shown),
            FileKind::Master => read_master(root, relative, &shown, master::origin(relative)),
        };
        let state = read.unwrap_or_else(|refused| {
            let is_kept = before.is_some();
            let message = format!("the file cannot be read: {refused}");
            let finding = Finding::error(&shown, (0, 0), UNREADABLE, message, refused.fix());
            let findings = vec![Finding { last_good_kept: is_kept, ..finding }];
            FileState { kind, sources: Sources::new(), gone_since: None, holds: Holds::default(), findings }
        });
        // A file is emptied a while before that is told, when it is to be written anew: as with one that is gone.
        let is_emptied = |(_, stamp): &(PathBuf, Option<Stamp>)| {
            stamp.as_ref().is_some_and(|stamp| stamp.size() == 0 && stamp.age() < self.patience)
        };
        if state.sources.iter().any(|source| is_emptied(source) || writers.disturb(root, source)) {
            return Looked::Unsettled;
        }
        let is_changed = match self.files.get_mut(&shown) {
            Some(before) => before.replace(state),
            None => {
                self.files.insert(shown, state);
                true
            }
        };
        if is_changed { Looked::Changed } else { Looked::Same }
    }

    fn read_manifests(&self, root: &Root, relative: &Path, shown: &Arc<str>) -> Result<FileState, Refused> {
        let (file, stamp) = root.open(relative)?;
        let text = text(file)?;
        let before = |key: &Key| self.counted.get(key).cloned();
        let (admission, namespace) = (&*self.admission, &*self.namespace);
        let context = Context { admission, namespace, before: &before, is_source_kept: false };
        let mut read = manifests::read(&context, shown, &text);
        if read.unknown > 0 {
            let found: BTreeSet<Key> = read.written.iter().map(|written| written.key.clone()).collect();
            let held = self.files.get(shown).map(|file| &file.holds.written[..]).unwrap_or_default();
            let kept: Vec<_> = held.iter().filter(|written| !found.contains(&written.key)).cloned().collect();
            for finding in read.findings.iter_mut().filter(|finding| finding.reason == MALFORMED) {
                finding.last_good_kept = !kept.is_empty();
            }
            read.written.extend(kept);
        }
        let holds = Holds { written: read.written, zone: None, foreign: read.foreign };
        let sources = vec![(relative.to_owned(), Some(stamp))];
        let (kind, findings) = (FileKind::Manifests, read.findings);
        Ok(FileState { kind, sources, gone_since: None, holds, findings })
    }

    /// Takes together what the files hold: of an object that is written twice the first counts.
    fn count(&mut self) {
        self.repeated.clear();
        self.counted.clear();
        let mut objects = Objects::default();
        let (mut namespaces, mut records) = (BTreeMap::new(), Vec::new());
        for file in self.files.values() {
            objects.master_zones.extend(file.holds.zone.clone());
            for written in &file.holds.written {
                if let Some(first) = self.counted.get(&written.key) {
                    let (line, _) = first.at("");
                    let message = format!("{} is written twice, first at {}:{line}", written.key, first.file);
                    let fix = "remove one of the two, or give this one another name; the first counts";
                    let finding =
                        Finding::error(&written.file, written.at("metadata.name"), MALFORMED, message, fix);
                    self.repeated.push(finding.about(written.key.to_string(), "metadata.name"));
                    continue;
                }
                self.counted.insert(written.key.clone(), written.clone());
                match (&written.object, &written.key) {
                    (Object::Zone(zone), _) => objects.zones.push(zone.clone()),
                    (Object::Record(record), _) => records.push(record.clone()),
                    (Object::Namespace(labels), Key::Namespace(name)) => {
                        namespaces.insert(name.clone(), labels.clone());
                    }
                    (Object::Namespace(_), Key::Ours(_)) => {}
                }
            }
        }
        objects.records = records.into_iter().collect();
        objects.namespaces = Arc::new(namespaces);
        self.objects = objects;
    }
}

impl FileState {
    /// Takes the place of what was read before, and keeps of that what is not to be lost. Says whether it
    /// makes a difference.
    fn replace(&mut self, mut new: FileState) -> bool {
        let is_unreadable = new.sources.is_empty();
        if is_unreadable {
            new.holds = std::mem::take(&mut self.holds);
        } else if new.kind == FileKind::Master && new.holds.zone.is_none() {
            new.holds.zone = self.holds.zone.take();
            new.findings.iter_mut().for_each(|finding| finding.last_good_kept = new.holds.zone.is_some());
        }
        let was_unreadable = self.sources.is_empty();
        let is_changed = !(is_unreadable && was_unreadable && self.findings == new.findings);
        *self = new;
        is_changed
    }
}

/// Reads one master file, whatever its name. Its origin is that of its name (`NAME.zone`) when none is given.
/// What it includes is beneath its own directory.
///
/// # Errors
/// When the file cannot be opened.
pub fn read_master_file(
    path: &Path,
    origin: Option<Name>,
) -> Result<(Option<MasterZone>, Vec<Finding>), OpenError> {
    let shown: Arc<str> = path.display().to_string().into();
    let unreadable = |source| OpenError::Unreadable { path: shown.to_string(), source };
    let real = path.canonicalize().map_err(unreadable)?;
    let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(OpenError::UnknownKind(shown.to_string()));
    };
    let origin = origin.or_else(|| master::origin(path));
    let read = master::read(&Root::new(parent), Path::new(name), &shown, origin)
        .map_err(|refused| unreadable(io::Error::other(refused)))?;
    Ok((read.zone, read.findings))
}

/// Reads the master file of a zone beneath `root`, as [`read_master_file`] does.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn read_master_in(
    root: &Root,
    path: &Path,
    shown: &Arc<str>,
    origin: Name,
) -> Result<(Option<MasterZone>, Vec<Finding>), Refused> {
    let read = master::read(root, path, shown, Some(origin))?;
    Ok((read.zone, read.findings))
}

fn read_master(
    root: &Root,
    relative: &Path,
    shown: &Arc<str>,
    origin: Option<Name>,
) -> Result<FileState, Refused> {
    let master::Read { zone, findings, sources } = master::read(root, relative, shown, origin)?;
    let holds = Holds { zone: zone.map(Arc::new), ..Holds::default() };
    Ok(FileState { kind: FileKind::Master, sources, gone_since: None, holds, findings })
}
