//! What an operator finds when it starts: heads that were edited while nobody looked.

use crate::{hosts, patch_head, programs, record, zone, zone_with};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings, condition};

/// The newest revision stands for what cannot be read: the guard counts against it, and last good versions stay.
#[test]
fn what_is_published_and_cannot_be_read_is_taken_from_the_newest_revision() {
    let mut platform = Platform::start(programs(), Settings::default());
    let places = ["junk", "digest", "withdrawn", "gone"].map(|name| platform.place(name));
    for (namespace, domain) in &places {
        platform.apply(&(zone(namespace, "here", domain) + &hosts(namespace, 1..=20, 2)));
    }
    for (namespace, _) in &places {
        for n in 1..21 {
            platform.comes_to("dnsrecord", namespace, &format!("h{n}"), "Ready=True Served");
        }
    }
    platform.kill_operator();
    let serial = |platform: &Platform, domain: &str| {
        platform.head(domain).expect("a head")["spec"]["serial"].as_u64().expect("a serial")
    };
    let before: Vec<u64> = places.iter().map(|(_, domain)| serial(&platform, domain)).collect();
    // The journal of one cannot be read; that of the next makes another content than the digest says; one is made to say
    // Withdrawn, although its Zone is there; and one is deleted.
    let other = platform.head(&places[1].1).expect("a head")["spec"]["checkpoint"]["root"].clone();
    let damages = [
        r#"{"spec":{"journal":"AAAA"}}"#,
        &format!(r#"{{"spec":{{"digest":{other}}}}}"#),
        r#"{"spec":{"state":"Withdrawn"}}"#,
    ];
    for ((_, domain), damage) in places.iter().zip(damages) {
        patch_head(&platform, domain, damage);
    }
    platform.kubectl(&format!("delete zonehead {} -n {NAMESPACE}", places[3].1));
    for (namespace, _) in &places {
        let fifteen: Vec<String> = (6..21).map(|n| format!("h{n}")).collect();
        platform.kubectl(&format!("delete dnsrecord -n {namespace} {}", fifteen.join(" ")));
        let nonsense = record(namespace, "h1", "here", "name: h1, type: A, values: [nonsense]");
        let new = record(namespace, "new", "here", "name: new, type: A, values: [192.0.2.99]");
        platform.apply(&(nonsense + &new));
    }
    platform.start_operator();
    for ((namespace, domain), before) in places.iter().zip(before) {
        platform.comes_to("dnsrecord", namespace, "new", "Ready=True Served");
        let message = platform.comes_to("dnsrecord", namespace, "h1", "Ready=False InvalidValue");
        assert!(message.ends_with("the last good version stays in service"), "{message}");
        platform.comes_to("zone", namespace, "here", "Held=True RemovalsHeld");
        for (name, value) in [("h1", 1), ("h2", 2), ("h9", 9), ("h20", 20), ("new", 99)] {
            platform.say(&format!("{name}.{domain} A"), &format!("NoError 192.0.2.{value}"));
        }
        let after = serial(&platform, domain);
        assert!(after > before, "{after} after {before}");
    }
}

/// What cannot be read may say that the zone is out of service: it stays so.
#[test]
fn a_zone_that_is_withdrawn_stays_so_when_its_head_cannot_be_read() {
    let mut platform = Platform::start(programs(), Settings::default());
    let (namespace, domain) = platform.place("gone");
    let www = |domain: &str| format!("www.{domain} A");
    let record = |n: &str, zone: &str| record(&namespace, n, zone, "name: www, type: A, values: [192.0.2.1]");
    platform.apply(&(zone_with(&namespace, "here", &domain, "removalDelay: 0s") + &record("www", "here")));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.kubectl(&format!("delete zone here -n {namespace} --timeout=30s"));
    platform.come_to_say(&www(&domain), "Refused");
    platform.kill_operator();
    patch_head(&platform, &domain, r#"{"spec":{"journal":"AAAA"}}"#);
    platform.start_operator();
    // Another that comes afterwards is served, and by then all was looked at.
    let other = format!("other-{domain}");
    platform.apply(&(zone(&namespace, "other", &other) + &record("other", "other")));
    platform.comes_to("dnsrecord", &namespace, "other", "Ready=True Served");
    eventually("the head is as it was", || {
        let head = platform.head(&domain).expect("a head");
        match &head["spec"]["journal"] {
            journal if journal != "AAAA" => Ok(()),
            _ => Err(head["spec"].to_string()),
        }
    });
    assert_eq!(platform.head(&domain).expect("a head")["spec"]["state"], "Withdrawn");
    platform.say(&www(&domain), "Refused");
    platform.say(&www(&other), "NoError 192.0.2.1");
    // It returns as any other.
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    let zone = platform.get("zone", &namespace, "here").expect("a Zone");
    assert_eq!(condition(&zone, "Held").0, "False NothingHeld");
    platform.say(&www(&domain), "NoError 192.0.2.1");
}
