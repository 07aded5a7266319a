//! Who has to answer before a record is Ready: every resolver, those that it is told of and those that it finds. Each
//! has a cluster of its own.

use crate::{hosts, programs, zone};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings, address};
use serde_json::json;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

const LABELS: &str = "app.kubernetes.io/name=port53-resolver";

#[test]
fn a_record_is_ready_when_the_resolver_that_was_silent_has_answered_too() {
    let platform = Platform::start(programs(), Settings::default());
    let (namespace, domain) = platform.place("silent");
    let [ns1, ns2] = platform.resolvers.as_slice() else { panic!("two resolvers") };
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=1, 2)));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");

    ns2.pause();
    platform.apply(&hosts(&namespace, 1..=1, 3));
    ns1.comes_to_say(&format!("h1.{domain} A"), "NoError 192.0.3.1");
    is_waited_for(&platform, &namespace, ns2.address(), "ns2");
    ns2.resume();
    let message = platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    assert!(message.contains("by 2 of 2 pods, 2 nameservers"), "{message}");
    platform.say(&format!("h1.{domain} A"), "NoError 192.0.3.1");
}

/// The record `h1` is answered by all but this one, and says so.
#[track_caller]
fn is_waited_for(platform: &Platform, namespace: &str, silent: SocketAddr, nameserver: &str) {
    platform.comes_to("dnsrecord", namespace, "h1", "Ready=False WaitingForNameservers");
    // That it waits is told before it is known for whom.
    eventually("the record says for whom", || {
        let object = platform.get("dnsrecord", namespace, "h1").expect("it is there");
        let (_, message) = port53_tests::platform::condition(&object, "Ready");
        match message.contains(&format!("{nameserver} at {silent} ")) {
            true => Ok(()),
            false => Err(message),
        }
    });
}

/// An EndpointSlice of the Service `nameserver` with one endpoint.
fn slice(nameserver: &str, at: SocketAddr, is_ready: bool) -> String {
    let labels = LABELS.split_once('=').expect("NAME=VALUE");
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": NAMESPACE,
            "name": format!("{nameserver}-a"),
            "labels": {"kubernetes.io/service-name": nameserver, labels.0: labels.1},
        },
        "addressType": "IPv4",
        "ports": [{"name": "dns", "port": at.port(), "protocol": "UDP"}],
        "endpoints": [{"addresses": [at.ip()], "conditions": {"ready": is_ready}}],
    })
    .to_string()
}

/// Waits until the operator has found so many.
fn are_found(platform: &Platform, count: usize) {
    let found = format!("\"resolvers\":{count}");
    eventually("the resolvers", || {
        let output = platform.operator_output();
        let last = output.lines().rfind(|line| line.contains("the resolvers changed"));
        match last {
            Some(line) if line.contains(&found) => Ok(()),
            other => Err(format!("{other:?}, not {found}")),
        }
    });
}

#[test]
fn resolvers_are_the_ready_endpoints_that_a_selector_finds() {
    let settings = Settings { selector: Some(LABELS.to_owned()), ..Settings::default() };
    let mut platform = Platform::start(programs(), settings);
    let (namespace, domain) = platform.place("found");
    let third = UdpSocket::bind((address(), 0)).expect("a socket");
    let at = third.local_addr().expect("an address");
    let h1 = format!("h1.{domain} A");

    // Without anyone to ask nothing is Ready, however well it is published.
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=1, 2)));
    platform.come_to_say(&h1, "NoError 192.0.2.1");
    let message = platform.comes_to("dnsrecord", &namespace, "h1", "Ready=False WaitingForNameservers");
    assert!(message.contains("no nameserver is known that could be asked"), "{message}");

    platform.apply(&slice("ns3", at, false));
    platform.apply(&slice("ns1", platform.resolvers[0].address(), true));
    platform.apply(&slice("ns2", platform.resolvers[1].address(), true));
    are_found(&platform, 2);
    platform.apply(&hosts(&namespace, 1..=1, 3));
    let message = platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    assert!(message.contains("by 2 of 2 pods, 2 nameservers"), "{message}");
    platform.say(&h1, "NoError 192.0.3.1");
    // All are asked at once: this one would have been by now.
    third.set_nonblocking(true).expect("it does not wait");
    let asked = third.recv_from(&mut [0; 512]);
    assert!(asked.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{asked:?}");

    // Ready, it is waited for.
    platform.apply(&slice("ns3", at, true));
    are_found(&platform, 3);
    platform.apply(&hosts(&namespace, 1..=1, 4));
    is_waited_for(&platform, &namespace, at, "ns3");
    eventually("a question", || third.recv_from(&mut [0; 512]).map_err(|error| error.to_string()));
    platform.kubectl(&format!("delete endpointslice ns3-a -n {NAMESPACE}"));
    let message = platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    assert!(message.contains("by 2 of 2 pods, 2 nameservers"), "{message}");

    // A pod that takes the place of another is asked where it is, by the same operator.
    let before = platform.resolvers[1].address();
    platform.restart_resolver(1);
    platform.apply(&hosts(&namespace, 1..=1, 5));
    is_waited_for(&platform, &namespace, before, "ns2");
    platform.apply(&slice("ns2", platform.resolvers[1].address(), true));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    platform.say(&h1, "NoError 192.0.5.1");
}
