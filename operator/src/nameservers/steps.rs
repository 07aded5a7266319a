//! Carrying out a step: as a job, whose end is followed by another look.

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use kube::{Client, ResourceExt};
use port53_crds::{NameserverSet, NameserverSetStatus, RolloutFailure, parse_duration};
use port53_zone::{Name, Rtype, name};

use super::asking;
use super::objects::{self, Kind, Marks, Object, Place};
use super::plan::{Failure, Step};
use super::revision::{Form, Revision};
use super::seen::{LEAVING, Workload};
use super::{AGAIN, Controller, Ended, Stamp, writing};
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
    /// A form, for this attempt.
    Change { nameserver: String, attempt: String, revision: String },
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
                let what = What::Change {
                    nameserver: nameserver(place),
                    attempt: attempt.to_owned(),
                    revision: revision.name(),
                };
                let form = revision.of(&nameserver(place));
                self.apply(key, set, place, &form, &marks, Some(revision), what);
            }
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
                let failure = described(&workload, &nameserver(place), failure);
                self.apply_as_it_is(key, set, place, &marks, What::Failed(failure));
            }
            Step::PutBack(place, failure) => self.put_back(key, set, place, attempt, failure),
            Step::AskOthers(place) => {
                let others = self.other_targets(key, set, &nameserver(place), false);
                let snapshots = self.snapshots.clone();
                self.begin(key, async move { Ended::Others(asking::others_agree(snapshots, others).await) });
            }
            Step::Prove(place) => self.prove(key, set, &nameserver(place)),
            Step::Soak(place) => self.soak(key, set, &nameserver(place)),
            Step::Wait(_) | Step::Paused | Step::Stalled | Step::Done => {
                if !self.repair(key, set) && !self.let_leave(key, set) {
                    self.prune(key, &revision.name());
                }
            }
        }
    }

    fn begin(&mut self, key: &Key, job: impl Future<Output = Ended> + Send + 'static) {
        if let Some(state) = self.states.get_mut(key) {
            state.is_busy = true;
        }
        let key = key.clone();
        self.jobs.spawn(async move { (key, job.await) });
    }

    #[expect(clippy::too_many_arguments, reason = "each says another thing of what is applied")]
    fn apply(
        &mut self,
        key: &Key,
        set: &Arc<NameserverSet>,
        place: usize,
        form: &Form,
        marks: &Marks,
        keep: Option<&Revision>,
        what: What,
    ) {
        let nameserver = &set.spec.nameservers[place];
        let uid = set.uid().unwrap_or_default();
        let at = Place { set: key, uid: &uid, nameserver: &nameserver.name, hostname: &nameserver.hostname };
        let mut objects = Vec::new();
        objects.extend(keep.and_then(|revision| self.to_keep(key, &uid, revision)));
        objects.extend(objects::all(&at, set, form, marks));
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
            Some(form) => self.apply(key, set, place, &form, marks, None, what),
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
        failure: Failure,
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
        let described = described(&workload, &nameserver, failure);
        match self.form_of(key, set, &before) {
            Some(form) => self.apply(key, set, place, &form, &marks, None, What::Failed(described)),
            // Somebody deleted it. Then it stays as it is, and says so.
            None => {
                let marks = Marks { failed: Some(attempt.to_owned()), ..Marks::of(&workload) };
                let message = format!(
                    "{}; it cannot be put back: revision {} is not kept any more",
                    described.message, before.revision
                );
                self.apply_as_it_is(
                    key,
                    set,
                    place,
                    &marks,
                    What::Failed(RolloutFailure { message, ..described }),
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

    fn prove(&mut self, key: &Key, set: &Arc<NameserverSet>, nameserver: &str) {
        let Some(workload) = self.workload(key, nameserver) else { return };
        let pods = self.targets(key, nameserver);
        // Their addresses are told a moment after they are counted.
        if pods.len() < usize::try_from(workload.wanted).unwrap_or_default() {
            return;
        }
        let form = workload.form.clone();
        let others = self.other_targets(key, set, nameserver, true);
        let (sample, most) = (set.spec.rollout.sample as usize, set.spec.rollout.max_mismatches as usize);
        let (snapshots, nameserver) = (self.snapshots.clone(), nameserver.to_owned());
        self.begin(key, async move {
            let proven = asking::prove_all(snapshots, pods, others, sample, most).await;
            Ended::Proven { nameserver, form, proven }
        });
    }

    /// Begins to watch, beside whatever else is done.
    fn soak(&mut self, key: &Key, set: &Arc<NameserverSet>, nameserver: &str) {
        let pods = self.targets(key, nameserver);
        let others = self.other_targets(key, set, nameserver, false);
        let restarts = self.pods_of(key, nameserver).iter().map(|pod| pod.restarts).sum();
        let how_long = parse_duration(&set.spec.rollout.soak).unwrap_or_default();
        let snapshots = self.snapshots.clone();
        let Some(asked) = self.states.get_mut(key).and_then(|state| state.asked.get_mut(nameserver)) else {
            return;
        };
        if asked.soak.is_some() {
            return;
        }
        let (form, name, key) = (asked.form.clone(), nameserver.to_owned(), key.clone());
        let job = self.jobs.spawn(async move {
            let result = asking::soak(snapshots, pods, others, how_long).await;
            (key, Ended::Soaked { nameserver: name, form, result })
        });
        asked.soak = Some((restarts, job));
    }

    /// Applies again what somebody else has changed, or what the spec says otherwise beside the form. Says whether there
    /// was anything.
    fn repair(&mut self, key: &Key, set: &Arc<NameserverSet>) -> bool {
        let uid = set.uid().unwrap_or_default();
        for (place, nameserver) in set.spec.nameservers.iter().enumerate() {
            let Some(workload) = self.workload(key, &nameserver.name) else { continue };
            let Some(form) = self.form_of(key, set, workload) else { continue };
            let at =
                Place { set: key, uid: &uid, nameserver: &nameserver.name, hostname: &nameserver.hostname };
            let marks = Marks { leaving: None, ..Marks::of(workload) };
            let all = objects::all(&at, set, &form, &marks);
            if all.iter().any(|object| !self.is_as_applied(key, object)) {
                self.apply(key, set, place, &form, &marks, None, What::Upkeep);
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
            Kind::Deployment => self.deployments.get(&own).map(|workload| workload.generation.to_string()),
            Kind::DaemonSet => self.daemon_sets.get(&own).map(|workload| workload.generation.to_string()),
            Kind::Service => self.services.get(&own).map(|service| service.version.clone()),
            Kind::PodDisruptionBudget | Kind::ControllerRevision => Some(version.clone()),
        };
        *value == object.value && now.as_ref() == Some(version)
    }

    /// Lets nameservers go that are no longer in the spec, once nobody can be sent to them any more. Says whether there is
    /// one.
    fn let_leave(&mut self, key: &Key, set: &Arc<NameserverSet>) -> bool {
        let Some(workload) = self.leaving(key, set).into_iter().next().cloned() else { return false };
        let stays = set.spec.nameservers.iter().any(|nameserver| {
            self.workload(key, &nameserver.name).is_some_and(|workload| workload.verified.is_some())
        });
        if !stays {
            self.is_in_trouble(key, &format!(
                "{} is not in the spec any more and stays: no other nameserver was found to answer rightly yet, and \
                 the zones would have none",
                workload.nameserver
            ));
            return true;
        }
        let (client, namespace, snapshots) = (self.client.clone(), key.0.clone(), self.snapshots.clone());
        let name = objects::name(&key.1, &workload.nameserver);
        self.begin(key, async move {
            Ended::Removed(
                match workload.leaving {
                    None => {
                        writing::annotate(&client, &namespace, Kind::of(workload.kind), &name, LEAVING).await
                    }
                    Some(since) => match is_forgotten(&snapshots, &workload.hostname, since).await {
                        true => remove(&client, &namespace, Kind::of(workload.kind), &name).await,
                        false => Ok(()),
                    },
                }
                .map_err(|error| error.to_string()),
            )
        });
        true
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
        let (client, namespace) = (self.client.clone(), key.0.clone());
        self.begin(key, async move {
            let deleted = writing::delete(&client, &namespace, Kind::ControllerRevision, &oldest).await;
            Ended::Removed(deleted.map_err(|error| error.to_string()))
        });
    }

    fn is_in_trouble(&mut self, key: &Key, why: &str) {
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

fn described(workload: &Workload, nameserver: &str, failure: Failure) -> RolloutFailure {
    RolloutFailure {
        revision: workload.revision.clone(),
        nameserver: nameserver.to_owned(),
        reason: failure.reason.as_str().to_owned(),
        message: failure.message.chars().take(4096).collect(),
    }
}

/// Whether nobody can remember a nameserver from the zones any more: none names it, and the longest TTL of their NS has
/// passed since it left.
async fn is_forgotten(snapshots: &asking::Snapshots, hostname: &str, since: Timestamp) -> bool {
    let published = asking::published(snapshots).await;
    let (Ok(zones), Ok(hostname)) = (published, name::parse_absolute(hostname)) else { return false };
    let mut longest = 0;
    for zone in zones.iter() {
        let Some(ns) = zone.content.get(zone.content.apex(), Rtype::NS) else { continue };
        let names =
            |value: &port53_zone::Rdata| Name::from_octets(value.shared()).is_ok_and(|name| name == hostname);
        if ns.values().iter().any(names) {
            return false;
        }
        longest = longest.max(ns.ttl);
    }
    Timestamp::now().duration_since(since).as_secs() > i64::from(longest)
}

async fn remove(client: &Client, namespace: &str, kind: Kind, name: &str) -> Result<(), WriteError> {
    writing::delete(client, namespace, kind, name).await?;
    writing::delete(client, namespace, Kind::Service, name).await?;
    writing::delete(client, namespace, Kind::Service, &format!("{name}-tcp")).await?;
    writing::delete(client, namespace, Kind::PodDisruptionBudget, name).await
}
