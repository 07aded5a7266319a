//! `port53 migration fallback`: every nameserver answers with what legacy says again, and back.
//!
//! It is the field `spec.fallback`, applied by a field manager of its own, so that whoever manages the rest leaves it alone.
//! A fallback that came by itself is ended by the annotation that names it.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use port53_client::explain;
use port53_crds::{ConditionType, Reason, ZoneMigration, find_condition};
use serde_json::json;
use tokio::time::Instant;

use super::{Cluster, OfZone, find, namespaced, program, seen, until};
use crate::cluster::annotate::Annotation;

/// Who manages the field, as it stands in managedFields.
const MANAGER: &str = "port53-fallback";

/// Says it, waits until it is seen, and says how long that took.
pub(super) async fn run(of: &OfZone, off: bool, timeout: Duration) -> Result<String, String> {
    let cluster = Cluster::connect(&of.cluster).await?;
    let migration = find(&cluster, &of.zone).await?;
    if migration.spec.shadow.is_none() {
        return Err(
            "every nameserver answers by itself, and legacy is not asked: the ZoneMigration has no spec.shadow to fall back by"
                .to_owned(),
        );
    }
    let begun = Instant::now();
    let by_itself = migration.status.as_ref().and_then(|status| status.fallback.clone());
    if off && let Some(by_itself) = &by_itself {
        cluster.annotate(&migration, Annotation::EndFallback, &by_itself.since).await?;
    }
    let applied = apply(&cluster, &migration, !off).await?;
    let said = until(&cluster, &applied, timeout, |now| {
        now.metadata.generation >= applied.metadata.generation && is_seen(now, off)
    });
    let now = said.await?;
    let took = begun.elapsed();
    let zone = &of.zone;
    Ok(match off {
        false => {
            format!("{zone}: every nameserver answers with what legacy says, {took:.1?} after it was said")
        }
        true if now.spec.cutover.is_empty() => {
            format!(
                "{zone}: the fallback has ended, {took:.1?} after it was said; spec.cutover names no nameserver"
            )
        }
        true => format!(
            "{zone}: the fallback has ended, {took:.1?} after it was said; {} are cut over again as both sides are the \
             same: {} migration status {zone} --wait",
            now.spec.cutover.join(", "),
            program()
        ),
    })
}

/// Whether the operator has seen that it is so.
fn is_seen(migration: &ZoneMigration, off: bool) -> bool {
    let Some(status) = seen(migration) else { return false };
    let fallen_back = find_condition(&status.conditions, ConditionType::FallenBack);
    let is_about_it = |generation| generation == migration.metadata.generation;
    fallen_back.filter(|one| is_about_it(one.observed_generation)).is_some_and(|one| match off {
        false => one.status == "True" && one.reason == Reason::Seen.as_str(),
        true => one.reason == Reason::NotWanted.as_str(),
    })
}

async fn apply(
    cluster: &Cluster,
    migration: &ZoneMigration,
    fallback: bool,
) -> Result<ZoneMigration, String> {
    let (namespace, name) = namespaced(migration);
    let api = cluster.of::<ZoneMigration>(namespace);
    let patch = json!({
        "apiVersion": port53_crds::API_VERSION,
        "kind": "ZoneMigration",
        "spec": {"fallback": fallback},
    });
    let params = PatchParams::apply(MANAGER).force();
    let patch = Patch::Apply(patch);
    let applied = cluster.patiently(|| api.patch(name, &params, &patch)).await;
    applied.map_err(|error| format!("ZoneMigration {namespace}/{name}: {}", explain(&error)))
}
