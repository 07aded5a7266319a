//! Records to manifests: the pure part of `port53 import`, `port53 export --format manifests` and of a backfill.
//!
//! A zone becomes one Zone and a DNSRecord for each RRset, each with the TTL it had. What is written here
//! is read by `kubectl apply` and by the operator, so it keeps to what the definitions of both kinds take,
//! and whoever reads it back has the same zone. What a DNSRecord cannot say is not bent until it can:
//! it is handed back with the reason.
//!
//! | room | what it does |
//! |---|---|
//! | [`zone`] | the Zone: domain and SOA |
//! | [`record`] | a DNSRecord: owner, type and values as text, and what is refused |
//! | [`names`] | names of objects: readable, and the same for the same RRset whatever is beside it |

mod names;
mod record;
mod zone;

use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Rtype, Soa};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// A zone as it was read from a master file or from what is served.
#[derive(Clone, Debug)]
pub struct ZoneData {
    /// The name of the zone.
    pub apex: Name,
    /// Its SOA.
    pub soa: Soa,
    /// Its RRsets without the SOA, each owner and type once.
    pub rrsets: Vec<RRset>,
}

/// How manifests are written.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The namespace of the objects. None is written when left out.
    pub namespace: Option<String>,
    /// The name of the Zone. One after its domain when left out.
    pub zone: Option<String>,
    /// DNSRecords that are there, by owner and type of what they say: they keep their names.
    pub there: BTreeMap<(SortKey, Rtype), ObjectName>,
}

/// Where an object is.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A zone as manifests.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The Zone, then its DNSRecords in canonical order of their owners (RFC 4034 §6.1), then by type.
    pub objects: Vec<Value>,
    /// What cannot be a DNSRecord, and why.
    pub refused: Vec<(RRset, String)>,
    /// What the Zone says otherwise than the SOA, because it cannot say it.
    pub warnings: Vec<String>,
}

/// The manifests of a zone.
pub fn manifests(zone: &ZoneData, options: &Options) -> Converted {
    let suffix = zone_object_name(&zone.apex);
    let zone_name = options.zone.as_deref().unwrap_or(&suffix);
    let namespace = options.namespace.as_deref();
    let mut warnings = Vec::new();
    let mut objects = vec![zone::object_of(zone, zone_name, namespace, &mut warnings)];
    let mut refused = Vec::new();
    let there = options.there.values().filter(|there| Some(there.namespace.as_str()) == namespace);
    let mut taken: HashSet<String> = there.map(|there| there.name.clone()).collect();
    let mut last = None;
    for rrset in in_order(&zone.rrsets) {
        let identity = (SortKey::of(&rrset.name), rrset.rtype);
        if last.as_ref() == Some(&identity) {
            refused.push((rrset.clone(), "there is another RRset of this name and type".to_owned()));
            continue;
        }
        let there = options.there.get(&identity);
        last = Some(identity);
        let made = record::spec(rrset, &zone.apex, zone_name).and_then(|mut spec| {
            if let Some(ObjectName { namespace: its, name }) = there {
                if let Some(namespace) = namespace.filter(|namespace| its != namespace) {
                    spec["zoneRef"]["namespace"] = namespace.into();
                }
                return Ok(object("DNSRecord", name, Some(its), spec));
            }
            let mut candidates = names::of_record(rrset, &zone.apex, &suffix).into_iter();
            let name = candidates.find(|name| !taken.contains(name));
            let name = name.ok_or("every name for its object is taken")?;
            let made = object("DNSRecord", &name, namespace, spec);
            taken.insert(name);
            Ok(made)
        });
        match made {
            Err(reason) => refused.push((rrset.clone(), reason)),
            Ok(object) => objects.push(object),
        }
    }
    Converted { objects, refused, warnings }
}

/// The name of the Zone object of a domain.
pub fn zone_object_name(apex: &Name) -> String {
    names::of_zone(apex)
}

fn in_order(rrsets: &[RRset]) -> Vec<&RRset> {
    let mut sorted: Vec<&RRset> = rrsets.iter().collect();
    sorted.sort_by_cached_key(|rrset| (SortKey::of(&rrset.name), rrset.rtype.to_int()));
    sorted
}

fn object(kind: &str, name: &str, namespace: Option<&str>, spec: Value) -> Value {
    let mut metadata = serde_json::Map::new();
    metadata.insert("name".to_owned(), name.into());
    if let Some(namespace) = namespace {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    serde_json::json!({
        "apiVersion": port53_crds::API_VERSION,
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    })
}
