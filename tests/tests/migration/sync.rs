//! "A change is in both or in neither."

use crate::cli::port53;
use crate::rig::{NAME, Rig, at, www_at};
use crate::{programs, settings, shared};
use port53_crds::ROLLBACK_ANNOTATION;
use port53_operator::engine::both::points::Point;
use port53_tests::legacy::LOCKED;
use port53_tests::liar::{self, Then};
use port53_tests::migration::{self, record};
use port53_tests::peer::Program;
use port53_tests::platform::{NAMESPACE, Platform};
use port53_tests::{eventually, webhook};
use serde_json::Value;

const SYNC: &str = "backfill: {from: Transfer}, dualWrite: Sync";

/// A zone that is in step with legacy, each change of which is to be at both.
fn in_step<'p>(platform: &'p Platform, program: Program, name: &str, records: &str) -> Rig<'p> {
    let rig = Rig::new(platform, program, name, records);
    rig.migrate(SYNC);
    rig.comes_to("InSync=True Equal");
    rig.comes_to("DualWriting=True Written");
    rig
}

/// What the head says of what is on its way.
fn intents(platform: &Platform, domain: &str) -> Value {
    platform.head(domain).unwrap_or_default()["spec"]["dualWrite"]["intents"].clone()
}

#[track_caller]
fn nothing_is_on_its_way(platform: &Platform, domain: &str) {
    eventually("no intents", || match intents(platform, domain) {
        Value::Array(intents) if intents.is_empty() => Ok(()),
        intents => Err(intents.to_string()),
    });
}

impl Rig<'_> {
    /// Waits for a condition of a DNSRecord.
    #[track_caller]
    fn record_comes_to(&self, record: &str, expected: &str) -> String {
        self.platform.comes_to("dnsrecord", &self.namespace, record, expected)
    }
}

/// Created, changed, an alias for addresses, deleted: each is at both, and changes of legacy come here as before.
fn is_at_both(program: Program, name: &str) {
    let rig = in_step(shared(), program, name, "www A 192.0.2.1\nalias CNAME www\n");
    rig.record("new", "name: new, type: A, ttl: 60, values: ['192.0.2.7']");
    rig.record_comes_to("new", "Ready=True Served");
    // Served here is there already: nothing is waited for.
    assert_eq!(rig.there("new", "A"), "192.0.2.7");
    rig.record("new", "name: new, type: A, ttl: 60, values: ['192.0.2.8']");
    rig.comes_to_be_here("new", "A", "NoError 192.0.2.8");
    assert_eq!(rig.there("new", "A"), "192.0.2.8");
    rig.delete(&rig.object("alias", "cname"));
    rig.record("alias", "name: alias, type: A, values: ['192.0.2.5']");
    rig.comes_to_be_here("alias", "A", "NoError 192.0.2.5");
    assert_eq!(rig.there("alias", "A"), "192.0.2.5");
    rig.delete("new");
    rig.comes_to_be_here("new", "A", "NXDomain");
    assert_eq!(rig.there("new", "A"), "");
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.20");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.20");
    nothing_is_on_its_way(rig.platform, &rig.domain);
    rig.comes_to("InSync=True Equal");
    rig.comes_to("Ready=True Equal");
}

#[test]
fn with_bind_a_change_is_at_both() {
    is_at_both(Program::Bind, "syncbind");
}

#[test]
fn with_knot_a_change_is_at_both() {
    is_at_both(Program::Knot, "syncknot");
}

#[test]
fn with_powerdns_a_change_is_at_both() {
    is_at_both(Program::PowerDns, "syncpdns");
}

/// "The person sees it: `Accepted=False`, reason `LegacyRefused` … with rcode and text", "final until the object changes".
#[test]
fn what_legacy_refuses_is_at_neither_and_is_told() {
    let rig = in_step(shared(), Program::Bind, "refused", "www A 192.0.2.1\n");
    rig.record("odd", &format!("name: {LOCKED}, type: A, values: ['192.0.2.7']"));
    let message = rig.record_comes_to("odd", "Accepted=False LegacyRefused");
    assert!(message.contains("REFUSED") && message.contains("stays at both"), "{message}");
    rig.record_comes_to("odd", "Ready=False LegacyRefused");
    rig.platform.say(&format!("{LOCKED}.{} A", rig.domain), "NXDomain");
    nothing_is_on_its_way(rig.platform, &rig.domain);
    eventually("the zone counts it", || {
        let zone = rig.platform.get("zone", &rig.namespace, NAME).unwrap_or_default();
        if zone["status"]["rejected"] == 1 { Ok(()) } else { Err(zone["status"].to_string()) }
    });
    // Others go on, and so does this one when it says something else.
    rig.record("www2", "name: www2, type: A, values: ['192.0.2.8']");
    rig.record_comes_to("www2", "Ready=True Served");
    rig.delete("odd");
    rig.record("odd", "name: even, type: A, values: ['192.0.2.7']");
    rig.record_comes_to("odd", "Ready=True Served");
}

/// "`port53 apply` and `kubectl wait` fail with it".
#[test]
fn who_applies_what_legacy_refuses_is_told_by_the_command() {
    let rig = in_step(shared(), Program::Bind, "told", "www A 192.0.2.1\n");
    let files = tempfile::TempDir::new().expect("a directory");
    let manifest = |name: &str, spec: &str| record(&rig.namespace, NAME, name, spec);
    let refused = manifest("odd", &format!("name: {LOCKED}, type: A, values: ['192.0.2.7']"));
    let taken = manifest("even", "name: even, type: A, values: ['192.0.2.8']");
    let file = files.path().join("both.yaml");
    std::fs::write(&file, format!("{refused}{taken}")).expect("a file");
    let (code, done) = port53(&rig, &format!("apply -f {}", file.display()));
    assert_eq!(code, Some(1), "{done:?}");
    let place = format!("rejected: DNSRecord {}/odd: ", rig.namespace);
    for words in [&place, "legacy refuses it", "REFUSED", "stays at both"] {
        assert!(done.stderr.contains(words), "{words}: {done:?}");
    }
    // "Reject alone": the other one is at both when the command ends.
    let even = format!("DNSRecord {}/even: served as serial ", rig.namespace);
    assert!(done.stdout.contains(&even), "{done:?}");
    assert_eq!(rig.there("even", "A"), "192.0.2.8");
    assert_eq!(rig.there(LOCKED, "A"), "");
    let wait = |record: &str, timeout: &str| {
        let object = format!("dnsrecord/{record}");
        let timeout = format!("--timeout={timeout}");
        let arguments = ["wait", "--for=condition=Ready", &object, "-n", &rig.namespace, &timeout];
        rig.platform.cluster.kubectl(&arguments)
    };
    let done = wait("odd", "2s");
    assert!(!done.success && done.stderr.contains("timed out waiting"), "{done:?}");
    let done = wait("even", "30s");
    assert!(done.success, "{done:?}");
}

/// "With the webhook on, the clash that can be known beforehand is refused at `kubectl apply`."
#[test]
fn what_legacy_is_known_to_have_otherwise_is_refused_when_it_is_written() {
    let (settings, listen) = webhook::listening(settings());
    let platform = &Platform::start(programs(), settings);
    let rig = in_step(platform, Program::Bind, "beforehand", "www A 192.0.2.1\nmail A 192.0.2.2\n");
    // A person's by now: what legacy has is not written over it.
    let www = rig.object("www", "a");
    let manifest = |address: &str| record(&rig.namespace, NAME, &www, &www_at(address));
    platform.apply(&manifest("192.0.2.3"));
    rig.record_comes_to(&www, "Ready=True Served");
    // What was written there and not looked at since says nothing.
    let soa = rig.legacy_says("SOA");
    let serial: u32 = soa[0].split(' ').nth(2).and_then(|serial| serial.parse().ok()).expect("a serial");
    rig.status_comes_to("it was looked at", |status| status["legacy"]["serial"] == serial);
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.99");
    rig.status_comes_to("what legacy has", |status| status["differences"][0]["legacy"] == "300 192.0.2.99");
    platform.apply(&webhook::configuration(listen));
    webhook::is_trusted(platform);
    let apply = |address: &str, more: &[&str]| {
        // Where both say the same, the migration may own the values too.
        let arguments = [&["apply", "--server-side", "--force-conflicts", "-f", "-"], more].concat();
        platform.cluster.kubectl_with(&arguments, &manifest(address))
    };
    // It takes a moment until the API server asks.
    eventually("the webhook", || match apply("192.0.2.4", &["--dry-run=server"]) {
        done if done.success => Err("the webhook is not asked yet".to_owned()),
        _ => Ok(()),
    });
    let done = apply("192.0.2.4", &[]);
    assert!(!done.success, "{done:?}");
    for words in [
        "port53.dev\" denied the request",
        "spec.values",
        "legacy has 300 A 192.0.2.99 there, and not what is published here",
        "port53 migration resolve",
    ] {
        assert!(done.stderr.contains(words), "{words}: {done:?}");
    }
    let stored = platform.get("dnsrecord", &rig.namespace, &www).expect("it is there");
    assert_eq!(stored["spec"]["values"], serde_json::json!(["192.0.2.3"]), "nothing of it is stored");
    rig.platform.say(&format!("www.{} A", rig.domain), "NoError 192.0.2.3");
    assert_eq!(rig.there("www", "A"), "192.0.2.99");
    // To say what legacy says settles it; and what clashes with nothing is stored.
    let done = apply("192.0.2.99", &[]);
    assert!(done.success, "{done:?}");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.99");
    rig.comes_to("InSync=True Equal");
    let done = apply("192.0.2.4", &[]);
    assert!(done.success, "{done:?}");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.4");
    assert_eq!(rig.there("www", "A"), "192.0.2.4");
}

/// What a server in front of BIND does not have it do, and says NOERROR to all the same.
const LOST: [u8; 4] = [192, 0, 2, 99];
/// An UPDATE that adds this does not come to BIND at all.
const SWALLOWED: [u8; 4] = [192, 0, 2, 66];

/// RFC 2136 §3.4.2: what an UPDATE says and may not be done is ignored "silently", and the answer is NOERROR. Here a server
/// in front of BIND does so with some addresses. Both sides have the same afterwards, and who wanted otherwise is told.
#[test]
fn rfc2136_3_4_2_what_legacy_says_yes_to_and_does_not_do_is_at_neither() {
    let rig = in_step(shared(), Program::Bind, "partly", "www A 192.0.2.1\nalias CNAME www\n");
    let bind = rig.legacy.address();
    let liar = liar::listen_signing(Then::Closes, move |query| {
        let message = match liar::adds_value(query, &SWALLOWED) {
            true => liar::noerror(query),
            false => liar::pass_on(bind, &liar::without_value(query, &LOST)),
        };
        vec![message]
    });
    let more = format!("compare: {{poll: 1s}}, parent: {{addresses: ['127.0.0.1:1'], poll: 1s}}, {SYNC}");
    rig.platform.apply(&migration::migration(&rig.namespace, NAME, liar, &more));
    rig.comes_to("InSync=True Equal");
    rig.comes_to("DualWriting=True Written");
    // What it does right is at both.
    rig.record("right", "name: right, type: A, values: ['192.0.2.7']");
    rig.record_comes_to("right", "Ready=True Served");
    assert_eq!(rig.there("right", "A"), "192.0.2.7");

    let www = rig.object("www", "a");
    let alias = rig.object("alias", "cname");
    let is_put_back = |object: &str, words: &str| {
        let message = rig.record_comes_to(object, "Accepted=False LegacyRefused");
        for words in ["NOERROR", "RFC 2136 section 3.4.2", words, "stays at both"] {
            assert!(message.contains(words), "{object}: {words}: {message}");
        }
        nothing_is_on_its_way(rig.platform, &rig.domain);
    };
    const PUT_BACK: &str = "what it did of it was put back";
    // One of two addresses of a new name.
    rig.record("half", "name: half, type: A, values: ['192.0.2.8', '192.0.2.99']");
    is_put_back("half", PUT_BACK);
    rig.platform.say(&format!("half.{} A", rig.domain), "NXDomain");
    assert_eq!(rig.there("half", "A"), "");
    // The old address is removed, and the new one does not come.
    rig.record(&www, &www_at("192.0.2.99"));
    is_put_back(&www, PUT_BACK);
    rig.platform.say(&format!("www.{} A", rig.domain), "NoError 192.0.2.1");
    assert_eq!(rig.there("www", "A"), "192.0.2.1");
    // Nothing of it at all.
    rig.record("nothing", "name: nothing, type: A, values: ['192.0.2.66']");
    is_put_back("nothing", "did not do it");
    rig.platform.say(&format!("nothing.{} A", rig.domain), "NXDomain");
    assert_eq!(rig.there("nothing", "A"), "");
    // An alias is gone, and nothing is in its place.
    rig.delete(&alias);
    rig.record("instead", "name: alias, type: A, values: ['192.0.2.99']");
    is_put_back("instead", PUT_BACK);
    assert_eq!(rig.there("alias", "CNAME"), format!("www.{}.", rig.domain));

    // Both have the same, and what is right goes on to be at both.
    rig.record("right", "name: right, type: A, values: ['192.0.2.77']");
    rig.comes_to_be_here("right", "A", "NoError 192.0.2.77");
    assert_eq!(rig.there("right", "A"), "192.0.2.77");
    rig.comes_to("InSync=True Equal");
    rig.record(&www, &www_at("192.0.2.2"));
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.2");
    assert_eq!(rig.there("www", "A"), "192.0.2.2");
}

/// A removal has no object that could be told: both keep the record, and the migration says so.
#[test]
fn what_legacy_does_not_remove_stays_at_both() {
    let rig =
        in_step(shared(), Program::Bind, "unremoved", &format!("www A 192.0.2.1\n{LOCKED} A 192.0.2.2\n"));
    rig.comes_to_be_here(LOCKED, "A", "NoError 192.0.2.2");
    rig.delete(&rig.object(LOCKED, "a"));
    let message = rig.comes_to("DualWriting=False LegacyRefused");
    assert!(message.contains(LOCKED) && message.contains("REFUSED"), "{message}");
    rig.platform.say(&format!("{LOCKED}.{} A", rig.domain), "NoError 192.0.2.2");
}

/// While a change was on its way, what both had was taken for agreed on, and legacy as it had been looked at before for
/// newer: what was deleted here was brought over again.
#[test]
fn what_is_deleted_here_does_not_come_back() {
    let names: Vec<String> = (0..8).map(|number| format!("gone{number}")).collect();
    let records: String = names.iter().map(|name| format!("{name} A 192.0.2.1\n")).collect();
    let rig = Rig::new(shared(), Program::Bind, "deletedsync", &format!("www A 192.0.2.1\n{records}"));
    // It is seldom looked at, so that what is known of it is old.
    let with = |poll: &str| rig.migrate(&format!("{SYNC}, compare: {{poll: {poll}}}"));
    with("1s");
    rig.comes_to("InSync=True Equal");
    with("10s");
    rig.comes_to("DualWriting=True Written");
    rig.zone("defaultTTL: 300, guard: {maxRemovedPercent: 100}");
    for name in &names {
        rig.comes_to_be_here(name, "A", "NoError 192.0.2.1");
        rig.delete(&rig.object(name, "a"));
        rig.comes_to_be_here(name, "A", "NXDomain");
        assert_eq!(rig.there(name, "A"), "");
    }
    with("1s");
    rig.comes_to("InSync=True Equal");
    rig.status_comes_to("all of it is looked at", |status| status["backfilled"] == "1/1");
    for name in &names {
        rig.platform.say(&format!("{name}.{} A", rig.domain), "NXDomain");
        assert!(rig.platform.get("dnsrecord", &rig.namespace, &rig.object(name, "a")).is_none(), "{name}");
    }
}

/// What is delegated is not in answers of the zone: it is read back by prerequisites. It never came to be there.
#[test]
fn a_delegation_and_its_glue_are_at_both() {
    let rig = in_step(shared(), Program::Bind, "delegated", "www A 192.0.2.1\n");
    let domain = rig.domain.clone();
    rig.record("sub", &format!("name: sub, type: NS, ttl: 300, values: ['ns.sub.{domain}.']"));
    rig.record("glue", "name: ns.sub, type: A, ttl: 300, values: ['192.0.2.53']");
    rig.record_comes_to("sub", "Ready=True Served");
    rig.record_comes_to("glue", "Ready=True Served");
    rig.comes_to("InSync=True Equal");
    rig.delete("glue");
    rig.delete("sub");
    nothing_is_on_its_way(rig.platform, &domain);
    rig.comes_to_be_here("sub", "NS", "NXDomain");
    rig.comes_to("InSync=True Equal");
}

/// "Reject alone": at one name, what legacy refuses keeps nothing else back.
#[test]
fn what_is_refused_of_a_name_keeps_nothing_else_of_it_back() {
    let platform = shared();
    let rig = Rig::new(platform, Program::Bind, "beside", "@ MX 10 mail\nmail A 192.0.2.1\n");
    rig.migrate(&format!("{SYNC}, compare: {{poll: 1h}}"));
    rig.comes_to("DualWriting=True Written");
    rig.change_there("update delete @DOMAIN MX\nupdate add @DOMAIN 300 MX 20 mail.@DOMAIN.");
    let mx = rig.object("apex", "mx");
    let apex = platform.kubectl(&format!("get dnsrecords -n {} -o name", rig.namespace));
    let mx = apex
        .lines()
        .find(|line| line.contains("mx"))
        .map_or(mx, |line| line.rsplit('/').next().unwrap_or_default().to_owned());
    rig.record(
        &mx,
        "name: '@', type: MX, ttl: 300, values: ['30 mail.@']"
            .replace("mail.@", &format!("mail.{}.", rig.domain))
            .as_str(),
    );
    rig.record_comes_to(&mx, "Accepted=False LegacyRefused");
    rig.record("text", "name: '@', type: TXT, values: ['beside it']");
    rig.record_comes_to("text", "Ready=True Served");
    rig.record_comes_to(&mx, "Accepted=False LegacyRefused");
}

/// "With prerequisites on the RRset's old value, so that nobody's parallel change is overwritten."
#[test]
fn what_somebody_changes_at_legacy_meanwhile_is_not_written_over() {
    let platform = shared();
    let rig = Rig::new(platform, Program::Knot, "parallel", "www A 192.0.2.1\n");
    // It is not asked for its serial again before the change is made here.
    rig.migrate(&format!("{SYNC}, compare: {{poll: 1h}}"));
    rig.comes_to("DualWriting=True Written");
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.99");
    let object = rig.object("www", "a");
    rig.record(&object, &www_at("192.0.2.2"));
    let message = rig.record_comes_to(&object, "Accepted=False LegacyRefused");
    assert!(message.contains("300 A 192.0.2.99") && message.contains("resolve"), "{message}");
    assert_eq!(rig.there("www", "A"), "192.0.2.99");
    rig.platform.say(&format!("www.{} A", rig.domain), "NoError 192.0.2.1");
}

/// "`LegacyUnreachable` is tried again, and answers go on meanwhile."
#[test]
fn while_legacy_is_away_a_change_waits_and_what_was_is_answered() {
    let platform = &Platform::start(programs(), settings());
    let mut rig = in_step(platform, Program::Bind, "away", "www A 192.0.2.1\n");
    rig.legacy.stop();
    rig.record("new", "name: new, type: A, values: ['192.0.2.7']");
    let message = rig.record_comes_to("new", "Ready=False LegacyUnreachable");
    assert!(message.contains("asked again"), "{message}");
    rig.record_comes_to("new", "Accepted=True Accepted");
    platform.say(&format!("new.{} A", rig.domain), "NXDomain");
    platform.say(&format!("www.{} A", rig.domain), "NoError 192.0.2.1");
    rig.legacy.start_again();
    rig.record_comes_to("new", "Ready=True Served");
    assert_eq!(rig.there("new", "A"), "192.0.2.7");
    // Turned off, nothing waits for legacy any more.
    rig.legacy.stop();
    rig.record("newer", "name: newer, type: A, values: ['192.0.2.8']");
    rig.record_comes_to("newer", "Ready=False LegacyUnreachable");
    rig.migrate("backfill: {from: Transfer}, dualWrite: Async");
    rig.record_comes_to("newer", "Ready=True Served");
    rig.legacy.start_again();
    rig.comes_to_be_there("newer", "A", "192.0.2.8");
}

/// "Then it is published and confirmed; if that fails, legacy is put back": no resolver follows what is published.
#[test]
fn what_no_nameserver_answers_is_put_back_at_both() {
    let platform = &Platform::start(programs(), settings());
    let rig = in_step(platform, Program::Bind, "rolledback", "www A 192.0.2.1\n");
    let object = rig.object("www", "a");
    rig.record_comes_to(&object, "Ready=True Served");
    for resolver in &rig.platform.resolvers {
        resolver.pause();
    }
    rig.record(&object, &www_at("192.0.2.2"));
    rig.comes_to_be_there("www", "A", "192.0.2.2");
    let message = rig.record_comes_to(&object, "Accepted=False RolledBack");
    assert!(message.contains("no nameserver answered it"), "{message}");
    rig.comes_to_be_there("www", "A", "192.0.2.1");
    for resolver in &rig.platform.resolvers {
        resolver.resume();
    }
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.1");
    nothing_is_on_its_way(rig.platform, &rig.domain);
    // It is final until the object changes.
    rig.record(&object, &www_at("192.0.2.3"));
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.3");
    assert_eq!(rig.there("www", "A"), "192.0.2.3");
}

/// A zone that a person pins to an older version while a change is on its way: the change is at neither, and stays so until
/// the pin is taken away.
#[test]
fn a_change_on_its_way_is_at_neither_when_the_zone_is_rolled_back() {
    let platform = &mut Platform::start(programs(), settings());
    let rig = in_step(platform, Program::Bind, "pinned", "www A 192.0.2.1\n");
    let object = rig.object("www", "a");
    rig.record_comes_to(&object, "Ready=True Served");
    let serial = rig.platform.head(&rig.domain).expect("it is published")["spec"]["serial"].clone();
    // It is kept a moment after it is published, and what is not kept cannot be rolled back to.
    let revision = format!("{}.{serial}", rig.domain);
    eventually("the revision", || {
        rig.platform.get("zonerevision", NAMESPACE, &revision).map(drop).ok_or(format!("no {revision}"))
    });
    let Rig { legacy, namespace, domain, .. } = rig;
    let write = |platform: &Platform, address: &str| {
        platform.apply(&record(&namespace, NAME, &object, &www_at(address)));
    };
    platform.kill_operator();
    platform.start_operator_with(&["--end-at", "AtLegacy"]);
    write(platform, "192.0.2.2");
    platform.operator_ends();
    assert_eq!(at(&legacy, &format!("www.{domain}"), "A"), "192.0.2.2");
    let pin = format!("{ROLLBACK_ANNOTATION}={serial}");
    platform.kubectl(&format!("annotate zone {NAME} -n {namespace} {pin}"));
    platform.start_operator();
    let rig = Rig { platform, legacy, namespace, domain };
    rig.comes_to_be_there("www", "A", "192.0.2.1");
    nothing_is_on_its_way(rig.platform, &rig.domain);
    rig.platform.say(&format!("www.{} A", rig.domain), "NoError 192.0.2.1");
    let release = format!("{ROLLBACK_ANNOTATION}-");
    rig.platform.kubectl(&format!("annotate zone {NAME} -n {} {release}", rig.namespace));
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.2");
    assert_eq!(rig.there("www", "A"), "192.0.2.2");
    rig.comes_to("InSync=True Equal");
}

/// "Killed at any point between the two writes: after the restart both agree again. The points are listed in code, and a
/// test is asserted to have hit each."
#[test]
fn wherever_the_operator_ends_both_agree_after_it_begins_anew() {
    let platform = &mut Platform::start(programs(), settings());
    let rig = in_step(platform, Program::Bind, "killed", "www A 192.0.2.0\n");
    let object = rig.object("www", "a");
    let Rig { legacy, namespace, domain, .. } = rig;
    let write = |platform: &Platform, address: u8| {
        platform.apply(&record(&namespace, NAME, &object, &www_at(&format!("192.0.2.{address}"))));
    };
    let agree = |platform: &Platform, address: u8| {
        platform.come_to_say(&format!("www.{domain} A"), &format!("NoError 192.0.2.{address}"));
        nothing_is_on_its_way(platform, &domain);
        platform.comes_to("zonemigration", &namespace, NAME, "InSync=True Equal");
        assert_eq!(at(&legacy, &format!("www.{domain}"), "A"), format!("192.0.2.{address}"));
    };
    let mut hit = Vec::new();
    let mut end_at = |platform: &mut Platform, point: Point, address: Option<u8>| {
        platform.kill_operator();
        platform.start_operator_with(&["--end-at", &format!("{point:?}")]);
        address.into_iter().for_each(|address| write(platform, address));
        let printed = platform.operator_ends();
        assert!(printed.contains(&format!("ends at {point:?}")), "{printed}");
        hit.push(point);
    };
    let forward = [Point::Intended, Point::Sent, Point::AtLegacy, Point::Published, Point::Confirmed];
    for (address, point) in (1..).zip(forward) {
        end_at(platform, point, Some(address));
        platform.start_operator();
        agree(platform, address);
    }
    // What is at legacy and not here is not wanted any more: it is put back, and what is wanted by now is at both.
    for (address, point) in [(11, Point::BackIntended), (13, Point::BackAtLegacy)] {
        end_at(platform, Point::AtLegacy, Some(address));
        write(platform, address + 1);
        end_at(platform, point, None);
        platform.start_operator();
        agree(platform, address + 1);
    }
    hit.sort();
    hit.dedup();
    assert_eq!(hit, Point::ALL, "each point was hit");
}
