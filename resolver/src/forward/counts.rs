//! What became of the questions of one zone that were to be forwarded.

use port53_zone::answer::compare::Difference;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the histogram of what legacy takes, in milliseconds. Above the last is one more bucket.
pub const LEGACY_BOUNDS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

/// What was asked for, as far as it is counted apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Of {
    /// The SOA of the zone itself: the operator asks for it every second, to see who answers.
    ApexSoa,
    /// Anything else.
    Other,
}

/// By whose words a question was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// What legacy said just now.
    Legacy,
    /// What it had said before.
    LastKnown,
    /// This resolver's own.
    Port53,
}

impl By {
    /// All of them with their labels.
    pub const ALL: [(By, &'static str); 3] =
        [(By::Legacy, "legacy"), (By::LastKnown, "last-known"), (By::Port53, "port53")];
}

/// Why it was not answered by what legacy said just now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Instead {
    /// It did not answer in time.
    Timeout,
    /// It cannot be reached, or what it says cannot be used.
    Failed,
    /// It has failed too often and was not waited for.
    GivenUp,
    /// It said SERVFAIL, REFUSED or NOTAUTH.
    Refused,
    /// Too many questions were on their way.
    Full,
}

impl Instead {
    /// All of them with their labels.
    pub const ALL: [(Instead, &'static str); 5] = [
        (Instead::Timeout, "timeout"),
        (Instead::Failed, "failed"),
        (Instead::GivenUp, "given-up"),
        (Instead::Refused, "refused"),
        (Instead::Full, "full"),
    ];
}

/// Why two answers were not compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotCompared {
    /// Too many comparisons were waiting.
    Full,
    /// One of the answers has TC.
    Truncated,
    /// The zone is not complete here.
    NotComplete,
    /// The nameservers of the zone itself, which are each system's own while it moves.
    ApexNs,
    /// The SOA of the zone itself, of which nothing counts but that it is there: the operator asks for it every second.
    ApexSoa,
    /// ANY, to which servers answer as they like (RFC 8482).
    Any,
    /// One of them cannot be read.
    Unreadable,
    /// It is about a name of which each side has records of its own.
    LeftOut,
}

impl NotCompared {
    /// All of them with their labels.
    pub const ALL: [(NotCompared, &'static str); 8] = [
        (NotCompared::Full, "full"),
        (NotCompared::Truncated, "truncated"),
        (NotCompared::NotComplete, "not-complete"),
        (NotCompared::ApexNs, "apex-ns"),
        (NotCompared::ApexSoa, "apex-soa"),
        (NotCompared::Any, "any"),
        (NotCompared::Unreadable, "unreadable"),
        (NotCompared::LeftOut, "left-out"),
    ];
}

/// The counters of a zone, since the process began to forward it.
#[derive(Debug, Default)]
pub struct Counts {
    answered: [AtomicU64; By::ALL.len()],
    /// Of these, those for the SOA of the zone itself.
    answered_soa: [AtomicU64; By::ALL.len()],
    /// Of these, those that were not answered by what legacy said just now.
    instead_soa: AtomicU64,
    instead: [AtomicU64; Instead::ALL.len()],
    took: [AtomicU64; LEGACY_BOUNDS.len() + 1],
    took_sum: AtomicU64,
    same: AtomicU64,
    differing: AtomicU64,
    differences: [AtomicU64; Difference::ALL.len()],
    not_compared: [AtomicU64; NotCompared::ALL.len()],
}

impl Counts {
    pub(super) fn by_legacy(&self, of: Of, took: Duration) {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let bucket = LEGACY_BOUNDS.partition_point(|&bound| (bound as f64) < milliseconds);
        self.took[bucket].fetch_add(1, Relaxed);
        self.took_sum.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        self.count(of, By::Legacy);
    }

    pub(super) fn instead(&self, of: Of, by: By, why: Instead) {
        self.count(of, by);
        self.instead[why as usize].fetch_add(1, Relaxed);
        if of == Of::ApexSoa {
            self.instead_soa.fetch_add(1, Relaxed);
        }
    }

    fn count(&self, of: Of, by: By) {
        self.answered[by as usize].fetch_add(1, Relaxed);
        if of == Of::ApexSoa {
            self.answered_soa[by as usize].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn same(&self) {
        self.same.fetch_add(1, Relaxed);
    }

    pub(super) fn differs(&self, in_what: &[Difference]) {
        self.differing.fetch_add(1, Relaxed);
        for difference in in_what {
            self.differences[*difference as usize].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn not_compared(&self, why: NotCompared) {
        self.not_compared[why as usize].fetch_add(1, Relaxed);
    }

    /// Questions answered, by whose words.
    pub fn answered(&self) -> impl Iterator<Item = (&'static str, u64)> {
        By::ALL.iter().map(|(by, label)| (*label, self.answered[*by as usize].load(Relaxed)))
    }

    /// Of the questions answered, those for the SOA of the zone itself, by whose words.
    pub fn answered_soa(&self) -> impl Iterator<Item = (&'static str, u64)> {
        By::ALL.iter().map(|(by, label)| (*label, self.answered_soa[*by as usize].load(Relaxed)))
    }

    /// Of the questions answered otherwise than by legacy, those for the SOA of the zone itself.
    pub fn instead_soa(&self) -> u64 {
        self.instead_soa.load(Relaxed)
    }

    /// Questions answered otherwise than by legacy, by why.
    pub fn answered_instead(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Instead::ALL.iter().map(|(why, label)| (*label, self.instead[*why as usize].load(Relaxed)))
    }

    /// What legacy took: answers by [`LEGACY_BOUNDS`] and above, not cumulative, and nanoseconds in all.
    pub fn took(&self) -> ([u64; LEGACY_BOUNDS.len() + 1], u64) {
        (self.took.each_ref().map(|count| count.load(Relaxed)), self.took_sum.load(Relaxed))
    }

    /// Pairs of answers that are the same, and that differ.
    pub fn compared(&self) -> [u64; 2] {
        [&self.same, &self.differing].map(|count| count.load(Relaxed))
    }

    /// Differing pairs by what they differ in; one can be in several.
    pub fn differences(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Difference::ALL
            .iter()
            .map(|(difference, label)| (*label, self.differences[*difference as usize].load(Relaxed)))
    }

    /// Answers that were not compared, by why.
    pub fn were_not_compared(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NotCompared::ALL.iter().map(|(why, label)| (*label, self.not_compared[*why as usize].load(Relaxed)))
    }
}
