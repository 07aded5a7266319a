//! Whether answers of legacy and ours agree well enough for another nameserver to be cut over. Pure.
//!
//! ```text
//! looks at both sides   ─┬── same, 7/12 ──┬── same, 7/12 ──┬── other, 8/12 ──┬── same, 8/13 ──
//! looks at the pods      └ base   + … + … └ counted        └ not counted     └ base
//! ```
//!
//! While both sides differ their answers do, and that says nothing of how either answers. So what pods counted between two
//! looks at them counts only once both sides were seen to be the same, at the same two serials, before the first began and
//! after the second ended. And it counts for a quarter of an hour, so that what was wrong and was put right keeps nothing waiting for
//! ever.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use port53_crds::{AnswerDifference, Shadow};

use super::one_line;

/// How long what was compared counts.
const COUNTS_FOR: Duration = Duration::from_secs(15 * 60);
/// Looks that wait for both sides to be looked at, and stretches of time that count. More are put together.
const MOST: usize = 128;

/// Questions that were compared, and of them those whose answers differ.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Compared {
    /// All.
    pub all: u64,
    /// Those that differ.
    pub differing: u64,
}

impl Compared {
    fn since(self, before: Compared) -> Compared {
        Compared {
            all: self.all.saturating_sub(before.all),
            differing: self.differing.saturating_sub(before.differing),
        }
    }

    fn plus(self, other: Compared) -> Compared {
        Compared {
            all: self.all.saturating_add(other.all),
            differing: self.differing.saturating_add(other.differing),
        }
    }

    /// Whether more differ than this percentage.
    pub fn is_beyond(self, percent: u32) -> bool {
        self.differing > 0 && u128::from(self.differing) * 100 > u128::from(self.all) * u128::from(percent)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Gate {
    /// The serials, ours and that of legacy, at which both sides are the same.
    same: Option<[u32; 2]>,
    /// When they were first seen to be.
    since: Option<Instant>,
    /// What had been counted in all where the next stretch begins.
    base: Option<Compared>,
    /// Looks at the pods since, by when they ended, with what had been counted in all by then.
    waiting: VecDeque<(Instant, Compared)>,
    counted: VecDeque<(Instant, Compared)>,
}

impl Gate {
    /// The pods were looked at, from `began` to `ended`, and have counted so much in all.
    pub fn heard(&mut self, began: Instant, ended: Instant, total: Compared) {
        // One that had begun before may have counted what was compared before.
        let is_since = self.since.is_some_and(|since| began >= since);
        if !is_since || self.waiting.back().is_some_and(|(before, _)| *before >= ended) {
            return;
        }
        if self.waiting.len() >= MOST {
            // The one before it then stands for both.
            self.waiting.pop_back();
        }
        self.waiting.push_back((ended, total));
    }

    /// Both sides were looked at, from this moment on: they are the same, at these serials, and every pod has that; or not.
    pub fn looked(&mut self, at: Instant, same: Option<[u32; 2]>) {
        if same.is_none() || same != self.same {
            (self.same, self.base) = (same, None);
            self.since = same.map(|_| at);
            self.waiting.clear();
            return;
        }
        while let Some((heard, total)) = self.waiting.front().copied().filter(|(heard, _)| *heard <= at) {
            self.waiting.pop_front();
            if let Some(base) = self.base.replace(total) {
                self.count(heard, total.since(base));
            }
        }
    }

    fn count(&mut self, at: Instant, more: Compared) {
        if more.all == 0 {
            return;
        }
        self.forget(at);
        match self.counted.back_mut() {
            Some((last, sum)) if at.duration_since(*last) < COUNTS_FOR / MOST as u32 => *sum = sum.plus(more),
            _ => self.counted.push_back((at, more)),
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.counted.front().is_some_and(|(at, _)| now.duration_since(*at) > COUNTS_FOR) {
            self.counted.pop_front();
        }
    }

    /// What counts now.
    pub fn compared(&mut self, now: Instant) -> Compared {
        self.forget(now);
        self.counted.iter().fold(Compared::default(), |sum, (_, more)| sum.plus(*more))
    }
}

/// Why no other nameserver is to be cut over. `samples` are the newest first.
pub fn waits(shadow: &Shadow, compared: Compared, samples: &[AnswerDifference]) -> Option<String> {
    let Compared { all, differing } = compared;
    let least = shadow.min_compared;
    let when = "in the last 15 minutes, while both sides were the same";
    if compared.is_beyond(shadow.max_differences_percent) {
        let first = samples.first().map(|first| format!(", as {}", one_line(first))).unwrap_or_default();
        return Some(format!(
            "{differing} of {all} answers that were compared {when} differ, which is more than {} percent \
             (spec.shadow.maxDifferencesPercent){first}",
            shadow.max_differences_percent
        ));
    }
    if all < u64::from(least) {
        let why_not = match shadow.compare {
            true => "",
            false => {
                "; spec.shadow.compare is false, so none will be: set it, or spec.shadow.minCompared to 0"
            }
        };
        return Some(format!(
            "{all} answers were compared {when}, and spec.shadow.minCompared asks for {least}{why_not}"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(all: u64, differing: u64) -> Compared {
        Compared { all, differing }
    }

    struct Story {
        gate: Gate,
        begin: Instant,
        second: u64,
        total: Compared,
    }

    impl Story {
        fn new() -> Self {
            Story { gate: Gate::default(), begin: Instant::now(), second: 0, total: Compared::default() }
        }

        fn now(&mut self) -> Instant {
            self.second += 1;
            self.begin + Duration::from_secs(self.second)
        }

        fn hear(&mut self, all: u64, differing: u64) {
            self.total = self.total.plus(compared(all, differing));
            let now = self.now();
            self.gate.heard(now, now, self.total);
        }

        fn look(&mut self, same: Option<[u32; 2]>) {
            let now = self.now();
            self.gate.looked(now, same);
        }

        fn counts(&mut self) -> Compared {
            let now = self.now();
            self.gate.compared(now)
        }
    }

    const SAME: Option<[u32; 2]> = Some([7, 12]);

    #[test]
    fn what_was_compared_between_two_looks_at_equal_sides_counts() {
        let mut story = Story::new();
        story.hear(100, 50);
        story.look(SAME);
        // From here on.
        story.hear(10, 5);
        story.look(SAME);
        assert_eq!(story.counts(), compared(0, 0));
        story.hear(10, 1);
        assert_eq!(story.counts(), compared(0, 0), "not yet known to have been at equal sides");
        story.look(SAME);
        assert_eq!(story.counts(), compared(10, 1));
    }

    /// Legacy changed after it was looked at, and before the pods told what they had counted: a look at them that had begun
    /// before was taken for one that had ended.
    #[test]
    fn a_look_at_the_pods_that_ends_after_one_at_the_sides_waits_for_the_next() {
        let mut story = Story::new();
        story.look(SAME);
        story.hear(0, 0);
        story.look(SAME);
        let began = story.now();
        story.look(SAME);
        let ended = story.now();
        story.gate.heard(began, ended, compared(2, 2));
        story.look(None);
        assert_eq!(story.counts(), compared(0, 0));
        // And one that had begun before they were the same begins nothing.
        let began = story.now();
        story.look(SAME);
        let ended = story.now();
        story.gate.heard(began, ended, compared(2, 2));
        story.total = compared(9, 9);
        story.hear(0, 0);
        story.look(SAME);
        story.hear(1, 0);
        story.look(SAME);
        assert_eq!(story.counts(), compared(1, 0));
    }

    #[test]
    fn what_differs_while_the_sides_do_counts_for_nothing() {
        let mut story = Story::new();
        story.look(SAME);
        story.hear(0, 0);
        story.look(SAME);
        // Legacy changed, and that was found later.
        story.hear(10, 10);
        story.look(None);
        story.hear(10, 10);
        story.look(Some([8, 13]));
        story.hear(10, 2);
        story.hear(10, 0);
        story.look(Some([8, 13]));
        assert_eq!(story.counts(), compared(10, 0));
        // There and back again between two looks: the serial tells.
        story.hear(10, 10);
        story.look(Some([9, 13]));
        story.hear(10, 0);
        story.look(Some([9, 13]));
        assert_eq!(story.counts(), compared(10, 0));
    }

    #[test]
    fn what_was_put_right_does_not_count_for_ever() {
        let mut story = Story::new();
        story.look(SAME);
        story.hear(0, 0);
        story.look(SAME);
        story.hear(5, 5);
        story.look(SAME);
        assert_eq!(story.counts(), compared(5, 5));
        story.second += COUNTS_FOR.as_secs() + 1;
        assert_eq!(story.counts(), compared(0, 0));
    }

    #[test]
    fn very_many_looks_take_no_more_room() {
        let mut story = Story::new();
        story.look(SAME);
        story.hear(0, 0);
        for _ in 0..10 * MOST {
            story.hear(1, 0);
        }
        assert!(story.gate.waiting.len() <= MOST);
        story.look(SAME);
        for _ in 0..10 * MOST {
            story.hear(1, 0);
            story.look(SAME);
        }
        assert!(story.gate.counted.len() <= MOST + 2, "{}", story.gate.counted.len());
    }

    #[test]
    fn a_limit_is_a_share_and_a_least_number_is_waited_for() {
        let shadow = |percent, least| Shadow {
            max_differences_percent: percent,
            min_compared: least,
            ..Shadow::default()
        };
        assert_eq!(waits(&shadow(0, 0), compared(0, 0), &[]), None, "no client has asked");
        assert_eq!(waits(&shadow(0, 0), compared(1000, 0), &[]), None);
        assert_eq!(waits(&shadow(1, 0), compared(1000, 10), &[]), None);
        let beyond = waits(&shadow(1, 0), compared(1000, 11), &[]).expect("it waits");
        assert!(
            beyond.starts_with("11 of 1000 answers") && beyond.contains("more than 1 percent"),
            "{beyond}"
        );
        assert!(waits(&shadow(0, 0), compared(1000, 1), &[]).is_some());
        assert!(waits(&shadow(100, 0), compared(1, 1), &[]).is_none());
        let few = waits(&shadow(0, 50), compared(49, 0), &[]).expect("it waits");
        assert!(few.contains("asks for 50"), "{few}");
        let never = waits(&Shadow { compare: false, ..shadow(0, 1) }, compared(0, 0), &[]).expect("it waits");
        assert!(never.contains("spec.shadow.compare is false"), "{never}");
    }

    #[test]
    fn the_message_has_a_question_with_both_answers() {
        let sample = AnswerDifference {
            at: "2026-11-30T18:00:00Z".to_owned(),
            nameserver: "ns2".to_owned(),
            question: "www.example.com. A".to_owned(),
            differences: vec!["answer".to_owned()],
            legacy: "NOERROR\nwww.example.com. 300 A 192.0.2.1".to_owned(),
            port53: "NXDOMAIN".to_owned(),
        };
        let message = waits(&Shadow::default(), compared(10, 1), &[sample]).expect("it waits");
        let first = "www.example.com. A at ns2 (answer): legacy says \"NOERROR www.example.com. 300 A 192.0.2.1\", \
                     Port53 says \"NXDOMAIN\"";
        assert!(message.ends_with(first), "{message}");
    }
}
