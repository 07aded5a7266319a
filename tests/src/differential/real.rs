//! Zones from master files, as they are, and what is asked about them.

use super::facts::wire;
use super::round::Served;
use crate::generate::Known;
use crate::read::{Read, master_files, read};
use port53_zone::{Rtype, name, rdata};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::rc::Rc;

/// A zone from a master file.
#[derive(Clone, Debug)]
pub struct Real {
    /// What is served.
    pub served: Served,
    /// What is asked about.
    pub known: Known,
}

/// The zones of a directory, in sets that are served together: the root is above all others, and alone.
///
/// # Errors
/// When a file cannot be read, or a line of it.
pub fn real_zones(directory: &Path) -> io::Result<Vec<Vec<Real>>> {
    let zones: Vec<Real> = master_files(directory)?
        .into_iter()
        .map(|(stem, octets)| {
            let apex = if stem == "root" { ".".to_owned() } else { format!("{stem}.") };
            Real::new(&apex, octets)
        })
        .collect::<io::Result<_>>()?;
    let (root, others): (Vec<Real>, Vec<Real>) = zones.into_iter().partition(|zone| zone.served.apex == ".");
    Ok([others, root].into_iter().filter(|zones| !zones.is_empty()).collect())
}

impl Real {
    fn new(apex: &str, octets: Vec<u8>) -> io::Result<Self> {
        let read = read(apex, &octets, apex, None);
        if let Some(problem) = read.problems.first() {
            return Err(io::Error::other(problem.to_string()));
        }
        let text = String::from_utf8(octets).map_err(io::Error::other)?;
        let beside_cname = beside_cname(&read);
        let right = without(&text, &read, &beside_cname);
        let records = read.records.iter().filter(|record| record.rtype != Rtype::SOA);
        let known = records.clone().map(|record| {
            let rtype = rdata::display_rtype(record.rtype);
            [name::display(&record.name), rtype, rdata::display(record.rtype, &record.rdata)]
        });
        let owners = records.map(|record| wire(&name::display(&record.name)));
        let owners: BTreeSet<Vec<u8>> = owners.filter(|owner| !beside_cname.contains(owner)).collect();
        Ok(Real {
            known: Known::new(apex, known),
            served: Served {
                apex: apex.to_owned(),
                text: text.into(),
                right: right.into(),
                owners: Rc::new(owners),
                without: Vec::new(),
            },
        })
    }
}

/// Names that have a CNAME and other data, which is refused (RFC 1034 §3.6.2), but for what comes with signing (RFC
/// 4034 §2.5).
fn beside_cname(read: &Read) -> BTreeSet<Vec<u8>> {
    let mut types: BTreeMap<Vec<u8>, BTreeSet<Rtype>> = BTreeMap::new();
    for record in &read.records {
        if ![Rtype::RRSIG, Rtype::NSEC, Rtype::KEY].contains(&record.rtype) {
            types.entry(record.name.as_slice().to_ascii_lowercase()).or_default().insert(record.rtype);
        }
    }
    types.retain(|_, types| types.contains(&Rtype::CNAME) && types.len() > 1);
    types.into_keys().collect()
}

/// The lines of the records that were read, but for those of these owners, and directives. A SOA that stands again at
/// the end, as in a transfer (RFC 5936 §2.2), is not read twice, and NSD refuses a zone with it.
fn without(text: &str, read: &Read, owners: &BTreeSet<Vec<u8>>) -> String {
    let records = read.records.iter().zip(&read.lines);
    let kept = records.filter(|(record, _)| !owners.contains(&record.name.as_slice().to_ascii_lowercase()));
    let kept: BTreeSet<u32> = kept.flat_map(|(_, lines)| lines.clone()).collect();
    let lines =
        (1..).zip(text.lines()).filter(|(number, line)| kept.contains(number) || line.starts_with('$'));
    lines.flat_map(|(_, line)| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_get_what_is_read_and_right() {
        let text = "$TTL 5\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n ; none\na CNAME b\nA TXT (\n  x )\nb A 192.0.2.1\n\
                    @ SOA ns h 1 2 3 4 5\n";
        let zone = Real::new("example.", text.into()).expect("a zone");
        assert_eq!(&*zone.served.right, "$TTL 5\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nb A 192.0.2.1\n");
        assert_eq!(&*zone.served.text, text);
        assert_eq!(zone.known.count(), 4);
        let owners: Vec<&[u8]> = zone.served.owners.iter().map(Vec::as_slice).collect();
        assert_eq!(owners, [&b"\x01b\x07example\x00"[..], b"\x07example\x00"]);
    }
}
