//! How long a plan takes when one record of one zone changed: `make bench-plan`, or
//! `cargo bench -p port53-operator --bench plan -- ZONES RECORDS PLANS`.
//!
//! And how long the webhook takes to judge one record that is written, with all that is published around it.
//!
//! Every plan is carried out before the next, as it is in a cluster: a plan that finds the change, and one that
//! finds it published. Prints microseconds of each; the processor and the commit are for who keeps the figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use port53_crds::{DNSRecord, Zone};
use port53_operator::objects::{ObjectRef, Objects};
use port53_operator::stages::{Inputs, MissingZone, Planner, Published, Settings, judge};
use port53_zone::Name;
use port53_zone::rules::Limits;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: port53_operator::program::Allocator = port53_operator::program::Allocator;

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let [zones, records, plans] = sizes[..] else { return measure(20, 10_000, 300) };
    measure(zones, records, plans);
}

fn measure(zones: usize, records: usize, plans: usize) {
    let mut bench = Bench::new(zones, records);
    let began = Instant::now();
    bench.plan();
    println!("{records} records in {zones} zones; the first plan: {:.1} ms", millis(began.elapsed()));
    bench.plan();
    let (mut changed, mut settled) = (Vec::new(), Vec::new());
    for number in 0..plans {
        bench.change(number * 37 % records, number);
        changed.push(bench.plan());
        settled.push(bench.plan());
    }
    let judged = (0..plans).map(|number| bench.judge(number * 37 % records, number)).collect();
    for (what, mut times) in [
        ("with one record changed", changed),
        ("with nothing changed", settled),
        ("one record judged for the webhook", judged),
    ] {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_micros();
        println!("{what}: p50 {} µs, p99 {} µs of {plans} plans", at(50), at(99));
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

struct Bench {
    objects: Objects,
    published: BTreeMap<Name, Published>,
    planner: Planner,
    zones: usize,
}

impl Bench {
    fn new(zones: usize, records: usize) -> Self {
        let of_zones = (0..zones).map(|n| Arc::new(zone(n))).collect();
        let of_records = (0..records).map(|n| Arc::new(record(n, n % zones, 0))).collect();
        let objects = Objects { zones: of_zones, records: of_records, ..Objects::default() };
        Bench { objects, published: BTreeMap::new(), planner: Planner::default(), zones }
    }

    fn change(&mut self, number: usize, value: usize) {
        self.objects.records.put(Arc::new(record(number, number % self.zones, value + 1)));
    }

    /// Judges an edit of a record, in the world as it is copied for a review.
    fn judge(&self, number: usize, value: usize) -> Duration {
        let settings = settings();
        let serials = BTreeMap::new();
        let began = Instant::now();
        let (mut objects, published) = (self.objects.clone(), self.published.clone());
        let record = record(number, number % self.zones, value + 7);
        let asked = ObjectRef::of_record(&record);
        objects.records.put(Arc::new(record));
        let inputs =
            Inputs { objects: &objects, published: &published, serials: &serials, settings: &settings };
        assert!(judge(&inputs, &asked).is_some());
        began.elapsed()
    }

    /// Plans, and publishes what came of it.
    fn plan(&mut self) -> Duration {
        let settings = settings();
        let serials = BTreeMap::new();
        let inputs = Inputs {
            objects: &self.objects,
            published: &self.published,
            serials: &serials,
            settings: &settings,
        };
        let began = Instant::now();
        let plan = self.planner.plan(&inputs);
        let took = began.elapsed();
        for zone in plan.zones.iter().filter(|zone| zone.is_new_version) {
            let published = Published {
                holder: zone.holder.clone(),
                content: zone.applied.content.clone(),
                soa: zone.soa.clone(),
            };
            self.published.insert(zone.apex.clone(), published);
        }
        took
    }
}

fn settings() -> Settings {
    Settings {
        now: 1_795_536_000,
        salt: [1; 16],
        limits: Limits::default(),
        nameservers: Vec::new(),
        sets: None,
        apexes: BTreeMap::new(),
        missing_zone: MissingZone::Keep,
    }
}

fn object<T: serde::de::DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap_or_else(|error| panic!("an object: {error}"))
}

fn zone(number: usize) -> Zone {
    object(json!({
        "apiVersion": "port53.dev/v1alpha1",
        "kind": "Zone",
        "metadata": {"namespace": "dns", "name": format!("zone-{number}"), "generation": 1},
        "spec": {"domain": format!("zone-{number}.example"), "nameservers": ["ns1.example.net", "ns2.example.net"]},
    }))
}

fn record(number: usize, zone: usize, value: usize) -> DNSRecord {
    let (kind, values) = match number % 10 {
        0..=5 => ("A", vec![format!("192.0.{}.{}", value / 250 % 250, value % 250)]),
        6 | 7 => ("AAAA", vec![format!("2001:db8::{value:x}"), "2001:db8::ffff".to_owned()]),
        8 => ("CNAME", vec![format!("target-{value}.example.net.")]),
        _ => ("TXT", vec![format!("v=spf1 include:_spf-{value}.example.net -all")]),
    };
    object(json!({
        "apiVersion": "port53.dev/v1alpha1",
        "kind": "DNSRecord",
        "metadata": {"namespace": "dns", "name": format!("r{number:06}"), "generation": value + 1},
        "spec": {
            "zoneRef": {"name": format!("zone-{zone}")},
            "name": format!("host-{number}"),
            "type": kind,
            "values": values,
        },
    }))
}
