//! What an API server takes at best: the same DNSRecords, by the same client and as many at once as the operator has, with
//! nobody who watches them.

use crate::zones::Moving;
use crate::{NAMESPACE, Result};
use futures::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use port53_crds::DNSRecord;
use port53_operator::migrations::RECORDS_AT_A_TIME;
use port53_operator::migrations::writing::MIGRATION_MANAGER;
use port53_tests::cluster::{Cluster, Settings};
use port53_tests::platform::{self, NAMESPACE as OPERATORS, operator_user};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long all of them took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bare {
    /// By POST.
    pub(crate) created: Duration,
    /// By server-side apply, which is how a backfill writes.
    pub(crate) applied: Duration,
}

/// Each in a cluster of its own, so that both begin with an empty etcd.
pub(crate) async fn measure(zones: &[Moving]) -> Result<Bare> {
    Ok(Bare { created: write(zones, Way::Create).await?, applied: write(zones, Way::Apply).await? })
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Create,
    Apply,
}

async fn write(zones: &[Moving], way: Way) -> Result<Duration> {
    let cluster = Cluster::start(Settings { durable: true, ..Settings::default() });
    cluster.apply_crds();
    for namespace in [OPERATORS, NAMESPACE] {
        cluster.ensure_namespace(namespace);
    }
    platform::grant_operator(&cluster);
    let client = cluster.client_without_delay(&operator_user()).await?;
    let resource = ApiResource::erase::<DNSRecord>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &resource);
    let objects: Vec<Value> = zones.iter().flat_map(Moving::objects).collect();
    let begun = Instant::now();
    let mut writing = futures::stream::iter(&objects)
        .map(|object| one(&api, object, way))
        .buffer_unordered(RECORDS_AT_A_TIME);
    let mut written = 0;
    while let Some(result) = writing.next().await {
        result?;
        written += 1;
        if written % 10_000 == 0 {
            eprintln!("{:6.1} s: {written} by {way:?}", begun.elapsed().as_secs_f64());
        }
    }
    Ok(begun.elapsed())
}

async fn one(api: &Api<DynamicObject>, object: &Value, way: Way) -> Result<(), kube::Error> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    match way {
        Way::Create => {
            let object: DynamicObject =
                serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
            let params =
                PostParams { field_manager: Some(MIGRATION_MANAGER.to_owned()), ..PostParams::default() };
            api.create(&params, &object).await.map(drop)
        }
        Way::Apply => {
            api.patch(name, &PatchParams::apply(MIGRATION_MANAGER), &Patch::Apply(object)).await.map(drop)
        }
    }
}
