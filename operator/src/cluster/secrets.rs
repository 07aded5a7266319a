//! Secrets: those of people, each followed by its name alone, and the one that resolvers read keys from.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use port53_client::watch::{Follower, Told};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio_util::task::AbortOnDropHandle;

use super::people::MANAGER;
use super::store::{WriteError, in_time};
use crate::index::Key;
use crate::transfer;

/// The Secret that resolvers read the keys of TSIG from: an entry for each, as a file of `--tsig-keys`.
pub const TSIG_KEYS: &str = "port53-tsig-keys";
/// Between attempts to follow a Secret that may not be read: there may be as many as people like.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Follows one Secret, with no right to others, until dropped.
pub fn follow(client: &Client, key: &Key, messages: &Sender<Told<Key>>) -> AbortOnDropHandle<()> {
    let (namespace, name) = key;
    let resource = ApiResource::erase::<Secret>(&());
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
    let follower = Follower {
        only: Some(name.clone()),
        longest_pause: LONGEST_PAUSE,
        ..Follower::new(api, key.clone(), messages.clone())
    };
    AbortOnDropHandle::new(tokio::spawn(follower.run()))
}

/// Writes the keys of TSIG: these and no others.
///
/// # Errors
/// When they were not written, or that is not known.
pub async fn write_keys(
    client: Client,
    namespace: &str,
    files: &BTreeMap<String, String>,
) -> Result<(), WriteError> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TSIG_KEYS, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
        "type": "Opaque",
        "data": transfer::encoded(files),
    });
    let params = PatchParams::apply(MANAGER).force();
    in_time(api.patch(TSIG_KEYS, &params, &Patch::Apply(object))).await.map(drop)
}
