//! What is known of a set, gathered for a look at it from what was told.

use std::time::Duration;

use kube::ResourceExt;
use port53_crds::{
    Nameserver, NameserverSet, PAUSE_ANNOTATION, PIN_ANNOTATION, RETRY_ANNOTATION, WorkloadKind,
    parse_duration,
};

use super::asking::Target;
use super::delegation::told;
use super::plan::{Member, Run, Wanted};
use super::revision::Revision;
use super::seen::{Pod, Role, Service, Workload};
use super::{Controller, Ended, Outside};
use crate::index::Key;

/// How often it is asked what the world is told.
const ASK_AROUND: Duration = Duration::from_secs(300);

impl Controller {
    /// The revision that is to run: that of the spec, or the one that a person has pinned.
    pub(super) fn revision_of(&self, key: &Key, set: &NameserverSet) -> (Revision, Option<String>) {
        let of_spec = Revision::of_spec(&set.spec);
        let Some(pinned) = set.annotations().get(PIN_ANNOTATION) else { return (of_spec, None) };
        let mut kept = self.revisions.iter().filter(|(_, kept)| kept.set == key.1);
        match kept.find(|(_, kept)| kept.revision.name() == *pinned) {
            Some((_, kept)) => (kept.revision.clone(), None),
            None => {
                let trouble = format!(
                    "{PIN_ANNOTATION} says {pinned}, and no revision of that name is kept: kubectl get \
                     controllerrevisions -n {} shows those that are",
                    key.0
                );
                (of_spec, Some(trouble))
            }
        }
    }

    pub(super) fn wanted(&self, set: &NameserverSet, revision: &str) -> Wanted {
        let annotation = |name: &str| set.annotations().get(name).map(String::as_str);
        let attempt = match annotation(RETRY_ANNOTATION) {
            Some(again) => format!("{revision}/{again}"),
            None => revision.to_owned(),
        };
        let rollout = &set.spec.rollout;
        Wanted {
            attempt,
            is_paused: annotation(PAUSE_ANNOTATION) == Some("true"),
            // The schema takes nothing else.
            deadline: parse_duration(&rollout.deadline).unwrap_or(Duration::from_secs(600)),
            on_failure: rollout.on_failure,
            may_be_unavailable: rollout.max_unavailable_nameservers as usize,
        }
    }

    pub(super) fn members<'a>(
        &'a self,
        key: &Key,
        set: &'a NameserverSet,
        forms: &'a [String],
    ) -> Vec<Member<'a>> {
        let one = |(nameserver, form): (&'a port53_crds::Nameserver, &'a String)| {
            let serving = self.run_of(key, &nameserver.name, Role::Serving);
            let is_deployment = |run: &Run<'_>| run.workload.kind == WorkloadKind::Deployment;
            Member {
                name: &nameserver.name,
                form,
                has_trials: set.spec.workload == WorkloadKind::Deployment
                    && serving.as_ref().is_some_and(is_deployment)
                    && !takes_ports_of_nodes(&set.spec.template),
                serving,
                trial: self.run_of(key, &nameserver.name, Role::Trial),
            }
        };
        set.spec.nameservers.iter().zip(forms).map(one).collect()
    }

    pub(super) fn run_of(&self, key: &Key, nameserver: &str, role: Role) -> Option<Run<'_>> {
        let workload = self.workload_of(key, nameserver, role)?;
        let asked = self.states.get(key).and_then(|state| state.asked.get(&(nameserver.to_owned(), role)));
        let asked = asked.filter(|asked| workload.form == asked.form);
        Some(Run {
            workload,
            pods: self.pods_of(key, nameserver, role),
            evidence: asked.map(|asked| asked.evidence.clone()).unwrap_or_default(),
        })
    }

    pub(super) fn workloads(&self, key: &Key) -> impl Iterator<Item = &Workload> {
        let all = self.deployments.iter().chain(self.daemon_sets.iter());
        let of_set = all.filter(|((namespace, _), workload)| *namespace == key.0 && workload.set == key.1);
        of_set.map(|(_, workload)| workload.as_ref())
    }

    /// The workload of a nameserver that clients reach.
    pub(super) fn workload(&self, key: &Key, nameserver: &str) -> Option<&Workload> {
        self.workload_of(key, nameserver, Role::Serving)
    }

    pub(super) fn workload_of(&self, key: &Key, nameserver: &str, role: Role) -> Option<&Workload> {
        self.workloads(key).find(|workload| workload.nameserver == nameserver && workload.role == role)
    }

    pub(super) fn pods_of(&self, key: &Key, nameserver: &str, role: Role) -> Vec<&Pod> {
        let of_set = self.pods.iter().filter(|((namespace, _), pod)| *namespace == key.0 && pod.set == key.1);
        let all = of_set.map(|(_, pod)| pod.as_ref());
        all.filter(|pod| pod.nameserver == nameserver && pod.role == role).collect()
    }

    /// The pods of a nameserver, or of its trial, that have the form that it is to have.
    pub(super) fn targets(&self, key: &Key, nameserver: &str, role: Role) -> Vec<Target> {
        let Some(run) = self.run_of(key, nameserver, role) else { return Vec::new() };
        run.current_pods().filter_map(Target::of).collect()
    }

    /// The ready pods of the other nameservers, all of them or one of each.
    pub(super) fn other_targets(
        &self,
        key: &Key,
        set: &NameserverSet,
        nameserver: &str,
        one_of_each: bool,
    ) -> Vec<Target> {
        let others = set.spec.nameservers.iter().filter(|other| other.name != nameserver);
        let verified = others.filter(|other| {
            self.workload(key, &other.name)
                .is_some_and(|workload| workload.verified.as_ref() == Some(&workload.form))
        });
        let targets = verified.flat_map(|other| {
            let pods = self.pods_of(key, &other.name, Role::Serving).into_iter();
            let pods = pods.filter(|pod| pod.is_ready && !pod.is_leaving);
            pods.filter_map(Target::of).take(if one_of_each { 1 } else { usize::MAX })
        });
        targets.collect()
    }

    /// Asks what the world is told of the nameservers that are reached from outside: now and then, and when their
    /// addresses change.
    pub(super) fn ask_around(&mut self, key: &Key, set: &NameserverSet) {
        let outside = self.outside(key, set);
        let Some(state) = self.states.get_mut(key) else { return };
        let is_known = state
            .delegation
            .as_ref()
            .is_some_and(|(_, when, of)| *of == outside && when.elapsed() < ASK_AROUND);
        if is_known || state.is_asking_around {
            return;
        }
        state.is_asking_around = true;
        let key = key.clone();
        self.jobs.spawn(async move {
            let told = told(&outside).await;
            (key, Ended::AskedAround(told, outside))
        });
    }

    fn outside(&self, key: &Key, set: &NameserverSet) -> Outside {
        let of = |nameserver: &Nameserver| {
            let own = self.services.iter().filter(|((namespace, _), service)| {
                *namespace == key.0 && service.set == key.1 && service.nameserver == nameserver.name
            });
            let own: Vec<&Service> = own.map(|(_, service)| service.as_ref()).collect();
            let addresses = own.iter().filter(|service| service.is_outside);
            let addresses = addresses.flat_map(|service| service.addresses.iter().cloned()).collect();
            let is_to_have_some = own.iter().any(|service| service.is_balanced);
            is_to_have_some.then(|| (nameserver.hostname.clone(), addresses))
        };
        set.spec.nameservers.iter().filter_map(of).collect()
    }
}

/// Whether pods of a template are reached by ports of their nodes: a second one would have no place, or be reached.
fn takes_ports_of_nodes(template: &serde_json::Value) -> bool {
    let containers = template["spec"]["containers"].as_array().into_iter().flatten();
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    template["spec"]["hostNetwork"] == true || ports.any(|port| port.get("hostPort").is_some())
}
