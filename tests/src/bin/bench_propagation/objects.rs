//! The Zones and DNSRecords of the measurement: what there is, and what changes next.

use kube::api::ApiResource;
use port53_crds::{DNSRecord, Zone};
use port53_tests::generate::Random;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Where they are.
pub(crate) const NAMESPACE: &str = "bench";

/// How many others change before a record changes again.
const RESTING: usize = 100;

/// Every record ever made, and which of them are there.
pub(crate) struct Objects {
    zones: usize,
    made: usize,
    addressed: usize,
    /// Records that are there and may change.
    there: Vec<usize>,
    /// Those that changed last.
    resting: VecDeque<usize>,
    random: Random,
}

/// What is done to a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    Add,
    Edit,
    Delete,
}

/// A change of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) act: Act,
    pub(crate) record: Record,
    /// Its address from now on.
    pub(crate) address: [u8; 4],
}

/// A DNSRecord, by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    number: usize,
    zones: usize,
}

impl Objects {
    pub(crate) fn new(zones: usize, seed: u64) -> Self {
        Objects {
            zones,
            made: 0,
            addressed: 0,
            there: Vec::new(),
            resting: VecDeque::new(),
            random: Random(seed),
        }
    }

    pub(crate) fn zones(&self) -> impl Iterator<Item = (String, Value)> {
        (0..self.zones).map(|zone| {
            let name = zone_name(zone);
            let object = json!({
                "apiVersion": "port53.dev/v1alpha1", "kind": "Zone",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"domain": format!("{name}.example")},
            });
            (name, object)
        })
    }

    /// A record that was not there before.
    pub(crate) fn add(&mut self) -> Change {
        let record = Record { number: self.made, zones: self.zones };
        self.made += 1;
        Change { act: Act::Add, record, address: self.next_address() }
    }

    /// An addition, an edit or a deletion, each as often, of any record that is not changing.
    pub(crate) fn change(&mut self) -> Change {
        let act = [Act::Add, Act::Edit, Act::Delete][self.random.below(3)];
        if act == Act::Add || self.there.is_empty() {
            return self.add();
        }
        let place = self.random.below(self.there.len());
        let number = self.there.swap_remove(place);
        Change { act, record: Record { number, zones: self.zones }, address: self.next_address() }
    }

    /// A change was made: after some others the record may change again. It is answered by then, so that no
    /// change meets the one before.
    pub(crate) fn done(&mut self, change: &Change) {
        if change.act != Act::Delete {
            self.resting.push_back(change.record.number);
        }
        if self.resting.len() > RESTING {
            self.there.extend(self.resting.pop_front());
        }
    }

    /// A pause of a Poisson process, in seconds.
    pub(crate) fn pause(&mut self, rate: f64) -> f64 {
        let uniform = (self.random.next() >> 11) as f64 / (1u64 << 53) as f64;
        -(1.0 - uniform).ln() / rate
    }

    fn next_address(&mut self) -> [u8; 4] {
        self.addressed += 1;
        let [_, b, c, d] = (self.addressed as u32).to_be_bytes();
        [10, b, c, d]
    }
}

impl Record {
    pub(crate) fn name(&self) -> String {
        format!("h{}", self.number)
    }

    /// The name in DNS.
    pub(crate) fn owner(&self) -> String {
        format!("{}.{}", self.name(), self.domain())
    }

    pub(crate) fn domain(&self) -> String {
        format!("{}.example", self.zone())
    }

    pub(crate) fn object(&self, [a, b, c, d]: [u8; 4]) -> Value {
        json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "DNSRecord",
            "metadata": {"name": self.name(), "namespace": NAMESPACE},
            "spec": {
                "zoneRef": {"name": self.zone()}, "name": self.name(), "type": "A", "ttl": 60,
                "values": [format!("{a}.{b}.{c}.{d}")],
            },
        })
    }

    fn zone(&self) -> String {
        zone_name(self.number % self.zones)
    }
}

fn zone_name(zone: usize) -> String {
    format!("zone{zone}")
}

pub(crate) fn zone_resource() -> ApiResource {
    ApiResource::erase::<Zone>(&())
}

pub(crate) fn record_resource() -> ApiResource {
    ApiResource::erase::<DNSRecord>(&())
}
