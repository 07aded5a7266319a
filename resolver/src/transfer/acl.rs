//! Who may have which zone, and who is told of its changes.

use port53_zone::Name;
use port53_zone::transfer::Allow;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

/// What a zone says about its secondaries. By default nobody may have it and nobody is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// One of these must hold for a transfer.
    pub allow: Vec<Allow>,
    /// Where secondaries take NOTIFY, signed with the first key of `allow`.
    pub notify: Vec<SocketAddr>,
}

impl Policy {
    /// Whether who asks from `client` and signed with `key` may have the zone.
    pub(super) fn permits(&self, client: IpAddr, key: Option<&[u8]>) -> bool {
        self.allow.iter().any(|allow| allow.permits(client, key))
    }

    /// The name of the key that signs NOTIFY.
    pub(super) fn key(&self) -> Option<&Name> {
        self.allow.iter().find_map(|allow| match allow {
            Allow::Key(name) => Some(name),
            Allow::Prefix(_) => None,
        })
    }

    /// Whether anybody wants to hear of this zone.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.notify.is_empty()
    }
}

/// The policy of each zone, by its apex. What zones say themselves goes before what the settings say for all. The lock
/// is taken for transfers and for what sources say, never for a query.
#[derive(Debug, Default)]
pub struct Policies {
    general: Arc<Policy>,
    zones: RwLock<BTreeMap<Name, Arc<Policy>>>,
}

impl Policies {
    /// `general` for every zone that has none of its own.
    pub fn new(general: Policy) -> Self {
        Policies { general: Arc::new(general), zones: RwLock::default() }
    }

    /// What holds for a zone.
    pub fn of(&self, apex: &Name) -> Arc<Policy> {
        self.own(apex).unwrap_or_else(|| self.general.clone())
    }

    /// What a zone says itself.
    pub(crate) fn own(&self, apex: &Name) -> Option<Arc<Policy>> {
        self.zones.read().unwrap_or_else(PoisonError::into_inner).get(apex).cloned()
    }

    /// As a source says it: to these, or as the settings say for all. Whether that is new.
    pub(crate) fn say(&self, apex: &Name, allow: Vec<Allow>) -> bool {
        // Secondaries are told by who knows that every pod answers a version: the operator.
        self.set(apex, (!allow.is_empty()).then(|| Policy { allow, notify: Vec::new() }))
    }

    /// Gives a zone a policy of its own, or takes it away again. Whether that is new.
    pub fn set(&self, apex: &Name, policy: Option<Policy>) -> bool {
        let policy = policy.map(Arc::new);
        if self.own(apex) == policy {
            return false;
        }
        let mut zones = self.zones.write().unwrap_or_else(PoisonError::into_inner);
        match policy {
            Some(policy) => zones.insert(apex.clone(), policy),
            None => zones.remove(apex),
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::name;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn nobody_may_unless_an_entry_says_so() {
        let allow = |entries: &[&str]| Policy {
            allow: entries.iter().map(|entry| entry.parse().expect("an entry")).collect(),
            notify: Vec::new(),
        };
        let (client, key) = (address("192.0.2.1"), Some(&b"\x01K\0"[..]));
        assert!(!allow(&[]).permits(client, key));
        assert!(!allow(&["key:k"]).permits(client, None));
        assert!(!allow(&["key:other", "192.0.2.2"]).permits(client, key));
        assert!(allow(&["key:other", "key:k"]).permits(client, key));
        assert!(allow(&["192.0.2.0/24"]).permits(client, None));
        assert_eq!(allow(&["192.0.2.0/24", "key:K"]).key(), name::parse_absolute("k").ok().as_ref());
    }

    #[test]
    fn what_a_zone_says_goes_before_what_is_said_for_all() {
        let general = Policy { notify: vec!["192.0.2.1:53".parse().expect("one")], ..Policy::default() };
        let policies = Policies::new(general.clone());
        let apex = name::parse_absolute("Example.com").expect("a name");
        assert_eq!(*policies.of(&apex), general);
        policies.set(&apex, Some(Policy::default()));
        assert_eq!(*policies.of(&name::parse_absolute("example.COM").expect("a name")), Policy::default());
        policies.set(&apex, None);
        assert_eq!(*policies.of(&apex), general);
    }
}
