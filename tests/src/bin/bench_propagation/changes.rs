//! When records change, and the requests that change them.

use crate::objects::{self, Act, Change, Objects};
use crate::poller::Poller;
use crate::{Moment, now};
use futures::StreamExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, Error};
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Requests at once while the cluster is filled.
const AT_ONCE: usize = 64;
const MANAGER: &str = "bench";

/// A change that was made.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) change: Change,
    /// When the request was sent, and when its answer came.
    pub(crate) sent: Moment,
    pub(crate) accepted: Moment,
    /// Of the record, as the answer says.
    pub(crate) generation: i64,
}

/// Applies the Zones and so many records; returns how many records there are.
pub(crate) async fn fill(client: &Client, objects: &mut Objects, records: usize) -> Result<usize, Error> {
    let zones = api(client, &objects::zone_resource());
    for (name, zone) in objects.zones() {
        apply(&zones, &name, &zone).await?;
    }
    let api = api(client, &objects::record_resource());
    let additions: Vec<Change> = (0..records).map(|_| objects.add()).collect();
    let mut applied = futures::stream::iter(&additions)
        .map(|change| async { request(&api, change).await })
        .buffer_unordered(AT_ONCE);
    while let Some(result) = applied.next().await {
        result?;
    }
    drop(applied);
    additions.iter().for_each(|change| objects.done(change));
    Ok(records)
}

/// Makes so many changes at a rate, each at its time whatever became of those before.
pub(crate) async fn run(
    client: &Client,
    objects: &mut Objects,
    poller: &Poller,
    count: usize,
    rate: f64,
) -> Result<Vec<Done>, Error> {
    let api = api(client, &objects::record_resource());
    let mut requests = JoinSet::new();
    let mut done = Vec::with_capacity(count);
    let mut due = Instant::now();
    for number in 0..count {
        due += Duration::from_secs_f64(objects.pause(rate));
        tokio::time::sleep_until(due).await;
        while let Some(result) = requests.try_join_next() {
            take(result, objects, &mut done)?;
        }
        let change = objects.change();
        poller.watch(number, &change);
        let api = api.clone();
        requests.spawn(async move {
            let sent = now();
            let generation = request(&api, &change).await?;
            Ok((number, Done { change, sent, accepted: now(), generation }))
        });
    }
    while let Some(result) = requests.join_next().await {
        take(result, objects, &mut done)?;
    }
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, done)| done).collect())
}

type Requested = Result<Result<(usize, Done), Error>, tokio::task::JoinError>;

fn take(result: Requested, objects: &mut Objects, done: &mut Vec<(usize, Done)>) -> Result<(), Error> {
    let made = result.map_err(|error| Error::Service(error.into()))??;
    objects.done(&made.1.change);
    done.push(made);
    Ok(())
}

/// Makes a change; returns the generation of what is there then.
async fn request(api: &Api<DynamicObject>, change: &Change) -> Result<i64, Error> {
    let name = change.record.name();
    match change.act {
        Act::Add | Act::Edit => apply(api, &name, &change.record.object(change.address)).await,
        Act::Delete => api.delete(&name, &DeleteParams::default()).await.map(|_| 0),
    }
}

async fn apply(api: &Api<DynamicObject>, name: &str, object: &Value) -> Result<i64, Error> {
    let applied = api.patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(object)).await?;
    Ok(applied.metadata.generation.unwrap_or_default())
}

fn api(client: &Client, resource: &kube::api::ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), objects::NAMESPACE, resource)
}
