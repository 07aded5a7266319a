//! What is published, as objects: heads, revisions and slices of one namespace.
//!
//! A head is written over the version that is known, or not at all. Slices and revisions never change: that one
//! is there already is as good as having written it, once it was seen to be the same. A slice that is not what its
//! name says is replaced. They are deleted only as the very object that was seen.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client, Error, ResourceExt};
use port53_client::slices::Slices;
use port53_client::{explain, is_passing};
use port53_crds::{ZoneHead, ZoneRevision, ZoneSlice};
use port53_store::{Head, Revision, head_object_name, read_slice, slice_object};
use port53_zone::Name;
use port53_zone::content::{Digest, Slice};
use tokio::time::timeout;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Slices of one checkpoint that are written at once.
const SLICES: usize = 8;

/// Why something was not written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// Something else is there than was known.
    #[error("it was changed meanwhile")]
    Conflict,
    /// It is not known whether it was written: the API server did not say so, or cannot be reached.
    #[error("{0}")]
    Unsure(String),
    /// The API server refuses it.
    #[error("{0}")]
    Refused(String),
}

/// The published objects of a namespace.
#[derive(Clone)]
pub struct Store {
    heads: Api<ZoneHead>,
    revisions: Api<ZoneRevision>,
    slices: Api<ZoneSlice>,
    /// For reading content.
    pub reader: Slices,
    namespace: Arc<str>,
}

impl Store {
    /// That of `namespace`.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Store {
            heads: Api::namespaced(client.clone(), namespace),
            revisions: Api::namespaced(client.clone(), namespace),
            slices: Api::namespaced(client.clone(), namespace),
            reader: Slices::new(client.clone(), namespace, Arc::new(AtomicU64::new(0))),
            namespace: namespace.into(),
        }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Writes a head over the version `over`, or as a new object. Returns its version.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when another version is there, or none.
    pub async fn put_head(&self, head: &Head, over: Option<&str>) -> Result<String, WriteError> {
        let mut object = head.to_object(&self.namespace);
        object.metadata.resource_version = over.map(str::to_owned);
        let name = object.name_any();
        let written = match over {
            Some(_) => in_time(self.heads.replace(&name, &PostParams::default(), &object)).await,
            None => in_time(self.heads.create(&PostParams::default(), &object)).await,
        };
        Ok(written?.resource_version().unwrap_or_default())
    }

    /// The head of a zone as it is.
    ///
    /// # Errors
    /// When the API server does not say.
    pub async fn head(&self, apex: &Name) -> Result<Option<ZoneHead>, WriteError> {
        let name = head_object_name(apex);
        in_time(self.heads.get_opt(&name)).await
    }

    /// Writes slices and then the revision over them. Returns the uid of the revision.
    ///
    /// # Errors
    /// [`WriteError::Refused`] when a revision of that serial keeps another content.
    pub async fn write_checkpoint(
        &self,
        slices: Vec<(Digest, Slice)>,
        revision: &Revision,
    ) -> Result<String, WriteError> {
        self.write_slices(slices).await?;
        let object = revision.to_object(&self.namespace);
        let written = in_time(self.revisions.create(&PostParams::default(), &object)).await;
        let there = match written {
            Err(WriteError::Conflict) => in_time(self.revisions.get(&object.name_any())).await?,
            other => other?,
        };
        let uid = there.uid().unwrap_or_default();
        let is_ours = Revision::read(&there)
            .is_ok_and(|there| there.checkpoint == revision.checkpoint && there.soa == revision.soa);
        match is_ours {
            true => Ok(uid),
            false => Err(WriteError::Refused(format!(
                "ZoneRevision {} is there with another content",
                object.name_any()
            ))),
        }
    }

    /// Writes slices. Those that are there stay, if they are what their names say.
    ///
    /// # Errors
    /// The first.
    pub async fn write_slices(&self, slices: Vec<(Digest, Slice)>) -> Result<(), WriteError> {
        let writes = slices.into_iter().map(|(digest, slice)| {
            let object = slice_object(&self.namespace, &digest, &slice);
            async move {
                match in_time(self.slices.create(&PostParams::default(), &object)).await {
                    Err(WriteError::Conflict) => self.replace_unless_right(&digest, &object).await,
                    written => written.map(drop),
                }
            }
        });
        stream::iter(writes).buffer_unordered(SLICES).try_collect().await
    }

    /// A slice of that name is there. Who made it may not have been an operator.
    async fn replace_unless_right(&self, digest: &Digest, object: &ZoneSlice) -> Result<(), WriteError> {
        let there = in_time(self.slices.get(&object.name_any())).await?;
        let Err(why) = read_slice(&there) else { return Ok(()) };
        tracing::warn!("a ZoneSlice was replaced by another, and is stored again: {why}");
        self.delete_slice(digest, &there.uid().unwrap_or_default()).await?;
        in_time(self.slices.create(&PostParams::default(), object)).await.map(drop)
    }

    /// Deletes a revision, as the object that was seen.
    ///
    /// # Errors
    /// When the API server does not do so. That it is gone is none.
    pub async fn delete_revision(&self, name: &str, uid: &str) -> Result<(), WriteError> {
        gone(in_time(self.revisions.delete(name, &seen(uid))).await)
    }

    /// Deletes a slice, as the object that was seen.
    ///
    /// # Errors
    /// As [`Store::delete_revision`].
    pub async fn delete_slice(&self, digest: &Digest, uid: &str) -> Result<(), WriteError> {
        gone(in_time(self.slices.delete(&digest.to_string(), &seen(uid))).await)
    }
}

fn seen(uid: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// Another object of that name is as good as none: it is not the one that was to go.
fn gone<T>(deleted: Result<T, WriteError>) -> Result<(), WriteError> {
    match deleted {
        Ok(_) | Err(WriteError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The outcome of a request to the API server.
pub(crate) async fn in_time<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, WriteError> {
    match timeout(PATIENCE, request).await {
        Ok(Ok(value)) => Ok(value),
        // 404 of a POST: there is no place for it.
        Ok(Err(Error::Api(status))) if is_of_a_namespace(&status) => {
            let namespace = status.details.map(|details| details.name).unwrap_or_default();
            let said = format!("namespace {namespace} does not exist: create it or correct --namespace");
            Err(WriteError::Refused(said))
        }
        // 404 of a PUT, PATCH or DELETE: what was to be changed is gone.
        Ok(Err(Error::Api(status))) if matches!(status.code, 404 | 409) && is_of_an_object(&status) => {
            Err(WriteError::Conflict)
        }
        Ok(Err(error)) if is_passing(&error) => Err(WriteError::Unsure(explain(&error))),
        Ok(Err(error)) => Err(WriteError::Refused(explain(&error))),
        Err(_) => Err(WriteError::Unsure("the API server does not answer".to_owned())),
    }
}

/// Whether a status says that a namespace is not there.
fn is_of_a_namespace(status: &kube::core::Status) -> bool {
    status.code == 404 && status.details.as_ref().is_some_and(|details| details.kind == "namespaces")
}

/// Whether a status is about an object, rather than about a resource that is not known.
fn is_of_an_object(status: &kube::core::Status) -> bool {
    status.details.as_ref().is_some_and(|details| !details.name.is_empty())
}
