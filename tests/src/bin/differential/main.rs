//! Port53 beside NSD, Knot, BIND and PowerDNS: the same generated zones in all of them, the same
//! questions, and every difference explained by a named exemption or reported.
//!
//! The seed says everything, and is printed; round N of a seed can be run alone by `--first N --rounds 1`.

use clap::Parser;
use port53_tests::differential::{Round, Served, Tally};
use port53_tests::generate::{Chance, Made, questions, zones};
use port53_tests::peer::Program;
use std::process::ExitCode;

/// What is tried.
#[derive(Debug, Parser)]
struct Arguments {
    /// What the zones and questions are made from
    #[arg(long, default_value_t = 53)]
    seed: u64,
    /// How many rounds; each starts all servers anew
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// The first round
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Zones a round
    #[arg(long, default_value_t = 50)]
    zones: usize,
    /// Questions a zone
    #[arg(long, default_value_t = 200)]
    questions: usize,
    /// Unexplained differences that are shown
    #[arg(long, default_value_t = 20)]
    show: usize,
    /// Show the zone with each of them
    #[arg(long)]
    text: bool,
    /// Only these peers
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ours = std::env::current_exe().expect("a path").with_file_name("port53-tested");
    let ours = ours.to_str().expect("a path in UTF-8");
    let is_wanted = |program: &Program| {
        arguments.peers.is_empty()
            || arguments.peers.iter().any(|name| name.eq_ignore_ascii_case(&program.to_string()))
    };
    let programs: Vec<Program> = Program::ALL.into_iter().filter(is_wanted).collect();
    println!("seed {}", arguments.seed);
    let mut tally = Tally::default();
    let mut shown = 0;
    for number in arguments.first..arguments.first + arguments.rounds {
        let mut chance = Chance::seeded(arguments.seed.wrapping_mul(1_000_003).wrapping_add(number));
        let made: Vec<Made> = zones(&format!("r{number}"), arguments.zones, &mut chance);
        let served: Vec<Served> = made.iter().map(Served::from).collect();
        let mut round = Round::start(ours, &programs, &served);
        for (i, zone) in made.iter().enumerate() {
            round.ask(i, &questions(zone, arguments.questions, &mut chance), &mut tally);
        }
        for finding in &tally.findings()[shown..] {
            if shown < arguments.show {
                println!("{finding}\n");
                if arguments.text {
                    println!("{}", finding.zone.text);
                }
            }
            shown += 1;
        }
        println!("round {number}: {}", tally.progress());
    }
    print!("{tally}");
    if tally.wrong > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
