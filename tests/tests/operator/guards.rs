//! What a person decides: removals that are held, and rollbacks.

use crate::{hosts, record, shared, zone};
use port53_tests::eventually;
use port53_tests::platform::NAMESPACE;
use serde_json::Value;

#[test]
fn too_many_removals_are_held_and_only_they_until_a_person_releases_them_once() {
    let platform = shared();
    let (namespace, domain) = platform.place("guard");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=19, 2)));
    for n in 1..20 {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    platform.kubectl(&format!("delete dnsrecord --all -n {namespace}"));
    platform.apply(&record(&namespace, "new", "here", "name: new, type: A, values: [192.0.2.99]"));
    platform.comes_to("dnsrecord", &namespace, "new", "Ready=True Served");
    platform.come_to_say(&format!("new.{domain} A"), "NoError 192.0.2.99");
    let message = platform.comes_to("zone", &namespace, "here", "Held=True RemovalsHeld");
    // They came one by one: the first may have gone, as far as the limit lets them.
    let number: usize = message.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    assert!((14..=19).contains(&number) && message.contains(&format!("h9.{domain}. A")), "{message}");
    let why =
        "removals are held: with what went in the last ten minutes they are more than 30 % of the RRsets";
    assert!(message.contains(why), "{message}");
    platform.say(&format!("h9.{domain} A"), "NoError 192.0.2.9");

    // Another id releases nothing.
    platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/release=nothing"));
    eventually("the Zone says so", || {
        let zone = platform.get("zone", &namespace, "here").expect("a Zone");
        let (_, message) = port53_tests::platform::condition(&zone, "Held");
        match message.contains("is \"nothing\", which is not the id of these: nothing goes by it") {
            true => Ok(()),
            false => Err(message),
        }
    });
    platform.apply(&record(&namespace, "newer", "here", "name: newer, type: A, values: [192.0.2.98]"));
    platform.comes_to("dnsrecord", &namespace, "newer", "Ready=True Served");
    platform.say(&format!("h9.{domain} A"), "NoError 192.0.2.9");

    let (_, id) = message.rsplit_once('=').expect("an id");
    platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/release={id} --overwrite"));
    platform.come_to_say(&format!("h9.{domain} A"), "NXDomain");
    platform.comes_to("zone", &namespace, "here", "Held=False NothingHeld");
    eventually("the annotation is spent", || {
        let zone = platform.get("zone", &namespace, "here").expect("a Zone");
        match &zone["metadata"]["annotations"]["port53.dev/release"] {
            Value::Null => Ok(()),
            there => Err(there.to_string()),
        }
    });
    platform.say(&format!("new.{domain} A"), "NoError 192.0.2.99");
}

#[test]
fn a_rollback_is_a_pin_and_its_release_goes_on() {
    let platform = shared();
    let (namespace, domain) = platform.place("rollback");
    let www =
        |n: usize| record(&namespace, "www", "here", &format!("name: www, type: A, values: [192.0.2.{n}]"));
    platform.apply(&(zone(&namespace, "here", &domain) + &www(1)));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    // Each version is kept once it was there for a second.
    let kept = || {
        eventually("a revision of what is published", || {
            let head = platform.head(&domain).expect("a head");
            let serial = head["spec"]["serial"].as_u64().expect("a serial");
            let name = format!("{domain}.{serial}");
            platform.get("zonerevision", NAMESPACE, &name).map(|_| serial).ok_or(name)
        })
    };
    let first = kept();
    platform.apply(&www(2));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    kept();
    platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/rollback={first}"));
    let www_a = format!("www.{domain} A");
    platform.come_to_say(&www_a, "NoError 192.0.2.1");
    let message = platform.comes_to("zone", &namespace, "here", "Ready=True Pinned");
    assert!(message.starts_with(&format!("rolled back to serial {first}")), "{message}");
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=False Pinned");
    let serving =
        platform.get("dnsrecord", &namespace, "www").expect("it is there")["status"]["serving"].clone();
    assert_eq!(serving, Value::Null, "what is served is another version");
    let head = platform.head(&domain).expect("a head");
    assert_eq!(head["spec"]["pinned"], first);
    assert!(head["spec"]["serial"].as_u64() > Some(2), "{}", head["spec"]);
    // What is written meanwhile waits.
    platform.apply(&www(3));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=False Pinned");
    platform.say(&www_a, "NoError 192.0.2.1");

    platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/rollback-"));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.2.3");
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    assert_eq!(platform.head(&domain).expect("a head")["spec"]["pinned"], Value::Null);

    platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/rollback=4000000"));
    eventually("the Zone says what is wrong", || {
        let zone = platform.get("zone", &namespace, "here").expect("a Zone");
        let (said, message) = port53_tests::platform::condition(&zone, "Ready");
        match message.contains("no revision of serial 4000000 is kept: write one of") {
            true => Ok(()),
            false => Err(format!("{said}: {message}")),
        }
    });
    platform.say(&www_a, "NoError 192.0.2.3");
}

#[test]
fn the_same_removals_can_be_released_again() {
    let platform = shared();
    let (namespace, domain) = platform.place("again");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=10, 2)));
    for _ in 0..2 {
        platform.apply(&hosts(&namespace, 1..=10, 2));
        for n in 1..11 {
            platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
        }
        platform.kubectl(&format!("delete dnsrecord --all -n {namespace}"));
        let id = eventually("all that is left is held", || {
            let zone = platform.get("zone", &namespace, "here").expect("a Zone");
            let (_, message) = port53_tests::platform::condition(&zone, "Held");
            let is_all = zone["status"]["records"] == 11 - gone(&message);
            match message.rsplit_once('=') {
                Some((_, id)) if is_all => Ok(id.to_owned()),
                _ => Err(format!("{message}, {}", zone["status"]["records"])),
            }
        });
        platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/release={id}"));
        platform.come_to_say(&format!("h9.{domain} A"), "NXDomain");
        platform.comes_to("zone", &namespace, "here", "Held=False NothingHeld");
    }
}

/// How many of ten are not among those held.
fn gone(message: &str) -> u64 {
    let held = message.split(' ').next().and_then(|word| word.parse::<u64>().ok());
    10 - held.unwrap_or(10)
}
