//! Waiting for changes of files.
//!
//! A change is looked at once nothing more came for a moment. Where the system tells nothing, files are looked at
//! again and again.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::writers::Writers;
use crate::directory::Watched;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, PollWatcher, RecursiveMode, Watcher};

/// Nothing came for this long: look.
const QUIET: Duration = Duration::from_millis(8);
/// Look after this long, whatever comes.
const MOST: Duration = Duration::from_millis(40);
/// How often it is seen to that the way to the files leads where it did.
const WAY_INTERVAL: Duration = Duration::from_millis(500);
/// How often files are looked at where the system tells nothing.
const POLL: Duration = Duration::from_millis(50);

pub(super) struct Watch {
    messages: Receiver<Message>,
    sender: Sender<Message>,
    watcher: Box<dyn Watcher>,
    wanted: Watched,
    /// What is watched, each with what it was then: another directory may be there now.
    watches: BTreeMap<PathBuf, (RecursiveMode, Identity)>,
    /// Nothing where the system does not tell of writing.
    writers: Option<Arc<Writers>>,
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
        let writers = Writers::new().ok().map(Arc::new);
        let native =
            notify::recommended_watcher(tell(sender.clone(), writers.clone())).and_then(|mut watcher| {
                if let Some(writers) = &writers {
                    watcher.watch(writers.marks(), RecursiveMode::NonRecursive)?;
                }
                Ok(watcher)
            });
        let poll = |error: notify::Error| -> notify::Result<Box<dyn Watcher>> {
            tracing::warn!(
                "changes cannot be watched ({error}): looking every {} ms instead",
                POLL.as_millis()
            );
            let config = notify::Config::default().with_poll_interval(POLL);
            Ok(Box::new(PollWatcher::new(tell(sender.clone(), None), config)?))
        };
        let (watcher, writers): (Box<dyn Watcher>, _) = match native {
            Ok(watcher) => (Box::new(watcher), writers),
            Err(error) => (poll(error)?, None),
        };
        let sender = sender.clone();
        let mut watch = Watch { messages, sender, watcher, wanted, watches: BTreeMap::new(), writers };
        if let Err(error) = watch.renew() {
            (watch.watcher, watch.writers) = (poll(error)?, None);
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
        let marks = self.writers.as_ref().map(|writers| writers.marks());
        let plain = self.wanted.directories.iter().map(PathBuf::as_path).chain(marks);
        let plain = plain.map(|path| (path, RecursiveMode::NonRecursive));
        let trees = self.wanted.trees.iter().map(|tree| (tree.as_path(), RecursiveMode::Recursive));
        let wanted: BTreeMap<PathBuf, (RecursiveMode, Identity)> = plain
            .chain(trees)
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
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| is_any_new)
    }

    pub(super) fn waker(&self) -> Waker {
        Waker(self.sender.clone())
    }

    /// Waits until files may have changed, or until it is time to look again. `is_elsewhere` says whether the way
    /// to them leads elsewhere, which nothing tells.
    pub(super) fn wait(&mut self, again_after: Option<Duration>, is_elsewhere: impl Fn() -> bool) -> Woken {
        let start = Instant::now();
        let again_at = again_after.map(|after| start + after);
        let mut first: Option<Instant> = None;
        let mut last = start;
        let mut way_at = start + WAY_INTERVAL;
        loop {
            let now = Instant::now();
            let closing = self.writers.as_ref().and_then(|writers| writers.until());
            let quiet = first.map(|first| (last + QUIET).min(first + MOST));
            let due = [again_at, closing, quiet].into_iter().flatten().min();
            if due.is_some_and(|due| due <= now) {
                return Woken::Look;
            }
            if way_at <= now {
                if is_elsewhere() || self.is_another() {
                    return Woken::Look;
                }
                way_at = now + WAY_INTERVAL;
            }
            let received = self.messages.recv_timeout(due.map_or(way_at, |due| due.min(way_at)) - now);
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

    /// Who is writing files, where the system tells.
    pub(super) fn writers(&self) -> Option<Arc<Writers>> {
        self.writers.clone()
    }

    /// What was not told may have been anything, a new directory too: all is watched anew.
    fn is_lost(&mut self) -> bool {
        for path in std::mem::take(&mut self.watches).into_keys() {
            let _ = self.watcher.unwatch(&path);
        }
        true
    }

    /// Whether another directory is where one was watched, or should have been.
    fn is_another(&self) -> bool {
        self.wanted.trees.iter().chain(&self.wanted.directories).any(|path| {
            let watched = self.watches.get(path).map(|(_, identity)| *identity);
            identity(path).is_some_and(|now| watched != Some(now))
        })
    }

    /// Whether a change of this path is one of what is read.
    fn concerns(&self, path: &Path) -> bool {
        let Watched { trees, directories } = &self.wanted;
        trees.iter().chain(directories).any(|read| path.starts_with(read))
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

fn tell(sender: Sender<Message>, writers: Option<Arc<Writers>>) -> impl FnMut(notify::Result<Event>) {
    move |event| {
        if let (Ok(event), Some(writers)) = (&event, &writers) {
            writers.hear(event);
        }
        let _ = sender.send(Message::Event(event));
    }
}

/// Device and inode.
type Identity = (u64, u64);

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
