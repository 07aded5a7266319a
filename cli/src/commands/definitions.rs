//! `port53 definitions`: the custom resource definitions of this version, written, or applied to a cluster. Helm installs
//! definitions once and never changes them, so its chart runs this before an upgrade.

use std::io::{self, Write};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use port53_client::explain;
use tokio::time::{Instant, sleep};

use super::{Ended, Outcome};
use crate::args::Definitions;
use crate::cluster::{self, Cluster};

/// As it stands in managedFields.
const MANAGER: &str = "port53-definitions";
/// How long it may take until they are in effect.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &Definitions) -> Outcome {
    if arguments.apply {
        return Ok(cluster::run(apply(arguments))??);
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
