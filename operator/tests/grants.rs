//! Grants on records: which names and types another namespace may use, how many, and what goes with a grant.

mod support;

use port53_operator::verdict::Outcome::{Accepted, LastGoodKept, Rejected};
use serde_json::{Value, json};
use support::{Cluster, only, outcome, served};

/// example.com in namespace dns with these grants, and the namespaces shop and evil.
fn granting(records: Value) -> Cluster {
    Cluster::new().namespace("dns", "dns").namespace("shop", "shop").namespace("evil", "evil").zone(
        "dns/example-com",
        "example.com",
        json!({"records": records}),
    )
}

fn to_shop(names: &[&str]) -> Value {
    json!({"namespaces": {"matchLabels": {"team": "shop"}}, "names": names})
}

/// Whether `shop` may attach a record of this name and type, given one grant of names and types.
fn may(names: &[&str], types: &[&str], owner: &str, rtype: &str) -> bool {
    let value = match rtype {
        "A" | "TYPE1" => "192.0.2.1",
        "DS" => "1 8 2 0000000000000000000000000000000000000000000000000000000000000000",
        "TXT" => "text",
        _ => "target.example.net.",
    };
    let mut grant = to_shop(names);
    grant["types"] = json!(types);
    let plan = granting(json!([grant])).record("shop/r", owner, rtype, &[value]).plan();
    match outcome(&plan, "DNSRecord shop/r") {
        (Accepted, _) => true,
        (Rejected, reasons) => {
            assert_eq!(reasons, ["NotPermitted"]);
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_are_compared_label_by_label() {
    let granted: &[(&[&str], &str)] = &[
        (&["shop"], "shop"),
        (&["shop"], "SHOP"),
        (&["shop"], "\\115hop"),
        (&["shop"], "shop.example.com."),
        (&["SHOP.example.com."], "shop"),
        (&["*.shop"], "a.shop"),
        (&["*.shop"], "c.b.a.shop"),
        (&["*"], "anything.at.all"),
        (&["@"], "@"),
        (&["other", "shop"], "shop"),
    ];
    for (names, owner) in granted {
        assert!(may(names, &[], owner, "A"), "{names:?} {owner}");
    }
    let refused: &[(&[&str], &str)] = &[
        (&["shop"], "evilshop"),
        (&["shop"], "a.shop"),
        (&["shop"], "sho"),
        (&["shop"], "shop.evil"),
        (&["*.shop"], "shop"),
        (&["*.shop"], "evilshop"),
        (&["*.shop"], "a.evilshop"),
        // One label that has a dot in it is not two.
        (&["*.shop"], "a\\.shop"),
        (&["*"], "@"),
        (&["@"], "shop"),
        (&["shop.example.org."], "shop"),
        (&[], "shop"),
    ];
    for (names, owner) in refused {
        assert!(!may(names, &[], owner, "A"), "{names:?} {owner}");
    }
}

/// RFC 4592 §2.1.1: a wildcard answers for names that others may want later.
#[test]
fn wildcard_owners_are_granted_only_where_they_are_listed() {
    assert!(may(&["*.shop"], &[], "*.shop", "A"));
    assert!(may(&["*"], &[], "*", "A"));
    for (pattern, owner) in [("*", "*.shop"), ("*.shop", "*.a.shop"), ("shop", "*.shop"), ("*.shop", "*")] {
        assert!(!may(&[pattern], &[], owner, "A"), "{pattern} {owner}");
    }
    // An asterisk elsewhere is a label like others.
    assert!(may(&["*.shop"], &[], "a.*.shop", "A"));
    assert!(may(&["*.shop"], &[], "*a.shop", "A"));
}

#[test]
fn ns_ds_and_dname_are_granted_only_where_they_are_listed() {
    for rtype in ["NS", "DS", "DNAME"] {
        assert!(!may(&["shop"], &[], "shop", rtype), "{rtype}");
        assert!(!may(&["shop"], &["A", "TXT"], "shop", rtype), "{rtype}");
        assert!(may(&["shop"], &["A", rtype], "shop", rtype), "{rtype}");
    }
    assert!(may(&["shop"], &["TYPE39"], "shop", "DNAME"));
    assert!(may(&["shop"], &["A"], "shop", "TYPE1"), "the number is the same type");
    assert!(!may(&["shop"], &["TXT"], "shop", "A"));
}

#[test]
fn name_and_type_must_be_of_one_grant() {
    let mut a = to_shop(&["a"]);
    a["types"] = json!(["A"]);
    let mut b = to_shop(&["b"]);
    b["types"] = json!(["TXT"]);
    let plan = granting(json!([a, b])).record("shop/r", "b", "A", &["192.0.2.1"]).plan();
    assert_eq!(outcome(&plan, "DNSRecord shop/r"), (Rejected, vec!["NotPermitted"]));
}

#[test]
fn what_is_not_granted_names_field_holder_and_what_to_ask_for() {
    let cases = [
        ("evil/r", "www", "A", "spec.zoneRef", "grants nothing to namespace evil"),
        ("shop/r", "www", "A", "spec.name", "does not grant the name \"www\" to namespace shop"),
        ("shop/r", "*.shop", "A", "spec.name", "a wildcard only where it is listed"),
        ("shop/r", "shop", "DNAME", "spec.type", "only where the type is listed"),
    ];
    for (id, owner, rtype, field, part) in cases {
        let value = if rtype == "A" { "192.0.2.1" } else { "target.example.net" };
        let plan = granting(json!([to_shop(&["shop"])])).record(id, owner, rtype, &[value]).plan();
        let complaint = only(&plan, &format!("DNSRecord {id}"));
        assert_eq!(complaint.field, field);
        assert!(complaint.message.starts_with("Zone dns/example-com"), "{}", complaint.message);
        assert!(complaint.message.contains(part), "{}", complaint.message);
        assert!(
            complaint.fix.contains(&format!("the name \"{owner}\" and the type {rtype}")),
            "{}",
            complaint.fix
        );
    }
}

/// A namespace that nobody listed has the label of its name, as in a cluster.
#[test]
fn namespaces_are_selected_by_their_labels_and_their_name() {
    let by_name = json!([{
        "namespaces": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop", "unlisted"]}
        ]},
        "names": ["*"]
    }]);
    for (namespace, expected) in [("shop", Accepted), ("unlisted", Accepted), ("evil", Rejected)] {
        let id = format!("{namespace}/r");
        let plan = granting(by_name.clone()).record(&id, "www", "A", &["192.0.2.1"]).plan();
        assert_eq!(outcome(&plan, &format!("DNSRecord {id}")).0, expected);
    }
}

#[test]
fn what_loses_its_grant_goes() {
    let cluster =
        granting(json!([to_shop(&["shop"])])).record("shop/r", "shop", "A", &["192.0.2.1"]).publish();
    assert_eq!(served(&cluster.plan(), "example.com").len(), 2);
    let plan = cluster.zone("dns/example-com", "example.com", json!({})).plan();
    assert_eq!(outcome(&plan, "DNSRecord shop/r"), (Rejected, vec!["NotPermitted"]));
    assert_eq!(served(&plan, "example.com").len(), 1);
    assert!(plan.zones[0].is_new_version);
}

fn limited(limit: u32) -> Value {
    let mut grant = to_shop(&["*"]);
    grant["limit"] = json!(limit);
    json!([grant])
}

fn many(mut cluster: Cluster, numbers: std::ops::Range<u32>) -> Cluster {
    for i in numbers {
        let at = json!({"creationTimestamp": format!("2026-11-24T00:00:{:02}Z", 59 - i)});
        let id = format!("shop/r{i}");
        cluster = cluster.record_with(&id, &format!("r{i}"), "A", &["192.0.2.1"], at, json!({}));
    }
    cluster
}

#[test]
fn beyond_the_limit_the_youngest_are_refused() {
    let plan = many(granting(limited(3)), 0..5).plan();
    for (i, expected) in [Rejected, Rejected, Accepted, Accepted, Accepted].into_iter().enumerate() {
        assert_eq!(outcome(&plan, &format!("DNSRecord shop/r{i}")).0, expected, "{i}");
    }
    let complaint = only(&plan, "DNSRecord shop/r0");
    assert_eq!((complaint.field.as_str(), complaint.reason.as_str()), ("spec.zoneRef", "QuotaExceeded"));
    assert!(complaint.message.ends_with("grants: 3"), "{}", complaint.message);
    assert_eq!(plan.zones[0].rejected, 2);
}

#[test]
fn each_namespace_has_the_limit_for_itself() {
    let grant = json!([{"namespaces": {}, "names": ["*"], "limit": 1}]);
    let plan = granting(grant)
        .record("shop/a", "a", "A", &["192.0.2.1"])
        .record("evil/b", "b", "A", &["192.0.2.1"])
        .record("dns/c", "c", "A", &["192.0.2.1"])
        .record("dns/d", "d", "A", &["192.0.2.1"])
        .plan();
    assert_eq!(served(&plan, "example.com").len(), 5, "the zone's own namespace has no limit");
}

#[test]
fn a_limit_that_is_lowered_takes_nothing_away_and_lets_nothing_new_in() {
    let cluster = many(granting(limited(3)), 0..3).publish();
    let cluster = many(cluster.zone("dns/example-com", "example.com", json!({"records": limited(1)})), 3..4);
    let plan = cluster.plan();
    for i in 0..3 {
        assert_eq!(outcome(&plan, &format!("DNSRecord shop/r{i}")), (Accepted, vec![]), "{i}");
    }
    assert_eq!(outcome(&plan, "DNSRecord shop/r3"), (Rejected, vec!["QuotaExceeded"]));
    // What is there can still be edited; a place that is given up is gone.
    let plan = cluster.clone().record("shop/r0", "r0", "A", &["192.0.2.9"]).plan();
    assert_eq!(outcome(&plan, "DNSRecord shop/r0"), (Accepted, vec![]));
    let plan = cluster.without("shop/r0").plan();
    assert_eq!(outcome(&plan, "DNSRecord shop/r3"), (Rejected, vec!["QuotaExceeded"]));
}

#[test]
fn a_record_counts_against_the_grant_that_has_room() {
    let mut narrow = to_shop(&["r0", "r1"]);
    narrow["limit"] = json!(1);
    let plan = many(granting(json!([narrow, limited(1)[0]])), 0..3).plan();
    let accepted = (0..3).filter(|i| outcome(&plan, &format!("DNSRecord shop/r{i}")).0 == Accepted).count();
    assert_eq!(accepted, 2);
}

/// The last good version is in service under a grant as well: without it, it goes.
#[test]
fn a_wrong_version_keeps_the_last_good_one_only_while_it_is_granted() {
    let cluster =
        granting(json!([to_shop(&["shop"])])).record("shop/r", "shop", "A", &["192.0.2.1"]).publish();
    let cluster = cluster.record("shop/r", "shop", "A", &["192.0.2"]);
    assert_eq!(outcome(&cluster.plan(), "DNSRecord shop/r"), (LastGoodKept, vec!["InvalidValue"]));
    let plan = cluster.zone("dns/example-com", "example.com", json!({})).plan();
    assert_eq!(outcome(&plan, "DNSRecord shop/r").0, Rejected);
    assert_eq!(served(&plan, "example.com").len(), 1);
}
