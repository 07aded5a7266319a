//! Watching a nameserver that answers rightly: its pods must stay as good as those of the others for a while, in what
//! real clients get from them and in how long it takes.
//!
//! What clients get is counted by the resolvers themselves ([`Counted`], from their metrics). Both are compared over the
//! same time, so that what hits all of them, be it an attack or a slow network, fails nobody. A node has slow moments,
//! too, so times are compared again and again ([`Watch`]): who is slow most of the time is slow.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use port53_crds::Reason;

use super::plan::Failure;
use crate::cluster::pages;

/// How many octets metrics may have.
const LARGEST: usize = 16 << 20;
/// Answers without which nothing is concluded from shares of them, and from the slowest of a hundred.
const ENOUGH: u64 = 50;
const ENOUGH_FOR_P99: u64 = 500;
/// Comparisons of times that must have been bad at least, and more of them than not.
const OFTEN: usize = 3;
/// How much larger the share of SERVFAIL may be than that of the others.
const MORE_FAILURES: f64 = 0.01;
/// How many times as long as those of the others answers may take, and what is never too long.
const TIMES_AS_LONG: u32 = 3;
const NEVER_TOO_LONG: Duration = Duration::from_millis(5);

/// What a resolver has counted so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    answers: u64,
    failures: u64,
    /// Answers that took no longer, by the bounds of the histogram in nanoseconds; all of them by the last, which is no
    /// bound.
    within: BTreeMap<u64, u64>,
}

/// Reads what the resolver at this address, that of its health, has counted.
///
/// # Errors
/// In words, when it does not say.
pub async fn counted(address: SocketAddr) -> Result<Counted, String> {
    let body = pages::read(address, "/metrics", LARGEST).await?;
    Ok(Counted::read(&String::from_utf8_lossy(&body)))
}

impl Counted {
    /// Reads the text form of metrics. What is not looked at here is passed over.
    pub(crate) fn read(text: &str) -> Self {
        let mut counted = Counted::default();
        for line in text.lines() {
            let Some((name, rest)) = line.split_once('{') else { continue };
            let Some((labels, value)) = rest.rsplit_once("} ") else { continue };
            let Some(value) = value.split(' ').next().and_then(|value| value.parse::<f64>().ok()) else {
                continue;
            };
            let value = value as u64;
            let label = |name: &str| {
                let mut labels = labels.split(',').filter_map(|label| label.split_once('='));
                labels.find(|(label, _)| *label == name).map(|(_, value)| value.trim_matches('"'))
            };
            match name {
                "port53_queries_total" => {
                    counted.answers += value;
                    counted.failures += if label("rcode") == Some("SERVFAIL") { value } else { 0 };
                }
                "port53_query_duration_seconds_bucket" => {
                    let bound = label("le").and_then(|bound| bound.parse::<f64>().ok());
                    // `+Inf` becomes the largest number.
                    let Some(bound) = bound else { continue };
                    *counted.within.entry((bound * 1e9) as u64).or_default() += value;
                }
                _ => {}
            }
        }
        counted
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Counted) {
        self.answers += other.answers;
        self.failures += other.failures;
        for (bound, count) in &other.within {
            *self.within.entry(*bound).or_default() += count;
        }
    }

    /// What was counted since `before`. A resolver that has begun anew meanwhile has counted all of it since.
    pub fn since(&self, before: &Counted) -> Counted {
        if self.answers < before.answers {
            return self.clone();
        }
        let within = self.within.iter().map(|(bound, count)| {
            (*bound, count.saturating_sub(before.within.get(bound).copied().unwrap_or_default()))
        });
        Counted {
            answers: self.answers - before.answers,
            failures: self.failures.saturating_sub(before.failures),
            within: within.collect(),
        }
    }

    /// Answers, of whichever zone.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Of them, those that are SERVFAIL, from 0 to 1.
    pub fn share_of_failures(&self) -> f64 {
        self.failures as f64 / self.answers.max(1) as f64
    }

    /// The bound that 99 of 100 answers stay below; [`u64::MAX`] nanoseconds where there is none.
    pub fn p99(&self) -> Option<Duration> {
        let all = self.within.values().last().copied().filter(|all| *all > 0)?;
        let found = self.within.iter().find(|(_, count)| **count * 100 >= all * 99)?;
        Some(Duration::from_nanos(*found.0))
    }
}

/// What pods have counted at some moment; one that does not say counts for nothing.
pub type Counts = Vec<Option<Counted>>;

/// What was seen of pods that are watched beside the others.
#[derive(Debug)]
pub struct Watch {
    /// What both had counted at the begin.
    begin: (Counts, Counts),
    /// And when times were compared last.
    compared: (Counts, Counts),
    /// And when they were looked at last.
    now: (Counts, Counts),
    comparisons: usize,
    slow: usize,
    /// The last that was slow, in words.
    message: String,
}

impl Watch {
    /// Begins with what ours and the others have counted.
    pub fn begin(ours: Counts, others: Counts) -> Self {
        let begin = (ours, others);
        let (compared, now) = (begin.clone(), begin.clone());
        Watch { begin, compared, now, comparisons: 0, slow: 0, message: String::new() }
    }

    /// Takes note of what both have counted by now. Times are compared when both have answered enough since.
    pub fn look(&mut self, ours: Counts, others: Counts) {
        for before in [&mut self.begin, &mut self.compared] {
            begin_late(&mut before.0, &ours);
            begin_late(&mut before.1, &others);
        }
        self.now = (ours.clone(), others.clone());
        let (now, theirs) = (since(&ours, &self.compared.0), since(&others, &self.compared.1));
        if now.answers < ENOUGH_FOR_P99 || theirs.answers < ENOUGH_FOR_P99 {
            return;
        }
        self.compared = (ours, others);
        let (Some(p99), Some(theirs)) = (now.p99(), theirs.p99()) else { return };
        self.comparisons += 1;
        if !is_fast_enough(p99, theirs) {
            self.slow += 1;
            self.message = format!(
                "99 of 100 answers take up to {p99:?}, and up to {theirs:?} by the other nameservers"
            );
        }
    }

    /// Whether what ours did was as good as what the others did in the same time.
    ///
    /// # Errors
    /// With what was worse, and by how much.
    pub fn end(self) -> Result<(), Failure> {
        let (now, theirs) = (since(&self.now.0, &self.begin.0), since(&self.now.1, &self.begin.1));
        let (share, their_share) = (now.share_of_failures(), theirs.share_of_failures());
        if now.answers >= ENOUGH && share > their_share + MORE_FAILURES {
            let message = format!(
                "{:.1} % of {} answers are SERVFAIL, and {:.1} % of {} of the other nameservers",
                share * 100.0,
                now.answers,
                their_share * 100.0,
                theirs.answers
            );
            return Err(Failure { reason: Reason::Failing, message });
        }
        if self.slow >= OFTEN && self.slow * 2 > self.comparisons {
            let message = format!("{}, in {} of {} comparisons", self.message, self.slow, self.comparisons);
            return Err(Failure { reason: Reason::Slow, message });
        }
        Ok(())
    }
}

/// What a pod that said nothing before has counted by now is where it begins.
fn begin_late(before: &mut Counts, now: &[Option<Counted>]) {
    for (before, now) in before.iter_mut().zip(now).filter(|(before, _)| before.is_none()) {
        before.clone_from(now);
    }
}

/// What pods have counted since, together.
fn since(now: &[Option<Counted>], before: &[Option<Counted>]) -> Counted {
    let mut all = Counted::default();
    for (now, before) in now.iter().zip(before) {
        if let (Some(now), Some(before)) = (now, before) {
            all.add(&now.since(before));
        }
    }
    all
}

/// Whether a time is not much longer than that of the others.
pub fn is_fast_enough(ours: Duration, theirs: Duration) -> bool {
    ours <= theirs.saturating_mul(TIMES_AS_LONG).max(NEVER_TOO_LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(good: u64, failed: u64, fast: u64, all: u64) -> Counted {
        Counted::read(&format!(
            "# TYPE port53_queries counter\n\
             port53_queries_total{{transport=\"udp\",qtype=\"A\",rcode=\"NOERROR\"}} {good}\n\
             port53_queries_total{{transport=\"tcp\",qtype=\"A\",rcode=\"SERVFAIL\"}} {failed}\n\
             port53_query_duration_seconds_bucket{{transport=\"udp\",le=\"0.0001\"}} {fast}\n\
             port53_query_duration_seconds_bucket{{transport=\"udp\",le=\"0.1\"}} {all}\n\
             port53_query_duration_seconds_bucket{{transport=\"udp\",le=\"+Inf\"}} {}\n\
             port53_ready 1\n",
            good + failed
        ))
    }

    /// Watches one pod beside another, each with what it counts from one look to the next.
    fn watched(looks: &[(Counted, Counted)]) -> Result<(), Failure> {
        let (mut ours, mut others) = (Counted::default(), Counted::default());
        let counts = |of: &Counted| vec![Some(of.clone())];
        let mut watch = Watch::begin(counts(&ours), counts(&others));
        for (by_ours, by_others) in looks {
            ours.add(by_ours);
            others.add(by_others);
            watch.look(counts(&ours), counts(&others));
        }
        watch.end()
    }

    #[test]
    fn what_is_worse_than_the_others_is_said() {
        let good = text(1000, 0, 1000, 1000);
        let beside_good = |ours: Counted| watched(&vec![(ours, good.clone()); 3]);
        assert_eq!(beside_good(good.clone()), Ok(()));
        // What all have is nobody's fault.
        assert_eq!(watched(&[(text(900, 100, 1000, 1000), text(900, 95, 1000, 1000))]), Ok(()));
        let failing = beside_good(text(900, 100, 1000, 1000)).expect_err("too many failures");
        assert_eq!(failing.reason, Reason::Failing);
        assert_eq!(
            failing.message,
            "10.0 % of 3000 answers are SERVFAIL, and 0.0 % of 3000 of the other nameservers"
        );
        let slow = beside_good(text(1000, 0, 900, 1000)).expect_err("too slow");
        assert_eq!(slow.reason, Reason::Slow);
        assert_eq!(
            slow.message,
            "99 of 100 answers take up to 100ms, and up to 100µs by the other nameservers, in 3 of 3 comparisons"
        );
        // A handful says nothing.
        assert_eq!(beside_good(text(1, 10, 0, 11)), Ok(()));
    }

    /// Found by two tests in a cluster beside a build: "99 of 100 answers take up to 10ms, and up to 1ms by the other
    /// nameservers", of some hundred answers in three seconds.
    #[test]
    fn slow_moments_of_a_node_condemn_nobody() {
        let (good, slow) = (text(1000, 0, 1000, 1000), text(1000, 0, 900, 1000));
        let beside_good = |ours: &[&Counted]| {
            watched(&ours.iter().map(|ours| ((*ours).clone(), good.clone())).collect::<Vec<_>>())
        };
        assert_eq!(beside_good(&[&slow]), Ok(()));
        assert_eq!(beside_good(&[&slow, &slow, &slow, &good, &good, &good]), Ok(()));
        assert!(beside_good(&[&slow, &good, &slow, &good, &slow, &slow]).is_err());
        // Slower than anything that is counted.
        assert!(watched(&vec![(text(1000, 0, 0, 0), good.clone()); 3]).is_err());
        // A pod that does not say at first what it has counted.
        let mut watch = Watch::begin(vec![None], vec![None]);
        let (mut ours, mut others) = (text(5000, 0, 5000, 5000), text(5000, 0, 5000, 5000));
        for _ in 0..4 {
            ours.add(&slow);
            others.add(&good);
            watch.look(vec![Some(ours.clone())], vec![Some(others.clone())]);
        }
        assert!(watch.end().is_err());
        // The slowest of a hundred is one answer of so few.
        let few = (text(100, 0, 90, 100), text(100, 0, 100, 100));
        assert_eq!(watched(&vec![few.clone(); 4]), Ok(()));
        assert!(watched(&vec![few; 15]).is_err());
    }

    #[test]
    fn only_what_was_counted_meanwhile_counts() {
        let before = text(1000, 50, 1000, 1050);
        let after = text(1100, 50, 1100, 1150);
        assert_eq!(after.since(&before), text(100, 0, 100, 100));
        // One that has begun anew.
        assert_eq!(text(3, 0, 3, 3).since(&before), text(3, 0, 3, 3));
    }
}
