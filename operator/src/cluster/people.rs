//! What is written to the objects of people: statuses, and of the metadata of Zones the finalizer and spent
//! annotations. Never their specs.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use port53_crds::{DNSRecord, DNSRecordStatus, FINALIZER, RELEASE_ANNOTATION, Zone, ZoneStatus};
use serde_json::{Value, json};

use super::store::{WriteError, in_time};
use crate::index::Key;

/// As it stands in managedFields.
pub(crate) const MANAGER: &str = "port53-operator";

/// A status that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Of a Zone.
    Zone(Box<ZoneStatus>),
    /// Of a DNSRecord.
    Record(Box<DNSRecordStatus>),
}

/// Writes the status of the object that has this uid. [`WriteError::Conflict`]: it is gone, and perhaps another of
/// its name is there.
///
/// # Errors
/// When it was not written, or that is not known.
pub async fn write_status(
    client: Client,
    (namespace, name): &Key,
    uid: Option<&str>,
    status: &Status,
) -> Result<(), WriteError> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match status {
        Status::Zone(status) => {
            let api: Api<Zone> = Api::namespaced(client, namespace);
            let patch = patch(uid, json!(status));
            in_time(api.patch_status(name, &params, &Patch::Merge(patch))).await.map(drop)
        }
        Status::Record(status) => {
            let api: Api<DNSRecord> = Api::namespaced(client, namespace);
            let patch = patch(uid, json!(status));
            in_time(api.patch_status(name, &params, &Patch::Merge(patch))).await.map(drop)
        }
    }
}

/// A merge patch that writes this status. What is left out of one stays, so what is no longer so is taken away.
fn patch(uid: Option<&str>, mut status: Value) -> Value {
    for field in ["serial", "serving"] {
        if status.get(field).is_none() {
            status[field] = Value::Null;
        }
    }
    json!({"metadata": {"uid": uid}, "status": status})
}

/// What is to be done to the metadata of a Zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Edit {
    /// The finalizer is to be there.
    AddFinalizer,
    /// The finalizer is to be gone, and with it the Zone when it was deleted.
    RemoveFinalizer,
    /// The annotation that released this id is spent.
    TakeRelease(String),
}

/// Edits the metadata of a Zone, as it is at that moment.
///
/// # Errors
/// [`WriteError::Conflict`] when it was changed meanwhile, or is gone.
pub async fn edit_zone(client: Client, (namespace, name): &Key, edit: &Edit) -> Result<(), WriteError> {
    let api: Api<Zone> = Api::namespaced(client, namespace);
    let Some(zone) = in_time(api.get_metadata_opt(name)).await? else { return Err(WriteError::Conflict) };
    let version = zone.metadata.resource_version;
    let mut finalizers = zone.metadata.finalizers.unwrap_or_default();
    let has_finalizer = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    let released = zone.metadata.annotations.as_ref().and_then(|all| all.get(RELEASE_ANNOTATION));
    let metadata = match edit {
        Edit::AddFinalizer if !has_finalizer && zone.metadata.deletion_timestamp.is_none() => {
            finalizers.push(FINALIZER.to_owned());
            json!({"resourceVersion": version, "finalizers": finalizers})
        }
        Edit::RemoveFinalizer if has_finalizer => {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
            json!({"resourceVersion": version, "finalizers": finalizers})
        }
        Edit::TakeRelease(id) if released == Some(id) => {
            json!({"resourceVersion": version, "annotations": {RELEASE_ANNOTATION: null}})
        }
        _ => return Ok(()),
    };
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": metadata}));
    in_time(api.patch_metadata(name, &params, &patch)).await.map(drop)
}
