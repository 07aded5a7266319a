//! What changes on one side is written to the other.

use crate::cli::port53;
use crate::rig::{NAME, Rig, www_at};
use crate::{programs, settings, shared};
use port53_tests::legacy::LOCKED;
use port53_tests::migration::record;
use port53_tests::peer::Program;
use port53_tests::platform::Platform;

const ASYNC: &str = "backfill: {from: Transfer}, dualWrite: Async";

/// Both ways, with each program that takes updates: created, changed, an alias for addresses, deleted.
fn is_the_same_on_both_sides(program: Program, name: &str) {
    let rig = Rig::new(shared(), program, name, "www A 192.0.2.1\nalias CNAME www\nthere A 192.0.2.9\n");
    rig.migrate(ASYNC);
    rig.comes_to("DualWriting=True Written");
    rig.comes_to("InSync=True Equal");
    // From here.
    rig.record("new", "name: new, type: A, ttl: 60, values: ['192.0.2.7', '192.0.2.8']");
    rig.comes_to_be_there("new", "A", "192.0.2.7 192.0.2.8");
    rig.record("new", "name: new, type: A, ttl: 60, values: ['192.0.2.8']");
    rig.comes_to_be_there("new", "A", "192.0.2.8");
    rig.delete(&rig.object("alias", "cname"));
    rig.record("alias", "name: alias, type: A, values: ['192.0.2.5']");
    rig.comes_to_be_there("alias", "A", "192.0.2.5");
    rig.delete("new");
    rig.comes_to_be_there("new", "A", "");
    // From there.
    rig.change_there("update add more.@DOMAIN 60 A 192.0.2.20\nupdate delete there.@DOMAIN A");
    rig.comes_to_be_here("more", "A", "NoError 192.0.2.20");
    rig.comes_to_be_here("there", "A", "NXDomain");
    rig.change_there("update delete more.@DOMAIN A\nupdate add more.@DOMAIN 90 A 192.0.2.21");
    rig.comes_to_be_here("more", "A", "NoError 192.0.2.21");
    rig.comes_to("InSync=True Equal");
    rig.comes_to("Ready=True Equal");
}

#[test]
fn bind_and_port53_are_kept_the_same() {
    is_the_same_on_both_sides(Program::Bind, "dualbind");
}

#[test]
fn knot_and_port53_are_kept_the_same() {
    is_the_same_on_both_sides(Program::Knot, "dualknot");
}

#[test]
fn powerdns_and_port53_are_kept_the_same() {
    is_the_same_on_both_sides(Program::PowerDns, "dualpdns");
}

/// "nsd (AXFR only, so no dual writes: the API says so)".
#[test]
fn a_legacy_that_takes_no_updates_is_said_to() {
    let rig = Rig::new(shared(), Program::Nsd, "noupdates", "www A 192.0.2.1\n");
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    // Before there is anything to write.
    let message = rig.comes_to("DualWriting=False LegacyRefused");
    assert!(message.contains("takes no updates") && message.contains("NOTIMP"), "{message}");
    rig.record("new", "name: new, type: A, values: ['192.0.2.7']");
    // Our own publication is not held up.
    rig.comes_to_be_here("new", "A", "NoError 192.0.2.7");
    let status = rig.status_comes_to("the refused change", |status| status["inconsistent"] == 1);
    assert_eq!(status["waiting"], 1, "{status}");
    assert!(
        status["differences"][0]["kept"].as_str().is_some_and(|kept| kept.contains("NOTIMP")),
        "{status}"
    );
}

/// "Conflicts listed and never settled by last-writer-wins", and "fix by a named direction".
#[test]
fn what_both_sides_changed_is_for_a_person_to_settle() {
    let platform = &Platform::start(programs(), settings());
    let mut rig = Rig::new(platform, Program::Bind, "conflict", "www A 192.0.2.1\nother A 192.0.2.1\n");
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    // Both change while they cannot hear of each other.
    rig.legacy.stop();
    for (name, address) in [("www", "192.0.2.10"), ("other", "192.0.2.11")] {
        rig.record(
            &rig.object(name, "a"),
            &format!("name: {name}, type: A, ttl: 300, values: ['{address}']"),
        );
        rig.comes_to_be_here(name, "A", &format!("NoError {address}"));
    }
    rig.comes_to("LegacyReachable=False Unreachable");
    rig.migrate("backfill: {from: Transfer}, dualWrite: None");
    rig.comes_to("DualWriting=False NotWanted");
    rig.legacy.start_again();
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.20");
    rig.change_there("update delete other.@DOMAIN A\nupdate add other.@DOMAIN 300 A 192.0.2.21");
    rig.migrate(ASYNC);
    let status = rig.status_comes_to("two conflicts", |status| status["inconsistent"] == 2);
    let changed = |at: usize| status["differences"][at]["changed"].clone();
    assert_eq!([changed(0), changed(1)], ["Both", "Both"], "{status}");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.10");
    assert_eq!(rig.there("www", "A"), "192.0.2.20");
    let prefer = |what: &str| {
        let annotation = format!("port53.dev/prefer={what}");
        let done =
            platform.cluster.kubectl(&["annotate", "zonemigration", NAME, "-n", &rig.namespace, &annotation]);
        assert!(done.success, "{done:?}");
    };
    prefer(&format!("port53 other.{} A", rig.domain));
    rig.comes_to_be_there("other", "A", "192.0.2.11");
    rig.status_comes_to("one conflict", |status| status["inconsistent"] == 1);
    port53_tests::eventually("the preference is spent", || {
        let object = platform.get("zonemigration", &rig.namespace, NAME).unwrap_or_default();
        match object["metadata"]["annotations"]["port53.dev/prefer"].as_str() {
            None => Ok(()),
            Some(left) => Err(left.to_owned()),
        }
    });
    // Somebody else manages the object by now: what legacy has is not written over it, and it is said who.
    prefer("legacy");
    let status = rig.status_comes_to("who keeps it", |status| status["differences"][0]["kept"].is_string());
    assert!(
        status["differences"][0]["kept"].as_str().is_some_and(|kept| kept.contains("kubectl")),
        "{status}"
    );
    assert_eq!(rig.there("www", "A"), "192.0.2.20");
}

/// "Objects that someone else manages (GitOps) are never rewritten, but listed": nor are they deleted when legacy deletes
/// what they say.
#[test]
fn what_somebody_else_manages_is_listed_and_not_deleted_when_legacy_deletes_it() {
    let rig = Rig::new(shared(), Program::Bind, "managed", "www A 192.0.2.1\nfree A 192.0.2.2\n");
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    // As Argo CD has it: the same as legacy says, from a repository.
    let www = rig.object("www", "a");
    let manifest = record(&rig.namespace, NAME, &www, &www_at("192.0.2.1"));
    let arguments = ["apply", "--server-side", "--field-manager=argocd-controller", "-f", "-"];
    let done = rig.platform.cluster.kubectl_with(&arguments, &manifest);
    assert!(done.success, "{done:?}");
    let uid = |object: &str| {
        let found = rig.platform.get("dnsrecord", &rig.namespace, object);
        found.map(|found| found["metadata"]["uid"].clone())
    };
    let before = uid(&www).expect("it is there");
    rig.change_there("update delete www.@DOMAIN A\nupdate delete free.@DOMAIN A");
    // What a migration alone has written goes with it.
    rig.comes_to_be_here("free", "A", "NXDomain");
    let status = rig.status_comes_to("who keeps it", |status| status["differences"][0]["kept"].is_string());
    let difference = &status["differences"][0];
    assert_eq!(status["inconsistent"], 1, "{status}");
    assert_eq!(
        (&difference["name"], &difference["kind"], &difference["changed"]),
        (&format!("www.{}.", rig.domain).into(), &"MissingThere".into(), &"Legacy".into()),
        "{status}"
    );
    let kept = format!("argocd-controller manages DNSRecord {}/{www}", rig.namespace);
    assert!(difference["kept"].as_str().is_some_and(|said| said.contains(&kept)), "{status}");
    let message = rig.comes_to("InSync=False Differences");
    assert!(message.contains(&kept), "{message}");
    assert_eq!(uid(&www), Some(before));
    rig.platform.say(&format!("www.{} A", rig.domain), "NoError 192.0.2.1");
    assert_eq!(rig.there("www", "A"), "");
    // Whose it is deletes it: both are the same again.
    rig.delete(&www);
    rig.comes_to_be_here("www", "A", "NXDomain");
    rig.comes_to("InSync=True Equal");
}

/// "Retried with backoff through outages …, never holding up our own publication"; and a restarted operator knows what
/// both agreed on.
#[test]
fn changes_wait_for_a_legacy_that_is_gone() {
    let platform = &mut Platform::start(programs(), settings());
    let mut rig = Rig::new(platform, Program::Knot, "outage", "www A 192.0.2.1\nold A 192.0.2.1\n");
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    rig.legacy.stop();
    rig.record("new", "name: new, type: A, values: ['192.0.2.7']");
    rig.comes_to_be_here("new", "A", "NoError 192.0.2.7");
    rig.delete(&rig.object("old", "a"));
    rig.comes_to_be_here("old", "A", "NXDomain");
    rig.comes_to("LegacyReachable=False Unreachable");
    let Rig { mut legacy, namespace, domain, .. } = rig;
    platform.kill_operator();
    platform.start_operator();
    legacy.start_again();
    let rig = Rig { platform, legacy, namespace, domain };
    rig.comes_to_be_there("new", "A", "192.0.2.7");
    rig.comes_to_be_there("old", "A", "");
    rig.comes_to("InSync=True Equal");
}

/// A person prefers what is here, and legacy refuses it: that was said to be settled.
#[test]
fn what_legacy_refuses_is_not_said_to_be_settled() {
    let rig =
        Rig::new(shared(), Program::Bind, "unsettled", &format!("www A 192.0.2.1\n{LOCKED} A 192.0.2.2\n"));
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    let spec = format!("name: {LOCKED}, type: A, ttl: 300, values: ['192.0.2.3']");
    rig.record(&rig.object(LOCKED, "a"), &spec);
    rig.comes_to("DualWriting=False LegacyRefused");
    let (code, done) = port53(&rig, "migration resolve @ZONE --prefer port53 --timeout 30s");
    assert_eq!(code, Some(1), "{done:?}");
    assert!(done.stderr.contains("still differ") && done.stderr.contains("REFUSED"), "{done:?}");
    assert_eq!(rig.there(LOCKED, "A"), "192.0.2.2");
}

/// An operator that begins and finds what it stored unreadable took the zone for empty, and legacy lost it.
#[test]
fn a_zone_that_cannot_be_read_is_not_removed_from_legacy() {
    for (mode, name) in [("Async", "unreadable"), ("Sync", "unreadablesync")] {
        let platform = &mut Platform::start(programs(), settings());
        let rig = Rig::new(platform, Program::Bind, name, "www A 192.0.2.1\nmail A 192.0.2.2\n");
        rig.migrate(&format!("backfill: {{from: Transfer}}, dualWrite: {mode}"));
        rig.comes_to("InSync=True Equal");
        rig.comes_to("DualWriting=True Written");
        let before = rig.legacy_says("SOA");
        let Rig { legacy, namespace, domain, .. } = rig;
        platform.kill_operator();
        let rule = "resources: [zonerevisions, zoneslices], verbs: [get, list, watch, create, delete]";
        platform.forbid_operator("get", "zoneslices", rule, &rule.replace("get, ", ""));
        platform.start_operator();
        let rig = Rig { platform, legacy, namespace, domain };
        let message = rig.comes_to("Ready=False Pending");
        assert!(message.contains("nothing is written to either side"), "{message}");
        assert_eq!(rig.legacy_says("SOA"), before, "{mode}");
        rig.platform.allow_operator("get", "zoneslices");
        rig.record("new", "name: new, type: A, values: ['192.0.2.7']");
        rig.comes_to_be_there("new", "A", "192.0.2.7");
        rig.comes_to("InSync=True Equal");
        assert_eq!([rig.there("www", "A"), rig.there("mail", "A")], ["192.0.2.1", "192.0.2.2"], "{mode}");
        // One update of `new`, and nothing else.
        let serial = |soa: &[String]| soa[0].split(' ').nth(2).and_then(|serial| serial.parse::<u32>().ok());
        assert_eq!(serial(&rig.legacy_says("SOA")), serial(&before).map(|serial| serial + 1), "{mode}");
    }
}

/// Absence removes nothing: the zone goes from here, and stays at legacy as it is.
#[test]
fn a_zone_that_is_deleted_here_takes_nothing_from_legacy() {
    let rig = Rig::new(shared(), Program::Bind, "gone", "www A 192.0.2.1\nmail A 192.0.2.2\n");
    rig.zone("removalDelay: 0s");
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.1");
    rig.platform.kubectl(&format!("delete zone {NAME} -n {} --wait=true", rig.namespace));
    rig.comes_to("Ready=False ZoneNotFound");
    assert_eq!([rig.there("www", "A"), rig.there("mail", "A")], ["192.0.2.1", "192.0.2.2"]);
    // Applied again, it is as it was.
    rig.zone("removalDelay: 0s");
    rig.comes_to("InSync=True Equal");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.1");
}
