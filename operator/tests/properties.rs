//! Properties of the stages: the order of the input is nothing, and an object concerns nobody else.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use port53_operator::objects::{ObjectRef, Records};
use port53_operator::stages::{Inputs, Plan, Planner, judge};
use port53_zone::{Name, name, rdata};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;
use support::Cluster;

/// One record as it may be written: right, wrong, or clashing with others.
#[derive(Clone, Debug)]
struct Written {
    namespace: &'static str,
    zone: &'static str,
    owner: &'static str,
    rtype: &'static str,
    values: Vec<&'static str>,
    second: Option<u32>,
}

const ZONES: [&str; 4] = ["example-com", "labs", "shop", "none"];
const OWNERS: [&str; 14] = [
    "@",
    "www",
    "WWW",
    "\\119ww",
    "www.example.com.",
    "a.www",
    "labs",
    "ns.labs",
    "*.www",
    "a..b",
    "shop",
    "x.shop",
    "*",
    "www.example.org.",
];
const RTYPES: [&str; 9] = ["A", "AAAA", "CNAME", "DNAME", "NS", "TXT", "MX", "SOA", "A A"];
const VALUES: [&str; 11] = [
    "192.0.2.1",
    "192.0.2.2",
    "::1",
    "www.example.com.",
    "x.example.net",
    "10 www.example.com",
    "10 a.www.example.com.",
    "ns.labs.example.com.",
    "10 www.",
    "192.0.2",
    "\"open",
];

fn written() -> impl Strategy<Value = Written> {
    let of = select(&["dns", "shop", "evil"][..]);
    let age = prop::option::of(0u32..5);
    (of, select(&ZONES[..]), select(&OWNERS[..]), select(&RTYPES[..]), vec(select(&VALUES[..]), 0..3), age)
        .prop_map(|(namespace, zone, owner, rtype, values, second)| Written {
            namespace,
            zone,
            owner,
            rtype,
            values,
            second,
        })
}

/// Records that have much to do with each other, by cuts, aliases, wildcards and what they name.
fn tangled() -> impl Strategy<Value = Written> {
    let owners = select(&["@", "www", "a.www", "*", "b"][..]);
    let rtypes = select(&["A", "NS", "MX", "CNAME", "DNAME"][..]);
    let names =
        ["192.0.2.1", "a.www.example.com.", "10 a.www.example.com.", "10 nowhere.example.com.", "10 www."];
    (owners, rtypes, vec(select(names.to_vec()), 1..2)).prop_map(|(owner, rtype, values)| Written {
        namespace: "dns",
        zone: "example-com",
        owner,
        rtype,
        values,
        second: None,
    })
}

/// A parent that grants some of its names to namespace shop, a child here and a child there, a second Zone of
/// one of the domains, and a master file.
fn cluster() -> Cluster {
    let shop = json!({"matchLabels": {"team": "shop"}});
    let grants = json!({
        "records": [{"namespaces": shop, "names": ["www", "*.www", "shop"], "limit": 2}],
        "children": [{"namespaces": shop, "names": ["shop"]}]
    });
    let master = "$ORIGIN example.net.\n@ 300 SOA ns1 h 1 2 3 4 5\n@ 300 NS ns1\nns1 300 A 192.0.2.1\nx 300 A 192.0.2.2\n";
    Cluster::new()
        .namespace("shop", "shop")
        .zone("dns/example-com", "example.com", grants)
        .zone("dns/labs", "labs.example.com", json!({"nameservers": ["ns.labs.example.com"]}))
        .zone("shop/shop", "shop.example.com", json!({}))
        .zone("evil/shop", "shop.example.com", json!({}))
        .master("example.net.zone", master)
}

fn add(cluster: Cluster, id: &str, record: &Written) -> Cluster {
    let metadata = match record.second {
        Some(second) => json!({"creationTimestamp": format!("2026-11-24T00:00:{second:02}Z")}),
        None => json!({}),
    };
    let holder = if record.zone == "shop" { "shop" } else { "dns" };
    let spec = json!({"zoneRef": {"namespace": holder, "name": record.zone}});
    let id = format!("{}/{id}", record.namespace);
    cluster.record_with(&id, record.owner, record.rtype, &record.values, metadata, spec)
}

fn with_all(records: &[Written]) -> Cluster {
    records.iter().enumerate().fold(cluster(), |cluster, (i, record)| add(cluster, &format!("r{i}"), record))
}

/// What is served, a line an RRset with who owns it.
fn lines(plan: &Plan) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for zone in &plan.zones {
        for (rrset, owner) in zone.applied.content.iter() {
            let values: Vec<String> =
                rrset.values().iter().map(|value| rdata::display(rrset.rtype, value)).collect();
            lines.insert(format!(
                "{}: {} {} {} {values:?} of {owner:?}",
                name::display(&zone.apex),
                name::display(&rrset.name).to_lowercase(),
                rrset.ttl,
                rdata::display_rtype(rrset.rtype),
            ));
        }
    }
    lines
}

fn serials(plan: &Plan) -> BTreeMap<Name, u32> {
    plan.zones.iter().map(|zone| (zone.apex.clone(), zone.soa.serial)).collect()
}

/// All of a plan that could differ.
fn whole(plan: &Plan) -> String {
    let verdicts: Vec<String> =
        plan.verdicts_by_object().iter().map(|verdict| format!("{verdict:?}")).collect();
    format!("{:?}\n{:?}\n{:?}\n{}", lines(plan), serials(plan), plan.withdrawn, verdicts.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_input_is_nothing(
        before in vec(written(), 0..6),
        records in vec(written(), 0..12),
        swaps in vec((any::<Index>(), any::<Index>()), 0..20),
    ) {
        let published = with_all(&before).publish();
        let mut one = published.clone();
        one.objects.records = Records::default();
        let one = records.iter().enumerate().fold(one, |cluster, (i, record)| add(cluster, &format!("r{i}"), record));
        let mut other = one.clone();
        let mut shuffled: Vec<_> = other.objects.records.iter().cloned().collect();
        for (a, b) in swaps {
            if !shuffled.is_empty() {
                let count = shuffled.len();
                shuffled.swap(a.index(count), b.index(count));
            }
            let Cluster { objects, .. } = &mut other;
            let count = objects.zones.len();
            objects.zones.swap(a.index(count), b.index(count));
        }
        other.objects.records = shuffled.into_iter().collect();
        prop_assert_eq!(whole(&one.plan()), whole(&other.plan()));
    }

    /// Whatever is added, right or wrong: what is published stays, and only its own RRset may come.
    #[test]
    fn an_object_more_takes_nothing_from_others(
        records in vec(written(), 0..12),
        more in written(),
    ) {
        let published = with_all(&records).publish();
        let before = published.plan();
        let plan = add(published, "more", &more).plan();
        let (was, is) = (lines(&before), lines(&plan));
        let owner = format!("of Some(\"{}/more\")", more.namespace);
        let new: Vec<_> = is.difference(&was).collect();
        prop_assert!(new.iter().all(|line| line.ends_with(&owner) || is_delegation(line)), "{:?}", new);
        // spec.nameservers give way to a record, in the zone and in the delegation to it.
        let is_default = |line: &&String| line.contains(" NS ") && line.contains("of Some(\"zone:");
        let gone: Vec<_> = was.difference(&is).filter(|line| !is_default(line) && !is_delegation(line)).collect();
        prop_assert!(gone.is_empty(), "{:?}", gone);
        prop_assert!(is.len() + 4 >= was.len());
        let object = format!("DNSRecord {}/more", more.namespace);
        for verdict in before.verdicts().filter(|verdict| matches!(verdict.object, ObjectRef::Record { .. })) {
            let after = plan.verdicts().find(|other| other.object == verdict.object);
            prop_assert_eq!(after.map(|after| after.outcome), Some(verdict.outcome), "beside {}", object);
        }
    }

    /// A wrong version of one record is that record's affair: the rest is served as if it had not been edited.
    #[test]
    fn a_record_that_becomes_wrong_changes_nothing_at_all(
        records in vec(written(), 1..12),
        which in any::<Index>(),
    ) {
        let published = with_all(&records).publish();
        let which = which.index(records.len());
        let before = published.plan();
        let broken = Written { owner: "a..b", ..records[which].clone() };
        let plan = add(published, &format!("r{which}"), &broken).plan();
        prop_assert_eq!(lines(&plan), lines(&before));
        prop_assert_eq!(serials(&plan), serials(&before));
    }

    /// The webhook looks at what of a zone can have a part in a verdict, and says what a plan says that looks at all of it.
    #[test]
    fn what_is_judged_alone_is_judged_as_among_all(
        before in vec(prop_oneof![written(), tangled()], 0..8),
        records in prop_oneof![vec(prop_oneof![written(), tangled()], 1..12), vec(tangled(), 2..6)],
        has_limit in any::<bool>(),
    ) {
        let mut cluster = with_all(&before);
        if !has_limit {
            let zones = cluster.objects.zones.iter_mut().map(Arc::make_mut);
            zones.flat_map(|zone| &mut zone.spec.records).for_each(|grant| grant.limit = None);
        }
        // Zones below stay as they are published: a plan looks at what they become.
        let mut cluster = cluster.publish().publish();
        let of_parent = ("dns".to_owned(), "example-com".to_owned());
        cluster.objects.records.retain(|zone| *zone != of_parent);
        let cluster = records.iter().enumerate().fold(cluster, |cluster, (i, record)| {
            add(cluster, &format!("r{i}"), &Written { zone: "example-com", ..record.clone() })
        });
        let plan = cluster.plan();
        let inputs = Inputs {
            objects: &cluster.objects,
            published: &cluster.published,
            serials: &cluster.serials,
            settings: &cluster.settings,
        };
        for verdict in plan.verdicts().filter(|verdict| matches!(verdict.object, ObjectRef::Record { .. })) {
            let alone = judge(&inputs, &verdict.object);
            prop_assert_eq!(format!("{:#?}", alone), format!("{:#?}", Some(verdict)));
        }
    }

    /// A planner that remembers says what one says that sees everything for the first time.
    #[test]
    fn what_is_remembered_is_what_would_be_found(
        records in vec(written(), 0..12),
        edits in vec((0usize..12, prop::option::of(written())), 0..8),
    ) {
        let mut planner = Planner::default();
        let mut cluster = with_all(&records);
        for (which, edit) in std::iter::once((0, None)).chain(edits) {
            let id = format!("r{which}");
            cluster = match edit {
                Some(record) => add(cluster, &id, &record),
                None => ["dns", "shop", "evil"].iter().fold(cluster, |c, of| c.without(&format!("{of}/{id}"))),
            };
            let plan = cluster.plan_with(&mut planner);
            prop_assert_eq!(whole(&plan), whole(&cluster.plan()));
            cluster = cluster.publish_plan(plan);
        }
    }

    /// What was published once, nothing having changed, is published again as it is.
    #[test]
    fn the_same_input_again_changes_nothing(records in vec(written(), 0..12)) {
        let published = with_all(&records).publish();
        let again = published.plan();
        prop_assert!(again.zones.iter().all(|zone| !zone.is_new_version && zone.changes.is_empty()));
        prop_assert_eq!(whole(&again), whole(&published.clone().publish().plan()));
    }
}

/// A record was wrong by itself, and elder than another that it would have clashed with. Once that other was
/// published it had the better standing, which a planner that remembered did not say.
#[test]
fn a_wrong_record_is_told_of_one_that_was_published_meanwhile() {
    let www = |rtype, values: &[&'static str]| Written {
        namespace: "dns",
        zone: "example-com",
        owner: "www",
        rtype,
        values: values.to_vec(),
        second: None,
    };
    let mut planner = Planner::default();
    let aliases = www("CNAME", &["www.example.com.", "x.example.net"]);
    let cluster = add(add(cluster(), "r1", &aliases), "r2", &www("AAAA", &["::1"]));
    let plan = cluster.plan_with(&mut planner);
    let cluster = cluster.publish_plan(plan);
    let plan = cluster.plan_with(&mut planner);
    assert_eq!(whole(&plan), whole(&cluster.plan()));
    let told = plan
        .verdicts_by_object()
        .into_iter()
        .find(|verdict| verdict.object.to_string() == "DNSRecord dns/r1");
    let rules: Vec<_> =
        told.expect("a verdict").complaints.iter().filter_map(|complaint| complaint.rule).collect();
    assert_eq!(rules, ["cname-and-other-data", "multiple-cnames"]);
}

/// Whether a line is NS or glue that a zone has from one below: it follows that one.
fn is_delegation(line: &str) -> bool {
    line.starts_with("example.com.: ")
        && (line.contains("labs") || line.contains("shop"))
        && line.contains("\"zone:")
}
