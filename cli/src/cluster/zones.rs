//! Which zone a person means: a domain, NAMESPACE/NAME or NAME of a Zone object.
//!
//! Who holds a domain is said by its head, so a head is asked first; where it cannot be read, or nothing is
//! published yet, Zones are looked through. A zone of which the Zone object is gone is still published, and is
//! found by its domain.

use std::collections::BTreeSet;

use kube::Error;
use kube::api::{Api, ListParams};
use kube::core::Resource;
use port53_client::explain;
use port53_crds::{HeadState, KEEP_ANNOTATION, Zone, ZoneHead};
use port53_store::{Head, head_object_name};
use port53_zone::{Name, name};

use super::{Cluster, is_forbidden};
use crate::args::program;
use crate::judge::zone_text;

/// A zone that was found.
pub(crate) struct Found {
    pub(crate) apex: Name,
    /// The object that holds it, or asks for it.
    pub(crate) zone: Option<Zone>,
    /// What is published; nothing when nothing is; or why that is not known.
    pub(crate) head: Result<Option<Head>, String>,
}

impl Found {
    /// The domain as people write it.
    pub(crate) fn domain(&self) -> String {
        zone_text(&self.apex)
    }

    /// The Zone object.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn object(&self) -> Result<&Zone, String> {
        self.zone.as_ref().ok_or_else(|| match &self.head {
            Ok(Some(head)) => {
                let (namespace, name) = (&head.holder.namespace, &head.holder.name);
                without_zone(&self.domain(), namespace, name)
            }
            _ => format!("{} has no Zone: apply one", self.domain()),
        })
    }

    /// The head.
    ///
    /// # Errors
    /// When nothing is published, it cannot be read, or somebody else's is.
    pub(crate) fn head(&self) -> Result<&Head, String> {
        let domain = self.domain();
        let head = self.head.as_ref().map_err(Clone::clone)?;
        let head = head
            .as_ref()
            .ok_or_else(|| {
                format!(
                    "nothing of {domain} is published: see what its Zone says with {} status {domain}, and whether \
                     --operator-namespace names the namespace of the operator",
                    program()
                )
            })?;
        if let Some(zone) = &self.zone {
            let (namespace, name) = namespaced(zone);
            let holder = &head.holder;
            if (holder.namespace.as_str(), holder.name.as_str()) != (namespace, name) {
                return Err(format!(
                    "Zone {namespace}/{name} does not hold {domain}: Zone {}/{} does",
                    holder.namespace, holder.name
                ));
            }
        }
        Ok(head)
    }
}

/// What is to be done about a zone that is served and has no Zone.
pub(crate) fn without_zone(domain: &str, namespace: &str, name: &str) -> String {
    format!(
        "{domain} is served without a Zone, for its Zone {namespace}/{name} is gone: apply that again, and to withdraw \
         it delete it then, without the annotation {KEEP_ANNOTATION}"
    )
}

/// Namespace and name of an object.
pub(crate) fn namespaced<K: Resource>(object: &K) -> (&str, &str) {
    let metadata = object.meta();
    (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

impl Cluster {
    /// The zone that `text` names.
    ///
    /// # Errors
    /// When there is none, with those that are; or when it cannot be looked for.
    pub(crate) async fn find(&self, text: &str) -> Result<Found, String> {
        if let Some((namespace, name)) = text.split_once('/')
            && is_label(namespace)
            && let Some(zone) = self.zone(namespace, name).await?
        {
            return self.found(zone).await;
        }
        let apex = name::parse_absolute(text).ok();
        let mut head = Ok(None);
        if let Some(apex) = &apex {
            head = self.head(apex).await;
            if let Ok(Some(head)) = head {
                let zone = self.zone(&head.holder.namespace, &head.holder.name).await?;
                return Ok(Found { apex: apex.clone(), zone, head: Ok(Some(head)) });
            }
        }
        let zones = self.zones().await?;
        let mut of_domain: Vec<&Zone> =
            zones.iter().filter(|zone| apex.is_some() && apex_of(zone).ok() == apex).collect();
        if of_domain.len() > 1 {
            // One of them holds the domain, where that is known.
            of_domain.sort_by_key(|zone| !is_accepted(zone));
            if of_domain.iter().filter(|zone| is_accepted(zone)).count() != 1 {
                let names: Vec<String> = of_domain.iter().map(|zone| shown(zone)).collect();
                return Err(format!("{text} is the domain of {}: say which of them", names.join(" and ")));
            }
        }
        if let (Some(zone), Some(apex)) = (of_domain.first(), apex) {
            return Ok(Found { apex, zone: Some((*zone).clone()), head });
        }
        if let Some(zone) = zones.iter().find(|zone| namespaced(*zone) == (self.namespace.as_str(), text)) {
            return self.found(zone.clone()).await;
        }
        let there = match &zones.iter().map(shown).collect::<Vec<_>>()[..] {
            [] => "there is none at all".to_owned(),
            names if names.len() > 20 => format!("there are {}", names.len()),
            names => format!("there are {}", names.join(", ")),
        };
        Err(format!("there is no zone {text}: {there}"))
    }

    /// The head of a zone, if it is published.
    ///
    /// # Errors
    /// When that cannot be read.
    pub(crate) async fn head(&self, apex: &Name) -> Result<Option<Head>, String> {
        let heads: Api<ZoneHead> = self.of_operator();
        let name = head_object_name(apex);
        self.head_of(&name, self.asked(|| heads.get_opt(&name)).await)
    }

    /// As [`Cluster::head`], for who waits anyway: an API server that is gone may come back.
    ///
    /// # Errors
    /// When that cannot be read.
    pub(crate) async fn head_patiently(&self, apex: &Name) -> Result<Option<Head>, String> {
        let heads: Api<ZoneHead> = self.of_operator();
        let name = head_object_name(apex);
        self.head_of(&name, self.patiently(|| heads.get_opt(&name)).await)
    }

    fn head_of(&self, name: &str, got: Result<Option<ZoneHead>, Error>) -> Result<Option<Head>, String> {
        let what = || format!("ZoneHead {}/{name}", self.operator_namespace);
        match got {
            Ok(None) => Ok(None),
            Ok(Some(object)) => Head::read(&object)
                .map(Some)
                .map_err(|error| format!("{} cannot be read: {error}: the operator restores it", what())),
            Err(error) => Err(format!("{}: {}", what(), explain(&error))),
        }
    }

    /// The Zones that may be seen: of the namespace that a person named, else of all, or of as many as the
    /// API server lets be listed.
    pub(crate) async fn zones(&self) -> Result<Vec<Zone>, String> {
        let told = |error: Error| format!("the Zones cannot be listed: {}", explain(&error));
        let params = ListParams::default();
        if !self.is_namespace_named {
            match self.list(&self.of_all::<Zone>(), &params).await {
                Err(error) if is_forbidden(&error) => {}
                listed => return listed.map_err(told),
            }
        }
        self.list(&self.of::<Zone>(&self.namespace), &params).await.map_err(told)
    }

    /// The heads of zones that are served and have no Zone among `zones`, which are all there are.
    ///
    /// # Errors
    /// When the heads cannot be listed.
    pub(crate) async fn heads_without_zone(&self, zones: &[Zone]) -> Result<Vec<Head>, String> {
        let there: BTreeSet<(&str, &str)> = zones.iter().map(namespaced).collect();
        let heads = self.list(&self.of_operator::<ZoneHead>(), &ListParams::default()).await;
        let heads = heads.map_err(|error| {
            format!("the ZoneHeads of namespace {}: {}", self.operator_namespace, explain(&error))
        })?;
        let served = heads.iter().filter_map(|object| Head::read(object).ok()).filter(|head| {
            head.state != HeadState::Withdrawn
                && !there.contains(&(head.holder.namespace.as_str(), head.holder.name.as_str()))
        });
        Ok(served.collect())
    }

    async fn zone(&self, namespace: &str, name: &str) -> Result<Option<Zone>, String> {
        let zones = self.of::<Zone>(namespace);
        let found = self.asked(|| zones.get_opt(name)).await;
        found.map_err(|error| format!("Zone {namespace}/{name}: {}", explain(&error)))
    }

    async fn found(&self, zone: Zone) -> Result<Found, String> {
        let apex = apex_of(&zone)?;
        let head = self.head(&apex).await;
        Ok(Found { apex, zone: Some(zone), head })
    }
}

/// The name of a zone.
///
/// # Errors
/// When its domain is none.
pub(crate) fn apex_of(zone: &Zone) -> Result<Name, String> {
    let domain = &zone.spec.domain;
    name::parse_absolute(domain)
        .map_err(|error| format!("{}: spec.domain: \"{domain}\" {error}", shown(zone)))
}

fn is_accepted(zone: &Zone) -> bool {
    let conditions = zone.status.as_ref().map(|status| &status.conditions[..]).unwrap_or_default();
    port53_crds::find_condition(conditions, port53_crds::ConditionType::Accepted)
        .is_some_and(|accepted| accepted.status == "True")
}

fn shown(zone: &Zone) -> String {
    let (namespace, name) = namespaced(zone);
    format!("{} (Zone {namespace}/{name})", zone.spec.domain)
}

/// Whether it can be the name of a namespace.
fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}
