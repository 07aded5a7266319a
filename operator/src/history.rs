//! Which revisions of a zone are kept: history that thins with age. Pure.
//!
//! Kept are the ten newest, of the last day one for each five minutes, of the last thirty days one for each day,
//! and all of it only as far as the octets allow, the newest first.

use std::collections::BTreeSet;

/// Revisions that are kept whatever their age.
const NEWEST: usize = 10;
const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
/// One revision is kept for each of these, as long as it is not older than the second.
const SPANS: [(i64, i64); 2] = [(5 * MINUTE, DAY), (DAY, 30 * DAY)];

/// One revision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Age {
    /// Its serial.
    pub serial: u32,
    /// When it was created, in seconds since 1970.
    pub created: i64,
    /// What it took to store it, in octets.
    pub octets: u64,
}

/// The serials of the revisions that are kept, of `newest_first`. `now` is in seconds since 1970; `most` is how
/// many octets they may take. The newest is always kept.
pub fn kept(newest_first: &[Age], now: i64, most: u64) -> BTreeSet<u32> {
    let mut kept = BTreeSet::new();
    let mut octets = 0u64;
    let mut spans: [Option<i64>; 2] = [None; 2];
    for (place, age) in newest_first.iter().enumerate() {
        let is_of_a_span = SPANS.iter().zip(&mut spans).fold(false, |is_kept, (&(length, oldest), last)| {
            // The newest of each span stands for it.
            let span = age.created.div_euclid(length);
            let is_first = now - age.created <= oldest && last.replace(span) != Some(span);
            is_kept || is_first
        });
        if place >= NEWEST && !is_of_a_span {
            continue;
        }
        octets = octets.saturating_add(age.octets);
        if octets > most && place > 0 {
            break;
        }
        kept.insert(age.serial);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_536_000;

    /// A revision every `every` seconds, `count` of them, the newest first.
    fn ages(count: u32, every: i64) -> Vec<Age> {
        (0..count)
            .map(|n| Age { serial: count - n, created: NOW - i64::from(n) * every, octets: 1_000 })
            .collect()
    }

    #[test]
    fn history_thins_with_age() {
        assert_eq!(kept(&ages(10, 1), NOW, u64::MAX).len(), 10);
        // Ten newest of the last ten seconds, then one for each five minutes of the hour.
        let hour = kept(&ages(3_600, 1), NOW, u64::MAX);
        assert_eq!(hour.len(), 10 + 12 - 1, "{hour:?}");
        // A day of five minutes, and thirty days after it.
        let month = kept(&ages(60 * 24 * 12, 300), NOW, u64::MAX);
        assert!((288 + 28..=289 + 40).contains(&month.len()), "{}", month.len());
        let age = |serial: u32| 60 * 24 * 12 - i64::from(serial);
        assert!(month.iter().all(|&serial| age(serial) * 300 <= 30 * DAY));
    }

    #[test]
    fn the_octets_have_a_cap_and_the_newest_stays() {
        let few = kept(&ages(10, 1), NOW, 3_500);
        assert_eq!(few.into_iter().collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!(kept(&ages(10, 1), NOW, 0).into_iter().collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn an_old_zone_that_never_changes_keeps_its_newest() {
        let old = [Age { serial: 3, created: NOW - 400 * DAY, octets: 9 }];
        assert_eq!(kept(&old, NOW, u64::MAX).into_iter().collect::<Vec<_>>(), [3]);
    }
}
