//! Parent and child zone both here: NS and glue come from the child, and what the parent writes at or below
//! it is told to be occluded (dns-traps "Names and values").

mod support;

use port53_operator::verdict::Outcome::{Accepted, LastGoodKept, Rejected};
use port53_operator::verdict::Severity;
use serde_json::json;
use support::{Cluster, n, only, outcome, served, verdict};

/// example.com with its NS outside, and labs.example.com with a nameserver inside.
fn family() -> Cluster {
    Cluster::new()
        .zone("dns/example-com", "example.com", json!({}))
        .zone(
            "dns/labs",
            "labs.example.com",
            json!({"nameservers": ["ns.labs.example.com", "ns1.example.net"]}),
        )
        .record_with("dns/ns", "ns", "A", &["192.0.2.53"], json!({}), in_labs())
        .record_with("dns/ns6", "ns", "AAAA", &["2001:db8::53"], json!({}), in_labs())
        .record_with("dns/www", "www", "A", &["192.0.2.80"], json!({}), in_labs())
}

fn in_labs() -> serde_json::Value {
    json!({"zoneRef": {"name": "labs"}})
}

const PARENT: [&str; 5] = [
    "example.com. NS ns1.dns.example.net.",
    "labs.example.com. NS ns1.example.net.",
    "labs.example.com. NS ns.labs.example.com.",
    "ns.labs.example.com. A 192.0.2.53",
    "ns.labs.example.com. AAAA 2001:db8::53",
];

/// The lines that are served, sorted: order among values is not what these tests are about.
fn sorted(plan: &port53_operator::stages::Plan, apex: &str) -> Vec<String> {
    let mut lines = served(plan, apex);
    lines.sort();
    lines
}

fn expected(more: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = PARENT.iter().chain(more).map(|&line| line.to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn ns_and_glue_of_the_parent_come_from_the_child() {
    let plan = family().plan();
    assert_eq!(sorted(&plan, "example.com"), expected(&[]));
    assert!(plan.verdicts().all(|verdict| verdict.outcome == Accepted && verdict.complaints.is_empty()));
    let parent = plan.zones.iter().find(|zone| zone.apex == n("example.com")).expect("served");
    let owner = parent.applied.content.owner_of(&n("ns.labs.example.com"), port53_zone::Rtype::A);
    assert_eq!(owner.as_deref(), Some("zone:dns/labs"), "glue is the child's");
}

#[test]
fn a_change_of_the_child_is_a_new_version_of_the_parent() {
    let cluster = family().publish();
    assert!(cluster.plan().zones.iter().all(|zone| !zone.is_new_version), "nothing changed");
    let cluster = cluster.record_with("dns/ns", "ns", "A", &["192.0.2.54"], json!({}), in_labs());
    let plan = cluster.plan();
    assert!(plan.zones.iter().all(|zone| zone.is_new_version));
    assert!(served(&plan, "example.com").contains(&"ns.labs.example.com. A 192.0.2.54".to_owned()));
    let plan =
        cluster.publish().record_with("dns/www", "www", "A", &["192.0.2.9"], json!({}), in_labs()).plan();
    let changed: Vec<_> =
        plan.zones.iter().filter(|zone| zone.is_new_version).map(|zone| &zone.apex).collect();
    assert_eq!(changed, [&n("labs.example.com")], "www is nothing to the parent");
}

#[test]
fn what_the_parent_has_at_or_below_the_child_is_told_to_be_occluded() {
    for (owner, rtype, value) in [
        ("labs", "NS", "elsewhere.example.net"),
        ("labs", "A", "192.0.2.1"),
        ("ns.labs", "A", "192.0.2.1"),
        ("a.b.labs", "TXT", "text"),
        ("*.labs", "TXT", "text"),
    ] {
        let plan = family().record("dns/r", owner, rtype, &[value]).plan();
        let complaint = only(&plan, "DNSRecord dns/r");
        assert_eq!(
            (complaint.field.as_str(), complaint.reason.as_str()),
            ("spec.name", "Occluded"),
            "{owner}"
        );
        assert!(complaint.message.contains("in zone labs.example.com., which Zone dns/labs holds"));
        assert_eq!(outcome(&plan, "DNSRecord dns/r").0, Rejected);
        assert_eq!(sorted(&plan, "example.com"), expected(&[]), "{owner} {rtype}");
    }
    let plan = family().record("dns/r", "evillabs", "A", &["192.0.2.1"]).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/r"), (Accepted, vec![]), "a neighbour is not below");
}

/// Who is delegated to somebody else has no zone here: what is below stays, for the delegation may go.
#[test]
fn what_is_below_a_delegation_to_somebody_else_is_served_as_glue_or_told_to_be_occluded() {
    let plan = Cluster::new()
        .zone("dns/example-com", "example.com", json!({}))
        .record("dns/cut", "cut", "NS", &["ns.cut.example.com."])
        .record("dns/glue", "ns.cut", "A", &["192.0.2.53"])
        .record("dns/www", "www.cut", "A", &["192.0.2.1"])
        .record("dns/txt", "cut", "TXT", &["text"])
        .plan();
    assert_eq!(served(&plan, "example.com").len(), 5, "all of it is in the zone");
    for id in ["DNSRecord dns/cut", "DNSRecord dns/glue"] {
        assert_eq!(outcome(&plan, id), (Accepted, vec![]));
    }
    for id in ["DNSRecord dns/www", "DNSRecord dns/txt"] {
        assert_eq!(outcome(&plan, id), (Accepted, vec!["Occluded"]));
        assert_eq!(only(&plan, id).severity, Severity::Warning);
    }
}

/// RFC 4035 §2.4: DS is the parent's.
#[test]
fn rfc4035_2_4_the_ds_of_the_child_is_written_in_the_parent() {
    let ds = "1 8 2 0000000000000000000000000000000000000000000000000000000000000000";
    let plan = family().record("dns/ds", "labs", "DS", &[ds]).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/ds"), (Accepted, vec![]));
    assert_eq!(sorted(&plan, "example.com").len(), PARENT.len() + 1);
    let plan = family().record("dns/ds", "a.labs", "DS", &[ds]).plan();
    assert_eq!(outcome(&plan, "DNSRecord dns/ds"), (Rejected, vec!["Occluded"]));
}

#[test]
fn a_new_child_takes_the_place_of_what_the_parent_had_and_says_so() {
    let cluster = Cluster::new()
        .zone("dns/example-com", "example.com", json!({}))
        .record("dns/labs-www", "www.labs", "A", &["192.0.2.1"])
        .record("dns/labs-ns", "labs", "NS", &["old.example.net"])
        .publish();
    let plan = cluster.zone("dns/labs", "labs.example.com", json!({})).plan();
    for id in ["DNSRecord dns/labs-www", "DNSRecord dns/labs-ns"] {
        assert_eq!(outcome(&plan, id), (Rejected, vec!["Occluded"]));
    }
    let lines = sorted(&plan, "example.com");
    assert_eq!(lines, ["example.com. NS ns1.dns.example.net.", "labs.example.com. NS ns1.dns.example.net."]);
}

/// RFC 9471: glue for a sibling is needed where the nameserver of one child is in another.
#[test]
fn rfc9471_glue_comes_from_the_sibling_that_has_the_nameserver() {
    let plan =
        family().zone("dns/shop", "shop.example.com", json!({"nameservers": ["ns.labs.example.com"]})).plan();
    assert_eq!(sorted(&plan, "example.com"), expected(&["shop.example.com. NS ns.labs.example.com."]));
    assert!(plan.verdicts().all(|verdict| verdict.complaints.is_empty()));
}

/// However many zones below name it, and however they write it.
#[test]
fn children_that_share_a_nameserver_have_its_glue_once() {
    let nameservers = json!({"nameservers": ["NS.labs.example.com", "ns.labs.example.com."]});
    let plan = family()
        .zone("dns/one", "one.example.com", nameservers.clone())
        .zone("dns/two", "two.example.com", nameservers)
        .plan();
    let lines = served(&plan, "example.com");
    let glue = lines.iter().filter(|line| line.to_ascii_lowercase().starts_with("ns.labs.example.com. a"));
    assert_eq!(glue.count(), 2, "{lines:?}");
    assert!(
        plan.verdicts().all(|verdict| verdict.complaints.iter().all(|told| told.severity != Severity::Error))
    );
}

/// Three generations: each has the NS of the next one alone.
#[test]
fn a_grandchild_is_delegated_by_the_child() {
    let plan = family().zone("dns/x", "x.labs.example.com", json!({})).plan();
    assert_eq!(sorted(&plan, "example.com"), expected(&[]));
    let line = "x.labs.example.com. NS ns1.dns.example.net.".to_owned();
    assert!(served(&plan, "labs.example.com").contains(&line));
}

/// The child's Zone is missing: it stays, so the parent's delegation to it stays too.
#[test]
fn the_delegation_to_a_child_whose_zone_is_missing_stays() {
    let plan = family().publish().without_zone("dns/labs").plan();
    assert_eq!(sorted(&plan, "example.com"), expected(&[]));
    let complaint = &verdict(&plan, "DNSRecord dns/ns").complaints[0];
    assert_eq!(complaint.reason.as_str(), "ZoneNotFound");
}

const MASTER: &str = "\
$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 7 3600 600 604800 300
@ NS ns1
ns1 A 192.0.2.1
labs NS ns.labs
ns.labs A 192.0.2.53
";

/// A master file has the NS and glue of its child as any zone does: the same ones are no complaint, others
/// are a warning, other data is an error of that line.
#[test]
fn a_master_file_says_the_same_as_its_child_without_a_word() {
    let child = Cluster::new()
        .zone("dns/labs", "labs.example.com", json!({"nameservers": ["ns.labs.example.com"]}))
        .record_with("dns/ns", "ns", "A", &["192.0.2.53"], json!({}), in_labs());
    let plan = child.clone().master("example.com.zone", MASTER).plan();
    assert!(plan.verdicts().all(|verdict| verdict.complaints.is_empty()), "{:#?}", plan.verdicts);
    let lines = served(&plan, "example.com");
    assert!(lines.contains(&"labs.example.com. NS ns.labs.example.com.".to_owned()));

    let other = format!("{MASTER}ns.labs A 192.0.2.99\nwww.labs TXT text\n");
    let plan = child.master("example.com.zone", &other).plan();
    let verdict = verdict(&plan, "master file example.com.zone");
    let told: Vec<_> = verdict
        .complaints
        .iter()
        .map(|c| (c.severity, c.reason.as_str(), c.position.as_ref().map(|at| at.line)))
        .collect();
    assert_eq!(
        told,
        [(Severity::Error, "Occluded", Some(9)), (Severity::Warning, "Occluded", Some(8))],
        "{verdict:#?}"
    );
    assert_ne!(verdict.outcome, LastGoodKept);
    assert_eq!(served(&plan, "example.com"), lines);
}

/// RFC 4035 §2.3, §2.4: at a cut the parent has NSEC, and the signatures of it and of DS. Without them who validates finds
/// everything below bogus, and so what the NSEC proves beside it.
#[test]
fn a_signed_parent_lost_its_proofs_about_a_child_that_is_here() {
    let rrsig = |covered: &str| {
        format!("labs RRSIG {covered} 13 3 300 20261230000000 20261130000000 1 example.com. AAAA\n")
    };
    let ds = format!("labs DS 12345 13 2 {}\n", "01".repeat(32));
    let proofs = [&ds, &rrsig("DS"), "labs NSEC ns1 NS DS RRSIG NSEC\n", &rrsig("NSEC")].concat();
    let plan = Cluster::new()
        .zone("dns/labs", "labs.example.com", json!({"nameservers": ["ns.labs.example.com"]}))
        .record_with("dns/ns", "ns", "A", &["192.0.2.53"], json!({}), in_labs())
        .master("example.com.zone", &format!("{MASTER}{proofs}"))
        .plan();
    assert!(plan.verdicts().all(|verdict| verdict.complaints.is_empty()), "{:#?}", plan.verdicts);
    let lines = served(&plan, "example.com");
    for rtype in ["DS 12345", "NSEC ns1", "RRSIG DS", "RRSIG NSEC"] {
        let begin = format!("labs.example.com. {rtype}");
        assert!(lines.iter().any(|line| line.starts_with(&begin)), "no {begin} in {lines:#?}");
    }
}

/// A parent that was signed while the name was one of its own proves what is no longer so, and validators refuse all that
/// is below. Whoever signs is told.
#[test]
fn proofs_from_before_a_child_was_cut_off_are_refused() {
    let rrsig = |covered: &str| {
        format!("labs RRSIG {covered} 13 3 300 20261230000000 20261130000000 1 example.com. AAAA\n")
    };
    let proofs = [&rrsig("A"), "labs NSEC ns1 A RRSIG NSEC\n", &rrsig("NSEC")].concat();
    let plan = Cluster::new()
        .zone("dns/labs", "labs.example.com", json!({"nameservers": ["ns.labs.example.com"]}))
        .record_with("dns/ns", "ns", "A", &["192.0.2.53"], json!({}), in_labs())
        .master("example.com.zone", &format!("{MASTER}{proofs}"))
        .plan();
    let told: Vec<&str> = plan
        .verdicts()
        .flat_map(|verdict| &verdict.complaints)
        .map(|complaint| complaint.fix.as_str())
        .filter(|fix| fix.contains("sign the zone again"))
        .collect();
    assert_eq!(told.len(), 2, "{:#?}", plan.verdicts);
    let lines = served(&plan, "example.com");
    for rtype in ["RRSIG A", "NSEC"] {
        let begin = format!("labs.example.com. {rtype} ");
        assert!(!lines.iter().any(|line| line.starts_with(&begin)), "{begin} in {lines:#?}");
    }
}
