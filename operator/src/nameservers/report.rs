//! The status of a set: what `kubectl get nsset` and `kubectl wait` are told. Pure.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use port53_crds::{
    ConditionType, NameserverPhase, NameserverSet, NameserverSetStatus, NameserverStatus, Reason,
    RolloutFailure, Status, condition, find_condition, set_condition,
};

use super::plan::{Member, Step};
use super::seen::{Service, Workload};

/// Of a message of one nameserver.
const LONGEST: usize = 1024;
/// Addresses of one nameserver.
const MOST_ADDRESSES: usize = 32;

/// What the world is told of the nameservers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Delegation {
    /// The addresses that they have.
    Matches,
    /// Others: which.
    Differs(String),
    /// That is not known: why.
    NotAsked(String),
}

/// What the status is made of.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The set.
    pub set: &'a NameserverSet,
    /// The revision that is to run.
    pub revision: &'a str,
    /// See [`super::plan::Wanted::attempt`].
    pub attempt: &'a str,
    /// Its nameservers.
    pub members: &'a [Member<'a>],
    /// Questions that each was asked last, and those that it answered rightly.
    pub counts: BTreeMap<&'a str, (usize, usize)>,
    /// The Services of the set.
    pub services: Vec<&'a Service>,
    /// Nameservers that are no longer in the spec.
    pub leaving: Vec<&'a Workload>,
    /// What is next.
    pub step: &'a Step,
    /// Why the last attempt did not pass.
    pub failure: Option<&'a RolloutFailure>,
    /// What the world is told of them, once that was asked.
    pub delegation: Option<&'a Delegation>,
    /// What could not be done.
    pub trouble: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

/// The status that a set is to have. `before` is the one that it has.
pub fn status(seen: &Seen<'_>, before: Option<&NameserverSetStatus>) -> NameserverSetStatus {
    let failure = seen.failure.or_else(|| before.and_then(|before| before.failure.as_ref()));
    // One that was about another attempt is past.
    let failure = failure.filter(|failure| seen.attempt.split('/').next() == Some(failure.revision.as_str()));
    let failure =
        failure.filter(|_| matches!(seen.step, Step::Stalled | Step::EndTrial(_)) || seen.is_putting_back());
    let updated = seen.members.iter().filter(|member| member.is_updated()).count();
    let mut conditions = before.map(|before| before.conditions.clone()).unwrap_or_default();
    for (type_, status, reason, message) in seen.conditions(failure).into_iter().chain([seen.delegated()]) {
        let generation = seen.set.metadata.generation.unwrap_or_default();
        set_condition(&mut conditions, condition(type_, status, reason, message, generation, seen.now));
    }
    let present = seen.members.iter().map(|member| seen.nameserver(member));
    let leaving = seen.leaving.iter().map(|workload| NameserverStatus {
        name: workload.nameserver.clone(),
        revision: some(&workload.revision),
        verified_revision: workload.verified_revision.clone(),
        phase: NameserverPhase::Leaving,
        ready: Some(format!("{}/{}", workload.ready, workload.wanted)),
        verified: None,
        addresses: seen.addresses(&workload.nameserver),
        message: Some(format!("{} leaves the zones first", workload.hostname)),
    });
    NameserverSetStatus {
        observed_generation: seen.set.metadata.generation.unwrap_or_default(),
        revision: Some(seen.revision.to_owned()),
        updated: Some(format!("{updated}/{}", seen.members.len())),
        nameservers: present.chain(leaving).collect(),
        failure: failure.cloned(),
        conditions,
    }
}

/// What a set waits for until it is rolled out, by its status; nothing when it is, as its newest spec says.
pub fn unfinished(set: &NameserverSet, status: Option<&NameserverSetStatus>) -> Option<String> {
    let status = status.filter(|status| Some(status.observed_generation) == set.metadata.generation);
    let Some(status) = status else { return Some("nobody has looked at its newest spec yet".to_owned()) };
    let of = |type_: ConditionType| {
        find_condition(&status.conditions, type_).filter(|condition| condition.status == "True")
    };
    let kept = of(ConditionType::Stalled).or_else(|| of(ConditionType::Reconciling))?;
    Some(format!("{}: {}", kept.reason, kept.message))
}

type Said = (ConditionType, Status, Reason, String);

impl Seen<'_> {
    fn is_putting_back(&self) -> bool {
        let phases = self.members.iter().map(|member| member.phase(self.attempt).0);
        phases.into_iter().any(|phase| phase == NameserverPhase::PuttingBack)
    }

    fn conditions(&self, failure: Option<&RolloutFailure>) -> [Said; 3] {
        let of = |status: [Status; 3], reason: Reason, message: String| {
            let types = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
            let mut said = types.into_iter().zip(status);
            let mut next = || {
                let (type_, status) = said.next().unwrap_or((ConditionType::Ready, Status::Unknown));
                (type_, status, reason, message.clone())
            };
            [next(), next(), next()]
        };
        let (yes, no) = (Status::True, Status::False);
        if let Some(trouble) = self.trouble {
            return of([no, yes, no], Reason::InvalidSpec, trouble.to_owned());
        }
        match self.step {
            Step::Done => {
                let count = self.members.len();
                let message = format!("revision {} runs on {count} of {count} nameservers", self.revision);
                of([yes, no, no], Reason::RolledOut, message)
            }
            Step::Paused => {
                let message =
                    "a person has paused the rollout: kubectl port53 rollout resume lets it go on".to_owned();
                of([no, no, no], Reason::Paused, message)
            }
            Step::Stalled => {
                let (reason, said) = match failure {
                    Some(failure) => (
                        Reason::ALL.iter().find(|reason| reason.as_str() == failure.reason).copied(),
                        format!(
                            "revision {} did not pass on {}: {}",
                            failure.revision, failure.nameserver, failure.message
                        ),
                    ),
                    None => (None, format!("revision {} did not pass", self.revision)),
                };
                let message = format!(
                    "{said}. Nothing more is changed until the spec is, or kubectl port53 rollout resume has it tried again"
                );
                of([no, no, yes], reason.unwrap_or(Reason::WrongAnswer), message)
            }
            // All run what they are to run, and some pod is away for now.
            Step::Wait(said) if self.members.iter().all(Member::is_updated) => {
                of([no, no, no], Reason::PodsNotReady, said.clone())
            }
            step => of([no, yes, no], Reason::RollingOut, self.progress(step)),
        }
    }

    fn delegated(&self) -> Said {
        let (status, reason, message) = match self.delegation {
            None => (Status::Unknown, Reason::Pending, "it was not asked yet".to_owned()),
            Some(Delegation::NotAsked(why)) => (Status::Unknown, Reason::NotAsked, why.clone()),
            Some(Delegation::Matches) => (
                Status::True,
                Reason::AddressesMatch,
                "the world is told of the addresses that the Services have".to_owned(),
            ),
            Some(Delegation::Differs(said)) => (Status::False, Reason::AddressesDiffer, said.clone()),
        };
        (ConditionType::Delegated, status, reason, message)
    }

    fn progress(&self, step: &Step) -> String {
        let name = |place: &usize| self.members.get(*place).map_or("", |member| member.name);
        match step {
            Step::Create(place) => format!("{} is created", name(place)),
            Step::AskOthers(place) => format!("the others are asked before {} is changed", name(place)),
            Step::Try(place) => format!("a trial of {} is begun", name(place)),
            Step::ProveTrial(place) => format!("the trial of {} is asked", name(place)),
            Step::EndTrial(place) => format!("the trial of {} is over", name(place)),
            Step::Change(place) => format!("{} is changed", name(place)),
            Step::Prove(place) => format!("{} is asked", name(place)),
            Step::Soak(place) => format!("{} answers rightly and is watched", name(place)),
            Step::Accept(place) => format!("{} has passed", name(place)),
            Step::PutBack(place, failure) | Step::Hold(place, failure) => {
                format!("{} did not pass: {}", name(place), failure.message)
            }
            Step::Forget(place) => format!("{} is to be tried again", name(place)),
            Step::Wait(said) => said.clone(),
            Step::Paused | Step::Stalled | Step::Done => String::new(),
        }
    }

    fn nameserver(&self, member: &Member<'_>) -> NameserverStatus {
        let (phase, message) = member.phase(self.attempt);
        let workload = member.workload();
        let counts = self.counts.get(member.name).filter(|(asked, _)| *asked > 0);
        NameserverStatus {
            name: member.name.to_owned(),
            revision: workload.and_then(|workload| some(&workload.revision)),
            verified_revision: workload.and_then(|workload| workload.verified_revision.clone()),
            phase,
            ready: workload.map(|workload| format!("{}/{}", workload.ready, workload.wanted)),
            verified: counts.map(|(asked, right)| format!("{right}/{asked}")),
            addresses: self.addresses(member.name),
            message: message.map(|message| message.chars().take(LONGEST).collect()),
        }
    }

    fn addresses(&self, nameserver: &str) -> Vec<String> {
        let of_nameserver = self.services.iter().filter(|service| service.nameserver == nameserver);
        let mut all: Vec<String> =
            of_nameserver.flat_map(|service| service.addresses.iter().cloned()).collect();
        all.sort();
        all.dedup();
        all.truncate(MOST_ADDRESSES);
        all
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
