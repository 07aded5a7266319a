//! Waiting for changes of files.
//!
//! A change is looked at once nothing more came for a moment. Files that somebody has opened and written to
//! are named as such until they are closed, so that none is read half written; who does not close what he
//! wrote is waited for a little and no longer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher, WatcherKind};

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
    /// Keeps watching while it lives.
    _watcher: Box<dyn Watcher>,
    tells_of_closing: bool,
    /// Files that were written to and not closed, with the time of the last write.
    being_written: BTreeMap<PathBuf, Instant>,
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
    /// Watches directories; `true` for all that is beneath them too.
    pub(super) fn start<'p>(paths: impl Iterator<Item = (&'p Path, bool)> + Clone) -> notify::Result<Self> {
        let (sender, messages) = channel();
        let (watcher, tells_of_closing) = match native(sender.clone(), paths.clone()) {
            Ok(watcher) => (watcher, RecommendedWatcher::kind() == WatcherKind::Inotify),
            Err(error) => {
                tracing::warn!(
                    "changes cannot be watched ({error}): looking every {} ms instead",
                    POLL.as_millis()
                );
                (polling(sender.clone(), paths)?, false)
            }
        };
        Ok(Watch { messages, sender, _watcher: watcher, tells_of_closing, being_written: BTreeMap::new() })
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
            let closing = self.being_written.values().min().map(|written| *written + WRITER_PATIENCE);
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
    pub(super) fn being_written(&mut self) -> BTreeSet<PathBuf> {
        let now = Instant::now();
        self.being_written.retain(|_, written| now.duration_since(*written) < WRITER_PATIENCE);
        self.being_written.keys().cloned().collect()
    }

    fn is_change(&mut self, event: notify::Result<Event>) -> bool {
        // What got lost may have been anything.
        let Ok(event) = event else { return true };
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                self.being_written.retain(|path, _| !event.paths.contains(path));
                true
            }
            EventKind::Access(_) => event.need_rescan(),
            EventKind::Modify(ModifyKind::Data(_)) => {
                if self.tells_of_closing {
                    let now = Instant::now();
                    self.being_written.extend(event.paths.into_iter().map(|path| (path, now)));
                }
                true
            }
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                self.being_written.retain(|path, _| !event.paths.contains(path));
                true
            }
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => true,
        }
    }
}

fn native<'p>(
    sender: Sender<Message>,
    paths: impl Iterator<Item = (&'p Path, bool)>,
) -> notify::Result<Box<dyn Watcher>> {
    let mut watcher = notify::recommended_watcher(tell(sender))?;
    watch_all(&mut watcher, paths)?;
    Ok(Box::new(watcher))
}

fn polling<'p>(
    sender: Sender<Message>,
    paths: impl Iterator<Item = (&'p Path, bool)>,
) -> notify::Result<Box<dyn Watcher>> {
    let config = notify::Config::default().with_poll_interval(POLL);
    let mut watcher = PollWatcher::new(tell(sender), config)?;
    watch_all(&mut watcher, paths)?;
    Ok(Box::new(watcher))
}

fn tell(sender: Sender<Message>) -> impl FnMut(notify::Result<Event>) {
    move |event| {
        let _ = sender.send(Message::Event(event));
    }
}

fn watch_all<'p>(
    watcher: &mut dyn Watcher,
    paths: impl Iterator<Item = (&'p Path, bool)>,
) -> notify::Result<()> {
    for (path, is_recursive) in paths {
        let mode = if is_recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        watcher.watch(path, mode)?;
    }
    Ok(())
}
