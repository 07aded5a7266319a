//! Waiting for changes of files.
//!
//! A change is looked at once nothing more came for a moment. Files that somebody has opened and written to
//! are named as such until they are closed, so that none is read half written; who does not close what he
//! wrote is waited for a little and no longer.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::directory::Watched;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, PollWatcher, RecursiveMode, Watcher};

/// Nothing came for this long: look.
const QUIET: Duration = Duration::from_millis(8);
/// Look after this long, whatever comes.
const MOST: Duration = Duration::from_millis(40);
/// How long a file that was written to and not closed is left alone after the last write.
const WRITER_PATIENCE: Duration = Duration::from_secs(5);
/// How often files are looked at where the system tells nothing.
const POLL: Duration = Duration::from_millis(50);

pub(super) struct Watch {
    messages: Receiver<Message>,
    sender: Sender<Message>,
    watcher: Box<dyn Watcher>,
    wanted: Watched,
    /// What is watched, each with what it was then: another directory may be there now.
    watches: BTreeMap<PathBuf, (RecursiveMode, Identity)>,
    being_written: Arc<BeingWritten>,
}

/// Why waiting ended.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Woken {
    /// Files may have changed.
    Look,
    /// It is time to leave.
    Leave,
}

enum Message {
    Event(notify::Result<Event>),
    Leave,
}

/// Ends a wait from elsewhere.
#[derive(Clone)]
pub(super) struct Waker(Sender<Message>);

impl Waker {
    pub(super) fn leave(&self) {
        // Nobody waits any more: all the better.
        let _ = self.0.send(Message::Leave);
    }
}

impl Watch {
    /// Watches what is wanted.
    pub(super) fn start(wanted: Watched) -> notify::Result<Self> {
        let (sender, messages) = channel();
        let being_written = Arc::new(BeingWritten::default());
        let poll = |error: notify::Error| -> notify::Result<Box<dyn Watcher>> {
            tracing::warn!(
                "changes cannot be watched ({error}): looking every {} ms instead",
                POLL.as_millis()
            );
            let config = notify::Config::default().with_poll_interval(POLL);
            // It does not tell of closing, so it must not tell of writing either.
            Ok(Box::new(PollWatcher::new(tell(sender.clone(), Arc::default()), config)?))
        };
        let watcher = match notify::recommended_watcher(tell(sender.clone(), being_written.clone())) {
            Ok(watcher) => Box::new(watcher),
            Err(error) => poll(error)?,
        };
        let messages_to = sender.clone();
        let mut watch =
            Watch { messages, sender: messages_to, watcher, wanted, watches: BTreeMap::new(), being_written };
        if let Err(error) = watch.renew() {
            watch.watcher = poll(error)?;
            watch.watches.clear();
            watch.renew()?;
        }
        Ok(watch)
    }

    /// Watches what is wanted now. Says whether anything is watched that was not before.
    pub(super) fn follow(&mut self, wanted: Watched) -> bool {
        self.wanted = wanted;
        self.renew().unwrap_or_else(|error| {
            tracing::warn!("changes cannot be watched: {error}");
            false
        })
    }

    /// The same; the first error of a directory that files are read from.
    fn renew(&mut self) -> notify::Result<bool> {
        let is_beneath_tree = |path: &Path| self.wanted.trees.iter().any(|tree| path.starts_with(tree));
        let parents = self.wanted.steps.iter().filter_map(|step| step.parent());
        let plain = self.wanted.directories.iter().map(PathBuf::as_path).chain(parents);
        let plain =
            plain.filter(|path| !is_beneath_tree(path)).map(|path| (path, RecursiveMode::NonRecursive));
        let trees = self.wanted.trees.iter().map(|tree| (tree.as_path(), RecursiveMode::Recursive));
        let wanted: BTreeMap<PathBuf, (RecursiveMode, Identity)> = trees
            .chain(plain)
            .filter_map(|(path, mode)| Some((path.to_owned(), (mode, identity(path)?))))
            .collect();
        self.watches.retain(|path, watch| {
            let is_wanted = wanted.get(path) == Some(watch);
            if !is_wanted {
                // It may be gone, and its watch with it.
                let _ = self.watcher.unwatch(path);
            }
            is_wanted
        });
        let mut is_any_new = false;
        let mut result = Ok(());
        for (path, watch) in wanted {
            if self.watches.contains_key(&path) {
                continue;
            }
            match self.watcher.watch(&path, watch.0) {
                Ok(()) => {
                    self.watches.insert(path, watch);
                    is_any_new = true;
                }
                // Directories on the way need not be readable, nor be there any more.
                Err(error)
                    if self.wanted.trees.contains(&path) || self.wanted.directories.contains(&path) =>
                {
                    result = result.and(Err(error));
                }
                Err(_) => {}
            }
        }
        result.map(|()| is_any_new)
    }

    pub(super) fn waker(&self) -> Waker {
        Waker(self.sender.clone())
    }

    /// Waits until files may have changed, or until it is time to look again.
    pub(super) fn wait(&mut self, again_after: Option<Duration>) -> Woken {
        let start = Instant::now();
        let again_at = again_after.map(|after| start + after);
        let mut first: Option<Instant> = None;
        let mut last = start;
        loop {
            let now = Instant::now();
            let closing = self.being_written.until();
            let quiet = first.map(|first| (last + QUIET).min(first + MOST));
            let due = [again_at, closing, quiet].into_iter().flatten().min();
            if due.is_some_and(|due| due <= now) {
                return Woken::Look;
            }
            let received = match due {
                Some(due) => self.messages.recv_timeout(due - now),
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(Message::Leave) | Err(RecvTimeoutError::Disconnected) => return Woken::Leave,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Event(event)) => {
                    if self.is_change(event) {
                        last = Instant::now();
                        first.get_or_insert(last);
                    }
                }
            }
        }
    }

    /// Files that somebody is writing.
    pub(super) fn being_written(&self) -> Arc<BeingWritten> {
        self.being_written.clone()
    }

    /// What was not told may have been anything, a new directory too: all is watched anew.
    fn is_lost(&mut self) -> bool {
        for path in std::mem::take(&mut self.watches).into_keys() {
            let _ = self.watcher.unwatch(&path);
        }
        true
    }

    /// Whether a change of this path is one of what is read, or of the way to it.
    fn concerns(&self, path: &Path) -> bool {
        let Watched { trees, directories, steps } = &self.wanted;
        steps.contains(path) || trees.iter().chain(directories).any(|read| path.starts_with(read))
    }

    fn is_change(&mut self, event: notify::Result<Event>) -> bool {
        let Ok(event) = event else {
            return self.is_lost();
        };
        if event.need_rescan() {
            return self.is_lost();
        }
        if !event.paths.is_empty() && !event.paths.iter().any(|path| self.concerns(path)) {
            return false;
        }
        // That a file was opened and read changes nothing.
        matches!(event.kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
            || !matches!(event.kind, EventKind::Access(_))
    }
}

fn tell(sender: Sender<Message>, being_written: Arc<BeingWritten>) -> impl FnMut(notify::Result<Event>) {
    move |event| {
        if let Ok(event) = &event {
            being_written.hear(event);
        }
        let _ = sender.send(Message::Event(event));
    }
}

/// Files that were written to and not closed, with the time of the last write. Known as soon as the system tells,
/// for a file may be opened while the others are read.
#[derive(Debug, Default)]
pub(super) struct BeingWritten(Mutex<BTreeMap<PathBuf, Instant>>);

impl BeingWritten {
    /// Whether somebody is writing a file.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.files().get(path).is_some_and(|written| written.elapsed() < WRITER_PATIENCE)
    }

    /// When one of them will have been waited for long enough.
    fn until(&self) -> Option<Instant> {
        let mut files = self.files();
        let earliest = files.values().min().map(|written| *written + WRITER_PATIENCE);
        files.retain(|_, written| written.elapsed() < WRITER_PATIENCE);
        earliest
    }

    fn hear(&self, event: &Event) {
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                let now = Instant::now();
                self.files().extend(event.paths.iter().map(|path| (path.clone(), now)));
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_)) => {
                self.files().retain(|path, _| !event.paths.contains(path));
            }
            _ => {}
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Device and inode.
type Identity = (u64, u64);

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
