//! What legacy last said to each question, for zones that want it when legacy is gone.
//!
//! Two generations: what is put goes into the young one, and what is found in the old one is put again. When the young
//! one has half of the octets that all may have, it becomes the old one, and what was in that is forgotten. So what is
//! asked often stays, and nothing is sorted.

use port53_zone::answer::forward::Answer;
use std::collections::HashMap;

/// The oldest that is told, in milliseconds: a day.
const GREATEST_AGE: u64 = 86_400_000;
/// The least TTL of what is told late, in seconds, where it was not less before (RFC 8767 §5 says 30).
const LEAST_TTL: u32 = 30;
/// Octets that an entry takes beside its question and answer.
const ENTRY: usize = 128;

#[derive(Debug)]
pub(super) struct Known {
    most: usize,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    answers: HashMap<Vec<u8>, Kept>,
    octets: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    answer: Answer,
    /// When it was said.
    at: u64,
}

impl Known {
    /// Of at most so many octets.
    pub(super) fn new(most: usize) -> Self {
        Known { most, young: Generation::default(), old: Generation::default() }
    }

    /// Keeps what was said at `now`, in milliseconds of any clock, to the question with this key.
    pub(super) fn put(&mut self, key: Vec<u8>, answer: Answer, now: u64) {
        if answer.can_be_kept() {
            self.keep(key, Kept { answer, at: now });
        }
    }

    /// What was last said, with the TTLs that are left of it.
    pub(super) fn get(&mut self, key: &[u8], now: u64) -> Option<Answer> {
        let found = match self.young.answers.get(key) {
            Some(kept) => kept.clone(),
            None => {
                let kept = self.old.take(key)?;
                self.keep(key.to_vec(), kept.clone());
                kept
            }
        };
        let age = now.saturating_sub(found.at);
        (age <= GREATEST_AGE).then(|| found.answer.aged((age / 1000) as u32, LEAST_TTL))
    }

    /// Octets of all that is kept.
    pub(super) fn octets(&self) -> usize {
        self.young.octets + self.old.octets
    }

    fn keep(&mut self, key: Vec<u8>, kept: Kept) {
        let octets = octets(&key, &kept);
        if octets > self.most / 2 {
            return;
        }
        self.old.take(&key);
        self.young.take(&key);
        if self.young.octets + octets > self.most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.octets += octets;
        self.young.answers.insert(key, kept);
    }
}

impl Generation {
    fn take(&mut self, key: &[u8]) -> Option<Kept> {
        let kept = self.answers.remove(key)?;
        self.octets -= octets(key, &kept);
        Some(kept)
    }
}

fn octets(key: &[u8], kept: &Kept) -> usize {
    ENTRY + key.len() + kept.answer.as_slice().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::answer::forward::{Heard, Question};
    use port53_zone::answer::{Asked, Settings, Transport};
    use proptest::prelude::*;

    /// The key of a question for a name of its own, and an answer to it with this rcode and flags.
    fn said(name: u8, flags: u8, rcode: u8) -> (Vec<u8>, Answer) {
        let question = [&[1, name][..], b"\x04test\0\0\x01\0\x01"].concat();
        let query = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &question].concat();
        let asked = Asked::new(Transport::Udp, [127, 0, 0, 1].into(), 0);
        let asked = Question::read(&Settings::default(), &asked, &query).expect("a question");
        let head = [0, 7, 0x84 | flags, rcode, 0, 1, 0, 1, 0, 0, 0, 0];
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];
        match asked.hear(7, false, &[&head[..], &question, &record].concat()) {
            Heard::Answer(answer) | Heard::Refused(answer) => (asked.key(), answer),
            other => panic!("{other:?}"),
        }
    }

    fn ttl(answer: &Answer) -> u32 {
        let octets = answer.as_slice();
        let at = octets.len() - 10;
        u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
    }

    #[test]
    fn ttls_are_counted_down_to_a_floor_for_a_day() {
        let (key, answer) = said(1, 0, 0);
        let mut known = Known::new(1 << 20);
        assert_eq!(known.get(&key, 0), None);
        known.put(key.clone(), answer, 5_000);
        assert_eq!(known.get(&key, 5_000).as_ref().map(ttl), Some(300));
        assert_eq!(known.get(&key, 105_000).as_ref().map(ttl), Some(200));
        assert_eq!(known.get(&key, 5_000 + GREATEST_AGE).as_ref().map(ttl), Some(LEAST_TTL));
        assert_eq!(known.get(&key, 5_001 + GREATEST_AGE), None);
    }

    /// What is no answer, or not all of one, is not said again.
    #[test]
    fn only_whole_answers_are_kept() {
        for (flags, rcode) in [(2, 0), (0, 2), (0, 5), (0, 1)] {
            let (key, answer) = said(1, flags, rcode);
            let mut known = Known::new(1 << 20);
            known.put(key.clone(), answer, 0);
            assert_eq!(known.get(&key, 0), None, "{flags} {rcode}");
        }
        let (key, answer) = said(1, 0, 3);
        let mut known = Known::new(1 << 20);
        known.put(key.clone(), answer.clone(), 0);
        assert_eq!(known.get(&key, 0), Some(answer), "NXDOMAIN");
    }

    #[test]
    fn what_is_asked_often_stays() {
        let mut known = Known::new(10 * 256);
        let (often, answer) = said(255, 0, 0);
        known.put(often.clone(), answer, 0);
        for name in 0..200 {
            let (key, answer) = said(name, 0, 0);
            known.put(key, answer, 0);
            assert!(known.get(&often, 0).is_some(), "{name}");
        }
        assert_eq!(known.get(&said(1, 0, 0).0, 0), None);
    }

    proptest! {
        #[test]
        fn it_never_has_more_octets_than_it_may(
            puts in prop::collection::vec((any::<u8>(), any::<bool>()), 0..300),
            most in 0usize..4_000,
        ) {
            let mut known = Known::new(most);
            for (name, is_put) in puts {
                let (key, answer) = said(name, 0, 0);
                match is_put {
                    true => known.put(key, answer, 0),
                    false => drop(known.get(&key, 0)),
                }
                prop_assert!(known.octets() <= most);
                let count = |generation: &Generation| -> usize {
                    generation.answers.iter().map(|(key, kept)| octets(key, kept)).sum()
                };
                prop_assert_eq!(known.octets(), count(&known.young) + count(&known.old));
            }
        }
    }
}
