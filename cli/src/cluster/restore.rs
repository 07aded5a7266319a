//! Objects as they were: what `apply --atomic` remembers before it applies, and how it puts that back.
//!
//! What somebody else changed meanwhile is left alone, for it is theirs. What was there gets its spec, labels and
//! annotations back, and then its managedFields, which only a write that changes nothing else can set: so nobody
//! manages a field that they did not manage before. What was not there is deleted; a Zone that was made a moment
//! ago has nothing that must be served on, so it is withdrawn at once and not after its removal delay.

use kube::Error;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use port53_client::explain;
use serde_json::{Value, json};

use super::send::MANAGER;
use super::verdict::generation;
use super::{Cluster, send};

/// How often a write is tried that others come before.
const ATTEMPTS: u32 = 5;

/// An object before something was applied, and after.
pub(crate) struct Applied<'a> {
    /// As it was applied.
    pub(crate) manifest: &'a Value,
    /// Nothing when it was not there.
    pub(crate) before: Option<&'a DynamicObject>,
    /// Nothing when it is not known whether it was applied.
    pub(crate) after: Option<&'a DynamicObject>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Restored {
    /// It was as before all along.
    Unchanged,
    /// It is as it was.
    AsBefore,
    /// It is deleted, for it was not there.
    Deleted,
}

impl Cluster {
    /// An object as it is; nothing when it is not there.
    ///
    /// # Errors
    /// When that cannot be known.
    pub(crate) async fn current(&self, manifest: &Value) -> Result<Option<DynamicObject>, Error> {
        let api = self.like(manifest);
        let name = send::named(manifest).1;
        self.asked(|| api.get_opt(name)).await
    }

    /// Puts an object back as it was.
    ///
    /// # Errors
    /// Why it is not as it was.
    pub(crate) async fn restore(&self, applied: &Applied<'_>) -> Result<Restored, String> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let now = self.current(applied.manifest).await.map_err(|error| explain(&error))?;
            let step = match (now, applied.before) {
                (None, None) => return Ok(Restored::Unchanged),
                (None, Some(_)) => {
                    return Err("it was deleted by somebody meanwhile, and is left so".to_owned());
                }
                (Some(now), _) if !applied.is_ours(&now) => {
                    return Err("it was changed by somebody meanwhile, and is left so".to_owned());
                }
                (Some(now), None) => self.delete(&now, applied.manifest).await.map(|()| Restored::Deleted),
                (Some(now), Some(before)) => self.put_back(now, before, applied.manifest).await,
            };
            match step {
                Err(Error::Api(status)) if status.code == 409 => last = status.message,
                done => return done.map_err(|error| explain(&error)),
            }
        }
        Err(format!("others write it all the time: {last}"))
    }

    async fn delete(&self, now: &DynamicObject, manifest: &Value) -> Result<(), Error> {
        let api = self.like(manifest);
        let name = send::named(manifest).1;
        if manifest["kind"] == "Zone" {
            let version = &now.metadata.resource_version;
            let change = json!({"metadata": {"resourceVersion": version}, "spec": {"removalDelay": "0s"}});
            let (change, params) = (Patch::Merge(change), as_manager());
            self.patiently(|| api.patch(name, &params, &change)).await?;
        }
        // Of that very object, whatever the operator writes into its status meanwhile.
        let preconditions = Preconditions { uid: now.metadata.uid.clone(), ..Preconditions::default() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.patiently(|| api.delete(name, &params)).await {
            Err(Error::Api(status)) if status.code == 404 => Ok(()),
            done => done.map(|_| ()),
        }
    }

    async fn put_back(
        &self,
        mut now: DynamicObject,
        before: &DynamicObject,
        manifest: &Value,
    ) -> Result<Restored, Error> {
        let api = self.like(manifest);
        let name = send::named(manifest).1;
        let is_same = |now: &DynamicObject| {
            now.data["spec"] == before.data["spec"]
                && now.metadata.labels == before.metadata.labels
                && now.metadata.annotations == before.metadata.annotations
        };
        let was_same = is_same(&now);
        if !was_same {
            now.data["spec"] = before.data["spec"].clone();
            now.metadata.labels.clone_from(&before.metadata.labels);
            now.metadata.annotations.clone_from(&before.metadata.annotations);
            let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            now = self.patiently(|| api.replace(name, &params, &now)).await?;
        }
        // Who writes the status has written on meanwhile.
        let is_status = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
            entry.subresource.as_deref().is_some_and(|subresource| !subresource.is_empty())
        };
        let of_now = now.metadata.managed_fields.iter().flatten().filter(is_status);
        let of_before = before.metadata.managed_fields.iter().flatten().filter(|entry| !is_status(entry));
        let fields: Vec<_> = of_before.chain(of_now).cloned().collect();
        if now.metadata.managed_fields.as_ref() != Some(&fields) {
            let change = json!({"metadata": {
                "resourceVersion": now.metadata.resource_version,
                "managedFields": fields,
            }});
            let (change, params) = (Patch::Merge(change), as_manager());
            self.patiently(|| api.patch(name, &params, &change)).await?;
        }
        Ok(if was_same { Restored::Unchanged } else { Restored::AsBefore })
    }
}

fn as_manager() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

impl Applied<'_> {
    /// Whether an object is as it was before or as it was applied, in what people write.
    fn is_ours(&self, now: &DynamicObject) -> bool {
        let is_as = |known: &DynamicObject| {
            known.metadata.uid == now.metadata.uid && generation(known) == generation(now)
        };
        match self.after {
            Some(after) => {
                is_as(after) || self.before.is_some_and(|before| before.data["spec"] == now.data["spec"])
            }
            // Whether it was applied is not known: what is there is what was asked for, or what was.
            None => {
                let spec = &self.manifest["spec"];
                self.before.is_some_and(|before| before.data["spec"] == now.data["spec"])
                    || spec.as_object().is_some_and(|fields| {
                        fields.iter().all(|(field, value)| now.data["spec"][field] == *value)
                    })
            }
        }
    }
}
