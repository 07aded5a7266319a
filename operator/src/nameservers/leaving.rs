//! What is to go: nameservers that are no longer in the spec, once nobody can be sent to them any more, and trials that
//! are over.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use port53_crds::{Nameserver, NameserverSet, Protocols};
use port53_zone::{Name, Rdata, Rtype, name};
use serde_json::json;

use super::objects::{self, Kind};
use super::seen::{LEAVING, LEAVING_TTL, Role, Workload};
use super::{Controller, Ended, asking, services, writing};
use crate::cluster::store::WriteError;
use crate::index::Key;

impl Controller {
    /// Nameservers that are no longer in the spec.
    pub(super) fn leaving(&self, key: &Key, set: &NameserverSet) -> Vec<&Workload> {
        let is_wanted = |name: &str| set.spec.nameservers.iter().any(|nameserver| nameserver.name == name);
        let serving = self.workloads(key).filter(|workload| workload.role == Role::Serving);
        serving.filter(|workload| !is_wanted(&workload.nameserver)).collect()
    }

    /// Lets nameservers go that are no longer in the spec, once nobody can be sent to them any more. Says whether there is
    /// one.
    pub(super) fn let_leave(&mut self, key: &Key, set: &Arc<NameserverSet>) -> bool {
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
        let (name, kind) = (objects::name(&key.1, &workload.nameserver), Kind::of(workload.kind));
        let known = (workload.leaving, workload.leaving_ttl);
        self.begin(key, async move {
            Ended::Left(
                match memory_of(&snapshots, &workload.hostname, known).await {
                    Ok(Memory::Named { ttl }) => {
                        let now =
                            json!({LEAVING: Timestamp::now().to_string(), LEAVING_TTL: ttl.to_string()});
                        writing::annotate(&client, &namespace, kind, &name, now).await
                    }
                    Ok(Memory::Fading) => Ok(()),
                    Ok(Memory::Gone) => remove(&client, &namespace, kind, &name).await,
                    Err(why) => Err(WriteError::Unsure(why)),
                }
                .map_err(|error| error.to_string()),
            )
        });
        true
    }

    /// Takes the mark off a nameserver that is in the spec again. Says whether there was one.
    pub(super) fn stay(&mut self, key: &Key, set: &NameserverSet) -> bool {
        let mut back = set.spec.nameservers.iter().filter_map(|one| self.workload(key, &one.name));
        let Some(workload) = back.find(|workload| workload.leaving.is_some()) else { return false };
        let (client, namespace) = (self.client.clone(), key.0.clone());
        let (name, kind) = (objects::name(&key.1, &workload.nameserver), Kind::of(workload.kind));
        self.begin(key, async move {
            let none = json!({LEAVING: null, LEAVING_TTL: null});
            let written = writing::annotate(&client, &namespace, kind, &name, none).await;
            Ended::Left(written.map_err(|error| error.to_string()))
        });
        true
    }

    /// Deletes a Service that a nameserver of the spec does not have any more. Says whether there was one.
    pub(super) fn end_stray_service(&mut self, key: &Key, set: &NameserverSet) -> bool {
        let has_second = |nameserver: &Nameserver| {
            let own = nameserver.service.as_ref().and_then(|own| own.protocols);
            own.or(set.spec.service.protocols) == Some(Protocols::Apart)
        };
        let mut alone = set.spec.nameservers.iter().filter(|nameserver| !has_second(nameserver));
        let stray = alone.find_map(|nameserver| {
            // While a change is on its way the other may still be what runs.
            let workload = self.workload(key, &nameserver.name)?;
            let name = services::second(&objects::name(&key.1, &nameserver.name));
            let service = self.services.get(&(key.0.clone(), name.clone()))?;
            let is_ours = service.set == key.1 && service.nameserver == nameserver.name;
            (is_ours && workload.verified.as_ref() == Some(&workload.form)).then_some(name)
        });
        let Some(name) = stray else { return false };
        self.begin_to_delete(key, Kind::Service, name);
        true
    }

    /// Ends what is tried for a nameserver.
    pub(super) fn end_trial(&mut self, key: &Key, nameserver: &str) {
        self.begin_to_delete(key, Kind::Deployment, objects::trial_name(&key.1, nameserver));
    }

    /// Deletes an object of a set.
    pub(super) fn begin_to_delete(&mut self, key: &Key, kind: Kind, name: String) {
        let (client, namespace) = (self.client.clone(), key.0.clone());
        self.begin(key, async move {
            let deleted = writing::delete(&client, &namespace, kind, &name).await;
            Ended::Deleted(deleted.map_err(|error| error.to_string()))
        });
    }

    /// Ends a trial for a nameserver that is no longer in the spec. Says whether there was one.
    pub(super) fn end_lost_trial(&mut self, key: &Key, set: &NameserverSet) -> bool {
        let is_wanted = |name: &str| set.spec.nameservers.iter().any(|nameserver| nameserver.name == name);
        let trials = self.workloads(key).filter(|workload| workload.role == Role::Trial);
        let names: Vec<String> = trials.map(|trial| trial.nameserver.clone()).collect();
        let lost = names.iter().find(|name| !is_wanted(name));
        lost.inspect(|nameserver| self.end_trial(key, nameserver)).is_some()
    }
}

/// What is remembered of a nameserver that is no longer in the spec.
enum Memory {
    /// Zones name it, with NS of this TTL at the most, now or when it was looked at before.
    Named { ttl: u32 },
    /// None does, and not so long ago that no resolver could remember.
    Fading,
    /// Nobody can remember it.
    Gone,
}

/// Looks through all that is published. `known` is when a zone was last seen to name it, and the longest TTL of its NS.
async fn memory_of(
    snapshots: &asking::Snapshots,
    hostname: &str,
    known: (Option<Timestamp>, Option<u32>),
) -> Result<Memory, String> {
    let zones = asking::published(snapshots).await?;
    let hostname = name::parse_absolute(hostname).map_err(|error| error.to_string())?;
    let names = |value: &Rdata| Name::from_octets(value.shared()).is_ok_and(|name| name == hostname);
    let (mut longest, mut is_named) = (known.1.unwrap_or_default(), false);
    for zone in zones.iter() {
        // At the apex, and where a zone delegates.
        for (rrset, _) in zone.content.iter().filter(|(rrset, _)| rrset.rtype == Rtype::NS) {
            let is_here = rrset.values().iter().any(names);
            is_named |= is_here;
            // Where it was not seen yet, it may have been in any of these a moment ago.
            if is_here || known.0.is_none() {
                longest = longest.max(rrset.ttl);
            }
        }
    }
    let elapsed = known.0.map(|since| Timestamp::now().duration_since(since).as_secs());
    Ok(match (is_named, elapsed) {
        (true, _) | (false, None) => Memory::Named { ttl: longest },
        (false, Some(elapsed)) if elapsed <= i64::from(longest) => Memory::Fading,
        (false, Some(_)) => Memory::Gone,
    })
}

/// The workload goes last: while it is there the others are looked for.
async fn remove(client: &Client, namespace: &str, kind: Kind, name: &str) -> Result<(), WriteError> {
    writing::delete(client, namespace, Kind::Service, name).await?;
    writing::delete(client, namespace, Kind::Service, &services::second(name)).await?;
    writing::delete(client, namespace, Kind::PodDisruptionBudget, name).await?;
    writing::delete(client, namespace, kind, name).await
}
