//! Master files as zones: as written, each bad line alone, and nothing lost while lines cannot be read.

mod support;

use port53_operator::stages::MissingZone;
use port53_operator::verdict::Outcome::{Accepted, LastGoodKept, Rejected};
use serde_json::json;
use support::{Cluster, n, outcome, served, verdict, zones};

const FILE: &str = "example.com.zone";

fn text(serial: u32, lines: &str) -> String {
    format!(
        "$ORIGIN example.com.\n$TTL 300\n@ SOA ns1 hostmaster {serial} 3600 600 604800 300\n@ NS ns1\n{lines}"
    )
}

fn file(serial: u32, lines: &str) -> Cluster {
    Cluster::new().master(FILE, &text(serial, lines))
}

/// Lines and reasons of the complaints about the file.
fn told(cluster: &Cluster) -> Vec<(u64, &'static str)> {
    let plan = cluster.plan();
    let verdict = verdict(&plan, &format!("master file {FILE}"));
    let line =
        |position: &Option<port53_zone::master::Position>| position.as_ref().map_or(0, |at| at.line as u64);
    verdict.complaints.iter().map(|c| (line(&c.position), c.reason.as_str())).collect()
}

#[test]
fn soa_and_ns_are_as_written() {
    let cluster = file(2_026_112_301, "ns1 A 192.0.2.1\nwww 60 A 192.0.2.2\nwww 60 A 192.0.2.3\n");
    let plan = cluster.plan();
    assert_eq!(
        served(&plan, "example.com"),
        [
            "example.com. NS ns1.example.com.",
            "ns1.example.com. A 192.0.2.1",
            "www.example.com. A 192.0.2.2",
            "www.example.com. A 192.0.2.3"
        ]
    );
    let soa = &plan.zones[0].soa;
    assert_eq!((soa.serial, soa.primary.clone(), soa.ttl), (2_026_112_301, n("ns1.example.com"), 300));
    assert_eq!(outcome(&plan, &format!("master file {FILE}")), (Accepted, vec![]));
}

#[test]
fn the_serial_is_as_written_while_that_is_newer_and_never_goes_back() {
    let serial = |cluster: &Cluster| cluster.plan().zones[0].soa.serial;
    let first = file(100, "ns1 A 192.0.2.1\n").publish();
    assert_eq!(serial(&first), 100);
    let next =
        |serial, address: &str| first.clone().master(FILE, &text(serial, &format!("ns1 A {address}\n")));
    assert_eq!(serial(&next(150, "192.0.2.2")), 150);
    assert_eq!(serial(&next(100, "192.0.2.2")), 101, "a change without a new serial");
    assert_eq!(serial(&next(99, "192.0.2.2")), 101, "a lower serial");
    assert_eq!(serial(&next(150, "192.0.2.1")), 150, "the serial alone");
    let lower = next(99, "192.0.2.1").plan();
    assert_eq!((lower.zones[0].soa.serial, lower.zones[0].is_new_version), (100, false));
    // RFC 1982 §3.2.
    let round = file(u32::MAX, "ns1 A 192.0.2.1\n").publish().master(FILE, &text(5, "ns1 A 192.0.2.2\n"));
    assert_eq!(serial(&round), 5);
    // Others were seen to have a higher one.
    let mut seen = first.master(FILE, &text(150, "ns1 A 192.0.2.2\n"));
    seen.serials.insert(n("example.com"), vec![200]);
    assert_eq!(serial(&seen), 201);
}

/// RFC 2181 §5.2.
#[test]
fn rfc2181_5_2_of_ttls_that_differ_the_lowest_counts() {
    let cluster = file(1, "ns1 60 A 192.0.2.1\nns1 30 A 192.0.2.2\n");
    let plan = cluster.plan();
    let rrset =
        plan.zones[0].applied.content.get(&n("ns1.example.com"), port53_zone::Rtype::A).expect("served");
    assert_eq!(rrset.ttl, 30);
    assert_eq!(told(&cluster), [(5, "RuleViolated")]);
    assert_eq!(outcome(&plan, &format!("master file {FILE}")).0, Accepted, "a warning");
}

#[test]
fn a_bad_line_is_refused_alone_and_told_by_its_line() {
    let cluster =
        file(1, "ns1 A 192.0.2.1\nwww.example.org. A 192.0.2.2\nok A 192.0.2.3\n@ SOA ns1 h 2 3 4 5 6\n");
    assert_eq!(told(&cluster), [(6, "OutOfZone"), (8, "RuleViolated")]);
    let plan = cluster.plan();
    assert_eq!(plan.zones[0].rejected, 2);
    let lines = served(&plan, "example.com");
    let expected =
        ["example.com. NS ns1.example.com.", "ns1.example.com. A 192.0.2.1", "ok.example.com. A 192.0.2.3"];
    assert_eq!(lines, expected);
}

/// RFC 1034 §3.6.2: in one file nothing decides between a CNAME and other data, so both go, and each line is
/// told; what is published stays.
#[test]
fn lines_that_clash_are_both_refused_unless_one_is_published() {
    let both = "ns1 A 192.0.2.1\nwww CNAME ns1\nwww TXT text\n";
    let cluster = file(1, both);
    assert_eq!(told(&cluster), [(6, "RuleViolated"), (7, "RuleViolated")]);
    assert_eq!(served(&cluster.plan(), "example.com").len(), 2);
    let cluster = file(1, "ns1 A 192.0.2.1\nwww CNAME ns1\n").publish().master(FILE, &text(2, both));
    assert_eq!(told(&cluster), [(7, "RuleViolated")]);
    assert!(
        served(&cluster.plan(), "example.com")
            .contains(&"www.example.com. CNAME ns1.example.com.".to_owned())
    );
}

#[test]
fn while_lines_cannot_be_read_what_they_may_have_been_stays() {
    let cluster = file(1, "ns1 A 192.0.2.1\nwww A 192.0.2.2\nmail A 192.0.2.3\n").publish();
    let broken = cluster.clone().master(FILE, &text(2, "ns1 A 192.0.2.9\nwww A 192.0.2\n"));
    assert_eq!(broken.objects.master_zones[0].unread, 1);
    let plan = broken.plan();
    assert_eq!(
        served(&plan, "example.com"),
        [
            "example.com. NS ns1.example.com.",
            "mail.example.com. A 192.0.2.3",
            "ns1.example.com. A 192.0.2.9",
            "www.example.com. A 192.0.2.2"
        ]
    );
    assert_eq!(outcome(&plan, &format!("master file {FILE}")), (LastGoodKept, vec!["LastGoodKept"]));
    let complaint = &verdict(&plan, &format!("master file {FILE}")).complaints[0];
    assert!(complaint.message.contains("mail.example.com. A, www.example.com. A"), "{}", complaint.message);
    // Read again, what is not in it goes.
    let plan = broken.publish().master(FILE, &text(3, "ns1 A 192.0.2.9\n")).plan();
    assert_eq!(served(&plan, "example.com").len(), 2);
}

#[test]
fn a_version_that_breaks_a_rule_leaves_the_last_good_one() {
    let many: String = (0..101).map(|i| format!("www A 192.0.2.{i}\n")).collect();
    let mut cluster = file(1, "ns1 A 192.0.2.1\nwww A 192.0.2.2\n").publish();
    cluster.settings.limits.records_per_rrset = 100;
    let plan = cluster.master(FILE, &text(2, &format!("ns1 A 192.0.2.1\n{many}"))).plan();
    assert_eq!(outcome(&plan, &format!("master file {FILE}")).0, LastGoodKept);
    assert_eq!(served(&plan, "example.com").len(), 3);
    assert_eq!(plan.zones[0].rejected, 101);
}

#[test]
fn of_a_zone_and_a_master_file_of_one_domain_the_published_one_holds_it() {
    let zone = |cluster: Cluster| cluster.zone("dns/z", "example.com", json!({}));
    let file_name = format!("master file {FILE}");
    let plan = zone(file(1, "ns1 A 192.0.2.1\n").publish()).plan();
    assert_eq!(outcome(&plan, "Zone dns/z"), (Rejected, vec!["Conflicted"]));
    assert_eq!(served(&plan, "example.com").len(), 2);
    let published = zone(Cluster::new()).publish().master(FILE, &text(1, "ns1 A 192.0.2.1\n"));
    let plan = published.plan();
    assert_eq!(outcome(&plan, &file_name), (Rejected, vec!["Conflicted"]));
    assert_eq!(told(&published), [(3, "Conflicted")], "at its SOA");
    // Both new: the Zone when its age is known.
    let old = json!({"creationTimestamp": "2026-11-24T00:00:00Z"});
    let plan = file(1, "ns1 A 192.0.2.1\n").zone_with("dns/z", "example.com", old, json!({})).plan();
    assert_eq!(outcome(&plan, &file_name), (Rejected, vec!["Conflicted"]));
}

#[test]
fn a_master_file_that_is_gone_is_withdrawn_in_a_directory_and_kept_in_a_cluster() {
    let mut cluster = file(1, "ns1 A 192.0.2.1\n").publish().without_master(FILE);
    assert_eq!(zones(&cluster.plan()), ["example.com."]);
    cluster.settings.missing_zone = MissingZone::Withdraw;
    let plan = cluster.plan();
    assert!(plan.zones.is_empty());
    assert_eq!(plan.withdrawn, [n("example.com")]);
}

/// A master file is in no namespace: nobody can attach a record to it.
#[test]
fn a_master_file_needs_no_grant_and_gives_none() {
    let plan = Cluster::new()
        .zone("dns/com", "com", json!({}))
        .master(FILE, &text(1, "ns1 A 192.0.2.1\n"))
        .record("dns/www", "www", "A", &["192.0.2.1"])
        .plan();
    assert_eq!(zones(&plan), ["com.", "example.com."]);
    assert_eq!(outcome(&plan, "DNSRecord dns/www"), (Rejected, vec!["ZoneNotFound"]));
    let glue = "ns1.example.com. A 192.0.2.1".to_owned();
    assert!(served(&plan, "com").contains(&glue), "the parent has its NS and glue");
}
