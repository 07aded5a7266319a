//! A zone as an independent reader sees it: `ldns-read-zone` reads the master file and prints it with absolute
//! names, a record a line; the `domain` crate's scanner makes wire form of these plain lines.

use domain::base::iana::Rtype;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Name, ToName};
use domain::zonefile::inplace::{Entry, Zonefile};
use port53_tests::normal::Line;
use port53_tests::process;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

/// Owner in wire form and lower case, and type.
pub(crate) type Key = (Vec<u8>, u16);

/// What a master file says.
pub(crate) struct Input {
    /// In wire form and lower case.
    pub(crate) apex: Vec<u8>,
    /// Every RRset, the SOA too, with the lowest of its TTLs (RFC 2181 §5.2).
    pub(crate) rrsets: BTreeMap<Key, BTreeSet<Line>>,
    /// Lines of each RRset as they stand in the file, duplicates counted.
    pub(crate) lines: BTreeMap<Key, usize>,
}

pub(crate) fn read(file: &Path, origin: &str, scratch: &Path) -> Result<Input, Box<dyn Error>> {
    // ldns takes no origin from the command line.
    let copy = scratch.join("input.zone");
    let mut text = format!("$ORIGIN {}.\n", origin.trim_end_matches('.')).into_bytes();
    text.extend(std::fs::read(file)?);
    std::fs::write(&copy, text)?;
    // What the file includes is named relative to its directory.
    let directory = file.parent().unwrap_or(scratch);
    let printed =
        process::run("ldns-read-zone", &[copy.to_str().ok_or("a path that is no UTF-8")?], directory);
    if !printed.success {
        return Err(format!("ldns-read-zone refuses {}: {}", file.display(), printed.stderr).into());
    }
    let mut zonefile = Zonefile::from(printed.stdout.as_bytes());
    zonefile.set_origin(Name::root_bytes());
    let mut records = Vec::new();
    while let Some(entry) = zonefile.next_entry()? {
        let Entry::Record(record) = entry else { continue };
        let owner: Name<Vec<u8>> = record.owner().to_name();
        let mut value = Vec::new();
        record.data().compose_rdata(&mut value)?;
        records.push(Line::from_wire(
            owner.as_slice(),
            record.rtype().to_int(),
            record.ttl().as_secs(),
            &value,
        ));
    }
    let apex = records
        .iter()
        .find(|line| line.rtype() == Rtype::SOA.to_int())
        .map(|line| line.owner().to_vec())
        .ok_or("no SOA")?;
    let mut sets: BTreeMap<Key, Vec<Line>> = BTreeMap::new();
    for line in records {
        sets.entry((line.owner().to_vec(), line.rtype())).or_default().push(line);
    }
    let lines = sets.iter().map(|(key, lines)| (key.clone(), lines.len())).collect();
    let rrsets = sets.into_iter().map(|(key, lines)| {
        let ttl = lines.iter().map(Line::ttl).min().unwrap_or_default();
        (key, lines.into_iter().map(|line| line.with_ttl(ttl)).collect())
    });
    Ok(Input { apex, rrsets: rrsets.collect(), lines })
}

impl Input {
    /// The topmost delegation at or above a name, the apex apart.
    pub(crate) fn cut_above(&self, owner: &[u8]) -> Option<&[u8]> {
        let mut above: Vec<&[u8]> = ancestors(owner).collect();
        above.reverse();
        above
            .into_iter()
            .filter(|name| name.len() > self.apex.len())
            .find_map(|name| self.rrsets.get_key_value(&(name.to_vec(), Rtype::NS.to_int())))
            .map(|((owner, _), _)| owner.as_slice())
    }

    /// Whether a name has a CNAME and other data (RFC 1034 §3.6.2), but for what comes with signing
    /// (RFC 4034 §2.5).
    pub(crate) fn clashes(&self, owner: &[u8]) -> bool {
        let types: BTreeSet<u16> = self
            .rrsets
            .range((owner.to_vec(), 0)..=(owner.to_vec(), u16::MAX))
            .map(|((_, t), _)| *t)
            .collect();
        let signing = [Rtype::RRSIG, Rtype::NSEC, Rtype::KEY].map(|rtype| rtype.to_int());
        let others = types.iter().filter(|rtype| !signing.contains(rtype)).count();
        types.contains(&Rtype::CNAME.to_int()) && others > 1
    }

    /// Addresses of the nameservers of a cut that are at or below it: without them nobody gets there.
    pub(crate) fn glue(&self, cut: &[u8]) -> BTreeSet<Line> {
        let servers = self.rrsets.get(&(cut.to_vec(), Rtype::NS.to_int()));
        let inside = servers.into_iter().flatten().map(Line::value).filter(|host| is_at_or_below(host, cut));
        let addresses = inside.flat_map(|host| {
            [Rtype::A, Rtype::AAAA].map(|rtype| self.rrsets.get(&(host.to_vec(), rtype.to_int())))
        });
        addresses.flatten().flatten().cloned().collect()
    }
}

fn is_at_or_below(name: &[u8], cut: &[u8]) -> bool {
    ancestors(name).any(|ancestor| ancestor == cut)
}

/// The name itself and its ancestors, the root last.
fn ancestors(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| match name.first() {
        Some(&length) if length > 0 => name.get(1 + usize::from(length)..),
        _ => None,
    })
}
