//! Gather: who holds which domain, and which records belong to which zone.
//!
//! Domains are claimed by Zones and master files. Claims are looked at by standing ([`claims`]), so that one
//! that is refused never stands in the way of another. Of zones that are published and that nobody here
//! holds any more, all but those withdrawn stay as they are: they are *frozen*.

mod claims;
mod sets;
mod terms;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use port53_crds::{DNSRecord, Reason, Zone};
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, name, rdata};

use super::{Inputs, MissingZone, Published};
use crate::objects::{MasterZone, ObjectRef, OfZone};
use crate::verdict::{Complaint, Outcome, Severity, Verdict};
pub(crate) use claims::{generation, labels};
pub(crate) use terms::{Terms, own_nameservers};

/// Where a zone is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// As a Zone.
    Written(&'a Arc<Zone>),
    /// In a master file.
    Master(&'a Arc<MasterZone>),
}

/// A zone whose claim was accepted.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) object: ObjectRef,
    pub(crate) apex: Name,
    pub(crate) terms: Terms,
    /// The records that refer to it.
    pub(crate) records: OfZone,
    /// Apexes of the zones next below, held here too.
    pub(crate) children: Vec<Name>,
}

/// What was gathered.
#[derive(Debug, Default)]
pub(crate) struct Gathered<'a> {
    pub(crate) zones: Vec<Held<'a>>,
    /// Published zones that stay as they are.
    pub(crate) frozen: Vec<Name>,
    pub(crate) withdrawn: Vec<Name>,
    /// Verdicts on zones that were refused and on records without a zone.
    pub(crate) verdicts: Vec<Verdict>,
}

pub(crate) fn gather<'a>(inputs: &Inputs<'a>) -> Gathered<'a> {
    let mut gathered = Gathered::default();
    let claims = claims::of(inputs, &mut gathered.verdicts);
    let accepted: HashSet<&Name> = claims.accepted.iter().map(|held| &held.apex).collect();
    for (apex, published) in inputs.published.iter().filter(|(apex, _)| !accepted.contains(apex)) {
        let is_missing = !claims.tried.contains(&(published.holder.clone(), apex.clone()));
        let is_unreadable = claims.unreadable.contains(&published.holder);
        match inputs.settings.missing_zone {
            MissingZone::Withdraw if is_missing && !is_unreadable => gathered.withdrawn.push(apex.clone()),
            MissingZone::Keep | MissingZone::Withdraw => gathered.frozen.push(apex.clone()),
        }
    }
    gathered.zones = claims.accepted;
    assign_records(inputs, &mut gathered);
    assign_children(&mut gathered);
    gathered
}

/// The NS that a Zone says of itself, by `spec.nameservers` or its NameserverSet, whatever its apex shows; nothing where it
/// holds no domain, or that is not known.
pub fn nameservers_of(inputs: &Inputs<'_>, zone: &ObjectRef) -> Option<RRset> {
    let held = claims::of(inputs, &mut Vec::new()).accepted.into_iter().find(|held| held.object == *zone)?;
    // Those that were kept for want of others are perhaps those of legacy.
    let is_wrong = |complaint: &Complaint| {
        complaint.severity == Severity::Error || complaint.reason == Reason::NoNameservers
    };
    held.terms.nameservers.filter(|_| !held.terms.complaints.iter().any(is_wrong))
}

/// Gives each record to its zone, or tells it why there is none.
fn assign_records<'a>(inputs: &Inputs<'a>, gathered: &mut Gathered<'a>) {
    let zones: Vec<ObjectRef> = gathered.zones.iter().map(|held| held.object.clone()).collect();
    let places: HashMap<(&str, &str), usize> = zones
        .iter()
        .enumerate()
        .filter_map(|(place, zone)| match zone {
            ObjectRef::Zone { namespace, name } => Some(((namespace.as_str(), name.as_str()), place)),
            _ => None,
        })
        .collect();
    let refused: BTreeSet<ObjectRef> =
        gathered.verdicts.iter().map(|verdict| verdict.object.clone()).collect();
    // What of zones that nobody holds is still served.
    let frozen: BTreeMap<&ObjectRef, &Published> = gathered
        .frozen
        .iter()
        .filter_map(|apex| inputs.published.get(apex))
        .map(|published| (&published.holder, published))
        .collect();
    for ((namespace, name), records) in inputs.objects.records.by_zone() {
        if let Some(&place) = places.get(&(namespace.as_str(), name.as_str())) {
            gathered.zones[place].records = records.clone();
            continue;
        }
        let zone = ObjectRef::Zone { namespace: namespace.clone(), name: name.clone() };
        let complaint = without_zone(&zone, refused.contains(&zone));
        let published = frozen.get(&zone);
        gathered.verdicts.extend(records.iter().map(|record| Verdict {
            object: ObjectRef::of_record(record),
            generation: record.metadata.generation.unwrap_or(0),
            zone: None,
            name: None,
            outcome: match published.is_some_and(|published| is_published(record, published)) {
                true => Outcome::LastGoodKept,
                false => Outcome::Rejected,
            },
            complaints: vec![complaint.clone()],
        }));
    }
}

/// Whether what is published has an RRset of this record, where it says: name and type never change.
fn is_published(record: &DNSRecord, published: &Published) -> bool {
    let owner = ObjectRef::of_record(record).owner();
    let (name, rtype) =
        (name::parse(&record.spec.name, published.content.apex()), rdata::parse_rtype(&record.spec.type_));
    let held = name.ok().zip(rtype).and_then(|(name, rtype)| published.content.owner_of(&name, rtype));
    held.is_some_and(|held| held == owner)
}

/// What a record is told of which the zone is not there, or is refused.
fn without_zone(zone: &ObjectRef, is_refused: bool) -> Complaint {
    let (reason, message, fix) = match is_refused {
        true => (
            Reason::ZoneNotAccepted,
            format!("{zone} is there, but is not accepted itself"),
            format!("see what {zone} says"),
        ),
        false => (
            Reason::ZoneNotFound,
            format!("there is no {zone}"),
            "name a Zone that exists, with its namespace if it is in another, or create this one".to_owned(),
        ),
    };
    Complaint::error(reason, "spec.zoneRef", message, fix).related_to(zone.clone())
}

/// Tells each zone which zones are next below it, frozen ones among them.
fn assign_children(gathered: &mut Gathered<'_>) {
    let mut apexes: Vec<Name> = gathered.zones.iter().map(|held| held.apex.clone()).collect();
    apexes.extend(gathered.frozen.iter().cloned());
    // Canonical order: what is below a zone follows it.
    apexes.sort_by_cached_key(SortKey::of);
    let mut children: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    let mut above: Vec<Name> = Vec::new();
    for apex in apexes {
        while above.last().is_some_and(|parent| !apex.ends_with(parent)) {
            above.pop();
        }
        if let Some(parent) = above.last() {
            children.entry(parent.clone()).or_default().push(apex.clone());
        }
        above.push(apex);
    }
    for held in &mut gathered.zones {
        held.children = children.remove(&held.apex).unwrap_or_default();
    }
}

/// Whether a pattern of a grant covers the name `owner`, label by label: `shop` is that name alone, `*.shop`
/// all below it at any depth, `*` all below the apex, `@` the apex. A wildcard owner is covered only by the
/// pattern that is spelled like it.
pub(crate) fn covers(pattern: &str, owner: &Name, apex: &Name) -> bool {
    if let Ok(literal) = name::parse(pattern, apex)
        && literal == *owner
    {
        return true;
    }
    let base = match pattern.strip_prefix('*') {
        Some("") => apex.clone(),
        Some(rest) => match rest.strip_prefix('.').map(|rest| name::parse(rest, apex)) {
            Some(Ok(base)) => base,
            _ => return false,
        },
        None => return false,
    };
    !is_wildcard(owner) && owner != &base && owner.ends_with(&base)
}

/// Whether the first label is an asterisk (RFC 4592 §2.1.1).
pub(crate) fn is_wildcard(owner: &Name) -> bool {
    owner.first().as_slice() == b"*"
}
