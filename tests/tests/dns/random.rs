//! Zones that nobody thought of, as `make differential` makes and asks them, fewer of them. The seed is fixed: a
//! failure comes again.

use port53_tests::differential::{Round, Served, Tally};
use port53_tests::generate::{Chance, Made, questions, zones};
use port53_tests::peer::Program;

const SEED: u64 = 53;
const ZONES: usize = 60;
const QUESTIONS: usize = 100;

#[test]
fn every_difference_from_the_peers_is_explained() {
    let mut chance = Chance::seeded(SEED);
    let made: Vec<Made> = zones("random", ZONES, &mut chance);
    let served: Vec<Served> = made.iter().map(Served::from).collect();
    let mut round = Round::start(env!("CARGO_BIN_EXE_port53-tested"), &Program::ALL, &served);
    let mut tally = Tally::default();
    for (number, zone) in made.iter().enumerate() {
        round.ask(number, &questions(zone, QUESTIONS, &mut chance), &mut tally);
    }
    let findings: Vec<String> = tally.findings().iter().take(10).map(ToString::to_string).collect();
    assert!(findings.is_empty(), "seed {SEED}: {tally}\n{}", findings.join("\n"));
}
