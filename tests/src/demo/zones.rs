//! The zones that move: those of a directory, without what no legacy server would take, and with names that will change.

use super::NAMESPACE;
use crate::Zone;
use crate::read::{master_files, read};
use port53_operator::convert::{self, Options, ZoneData};
use port53_zone::rdata::{self, parse_value};
use port53_zone::{Name, RRset, Rtype, Soa, name};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// The name that changes on our side, that which changes at legacy, and that which both come to have otherwise.
pub const CHANGING: [&str; 3] = ["changes-here", "changes-there", "changes-apart"];
/// The address that they begin with, and their TTL.
pub const FIRST: &str = "192.0.2.1";
/// See there.
pub const TTL: u32 = 60;

/// A zone that moves.
#[derive(Debug)]
pub struct Moving {
    /// The name of its objects.
    pub name: String,
    /// Its name in the cluster and at legacy, with its last dot.
    pub domain: String,
    /// The same.
    pub apex: Name,
    /// Its SOA at legacy.
    soa: Soa,
    /// What it has beside the SOA.
    pub rrsets: Vec<RRset>,
    /// The master file that legacy is given.
    text: String,
}

/// The zones of a directory, and what of it is left out, with why.
///
/// # Panics
/// When there is none, or one cannot be read.
pub fn of_directory(directory: &Path) -> (Vec<Moving>, Vec<String>) {
    let mut left_out = Vec::new();
    let files = master_files(directory).unwrap_or_else(|error| panic!("{error}"));
    let zones = files.into_iter().filter_map(|(origin, octets)| {
        let (soa, mut rrsets) = read(&origin, &octets, &origin, Some(directory)).rrsets();
        let apex = name::parse_absolute(&origin).unwrap_or_else(|error| panic!("{origin}: {error}"));
        if rrsets.iter().any(|rrset| rrset.rtype == Rtype::DNSKEY) {
            left_out.push(format!("left out: zone {origin}: it is signed, and nothing here would be"));
            return None;
        }
        let clashing = clashing(&rrsets);
        for name in &clashing {
            left_out
                .push(format!("left out: {}: CNAME and other data (RFC 1034 §3.6.2)", name::display(name)));
        }
        rrsets.retain(|rrset| !clashing.contains(&rrset.name));
        for owner in CHANGING {
            let value = parse_value(Rtype::A, FIRST).expect("an address");
            rrsets.push(RRset::new(name::parse(owner, &apex).expect("a name"), Rtype::A, TTL, [value]));
        }
        Some(Moving {
            name: convert::zone_object_name(&apex),
            domain: name::display(&apex),
            text: text(&apex, &soa, &rrsets),
            soa,
            apex,
            rrsets,
        })
    });
    let zones: Vec<Moving> = zones.collect();
    assert!(!zones.is_empty(), "{}: no zone that is not signed", directory.display());
    (zones, left_out)
}

/// Names that have a CNAME and other data: no server takes them.
fn clashing(rrsets: &[RRset]) -> BTreeSet<Name> {
    let mut types: BTreeMap<&Name, BTreeSet<Rtype>> = BTreeMap::new();
    for rrset in rrsets {
        types.entry(&rrset.name).or_default().insert(rrset.rtype);
    }
    let is_clashing = |types: &BTreeSet<Rtype>| types.len() > 1 && types.contains(&Rtype::CNAME);
    types.into_iter().filter(|(_, types)| is_clashing(types)).map(|(name, _)| name.clone()).collect()
}

fn text(apex: &Name, soa: &Soa, rrsets: &[RRset]) -> String {
    let mut text = String::new();
    let mut line = |owner: &Name, ttl: u32, rtype: Rtype, value: &str| {
        let _ = writeln!(text, "{} {ttl} IN {} {value}", name::display(owner), rdata::display_rtype(rtype));
    };
    line(apex, soa.ttl, Rtype::SOA, &rdata::display(Rtype::SOA, &soa.rdata()));
    for rrset in rrsets {
        for value in rrset.values() {
            line(&rrset.name, rrset.ttl, rrset.rtype, &rdata::display(rrset.rtype, value));
        }
    }
    text
}

impl Moving {
    /// As a legacy server is given it.
    pub fn file(&self) -> Zone<'_> {
        Zone { apex: &self.domain, text: &self.text }
    }

    /// The Zone, with the SOA that legacy has: what is not there is answered with it.
    pub fn object(&self) -> Value {
        let data = ZoneData { apex: self.apex.clone(), soa: self.soa.clone(), rrsets: Vec::new() };
        let options = Options { namespace: Some(NAMESPACE.to_owned()), ..Options::default() };
        convert::manifests(&data, &options).objects.remove(0)
    }

    /// Whether every name in it has an answer.
    pub fn has_wildcard_at_top(&self) -> bool {
        let top = name::parse("*", &self.apex).expect("a name");
        self.rrsets.iter().any(|rrset| rrset.name == top)
    }

    /// A name in it, absolute.
    pub fn owner(&self, label: &str) -> String {
        format!("{label}.{}", self.domain)
    }

    /// The RRsets that are answered from the zone itself, each by the question for it: not what is at a delegation or below,
    /// and not what each side has its own of (NS at the apex).
    pub fn asked(&self) -> impl Iterator<Item = &RRset> {
        let is_cut = |rrset: &&RRset| rrset.rtype == Rtype::NS && rrset.name != self.apex;
        let cuts: Vec<&Name> = self.rrsets.iter().filter(is_cut).map(|rrset| &rrset.name).collect();
        self.rrsets.iter().filter(move |rrset| {
            let is_of_both = rrset.rtype != Rtype::NS;
            is_of_both && !cuts.iter().any(|cut| rrset.name.ends_with(cut))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zones_of_the_tests_are_read_and_written() {
        let (zones, left_out) =
            of_directory(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/moving")));
        assert_eq!(left_out, Vec::<String>::new());
        let domains: Vec<&str> = zones.iter().map(|zone| zone.domain.as_str()).collect();
        assert_eq!(domains, ["2.0.192.in-addr.arpa.", "hosts.example.", "shop.example."]);
        for zone in &zones {
            let (_, again) = read("zone", zone.text.as_bytes(), &zone.domain, None).rrsets();
            assert_eq!(again.len(), zone.rrsets.len(), "{}", zone.domain);
        }
        let shop = &zones[2];
        assert!(shop.asked().all(|rrset| !name::display(&rrset.name).contains("labs")));
        assert!(!shop.has_wildcard_at_top());
    }
}
