//! The engine: from what the watches tell to heads, confirmations and statuses.
//!
//! ```text
//! watches ──told──▶ index ──plan──▶ a decision for each zone ──▶ one PUT of its head
//!                                        ▲                          │ written
//!                     timers, jobs ended ┘      confirm ◀───────────┘
//!                                                  │ answered by all
//!                                               statuses, 16 at once
//! ```
//!
//! One task decides, and does nothing that waits. Everything that does is a job whose end is an event; a zone has
//! one publication on its way at most, and zones do not wait for each other. Statuses, checkpoints, pruning and
//! questions are jobs of their own, so publications never queue behind them. One task, not an actor a zone,
//! because what a zone is to be depends on others: who holds which domain, what a child delegates.
//!
//! Nothing is published before every kind was listed and every head was read: what is not known to be missing is
//! not missing. A restarted operator takes from the heads what is in service and who owns it.
//!
//! | room | what it does |
//! |---|---|
//! | `mod` | the loop: what is heard, what ended, what is due |
//! | `zone` | what is known of one zone, and what is being done. Pure |
//! | `deciding` | what is next for it. Pure |
//! | `version` | the next head. Pure |
//! | [`both`] | changes that are at a legacy DNS and here, or at neither |
//! | `planning` | the stages over everything, and a decision for each zone |
//! | `assembling` | what is published, read at the start |
//! | `heads` | heads as they are told, written and found |
//! | `confirming` | questions to the resolvers |
//! | `statuses` | what every object is to be told. Pure |
//! | `reporting` | telling it |
//! | `leaving` | Zones that are deleted; finalizers |
//! | `keeping` | checkpoints, and restoring what others delete |
//! | `pruning` | deleting what history does not keep |
//! | `linking` | what others ask: the zones as they are published, the world as it is; and what they tell |
//! | `measuring` | what is counted |
//! | `transferring` | the Secrets of keys, who may transfer which zone, telling secondaries |

mod assembling;
pub mod both;
mod confirming;
mod deciding;
mod heads;
mod keeping;
mod leaving;
mod linking;
mod measuring;
mod planning;
mod pruning;
mod reporting;
mod statuses;
mod transferring;
mod version;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use port53_client::watch::{Told, Trouble, What};
use port53_zone::Name;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cluster::confirm::Resolver;
use crate::cluster::endpoints::Endpoints;
use crate::cluster::follow::Kind;
use crate::cluster::store::Store;
use crate::election::Standing;
use crate::index::{Index, Key, Noted, Scope};
use crate::metrics::Metrics;
use crate::stages::{Planner, Published, SetTerms};
use both::Counterparts;
use heads::Heads;
use keeping::Library;
pub use linking::{Apexes, Forwardings, Links};
use linking::{Linked, hear_links};
use statuses::{Object, Statuses};
use transferring::Transfers;
use zone::ZoneState;

/// Messages that are taken note of before anything is decided.
const AT_ONCE: usize = 4096;
/// Changes that are on their way to legacy servers at once: BIND has 150 connections by default, and clients need some.
const WRITTEN_AT_ONCE: usize = 16;
/// Zones whose resolvers are asked at once.
const ASKED_AT_ONCE: usize = 64;
/// How long it is waited for more before it is said that something cannot be followed.
const LOST_PATIENCE: Duration = Duration::from_millis(300);

/// How the engine is to go about it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hostnames of the nameservers: NS of zones that name none.
    pub nameservers: Vec<Name>,
    /// Resolvers that are always asked.
    pub resolvers: Vec<Resolver>,
    /// How many octets the history of a zone may take.
    pub history_octets: u64,
    /// How often what is not needed any more is looked for.
    pub prune_interval: Duration,
    /// Which Zones are looked after.
    pub scope: Scope,
}

/// See the module.
pub struct Engine {
    settings: Settings,
    metrics: Arc<Metrics>,
    client: Client,
    store: Store,
    index: Index,
    endpoints: Option<Endpoints>,
    resolvers: Arc<[Resolver]>,
    heads: Heads,
    zones: BTreeMap<Name, ZoneState>,
    /// What is in service, as the stages take it.
    published: BTreeMap<Name, Published>,
    planner: Planner,
    plan: planning::Plans,
    /// The NameserverSets, once they are known.
    sets: Option<Arc<[SetTerms]>>,
    /// The serials of zones at the DNS that they move from.
    legacy_serials: BTreeMap<Name, u32>,
    /// Who is to answer for them.
    forwardings: Forwardings,
    /// Who is to have their changes first.
    counterparts: Counterparts,
    /// Which NS they show.
    apexes: Apexes,
    statuses: Statuses,
    library: Library,
    transfers: Transfers,
    /// Zones whose metadata is being edited.
    edited: BTreeSet<Key>,
    /// Zones whose metadata needs another edit after that.
    edits_put_off: BTreeSet<Key>,
    lost: BTreeMap<Kind, Trouble>,
    /// Whether that is about to be said.
    says_lost: bool,
    jobs: JoinSet<Ended>,
    asking: Arc<Semaphore>,
    /// Changes on their way to legacy servers, of all zones.
    writing: Arc<Semaphore>,
    timers: BTreeSet<(Instant, Timer)>,
    /// When the timer for a plan is due.
    next_plan: Option<Instant>,
    started: Instant,
    /// When it was counted over all zones.
    measured: Option<Instant>,
    /// Whether this operator works, and not another.
    leads: bool,
}

/// What is due at some time.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Timer {
    Plan,
    Confirm(Name),
    Checkpoint(Name),
    TakeUp(Name),
    Interim,
    Report(Object),
    Prune,
    Restore,
    SayLost,
    Keys,
    Measure,
}

/// A job that ended.
enum Ended {
    Assemble(assembling::Ended),
    Head(heads::Ended),
    Confirm(confirming::Ended),
    Report(reporting::Ended),
    Leave(leaving::Ended),
    Keep(keeping::Ended),
    Keys(transferring::Ended),
    Both(both::Ended),
}

impl Engine {
    /// An engine over a namespace. `endpoints` finds resolvers beside those of the settings.
    pub fn new(
        client: Client,
        namespace: &str,
        endpoints: Option<Endpoints>,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = Instant::now();
        Engine {
            metrics,
            store: Store::new(&client, namespace),
            client,
            index: Index::new(settings.scope.clone()),
            resolvers: settings.resolvers.clone().into(),
            endpoints,
            heads: Heads::default(),
            zones: BTreeMap::new(),
            published: BTreeMap::new(),
            planner: Planner::default(),
            plan: planning::Plans::new(now),
            sets: None,
            legacy_serials: BTreeMap::new(),
            forwardings: Forwardings::new(),
            counterparts: None,
            apexes: Apexes::new(),
            statuses: Statuses::default(),
            library: Library::default(),
            transfers: Transfers::new(namespace),
            edited: BTreeSet::new(),
            edits_put_off: BTreeSet::new(),
            lost: BTreeMap::new(),
            says_lost: false,
            jobs: JoinSet::new(),
            asking: Arc::new(Semaphore::new(ASKED_AT_ONCE)),
            writing: Arc::new(Semaphore::new(WRITTEN_AT_ONCE)),
            timers: BTreeSet::from([(now + settings.prune_interval, Timer::Prune)]),
            settings,
            next_plan: None,
            started: now,
            measured: None,
            leads: false,
        }
    }

    /// Works until it is told to leave, or nothing more can be heard.
    pub async fn run(
        mut self,
        mut messages: Receiver<Told<Kind>>,
        mut links: Links,
        mut standing: Standing,
        leave: CancellationToken,
    ) {
        if links.counterparts.is_none() {
            // Without migrations nobody is to have changes first.
            self.counterparts = Some(BTreeMap::new());
        }
        let mut told = Vec::new();
        loop {
            // While another operator works, this one only takes note of what is told.
            let next = self.timers.first().map(|(at, _)| *at).filter(|_| self.leads);
            tokio::select! {
                count = messages.recv_many(&mut told, AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    told.drain(..).for_each(|told| self.hear(told));
                }
                Some(told) = self.transfers.hear() => self.secret_told(told),
                linked = hear_links(&mut links) => match linked {
                    // Who asked may have left meanwhile.
                    // Without an answer it is asked again.
                    Linked::Snapshot(answer) => drop(self.snapshot().map(|zones| answer.send(zones))),
                    Linked::World(answer) => drop(answer.send(self.world())),
                    Linked::Sets(sets) => {
                        self.sets = sets;
                        self.plan.heard(Instant::now());
                    }
                    Linked::Serials(serials) => {
                        self.legacy_serials = serials;
                        self.plan.heard(Instant::now());
                    }
                    Linked::Forwardings(forwardings) => {
                        self.forwardings = forwardings;
                        self.plan.heard(Instant::now());
                    }
                    Linked::Counterparts(counterparts) => {
                        self.counterparts = counterparts;
                        self.plan.heard(Instant::now());
                    }
                    Linked::Apexes(apexes) => {
                        self.apexes = apexes;
                        self.plan.heard(Instant::now());
                    }
                },
                Some(ended) = self.jobs.join_next() => self.ended(ended),
                () = sleep_until(next) => {}
                Ok(()) = standing.leads.changed() => {}
                () = leave.cancelled() => return,
            }
            while let Some(Some(ended)) = self.jobs.join_next().now_or_never() {
                self.ended(ended);
            }
            self.measure();
            if !std::mem::replace(&mut self.leads, *standing.leads.borrow()) {
                if !self.leads {
                    continue;
                }
                self.begin_to_lead();
            }
            if standing.fence.is_closed() {
                return;
            }
            self.wake(Instant::now());
            if self.is_ready() {
                // The stages may take a while in a large cluster, and others have a thread to go on.
                tokio::task::block_in_place(|| self.plan_if_due(Instant::now()));
            }
            self.write_statuses(Instant::now());
        }
    }

    /// What was not asked while another operator worked is asked now.
    fn begin_to_lead(&mut self) {
        let zones: Vec<Name> = self.zones.keys().cloned().collect();
        zones.iter().for_each(|apex| self.confirm(apex));
        self.plan.heard(Instant::now());
    }

    /// Takes note of what a watch told.
    fn hear(&mut self, Told { kind, what }: Told<Kind>) {
        match &what {
            What::Lost(trouble) => self.is_lost(kind, trouble.clone()),
            What::Following => self.is_found(kind),
            _ => {}
        }
        match kind {
            Kind::Zone => {
                let noted = self.index.note_zone(what);
                self.noted(noted, Object::Zone);
            }
            Kind::Record => {
                let noted = self.index.note_record(what);
                self.noted(noted, Object::Record);
            }
            Kind::Namespace => {
                let noted = self.index.note_namespace(what);
                self.noted(noted, Object::Record);
            }
            Kind::Head => self.head_told(what),
            Kind::Revision => {
                let is_list = matches!(what, What::Listed);
                let noted = self.index.revisions.note(what);
                self.stored_noted(noted);
                if is_list {
                    self.revisions_are_listed();
                }
            }
            Kind::Slice => {
                let noted = self.index.slices.note(what);
                self.stored_noted(noted);
            }
            Kind::Endpoints => {
                if self.endpoints.as_mut().is_some_and(|endpoints| endpoints.note(what)) {
                    self.resolvers_changed();
                }
            }
        }
    }

    fn noted(&mut self, noted: Noted, object: impl Fn(Key) -> Object) {
        match noted {
            Noted::Nothing => {}
            Noted::Input => self.plan.heard(Instant::now()),
            Noted::New(key) => {
                self.statuses.forget(&object(key));
                self.plan.heard(Instant::now());
            }
            Noted::Gone(keys) => {
                keys.into_iter().for_each(|key| self.statuses.forget(&object(key)));
                self.plan.heard(Instant::now());
            }
            Noted::Status(key) => self.statuses.queue(object(key)),
        }
    }

    /// Whether all that is known of is known.
    fn is_ready(&self) -> bool {
        self.index.is_whole()
            && self.heads.are_whole()
            && self.endpoints.as_ref().is_none_or(Endpoints::are_whole)
            && !self.zones.values().any(ZoneState::is_waited_for)
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(Ended::Assemble(ended)) => self.assemble_ended(ended),
            Ok(Ended::Head(ended)) => self.head_ended(ended),
            Ok(Ended::Confirm(ended)) => self.confirm_ended(ended),
            Ok(Ended::Report(ended)) => self.report_ended(ended),
            Ok(Ended::Leave(ended)) => self.leave_ended(ended),
            Ok(Ended::Keep(ended)) => self.keep_ended(ended),
            Ok(Ended::Keys(ended)) => self.keys_ended(ended),
            Ok(Ended::Both(ended)) => self.both_ended(ended),
            Err(error) => match error.try_into_panic() {
                // A bug. What it was about would wait for ever: better to start again from what is published.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => tracing::error!("a job was cancelled: {error}"),
            },
        }
    }

    /// Does what is due.
    fn wake(&mut self, now: Instant) {
        while let Some((at, _)) = self.timers.first()
            && *at <= now
            && let Some((_, timer)) = self.timers.pop_first()
        {
            match timer {
                Timer::Plan => {
                    self.next_plan = None;
                    self.plan.heard(now);
                }
                Timer::Confirm(apex) => self.confirm_if_due(&apex, now),
                Timer::Checkpoint(apex) => self.store_checkpoint(&apex),
                Timer::TakeUp(apex) => self.take_up(&apex),
                Timer::Interim => self.report_what_waits(now),
                Timer::Report(object) => self.statuses.queue(object),
                Timer::Prune => self.prune(now),
                Timer::Restore => self.restore_what_is_missing(),
                Timer::SayLost => self.say_lost(),
                Timer::Keys => self.write_keys(),
                // Each turn measures.
                Timer::Measure => {}
            }
        }
    }

    fn at(&mut self, at: Instant, timer: Timer) {
        if timer == Timer::Plan {
            // A plan asks for all later ones that it needs: the next is enough.
            match self.next_plan.filter(|next| *next <= at) {
                Some(_) => return,
                None => self.next_plan.take().map(|next| self.timers.remove(&(next, Timer::Plan))),
            };
            self.next_plan = Some(at);
        }
        self.timers.insert((at, timer));
    }

    /// Since the start, for what compares times and does not care when they were.
    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    fn is_lost(&mut self, kind: Kind, trouble: Trouble) {
        if self.lost.get(&kind) != Some(&trouble) {
            // Who lacks which right is said here, and not in the line for all of them.
            tracing::debug!("cannot follow {kind}: {}", trouble.why);
        }
        // Which right is missed first, that to list or to watch, is no news.
        let is_new = self
            .lost
            .get(&kind)
            .is_none_or(|last| *last != trouble && !(last.is_forbidden && trouble.is_forbidden));
        self.lost.insert(kind, trouble);
        if is_new && !std::mem::replace(&mut self.says_lost, true) {
            self.at(Instant::now() + LOST_PATIENCE, Timer::SayLost);
        }
    }

    fn is_found(&mut self, kind: Kind) {
        if self.lost.remove(&kind).is_some() && self.lost.is_empty() {
            tracing::info!("everything can be followed again");
        }
    }

    /// Says what cannot be followed: in one line for each reason, and in one for all rights that are missing.
    fn say_lost(&mut self) {
        self.says_lost = false;
        for line in lost_lines(&self.lost) {
            tracing::warn!("{line}; it is tried again, and what is served stays");
        }
    }
}

fn lost_lines(lost: &BTreeMap<Kind, Trouble>) -> Vec<String> {
    let mut by_reason: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for (kind, trouble) in lost {
        let reason = (!trouble.is_forbidden).then_some(trouble.why.as_str());
        by_reason.entry(reason).or_default().push(kind.to_string());
    }
    let line = |(reason, kinds): (Option<&str>, Vec<String>)| match (reason, kinds.join(", ")) {
        (Some(why), kinds) => format!("cannot follow {kinds}: {why}"),
        (None, kinds) => format!(
            "the API server forbids list and watch of {kinds}: grant them to the operator's service account \
             (docs/operator.md, Rights)"
        ),
    };
    by_reason.into_iter().map(line).collect()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The time of day, for what people read.
fn wall() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_that_are_missing_are_said_in_one_line() {
        let trouble = |why: &str, is_forbidden| Trouble { why: why.to_owned(), is_forbidden };
        let lost = BTreeMap::from([
            (Kind::Zone, trouble("you may not list zones", true)),
            (Kind::Record, trouble("you may not watch dnsrecords", true)),
            (Kind::Head, trouble("gone", false)),
            (Kind::Revision, trouble("gone", false)),
        ]);
        let lines = lost_lines(&lost);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("the API server forbids list and watch of zones, dnsrecords: grant"));
        assert_eq!(lines[1], "cannot follow zoneheads, zonerevisions: gone");
    }
}
