//! A cluster, as the commands see it.
//!
//! ```text
//! ZONE ──zones──▶ Found: apex, Zone, head ──published──▶ versions: SOA and content
//! objects ──send──▶ API server ──wait──▶ what the operator says of them
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `mod` | connecting; lists, page by page |
//! | [`config`] | which cluster it is, and who asks |
//! | [`zones`] | which zone a person means |
//! | [`published`] | what is published of a zone, and its kept versions |
//! | [`planned`] | what the operator's stages make of it and of the objects |
//! | [`records`] | the DNSRecords of a Zone |
//! | [`restore`] | objects as they were |
//! | [`rights`] | what this person would be let do |
//! | [`send`] | server-side apply, with patience |
//! | [`wait`] | following objects until a verdict |
//! | [`served`] | waiting until a zone is served as it should be |
//! | [`verdict`] | what a status says |
//! | [`annotate`] | what a person says to the operator beside a spec |
//!
//! Errors are texts for a person: what was wanted, what the API server says, what to do.

pub(crate) mod annotate;
mod config;
pub(crate) mod planned;
pub(crate) mod published;
pub(crate) mod records;
pub(crate) mod restore;
pub(crate) mod rights;
pub(crate) mod send;
pub(crate) mod served;
pub(crate) mod verdict;
pub(crate) mod wait;
pub(crate) mod zones;

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::{Client, Error, Resource};
use port53_client::explain;
use port53_client::slices::Slices;
use serde::de::DeserializeOwned;

use crate::args::ClusterArgs;

/// Objects in a page of a list.
const PAGE: u32 = 500;

/// A cluster and where in it.
pub(crate) struct Cluster {
    client: Client,
    /// Where objects are that name no namespace.
    pub(crate) namespace: String,
    /// Whether a person said so.
    pub(crate) is_namespace_named: bool,
    /// Where zones are published.
    pub(crate) operator_namespace: String,
    /// How long objects are applied again when the API server is gone.
    patience: Duration,
    /// How long one request may take.
    answered_within: Duration,
    slices: Slices,
}

/// A kind of Kubernetes that is in namespaces, and of which the type says all.
pub(crate) trait Kind:
    Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned
{
}

impl<K> Kind for K where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
{
}

/// Runs what waits for a cluster to its end.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> Result<T, std::io::Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(work))
}

impl Cluster {
    /// The cluster that the arguments name. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When there is none, or its configuration cannot be read.
    pub(crate) async fn connect(arguments: &ClusterArgs) -> Result<Self, String> {
        let config = config::config(arguments).await?;
        let namespace = arguments.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = port53_client::client(config).map_err(|error| explain(&error))?;
        let answered_within = match arguments.request_timeout {
            None => send::ANSWERED_WITHIN,
            Some(Duration::ZERO) => Duration::MAX,
            Some(time) => time,
        };
        let operator_namespace = arguments.operator_namespace();
        let slices = Slices::new(client.clone(), &operator_namespace, Arc::default());
        Ok(Cluster {
            client,
            namespace,
            is_namespace_named: arguments.namespace.is_some(),
            operator_namespace,
            patience: send::PATIENCE,
            answered_within,
            slices: slices.within(arguments.request_timeout.map(|_| answered_within)),
        })
    }

    /// For who says how long an API server that is gone is given.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Cluster { patience, ..self }
    }

    /// Objects of a namespace.
    pub(crate) fn of<K: Kind>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Objects of all namespaces.
    pub(crate) fn of_all<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// Heads and revisions.
    pub(crate) fn of_operator<K: Kind>(&self) -> Api<K> {
        self.of(&self.operator_namespace)
    }

    /// Every object that the API server lists, page by page.
    ///
    /// # Errors
    /// As the API server says.
    pub(crate) async fn list<K: Clone + Debug + DeserializeOwned>(
        &self,
        api: &Api<K>,
        params: &ListParams,
    ) -> Result<Vec<K>, Error> {
        let mut params = ListParams { limit: Some(PAGE), ..params.clone() };
        let mut objects = Vec::new();
        loop {
            let page = match self.asked(|| api.list(&params)).await {
                // The list was compacted away while it was read: from the beginning.
                Err(Error::Api(status)) if status.code == 410 && params.continue_token.is_some() => {
                    params.continue_token = None;
                    objects.clear();
                    continue;
                }
                other => other?,
            };
            objects.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(objects),
            }
        }
    }
}

/// A field selector. What separates terms in it stands behind a backslash.
pub(crate) fn field_is(field: &str, value: &str) -> String {
    let mut selector = format!("{field}=");
    for character in value.chars() {
        if matches!(character, '\\' | ',' | '=') {
            selector.push('\\');
        }
        selector.push(character);
    }
    selector
}

/// Whether the API server forbids it, so that less may be asked.
pub(crate) fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 403)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_terms_of_a_selector_is_escaped() {
        assert_eq!(field_is("spec.domain", "example.com"), "spec.domain=example.com");
        assert_eq!(field_is("spec.domain", "a\\.b,c=d.com"), "spec.domain=a\\\\.b\\,c\\=d.com");
    }
}
