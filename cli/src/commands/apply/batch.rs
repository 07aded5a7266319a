//! The objects of one `apply`, from what is written to what became of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures::{StreamExt, stream};
use kube::Error;
use kube::core::{DynamicObject, ResourceExt};
use port53_client::{explain, is_passing};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::args::Apply;
use crate::cluster::Cluster;
use crate::cluster::restore::{Applied, Restored};
use crate::cluster::rights::Wish;
use crate::cluster::send::{called, named, refusal};
use crate::cluster::verdict::{Verdict, generation};
use crate::cluster::wait::{Place, Seen};
use crate::directory::Manifest;
use crate::report::Style;

/// Requests on their way at once.
const AT_ONCE: usize = 16;

/// See the module.
pub(super) struct Batch<'a> {
    cluster: &'a Cluster,
    items: Vec<Item>,
    /// By kind and namespace, and name.
    index: HashMap<(Place, String), usize>,
    timeout: Duration,
    is_atomic: bool,
    is_forced: bool,
    style: Style,
    /// Nothing more is begun. What is on its way is waited for: what may still be applied cannot be put back.
    stop: CancellationToken,
}

/// An object and how far it is.
struct Item {
    manifest: Manifest,
    /// As it was before; for all or nothing.
    before: Option<DynamicObject>,
    /// As the API server took it.
    applied: Option<DynamicObject>,
    state: State,
}

#[derive(Debug)]
enum State {
    NotSent,
    /// What is said of it so far.
    Waiting(Verdict),
    Served,
    /// What is wrong was told.
    Wrong,
}

impl<'a> Batch<'a> {
    /// Zones come first, whatever the order in which things are written.
    pub(super) fn new(
        cluster: &'a Cluster,
        mut objects: Vec<Manifest>,
        arguments: &Apply,
        style: Style,
    ) -> Self {
        objects.sort_by_key(|manifest| manifest.value["kind"] != "Zone");
        let places = objects.iter().enumerate();
        let key = |value: &Value| (place(value), named(value).1.to_owned());
        let index = places.map(|(at, manifest)| (key(&manifest.value), at)).collect();
        let item = |manifest| Item { manifest, before: None, applied: None, state: State::NotSent };
        Batch {
            cluster,
            index,
            items: objects.into_iter().map(item).collect(),
            timeout: arguments.timeout.timeout,
            is_atomic: arguments.atomic,
            is_forced: arguments.force_conflicts,
            style,
            stop: CancellationToken::new(),
        }
    }

    /// What ends it before it is done.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Remembers every object as it is.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub(super) async fn remember(&mut self) -> Result<(), String> {
        let cluster = self.cluster;
        let mut reading = stream::iter(&mut self.items)
            .map(|item| async {
                let found = cluster.current(&item.manifest.value).await;
                let told = |error| format!("{}: {}", called(&item.manifest.value), explain(&error));
                item.before = found.map_err(told)?;
                Ok::<(), String>(())
            })
            .buffer_unordered(AT_ONCE);
        while let Some(read) = reading.next().await {
            read?;
        }
        Ok(())
    }

    /// Asks whether what is to be applied can be put back, before anything is.
    ///
    /// # Errors
    /// When it cannot be, or that cannot be asked.
    pub(super) async fn can_be_undone(&self) -> Result<(), String> {
        let mut names: BTreeMap<(&'static str, Place), Vec<&str>> = BTreeMap::new();
        for Item { manifest, before, .. } in &self.items {
            let verb = if before.is_none() { "delete" } else { "update" };
            names.entry((verb, place(&manifest.value))).or_default().push(named(&manifest.value).1);
        }
        for ((verb, place), names) in names {
            let wish = Wish { verb, place, names };
            if !self.cluster.may(&wish).await? {
                let what =
                    if verb == "delete" { "deletes what it made" } else { "puts back what it changed" };
                return Err(format!(
                    "nothing is applied: you may not {}, and --atomic {what} when something is wrong: grant that \
                     right, or leave out --atomic",
                    wish.text()
                ));
            }
        }
        Ok(())
    }

    /// Applies everything and waits for a verdict on each. Says whether all is served.
    ///
    /// # Errors
    /// When what becomes of the objects cannot be followed; nothing is applied then.
    pub(super) async fn carry_out(&mut self) -> Result<bool, String> {
        let distinct: BTreeSet<Place> = self.items.iter().map(|item| place(&item.manifest.value)).collect();
        let mut places = BTreeMap::new();
        for place in distinct {
            let version = self.cluster.version_of_place(&place).await.map_err(|error| {
                format!("the {}s of namespace {}: {}", place.kind, place.namespace, explain(&error))
            })?;
            places.insert(place, version);
        }
        self.send("Zone").await;
        self.send("DNSRecord").await;
        self.wait(places).await;
        Ok(self.items.iter().all(|item| matches!(item.state, State::Served)))
    }

    /// Puts every object back as it was, records before Zones. What could not be is told.
    pub(super) async fn restore(&self) {
        for kind in ["DNSRecord", "Zone"] {
            let of_kind = self.items.iter().filter(|item| item.manifest.value["kind"] == kind);
            let restoring = stream::iter(of_kind).map(|item| async move {
                let manifest = &item.manifest.value;
                let applied =
                    Applied { manifest, before: item.before.as_ref(), after: item.applied.as_ref() };
                (manifest, self.cluster.restore(&applied).await)
            });
            let mut restoring = restoring.buffer_unordered(AT_ONCE);
            while let Some((manifest, restored)) = restoring.next().await {
                let called = called(manifest);
                match restored {
                    Ok(Restored::Unchanged) => {}
                    Ok(Restored::AsBefore) => eprintln!("restored: {called} is as it was before"),
                    Ok(Restored::Deleted) => eprintln!("restored: {called} is deleted, for it was not there"),
                    Err(why) => eprintln!("{}: {called}: {why}", self.style.error("not restored")),
                }
            }
        }
    }

    fn are_any_waiting(&self) -> bool {
        self.items.iter().any(|item| matches!(item.state, State::Waiting(_)))
    }

    async fn send(&mut self, kind: &str) {
        let (cluster, is_forced) = (self.cluster, self.is_forced);
        let of_kind: Vec<(usize, Value)> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.manifest.value["kind"] == kind)
            .map(|(at, item)| (at, item.manifest.value.clone()))
            .collect();
        let mut sending = stream::iter(of_kind)
            .take_until(Box::pin(self.stop.clone().cancelled_owned()))
            .map(|(at, manifest)| async move { (at, cluster.apply(&manifest, is_forced).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((at, applied)) = sending.next().await {
            match applied {
                Ok(object) => {
                    self.items[at].applied = Some(object.clone());
                    self.items[at].state = State::Waiting(Verdict::NotSeen);
                    self.look(at, &object);
                }
                Err(error) => {
                    let unsure = if is_answer(&error) { "" } else { "; it may be applied all the same" };
                    self.is_wrong(at, "refused", &format!("{}{unsure}", refusal(&error)));
                }
            }
        }
    }

    async fn wait(&mut self, places: BTreeMap<Place, String>) {
        let until = Instant::now() + self.timeout;
        let mut following = self.cluster.follow(places);
        let stop = self.stop.clone();
        while self.are_any_waiting() {
            let seen = tokio::select! {
                () = stop.cancelled() => return,
                seen = following.next(until) => seen,
            };
            match seen {
                None => return self.are_late(following.lost()),
                Some(Seen::Object(place, object)) => {
                    if let Some(&at) = self.index.get(&(place, object.name_any())) {
                        self.look(at, &object);
                    }
                }
                Some(Seen::Gone(place, name)) => {
                    if let Some(&at) = self.index.get(&(place, name)) {
                        self.is_gone(at);
                    }
                }
                Some(Seen::All(of, names)) => {
                    for at in 0..self.items.len() {
                        let manifest = &self.items[at].manifest.value;
                        if place(manifest) == of && !names.contains(named(manifest).1) {
                            self.is_gone(at);
                        }
                    }
                }
            }
        }
    }

    /// Takes note of what is said of an object.
    fn look(&mut self, at: usize, object: &DynamicObject) {
        let item = &self.items[at];
        let (State::Waiting(_), Some(applied)) = (&item.state, &item.applied) else { return };
        let verdict = Verdict::of_plain(object, generation(applied));
        match verdict {
            Verdict::Ready(why) => {
                println!("{}: {}", called(&item.manifest.value), why.message);
                self.items[at].state = State::Served;
            }
            Verdict::Rejected(why) if why.is_about_zone() && self.is_zone_coming(at) => {
                self.items[at].state = State::Waiting(Verdict::Rejected(why));
            }
            Verdict::Rejected(why) => self.is_wrong(at, "rejected", &why.to_string()),
            Verdict::Aside(why) => self.is_wrong(at, "not served", &why.to_string()),
            Verdict::NotSeen | Verdict::Waiting(_) => self.items[at].state = State::Waiting(verdict),
        }
    }

    /// Whether the Zone of a record is among what is applied, and may still be accepted.
    fn is_zone_coming(&self, at: usize) -> bool {
        let zone = self.zone_of(at).map(|zone| &self.items[zone].state);
        matches!(zone, Some(State::Waiting(_) | State::Served))
    }

    /// The Zone of a record, where it is among what is applied.
    fn zone_of(&self, at: usize) -> Option<usize> {
        let manifest = &self.items[at].manifest.value;
        let reference = &manifest["spec"]["zoneRef"];
        let namespace = reference["namespace"].as_str().unwrap_or(named(manifest).0);
        let place = Place { kind: "Zone".to_owned(), namespace: namespace.to_owned() };
        self.index.get(&(place, reference["name"].as_str()?.to_owned())).copied()
    }

    fn is_gone(&mut self, at: usize) {
        if matches!(self.items[at].state, State::Waiting(_)) {
            self.is_wrong(at, "not served", "it was deleted meanwhile");
        }
    }

    /// The time is over.
    fn are_late(&mut self, lost: Option<&str>) {
        let lost = lost.map(|why| format!("; it cannot be followed: {why}")).unwrap_or_default();
        let after = format!("not served after {} s", self.timeout.as_secs());
        for at in 0..self.items.len() {
            if let State::Waiting(verdict) = &self.items[at].state {
                let why = format!("{}{lost}", verdict.why());
                self.is_wrong(at, &after, &why);
            }
        }
    }

    /// Tells what is wrong with an object, and with what waited for it.
    fn is_wrong(&mut self, at: usize, how: &str, why: &str) {
        let Manifest { value, file, line } = &self.items[at].manifest;
        eprintln!("{file}:{line}: {}: {}: {why}", self.style.error(how), called(value));
        self.items[at].state = State::Wrong;
        if self.is_atomic {
            self.stop.cancel();
        }
        if self.items[at].manifest.value["kind"] == "Zone" {
            self.zone_is_wrong(at);
        }
    }

    /// A Zone is not coming, so what is said of records that waited for it holds.
    fn zone_is_wrong(&mut self, zone: usize) {
        for at in 0..self.items.len() {
            if let State::Waiting(Verdict::Rejected(why)) = &self.items[at].state
                && self.zone_of(at) == Some(zone)
            {
                let why = why.to_string();
                self.is_wrong(at, "rejected", &why);
            }
        }
    }
}

fn place(manifest: &Value) -> Place {
    let kind = manifest["kind"].as_str().unwrap_or_default().to_owned();
    Place { kind, namespace: named(manifest).0.to_owned() }
}

/// Whether the API server was sure of what it said.
fn is_answer(error: &Error) -> bool {
    !is_passing(error)
}
