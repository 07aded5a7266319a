//! What of a zone can have a part in what is said of one of its records: the webhook is asked about one at a time, and
//! need not look at ten thousand others for it.
//!
//! The names of a zone are in *branches*, one for each label next below the apex. Whether records exclude each other
//! depends on names that are the same, above or below: on their branch, and on the apex, above all of them. What is only
//! warned of also looks at the names that values have, for addresses, aliases and wildcards: at their branches, and that
//! of `*`. And below a delegation it depends on whether any NS of the zone names an address, which is glue then: at those
//! branches that have such an NS, and all that have a zone below.
//!
//! Where branches hang together otherwise, all of the zone is looked at: by a DNAME at the apex, a record that is written
//! in one and published in another, and grants that have a limit.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use port53_crds::{DNSRecord, Zone};
use port53_zone::{Name, RRset, Rdata, Rtype, name, rdata};

use crate::objects::{ObjectRef, OfZone, namespaced, owner_of_record};
use crate::stages::before::Before;
use crate::stages::gather::{Held, Source};

/// A hash of the label next below the apex, in lower case; of the apex itself nothing. Of two branches with the same hash
/// both are looked at.
type Branch = Option<u64>;

/// The records that can have a part in the verdict on `object`, it among them.
pub(in crate::stages) fn around(held: &Held<'_>, object: &ObjectRef, before: &Before) -> OfZone {
    some(held, object, before).map_or_else(|| held.records.clone(), Arc::new)
}

/// Nothing where all can.
fn some(held: &Held<'_>, object: &ObjectRef, before: &Before) -> Option<Vec<Arc<DNSRecord>>> {
    let (Source::Written(zone), ObjectRef::Record { namespace, name }) = (held.source, object) else {
        return None;
    };
    let placed: Vec<Placed<'_>> =
        held.records.iter().map(|record| Placed::find(record, &held.apex, before)).collect();
    let is_it = |placed: &Placed<'_>| namespaced(&placed.record.metadata) == (namespace, name);
    let it = placed.iter().find(|placed| is_it(placed))?;
    let is_at_apex = |placed: &Placed<'_>| placed.branches().any(|branch| branch.is_none());
    if placed.iter().any(|placed| is_at_apex(placed) && placed.is_of(Rtype::DNAME)) {
        return None;
    }
    let mut branches = BTreeSet::from([Some(branch(b"*"))]);
    branches.extend(it.branches());
    let own = branches.clone();
    branches.extend(it.names().iter().filter_map(|target| branch_of_target(target, &held.apex)));
    let is_in = |placed: &Placed<'_>, branches: &BTreeSet<Branch>| {
        placed.branches().any(|branch| branch.is_none() || branches.contains(&branch))
    };
    if placed.iter().any(|placed| is_in(placed, &own) && placed.is_of(Rtype::NS)) {
        let cuts = placed.iter().filter(|placed| placed.is_of(Rtype::NS));
        let names_it = |cut: &&Placed<'_>| {
            cut.names().iter().any(|target| own.contains(&branch_of(target, &held.apex).flatten()))
        };
        branches.extend(cuts.filter(names_it).flat_map(Placed::branches).collect::<Vec<_>>());
        // The NS of zones below name addresses too, where nothing in their branches takes them away.
        branches.extend(held.children.iter().filter_map(|apex| branch_of(apex, &held.apex)));
    }
    let near: Vec<&Placed<'_>> =
        placed.iter().filter(|placed| is_it(placed) || is_in(placed, &branches)).collect();
    let is_far = near.iter().any(|placed| placed.is_moved() || has_limit(zone, held, placed.record));
    (!is_far).then(|| near.into_iter().map(|placed| placed.record.clone()).collect())
}

/// A record, where it is written, and what it has published.
struct Placed<'a> {
    record: &'a Arc<DNSRecord>,
    /// As far as it can be read.
    written: Option<Branch>,
    published: Option<(Branch, &'a RRset)>,
}

impl<'a> Placed<'a> {
    fn find(record: &'a Arc<DNSRecord>, apex: &Name, before: &'a Before) -> Self {
        let (namespace, name) = namespaced(&record.metadata);
        let published = before.of_owner(&owner_of_record(namespace, name));
        let published = published.and_then(|rrset| Some((branch_of(&rrset.name, apex)?, rrset)));
        let written = name::parse(&record.spec.name, apex).ok().and_then(|name| branch_of(&name, apex));
        Placed { record, written, published }
    }

    fn branches(&self) -> impl Iterator<Item = Branch> + use<> {
        let published = self.published.map(|(branch, _)| branch);
        self.written.into_iter().chain(published)
    }

    fn is_moved(&self) -> bool {
        matches!((&self.written, &self.published), (Some(written), Some((published, _))) if written != published)
    }

    fn is_of(&self, rtype: Rtype) -> bool {
        rdata::parse_rtype(&self.record.spec.type_) == Some(rtype)
            || self.published.as_ref().is_some_and(|(_, rrset)| rrset.rtype == rtype)
    }

    /// The names in its values, as they are written and as they are published.
    fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        if let Some(rtype) = rdata::parse_rtype(&self.record.spec.type_) {
            let values = self.record.spec.values.iter();
            let values = values.filter_map(|text| rdata::parse_value(rtype, text).ok());
            values.for_each(|value| names.extend(names_in(rtype, &value)));
        }
        if let Some((_, rrset)) = &self.published {
            rrset.values().iter().for_each(|value| names.extend(names_in(rrset.rtype, value)));
        }
        names
    }
}

fn names_in(rtype: Rtype, value: &Rdata) -> Vec<Name> {
    let wire = value.shared();
    let places = rdata::names(rtype, &wire);
    places.filter_map(|place| Name::from_octets(wire.slice(place.start..place.end)).ok()).collect()
}

/// Nothing for a name outside of the zone.
fn branch_of(name: &Name, apex: &Name) -> Option<Branch> {
    if !name.ends_with(apex) {
        return None;
    }
    let below = name.label_count() - apex.label_count();
    let label = below.checked_sub(1).and_then(|place| name.iter().nth(place));
    Some(label.map(|label| branch(label.as_slice())))
}

fn branch(label: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    label.iter().for_each(|octet| hasher.write_u8(octet.to_ascii_lowercase()));
    hasher.finish()
}

/// Where a name leads that a value has; one that is outside of the zone is also looked for as if its last dot were too
/// much.
fn branch_of_target(target: &Name, apex: &Name) -> Option<Branch> {
    branch_of(target, apex).or_else(|| {
        let last = target.label_count().checked_sub(2)?;
        Some(Some(branch(target.iter().nth(last)?.as_slice())))
    })
}

/// Whether a record counts against a limit, of which other records of its namespace have a part.
fn has_limit(zone: &Zone, held: &Held<'_>, record: &DNSRecord) -> bool {
    let (namespace, _) = namespaced(&record.metadata);
    held.object.namespace() != Some(namespace) && zone.spec.records.iter().any(|grant| grant.limit.is_some())
}
