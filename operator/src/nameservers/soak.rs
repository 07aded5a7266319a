//! Watching a nameserver that answers rightly: its pods must stay as good as those of the others for a while, in what
//! real clients get from them and in how long it takes.
//!
//! What clients get is counted by the resolvers themselves ([`Counted`], from their metrics). Both are compared over the
//! same time, so that what hits all of them, be it an attack or a slow network, fails nobody.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use port53_crds::Reason;
use tokio::time::timeout;

use super::plan::Failure;

/// How long metrics may take to come, and how many octets they may have.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST: usize = 16 << 20;
/// Answers without which nothing is concluded from shares of them.
const ENOUGH: u64 = 50;
/// How much larger the share of SERVFAIL may be than that of the others.
const MORE_FAILURES: f64 = 0.01;
/// How many times as long as those of the others answers may take, and what is never too long.
const TIMES_AS_LONG: f64 = 3.0;
const NEVER_TOO_LONG: Duration = Duration::from_millis(5);

/// What a resolver has counted so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    answers: u64,
    failures: u64,
    /// Answers that took no longer, by the bounds of the histogram in nanoseconds.
    within: BTreeMap<u64, u64>,
}

/// Reads what the resolver at this address, that of its health, has counted.
///
/// # Errors
/// In words, when it does not say.
pub async fn counted(address: SocketAddr) -> Result<Counted, String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = format!("http://{address}/metrics").parse().map_err(|error| format!("{error}"))?;
    let read = async {
        let response = client.get(uri).await.map_err(|error| port53_client::chain(&error))?;
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())
    };
    let body = timeout(PATIENCE, read).await.map_err(|_| "does not answer".to_owned())??;
    Ok(Counted::read(&String::from_utf8_lossy(&body)))
}

impl Counted {
    /// Reads the text form of metrics. What is not looked at here is passed over.
    fn read(text: &str) -> Self {
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
                    let Some(bound) = bound.filter(|bound| bound.is_finite()) else { continue };
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

    fn share_of_failures(&self) -> f64 {
        self.failures as f64 / self.answers.max(1) as f64
    }

    /// The bound that 99 of 100 answers stay below.
    fn p99(&self) -> Option<Duration> {
        let all = *self.within.values().last()?;
        let found = self.within.iter().find(|(_, count)| **count * 100 >= all * 99)?;
        Some(Duration::from_nanos(*found.0))
    }
}

/// Whether what `ours` counted while it was watched is as good as what `others` did in the same time.
///
/// # Errors
/// With what is worse, and by how much.
pub fn compare(ours: &Counted, others: &Counted) -> Result<(), Failure> {
    if ours.answers < ENOUGH {
        return Ok(());
    }
    let (share, theirs) = (ours.share_of_failures(), others.share_of_failures());
    if share > theirs + MORE_FAILURES {
        let message = format!(
            "{:.1} % of {} answers are SERVFAIL, and {:.1} % of {} of the other nameservers",
            share * 100.0,
            ours.answers,
            theirs * 100.0,
            others.answers
        );
        return Err(Failure { reason: Reason::Failing, message });
    }
    match (ours.p99(), others.p99()) {
        (Some(p99), Some(theirs)) if others.answers >= ENOUGH && !is_fast_enough(p99, theirs) => {
            Err(Failure {
                reason: Reason::Slow,
                message: format!(
                    "99 of 100 answers take up to {p99:?}, and up to {theirs:?} by the other nameservers"
                ),
            })
        }
        _ => Ok(()),
    }
}

/// Whether a time is not much longer than that of the others.
pub fn is_fast_enough(ours: Duration, theirs: Duration) -> bool {
    ours <= theirs.mul_f64(TIMES_AS_LONG).max(NEVER_TOO_LONG)
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
             port53_query_duration_seconds_bucket{{transport=\"udp\",le=\"+Inf\"}} {all}\n\
             port53_ready 1\n"
        ))
    }

    #[test]
    fn what_is_worse_than_the_others_is_said() {
        let good = text(1000, 0, 1000, 1000);
        assert_eq!(compare(&good, &good), Ok(()));
        // What all have is nobody's fault.
        assert_eq!(compare(&text(900, 100, 1000, 1000), &text(900, 95, 1000, 1000)), Ok(()));
        let failing = compare(&text(900, 100, 1000, 1000), &good).expect_err("too many failures");
        assert_eq!(failing.reason, Reason::Failing);
        assert_eq!(
            failing.message,
            "10.0 % of 1000 answers are SERVFAIL, and 0.0 % of 1000 of the other nameservers"
        );
        let slow = compare(&text(1000, 0, 900, 1000), &good).expect_err("too slow");
        assert_eq!(
            (slow.reason, slow.message.contains("100ms, and up to 100µs")),
            (Reason::Slow, true),
            "{}",
            slow.message
        );
        // A handful says nothing.
        assert_eq!(compare(&text(1, 10, 0, 11), &good), Ok(()));
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
