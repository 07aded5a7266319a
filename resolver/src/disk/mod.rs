//! The disk cache: what is served, kept so that a restarted process answers without its source.
//!
//! ```text
//! DIR/example.com.zone/manifest            what of the zone: apex, serial, SOA, salt, root, digest, who may have it,
//!                                          who answers while it moves here
//! DIR/example.com.zone/DIGEST.slice        the slices of its content, each named by its digest
//! ```
//!
//! A directory a zone, so that no damage to one touches another. Written after the swap by one thread of
//! its own, at most once a second, only what changed: first the slices, then what makes them durable, then
//! the manifest over the old one (temporary file, fsync, rename, fsync of the directory). Whenever power
//! fails, the manifest names slices that are whole. What the manifest no longer names is removed later.
//!
//! Nothing read is trusted: a manifest carries its own digest, slices are their digest, and the content is
//! checked as a whole. What is torn or changed is renamed to `*.corrupt`, said in the log and counted, and
//! its zone is SERVFAIL until a source gives it. A disk that cannot be written stops nothing: it is said
//! in the detail of readiness and in the metrics, and tried again.

mod load;
mod manifest;
mod write;

pub(crate) use load::legacies;
pub use load::{Loaded, load};

/// Reads a manifest and writes it again, for fuzzing.
///
/// # Errors
/// With what is wrong with it.
#[doc(hidden)]
pub fn manifest_again(octets: &[u8]) -> Result<String, &'static str> {
    manifest::Manifest::decode(octets).map(|manifest| manifest.encode())
}

use crate::source::Publisher;
use crate::transfer::Transfers;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the thread sleeps at most before it looks whether it shall stop.
const LOOK_UP: Duration = Duration::from_millis(100);
/// The longest pause between attempts on a disk that cannot be written.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How the cache is doing, for readiness and metrics.
#[derive(Debug, Default)]
pub struct DiskStatus {
    failure: Mutex<Option<String>>,
    /// Zones written.
    pub writes: AtomicU64,
    /// Writes that failed.
    pub failures: AtomicU64,
    /// Files that were set aside because they were damaged.
    pub corrupt: AtomicU64,
}

impl DiskStatus {
    /// Why the last write failed; `None` when it did not.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_failure(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// The thread that writes what is served to disk.
#[derive(Debug)]
pub struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts writing what `publisher` serves to `directory`, at most once in `interval`, and to whom `transfers`
    /// gives it. `loaded` is what
    /// [`load`] found there.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        directory: &Path,
        publisher: Publisher,
        transfers: Arc<Transfers>,
        loaded: Loaded,
        interval: Duration,
        status: Arc<DiskStatus>,
    ) -> std::io::Result<Self> {
        publisher.note_changes();
        let stop = Arc::new(AtomicBool::new(false));
        let mut task = Task {
            directory: directory.to_owned(),
            publisher,
            transfers,
            saved: loaded.saved,
            interval,
            status,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(move || task.run())?;
        Ok(Writer { stop, thread: Some(thread) })
    }

    /// Writes what is not written yet, once, and stops.
    pub fn finish(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.join();
    }
}

struct Task {
    directory: PathBuf,
    publisher: Publisher,
    transfers: Arc<Transfers>,
    /// What is known to be on disk, whole, by directory of a zone.
    saved: HashMap<String, write::Saved>,
    interval: Duration,
    status: Arc<DiskStatus>,
    stop: Arc<AtomicBool>,
}

impl Task {
    fn run(&mut self) {
        let mut pause = self.interval;
        self.try_directory();
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            let patience = if stopping { Duration::ZERO } else { LOOK_UP };
            let unsaved = self.publisher.take_unsaved(patience);
            if !unsaved.is_empty() {
                pause = if self.save(unsaved) {
                    self.interval
                } else {
                    (pause * 2).clamp(self.interval, LONGEST_PAUSE)
                };
                self.rest(pause);
            }
            if stopping {
                return;
            }
        }
    }

    /// Says at once whether the directory can be written, and not only when there is something to write.
    fn try_directory(&self) {
        let probe = self.directory.join(format!(".probe-{}", std::process::id()));
        let tried = std::fs::create_dir_all(&self.directory)
            .and_then(|()| std::fs::write(&probe, b""))
            .and_then(|()| std::fs::remove_file(&probe));
        if let Err(error) = tried {
            self.status.failures.fetch_add(1, Ordering::Relaxed);
            let failure = format!("{}: {error}", self.directory.display());
            tracing::warn!(failure, "the disk cache cannot be written: a restart would need the source");
            self.status.set_failure(Some(failure));
        }
    }

    /// Writes `unsaved`. Each zone alone: one that fails does not keep the others from being written.
    fn save(&mut self, unsaved: impl IntoIterator<Item = port53_zone::Name>) -> bool {
        let mut failed = Vec::new();
        let mut failure = None;
        for apex in unsaved {
            let directory = manifest::directory_of(&apex);
            let image = self.publisher.view(&apex).map(|view| view.image);
            let result = match image {
                Some(Some(image)) => {
                    let saved = self.saved.entry(directory.clone()).or_default();
                    let transfer = self.transfers.policies().own(&apex).map(|policy| policy.allow.clone());
                    let path = self.directory.join(&directory);
                    let transfer = transfer.unwrap_or_default();
                    let forwarding = self.publisher.forwarding(&apex);
                    write::zone(&path, &image, manifest::Beside { transfer, forwarding }, saved)
                }
                // Known, and not complete: what is on disk is the last good content.
                Some(None) => Ok(()),
                None => {
                    self.saved.remove(&directory);
                    write::remove(&self.directory.join(&directory))
                }
            };
            match result {
                Ok(()) => drop(self.status.writes.fetch_add(1, Ordering::Relaxed)),
                Err(error) => {
                    self.status.failures.fetch_add(1, Ordering::Relaxed);
                    failure.get_or_insert_with(|| {
                        format!("{}: {error}", self.directory.join(&directory).display())
                    });
                    failed.push(apex);
                }
            }
        }
        if failure.is_some() && self.status.failure().is_none() {
            tracing::warn!(
                failure = failure.as_deref(),
                zones = failed.len(),
                "the disk cache cannot be written: answers go on, a restart would need the source; \
                 make room or give the right to write"
            );
        }
        let ok = failure.is_none();
        self.status.set_failure(failure);
        self.publisher.still_unsaved(failed);
        ok
    }

    /// Lets changes gather, and ends early when told to stop.
    fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.stop.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK_UP));
        }
    }
}
