//! What is written and asked no more often than it must be.

use crate::versions::Versions;
use crate::{hosts, programs, record, shared, zone};
use k8s_openapi::jiff::Timestamp;
use port53_crds::DNSRecord;
use port53_tests::eventually;
use port53_tests::platform::{Platform, Settings, condition};
use serde_json::Value;
use std::collections::BTreeMap;

const RECORDS: usize = 20;

/// Created, and told that it is served: two versions. One that had to wait is told what for, a second after it came
/// and not before; there is no third reason to write.
#[test]
fn a_record_that_is_served_at_once_has_one_status_write() {
    let platform = shared();
    let (namespace, domain) = platform.place("two-versions");
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    let mut told = Versions::of::<DNSRecord>(platform, &namespace);
    for n in 1..=RECORDS {
        platform.apply(&hosts(&namespace, n..=n, 2));
    }
    for n in 1..=RECORDS {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    // What is told of the others until this one is served is all that was written of them.
    platform.apply(&record(&namespace, "last", "here", "name: last, type: A, values: [192.0.2.99]"));
    platform.comes_to("dnsrecord", &namespace, "last", "Ready=True Served");
    let mut versions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    loop {
        let object = told.next(|| format!("{:?} and never the last", versions.keys()));
        let is_served = condition(&object, "Ready").0 == "True Served";
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        match (name.as_str(), is_served) {
            ("last", true) => break,
            ("last", false) => {}
            _ => versions.entry(name).or_default().push(object),
        }
    }
    assert_eq!(versions.len(), RECORDS);
    let mut at_once = 0;
    for (name, versions) in &versions {
        let said: Vec<String> = versions.iter().map(|object| condition(object, "Ready").0).collect();
        let [first, between @ .., last] = said.as_slice() else { panic!("{name}: {said:?}") };
        assert_eq!((first.as_str(), last.as_str()), ("not looked at", "True Served"), "{name}: {said:?}");
        let waited =
            |said: &String| ["False Pending", "False WaitingForNameservers"].contains(&said.as_str());
        assert!(between.len() <= 2 && between.iter().all(waited), "{name}: {said:?}");
        assert!(between.is_empty() || waits(&versions[1]) >= 1, "{name} was told too soon: {said:?}");
        at_once += usize::from(between.is_empty());
    }
    assert!(at_once > 0, "each of {RECORDS} was told in between: {versions:#?}");
}

/// How many seconds after it came an object was told that it is not Ready.
fn waits(object: &Value) -> i64 {
    let time =
        |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok()).expect("a time");
    let conditions = object["status"]["conditions"].as_array().expect("conditions");
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").expect("Ready");
    time(&ready["lastTransitionTime"]).as_second()
        - time(&object["metadata"]["creationTimestamp"]).as_second()
}

/// Requests for objects of Port53, watches apart, that the API server has answered.
fn asked(platform: &Platform) -> u64 {
    let metrics = platform.kubectl("get --raw /metrics");
    let ours = metrics.lines().filter(|line| {
        line.starts_with("apiserver_request_total{")
            && line.contains("group=\"port53.dev\"")
            && !line.contains("verb=\"WATCH\"")
    });
    ours.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

/// Waits until the API server has said once more that it is alive, which it does every ten seconds.
fn time_passes(platform: &Platform) {
    let said = || platform.kubectl("get --raw /apis/coordination.k8s.io/v1/namespaces/kube-system/leases");
    let before = renewed(&said());
    eventually("the API server renews its lease", || {
        let now = renewed(&said());
        if now != before { Ok(()) } else { Err(format!("{now:?}")) }
    });
}

fn renewed(leases: &str) -> Vec<Value> {
    let leases: Value = serde_json::from_str(leases).expect("JSON");
    let leases = leases["items"].as_array().expect("leases");
    assert!(!leases.is_empty(), "the API server has no lease");
    leases.iter().map(|lease| lease["spec"]["renewTime"].clone()).collect()
}

/// Operator and resolvers are told of what changes: where nothing does they ask for nothing.
#[test]
fn nothing_polls_the_api_server() {
    let settings = Settings { operator: vec!["--prune-interval=1s".to_owned()], ..Settings::default() };
    let platform = Platform::start(programs(), settings);
    let (namespace, domain) = platform.place("polls");
    // With the records there first the first version of the zone has them all: no checkpoint is to come.
    platform.apply(&hosts(&namespace, 1..=10, 2));
    for n in 1..=10 {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=False ZoneNotFound");
    }
    platform.apply(&zone(&namespace, "here", &domain));
    for n in 1..=10 {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    // What was under way, such as a look for what is not needed any more, is done by then.
    time_passes(&platform);
    time_passes(&platform);
    let before = asked(&platform);
    assert!(before > 0, "no such metric");
    time_passes(&platform);
    time_passes(&platform);
    assert_eq!(asked(&platform), before);
    // Whoever asks is seen.
    platform.get("zone", &namespace, "here").expect("it is there");
    eventually("one request more", || match asked(&platform) {
        now if now == before + 1 => Ok(()),
        now => Err(format!("{now} after {before}")),
    });
}
