//! Heads, revisions and slices edited and deleted by hand: restored, and nobody is answered anything else.

use crate::{patch_head, record, shared, zone};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform};
use serde_json::Value;

/// A zone of its own with one record, and what asks for it.
fn www(platform: &Platform, name: &str) -> (String, String, String) {
    let (namespace, domain) = platform.place(name);
    let www = record(&namespace, "www", "here", "name: www, type: A, values: [192.0.2.1]");
    platform.apply(&(zone(&namespace, "here", &domain) + &www));
    platform.comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
    let question = format!("www.{domain} A");
    (namespace, domain, question)
}

fn edit(platform: &Platform, namespace: &str, value: &str) {
    platform.apply(&record(namespace, "www", "here", &format!("name: www, type: A, values: [{value}]")));
    platform.comes_to("dnsrecord", namespace, "www", "Ready=True Served");
}

#[test]
fn a_head_that_is_deleted_is_restored_and_goes_on() {
    let platform = shared();
    let (namespace, domain, question) = www(platform, "head-deleted");
    let before = platform.head(&domain).expect("a head");
    platform.kubectl(&format!("delete zonehead {domain} -n {NAMESPACE}"));
    let restored = eventually("the head is back", || platform.head(&domain).ok_or_else(|| "gone".to_owned()));
    assert_ne!(restored["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(restored["spec"], before["spec"]);
    platform.say(&question, "NoError 192.0.2.1");
    edit(platform, &namespace, "192.0.2.2");
    platform.say(&question, "NoError 192.0.2.2");
}

#[test]
fn a_head_that_is_edited_is_restored_above_a_serial_that_may_have_been_followed() {
    let platform = shared();
    let (namespace, domain, question) = www(platform, "head-edited");
    let spec = |field: &str| platform.head(&domain).expect("a head")["spec"][field].clone();
    let comes_to = |what: &str, is_so: &dyn Fn(&Value) -> bool| {
        eventually(what, || {
            let head = platform.head(&domain).expect("a head");
            if is_so(&head["spec"]) { Ok(()) } else { Err(head["spec"].to_string()) }
        });
    };
    // A journal that is not one: nobody follows it.
    edit(platform, &namespace, "192.0.2.2");
    let journal = spec("journal");
    assert_ne!(journal, "");
    patch_head(platform, &domain, r#"{"spec":{"journal":"AAAA"}}"#);
    comes_to("the journal is back", &|spec| spec["journal"] != "AAAA");
    platform.say(&question, "NoError 192.0.2.2");
    // A zone that is withdrawn by hand is in service again, under a higher serial.
    let serial = spec("serial").as_u64().expect("a serial");
    patch_head(platform, &domain, r#"{"spec":{"state":"Withdrawn"}}"#);
    comes_to("it serves again", &|spec| spec["state"] == "Serving" && spec["serial"].as_u64() > Some(serial));
    platform.come_to_say(&question, "NoError 192.0.2.2");
    // A serial far ahead, which resolvers follow as its content is right: it goes on from there.
    patch_head(platform, &domain, r#"{"spec":{"serial":100000}}"#);
    comes_to("a serial above", &|spec| spec["serial"].as_u64() > Some(100_000));
    edit(platform, &namespace, "192.0.2.3");
    platform.say(&question, "NoError 192.0.2.3");
}

#[test]
fn a_head_is_not_the_head_of_another_zone() {
    let platform = shared();
    let (_, domain, _) = www(platform, "head-foreign");
    let mut foreign = platform.head(&domain).expect("a head");
    foreign["metadata"] = serde_json::json!({"name": format!("not-{domain}"), "namespace": NAMESPACE});
    platform.apply(&foreign.to_string());
    let (namespace, _, question) = www(platform, "head-beside");
    edit(platform, &namespace, "192.0.2.2");
    platform.say(&question, "NoError 192.0.2.2");
    platform.kubectl(&format!("delete zonehead not-{domain} -n {NAMESPACE}"));
}

#[test]
fn slices_and_revisions_that_are_deleted_are_stored_again() {
    let platform = shared();
    let (namespace, domain, question) = www(platform, "stored");
    let root = || {
        let head = platform.head(&domain).expect("a head");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&head["spec"]["checkpoint"]["root"]), text(&head["spec"]["checkpoint"]["revision"]))
    };
    let (slice, revision) = root();
    platform.kubectl(&format!("delete zoneslice {slice} -n {NAMESPACE}"));
    platform.kubectl(&format!("delete zonerevision {revision} -n {NAMESPACE}"));
    for (kind, name) in [("zoneslice", &slice), ("zonerevision", &revision)] {
        eventually(name, || platform.get(kind, NAMESPACE, name).ok_or_else(|| format!("no {kind}")));
    }
    platform.say(&question, "NoError 192.0.2.1");
    edit(platform, &namespace, "192.0.2.2");
    platform.say(&question, "NoError 192.0.2.2");
}

/// What never changes cannot be edited: the API server says what to do instead.
#[test]
fn slices_and_revisions_cannot_be_edited() {
    let platform = shared();
    let (_, domain, question) = www(platform, "unchanged");
    let head = platform.head(&domain).expect("a head");
    let checkpoint = &head["spec"]["checkpoint"];
    let refused = |kind: &str, name: &Value, patch: &str| {
        let name = name.as_str().expect("a name");
        let done =
            platform.cluster.kubectl(&["patch", kind, name, "-n", NAMESPACE, "--type=merge", "-p", patch]);
        assert!(!done.success && done.stderr.contains("is immutable: create one"), "{done:?}");
    };
    refused("zonerevision", &checkpoint["revision"], r#"{"spec":{"rrsets":7}}"#);
    refused("zoneslice", &checkpoint["root"], r#"{"spec":{"data":"AAAA"}}"#);
    platform.say(&question, "NoError 192.0.2.1");
}

/// Somebody made one of the serial that comes next, and it never changes.
#[test]
fn a_revision_that_is_in_the_way_of_the_next_stops_no_publication() {
    let platform = shared();
    let (namespace, domain, question) = www(platform, "in-the-way");
    let serial = || platform.head(&domain).expect("a head")["spec"]["serial"].as_u64().expect("a serial");
    let before = serial();
    // That of the serial to come, with the content of the one that is there.
    let head = platform.head(&domain).expect("a head");
    let name = head["spec"]["checkpoint"]["revision"].as_str().expect("a name");
    let mut foreign = platform.get("zonerevision", NAMESPACE, name).expect("it is there");
    foreign["metadata"] =
        serde_json::json!({"name": format!("{domain}.{}", before + 1), "namespace": NAMESPACE});
    foreign["spec"]["serial"] = (before + 1).into();
    platform.apply(&foreign.to_string());
    edit(platform, &namespace, "192.0.2.2");
    platform.say(&question, "NoError 192.0.2.2");
    edit(platform, &namespace, "192.0.2.3");
    platform.say(&question, "NoError 192.0.2.3");
    // A checkpoint comes all the same.
    eventually("a checkpoint of what is published", || {
        let name = format!("{domain}.{}", serial());
        let Some(revision) = platform.get("zonerevision", NAMESPACE, &name) else { return Err(name) };
        let head = platform.head(&domain).expect("a head");
        match revision["spec"]["digest"] == head["spec"]["digest"] {
            true => Ok(()),
            false => Err(format!("{name} is not what is published")),
        }
    });
}
