//! `port53 definitions`: the custom resource definitions of this version, written, applied to a cluster, or deleted from it.
//! Helm installs definitions once, never changes them and never deletes them, so its chart runs this before an upgrade,
//! and before it is uninstalled where that is to leave nothing.

use std::io::{self, Write};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use port53_client::explain;
use port53_crds::{NameserverSet, Zone};
use tokio::time::{Instant, sleep};

use super::{Ended, Outcome};
use crate::args::Definitions;
use crate::cluster::{self, Cluster};

/// As it stands in managedFields.
const MANAGER: &str = "port53-definitions";
/// How long it may take until they are in effect.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);
/// The definitions that go first.
const ZONES: &str = "zones.port53.dev";
const RECORDS: &str = "dnsrecords.port53.dev";
/// How many Zones are named in an error.
const SHOWN: u32 = 10;

pub(super) fn run(arguments: &Definitions) -> Outcome {
    if arguments.apply {
        return Ok(cluster::run(apply(arguments))??);
    }
    if arguments.delete {
        return Ok(cluster::run(delete(arguments))??);
    }
    let mut out = io::stdout().lock();
    for manifest in port53_crds::manifests()? {
        write!(out, "---\n{}", manifest.text)?;
    }
    Ok(Ended::Well)
}

async fn apply(arguments: &Definitions) -> Result<Ended, String> {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let api: Api<CustomResourceDefinition> = cluster.of_all();
    let definitions = port53_crds::definitions();
    // All are looked at before any is changed.
    for definition in &definitions {
        let name = definition.name_any();
        let there = cluster.asked(|| api.get_opt(&name)).await;
        let there = there.map_err(|error| format!("{name}: {}", explain(&error)))?;
        if let Some(dropped) = there.and_then(|there| dropped_version(&there, definition)) {
            return Err(format!(
                "{name}: objects are stored in version {dropped}, which this version of Port53 does not have: go by a \
                 version that has both, and rewrite the objects there"
            ));
        }
    }
    let params = PatchParams::apply(MANAGER).force();
    for definition in &definitions {
        let name = definition.name_any();
        let change = Patch::Apply(definition);
        let applied = cluster.patiently(|| api.patch(&name, &params, &change)).await;
        applied.map_err(|error| format!("{name}: {}", explain(&error)))?;
    }
    let until = Instant::now() + PATIENCE;
    for definition in &definitions {
        let name = definition.name_any();
        loop {
            let there = cluster.asked(|| api.get(&name)).await;
            let there = there.map_err(|error| format!("{name}: {}", explain(&error)))?;
            if is_established(&there) {
                break;
            }
            if Instant::now() >= until {
                return Err(format!("{name} is applied and not in effect after {} s", PATIENCE.as_secs()));
            }
            sleep(LOOK).await;
        }
        println!("{name} is in effect");
    }
    Ok(Ended::Well)
}

/// Zones go first: the operator that still works withdraws each, and takes off its finalizer. What it works with goes
/// last.
async fn delete(arguments: &Definitions) -> Result<Ended, String> {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let others = others(&cluster).await?;
    if !others.is_empty() {
        return Err(format!(
            "nothing is deleted, as others in this cluster use Port53: NameserverSets {}",
            others.join(", ")
        ));
    }
    let api: Api<CustomResourceDefinition> = cluster.of_all();
    let mut names: Vec<String> = port53_crds::definitions().iter().map(ResourceExt::name_any).collect();
    names.sort_by_key(|name| (name != ZONES, name != RECORDS));
    let until = Instant::now() + arguments.timeout;
    let params = DeleteParams::default();
    for name in &names {
        let deleted = cluster.asked(|| api.delete(name, &params)).await;
        match deleted {
            Err(kube::Error::Api(status)) if status.is_not_found() => continue,
            deleted => deleted.map_err(|error| format!("{name}: {}", explain(&error)))?,
        };
        while cluster
            .asked(|| api.get_opt(name))
            .await
            .map_err(|error| format!("{name}: {}", explain(&error)))?
            .is_some()
        {
            if Instant::now() >= until {
                return Err(still_there(&cluster, name).await);
            }
            sleep(LOOK).await;
        }
        println!("{name} is gone");
    }
    Ok(Ended::Well)
}

/// NameserverSets of other namespaces than the operator's, by namespace and name.
async fn others(cluster: &Cluster) -> Result<Vec<String>, String> {
    let api: Api<NameserverSet> = cluster.of_all();
    match cluster.list(&api, &ListParams::default()).await {
        Ok(sets) => {
            let own = Some(cluster.operator_namespace.as_str());
            let others = sets.iter().filter(|set| set.metadata.namespace.as_deref() != own);
            Ok(others.map(full_name).collect())
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(format!("NameserverSets: {}", explain(&error))),
    }
}

fn full_name(object: &impl ResourceExt) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

/// What is said of a definition that is not gone in time.
async fn still_there(cluster: &Cluster, name: &str) -> String {
    let api: Api<Zone> = cluster.of_all();
    let params = ListParams::default().limit(SHOWN);
    let zones = match name {
        ZONES => cluster.asked(|| api.list(&params)).await.map(|zones| zones.items).unwrap_or_default(),
        _ => Vec::new(),
    };
    let zones: Vec<String> = zones.iter().map(full_name).collect();
    match zones.is_empty() {
        true => format!("{name} is being deleted and still there"),
        false => format!(
            "{name} is being deleted, and Zones are still there, {} among them: each is served for its \
             spec.removalDelay after it was deleted, and goes when no nameserver answers it any more. Run this again, \
             with a longer --timeout",
            zones.join(", ")
        ),
    }
}

/// A version in which objects may be stored, and which a definition no longer has.
fn dropped_version(there: &CustomResourceDefinition, new: &CustomResourceDefinition) -> Option<String> {
    let stored = there.status.as_ref().and_then(|status| status.stored_versions.clone()).unwrap_or_default();
    stored.into_iter().find(|stored| new.spec.versions.iter().all(|version| version.name != *stored))
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_version_in_which_objects_are_stored_is_not_dropped() {
        let new = port53_crds::definitions().remove(0);
        let mut there = new.clone();
        let status = |stored: &[&str]| {
            serde_json::from_value(
                json!({"storedVersions": stored, "acceptedNames": {"kind": "", "plural": ""}}),
            )
            .expect("a status")
        };
        there.status = Some(status(&["v1alpha1"]));
        assert_eq!(dropped_version(&there, &new), None);
        there.status = Some(status(&["v1alpha0", "v1alpha1"]));
        assert_eq!(dropped_version(&there, &new).as_deref(), Some("v1alpha0"));
    }
}
