//! Two operators: one works, the other takes over, and nothing is published twice.

use crate::programs;
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings};
use tempfile::TempDir;

fn platform() -> Platform {
    let settings = Settings { operator: vec!["--leader-election".to_owned()], ..Settings::default() };
    Platform::start(programs(), settings)
}

fn holder(platform: &Platform) -> String {
    let lease = platform.get("lease", NAMESPACE, "port53-operator");
    let holder = lease.as_ref().and_then(|lease| lease["spec"]["holderIdentity"].as_str());
    holder.unwrap_or_default().to_owned()
}

fn zone(namespace: &str, domain: &str) -> String {
    format!(
        "
apiVersion: port53.dev/v1alpha1
kind: Zone
metadata: {{name: z, namespace: {namespace}}}
spec: {{domain: {domain}}}
"
    )
}

fn record(namespace: &str, name: &str) -> String {
    format!(
        "
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{zoneRef: {{name: z}}, name: {name}, type: A, values: [192.0.2.1]}}
"
    )
}

fn serial(platform: &Platform, domain: &str) -> i64 {
    platform.head(domain).and_then(|head| head["spec"]["serial"].as_i64()).expect("a serial")
}

/// "Two operators, one frozen (SIGSTOP) and woken: no serial goes back, no double publication."
#[test]
fn one_that_was_frozen_and_woken_writes_nothing_more() {
    let mut platform = platform();
    let (namespace, domain) = platform.place("frozen");
    platform.apply(&zone(&namespace, &domain));
    platform.apply(&record(&namespace, "a"));
    platform.comes_to("dnsrecord", &namespace, "a", "Ready=True Served");
    let first = holder(&platform);
    let dir = TempDir::new().expect("a directory");
    let another = platform.start_another_operator(dir.path());
    eventually("the other watches", || match another.output().contains("\"operating\"") {
        true => Ok(()),
        false => Err(another.output()),
    });
    let before = serial(&platform, &domain);
    platform.pause_operator();
    platform.apply(&record(&namespace, "b"));
    platform.comes_to("dnsrecord", &namespace, "b", "Ready=True Served");
    assert_ne!(holder(&platform), first, "the other has taken over");
    assert_eq!(serial(&platform, &domain), before + 1, "published once");
    platform.resume_operator();
    eventually("the one that was frozen ends", || {
        match platform.operator_output().contains("this operator no longer holds the Lease") {
            true => Ok(()),
            false => Err("running".to_owned()),
        }
    });
    platform.apply(&record(&namespace, "c"));
    platform.comes_to("dnsrecord", &namespace, "c", "Ready=True Served");
    assert_eq!(serial(&platform, &domain), before + 2, "published once");
    assert!(!another.output().contains("\"level\":\"ERROR\""), "{}", another.output());
    platform.kill_operator();
}

/// "Release on a clean stop (a handover in under 2 s), standby's caches warm."
#[test]
fn one_that_leaves_hands_over() {
    let mut platform = platform();
    let (namespace, domain) = platform.place("handover");
    platform.apply(&zone(&namespace, &domain));
    platform.apply(&record(&namespace, "a"));
    platform.comes_to("dnsrecord", &namespace, "a", "Ready=True Served");
    let dir = TempDir::new().expect("a directory");
    let another = platform.start_another_operator(dir.path());
    eventually("the other watches", || match another.output().contains("\"operating\"") {
        true => Ok(()),
        false => Err(another.output()),
    });
    assert!(!another.output().contains("\"leading\""), "one works, and one watches");
    let before = serial(&platform, &domain);
    platform.end_operator();
    platform.apply(&record(&namespace, "b"));
    platform.comes_to("dnsrecord", &namespace, "b", "Ready=True Served");
    assert!(another.output().contains("\"leading\""), "{}", another.output());
    assert_eq!(serial(&platform, &domain), before + 1);
}

/// Found by a reader: one that stood by knew of each zone what was published when it began to watch, took all that the other
/// published for a change by somebody else, and went on from there.
#[test]
fn one_that_takes_over_goes_on_from_what_the_other_published() {
    let mut platform = platform();
    let (namespace, domain) = platform.place("followed");
    platform.apply(&zone(&namespace, &domain));
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
        platform.apply(&record(&namespace, name));
    }
    platform.comes_to("dnsrecord", &namespace, "l", "Ready=True Served");
    let dir = TempDir::new().expect("a directory");
    let another = platform.start_another_operator(dir.path());
    eventually("the other watches", || match another.output().contains("\"operating\"") {
        true => Ok(()),
        false => Err(another.output()),
    });
    // The one that works adds, and takes away what the guard lets go.
    platform.apply(&record(&namespace, "new"));
    platform.comes_to("dnsrecord", &namespace, "new", "Ready=True Served");
    platform.kubectl(&format!("delete dnsrecord a -n {namespace}"));
    platform.come_to_say(&format!("a.{domain} A"), "NXDomain");
    let before = serial(&platform, &domain);
    platform.end_operator();
    platform.apply(&record(&namespace, "after"));
    platform.comes_to("dnsrecord", &namespace, "after", "Ready=True Served");
    assert_eq!(
        serial(&platform, &domain),
        before + 1,
        "nothing but the record was published\n{}",
        another.output()
    );
    platform.say(&format!("a.{domain} A"), "NXDomain");
    platform.say(&format!("new.{domain} A"), "NoError 192.0.2.1");
    assert!(!another.output().contains("changed by another"), "{}", another.output());
}
