//! `port53 migration finish`: ends a migration, and says what that waits for.
//!
//! What is waited for may take days, such as the TTL of a delegation. So it may be interrupted: the spec says that it is to
//! end, and the operator goes on.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::core::Resource;
use port53_client::explain;
use port53_crds::{ConditionType, ZoneMigration, find_condition};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Ended;
use super::migration::{LOOK, find, seen};
use crate::args::{Entry, OfZone, program};
use crate::cluster::Cluster;
use crate::cluster::annotate::Annotation;
use crate::cluster::zones::namespaced;

/// Who says so, as it stands in managedFields.
const MANAGER: &str = "port53-finish";

/// What a person said beside the zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) entry: Option<Entry>,
    pub(super) is_quiet: bool,
    pub(super) take_back: bool,
    pub(super) timeout: Duration,
}

pub(super) async fn finish(of: &OfZone, said: Said) -> Result<Ended, String> {
    let cluster = Cluster::connect(&of.cluster).await?;
    let mut migration = find(&cluster, &of.zone).await?;
    let entry = said.entry.map(Entry::of_spec);
    if !said.take_back && entry.is_none() && migration.spec.entry.is_none() {
        return Err(
            "what is waited for depends on how clients come here: add --entry address-takeover, where the \
                    addresses of legacy lead here now, or --entry new-nameservers"
                .to_owned(),
        );
    }
    if said.is_quiet && !said.take_back {
        migration = cluster.annotate(&migration, Annotation::Quiet, "true").await?;
    }
    let (namespace, name) = namespaced(&migration);
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    let mut spec = json!({"finish": !said.take_back});
    // What was applied before and is left out now would be taken away.
    if let Some(entry) = entry.or(migration.spec.entry) {
        spec["entry"] = json!(entry);
    }
    let change = Patch::Apply(json!({
        "apiVersion": ZoneMigration::api_version(&()),
        "kind": ZoneMigration::kind(&()),
        "spec": spec,
    }));
    let api = cluster.of::<ZoneMigration>(&namespace);
    let params = PatchParams::apply(MANAGER).force();
    let patched = cluster.patiently(|| api.patch(&name, &params, &change)).await;
    patched.map_err(|error| format!("ZoneMigration {namespace}/{name}: {}", explain(&error)))?;
    if said.take_back {
        println!("{}: its migration goes on", of.zone);
        return Ok(Ended::Well);
    }
    let until = Instant::now() + said.timeout;
    let mut last = String::new();
    loop {
        let now = cluster.asked(|| api.get_opt(&name)).await.map_err(|error| explain(&error))?;
        let now = now.ok_or_else(|| format!("ZoneMigration {namespace}/{name} was deleted"))?;
        let waits = waits_for(&now);
        let Some(waits) = waits else {
            println!(
                "{}: its migration is over: kubectl delete zonemigration {name} -n {namespace}",
                of.zone
            );
            return Ok(Ended::Well);
        };
        if waits != last {
            eprintln!("{}: {waits}", of.zone);
            last = waits;
        }
        if Instant::now() >= until {
            eprintln!(
                "{}: not within {:?}; it goes on, and {} migration status {} --wait waits for it",
                of.zone,
                said.timeout,
                program(),
                of.zone
            );
            return Ok(Ended::WithProblems);
        }
        sleep(LOOK).await;
    }
}

/// What a migration that is to end waits for; nothing where it is over.
fn waits_for(migration: &ZoneMigration) -> Option<String> {
    let Some(status) = seen(migration) else {
        return Some("the operator has not looked at it yet".to_owned());
    };
    match find_condition(&status.conditions, ConditionType::Finished) {
        Some(finished) if finished.status == "True" => None,
        Some(finished) => Some(format!("{}: {}", finished.reason, finished.message)),
        None => {
            let ready = find_condition(&status.conditions, ConditionType::Ready);
            let why = ready.map(|ready| format!("{}: {}", ready.reason, ready.message));
            Some(why.unwrap_or_else(|| "the operator says nothing of it".to_owned()))
        }
    }
}
