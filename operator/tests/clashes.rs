//! Clashes: the published one keeps the name, of newcomers the oldest, then by namespace and name; whatever
//! the spelling and the order in which they come.

mod support;

use port53_operator::verdict::Outcome::{Accepted, LastGoodKept, Rejected};
use serde_json::{Value, json};
use support::{Cluster, only, outcome, served};

const NS: &str = "example.com. NS ns1.dns.example.net.";

fn example() -> Cluster {
    Cluster::new().zone("dns/example-com", "example.com", json!({}))
}

fn at(second: u32) -> Value {
    json!({"creationTimestamp": format!("2026-11-24T00:00:{second:02}Z")})
}

#[test]
fn of_newcomers_without_an_age_the_first_by_namespace_and_name_is_served() {
    let cluster =
        example().record("dns/b", "www", "A", &["192.0.2.2"]).record("dns/a", "www", "A", &["192.0.2.1"]);
    let plan = cluster.plan();
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
    assert_eq!(outcome(&plan, "DNSRecord dns/b"), (Rejected, vec!["Conflicted"]));
    // One with an age is older than one without.
    let plan = cluster.record_with("dns/c", "www", "A", &["192.0.2.3"], at(9), json!({})).plan();
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.3"]);
}

#[test]
fn whatever_the_spelling_it_is_one_name_that_clashes() {
    for spelling in ["WWW", "www.example.com.", "wWw.EXAMPLE.com.", "\\119ww", "w\\ww"] {
        for rtype in ["A", "CNAME"] {
            let value = if rtype == "A" { "192.0.2.2" } else { "x.example.net" };
            let plan = example()
                .record("dns/old", "www", "A", &["192.0.2.1"])
                .publish()
                .record_with("dns/new", spelling, rtype, &[value], at(0), json!({}))
                .plan();
            assert_eq!(outcome(&plan, "DNSRecord dns/new"), (Rejected, vec!["Conflicted"]), "{spelling}");
            assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
        }
    }
}

#[test]
fn the_loser_is_told_who_holds_the_name() {
    let plan = example()
        .record("dns/old", "www", "A", &["192.0.2.1"])
        .publish()
        .record("dns/same", "www", "A", &["192.0.2.2"])
        .record("dns/alias", "www", "CNAME", &["x.example.net"])
        .plan();
    for id in ["DNSRecord dns/same", "DNSRecord dns/alias"] {
        let complaint = only(&plan, id);
        assert!(complaint.message.contains("held by DNSRecord dns/old"), "{}", complaint.message);
        assert_eq!(
            complaint.related.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["DNSRecord dns/old"]
        );
        assert!(!complaint.fix.is_empty());
    }
}

#[test]
fn the_one_who_holds_the_name_is_told_nothing() {
    let plan = example()
        .record("dns/old", "www", "A", &["192.0.2.1"])
        .publish()
        .record("dns/same", "www", "A", &["192.0.2.2"])
        .record("dns/alias", "www", "CNAME", &["x.example.net"])
        .plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/old"), (Accepted, vec![]));
}

/// RFC 1034 §3.6.2. A CNAME → A is a delete and a create, which arrive together in a directory.
#[test]
fn from_cname_to_a_in_one_step() {
    let alias = example().record("dns/alias", "www", "CNAME", &["x.example.net"]).publish();
    let plan = alias.clone().without("dns/alias").record("dns/host", "www", "A", &["192.0.2.1"]).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/host"), (Accepted, vec![]));
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
    assert_eq!(plan.zones[0].changes.len(), 2);
    // The same object, where types may change.
    let plan = alias.record("dns/alias", "www", "A", &["192.0.2.1"]).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/alias"), (Accepted, vec![]));
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
    // And back.
    let host = example().record("dns/host", "www", "A", &["192.0.2.1"]).publish();
    let plan = host.record("dns/host", "www", "CNAME", &["x.example.net"]).plan();
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. CNAME x.example.net."]);
}

#[test]
fn when_the_holder_goes_the_next_one_has_the_name() {
    let cluster = example()
        .record("dns/a", "www", "A", &["192.0.2.1"])
        .publish()
        .record("dns/b", "www", "A", &["192.0.2.2"])
        .publish();
    assert_eq!(served(&cluster.plan(), "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
    let plan = cluster.without("dns/a").plan();
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.2"]);
    assert_eq!(outcome(&plan, "DNSRecord dns/b"), (Accepted, vec![]));
}

/// RFC 6672 §2.4: nothing is answered below a DNAME.
#[test]
fn rfc6672_2_4_a_dname_does_not_take_names_that_are_published() {
    let cluster = example().record("dns/deep", "a.b", "A", &["192.0.2.1"]).publish();
    let plan = cluster.record_with("dns/dname", "b", "DNAME", &["x.example.net"], at(0), json!({})).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/dname"), (Rejected, vec!["Conflicted"]));
    assert_eq!(served(&plan, "example.com"), [NS, "a.b.example.com. A 192.0.2.1"]);
    let cluster = example().record("dns/dname", "b", "DNAME", &["x.example.net"]).publish();
    let plan = cluster.record_with("dns/deep", "a.b", "A", &["192.0.2.1"], at(0), json!({})).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/deep"), (Rejected, vec!["Conflicted"]));
}

/// The new version of what is published clashes with what is published: its last good one stays.
#[test]
fn a_new_version_that_clashes_leaves_the_last_good_one() {
    let cluster = example()
        .record("dns/dname", "a", "DNAME", &["x.example.net"])
        .record("dns/other", "b", "A", &["192.0.2.1"])
        .publish();
    let plan = cluster.record("dns/dname", "a", "DNAME", &["x.example.net", "y.example.net"]).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/dname").0, LastGoodKept);
    assert!(served(&plan, "example.com").contains(&"a.example.com. DNAME x.example.net.".to_owned()));
}

/// In a directory names and types can be edited. What was published stays while the edit is wrong.
#[test]
fn a_record_whose_name_or_type_became_wrong_stays_as_it_was() {
    let cluster = example()
        .record("dns/www", "www", "A", &["192.0.2.1"])
        .record("dns/taken", "taken", "A", &["192.0.2.9"])
        .publish();
    let before = served(&cluster.plan(), "example.com");
    for (owner, rtype, value, reason) in [
        ("w..ww", "A", "192.0.2.2", "InvalidName"),
        ("www.example.org.", "A", "192.0.2.2", "OutOfZone"),
        ("www", "AAAAA", "192.0.2.2", "InvalidType"),
        ("www", "AAAA", "192.0.2.2", "InvalidValue"),
        ("web", "A", "192.0.2", "InvalidValue"),
        ("taken", "A", "192.0.2.2", "Conflicted"),
        ("taken", "CNAME", "x.example.net", "Conflicted"),
        ("@", "CNAME", "x.example.net", "RuleViolated"),
    ] {
        let plan = cluster.clone().record("dns/www", owner, rtype, &[value]).plan();
        assert_eq!(outcome(&plan, "DNSRecord dns/www"), (LastGoodKept, vec![reason]), "{owner} {rtype}");
        assert_eq!(outcome(&plan, "DNSRecord dns/taken"), (Accepted, vec![]));
        assert_eq!(served(&plan, "example.com"), before, "{owner} {rtype}");
    }
    // A right edit moves it.
    let plan = cluster.record("dns/www", "web", "A", &["192.0.2.2"]).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/www"), (Accepted, vec![]));
    let lines = served(&plan, "example.com");
    assert_eq!(lines, [NS, "taken.example.com. A 192.0.2.9", "web.example.com. A 192.0.2.2"]);
}

/// What is left of an edit that is wrong does not keep its old name from one that is published there.
#[test]
fn nobody_is_pushed_out_by_what_stays_of_a_wrong_edit() {
    let cluster = example().record("dns/www", "www", "A", &["192.0.2.1"]).publish();
    let cluster = cluster.record("dns/www", "w..ww", "A", &["192.0.2.1"]).publish();
    let plan = cluster.record_with("dns/new", "www", "A", &["192.0.2.2"], at(0), json!({})).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/new"), (Rejected, vec!["Conflicted"]));
    assert_eq!(served(&plan, "example.com"), [NS, "www.example.com. A 192.0.2.1"]);
}

/// CVE-2024-1737: of more types at a name than there may be, those published stay.
#[test]
fn beyond_the_types_of_a_name_the_youngest_give_way() {
    let mut cluster = example();
    cluster.settings.limits.types_per_name = 3;
    for (i, rtype) in ["TYPE65280", "TYPE65281", "TYPE65282"].into_iter().enumerate() {
        cluster = cluster.record(&format!("dns/r{i}"), "www", rtype, &["\\# 1 00"]);
    }
    let cluster = cluster.publish();
    let plan = cluster
        .record_with("dns/old", "www", "A", &["192.0.2.1"], at(0), json!({}))
        .record_with("dns/young", "www", "AAAA", &["::1"], at(1), json!({}))
        .plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/old"), (Rejected, vec!["TooLarge"]));
    assert_eq!(outcome(&plan, "DNSRecord dns/young").0, Rejected);
    assert_eq!(served(&plan, "example.com").len(), 4);
    for i in 0..3 {
        assert_eq!(outcome(&plan, &format!("DNSRecord dns/r{i}")), (Accepted, vec![]));
    }
}
