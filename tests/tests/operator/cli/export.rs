//! What is published as manifests.

use super::Site;
use crate::{record, zone_with};
use port53_tests::eventually;
use serde_json::{Value, json};

#[test]
fn what_is_exported_as_manifests_is_what_was_applied_under_its_names() {
    let site = Site::new("export");
    let (platform, namespace, domain) = (site.platform, &site.namespace, &site.domain);
    let shop = platform.cluster.create_labelled_namespace("export-shop", &[("team", "shop")]);
    let grants = "defaultTTL: 77, nameservers: [ns7.example.net], \
                  records: [{namespaces: {matchLabels: {team: shop}}, names: [\"*.shop\"], types: [A]}]";
    let spelled = record(
        namespace,
        "its-own-name",
        "here",
        &format!("name: WWW.{domain}., type: TXT, values: [\"  two  words\"]"),
    );
    let attached = record(&shop, "theirs", "here", "name: a.shop, type: A, values: [\"192.0.2.8\"]")
        .replace("{name: here}", &format!("{{name: here, namespace: {namespace}}}"));
    let child = zone_with(namespace, "child", &format!("labs.{domain}"), "nameservers: [ns8.example.net]");
    let edited = |value: &str| {
        record(namespace, "edited", "here", &format!("name: edited, type: A, values: [\"{value}\"]"))
    };
    let parent = zone_with(namespace, "here", domain, grants);
    site.port53_applies(&(parent + &spelled + &attached + &edited("192.0.2.9")));
    site.port53_applies(&child);
    eventually("the delegation", || {
        let exported = site.port53(0, &format!("export {domain}")).stdout;
        if exported.contains("ns8.example.net.") { Ok(()) } else { Err(exported) }
    });

    let line = format!("export {domain} --format manifests");
    let done = site.port53(0, &line);
    // The NS of the apex are in the Zone, those of the child come from the child.
    let told = format!("left out: labs.{domain}. NS: it comes from Zone {namespace}/child\n");
    assert_eq!(done.stderr, told);
    assert_eq!(done.stdout.matches("kind: ").count(), 4, "{}", done.stdout);
    let everything = || {
        let of = |namespace: &String| -> Vec<Value> {
            let list = platform.kubectl(&format!("get zones,dnsrecords -n {namespace} -o json"));
            let list: Value = serde_json::from_str(&list).expect("JSON");
            let items = list["items"].as_array().expect("items").iter();
            let fields = ["name", "namespace", "uid", "generation"];
            items
                .map(|item| json!([item["kind"], fields.map(|field| &item["metadata"][field]), item["spec"]]))
                .collect()
        };
        [of(namespace), of(&shop)].concat()
    };
    let (before, serial) = (everything(), site.serial());
    assert_eq!(before.len(), 5, "{before:#?}");
    platform.apply(&done.stdout);
    assert_eq!(everything(), before);
    assert_eq!(site.serial(), serial);

    // What is published, not what was refused.
    platform.apply(&edited("192.0.2.999"));
    platform.comes_to("dnsrecord", namespace, "edited", "Ready=False InvalidValue");
    let done = site.port53(0, &line);
    assert!(done.stdout.contains("192.0.2.9\n") && !done.stdout.contains("999"), "{}", done.stdout);
    platform.apply(&done.stdout);
    platform.comes_to("dnsrecord", namespace, "edited", "Ready=True Served");
    assert_eq!(site.records(), 2);
}
