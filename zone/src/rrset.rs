//! Records and RRsets: the common currency between the rooms of this crate.

use crate::name::Name;
use crate::rdata::Rdata;
use domain::base::iana::Rtype;

/// One record of class IN with absolute names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// The owner, in the case it was written in.
    pub name: Name,
    /// The type.
    pub rtype: Rtype,
    /// Seconds, at most 2^31 - 1 (RFC 2181 §8).
    pub ttl: u32,
    /// The value.
    pub rdata: Rdata,
}

/// All records of one owner and type. Values are in canonical order (RFC 4034 §6.3) without duplicates
/// (RFC 2181 §5), so two RRsets are equal exactly when they say the same (but for the case of names).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RRset {
    /// The owner, in the case it was first written in.
    pub name: Name,
    /// The type.
    pub rtype: Rtype,
    /// Seconds; one for the whole set (RFC 2181 §5.2).
    pub ttl: u32,
    values: Vec<Rdata>,
}

impl RRset {
    /// Puts `values` into canonical order and drops duplicates. At least one value is needed: an RRset
    /// without records does not exist; callers check before.
    pub fn new(name: Name, rtype: Rtype, ttl: u32, values: impl IntoIterator<Item = Rdata>) -> Self {
        let mut values: Vec<Rdata> = values.into_iter().collect();
        values.sort_by(|a, b| a.canonical_cmp(b, rtype));
        values.dedup_by(|a, b| a.canonical_cmp(b, rtype).is_eq());
        debug_assert!(!values.is_empty());
        RRset { name, rtype, ttl, values }
    }

    /// The values, in canonical order, at least one.
    pub fn values(&self) -> &[Rdata] {
        &self.values
    }

    /// The records of the set.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.values.iter().map(|rdata| Record {
            name: self.name.clone(),
            rtype: self.rtype,
            ttl: self.ttl,
            rdata: rdata.clone(),
        })
    }

    /// Whether another says the same: name, type, TTL, and values without regard to the case of names in them
    /// (RFC 4343), where the canonical form of their type has none (RFC 4034 §6.2).
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let is_same = |(a, b): (&Rdata, &Rdata)| a.canonical_cmp(b, self.rtype).is_eq();
        (&self.name, self.rtype, self.ttl, self.values.len())
            == (&other.name, other.rtype, other.ttl, other.values.len())
            && self.values.iter().zip(&other.values).all(is_same)
    }

    /// Octets that the records take in a message with every owner compressed to a pointer: 12 and the
    /// value each. Never too low: names inside values are counted uncompressed.
    pub fn message_octets(&self) -> usize {
        self.values.iter().map(|rdata| 12 + rdata.as_slice().len()).sum()
    }
}

/// The SOA of a zone (RFC 1035 §3.3.13). It is kept beside the content, because it changes with every
/// version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Soa {
    /// MNAME: the primary nameserver.
    pub primary: Name,
    /// RNAME: the mailbox of the person responsible, as a name.
    pub contact: Name,
    /// The version.
    pub serial: u32,
    /// Seconds between checks by a secondary.
    pub refresh: u32,
    /// Seconds after a failed check.
    pub retry: u32,
    /// Seconds after which a secondary stops answering.
    pub expire: u32,
    /// MINIMUM: with `ttl`, the TTL of negative answers is the lesser of both (RFC 2308 §3).
    pub minimum: u32,
    /// TTL of the SOA record itself.
    pub ttl: u32,
}

impl Soa {
    /// TTL of negative answers (RFC 2308 §3).
    pub fn negative_ttl(&self) -> u32 {
        self.ttl.min(self.minimum)
    }

    /// The value in wire form.
    pub fn rdata(&self) -> Rdata {
        let mut wire = Vec::with_capacity(64);
        wire.extend_from_slice(self.primary.as_slice());
        wire.extend_from_slice(self.contact.as_slice());
        for field in [self.serial, self.refresh, self.retry, self.expire, self.minimum] {
            wire.extend_from_slice(&field.to_be_bytes());
        }
        Rdata::from_trusted_wire(wire.into())
    }

    /// Reads a SOA value. `None` when `rdata` is not one.
    pub fn from_rdata(rdata: &Rdata, ttl: u32) -> Option<Self> {
        let wire = rdata.shared();
        let primary_len = wire_name_len(&wire)?;
        let contact_len = wire_name_len(wire.get(primary_len..)?)?;
        let fixed: &[u8; 20] = wire.get(primary_len + contact_len..)?.try_into().ok()?;
        let field = |i: usize| {
            u32::from_be_bytes([fixed[4 * i], fixed[4 * i + 1], fixed[4 * i + 2], fixed[4 * i + 3]])
        };
        Some(Soa {
            primary: Name::from_octets(wire.slice(..primary_len)).ok()?,
            contact: Name::from_octets(wire.slice(primary_len..primary_len + contact_len)).ok()?,
            serial: field(0),
            refresh: field(1),
            retry: field(2),
            expire: field(3),
            minimum: field(4),
            ttl,
        })
    }
}

/// Length of the uncompressed name at the start of `wire`, its root label included.
pub(crate) fn wire_name_len(wire: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *wire.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

/// Number of labels in `wire`, well-formed labels with or without the root label, which is not counted.
pub(crate) fn count_labels(wire: &[u8]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < wire.len() && wire[at] != 0 {
        count += 1;
        at += 1 + usize::from(wire[at]);
    }
    count
}
