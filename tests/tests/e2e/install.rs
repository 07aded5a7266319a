//! Installing, and the first zone.

use crate::cluster;
use port53_tests::ask::Transport;
use port53_tests::release::{Helm, Release};

/// Values of every release here: the images are on the node, and time is short.
pub(crate) const VALUES: [&str; 2] = [r#"image.pullPolicy="Never""#, r#"nameservers.rollout.soak="3s""#];

/// "`helm install`, `kubectl apply -f examples/`, `dig` against a nameserver's Service, answered."
#[test]
fn the_default_install_answers() {
    let release = Release::install(cluster(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    let domain = zone(&release);
    for nameserver in ["ns1", "ns2"] {
        let addresses = release.addresses(nameserver);
        assert_eq!(addresses.len(), 2, "of both families: {addresses:?}");
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

/// Makes a zone with some of everything, waits until it is served, and gives its domain.
pub(crate) fn zone(release: &Release<'_>) -> String {
    let namespace = release.cluster.create_namespace("dns");
    let domain = format!("{namespace}.example");
    let mut objects = format!(
        "
apiVersion: port53.dev/v1alpha1
kind: Zone
metadata: {{name: zone, namespace: {namespace}}}
spec: {{domain: {domain}}}
"
    );
    let mut record = |name: &str, owner: &str, rtype: &str, value: &str| {
        objects.push_str(&format!(
            "
---
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{zoneRef: {{name: zone}}, name: \"{owner}\", type: {rtype}, values: ['{value}']}}
"
        ));
    };
    record("www", "www", "A", "192.0.2.10");
    record("wild", "*.wild", "A", "192.0.2.11");
    record("alias", "alias", "CNAME", &format!("www.{domain}."));
    record("cut", "cut", "NS", &format!("ns.cut.{domain}."));
    record("glue", "ns.cut", "A", "192.0.2.12");
    record("text", "text", "TXT", &"x".repeat(2000));
    for number in 0..300 {
        record(&format!("h{number}"), &format!("h{number}"), "A", &format!("198.51.100.{}", number % 256));
    }
    let done = release.cluster.kubectl_with(&["apply", "--server-side", "-f", "-"], &objects);
    assert!(done.success, "{done:?}");
    release.object_comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    release.object_comes_to("dnsrecord", &namespace, "h299", "Ready=True Served");
    domain
}
