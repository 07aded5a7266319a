//! What is to go: nameservers that are no longer in the spec, once nobody can be sent to them any more, and trials that
//! are over.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use port53_crds::NameserverSet;
use port53_zone::{Name, Rtype, name};

use super::objects::{self, Kind};
use super::seen::{LEAVING, Role, Workload};
use super::{Controller, Ended, asking, writing};
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

    /// Ends what is tried for a nameserver.
    pub(super) fn end_trial(&mut self, key: &Key, nameserver: &str) {
        let (client, namespace) = (self.client.clone(), key.0.clone());
        let name = objects::trial_name(&key.1, nameserver);
        self.begin(key, async move {
            let deleted = writing::delete(&client, &namespace, Kind::Deployment, &name).await;
            Ended::TrialOver(deleted.map_err(|error| error.to_string()))
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
