//! Requests to the API server for migrations.
//!
//! Records are applied with a field manager of their own and never by force: what somebody else says of an object (Argo CD,
//! Flux, a person) is theirs, and a record that would have to be another is listed instead.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::core::Resource;
use kube::{Api, Client, Error};
use port53_client::{explain, is_passing};
use port53_crds::{AutomaticFallback, DNSRecord, ZoneMigration, ZoneMigrationStatus};
use port53_secondaries::keys::Key as TsigKey;
use port53_zone::name;
use serde::Serialize;
use serde_json::{Value, json};

use super::agreed::{Agreed, Share};
use super::lists;
use super::shadow::book::Book;
use crate::cluster::people::MANAGER;
use crate::cluster::store::{WriteError, in_time};
use crate::index::{self, Key};
use crate::transfer;

/// Who manages what a migration brought here, as it stands in managedFields.
pub const MIGRATION_MANAGER: &str = "port53-migration";
/// Of ConfigMaps that are kept for migrations, in the operator's namespace.
const COMPONENT: (&str, &str) = ("app.kubernetes.io/component", "migration");
/// Whose they are.
const OF_MIGRATION: &str = "port53.dev/migration-uid";
/// What a status may say of the zone above.
const OF_PARENT: [&str; 8] =
    ["ds", "dsTTL", "dsGoneSince", "dsCachedUntil", "nameservers", "ttl", "oursSince", "cachedUntil"];
/// What is in them.
const AGREED: &str = "agreed";
const BOOK: &str = "book.json";

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// The API server refuses it: what it says.
    Refused(String),
    /// Somebody else says otherwise: who, and of which fields.
    Managed(String),
    /// It may go well another time.
    Passing(String),
}

/// Applies a DNSRecord, with the fields that it has and no others of ours.
pub(super) async fn apply_record(client: &Client, record: &Value) -> Result<(), NotWritten> {
    let metadata = |field: &str| record["metadata"][field].as_str().unwrap_or_default();
    let api: Api<DNSRecord> = Api::namespaced(client.clone(), metadata("namespace"));
    let params = PatchParams::apply(MIGRATION_MANAGER);
    match api.patch(metadata("name"), &params, &Patch::Apply(record)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(not_written(error)),
    }
}

/// Deletes a DNSRecord that only a migration has written. That it is gone is as good.
pub(super) async fn delete_record(client: &Client, (namespace, name): &Key) -> Result<(), NotWritten> {
    let api: Api<DNSRecord> = Api::namespaced(client.clone(), namespace);
    let Some(record) = api.get_metadata_opt(name).await.map_err(not_written)? else { return Ok(()) };
    let managers = record.metadata.managed_fields.unwrap_or_default();
    let other = managers.iter().find(|entry| {
        entry.subresource.is_none()
            && ![Some(MIGRATION_MANAGER), Some(MANAGER)].contains(&entry.manager.as_deref())
    });
    if let Some(other) = other {
        let manager = other.manager.as_deref().unwrap_or("somebody");
        return Err(NotWritten::Managed(format!("{manager} manages DNSRecord {namespace}/{name}")));
    }
    let preconditions =
        Preconditions { uid: record.metadata.uid, resource_version: record.metadata.resource_version };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(Error::Api(status)) if status.code == 404 => Ok(()),
        Err(Error::Api(status)) if status.code == 409 => {
            Err(NotWritten::Passing("the record changed meanwhile".to_owned()))
        }
        Err(error) => Err(not_written(error)),
    }
}

fn not_written(error: Error) -> NotWritten {
    match &error {
        Error::Api(status) if status.code == 409 => NotWritten::Managed(status.message.clone()),
        _ if is_passing(&error) => NotWritten::Passing(explain(&error)),
        // A right that is missing may be given.
        Error::Api(status) if status.code != 403 => NotWritten::Refused(explain(&error)),
        _ => NotWritten::Passing(explain(&error)),
    }
}

/// The key of TSIG that a Secret holds, found by its name alone, as a Role may allow.
///
/// # Errors
/// What keeps it from being read, and what to do.
pub(super) async fn key(client: &Client, namespace: &str, secret: &str) -> Result<TsigKey, String> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let only = ListParams::default().fields(&format!("metadata.name={secret}"));
    let found = in_time(api.list(&only)).await.map_err(|error| {
        format!("Secret {namespace}/{secret} cannot be read: {error}: bind a Role that lets the operator list and watch it by name")
    })?;
    let Some(found) = found.items.first() else {
        return Err(format!(
            "there is no Secret {namespace}/{secret}: create it, with the key that legacy knows"
        ));
    };
    let held = transfer::read(found).map_err(|why| format!("Secret {namespace}/{secret} {why}"))?;
    TsigKey::parse(&name::display(&held.name), &held.text)
        .map_err(|why| format!("Secret {namespace}/{secret} {why}"))
}

/// Writes the status of a migration. What is left out of it is taken away.
///
/// # Errors
/// When it was not written, or that is not known.
pub(super) async fn write_status(
    client: &Client,
    migration: &ZoneMigration,
    status: &ZoneMigrationStatus,
    is_fallback_over: bool,
) -> Result<(), WriteError> {
    let (namespace, name) = index::key(&migration.metadata);
    let api: Api<ZoneMigration> = Api::namespaced(client.clone(), &namespace);
    let mut value = json!(status);
    for field in [
        "phase",
        "legacy",
        "backfilled",
        "rejected",
        "rejects",
        "inconsistent",
        "differences",
        "waiting",
        "cutover",
        "nameservers",
        "apexNS",
        "parent",
        "shadow",
        "legacyCheck",
        "compared",
    ] {
        if value.get(field).is_none() {
            value[field] = Value::Null;
        }
    }
    if let Value::Object(parent) = &mut value["parent"] {
        for field in OF_PARENT {
            parent.entry(field).or_insert(Value::Null);
        }
    }
    // Perhaps one was written a moment ago that is not known here: only one that is known to be over is taken away.
    if is_fallback_over {
        value["fallback"] = Value::Null;
    }
    let patch = json!({"metadata": {"uid": migration.metadata.uid}, "status": value});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    in_time(api.patch_status(&name, &params, &Patch::Merge(patch))).await.map(drop)
}

/// Writes an automatic fallback into the status of a migration, and nothing else.
///
/// # Errors
/// When it was not written, or that is not known.
pub(super) async fn write_fallback(
    client: &Client,
    migration: &ZoneMigration,
    fallback: &AutomaticFallback,
) -> Result<(), WriteError> {
    let (namespace, name) = index::key(&migration.metadata);
    let api: Api<ZoneMigration> = Api::namespaced(client.clone(), &namespace);
    let patch = json!({"metadata": {"uid": migration.metadata.uid}, "status": {"fallback": fallback}});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    in_time(api.patch_status(&name, &params, &Patch::Merge(patch))).await.map(drop)
}

/// Takes an annotation off a migration.
///
/// # Errors
/// When it was not, or that is not known.
pub(super) async fn take_annotation(
    client: &Client,
    migration: &ZoneMigration,
    annotation: &str,
) -> Result<(), WriteError> {
    let (namespace, name) = index::key(&migration.metadata);
    let api: Api<ZoneMigration> = Api::namespaced(client.clone(), &namespace);
    let metadata = json!({"uid": migration.metadata.uid, "annotations": {annotation: null}});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    in_time(api.patch_metadata(&name, &params, &Patch::Merge(json!({"metadata": metadata})))).await.map(drop)
}

/// Writes a list beside a migration, and goes with it.
///
/// # Errors
/// When it was not written, or that is not known.
pub(super) async fn write_list<T: Serialize>(
    client: &Client,
    migration: &ZoneMigration,
    kind: &str,
    list: &[T],
) -> Result<(), WriteError> {
    let (namespace, name) = index::key(&migration.metadata);
    for (map, data) in lists::config_maps(&name, kind, list) {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": map,
                "labels": {"app.kubernetes.io/managed-by": MANAGER},
                "ownerReferences": migration.controller_owner_ref(&()).map(|owner| vec![owner]),
            },
            "data": data,
        });
        apply_config_map(client, &namespace, &map, &object).await?;
    }
    Ok(())
}

/// What both sides agreed on, as it is kept.
///
/// # Errors
/// When that cannot be read now.
pub(super) async fn read_agreed(client: &Client, own: &str, uid: &str) -> Result<Agreed, WriteError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), own);
    let found = in_time(api.list(&ListParams::default().labels(&format!("{OF_MIGRATION}={uid}")))).await?;
    let shares = found.items.into_iter().filter_map(|map| {
        let mut rest = map.metadata.name?;
        let mut number = || {
            let at = rest.rfind('.')?;
            rest.split_off(at)[1..].parse().ok()
        };
        let (number, count) = (number()?, number()?);
        let octets = map.binary_data.and_then(|mut data| data.remove(AGREED)).map(|octets| octets.0);
        Some(Share { count, number, octets: octets.unwrap_or_default() })
    });
    Ok(Agreed::read(&shares.collect::<Vec<_>>()))
}

/// Keeps what both sides agreed on: the shares that changed, and then those of a former count are deleted.
///
/// # Errors
/// When not all of it was written; it is to be tried again.
pub(super) async fn write_agreed(
    client: &Client,
    own: &str,
    uid: &str,
    whose: &Key,
    agreed: &mut Agreed,
) -> Result<(), WriteError> {
    let (shares, former) = agreed.unwritten();
    for (place, share) in shares.iter().enumerate() {
        let name = share_name(uid, share.count, share.number);
        let data = json!({AGREED: BASE64_STANDARD.encode(&share.octets)});
        let object = kept(&name, uid, whose, ("binaryData", data));
        if let Err(error) = apply_config_map(client, own, &name, &object).await {
            agreed.not_written(&shares[place..]);
            return Err(error);
        }
    }
    if let Some(count) = former {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), own);
        for number in 0..count {
            let deleted =
                in_time(api.delete(&share_name(uid, count, number), &DeleteParams::default())).await;
            // A larger count is there, so this one is not looked at any more.
            if let Err(error) = deleted {
                tracing::debug!("a ConfigMap that is not needed any more stays: {error}");
            }
        }
    }
    Ok(())
}

/// Deletes what is kept of migrations that are not there any more.
///
/// # Errors
/// When not all of it was deleted.
pub(super) async fn sweep(client: Client, own: String, there: Vec<String>) -> Result<(), WriteError> {
    let api: Api<ConfigMap> = Api::namespaced(client, &own);
    let labels = format!("{}={}", COMPONENT.0, COMPONENT.1);
    for map in in_time(api.list_metadata(&ListParams::default().labels(&labels))).await?.items {
        let of = map
            .metadata
            .labels
            .as_ref()
            .and_then(|labels: &BTreeMap<String, String>| labels.get(OF_MIGRATION));
        if let (Some(name), Some(of)) = (&map.metadata.name, of)
            && !there.contains(of)
        {
            match in_time(api.delete(name, &DeleteParams::default())).await {
                Ok(_) | Err(WriteError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// What pods counted, as it is kept; nothing where nothing is.
///
/// # Errors
/// When that cannot be read now.
pub(super) async fn read_book(client: &Client, own: &str, uid: &str) -> Result<Option<Book>, WriteError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), own);
    let only = ListParams::default()
        .labels(&format!("{OF_MIGRATION}={uid}"))
        .fields(&format!("metadata.name={}", book_name(uid)));
    let found = in_time(api.list(&only)).await?;
    let text = found.items.into_iter().find_map(|map| map.data?.remove(BOOK));
    // One that cannot be read is begun anew: what pods count they tell again.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Keeps what pods counted.
///
/// # Errors
/// When it was not written, or that is not known.
pub(super) async fn write_book(
    client: &Client,
    own: &str,
    uid: &str,
    whose: &Key,
    book: &Book,
) -> Result<(), WriteError> {
    let name = book_name(uid);
    let object = kept(&name, uid, whose, ("data", json!({BOOK: json!(book).to_string()})));
    apply_config_map(client, own, &name, &object).await
}

fn book_name(uid: &str) -> String {
    format!("migration-{uid}.shadow")
}

/// A ConfigMap that is kept for a migration, and goes when that is gone.
fn kept(name: &str, uid: &str, whose: &Key, (field, data): (&str, Value)) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {COMPONENT.0: COMPONENT.1, OF_MIGRATION: uid, "app.kubernetes.io/managed-by": MANAGER},
            "annotations": {"port53.dev/migration": format!("{}/{}", whose.0, whose.1)},
        },
        field: data,
    })
}

fn share_name(uid: &str, count: usize, number: usize) -> String {
    format!("migration-{uid}.{count}.{number}")
}

async fn apply_config_map(
    client: &Client,
    namespace: &str,
    name: &str,
    object: &Value,
) -> Result<(), WriteError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let params = PatchParams::apply(MANAGER).force();
    in_time(api.patch(name, &params, &Patch::Apply(object))).await.map(drop)
}
