//! Owners as the items of leaves: what an edit takes out of a leaf, changes, and puts into another.

use super::leaf::{Leaf, OwnerRef, write_rrset};
use super::limits::{GREATEST_OWNED_BY, GREATEST_RRSET, GREATEST_TYPES};
use super::tree::{Level, Node};
use super::{Change, ContentError, digest};
use crate::name::{self, Name, SortKey};
use crate::rrset::RRset;
use bytes::Bytes;
use domain::base::iana::Rtype;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One owner entry of a leaf, with who owns each of its RRsets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OwnerItem {
    octets: Bytes,
    owned_by: Vec<Option<Arc<str>>>,
}

impl OwnerItem {
    pub(crate) fn owner(&self) -> OwnerRef<'_> {
        OwnerRef::at_start_of(&self.octets)
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.owner().name()
    }
}

/// The owner at `place` of a leaf.
pub(crate) fn item_at(leaf: &Leaf, place: usize) -> Option<OwnerItem> {
    items(leaf).nth(place)
}

/// The owners of a leaf in order.
fn items(leaf: &Leaf) -> impl Iterator<Item = OwnerItem> + '_ {
    let mut rrsets = 0;
    leaf.entries().map(move |octets| {
        let count = OwnerRef::at_start_of(&octets).rrsets().count();
        let owned_by = (rrsets..rrsets + count).map(|i| leaf.owned_by().get(i).cloned().flatten()).collect();
        rrsets += count;
        OwnerItem { octets, owned_by }
    })
}

/// One RRset of an owner while it is edited.
struct Set {
    ttl: u32,
    values: Vec<Bytes>,
    owned_by: Option<Arc<str>>,
}

/// The owner after `changes`, which are all of its name. `None` when no RRset is left.
pub(crate) fn edited(
    before: Option<&OwnerItem>,
    apex: &Name,
    changes: &[&Change],
) -> Result<Option<OwnerItem>, ContentError> {
    let mut name: Option<Bytes> = before.map(|item| Bytes::copy_from_slice(item.name()));
    let mut sets: BTreeMap<u16, Set> = BTreeMap::new();
    if let Some(item) = before {
        for (rrset, owned_by) in item.owner().rrsets().zip(&item.owned_by) {
            let values = rrset.values().map(|value| item.octets.slice_ref(value)).collect();
            sets.insert(rrset.rtype.to_int(), Set { ttl: rrset.ttl(), values, owned_by: owned_by.clone() });
        }
    }
    for change in changes {
        match change {
            Change::Remove { rtype, .. } => {
                sets.remove(&rtype.to_int());
            }
            Change::Put { rrset, owner } => {
                check_put(rrset, owner.as_deref())?;
                // The first spelling stays until the last RRset goes, so that an edit of one RRset never
                // changes how others are written.
                if sets.is_empty() {
                    name = Some(Bytes::copy_from_slice(digest::relative(&rrset.name, apex)));
                }
                let values = rrset.values().iter().map(|value| value.shared()).collect();
                sets.insert(rrset.rtype.to_int(), Set { ttl: rrset.ttl, values, owned_by: owner.clone() });
            }
        }
    }
    if sets.len() > GREATEST_TYPES {
        let name = changes.first().map(|change| name::display(change.name()));
        return Err(ContentError::TooManyTypes(name.unwrap_or_default()));
    }
    let Some(name) = name.filter(|_| !sets.is_empty()) else { return Ok(None) };
    let mut octets = Vec::new();
    octets.push(name.len() as u8);
    octets.extend_from_slice(&name);
    octets.extend_from_slice(&(sets.len() as u16).to_be_bytes());
    for (&rtype, set) in &sets {
        write_rrset(&mut octets, Rtype::from_int(rtype), set.ttl, set.values.iter().map(|value| &value[..]));
    }
    Ok(Some(OwnerItem {
        octets: octets.into(),
        owned_by: sets.into_values().map(|set| set.owned_by).collect(),
    }))
}

/// Whether an RRset fits into the format, and its owner.
fn check_put(rrset: &RRset, owner: Option<&str>) -> Result<(), ContentError> {
    let of = || format!("{} {}", name::display(&rrset.name), rrset.rtype);
    let octets = rrset.message_octets();
    if rrset.rtype == Rtype::SOA {
        return Err(ContentError::Soa(name::display(&rrset.name)));
    }
    if rrset.values().is_empty() {
        return Err(ContentError::NoRecords(of()));
    }
    if octets > GREATEST_RRSET {
        return Err(ContentError::TooLarge { rrset: of(), octets });
    }
    if owner.is_some_and(|owner| owner.len() > GREATEST_OWNED_BY) {
        return Err(ContentError::LongOwner(of()));
    }
    Ok(())
}

/// The level of leaves.
pub(crate) struct LeafLevel;

impl Level for LeafLevel {
    type Item = OwnerItem;

    fn items(&self, node: &Node) -> Vec<(SortKey, OwnerItem)> {
        match node {
            Node::Leaf(leaf) => items(leaf).map(|item| (SortKey::of_relative(item.name()), item)).collect(),
            Node::Inner(_) => Vec::new(),
        }
    }

    fn octets(&self, item: &OwnerItem) -> usize {
        item.octets.len()
    }

    fn node(&self, items: &[(SortKey, OwnerItem)]) -> Node {
        let mut octets = Vec::with_capacity(items.iter().map(|(_, item)| item.octets.len()).sum());
        let mut owned_by = Vec::new();
        for (_, item) in items {
            octets.extend_from_slice(&item.octets);
            owned_by.extend_from_slice(&item.owned_by);
        }
        if owned_by.iter().all(Option::is_none) {
            owned_by.clear();
        }
        Node::Leaf(Arc::new(Leaf::from_trusted(octets.into(), owned_by.into_boxed_slice())))
    }

    fn is_made_of(&self, node: &Node, new: &[(SortKey, OwnerItem)]) -> bool {
        let Node::Leaf(leaf) = node else { return false };
        leaf.owner_count() == new.len() && items(leaf).zip(new).all(|(old, (_, new))| old == *new)
    }
}
