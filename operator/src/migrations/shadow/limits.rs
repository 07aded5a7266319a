//! Whether nameservers that are cut over answer well enough, by limits of the spec. Pure.
//!
//! What counts is what their pods counted in the last half minute, of all zones, for pods do not count answers by zone. A
//! node has slow moments, so times must be beyond the limit at several looks in a row.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use port53_crds::FallbackOn;

use super::gate::Compared;
use crate::nameservers::soak::Counted;

/// How long what was counted counts.
const COUNTS_FOR: Duration = Duration::from_secs(30);
/// Answers without which nothing is concluded from shares of them, and from the slowest of a hundred.
const ENOUGH: u64 = 50;
const ENOUGH_FOR_P99: u64 = 500;
/// Looks in a row at which answers must be too slow.
const SLOW: usize = 3;

/// See the module.
#[derive(Debug, Default)]
pub struct Looks {
    /// What each pod had counted in all when it was looked at last.
    before: BTreeMap<SocketAddr, Counted>,
    /// What all of them counted from one look to the next.
    counted: VecDeque<(Instant, Counted)>,
    slow: usize,
}

impl Looks {
    /// Pods that are cut over have counted this in all. One that was not looked at just before begins to count now.
    pub fn look(&mut self, at: Instant, pods: BTreeMap<SocketAddr, Counted>) {
        let mut more = Counted::default();
        for (pod, now) in &pods {
            if let Some(before) = self.before.get(pod) {
                more.add(&now.since(before));
            }
        }
        self.before = pods;
        self.counted.push_back((at, more));
        while self.counted.front().is_some_and(|(then, _)| at.duration_since(*then) > COUNTS_FOR) {
            self.counted.pop_front();
        }
    }

    /// What is beyond a limit, with the limit; after each look once.
    pub fn judge(&mut self, limits: &FallbackOn) -> Option<String> {
        let mut all = Counted::default();
        self.counted.iter().for_each(|(_, more)| all.add(more));
        let (answers, share) = (all.answers(), all.share_of_failures() * 100.0);
        if answers >= ENOUGH && share > f64::from(limits.servfail_percent) {
            return Some(format!(
                "{share:.1} percent of {answers} answers of nameservers that are cut over are SERVFAIL, and \
                 spec.shadow.fallbackOn.servfailPercent is {}",
                limits.servfail_percent
            ));
        }
        let most = limits.latency_milliseconds.map(|most| Duration::from_millis(most.into()));
        let p99 = all.p99().filter(|_| answers >= ENOUGH_FOR_P99);
        self.slow = match (most, p99) {
            (Some(most), Some(p99)) if p99 > most => self.slow + 1,
            _ => 0,
        };
        let (Some(most), Some(p99), true) = (most, p99, self.slow >= SLOW) else { return None };
        let took = match p99.as_secs() < 3600 {
            true => format!("up to {p99:?}"),
            false => "longer than anything that is counted".to_owned(),
        };
        Some(format!(
            "99 of 100 of {answers} answers of nameservers that are cut over take {took}, and \
             spec.shadow.fallbackOn.latencyMilliseconds is {}",
            most.as_millis()
        ))
    }
}

/// What is beyond the limit of differing answers, which are those of nameservers that are not cut over.
pub fn differences(limits: &FallbackOn, compared: Compared) -> Option<String> {
    let most = limits.differences_percent?;
    let Compared { all, differing } = compared;
    (all >= ENOUGH && compared.is_beyond(most)).then(|| {
        format!(
            "{differing} of {all} answers that were compared in the last 15 minutes, while both sides were the same, differ, \
             and spec.shadow.fallbackOn.differencesPercent is {most}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pod counts: answers in time, SERVFAIL, and answers that take up to 100 ms.
    fn counted(good: u64, failed: u64, slow: u64) -> Counted {
        let all = good + failed;
        Counted::read(&format!(
            "port53_queries_total{{rcode=\"NOERROR\"}} {good}\n\
             port53_queries_total{{rcode=\"SERVFAIL\"}} {failed}\n\
             port53_query_duration_seconds_bucket{{le=\"0.001\"}} {}\n\
             port53_query_duration_seconds_bucket{{le=\"0.1\"}} {all}\n\
             port53_query_duration_seconds_bucket{{le=\"+Inf\"}} {all}\n",
            all - slow
        ))
    }

    struct Story {
        looks: Looks,
        begin: Instant,
        second: u64,
        total: Counted,
    }

    impl Story {
        fn new() -> Self {
            let mut story = Story {
                looks: Looks::default(),
                begin: Instant::now(),
                second: 0,
                total: counted(1_000_000, 500_000, 0),
            };
            story.look(&Counted::default());
            story
        }

        fn look(&mut self, more: &Counted) {
            self.second += 2;
            self.total.add(more);
            let pod = SocketAddr::from(([192, 0, 2, 1], 8053));
            let at = self.begin + Duration::from_secs(self.second);
            self.looks.look(at, BTreeMap::from([(pod, self.total.clone())]));
        }
    }

    fn limits(latency_milliseconds: Option<u32>) -> FallbackOn {
        FallbackOn { latency_milliseconds, ..FallbackOn::default() }
    }

    #[test]
    fn too_many_servfail_are_beyond_the_limit_at_once() {
        let mut story = Story::new();
        assert_eq!(story.looks.judge(&limits(None)), None, "what was counted before it was cut over");
        story.look(&counted(45, 4, 0));
        assert_eq!(story.looks.judge(&limits(None)), None, "a handful says nothing");
        story.look(&counted(45, 6, 0));
        let said = story.looks.judge(&limits(None)).expect("beyond");
        assert_eq!(
            said,
            "10.0 percent of 100 answers of nameservers that are cut over are SERVFAIL, and \
             spec.shadow.fallbackOn.servfailPercent is 5"
        );
        assert_eq!(story.looks.judge(&FallbackOn { servfail_percent: 10, ..limits(None) }), None, "at it");
    }

    #[test]
    fn what_is_long_ago_counts_for_nothing() {
        let mut story = Story::new();
        story.look(&counted(0, 100, 0));
        story.second += COUNTS_FOR.as_secs();
        story.look(&counted(100, 0, 0));
        assert_eq!(story.looks.judge(&limits(None)), None);
    }

    #[test]
    fn slow_moments_are_none_but_slow_looks_in_a_row_are() {
        let mut story = Story::new();
        for _ in 0..2 {
            story.look(&counted(1000, 0, 500));
            assert_eq!(story.looks.judge(&limits(Some(20))), None);
        }
        story.look(&counted(1000, 0, 500));
        let said = story.looks.judge(&limits(Some(20))).expect("slow");
        assert!(said.starts_with("99 of 100 of 3000 answers") && said.contains("up to 100ms"), "{said}");
        assert_eq!(story.looks.judge(&limits(None)), None, "no limit");
    }

    #[test]
    fn differing_answers_are_a_share_of_enough() {
        let limits = FallbackOn { differences_percent: Some(2), ..FallbackOn::default() };
        let compared = |all, differing| Compared { all, differing };
        assert_eq!(differences(&limits, compared(49, 49)), None);
        assert_eq!(differences(&limits, compared(100, 2)), None);
        assert!(differences(&limits, compared(100, 3)).is_some());
        assert_eq!(differences(&FallbackOn::default(), compared(100, 100)), None);
    }
}
