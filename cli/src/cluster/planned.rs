//! What the operator's stages make of a zone as it is in the cluster: what is published, and the objects.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::{Resource, ResourceExt};
use port53_client::explain;
use port53_crds::{HeadState, ZoneHead};
use port53_operator::objects::{ObjectRef, Objects};
use port53_operator::stages::{self, Apex, Inputs, MissingZone, Plan, Published, Settings};
use port53_store::Head;
use port53_zone::{Name, Rtype, name, rules};

use super::published::Version;
use super::zones::{Found, namespaced};
use super::{Cluster, is_forbidden};
use crate::commands::NO_SALT;

impl Cluster {
    /// What the operator's stages make of a zone as it is in the cluster, with what is `written` in the place of
    /// what has its name; and whether all its records could be seen. `head` and `version` are what is published.
    ///
    /// # Errors
    /// When something that is needed cannot be read.
    pub(crate) async fn plan(
        &self,
        found: &Found,
        head: &Head,
        version: Version,
        written: &Objects,
    ) -> Result<(Plan, bool), String> {
        let holder =
            ObjectRef::Zone { namespace: head.holder.namespace.clone(), name: head.holder.name.clone() };
        let nameservers = nameservers(&version, &holder);
        let published = Published { holder, content: version.content, soa: version.soa };
        let mut all = self.published_below(found).await?;
        all.insert(found.apex.clone(), published);
        let (objects, is_all) = self.objects_with(found, written).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let settings = Settings {
            now,
            salt: NO_SALT,
            limits: rules::Limits::default(),
            nameservers,
            sets: None,
            // While the zone moves here its migration says which these are.
            apexes: match head.forwarding {
                Some(_) => BTreeMap::from([(found.apex.clone(), Apex::AsPublished)]),
                None => BTreeMap::new(),
            },
            missing_zone: MissingZone::Keep,
        };
        let serials = BTreeMap::new();
        let inputs = Inputs { objects: &objects, published: &all, serials: &serials, settings: &settings };
        Ok((stages::plan(&inputs), is_all))
    }

    /// What is published of the zones below one: its delegations come from there.
    async fn published_below(&self, found: &Found) -> Result<BTreeMap<Name, Published>, String> {
        let heads = self.list(&self.of_operator::<ZoneHead>(), &ListParams::default()).await;
        let heads = heads.map_err(|error| format!("the heads cannot be listed: {}", explain(&error)))?;
        let mut below = BTreeMap::new();
        for head in heads.iter().filter_map(|object| Head::read(object).ok()) {
            let (apex, holder) = (head.apex.clone(), head.holder.clone());
            if apex == found.apex || !apex.ends_with(&found.apex) || head.state == HeadState::Withdrawn {
                continue;
            }
            let child = Found { apex: apex.clone(), zone: None, head: Ok(Some(head)) };
            let Version { soa, content } = self.published(&child).await?.1;
            let holder = ObjectRef::Zone { namespace: holder.namespace, name: holder.name };
            below.insert(apex, Published { holder, content, soa });
        }
        Ok(below)
    }

    /// The Zone and its records as they are, with what is `written` in their place; and whether these are
    /// all its records.
    async fn objects_with(&self, found: &Found, written: &Objects) -> Result<(Objects, bool), String> {
        let zone = found.object()?;
        let mut objects = Objects { namespaces: Arc::new(self.namespaces().await?), ..Objects::default() };
        objects.zones = overlaid(vec![zone.clone()], &written.zones);
        let (records, is_all) = self.records_of(zone).await?;
        let written: Vec<_> = written.records.iter().cloned().collect();
        objects.records = overlaid(records, &written).into_iter().collect();
        Ok((objects, is_all))
    }

    /// Labels of namespaces, as far as they may be seen.
    async fn namespaces(&self) -> Result<BTreeMap<String, BTreeMap<String, String>>, String> {
        match self.list(&self.of_all::<Namespace>(), &ListParams::default()).await {
            Ok(namespaces) => {
                let named = namespaces.into_iter();
                Ok(named.map(|namespace| (namespace.name_any(), namespace.labels().clone())).collect())
            }
            Err(error) if is_forbidden(&error) => Ok(BTreeMap::new()),
            Err(error) => Err(format!("the namespaces cannot be listed: {}", explain(&error))),
        }
    }
}

/// The hostnames that the operator gave the zone, where it gave it some.
fn nameservers(version: &Version, holder: &ObjectRef) -> Vec<Name> {
    let apex = version.content.apex();
    if version.content.owner_of(apex, Rtype::NS) != Some(holder.owner()) {
        return Vec::new();
    }
    let rrset = version.content.get(apex, Rtype::NS);
    let values = rrset
        .iter()
        .flat_map(|rrset| rrset.values().iter().map(|value| port53_zone::rdata::display(rrset.rtype, value)));
    values.filter_map(|host| name::parse_absolute(&host).ok()).collect()
}

/// What is there, and what is written in the place of what has its name. That keeps the age of what it replaces.
fn overlaid<K: Resource<DynamicType = ()> + Clone>(there: Vec<K>, written: &[Arc<K>]) -> Vec<Arc<K>> {
    let key = |object: &K| {
        let (namespace, name) = namespaced(object);
        (namespace.to_owned(), name.to_owned())
    };
    let mut there: HashMap<_, _> = there.into_iter().map(|object| (key(&object), object)).collect();
    let mut objects: Vec<Arc<K>> = Vec::with_capacity(there.len() + written.len());
    for object in written {
        let before = there.remove(&key(object));
        let mut object = K::clone(object);
        if let Some(before) = before {
            object.meta_mut().creation_timestamp = before.meta().creation_timestamp.clone();
        }
        objects.push(Arc::new(object));
    }
    objects.extend(there.into_values().map(Arc::new));
    objects
}
