//! What an image costs, without sockets: octets for an RRset, processor time of one change taken into service, and
//! of one answer, for a zone of several sizes with one address a name.
//!
//! A change goes the way of a resolver that follows: the journal is decoded, applied, its digest compared with the
//! one that came with it, the image made, put into service, and the old one freed. An answer goes from the octets
//! of a question to those of its response, in questions of 70 % names that exist and 30 % that do not, all of them
//! at random, so that what is touched is not in a cache; as many together as a UDP thread takes under load. The sizes are measured in turn, in rounds.

use clap::Parser;
use port53_cli::report;
use port53_resolver::source::Publisher;
use port53_tests::generate::Random;
use port53_tests::machine;
use port53_tests::soa;
use port53_zone::answer::{self, Asked, Transport, respond};
use port53_zone::content::{Change, Content, journal};
use port53_zone::image::Image;
use port53_zone::{Name, RRset, Rtype, name, rdata};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

/// Questions that a UDP thread takes together under load.
const MESSAGES: usize = 32;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Debug, Parser)]
struct Arguments {
    /// RRsets, separated by commas; the last is compared with the first.
    #[arg(long, value_delimiter = ',', default_values_t = [145_000, 1_000_000])]
    rrsets: Vec<usize>,
    /// Rounds over all sizes.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Changes a round.
    #[arg(long, default_value_t = 200)]
    changes: usize,
    /// Answers a round.
    #[arg(long, default_value_t = 1_000_000)]
    answers: usize,
    /// The commit that is measured, for the report.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Where `image.md` and `image.json` are written.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

/// A zone of one size, in service.
struct Sized {
    rrsets: usize,
    publisher: Publisher,
    apex: Name,
    octets_each: f64,
    built_in: Duration,
    changes: Vec<Duration>,
    answers: Vec<f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut random = Random(53);
    let mut zones =
        arguments.rrsets.iter().map(|&rrsets| Sized::new(rrsets)).collect::<Result<Vec<Sized>>>()?;
    for round in 1..=arguments.rounds {
        for zone in &mut zones {
            let each = zone.answer(arguments.answers, &mut random)?;
            zone.answers.push(each);
            for _ in 0..arguments.changes {
                let change = zone.change(&mut random)?;
                zone.changes.push(change);
            }
            println!("round {round}, {} RRsets: {each:.1} ns an answer", zone.rrsets);
        }
    }
    for zone in &mut zones {
        zone.changes.sort();
        zone.answers.sort_by(f64::total_cmp);
    }
    fs::create_dir_all(&arguments.results)?;
    fs::write(arguments.results.join("image.md"), markdown(&arguments, &zones)?)?;
    let json =
        json!({ "commit": arguments.commit, "sizes": zones.iter().map(Sized::json).collect::<Vec<_>>() });
    fs::write(arguments.results.join("image.json"), format!("{json:#}\n"))?;
    print!("{}", markdown(&arguments, &zones)?);
    Ok(())
}

impl Sized {
    fn new(rrsets: usize) -> Result<Self> {
        let apex = name_of("bench.test.")?;
        let begun = cpu_time();
        let content = (0..rrsets).map(|number| Ok((host(number, number as u32)?, None)));
        let content = Content::build(apex.clone(), [53; 16], content.collect::<Result<Vec<_>>>()?)?;
        let image = Image::new(content, soa(&apex, 1));
        let built_in = cpu_time() - begun;
        let octets_each = image.memory_octets() as f64 / rrsets as f64;
        let publisher = Publisher::new();
        publisher.put(image)?;
        Ok(Sized { rrsets, publisher, apex, octets_each, built_in, changes: Vec::new(), answers: Vec::new() })
    }

    /// Takes one change into service. The time is from the octets of the journal to the freed old version.
    fn change(&self, random: &mut Random) -> Result<Duration> {
        let rrset = host(random.below(self.rrsets), random.below(1 << 24) as u32)?;
        let served = self.publisher.view(&self.apex).and_then(|view| view.image).ok_or("not in service")?;
        let changes = [Change::Put { rrset, owner: None }];
        // What the operator would send: the journal, and the digest of the content that it makes.
        let journal = journal::encode(&self.apex, &changes);
        let digest = served.content().apply(&changes)?.content.digest();
        let soa = soa(&self.apex, served.soa().serial.wrapping_add(1));

        let begun = cpu_time();
        let applied = served.content().apply(&journal::decode(&self.apex, &journal)?)?;
        if applied.content.digest() != digest {
            return Err("another digest".into());
        }
        self.publisher.put(served.with(applied, soa))?;
        drop(served);
        Ok(cpu_time() - begun)
    }

    /// Nanoseconds an answer.
    fn answer(&self, count: usize, random: &mut Random) -> Result<f64> {
        let zones = self.publisher.zones();
        let settings = answer::Settings::default();
        let asked = Asked::new(Transport::Udp, std::net::Ipv4Addr::LOCALHOST.into(), 1_795_536_000_000);
        let queries = (0..count)
            .map(|at| {
                let number = random.below(self.rrsets);
                let prefix = if at % 10 < 7 { "host" } else { "none" };
                query(&format!("{prefix}-{number}.bench.test."))
            })
            .collect::<Result<Vec<Vec<u8>>>>()?;
        let mut out = [0; 1232];
        let mut answered = 0;
        let begun = cpu_time();
        let zones = zones.load();
        for batch in queries.chunks(MESSAGES) {
            if zones.has_large() {
                answer::warm(&zones, batch.iter().map(Vec::as_slice));
            }
            for query in batch {
                answered +=
                    usize::from(black_box(respond(&zones, &settings, &asked, query, &mut out)).is_some());
            }
        }
        let took = cpu_time() - begun;
        if answered != count {
            return Err("a question without an answer".into());
        }
        Ok(took.as_secs_f64() * 1e9 / count as f64)
    }

    fn median_change_us(&self) -> f64 {
        self.changes[self.changes.len() / 2].as_secs_f64() * 1e6
    }

    fn p99_change_us(&self) -> f64 {
        self.changes[self.changes.len() * 99 / 100].as_secs_f64() * 1e6
    }

    fn median_answer_ns(&self) -> f64 {
        self.answers[self.answers.len() / 2]
    }

    fn json(&self) -> Value {
        json!({
            "rrsets": self.rrsets,
            "image_octets_per_rrset": self.octets_each,
            "build_ms": self.built_in.as_secs_f64() * 1e3,
            "change_us_median": self.median_change_us(),
            "change_us_p99": self.p99_change_us(),
            "answer_ns": self.answers,
        })
    }
}

fn markdown(arguments: &Arguments, zones: &[Sized]) -> Result<String> {
    let head =
        ["RRSETS", "OCTETS A RRSET", "BUILD MS", "CHANGE US", "CHANGE P99 US", "ANSWER NS", "LEAST NS"];
    let rows: Vec<Vec<String>> = zones
        .iter()
        .map(|zone| {
            vec![
                zone.rrsets.to_string(),
                format!("{:.1}", zone.octets_each),
                format!("{:.0}", zone.built_in.as_secs_f64() * 1e3),
                format!("{:.0}", zone.median_change_us()),
                format!("{:.0}", zone.p99_change_us()),
                format!("{:.0}", zone.median_answer_ns()),
                format!("{:.0}", zone.answers[0]),
            ]
        })
        .collect();
    let (first, last) = (zones.first().ok_or("no size")?, zones.last().ok_or("no size")?);
    let mut text = String::new();
    writeln!(
        text,
        "# What an image costs\n\n`make bench-image`: one address a name; processor time of this thread; {} rounds of {} answers and {} changes,\n\
         medians. {}\n\n```text\n{}```\n",
        arguments.rounds,
        arguments.answers,
        arguments.changes,
        machine::describe(&arguments.commit),
        report::table(&head, &rows, report::Style::default())
    )?;
    let rise = last.median_answer_ns() / first.median_answer_ns();
    for (what, value, goal) in [
        ("octets of the image for an RRset", last.octets_each, 80.0),
        ("milliseconds of a change", last.median_change_us() / 1e3, 1.0),
        ("cost of an answer against that of the smallest zone", rise, 1.2),
    ] {
        let met = if value <= goal { "met" } else { "missed" };
        writeln!(text, "- {what}, {} RRsets: {value:.2}; the goal of at most {goal} is {met}.", last.rrsets)?;
    }
    Ok(text)
}

fn host(number: usize, address: u32) -> Result<RRset> {
    let value = rdata::parse_value(Rtype::A, &std::net::Ipv4Addr::from(address).to_string())
        .map_err(|error| format!("{error:?}"))?;
    Ok(RRset::new(name_of(&format!("host-{number}.bench.test."))?, Rtype::A, 300, [value]))
}

fn name_of(text: &str) -> Result<Name> {
    name::parse_absolute(text).map_err(|error| format!("{text}: {error:?}").into())
}

/// A question for an address with EDNS, after an octet with its length.
fn query(owner: &str) -> Result<Vec<u8>> {
    let mut message = vec![1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    message.extend_from_slice(name_of(owner)?.as_slice());
    message.extend_from_slice(&[0, 1, 0, 1]);
    message.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    Ok(message)
}

/// Processor time of this thread, which others on the machine do not lengthen.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
