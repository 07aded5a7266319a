//! What questions of clients show of a zone that moves here: counted and sampled by the pods, gathered here, and what
//! follows of it.
//!
//! ```text
//! pods: /forwarding/ZONE ──page──▶ book ──▶ counts, samples ──▶ status, NAME.shadow
//!                                    │          └─▶ gate ──▶ the next nameserver may be cut over, or waits
//! pods that are cut over: /metrics ──┴─▶ limits ──▶ latch: every nameserver falls back
//! ```
//!
//! Each pod counts by itself, from zero when it begins anew. The book has what each had counted when it was heard last, and
//! adds what one that begins anew counts to what it had counted before; so counts never go back. What a pod counted between
//! the last look and its end is nowhere. The book is kept in the operator's namespace, so that an operator that begins anew
//! goes on with it.
//!
//! Answers differ for good reason while both sides differ: a change takes a moment to come over. So what is judged are the
//! questions that were compared while both had the same at the same serials before and after ([`gate`]).
//!
//! | room | what it does |
//! |---|---|
//! | [`page`] | what a pod tells. Pure |
//! | [`book`] | counts of pods that come and go. Pure |
//! | [`samples`] | differing answers of all pods. Pure |
//! | [`gate`] | whether another nameserver may be cut over. Pure |
//! | [`limits`] | whether those that are answer well enough. Pure |
//! | `latch` | the automatic fallback: which holds, and writing it down |
//! | `watch` | looks at the pods, a task of its own, for legacy may take long |

pub mod book;
pub mod gate;
pub(super) mod latch;
pub mod limits;
pub mod page;
pub mod samples;
pub(super) mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use port53_crds::{AnswerDifference, NameserverShadow, ShadowSeen};

use page::Counts;

/// Nameservers and samples in a status.
const MOST_NAMESERVERS: usize = 26;
const SHOWN_SAMPLES: usize = 10;
/// Characters of a question, and of an answer, in a status.
const SHOWN_QUESTION: usize = 1100;
const SHOWN_ANSWER: usize = 512;

/// What the controller of nameservers tells of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rollouts {
    /// Sets that are not rolled out: which, with which nameservers, and what they wait for.
    pub unfinished: Vec<(String, Vec<String>, String)>,
    /// Where pods say how they are, by where they answer.
    pub health: BTreeMap<SocketAddr, SocketAddr>,
}

impl Rollouts {
    /// Why none of these nameservers is to be cut over now.
    pub(super) fn waits(&self, next: &[&str]) -> Option<String> {
        let is_of = |(_, nameservers, _): &&(String, Vec<String>, String)| {
            nameservers.iter().any(|name| next.contains(&name.as_str()))
        };
        let (set, _, why) = self.unfinished.iter().find(is_of)?;
        Some(format!("NameserverSet {set} is not rolled out: {why}"))
    }
}

/// Counts and samples as a status has them.
pub(super) fn seen(counts: &BTreeMap<String, Counts>, samples: &[AnswerDifference]) -> ShadowSeen {
    let mut all = Counts::default();
    counts.values().for_each(|one| all.add(one));
    let nameserver = |(name, one): (&String, &Counts)| NameserverShadow {
        name: name.clone(),
        forwarded: one.forwarded,
        unanswered: one.unanswered,
        last_known: one.last_known,
        compared: one.compared,
        differing: one.differing,
    };
    ShadowSeen {
        forwarded: all.forwarded,
        unanswered: all.unanswered,
        last_known: all.last_known,
        compared: all.compared,
        differing: all.differing,
        nameservers: counts.iter().take(MOST_NAMESERVERS).map(nameserver).collect(),
        samples: samples.iter().take(SHOWN_SAMPLES).map(shown).collect(),
    }
}

fn shown(sample: &AnswerDifference) -> AnswerDifference {
    let cut = |text: &str, most| text.chars().take(most).collect::<String>();
    AnswerDifference {
        question: cut(&sample.question, SHOWN_QUESTION),
        legacy: cut(&sample.legacy, SHOWN_ANSWER),
        port53: cut(&sample.port53, SHOWN_ANSWER),
        ..sample.clone()
    }
}

/// `3 of 1200 questions that were compared differ`, and what else a person should know of it.
pub(super) fn told(seen: &ShadowSeen) -> String {
    if seen.forwarded == 0 {
        return "nobody has asked yet".to_owned();
    }
    let compared = match seen.compared {
        0 => "none was compared, so nothing is known of answers to clients".to_owned(),
        compared => format!("{} of {compared} compared answers differ", seen.differing),
    };
    let unanswered = match seen.unanswered {
        0 => String::new(),
        unanswered => format!(
            "; legacy did not answer {unanswered}: {} were answered as it had said before, {} from here",
            seen.last_known,
            unanswered.saturating_sub(seen.last_known)
        ),
    };
    let first = seen.samples.first().map(|first| format!("; the last: {}", one_line(first)));
    let forwarded = seen.forwarded;
    format!("{forwarded} questions forwarded, {compared}{unanswered}{}", first.unwrap_or_default())
}

/// A differing answer in a sentence: the question, and both answers.
pub(super) fn one_line(sample: &AnswerDifference) -> String {
    let side = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().take(200).collect::<String>()
    };
    format!(
        "{} at {} ({}): legacy says \"{}\", Port53 says \"{}\"",
        sample.question,
        sample.nameserver,
        sample.differences.join(", "),
        side(&sample.legacy),
        side(&sample.port53)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(forwarded: u64, unanswered: u64, compared: u64, differing: u64) -> Counts {
        Counts { forwarded, unanswered, last_known: 0, compared, differing }
    }

    #[test]
    fn counts_are_summed_and_told() {
        assert_eq!(told(&ShadowSeen::default()), "nobody has asked yet");
        let both =
            BTreeMap::from([("ns1".to_owned(), counts(10, 0, 8, 1)), ("ns2".to_owned(), counts(5, 2, 2, 0))]);
        let seen = seen(&both, &[]);
        assert_eq!((seen.forwarded, seen.compared, seen.differing), (15, 10, 1));
        assert_eq!(seen.nameservers.len(), 2);
        assert_eq!(
            told(&seen),
            "15 questions forwarded, 1 of 10 compared answers differ; legacy did not answer 2: 0 were answered as it had \
             said before, 2 from here"
        );
        let uncompared = BTreeMap::from([("ns1".to_owned(), counts(3, 0, 0, 0))]);
        assert_eq!(
            told(&super::seen(&uncompared, &[])),
            "3 questions forwarded, none was compared, so nothing is known of answers to clients"
        );
    }

    #[test]
    fn only_a_rollout_of_the_nameservers_in_question_is_waited_for() {
        let unfinished = vec![("main".to_owned(), vec!["ns1".to_owned()], "ns1 soaks".to_owned())];
        let rollouts = Rollouts { unfinished, ..Rollouts::default() };
        assert_eq!(
            rollouts.waits(&["ns1"]).as_deref(),
            Some("NameserverSet main is not rolled out: ns1 soaks")
        );
        assert_eq!(rollouts.waits(&["ns9"]), None);
    }
}
