//! Records: what is read, who keeps a name, and what stays in service.

mod support;

use port53_operator::verdict::Outcome::{Accepted, LastGoodKept, Rejected};
use serde_json::json;
use support::{Cluster, n, only, outcome, served, verdict};

fn example() -> Cluster {
    Cluster::new().zone("dns/example-com", "example.com", json!({}))
}

const NS: &str = "example.com. NS ns1.dns.example.net.";

#[test]
fn whatever_the_spelling_it_is_one_name() {
    for spelling in ["www", "WWW", "www.example.com.", "\\119ww"] {
        let plan = example().record("dns/www", spelling, "A", &["192.0.2.1"]).plan();
        assert_eq!(outcome(&plan, "DNSRecord dns/www"), (Accepted, vec![]), "{spelling}");
        assert_eq!(verdict(&plan, "DNSRecord dns/www").name, Some(n("www.example.com")));
        assert_eq!(plan.zones[0].accepted, 2, "{spelling}");
    }
}

#[test]
fn what_is_wrong_alone_names_field_and_fix() {
    // name, type, values, field, reason, a part of message and fix
    type Case =
        (&'static str, &'static str, &'static [&'static str], &'static str, &'static str, &'static str);
    let cases: &[Case] = &[
        ("a..b", "A", &["192.0.2.1"], "spec.name", "InvalidName", "empty label"),
        ("www.example.com", "A", &["192.0.2.1"], "spec.name", "InvalidName", "was www.example.com. meant?"),
        ("www.example.org.", "A", &["192.0.2.1"], "spec.name", "OutOfZone", "not in zone example.com."),
        ("www", "AAA", &["192.0.2.1"], "spec.type", "InvalidType", "\"AAA\""),
        ("www", "SOA", &["a. b. 1 2 3 4 5"], "spec.type", "InvalidType", "spec.soa"),
        ("www", "NSEC", &["a. A"], "spec.type", "InvalidType", "signing"),
        ("www", "A", &["192.0.2.1", "192.0.2"], "spec.values[1]", "InvalidValue", "192.0.2"),
        ("www", "CNAME", &["shop"], "spec.values[0]", "InvalidValue", "single label"),
        ("www", "A", &[], "spec.values", "InvalidValue", "no value"),
    ];
    for (owner, rtype, values, field, reason, part) in cases {
        let plan = example()
            .record("dns/bad", owner, rtype, values)
            .record("dns/good", "good", "A", &["192.0.2.9"])
            .plan();
        let complaint = only(&plan, "DNSRecord dns/bad");
        assert_eq!(
            (complaint.field.as_str(), complaint.reason.as_str()),
            (*field, *reason),
            "{owner} {rtype}"
        );
        let text = format!("{} {}", complaint.message, complaint.fix);
        assert!(text.contains(part), "{text:?} has {part:?}");
        assert_eq!(outcome(&plan, "DNSRecord dns/bad").0, Rejected);
        assert_eq!(served(&plan, "example.com"), [NS, "good.example.com. A 192.0.2.9"]);
    }
}

#[test]
fn every_wrong_value_is_named() {
    let plan = example().record("dns/www", "www", "A", &["x", "192.0.2.1", "y"]).plan();
    let fields: Vec<&str> =
        verdict(&plan, "DNSRecord dns/www").complaints.iter().map(|c| c.field.as_str()).collect();
    assert_eq!(fields, ["spec.values[0]", "spec.values[2]"]);
}

#[test]
fn an_invalid_new_version_leaves_the_last_good_one() {
    let cluster = example().record("dns/www", "www", "A", &["192.0.2.1"]).publish();
    let cluster = cluster.record("dns/www", "www", "A", &["192.0.2"]);
    let plan = cluster.plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/www"), (LastGoodKept, vec!["InvalidValue"]));
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
    assert!(!plan.zones[0].is_new_version);
}

/// Nothing is wrong with any value; together they break a rule (here the limit of records in a set).
#[test]
fn a_version_that_breaks_a_rule_leaves_the_last_good_one() {
    let mut cluster = example().record("dns/www", "www", "A", &["192.0.2.1"]).publish();
    cluster.settings.limits.records_per_rrset = 100;
    let many: Vec<String> = (0..101).map(|i| format!("192.0.2.{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let plan = cluster.record("dns/www", "www", "A", &many).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/www"), (LastGoodKept, vec!["TooLarge"]));
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
}

#[test]
fn of_one_name_and_type_the_oldest_newcomer_is_served() {
    let at = |second: u32| json!({"creationTimestamp": format!("2026-11-24T00:00:{second:02}Z")});
    let plan = example()
        .record_with("dns/a", "www", "A", &["192.0.2.1"], at(2), json!({}))
        .record_with("dns/b", "WWW", "A", &["192.0.2.2"], at(1), json!({}))
        .plan();
    assert_eq!(served(&plan, "example.com"), [NS, "WWW.example.com. A 192.0.2.2"]);
    let complaint = only(&plan, "DNSRecord dns/a");
    assert_eq!(complaint.reason.as_str(), "Conflicted");
    assert!(complaint.message.contains("DNSRecord dns/b"), "{}", complaint.message);
}

#[test]
fn the_incumbent_keeps_the_name_whatever_its_age() {
    let cluster = example().record("dns/z", "www", "A", &["192.0.2.1"]).publish();
    let old = json!({"creationTimestamp": "2020-01-01T00:00:00Z"});
    let plan = cluster.record_with("dns/a", "www", "CNAME", &["x.example.net"], old, json!({})).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/z"), (Accepted, vec![]));
    assert_eq!(outcome(&plan, "DNSRecord dns/a"), (Rejected, vec!["Conflicted"]));
}

/// RFC 1034 §3.6.2: the CNAME came first, so the A gives way; nobody gives way to what is not served.
#[test]
fn nobody_gives_way_to_what_is_not_served() {
    let cluster = example().record("dns/first", "a", "CNAME", &["x.example.net"]).publish();
    // dns/m loses `a` to dns/first; it must not make dns/z lose anything.
    let plan = cluster
        .record("dns/m", "a", "DNAME", &["x.example.net"])
        .record("dns/z", "b.a", "A", &["192.0.2.1"])
        .plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/m"), (Rejected, vec!["Conflicted"]));
    assert_eq!(outcome(&plan, "DNSRecord dns/z"), (Accepted, vec![]));
}

#[test]
fn a_record_at_the_apex_takes_the_place_of_the_nameservers_of_the_zone() {
    let plan = example().record("dns/ns", "@", "NS", &["ns.example.org"]).plan();
    assert_eq!(served(&plan, "example.com"), ["example.com. NS ns.example.org."]);
    assert_eq!(outcome(&plan, "Zone dns/example-com"), (Accepted, vec![]));
    let plan = example().record("dns/ns", "@", "NS", &["single"]).plan();
    assert_eq!(served(&plan, "example.com"), [NS]);
}

#[test]
fn a_record_without_its_zone_says_so_and_what_is_published_stays() {
    let cluster = example().record("dns/www", "www", "A", &["192.0.2.1"]).publish();
    // One that is new, and one that wants what another has published.
    let cluster = cluster.record("dns/new", "new", "A", &["192.0.2.1"]).record(
        "dns/second",
        "www",
        "A",
        &["192.0.2.2"],
    );
    let plan = cluster.without_zone("dns/example-com").plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/www"), (LastGoodKept, vec!["ZoneNotFound"]));
    for not_served in ["DNSRecord dns/new", "DNSRecord dns/second"] {
        assert_eq!(outcome(&plan, not_served), (Rejected, vec!["ZoneNotFound"]), "{not_served}");
    }
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
    assert!(plan.withdrawn.is_empty());
}

#[test]
fn in_a_directory_a_zone_that_is_gone_is_withdrawn() {
    let mut cluster = example().publish();
    cluster.settings.missing_zone = port53_operator::stages::MissingZone::Withdraw;
    let plan = cluster.without_zone("dns/example-com").plan();
    assert_eq!(plan.withdrawn, [n("example.com")]);
    assert!(plan.zones.is_empty());
}
