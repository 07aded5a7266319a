//! What is judged alone, for the webhook, by what is around it in its zone: the same as among all. Property
//! `what_is_judged_alone_is_judged_as_among_all` looks for cases; these are too rare for it, or were found by it.

mod support;

use port53_operator::stages::{Inputs, judge};
use support::{Cluster, verdict};

/// The complaints about `DNSRecord dns/it`, of a plan and judged alone, as rules and fields.
fn complaints(cluster: &Cluster) -> Vec<String> {
    let plan = cluster.plan();
    let among_all = verdict(&plan, "DNSRecord dns/it");
    let inputs = Inputs {
        objects: &cluster.objects,
        published: &cluster.published,
        serials: &cluster.serials,
        settings: &cluster.settings,
    };
    let alone = judge(&inputs, &among_all.object).expect("it is there");
    assert_eq!(alone, *among_all);
    alone.complaints.iter().map(|one| format!("{} {}", one.rule.unwrap_or_default(), one.field)).collect()
}

fn cluster() -> Cluster {
    Cluster::new().zone("dns/example-com", "example.com", serde_json::json!({}))
}

#[test]
fn an_address_below_a_cut_is_glue_of_another_branch() {
    let cut = cluster().record("dns/cut", "www", "NS", &["ns.example.net."]).record(
        "dns/it",
        "ns.www",
        "A",
        &["192.0.2.1"],
    );
    assert_eq!(complaints(&cut), ["occluded spec.name"]);
    let named = cut.record("dns/other", "other", "NS", &["ns.www.example.com."]);
    assert_eq!(complaints(&named), Vec::<String>::new());
}

/// Found by reading: what a zone below names is no glue where a record of another branch is above that zone.
#[test]
fn what_zones_below_name_depends_on_their_branches() {
    let nameservers = serde_json::json!({"nameservers": ["ns.own.example.com"]});
    let below = cluster()
        .zone("dns/below", "a.far.example.com", nameservers)
        .record("dns/own", "own", "NS", &["ns.example.net."])
        .record("dns/it", "ns.own", "A", &["192.0.2.1"])
        .publish();
    assert_eq!(complaints(&below), Vec::<String>::new());
    let above = below.record("dns/far", "far", "DNAME", &["example.net."]);
    assert_eq!(complaints(&above), ["occluded spec.name"]);
}

#[test]
fn a_wildcard_of_the_zone_has_the_address() {
    let alone = cluster().record("dns/it", "@", "MX", &["10 mail.example.com."]);
    assert_eq!(complaints(&alone), ["missing-address spec.values"]);
    let by_wildcard = alone.record("dns/wild", "*", "A", &["192.0.2.1"]);
    assert_eq!(complaints(&by_wildcard), Vec::<String>::new());
}

/// Found by the property: it concerns all branches, also where the record that is judged is at the apex.
#[test]
fn a_dname_at_the_apex_is_above_all() {
    let older = serde_json::json!({"creationTimestamp": "2026-01-01T00:00:00Z"});
    let it = cluster()
        .record_with("dns/www", "www", "A", &["192.0.2.1"], older, serde_json::json!({}))
        .record("dns/it", "@", "DNAME", &["example.net."]);
    assert_eq!(complaints(&it), ["data-below-dname spec.name"]);
}

#[test]
fn a_record_that_was_published_elsewhere_may_step_back_to_there() {
    let before = cluster().record("dns/other", "www", "CNAME", &["example.net."]).publish();
    let wrong = before.record("dns/holder", "b", "A", &["192.0.2.1"]).publish();
    // It clashes where it is written now, so what it published stays, and clashes with what is judged.
    let it = wrong.record("dns/other", "b", "CNAME", &["example.net."]).record(
        "dns/it",
        "www",
        "A",
        &["192.0.2.1"],
    );
    assert_eq!(complaints(&it), ["cname-and-other-data spec.name"]);
}

#[test]
fn names_that_lack_a_dot_too_many_are_found_in_their_branch() {
    let it =
        cluster().record("dns/it", "a", "CNAME", &["www."]).record("dns/www", "www", "A", &["192.0.2.1"]);
    assert_eq!(complaints(&it), ["relative-name-meant spec.values"]);
}
