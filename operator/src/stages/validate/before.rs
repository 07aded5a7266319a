//! What a zone has published, by who owns it: incumbents and last good versions are taken from here.

use std::collections::HashMap;
use std::sync::Arc;

use port53_zone::{Name, RRset, Rtype};

use crate::stages::Published;

/// See the module. Of a zone that is new: nothing.
#[derive(Debug, Default)]
pub(super) struct Before<'a> {
    published: Option<&'a Published>,
    /// The RRset of each owner that has one; of an owner with more, as a master file, the first.
    by_owner: HashMap<Arc<str>, RRset>,
}

impl<'a> Before<'a> {
    /// What is published of a zone whose owners are objects with one RRset each.
    pub(super) fn of_objects(published: Option<&'a Published>) -> Self {
        let mut by_owner = HashMap::new();
        if let Some(published) = published {
            by_owner.reserve(published.content.len());
            for (rrset, owner) in published.content.iter() {
                if let Some(owner) = owner {
                    by_owner.entry(owner).or_insert(rrset);
                }
            }
        }
        Before { published, by_owner }
    }

    /// What is published of a zone that one object, a master file, owns.
    pub(super) fn of_file(published: Option<&'a Published>) -> Self {
        Before { published, by_owner: HashMap::new() }
    }

    /// The RRset that an object has published, under whatever name and type.
    pub(super) fn of_owner(&self, owner: &str) -> Option<&RRset> {
        self.by_owner.get(owner)
    }

    /// What `owner` has published under a name and type.
    pub(super) fn at(&self, name: &Name, rtype: Rtype, owner: &str) -> Option<RRset> {
        let content = &self.published?.content;
        content.owner_of(name, rtype).filter(|held_by| **held_by == *owner)?;
        content.get(name, rtype)
    }
}
