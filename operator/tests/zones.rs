//! Zones: who holds a domain, who may hold one below another, and what stays when a holder goes.

mod support;

use port53_operator::stages::MissingZone;
use port53_operator::verdict::Outcome::{Accepted, LastGoodKept, Rejected};
use serde_json::{Value, json};
use support::{Cluster, n, only, outcome, served, verdict, zones};

/// Namespaces dns and labs; dns holds example.com with these grants to zones below.
fn parent(children: Value) -> Cluster {
    Cluster::new().namespace("dns", "dns").namespace("labs", "labs").zone(
        "dns/example-com",
        "example.com",
        json!({"children": children}),
    )
}

fn to_labs(names: &[&str]) -> Value {
    json!([{"namespaces": {"matchLabels": {"team": "labs"}}, "names": names}])
}

#[test]
fn a_zone_below_one_of_another_namespace_needs_its_grant() {
    let plan = parent(json!([])).zone("labs/labs", "labs.example.com", json!({})).plan();
    let complaint = only(&plan, "Zone labs/labs");
    assert_eq!((complaint.field.as_str(), complaint.reason.as_str()), ("spec.domain", "NotPermitted"));
    assert!(complaint.message.contains("Zone dns/example-com"), "{}", complaint.message);
    assert!(complaint.fix.contains("spec.children of Zone dns/example-com"), "{}", complaint.fix);
    assert!(complaint.fix.contains("namespace labs and the name \"labs\""), "{}", complaint.fix);
    assert_eq!(zones(&plan), ["example.com."]);
    // In the namespace of the zone above no grant is needed.
    let plan = parent(json!([])).zone("dns/labs", "labs.example.com", json!({})).plan();
    assert_eq!(zones(&plan), ["example.com.", "labs.example.com."]);
}

#[test]
fn a_grant_to_zones_below_is_compared_label_by_label() {
    let cases = [
        (vec!["labs"], "labs.example.com", true),
        (vec!["labs"], "LABS.example.com.", true),
        (vec!["labs"], "evillabs.example.com", false),
        (vec!["labs"], "a.labs.example.com", false),
        (vec!["*.labs"], "a.labs.example.com", true),
        (vec!["*.labs"], "b.a.labs.example.com", true),
        (vec!["*.labs"], "labs.example.com", false),
        (vec!["*.labs"], "a.evillabs.example.com", false),
        (vec!["other", "labs"], "labs.example.com", true),
        (vec!["labs.example.com."], "labs.example.com", true),
    ];
    for (names, domain, is_granted) in cases {
        let plan = parent(to_labs(&names)).zone("labs/labs", domain, json!({})).plan();
        let expected = if is_granted { Accepted } else { Rejected };
        assert_eq!(outcome(&plan, "Zone labs/labs").0, expected, "{names:?} {domain}");
    }
    let plan = parent(to_labs(&["*"])).namespace("shop", "shop").zone("shop/x", "x.example.com", json!({}));
    assert_eq!(outcome(&plan.plan(), "Zone shop/x"), (Rejected, vec!["NotPermitted"]));
}

#[test]
fn the_zone_next_above_grants_not_one_further_up() {
    let cluster = parent(to_labs(&["labs", "*.labs"])).namespace("shop", "shop");
    let cluster = cluster.zone("labs/labs", "labs.example.com", json!({}));
    let plan = cluster.zone("shop/x", "x.labs.example.com", json!({})).plan();
    let complaint = only(&plan, "Zone shop/x");
    assert_eq!(complaint.reason.as_str(), "NotPermitted");
    assert!(complaint.message.contains("Zone labs/labs"), "{}", complaint.message);
}

#[test]
fn a_domain_is_not_taken_from_above() {
    let at = |second| json!({"creationTimestamp": format!("2026-11-24T00:00:{second:02}Z")});
    let plan = Cluster::new()
        .zone_with("labs/labs", "labs.example.com", at(1), json!({}))
        .zone_with("dns/example-com", "example.com", at(2), json!({}))
        .plan();
    assert_eq!(zones(&plan), ["labs.example.com."]);
    let complaint = only(&plan, "Zone dns/example-com");
    assert_eq!(complaint.reason.as_str(), "NotPermitted");
    assert!(complaint.message.contains("above labs.example.com., which Zone labs/labs holds"));
    // Nor when the zone below is published, whatever the age of the one above.
    let plan = Cluster::new()
        .zone_with("labs/labs", "labs.example.com", at(2), json!({}))
        .publish()
        .zone_with("dns/example-com", "example.com", at(1), json!({"children": to_labs(&["labs"])}))
        .plan();
    assert_eq!(outcome(&plan, "Zone dns/example-com"), (Rejected, vec!["NotPermitted"]));
    assert_eq!(zones(&plan), ["labs.example.com."]);
}

#[test]
fn of_two_zones_of_one_domain_the_published_then_the_oldest_then_the_first_by_name_holds_it() {
    let at = |second: u32| json!({"creationTimestamp": format!("2026-11-24T00:00:{second:02}Z")});
    let two = |a: Value, b: Value| {
        Cluster::new().zone_with("a/first", "example.com", a, json!({})).zone_with(
            "b/second",
            "EXAMPLE.com.",
            b,
            json!({}),
        )
    };
    let plan = two(at(5), at(5)).plan();
    assert_eq!(outcome(&plan, "Zone a/first"), (Accepted, vec![]));
    let complaint = only(&plan, "Zone b/second");
    assert_eq!(complaint.reason.as_str(), "Conflicted");
    assert!(complaint.message.contains("held by Zone a/first"), "{}", complaint.message);
    let plan = two(at(5), at(4)).plan();
    assert_eq!(outcome(&plan, "Zone b/second"), (Accepted, vec![]));
    let published = Cluster::new().zone_with("a/first", "example.com", at(5), json!({})).publish();
    let plan = published.zone_with("b/second", "example.com", at(1), json!({})).plan();
    assert_eq!(outcome(&plan, "Zone a/first"), (Accepted, vec![]));
    assert_eq!(outcome(&plan, "Zone b/second"), (Rejected, vec!["Conflicted"]));
}

#[test]
fn records_of_a_zone_that_is_not_accepted_say_so() {
    let plan = Cluster::new()
        .zone("a/example-com", "example.com", json!({}))
        .zone("dns/example-com", "example.com", json!({}))
        .record("dns/www", "www", "A", &["192.0.2.1"])
        .plan();
    let complaint = only(&plan, "DNSRecord dns/www");
    assert_eq!((complaint.field.as_str(), complaint.reason.as_str()), ("spec.zoneRef", "ZoneNotAccepted"));
    assert_eq!(served(&plan, "example.com"), ["example.com. NS ns1.dns.example.net."]);
}

/// The Zone was published, and then another namespace took the grant of the zone above away.
#[test]
fn records_of_a_published_zone_that_is_refused_say_that_they_stay() {
    let www = |zone: &str| json!({"zoneRef": {"namespace": "labs", "name": zone}});
    let cluster = parent(to_labs(&["labs"]))
        .zone("labs/labs", "labs.example.com", json!({}))
        .record_with("labs/www", "www", "A", &["192.0.2.1"], json!({}), www("labs"))
        .publish()
        .record_with("labs/new", "new", "A", &["192.0.2.1"], json!({}), www("labs"));
    let plan = cluster.zone("dns/example-com", "example.com", json!({})).plan();
    assert_eq!(outcome(&plan, "Zone labs/labs"), (LastGoodKept, vec!["NotPermitted"]));
    assert_eq!(outcome(&plan, "DNSRecord labs/www"), (LastGoodKept, vec!["ZoneNotAccepted"]));
    assert_eq!(outcome(&plan, "DNSRecord labs/new"), (Rejected, vec!["ZoneNotAccepted"]));
}

#[test]
fn a_zone_that_can_no_longer_be_read_stays_as_it_is_published() {
    let cluster = Cluster::new()
        .zone("dns/example-com", "example.com", json!({}))
        .record("dns/www", "www", "A", &["192.0.2.1"])
        .publish();
    let before = served(&cluster.plan(), "example.com");
    // Its domain cannot be read: also where a zone that is gone is withdrawn, because this one is there.
    for missing_zone in [MissingZone::Keep, MissingZone::Withdraw] {
        let mut cluster = cluster.clone().zone("dns/example-com", "example..com", json!({}));
        cluster.settings.missing_zone = missing_zone;
        let plan = cluster.plan();
        assert_eq!(outcome(&plan, "Zone dns/example-com"), (LastGoodKept, vec!["InvalidName"]));
        assert_eq!(served(&plan, "example.com"), before);
        assert!(plan.withdrawn.is_empty());
    }
    // Its nameservers cannot be read: the records go on.
    let plan = cluster
        .zone("dns/example-com", "example.com", json!({"nameservers": ["ns1..example.net"]}))
        .record("dns/new", "new", "A", &["192.0.2.2"])
        .plan();
    assert_eq!(outcome(&plan, "Zone dns/example-com"), (LastGoodKept, vec!["InvalidSpec"]));
    assert_eq!(served(&plan, "example.com").len(), 3);
    assert_eq!(served(&plan, "example.com")[0], before[0]);
}

#[test]
fn a_new_zone_that_cannot_be_read_names_the_field_and_what_to_write() {
    let cases = [
        ("example..com", json!({}), "spec.domain", "InvalidName", "in full"),
        (
            "example.com",
            json!({"nameservers": ["ns1", "ns..1"]}),
            "spec.nameservers[1]",
            "InvalidSpec",
            "ns1",
        ),
        ("example.com", json!({"soa": {"primary": "a..b"}}), "spec.soa.primary", "InvalidSpec", "hostname"),
        ("example.com", json!({"soa": {"contact": "a@b..c"}}), "spec.soa.contact", "InvalidSpec", "mailbox"),
    ];
    for (domain, spec, field, reason, part) in cases {
        let plan =
            Cluster::new().zone("dns/z", domain, spec).zone("dns/other", "example.org", json!({})).plan();
        let complaint = only(&plan, "Zone dns/z");
        assert_eq!((complaint.field.as_str(), complaint.reason.as_str()), (field, reason));
        assert!(complaint.fix.contains(part), "{}", complaint.fix);
        assert_eq!(outcome(&plan, "Zone dns/z").0, Rejected);
        assert_eq!(zones(&plan), ["example.org."]);
    }
}

/// Absence removes nothing: what the missing one held, it holds.
#[test]
fn the_domain_of_a_zone_that_is_missing_is_not_free() {
    let cluster = Cluster::new().zone("dns/example-com", "example.com", json!({})).publish();
    let missing = cluster.without_zone("dns/example-com");
    let plan = missing.clone().zone("evil/example-com", "example.com", json!({})).plan();
    assert_eq!(outcome(&plan, "Zone evil/example-com"), (Rejected, vec!["Conflicted"]));
    let complaint = only(&plan, "Zone evil/example-com");
    assert!(
        complaint.message.contains("served without a Zone: Zone dns/example-com"),
        "{}",
        complaint.message
    );
    assert!(complaint.fix.contains("create Zone dns/example-com again"), "{}", complaint.fix);
    assert!(complaint.fix.contains("delete it without the annotation"), "{}", complaint.fix);
    assert_eq!(zones(&plan), ["example.com."]);
    for (domain, relation) in [("www.example.com", "below"), ("com", "above")] {
        let plan = missing.clone().zone("evil/zone", domain, json!({})).plan();
        let complaint = only(&plan, "Zone evil/zone");
        assert_eq!(complaint.reason.as_str(), "NotPermitted", "{domain}");
        assert!(complaint.message.contains(relation), "{}", complaint.message);
        assert_eq!(zones(&plan), ["example.com."]);
    }
    // Withdrawn, it is free.
    let mut withdrawing = missing.zone("other/example-com", "example.com", json!({}));
    withdrawing.settings.missing_zone = MissingZone::Withdraw;
    let plan = withdrawing.plan();
    assert_eq!(outcome(&plan, "Zone other/example-com"), (Accepted, vec![]));
    assert!(plan.withdrawn.is_empty());
}

#[test]
fn a_zone_whose_grant_is_gone_stays_as_it_is_published_and_says_so() {
    let cluster = parent(to_labs(&["labs"])).zone("labs/labs", "labs.example.com", json!({})).publish();
    let plan = cluster.zone("dns/example-com", "example.com", json!({})).plan();
    assert_eq!(outcome(&plan, "Zone labs/labs"), (LastGoodKept, vec!["NotPermitted"]));
    assert_eq!(zones(&plan), ["example.com.", "labs.example.com."]);
}

#[test]
fn a_domain_that_was_changed_in_a_directory_moves() {
    let mut cluster = Cluster::new().zone("dns/z", "example.com", json!({})).publish();
    cluster.settings.missing_zone = MissingZone::Withdraw;
    let plan = cluster.zone("dns/z", "example.org", json!({})).plan();
    assert_eq!(zones(&plan), ["example.org."]);
    assert_eq!(plan.withdrawn, [n("example.com")]);
}

/// Nothing of the SOA is from us but the serial.
#[test]
fn the_soa_is_as_the_zone_says() {
    let soa = json!({
        "primary": "ns9.example.net", "contact": "host.master@example.org", "ttl": 1, "refresh": 2, "retry": 3,
        "expire": 4, "negativeTTL": 5
    });
    let plan = Cluster::new().zone("dns/z", "example.com", json!({"soa": soa})).plan();
    let soa = &plan.zones[0].soa;
    assert_eq!(
        (soa.primary.clone(), soa.contact.clone()),
        (n("ns9.example.net"), n("host\\.master.example.org"))
    );
    assert_eq!((soa.ttl, soa.refresh, soa.retry, soa.expire, soa.minimum), (1, 2, 3, 4, 5));
    let plan = Cluster::new().zone("dns/z", "example.com", json!({})).plan();
    let soa = &plan.zones[0].soa;
    assert_eq!(
        (soa.primary.clone(), soa.contact.clone()),
        (n("ns1.dns.example.net"), n("hostmaster.example.com"))
    );
    let plan = Cluster::new().zone("dns/z", "example.com", json!({"nameservers": []})).plan();
    assert_eq!(only(&plan, "Zone dns/z").reason.as_str(), "NoNameservers");
    assert_eq!(verdict(&plan, "Zone dns/z").outcome, Accepted);
}

/// It was started with `--nameserver` before, and is not now: what it lacks removes nothing.
#[test]
fn an_operator_without_nameservers_removes_no_ns_at_the_apex() {
    let mut cluster = Cluster::new();
    cluster.settings.nameservers = vec![n("ns2.dns.example.net"), n("ns1.dns.example.net")];
    let none = json!({"nameservers": []});
    let mut cluster = cluster.zone("dns/example-com", "example.com", none.clone()).publish();
    let (before, soa) =
        (served(&cluster.plan(), "example.com"), cluster.published[&n("example.com")].soa.clone());
    assert_eq!(before.len(), 2, "{before:?}");
    cluster.settings.nameservers.clear();
    let plan = cluster.plan();
    assert_eq!(served(&plan, "example.com"), before);
    assert_eq!(plan.zones[0].soa, soa);
    assert_eq!(outcome(&plan, "Zone dns/example-com"), (Accepted, vec!["NoNameservers"]));
    let complaint = only(&plan, "Zone dns/example-com");
    assert!(complaint.message.contains("without --nameserver"), "{}", complaint.message);
    // It is as every zone otherwise: what its records say is published.
    let plan = cluster.clone().record("dns/www", "www", "A", &["192.0.2.1"]).plan();
    assert_eq!(served(&plan, "example.com").len(), 3);
    // A DNSRecord takes their place as ever, and a zone that is new has none.
    let plan = cluster.clone().record("dns/ns", "@", "NS", &["ns.example.org."]).plan();
    assert_eq!(served(&plan, "example.com"), ["example.com. NS ns.example.org."]);
    let plan = cluster.zone("dns/new", "new.example", none).plan();
    assert_eq!(served(&plan, "new.example"), [""; 0]);
    assert_eq!(outcome(&plan, "Zone dns/new"), (Accepted, vec!["NoNameservers"]));
}
