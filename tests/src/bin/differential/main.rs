//! Port53 beside NSD, Knot, BIND and PowerDNS: the same zones in all of them, real ones first and then generated ones,
//! the same questions, and every difference explained by a named exemption or reported.
//!
//! The seed says everything, and is printed; round N of a seed can be run alone by `--first N --rounds 1`.

use clap::Parser;
use port53_tests::differential::{Real, Round, Served, Tally, real_zones};
use port53_tests::generate::{Chance, Known, Made, questions, zones};
use port53_tests::peer::Program;
use std::path::PathBuf;
use std::process::ExitCode;

/// Questions for each RRset of a real zone; a small one is asked as many as a generated one.
const QUESTIONS_A_SET: usize = 16;

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
    /// A directory of real zones: NAME.zone, NAME.zone.gz
    #[arg(long)]
    real: Option<PathBuf>,
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
    let mut run = Run { arguments: &arguments, ours, programs, tally: Tally::default(), shown: 0 };
    if let Some(directory) = &arguments.real {
        let sets = real_zones(directory).unwrap_or_else(|error| panic!("real zones: {error}"));
        let mut chance = Chance::seeded(arguments.seed);
        for zones in sets {
            let (served, known): (Vec<Served>, Vec<Known>) =
                zones.into_iter().map(|Real { served, known }| (served, known)).unzip();
            run.round("real zones", &served, &known, QUESTIONS_A_SET, &mut chance);
        }
    }
    for number in arguments.first..arguments.first + arguments.rounds {
        let mut chance = Chance::seeded(arguments.seed.wrapping_mul(1_000_003).wrapping_add(number));
        let made: Vec<Made> = zones(&format!("r{number}"), arguments.zones, &mut chance);
        let served: Vec<Served> = made.iter().map(Served::from).collect();
        let known: Vec<Known> = made.iter().map(Known::from).collect();
        run.round(&format!("round {number}"), &served, &known, 0, &mut chance);
    }
    print!("{}", run.tally);
    if run.tally.wrong > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

struct Run<'a> {
    arguments: &'a Arguments,
    ours: &'a str,
    programs: Vec<Program>,
    tally: Tally,
    shown: usize,
}

impl Run<'_> {
    /// Starts all servers with these zones, and asks.
    fn round(&mut self, what: &str, served: &[Served], known: &[Known], a_set: usize, chance: &mut Chance) {
        let mut round = Round::start(self.ours, &self.programs, served);
        for (i, zone) in known.iter().enumerate() {
            let most = self.arguments.questions.max(a_set * zone.count());
            round.ask(i, &questions(zone, most, chance), &mut self.tally);
        }
        for finding in &self.tally.findings()[self.shown..] {
            if self.shown < self.arguments.show {
                println!("{finding}\n");
                if self.arguments.text {
                    println!("{}", finding.zone.text);
                }
            }
            self.shown += 1;
        }
        println!("{what}: {}", self.tally.progress());
    }
}
