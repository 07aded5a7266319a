//! What would be served: one RRset of one source, with its standing.

use std::sync::Arc;

use port53_zone::master::Position;
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Rdata, Rtype};

/// Who keeps a name when two want it: the lesser.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Standing {
    rank: Rank,
    /// Seconds since 1970; among those that are published their age does not count.
    created: i64,
    /// Namespace and name, or the file. Records of one file stand alike: nothing decides between them.
    key: Arc<str>,
}

/// The first thing that counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Rank {
    /// It is published.
    Incumbent,
    /// It is new.
    Newcomer,
    /// It gives way to what people write for the same name, without a word: `spec.nameservers`.
    Default,
    /// So does what a DNS that the zone moves from has at the apex.
    Legacy,
    /// It comes from a zone below, which answers for itself whatever happens to it here.
    Child,
}

/// Which version of the source it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    /// As it is written now.
    Written,
    /// As it is published.
    LastGood,
    /// Neither can be served.
    Out,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Index of the source.
    pub(super) source: usize,
    pub(super) owner: Arc<str>,
    pub(super) standing: Standing,
    pub(super) version: Version,
    pub(super) name: Name,
    pub(super) key: SortKey,
    pub(super) rtype: Rtype,
    /// The TTL of each line of a master file; of a DNSRecord one for all.
    pub(super) ttls: Vec<u32>,
    pub(super) values: Vec<Rdata>,
    /// Where each value stands, in a master file.
    pub(super) positions: Vec<Position>,
    /// What the source has published, unless that is what it writes.
    pub(super) last_good: Option<RRset>,
}

impl Candidate {
    /// What `source` writes. With `last_good`, what it has published, it is the incumbent of its name and type.
    pub(super) fn new(
        source: usize,
        owner: &Arc<str>,
        rank: Rank,
        created: i64,
        rrset: (Name, Rtype, Vec<u32>, Vec<Rdata>),
        last_good: Option<&RRset>,
    ) -> Self {
        let (name, rtype, ttls, values) = rrset;
        let is_at_home = last_good.is_some_and(|last| last.rtype == rtype && last.name == name);
        let rank = if rank == Rank::Newcomer && is_at_home { Rank::Incumbent } else { rank };
        let created = if rank == Rank::Newcomer { created } else { 0 };
        let is_same = |last: &RRset| is_at_home && ttls[..] == [last.ttl] && values == last.values();
        let last_good = last_good.filter(|last| !is_same(last)).cloned();
        Candidate {
            source,
            owner: owner.clone(),
            standing: Standing { rank, created, key: owner.clone() },
            version: Version::Written,
            key: SortKey::of(&name),
            name,
            rtype,
            ttls,
            values,
            positions: Vec::new(),
            last_good,
        }
    }

    /// What `source` has published, in the place of what it writes.
    pub(super) fn of_last_good(source: usize, owner: &Arc<str>, last: &RRset) -> Self {
        let parts = (last.name.clone(), last.rtype, vec![last.ttl], last.values().to_vec());
        let mut candidate = Candidate::new(source, owner, Rank::Incumbent, 0, parts, None);
        candidate.version = Version::LastGood;
        candidate
    }

    /// Its place in canonical order, and among those of one name and type.
    pub(super) fn place(&self) -> (&SortKey, u16, &Standing) {
        (&self.key, self.rtype.to_int(), &self.standing)
    }

    pub(super) fn rank(&self) -> Rank {
        self.standing.rank
    }

    pub(super) fn is_out(&self) -> bool {
        self.version == Version::Out
    }

    /// Whether the source has something published, here or under another name.
    pub(super) fn is_published(&self) -> bool {
        self.rank() == Rank::Incumbent || self.last_good.is_some()
    }

    /// Steps back to the version before: the last good one where there is another, then nothing.
    pub(super) fn step_back(&mut self) {
        let last_good =
            self.last_good.take().filter(|last| self.version == Version::Written && *last != self.rrset());
        match last_good {
            Some(last) => {
                let positions = std::mem::take(&mut self.positions);
                *self = Candidate { positions, ..Candidate::of_last_good(self.source, &self.owner, &last) };
            }
            None => self.version = Version::Out,
        }
    }

    /// What is served, and who owns it.
    pub(super) fn into_served(self) -> (RRset, Arc<str>) {
        let ttl = self.ttl();
        (RRset::new(self.name, self.rtype, ttl, self.values), self.owner)
    }

    /// Of TTLs that differ the lowest counts (RFC 2181 §5.2).
    fn ttl(&self) -> u32 {
        self.ttls.iter().copied().min().unwrap_or(0)
    }

    /// The RRset.
    pub(super) fn rrset(&self) -> RRset {
        RRset::new(self.name.clone(), self.rtype, self.ttl(), self.values.iter().cloned())
    }
}
