//! Zones that nobody thought of: made by chance from few labels and types, so that wildcards, cuts, aliases
//! and empty non-terminals meet in every way, and asked for every name. What two of NSD, Knot and BIND say, we
//! must say. The seed is fixed: a failure comes again.

use super::PATIENCE;
use port53_tests::Zone;
use port53_tests::ask::{Client, Question, Transport};
use port53_tests::normal::Normal;
use port53_tests::ours::Ours;
use port53_tests::peer::{Peer, Program};
use std::collections::BTreeMap;

const SEED: u64 = 53;
const ZONES: u32 = 30;
const LABELS: [&str; 3] = ["a", "b", "*"];
const DEPTH: usize = 3;
const TYPES: [&str; 5] = ["A", "TXT", "CNAME", "NS", "DS"];

/// How often two peers must agree for the test to say something.
const LEAST_AGREED: f64 = 0.99;

#[test]
fn what_most_peers_say_we_say() {
    let mut chance = Chance(SEED);
    let files: Vec<(String, String)> = (0..ZONES).map(|number| random_zone(number, &mut chance)).collect();
    let zones: Vec<Zone<'_>> = files.iter().map(|(apex, text)| Zone { apex, text }).collect();
    let ours = Ours::start(env!("CARGO_BIN_EXE_port53-tested"), &zones);
    let peers = [Program::Nsd, Program::Knot, Program::Bind].map(|program| Peer::start(program, &zones));
    let connect = |address| Client::connect(address, PATIENCE).expect("connects");
    let mut us = connect(ours.address());
    let mut them: Vec<Client> = peers.iter().map(|peer| connect(peer.address())).collect();

    let (mut asked, mut agreed, mut wrong) = (0_u32, 0_u32, Vec::new());
    for (apex, text) in &files {
        for owner in names(DEPTH + 1) {
            for rtype in TYPES {
                let question = Question::new(&format!("{}{apex} {rtype}", below(&owner)), Some(1232));
                let mut ask = |client: &mut Client| {
                    Normal::of(&client.ask(&question, Transport::Udp).expect("an answer"))
                };
                let theirs: Vec<Normal> = them.iter_mut().map(&mut ask).collect();
                asked += 1;
                let most = theirs.iter().find(|one| theirs.iter().filter(|other| other == one).count() >= 2);
                let Some(most) = most else { continue };
                agreed += 1;
                let got = ask(&mut us);
                if got != *most {
                    wrong.push(format!("{question}\n    most peers {most}\n    ours       {got}\n{text}"));
                }
            }
        }
    }
    wrong.truncate(10);
    assert!(wrong.is_empty(), "most peers agree with each other and not with us:\n{}", wrong.join("\n"));
    let share = f64::from(agreed) / f64::from(asked);
    assert!(share > LEAST_AGREED, "most peers agree on {agreed} of {asked} questions only");
}

/// A generator of numbers (xorshift), for tests alone.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % bound
    }
}

/// All names of up to `depth` labels, as their labels from the left; the first is the apex.
fn names(depth: usize) -> Vec<Vec<&'static str>> {
    let mut names = vec![Vec::new()];
    let mut longest = names.clone();
    for _ in 0..depth {
        longest = longest
            .iter()
            .flat_map(|name: &Vec<&str>| LABELS.map(|label| [&[label][..], name].concat()))
            .collect();
        names.extend(longest.clone());
    }
    names
}

/// The labels before an apex, with their dots.
fn below(labels: &[&str]) -> String {
    labels.iter().map(|label| format!("{label}.")).collect()
}

/// A zone that all peers load: one kind of data at a name, nothing below a DNAME, no cut or DNAME at a
/// wildcard.
fn random_zone(number: u32, chance: &mut Chance) -> (String, String) {
    let apex = format!("z{number}.random.");
    let all = names(DEPTH);
    let mut kinds: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for _ in 0..2 + chance.below(10) {
        let owner = all[1 + chance.below(all.len() - 1)].clone();
        let kind = chance.below(6);
        let is_wildcard = owner[0] == "*";
        kinds.insert(owner, if is_wildcard && kind >= 4 { 0 } else { kind });
    }
    let dnames: Vec<Vec<&str>> =
        kinds.iter().filter(|(_, kind)| **kind == 5).map(|(owner, _)| owner.clone()).collect();
    kinds.retain(|owner, _| !dnames.iter().any(|above| owner.len() > above.len() && owner.ends_with(above)));

    let soa = "ns.invalid. hostmaster.invalid. 7 3600 600 604800 300";
    let mut text = format!("$ORIGIN {apex}\n$TTL 3600\n@ SOA {soa}\n@ NS ns.invalid.\n");
    for (owner, kind) in &kinds {
        let owner = owner.join(".");
        let mut target = || match chance.below(6) {
            0 => "out.invalid.".to_owned(),
            _ => format!("{}{apex}", below(&all[chance.below(all.len())])),
        };
        let records = match kind {
            0 => format!("{owner} A 192.0.2.1\n"),
            1 => format!("{owner} TXT \"{owner}\"\n"),
            2 => format!("{owner} A 192.0.2.2\n{owner} TXT \"both\"\n"),
            3 => format!("{owner} CNAME {}\n", target()),
            4 => format!("{owner} NS ns.invalid.\n{owner} DS 1 8 1 {}\n", "ab".repeat(20)),
            _ => format!("{owner} DNAME {}\n", target()),
        };
        text.push_str(&records);
    }
    (apex, text)
}
