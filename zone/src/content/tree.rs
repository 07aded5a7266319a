//! The tree over the leaves, and how an edit re-cuts it.
//!
//! Where a node ends depends on the keys in it and on nothing else: after a key whose salted hash says so,
//! but not before [`Cut::least`] items, and at the latest after [`Cut::greatest`] items or
//! [`Cut::octets`] octets. The count begins anew after each cut, so an edit re-cuts forward from the
//! start of the node it touches until a new cut falls on an old one; everything after is as it was. Hence
//! the tree is a function of the content alone, however it came about, and what two versions share is the
//! same slice.
//!
//! Each level is edited by the same code: items are owners in leaves, and nodes in inner nodes. The edits
//! that one level makes to its nodes are the edits to the items of the next.

use super::digest::Digest;
use super::leaf::Leaf;
use crate::name::SortKey;
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A node of any height; leaves have height 0.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Leaf(Arc<Leaf>),
    Inner(Arc<Inner>),
}

/// A node over other nodes.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) height: u8,
    pub(crate) children: Vec<Child>,
    heads: Heads,
    pub(crate) rrsets: u64,
    pub(crate) digest: OnceLock<Digest>,
}

/// A node under its least key.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) least: SortKey,
    pub(crate) node: Node,
}

/// What tells the least keys of a node's children apart, close together: a search for a name that does not exist would
/// wait for each key that it compares with.
#[derive(Debug)]
struct Heads {
    /// Octets that all keys begin with.
    common: usize,
    /// Of each key the eight octets after those, as a number that orders as they do; zeros after its end.
    heads: Box<[u64]>,
}

impl Heads {
    fn of(children: &[Child]) -> Self {
        let keys = || children.iter().map(|child| child.least.as_slice());
        // They are sorted: what the first and the last have in common, all have.
        let (first, last) = (keys().next().unwrap_or_default(), keys().next_back().unwrap_or_default());
        let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        Heads { common, heads: keys().map(|key| head(key.get(common..).unwrap_or_default())).collect() }
    }

    /// The places of the keys that may be `key` or not, all before being below it and all after it above.
    fn undecided(&self, key: &[u8], first: &[u8]) -> Range<usize> {
        match key.get(..self.common).map_or_else(|| key.cmp(first), |begin| begin.cmp(&first[..self.common]))
        {
            Ordering::Less => 0..0,
            Ordering::Greater => self.heads.len()..self.heads.len(),
            Ordering::Equal => {
                let head = head(&key[self.common..]);
                let begin = self.heads.partition_point(|&other| other < head);
                let equal = self.heads[begin..].iter().take_while(|&&other| other == head).count();
                begin..begin + equal
            }
        }
    }
}

fn head(octets: &[u8]) -> u64 {
    if let Some(head) = octets.first_chunk::<8>() {
        return u64::from_be_bytes(*head);
    }
    let mut head = [0; 8];
    head[..octets.len()].copy_from_slice(octets);
    u64::from_be_bytes(head)
}

impl Node {
    pub(crate) fn height(&self) -> u8 {
        match self {
            Node::Leaf(_) => 0,
            Node::Inner(inner) => inner.height,
        }
    }

    pub(crate) fn rrsets(&self) -> u64 {
        match self {
            Node::Leaf(leaf) => leaf.len() as u64,
            Node::Inner(inner) => inner.rrsets,
        }
    }

    pub(crate) fn is(&self, other: &Node) -> bool {
        match (self, other) {
            (Node::Leaf(a), Node::Leaf(b)) => Arc::ptr_eq(a, b),
            (Node::Inner(a), Node::Inner(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Inner {
    pub(crate) fn new(height: u8, children: Vec<Child>) -> Self {
        let rrsets = children.iter().map(|child| child.node.rrsets()).sum();
        let heads = Heads::of(&children);
        Inner { height, children, heads, rrsets, digest: OnceLock::new() }
    }

    /// The place of the child whose range holds `key`: the last whose least key is not above it, or the
    /// first.
    pub(crate) fn child_for(&self, key: &[u8]) -> usize {
        let Some(first) = self.children.first() else { return 0 };
        let undecided = self.heads.undecided(key, first.least.as_slice());
        let begin = undecided.start;
        let not_above = |child: &Child| child.least.as_slice() <= key;
        (begin + self.children[undecided].partition_point(not_above)).saturating_sub(1)
    }
}

/// Where nodes of one level end.
pub(crate) struct Cut {
    pub(crate) salt: [u8; 16],
    pub(crate) height: u8,
}

impl Cut {
    const LEAST: usize = 32;
    const GREATEST: usize = super::limits::GREATEST_OWNERS;
    const OCTETS: usize = 64 * 1024;
    /// One key in so many ends a node, so that nodes have about 32 + 64 items.
    const ONE_IN: u16 = 64;

    pub(crate) fn is_after(&self, key: &SortKey, items: usize, octets: usize) -> bool {
        if items >= Self::GREATEST || octets >= Self::OCTETS {
            return true;
        }
        if items < Self::LEAST {
            return false;
        }
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update([self.height]);
        hash.update(key.as_slice());
        let hash = hash.finalize();
        u16::from_be_bytes([hash[0], hash[1]]) % Self::ONE_IN == 0
    }
}

/// What the items of a level are and how nodes are made of them.
pub(crate) trait Level {
    type Item: Clone;
    /// The items of a node of this level.
    fn items(&self, node: &Node) -> Vec<(SortKey, Self::Item)>;
    /// Octets that an item adds to its node, as far as they count for cutting.
    fn octets(&self, item: &Self::Item) -> usize;
    /// A node of these items, at least one. `same` is an old node that may turn out to be the same.
    fn node(&self, items: &[(SortKey, Self::Item)]) -> Node;
    /// Whether `node` has exactly these items.
    fn is_made_of(&self, node: &Node, items: &[(SortKey, Self::Item)]) -> bool;
}

/// Edits by key: `None` takes the item away.
pub(crate) type Edits<I> = BTreeMap<SortKey, Option<I>>;

/// Applies `edits` to the items of all nodes of height `cut.height` under `root`, and returns the edits to
/// the nodes themselves.
pub(crate) fn edit_level<L: Level>(
    root: Option<&Node>,
    cut: &Cut,
    level: &L,
    edits: Edits<L::Item>,
) -> Edits<Node> {
    let mut changes = Edits::new();
    let mut edits = edits.into_iter().peekable();
    while let Some((first, _)) = edits.peek() {
        let mut nodes = Nodes::from(root, cut.height, first.as_slice()).peekable();
        let mut maker =
            Maker { cut, level, pending: Vec::new(), octets: 0, made: Vec::new(), old: Vec::new() };
        loop {
            let Some((least, node)) = nodes.next() else {
                // Nothing old here: the level is empty.
                for (key, item) in edits.by_ref() {
                    maker.push_some(key, item);
                }
                break;
            };
            let end = nodes.peek().map(|(least, _)| least.clone());
            let is_inside = |key: &SortKey| end.as_ref().is_none_or(|end| key < end);
            for (key, item) in level.items(&node) {
                while let Some((edited, _)) = edits.peek()
                    && *edited < key
                {
                    if let Some((edited, item)) = edits.next() {
                        maker.push_some(edited, item);
                    }
                }
                match edits.next_if(|(edited, _)| *edited == key) {
                    Some((key, item)) => maker.push_some(key, item),
                    None => maker.push(key, item),
                }
            }
            while let Some((key, item)) = edits.next_if(|(key, _)| is_inside(key)) {
                maker.push_some(key, item);
            }
            maker.old.push((least, node));
            if maker.pending.is_empty() || end.is_none() {
                break;
            }
        }
        maker.finish(&mut changes);
    }
    changes
}

/// Cuts a run of items into nodes.
struct Maker<'a, L: Level> {
    cut: &'a Cut,
    level: &'a L,
    pending: Vec<(SortKey, L::Item)>,
    octets: usize,
    made: Vec<Vec<(SortKey, L::Item)>>,
    /// The nodes whose place the made ones take.
    old: Vec<(SortKey, Node)>,
}

impl<L: Level> Maker<'_, L> {
    fn push_some(&mut self, key: SortKey, item: Option<L::Item>) {
        if let Some(item) = item {
            self.push(key, item);
        }
    }

    fn push(&mut self, key: SortKey, item: L::Item) {
        self.octets += self.level.octets(&item);
        let is_end = self.cut.is_after(&key, self.pending.len() + 1, self.octets);
        self.pending.push((key, item));
        if is_end {
            self.made.push(std::mem::take(&mut self.pending));
            self.octets = 0;
        }
    }

    fn finish(mut self, changes: &mut Edits<Node>) {
        if !self.pending.is_empty() {
            self.made.push(std::mem::take(&mut self.pending));
        }
        let mut old: BTreeMap<SortKey, Node> = self.old.into_iter().collect();
        let mut added = Vec::new();
        for items in self.made {
            let least = items[0].0.clone();
            if old.get(&least).is_some_and(|node| self.level.is_made_of(node, &items)) {
                old.remove(&least);
            } else {
                added.push((least, self.level.node(&items)));
            }
        }
        changes.extend(old.into_keys().map(|least| (least, None)));
        changes.extend(added.into_iter().map(|(least, node)| (least, Some(node))));
    }
}

/// The level of inner nodes.
pub(crate) struct InnerLevel {
    pub(crate) height: u8,
}

impl Level for InnerLevel {
    type Item = Node;

    fn items(&self, node: &Node) -> Vec<(SortKey, Node)> {
        match node {
            Node::Inner(inner) => {
                inner.children.iter().map(|child| (child.least.clone(), child.node.clone())).collect()
            }
            Node::Leaf(_) => Vec::new(),
        }
    }

    fn octets(&self, _: &Node) -> usize {
        0
    }

    fn node(&self, items: &[(SortKey, Node)]) -> Node {
        let children =
            items.iter().map(|(least, node)| Child { least: least.clone(), node: node.clone() }).collect();
        Node::Inner(Arc::new(Inner::new(self.height, children)))
    }

    fn is_made_of(&self, node: &Node, items: &[(SortKey, Node)]) -> bool {
        let Node::Inner(inner) = node else { return false };
        inner.children.len() == items.len()
            && inner
                .children
                .iter()
                .zip(items)
                .all(|(child, (least, node))| child.least == *least && child.node.is(node))
    }
}

/// The nodes of one height with their least keys, in order, from the one whose range holds a key.
pub(crate) struct Nodes {
    height: u8,
    /// The way down: a node and the place of the next child to visit.
    path: Vec<(Arc<Inner>, usize)>,
    /// The root itself, when it has the height asked for.
    root: Option<(SortKey, Node)>,
}

impl Nodes {
    pub(crate) fn from(root: Option<&Node>, height: u8, key: &[u8]) -> Self {
        let mut nodes = Nodes { height, path: Vec::new(), root: None };
        let Some(root) = root else { return nodes };
        if root.height() == height {
            nodes.root = Some((least_of(root), root.clone()));
        }
        let mut node = root;
        while let Node::Inner(inner) = node
            && inner.height > height
        {
            let place = inner.child_for(key);
            let is_last = inner.height == height + 1;
            nodes.path.push((inner.clone(), place + usize::from(!is_last)));
            node = &inner.children[place].node;
        }
        nodes
    }
}

impl Iterator for Nodes {
    type Item = (SortKey, Node);

    fn next(&mut self) -> Option<(SortKey, Node)> {
        if let Some(root) = self.root.take() {
            return Some(root);
        }
        loop {
            let (inner, place) = self.path.last_mut()?;
            let Some(child) = inner.children.get(*place).cloned() else {
                self.path.pop();
                continue;
            };
            *place += 1;
            match child.node {
                Node::Inner(ref below) if below.height > self.height => self.path.push((below.clone(), 0)),
                _ => return Some((child.least, child.node)),
            }
        }
    }
}

/// The least key under a node.
pub(crate) fn least_of(node: &Node) -> SortKey {
    match node {
        Node::Leaf(leaf) => SortKey::of_relative(leaf.owner(0).map_or(&[][..], |owner| owner.name())),
        Node::Inner(inner) => inner.children[0].least.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::tests::like_others;
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// The child for a key is the last whose least key is not above it, or the first.
        #[test]
        fn the_child_for_a_key_is_found_by_the_heads_of_keys(
            least in prop::collection::btree_set(like_others(14), 1..40),
            wanted in like_others(14),
        ) {
            let keys: BTreeSet<SortKey> = least.iter().map(|wire| SortKey::of_relative(wire)).collect();
            let node = Node::Leaf(Arc::new(Leaf::from_trusted(Bytes::new(), Box::default())));
            let child = |least: &SortKey| Child { least: least.clone(), node: node.clone() };
            let inner = Inner::new(1, keys.iter().map(child).collect());
            let wanted = keys.iter().cloned().chain([SortKey::of_relative(&wanted)]);
            for key in wanted {
                let expected = keys.iter().filter(|&least| *least <= key).count().saturating_sub(1);
                prop_assert_eq!(inner.child_for(key.as_slice()), expected, "{:?}", key);
            }
        }
    }
}
