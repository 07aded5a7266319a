//! The stages of a publication: gather, validate, build. See each.

mod apex;
mod before;
pub mod build;
mod gather;
mod judge;
mod planner;
mod validate;

pub use apex::Apex;
pub use gather::nameservers_of;
pub use judge::{judge, judge_zone};
pub use planner::Planner;

use std::collections::BTreeMap;
use std::sync::Arc;

use port53_crds::ZoneGrant;
use port53_zone::content::{Applied, Change, Content};
use port53_zone::{Name, Soa, rules};

use crate::objects::{ObjectRef, Objects};
use crate::verdict::Verdict;

/// What the stages start from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// What people wrote.
    pub objects: &'a Objects,
    /// What is published, by apex: incumbents and last good values are taken from it.
    pub published: &'a BTreeMap<Name, Published>,
    /// Serials that must be exceeded beyond the published one, by apex: of kept revisions, of what a
    /// nameserver was seen to answer.
    pub serials: &'a BTreeMap<Name, Vec<u32>>,
    /// How to go about it.
    pub settings: &'a Settings,
}

/// A zone as it is published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The Zone or master file that holds the domain.
    pub holder: ObjectRef,
    /// The content, with who owns each RRset.
    pub content: Content,
    /// The SOA with the serial.
    pub soa: Soa,
}

/// How the stages go about it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time, in seconds since 1970: for the serials of the policies UnixTime and Date.
    pub now: u64,
    /// What salts the content of zones that are new: 16 random octets.
    pub salt: [u8; 16],
    /// Limits of the rules.
    pub limits: rules::Limits,
    /// Hostnames of the nameservers of zones that name none.
    pub nameservers: Vec<Name>,
    /// The NameserverSets, where they are known: they say whose zones they take, and bring hostnames of their own.
    pub sets: Option<Arc<[SetTerms]>>,
    /// Which NS zones show that move here from another DNS, by apex; all others show their own.
    pub apexes: BTreeMap<Name, Apex>,
    /// What becomes of a published zone whose holder is not among the objects.
    pub missing_zone: MissingZone,
}

/// What a NameserverSet says of zones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetTerms {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whose zones it takes: those of its namespace when empty.
    pub allowed: Vec<ZoneGrant>,
    /// Hostnames of its nameservers that were found to answer rightly, in order.
    pub nameservers: Vec<Name>,
}

/// What becomes of a published zone whose Zone or master file is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MissingZone {
    /// It stays as it is: absence removes nothing. In a cluster.
    Keep,
    /// It is withdrawn at once: the directory is the API server, and a file deleted from it was deleted
    /// explicitly. For `port53 dev`.
    Withdraw,
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// Zones to be served, by apex in canonical order. Also those that do not change.
    pub zones: Vec<ZoneOutcome>,
    /// Zones to be withdrawn.
    pub withdrawn: Vec<Name>,
    /// One for each object: those of a zone together, its own first. What came of a zone that did not change is
    /// the very same as in the plan before.
    pub verdicts: Vec<Arc<[Verdict]>>,
}

impl Plan {
    /// All verdicts.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().flat_map(|of_zone| of_zone.iter())
    }

    /// All verdicts by kind, namespace and name.
    pub fn verdicts_by_object(&self) -> Vec<&Verdict> {
        let mut all: Vec<&Verdict> = self.verdicts().collect();
        all.sort_by(|a, b| a.object.cmp(&b.object));
        all
    }
}

/// What a zone is to be.
#[derive(Clone, Debug)]
pub struct ZoneOutcome {
    /// Who holds it.
    pub holder: ObjectRef,
    /// Its apex.
    pub apex: Name,
    /// The SOA with the serial.
    pub soa: Soa,
    /// The content and the leaves that differ from what is published.
    pub applied: Applied,
    /// What makes the published content this one.
    pub changes: Vec<Change>,
    /// Whether it is new, or its data or SOA changed, so that it has a new serial.
    pub is_new_version: bool,
    /// RRsets that are served.
    pub accepted: usize,
    /// DNSRecords, or records of the master file, that are not served as written.
    pub rejected: usize,
}

/// Zones that parents may have delegated to: holder and content, by apex.
type Children = BTreeMap<Name, (ObjectRef, Content)>;

/// Runs the stages over all zones once.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    Planner::default().plan(inputs)
}
