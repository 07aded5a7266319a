//! Which NS the apex shows of a zone that moves here from another DNS.

mod support;

use port53_operator::objects::ObjectRef;
use port53_operator::stages::{Apex, Inputs, Planner, nameservers_of};
use port53_operator::verdict::Outcome::Accepted;
use port53_zone::{RRset, Rtype, rdata};
use serde_json::json;
use support::{Cluster, n, outcome, served, verdict};

fn theirs(hosts: &[&str]) -> RRset {
    let values = hosts.iter().map(|host| rdata::parse_value(Rtype::NS, host).expect("a name"));
    RRset::new(n("example.com"), Rtype::NS, 60, values.collect::<Vec<_>>())
}

/// A zone whose own nameserver is ns1.dns.example.net, with a TTL of 300.
fn cluster(shows: Apex) -> Cluster {
    let mut cluster = Cluster::new().zone("dns/example-com", "example.com", json!({"defaultTTL": 300}));
    cluster.settings.apexes.insert(n("example.com"), shows);
    cluster
}

/// TTL and hostnames of the NS at the apex.
fn shown(cluster: &Cluster) -> (u32, Vec<String>) {
    let plan = cluster.plan();
    let content = &plan.zones[0].applied.content;
    let ns = content.get(&n("example.com"), Rtype::NS).expect("NS at the apex");
    (ns.ttl, ns.values().iter().map(|value| rdata::display(Rtype::NS, value)).collect())
}

fn all(ttl: u32, hosts: &[&str]) -> (u32, Vec<String>) {
    (ttl, hosts.iter().map(|host| (*host).to_owned()).collect())
}

const OURS: &str = "ns1.dns.example.net.";
const THEIRS: &str = "ns1.legacy.example.";

#[test]
fn the_apex_shows_what_legacy_has_or_both_or_its_own() {
    let legacy = || theirs(&[THEIRS]);
    assert_eq!(shown(&cluster(Apex::Legacy(legacy()))), all(60, &[THEIRS]));
    assert_eq!(shown(&cluster(Apex::Both(legacy()))), all(60, &[OURS, THEIRS]));
    assert_eq!(shown(&cluster(Apex::Port53)), all(300, &[OURS]));
    // Nothing is published yet.
    assert_eq!(shown(&cluster(Apex::AsPublished)), all(300, &[OURS]));
}

/// "What is published must not flap at an operator restart before legacy was looked at."
#[test]
fn what_is_published_stays_while_it_is_not_known_what_legacy_has() {
    let mut cluster = cluster(Apex::Both(theirs(&[THEIRS]))).publish();
    cluster.settings.apexes.insert(n("example.com"), Apex::AsPublished);
    assert_eq!(shown(&cluster), all(60, &[OURS, THEIRS]));
    assert!(!cluster.plan().zones[0].is_new_version);
    // Whatever the Zone says by then.
    let cluster =
        cluster.zone("dns/example-com", "example.com", json!({"nameservers": ["ns9.dns.example.net"]}));
    assert_eq!(shown(&cluster), all(60, &[OURS, THEIRS]));
}

/// A plan that did not change is not made again: which NS are shown is one of the things that it depends on.
#[test]
fn another_choice_is_another_plan() {
    let mut planner = Planner::default();
    let mut cluster = cluster(Apex::Legacy(theirs(&[THEIRS])));
    let plan = cluster.plan_with(&mut planner);
    assert_eq!(served(&plan, "example.com"), ["example.com. NS ns1.legacy.example."]);
    cluster = cluster.publish_plan(plan);
    cluster.settings.apexes.insert(n("example.com"), Apex::Port53);
    let plan = cluster.plan_with(&mut planner);
    assert_eq!(served(&plan, "example.com"), ["example.com. NS ns1.dns.example.net."]);
}

#[test]
fn a_record_that_a_person_wrote_at_the_apex_wins() {
    let cluster = cluster(Apex::Legacy(theirs(&[THEIRS])))
        .record("dns/ns", "@", "NS", &["ns.other.example."])
        .publish();
    assert_eq!(served(&cluster.plan(), "example.com"), ["example.com. NS ns.other.example."]);
    assert_eq!(outcome(&cluster.plan(), "Zone dns/example-com"), (Accepted, vec![]));
    // Once it is gone, what is published is nobody's: the Zone has its own word.
    let mut cluster = cluster.without("dns/ns");
    cluster.settings.apexes.insert(n("example.com"), Apex::AsPublished);
    assert_eq!(served(&cluster.plan(), "example.com"), ["example.com. NS ns1.dns.example.net."]);
}

/// The rules hold for what legacy has, too; the complaint is about no field of the Zone, for nobody wrote it there.
#[test]
fn a_nameserver_of_legacy_without_an_address_is_warned_of() {
    let inside = Apex::Legacy(theirs(&["ns.example.com."]));
    let lacking = cluster(inside.clone()).plan();
    let complaint = &verdict(&lacking, "Zone dns/example-com").complaints[0];
    assert_eq!((complaint.rule, complaint.field.as_str()), (Some("missing-address"), ""), "{complaint:?}");
    let there = cluster(inside).record("dns/ns", "ns", "A", &["192.0.2.1"]).plan();
    assert_eq!(outcome(&there, "Zone dns/example-com"), (Accepted, vec![]));
}

/// What a migration waits for to be named above: the Zone's own, whatever the apex shows; and never those that stay for want
/// of others, which may be those of legacy.
#[test]
fn the_nameservers_of_a_zone_are_its_own() {
    let own = |cluster: &Cluster| {
        let zone = ObjectRef::Zone { namespace: "dns".to_owned(), name: "example-com".to_owned() };
        let inputs = Inputs {
            objects: &cluster.objects,
            published: &cluster.published,
            serials: &cluster.serials,
            settings: &cluster.settings,
        };
        nameservers_of(&inputs, &zone)
            .map(|ns| ns.values().iter().map(|value| rdata::display(Rtype::NS, value)).collect::<Vec<_>>())
    };
    let cluster = cluster(Apex::Legacy(theirs(&[THEIRS]))).publish();
    assert_eq!(own(&cluster), Some(vec![OURS.to_owned()]));
    let none = cluster.zone("dns/example-com", "example.com", json!({"nameservers": []}));
    assert_eq!(served(&none.plan(), "example.com"), ["example.com. NS ns1.legacy.example."]);
    assert_eq!(own(&none), None);
}
