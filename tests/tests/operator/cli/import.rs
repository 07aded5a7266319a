//! Master files, and zones of other DNS systems, into a cluster.

use super::{Site, managers, with_managers};
use std::fmt::Write as _;

/// A master file with an A record for each host, that of h0 in its line 6, and `more`.
pub(super) fn master(domain: &str, hosts: usize, more: &str) -> String {
    let mut text = format!(
        "$ORIGIN {domain}.\n$TTL 300\n@ SOA ns1.dns.example.net. hostmaster.{domain}. 2026010101 3600 600 604800 300\n\
         @ NS ns1.dns.example.net.\n@ NS ns2.dns.example.net.\n"
    );
    for host in 0..hosts {
        let _ = writeln!(text, "h{host} A 192.0.2.{}", host % 250 + 1);
    }
    text + more
}

#[test]
fn a_zone_is_imported_what_is_refused_is_listed_and_the_rest_is_there() {
    let site = Site::new("import");
    // Somebody else has some of the records already, with another address.
    site.write("here.zone", &master(&site.domain, 400, ""));
    let done = site.port53(0, &format!("import here.zone --origin {} -o -", site.domain));
    for (host, address) in [("h7", "192.0.2.8"), ("h300", "192.0.2.51"), ("h31", "192.0.2.32")] {
        let is_it = |document: &&str| document.contains(&format!("name: {host}\n"));
        let document = done.stdout.split("---\n").find(is_it).expect(host);
        site.platform.apply(&document.replace(address, "198.51.100.1"));
    }

    let more = "_no_such A 192.0.2.1\nsigned RRSIG A 8 2 300 20300101000000 20200101000000 1 example. AAAA\n";
    site.write("here.zone", &master(&site.domain, 400, more));
    let line = format!("import here.zone --origin {} --apply --rejects rejects.yaml", site.domain);
    let done = site.port53(1, &line);
    assert!(done.stderr.contains("refused"), "{done:?}");
    assert!(done.stderr.contains("h7") && done.stderr.contains("--force-conflicts"), "{done:?}");
    // In the order of the file.
    let told: Vec<&str> = done.stderr.lines().filter(|line| line.contains(": refused: ")).collect();
    let starts = [
        "here.zone:13: refused: DNSRecord",
        "here.zone:37: refused: DNSRecord",
        "here.zone:306: refused: DNSRecord",
        "here.zone:407: refused: signed.",
    ];
    assert_eq!(told.len(), starts.len(), "{done:?}");
    assert!(told.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{told:#?}");
    let summary = ", 403 DNSRecords: 399 applied, 0 there already, 4 refused";
    assert!(done.stdout.contains(summary), "{done:?}");
    // h0 to h399 with three as they were, NS, _no_such.
    assert_eq!(site.records(), 402);
    let rejects = site.read("rejects.yaml");
    assert!(
        rejects.contains("# ") && rejects.contains("name: h7\n") && rejects.contains("192.0.2.8"),
        "{rejects}"
    );

    site.platform.comes_to("zone", &site.namespace, &site.domain, "Ready=True Served");
    site.platform.come_to_say(&format!("h399.{} A", site.domain), "NoError 192.0.2.150");
    site.platform.come_to_say(&format!("h7.{} A", site.domain), "NoError 198.51.100.1");
    assert!(managers(&with_managers(&site, "zone", &site.domain)).contains(&"port53".to_owned()));

    // What was refused is corrected by what is in the file, once it may be taken over.
    let done = site.port53(0, "apply -f rejects.yaml --force-conflicts");
    assert!(done.stdout.contains("served as serial"), "{done:?}");
    site.platform.come_to_say(&format!("h7.{} A", site.domain), "NoError 192.0.2.8");
}

#[test]
fn the_zones_of_a_named_conf_and_of_octodns_are_imported_and_what_is_left_out_is_among_the_rejects() {
    let site = Site::new("legacy");
    let domain = &site.domain;
    site.write("db", &master(domain, 3, ""));
    site.write(
        "named.conf",
        &format!(
            "options {{ directory \"{}\"; }};\nzone \"{domain}\" {{ type master; file \"db\"; }};\n\
             zone \"sec.{domain}\" {{ type slave; masters {{ 192.0.2.1; }}; }};\n",
            site.files.path().display()
        ),
    );
    let done = site.port53(1, "import named.conf --apply --rejects rejects.yaml");
    assert!(done.stdout.contains(", 4 DNSRecords: 4 applied, 0 there already, 0 refused"), "{done:?}");
    let told = format!("named.conf:3: refused: zone sec.{domain}: it is a slave");
    assert!(done.stderr.contains(&told), "{done:?}");
    let rejects = site.read("rejects.yaml");
    assert!(
        rejects.contains("---\n# named.conf:3\n# it is a slave")
            && rejects.contains(&format!("# zone sec.{domain}\n"))
    );
    site.platform.comes_to("zone", &site.namespace, domain, "Ready=True Served");
    site.platform.come_to_say(&format!("h2.{domain} A"), "NoError 192.0.2.3");

    // A zone below it, of another provider: without a SOA.
    let below = format!("o.{domain}");
    let text = "'': {type: NS, values: [ns1.dns.example.net.]}\nwww: {type: A, ttl: 60, value: 192.0.2.80}\n\
                a: {type: ALIAS, value: a.}\n";
    site.write(&format!("{below}.yaml"), text);
    let done = site.port53(1, &format!("import {below}.yaml --apply"));
    assert!(done.stdout.contains(", 3 DNSRecords: 2 applied, 0 there already, 1 refused"), "{done:?}");
    assert!(done.stderr.contains(&format!("{below}.yaml:3: refused: a.{below}. ALIAS: ")), "{done:?}");
    site.platform.come_to_say(&format!("www.{below} A"), "NoError 192.0.2.80");
}

/// What `kubectl get` prints of the Zones of a cluster and its DNSEndpoints is all that is needed, and the Zone stays
/// that of who wrote it.
#[test]
fn dnsendpoints_are_imported_into_the_zone_that_there_is() {
    let site = Site::new("endpoints");
    site.platform.apply(&site.zone());
    // The operator has put its finalizer there by then.
    site.platform.comes_to("zone", &site.namespace, "here", "Ready=True Served");
    let managed = || managers(&with_managers(&site, "zone", "here"));
    let before = managed();
    let zones = site.platform.kubectl(&format!("get zones -n {} -o yaml", site.namespace));
    let domain = &site.domain;
    let endpoints = format!(
        "---\napiVersion: externaldns.k8s.io/v1alpha1\nkind: DNSEndpoint\nmetadata: {{name: e, namespace: elsewhere}}\n\
         spec:\n  endpoints:\n  - {{dnsName: www.{domain}, recordType: A, recordTTL: 60, targets: [192.0.2.80]}}\n"
    );
    site.write("all.yaml", &(zones + &endpoints));
    let done = site.port53(0, "import all.yaml --apply");
    assert!(done.stdout.contains(", 1 DNSRecord: 1 applied, 0 there already, 0 refused"), "{done:?}");
    site.platform.come_to_say(&format!("www.{domain} A"), "NoError 192.0.2.80");
    assert_eq!(managed(), before);
}
