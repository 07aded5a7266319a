//! Build: what changes, what is a new version, and which serial it has.

mod support;

use port53_operator::stages::Plan;
use port53_zone::content::Change;
use serde_json::{Value, json};
use support::{Cluster, n};

fn example(spec: Value) -> Cluster {
    Cluster::new().zone("dns/z", "example.com", spec)
}

/// Adds a record to the zone `dns/z`.
fn with(cluster: Cluster, id: &str, owner: &str, value: &str) -> Cluster {
    cluster.record_with(id, owner, "A", &[value], json!({}), json!({"zoneRef": {"name": "z"}}))
}

fn serial(plan: &Plan) -> u32 {
    plan.zones[0].soa.serial
}

#[test]
fn nothing_changed_is_no_new_version() {
    let cluster = with(example(json!({})), "dns/www", "www", "192.0.2.1").publish();
    let plan = cluster.plan();
    let zone = &plan.zones[0];
    assert!(!zone.is_new_version && zone.changes.is_empty());
    assert!(zone.applied.added.is_empty() && zone.applied.removed.is_empty());
    assert_eq!(zone.soa, cluster.published[&n("example.com")].soa);
}

#[test]
fn a_change_names_what_goes_and_comes_in_canonical_order() {
    let cluster = with(example(json!({})), "dns/a", "a", "192.0.2.1");
    let cluster = with(with(cluster, "dns/b", "b", "192.0.2.1"), "dns/c", "c", "192.0.2.1").publish();
    let cluster = with(with(cluster.without("dns/a"), "dns/b", "b", "192.0.2.2"), "dns/d", "d", "192.0.2.1");
    let plan = cluster.plan();
    let changes: Vec<String> = plan.zones[0]
        .changes
        .iter()
        .map(|change| match change {
            Change::Put { rrset, owner } => format!("put {} {}", rrset.name, owner.as_deref().unwrap_or("")),
            Change::Remove { name, rtype } => format!("remove {name} {rtype}"),
        })
        .collect();
    assert_eq!(changes, ["remove a.example.com A", "put b.example.com dns/b", "put d.example.com dns/d"]);
    assert!(plan.zones[0].is_new_version);
    assert_eq!((serial(&plan), plan.zones[0].accepted), (2, 4));
}

/// The data is the same, so nameservers need not hear of it; who owns it is kept all the same.
#[test]
fn what_only_changes_hands_is_no_new_version() {
    let cluster = with(example(json!({})), "dns/a", "www", "192.0.2.1").publish();
    let plan = with(cluster.without("dns/a"), "dns/b", "www", "192.0.2.1").plan();
    let zone = &plan.zones[0];
    assert_eq!((serial(&plan), zone.is_new_version, zone.changes.len()), (1, false, 1));
    let owner = zone.applied.content.owner_of(&n("www.example.com"), port53_zone::Rtype::A);
    assert_eq!(owner.as_deref(), Some("dns/b"));
}

#[test]
fn a_change_of_the_soa_alone_is_a_new_version() {
    let cluster = example(json!({})).publish();
    let plan = cluster.zone("dns/z", "example.com", json!({"soa": {"negativeTTL": 60}})).plan();
    assert_eq!((serial(&plan), plan.zones[0].is_new_version), (2, true));
    assert!(plan.zones[0].changes.is_empty());
}

/// 2026-11-24, as in the settings of these tests.
#[test]
fn the_serial_is_as_the_policy_has_it() {
    for (policy, first, second) in [
        ("Increment", 1, 2),
        ("UnixTime", 1_795_536_000, 1_795_536_001),
        ("Date", 2_026_112_400, 2_026_112_401),
    ] {
        let cluster = example(json!({"serialPolicy": policy})).publish();
        assert_eq!(serial(&cluster.plan()), first, "{policy}");
        assert_eq!(serial(&with(cluster, "dns/a", "a", "192.0.2.1").plan()), second, "{policy}");
    }
}

/// From dates to seconds since 1970 would be backwards (dns-traps "Serials").
#[test]
fn a_change_of_policy_never_goes_backwards() {
    let cluster = example(json!({"serialPolicy": "Date"})).publish();
    let plan = with(cluster, "dns/a", "a", "192.0.2.1")
        .zone("dns/z", "example.com", json!({"serialPolicy": "UnixTime"}))
        .plan();
    assert_eq!(serial(&plan), 2_026_112_401);
}

#[test]
fn every_serial_that_was_seen_is_exceeded() {
    let mut cluster = with(example(json!({})).publish(), "dns/a", "a", "192.0.2.1");
    cluster.serials.insert(n("example.com"), vec![41, 7]);
    assert_eq!(serial(&cluster.plan()), 42);
    cluster.serials.insert(n("example.com"), vec![u32::MAX]);
    assert_eq!(serial(&cluster.plan()), 2, "the published 1 is above 2^32 - 1 on the circle (RFC 1982 §3.2)");
    let mut new = example(json!({}));
    new.serials.insert(n("example.com"), vec![u32::MAX]);
    assert_eq!(serial(&new.plan()), 1);
}

#[test]
fn a_zone_begins_at_its_initial_serial_and_goes_on_from_there() {
    let spec = json!({"soa": {"initialSerial": 3_000_000_000_u32}});
    let cluster = example(spec).publish();
    assert_eq!(serial(&cluster.plan()), 3_000_000_000);
    assert!(!cluster.plan().zones[0].is_new_version);
    assert_eq!(serial(&with(cluster, "dns/a", "a", "192.0.2.1").plan()), 3_000_000_001);
}

/// Secondaries that saw a higher one would stay on it for ever.
#[test]
fn an_initial_serial_that_is_given_later_is_jumped_to_at_once() {
    let cluster = example(json!({})).publish();
    let plan = cluster.clone().zone("dns/z", "example.com", json!({"soa": {"initialSerial": 500}})).plan();
    assert_eq!((serial(&plan), plan.zones[0].is_new_version), (500, true));
    let mut beyond = cluster;
    beyond.published.get_mut(&n("example.com")).expect("published").soa.serial = 700;
    let plan = beyond.zone("dns/z", "example.com", json!({"soa": {"initialSerial": 500}})).plan();
    assert_eq!((serial(&plan), plan.zones[0].is_new_version), (700, false));
}
