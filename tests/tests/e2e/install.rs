//! Installing, and the first zone.

use crate::site;
use port53_tests::ask::Transport;
use port53_tests::platform::condition;
use port53_tests::release::{Helm, Release};
use serde_json::json;

/// Values of every release here: time is short.
pub(crate) const VALUES: [&str; 1] = [r#"nameservers.rollout.soak="3s""#];

/// "`helm install`, `kubectl apply -f examples/`, `dig` against a nameserver's Service, answered."
#[test]
fn the_default_install_answers() {
    // "Helm 3 waits for the rollout by a post-upgrade hook Job"
    let values = [&VALUES[..], &["wait.enabled=true"]].concat();
    let release = Release::install(site(), Helm::Three, &values);
    assert_eq!(condition(&release.set(), "Ready").0, "True RolledOut", "{}", release.seen());
    let done = release.helm_with(&["test", &release.namespace]);
    assert!(done.success, "{done:?}\n{}", release.seen());
    let domain = release.zone();
    for nameserver in ["ns1", "ns2"] {
        let addresses = release.addresses(nameserver);
        assert!(addresses.len() >= site().families(), "of all families: {addresses:?}");
        for address in addresses {
            for transport in [Transport::Udp, Transport::Tcp] {
                let said = release.says(address, &format!("www.{domain} A"), transport);
                assert_eq!(
                    said,
                    "NoError 192.0.2.10",
                    "{nameserver} {address} {transport}\n{}",
                    release.seen()
                );
            }
        }
    }
    // The zone names those that were found to answer rightly.
    let said = release.says(release.addresses("ns1")[0], &format!("{domain} NS"), Transport::Udp);
    assert_eq!(said, "NoError ns1.dns.example.net. ns2.dns.example.net.");
}

/// "`allowedZones` says whose zones a set takes", and a Zone whose nameservers answer for it.
#[test]
fn two_releases_answer_each_for_its_own() {
    let first = Release::install(site(), Helm::Four, &VALUES);
    let own =
        [r#"operator.takesUnnamedZones=false"#, r#"nameservers.allowedZones=[{"domains":["*.example"]}]"#];
    let second = Release::install(site(), Helm::Four, &[&VALUES[..], &own].concat());
    first.comes_to("Ready=True RolledOut");
    second.comes_to("Ready=True RolledOut");
    // Two that take the same Zones would undo what the other writes.
    let namespace = site().create_namespace("port53");
    let done = Release { site: site(), namespace, helm: Helm::Three }.helm("install", &VALUES);
    assert!(!done.success && done.stderr.contains("port53-takes-unnamed-zones"), "{done:?}");
    let domain = second.zone_of(Some(&second.namespace));
    let question = format!("www.{domain} A");
    for (release, said) in [(&second, "NoError 192.0.2.10"), (&first, "Refused")] {
        let says = release.says(release.addresses("ns1")[0], &question, Transport::Udp);
        assert_eq!(says, said, "{}", release.seen());
    }
    let said = second.says(second.addresses("ns2")[0], &format!("{domain} NS"), Transport::Udp);
    assert_eq!(said, "NoError ns1.dns.example.net. ns2.dns.example.net.");
    // What it does not take is refused, by the webhook at the latest when the operator has looked.
    let namespace = domain.trim_end_matches(".example");
    let zone = format!(
        "apiVersion: port53.dev/v1alpha1\nkind: Zone\nmetadata: {{name: other, namespace: {namespace}}}\n\
         spec: {{domain: other.test, nameserverSetRef: {{name: {0}, namespace: {0}}}}}\n",
        second.namespace
    );
    let done = site().kubectl_with(&["apply", "--server-side", "-f", "-"], &zone);
    assert!(!done.success && done.stderr.contains("does not take other.test."), "{done:?}");
}

/// "Tests ask `kubectl auth can-i` for what must and must not be."
#[test]
fn each_may_do_what_it_must_and_nothing_else() {
    let release = Release::install(site(), Helm::Three, &VALUES);
    let can = |account: &str, verb: &str, what: &str, namespace: &str| {
        let user =
            format!("--as=system:serviceaccount:{}:{}-{account}", release.namespace, release.namespace);
        let done = site().kubectl(&["auth", "can-i", verb, what, &user, "-n", namespace]);
        match done.stdout.trim() {
            "yes" => true,
            "no" => false,
            other => panic!("{account} {verb} {what}: {other} {}", done.stderr),
        }
    };
    let own = release.namespace.as_str();
    for (account, verb, what, namespace) in [
        ("resolver", "watch", "zoneheads.port53.dev", own),
        ("resolver", "get", "zoneslices.port53.dev", own),
        ("operator", "watch", "dnsrecords.port53.dev", "default"),
        ("operator", "patch", "zones.port53.dev/status", "default"),
        ("operator", "patch", "deployments.apps", own),
        ("operator", "update", "leases.coordination.k8s.io/port53-operator", own),
        ("operator", "get", "secrets/port53-webhook", own),
        ("reader", "get", "nameserversets.port53.dev", own),
    ] {
        assert!(can(account, verb, what, namespace), "{account} must {verb} {what} in {namespace}");
    }
    for (account, verb, what, namespace) in [
        ("resolver", "list", "zonerevisions.port53.dev", own),
        ("resolver", "update", "zoneheads.port53.dev", own),
        ("resolver", "get", "secrets", own),
        ("resolver", "watch", "zoneheads.port53.dev", "default"),
        ("resolver", "list", "zones.port53.dev", own),
        ("operator", "list", "secrets", own),
        ("operator", "get", "secrets", "default"),
        ("operator", "patch", "deployments.apps", "default"),
        ("operator", "create", "pods", own),
        ("operator", "patch", "dnsrecords.port53.dev", "default"),
        ("operator", "delete", "zones.port53.dev", "default"),
        ("operator", "*", "*", own),
        ("operator", "patch", "validatingwebhookconfigurations.admissionregistration.k8s.io", own),
        ("reader", "patch", "nameserversets.port53.dev", own),
    ] {
        assert!(!can(account, verb, what, namespace), "{account} must not {verb} {what} in {namespace}");
    }
}

/// "`helm uninstall` leaves zones and records unless told otherwise, and says so."
#[test]
fn what_is_uninstalled_leaves_zones_and_records() {
    let release = Release::install(site(), Helm::Four, &VALUES);
    release.comes_to("Ready=True RolledOut");
    let domain = release.zone();
    let done = release.helm_with(&["uninstall", &release.namespace]);
    assert!(done.success, "{done:?}");
    let namespace = domain.trim_end_matches(".example");
    let record = site().kubectl(&["get", "dnsrecord", "www", "-n", namespace]);
    assert!(record.success, "{}", record.stderr);
    assert!(release.get("zonehead", &domain).is_some(), "what is published stays");
    // Installed again, it is answered as before.
    let done = release.helm("install", &VALUES);
    assert!(done.success, "{done:?}");
    release.comes_to("Ready=True RolledOut");
    let said = release.says(release.addresses("ns1")[0], &format!("www.{domain} A"), Transport::Udp);
    assert_eq!(said, "NoError 192.0.2.10", "{}", release.seen());
}

/// "`helm uninstall` leaves zones and records unless told otherwise": told so, all goes, but never what others use.
#[test]
fn what_is_told_to_go_goes() {
    let values = [&VALUES[..], &["definitions.deleteAll=true"]].concat();
    let release = Release::install(site(), Helm::Four, &values);
    release.comes_to("Ready=True RolledOut");
    forget_zones_of_other_tests();
    let domain = release.zone();
    let namespace = domain.trim_end_matches(".example");
    let delay = r#"{"spec":{"removalDelay":"0s"}}"#;
    let done = site().kubectl(&["patch", "zone", "zone", "-n", namespace, "--type=merge", "-p", delay]);
    assert!(done.success, "{done:?}");

    let other = site().create_namespace("other");
    let mut set = release.set();
    set["metadata"] = json!({"name": "other", "namespace": other});
    let done = site().kubectl_with(&["create", "-f", "-"], &set.to_string());
    assert!(done.success, "{done:?}");
    let done = release.helm_with(&["uninstall", &release.namespace]);
    assert!(!done.success, "{done:?}");
    let said = release.says(release.addresses("ns1")[0], &format!("www.{domain} A"), Transport::Udp);
    assert_eq!(said, "NoError 192.0.2.10", "{}", release.seen());

    let done = site().kubectl(&["delete", "nameserverset", "other", "-n", &other]);
    assert!(done.success, "{done:?}");
    let done = release.helm_with(&["uninstall", &release.namespace]);
    assert!(done.success, "{done:?}\n{}", release.seen());
    let left = site().kubectl(&["get", "customresourcedefinitions", "-o", "name"]);
    assert!(!left.stdout.contains("port53.dev"), "{left:?}");
}

/// Zones whose operator is gone would be waited for, and those that are served for an hour after they are deleted.
fn forget_zones_of_other_tests() {
    let format = r#"jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\n"}{end}"#;
    let all = site().kubectl(&["get", "zones.port53.dev", "-A", "-o", format]);
    assert!(all.success, "{all:?}");
    for (namespace, name) in all.stdout.lines().filter_map(|line| line.split_once(' ')) {
        let done = site().kubectl(&["delete", "zone", name, "-n", namespace, "--wait=false"]);
        assert!(done.success, "{done:?}");
        // It may be gone by then.
        let none = r#"{"metadata":{"finalizers":null}}"#;
        site().kubectl(&["patch", "zone", name, "-n", namespace, "--type=merge", "-p", none]);
    }
}
