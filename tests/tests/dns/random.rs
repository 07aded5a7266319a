//! Zones that nobody thought of, made by chance and aimed at the corners: the beginning of what `make differential`
//! asks. What differs from what NSD, Knot, BIND or PowerDNS say must be explained by an exemption. The seed is fixed: a
//! failure comes again.

use port53_tests::differential::{Round, Served, Tally};
use port53_tests::generate::{Chance, Known, questions, zones};
use port53_tests::peer::Program;

const SEED: u64 = 53;
const ZONES: usize = 40;
const QUESTIONS: usize = 150;

#[test]
fn every_difference_from_the_peers_is_explained() {
    let mut chance = Chance::seeded(SEED);
    let made = zones("t", ZONES, &mut chance);
    let served: Vec<Served> = made.iter().map(Served::from).collect();
    let mut round = Round::start(env!("CARGO_BIN_EXE_port53-tested"), &Program::ALL, &served);
    let mut tally = Tally::default();
    for (i, zone) in made.iter().enumerate() {
        round.ask(i, &questions(&Known::from(zone), QUESTIONS, &mut chance), &mut tally);
    }
    let findings: Vec<String> =
        tally.findings().iter().take(10).map(|finding| format!("{finding}\n{}", finding.zone.text)).collect();
    assert!(findings.is_empty(), "{tally}\n{}", findings.join("\n"));
    // Of four peers, few leave out a zone.
    let least = tally.questions * 3;
    assert!(tally.questions > 3_000 && tally.answers > least, "too little was compared: {tally}");
}
