//! Who may have which zone, and who is told of its changes.

use arc_swap::ArcSwap;
use port53_zone::{Name, name};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// What a zone says about its secondaries. By default nobody may have it and nobody is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// One of these must hold for a transfer.
    pub allow: Vec<Allow>,
    /// Where secondaries take NOTIFY, signed with the first key of `allow`.
    pub notify: Vec<SocketAddr>,
}

/// Someone who may have a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Allow {
    /// Who asks from here.
    Cidr(Cidr),
    /// Who signs with the key of this name.
    Key(Name),
}

impl Policy {
    /// Whether who asks from `client` and signed with `key` may have the zone.
    pub(super) fn permits(&self, client: IpAddr, key: Option<&[u8]>) -> bool {
        self.allow.iter().any(|allow| match allow {
            Allow::Cidr(cidr) => cidr.contains(client),
            Allow::Key(name) => key.is_some_and(|key| key.eq_ignore_ascii_case(name.as_slice())),
        })
    }

    /// The name of the key that signs NOTIFY, in wire form, in lower case.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        self.allow.iter().find_map(|allow| match allow {
            Allow::Key(name) => Some(name.as_slice().to_ascii_lowercase()),
            Allow::Cidr(_) => None,
        })
    }

    /// Whether anybody wants to hear of this zone.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.notify.is_empty()
    }
}

impl FromStr for Allow {
    type Err = String;

    /// `192.0.2.0/24`, `2001:db8::1`, or `key:NAME`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(key) = text.strip_prefix("key:") {
            return name::parse_absolute(key)
                .map(Allow::Key)
                .map_err(|error| format!("names a key that {error}"));
        }
        let what = "is neither a prefix nor a key: write 192.0.2.0/24, 2001:db8::1 or key:NAME";
        text.parse().map(Allow::Cidr).map_err(|()| what.to_owned())
    }
}

/// An address and how many of its bits count; the others are 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    address: IpAddr,
    bits: u32,
}

impl Cidr {
    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let address = address.to_canonical();
        let (value, most) = match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let bits: u32 = bits.unwrap_or(most);
        let host = most.checked_sub(bits).ok_or(())?;
        let is_zero_after = host == 128 && value == 0 || host < 128 && value & ((1 << host) - 1) == 0;
        if is_zero_after { Ok(Cidr { address, bits }) } else { Err(()) }
    }
}

impl Display for Cidr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The policy of each zone, by its apex. What zones say themselves goes before what the settings say for all.
#[derive(Debug, Default)]
pub struct Policies {
    general: Arc<Policy>,
    zones: ArcSwap<BTreeMap<Name, Arc<Policy>>>,
}

impl Policies {
    /// `general` for every zone that has none of its own.
    pub fn new(general: Policy) -> Self {
        Policies { general: Arc::new(general), zones: ArcSwap::default() }
    }

    /// What holds for a zone.
    pub fn of(&self, apex: &Name) -> Arc<Policy> {
        self.zones.load().get(apex).unwrap_or(&self.general).clone()
    }

    /// Gives a zone a policy of its own, or takes it away again.
    pub fn set(&self, apex: &Name, policy: Option<Policy>) {
        let policy = policy.map(Arc::new);
        if self.zones.load().get(apex) == policy.as_ref() {
            return;
        }
        self.zones.rcu(|zones| {
            let mut zones = BTreeMap::clone(zones);
            match &policy {
                Some(policy) => zones.insert(apex.clone(), policy.clone()),
                None => zones.remove(apex),
            };
            zones
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn prefixes_are_read_and_hold_their_addresses() {
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "::ffff:192.0.2.1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("::/0", "::1", "192.0.2.1"),
        ] {
            let cidr: Cidr = text.parse().expect("a prefix");
            assert!(cidr.contains(address(inside)) && !cidr.contains(address(outside)), "{text}");
            assert_eq!(cidr.to_string().parse(), Ok(cidr));
        }
        for wrong in
            ["", "192.0.2.1/24", "192.0.2.0/33", "::/129", "192.0.2.0/", "example.com", "10/8", "::1/0"]
        {
            assert_eq!(wrong.parse::<Cidr>(), Err(()), "{wrong}");
        }
        assert!("key:a..b".parse::<Allow>().is_err() && "key:xfr.example".parse::<Allow>().is_ok());
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
        assert_eq!(allow(&["192.0.2.0/24", "key:K"]).key(), Some(b"\x01k\0".to_vec()));
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
