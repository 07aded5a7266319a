//! Which NS the apex shows meanwhile, and the zone above: a zone with DS there is not cut over, and a migration with new
//! nameservers ends once nobody is led to legacy any more.

use crate::cli::port53;
use crate::cutover::platform;
use crate::rig::{NAME, Rig};
use port53_tests::legacy::Legacy;
use port53_tests::peer::Program;
use port53_tests::platform::Platform;
use port53_tests::{Zone, eventually};
use serde_json::Value;

const OURS: &str = "ns1.dns.example.net. ns2.dns.example.net.";
const THEIRS: &str = "ns1.legacy.example. ns2.legacy.example.";
const DS: &str = "12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";

/// The hostnames of the NS at the apex that a nameserver answers, in order.
fn nameservers(rig: &Rig<'_>, number: usize) -> String {
    let said = rig.platform.resolvers[number].says(&format!("{} NS", rig.domain));
    let mut hosts: Vec<&str> = said.split(' ').skip(1).collect();
    hosts.sort_unstable();
    hosts.join(" ")
}

/// Waits until a nameserver answers these NS at the apex.
#[track_caller]
fn shows(rig: &Rig<'_>, number: usize, expected: &str) {
    eventually(&format!("NS at the apex, as ns{} says", number + 1), || match nameservers(rig, number) {
        said if said == expected => Ok(()),
        said => Err(format!("{said}, not {expected}; {}", rig.status())),
    });
}

/// A BIND with the zone above: it delegates to legacy, with these records more.
fn parent(domain: &str, more: &str) -> Legacy {
    let text = format!(
        "$TTL 2\n@ SOA ns hostmaster 1 3600 600 604800 2\n@ NS ns\nns A 127.0.0.1\n\
         {domain}. NS ns1.legacy.example.\n{domain}. NS ns2.legacy.example.\n{more}"
    );
    Legacy::start(Program::Bind, &[Zone { apex: "example", text: &text }])
}

fn asking(parent: &Legacy) -> String {
    format!("parent: {{addresses: ['{}'], poll: 1s}}", parent.address())
}

fn forwarding(platform: &Platform, domain: &str) -> Value {
    platform.head(domain).unwrap_or_default()["spec"]["forwarding"].clone()
}

/// "`apexNS: Legacy|Both|Port53`, legacy until every nameserver is moved"; neither is written to legacy nor counted.
#[test]
fn the_apex_shows_those_of_legacy_until_every_nameserver_is_moved() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::Bind, "apexns", "www A 192.0.2.1\n");
    let with = |more: &str| {
        rig.migrate(&format!(
            "backfill: {{from: Transfer}}, dualWrite: Async, compare: {{poll: 1s, apexNS: true}}, shadow: {{}}, {more}"
        ));
    };
    shows(&rig, 0, OURS);
    with("cutover: [ns1]");
    rig.comes_to("CutOver=True Seen");
    // It answers by itself: with what its own answers have.
    shows(&rig, 0, THEIRS);
    let status = rig.status_comes_to("what the apex shows", |status| status["apexNS"].as_array().is_some());
    assert_eq!(status["apexNS"].as_array().map(Vec::len), Some(2), "{status}");
    // One goes there, and here.
    rig.change_there("update delete @DOMAIN NS ns2.legacy.example.");
    shows(&rig, 0, "ns1.legacy.example.");
    rig.change_there("update add @DOMAIN 300 NS ns2.legacy.example.");
    shows(&rig, 0, THEIRS);

    with("cutover: [ns1], apexNS: Both");
    shows(&rig, 0, "ns1.dns.example.net. ns1.legacy.example. ns2.dns.example.net. ns2.legacy.example.");
    rig.comes_to("InSync=True Equal");
    with("cutover: [ns1], apexNS: Port53");
    shows(&rig, 0, OURS);
    rig.comes_to("InSync=True Equal");
    rig.field_comes_to("waiting", 0);

    // What a person wrote at the apex is theirs; with `compare.apexNS` it is a record like any other.
    rig.record("mine", "name: '@', type: NS, ttl: 300, values: [ns1.legacy.example., ns2.legacy.example.]");
    shows(&rig, 0, THEIRS);
    rig.delete("mine");
    shows(&rig, 0, OURS);

    with("cutover: [ns1]");
    shows(&rig, 0, THEIRS);
    with("cutover: [ns1, ns2]");
    rig.comes_to("CutOver=True Seen");
    shows(&rig, 0, OURS);
    shows(&rig, 1, OURS);
    let there: Vec<String> = rig.legacy_says("NS");
    assert_eq!(there.join(" "), THEIRS, "nothing of it went to legacy");
    // One goes back, and legacy's are shown again.
    with("cutover: [ns2]");
    shows(&rig, 1, THEIRS);
}

/// "Never serve less than you know: the last that was seen stays", and it does not flap when an operator begins anew.
#[test]
fn what_the_apex_shows_outlives_legacy_the_operator_and_the_migration() {
    let platform = &mut platform();
    let rig = Rig::new(platform, Program::Knot, "apexlast", "www A 192.0.2.1\n");
    rig.migrate("backfill: {from: Transfer}, shadow: {}, cutover: [ns1]");
    rig.comes_to("CutOver=True Seen");
    shows(&rig, 0, THEIRS);
    let Rig { mut legacy, namespace, domain, .. } = rig;
    let serial = |platform: &Platform| platform.head(&domain).unwrap_or_default()["spec"]["serial"].clone();
    let before = serial(platform);
    assert!(before.is_u64(), "{before}");
    legacy.stop();
    platform.kill_operator();
    platform.start_operator();
    platform.comes_to("zonemigration", &namespace, NAME, "LegacyReachable=False Unreachable");
    assert_eq!(serial(platform), before, "nothing was published");
    let rig = Rig { platform, legacy, namespace, domain: domain.clone() };
    // A change is published, and the NS are what they were.
    rig.record("new", "name: new, type: A, values: ['192.0.2.7']");
    eventually("a change", || match platform.resolvers[0].says(&format!("new.{domain} A")) {
        said if said == "NoError 192.0.2.7" => Ok(()),
        said => Err(said),
    });
    assert_eq!(nameservers(&rig, 0), THEIRS);
    platform.kubectl(&format!("delete zonemigration {NAME} -n {} --wait=true", rig.namespace));
    rig.record("newer", "name: newer, type: A, values: ['192.0.2.7']");
    eventually("another change", || match platform.resolvers[0].says(&format!("newer.{domain} A")) {
        said if said == "NoError 192.0.2.7" => Ok(()),
        said => Err(said),
    });
    assert_eq!(nameservers(&rig, 0), THEIRS);
}

/// RFC 4035 §5: an answer without signatures, of a zone that its parent has DS for, is bogus.
#[test]
fn a_zone_with_ds_above_is_not_cut_over() {
    let platform = &platform();
    let key = "@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n";
    let rig = Rig::new(platform, Program::Bind, "withds", &format!("www A 192.0.2.1\n{key}"));
    let above = parent(&rig.domain, &format!("{}. DS {DS}\n", rig.domain));
    let cut_over = |parent: &str| {
        rig.migrate(&format!("backfill: {{from: Transfer}}, shadow: {{}}, cutover: [ns1], {parent}"));
    };
    cut_over(&asking(&above));
    let message = rig.comes_to("CutOver=False DSWithoutValidSignatures");
    assert!(message.contains(DS) && message.contains("unsigned"), "{message}");
    rig.comes_to("InSync=True Equal");
    assert_eq!(rig.status()["parent"]["ds"][0], DS);
    assert_eq!(forwarding(platform, &rig.domain)["cutOver"].as_array().map(Vec::len).unwrap_or_default(), 0);

    // Nobody can be asked: what was seen stays.
    cut_over("parent: {addresses: ['127.0.0.1:1'], poll: 1s}");
    rig.comes_to("CutOver=False DSWithoutValidSignatures");
    cut_over(&asking(&above));
    above.change("example", &format!("update delete {} DS", rig.domain));
    let status = rig.status_comes_to("it is gone", |status| status["parent"]["dsGoneSince"].is_string());
    assert_eq!(status["parent"]["ds"], Value::Null, "{status}");
    assert!(status["parent"]["dsCachedUntil"].is_string(), "{status}");
    rig.comes_to("CutOver=True Seen");
    // It comes back: what is cut over stays so, and it is said.
    above.change("example", &format!("update add {} 2 DS {DS}", rig.domain));
    rig.comes_to("CutOver=False DSWithoutValidSignatures");
    rig.field_comes_to("cutover", "1/2");
}

/// A zone that legacy signs, and nobody who could be asked for DS.
#[test]
fn a_signed_zone_whose_parent_cannot_be_asked_stays_where_it_is() {
    let platform = &platform();
    let key = "@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n";
    let rig = Rig::new(platform, Program::Bind, "noparent", &format!("www A 192.0.2.1\n{key}"));
    rig.migrate("backfill: {from: Transfer}, shadow: {}, cutover: [ns1]");
    let message = rig.comes_to("CutOver=Unknown NotAsked");
    assert!(message.contains("127.0.0.1:1") && message.contains("spec.parent.addresses"), "{message}");
    // What ending it waits for depends on how clients come.
    let (code, done) = port53(&rig, "migration finish @ZONE");
    assert_eq!(code, Some(2), "{done:?}");
    assert!(done.stderr.contains("--entry address-takeover"), "{done:?}");
}

/// "`finish` ends it: legacy no longer asked, ZoneMigration may go"; "with `finish: true` set and then taken back everything
/// goes on".
#[test]
fn a_takeover_is_finished_and_taken_back() {
    let platform = &platform();
    let mut rig = Rig::new(platform, Program::Bind, "finish", "www A 192.0.2.1\n");
    let with = |rig: &Rig<'_>, more: &str| {
        rig.migrate(&format!(
            "backfill: {{from: Transfer}}, dualWrite: Async, shadow: {{}}, entry: AddressTakeover, {more}"
        ));
    };
    with(&rig, "cutover: [ns1], finish: true");
    // Nameservers answered by themselves before it, and none is led to legacy by what is to end.
    rig.comes_to("Finished=True Finished");
    assert_eq!(forwarding(platform, &rig.domain), Value::Null);
    with(&rig, "cutover: [ns1]");
    rig.comes_to("CutOver=True Seen");
    eventually("the other forwards", || match &forwarding(platform, &rig.domain)["cutOver"] {
        told if *told == serde_json::json!(["ns1"]) => Ok(()),
        told => Err(told.to_string()),
    });
    shows(&rig, 0, THEIRS);

    with(&rig, "cutover: [ns1], finish: true");
    let message = rig.comes_to("Finished=False WaitingForCutover");
    assert!(message.contains("ns2"), "{message}");
    rig.field_comes_to("phase", "Finishing");
    with(&rig, "cutover: [ns1, ns2], finish: true");
    rig.comes_to("Finished=True Finished");
    rig.comes_to("Ready=True Finished");
    assert_eq!(forwarding(platform, &rig.domain), Value::Null);
    shows(&rig, 0, OURS);
    shows(&rig, 1, OURS);

    // Legacy is not asked, and not written to.
    rig.record("new", "name: new, type: A, values: ['192.0.2.7']");
    rig.comes_to_be_here("new", "A", "NoError 192.0.2.7");
    assert_eq!(rig.there("new", "A"), "");
    rig.legacy.stop();
    rig.record("newer", "name: newer, type: A, values: ['192.0.2.8']");
    rig.comes_to_be_here("newer", "A", "NoError 192.0.2.8");
    rig.comes_to("LegacyReachable=Unknown NotWanted");
    rig.legacy.start_again();
    assert_eq!([rig.there("new", "A"), rig.there("newer", "A")], ["", ""]);

    // Taken back: both sides are kept the same again, and no nameserver goes back to legacy by that.
    let (code, done) = port53(&rig, "migration finish @ZONE --take-back");
    assert_eq!(code, Some(0), "{done:?}");
    eventually("a head with a legacy DNS", || match &forwarding(platform, &rig.domain) {
        Value::Null => Err("none".to_owned()),
        forwarding if forwarding["cutOver"] == serde_json::json!(["ns1", "ns2"]) => Ok(()),
        forwarding => panic!("it goes back to legacy: {forwarding}"),
    });
    rig.comes_to("InSync=True Equal");
    rig.comes_to("CutOver=True Seen");
    rig.comes_to_be_there("newer", "A", "192.0.2.8");
    let conditions = rig.status()["conditions"].to_string();
    assert!(!conditions.contains("Finished"), "{conditions}");
}

/// How clients come to the nameservers is said once: a second call, which does not say it, keeps it.
#[test]
fn finish_keeps_what_was_said_of_how_clients_come() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::Bind, "finishtwice", "www A 192.0.2.1\n");
    rig.migrate("backfill: {from: Transfer}, shadow: {}");
    rig.comes_to("Shadowing=True Seen");
    let (code, done) = port53(&rig, "migration finish @ZONE");
    assert_eq!(code, Some(2), "{done:?}");
    assert!(done.stderr.contains("add --entry address-takeover"), "{done:?}");
    for entry in ["--entry address-takeover", ""] {
        let (code, done) = port53(&rig, &format!("migration finish @ZONE {entry} --timeout 1s"));
        assert_eq!(code, Some(1), "{done:?}");
        let spec = &rig.platform.get("zonemigration", &rig.namespace, NAME).expect("it is there")["spec"];
        assert_eq!((&spec["entry"], &spec["finish"]), (&"AddressTakeover".into(), &true.into()), "{spec}");
    }
    rig.comes_to("Finished=False WaitingForCutover");
}

/// Another ZoneMigration of the same name is another: that the one before was over, and what its gate had seen, does not have
/// a nameserver of it be cut over.
#[test]
fn what_was_seen_of_a_migration_that_went_is_nothing_to_the_next_of_its_name() {
    let platform = &platform();
    let mut rig = Rig::new(platform, Program::Bind, "again", "www A 192.0.2.1\n");
    rig.migrate("backfill: {from: Transfer}, shadow: {}, entry: AddressTakeover, cutover: [ns1, ns2]");
    rig.comes_to("CutOver=True Seen");
    rig.migrate(
        "backfill: {from: Transfer}, shadow: {}, entry: AddressTakeover, cutover: [ns1, ns2], finish: true",
    );
    rig.comes_to("Finished=True Finished");
    platform.kubectl(&format!("delete zonemigration {NAME} -n {} --wait=true", rig.namespace));
    // While legacy is away, nothing is seen that could take the place of what was.
    rig.legacy.stop();
    rig.migrate("backfill: {from: Transfer}, shadow: {minCompared: 1000}, cutover: [ns1]");
    eventually("a head with a legacy DNS", || match &forwarding(platform, &rig.domain) {
        Value::Null => Err("none".to_owned()),
        forwarding => {
            let told = forwarding["cutOver"].as_array().map(Vec::len).unwrap_or_default();
            assert_eq!(told, 0, "{forwarding}");
            Ok(())
        }
    });
    rig.legacy.start_again();
    rig.comes_to("CutOver=False WaitingForShadow");
    rig.field_comes_to("cutover", "0/2");
}

/// "`finish` waits for the longest of parent NS, apex NS and glue TTL after the change was seen, and for legacy's queries to
/// stop."
#[test]
fn new_nameservers_are_finished_once_nobody_is_led_to_legacy() {
    let platform = &mut platform();
    let rig = Rig::new(platform, Program::Bind, "newns", "www A 192.0.2.1\n");
    rig.zone("defaultTTL: 2");
    eventually("the shorter TTL", || {
        let answer =
            platform.resolvers[0].ask(&format!("{} NS", rig.domain)).map_err(|error| error.to_string())?;
        match answer.answers.iter().all(|record| record.ttl == 2) && !answer.answers.is_empty() {
            true => Ok(()),
            false => Err(format!("{:?}", answer.answers)),
        }
    });
    rig.change_there(
        "update add @DOMAIN 2 NS ns1.legacy.example.\nupdate add @DOMAIN 2 NS ns2.legacy.example.",
    );
    let above = parent(&rig.domain, "");
    let finish = format!(
        "backfill: {{from: Transfer}}, shadow: {{}}, cutover: [ns1, ns2], entry: NewNameservers, finish: true, {}",
        asking(&above)
    );
    rig.migrate(&finish.replace("finish: true", "finish: false"));
    rig.comes_to("CutOver=True Seen");
    // What came with an import of the master file names those of legacy, and is not taken for ours.
    rig.record("imported", "name: '@', type: NS, ttl: 2, values: [ns1.legacy.example., ns2.legacy.example.]");
    rig.platform.comes_to("dnsrecord", &rig.namespace, "imported", "Ready=True Served");
    rig.migrate(&finish);
    let message = rig.comes_to("Finished=False WaitingForDelegation");
    assert!(message.contains("ns1.legacy.example.") && message.contains("ns1.dns.example.net."), "{message}");
    rig.delete("imported");
    // Ours beside them: caches are still led to legacy.
    let domain = rig.domain.clone();
    let delegate = |to: &str| above.change("example", &to.replace("@DOMAIN", &domain));
    delegate("update add @DOMAIN 2 NS ns1.dns.example.net.\nupdate add @DOMAIN 2 NS ns2.dns.example.net.");
    rig.status_comes_to("four nameservers above", |status| {
        status["parent"]["nameservers"].as_array().map(Vec::len) == Some(4)
    });
    rig.comes_to("Finished=False WaitingForDelegation");
    delegate("update delete @DOMAIN NS ns1.legacy.example.\nupdate delete @DOMAIN NS ns2.legacy.example.");
    let message = rig.comes_to("Finished=False WaitingForConfirmation");
    assert!(message.contains("port53.dev/legacy-is-quiet=true"), "{message}");
    let status = rig.status();
    assert!(
        status["parent"]["oursSince"].is_string() && status["parent"]["cachedUntil"].is_string(),
        "{status}"
    );
    assert!(!forwarding(platform, &rig.domain).is_null());
    let (code, done) = port53(&rig, "migration finish @ZONE --timeout 1s");
    assert_eq!(code, Some(1), "{done:?}");
    assert!(done.stderr.contains("WaitingForConfirmation: no cache is led to legacy"), "{done:?}");
    let (code, done) = port53(&rig, "migration finish @ZONE --legacy-is-quiet");
    assert_eq!(code, Some(0), "{done:?}");
    assert!(done.stdout.contains("kubectl delete zonemigration moving"), "{done:?}");
    rig.comes_to("Finished=True Finished");
    assert_eq!(forwarding(platform, &rig.domain), Value::Null);
    rig.field_comes_to("phase", "Finished");

    // An operator that begins anew finds it over, and legacy is not asked.
    let Rig { mut legacy, namespace, domain, .. } = rig;
    legacy.stop();
    platform.kill_operator();
    platform.start_operator();
    let rig = Rig { platform, legacy, namespace, domain };
    rig.record("new", "name: new, type: A, values: ['192.0.2.7']");
    rig.comes_to_be_here("new", "A", "NoError 192.0.2.7");
    // It has looked at the newest spec by itself.
    rig.migrate(&finish.replace("poll: 1s", "poll: 2s"));
    rig.comes_to("Finished=True Finished");
    assert_eq!(forwarding(rig.platform, &rig.domain), Value::Null);
    rig.platform.kubectl(&format!("delete zonemigration {NAME} -n {} --wait=true", rig.namespace));
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.1");
    shows(&rig, 0, OURS);
}
