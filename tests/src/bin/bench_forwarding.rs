//! What an answer costs that is forwarded to a legacy DNS, with what legacy says compared to our own answer and without,
//! beside one that is answered from here: `make bench-forwarding`.
//!
//! ```text
//! core 0: port53-resolver        core 1: dnsperf, and the legacy server
//! ```
//!
//! Each is asked twice: as fast as answers come, and at one rate, at which processor time is told. The legacy server is asked
//! alone too: what it takes is in every forwarded answer.

use clap::Parser;
use port53_crds::Otherwise;
use port53_store::Forwarding;
use port53_tests::dnsperf::{self, Asked, CORE, CORE_OF_SERVER};
use port53_tests::legacy::Legacy;
use port53_tests::peer::Program;
use port53_tests::platform::beside;
use port53_tests::read::read;
use port53_tests::resolver::Resolver;
use port53_tests::{Zone, disk_cache, machine, usage};
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::name;
use std::error::Error;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const APEX: &str = "moving.example.";

#[derive(Debug, Parser)]
struct Arguments {
    /// Seconds of each of the two measurements.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Queries a second at which processor time is measured.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// Names that are asked for.
    #[arg(long, default_value_t = 10_000)]
    names: usize,
    /// The commit, for the head of the table.
    #[arg(long, default_value = "unknown")]
    commit: String,
}

/// Who answers.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Legacy, asked by the clients themselves.
    Legacy,
    /// Port53, and the zone does not move.
    Here,
    /// Port53, and the zone moves: this nameserver is cut over.
    CutOver,
    /// Port53 says what legacy says.
    Forwarded,
    /// The same, and compares that with its own answer.
    Compared,
}

impl Way {
    const ALL: [Way; 5] = [Way::Legacy, Way::Here, Way::CutOver, Way::Forwarded, Way::Compared];

    fn text(self) -> &'static str {
        match self {
            Way::Legacy => "legacy alone (Knot, which shares its core with dnsperf)",
            Way::Here => "answered from here, the zone does not move",
            Way::CutOver => "answered from here, the nameserver is cut over",
            Way::Forwarded => "forwarded, `compare: false`",
            Way::Compared => "forwarded, `compare: true`",
        }
    }

    fn forwarding(self, legacy: SocketAddr) -> Option<Forwarding> {
        let to = Forwarding { otherwise: Otherwise::Port53, compare: false, ..Forwarding::to(legacy) };
        match self {
            Way::Legacy | Way::Here => None,
            Way::CutOver => Some(Forwarding { cut_over: vec!["ns1".to_owned()], ..to }),
            Way::Forwarded => Some(to),
            Way::Compared => Some(Forwarding { compare: true, ..to }),
        }
    }
}

/// What a way came to.
struct Measured {
    closed: Asked,
    paced: Asked,
    /// Processor time for an answer of the paced measurement.
    cpu: Duration,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let text = text(arguments.names);
    let legacy = Legacy::start(Program::Knot, &[Zone { apex: APEX, text: &text }]);
    pin(legacy.process().ok_or("it runs")?.pid(), CORE)?;
    let dir = TempDir::new()?;
    let queries = dir.path().join("queries");
    std::fs::write(&queries, (0..arguments.names).map(|n| format!("h{n}.{APEX} A\n")).collect::<String>())?;
    println!("{}\n", machine::describe(&arguments.commit));
    println!(
        "| | answers a second, at most | ms to an answer then | at {} a second: µs to an answer | longest, ms | µs of processor time | lost |\n\
         |---|---|---|---|---|---|---|",
        arguments.rate
    );
    for way in Way::ALL {
        let Measured { closed, paced, cpu } = measure(way, &arguments, &text, &legacy, &queries)?;
        let lost = closed.sent - closed.answered + paced.sent - paced.answered;
        println!(
            "| {} | {:.0} | {:.2} | {:.0} | {:.1} | {:.1} | {lost} |",
            way.text(),
            closed.qps,
            closed.latency_us / 1e3,
            paced.latency_us,
            paced.latency_max_us / 1e3,
            cpu.as_secs_f64() * 1e6,
        );
    }
    Ok(())
}

fn measure(way: Way, arguments: &Arguments, text: &str, legacy: &Legacy, queries: &Path) -> Result<Measured> {
    let resolver = resolver(text, way.forwarding(legacy.address()).as_ref())?;
    pin(resolver.pid(), CORE_OF_SERVER)?;
    let (address, pid) = match way {
        Way::Legacy => (legacy.address(), legacy.process().ok_or("it runs")?.pid()),
        _ => (resolver.address(), resolver.pid()),
    };
    // What is made at the first question is made.
    dnsperf::run(queries, address, 1, Some(arguments.rate))?;
    let closed = dnsperf::run(queries, address, arguments.seconds, None)?;
    let before = usage::of_group(pid)?;
    let paced = dnsperf::run(queries, address, arguments.seconds, Some(arguments.rate))?;
    let used = usage::of_group(pid)?.since(&before);
    let cpu = (used.user + used.system) / u32::try_from(paced.answered.max(1))?;
    Ok(Measured { closed, paced, cpu })
}

fn text(names: usize) -> String {
    let mut text = format!(
        "$ORIGIN {APEX}\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\n@ NS ns2\n\
         ns1 A 192.0.2.53\nns2 A 192.0.2.54\n"
    );
    for number in 0..names {
        let [high, low] = (number as u16).to_be_bytes();
        let _ = writeln!(text, "h{number} A 10.0.{high}.{low}");
    }
    text
}

/// A resolver of nameserver ns1 with the zone, from its disk cache.
fn resolver(text: &str, forwarding: Option<&Forwarding>) -> Result<Resolver> {
    let (soa, rrsets) = read("zone", text.as_bytes(), APEX, None).rrsets();
    let apex = name::parse_absolute(APEX)?;
    let content = Content::build(apex, [53; 16], rrsets.into_iter().map(|rrset| (rrset, None)))?;
    let dir = TempDir::new()?;
    let cache = dir.path().join("cache");
    std::fs::create_dir(&cache)?;
    disk_cache::write_with(&cache, [Image::new(content, soa)], forwarding)?;
    Ok(Resolver::start_from_disk(&beside("port53-resolver-tested")?, dir, &["--nameserver=ns1"]))
}

/// Keeps all threads of a process on one core.
fn pin(pid: u32, core: &str) -> Result<()> {
    let done = Command::new("taskset").args(["-a", "-p", "-c", core, &pid.to_string()]).output()?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into()) }
}
