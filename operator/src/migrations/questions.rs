//! The same questions to both sides: what a transfer cannot show, such as another way with wildcards or delegations.
//!
//! Of a zone whose records are the same on both sides some questions are drawn, for what is there and what is not, below
//! wildcards and cuts, and for the largest RRsets: the same again and again while the zone stays so, so that it can be said
//! since when one is answered otherwise. Legacy is asked plainly, a pod so that it answers by itself. Both are asked over TCP
//! and, where legacy answers at all there, over UDP; answers are compared in their normal form. What differs is asked once
//! more, and counts when it differs again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use port53_crds::{ChangedSide, DifferenceKind, RRsetDifference};
use port53_zone::answer::compare::{self, Compared, Difference, What, compare_within};
use port53_zone::content::Content;
use port53_zone::{Name, Rtype, Soa, name, rdata};
use tokio::time::timeout;

use crate::cluster::confirm;
use crate::proof::ask::{self, Replied, Transport};
use crate::proof::oracle::{self, Zones};
use crate::proof::{Question, sample};

/// Questions, about: as many as show the largest RRsets too.
const QUESTIONS: usize = 100;
/// How long asking may take in all: what was not answered by then is not compared.
const PATIENCE: Duration = Duration::from_secs(20);
/// Characters of an answer.
const SHOWN: usize = 512;

/// A question that is answered otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Otherwise {
    question: Question,
    /// In what, and over what.
    how: String,
    port53: String,
    legacy: String,
}

/// Asks both. Nothing when they cannot be asked in time, or the pod answers another version.
pub(super) async fn otherwise(
    legacy: SocketAddr,
    pod: SocketAddr,
    (soa, content): (Soa, Content),
    left_out: BTreeSet<Name>,
) -> Option<Vec<Otherwise>> {
    let (apex, serial) = (content.apex().clone(), soa.serial);
    let questions = questions(soa, content);
    let has_it = || async { confirm::ask(pod, &apex).await == Ok(confirm::Answer::Serial(serial)) };
    let asked = timeout(PATIENCE, async {
        if !has_it().await {
            return None;
        }
        let mut transports = vec![Transport::Tcp];
        // One question tells whether there is any way over UDP; a hundred would wait long for none.
        let first = questions.first().map(std::slice::from_ref).unwrap_or_default();
        if ask::over_udp(legacy, first, &[]).await.iter().all(Result::is_ok) {
            transports.push(Transport::Udp);
        }
        let mut found: BTreeMap<Question, Otherwise> = BTreeMap::new();
        for transport in transports {
            let differing = differing([legacy, pod], (&apex, &left_out), transport, &questions).await;
            let again: Vec<Question> = differing.into_iter().map(|one| one.question).collect();
            for one in self::differing([legacy, pod], (&apex, &left_out), transport, &again).await {
                match found.get_mut(&one.question) {
                    Some(known) if known.how != one.how => known.how = format!("{}; {}", known.how, one.how),
                    Some(_) => {}
                    None => drop(found.insert(one.question.clone(), one)),
                }
            }
        }
        has_it().await.then(|| found.into_values().collect())
    });
    asked.await.ok().flatten()
}

/// Those of a zone. The same for the same content.
fn questions(soa: Soa, content: Content) -> Vec<Question> {
    let apex = content.apex().clone();
    let mut hasher = DefaultHasher::new();
    apex.as_slice().hash(&mut hasher);
    let mut chance = fastrand::Rng::with_seed(hasher.finish());
    let zones = Zones::new([oracle::Zone { content, soa }]);
    let drawn = sample::draw(&zones, QUESTIONS, &mut chance);
    // Each system's own.
    let is_own =
        |question: &Question| question.name == apex && [Rtype::SOA, Rtype::NS].contains(&question.rtype);
    drawn.into_iter().filter(|question| !is_own(question)).collect()
}

async fn differing(
    [legacy, pod]: [SocketAddr; 2],
    within: (&Name, &BTreeSet<Name>),
    transport: Transport,
    questions: &[Question],
) -> Vec<Otherwise> {
    if questions.is_empty() {
        return Vec::new();
    }
    let plainly = async {
        match transport {
            Transport::Udp => ask::over_udp(legacy, questions, &[]).await,
            _ => ask::over_tcp(legacy, questions, &[]).await,
        }
    };
    let (theirs, ours) = futures::join!(plainly, ask::all(pod, transport, questions));
    let all = questions.iter().zip(ours.iter().zip(&theirs));
    all.filter_map(|(question, (ours, theirs))| judge(within, question, transport, ours, theirs)).collect()
}

/// What no answer says nothing of is left to those who look whether it answers. Answers that are about a name which is
/// left out are not compared.
fn judge(
    (apex, left_out): (&Name, &BTreeSet<Name>),
    question: &Question,
    transport: Transport,
    ours: &Replied,
    theirs: &Replied,
) -> Option<Otherwise> {
    let (Ok((ours, _)), Ok((theirs, _))) = (ours, theirs) else { return None };
    if [ours, theirs].iter().any(|answer| compare::is_about(answer, apex, left_out)) {
        return None;
    }
    let Compared::Differs(differences) = compare_within(apex, theirs, ours, What::default()) else {
        return None;
    };
    let labels: Vec<&str> = differences.into_iter().map(Difference::label).collect();
    let text = |answer: &[u8]| {
        let text = compare::text(answer, 2 * SHOWN);
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect::<String>()
    };
    Some(Otherwise {
        question: question.clone(),
        how: format!("{} over {}", labels.join(", "), transport.as_str()),
        port53: text(ours),
        legacy: text(theirs),
    })
}

/// As they are listed. One that was listed before has stayed so since then.
pub(super) fn listed(
    found: &[Otherwise],
    before: &[RRsetDifference],
    now: Timestamp,
) -> Vec<RRsetDifference> {
    let listed = found.iter().map(|one| {
        let (name, type_) = (name::display(&one.question.name), rdata::display_rtype(one.question.rtype));
        let is_it = |before: &&RRsetDifference| {
            before.kind == DifferenceKind::Answer && before.name == name && before.type_ == type_
        };
        let since = before.iter().find(is_it).map(|before| before.since.clone());
        RRsetDifference {
            kind: DifferenceKind::Answer,
            port53: Some(one.port53.clone()),
            legacy: Some(one.legacy.clone()),
            // Nobody wrote anything: it is how they answer.
            changed: ChangedSide::Both,
            since: since.unwrap_or_else(|| now.to_string()),
            kept: Some(format!("the records are the same, and answers differ in {}", one.how)),
            name,
            type_,
        }
    });
    listed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question { name: name::parse_absolute("www.example.com").expect("a name"), rtype: Rtype::A }
    }

    /// A response to it with this rcode, AA, and nothing in it.
    fn response(rcode: u8) -> Replied {
        let mut message = ask::message_of(&question().name, Rtype::A, 1, false, &[]);
        message[2] |= 0x84;
        message[3] = rcode;
        Ok((message, Duration::ZERO))
    }

    #[test]
    fn only_two_answers_can_differ() {
        let apex = name::parse_absolute("example.com").expect("a name");
        let judge = |ours: &Replied, theirs: &Replied| {
            judge((&apex, &BTreeSet::new()), &question(), Transport::Udp, ours, theirs)
        };
        assert_eq!(judge(&response(0), &response(0)), None);
        assert_eq!(judge(&response(0), &Err("does not answer".to_owned())), None);
        let other = judge(&response(3), &response(0)).expect("another answer");
        assert_eq!(other.how, "rcode over UDP");
        assert_eq!((other.port53.as_str(), other.legacy.as_str()), ("rcode 3 aa", "rcode 0 aa"));
        let mut truncated = response(0);
        truncated.iter_mut().for_each(|(message, _)| message[2] |= 0x02);
        assert_eq!(judge(&response(3), &truncated), None);
    }

    #[test]
    fn one_that_stays_so_has_been_so_since_it_was_seen_first() {
        let one = Otherwise {
            question: question(),
            how: "answer over TCP".to_owned(),
            port53: "rcode 0 aa".to_owned(),
            legacy: "rcode 3 aa".to_owned(),
        };
        let at = |second| Timestamp::from_second(second).expect("a time");
        let first = listed(std::slice::from_ref(&one), &[], at(1));
        let second = listed(&[one], &first, at(2));
        assert_eq!(second, first);
        assert_eq!((first[0].kind, first[0].name.as_str()), (DifferenceKind::Answer, "www.example.com."));
        assert_eq!(listed(&[], &first, at(3)), []);
    }
}
