//! What is to be written here of what legacy has: objects, each judged before it is written, as the webhook would. Pure.
//!
//! A record that would be refused is not written; it is listed with the reason. So what is listed follows from what legacy
//! has now, and what was corrected there is no longer listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use port53_crds::{DNSRecord, MAX_TTL, Reject, Zone};
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Soa, name, rdata};
use serde_json::Value;

use super::agreed::Place;
use super::merge::Apart;
use super::provider::provider_only;
use crate::admission::World;
use crate::convert::{self, ObjectName, Options, ZoneData};
use crate::index::{Key, key};
use crate::objects::ObjectRef;
use crate::report;
use crate::stages::{Inputs, judge_zone};
use crate::verdict::{Outcome, Verdict};

/// Values that a status shows, and characters of each.
const SHOWN_VALUES: usize = 8;
const SHOWN_VALUE: usize = 256;
const SHOWN_MESSAGE: usize = 1024;

/// What is to become of an RRset of legacy.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Objects to be written, as they are to be.
    pub(super) apply: Vec<(Place, Value)>,
    /// Objects to be deleted, for legacy has their RRsets no more.
    pub(super) delete: Vec<(Place, Key)>,
    /// What is refused.
    pub(super) rejects: Vec<(Place, Reject)>,
    /// What is not written because somebody else says it, and who.
    pub(super) kept: Vec<(Place, String)>,
}

/// What is to be written here so that these RRsets are as legacy has them.
pub(super) fn candidates(world: &World, zone: &Zone, apex: &Name, soa: &Soa, apart: &[&Apart]) -> Candidates {
    let mut found = Candidates::default();
    // Nearly every time; to judge the zone costs as much as to plan it.
    if apart.is_empty() {
        return found;
    }
    let published = world.published.get(apex);
    let mut there = BTreeMap::new();
    let mut wanted = Vec::new();
    for one in apart {
        let only_there = one.theirs.as_ref().and_then(|theirs| Some((theirs, provider_only(theirs.rtype)?)));
        if let Some((theirs, why)) = only_there {
            found.rejects.push((one.place(), reject(theirs, "ProviderOnly", why.to_owned())));
            continue;
        }
        let owner = published.and_then(|published| published.content.owner_of(&one.name, one.rtype));
        let object = match owner.as_deref().map(object_of) {
            Some(None) => {
                found.kept.push((one.place(), "the Zone says it itself".to_owned()));
                continue;
            }
            Some(Some(object)) => Some(object),
            None => None,
        };
        match (&one.theirs, object) {
            (Some(theirs), object) => {
                if let Some(object) = object {
                    there.insert((SortKey::of(&one.name), one.rtype), object);
                }
                wanted.push(theirs.clone());
            }
            (None, Some(object)) => found.delete.push((one.place(), (object.namespace, object.name))),
            (None, None) => {}
        }
    }
    let options =
        Options { namespace: zone.metadata.namespace.clone(), zone: zone.metadata.name.clone(), there };
    let data = ZoneData { apex: apex.clone(), soa: soa.clone(), rrsets: wanted };
    let converted = convert::manifests(&data, &options);
    for (rrset, why) in &converted.refused {
        found.rejects.push((place_of(rrset), reject(rrset, "NoDNSRecord", why.clone())));
    }
    let by_place: BTreeMap<Place, &RRset> =
        data.rrsets.iter().map(|rrset| (place_of(rrset), rrset)).collect();
    let objects = converted.objects.into_iter().skip(1).filter_map(|value| {
        let record: DNSRecord = serde_json::from_value(value.clone()).ok()?;
        let place = place_of_record(&record, apex)?;
        Some((place, value, record))
    });
    let objects: Vec<(Place, Value, DNSRecord)> = objects.collect();
    let verdicts = verdicts(world, zone, objects.iter().map(|(.., record)| record), &found.delete);
    for (place, value, record) in objects {
        match (verdicts.get(&ObjectRef::of_record(&record)), by_place.get(&place)) {
            (Some(verdict), Some(rrset)) if verdict.outcome != Outcome::Accepted => {
                let (reason, message) = report::refusal(verdict);
                found.rejects.push((place, reject(rrset, reason.as_str(), message)));
            }
            _ => found.apply.push((place, value)),
        }
    }
    found
}

/// What would come of all records of a zone with these among them, and without those.
fn verdicts<'a>(
    world: &World,
    zone: &Zone,
    records: impl Iterator<Item = &'a DNSRecord>,
    gone: &[(Place, Key)],
) -> BTreeMap<ObjectRef, Verdict> {
    let mut objects = world.objects.clone();
    let of_zone = ObjectRef::of_zone(zone);
    let gone: BTreeSet<&Key> = gone.iter().map(|(_, key)| key).collect();
    let is_gone = |record: &&Arc<DNSRecord>| !gone.is_empty() && gone.contains(&key(&record.metadata));
    let gone_records: Vec<Arc<DNSRecord>> = objects.records.iter().filter(is_gone).cloned().collect();
    gone_records.iter().for_each(|record| objects.records.remove(record));
    records.for_each(|record| objects.records.put(Arc::new(record.clone())));
    let inputs = Inputs {
        objects: &objects,
        published: &world.published,
        serials: &BTreeMap::new(),
        settings: &world.settings,
    };
    let verdicts = judge_zone(&inputs, &of_zone).unwrap_or_default();
    verdicts.into_iter().map(|verdict| (verdict.object.clone(), verdict)).collect()
}

/// The DNSRecord that owns an RRset; nothing when it is no DNSRecord.
fn object_of(owner: &str) -> Option<ObjectName> {
    let (namespace, name) = owner.split_once('/')?;
    let is_record = !namespace.contains(':');
    is_record.then(|| ObjectName { namespace: namespace.to_owned(), name: name.to_owned() })
}

fn place_of(rrset: &RRset) -> Place {
    Place::of(&rrset.name, rrset.rtype)
}

fn place_of_record(record: &DNSRecord, apex: &Name) -> Option<Place> {
    let owner = name::parse(&record.spec.name, apex).ok()?;
    Some(Place::of(&owner, rdata::parse_rtype(&record.spec.type_)?))
}

/// An RRset as it is listed, with why.
pub(super) fn reject(rrset: &RRset, reason: &str, message: String) -> Reject {
    let values = rrset.values().iter().map(|value| rdata::display(rrset.rtype, value));
    Reject {
        name: name::display(&rrset.name),
        type_: rdata::display_rtype(rrset.rtype),
        ttl: rrset.ttl.min(MAX_TTL),
        values: values.collect(),
        reason: reason.to_owned(),
        message,
    }
}

/// The same as a status shows it.
pub(super) fn shown(reject: &Reject) -> Reject {
    let cut = |text: &str, most| text.chars().take(most).collect::<String>();
    Reject {
        values: reject.values.iter().take(SHOWN_VALUES).map(|value| cut(value, SHOWN_VALUE)).collect(),
        message: cut(&reject.message, SHOWN_MESSAGE),
        ..reject.clone()
    }
}
