//! Questions to the pods of a set: whether the others answer what is published, whether a changed one answers rightly,
//! and whether it stays so. Each is a job that ends with what was found.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use port53_crds::Reason;
use port53_zone::{Rtype, name, serial};
use tokio::sync::{mpsc, oneshot};

use super::plan::Failure;
use super::soak::{self, Counts, Watch};
use crate::cluster::pages;
use crate::proof::ask::Transport;
use crate::proof::judge::Reply;
use crate::proof::oracle::Zones;
use crate::proof::prove::{Answered, Mismatch, Proof, prove, prove_over};
use crate::proof::{Question, ask, sample};

/// Ports of a pod, by the names that the chart gives them, and where they are when nobody names them.
const DNS: (&str, u16) = ("dns", 5353);
const HEALTH: (&str, u16) = ("health", pages::PORT);
/// Encrypted transports are on where a port has this name.
const ENCRYPTED: [(&str, Transport); 3] =
    [("dns-tls", Transport::Tls), ("dns-quic", Transport::Quic), ("dns-https", Transport::Https)];
/// Questions that are asked over each of those.
const EACH: usize = 10;
/// Zones of which the others are asked before one is changed.
const ZONES: usize = 200;
/// How often it is asked what is published, and how long is waited before.
const KNOWN: (usize, Duration) = (100, Duration::from_millis(100));
/// How often a version that is not the published one is asked for again, and how long is waited before.
const STALE: (usize, Duration) = (20, Duration::from_millis(250));
/// Questions whose times are compared with those of the others.
const TIMED: usize = 100;
/// How often a pod must be slow, and how long is waited in between.
const SLOW: (usize, Duration) = (4, Duration::from_secs(1));
/// Looks in a row at which a nameserver that is watched may be silent.
const SILENT: usize = 3;
/// Between looks at a nameserver that is watched.
const LOOK: Duration = Duration::from_secs(1);

/// Asks for the zones as they are published at that moment.
pub type Snapshots = mpsc::Sender<oneshot::Sender<Zones>>;

/// A pod that is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Its nameserver and its name, for a person.
    pub name: String,
    /// Where it answers.
    pub dns: SocketAddr,
    /// Where it says how it is.
    pub health: SocketAddr,
    /// Where it answers over transports that are encrypted.
    pub encrypted: Vec<(Transport, SocketAddr)>,
}

impl Target {
    /// A pod of a nameserver, if it has an address yet.
    pub fn of(pod: &super::seen::Pod) -> Option<Self> {
        let address: IpAddr = pod.address?;
        let at = |(name, otherwise): (&str, u16)| {
            SocketAddr::new(address, pod.ports.get(name).copied().unwrap_or(otherwise))
        };
        Some(Target {
            name: format!("{} (pod {})", pod.nameserver, pod.name),
            dns: at(DNS),
            health: at(HEALTH),
            encrypted: ENCRYPTED
                .iter()
                .filter_map(|(name, transport)| {
                    Some((*transport, SocketAddr::new(address, *pod.ports.get(*name)?)))
                })
                .collect(),
        })
    }
}

/// What came of asking the pods of a nameserver.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// Questions that were asked and of them those that were answered rightly.
    pub counts: (usize, usize),
    /// Why it does not pass, if so.
    pub failure: Option<Failure>,
}

/// The zones as they are published now. At the start that is waited for until it is known of all.
pub(super) async fn published(snapshots: &Snapshots) -> Result<Zones, String> {
    for _ in 0..KNOWN.0 {
        let (answer, asked) = oneshot::channel();
        snapshots.send(answer).await.map_err(|_| "the operator is leaving".to_owned())?;
        match asked.await {
            Ok(zones) => return Ok(zones),
            Err(_) => tokio::time::sleep(KNOWN.1).await,
        }
    }
    Err("what is published is not known of all zones yet".to_owned())
}

/// Whether each of these pods answers for the zones that are published, with a serial not older than that.
///
/// # Errors
/// With the first that does not, and what it says.
pub async fn others_agree(snapshots: Snapshots, others: Vec<Target>) -> Result<(), String> {
    let zones = published(&snapshots).await?;
    let apexes = zones.iter().map(|zone| zone.content.apex());
    let questions: Vec<Question> = fastrand::choose_multiple(apexes, ZONES)
        .into_iter()
        .map(|apex| Question { name: apex.clone(), rtype: Rtype::SOA })
        .collect();
    let mut zones = zones;
    for round in 0..STALE.0 {
        let said = join_all(others.iter().map(|target| disagreement(target, &zones, &questions))).await;
        let Some(said) = said.into_iter().flatten().next() else { return Ok(()) };
        if round + 1 == STALE.0 {
            return Err(said);
        }
        // It may be on its way to what was published a moment ago.
        tokio::time::sleep(STALE.1).await;
        zones = published(&snapshots).await?;
    }
    Ok(())
}

/// What one pod says instead of the serials that are published.
async fn disagreement(target: &Target, zones: &Zones, questions: &[Question]) -> Option<String> {
    let replies = ask::all(target.dns, Transport::Udp, questions).await;
    questions.iter().zip(replies).find_map(|(question, reply)| {
        let zone = name::display(&question.name);
        let reply = match reply {
            Ok((octets, _)) => Reply::read(&octets, question),
            Err(why) => return Some(format!("{} {why}, asked for {zone}", target.name)),
        };
        let published = zones.get(&question.name)?.soa.serial;
        match reply {
            Err(said) => Some(format!("{} answers {said}, asked for {zone}", target.name)),
            Ok(reply) => match reply.soa_serial() {
                Some(answered) if answered == published || serial::is_newer(answered, published) => None,
                Some(answered) => Some(format!(
                    "{} answers serial {answered} of {zone}, and {published} is published",
                    target.name
                )),
                None => Some(format!("{} answers {}, asked for {zone}", target.name, reply.text())),
            },
        }
    })
}

/// Asks each pod a sample of its own, and judges what it says: by what is published, and, of what is not right by
/// that, by what pods of the others say.
pub async fn prove_all(
    snapshots: Snapshots,
    pods: Vec<Target>,
    others: Vec<Target>,
    sample: usize,
    most: usize,
) -> Result<Proven, String> {
    let mut proven = Proven { counts: (0, 0), failure: None };
    for pod in &pods {
        let (proof, questions, zones) = prove_one(&snapshots, pod, sample).await?;
        proven.counts.0 += proof.asked;
        proven.counts.1 += proof.right;
        let (wrong, mismatch) = not_excused(&proof, &others, &zones).await;
        proven.counts.1 += proof.asked - proof.right - wrong;
        if wrong > most {
            let first = mismatch.map(|mismatch| said(pod, &mismatch)).unwrap_or_default();
            let reason = proof.mismatches.first().map_or(Reason::WrongAnswer, reason);
            let message = format!("{wrong} of {} questions are answered otherwise: {first}", proof.asked);
            proven.failure = Some(Failure { reason, message });
            return Ok(proven);
        }
        if let Some(stale) = proof.stale.first() {
            let message = format!(
                "{} does not answer what is published for {}",
                pod.name,
                zones.of(stale).map_or_else(String::new, |zone| name::display(zone.content.apex()))
            );
            proven.failure = Some(Failure { reason: Reason::WrongAnswer, message });
            return Ok(proven);
        }
        if let Some(failure) = wrong_if_encrypted(&snapshots, pod, &others, &questions).await? {
            proven.failure = Some(failure);
            return Ok(proven);
        }
        if let Some(failure) = slower(pod, &others, &questions).await {
            proven.failure = Some(failure);
            return Ok(proven);
        }
    }
    Ok(proven)
}

/// What a pod answers wrongly over an encrypted transport that is on, each time that it is asked, and others do not say
/// too.
async fn wrong_if_encrypted(
    snapshots: &Snapshots,
    pod: &Target,
    others: &[Target],
    questions: &[Question],
) -> Result<Option<Failure>, String> {
    let few = fastrand::choose_multiple(questions.iter().cloned(), EACH);
    for (transport, address) in &pod.encrypted {
        let mut waiting = few.clone();
        let mut last = None;
        for round in 0..SLOW.0 {
            if round > 0 {
                tokio::time::sleep(SLOW.1).await;
            }
            let zones = published(snapshots).await?;
            let proof = prove_over(*transport, *address, &zones, &waiting).await;
            let (_, mismatch) = not_excused(&proof, others, &zones).await;
            last = mismatch.map(|mismatch| (reason(&mismatch), said(pod, &mismatch)));
            if last.is_none() && !proof.stale.is_empty() {
                let message = format!("{} answers another version over {}", pod.name, transport.as_str());
                last = Some((Reason::WrongAnswer, message));
            }
            if last.is_none() {
                break;
            }
            waiting = match proof.stale.is_empty() {
                true => few.clone(),
                false => proof.stale,
            };
        }
        if let Some((reason, message)) = last {
            return Ok(Some(Failure { reason, message }));
        }
    }
    Ok(None)
}

fn reason(mismatch: &Mismatch) -> Reason {
    match mismatch.answered {
        Answered::Nothing(_) => Reason::NoAnswer,
        Answered::Otherwise(_) => Reason::WrongAnswer,
    }
}

/// Asks one pod, and once more what it answered from another version than was published when it was asked.
async fn prove_one(
    snapshots: &Snapshots,
    pod: &Target,
    sample: usize,
) -> Result<(Proof, Vec<Question>, Zones), String> {
    let mut zones = published(snapshots).await?;
    let questions = sample::draw(&zones, sample, &mut fastrand::Rng::new());
    let mut proof = prove(pod.dns, &zones, &questions).await;
    for _ in 0..STALE.0 {
        if proof.stale.is_empty() {
            break;
        }
        tokio::time::sleep(STALE.1).await;
        zones = published(snapshots).await?;
        let again = prove(pod.dns, &zones, &proof.stale).await;
        proof.asked += again.asked;
        proof.right += again.right;
        proof.mismatches.extend(again.mismatches);
        proof.stale = again.stale;
    }
    Ok((proof, questions, zones))
}

/// How many of the mismatches are not what the others answer too, and the first of them. What all answer alike is
/// nothing that the change has done, and nothing that putting it back would mend.
async fn not_excused(proof: &Proof, others: &[Target], zones: &Zones) -> (usize, Option<Mismatch>) {
    let mut wrong = proof.asked - proof.right;
    let mut first = None;
    for mismatch in &proof.mismatches {
        let mut is_excused = false;
        for other in others {
            let question = std::slice::from_ref(&mismatch.question);
            let theirs = prove(other.dns, zones, question).await;
            is_excused = theirs.mismatches.iter().any(|their| their.answered == mismatch.answered);
            if is_excused {
                tracing::warn!(
                    nameserver = other.name,
                    "{mismatch}; the nameservers that were not changed answer the same, so it counts for nothing"
                );
                break;
            }
        }
        match is_excused {
            true => wrong = wrong.saturating_sub(1),
            false => first = first.or_else(|| Some(mismatch.clone())),
        }
    }
    (wrong, first)
}

fn said(pod: &Target, mismatch: &Mismatch) -> String {
    format!("{}: {mismatch}", pod.name)
}

/// Whether the pod takes much longer than those of the others, asked the same. A machine has slow moments, so it must be
/// slow each time, and is asked right before them.
async fn slower(pod: &Target, others: &[Target], questions: &[Question]) -> Option<Failure> {
    let timed = &questions[..questions.len().min(TIMED)];
    let mut failure = None;
    for round in 0..SLOW.0 {
        if round > 0 {
            tokio::time::sleep(SLOW.1).await;
        }
        let ours = median(pod, timed).await?;
        let theirs = join_all(others.iter().map(|other| median(other, timed))).await;
        let theirs = theirs.into_iter().flatten().max()?;
        if soak::is_fast_enough(ours, theirs) {
            return None;
        }
        let message = format!(
            "{}: half of the answers take {ours:?} or more, and {theirs:?} by the other nameservers",
            pod.name
        );
        failure = Some(Failure { reason: Reason::Slow, message });
    }
    failure
}

/// Half of the answers of a pod take no longer.
async fn median(pod: &Target, questions: &[Question]) -> Option<Duration> {
    let replies = ask::all(pod.dns, Transport::Udp, questions).await;
    let mut times: Vec<Duration> = replies.iter().flatten().map(|(_, took)| *took).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// Watches pods for some time, asking each something every second, and compares what they counted with what the others
/// did.
pub async fn soak(
    snapshots: Snapshots,
    pods: Vec<Target>,
    others: Vec<Target>,
    how_long: Duration,
    most: usize,
) -> Result<(), Failure> {
    let begun = tokio::time::Instant::now();
    let mut watch = Watch::begin(count(&pods).await, count(&others).await);
    let mut unanswered = 0;
    while begun.elapsed() < how_long {
        tokio::time::sleep(LOOK.min(how_long - begun.elapsed().min(how_long))).await;
        // The snapshot is of each moment: what is published meanwhile must be answered too.
        let proven = prove_all(snapshots.clone(), pods.clone(), others.clone(), TIMED / 5, most).await;
        match proven.ok().and_then(|proven| proven.failure) {
            None => unanswered = 0,
            // One whose container has ended is silent for a moment: Kubernetes tells that, and how it ended.
            Some(failure) if failure.reason == Reason::NoAnswer && unanswered < SILENT => unanswered += 1,
            Some(failure) => return Err(failure),
        }
        watch.look(count(&pods).await, count(&others).await);
    }
    watch.end()
}

/// What each pod has counted. One that does not say counts for nothing: whether it answers is asked by itself.
async fn count(pods: &[Target]) -> Counts {
    join_all(pods.iter().map(|pod| async { soak::counted(pod.health).await.ok() })).await
}
