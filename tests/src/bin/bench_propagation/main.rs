//! How long a change takes from the request to the API server until the last resolver answers it.
//!
//! ```text
//! changes ──apply, delete──▶ kube-apiserver ──▶ operator ──▶ ZoneHead ──▶ ns1, ns2
//!    │ sent, answered            │ watch of statuses   │ log             ▲
//!    └────────────────────▶ one clock, one table ◀─────┴──── poller ─────┘
//! ```
//!
//! A cluster of its own with etcd on the disk, the operator and two resolvers with theirs. Changes come in an open
//! loop: each at its time, however long those before take, with exponential pauses. A poller asks every resolver
//! for the record that changes, every millisecond, from before the request is sent. What the operator does in
//! between is in its log.
//!
//! | file | what it does |
//! |---|---|
//! | `objects` | Zones and DNSRecords: what there is, and what changes |
//! | `changes` | when they change, and the requests |
//! | `poller` | asks the resolvers |
//! | `statuses` | follows the statuses |
//! | `log` | what the operator said of publications and plans |
//! | `parts` | the times of each change, and between what |
//! | `usage` | what the processes used of the machine |
//! | `tables` | what is printed |

mod changes;
mod log;
mod objects;
mod parts;
mod poller;
mod statuses;
mod tables;
mod usage;

use clap::Parser;
use objects::Objects;
use port53_tests::cluster::{self, User};
use port53_tests::machine;
use port53_tests::platform::{Platform, Programs, Settings};
use std::error::Error;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970, as all times here are: the log of the operator has no other.
type Moment = i64;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is measured.
#[derive(Debug, Parser)]
struct Arguments {
    /// Records in the cluster.
    #[arg(long, default_value_t = 10_000)]
    records: usize,
    /// Zones that they are in.
    #[arg(long, default_value_t = 20)]
    zones: usize,
    /// Changes at each rate; or one number for each, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [2_000])]
    changes: Vec<usize>,
    /// Changes a second, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1.0, 10.0])]
    rates: Vec<f64>,
    /// Which changes, and when: the same number gives the same.
    #[arg(long, default_value_t = 53)]
    seed: u64,
    /// The commit that is measured, for the head of what is printed.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// A file for what the operator logged.
    #[arg(long)]
    log: Option<std::path::PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.changes.len() != 1 && arguments.changes.len() != arguments.rates.len() {
        return Err("give one number of changes, or one for each rate".into());
    }
    let platform = Platform::start(
        Programs::beside()?,
        Settings {
            // As they are unless a person says otherwise.
            resolver: vec!["--cache-interval=1s".to_owned()],
            cluster: cluster::Settings { durable: true, ..cluster::Settings::default() },
            ..Settings::default()
        },
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(run(&arguments, &platform))
}

async fn run(arguments: &Arguments, platform: &Platform) -> Result<(), Box<dyn Error>> {
    let client = platform.cluster.client_without_delay(&User::admin()).await?;
    platform.cluster.ensure_namespace(objects::NAMESPACE);
    let statuses = statuses::follow(client.clone());
    let mut objects = Objects::new(arguments.zones, arguments.seed);
    let begun = Instant::now();
    let count = changes::fill(&client, &mut objects, arguments.records).await?;
    let written = begun.elapsed();
    statuses.wait_for(count).await?;
    println!("{}", machine::describe(&arguments.commit));
    println!(
        "{} records in {} zones were applied in {:.1} s, 64 at once, and all Ready after {:.1} s.\n",
        arguments.records,
        arguments.zones,
        written.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    let resolvers: Vec<_> = platform.resolvers.iter().map(|resolver| resolver.address()).collect();
    for (number, &rate) in arguments.rates.iter().enumerate() {
        let count = arguments.changes.get(number).or(arguments.changes.first()).copied().unwrap_or_default();
        eprintln!("{count} changes at {rate} a second");
        let before = usage::Usage::now()?;
        let begun = now();
        let poller = poller::start(&resolvers)?;
        let done = changes::run(&client, &mut objects, &poller, count, rate).await?;
        let polled = poller.end()?;
        statuses.settle(&done).await;
        let usage = usage::Usage::now()?.since(&before);
        let output = platform.operator_output();
        let heard = log::read(&output, begun);
        let times = parts::of(&done, &polled, &heard, &statuses);
        println!("{}", tables::rate(rate, &times, &heard));
        println!("{}", tables::processes(&usage, polled.cpu));
        if let Some(file) = &arguments.log {
            std::fs::write(file, output)?;
        }
    }
    Ok(())
}

fn now() -> Moment {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as Moment
}
