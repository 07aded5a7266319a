//! A few of the questions to which legacy and Port53 gave different answers, with both.
//!
//! At most [`MOST`] a zone. When one more comes, the oldest of the kind of difference that has the most goes: so what
//! happens seldom is still there after what happens all the time.

use port53_zone::answer::compare::Difference;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Samples that a zone has.
const MOST: usize = 32;
/// Octets of an answer as text, about.
pub(super) const TEXT: usize = 2_048;

/// One of them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// When, in seconds since 1970.
    pub at: u64,
    /// What was asked, as `www.example.com. A`, with `+dnssec` when DO was set.
    pub question: String,
    /// What the answers differ in.
    pub differences: Vec<&'static str>,
    /// What legacy said.
    pub legacy: String,
    /// What Port53 would have said.
    pub port53: String,
}

/// Those of a zone, by the first thing that they differ in, oldest first.
#[derive(Debug, Default)]
pub(super) struct Samples {
    kinds: BTreeMap<Difference, VecDeque<Sample>>,
}

impl Samples {
    pub(super) fn add(&mut self, kind: Difference, sample: Sample) {
        self.kinds.entry(kind).or_default().push_back(sample);
        if self.kinds.values().map(VecDeque::len).sum::<usize>() > MOST
            && let Some(most) = self.kinds.values_mut().max_by_key(|samples| samples.len())
        {
            most.pop_front();
        }
    }

    /// The newest of each kind, then the second newest of each, and so on.
    pub(super) fn newest_first(&self) -> Vec<Sample> {
        let longest = self.kinds.values().map(VecDeque::len).max().unwrap_or_default();
        let of_age =
            |age: usize| self.kinds.values().filter_map(move |samples| samples.iter().rev().nth(age));
        (0..longest).flat_map(of_age).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: u64) -> Sample {
        let text = String::new;
        Sample { at, question: text(), differences: Vec::new(), legacy: text(), port53: text() }
    }

    #[test]
    fn the_newest_of_each_kind_come_first_and_what_is_seldom_stays() {
        let mut samples = Samples::default();
        samples.add(Difference::Rcode, sample(1));
        for at in 2..100 {
            samples.add(Difference::Ttl, sample(at));
        }
        samples.add(Difference::Negative, sample(100));
        let times: Vec<u64> = samples.newest_first().iter().map(|sample| sample.at).collect();
        assert_eq!(times[..4], [1, 99, 100, 98]);
        assert_eq!(times.len(), MOST);
    }
}
