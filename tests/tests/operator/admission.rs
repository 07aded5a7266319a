//! The webhook: what a status would refuse is refused when it is written, and nothing depends on it.

use crate::{programs, record, zone};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings};
use port53_tests::webhook;
use std::net::SocketAddr;

fn platform() -> (Platform, SocketAddr) {
    let (settings, listen) = webhook::listening(Settings::default());
    (Platform::start(programs(), settings), listen)
}

/// "conflicts, out of zone, not granted, clashes with the published zone, refused with the same text as status would say"
#[test]
fn what_a_status_would_refuse_is_refused_when_it_is_written() {
    let (mut platform, listen) = platform();
    let (namespace, domain) = platform.place("admission");
    platform.apply(&zone(&namespace, "here", &domain));
    platform.apply(&record(&namespace, "www", "here", "name: www, type: A, values: [192.0.2.1]"));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    // What is said without it.
    let other = record(&namespace, "other", "here", "name: www, type: A, values: [192.0.2.2]");
    platform.apply(&other);
    let said = platform.comes_to("dnsrecord", &namespace, "other", "Accepted=False Conflicted");
    let done = platform.cluster.kubectl(&["delete", "dnsrecord", "other", "-n", &namespace]);
    assert!(done.success, "{done:?}");

    platform.apply(&webhook::configuration(listen));
    webhook::is_trusted(&platform);
    let apply = |text: &str, more: &[&str]| {
        let arguments = [&["apply", "--server-side", "-f", "-"], more].concat();
        platform.cluster.kubectl_with(&arguments, text)
    };
    // It takes a moment until the API server asks.
    eventually("the webhook", || match apply(&other, &["--dry-run=server"]) {
        done if done.success => Err("the webhook is not asked yet".to_owned()),
        done if done.stderr.contains(&said) => Ok(()),
        done => panic!("{} does not say what the status says: {said}", done.stderr),
    });
    assert!(platform.get("dnsrecord", &namespace, "other").is_none(), "nothing of it is stored");
    let other_namespace = platform.cluster.create_namespace("elsewhere");
    for (wrong, said) in [
        (record(&namespace, "c", "here", "name: c, type: A, values: [192.0.2.300]"), "192.0.2.300"),
        (record(&namespace, "d", "here", "name: d.example.org., type: A, values: [192.0.2.1]"), "spec.name"),
        (record(&namespace, "e", "here", "name: www, type: CNAME, values: [a.example.]"), "CNAME"),
        (zone(&other_namespace, "mine", &domain), "held by"),
        (
            record(
                &other_namespace,
                "f",
                &format!("here, namespace: {namespace}"),
                "name: f, type: A, values: [192.0.2.1]",
            ),
            "grant",
        ),
    ] {
        let done = apply(&wrong, &[]);
        assert!(!done.success && done.stderr.contains(said), "{wrong}\n{}", done.stderr);
        assert!(done.stderr.contains("port53.dev\" denied the request"), "{}", done.stderr);
    }
    // What is right is stored, what comes before its Zone too, with a word about it.
    let done = apply(&record(&namespace, "g", "here", "name: g, type: A, values: [192.0.2.1]"), &[]);
    assert!(done.success && !done.stderr.contains("Warning"), "{}", done.stderr);
    let done = apply(&record(&namespace, "early", "later", "name: g, type: A, values: [192.0.2.1]"), &[]);
    assert!(done.success && done.stderr.contains("Warning: spec.zoneRef"), "{}", done.stderr);
    platform.comes_to("dnsrecord", &namespace, "g", "Ready=True Served");

    // "failurePolicy: Ignore": without an operator people can write.
    platform.end_operator();
    let done = platform.cluster.kubectl_with(&["apply", "--server-side", "-f", "-"], &other);
    assert!(done.success, "{}", done.stderr);
}

/// What is kept in the Secret is made anew when it is of no use, and the API server trusts it again.
#[test]
fn a_certificate_that_is_spoilt_is_made_anew() {
    let (platform, listen) = platform();
    platform.apply(&webhook::configuration(listen));
    let data = || {
        let secret = platform.get("secret", NAMESPACE, "port53-webhook");
        secret.map(|secret| secret["data"].clone()).unwrap_or_default()
    };
    let trusted = || {
        let found = platform.get("validatingwebhookconfiguration", "", "port53").expect("it is there");
        found["webhooks"][0]["clientConfig"]["caBundle"].clone()
    };
    let is_trusted = || match data()["ca.crt"].is_string() && data()["ca.crt"] == trusted() {
        true => Ok(()),
        false => Err("the API server does not trust what is in the Secret".to_owned()),
    };
    eventually("trust", is_trusted);
    let before = data();
    let patch = r#"{"data":{"ca.crt":"bm90aGluZw==","tls.crt":"bm90aGluZw=="}}"#;
    let done = platform.cluster.kubectl(&[
        "patch",
        "secret",
        "port53-webhook",
        "-n",
        NAMESPACE,
        "--type=merge",
        "-p",
        patch,
    ]);
    assert!(done.success, "{done:?}");
    eventually("a new certificate", || match data()["ca.crt"] != "bm90aGluZw==" {
        true => is_trusted(),
        false => Err("it is not made anew".to_owned()),
    });
    assert_ne!(data(), before);
}
