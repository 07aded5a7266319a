//! The zones that have a legacy DNS: what their heads say of it, who answers, and what came of it.
//!
//! A zone gets a number when its head first speaks of forwarding, and keeps it as long as the process runs. What is
//! served ([`port53_zone::image::Zones`]) has the number of each zone that forwards now, and of no other; threads that
//! meet one find the zone by it, without a lock.

use super::counts::{Counts, Of};
use super::decide::{Answerer, Decision, decide};
use super::over::Override;
use super::samples::{Sample, Samples};
use super::server::Server;
use arc_swap::{ArcSwap, ArcSwapOption};
use port53_store::Forwarding;
use port53_zone::answer::forward::Question;
use port53_zone::image::Forward;
use port53_zone::{Name, Rtype};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A zone that has, or had, a legacy DNS.
#[derive(Debug)]
pub struct Zone {
    /// Its name.
    pub apex: Name,
    /// Since when it is counted.
    pub since: SystemTime,
    /// What became of its questions.
    pub counts: Counts,
    pub(super) said: ArcSwapOption<Said>,
    pub(super) in_flight: AtomicUsize,
    samples: Mutex<Samples>,
}

/// What its head says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) forwarding: Forwarding,
    /// In the order of the addresses.
    pub(super) servers: Vec<Arc<Server>>,
}

impl Zone {
    fn new(apex: Name) -> Self {
        Zone {
            apex,
            since: SystemTime::now(),
            counts: Counts::default(),
            said: ArcSwapOption::empty(),
            in_flight: AtomicUsize::new(0),
            samples: Mutex::default(),
        }
    }

    /// What is asked for, as far as that is counted apart.
    pub(super) fn of(&self, question: &Question) -> Of {
        match question.rtype() {
            Rtype::SOA if question.name().as_ref() == Some(&self.apex) => Of::ApexSoa,
            _ => Of::Other,
        }
    }

    /// Questions on their way to legacy.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Some of the differing answers, the newest of each kind first.
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).newest_first()
    }

    pub(super) fn add_sample(&self, kind: port53_zone::answer::compare::Difference, sample: Sample) {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).add(kind, sample);
    }
}

/// Zones by their numbers.
pub(crate) type Numbered = Arc<ArcSwap<Vec<Arc<Zone>>>>;

/// All of them, and what decides who answers. Callers lock it.
#[derive(Default)]
pub(crate) struct Directory {
    numbers: BTreeMap<Name, u32>,
    numbered: Numbered,
    servers: HashMap<SocketAddr, Arc<Server>>,
    nameserver: Option<String>,
    over: Override,
}

/// A zone with a legacy DNS, as of a moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The zone.
    pub zone: Arc<Zone>,
    /// What its head says.
    pub forwarding: Forwarding,
    /// Who answers.
    pub decision: Decision,
    /// The addresses of legacy that are not waited for now.
    pub given_up: Vec<SocketAddr>,
}

impl Directory {
    /// As a head says it. Whether that is new.
    pub(crate) fn say(&mut self, apex: &Name, forwarding: Option<Forwarding>) -> bool {
        if self.forwarding(apex) == forwarding {
            return false;
        }
        let Some(forwarding) = forwarding else {
            self.zone(apex).iter().for_each(|zone| zone.said.store(None));
            return true;
        };
        let servers = forwarding.addresses.iter();
        let servers = servers
            .map(|address| {
                let server = || Arc::new(Server::new(*address));
                self.servers.entry(*address).or_insert_with(server).clone()
            })
            .collect();
        let zone = self.zone(apex).unwrap_or_else(|| self.add(apex));
        zone.said.store(Some(Arc::new(Said { forwarding, servers })));
        true
    }

    /// What the head of a zone says.
    pub(crate) fn forwarding(&self, apex: &Name) -> Option<Forwarding> {
        Some(self.zone(apex)?.said.load().as_ref()?.forwarding.clone())
    }

    /// The number of a zone when it forwards.
    pub(crate) fn forward_of(&self, apex: &Name) -> Option<Forward> {
        let number = self.numbers.get(apex)?;
        let decision = self.decide(apex, &self.forwarding(apex)?);
        (decision.answers == Answerer::Legacy).then_some(Forward(*number))
    }

    pub(crate) fn apexes(&self) -> Vec<Name> {
        self.numbers.keys().cloned().collect()
    }

    /// Those with a legacy DNS, in canonical order.
    pub(crate) fn views(&self) -> Vec<View> {
        self.numbers.keys().filter_map(|apex| self.view(apex)).collect()
    }

    /// The same of one.
    pub(crate) fn view(&self, apex: &Name) -> Option<View> {
        let number = self.numbers.get(apex)?;
        let zone = self.numbered.load().get(*number as usize)?.clone();
        let said = zone.said.load_full()?;
        let given_up = said.servers.iter().filter(|server| server.is_given_up());
        Some(View {
            decision: self.decide(apex, &said.forwarding),
            forwarding: said.forwarding.clone(),
            given_up: given_up.map(|server| server.address).collect(),
            zone,
        })
    }

    pub(crate) fn numbered(&self) -> Numbered {
        self.numbered.clone()
    }

    pub(crate) fn nameserver(&self) -> Option<String> {
        self.nameserver.clone()
    }

    pub(crate) fn set_nameserver(&mut self, nameserver: Option<String>) {
        self.nameserver = nameserver;
    }

    pub(crate) fn over(&self) -> &Override {
        &self.over
    }

    pub(crate) fn set_override(&mut self, over: Override) {
        self.over = over;
    }

    fn decide(&self, apex: &Name, forwarding: &Forwarding) -> Decision {
        decide(forwarding, self.nameserver.as_deref(), self.over.of(apex))
    }

    fn zone(&self, apex: &Name) -> Option<Arc<Zone>> {
        self.numbered.load().get(*self.numbers.get(apex)? as usize).cloned()
    }

    fn add(&mut self, apex: &Name) -> Arc<Zone> {
        let zone = Arc::new(Zone::new(apex.clone()));
        let mut numbered = self.numbered.load().as_ref().clone();
        self.numbers.insert(apex.clone(), numbered.len() as u32);
        numbered.push(zone.clone());
        self.numbered.store(Arc::new(numbered));
        zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::name;

    fn apex(text: &str) -> Name {
        name::parse_absolute(text).expect("a name")
    }

    fn forwarding(cut_over: &[&str]) -> Option<Forwarding> {
        let mut forwarding = Forwarding::to("192.0.2.53:53".parse().expect("an address"));
        forwarding.cut_over = cut_over.iter().map(|name| (*name).to_owned()).collect();
        Some(forwarding)
    }

    #[test]
    fn a_zone_forwards_until_its_nameserver_is_cut_over_and_keeps_its_number() {
        let mut directory = Directory::default();
        let (com, org) = (apex("example.com"), apex("example.org"));
        directory.set_nameserver(Some("ns1".to_owned()));
        assert!(directory.say(&org, forwarding(&[])) && directory.say(&com, forwarding(&[])));
        assert!(!directory.say(&com, forwarding(&[])), "nothing new");
        assert_eq!(directory.forward_of(&com), Some(Forward(1)));
        assert!(directory.say(&com, forwarding(&["ns2"])));
        assert_eq!(directory.forward_of(&com), Some(Forward(1)));
        assert!(directory.say(&com, forwarding(&["ns2", "ns1"])));
        assert_eq!(directory.forward_of(&com), None);
        assert!(directory.say(&com, None) && !directory.say(&com, None));
        assert!(directory.say(&com, forwarding(&[])));
        assert_eq!(directory.forward_of(&apex("Example.COM")), Some(Forward(1)), "as before");
        assert_eq!(directory.forward_of(&apex("example.net")), None);
        // One legacy, one judgement of it.
        let servers =
            |apex| directory.zone(apex).expect("one").said.load_full().expect("said").servers.clone();
        assert!(Arc::ptr_eq(&servers(&com)[0], &servers(&org)[0]));
    }

    #[test]
    fn the_override_goes_before_the_head_where_there_is_a_legacy() {
        let mut directory = Directory::default();
        let com = apex("example.com");
        directory.set_nameserver(Some("ns1".to_owned()));
        directory.say(&com, forwarding(&["ns1"]));
        let mut over = Override::default();
        over.set(None, Some(Answerer::Legacy));
        directory.set_override(over);
        assert_eq!(directory.forward_of(&com), Some(Forward(0)));
        assert_eq!(directory.forward_of(&apex("example.org")), None, "it has none");
        directory.say(&com, None);
        assert_eq!(directory.forward_of(&com), None);
        assert!(directory.views().is_empty());
    }
}
