//! Nameservers that come, go, change places and are made of something else.

use crate::install::VALUES;
use crate::site;
use port53_tests::ask::Transport;
use port53_tests::eventually;
use port53_tests::release::{Helm, Release};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The value of `nameservers.list` for nameservers of these names.
fn list(names: &[&str]) -> String {
    let all = names.iter().map(|name| format!(r#"{{"name":"{name}","hostname":"{name}.dns.example.net"}}"#));
    format!("nameservers.list=[{}]", all.collect::<Vec<_>>().join(","))
}

/// Zones of other tests have the same hostnames, and longer TTLs: this takes its own alone.
const ALONE: &str = "operator.takesUnnamedZones=false";

fn upgrade(release: &Release<'_>, names: &[&str]) {
    release.upgrade(&[&VALUES[..], &[&list(names), ALONE]].concat());
}

/// The names in the NS of a zone, as a nameserver answers them.
fn ns(release: &Release<'_>, asked: &str, domain: &str) -> BTreeSet<String> {
    let said = release.says(release.addresses(asked)[0], &format!("{domain} NS"), Transport::Udp);
    let names = said.split(' ').skip(1);
    names.filter_map(|name| Some(name.split_once('.')?.0.to_owned())).collect()
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn is_there(release: &Release<'_>, name: &str) -> bool {
    release.get("deployment", &format!("{}-{name}", release.namespace)).is_some()
}

/// "A nameserver that is added enters the zones' NS after it is verified; one that is removed leaves the zones first, and
/// goes after the NS TTL."
#[test]
fn nameservers_come_and_go() {
    let release = Release::install(site(), Helm::Four, &[&VALUES[..], &[ALONE]].concat());
    release.comes_to("Ready=True RolledOut");
    let domain = release.zone_of(Some(&release.namespace));
    // The NS have the TTL that the zone gives to what states none.
    let namespace = domain.trim_end_matches(".example");
    let ttl = r#"{"spec":{"defaultTTL":5}}"#;
    let done = site().kubectl(&["patch", "zone", "zone", "-n", namespace, "--type=merge", "-p", ttl]);
    assert!(done.success, "{done:?}");

    upgrade(&release, &["ns1", "ns2", "ns3"]);
    eventually("ns3 in the zone", || match ns(&release, "ns1", &domain) == set_of(&["ns1", "ns2", "ns3"]) {
        true => Ok(()),
        // It is asked before anybody is sent to it.
        false => Err(format!("{:?}", ns(&release, "ns1", &domain))),
    });
    assert_eq!(release.set()["status"]["nameservers"][2]["phase"], "Updated", "{}", release.seen());
    assert_eq!(ns(&release, "ns3", &domain), set_of(&["ns1", "ns2", "ns3"]));

    // Another order changes nothing that runs.
    let generations = || {
        ["ns1", "ns2", "ns3"].map(|name| {
            let deployment = release.get("deployment", &format!("{}-{name}", release.namespace));
            deployment.expect("a Deployment")["metadata"]["generation"].clone()
        })
    };
    let before = generations();
    upgrade(&release, &["ns3", "ns2", "ns1"]);
    release.comes_to("Ready=True RolledOut");
    assert_eq!(release.set()["status"]["nameservers"][0]["name"], "ns3");
    assert_eq!(generations(), before, "{}", release.seen());

    // One goes: first from the zones, then itself, when nobody can remember it.
    upgrade(&release, &["ns3", "ns2"]);
    eventually("ns1 leaves the zone", || match ns(&release, "ns2", &domain) == set_of(&["ns2", "ns3"]) {
        true => Ok(()),
        false => Err(format!("{:?}", ns(&release, "ns2", &domain))),
    });
    assert!(is_there(&release, "ns1"), "clients still know it\n{}", release.seen());
    let leaving = release.set()["status"]["nameservers"].as_array().and_then(|all| all.last()).cloned();
    assert_eq!(leaving.expect("three")["phase"], "Leaving", "{}", release.seen());
    assert_eq!(ns(&release, "ns1", &domain), set_of(&["ns2", "ns3"]), "it answers what is true");
    eventually("ns1 is gone", || match is_there(&release, "ns1") {
        true => Err("it is there".to_owned()),
        false => Ok(()),
    });
    assert!(release.get("service", &format!("{}-ns1", release.namespace)).is_none());

    // "a nameserver is removed only if no zone would be left with none": all of them at once.
    upgrade(&release, &["ns8"]);
    eventually("ns8 in the zone", || match ns(&release, "ns2", &domain) == set_of(&["ns8"]) {
        true => Ok(()),
        false => Err(format!("{:?}", ns(&release, "ns2", &domain))),
    });
    assert!(is_there(&release, "ns2") && is_there(&release, "ns3"), "{}", release.seen());
    release.comes_to("Ready=True RolledOut");

    // Pods of each.
    release.upgrade(&[&VALUES[..], &[&list(&["ns8"]), ALONE, "nameservers.replicas=3"]].concat());
    eventually("three pods", || match &release.set()["status"]["nameservers"][0]["ready"] {
        Value::String(ready) if ready == "3/3" => Ok(()),
        other => Err(format!("{other}")),
    });
}

/// "Modes beside Deployment + LoadBalancer: `NodePort`, host network (DaemonSet on labelled nodes, anycast), dual stack
/// (`ipFamilyPolicy`), two Services where mixed protocols are not supported."
#[test]
fn nameservers_are_in_the_network_of_labelled_nodes() {
    let node = site().nodes()[0].clone();
    site().takes_away("node", &node.name);
    let selector = format!(r#"nameservers.nodeSelector={{"port53-tests":"{}"}}"#, site().run());
    let values = [
        &list(&["ns1"]),
        r#"nameservers.workload="DaemonSet""#,
        "nameservers.hostNetwork=true",
        &selector,
        r#"nameservers.service={"type":"NodePort","protocols":"Apart","ipFamilyPolicy":"SingleStack"}"#,
    ];
    let host = [("pod-security.kubernetes.io/enforce", "privileged")];
    let release = Release::install_into(site(), Helm::Four, &[&VALUES[..], &values].concat(), &host);
    release.comes_to("Ready=True RolledOut");
    let domain = release.zone();
    let workload = release.get("daemonset", &format!("{}-ns1", release.namespace)).expect("a DaemonSet");
    assert_eq!(workload["status"]["numberReady"], 1, "{}", release.seen());
    // By the address of the node, and by the ports of every node that lead there.
    let node = node.addresses[0];
    let question = format!("www.{domain} A");
    for transport in [Transport::Udp, Transport::Tcp] {
        let said = release.says(SocketAddr::new(node, 5353), &question, transport);
        assert_eq!(said, "NoError 192.0.2.10", "{transport}\n{}", release.seen());
    }
    for (suffix, transport) in [("", Transport::Udp), ("-tcp", Transport::Tcp)] {
        let service = format!("{}-ns1{suffix}", release.namespace);
        let service = release.get("service", &service).expect("a Service");
        assert_eq!(service["spec"]["ipFamilies"].as_array().map(Vec::len), Some(1), "{service}");
        let [port] = &service["spec"]["ports"].as_array().expect("ports")[..] else { panic!("{service}") };
        let port = port["nodePort"].as_u64().expect("a port") as u16;
        let said = release.says(SocketAddr::new(node, port), &question, transport);
        assert_eq!(said, "NoError 192.0.2.10", "{transport}\n{}", release.seen());
    }
    // A change reaches it without a trial, for which there is no place on the node.
    let change = r#"nameservers.config={"nsid":"new"}"#;
    release.upgrade(&[&VALUES[..], &values, &[change]].concat());
    release.comes_to("Ready=True RolledOut");
    let said = release.says(SocketAddr::new(node, 5353), &question, Transport::Udp);
    assert_eq!(said, "NoError 192.0.2.10", "{}", release.seen());
}

/// "The operator owns these objects by server-side apply, with owner references, and repairs what is changed by hand."
#[test]
fn what_is_changed_by_hand_is_put_right() {
    let release = Release::install(site(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    let name = format!("{}-ns1", release.namespace);
    let kinds = [
        ("deployment", r#"{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":99}}}}"#),
        ("service", r#"{"spec":{"selector":{"port53.dev/nameserver":"other"}}}"#),
        ("poddisruptionbudget", r#"{"spec":{"maxUnavailable":2}}"#),
    ];
    let specs = || kinds.map(|(kind, _)| release.get(kind, &name).map(|object| object["spec"].clone()));
    let before = specs();
    let is_put_right = |what: &str| {
        eventually(what, || match specs() == before {
            true => Ok(()),
            false => Err(format!("{:#?}", specs())),
        });
    };
    for (kind, patch) in kinds {
        let arguments = ["patch", kind, &name, "-n", &release.namespace, "--type=merge", "-p", patch];
        let done = site().kubectl(&arguments);
        assert!(done.success, "{done:?}");
        is_put_right(&format!("{kind} as it was"));
    }
    release.kubectl(&format!("delete poddisruptionbudget {name}"));
    is_put_right("poddisruptionbudget again");
    release.comes_to("Ready=True RolledOut");
}

/// "spread over nodes and zones"
#[test]
fn pods_of_a_nameserver_are_on_several_nodes() {
    let release = Release::install(site(), Helm::Four, &VALUES);
    release.comes_to("Ready=True RolledOut");
    for component in
        ["port53.dev/nameserver=ns1", "port53.dev/nameserver=ns2", "app.kubernetes.io/component=operator"]
    {
        let nodes =
            release.kubectl(&format!("get pods -l {component} -o jsonpath={{.items[*].spec.nodeName}}"));
        let nodes: BTreeSet<&str> = nodes.split(' ').collect();
        let expected = site().nodes().len().min(2);
        assert_eq!(nodes.len(), expected, "{component}: {nodes:?}\n{}", release.seen());
    }
}
