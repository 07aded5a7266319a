//! What applying a directory would change of a zone: the operator's stages over what is in the cluster with the
//! objects of the directory in the place of those of the same name. What the directory does not have stays, as
//! with `apply`. A master file of the zone is compared as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::{Resource, ResourceExt};
use port53_client::explain;
use port53_crds::{HeadState, ZoneHead};
use port53_operator::objects::{ObjectRef, Objects};
use port53_operator::stages::{self, Inputs, MissingZone, Published, Settings};
use port53_operator::verdict::Verdict;
use port53_store::Head;
use port53_zone::{Name, Rtype, name, rules};

use super::{NO_SALT, Zones, read};
use crate::args::ClusterArgs;
use crate::cluster::published::Version;
use crate::cluster::zones::{Found, namespaced};
use crate::cluster::{Cluster, is_forbidden, list};
use crate::directory::Directory;
use crate::finding::Finding;
use crate::judge;
use crate::report::{self, Style};

/// What is published, and what it would be. What would be rejected is told.
pub(super) async fn sides(
    arguments: &ClusterArgs,
    zone: &str,
    path: &Path,
    style: Style,
) -> Result<(Zones, Zones), String> {
    let cluster = Cluster::connect(arguments).await?;
    let found = cluster.find(zone).await?;
    let (head, version) = cluster.published(&found).await?;
    let directory =
        read(&[path.to_owned()], &cluster.namespace).map_err(|error| port53_client::chain(&*error))?;
    let apex = found.apex.clone();
    let before = Zones::from([(apex.clone(), (version.soa.clone(), version.content.clone()))]);

    let of_file = directory.objects().master_zones.iter().any(|master| master.apex == apex);
    if of_file {
        let mut after = super::zones(path, &cluster.namespace).map_err(|error| error.to_string())?;
        after.retain(|of, _| *of == apex);
        return Ok((before, after));
    }

    let holder = ObjectRef::Zone { namespace: head.holder.namespace.clone(), name: head.holder.name.clone() };
    let nameservers = nameservers(&version, &holder);
    let published = Published { holder, content: version.content, soa: version.soa };
    let mut all = cluster.published_below(&found).await?;
    all.insert(apex.clone(), published);
    let objects = cluster.objects_with(&found, &directory).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let settings = Settings {
        now,
        salt: NO_SALT,
        limits: rules::Limits::default(),
        nameservers,
        missing_zone: MissingZone::Keep,
    };
    let serials = BTreeMap::new();
    let inputs = Inputs { objects: &objects, published: &all, serials: &serials, settings: &settings };
    let plan = stages::plan(&inputs);
    let findings = findings(&directory, plan.verdicts(), &apex);
    eprint!("{}", report::findings_text(&findings, style));
    let after = plan.zones.into_iter().filter(|zone| zone.apex == apex);
    Ok((before, after.map(|zone| (zone.apex, (zone.soa, zone.applied.content))).collect()))
}

/// What would be wrong with the objects of the directory that are about the zone.
fn findings<'v>(
    directory: &Directory,
    verdicts: impl IntoIterator<Item = &'v Verdict>,
    apex: &Name,
) -> Vec<Finding> {
    let written = directory.objects();
    let ours: BTreeSet<ObjectRef> = written
        .zones
        .iter()
        .map(|zone| ObjectRef::of_zone(zone))
        .chain(written.records.iter().map(|record| ObjectRef::of_record(record)))
        .collect();
    let about = verdicts.into_iter().filter(|verdict| verdict.zone.as_ref() == Some(apex));
    let mut findings: Vec<Finding> = directory.findings().cloned().collect();
    findings.extend(judge::findings(directory, about.filter(|verdict| ours.contains(&verdict.object))));
    findings.sort();
    findings
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

impl Cluster {
    /// What is published of the zones below one: its delegations come from there.
    async fn published_below(&self, found: &Found) -> Result<BTreeMap<Name, Published>, String> {
        let heads = list(&self.of_operator::<ZoneHead>(), &ListParams::default()).await;
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

    /// The Zone and its records as they are, with those of the directory in their place.
    async fn objects_with(&self, found: &Found, directory: &Directory) -> Result<Objects, String> {
        let zone = found.object()?;
        let written = directory.objects();
        let mut objects = Objects { namespaces: Arc::new(self.namespaces().await?), ..Objects::default() };
        objects.zones = overlaid(vec![zone.clone()], &written.zones);
        let (records, is_all) = self.records_of(zone).await?;
        if !is_all {
            eprintln!(
                "only the records of namespace {} can be seen: grant the right to list DNSRecords of all namespaces",
                namespaced(zone).0
            );
        }
        let written: Vec<_> = written.records.iter().cloned().collect();
        objects.records = overlaid(records, &written).into_iter().collect();
        Ok(objects)
    }

    /// Labels of namespaces, as far as they may be seen.
    async fn namespaces(&self) -> Result<BTreeMap<String, BTreeMap<String, String>>, String> {
        match list(&self.of_all::<Namespace>(), &ListParams::default()).await {
            Ok(namespaces) => {
                let named = namespaces.into_iter();
                Ok(named.map(|namespace| (namespace.name_any(), namespace.labels().clone())).collect())
            }
            Err(error) if is_forbidden(&error) => Ok(BTreeMap::new()),
            Err(error) => Err(format!("the namespaces cannot be listed: {}", explain(&error))),
        }
    }
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
