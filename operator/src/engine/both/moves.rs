//! Changes by name, what undoes them, and who owns them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use port53_store::Intent;
use port53_zone::content::{Change, Content};
use port53_zone::name::SortKey;
use port53_zone::{Name, Rtype};

use super::{Stamp, Stamps};
use crate::migrations::scope::Scope;

/// What of a zone a move is about: an RRset, or all of a name where an alias comes or goes, which can only be together with
/// the others (RFC 1034 §3.6.2). So what is refused of a name keeps nothing else of it back.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    name: SortKey,
    /// All of the name where there is none.
    rtype: Option<u16>,
}

impl Place {
    /// Of changes of one name.
    pub(super) fn of(name: &Name, changes: &[Change]) -> Self {
        let rtype = match changes {
            [only] if only.rtype() != Rtype::CNAME => Some(only.rtype().to_int()),
            _ => None,
        };
        Place { name: SortKey::of(name), rtype }
    }

    /// Of what is meant.
    pub(super) fn of_intent(intent: &Intent) -> Self {
        Place::of(&intent.name, &intent.new)
    }

    /// Whether two cannot be on their way at the same time.
    pub(super) fn is_in_the_way_of(&self, other: &Place) -> bool {
        self.name == other.name
            && (self.rtype.is_none() || other.rtype.is_none() || self.rtype == other.rtype)
    }
}

/// What is to be, and what was.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) name: Name,
    /// In canonical order.
    pub(super) new: Vec<Change>,
    pub(super) old: Vec<Change>,
}

/// Whether one of the changes of a name is each side's own, so that all of them are.
pub(super) fn is_own(scope: &Scope, changes: &[Change]) -> bool {
    let is_own =
        |change: &Change| !scope.takes(change.name(), change.rtype()) || is_alias_beside_own(scope, change);
    changes.iter().any(is_own)
}

/// An alias that comes or goes beside what is left out can only do so together with it.
fn is_alias_beside_own(scope: &Scope, change: &Change) -> bool {
    change.rtype() == Rtype::CNAME && scope.left_out.has_name(change.name())
}

/// The changes that legacy is to have first, by what they are about; and the others: what is each side's own, and what
/// changes who owns an RRset or how its name is spelled, which legacy does not see. Without a scope everything counts.
pub(super) fn split(
    changes: Vec<Change>,
    content: &Content,
    scope: Option<&Scope>,
) -> (BTreeMap<Place, Move>, Vec<Change>) {
    let mut by_name: BTreeMap<SortKey, Move> = BTreeMap::new();
    let mut others = Vec::new();
    let is_alias_beside_own =
        |change: &&Change| scope.is_some_and(|scope| is_alias_beside_own(scope, change));
    let own: BTreeSet<Name> =
        changes.iter().filter(is_alias_beside_own).map(|change| change.name().clone()).collect();
    for change in changes {
        let counts = scope.is_none_or(|scope| scope.takes(change.name(), change.rtype()))
            && !own.contains(change.name());
        if !counts || !is_missing(&change, content) {
            others.push(change);
            continue;
        }
        let name = change.name().clone();
        let of_name = by_name.entry(SortKey::of(&name)).or_insert_with(|| Move {
            name,
            new: Vec::new(),
            old: Vec::new(),
        });
        of_name.old.push(undone(&change, content, &of_name.name));
        of_name.new.push(spelled(change, &of_name.name));
    }
    let moves = by_name.into_values().flat_map(Move::apart).map(|one| (Place::of(&one.name, &one.new), one));
    (moves.collect(), others)
}

impl Move {
    /// One for each RRset, unless an alias is among them.
    fn apart(self) -> Vec<Move> {
        if self.new.iter().any(|change| change.rtype() == Rtype::CNAME) {
            return vec![self];
        }
        let pairs = self.new.into_iter().zip(self.old);
        pairs.map(|(new, old)| Move { name: self.name.clone(), new: vec![new], old: vec![old] }).collect()
    }
}

/// The change that makes it what it is in `content`.
fn undone(change: &Change, content: &Content, name: &Name) -> Change {
    let (owner_name, rtype) = (change.name(), change.rtype());
    let undone = match content.get(owner_name, rtype) {
        Some(rrset) => Change::Put { rrset, owner: content.owner_of(owner_name, rtype) },
        None => Change::Remove { name: owner_name.clone(), rtype },
    };
    spelled(undone, name)
}

/// All of one name are spelled alike, for it is one name.
fn spelled(mut change: Change, as_name: &Name) -> Change {
    match &mut change {
        Change::Put { rrset, .. } => rrset.name = as_name.clone(),
        Change::Remove { name, .. } => *name = as_name.clone(),
    }
    change
}

/// Those of `changes` that a content does not have yet.
pub(super) fn missing(changes: &[Change], content: &Content) -> Vec<Change> {
    changes.iter().filter(|change| is_missing(change, content)).cloned().collect()
}

fn is_missing(change: &Change, content: &Content) -> bool {
    let there = content.get(change.name(), change.rtype());
    match (change, there) {
        (Change::Put { rrset, .. }, Some(there)) => !there.says_the_same_as(rrset),
        (Change::Put { .. }, None) | (Change::Remove { .. }, Some(_)) => true,
        (Change::Remove { .. }, None) => false,
    }
}

/// Who owns what is put.
pub(super) fn owners(changes: &[Change]) -> BTreeSet<Arc<str>> {
    let owners = changes.iter().filter_map(|change| match change {
        Change::Put { owner, .. } => owner.clone(),
        Change::Remove { .. } => None,
    });
    owners.collect()
}

/// Their versions.
pub(super) fn stamps(changes: &[Change], stamps: &Stamps) -> Stamps {
    let stamp = |owner: Arc<str>| {
        let stamp: Stamp = stamps.get(&owner)?.clone();
        Some((owner, stamp))
    };
    owners(changes).into_iter().filter_map(stamp).collect()
}
