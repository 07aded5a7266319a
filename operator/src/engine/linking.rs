//! What others ask of the engine, and tell it: the controller of nameservers, and the webhook.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use port53_store::Forwarding;
use port53_zone::{Name, rules};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{oneshot, watch};

use super::both::{Counterparts, First};
use super::{Engine, wall};
use crate::admission::{DualWrites, World};
use crate::proof::oracle::{self, Zones};
use crate::stages::{self, Apex, MissingZone, SetTerms};

/// Who answers for zones, by apex: nothing where every nameserver does by itself.
pub type Forwardings = BTreeMap<Name, Option<Forwarding>>;

/// Which NS the apexes of zones show that move here.
pub type Apexes = BTreeMap<Name, Apex>;

/// Who asks and tells; nobody where there is none.
#[derive(Debug, Default)]
pub struct Links {
    /// The controller of nameservers asks for the zones as they are published.
    pub snapshots: Option<Receiver<oneshot::Sender<Zones>>>,
    /// It tells what sets there are, once it knows: whose zones they take, and hostnames of nameservers that were found to
    /// answer rightly.
    pub sets: Option<watch::Receiver<Option<Arc<[SetTerms]>>>>,
    /// The webhook and the migrations ask for the world.
    pub worlds: Option<Receiver<oneshot::Sender<Option<World>>>>,
    /// The migrations tell the serials of zones at legacy: those here are to be above them.
    pub serials: Option<watch::Receiver<BTreeMap<Name, u32>>>,
    /// And who is to answer for zones that move here. Of those that are not among them nothing changes.
    pub forwardings: Option<watch::Receiver<Forwardings>>,
    /// And of which zones a legacy DNS is to have each change first.
    pub counterparts: Option<watch::Receiver<Counterparts>>,
    /// And which NS their apexes show.
    pub apexes: Option<watch::Receiver<Apexes>>,
}

/// What was asked or told.
pub(super) enum Linked {
    Snapshot(oneshot::Sender<Zones>),
    World(oneshot::Sender<Option<World>>),
    Sets(Option<Arc<[SetTerms]>>),
    Serials(BTreeMap<Name, u32>),
    Forwardings(Forwardings),
    Counterparts(Counterparts),
    Apexes(Apexes),
}

pub(super) async fn hear_links(links: &mut Links) -> Linked {
    tokio::select! {
        Some(answer) = next(&mut links.snapshots) => Linked::Snapshot(answer),
        Some(answer) = next(&mut links.worlds) => Linked::World(answer),
        Some(sets) = changed(&mut links.sets) => Linked::Sets(sets),
        Some(serials) = changed(&mut links.serials) => Linked::Serials(serials),
        Some(forwardings) = changed(&mut links.forwardings) => Linked::Forwardings(forwardings),
        Some(counterparts) = changed(&mut links.counterparts) => Linked::Counterparts(counterparts),
        Some(apexes) = changed(&mut links.apexes) => Linked::Apexes(apexes),
        else => std::future::pending().await,
    }
}

async fn next<T>(receiver: &mut Option<Receiver<T>>) -> Option<T> {
    receiver.as_mut()?.recv().await
}

async fn changed<T: Clone>(receiver: &mut Option<watch::Receiver<T>>) -> Option<T> {
    let receiver = receiver.as_mut()?;
    receiver.changed().await.ok()?;
    Some(receiver.borrow_and_update().clone())
}

impl Engine {
    /// The zones as they are published, once all of them are known. Contents are shared, not copied.
    pub(super) fn snapshot(&self) -> Option<Zones> {
        (self.is_ready() && self.unknown_zones().is_empty()).then(|| self.all_published())
    }

    fn all_published(&self) -> Zones {
        Zones::new(
            self.published.values().map(|published| oracle::Zone {
                content: published.content.clone(),
                soa: published.soa.clone(),
            }),
        )
    }

    /// What the next plan would start from, once that is known.
    pub(super) fn world(&mut self) -> Option<World> {
        if !self.is_ready() {
            return None;
        }
        let withdrawn = self.withdrawn_zones();
        // Of what cannot be read yet only the holder is known: it is not empty.
        let unknown = self.unknown_zones();
        let mut published = self.published.clone();
        unknown.iter().for_each(|apex| drop(published.remove(apex)));
        Some(World {
            at: Instant::now(),
            objects: self.index.objects(&withdrawn),
            published,
            settings: self.stage_settings(),
            scope: self.settings.scope.clone(),
            of_others: self.index.of_others().clone(),
            resolvers: self.resolvers.clone(),
            forwardings: self.forwardings_now(),
            dual_writes: self.dual_writes_now(),
            counterparts: self.counterparts.clone().unwrap_or_default(),
        })
    }

    /// What is on its way to legacy and here, as the heads say.
    fn dual_writes_now(&self) -> BTreeMap<Name, DualWrites> {
        let zones = self.zones.iter().filter_map(|(apex, zone)| {
            let intents = zone.serving()?.head.intents.as_ref()?;
            let names: Vec<Name> = intents.iter().map(|intent| intent.name.clone()).collect();
            let unseen = names.iter().cloned().chain(zone.both.written_names()).collect();
            Some((apex.clone(), DualWrites { names, unseen, not_removed: zone.both.not_removed.clone() }))
        });
        zones.collect()
    }

    /// Who is to have changes of a zone first.
    pub(super) fn first(&self, apex: &Name) -> First {
        match &self.counterparts {
            None => First::Unknown,
            Some(counterparts) => match counterparts.get(apex) {
                Some(counterpart) => First::Legacy(counterpart.clone()),
                None => First::Nobody,
            },
        }
    }

    /// Who answers for zones that move here, as it is published.
    fn forwardings_now(&self) -> BTreeMap<Name, Forwarding> {
        let heads = self.zones.iter().filter_map(|(apex, zone)| Some((apex, &zone.serving()?.head)));
        heads.filter_map(|(apex, head)| Some((apex.clone(), head.forwarding.clone()?))).collect()
    }

    /// Which NS apexes show of zones that move here. While the one whose migration it is has not told, and after it is gone,
    /// what is published stays as long as nameservers answer with what legacy says.
    fn apexes_now(&self) -> Apexes {
        let heads = self.zones.iter().filter_map(|(apex, zone)| Some((apex, &zone.serving()?.head)));
        let moving = heads.filter(|(_, head)| head.forwarding.is_some());
        let mut all: Apexes = moving.map(|(apex, _)| (apex.clone(), Apex::AsPublished)).collect();
        all.extend(self.apexes.iter().map(|(apex, shown)| (apex.clone(), shown.clone())));
        all
    }

    /// How the stages are to go about it now.
    pub(super) fn stage_settings(&self) -> stages::Settings {
        stages::Settings {
            now: wall().as_second().try_into().unwrap_or_default(),
            salt: crate::salt(),
            limits: rules::Limits::default(),
            nameservers: self.settings.nameservers.clone(),
            sets: self.sets.clone(),
            apexes: self.apexes_now(),
            missing_zone: MissingZone::Keep,
        }
    }
}
