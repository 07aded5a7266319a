//! One migration at work: looks at both sides, brings over what is to be brought over, and says how far it is.
//!
//! ```text
//! legacy ──SOA, IXFR, AXFR──▶ believed? ──▶ apart, and who changed ──▶ DNSRecords applied here
//! world  ──what is published─────────────▶        │                └─▶ UPDATE there, read back
//!                                                 └─▶ what both agreed on is kept; status, lists
//! ```
//!
//! A turn begins when something may have changed: the spec, what is published, what is due. It does what can be done now
//! and never waits for what it has begun: that shows in a later turn. Nothing is remembered that cannot be found again, so
//! a worker may end anywhere.
//!
//! | room | what it does |
//! |---|---|
//! | `mod` | a worker, and what it does in a turn |
//! | `turn` | what a turn works with. Pure |
//! | `look` | asks legacy, and believes it or not |
//! | `bring` | writes here |
//! | `place` | the line of those that have much to write here |
//! | `send` | writes there |
//! | `settling` | what a person prefers |
//! | `answers`, `facts` | who answers at each nameserver, and telling who decides that |
//! | `parent` | asks the zone above |
//! | `ending` | a migration that is to end, or is over |
//! | `shown` | what questions show |
//! | `report` | tells people |

mod answers;
mod bring;
mod ending;
mod facts;
mod look;
mod parent;
mod place;
mod report;
mod send;
mod settling;
mod shown;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use port53_crds::{
    DualWrite, LegacyCheck, PREFER_ANNOTATION, RRsetDifference, Reason, Reject, ZoneMigration,
    ZoneMigrationStatus, parse_duration,
};
use port53_legacy::Version;
use port53_secondaries::keys::Key as TsigKey;
use port53_store::Forwarding;
use port53_zone::{Name, name};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

use super::agreed::Agreed;
use super::beforehand::Bursts;
use super::cutover::Facts;
use super::memory::Memory;
use super::merge::apart;
use super::parent::Parent;
use super::prefer::Prefer;
use super::questions::Otherwise;
use super::round::Round;
use super::scope::Scope;
use super::shadow::latch::Latches;
use super::shadow::watch::Watching;
use super::shadow::{Rollouts, gate};
use super::unheld::Unheld;
use super::{Orders, Serials, writing};
use crate::admission::World;
use crate::election::Fence;
use crate::engine::both::{Counterpart, Seen};
use crate::index::Key;
use bring::WRITES_FOR;
pub(super) use ending::is_finished;
use place::Place;
use send::Updates;
use turn::{Turn, annotation, turn_of};

/// Records or updates that are written in one turn, so that a status comes between.
const AT_ONCE: usize = 2_000;
/// Least time between two looks at legacy, whatever a spec says.
const LEAST_POLL: Duration = Duration::from_secs(1);

/// What all workers have.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    /// The operator's namespace.
    pub(super) own: String,
    pub(super) fence: Fence,
    /// Records on their way at the same time, of all migrations.
    pub(super) permits: Arc<Semaphore>,
    /// Migrations that bring much over at the same time.
    pub(super) places: Arc<Semaphore>,
    pub(super) serials: Serials,
    /// What was seen of each zone.
    pub(super) facts: watch::Sender<BTreeMap<Key, Facts>>,
    /// The legacy DNS of each, as far as it is known.
    pub(super) known: watch::Sender<BTreeMap<Key, Arc<Counterpart>>>,
    /// Automatic fallbacks that were begun.
    pub(super) latches: Latches,
    /// What came of asking legacy much at once.
    pub(super) bursts: Bursts,
    /// How nameservers are.
    pub(super) rollouts: watch::Receiver<Rollouts>,
}

/// See the module.
pub(super) struct Worker {
    shared: Shared,
    orders: watch::Receiver<Orders>,
    worlds: watch::Receiver<Option<Arc<World>>>,
    memory: Memory,
    /// Nothing before it was read.
    agreed: Option<Agreed>,
    theirs: Option<Version>,
    /// When it was asked for.
    theirs_asked: Option<Instant>,
    /// What counted when it was looked at last.
    scope: Option<Scope>,
    /// RRsets of it that count, and what of them nothing here can hold.
    counted: usize,
    unheld: Unheld,
    legacy: Option<Result<(), (Reason, String)>>,
    doubt: Option<String>,
    polled: Option<Instant>,
    /// The generation of the spec after which legacy was looked at.
    looked_after: Option<i64>,
    transferred: Option<Instant>,
    key: Option<(Instant, Arc<TsigKey>)>,
    compared: Option<String>,
    rejects: Vec<Reject>,
    differences: Vec<RRsetDifference>,
    unlisted: usize,
    /// Whether both sides were the same when that was looked at last.
    is_same: bool,
    /// Whether more is to be written here than one turn has time for; where it is among the migrations that bring much over;
    /// and what came of it.
    is_behind: bool,
    place: Place,
    round: Round,
    /// Who was seen to answer, and when that was looked at.
    seen: answers::Seen,
    /// Who was told to answer then.
    told: Option<Forwarding>,
    seen_at: Option<Instant>,
    /// What was seen of the zone above, and who is asked for it.
    parent: Parent,
    asking_parent: parent::Asking,
    /// The hostnames of the Zone's own nameservers, as of the last look at the zone above.
    ours: Option<BTreeSet<Name>>,
    /// Whether it is over.
    is_finished: bool,
    /// What questions of clients show, and what of it is judged.
    watching: Watching,
    gate: gate::Gate,
    /// Whether legacy takes updates.
    updates: Updates,
    /// What a person preferred when that was looked at last.
    preferred: Option<Prefer>,
    /// What the next nameserver waits for, though both sides are the same.
    waits: Option<(Reason, String)>,
    /// Asks legacy much at once, and as by others.
    checking: Option<AbortOnDropHandle<LegacyCheck>>,
    check: Option<LegacyCheck>,
    /// Puts the same questions to both sides; when that was begun last, and what is answered otherwise.
    asking: Option<AbortOnDropHandle<Option<Vec<Otherwise>>>>,
    asked_at: Option<Instant>,
    otherwise: Vec<RRsetDifference>,
    /// The serials of both sides, here first, at which the records were the same when that was looked at last; those that
    /// the questions are about; and since when the answers to them are there.
    same_at: Option<[u32; 2]>,
    asked_of: Option<[u32; 2]>,
    answered_at: Option<Instant>,
    /// The lists as they were written, and when that was looked at last.
    listed: [Option<u64>; 3],
    listed_at: Option<Instant>,
    said: Option<ZoneMigrationStatus>,
}

impl Worker {
    /// One for a migration whose status was `said` last.
    pub(super) fn new(
        shared: Shared,
        orders: watch::Receiver<Orders>,
        worlds: watch::Receiver<Option<Arc<World>>>,
        said: Option<ZoneMigrationStatus>,
    ) -> Self {
        let samples =
            said.iter().filter_map(|said| said.shadow.as_ref()).flat_map(|seen| seen.samples.clone());
        let watching = Watching::start(shared.clone(), orders.clone(), worlds.clone(), samples);
        let compared = said.as_ref().and_then(|said| said.compared.clone());
        let before_parent = said.as_ref().and_then(|said| said.parent.as_ref());
        Worker {
            shared,
            orders,
            worlds,
            memory: Memory::default(),
            agreed: None,
            theirs: None,
            theirs_asked: None,
            scope: None,
            counted: 0,
            unheld: Unheld::default(),
            legacy: None,
            doubt: None,
            polled: None,
            looked_after: None,
            transferred: None,
            key: None,
            compared,
            rejects: Vec::new(),
            differences: Vec::new(),
            unlisted: 0,
            is_same: false,
            is_behind: false,
            place: Place::default(),
            round: Round::default(),
            seen: answers::Seen::default(),
            told: None,
            seen_at: None,
            parent: before_parent.map(Parent::of).unwrap_or_default(),
            asking_parent: parent::Asking::default(),
            ours: None,
            is_finished: said.as_ref().is_some_and(is_finished),
            asking: None,
            asked_at: None,
            otherwise: Vec::new(),
            same_at: None,
            asked_of: None,
            answered_at: None,
            checking: None,
            check: said.as_ref().and_then(|said| said.legacy_check.clone()),
            watching,
            gate: gate::Gate::default(),
            updates: Updates::default(),
            preferred: None,
            waits: None,
            listed: [None, None, None],
            listed_at: None,
            said,
        }
    }

    /// Works until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let due = self.turn().await;
            let is_in_line = self.place.is_waited_for();
            tokio::select! {
                changed = self.orders.changed() => if changed.is_err() { return },
                // Worlds come twice a second, and who waits for a place has nothing to do with them.
                changed = self.worlds.changed(), if !is_in_line => if changed.is_err() { return },
                () = self.place.comes(), if is_in_line => {}
                () = tokio::time::sleep_until(due.into()) => {}
            }
        }
    }

    /// Does what can be done now. Says when to look again though nothing was told.
    async fn turn(&mut self) -> Instant {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let orders = self.orders.borrow_and_update().clone();
        let request = self.request(&orders.migration);
        if request.is_some() {
            // Who asks has perhaps just seen what is newer than the world that is known.
            let _ = self.worlds.changed().await;
        }
        let Some(world) = self.worlds.borrow_and_update().clone() else { return later };
        if self.shared.fence.is_closed() {
            return later;
        }
        let zone = (
            orders.migration.metadata.namespace.clone().unwrap_or_default(),
            orders.migration.spec.zone_ref.name.clone(),
        );
        if world.of_others.contains(&zone) {
            // Another operator of the cluster has its Zone, and says how it is.
            return later;
        }
        let turn = match turn_of(&orders, world) {
            Ok(turn) => turn,
            Err(trouble) => {
                self.report(&orders.migration, Some(&trouble), None, &[], None).await;
                return later;
            }
        };
        if self.is_over(&turn) {
            self.say_over(&turn);
            self.report_finished(&turn).await;
            return later;
        }
        if self.agreed.is_none() && !self.read_agreed(&turn).await {
            return later;
        }
        let is_settled = self.agreed.as_ref().is_some_and(|agreed| !agreed.is_empty());
        if turn.published.is_none() && is_settled {
            // It was withdrawn, or what is published cannot be read: nobody has removed its records.
            let why = "the zone is not published now: nothing is written to either side".to_owned();
            self.report(&orders.migration, Some(&(Reason::Pending, why)), Some(&turn), &[], None).await;
            return later;
        }
        let generation = turn.migration.metadata.generation;
        if self.looked_after != generation {
            self.polled = None;
        }
        if self.scope.as_ref() != Some(&turn.scope) {
            // What did not count is known from a whole transfer alone.
            (self.polled, self.transferred) = (None, None);
            self.memory.scope_is_other();
            self.scope = Some(turn.scope.clone());
        }
        let before = self.transferred;
        self.look(&turn, request.is_some()).await;
        self.tell_counterpart(&turn).await;
        let turn = match self.transferred != before && turn.migration.spec.dual_write == DualWrite::Sync {
            false => turn,
            // What is new there was perhaps written there by the engine, which is known from a world after that.
            true => match self.after_the_next_world(&orders).await {
                Some(turn) => turn,
                None => return later,
            },
        };
        if matches!(self.legacy, Some(Ok(()))) {
            self.looked_after = generation;
        }
        self.ask_for_updates(&turn).await;
        self.see_who_answers(&turn).await;
        self.see_parent(&turn);
        self.check_beforehand(&turn).await;
        self.ask_both(&turn, false).await;
        self.act(&turn).await;
        if request.is_some() {
            // Seen twice, with nothing changed between: what was found is looked at again.
            self.look_once(&turn, false).await;
            self.act(&turn).await;
            self.ask_both(&turn, true).await;
            (self.compared, self.listed_at) = (request, None);
            self.act(&turn).await;
        }
        if self.place.is_waited_for() {
            return Instant::now() + WRITES_FOR;
        }
        let poll = self.poll_interval(&turn.migration);
        let next_poll = self.polled.map_or(now, |polled| polled + poll);
        self.memory
            .next_try()
            .into_iter()
            .chain([next_poll])
            .chain(self.is_behind.then_some(now))
            .min()
            .unwrap_or(later)
            .max(now + Duration::from_millis(50))
    }

    /// The same turn over a world that was asked for after now.
    async fn after_the_next_world(&mut self, orders: &Orders) -> Option<Turn> {
        self.worlds.borrow_and_update();
        // The first may have been asked for before.
        for _ in 0..2 {
            self.worlds.changed().await.ok()?;
        }
        let world = self.worlds.borrow_and_update().clone()?;
        turn_of(orders, world).ok()
    }

    /// Says what is known of legacy, where each change is to be there first.
    async fn tell_counterpart(&mut self, turn: &Turn) {
        if turn.migration.spec.dual_write != DualWrite::Sync {
            self.shared.known.send_if_modified(|known| known.remove(&turn.key).is_some());
            return;
        }
        let server = self.server(&turn.migration).await;
        let seen = |(theirs, asked): (&Version, Instant)| Seen {
            serial: theirs.soa.serial,
            content: theirs.content.clone(),
            asked,
        };
        let seen = self.theirs.as_ref().zip(self.theirs_asked).map(seen);
        let now = Counterpart { scope: turn.scope.clone(), server, seen };
        self.shared.known.send_if_modified(|known| {
            let is_other = known.get(&turn.key).is_none_or(|before| !before.is_same(&now));
            if is_other {
                known.insert(turn.key.clone(), Arc::new(now));
            }
            is_other
        });
    }

    async fn read_agreed(&mut self, turn: &Turn) -> bool {
        let uid = turn.migration.metadata.uid.clone().unwrap_or_default();
        match writing::read_agreed(&self.shared.client, &self.shared.own, &uid).await {
            Ok(agreed) => {
                self.agreed = Some(agreed);
                true
            }
            Err(error) => {
                tracing::warn!(
                    zone = name::display(&turn.scope.apex),
                    "what was agreed on cannot be read: {error}"
                );
                false
            }
        }
    }

    /// Brings over what is to be brought over, and says how far it is.
    async fn act(&mut self, turn: &Turn) {
        let (Some(theirs), Some(mut agreed)) = (self.theirs.clone(), self.agreed.take()) else {
            return self.report(&turn.migration, None, Some(turn), &[], None).await;
        };
        let seen_there = self.memory.seen_there(&theirs.content).unwrap_or_else(|error| {
            tracing::error!(
                zone = name::display(&turn.scope.apex),
                "what was read back cannot be held: {error}"
            );
            theirs.content.clone()
        });
        let mut found = apart(&turn.ours, &seen_there, &turn.scope, &agreed);
        if self.memory.note_brought(&found, &mut agreed) {
            found = apart(&turn.ours, &seen_there, &turn.scope, &agreed);
        }
        self.memory.note(&turn.ours, &found, &turn.scope, &mut agreed, Timestamp::now());
        // What is on its way to both is at one before the other: nothing is agreed on then, and nothing is written for it.
        if let Some(dual_writes) = turn.world.dual_writes.get(&turn.scope.apex) {
            found.retain(|one| !dual_writes.names.contains(&one.name));
        }
        let uid = turn.migration.metadata.uid.clone().unwrap_or_default();
        let whose = turn.key.clone();
        let written =
            writing::write_agreed(&self.shared.client, &self.shared.own, &uid, &whose, &mut agreed).await;
        self.agreed = Some(agreed);
        if let Err(error) = written {
            // What is written to either side next must find what was agreed on before.
            tracing::warn!(
                zone = name::display(&turn.scope.apex),
                "what was agreed on cannot be kept: {error}"
            );
            return self.report(&turn.migration, None, Some(turn), &found, None).await;
        }
        self.finish(turn, &found);
        self.tell_facts(turn, &found);
        self.heed_differences(turn).await;
        let prefer = annotation(&turn.migration, PREFER_ANNOTATION).map(Prefer::parse);
        let prefer = match prefer {
            Some(Err(why)) => {
                let trouble = (Reason::InvalidSpec, format!("annotation {PREFER_ANNOTATION}: {why}"));
                return self.report(&turn.migration, Some(&trouble), Some(turn), &found, None).await;
            }
            Some(Ok(prefer)) => Some(prefer),
            None => None,
        };
        self.heed_preference(prefer.as_ref());
        self.bring_here(turn, &theirs, &found, prefer.as_ref()).await;
        self.rejects = self.round.refused().into_iter().chain(self.unheld.rejects().cloned()).collect();
        let waiting = self.write_there(turn, &found, prefer.as_ref()).await;
        self.list_differences(&found);
        self.settle_preference(turn, &found, prefer.as_ref()).await;
        self.report(&turn.migration, None, Some(turn), &found, Some(waiting)).await;
    }

    fn poll_interval(&self, migration: &ZoneMigration) -> Duration {
        parse_duration(&migration.spec.compare.poll).unwrap_or(Duration::from_secs(10)).max(LEAST_POLL)
    }
}
