//! Zones: grants over namespaces, delegation, child zones; deleted, kept, and back again.

use crate::versions::Versions;
use crate::{hosts, record, shared, zone, zone_with};
use port53_crds::Zone;
use port53_tests::eventually;
use port53_tests::platform::condition;
use serde_json::Value;

/// A DNSRecord of a Zone in another namespace.
fn attached(namespace: &str, name: &str, zone: &str, spec: &str) -> String {
    record(namespace, name, "X", spec).replace("{name: X}", &format!("{{name: here, namespace: {zone}}}"))
}

#[test]
fn a_grant_lets_another_namespace_attach_and_its_end_takes_it_out() {
    let platform = shared();
    let (namespace, domain) = platform.place("grants");
    let shop = platform.cluster.create_labelled_namespace("grants-shop", &[("team", "shop")]);
    let grant = "records: [{namespaces: {matchLabels: {team: shop}}, names: [shop, \"*.shop\"], types: [A], limit: 2}]";
    platform.apply(&zone_with(&namespace, "here", &domain, grant));
    let a = |name: &str, owner: &str| {
        attached(&shop, name, &namespace, &format!("name: {owner}, type: A, values: [192.0.2.1]"))
    };
    platform.apply(&(a("one", "shop") + &a("two", "www.shop") + &a("outside", "www")));
    platform.comes_to("dnsrecord", &shop, "one", "Ready=True Served");
    platform.comes_to("dnsrecord", &shop, "two", "Ready=True Served");
    let message = platform.comes_to("dnsrecord", &shop, "outside", "Ready=False NotPermitted");
    assert!(message.contains(&format!("Zone {namespace}/here")), "{message}");
    platform.apply(&a("three", "three.shop"));
    platform.comes_to("dnsrecord", &shop, "three", "Ready=False QuotaExceeded");
    let mail = attached(&shop, "mail", &namespace, "name: shop, type: MX, values: [\"10 mail.example.net\"]");
    platform.apply(&mail);
    platform.comes_to("dnsrecord", &shop, "mail", "Ready=False NotPermitted");

    platform.apply(&zone(&namespace, "here", &domain));
    let message = platform.comes_to("dnsrecord", &shop, "one", "Ready=False NotPermitted");
    assert!(message.contains("; it was taken out of service"), "{message}");
    platform.come_to_say(&format!("www.shop.{domain} A"), "NXDomain");
    // Nobody serves it, and it does not say so: in no column.
    let status = platform.get("dnsrecord", &shop, "one").expect("it is there")["status"].clone();
    assert_eq!((&status["serving"], &status["serial"]), (&Value::Null, &Value::Null), "{status}");
    // Nor was one of them that never was.
    let message = platform.comes_to("dnsrecord", &shop, "outside", "Ready=False NotPermitted");
    assert!(!message.contains("taken out of service"), "{message}");
}

/// As it stands in docs/cluster.md.
#[test]
fn the_grants_of_the_documentation_let_in_whom_they_say() {
    let platform = shared();
    let text = include_str!("../../../docs/cluster.md");
    let example = text.split("```yaml\n").find(|block| block.contains("children:")).expect("the example");
    let (example, _) = example.split_once("```").expect("its end");
    let [dns, labs] = ["doc-dns", "doc-labs"].map(|name| platform.cluster.create_namespace(name));
    let shop = platform.cluster.create_labelled_namespace("doc-shop", &[("team", "shop")]);
    let domain = format!("{dns}.example");
    let example = example
        .replace("example.com", &domain)
        .replace("namespace: dns", &format!("namespace: {dns}"))
        .replace("namespace: shop", &format!("namespace: {shop}"))
        .replace("namespace: labs", &format!("namespace: {labs}"))
        .replace("metadata.name: labs", &format!("metadata.name: {labs}"));
    platform.apply(&example);
    platform.comes_to("zone", &dns, "example-com", "Ready=True Served");
    platform.comes_to("dnsrecord", &shop, "www", "Ready=True Served");
    platform.comes_to("zone", &labs, "labs", "Ready=True Served");
    platform.come_to_say(&format!("www.shop.{domain} A"), "NoError 192.0.2.20");
    platform.come_to_say(&format!("labs.{domain} NS"), "NoError ns1.dns.example.net.");
}

/// A Zone whose new version is wrong was Ready for that version, so `kubectl wait` was told that all is well.
#[test]
fn a_zone_whose_edit_is_refused_is_not_ready_and_serves_its_last_good_terms() {
    let platform = shared();
    let (namespace, domain) = platform.place("edited");
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    platform.apply(&zone_with(&namespace, "here", &domain, "soa: {contact: \"a@b..example\"}"));
    let message = platform.comes_to("zone", &namespace, "here", "Ready=False InvalidSpec");
    assert!(message.starts_with("spec.soa.contact: "), "{message}");
    assert!(message.contains("the last good version stays in service; served as serial"), "{message}");
    platform.say(&format!("{domain} NS"), "NoError ns1.dns.example.net. ns2.dns.example.net.");
    let columns = platform.kubectl(&format!("get dnszone here -n {namespace}"));
    let mut lines = columns.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (head, row) = (lines.next().expect("a head"), lines.next().expect("a row"));
    let of =
        |column: &str| head.iter().position(|name| *name == column).and_then(|place| row.get(place).copied());
    assert_eq!(
        (of("ACCEPTED"), of("HELD"), of("READY")),
        (Some("False"), Some("False"), Some("False")),
        "{columns}"
    );
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
}

/// A label that a namespace gets is a grant that it has.
#[test]
fn a_label_of_a_namespace_counts_as_soon_as_it_is_there() {
    let platform = shared();
    let (namespace, domain) = platform.place("labels");
    let team = platform.cluster.create_namespace("labels-team");
    let grant = "records: [{namespaces: {matchLabels: {team: labs}}, names: [\"*\"]}]";
    let www = attached(&team, "www", &namespace, "name: www, type: A, values: [192.0.2.1]");
    platform.apply(&(zone_with(&namespace, "here", &domain, grant) + &www));
    platform.comes_to("dnsrecord", &team, "www", "Ready=False NotPermitted");
    platform.kubectl(&format!("label namespace {team} team=labs"));
    platform.comes_to("dnsrecord", &team, "www", "Ready=True Served");
}

#[test]
fn a_child_zone_needs_a_grant_and_the_parent_delegates_with_its_ns_and_glue() {
    let platform = shared();
    let (namespace, domain) = platform.place("parent");
    let labs = platform.cluster.create_labelled_namespace("parent-labs", &[("team", "labs")]);
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    let child = format!("labs.{domain}");
    let ns = format!("nameservers: [ns1.{child}]");
    let glue = record(&labs, "ns1", "child", "name: ns1, type: A, values: [192.0.2.53]");
    platform.apply(&(zone_with(&labs, "child", &child, &ns) + &glue));
    let message = platform.comes_to("zone", &labs, "child", "Ready=False NotPermitted");
    assert!(message.contains("spec.children"), "{message}");

    let grant = "children: [{namespaces: {matchLabels: {team: labs}}, names: [labs]}]";
    platform.apply(&zone_with(&namespace, "here", &domain, grant));
    platform.comes_to("zone", &labs, "child", "Ready=True Served");
    platform.come_to_say(&format!("ns1.{child} A"), "NoError 192.0.2.53");
    eventually("the delegation in the parent", || {
        let head = platform.head(&domain).expect("a head");
        // NS of the apex, NS and glue of the child.
        if head["spec"]["rrsets"] == 3 { Ok(()) } else { Err(head["spec"]["rrsets"].to_string()) }
    });
    // Below the child the parent has nothing to say.
    platform.apply(&record(&namespace, "below", "here", "name: www.labs, type: A, values: [192.0.2.1]"));
    platform.comes_to("dnsrecord", &namespace, "below", "Ready=False Occluded");
}

/// It said that it was served, and every resolver answered the delegation.
#[test]
fn a_record_below_a_delegation_says_that_it_is_not_answered_and_glue_is() {
    let platform = shared();
    let (namespace, domain) = platform.place("cut");
    let of = |name: &str, spec: &str| record(&namespace, name, "here", spec);
    platform.apply(
        &(zone(&namespace, "here", &domain) + &of("www", "name: www.cut, type: A, values: [192.0.2.1]")),
    );
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    let cut = format!("name: cut, type: NS, values: [ns.cut.{domain}.]");
    platform.apply(&(of("cut", &cut) + &of("glue", "name: ns.cut, type: A, values: [192.0.2.53]")));
    for name in ["cut", "glue"] {
        platform.comes_to("dnsrecord", &namespace, name, "Ready=True Served");
    }
    let message = platform.comes_to("dnsrecord", &namespace, "www", "Ready=False Occluded");
    assert!(message.contains("never answered: write it into the delegated zone"), "{message}");
    platform.comes_to("dnsrecord", &namespace, "www", "Accepted=True Accepted");
    let referral = platform.resolvers[0].ask(&format!("www.cut.{domain} A")).expect("an answer");
    let glue: Vec<String> = referral.additionals.iter().map(|record| record.data.to_string()).collect();
    assert!(referral.answers.is_empty() && glue == ["192.0.2.53"], "{referral:?}");
    platform.kubectl(&format!("delete dnsrecord cut -n {namespace}"));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.say(&format!("www.cut.{domain} A"), "NoError 192.0.2.1");
}

/// The guard holds the removal of the delegation, which is answered on.
#[test]
fn a_record_is_occluded_until_the_delegation_above_it_is_gone_from_what_is_answered() {
    let platform = shared();
    let (namespace, domain) = platform.place("held-cut");
    let cut = record(&namespace, "cut", "here", "name: cut, type: NS, values: [ns.example.net.]");
    let www = record(&namespace, "www", "here", "name: www.cut, type: A, values: [192.0.2.1]");
    let guarded = zone_with(&namespace, "here", &domain, "guard: {maxRemovedPercent: 1}");
    platform.apply(&(guarded + &hosts(&namespace, 1..=12, 2) + &cut + &www));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=False Occluded");
    platform.comes_to("dnsrecord", &namespace, "h12", "Ready=True Served");
    platform.kubectl(&format!("delete dnsrecord cut -n {namespace}"));
    let message = platform.comes_to("zone", &namespace, "here", "Held=True RemovalsHeld");
    let (_, id) = message.rsplit_once('=').expect("what releases them");
    eventually("it says why", || {
        let www = platform.get("dnsrecord", &namespace, "www").expect("it is there");
        match condition(&www, "Ready") {
            (said, why) if said == "False Occluded" && why.contains("the condition Held") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/release={id}"));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.say(&format!("www.cut.{domain} A"), "NoError 192.0.2.1");
}

#[test]
fn two_zones_of_one_domain_are_a_conflict_and_the_published_one_stays() {
    let platform = shared();
    let (namespace, domain) = platform.place("twice");
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    platform.apply(&zone(&namespace, "a-second", &domain));
    let message = platform.comes_to("zone", &namespace, "a-second", "Ready=False Conflicted");
    assert!(message.contains(&format!("Zone {namespace}/here")), "{message}");
    // One that holds nothing goes at once.
    platform.kubectl(&format!("delete zone a-second -n {namespace}"));
    platform.say(&format!("{domain} NS"), "NoError ns1.dns.example.net. ns2.dns.example.net.");
}

#[test]
fn a_deleted_zone_is_served_for_its_delay_then_withdrawn_and_serves_again_when_it_returns() {
    let platform = shared();
    let (namespace, domain) = platform.place("deleted");
    let www = record(&namespace, "www", "here", "name: www, type: A, values: [192.0.2.1]");
    platform.apply(&(zone_with(&namespace, "here", &domain, "removalDelay: 3s") + &www));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    let www_a = format!("www.{domain} A");
    let serial = |head: &serde_json::Value| head["spec"]["serial"].as_u64().expect("a serial");
    let before = serial(&platform.head(&domain).expect("a head"));
    platform.kubectl(&format!("delete zone here -n {namespace} --wait=false"));
    let deleted = std::time::Instant::now();
    // Served while the delay lasts, and the Zone says until when.
    eventually("the Zone says so", || {
        let zone = platform.get("zone", &namespace, "here").ok_or("it is gone")?;
        let (said, message) = condition(&zone, "Ready");
        match message.contains("the zone is withdrawn at") {
            true => Ok(()),
            false => Err(format!("{said}: {message}")),
        }
    });
    if deleted.elapsed().as_millis() < 1500 {
        platform.say(&www_a, "NoError 192.0.2.1");
    }
    platform.come_to_say(&www_a, "Refused");
    eventually("the Zone is gone", || match platform.get("zone", &namespace, "here") {
        None => Ok(()),
        Some(zone) => Err(zone["metadata"].to_string()),
    });
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=False ZoneNotFound");
    assert_eq!(platform.head(&domain).expect("it stays")["spec"]["state"], "Withdrawn");

    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.2.1");
    let after = serial(&platform.head(&domain).expect("a head"));
    assert!(after > before, "{after} after {before}");
}

#[test]
fn a_deleted_zone_that_is_kept_stays_in_service_and_is_taken_up_by_the_next() {
    let platform = shared();
    let (namespace, domain) = platform.place("kept");
    let www =
        |value: &str| record(&namespace, "www", "here", &format!("name: www, type: A, values: [{value}]"));
    platform.apply(&(zone(&namespace, "here", &domain) + &www("192.0.2.1")));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.kubectl(&format!("delete zone here -n {namespace} --wait=false"));
    platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/keep-serving=true"));
    eventually("the Zone is gone", || match platform.get("zone", &namespace, "here") {
        None => Ok(()),
        Some(zone) => Err(zone["metadata"].to_string()),
    });
    // Without its Zone everything stays as it is, and records say why.
    platform.apply(&www("192.0.2.2"));
    let message = platform.comes_to("dnsrecord", &namespace, "www", "Ready=False ZoneNotFound");
    assert!(message.ends_with("the last good version stays in service"), "{message}");
    platform.say(&format!("www.{domain} A"), "NoError 192.0.2.1");
    // Another Zone of its domain is told how it is, and what to do.
    platform.apply(&zone(&namespace, "another", &domain));
    let message = platform.comes_to("zone", &namespace, "another", "Ready=False Conflicted");
    assert!(message.contains("is served without a Zone: Zone"), "{message}");
    assert!(message.contains(&format!("create Zone {namespace}/here again")), "{message}");
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.say(&format!("www.{domain} A"), "NoError 192.0.2.2");
}

/// Its name is answered from the zone above then, and that is not this zone.
#[test]
fn a_child_zone_whose_parent_is_here_can_be_deleted() {
    let platform = shared();
    let (namespace, domain) = platform.place("child-gone");
    let child = format!("labs.{domain}");
    platform.apply(
        &(zone(&namespace, "here", &domain) + &zone_with(&namespace, "child", &child, "removalDelay: 0s")),
    );
    platform.comes_to("zone", &namespace, "child", "Ready=True Served");
    platform.kubectl(&format!("delete zone child -n {namespace} --timeout=30s"));
    platform.come_to_say(&format!("www.{child} A"), "NXDomain");
}

#[test]
fn a_zone_stays_ready_while_its_records_are_published() {
    let platform = shared();
    let (namespace, domain) = platform.place("steady");
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    let mut versions = Versions::of::<Zone>(platform, &namespace);
    for n in 1..=20 {
        let spec = format!("name: h{n}, type: A, values: [192.0.2.{n}]");
        platform.apply(&record(&namespace, &format!("h{n}"), "here", &spec));
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    let serial = platform.head(&domain).expect("a head")["spec"]["serial"].clone();
    let mut serials: Vec<Value> = Vec::new();
    while serials.last() != Some(&serial) {
        let zone = versions.next(|| format!("{serials:?}, and never {serial}"));
        assert_eq!(condition(&zone, "Ready").0, "True Served", "{}", zone["status"]);
        serials.push(zone["status"]["serial"].clone());
    }
    // It was told of publications while they went on.
    assert!(serials.len() > 1, "{serials:?}");
}
