//! What legacy has comes here, but for what is refused.

use crate::rig::{NAME, Rig};
use crate::shared;
use port53_tests::peer::Program;

/// Something of most kinds.
const RECORDS: &str = "\
@ MX 10 Mail.Example.NET.
@ TXT \"v=spf1 -all\" \"and more\"
www 60 A 192.0.2.1
www 60 A 192.0.2.2
WWW 60 AAAA 2001:db8::1
*.shop CNAME www
shop TXT \"a; b\"
_sip._tcp SRV 1 2 5060 sip
sip A 192.0.2.3
labs NS ns.labs
ns.labs A 192.0.2.4
odd TYPE65280 \\# 3 010203
caa CAA 0 issue \"ca.example.net\"
";

/// Each program that is moved from: what it has is here, and both are found the same.
fn comes_over(program: Program, name: &str) {
    let rig = Rig::new(shared(), program, name, RECORDS);
    rig.migrate("backfill: {from: Transfer}");
    rig.comes_to("Backfilled=True Complete");
    let message = rig.comes_to("InSync=True Equal");
    rig.comes_to("Ready=True Equal");
    let status = rig.status();
    // NS at the apex is each side's own.
    assert_eq!(
        (status["backfilled"].as_str(), status["rejected"].as_u64()),
        (Some("12/12"), Some(0)),
        "{message}"
    );
    assert_eq!(status["phase"], "Comparing");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.1 192.0.2.2");
    rig.comes_to_be_here("any.shop", "A", &format!("NoError www.{}. 192.0.2.1 192.0.2.2", rig.domain));
    // The next serial is above what legacy serves, so that secondaries which come here find a higher one.
    let head = rig.platform.head(&rig.domain).expect("a head");
    port53_tests::eventually("an event", || {
        let events = rig
            .platform
            .kubectl(&format!("get events -n {} -o jsonpath={{.items[*].reason}}", rig.namespace));
        if events.contains("InSyncEqual") { Ok(()) } else { Err(events) }
    });
    assert!(head["spec"]["serial"].as_u64() > status["legacy"]["serial"].as_u64(), "{head}");
}

#[test]
fn what_bind_has_comes_here() {
    comes_over(Program::Bind, "frombind");
}

#[test]
fn what_knot_has_comes_here() {
    comes_over(Program::Knot, "fromknot");
}

#[test]
fn what_powerdns_has_comes_here() {
    comes_over(Program::PowerDns, "frompdns");
}

#[test]
fn what_nsd_has_comes_here() {
    comes_over(Program::Nsd, "fromnsd");
}

/// "What is refused is kept in a list, each with the record as it stood, the rule, the fix; a record that legacy has since
/// corrected leaves the list by itself."
#[test]
fn what_is_refused_is_listed_until_it_is_corrected() {
    // PowerDNS gives whatever its database holds.
    let rig = Rig::new(
        shared(),
        Program::PowerDns,
        "refused",
        "clash CNAME www\nclash TXT \"beside\"\nwww A 192.0.2.1\n",
    );
    rig.migrate("backfill: {from: Transfer}");
    rig.comes_to("Backfilled=True Rejected");
    let status = rig.status();
    assert_eq!(
        (status["backfilled"].as_str(), status["rejected"].as_u64()),
        (Some("2/3"), Some(1)),
        "{status}"
    );
    let reject = &status["rejects"][0];
    assert_eq!(reject["name"], format!("clash.{}.", rig.domain));
    assert!(reject["message"].as_str().is_some_and(|message| message.contains("CNAME")), "{reject}");
    let list =
        rig.platform.get("configmap", &rig.namespace, &format!("{NAME}.rejects")).expect("the whole list");
    assert!(list["data"]["rejects.json"].as_str().is_some_and(|text| text.contains("clash")), "{list}");
    let which = reject["type"].as_str().expect("a type");
    rig.change_there(&format!("update delete clash.@DOMAIN {which}"));
    rig.comes_to("Backfilled=True Complete");
    rig.field_comes_to("rejected", 0);
}

/// PowerDNS keeps a TTL with each record; those of an RRset are one, the lowest (RFC 2181 §5.2), and people are told.
#[test]
fn ttls_that_differ_within_an_rrset_are_told() {
    let records = "two 300 A 192.0.2.1\ntwo 60 A 192.0.2.2\n";
    let rig = Rig::new(shared(), Program::PowerDns, "ttls", records);
    rig.migrate("backfill: {from: Transfer}");
    rig.comes_to("Backfilled=True Complete");
    let message = rig.comes_to("InSync=True Equal");
    assert!(message.contains("has the TTLs 60 and 300: 60, the lowest, counts"), "{message}");
    let two = rig.platform.resolvers[0].ask(&format!("two.{} A", rig.domain)).expect("it answers");
    assert_eq!(two.answers.iter().map(|record| record.ttl).collect::<Vec<_>>(), [60, 60]);
}

/// "Provider-only records (ALIAS and the like) are listed as such": they came over as types that nobody asks for.
#[test]
fn what_only_powerdns_can_answer_is_listed() {
    let rig = Rig::new(
        shared(),
        Program::PowerDns,
        "provider",
        "www A 192.0.2.1\n@ ALIAS www.example.net.\nlua LUA A \"ifportup(443, {'192.0.2.1'})\"\n",
    );
    rig.migrate("backfill: {from: Transfer}");
    rig.comes_to("Backfilled=True Rejected");
    let status = rig.status();
    let rejects = status["rejects"].as_array().cloned().unwrap_or_default();
    assert_eq!(rejects.len(), 2, "{status}");
    for (type_, words) in [("TYPE65401", "ALIAS of PowerDNS"), ("TYPE65402", "LUA record of PowerDNS")] {
        let reject = rejects.iter().find(|reject| reject["type"] == type_).expect("it is listed");
        assert_eq!(reject["reason"], "ProviderOnly");
        assert!(reject["message"].as_str().is_some_and(|message| message.contains(words)), "{reject}");
    }
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.1");
}

/// "A deleted record is not brought over again": what both agreed on tells that it was deleted here.
#[test]
fn what_was_deleted_here_is_not_brought_over_again() {
    let rig = Rig::new(shared(), Program::Bind, "deleted", "www A 192.0.2.1\nother A 192.0.2.2\n");
    rig.migrate("backfill: {from: Transfer}");
    rig.comes_to("InSync=True Equal");
    rig.delete(&rig.object("other", "a"));
    let status = rig.status_comes_to("a difference", |status| status["inconsistent"] == 1);
    let difference = &status["differences"][0];
    assert_eq!(
        (&difference["kind"], &difference["changed"]),
        (&"MissingHere".into(), &"Port53".into()),
        "{status}"
    );
    rig.comes_to_be_here("other", "A", "NXDomain");
    // It is not to come.
    assert_eq!(status["backfilled"], "1/1", "{status}");
    rig.comes_to("Backfilled=True Complete");
}
