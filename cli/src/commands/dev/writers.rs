//! Who is writing which file.
//!
//! A file that somebody has opened and written to is not read until it is closed. The system tells of writing as
//! it happens, but its word may still be on its way when a file is read. So after a file was read, a mark is made
//! in a directory of our own under the same watch: words come in their order, and once that of the mark is here,
//! so is every word of what was written before. What was touched meanwhile is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind};

/// How long a file that was written to and not closed is left alone after the last write.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the word of a mark is waited for. Without it nothing more can be known.
const MARK_PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Writers {
    marks: PathBuf,
    known: Mutex<Known>,
    heard: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    /// Files that were written to and not closed, with the time of the last write.
    open: BTreeMap<PathBuf, Instant>,
    /// Files of which anything was told since the look began.
    touched: BTreeSet<PathBuf>,
    /// Since then words were lost: anything may have been touched.
    is_lost: bool,
    made: u64,
    heard: u64,
}

impl Writers {
    /// With a directory for marks, which must be watched with the files.
    pub(super) fn new() -> io::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let marks = std::env::temp_dir().join(format!("port53-dev-{}-{now}", std::process::id()));
        std::fs::create_dir(&marks)?;
        Ok(Writers { marks, known: Mutex::default(), heard: Condvar::new() })
    }

    /// The directory for marks.
    pub(super) fn marks(&self) -> &Path {
        &self.marks
    }

    /// A look at the files begins: what is told from now on may concern it.
    pub(super) fn look(&self) {
        let mut known = self.known();
        known.touched.clear();
        known.is_lost = false;
    }

    /// Whether a file that was read just now may have been read by halves: somebody is writing it, or has since
    /// the look began.
    pub(super) fn disturbs(&self, path: &Path) -> bool {
        if !self.hear_all() {
            return true;
        }
        let known = self.known();
        let is_open = known.open.get(path).is_some_and(|written| written.elapsed() < PATIENCE);
        is_open || known.is_lost || known.touched.contains(path)
    }

    /// When one of the writers will have been waited for long enough.
    pub(super) fn until(&self) -> Option<Instant> {
        let mut known = self.known();
        let earliest = known.open.values().min().map(|written| *written + PATIENCE);
        known.open.retain(|_, written| written.elapsed() < PATIENCE);
        earliest
    }

    /// Takes note of what the system told.
    pub(super) fn hear(&self, event: &Event) {
        let mut known = self.known();
        known.is_lost |= event.need_rescan();
        match event.kind {
            EventKind::Create(CreateKind::File) => {
                let marks = event.paths.iter().filter(|path| path.starts_with(&self.marks));
                let numbers = marks.filter_map(|path| path.file_name()?.to_str()?.parse().ok());
                if let Some(heard) = numbers.max() {
                    known.heard = known.heard.max(heard);
                    self.heard.notify_all();
                }
                return;
            }
            EventKind::Modify(ModifyKind::Data(_)) => {
                let now = Instant::now();
                known.open.extend(event.paths.iter().map(|path| (path.clone(), now)));
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_)) => {
                known.open.retain(|path, _| !event.paths.contains(path));
            }
            _ => return,
        }
        known.touched.extend(event.paths.iter().cloned());
    }

    /// Waits until all that was told before now has been heard. Says whether it was.
    fn hear_all(&self) -> bool {
        let mut known = self.known();
        known.made += 1;
        let number = known.made;
        drop(known);
        let mark = self.marks.join(number.to_string());
        // Somebody may have tidied up.
        let made = File::create(&mark)
            .or_else(|_| std::fs::create_dir(&self.marks).and_then(|()| File::create(&mark)));
        if let Err(error) = made {
            tracing::debug!("no mark can be made in {}: {error}", self.marks.display());
            return false;
        }
        let is_missing = |known: &mut Known| known.heard < number;
        let waited = self.heard.wait_timeout_while(self.known(), MARK_PATIENCE, is_missing);
        let is_heard = waited.unwrap_or_else(PoisonError::into_inner).0.heard >= number;
        let _ = std::fs::remove_file(&mark);
        is_heard
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.marks);
    }
}
