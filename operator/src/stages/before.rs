//! What a zone has published, read once: incumbents and last good versions are taken from it, and what is to
//! be published is compared with it.

use std::collections::HashMap;
use std::sync::Arc;

use port53_zone::{Name, RRset, Rtype};

use super::Published;

/// See the module. Of a zone that is new: nothing.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// With who owns each, in canonical order.
    rrsets: Vec<(RRset, Option<Arc<str>>)>,
    /// The first RRset of each owner; but for master files it is the only one.
    by_owner: HashMap<Arc<str>, usize>,
}

impl Before {
    pub(crate) fn of(published: Option<&Published>) -> Self {
        let Some(published) = published else { return Before::default() };
        let mut rrsets = Vec::with_capacity(published.content.len());
        rrsets.extend(published.content.iter());
        let mut by_owner = HashMap::with_capacity(rrsets.len());
        for (place, (_, owner)) in rrsets.iter().enumerate() {
            if let Some(owner) = owner {
                by_owner.entry(owner.clone()).or_insert(place);
            }
        }
        Before { rrsets, by_owner }
    }

    /// The RRset that an object has published, under whatever name and type.
    pub(crate) fn of_owner(&self, owner: &str) -> Option<&RRset> {
        self.by_owner.get(owner).map(|&place| &self.rrsets[place].0)
    }

    /// What `owner` has published under a name and type.
    pub(crate) fn at(&self, name: &Name, rtype: Rtype, owner: &str) -> Option<&RRset> {
        let order = |old: &RRset| old.name.cmp(name).then_with(|| old.rtype.cmp(&rtype));
        let place = self.rrsets.binary_search_by(|(old, _)| order(old)).ok()?;
        let (rrset, held_by) = &self.rrsets[place];
        (held_by.as_deref() == Some(owner)).then_some(rrset)
    }

    /// All RRsets with who owns each, in canonical order.
    pub(crate) fn rrsets(&self) -> &[(RRset, Option<Arc<str>>)] {
        &self.rrsets
    }
}
