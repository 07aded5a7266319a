//! Requests to the API server for the objects of sets.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{GroupVersionKind, ObjectMeta};
use kube::{Api, Client};
use port53_crds::{API_VERSION, GROUP, NameserverSet, NameserverSetStatus};
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

/// Of the text of an event (events.k8s.io/v1).
const LONGEST_NOTE: usize = 1024;

/// What a person should notice of a set.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// Whether something is wrong.
    pub(super) is_warning: bool,
    /// In one word.
    pub(super) reason: String,
    /// For a person.
    pub(super) note: String,
}

/// Writes an event about a set. It is written once, and that it could not be is said in the log: all of it is in the
/// status too.
pub(super) async fn tell(client: Client, (namespace, name): Key, uid: String, news: News) {
    let set = ObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: Some("NameserverSet".to_owned()),
        namespace: Some(namespace.clone()),
        name: Some(name.clone()),
        uid: Some(uid),
        ..ObjectReference::default()
    };
    let event = Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}.")),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        action: Some("Rollout".to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        note: Some(news.note.chars().take(LONGEST_NOTE).collect()),
        reason: Some(news.reason),
        regarding: Some(set),
        reporting_controller: Some(format!("{GROUP}/{MANAGER}")),
        reporting_instance: Some(MANAGER.to_owned()),
        type_: Some(if news.is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    };
    let api: Api<Event> = Api::namespaced(client, &namespace);
    if let Err(error) = in_time(api.create(&PostParams::default(), &event)).await {
        tracing::warn!(set = name, "an event cannot be written: {error}");
    }
}

fn api(client: &Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let (group, version) = kind.api_version().split_once('/').unwrap_or(("", kind.api_version()));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind.as_str()));
    Api::namespaced_with(client.clone(), namespace, &resource)
}
