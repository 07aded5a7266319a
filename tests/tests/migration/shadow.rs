//! What questions of clients show: counts and samples in the status, the gate of a cutover, and the automatic fallback.

use crate::cli::port53;
use crate::cutover::{HERE, THERE, answer, platform};
use crate::rig::{NAME, Rig, at};
use port53_tests::eventually;
use port53_tests::peer::Program;
use port53_tests::platform::NAMESPACE;
use serde_json::Value;

const ZONE: &str = "www A 192.0.2.1\n*.wild A 192.0.2.7\n";

/// Asks each resolver so often.
fn ask(rig: &Rig<'_>, name: &str, times: usize) {
    let question = format!("{name}.{} A", rig.domain);
    for resolver in &rig.platform.resolvers {
        for _ in 0..times {
            resolver.ask(&question).expect("it answers");
        }
    }
}

fn number(status: &Value, field: &str) -> u64 {
    status["shadow"][field].as_u64().unwrap_or_default()
}

/// Has both sides differ, so that answers do, and asks for it: 20 questions that differ.
fn differ(rig: &Rig<'_>) {
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.99");
    answer(rig, [THERE, THERE]);
    ask(rig, "www", 10);
}

/// "Differences are counted and a bounded sample kept with question and both answers (in metrics, status and `port53
/// migration shadow ZONE`)."
#[test]
fn what_differs_is_counted_and_shown_with_both_answers() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::Bind, "shadowed", ZONE);
    rig.migrate("backfill: {from: Transfer}, shadow: {}");
    rig.comes_to("InSync=True Equal");
    rig.comes_to("Shadowing=True Seen");
    // What is there, what is made by a wildcard, and what is not there: both say the same.
    for name in ["www", "any.wild", "nowhere"] {
        ask(&rig, name, 5);
    }
    let status = rig.status_comes_to("30 compared answers", |status| number(status, "compared") >= 30);
    assert_eq!(number(&status, "differing"), 0, "{status}");
    let names: Vec<&str> = status["shadow"]["nameservers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["ns1", "ns2"]);
    let (code, done) = port53(&rig, "migration shadow @ZONE");
    assert_eq!(code, Some(0), "{done:?}");

    differ(&rig);
    let status = rig.status_comes_to("differing answers", |status| number(status, "differing") >= 1);
    let sample = &status["shadow"]["samples"][0];
    assert_eq!(sample["question"], format!("www.{}. A", rig.domain));
    assert_eq!(sample["differences"], serde_json::json!(["answer"]));
    assert!(sample["legacy"].as_str().is_some_and(|text| text.contains("A 192.0.2.99")), "{sample}");
    assert!(sample["port53"].as_str().is_some_and(|text| text.contains("A 192.0.2.1")), "{sample}");
    let message = rig.comes_to("Shadowing=True Seen");
    assert!(message.contains("differ") && message.contains("192.0.2.99"), "{message}");

    rig.status_comes_to("all of them", |status| number(status, "differing") >= 20);
    let map = platform.get("configmap", &rig.namespace, &format!("{NAME}.shadow")).unwrap_or_default();
    assert!(map["data"]["shadow.json"].as_str().is_some_and(|text| text.contains("192.0.2.99")), "{map}");
    let (code, done) = port53(&rig, "migration shadow @ZONE -o csv");
    assert_eq!(code, Some(1), "{done:?}");
    assert!(done.stdout.starts_with("at,nameserver,question,differences,port53,legacy\r\n"), "{done:?}");
    assert!(done.stdout.contains("192.0.2.99") && done.stderr.contains("ns2"), "{done:?}");
    let (_, done) = port53(&rig, "migration shadow @ZONE");
    assert!(done.stdout.contains("QUESTION") && done.stdout.contains("www."), "{done:?}");
}

/// A pod counts from zero when it begins anew, and an operator that does goes on with what was counted.
#[test]
fn counts_go_on_when_pods_and_the_operator_begin_anew() {
    let mut platform = platform();
    let rig = Rig::new(&platform, Program::Knot, "counted", ZONE);
    rig.migrate("backfill: {from: Transfer}, shadow: {}");
    rig.comes_to("InSync=True Equal");
    rig.comes_to("Shadowing=True Seen");
    ask(&rig, "www", 20);
    let status = rig.status_comes_to("40 questions", |status| number(status, "forwarded") >= 40);
    let before = number(&status, "forwarded");
    let Rig { legacy, namespace, domain, .. } = rig;
    platform.kill_operator();
    platform.restart_resolver(0);
    platform.start_operator();
    let rig = Rig { platform: &platform, legacy, namespace, domain };
    rig.comes_to("Shadowing=True Seen");
    ask(&rig, "www", 20);
    rig.status_comes_to("what both counted", |status| {
        assert!(number(status, "forwarded") >= before, "{status}");
        number(status, "forwarded") >= before + 40
    });
}

/// "`cutover: [ns1]` makes one nameserver answer from Port53, after the gate: in sync, shadow differences within the limit".
#[test]
fn a_nameserver_is_cut_over_once_answers_agree() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::Bind, "gated", ZONE);
    rig.migrate("backfill: {from: Transfer}, shadow: {minCompared: 30}, cutover: [ns1]");
    rig.comes_to("InSync=True Equal");
    let message = rig.comes_to("CutOver=False WaitingForShadow");
    assert!(message.contains("ns1 waits") && message.contains("minCompared asks for 30"), "{message}");
    answer(&rig, [HERE, HERE]);
    rig.field_comes_to("cutover", "0/2");
    // Asked until that was seen to be at equal sides.
    eventually("ns1 is cut over", || {
        ask(&rig, "www", 5);
        match rig.status()["cutover"].as_str() {
            Some("1/2") => Ok(()),
            other => Err(format!("{other:?}: {}", rig.status())),
        }
    });
    rig.comes_to("CutOver=True Seen");
}

/// An ALIAS can only be answered by legacy, which answers by it until clients do not come any more: it kept the zone there for
/// ever.
#[test]
fn what_each_side_has_of_its_own_keeps_nothing_from_being_cut_over() {
    let platform = &platform();
    let records = "www CNAME shop\nmail A 192.0.2.1\nshop TYPE65401 \\# 1 00\nshop A 192.0.2.50\n";
    let rig = Rig::new(platform, Program::Bind, "leftout", records);
    let with = |leave_out: &str, more: &str| {
        rig.migrate(&format!(
            "backfill: {{from: Transfer}}, dualWrite: Async, shadow: {{}}, \
             compare: {{poll: 1s, interval: 1h, leaveOut: {leave_out}}}, {more}"
        ));
    };
    with("[]", "cutover: [ns1]");
    rig.comes_to("CutOver=False WaitingForSync");
    let status = rig.status_comes_to("the ALIAS is listed", |status| status["rejected"] == 1);
    let message = status["rejects"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("spec.compare.leaveOut"), "{message}");
    with("[{name: shop, type: NONSENSE}]", "cutover: [ns1]");
    let message = rig.comes_to("Ready=False InvalidSpec");
    assert!(message.contains("leaveOut[0].type: \"NONSENSE\" is no type"), "{message}");

    // First it is left out, then each side has its own: what legacy has is for a person to change here.
    let left_out = "[{name: shop, type: TYPE65401}, {name: shop, type: A}]";
    with(left_out, "");
    let message = rig.comes_to("InSync=True Equal");
    assert!(message.contains("but for 2 entries of spec.compare.leaveOut"), "{message}");
    rig.status_comes_to("nothing is listed", |status| status["rejected"] == 0 && status["inconsistent"] == 0);
    rig.record(&rig.object("shop", "a"), "name: shop, type: A, ttl: 300, values: ['192.0.2.51']");
    with(left_out, "cutover: [ns1]");
    rig.comes_to("CutOver=True Seen");
    let ns2 = &platform.resolvers[1];
    for name in ["shop", "www"] {
        let question = format!("{name}.{} A", rig.domain);
        for (resolver, address) in platform.resolvers.iter().zip(["192.0.2.51", "192.0.2.50"]) {
            let said = resolver.says(&question);
            assert!(said.ends_with(address), "{question}: {said}, not {address}: {}", rig.status());
        }
    }
    eventually("neither answer is compared", || {
        let metrics = ns2.get("/metrics");
        let line = metrics.lines().find(|line| line.contains("reason=\"left-out\""));
        let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        // The operator may have asked through it too.
        if count >= Some(2) { Ok(()) } else { Err(format!("{line:?}")) }
    });
    assert_eq!(number(&rig.status(), "differing"), 0);
    let (code, done) = port53(&rig, "migration resolve @ZONE shop.@ZONE A --prefer legacy");
    assert!(code != Some(0) && done.stderr.contains("is left out"), "{done:?}");

    // What is written after it is there goes there, and what is left out does not.
    rig.record("next", "name: next, type: A, ttl: 300, values: ['192.0.2.7']");
    eventually("the record at legacy", || match at(&rig.legacy, &format!("next.{}", rig.domain), "A") {
        said if said == "192.0.2.7" => Ok(()),
        said => Err(said),
    });
    assert_eq!(at(&rig.legacy, &format!("shop.{}", rig.domain), "A"), "192.0.2.50");

    // What is wrong with it is no reason to stay here.
    with("[{name: shop, type: NONSENSE}]", "cutover: [ns1], fallback: true");
    rig.platform.resolvers[0].comes_to_say(&format!("shop.{} A", rig.domain), "NoError 192.0.2.50");

    // Counted again it is for a person to settle, although only one side has changed since both had the same.
    with("[{name: shop, type: TYPE65401}]", "cutover: [ns1]");
    rig.status_comes_to("it is listed", |status| {
        status["differences"][0]["changed"] == "Both" && status["inconsistent"] == 1
    });
    assert_eq!(at(&rig.legacy, &format!("shop.{}", rig.domain), "A"), "192.0.2.50");
    let ours = platform.get("dnsrecord", &rig.namespace, &rig.object("shop", "a")).unwrap_or_default();
    assert_eq!(ours["spec"]["values"][0], "192.0.2.51");
}

/// Legacy answers otherwise than its transfer has it, here by DNS64 (RFC 6147): the records of both sides are the same, and
/// answers are not.
#[test]
fn a_nameserver_is_not_cut_over_while_answers_of_equal_zones_differ() {
    let platform = &platform();
    let options = "dns64 64:ff9b::/96 { clients { any; }; exclude { 2001:db8::/32; }; };";
    let zone = format!("{ZONE}both A 192.0.2.5\nboth AAAA 2001:db8::5\n");
    let rig = Rig::with(platform, Program::Bind, options, "differs", &zone);
    let with = |percent: u32| {
        rig.migrate(&format!(
            "backfill: {{from: Transfer}}, shadow: {{minCompared: 4, maxDifferencesPercent: {percent}}}, cutover: [ns1]"
        ));
    };
    with(10);
    rig.comes_to("CutOver=False WaitingForShadow");
    let question = format!("both.{} AAAA", rig.domain);
    assert!(platform.resolvers[1].says(&question).contains("64:ff9b::"), "legacy answers");
    let message = eventually("the gate is shut", || {
        platform.resolvers.iter().for_each(|resolver| drop(resolver.ask(&question)));
        match rig.comes_to("CutOver=False WaitingForShadow") {
            message if message.contains("maxDifferencesPercent") => Ok(message),
            message => Err(message),
        }
    });
    assert!(
        message.contains(&question.replace(" AAAA", ". AAAA")) && message.contains("64:ff9b::"),
        "{message}"
    );
    rig.field_comes_to("cutover", "0/2");
    // The operator has put the same questions to both by itself.
    let status = rig.status_comes_to("listed", |status| status["inconsistent"].as_u64() > Some(0));
    let is_it = |one: &&Value| one["name"] == question.replace(" AAAA", ".") && one["type"] == "AAAA";
    let one = status["differences"].as_array().into_iter().flatten().find(is_it).expect("it is listed");
    assert_eq!(one["kind"], "Answer", "{one}");
    assert!(one["legacy"].as_str().is_some_and(|text| text.contains("64:ff9b::")), "{one}");
    let kept = one["kept"].as_str().unwrap_or_default();
    assert!(kept.contains("over TCP") && kept.contains("over UDP"), "{kept}");
    assert!(rig.comes_to("InSync=True Equal").contains("answered otherwise nevertheless"));
    let (code, done) = port53(&rig, "migration diff @ZONE");
    assert_eq!(code, Some(1), "{done:?}");
    assert!(done.stdout.contains("Answer") && done.stdout.contains("64:ff9b::"), "{done:?}");
    with(100);
    rig.comes_to("CutOver=True Seen");
}

/// "An automatic fallback on SERVFAIL share, latency or shadow mismatch beyond limits, by setting." It latches, also through a
/// restart of the operator, until a person ends it.
#[test]
fn nameservers_fall_back_by_themselves_and_stay_so_until_a_person_says_otherwise() {
    let mut platform = platform();
    let rig = Rig::new(&platform, Program::Bind, "byitself", ZONE);
    rig.migrate("backfill: {from: Transfer}, shadow: {fallbackOn: {servfailPercent: 10}}, cutover: [ns1]");
    rig.comes_to("CutOver=True Seen");
    let broken = broken_zone(&rig);
    eventually("ns1 falls back", || {
        for _ in 0..20 {
            let _ = platform.resolvers[0].ask(&format!("www.{broken} A"));
        }
        match rig.status()["phase"].as_str() {
            Some("FallenBack") => Ok(()),
            other => Err(format!("{other:?}: {}", rig.status())),
        }
    });
    let message = rig.comes_to("FallenBack=True LimitExceeded");
    assert!(message.contains("are SERVFAIL") && message.contains("servfailPercent is 10"), "{message}");
    rig.comes_to("CutOver=False LimitExceeded");
    rig.field_comes_to("cutover", "0/2");
    platform.kubectl(&format!("delete zonehead {broken} -n {NAMESPACE}"));

    let Rig { legacy, namespace, domain, .. } = rig;
    platform.kill_operator();
    platform.start_operator();
    let rig = Rig { platform: &platform, legacy, namespace, domain };
    rig.comes_to("LegacyReachable=True Answered");
    rig.comes_to("InSync=True Equal");
    rig.comes_to("FallenBack=True LimitExceeded");
    rig.field_comes_to("cutover", "0/2");
    assert!(events(&rig).contains("FallenBackLimitExceeded"), "{}", events(&rig));

    let (code, done) = port53(&rig, "migration fallback @ZONE --off");
    assert_eq!(code, Some(0), "{done:?}");
    assert!(done.stdout.contains("the fallback has ended"), "{done:?}");
    rig.comes_to("CutOver=True Seen");
    rig.field_comes_to("fallback", Value::Null);
}

/// A head of another zone whose content is nowhere: SERVFAIL is all that can be said of it. Its domain.
fn broken_zone(rig: &Rig<'_>) -> String {
    let mut head = rig.platform.head(&rig.domain).expect("it is published");
    let domain = format!("broken-{}", rig.domain);
    let spec = &mut head["spec"];
    spec.as_object_mut().expect("a spec").remove("forwarding");
    spec["domain"] = domain.clone().into();
    spec["zoneRef"]["name"] = "nowhere".into();
    spec["checkpoint"]["root"] = spec["digest"].clone();
    spec["checkpoint"]["revision"] = format!("{domain}.{}", spec["checkpoint"]["serial"]).into();
    head["metadata"] = serde_json::json!({"name": domain, "namespace": NAMESPACE});
    rig.platform.apply(&head.to_string());
    rig.platform.resolvers[0].comes_to_say(&format!("www.{domain} A"), "ServFail");
    domain
}

fn events(rig: &Rig<'_>) -> String {
    rig.platform
        .kubectl(&format!("get events.events.k8s.io -n {} -o jsonpath={{.items[*].reason}}", rig.namespace))
}

/// "`port53 migration fallback ZONE` returns every nameserver to legacy".
#[test]
fn a_person_takes_every_nameserver_back_by_a_command() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::Bind, "command", ZONE);
    rig.migrate("backfill: {from: Transfer}, shadow: {}, cutover: [ns1, ns2]");
    rig.comes_to("CutOver=True Seen");
    let (code, done) = port53(&rig, "migration fallback @ZONE");
    assert_eq!(code, Some(0), "{done:?}");
    assert!(done.stdout.contains("every nameserver answers with what legacy says"), "{done:?}");
    rig.field_comes_to("cutover", "0/2");
    let object = platform.get("zonemigration", &rig.namespace, NAME).unwrap_or_default();
    assert_eq!(object["spec"]["fallback"], true);
    let (code, done) = port53(&rig, "migration fallback @ZONE --off");
    assert_eq!(code, Some(0), "{done:?}");
    assert!(done.stdout.contains("ns1, ns2 are cut over again"), "{done:?}");
    rig.comes_to("CutOver=True Seen");
    rig.field_comes_to("cutover", "2/2");
}

/// What has no legacy to fall back to is told so.
#[test]
fn a_migration_without_shadow_has_nothing_to_fall_back_by() {
    let rig = Rig::new(crate::shared(), Program::Nsd, "noshadow", "www A 192.0.2.1\n");
    rig.migrate("backfill: {from: Transfer}");
    for command in ["fallback", "shadow"] {
        let (code, done) = port53(&rig, &format!("migration {command} @ZONE"));
        assert_eq!(code, Some(2), "{done:?}");
        assert!(done.stderr.contains("has no spec.shadow"), "{done:?}");
    }
}

/// "With a check beforehand that legacy does not rate-limit or answer by the client's address."
#[test]
fn a_legacy_that_limits_rates_is_told_before_anything_is_forwarded() {
    let options = "rate-limit { responses-per-second 5; slip 2; };";
    let rig = Rig::with(crate::shared(), Program::Bind, options, "limits", ZONE);
    rig.migrate("backfill: {from: Transfer}");
    let message = rig.comes_to("LegacySuitable=False RateLimited");
    assert!(
        message.contains("of 50 questions at once over UDP") && message.contains("short (TC)"),
        "{message}"
    );
    assert!(message.contains("exempt the addresses"), "{message}");
    // It is no reason to stop.
    rig.comes_to("Ready=True Equal");
}

/// Once more through pods when they forward; what was asked much at once is not asked so again.
#[test]
fn a_legacy_that_answers_all_alike_is_told_so_and_asked_through_pods_once() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::PowerDns, "alike", ZONE);
    rig.migrate("backfill: {from: Transfer}");
    let message = rig.comes_to("LegacySuitable=True Answered");
    assert!(message.contains("answered all") && message.contains("no pod forwards yet"), "{message}");
    let at = rig.status()["legacyCheck"]["at"].clone();
    rig.migrate("backfill: {from: Transfer}, shadow: {}");
    let status = rig.status_comes_to("asked through pods", |status| status["legacyCheck"]["pods"] == 2);
    assert_eq!(status["legacyCheck"]["at"], at);
    let message = rig.comes_to("LegacySuitable=True Answered");
    assert!(message.contains("through 2 pods"), "{message}");
}
