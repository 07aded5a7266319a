//! The items of a zone in canonical order, as the checks see them.

use super::{Found, Item};
use crate::name::{self, Name, SortKey};
use domain::base::iana::Rtype;
use std::ops::Range;

/// All items at one name.
pub(crate) struct Owner<'a> {
    pub(crate) name: &'a Name,
    pub(crate) key: SortKey,
    /// Its items, as a range of [`View::order`], by type.
    items: Range<usize>,
    /// The nearest owner above it, as a place in [`View::owners`].
    parent: Option<usize>,
}

/// See the module.
pub(crate) struct View<'a, 'i> {
    pub(crate) apex: &'a Name,
    apex_key: SortKey,
    items: &'a [Item<'i>],
    /// Indices of the items by owner, then type, then as they came.
    order: Vec<usize>,
    owners: Vec<Owner<'i>>,
}

impl<'a, 'i> View<'a, 'i> {
    /// All items.
    pub(crate) fn new(apex: &'a Name, items: &'a [Item<'i>]) -> Self {
        let mut keyed: Vec<(SortKey, u16, usize)> = items
            .iter()
            .enumerate()
            .map(|(index, item)| (SortKey::of(item.name), item.rtype.to_int(), index))
            .collect();
        keyed.sort_unstable();
        let mut view = View {
            apex,
            apex_key: SortKey::of(apex),
            items,
            order: Vec::with_capacity(keyed.len()),
            owners: Vec::new(),
        };
        keyed.into_iter().for_each(|(key, _, index)| view.push(key, index));
        view.find_parents();
        view
    }

    /// The items but those left out.
    pub(crate) fn without(self, left_out: &[bool]) -> Self {
        let (order, owners) = (self.order, self.owners);
        let mut view = View { order: Vec::with_capacity(order.len()), owners: Vec::new(), ..self };
        for owner in owners {
            let left = order[owner.items].iter().filter(|&&index| !left_out[index]);
            left.for_each(|&index| view.push(owner.key.clone(), index));
        }
        view.find_parents();
        view
    }

    /// Adds an item, which comes after all others in canonical order.
    fn push(&mut self, key: SortKey, index: usize) {
        let at = self.order.len();
        self.order.push(index);
        match self.owners.last_mut() {
            Some(owner) if owner.key == key => owner.items.end = at + 1,
            _ => {
                let name = self.items[index].name;
                self.owners.push(Owner { name, key, items: at..at + 1, parent: None });
            }
        }
    }

    fn find_parents(&mut self) {
        let mut above: Vec<usize> = Vec::new();
        for at in 0..self.owners.len() {
            let key = self.owners[at].key.as_slice();
            while above.last().is_some_and(|&last| !key.starts_with(self.owners[last].key.as_slice())) {
                above.pop();
            }
            self.owners[at].parent = above.last().copied();
            above.push(at);
        }
    }

    /// All owners, in canonical order, those outside the zone too.
    pub(crate) fn owners(&self) -> &[Owner<'i>] {
        &self.owners
    }

    /// The owner with this name.
    pub(crate) fn owner(&self, name: &Name) -> Option<&Owner<'i>> {
        let key = SortKey::of(name);
        self.owners.binary_search_by(|owner| owner.key.cmp(&key)).ok().map(|at| &self.owners[at])
    }

    /// The owners strictly below one.
    pub(crate) fn below(&self, owner: &Owner<'i>) -> &[Owner<'i>] {
        let start = self.owners.partition_point(|other| other.key <= owner.key);
        let prefix = owner.key.as_slice();
        let end = self.owners[start..].partition_point(|other| other.key.as_slice().starts_with(prefix));
        &self.owners[start..start + end]
    }

    /// Whether there is an owner at or below this name: it exists, be it as an empty non-terminal.
    pub(crate) fn exists(&self, name: &Name) -> bool {
        let key = SortKey::of(name);
        let at = self.owners.partition_point(|owner| owner.key < key);
        self.owners.get(at).is_some_and(|owner| owner.key.as_slice().starts_with(key.as_slice()))
    }

    pub(crate) fn is_apex(&self, owner: &Owner<'_>) -> bool {
        owner.key == self.apex_key
    }

    pub(crate) fn is_in_zone(&self, name: &Name) -> bool {
        name.ends_with(self.apex)
    }

    /// Indices of the owner's items, by type.
    pub(crate) fn indices(&self, owner: &Owner<'_>) -> &[usize] {
        &self.order[owner.items.clone()]
    }

    /// Indices of the owner's items of a type.
    pub(crate) fn of_type(&self, owner: &Owner<'_>, rtype: Rtype) -> &[usize] {
        let indices = self.indices(owner);
        let type_of = |index: &usize| self.items[*index].rtype.to_int();
        let start = indices.partition_point(|index| type_of(index) < rtype.to_int());
        let end = indices[start..].partition_point(|index| type_of(index) == rtype.to_int());
        &indices[start..start + end]
    }

    pub(crate) fn has(&self, owner: &Owner<'_>, rtype: Rtype) -> bool {
        !self.of_type(owner, rtype).is_empty()
    }

    /// The owner's items by type.
    pub(crate) fn sets(&self, owner: &Owner<'_>) -> impl Iterator<Item = &[usize]> {
        self.indices(owner).chunk_by(|&a, &b| self.items[a].rtype == self.items[b].rtype)
    }

    pub(crate) fn item(&self, index: usize) -> &Item<'i> {
        &self.items[index]
    }

    /// The nearest owner above `name`, in the zone, that satisfies `is`; the apex only when `with_apex`.
    pub(crate) fn nearest_above(
        &self,
        name: &Name,
        with_apex: bool,
        is: impl Fn(&Owner<'i>) -> bool,
    ) -> Option<&Owner<'i>> {
        let key = SortKey::of(name);
        // The last owner before the name is below all owners that are above the name, or the nearest of them.
        let mut next = self.owners.partition_point(|owner| owner.key < key).checked_sub(1);
        while let Some(at) = next {
            let above = &self.owners[at];
            let shortest = self.apex_key.as_slice().len() + usize::from(!with_apex);
            if above.key.as_slice().len() < shortest {
                return None;
            }
            if key.as_slice().starts_with(above.key.as_slice()) && is(above) {
                return Some(above);
            }
            next = above.parent;
        }
        None
    }

    /// Whether the name is at or below a delegation.
    pub(crate) fn is_delegated(&self, name: &Name) -> bool {
        let is_cut = |owner: &Owner<'_>| !self.is_apex(owner) && self.has(owner, Rtype::NS);
        self.owner(name).is_some_and(is_cut) || self.nearest_above(name, false, is_cut).is_some()
    }

    /// Whether the name has an address, its own or a wildcard's.
    pub(crate) fn has_address(&self, name: &Name) -> bool {
        let has = |owner: &Owner<'_>| self.has(owner, Rtype::A) || self.has(owner, Rtype::AAAA);
        if self.exists(name) {
            return self.owner(name).is_some_and(has);
        }
        self.wildcard_for(name).is_some_and(has)
    }

    /// The wildcard that stands for a name that does not exist (RFC 4592 §3.3.1).
    pub(crate) fn wildcard_for(&self, name: &Name) -> Option<&Owner<'i>> {
        let encloser = name.iter_suffixes().skip(1).find(|above| self.exists(above) || above == self.apex)?;
        let wildcard = name::parse("*", &encloser).ok()?;
        self.owner(&wildcard)
    }

    pub(crate) fn found(&self, items: Vec<usize>, related: Vec<usize>, message: String) -> Found {
        Found { items, related, message }
    }
}
