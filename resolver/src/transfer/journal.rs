//! What changed from version to version, for IXFR (RFC 1995): per zone a ring of differences, in memory only.
//!
//! A zone gives its oldest differences for its newest when it has more than its bound, and so does the zone
//! with the most when all have more than theirs together. Each difference begins where the one before ended. A
//! version that does not follow (other content under the same serial, a lower serial after a withdrawal, a change
//! too large to keep) begins anew, and who has a serial from before that gets the whole zone: it may be another
//! content than one of that serial would have now.

use port53_zone::Name;
use port53_zone::image::Image;
use port53_zone::serial;
use port53_zone::transfer::Delta;
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a client waits for the difference that leads to what is in service, before it gets the whole zone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bounds in octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Of one zone.
    pub zone: usize,
    /// Of all zones together.
    pub all: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { zone: 1 << 20, all: 64 << 20 }
    }
}

/// See the module. The lock is never held while differences are found.
pub(super) struct Journals {
    limits: Limits,
    held: Mutex<Held>,
    changed: Notify,
}

#[derive(Default)]
struct Held {
    octets: usize,
    zones: BTreeMap<Name, Journal>,
    /// [`Journal::above`] of zones that have none now.
    gone: BTreeMap<Name, u32>,
}

struct Journal {
    last: Arc<Image>,
    /// The highest serial of versions that what followed does not go on from. Whoever has one up to it may have it
    /// with another content.
    above: Option<u32>,
    octets: usize,
    deltas: VecDeque<Arc<Delta>>,
}

impl Journals {
    pub(super) fn new(limits: Limits) -> Self {
        Journals { limits, held: Mutex::default(), changed: Notify::new() }
    }

    /// Notes that `image` is in service. Called by one thread, in the order of the versions.
    pub(super) fn add(&self, image: &Arc<Image>) {
        let last = self.held().zones.get(image.apex()).map(|journal| journal.last.clone());
        let delta = last
            .filter(|last| serial::is_newer(image.soa().serial, last.soa().serial))
            .and_then(|last| Delta::between(&last, image, self.limits.zone));
        let mut held = self.held();
        let apex = image.apex();
        let gone = held.gone.remove(apex);
        let journal = held.zones.entry(apex.clone()).or_insert_with(|| Journal::new(image, gone));
        let before = journal.octets;
        let last = std::mem::replace(&mut journal.last, image.clone());
        match delta {
            Some(delta) => journal.push(delta, self.limits.zone),
            None if is_the_same(&last, image) => {}
            None => journal.breaks_off(last.soa().serial),
        }
        let after = journal.octets;
        held.octets = held.octets - before + after;
        while held.octets > self.limits.all && held.shrink() {}
        drop(held);
        self.changed.notify_waiters();
        // It may be the last to have a million names: whoever asks does not wait for these to be freed.
        drop(last);
    }

    /// The zone is withdrawn, or nobody may have it any more.
    pub(super) fn forget(&self, apex: &Name) {
        let mut held = self.held();
        let Some(mut journal) = held.zones.remove(apex) else { return };
        held.octets -= journal.octets;
        journal.breaks_off(journal.last.soa().serial);
        held.gone.extend(journal.above.map(|above| (apex.clone(), above)));
        drop(held);
        self.changed.notify_waiters();
        drop(journal);
    }

    /// Waits until what leads from `serial` to `image` is noted, if it will be: a version is in service a little
    /// before. Whoever will get the whole zone anyway does not wait.
    pub(super) async fn comes_to(&self, serial: u32, image: &Arc<Image>) {
        let comes = async {
            loop {
                let mut changed = pin!(self.changed.notified());
                changed.as_mut().enable();
                if !self.is_behind(serial, image) {
                    break;
                }
                changed.await;
            }
        };
        // What it came to says the journal itself.
        let _ = timeout(PATIENCE, comes).await;
    }

    fn is_behind(&self, serial: u32, image: &Image) -> bool {
        let held = self.held();
        let Some(journal) = held.zones.get(image.apex()) else { return false };
        let last = journal.last.soa().serial;
        let is_known = serial == last || journal.deltas.iter().any(|delta| delta.from() == serial);
        is_known && serial::is_newer(image.soa().serial, last)
    }

    /// The differences from `serial` to `image`, the oldest first. `None` when they are not here.
    pub(super) fn since(&self, serial: u32, image: &Arc<Image>) -> Option<Vec<Arc<Delta>>> {
        let held = self.held();
        let journal = held.zones.get(image.apex())?;
        let end = match Arc::ptr_eq(&journal.last, image) {
            true => journal.deltas.len(),
            // Newer versions have come since.
            false => journal.deltas.iter().position(|delta| delta.to() == image.soa().serial)? + 1,
        };
        let from = journal.deltas.iter().take(end).rposition(|delta| delta.from() == serial)?;
        // A client that has this serial may have it from before, with another content.
        let is_other = |above| !serial::is_newer(serial, above);
        if journal.above.is_some_and(is_other) {
            return None;
        }
        Some(journal.deltas.iter().take(end).skip(from).cloned().collect())
    }

    /// Octets of all journals.
    pub(super) fn octets(&self) -> usize {
        self.held().octets
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a source told the same version again.
fn is_the_same(a: &Arc<Image>, b: &Arc<Image>) -> bool {
    Arc::ptr_eq(a, b) || a.soa() == b.soa() && a.content().digest() == b.content().digest()
}

impl Held {
    /// Drops the oldest difference of the largest journal. Says whether there was one.
    fn shrink(&mut self) -> bool {
        let Some(largest) = self.zones.values_mut().max_by_key(|journal| journal.octets) else {
            return false;
        };
        let dropped = largest.drop_oldest();
        self.octets -= dropped;
        dropped > 0
    }
}

impl Journal {
    fn new(image: &Arc<Image>, above: Option<u32>) -> Self {
        Journal { last: image.clone(), above, octets: 0, deltas: VecDeque::new() }
    }

    /// The version of this serial was the last of its kind.
    fn breaks_off(&mut self, serial: u32) {
        self.clear();
        if self.above.is_none_or(|above| serial::is_newer(serial, above)) {
            self.above = Some(serial);
        }
    }

    fn push(&mut self, delta: Delta, most: usize) {
        self.octets += delta.octets();
        self.deltas.push_back(Arc::new(delta));
        while self.octets > most && self.drop_oldest() > 0 {}
    }

    fn drop_oldest(&mut self) -> usize {
        let dropped = self.deltas.pop_front().map_or(0, |delta| delta.octets());
        self.octets -= dropped;
        dropped
    }

    fn clear(&mut self) {
        self.deltas.clear();
        self.octets = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::content::{Change, Content};
    use port53_zone::rdata::parse_value;
    use port53_zone::{RRset, Rtype, Soa, name};

    fn soa(serial: u32) -> Soa {
        let (primary, contact) = (name::root(), name::root());
        Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 }
    }

    fn versions() -> [Arc<Image>; 3] {
        let apex = name::parse_absolute("example.").expect("a name");
        let set =
            |rtype, value| RRset::new(apex.clone(), rtype, 60, [parse_value(rtype, value).expect("one")]);
        let content =
            Content::build(apex.clone(), [7; 16], [(set(Rtype::NS, "ns."), None)]).expect("a content");
        let first = Image::new(content, soa(1));
        let next = |before: &Image, text| {
            let change = Change::Put { rrset: set(Rtype::TXT, text), owner: None };
            let serial = before.soa().serial + 1;
            before.with(before.content().apply(&[change]).expect("applies"), soa(serial))
        };
        let second = next(&first, "new");
        let third = next(&second, "newer");
        [first, second, third].map(Arc::new)
    }

    #[tokio::test(start_paused = true)]
    async fn between_the_swap_and_the_journal_a_client_was_sent_the_whole_zone() {
        let journals = Arc::new(Journals::new(Limits::default()));
        let [first, second, third] = versions();
        journals.add(&first);
        let waits = tokio::spawn({
            let (journals, second) = (journals.clone(), second.clone());
            async move {
                journals.comes_to(1, &second).await;
                journals.since(1, &second).map(|deltas| deltas.len())
            }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        journals.add(&second);
        // Another one before the client is asked again.
        journals.add(&third);
        assert_eq!(waits.await.expect("no panic"), Some(1));
        assert_eq!(journals.since(1, &third).map(|deltas| deltas.len()), Some(2));
        assert!(journals.since(2, &second).is_none(), "nothing leads from a version to itself");
    }

    /// Nobody waits for what will not come, and nobody for ever.
    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_journal_ends() {
        let journals = Journals::new(Limits::default());
        let [first, second, third] = versions();
        let begun = tokio::time::Instant::now();
        journals.comes_to(1, &first).await;
        journals.add(&second);
        journals.comes_to(1, &first).await;
        journals.comes_to(2, &second).await;
        // Nothing leads from there.
        journals.comes_to(1, &third).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        journals.forget(second.apex());
        journals.add(&first);
        journals.comes_to(1, &second).await;
        assert_eq!(begun.elapsed(), PATIENCE);
    }
}
