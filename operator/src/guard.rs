//! The guard: how much may go from a zone at once, and for how long a removal waits for its replacement.
//!
//! A `kubectl delete --all` arrives as many small removals, so they are counted against the largest content
//! of the last ten minutes. Beyond the zone's limit removals are held, and only they: additions and edits go
//! out. A person releases what is held by its id, a digest of exactly these removals; or what went before leaves
//! the ten minutes, and they are below the limit.
//!
//! An RRset that goes while nothing comes at its name waits a second: a CNAME that is replaced by an A is a
//! delete and a create. Pure: the time is an input.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use port53_zone::content::{Applied, Change, Content, ContentError, Digest};
use port53_zone::{Name, rdata};

use crate::report::Held;

/// What is looked back at.
const WINDOW: Duration = Duration::from_secs(600);
/// How long a pure removal waits for a replacement.
pub const REPLACEMENT_PATIENCE: Duration = Duration::from_secs(1);
/// Zones of fewer RRsets are not guarded.
const SMALLEST_GUARDED: usize = 10;

/// Owner in canonical text and type.
type Key = (String, u16);

/// What the guard remembers of one zone. Times are since some fixed moment.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Sizes of the content, with the time.
    sizes: VecDeque<(Duration, usize)>,
    /// Sizes before this process began, with the time until which they count.
    earlier: Vec<(Duration, usize)>,
    /// What went, with the time.
    gone: VecDeque<(Duration, Key)>,
    /// Removals that wait, since when.
    waiting: BTreeMap<Key, Duration>,
}

/// What may be published now.
#[derive(Debug)]
pub struct Screened {
    /// The changes that go out, and what they make of the content.
    pub changes: Vec<Change>,
    /// See [`Applied`].
    pub applied: Applied,
    /// What is held until a person releases it.
    pub held: Option<Held>,
    /// The id that a person released, when it let removals go.
    pub released: Option<String>,
    /// When to look again: removals wait for a replacement, or are held and measured by less from then on.
    pub again_after: Option<Duration>,
}

impl Memory {
    /// Parts `changes`, which make `before` the next content, into what goes out now and what waits or is
    /// held. `released` is the id that a person released.
    ///
    /// # Errors
    /// As [`Content::apply`].
    pub fn screen(
        &mut self,
        before: &Content,
        changes: Vec<Change>,
        max_removed_percent: u32,
        released: Option<&str>,
        now: Duration,
    ) -> Result<Screened, ContentError> {
        self.forget(now);
        // What is smaller than a later one is never the largest: most of the time one is kept.
        while self.sizes.back().is_some_and(|(_, size)| *size <= before.len()) {
            self.sizes.pop_back();
        }
        self.sizes.push_back((now, before.len()));
        let pure = pure_removals(&changes);
        let keys: BTreeSet<Key> = pure.iter().map(|change| key(change)).collect();
        self.waiting.retain(|key, _| keys.contains(key));
        let mut young = BTreeSet::new();
        let mut again_after: Option<Duration> = None;
        for key in &keys {
            let since = *self.waiting.entry(key.clone()).or_insert(now);
            let left = REPLACEMENT_PATIENCE.saturating_sub(now.saturating_sub(since));
            if !left.is_zero() {
                young.insert(key.clone());
                again_after = Some(again_after.map_or(left, |sooner| sooner.min(left)));
            }
        }
        let due: BTreeSet<Key> = keys.difference(&young).cloned().collect();
        let id = id(&due);
        let is_too_much = self.is_too_much(&due, before.len(), max_removed_percent);
        let is_held = is_too_much && released != Some(id.as_str());
        let released = (is_too_much && !is_held).then(|| id.clone());
        let stays = |change: &Change| {
            let key = key(change);
            young.contains(&key) || (is_held && due.contains(&key))
        };
        let held = is_held.then(|| Held {
            id,
            removals: pure.iter().filter(|c| due.contains(&key(c))).map(|c| text(c)).collect(),
        });
        let changes: Vec<Change> = changes.iter().filter(|change| !stays(change)).cloned().collect();
        if is_held && let Some(moves) = self.moves_after(now) {
            again_after = Some(again_after.map_or(moves, |sooner| sooner.min(moves)));
        }
        if !is_held {
            self.gone.extend(due.into_iter().map(|key| (now, key)));
        }
        Ok(Screened { applied: before.apply(&changes)?, changes, held, released, again_after })
    }

    /// Whether with these removals more than the share of the largest content of the window would be gone.
    /// `size` is that of the content now.
    fn is_too_much(&self, removals: &BTreeSet<Key>, size: usize, percent: u32) -> bool {
        if removals.is_empty() {
            return false;
        }
        let earlier = self.earlier.iter().map(|(_, size)| *size).max().unwrap_or_default();
        let largest = self.sizes.iter().map(|(_, size)| *size).max().unwrap_or_default().max(earlier);
        let gone: BTreeSet<&Key> = self.gone.iter().map(|(_, key)| key).chain(removals).collect();
        // What went before this process began is not known one by one, only that the content was larger.
        let shrunk = (earlier + removals.len()).saturating_sub(size);
        let gone = gone.len().max(if earlier > 0 { shrunk } else { 0 });
        largest >= SMALLEST_GUARDED && gone as u64 * 100 > largest as u64 * u64::from(percent)
    }

    /// When the oldest of what removals are measured by leaves the window; nothing when no time changes that.
    fn moves_after(&self, now: Duration) -> Option<Duration> {
        // The last size is that of now.
        let larger = self.sizes.front().filter(|_| self.sizes.len() > 1).map(|(time, _)| *time + WINDOW);
        let gone = self.gone.front().map(|(time, _)| *time + WINDOW);
        let earlier = self.earlier.iter().map(|(until, _)| *until).min();
        let first = [larger, gone, earlier].into_iter().flatten().min()?;
        Some(first.saturating_sub(now))
    }

    /// Takes over, at the start of a process, how large versions were that were published some time ago.
    pub fn remember(&mut self, sizes: impl IntoIterator<Item = (Duration, usize)>, now: Duration) {
        let recent = sizes.into_iter().filter(|(ago, _)| *ago <= WINDOW);
        self.earlier = recent.map(|(ago, size)| (now + (WINDOW - ago), size)).collect();
    }

    /// Whether removals wait for a replacement.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn forget(&mut self, now: Duration) {
        self.earlier.retain(|(until, _)| *until > now);
        let is_old = |time: &Duration| now.saturating_sub(*time) >= WINDOW;
        while self.sizes.front().is_some_and(|(time, _)| is_old(time)) {
            self.sizes.pop_front();
        }
        while self.gone.front().is_some_and(|(time, _)| is_old(time)) {
            self.gone.pop_front();
        }
    }
}

/// All pure removals among `changes` as they are held, with the id of just these. For who shows what is held
/// beside the operator: where the id is that of the Zone's condition, these are the removals.
pub fn all_removals(changes: &[Change]) -> Held {
    let pure = pure_removals(changes);
    let keys = pure.iter().map(|change| key(change)).collect();
    Held { id: id(&keys), removals: pure.into_iter().map(text).collect() }
}

/// Removals at names at which nothing comes.
fn pure_removals(changes: &[Change]) -> Vec<&Change> {
    let is_put = |change: &&Change| matches!(change, Change::Put { .. });
    let replaced: BTreeSet<&Name> = changes.iter().filter(is_put).map(Change::name).collect();
    let is_pure = |change: &&Change| !is_put(change) && !replaced.contains(change.name());
    changes.iter().filter(is_pure).collect()
}

fn key(change: &Change) -> Key {
    (port53_zone::name::display(change.name()).to_ascii_lowercase(), change.rtype().to_int())
}

fn text(change: &Change) -> String {
    format!("{} {}", port53_zone::name::display(change.name()), rdata::display_rtype(change.rtype()))
}

/// What a person names to release exactly these removals.
fn id(removals: &BTreeSet<Key>) -> String {
    let text: String = removals.iter().map(|(owner, rtype)| format!("{owner} {rtype}\n")).collect();
    Digest::of(text.as_bytes()).to_string().chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::{RRset, Rtype, name};

    fn host(number: usize) -> Name {
        name::parse_absolute(&format!("h{number}.example.com.")).expect("a name")
    }

    fn address(number: usize) -> RRset {
        let value = rdata::parse_value(Rtype::A, "192.0.2.1").expect("a value");
        RRset::new(host(number), Rtype::A, 60, [value])
    }

    fn content(hosts: usize) -> Content {
        let apex = name::parse_absolute("example.com.").expect("a name");
        Content::build(apex, [1; 16], (0..hosts).map(|n| (address(n), None))).expect("a content")
    }

    fn remove(hosts: impl IntoIterator<Item = usize>) -> Vec<Change> {
        hosts.into_iter().map(|n| Change::Remove { name: host(n), rtype: Rtype::A }).collect()
    }

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_removal_waits_a_second_for_a_replacement() {
        let (before, mut memory) = (content(5), Memory::default());
        let screened = memory.screen(&before, remove([0]), 30, None, second(0)).expect("screened");
        assert!(screened.changes.is_empty());
        assert_eq!(screened.again_after, Some(second(1)));
        let screened = memory.screen(&before, remove([0]), 30, None, second(1)).expect("screened");
        assert_eq!(screened.applied.content.len(), 4);
        assert_eq!(screened.again_after, None);
    }

    #[test]
    fn a_replacement_does_not_wait() {
        let (before, mut memory) = (content(5), Memory::default());
        let alias = rdata::parse_value(Rtype::CNAME, "www.example.net.").expect("a value");
        let mut changes = remove([0]);
        changes.push(Change::Put { rrset: RRset::new(host(0), Rtype::CNAME, 60, [alias]), owner: None });
        let screened = memory.screen(&before, changes, 30, None, second(0)).expect("screened");
        assert_eq!(screened.changes.len(), 2);
    }

    #[test]
    fn what_goes_beyond_the_limit_is_held_and_only_that() {
        let (before, mut memory) = (content(20), Memory::default());
        let all = || {
            let mut changes = remove(0..7);
            changes.push(Change::Put { rrset: address(30), owner: None });
            changes
        };
        memory.screen(&before, all(), 30, None, second(0)).expect("screened");
        let screened = memory.screen(&before, all(), 30, None, second(1)).expect("screened");
        let held = screened.held.expect("7 of 20 are more than 30 %");
        assert_eq!(held.removals.len(), 7);
        assert_eq!(all_removals(&all()), held);
        assert_eq!(screened.applied.content.len(), 21, "the addition goes out");
        let screened = memory.screen(&before, all(), 30, Some(&held.id), second(2)).expect("screened");
        assert_eq!((screened.held, screened.applied.content.len()), (None, 14));
    }

    #[test]
    fn many_small_removals_count_together() {
        let mut memory = Memory::default();
        let mut content = content(20);
        for number in 0..20 {
            let at = second(2 * number as u64);
            memory.screen(&content, remove([number]), 30, None, at).expect("screened");
            content = memory
                .screen(&content, remove([number]), 30, None, at + second(1))
                .expect("screened")
                .applied
                .content;
        }
        assert_eq!(content.len(), 14, "6 of 20 are 30 %");
    }

    /// A process that starts again must not let the same share go once more.
    #[test]
    fn what_went_before_a_restart_counts() {
        let (before, mut memory) = (content(15), Memory::default());
        memory.remember([(second(60), 20), (second(700), 100)], second(0));
        memory.screen(&before, remove([0, 1]), 30, None, second(0)).expect("screened");
        let screened = memory.screen(&before, remove([0, 1]), 30, None, second(1)).expect("screened");
        assert_eq!(screened.held.expect("7 of 20 would be gone").removals.len(), 2);
        let later = memory.screen(&before, remove([0, 1]), 30, None, second(541)).expect("screened");
        assert_eq!(later.applied.content.len(), 13);
    }

    /// What is held is looked at when it may go, though nothing else happens.
    #[test]
    fn what_is_held_is_looked_at_again_when_the_window_moves() {
        let mut memory = Memory::default();
        let mut content = content(20);
        for (number, at) in [(0, 0), (1, 100)] {
            memory.screen(&content, remove([number]), 30, None, second(at)).expect("screened");
            let gone = memory.screen(&content, remove([number]), 30, None, second(at + 1)).expect("screened");
            content = gone.applied.content;
        }
        let more = || remove(2..7);
        memory.screen(&content, more(), 30, None, second(200)).expect("screened");
        // 7 of 20; the one that went first went at 1, the largest content was last seen then too.
        let screened = memory.screen(&content, more(), 30, None, second(201)).expect("screened");
        assert_eq!(screened.held.map(|held| held.removals.len()), Some(5));
        assert_eq!(screened.again_after, Some(second(400)));
        // 6 of 19 are still more than 30 %.
        let screened = memory.screen(&content, more(), 30, None, second(601)).expect("screened");
        assert!(screened.held.is_some());
        assert_eq!(screened.again_after, Some(second(100)));
        // 5 of 18 are not.
        let screened = memory.screen(&content, more(), 30, None, second(701)).expect("screened");
        assert_eq!((screened.held, screened.again_after), (None, None));
        assert_eq!(screened.applied.content.len(), 13);
    }

    /// No time makes a share of the content smaller.
    #[test]
    fn what_is_too_much_by_itself_is_not_looked_at_again() {
        let (before, mut memory) = (content(20), Memory::default());
        memory.screen(&before, remove(0..7), 30, None, second(0)).expect("screened");
        let screened = memory.screen(&before, remove(0..7), 30, None, second(1)).expect("screened");
        assert!(screened.held.is_some());
        assert_eq!(screened.again_after, None);
    }

    /// What was published before this process began counts until it is ten minutes old.
    #[test]
    fn what_is_held_since_a_restart_is_looked_at_again_as_well() {
        let (before, mut memory) = (content(15), Memory::default());
        memory.remember([(second(60), 20)], second(0));
        memory.screen(&before, remove([0, 1]), 30, None, second(0)).expect("screened");
        let screened = memory.screen(&before, remove([0, 1]), 30, None, second(1)).expect("screened");
        assert_eq!(screened.again_after, Some(second(539)));
        let screened = memory.screen(&before, remove([0, 1]), 30, None, second(540)).expect("screened");
        assert_eq!((screened.held, screened.applied.content.len()), (None, 13));
    }

    #[test]
    fn small_zones_are_not_guarded() {
        let (before, mut memory) = (content(9), Memory::default());
        memory.screen(&before, remove(0..9), 30, None, second(0)).expect("screened");
        let screened = memory.screen(&before, remove(0..9), 30, None, second(1)).expect("screened");
        assert!(screened.held.is_none() && screened.applied.content.is_empty());
    }
}
