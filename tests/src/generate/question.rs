//! What is asked of zones: every name and its neighbours, what is below and above, and where aliases lead.

use super::Chance;
use super::known::Known;
use super::label::{LONGEST_NAME, Labels, name_octets, split};
use std::collections::BTreeSet;

/// A question and how it is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The name, absolute, in presentation form.
    pub owner: String,
    /// The mnemonic.
    pub rtype: String,
    /// What EDNS offers; `None`: no EDNS.
    pub payload: Option<u16>,
    /// Whether DO is set, which needs EDNS.
    pub dnssec_ok: bool,
    /// Whether over TCP.
    pub is_tcp: bool,
}

const TYPES: [&str; 16] = [
    "A",
    "AAAA",
    "TXT",
    "CNAME",
    "DNAME",
    "NS",
    "DS",
    "SOA",
    "MX",
    "SRV",
    "PTR",
    "TYPE65280",
    "ANY",
    "NSEC",
    "RRSIG",
    "HTTPS",
];
/// Labels that are put in front of names.
const BELOW: [&str; 7] = ["a", "b", "*", "\\000", "\\255", "x.y", "ns0"];

/// At most `most` questions of `zone`: what is there, and then what chance says.
pub fn questions(zone: &Known, most: usize, chance: &mut Chance) -> Vec<Asked> {
    let mut asked = Vec::new();
    let mut types = TYPES.to_vec();
    for (owner, rtype) in zone.sets() {
        asked.push(ask(zone.absolute(owner), rtype, chance));
        if !types.contains(&rtype) {
            types.push(rtype);
        }
    }
    asked.push(ask(zone.apex().to_owned(), "SOA", chance));
    asked.push(ask(zone.apex().to_owned(), "DS", chance));
    // More than fits: some of them, so that no kind is always left out.
    while asked.len() > most {
        asked.swap_remove(chance.below(asked.len()));
    }
    let names: Vec<String> = names(zone, chance).into_iter().collect();
    while asked.len() < most {
        let owner = chance.one_of(&names).clone();
        let rtype = match chance.below(3) {
            0 => "A",
            _ => chance.one_of(&types),
        };
        asked.push(ask(owner, rtype, chance));
    }
    asked
}

fn ask(owner: String, rtype: &str, chance: &mut Chance) -> Asked {
    let owner = match chance.below(5) {
        0 => owner.to_ascii_uppercase(),
        1 => owner
            .chars()
            .enumerate()
            .map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c })
            .collect(),
        _ => owner,
    };
    let (payload, dnssec_ok, is_tcp) = match chance.below(10) {
        0..=2 => (Some(1232), false, false),
        3 | 4 => (None, false, false),
        5 => (Some(512), false, false),
        6 => (Some(4096), true, false),
        7 => (Some(1232), true, false),
        8 => (Some(1232), false, true),
        _ => (None, false, true),
    };
    Asked { owner, rtype: rtype.to_owned(), payload, dnssec_ok, is_tcp }
}

/// Every owner, its ancestors down from the parent of the apex, what stands next to it in canonical order,
/// what could be below it, and the targets of what is in the zone.
fn names(zone: &Known, chance: &mut Chance) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for owner in zone.owners() {
        for from in 0..owner.len() {
            names.insert(zone.absolute(&owner[from..]));
        }
        for neighbour in neighbours(owner) {
            names.insert(zone.absolute(&neighbour));
        }
        for _ in 0..3 {
            let mut below = owner.clone();
            below.insert(0, (*chance.one_of(&BELOW)).to_owned());
            if chance.once_in(3) {
                below.insert(0, "a".to_owned());
            }
            names.insert(zone.absolute(&below));
        }
        if zone.has(owner, "DNAME") {
            // As long as can be, and beyond what the target takes.
            let room = LONGEST_NAME - name_octets(&zone.absolute(owner));
            if room > 2 {
                let labels: Vec<String> =
                    [63, 63, 63].iter().map(|&octets: &usize| "q".repeat(octets)).collect();
                let last = "q".repeat((room - 1) % 64);
                let whole = (room - 1) / 64;
                let mut long: Labels = labels.into_iter().take(whole).collect();
                if !last.is_empty() {
                    long.insert(0, last);
                }
                long.extend(owner.iter().cloned());
                names.insert(zone.absolute(&long));
            }
        }
    }
    names.extend(zone.targets().cloned());
    names.insert(zone.apex().to_owned());
    if let Some((_, above)) = split(zone.apex()).split_first() {
        names.insert(above.iter().map(|label| format!("{label}.")).collect());
    }
    names.insert("out.invalid.".to_owned());
    names.retain(|name| name_octets(name) <= LONGEST_NAME);
    names
}

/// Names with another first label that stand just before and after, or only end alike.
fn neighbours(owner: &Labels) -> Vec<Labels> {
    let Some((first, rest)) = owner.split_first() else { return Vec::new() };
    let with = |label: String| [&[label][..], rest].concat();
    let mut all = vec![with(format!("{first}\\000")), with(format!("x{first}")), with(first.clone() + "a")];
    if first.len() > 1 && !first.contains('\\') {
        all.push(with(first[1..].to_owned()));
    }
    all.retain(|name| super::label::octets(&name[0]) < 64);
    all
}
