//! Records: created, edited, refused, deleted.

use crate::{record, shared, zone};

#[test]
fn a_record_is_answered_and_says_who_answers_it() {
    let platform = shared();
    let namespace = platform.cluster.create_namespace("records");
    let domain = format!("{namespace}.example");
    let www = |value: &str| {
        record(&namespace, "www", "here", &format!("name: www, type: A, ttl: 60, values: [{value}]"))
    };
    platform.apply(&(zone(&namespace, "here", &domain) + &www("192.0.2.1")));
    let message = platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    assert!(message.contains("by 2 of 2 pods, 2 nameservers"), "{message}");
    let www_a = format!("www.{domain} A");
    platform.say(&www_a, "NoError 192.0.2.1");
    // The nameservers of the operator's settings, as the Zone names none.
    platform.say(&format!("{domain} NS"), "NoError ns1.dns.example.net. ns2.dns.example.net.");
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");

    platform.apply(&www("192.0.2.2"));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.2.2");

    platform.kubectl(&format!("delete dnsrecord www -n {namespace}"));
    platform.come_to_say(&www_a, "NXDomain");
}
