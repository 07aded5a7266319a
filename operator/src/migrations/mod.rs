//! ZoneMigrations: zones that move here from another DNS, kept the same on both sides, and compared all the time.
//!
//! ```text
//! ZoneMigration ──▶ Controller ──a worker each──▶ legacy: SOA, transfer, UPDATE
//!                       │   ▲                 └─▶ DNSRecords, applied as any other
//!    serials of legacy, ▼   │ the world
//!    who is to answer,  │   │
//!    NS at the apex     │   │
//!                     engine
//! ```
//!
//! What is to be done follows from what the spec asks and what is seen, never from a step that was reached: everything can
//! be turned on, off and back at any time. The one thing that is remembered is what both sides agreed on last, because
//! without it nobody can tell who changed; it is kept in ConfigMaps ([`agreed`]).
//!
//! A worker a migration, each a task of its own: one whose legacy is slow or lies delays no other. They look at the world as
//! the engine knows it, which is asked for twice a second and shared.
//!
//! | room | what it does |
//! |---|---|
//! | [`scope`] | what counts as a difference. Pure |
//! | [`agreed`] | what both agreed on last. Pure |
//! | [`merge`] | what is apart, and who changed. Pure |
//! | [`doubt`] | whether what legacy says can be believed. Pure |
//! | [`prefer`] | how a person settles what is apart. Pure |
//! | `cutover` | who is to answer. Pure |
//! | `first` | who is to have changes first. Pure |
//! | `parent` | what the zone above says, and what caches may have of it. Pure |
//! | `apex` | which NS the apex shows meanwhile. Pure |
//! | `finish` | when it may end. Pure |
//! | `provider` | what only legacy can answer. Pure |
//! | `candidates` | what is to be written here. Pure |
//! | `updates` | what is to be written there. Pure |
//! | `sending` | one name written there, and read back |
//! | `beforehand` | whether legacy can be forwarded to: asks it |
//! | `round` | what of much is judged next. Pure |
//! | `questions` | the same questions to both: what differs though the records do not |
//! | [`shadow`] | what questions of clients show, and what follows |
//! | `memory` | what a worker remembers between two looks. Pure |
//! | `status`, `answering`, [`lists`] | what people are told. Pure |
//! | `worker` | one migration at work |
//! | [`writing`] | requests to the API server |

pub mod agreed;
mod answering;
mod apex;
mod beforehand;
mod candidates;
mod cutover;
pub mod doubt;
mod finish;
mod first;
pub mod lists;
mod memory;
pub mod merge;
mod parent;
pub mod prefer;
mod provider;
mod questions;
mod round;
pub mod scope;
pub(crate) mod sending;
pub mod shadow;
mod status;
mod unheld;
pub(crate) mod updates;
mod worker;
pub mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client};
use port53_client::watch::{Follower, Told, What};
use port53_crds::{Zone, ZoneMigration, ZoneMigrationStatus};
use port53_zone::{Name, name};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::admission::{World, Worlds};
use crate::election::Standing;
use crate::engine::both::{Counterpart, Counterparts};
use crate::engine::{Apexes, Forwardings};
use crate::index::{self, Kept, Key, Shelf, parse};
use crate::objects::ObjectRef;
use crate::stages::Apex;
use cutover::Facts;
use scope::NotCounted;
use shadow::Rollouts;
use shadow::latch::{self, Latches};
use worker::{Shared, Worker};

/// How often the world is asked for while there is a migration.
const BEAT: Duration = Duration::from_millis(500);
/// Records on their way at the same time, of all migrations. Few: with 48 an API server that had two processors for
/// everything came to put requests off (429), and what others changed meanwhile took seconds.
pub const RECORDS_AT_A_TIME: usize = 8;
/// Migrations that bring much over at the same time; the others wait for their turn.
const MIGRATIONS_AT_A_TIME: usize = 4;
/// Messages on their way from the watch.
const QUEUE: usize = 1024;

/// Where legacy is, unless it is said.
const PORT: u16 = 53;
/// The field that says where it is.
const LEGACY_ADDRESSES: &str = "spec.legacy.addresses";

/// The serials of zones at legacy, which those here must be above.
pub type Serials = watch::Sender<BTreeMap<Name, u32>>;

/// What the engine is told.
#[derive(Debug)]
pub struct Tells {
    /// The serials of zones at legacy, which those here must be above.
    pub serials: Serials,
    /// Who is to answer.
    pub forwardings: watch::Sender<Forwardings>,
    /// Who is to have changes first.
    pub counterparts: watch::Sender<Counterparts>,
    /// Which NS the apex shows.
    pub apexes: watch::Sender<Apexes>,
}

/// What a worker is told of its migration.
#[derive(Clone, Debug)]
struct Orders {
    migration: Arc<ZoneMigration>,
    /// An older migration that has the same Zone.
    other: Option<String>,
}

/// See the module.
pub struct Controller {
    client: Client,
    own: String,
    worlds: Worlds,
    tells: Tells,
    facts: watch::Sender<BTreeMap<Key, Facts>>,
    known: watch::Sender<BTreeMap<Key, Arc<Counterpart>>>,
    latches: Latches,
    bursts: beforehand::Bursts,
    rollouts: watch::Receiver<Rollouts>,
    migrations: Shelf<ZoneMigration>,
    workers: BTreeMap<Key, Running>,
    world: watch::Sender<Option<Arc<World>>>,
    lost: Option<String>,
    /// Whether what is kept of migrations that went may be there.
    is_to_sweep: bool,
}

/// A worker, and the object that it is for.
struct Running {
    uid: Option<String>,
    orders: watch::Sender<Orders>,
    task: AbortOnDropHandle<()>,
}

impl Kept for ZoneMigration {
    type Status = ZoneMigrationStatus;

    fn read(object: DynamicObject) -> Result<(Self, Option<ZoneMigrationStatus>), String> {
        let mut migration: ZoneMigration = parse(object)?;
        let status = migration.status.take();
        migration.metadata.managed_fields = None;
        // It changes with each status.
        migration.metadata.resource_version = None;
        Ok((migration, status))
    }

    fn uid(&self) -> Option<&str> {
        self.metadata.uid.as_deref()
    }
}

impl Controller {
    /// A controller that knows nothing yet. `own` is the operator's namespace; `worlds` asks the engine, and `tells`
    /// tell it. `rollouts` says how nameservers are.
    pub fn new(
        client: Client,
        own: &str,
        worlds: Worlds,
        tells: Tells,
        rollouts: watch::Receiver<Rollouts>,
    ) -> Self {
        Controller {
            client,
            own: own.to_owned(),
            worlds,
            tells,
            facts: watch::Sender::default(),
            known: watch::Sender::default(),
            latches: watch::Sender::default(),
            bursts: beforehand::Bursts::default(),
            rollouts,
            migrations: Shelf::default(),
            workers: BTreeMap::new(),
            world: watch::Sender::new(None),
            lost: None,
            is_to_sweep: true,
        }
    }

    /// Works until it is told to leave, or nothing more can be heard.
    pub async fn run(mut self, streaming_list: bool, standing: Standing, leave: CancellationToken) {
        let (messages, mut received) = mpsc::channel(QUEUE);
        let api = Api::all_with(self.client.clone(), &ApiResource::erase::<ZoneMigration>(&()));
        let follower = Follower { streaming_list, ..Follower::new(api, (), messages) };
        let _following = AbortOnDropHandle::new(tokio::spawn(follower.run()));
        let permits = Arc::new(Semaphore::new(RECORDS_AT_A_TIME));
        let places = Arc::new(Semaphore::new(MIGRATIONS_AT_A_TIME));
        let mut known = self.known.subscribe();
        let (mut facts, mut latches) = (self.facts.subscribe(), self.latches.subscribe());
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Nothing waits for the answer, which may take as long as a plan: a fallback does not.
        let mut asked = FuturesUnordered::new();
        loop {
            tokio::select! {
                told = received.recv() => match told {
                    Some(Told { what, .. }) => self.hear(what),
                    None => return,
                },
                _ = beat.tick(), if asked.is_empty() && !self.migrations.is_empty() => {
                    asked.push(world(self.worlds.clone()));
                    continue;
                }
                Some(world) = asked.next() => {
                    let Some(world) = world else { continue };
                    self.world.send_replace(Some(Arc::new(world)));
                }
                Ok(()) = facts.changed() => {}
                Ok(()) = known.changed() => {}
                Ok(()) = latches.changed() => {}
                () = leave.cancelled() => return,
            }
            while let Ok(Told { what, .. }) = received.try_recv() {
                self.hear(what);
            }
            if !*standing.leads.borrow() || standing.fence.is_closed() {
                self.workers.clear();
                continue;
            }
            if self.migrations.is_whole() {
                let there = self.orders();
                self.say_who_answers(&there);
                self.say_who_is_first(&there);
                self.see_to_workers(there, &standing, [&permits, &places]);
            }
        }
    }

    fn hear(&mut self, what: What) {
        match &what {
            // Once for each reason: it is tried again every few seconds.
            What::Lost(trouble) if self.lost.as_ref() != Some(&trouble.why) => {
                tracing::warn!(
                    "cannot follow zonemigrations: {}; what they say stays as it was",
                    trouble.why
                );
                self.lost = Some(trouble.why.clone());
            }
            What::Following => self.lost = None,
            What::Deleted(_) | What::Listed => self.is_to_sweep = true,
            _ => {}
        }
        self.migrations.note(what);
    }

    /// Says who is to answer for each zone, and which NS its apex is to show, from what its migration says now: no worker is
    /// waited for, so a fallback is as quick as a write of the head. A migration that is gone leaves the head as it is.
    fn say_who_answers(&self, there: &BTreeMap<Key, Orders>) {
        let world = self.world.borrow();
        let Some(world) = world.as_ref() else { return };
        let latches = self.latches.borrow();
        let apexes: BTreeMap<&ObjectRef, &Name> =
            world.published.values().map(|published| (&published.holder, published.content.apex())).collect();
        let (mut forwardings, mut shown) = (Forwardings::new(), Apexes::new());
        for (key, orders) in there.iter().filter(|(_, orders)| orders.other.is_none()) {
            let spec = &orders.migration.spec;
            let zone = ObjectRef::Zone { namespace: key.0.clone(), name: spec.zone_ref.name.clone() };
            let Some(apex) = apexes.get(&zone).copied() else { continue };
            let now = world.forwardings.get(apex);
            let addresses: Result<Vec<_>, _> =
                spec.legacy.addresses.iter().map(|text| address(LEGACY_ADDRESSES, text)).collect();
            // What cannot be read changes nothing.
            let Ok(addresses) = addresses else { continue };
            let not_compared = match NotCounted::read(&spec.compare.leave_out, apex) {
                Ok(left_out) => left_out.names().cloned().collect(),
                // It is no reason not to fall back.
                Err(_) => now.map(|now| now.not_compared.clone()).unwrap_or_default(),
            };
            let facts = self.facts_of(key, orders);
            let written = self.migrations.status(key).and_then(|status| status.fallback.as_ref());
            let fell_back = latch::holding(&orders.migration, latches.get(key), written).is_some();
            let legacy = cutover::Elsewhere { addresses, not_compared };
            let next = cutover::forwarding(&orders.migration, fell_back, legacy, now, &facts);
            if next.is_some() || now.is_some() {
                // Where all answer by themselves, the Zone says its nameservers.
                let shows = next.as_ref().map_or(Apex::Port53, |_| {
                    apex::apex(&orders.migration, now, &facts.answers, facts.apex_ns.as_ref())
                });
                shown.insert(apex.clone(), shows);
                forwardings.insert(apex.clone(), next);
            }
        }
        tell(&self.tells.apexes, shown);
        tell(&self.tells.forwardings, forwardings);
    }

    /// What was seen of a migration.
    fn facts_of(&self, key: &Key, orders: &Orders) -> Facts {
        let facts = self.facts.borrow();
        let facts = facts.get(key).filter(|facts| facts.uid == orders.migration.metadata.uid);
        let mut facts = facts.cloned().unwrap_or_default();
        // Seen by an operator before this one.
        facts.is_finished |= self.migrations.status(key).is_some_and(worker::is_finished);
        facts
    }

    /// Says which legacy DNS is to have each change of a zone first.
    fn say_who_is_first(&self, there: &BTreeMap<Key, Orders>) {
        let world = self.world.borrow();
        if world.is_none() && !there.is_empty() {
            return;
        }
        // By what the Zone says: what is published of it may not be known yet.
        let wanted = first::zones(there);
        let zones = world.iter().flat_map(|world| &world.objects.zones).filter(|_| !wanted.is_empty());
        let zones: BTreeMap<Key, &Arc<Zone>> = zones
            .map(|zone| (index::key(&zone.metadata), zone))
            .filter(|(key, _)| wanted.contains(key))
            .collect();
        let apex_of = |key: &Key, zone: &str| {
            let key = (key.0.clone(), zone.to_owned());
            let apex = name::parse_absolute(&zones.get(&key)?.spec.domain).ok()?;
            let published = world.as_ref()?.published.get(&apex);
            let holder = ObjectRef::Zone { namespace: key.0, name: key.1 };
            published.is_none_or(|published| published.holder == holder).then_some(apex)
        };
        let is_over = |key: &Key, orders: &Orders| {
            finish::is_over(&orders.migration.spec, self.facts_of(key, orders).is_finished)
        };
        self.tells.counterparts.send_if_modified(|before| {
            let now = first::counterparts(there, apex_of, is_over, &self.known.borrow(), before);
            let is_other = !first::are_same(before, &now);
            *before = now;
            is_other
        });
    }

    /// A worker for each migration that is there, told what it says now.
    fn see_to_workers(
        &mut self,
        there: BTreeMap<Key, Orders>,
        standing: &Standing,
        [permits, places]: [&Arc<Semaphore>; 2],
    ) {
        let is_right = |key: &Key, running: &mut Running| {
            let is_of_it = there.get(key).is_some_and(|orders| orders.migration.metadata.uid == running.uid);
            // One that has ended has panicked, which is a bug; the zone gets another.
            is_of_it && !running.task.is_finished()
        };
        self.forget_others(&there);
        self.workers.retain(is_right);
        self.forget_serials(&there);
        for (key, orders) in there {
            if let Some(running) = self.workers.get(&key) {
                running.orders.send_if_modified(|before| {
                    let is_other =
                        !Arc::ptr_eq(&before.migration, &orders.migration) || before.other != orders.other;
                    if is_other {
                        *before = orders;
                    }
                    is_other
                });
                continue;
            }
            let shared = Shared {
                client: self.client.clone(),
                own: self.own.clone(),
                fence: standing.fence.clone(),
                permits: permits.clone(),
                places: places.clone(),
                serials: self.tells.serials.clone(),
                facts: self.facts.clone(),
                known: self.known.clone(),
                latches: self.latches.clone(),
                bursts: self.bursts.clone(),
                rollouts: self.rollouts.clone(),
            };
            let uid = orders.migration.metadata.uid.clone();
            let before = self.migrations.status(&key).cloned();
            let (orders, told) = watch::channel(orders);
            let worker = Worker::new(shared, told, self.world.subscribe(), before);
            let task = AbortOnDropHandle::new(tokio::spawn(worker.run()));
            self.workers.insert(key, Running { uid, orders, task });
        }
        if std::mem::take(&mut self.is_to_sweep) {
            let uids = self.migrations.iter().filter_map(|(_, migration)| migration.metadata.uid.clone());
            let sweeping = writing::sweep(self.client.clone(), self.own.clone(), uids.collect());
            tokio::spawn(async move {
                if let Err(error) = sweeping.await {
                    tracing::debug!("what is kept of a migration that went stays for now: {error}");
                }
            });
        }
    }

    /// What was seen of a migration is nothing to another of its name.
    fn forget_others(&self, there: &BTreeMap<Key, Orders>) {
        let uid_now = |key: &Key| there.get(key).map(|orders| &orders.migration.metadata.uid);
        let is_other = |(key, running): &(&Key, &Running)| uid_now(key) != Some(&running.uid);
        let gone: Vec<Key> = self.workers.iter().filter(is_other).map(|(key, _)| key.clone()).collect();
        if gone.is_empty() {
            return;
        }
        self.latches.send_modify(|all| all.retain(|key, _| !gone.contains(key)));
        self.known.send_modify(|all| all.retain(|key, _| !gone.contains(key)));
        self.facts.send_modify(|all| all.retain(|key, _| !gone.contains(key)));
    }

    /// What each migration says. Of several for one Zone the oldest counts, then the one whose name comes first.
    fn orders(&self) -> BTreeMap<Key, Orders> {
        let mut first: BTreeMap<(&str, &str), (i64, &Key)> = BTreeMap::new();
        let going = |migration: &ZoneMigration| migration.metadata.deletion_timestamp.is_some();
        for (key, migration) in self.migrations.iter().filter(|(_, migration)| !going(migration)) {
            let age = migration.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
            let of = (key.0.as_str(), migration.spec.zone_ref.name.as_str());
            let one = first.entry(of).or_insert((age, key));
            *one = (*one).min((age, key));
        }
        let all = self.migrations.iter().filter(|(_, migration)| !going(migration));
        let orders = all.map(|(key, migration)| {
            let of = (key.0.as_str(), migration.spec.zone_ref.name.as_str());
            let other = first.get(&of).filter(|(_, first)| *first != key).map(|(_, first)| first.1.clone());
            (key.clone(), Orders { migration: migration.clone(), other })
        });
        orders.collect()
    }

    /// Serials of zones do not count any more once none is migrated.
    fn forget_serials(&self, there: &BTreeMap<Key, Orders>) {
        if there.is_empty() {
            self.tells.serials.send_if_modified(|serials| {
                let is_other = !serials.is_empty();
                serials.clear();
                is_other
            });
        }
    }
}

/// What the engine knows now, once it has time to say so.
async fn world(worlds: Worlds) -> Option<World> {
    let (answer, answered) = oneshot::channel();
    worlds.send(answer).await.ok()?;
    answered.await.ok().flatten()
}

/// Tells it where it is something else than before.
fn tell<T: PartialEq>(told: &watch::Sender<T>, now: T) {
    told.send_if_modified(|before| {
        let is_other = *before != now;
        *before = now;
        is_other
    });
}

/// An address with its port, or of port 53.
fn address(field: &str, text: &str) -> Result<std::net::SocketAddr, String> {
    let with_port = text.parse().or_else(|_| text.parse().map(|ip: std::net::IpAddr| (ip, PORT).into()));
    with_port.map_err(|_| {
        format!(
            "{field}: \"{text}\" is not an address: write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"
        )
    })
}
