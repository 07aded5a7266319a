//! Looks at the pods of a zone that moves here, again and again: a task for each migration, beside its worker, for that may
//! wait for legacy.
//!
//! It reads one page of each pod, of this zone alone, some at a time, and the metrics of those that are cut over while the
//! spec has limits for them. While nothing forwards nothing is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use port53_crds::{AnswerDifference, ShadowSeen, ZoneMigration};
use port53_zone::{Name, name};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::super::worker::Shared;
use super::super::{Orders, writing};
use super::book::Book;
use super::gate::Compared;
use super::limits::Looks;
use super::page::{self, Told};
use super::samples::Samples;
use super::{Rollouts, latch, seen};
use crate::admission::World;
use crate::cluster::confirm::Resolver;
use crate::cluster::pages;
use crate::index;
use crate::nameservers::soak::{self, Counted};
use crate::objects::ObjectRef;

/// How often pods are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Pods that are read at the same time, and octets of the page of one.
const AT_A_TIME: usize = 8;
const LARGEST: usize = 1 << 20;
/// How often counts that go on are told and kept: each is a write of the API server.
const TOLD_EVERY: Duration = Duration::from_secs(10);
const KEPT_EVERY: Duration = Duration::from_secs(30);
/// Pods that are named because they do not tell.
const NAMED: usize = 3;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Observed {
    /// When the last look began, and when it ended; nothing before the first.
    pub(in super::super) at: Option<[Instant; 2]>,
    /// What was compared in all by then.
    pub(in super::super) compared: Compared,
    /// As people are told, a moment ago at most.
    pub(in super::super) told: ShadowSeen,
    /// Whole, the newest first.
    pub(in super::super) samples: Arc<[AnswerDifference]>,
    /// Pods that do not tell what they count, and why.
    pub(in super::super) silent: Vec<String>,
}

/// The task, and what it sees.
pub(in super::super) struct Watching {
    pub(in super::super) observed: watch::Receiver<Observed>,
    _task: AbortOnDropHandle<()>,
}

impl Watching {
    /// Starts it. `before` are samples that were told of last.
    pub(in super::super) fn start(
        shared: Shared,
        orders: watch::Receiver<Orders>,
        worlds: watch::Receiver<Option<Arc<World>>>,
        before: impl Iterator<Item = AnswerDifference>,
    ) -> Self {
        let mut samples = Samples::default();
        samples.note(before);
        let (told, observed) = watch::channel(Observed::default());
        let watcher = Watcher {
            shared,
            orders,
            worlds,
            told,
            book: None,
            samples,
            looks: Looks::default(),
            told_at: None,
            kept: None,
        };
        Watching { observed, _task: AbortOnDropHandle::new(tokio::spawn(watcher.run())) }
    }
}

struct Watcher {
    shared: Shared,
    orders: watch::Receiver<Orders>,
    worlds: watch::Receiver<Option<Arc<World>>>,
    told: watch::Sender<Observed>,
    /// Nothing before it was read.
    book: Option<Book>,
    samples: Samples,
    looks: Looks,
    told_at: Option<Instant>,
    /// The book as it was kept last, and when.
    kept: Option<(Instant, Book)>,
}

/// What a look is at.
struct Look {
    migration: Arc<ZoneMigration>,
    apex: Name,
    resolvers: Vec<Resolver>,
    /// The nameservers that are told to answer by themselves.
    cut_over: BTreeSet<String>,
}

impl Watcher {
    /// Works until nobody gives orders any more.
    async fn run(mut self) {
        loop {
            match self.what() {
                Some(look) => self.look(&look).await,
                None => self.looks = Looks::default(),
            }
            tokio::select! {
                changed = self.orders.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// What there is to look at, while any nameserver is to forward.
    fn what(&mut self) -> Option<Look> {
        let orders = self.orders.borrow_and_update().clone();
        let world = self.worlds.borrow().clone()?;
        if orders.other.is_some() || orders.migration.spec.shadow.is_none() || self.shared.fence.is_closed() {
            return None;
        }
        let (namespace, _) = index::key(&orders.migration.metadata);
        let zone = ObjectRef::Zone { namespace, name: orders.migration.spec.zone_ref.name.clone() };
        let published = world.published.values().find(|published| published.holder == zone)?;
        let apex = published.content.apex().clone();
        let forwarding = world.forwardings.get(&apex)?;
        let rollouts = self.shared.rollouts.borrow();
        let resolvers = world.resolvers.iter().map(|resolver| at_its_health(resolver, &rollouts));
        Some(Look {
            migration: orders.migration,
            resolvers: resolvers.collect(),
            cut_over: forwarding.cut_over.iter().cloned().collect(),
            apex,
        })
    }

    async fn look(&mut self, look: &Look) {
        if self.book.is_none() && !self.read_book(look).await {
            return;
        }
        let at = Instant::now();
        let path = format!("/forwarding/{}", pages::escaped(&name::display(&look.apex)));
        let asked = look.resolvers.iter().cloned();
        let asked = asked.map(|resolver| page_of(resolver, path.clone(), look.apex.clone()));
        let asked: Vec<_> = asked.collect();
        let told: Vec<(Resolver, Result<Option<Told>, String>)> =
            stream::iter(asked).buffer_unordered(AT_A_TIME).collect().await;
        let now = Timestamp::now().as_second();
        let book = self.book.get_or_insert_default();
        let mut silent = Vec::new();
        for (resolver, told) in told {
            match told {
                Ok(Some(mut told)) => {
                    self.samples.note(std::mem::take(&mut told.samples));
                    book.note(&resolver.name, resolver.address, &told, now);
                }
                Ok(None) => {}
                Err(why) => silent.push(format!("{} at {} {why}", resolver.name, resolver.health)),
            }
        }
        silent.sort();
        self.say([at, Instant::now()], silent);
        self.keep(look).await;
        self.heed_limits(look).await;
    }

    /// Says what was seen: what is judged at once, what people are told now and then.
    fn say(&mut self, at: [Instant; 2], mut silent: Vec<String>) {
        let counts = self.book.as_ref().map(Book::counts).unwrap_or_default();
        let samples = self.samples.newest_first();
        let now_seen = seen(&counts, &samples);
        let compared = Compared { all: now_seen.compared, differing: now_seen.differing };
        let before = self.told.borrow().told.clone();
        // What is the first of its kind is told at once.
        let is_news = (before.forwarded == 0) != (now_seen.forwarded == 0)
            || (before.compared == 0) != (now_seen.compared == 0)
            || (before.differing == 0) != (now_seen.differing == 0);
        let is_due = self.told_at.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        let more = silent.len().saturating_sub(NAMED);
        silent.truncate(NAMED);
        if more > 0 {
            silent.push(format!("and {more} more"));
        }
        let is_told = (is_news || is_due) && before != now_seen;
        if is_told {
            self.told_at = Some(Instant::now());
        }
        self.told.send_modify(|observed| {
            (observed.at, observed.compared, observed.silent) = (Some(at), compared, silent);
            if is_told {
                observed.told = now_seen;
                observed.samples = samples.into();
            }
        });
    }

    /// Falls back where pods that are cut over do not answer as well as the spec asks.
    async fn heed_limits(&mut self, look: &Look) {
        let limits = look.migration.spec.shadow.as_ref().and_then(|shadow| shadow.fallback_on.as_ref());
        let key = index::key(&look.migration.metadata);
        let is_begun =
            latch::holding(&look.migration, self.shared.latches.borrow().get(&key), None).is_some();
        let Some(limits) = limits.filter(|_| !look.cut_over.is_empty() && !is_begun) else {
            self.looks = Looks::default();
            return;
        };
        let pods = look.resolvers.iter().filter(|resolver| look.cut_over.contains(&resolver.name));
        let asked: Vec<_> = pods.map(|resolver| count_of(resolver.health)).collect();
        let counted: Vec<(SocketAddr, Option<Counted>)> =
            stream::iter(asked).buffer_unordered(AT_A_TIME).collect().await;
        let counted: BTreeMap<SocketAddr, Counted> =
            counted.into_iter().filter_map(|(pod, counted)| Some((pod, counted?))).collect();
        self.looks.look(Instant::now(), counted);
        if let Some(beyond) = self.looks.judge(limits) {
            let Shared { client, fence, latches, .. } = &self.shared;
            latch::begin(client, fence, latches, &look.migration, &beyond).await;
            self.looks = Looks::default();
        }
    }

    async fn read_book(&mut self, look: &Look) -> bool {
        let uid = look.migration.metadata.uid.as_deref().unwrap_or_default();
        match writing::read_book(&self.shared.client, &self.shared.own, uid).await {
            Ok(book) => {
                let book = book.unwrap_or_default();
                self.kept = Some((Instant::now(), book.clone()));
                self.book = Some(book);
                true
            }
            Err(error) => {
                tracing::warn!(zone = name::display(&look.apex), "what was counted cannot be read: {error}");
                false
            }
        }
    }

    /// Keeps the book where it is another, now and then; the first counts of a nameserver at once.
    async fn keep(&mut self, look: &Look) {
        let Some(book) = &self.book else { return };
        let is_due = |(at, kept): &(Instant, Book)| {
            kept != book && (at.elapsed() >= KEPT_EVERY || kept.counts().len() != book.counts().len())
        };
        if self.kept.as_ref().is_some_and(|kept| !is_due(kept)) || self.shared.fence.is_closed() {
            return;
        }
        let uid = look.migration.metadata.uid.as_deref().unwrap_or_default();
        let whose = index::key(&look.migration.metadata);
        match writing::write_book(&self.shared.client, &self.shared.own, uid, &whose, book).await {
            Ok(()) => self.kept = Some((Instant::now(), book.clone())),
            Err(error) => tracing::warn!("what was counted is not kept yet: {error}"),
        }
    }
}

async fn page_of(resolver: Resolver, path: String, apex: Name) -> (Resolver, Result<Option<Told>, String>) {
    let page = pages::read(resolver.health, &path, LARGEST).await;
    let told = page.and_then(|page| page::read(&page, &apex, &resolver.name));
    (resolver, told)
}

/// One that does not say what it counted counts for nothing: whether it answers is asked by itself.
async fn count_of(pod: SocketAddr) -> (SocketAddr, Option<Counted>) {
    (pod, soak::counted(pod).await.ok())
}

/// Pods of a NameserverSet say how they are where their template says.
fn at_its_health(resolver: &Resolver, rollouts: &Rollouts) -> Resolver {
    let health = rollouts.health.get(&resolver.address).copied();
    Resolver { health: health.unwrap_or(resolver.health), ..resolver.clone() }
}
