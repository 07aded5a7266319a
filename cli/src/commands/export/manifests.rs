//! What is published as manifests that can be applied where they come from, and change nothing there.
//!
//! Who owns each RRset is stored with it: a DNSRecord keeps its namespace and name, and what a Zone says itself, its
//! nameservers, is in the Zone. An object that is published as it is written is exported as it is written; one that
//! is not, for it was refused, waits or is gone, says what is published. What nobody owns, as all in a master file,
//! gets the names that `port53 import` gives.

use std::collections::BTreeMap;

use port53_crds::DNSRecord;
use port53_operator::objects::{self, ObjectRef};
use port53_operator::verdict::Outcome;
use port53_store::Head;
use port53_zone::content::Content;
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Rtype, Soa, name, rdata};
use serde::Serialize;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::cluster::published::Version;
use crate::cluster::zones::Found;
use crate::directory::Directory;
use port53_operator::convert::{self, ObjectName, ZoneData};

/// The objects of a zone.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Where what has no object yet is to be.
    namespace: String,
    /// The name of the Zone.
    name: Option<String>,
    /// What the Zone says.
    zone: Option<Value>,
    /// What DNSRecords say that are published as they are written.
    records: BTreeMap<ObjectName, Value>,
}

impl Objects {
    /// None that are known.
    pub(super) fn none(namespace: &str) -> Self {
        Objects { namespace: namespace.to_owned(), ..Objects::default() }
    }

    /// Those of a directory: they are served as they are written, or not at all.
    pub(super) fn of_directory(directory: &Directory, holder: &ObjectRef, namespace: &str) -> Self {
        let ObjectRef::Zone { namespace, name } = holder else { return Objects::none(namespace) };
        let written = directory.objects();
        let zone = written.zones.iter().find(|zone| ObjectRef::of_zone(zone) == *holder);
        Objects {
            namespace: namespace.clone(),
            name: Some(name.clone()),
            zone: zone.map(|zone| spec(&zone.spec)),
            records: written.records.iter().map(|record| named_spec(record)).collect(),
        }
    }

    /// Those of a cluster.
    ///
    /// # Errors
    /// When something that is needed cannot be read.
    pub(super) async fn of_cluster(
        cluster: &Cluster,
        found: &Found,
        head: &Head,
        version: &Version,
    ) -> Result<Self, String> {
        let holder = &head.holder;
        let mut objects = Objects { name: Some(holder.name.clone()), ..Objects::none(&holder.namespace) };
        let Some(zone) = &found.zone else { return Ok(objects) };
        objects.zone = Some(spec(&zone.spec));
        let (records, _) = cluster.records_of(zone).await?;
        objects.records = records.iter().map(named_spec).collect();
        // Whose last good version stays, or who waits, is not published as it is written.
        let (plan, _) = cluster.plan(found, head, version.clone(), &objects::Objects::default()).await?;
        for verdict in plan.verdicts().filter(|verdict| verdict.outcome != Outcome::Accepted) {
            if let ObjectRef::Record { namespace, name } = &verdict.object {
                objects.records.remove(&ObjectName { namespace: namespace.clone(), name: name.clone() });
            }
        }
        let outcome = plan.zones.into_iter().find(|zone| zone.apex == found.apex);
        for change in outcome.into_iter().flat_map(|zone| zone.changes) {
            let owner = version.content.owner_of(change.name(), change.rtype());
            if let Some(Owner::Record(of)) = owner.as_deref().map(Owner::read) {
                objects.records.remove(&of);
            }
        }
        Ok(objects)
    }
}

/// The manifests. What cannot be one, or comes from the Zone of another domain, is told.
pub(super) fn text(apex: Name, soa: Soa, content: &Content, objects: &Objects) -> String {
    let own = objects.name.as_ref().map(|name| (objects.namespace.as_str(), name.as_str()));
    let (mut rrsets, mut there) = (Vec::new(), BTreeMap::new());
    for (rrset, owner) in content.iter() {
        match owner.as_deref().map(Owner::read) {
            Some(Owner::Zone(zone)) if Some((zone.namespace.as_str(), zone.name.as_str())) == own => {
                if objects.zone.is_some() {
                    continue;
                }
            }
            Some(Owner::Zone(zone)) => {
                let why = format!("it comes from Zone {}/{}", zone.namespace, zone.name);
                tell_left_out(&rrset, &why);
                continue;
            }
            Some(Owner::Record(record)) => {
                there.insert(key(&rrset), record);
            }
            Some(Owner::Nobody) | None => {}
        }
        rrsets.push(rrset);
    }
    let options =
        convert::Options { namespace: Some(objects.namespace.clone()), zone: objects.name.clone(), there };
    let mut converted = convert::manifests(&ZoneData { apex, soa, rrsets }, &options);
    for (rrset, reason) in &converted.refused {
        tell_left_out(rrset, reason);
    }
    for object in &mut converted.objects {
        let written = match object["kind"] == "Zone" {
            true => objects.zone.as_ref(),
            false => objects.records.get(&name_of(object)),
        };
        if let Some(written) = written {
            object["spec"] = written.clone();
        }
    }
    crate::yaml::manifests(&converted.objects)
}

/// Who owns an RRset, as it is stored: see [`ObjectRef::owner`].
enum Owner {
    Zone(ObjectName),
    Record(ObjectName),
    /// No object: a master file.
    Nobody,
}

impl Owner {
    fn read(owner: &str) -> Self {
        let object = |text: &str| {
            let (namespace, name) = text.split_once('/')?;
            Some(ObjectName { namespace: namespace.to_owned(), name: name.to_owned() })
        };
        match (owner.strip_prefix("zone:"), owner.starts_with("file:")) {
            (Some(zone), _) => object(zone).map_or(Owner::Nobody, Owner::Zone),
            (None, true) => Owner::Nobody,
            (None, false) => object(owner).map_or(Owner::Nobody, Owner::Record),
        }
    }
}

fn tell_left_out(rrset: &RRset, why: &str) {
    eprintln!("left out: {} {}: {why}", name::display(&rrset.name), rdata::display_rtype(rrset.rtype));
}

fn key(rrset: &RRset) -> (SortKey, Rtype) {
    (SortKey::of(&rrset.name), rrset.rtype)
}

fn name_of(object: &Value) -> ObjectName {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    ObjectName { namespace: text("namespace"), name: text("name") }
}

fn named_spec(record: &DNSRecord) -> (ObjectName, Value) {
    let metadata = &record.metadata;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let name = ObjectName { namespace, name: metadata.name.clone().unwrap_or_default() };
    (name, spec(&record.spec))
}

/// A spec as it is written. Nothing in ours cannot be JSON.
fn spec(spec: &impl Serialize) -> Value {
    serde_json::to_value(spec).unwrap_or_default()
}
