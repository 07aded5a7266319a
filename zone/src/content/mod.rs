//! The content of a zone: all its RRsets but the SOA, as an immutable tree of slices.
//!
//! Owners in canonical order fill leaves of about a hundred RRsets ([`leaf`]); leaves and the nodes over
//! them are cut by content ([`tree`]), so that the tree is a function of the content and a version shares
//! with the one before all slices that did not change. One changed RRset in a zone of a million costs its
//! leaf and the path above it. A node can be stored as a [`Slice`], named by its digest ([`slice`]), and
//! the changes since a stored version as a [`journal`].
//!
//! The digest of the whole is kept beside the tree and does not depend on it ([`digest`]). So are counts of
//! delegations and DNAMEs per depth, which spare most queries the search for them.
//!
//! Who owns each RRset (an object such as `dns/www`) is part of a leaf where it is known: the operator
//! keeps it, so that a restarted one knows who was published; a resolver drops it.

mod check;
mod depths;
mod diff;
mod digest;
pub mod journal;
mod leaf;
mod limits;
mod owners;
mod slice;
mod tree;

#[cfg(test)]
mod tests;

use depths::Counts;
pub use depths::Depths;
pub(crate) use diff::each_difference;
pub use diff::{Difference, diff};
pub use digest::Digest;
pub use leaf::{Leaf, OwnerRef, RRsetRef, RRsets, Values};
pub use slice::Slice;

use crate::name::{Name, SortKey};
use crate::rrset::RRset;
use digest::Sum;
use domain::base::iana::Rtype;
use owners::{LeafLevel, OwnerItem};
use std::collections::BTreeMap;
use std::sync::Arc;
use tree::{Cut, Edits, InnerLevel, Node, Nodes, edit_level, least_of};

/// Why octets are not a slice or a journal, or changes not possible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ContentError {
    /// The octets are not what they should be.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A slice is not to be had.
    #[error("slice {0} is missing")]
    Missing(Digest),
    /// A slice is not what its name says.
    #[error("slice {0} has other octets than its digest says")]
    WrongDigest(Digest),
    /// Written by a newer version of this software.
    #[error("format {0} is not known here: use a newer version")]
    UnknownFormat(u8),
    /// An RRset outside the zone.
    #[error("{0} is not in the zone")]
    OutOfZone(String),
    /// A slice that is what its name says, but not in the format.
    #[error("slice {slice} is malformed: {flaw}")]
    MalformedSlice {
        /// Its name.
        slice: Digest,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// A SOA: it is kept beside the content.
    #[error("{0} SOA: the SOA of a zone is kept beside its content, not in it")]
    Soa(String),
    /// An RRset without records. There is no such thing; removing it is a change of its own.
    #[error("{0} has no records: remove it instead")]
    NoRecords(String),
    /// An RRset that fits no message, even over TCP (RFC 1035 §4.2.2).
    #[error("{rrset} takes {octets} octets and 65535 fit a message: use fewer or shorter values")]
    TooLarge {
        /// Its owner and type.
        rrset: String,
        /// Octets of its records, 12 and the value for each.
        octets: usize,
    },
    /// An owner of more than 32,767 types.
    #[error("{0} has more than 32767 types: use fewer")]
    TooManyTypes(String),
    /// A text of more than 4,096 octets for who owns an RRset.
    #[error("the owner of {0} has more than 4096 octets: use a shorter one")]
    LongOwner(String),
}

/// One edit of a content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The RRset, whatever was there of its name and type before.
    Put {
        /// What is to be there.
        rrset: RRset,
        /// Who owns it, where that is kept.
        owner: Option<Arc<str>>,
    },
    /// Nothing of this name and type.
    Remove {
        /// The owner name.
        name: Name,
        /// The type.
        rtype: Rtype,
    },
}

impl Change {
    /// The name that changes.
    pub fn name(&self) -> &Name {
        match self {
            Change::Put { rrset, .. } => &rrset.name,
            Change::Remove { name, .. } => name,
        }
    }

    /// The type that changes.
    pub fn rtype(&self) -> Rtype {
        match self {
            Change::Put { rrset, .. } => rrset.rtype,
            Change::Remove { rtype, .. } => *rtype,
        }
    }
}

/// See the module. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct Content {
    apex: Name,
    salt: [u8; 16],
    root: Option<Node>,
    sum: Sum,
    counts: Counts,
}

/// What [`Content::apply`] made, and which leaves took the place of which.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The next version.
    pub content: Content,
    /// Leaves that are no longer part of it.
    pub removed: Vec<Arc<Leaf>>,
    /// Leaves that were not part of the version before.
    pub added: Vec<Arc<Leaf>>,
}

impl Content {
    /// The content without any RRset. `salt` is the zone's own, drawn once: it keeps people who choose names
    /// from choosing where slices end.
    pub fn empty(apex: Name, salt: [u8; 16]) -> Self {
        Content { apex, salt, root: None, sum: Sum::default(), counts: Counts::default() }
    }

    /// The content of these RRsets with their owners, in any order; of one name and type the last counts. A
    /// name that is spelled in several ways is spelled as in its RRset of the lowest type.
    ///
    /// # Errors
    /// As [`Content::apply`].
    pub fn build(
        apex: Name,
        salt: [u8; 16],
        rrsets: impl IntoIterator<Item = (RRset, Option<Arc<str>>)>,
    ) -> Result<Self, ContentError> {
        let mut changes: Vec<Change> =
            rrsets.into_iter().map(|(rrset, owner)| Change::Put { rrset, owner }).collect();
        changes.sort_by_key(|change| change.rtype().to_int());
        Ok(Self::empty(apex, salt).apply(&changes)?.content)
    }

    /// The content after `changes`, in their order. Costs the leaves touched and the paths above them. A
    /// name keeps the spelling in which it was first put until its last RRset goes.
    ///
    /// # Errors
    /// Nothing is applied when a name is [outside the zone](ContentError::OutOfZone) or something does not
    /// fit the format ([`Soa`](ContentError::Soa), [`NoRecords`](ContentError::NoRecords),
    /// [`TooLarge`](ContentError::TooLarge), [`TooManyTypes`](ContentError::TooManyTypes),
    /// [`LongOwner`](ContentError::LongOwner)). The rules of [`crate::rules`] have refused all that before.
    pub fn apply(&self, changes: &[Change]) -> Result<Applied, ContentError> {
        let mut by_owner: BTreeMap<SortKey, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            if !change.name().ends_with(&self.apex) {
                return Err(ContentError::OutOfZone(change.name().fmt_with_dot().to_string()));
            }
            let key = SortKey::of_relative(digest::relative(change.name(), &self.apex));
            by_owner.entry(key).or_default().push(change);
        }
        let mut content = self.clone();
        let mut edits = Edits::new();
        for (key, changes) in by_owner {
            let before = self.owner_item(&key);
            let after = owners::edited(before.as_ref(), &self.apex, &changes)?;
            if before != after {
                content.account(before.as_ref(), after.as_ref());
                edits.insert(key, after);
            }
        }
        let (removed, added) = content.edit_tree(edits);
        Ok(Applied { content, removed, added })
    }

    /// Whether this is the very same tree as another, which costs nothing to tell. Contents that are equal
    /// need not be.
    pub fn is(&self, other: &Content) -> bool {
        let same_tree = match (&self.root, &other.root) {
            (None, None) => true,
            (Some(a), Some(b)) => a.is(b),
            _ => false,
        };
        same_tree && self.apex == other.apex && self.salt == other.salt
    }

    /// The apex of the zone.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// What salts the cuts.
    pub fn salt(&self) -> [u8; 16] {
        self.salt
    }

    /// Number of RRsets.
    pub fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.rrsets() as usize)
    }

    /// Whether there is no RRset.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The RRset of a name and type.
    pub fn get(&self, name: &Name, rtype: Rtype) -> Option<RRset> {
        let (leaf, place) = self.locate(name)?;
        let owner = leaf.owner(place)?;
        owner.rrset(rtype).map(|rrset| self.rrset(&owner, &rrset))
    }

    /// All RRsets of a name, by type.
    pub fn all_of(&self, name: &Name) -> Vec<RRset> {
        let Some((leaf, place)) = self.locate(name) else { return Vec::new() };
        let Some(owner) = leaf.owner(place) else { return Vec::new() };
        owner.rrsets().map(|rrset| self.rrset(&owner, &rrset)).collect()
    }

    /// Who owns the RRset of a name and type, where that is kept.
    pub fn owner_of(&self, name: &Name, rtype: Rtype) -> Option<Arc<str>> {
        let (leaf, place) = self.locate(name)?;
        let before: usize = leaf.owners().take(place).map(|owner| owner.rrsets().count()).sum();
        let within = leaf.owner(place)?.rrsets().position(|rrset| rrset.rtype == rtype)?;
        leaf.owned_by().get(before + within)?.clone()
    }

    /// All RRsets with their owners, in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (RRset, Option<Arc<str>>)> + '_ {
        self.leaves().flat_map(|leaf| {
            let all = leaf.owners().flat_map(|owner| owner.rrsets().map(move |rrset| (owner, rrset)));
            all.enumerate().map(|(i, (owner, rrset))| {
                (self.rrset(&owner, &rrset), leaf.owned_by().get(i).cloned().flatten())
            })
        })
    }

    /// The leaves in order.
    pub fn leaves(&self) -> impl Iterator<Item = &Arc<Leaf>> {
        Leaves { stack: self.root.iter().collect() }
    }

    /// The leaf whose range holds a sort key (relative to the apex).
    pub fn leaf_for(&self, key: &[u8]) -> Option<&Arc<Leaf>> {
        let mut node = self.root.as_ref()?;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => node = &inner.children[inner.child_for(key)].node,
            }
        }
    }

    /// The last owner before a sort key (relative to the apex) and the first that is not. No allocation.
    pub fn neighbours(&self, key: &[u8]) -> (Option<OwnerRef<'_>>, Option<OwnerRef<'_>>) {
        // Beside the way down: the nearest subtrees to the left and to the right of it.
        let (mut left, mut right): (Option<&Node>, Option<&Node>) = (None, None);
        let Some(mut node) = self.root.as_ref() else { return (None, None) };
        let leaf = loop {
            match node {
                Node::Leaf(leaf) => break leaf,
                Node::Inner(inner) => {
                    let place = inner.child_for(key);
                    left = place.checked_sub(1).map(|place| &inner.children[place].node).or(left);
                    right = inner.children.get(place + 1).map(|child| &child.node).or(right);
                    node = &inner.children[place].node;
                }
            }
        };
        let place = leaf.lower_bound(key);
        let before = match place.checked_sub(1) {
            Some(place) => leaf.owner(place),
            None => left.and_then(last_leaf).and_then(|leaf| leaf.owner(leaf.owner_count() - 1)),
        };
        let after = leaf.owner(place).or_else(|| right.and_then(first_leaf).and_then(|leaf| leaf.owner(0)));
        (before, after)
    }

    /// The digest of the whole: of all RRsets, however they are cut. See [`digest`].
    pub fn digest(&self) -> Digest {
        self.sum.digest()
    }

    /// Delegations (NS off the apex) by depth.
    pub fn cut_depths(&self) -> &Depths {
        &self.counts.cuts
    }

    /// DNAMEs by depth.
    pub fn dname_depths(&self) -> &Depths {
        &self.counts.dnames
    }

    /// Asterisks among the labels above owners, by depth.
    pub(crate) fn asterisk_depths(&self) -> &Depths {
        &self.counts.asterisks
    }

    /// Octets held in memory by the leaves; the nodes above them add about a hundredth.
    pub fn memory_octets(&self) -> usize {
        self.leaves().map(|leaf| leaf.memory_octets()).sum()
    }

    fn locate(&self, name: &Name) -> Option<(&Arc<Leaf>, usize)> {
        if !name.ends_with(&self.apex) {
            return None;
        }
        let relative = digest::relative(name, &self.apex);
        let key = SortKey::of_relative(relative);
        let leaf = self.leaf_for(key.as_slice())?;
        let place = leaf.lower_bound(key.as_slice());
        leaf.owner(place).filter(|owner| owner.name().eq_ignore_ascii_case(relative)).map(|_| (leaf, place))
    }

    fn owner_item(&self, key: &SortKey) -> Option<OwnerItem> {
        let leaf = self.leaf_for(key.as_slice())?;
        let place = leaf.lower_bound(key.as_slice());
        owners::item_at(leaf, place).filter(|item| SortKey::of_relative(item.name()) == *key)
    }

    fn rrset(&self, owner: &OwnerRef<'_>, rrset: &RRsetRef<'_>) -> RRset {
        let wire = [owner.name(), self.apex.as_slice()].concat();
        let name = Name::from_octets(wire.into()).unwrap_or_else(|_| self.apex.clone());
        RRset::new(name, rrset.rtype, rrset.ttl(), rrset.rdata())
    }

    /// Brings digest and counts from one owner's state to another.
    fn account(&mut self, before: Option<&OwnerItem>, after: Option<&OwnerItem>) {
        for (item, is_there) in [(before, false), (after, true)] {
            let Some(owner) = item.map(OwnerItem::owner) else { continue };
            self.counts.owner(&owner, is_there);
            for rrset in owner.rrsets() {
                let digest = digest::of_rrset(owner.name(), rrset.rtype, rrset.ttl(), rrset.values());
                if is_there { self.sum.add(digest) } else { self.sum.subtract(digest) }
            }
        }
    }

    /// Applies edits of owners to the tree, level by level. Returns the leaves that went and came.
    fn edit_tree(&mut self, edits: Edits<OwnerItem>) -> (Vec<Arc<Leaf>>, Vec<Arc<Leaf>>) {
        if edits.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let old = self.root.take();
        let mut changes = edit_level(old.as_ref(), &Cut { salt: self.salt, height: 0 }, &LeafLevel, edits);
        let removed = changes.keys().filter_map(|least| leaf_at(old.as_ref(), least)).collect();
        let added = changes
            .values()
            .filter_map(|node| match node {
                Some(Node::Leaf(leaf)) => Some(leaf.clone()),
                _ => None,
            })
            .collect();
        let old_height = old.as_ref().map_or(0, Node::height);
        let mut height = 0;
        while height < old_height {
            height += 1;
            let cut = Cut { salt: self.salt, height };
            changes = edit_level(old.as_ref(), &cut, &InnerLevel { height }, changes);
        }
        // The nodes at the height of the old root: the old root itself but for the changes.
        let mut nodes: BTreeMap<SortKey, Node> =
            old.iter().map(|root| (least_of(root), root.clone())).collect();
        for (least, node) in changes {
            match node {
                Some(node) => nodes.insert(least, node),
                None => nodes.remove(&least),
            };
        }
        while nodes.len() > 1 {
            height += 1;
            let cut = Cut { salt: self.salt, height };
            let edits = nodes.into_iter().map(|(least, node)| (least, Some(node))).collect();
            nodes = edit_level(None, &cut, &InnerLevel { height }, edits)
                .into_iter()
                .filter_map(|(least, node)| Some((least, node?)))
                .collect();
        }
        let mut root = nodes.into_values().next();
        while let Some(Node::Inner(inner)) = &root
            && inner.children.len() == 1
        {
            root = Some(inner.children[0].node.clone());
        }
        self.root = root;
        (removed, added)
    }
}

/// The leaf under `root` whose least key is `least`.
fn leaf_at(root: Option<&Node>, least: &SortKey) -> Option<Arc<Leaf>> {
    match Nodes::from(root, 0, least.as_slice()).next()? {
        (found, Node::Leaf(leaf)) if found == *least => Some(leaf),
        _ => None,
    }
}

fn first_leaf(mut node: &Node) -> Option<&Arc<Leaf>> {
    loop {
        match node {
            Node::Leaf(leaf) => return Some(leaf),
            Node::Inner(inner) => node = &inner.children.first()?.node,
        }
    }
}

fn last_leaf(mut node: &Node) -> Option<&Arc<Leaf>> {
    loop {
        match node {
            Node::Leaf(leaf) => return Some(leaf),
            Node::Inner(inner) => node = &inner.children.last()?.node,
        }
    }
}

struct Leaves<'a> {
    stack: Vec<&'a Node>,
}

impl<'a> Iterator for Leaves<'a> {
    type Item = &'a Arc<Leaf>;

    fn next(&mut self) -> Option<&'a Arc<Leaf>> {
        loop {
            match self.stack.pop()? {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => self.stack.extend(inner.children.iter().rev().map(|child| &child.node)),
            }
        }
    }
}
