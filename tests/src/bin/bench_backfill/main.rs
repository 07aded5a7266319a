//! How fast zones are brought over from a legacy server, and what that costs everybody else: `make bench-backfill`.
//!
//! ```text
//! BIND ──AXFR──▶ operator ──apply──▶ kube-apiserver ──▶ ns1, ns2
//!                                        ▲                 ▲
//!        five single changes a second ───┘                 └── until both answer
//! ```
//!
//! A cluster of its own with etcd on the disk. First single changes while nothing else happens; then ZoneMigrations of all
//! zones at once, with the same changes going on beside them. After that, in another cluster, without an operator, the very
//! same DNSRecords are written by a client like the operator's and as many at once as the operator has: what an API server
//! takes at best.
//!
//! | file | what it does |
//! |---|---|
//! | `zones` | the zones at legacy, and their DNSRecords |
//! | `progress` | how far the migrations are |
//! | `changes` | single changes, and how long each takes |
//! | `bare` | the same objects without an operator |
//! | `report` | what is printed |

mod bare;
mod changes;
mod progress;
mod report;
mod zones;

use clap::Parser;
use port53_tests::cluster::{self, User};
use port53_tests::legacy::Legacy;
use port53_tests::machine::{self, Running};
use port53_tests::migration;
use port53_tests::peer::Program;
use port53_tests::platform::{Platform, Programs, Settings};
use report::{Backfill, Memory, Report};
use std::error::Error;
use std::time::{Duration, Instant};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Where the zones move to.
const NAMESPACE: &str = "moving";

#[derive(Debug, Parser)]
struct Arguments {
    /// Zones at the legacy server.
    #[arg(long, default_value_t = 100)]
    zones: usize,
    /// RRsets of each, beside NS at the apex.
    #[arg(long, default_value_t = 1_000)]
    records: usize,
    /// Single changes a second.
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Single changes before the backfill.
    #[arg(long, default_value_t = 150)]
    before: usize,
    /// Longest time without progress, in seconds.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// The commit that is measured, for the head of what is printed.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// A file for what the operator logged.
    #[arg(long)]
    log: Option<std::path::PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let zones = zones::all(arguments.zones, arguments.records);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let machine = machine::describe(&arguments.commit);
    let backfill = runtime.block_on(backfill(&arguments, &zones))?;
    eprintln!("the same objects without an operator");
    let bare = runtime.block_on(bare::measure(&zones))?;
    let records = arguments.zones * arguments.records;
    print!("{}", Report { machine, zones: zones.len(), records, rate: arguments.rate, backfill, bare });
    Ok(())
}

/// Brings all zones over.
async fn backfill(arguments: &Arguments, zones: &[zones::Moving]) -> Result<Backfill> {
    let files: Vec<_> = zones.iter().map(zones::Moving::file).collect();
    let legacy = Legacy::start(Program::Bind, &files);
    let platform = Platform::start(
        Programs::beside()?,
        Settings {
            operator: vec!["--migrations".to_owned()],
            // As they are unless a person says otherwise.
            resolver: vec!["--cache-interval=1s".to_owned()],
            cluster: cluster::Settings { durable: true, ..cluster::Settings::default() },
            ..Settings::default()
        },
    );
    platform.cluster.ensure_namespace(NAMESPACE);
    platform.apply(&migration::key(NAMESPACE));
    let client = platform.cluster.client_without_delay(&User::admin()).await?;
    let resolvers = platform.resolvers.iter().map(|resolver| resolver.address()).collect::<Vec<_>>();
    let single = changes::Changes::new(client.clone(), &platform, resolvers);
    let quiet = single.some(arguments.before, arguments.rate).await?;
    let memory_before = Memory::of(&Running::all()?);

    let refused_before = progress::refused_requests(&platform)?;
    let objects = zones.iter().map(|zone| {
        migration::zone(NAMESPACE, &zone.name, &format!("domain: {}", zone.domain))
            + &migration::migration(NAMESPACE, &zone.name, legacy.address(), "backfill: {from: Transfer}")
    });
    let objects: String = objects.collect();
    let going = single.begin(arguments.rate);
    let begun = Instant::now();
    platform.apply(&objects);
    let patience = Duration::from_secs(arguments.patience);
    eprintln!("{:6.1} s: applied", begun.elapsed().as_secs_f64());
    let reached = progress::follow(&client, begun, zones.len(), patience).await;
    let output = platform.operator_output();
    if let Some(file) = &arguments.log {
        std::fs::write(file, &output)?;
    }
    let reached = reached?;
    let answered = progress::until_answered(&platform, zones, begun, patience).await?;
    let beside = going.end().await?;
    let refused = progress::refused_requests(&platform)?.saturating_sub(refused_before);
    Ok(Backfill {
        reached,
        answered,
        refused_requests: refused,
        not_written: output.matches("a record is not written yet").count(),
        complaints: progress::complaints(&output),
        memory_before,
        memory: Memory::of(&Running::all()?),
        quiet,
        beside,
    })
}
