//! Requests to the API server for the objects of sets.

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use port53_crds::{NameserverSet, NameserverSetStatus};
use serde_json::json;

use super::objects::{Kind, Object};
use crate::cluster::people::MANAGER;
use crate::cluster::store::{WriteError, in_time};
use crate::index::Key;

/// Applies an object, with the fields that it has and no others of ours, and gives it as it is then.
///
/// # Errors
/// When it was not applied, or that is not known.
pub(super) async fn apply(
    client: &Client,
    namespace: &str,
    object: &Object,
) -> Result<DynamicObject, WriteError> {
    let params = PatchParams::apply(MANAGER).force();
    in_time(api(client, namespace, object.kind).patch(&object.name, &params, &Patch::Apply(&object.value)))
        .await
}

/// Puts annotations on an object; a null takes one off.
///
/// # Errors
/// When they were not written, or that is not known.
pub(super) async fn annotate(
    client: &Client,
    namespace: &str,
    kind: Kind,
    name: &str,
    annotations: serde_json::Value,
) -> Result<(), WriteError> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    in_time(api(client, namespace, kind).patch_metadata(name, &params, &patch)).await.map(drop)
}

/// Deletes an object and what belongs to it. That it is gone is as good.
///
/// # Errors
/// When it was not deleted, or that is not known.
pub(super) async fn delete(
    client: &Client,
    namespace: &str,
    kind: Kind,
    name: &str,
) -> Result<(), WriteError> {
    match in_time(api(client, namespace, kind).delete(name, &DeleteParams::background())).await {
        Ok(_) | Err(WriteError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the status of a set. What is left out of it is taken away.
///
/// # Errors
/// When it was not written, or that is not known.
pub(super) async fn write_status(
    client: &Client,
    (namespace, name): &Key,
    uid: Option<&str>,
    status: &NameserverSetStatus,
) -> Result<(), WriteError> {
    let api: Api<NameserverSet> = Api::namespaced(client.clone(), namespace);
    let mut value = json!(status);
    for field in ["revision", "updated", "failure"] {
        if value.get(field).is_none() {
            value[field] = serde_json::Value::Null;
        }
    }
    let patch = json!({"metadata": {"uid": uid}, "status": value});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    in_time(api.patch_status(name, &params, &Patch::Merge(patch))).await.map(drop)
}

fn api(client: &Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let (group, version) = kind.api_version().split_once('/').unwrap_or(("", kind.api_version()));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind.as_str()));
    Api::namespaced_with(client.clone(), namespace, &resource)
}
