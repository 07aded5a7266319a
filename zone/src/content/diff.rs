//! The difference of two versions, found by walking only the slices that differ.

use super::leaf::{Leaf, OwnerRef};
use super::slice::digest_of;
use super::tree::{Node, least_of};
use super::{Change, Content};
use crate::name::SortKey;
use crate::rrset::RRset;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What happened to one RRset between two versions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Difference {
    /// It is new.
    Added(RRset),
    /// It is gone.
    Removed(RRset),
    /// Its TTL or values are others.
    Changed {
        /// As it was.
        before: RRset,
        /// As it is.
        after: RRset,
    },
}

impl Difference {
    /// The edit that makes the first version the second at this place, with nobody as owner.
    pub fn into_change(self) -> Change {
        match self {
            Difference::Added(rrset) | Difference::Changed { after: rrset, .. } => {
                Change::Put { rrset, owner: None }
            }
            Difference::Removed(rrset) => Change::Remove { name: rrset.name, rtype: rrset.rtype },
        }
    }
}

/// What makes `before` into `after`, in canonical order. Who owns an RRset does not count. Both must have
/// the same apex; slices are shared only where the salt is the same too.
pub fn diff(before: &Content, after: &Content) -> Vec<Difference> {
    let mut differences = Vec::new();
    let _ = each_difference(before, after, |difference| {
        differences.push(difference);
        ControlFlow::Continue(())
    });
    differences
}

/// The same, one after another, until `take` has enough.
pub(crate) fn each_difference(
    before: &Content,
    after: &Content,
    mut take: impl FnMut(Difference) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (leaves_before, leaves_after) = differing_leaves(before, after);
    let mut owners: BTreeMap<SortKey, [Option<OwnerRef<'_>>; 2]> = BTreeMap::new();
    for (side, leaves) in [(0, &leaves_before), (1, &leaves_after)] {
        for owner in leaves.iter().flat_map(|leaf| leaf.owners()) {
            owners.entry(SortKey::of_relative(owner.name())).or_default()[side] = Some(owner);
        }
    }
    for [old, new] in owners.into_values() {
        let mut types: BTreeMap<u16, [Option<RRset>; 2]> = BTreeMap::new();
        for (side, content, owner) in [(0, before, old), (1, after, new)] {
            for rrset in owner.iter().flat_map(|owner| owner.rrsets().map(move |rrset| (owner, rrset))) {
                let (owner, rrset) = rrset;
                types.entry(rrset.rtype.to_int()).or_default()[side] = Some(content.rrset(owner, &rrset));
            }
        }
        for [old, new] in types.into_values() {
            match (old, new) {
                (Some(old), None) => take(Difference::Removed(old))?,
                (None, Some(new)) => take(Difference::Added(new))?,
                (Some(before), Some(after)) if !says_the_same(&before, &after) => {
                    take(Difference::Changed { before, after })?;
                }
                _ => {}
            }
        }
    }
    ControlFlow::Continue(())
}

/// Whether two RRsets of one name and type are the same. How the name is spelled does not count.
fn says_the_same(a: &RRset, b: &RRset) -> bool {
    a.ttl == b.ttl && a.values() == b.values()
}

/// The leaves of each side that are not the same on the other.
fn differing_leaves(before: &Content, after: &Content) -> (Vec<Arc<Leaf>>, Vec<Arc<Leaf>>) {
    let mut pending: [Vec<Node>; 2] = [&before.root, &after.root].map(|root| root.iter().cloned().collect());
    let mut leaves: [Vec<Arc<Leaf>>; 2] = [Vec::new(), Vec::new()];
    loop {
        let side = match [pending[0].last(), pending[1].last()] {
            [None, None] => break,
            [Some(_), None] => 0,
            [None, Some(_)] => 1,
            [Some(a), Some(b)] => {
                if a.height() == b.height() && (a.is(b) || digest_of(a) == digest_of(b)) {
                    pending[0].pop();
                    pending[1].pop();
                    continue;
                }
                match a.height().cmp(&b.height()) {
                    std::cmp::Ordering::Greater => 0,
                    std::cmp::Ordering::Less => 1,
                    std::cmp::Ordering::Equal => usize::from(least_of(b) < least_of(a)),
                }
            }
        };
        match pending[side].pop() {
            Some(Node::Leaf(leaf)) => leaves[side].push(leaf),
            Some(Node::Inner(inner)) => {
                pending[side].extend(inner.children.iter().rev().map(|child| child.node.clone()));
            }
            None => break,
        }
    }
    let [before, after] = leaves;
    (before, after)
}
