//! Carrying out a step: as a job, whose end is followed by another look.

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use kube::{Client, ResourceExt};
use port53_crds::{NameserverSet, NameserverSetStatus, RolloutFailure, parse_duration};

use super::asking;
use super::objects::{self, Kind, Marks, Object, Place};
use super::plan::{Failure, Step};
use super::revision::{Form, Revision};
use super::seen::{Role, Workload};
use super::{AGAIN, Controller, Ended, Stamp, Watched, writing};
use crate::cluster::store::WriteError;
use crate::election::Fence;
use crate::index::Key;

/// How many revisions that nothing runs are kept.
const KEPT: usize = 10;

/// Objects that were applied, as far as that went.
pub(super) struct Applied {
    pub(super) what: What,
    pub(super) done: Vec<(Object, DynamicObject)>,
    pub(super) error: Option<WriteError>,
}

/// What objects were applied for.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A form, for this attempt; in a trial no client comes to it.
    Change { role: Role, nameserver: String, attempt: String, revision: String },
    /// To put a nameserver back, or leave it as it is, after it did not pass.
    Failed(RolloutFailure),
    /// That it passed.
    Passed { nameserver: String, revision: String },
    /// What is written down of it, or what others changed.
    Upkeep,
}

impl Controller {
    /// Begins to carry out a step.
    pub(super) fn carry_out(
        &mut self,
        key: &Key,
        set: &Arc<NameserverSet>,
        revision: &Arc<Revision>,
        attempt: &str,
        step: Step,
    ) {
        let nameserver = |place: usize| set.spec.nameservers[place].name.clone();
        let workload =
            |this: &Self, place: usize| this.workload(key, &nameserver(place)).cloned().unwrap_or_default();
        match step {
            Step::Create(place) | Step::Change(place) => {
                let before = workload(self, place);
                let marks = Marks {
                    revision: revision.name(),
                    failed: None,
                    changed: Timestamp::now().to_string(),
                    leaving: None,
                    ..Marks::of(&before)
                };
                self.change(key, set, place, revision, attempt, (Role::Serving, marks));
            }
            Step::Try(place) => {
                let marks = Marks {
                    revision: revision.name(),
                    changed: Timestamp::now().to_string(),
                    ..Marks::default()
                };
                self.change(key, set, place, revision, attempt, (Role::Trial, marks));
            }
            Step::EndTrial(place) => self.end_trial(key, &nameserver(place)),
            Step::Accept(place) => {
                let workload = workload(self, place);
                let verified = Some((workload.form.clone(), workload.revision.clone()));
                let marks = Marks { verified, failed: None, ..Marks::of(&workload) };
                let what =
                    What::Passed { nameserver: nameserver(place), revision: workload.revision.clone() };
                self.apply_as_it_is(key, set, place, &marks, what);
            }
            Step::Forget(place) => {
                let marks = Marks { failed: None, ..Marks::of(&workload(self, place)) };
                self.apply_as_it_is(key, set, place, &marks, What::Upkeep);
            }
            Step::Hold(place, failure) => {
                let workload = workload(self, place);
                let marks = Marks { failed: Some(attempt.to_owned()), ..Marks::of(&workload) };
                let failure = described(revision.name(), nameserver(place), failure);
                self.apply_as_it_is(key, set, place, &marks, What::Failed(failure));
            }
            Step::PutBack(place, failure) => {
                let failure = described(revision.name(), nameserver(place), failure);
                self.put_back(key, set, place, attempt, failure);
            }
            Step::AskOthers(place) => {
                let others = self.other_targets(key, set, &nameserver(place), false);
                let snapshots = self.snapshots.clone();
                self.begin(key, async move { Ended::Others(asking::others_agree(snapshots, others).await) });
            }
            Step::Prove(place) => self.prove(key, set, &nameserver(place), Role::Serving),
            Step::ProveTrial(place) => self.prove(key, set, &nameserver(place), Role::Trial),
            Step::Soak(place) => self.soak(key, set, &nameserver(place)),
            Step::Wait(_) | Step::Paused | Step::Stalled | Step::Done => {
                let is_at_work = self.repair(key, set)
                    || self.end_lost_trial(key, set)
                    || self.end_stray_service(key, set)
                    || self.stay(key, set)
                    || self.let_leave(key, set);
                if !is_at_work {
                    self.prune(key, &revision.name());
                }
            }
        }
    }

    pub(super) fn begin(&mut self, key: &Key, job: impl Future<Output = Ended> + Send + 'static) {
        if let Some(state) = self.states.get_mut(key) {
            state.is_busy = true;
        }
        let key = key.clone();
        self.jobs.spawn(async move { (key, job.await) });
    }

    /// Gives a nameserver, or its trial, the form of a revision, which is kept first.
    fn change(
        &mut self,
        key: &Key,
        set: &Arc<NameserverSet>,
        place: usize,
        revision: &Revision,
        attempt: &str,
        (role, marks): (Role, Marks),
    ) {
        let uid = set.uid().unwrap_or_default();
        let at = at(key, set, &uid, place, role);
        let mut objects = Vec::from_iter(self.to_keep(key, &uid, revision));
        objects.extend(objects::all(&at, set, &revision.of(at.nameserver), &marks));
        let what = What::Change {
            role,
            nameserver: at.nameserver.to_owned(),
            attempt: attempt.to_owned(),
            revision: revision.name(),
        };
        self.begin_to_apply(key, objects, what);
    }

    /// Applies what clients come to, in a form that is kept.
    fn apply(
        &mut self,
        key: &Key,
        set: &Arc<NameserverSet>,
        place: usize,
        form: &Form,
        marks: &Marks,
        what: What,
    ) {
        let uid = set.uid().unwrap_or_default();
        let at = at(key, set, &uid, place, Role::Serving);
        self.begin_to_apply(key, objects::all(&at, set, form, marks), what);
    }

    fn begin_to_apply(&mut self, key: &Key, objects: Vec<Object>, what: What) {
        let (client, namespace, fence) = (self.client.clone(), key.0.clone(), self.fence.clone());
        self.begin(key, async move {
            Ended::Applied(apply_all(&client, &namespace, objects, what, &fence).await)
        });
    }

    /// Applies the objects of a nameserver in the form that it has.
    fn apply_as_it_is(
        &mut self,
        key: &Key,
        set: &Arc<NameserverSet>,
        place: usize,
        marks: &Marks,
        what: What,
    ) {
        let nameserver = &set.spec.nameservers[place].name;
        let form = self.workload(key, nameserver).and_then(|workload| self.form_of(key, set, workload));
        match form {
            Some(form) => self.apply(key, set, place, &form, marks, what),
            None => self.is_in_trouble(key, &format!(
                "the revision that {nameserver} runs is not kept any more, so nothing of it can be written down: change \
                 spec.template, which makes another"
            )),
        }
    }

    /// The form that a workload has, from the spec or from what is kept.
    fn form_of(&self, key: &Key, set: &NameserverSet, workload: &Workload) -> Option<Form> {
        let of_spec = Revision::of_spec(&set.spec);
        let kept =
            self.revisions.iter().filter(|(_, kept)| kept.set == key.1).map(|(_, kept)| &kept.revision);
        let mut forms =
            std::iter::once(&of_spec).chain(kept).map(|revision| revision.of(&workload.nameserver));
        forms.find(|form| form.name() == workload.form)
    }

    fn put_back(
        &mut self,
        key: &Key,
        set: &Arc<NameserverSet>,
        place: usize,
        attempt: &str,
        failure: RolloutFailure,
    ) {
        let nameserver = set.spec.nameservers[place].name.clone();
        let Some(workload) = self.workload(key, &nameserver).cloned() else { return };
        let before = Workload {
            form: workload.verified.clone().unwrap_or_default(),
            revision: workload.verified_revision.clone().unwrap_or_default(),
            ..workload.clone()
        };
        let marks = Marks {
            failed: Some(attempt.to_owned()),
            changed: Timestamp::now().to_string(),
            ..Marks::of(&before)
        };
        match self.form_of(key, set, &before) {
            Some(form) => self.apply(key, set, place, &form, &marks, What::Failed(failure)),
            // Somebody deleted it. Then it stays as it is, and says so.
            None => {
                let marks = Marks { failed: Some(attempt.to_owned()), ..Marks::of(&workload) };
                let message = format!(
                    "{}; it cannot be put back: revision {} is not kept any more",
                    failure.message, before.revision
                );
                self.apply_as_it_is(
                    key,
                    set,
                    place,
                    &marks,
                    What::Failed(RolloutFailure { message, ..failure }),
                );
            }
        }
    }

    /// The revision as it is to be kept, unless it is there and the newest.
    fn to_keep(&self, key: &Key, uid: &str, revision: &Revision) -> Option<Object> {
        let name = revision.name();
        let kept = || self.revisions.iter().filter(|(_, kept)| kept.set == key.1).map(|(_, kept)| kept);
        let newest = kept().map(|kept| kept.number).max().unwrap_or_default();
        match kept().find(|kept| kept.revision.name() == name) {
            Some(kept) if kept.number == newest => None,
            _ => Some(objects::kept(key, uid, revision, newest + 1)),
        }
    }

    fn prove(&mut self, key: &Key, set: &Arc<NameserverSet>, nameserver: &str, role: Role) {
        let Some(workload) = self.workload_of(key, nameserver, role) else { return };
        let pods = self.targets(key, nameserver, role);
        // Their addresses are told a moment after they are counted.
        if pods.len() < usize::try_from(workload.wanted).unwrap_or_default() {
            return;
        }
        let form = workload.form.clone();
        let others = self.other_targets(key, set, nameserver, true);
        let (sample, most) = (set.spec.rollout.sample as usize, set.spec.rollout.max_mismatches as usize);
        let (snapshots, whose) = (self.snapshots.clone(), (nameserver.to_owned(), role));
        self.begin(key, async move {
            let proven = asking::prove_all(snapshots, pods, others, sample, most).await;
            Ended::Proven { whose, form, proven }
        });
    }

    /// Begins to watch, beside whatever else is done.
    fn soak(&mut self, key: &Key, set: &Arc<NameserverSet>, nameserver: &str) {
        let pods = self.targets(key, nameserver, Role::Serving);
        let others = self.other_targets(key, set, nameserver, false);
        let Some(run) = self.run_of(key, nameserver, Role::Serving) else { return };
        let restarts = run.current_pods().map(|pod| pod.restarts).sum();
        let names = run.current_pods().map(|pod| pod.name.clone()).collect();
        let how_long = parse_duration(&set.spec.rollout.soak).unwrap_or_default();
        let most = set.spec.rollout.max_mismatches as usize;
        let snapshots = self.snapshots.clone();
        let whose = (nameserver.to_owned(), Role::Serving);
        let Some(asked) = self.states.get_mut(key).and_then(|state| state.asked.get_mut(&whose)) else {
            return;
        };
        if asked.soak.is_some() {
            return;
        }
        let (form, key) = (asked.form.clone(), key.clone());
        let job = self.jobs.spawn(async move {
            let result = asking::soak(snapshots, pods, others, how_long, most).await;
            (key, Ended::Soaked { whose, form, result })
        });
        asked.soak = Some(Watched { restarts, pods: names, job });
    }

    /// Applies again what somebody else has changed, or what the spec says otherwise beside the form. Says whether there
    /// was anything. A newer operator may make other pods of the same form: of one nameserver after the other.
    fn repair(&mut self, key: &Key, set: &Arc<NameserverSet>) -> bool {
        let uid = set.uid().unwrap_or_default();
        for (place, nameserver) in set.spec.nameservers.iter().enumerate() {
            let Some(workload) = self.workload(key, &nameserver.name) else { continue };
            let Some(form) = self.form_of(key, set, workload) else { continue };
            let waits = self.workloads(key).any(|other| {
                other.role == Role::Serving && other.nameserver != nameserver.name && other.missing.is_some()
            });
            let at = at(key, set, &uid, place, Role::Serving);
            let marks = Marks { leaving: None, ..Marks::of(workload) };
            let mut all = objects::all(&at, set, &form, &marks);
            all.retain(|object| {
                let is_workload = matches!(object.kind, Kind::Deployment | Kind::DaemonSet);
                !(self.is_as_applied(key, object) || is_workload && waits)
            });
            if !all.is_empty() {
                self.begin_to_apply(key, all, What::Upkeep);
                return true;
            }
        }
        false
    }

    fn is_as_applied(&self, key: &Key, object: &Object) -> bool {
        let applied =
            self.states.get(key).and_then(|state| state.applied.get(&(object.kind, object.name.clone())));
        let Some(Stamp { value, version }) = applied else { return false };
        let own = (key.0.clone(), object.name.clone());
        let now = match object.kind {
            Kind::Deployment => self.deployments.get(&own).map(|workload| workload.version.clone()),
            Kind::DaemonSet => self.daemon_sets.get(&own).map(|workload| workload.version.clone()),
            Kind::Service => self.services.get(&own).map(|service| service.version.clone()),
            Kind::PodDisruptionBudget if self.budgets.is_whole() => {
                self.budgets.get(&own).map(|budget| budget.version.clone())
            }
            // Who may not list them does without.
            Kind::PodDisruptionBudget | Kind::ControllerRevision => Some(version.clone()),
        };
        *value == object.value && now.as_ref() == Some(version)
    }

    /// Deletes the oldest revisions that nothing runs and nothing is put back to.
    fn prune(&mut self, key: &Key, wanted: &str) {
        let is_needed = |name: &String| {
            let mut workloads = self.workloads(key);
            name == wanted
                || workloads.any(|it| it.revision == *name || it.verified_revision.as_ref() == Some(name))
        };
        let of_set = self.revisions.iter().filter(|(_, kept)| kept.set == key.1);
        let mut spare: Vec<(i64, String)> = of_set
            .filter(|(_, kept)| !is_needed(&kept.revision.name()))
            .map(|((_, name), kept)| (kept.number, name.clone()))
            .collect();
        spare.sort();
        if spare.len() <= KEPT {
            return;
        }
        let (_, oldest) = spare.swap_remove(0);
        self.begin_to_delete(key, Kind::ControllerRevision, oldest);
    }

    pub(super) fn is_in_trouble(&mut self, key: &Key, why: &str) {
        if let Some(state) = self.states.get_mut(key) {
            if state.trouble.as_deref() != Some(why) {
                tracing::warn!(set = key.1, "{why}");
            }
            state.trouble = Some(why.to_owned());
            state.not_before = Some(Instant::now() + AGAIN);
        }
    }

    /// Writes a status that is not there yet.
    pub(super) fn report(&mut self, key: &Key, set: &Arc<NameserverSet>, status: NameserverSetStatus) {
        let is_there = self.sets.status(key) == Some(&status);
        let Some(state) = self.states.get_mut(key) else { return };
        if is_there || state.is_writing {
            return;
        }
        state.is_writing = true;
        let (client, key, uid) = (self.client.clone(), key.clone(), set.uid());
        self.jobs.spawn(async move {
            let written = writing::write_status(&client, &key, uid.as_deref(), &status).await;
            let written = written.map(|()| Box::new(status)).map_err(|error| error.to_string());
            (key, Ended::Reported(written))
        });
    }
}

async fn apply_all(
    client: &Client,
    namespace: &str,
    objects: Vec<Object>,
    what: What,
    fence: &Fence,
) -> Applied {
    let mut done = Vec::new();
    for object in objects {
        // It is not written over a version: who was stopped in the middle must not go on with what is past.
        if fence.is_closed() {
            let error = WriteError::Unsure("another operator works".to_owned());
            return Applied { what, done, error: Some(error) };
        }
        match writing::apply(client, namespace, &object).await {
            Ok(now) => done.push((object, now)),
            Err(error) => return Applied { what, done, error: Some(error) },
        }
    }
    Applied { what, done, error: None }
}

fn at<'a>(key: &'a Key, set: &'a NameserverSet, uid: &'a str, place: usize, role: Role) -> Place<'a> {
    let nameserver = &set.spec.nameservers[place];
    Place { set: key, uid, nameserver: &nameserver.name, hostname: &nameserver.hostname, role }
}

fn described(revision: String, nameserver: String, failure: Failure) -> RolloutFailure {
    RolloutFailure {
        revision,
        nameserver,
        reason: failure.reason.as_str().to_owned(),
        message: failure.message.chars().take(4096).collect(),
    }
}
