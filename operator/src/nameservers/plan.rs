//! What is next for a set: one step at a time, decided from what was seen and nothing else. Pure.
//!
//! A change goes to one nameserver. First one pod runs it beside those that clients reach (a trial): what answers wrongly
//! there was never asked by anybody. Then its pods are replaced, waited for, asked, and watched for a while; then it is
//! accepted, and the next has its turn. A nameserver that does not pass is put back to what it was found right with, and
//! nothing more is changed until somebody changes the spec or says that it is to be tried again. What is known of all
//! this stands on the workloads: an operator that is killed at any point finds there how far it was; at worst it asks
//! once more.
//!
//! | of a workload | means |
//! |---|---|
//! | form is not the wanted one | it waits for its turn |
//! | form is not the verified one | it is the one whose turn it is |
//! | form is the verified and the wanted one | it is done |
//! | failed is this attempt | nothing is changed any more |
//!
//! The form that is wanted can change at any moment. The nameserver whose turn it is gets the new one at once: it was
//! not proven, so nothing is lost by it, and at no time are two on their way.
//!
//! A nameserver of which no pod is ready is changed first, whatever the others do: else a set that is broken as a whole
//! could never be mended.
//!
//! A nameserver that is not there yet is created whatever else goes on: nobody asks it before it is in the zones.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use port53_crds::{NameserverPhase, OnFailure, Reason};

use super::seen::{Pod, Trouble, Workload};

/// What a set wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is tried: the revision, and what a person said to have it tried again.
    pub attempt: String,
    /// Whether a person has stopped it for a while.
    pub is_paused: bool,
    /// How long the pods of a nameserver may take.
    pub deadline: Duration,
    /// What becomes of a nameserver that does not pass.
    pub on_failure: OnFailure,
    /// How many others may be unavailable when one is changed.
    pub may_be_unavailable: usize,
}

/// A nameserver: what it is to be, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// The form that it is to have.
    pub form: &'a str,
    /// What clients reach, if there is such.
    pub serving: Option<Run<'a>>,
    /// What is tried beside it.
    pub trial: Option<Run<'a>>,
    /// Whether a change of it is to be tried first. What takes ports of its node has no place beside it.
    pub has_trials: bool,
}

/// A workload and its pods.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// Its pods.
    pub pods: Vec<&'a Pod>,
    /// What came of asking the pods of the form that the workload has.
    pub evidence: Evidence,
}

/// What is known of the answers of the pods of a form.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Evidence {
    /// Nothing yet.
    #[default]
    None,
    /// They answered rightly.
    Right,
    /// They did so, and stayed as good as the others for as long as they were watched.
    Soaked,
    /// They did not.
    Failed(Failure),
}

/// Why a nameserver does not pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// In one word.
    pub reason: Reason,
    /// For a person.
    pub message: String,
}

/// Whether the nameservers that are not changed answer for all zones, with the serials that are published.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Others {
    /// They were not asked, or too long ago.
    #[default]
    Unknown,
    /// They do.
    Agree,
    /// They do not: who says what.
    Disagree(String),
}

/// What is next. Members are meant by their places.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Its objects are to be made.
    Create(usize),
    /// The others are to be asked, before it is changed.
    AskOthers(usize),
    /// One pod is to run the form that is wanted, beside those that clients reach.
    Try(usize),
    /// That pod is to be asked.
    ProveTrial(usize),
    /// That pod is to go.
    EndTrial(usize),
    /// Its objects are to have the form that is wanted.
    Change(usize),
    /// Its pods are to be asked.
    Prove(usize),
    /// Its pods are to be watched.
    Soak(usize),
    /// It passed, which is to be written down.
    Accept(usize),
    /// It did not pass, and is to be put back to the form that was verified.
    PutBack(usize, Failure),
    /// It did not pass, and stays as it is.
    Hold(usize, Failure),
    /// That another attempt failed on it is to be forgotten.
    Forget(usize),
    /// Something is waited for.
    Wait(String),
    /// A person is waited for.
    Paused,
    /// An attempt failed: nothing more is done by itself.
    Stalled,
    /// All is as it is to be.
    Done,
}

/// What is next for the set.
pub fn next(wanted: &Wanted, members: &[Member<'_>], others: &Others, now: Timestamp) -> Step {
    let has_failed = |member: &Member<'_>| member.failed() == Some(&wanted.attempt);
    let is_stalled = members.iter().any(has_failed);
    if wanted.is_paused {
        return Step::Paused;
    }
    if let Some(missing) = members.iter().position(|member| member.serving.is_none())
        && !is_stalled
    {
        return Step::Create(missing);
    }
    // One that did not pass stays where a person is to look at it.
    let keeps = |member: &Member<'_>| has_failed(member) && wanted.on_failure == OnFailure::Pause;
    let is_past = |member: &Member<'_>| !member.is_outdated() || is_stalled && !keeps(member);
    if let Some(place) = members.iter().position(|member| member.trial.is_some() && is_past(member)) {
        return Step::EndTrial(place);
    }
    if let Some(place) = members.iter().position(Member::is_unproven) {
        return of_unproven(wanted, members, place, now);
    }
    let returning = members.iter().find(|member| has_failed(member) && member.missing().is_some());
    if let Some(member) = returning {
        let missing = member.missing().unwrap_or_default();
        return Step::Wait(format!("{} is put back: {missing}", member.name));
    }
    if is_stalled {
        return Step::Stalled;
    }
    if let Some(place) = members.iter().position(|member| member.failed().is_some()) {
        return Step::Forget(place);
    }
    // One that nobody is answered by comes first, and waits for nobody: changing it takes nothing away.
    let down = members.iter().position(|member| member.is_outdated() && member.is_down());
    let Some(place) = down.or_else(|| members.iter().position(Member::is_outdated)) else {
        let unready = members.iter().find_map(|member| Some((member, member.missing()?)));
        return match unready {
            Some((member, missing)) => Step::Wait(format!("{}: {missing}", member.name)),
            None => Step::Done,
        };
    };
    if down.is_some() {
        return of_trial(wanted, &members[place], place, now);
    }
    let unavailable: Vec<String> = (0..)
        .zip(members)
        .filter(|(other, _)| *other != place)
        .filter_map(|(_, member)| member.missing().map(|missing| format!("{}: {missing}", member.name)))
        .collect();
    if unavailable.len() > wanted.may_be_unavailable {
        let name = members[place].name;
        return Step::Wait(format!(
            "{name} is changed once the others are available; {}",
            unavailable.join("; ")
        ));
    }
    match others {
        Others::Unknown => Step::AskOthers(place),
        Others::Agree => of_trial(wanted, &members[place], place, now),
        Others::Disagree(said) => Step::Wait(format!(
            "{} is changed once the others answer what is published; {said}",
            members[place].name
        )),
    }
}

/// What is next for the nameserver whose turn it is.
fn of_unproven(wanted: &Wanted, members: &[Member<'_>], place: usize, now: Timestamp) -> Step {
    let member = &members[place];
    let Some(serving) = &member.serving else { return Step::Create(place) };
    if member.is_outdated() {
        return match serving.workload.verified.as_deref() == Some(member.form) {
            true => Step::Change(place),
            false => of_trial(wanted, member, place, now),
        };
    }
    if member.failed() == Some(&wanted.attempt) {
        return Step::Stalled;
    }
    match serving.standing(wanted, member.name, now) {
        Standing::Waits(why) => Step::Wait(why),
        Standing::Fails(failure) => fails(wanted, member, place, failure),
        Standing::Unasked => Step::Prove(place),
        // Where nothing was ever verified nobody is asked yet, and there is nobody to compare with.
        Standing::Right if members.iter().all(|member| !member.was_verified()) => Step::Accept(place),
        Standing::Right => Step::Soak(place),
        Standing::Soaked => Step::Accept(place),
    }
}

/// What is next before a nameserver is changed: what it is to run is tried where no client comes.
fn of_trial(wanted: &Wanted, member: &Member<'_>, place: usize, now: Timestamp) -> Step {
    if !member.has_trials || !member.was_verified() {
        return Step::Change(place);
    }
    let trial = member.trial.as_ref().filter(|trial| trial.workload.form == member.form);
    let Some(trial) = trial else { return Step::Try(place) };
    match trial.standing(wanted, &format!("{} (trial)", member.name), now) {
        Standing::Waits(why) => Step::Wait(why),
        Standing::Fails(failure) => fails(wanted, member, place, failure),
        Standing::Unasked => Step::ProveTrial(place),
        Standing::Right | Standing::Soaked => Step::Change(place),
    }
}

/// What becomes of a nameserver on which an attempt did not pass.
fn fails(wanted: &Wanted, member: &Member<'_>, place: usize, failure: Failure) -> Step {
    match wanted.on_failure {
        OnFailure::Rollback if member.was_verified() && member.is_unproven() => Step::PutBack(place, failure),
        // It runs what was verified, or there is nothing to put it back to, or a person is to look at it.
        OnFailure::Rollback | OnFailure::Pause => Step::Hold(place, failure),
    }
}

/// How far a workload is with its form.
enum Standing {
    /// Its pods are not all there.
    Waits(String),
    /// It does not pass.
    Fails(Failure),
    /// Its pods are to be asked.
    Unasked,
    /// See [`Evidence`].
    Right,
    /// See [`Evidence`].
    Soaked,
}

impl Run<'_> {
    fn standing(&self, wanted: &Wanted, name: &str, now: Timestamp) -> Standing {
        if let Some(failure) = self.trouble() {
            return Standing::Fails(failure);
        }
        if let Some(missing) = &self.workload.missing {
            let since = self.workload.changed;
            let waited = since.map(|since| now.duration_since(since).unsigned_abs()).unwrap_or_default();
            if waited < wanted.deadline {
                return Standing::Waits(format!("{name}: {missing}"));
            }
            let why = self.unscheduled().map(|why| format!(" ({why})")).unwrap_or_default();
            let message = format!("{missing} after {} s{why}", waited.as_secs());
            return Standing::Fails(Failure { reason: Reason::DeadlineExceeded, message });
        }
        match &self.evidence {
            Evidence::None => Standing::Unasked,
            Evidence::Right => Standing::Right,
            Evidence::Soaked => Standing::Soaked,
            Evidence::Failed(failure) => Standing::Fails(failure.clone()),
        }
    }

    /// Pods of the form that the workload has.
    pub fn current_pods(&self) -> impl Iterator<Item = &Pod> {
        let form = &self.workload.form;
        self.pods.iter().copied().filter(move |pod| pod.form == *form && !pod.is_leaving)
    }

    /// Why its pods will not come, however long they are waited for.
    fn trouble(&self) -> Option<Failure> {
        self.current_pods().find_map(|pod| {
            let (reason, said) = match pod.trouble.as_ref()? {
                Trouble::Image(said) => (Reason::ImageNotPulled, said),
                Trouble::Crash(said) => (Reason::CrashLoop, said),
                Trouble::Unscheduled(_) => return None,
            };
            Some(Failure { reason, message: format!("pod {}: {said}", pod.name) })
        })
    }

    /// Why no node takes one of its pods.
    fn unscheduled(&self) -> Option<String> {
        self.current_pods().find_map(|pod| match pod.trouble.as_ref()? {
            Trouble::Unscheduled(said) => Some(format!("pod {}: {said}", pod.name)),
            Trouble::Image(_) | Trouble::Crash(_) => None,
        })
    }
}

impl<'a> Member<'a> {
    /// The workload that clients reach.
    pub fn workload(&self) -> Option<&'a Workload> {
        self.serving.as_ref().map(|run| run.workload)
    }

    /// Whether its form was not found to answer rightly yet.
    fn is_unproven(&self) -> bool {
        self.workload().is_some_and(|workload| workload.verified.as_ref() != Some(&workload.form))
    }

    /// Whether it has another form than it is to have.
    fn is_outdated(&self) -> bool {
        self.workload().is_some_and(|workload| workload.form != self.form)
    }

    /// Whether any form of it was found to answer rightly.
    fn was_verified(&self) -> bool {
        self.workload().is_some_and(|workload| workload.verified.is_some())
    }

    /// The attempt that failed on it.
    fn failed(&self) -> Option<&'a String> {
        self.workload().and_then(|workload| workload.failed.as_ref())
    }

    /// Whether none of its pods is ready.
    fn is_down(&self) -> bool {
        self.workload().is_some_and(|workload| workload.ready == 0)
    }

    /// What its pods lack.
    fn missing(&self) -> Option<&'a str> {
        self.workload().and_then(|workload| workload.missing.as_deref())
    }

    /// Whether it is done.
    pub fn is_updated(&self) -> bool {
        self.serving.is_some() && !self.is_unproven() && !self.is_outdated()
    }

    /// How far it is, and what it waits for.
    pub fn phase(&self, attempt: &str) -> (NameserverPhase, Option<String>) {
        let Some(serving) = &self.serving else {
            return (NameserverPhase::Outdated, Some("is to be created".to_owned()));
        };
        let missing = serving.workload.missing.clone();
        if serving.workload.failed.as_deref() == Some(attempt) {
            return match (self.is_outdated(), &missing) {
                (true, Some(_)) => (NameserverPhase::PuttingBack, missing),
                _ => (NameserverPhase::Failed, missing),
            };
        }
        if let Some(trial) = self.trial.as_ref().filter(|_| self.is_outdated()) {
            return (NameserverPhase::Trying, trial.workload.missing.clone());
        }
        match (self.is_unproven(), self.is_outdated(), &serving.evidence) {
            (_, true, _) => (NameserverPhase::Outdated, missing),
            (false, false, _) => (NameserverPhase::Updated, missing),
            (true, false, _) if missing.is_some() => (NameserverPhase::Updating, missing),
            (true, false, Evidence::Failed(failure)) => {
                (NameserverPhase::Failed, Some(failure.message.clone()))
            }
            (true, false, Evidence::None) => (NameserverPhase::Verifying, None),
            (true, false, Evidence::Right | Evidence::Soaked) => (NameserverPhase::Soaking, None),
        }
    }
}

#[cfg(test)]
mod tests;
