//! Records: created, edited, refused, deleted; who keeps a name; what waits for nothing.

use crate::{record, shared, zone};
use port53_tests::eventually;
use port53_tests::platform::condition;

#[test]
fn a_record_is_answered_and_says_who_answers_it() {
    let platform = shared();
    let (namespace, domain) = platform.place("records");
    let www =
        |value: &str| record(&namespace, "www", "here", &format!("name: www, type: A, values: [{value}]"));
    platform.apply(&(zone(&namespace, "here", &domain) + &www("192.0.2.1")));
    let message = platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    assert!(message.contains("by 2 of 2 pods, 2 nameservers"), "{message}");
    let www_a = format!("www.{domain} A");
    platform.say(&www_a, "NoError 192.0.2.1");
    // The nameservers of the operator's settings, as the Zone names none.
    platform.say(&format!("{domain} NS"), "NoError ns1.dns.example.net. ns2.dns.example.net.");
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    let columns = platform.kubectl(&format!("get dnszone here -n {namespace}"));
    assert!(columns.contains("2/2") && columns.contains(&domain), "{columns}");

    platform.apply(&www("192.0.2.2"));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.2.2");
    let head = platform.head(&domain).expect("a head");
    assert_eq!((&head["spec"]["serial"], &head["spec"]["state"]), (&2.into(), &"Serving".into()));

    platform.kubectl(&format!("delete dnsrecord www -n {namespace}"));
    platform.come_to_say(&www_a, "NXDomain");
}

#[test]
fn what_is_refused_is_refused_alone_and_its_last_good_version_stays() {
    let platform = shared();
    let (namespace, domain) = platform.place("refused");
    let www =
        |value: &str| record(&namespace, "www", "here", &format!("name: www, type: A, values: [{value}]"));
    let good = record(&namespace, "good", "here", "name: good, type: AAAA, values: [\"2001:db8::1\"]");
    let bad = record(&namespace, "bad", "here", "name: bad, type: A, values: [192.0.2.300]");
    platform.apply(&(zone(&namespace, "here", &domain) + &www("192.0.2.1") + &bad + &good));
    platform.comes_to("dnsrecord", &namespace, "good", "Ready=True Served");
    let message = platform.comes_to("dnsrecord", &namespace, "bad", "Ready=False InvalidValue");
    assert!(message.starts_with("spec.values[0]: \"192.0.2.300\""), "{message}");
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");

    platform.apply(&www("nonsense"));
    let message = platform.comes_to("dnsrecord", &namespace, "www", "Ready=False InvalidValue");
    assert!(message.ends_with("the last good version stays in service"), "{message}");
    platform.say(&format!("www.{domain} A"), "NoError 192.0.2.1");
    eventually("the count", || {
        let zone = platform.get("zone", &namespace, "here").expect("a Zone");
        let rejected = &zone["status"]["rejected"];
        if *rejected == 2 { Ok(()) } else { Err(format!("{rejected} rejected, not 2")) }
    });
    // A record of a Zone that is not there.
    platform.apply(&record(&namespace, "lost", "nowhere", "name: www, type: A, values: [192.0.2.1]"));
    let message = platform.comes_to("dnsrecord", &namespace, "lost", "Ready=False ZoneNotFound");
    assert!(message.contains(&format!("there is no Zone {namespace}/nowhere")), "{message}");
}

/// Whatever the spelling, it is one name, and who was there first keeps it.
#[test]
fn of_two_that_clash_the_one_in_service_keeps_the_name() {
    let platform = shared();
    let (namespace, domain) = platform.place("clash");
    let www = |object: &str, name: &str| {
        record(&namespace, object, "here", &format!("name: {name}, type: A, values: [192.0.2.1]"))
    };
    platform.apply(&(zone(&namespace, "here", &domain) + &www("zz-first", "WWW")));
    platform.comes_to("dnsrecord", &namespace, "zz-first", "Ready=True Served");
    let spelled = format!("www.{domain}.");
    platform.apply(&(www("a-second", &spelled) + &www("b-third", "'\\119ww'")));
    for second in ["a-second", "b-third"] {
        let message = platform.comes_to("dnsrecord", &namespace, second, "Ready=False Conflicted");
        assert!(message.contains(&format!("DNSRecord {namespace}/zz-first")), "{message}");
    }
    // Gone, and the next has it. The name stays in service all the while.
    platform.kubectl(&format!("delete dnsrecord zz-first -n {namespace}"));
    platform.comes_to("dnsrecord", &namespace, "a-second", "Ready=True Served");
    platform.say(&format!("www.{domain} A"), "NoError 192.0.2.1");
}

#[test]
fn a_cname_is_replaced_by_an_a_without_a_moment_of_neither() {
    let platform = shared();
    let (namespace, domain) = platform.place("replaced");
    let alias = record(&namespace, "alias", "here", "name: www, type: CNAME, values: [www.example.net]");
    platform.apply(&(zone(&namespace, "here", &domain) + &alias));
    platform.comes_to("dnsrecord", &namespace, "alias", "Ready=True Served");
    let www_a = format!("www.{domain} A");
    platform.say(&www_a, "NoError www.example.net.");
    platform.kubectl(&format!("delete dnsrecord alias -n {namespace}"));
    platform.apply(&record(&namespace, "address", "here", "name: www, type: A, values: [192.0.2.7]"));
    for resolver in &platform.resolvers {
        eventually(&www_a, || match resolver.says(&www_a).as_str() {
            "NoError 192.0.2.7" => Ok(()),
            said @ "NoError www.example.net." => Err(said.to_owned()),
            neither => panic!("in between it says {neither}"),
        });
    }
}

/// One status write a record, and none when nothing changes.
#[test]
fn a_record_has_one_status_write_and_a_status_that_was_edited_is_written_again() {
    let platform = shared();
    let (namespace, domain) = platform.place("writes");
    platform.apply(&zone(&namespace, "here", &domain));
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    platform.apply(&record(&namespace, "www", "here", "name: www, type: A, values: [192.0.2.1]"));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    let object = platform.get("dnsrecord", &namespace, "www").expect("it is there");
    // The status was written once: its condition never was anything else.
    let ready = &object["status"]["conditions"][1];
    assert_eq!(ready["type"], "Ready");
    let version = object["metadata"]["resourceVersion"].clone();
    platform.apply(&record(&namespace, "other", "here", "name: other, type: A, values: [192.0.2.1]"));
    platform.comes_to("dnsrecord", &namespace, "other", "Ready=True Served");
    let now = platform.get("dnsrecord", &namespace, "www").expect("it is there");
    assert_eq!(now["metadata"]["resourceVersion"], version);

    let patch = r#"{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Lie","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#;
    let arguments =
        ["patch", "dnsrecord", "www", "-n", &namespace, "--subresource=status", "--type=merge", "-p", patch];
    assert!(platform.cluster.kubectl(&arguments).success);
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    let object = platform.get("dnsrecord", &namespace, "www").expect("it is there");
    assert_eq!(condition(&object, "Accepted").0, "True Accepted");
}

/// One of the same name, generation and data, which nobody told anything.
#[test]
fn a_record_that_is_created_anew_is_told_anew() {
    let platform = shared();
    let (namespace, domain) = platform.place("anew");
    let www = record(&namespace, "www", "here", "name: www, type: A, values: [192.0.2.1]");
    platform.apply(&(zone(&namespace, "here", &domain) + &www));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    for _ in 0..5 {
        platform.kubectl(&format!("delete dnsrecord www -n {namespace}"));
        platform.apply(&www);
        platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
        platform.say(&format!("www.{domain} A"), "NoError 192.0.2.1");
    }
}
