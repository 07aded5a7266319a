//! How fast queries over UDP are answered, and for what: Port53, the peers, and an echo server with the same
//! system calls as ours, which is the limit.
//!
//! ```text
//! core 0: one server at a time, one thread        core 1: dnsperf
//! ```
//!
//! In rounds, each server once a round and set of zones, so that what else happens on the machine falls on all of
//! them. A server is started, is timed until it answers for all of its zones, is measured in memory, and is asked
//! twice: as fast as answers come (queries a second), and at one rate, the same for all (processor time for a
//! query). Processor time and memory are those of the whole process group of the server.
//!
//! | file | what it does |
//! |---|---|
//! | `inputs` | the sets of zones, and what is asked |
//! | `servers` | how each server is started |
//! | `report` | the table and the JSON |
//! | `echo` | the echo server |

mod echo;
mod inputs;
mod report;
mod servers;

use clap::{Parser, Subcommand};
use inputs::{Input, Which};
use port53_tests::{dnsperf, usage};
use report::{Measured, Run};
use servers::{Running, Server};
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The echo server alone: sends each query back as a response, made as long as told.
    Echo {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        octets: usize,
    },
}

#[derive(Debug, Parser)]
struct RunArguments {
    /// Rounds over all servers and sets.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each of the two measurements of a server.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Queries a second at which processor time is measured.
    #[arg(long, default_value_t = 40_000)]
    rate: u64,
    /// RRsets in the generated zone.
    #[arg(long, default_value_t = 145_000)]
    rrsets: usize,
    /// Sets of zones, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = Which::ALL)]
    sets: Vec<Which>,
    /// Servers, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = Server::ALL)]
    servers: Vec<Server>,
    /// The real zones and the root zone, a directory of master files.
    #[arg(long, default_value = "../shared/data/zones")]
    zones: PathBuf,
    /// The commit that is measured, for the report.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Where `answers.md` and `answers.json` are written.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Echo { listen, octets }) => Ok(echo::run(listen, octets)?),
        None => run(&arguments.run),
    }
}

fn run(arguments: &RunArguments) -> Result<()> {
    let mut runs = Vec::new();
    let begun = Instant::now();
    for &which in &arguments.sets {
        match inputs::make(which, arguments.rrsets, &arguments.zones)? {
            Some(input) => runs.push(Run { input, measured: Vec::new() }),
            None => println!("skipped: {which}, which is not in {}", arguments.zones.display()),
        }
    }
    let each = 2 * Duration::from_secs(arguments.seconds) + Duration::from_secs(4);
    let count = arguments.rounds * arguments.servers.len() * runs.len();
    println!("{count} measurements, about {} minutes", (each * count as u32).as_secs().div_ceil(60));
    for round in 1..=arguments.rounds {
        for run in &mut runs {
            // The first of all is ours, whose answers say how long those of the echo server are.
            let mut octets = run.answer_octets();
            for &server in &arguments.servers {
                let measured = measure(server, &run.input, arguments, octets.unwrap_or(64))?;
                println!("round {round}, {}: {measured}", run.input.which);
                if server == Server::Ours {
                    octets = Some(measured.closed.answer_octets);
                }
                run.measured.push(measured);
            }
        }
        // After each round, so that an interruption leaves what was measured.
        fs::create_dir_all(&arguments.results)?;
        let report = report::Report { arguments, runs: &runs, took: begun.elapsed() };
        fs::write(arguments.results.join("answers.md"), report.markdown())?;
        fs::write(arguments.results.join("answers.json"), report.json())?;
    }
    println!("written to {}", arguments.results.display());
    Ok(())
}

/// Starts a server, asks it twice, ends it.
fn measure(server: Server, input: &Input, arguments: &RunArguments, octets: usize) -> Result<Measured> {
    let Running { process, address, loaded_in, _dir } = servers::start(server, input, octets)?;
    let at_start = usage::of_group(process.pid())?;
    let mut measured = [None, Some(arguments.rate)].into_iter().map(|rate| {
        let before = usage::of_group(process.pid())?;
        let asked = dnsperf::run(&input.queries, address, arguments.seconds, rate)?;
        let after = usage::of_group(process.pid())?;
        Ok::<_, Box<dyn Error>>((asked, after.since(&before)))
    });
    let (closed, closed_cpu) = measured.next().ok_or("one of two")??;
    let (paced, paced_cpu) = measured.next().ok_or("two of two")??;
    let at_end = usage::of_group(process.pid())?;
    Ok(Measured { server, loaded_in, at_start, at_end, closed, closed_cpu, paced, paced_cpu })
}
