//! Zones that move from a legacy server to Port53 while clients ask for them and both sides change: what `make migrate-demo`
//! shows, and a test of the same.
//!
//! ```text
//! changes ──nsupdate──▶ legacy ◀────AXFR, UPDATE────▶ operator ◀──── API server ◀──apply── changes
//!    │                    ▲ ▲                                           │                     │
//!    │   before shadow ───┘ └── forwarded ── ns1, ns2 ◀─────────────────┘                     │
//!    └──▶ history ◀── what is right ── clients ──▲  from shadow on ◀──────────────────────────┘
//! ```
//!
//! The clients never ask twice: what is not answered in two seconds is lost. An answer is right when it is what either side
//! had at some time between [`BOUND`] before the question and the answer; the history has every change with the times of
//! its request and of the answer to that. Both sides are the real programs.
//!
//! | room | what it does |
//! |---|---|
//! | [`zones`] | the zones that move |
//! | [`history`] | what each side had, and when |
//! | [`clients`] | ask, and judge what is answered |
//! | [`changes`] | change both sides |
//! | [`steps`] | what is done, one after the other |
//! | [`table`] | a row for each |

pub mod changes;
pub mod clients;
pub mod history;
pub mod steps;
pub mod table;
pub mod zones;

use crate::PATIENCE;
use crate::legacy::Legacy;
use crate::migration;
use crate::peer::Program;
use crate::platform::{Platform, Programs, Settings as PlatformSettings, condition};
use changes::{Changes, Sides};
use clients::Clients;
use history::History;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use table::Row;
use zones::Moving;

/// How long after a change what was there before may still be answered: legacy is asked for its serial each second, a
/// removal waits a second for a replacement, and the machine has other things to do.
pub const BOUND: Duration = Duration::from_secs(10);

/// How long a migration may say the same before nothing is expected of it any more, and the longest that a step may take.
const STILL: Duration = PATIENCE;
/// See there.
const LONGEST: Duration = Duration::from_secs(600);

/// Where the zones move to.
pub const NAMESPACE: &str = "moving";

/// How it is done.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The legacy server: BIND, Knot or PowerDNS.
    pub legacy: Program,
    /// The operator and the resolver.
    pub programs: Programs,
    /// `port53`.
    pub port53: PathBuf,
    /// A directory of master files.
    pub zones: PathBuf,
    /// Questions a second.
    pub questions: u32,
    /// Changes a second, on each side.
    pub changes: f64,
    /// Questions that a step sees at least.
    pub least: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Of each step.
    pub rows: Vec<Row>,
    /// What was lost or wrong, the first of it one by one.
    pub told: Vec<String>,
}

impl Outcome {
    /// Whether nothing was lost and nothing wrong.
    pub fn is_right(&self) -> bool {
        self.rows.iter().all(|row| row.lost == 0 && row.wrong == 0)
    }
}

/// What the steps work with.
pub struct Stage {
    /// See [`Settings`].
    pub settings: Settings,
    /// The cluster, the operator, and ns1 and ns2.
    pub platform: Platform,
    /// What is moved from.
    pub legacy: Arc<Legacy>,
    /// What moves.
    pub zones: Vec<Moving>,
    /// Who asks.
    pub clients: Clients,
    /// Who changes.
    pub changes: Changes,
    /// What may be answered.
    pub history: Arc<History>,
}

/// Does all steps. `tell` is given each row when its step is over, and what is worth knowing before the first.
///
/// # Panics
/// When a step cannot be done: with what was waited for, and what was there instead.
pub fn run(settings: Settings, tell: &mut dyn FnMut(Told<'_>)) -> Outcome {
    let (zones, left_out) = zones::of_directory(&settings.zones);
    left_out.iter().for_each(|why| tell(Told::Note(why)));
    let rrsets: usize = zones.iter().map(|zone| zone.rrsets.len()).sum();
    tell(Told::Note(&format!(
        "{} zones with {rrsets} RRsets from {}; {} questions a second, {} changes a second on each side",
        zones.len(),
        settings.legacy,
        settings.questions,
        settings.changes
    )));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let mut stage = Stage::set(settings, zones);
    let mut rows = Vec::new();
    for step in steps::ALL {
        let row = stage.play(step, tell);
        tell(Told::Row(&row));
        rows.push(row);
    }
    Outcome { rows, told: stage.clients.told() }
}

/// What is told while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// Something worth knowing.
    Note(&'a str),
    /// A step begins.
    Begins(&'a str),
    /// A step is over.
    Row(&'a Row),
}

impl Stage {
    fn set(settings: Settings, zones: Vec<Moving>) -> Self {
        let files: Vec<_> = zones.iter().map(Moving::file).collect();
        let legacy = Arc::new(Legacy::start(settings.legacy, &files));
        let platform = Platform::start(
            settings.programs.clone(),
            PlatformSettings {
                operator: vec!["--migrations".to_owned()],
                names_resolvers: true,
                ..PlatformSettings::default()
            },
        );
        platform.cluster.ensure_namespace(NAMESPACE);
        platform.apply(&migration::key(NAMESPACE));
        let history = Arc::new(History::of(&zones));
        let clients = Clients::begin(history.clone(), [legacy.address(); 2], settings.questions);
        let sides = Sides { client: platform.cluster.client(), legacy: legacy.clone() };
        let changes = Changes::begin(sides, &zones, history.clone(), settings.changes);
        Stage { settings, platform, legacy, zones, clients, changes, history }
    }

    fn play(&mut self, step: &steps::Step, tell: &mut dyn FnMut(Told<'_>)) -> Row {
        tell(Told::Begins(step.name));
        let begun = Instant::now();
        let note = (step.play)(self);
        self.clients.see(self.settings.least);
        let counted = self.clients.counted();
        Row {
            step: step.name,
            seconds: begun.elapsed().as_secs_f64(),
            sent: counted.sent,
            lost: counted.lost,
            wrong: counted.wrong,
            differences: self.differences(),
            note,
        }
    }

    /// Applies the migrations of all zones, with this in their specs.
    pub fn migrate(&self, spec: &str) {
        let objects = self.zones.iter().map(|zone| self.migration(zone, spec));
        self.platform.apply(&objects.collect::<String>());
    }

    /// The migration of one.
    pub fn migration(&self, zone: &Moving, spec: &str) -> String {
        // Nobody is there, so that none is asked beyond this host.
        let parent = "parent: {addresses: ['127.0.0.1:1'], poll: 1s}";
        let spec = format!("compare: {{poll: 1s}}, {parent}, backfill: {{from: Transfer}}, {spec}");
        migration::migration(NAMESPACE, &zone.name, self.legacy.address(), &spec)
    }

    /// Waits until each migration was seen with a condition, such as `InSync=True Equal`, for as long as something moves.
    ///
    /// # Panics
    /// With those that were not, when nothing moves any more.
    pub fn all_come_to(&self, expected: &str) {
        let (type_, state) = expected.split_once('=').expect("TYPE=STATUS REASON");
        let begun = Instant::now();
        let mut left: BTreeMap<String, (String, Instant)> =
            self.zones.iter().map(|zone| (zone.name.clone(), (String::new(), begun))).collect();
        while !left.is_empty() {
            for object in self.migrations() {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let (said, message) = condition(&object, type_);
                match left.get_mut(name) {
                    Some(_) if said == state => drop(left.remove(name)),
                    Some((before, since)) if *before != message => {
                        (*before, *since) = (message, Instant::now())
                    }
                    _ => {}
                }
            }
            let is_stuck = left.values().all(|(_, since)| since.elapsed() > STILL);
            assert!(
                left.is_empty() || !is_stuck && begun.elapsed() < LONGEST,
                "{type_}, not {state}: {left:?}; the operator printed:\n{}",
                self.platform.operator_output().lines().rev().take(40).collect::<Vec<_>>().join("\n")
            );
        }
    }

    /// All migrations.
    fn migrations(&self) -> Vec<Value> {
        let all = self.platform.kubectl(&format!("get zonemigrations -n {NAMESPACE} -o json"));
        let mut all: Value = serde_json::from_str(&all).expect("JSON");
        all["items"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The statuses of all migrations.
    pub fn statuses(&self) -> Vec<Value> {
        self.migrations().into_iter().map(|mut migration| migration["status"].take()).collect()
    }

    /// Differences, summed over all zones; nothing where there is no migration.
    pub fn differences(&self) -> Option<u64> {
        let statuses = self.statuses();
        let counted = statuses.iter().map(|status| status["inconsistent"].as_u64());
        if statuses.is_empty() { None } else { counted.sum() }
    }

    /// The addresses of ns1 and ns2.
    pub fn nameservers(&self) -> [SocketAddr; 2] {
        [0, 1].map(|number| self.platform.resolvers[number].address())
    }

    /// Runs `port53` here.
    pub fn port53(&self, arguments: &str) -> (Option<i32>, crate::process::Finished) {
        migration::port53(&self.settings.port53, &self.platform, NAMESPACE, arguments)
    }
}
