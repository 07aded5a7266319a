//! What legacy has comes here, but for what is refused.

use crate::rig::{NAME, Rig};
use crate::{programs, settings, shared};
use port53_tests::legacy::Holder;
use port53_tests::peer::Program;
use port53_tests::platform::Platform;
use port53_tests::{eventually, process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Something of most kinds.
const RECORDS: &str = "\
@ MX 10 Mail.Example.NET.
@ TXT \"v=spf1 -all\" \"and more\"
www 60 A 192.0.2.1
www 60 A 192.0.2.2
WWW 60 AAAA 2001:db8::1
Case.Kept 7200 A 192.0.2.6
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
        (Some("13/13"), Some(0)),
        "{message}"
    );
    assert_eq!(status["phase"], "Comparing");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.1 192.0.2.2");
    keeps_case_and_ttls(&rig);
    rig.comes_to_be_here("any.shop", "A", &format!("NoError www.{}. 192.0.2.1 192.0.2.2", rig.domain));
    // The next serial is above what legacy serves, so that secondaries which come here find a higher one.
    let head = rig.platform.head(&rig.domain).expect("a head");
    eventually("an event", || {
        let events = rig
            .platform
            .kubectl(&format!("get events -n {} -o jsonpath={{.items[*].reason}}", rig.namespace));
        if events.contains("InSyncEqual") { Ok(()) } else { Err(events) }
    });
    assert!(head["spec"]["serial"].as_u64() > status["legacy"]["serial"].as_u64(), "{head}");
}

/// "TTLs, case, order of nothing lost": of owner names and of names in values, by the objects and by answers. Knot and NSD
/// give all in lower case, PowerDNS owners.
fn keeps_case_and_ttls(rig: &Rig<'_>) {
    let at_legacy = transferred(rig);
    if rig.legacy.program() == Program::Bind {
        let is_there = |owner: &str, value: &str| {
            at_legacy.iter().any(|line| line.owner.starts_with(owner) && line.value == value)
        };
        assert!(is_there("Case.Kept.", "192.0.2.6") && is_there("", "10 Mail.Example.NET."), "{at_legacy:?}");
    }
    let list = rig.platform.kubectl(&format!("get dnsrecords -n {} -o json", rig.namespace));
    let list: Value = serde_json::from_str(&list).expect("JSON");
    for item in list["items"].as_array().expect("a list") {
        let spec = &item["spec"];
        let owner = match spec["name"].as_str().expect("a name") {
            "@" => format!("{}.", rig.domain),
            name => format!("{name}.{}.", rig.domain),
        };
        // RFC 4343 §4.1: a name that is spelled in two ways is one name, spelled as it came first.
        assert!(at_legacy.iter().any(|line| line.owner == owner), "{spec} is not spelled so: {at_legacy:?}");
        let type_ = spec["type"].as_str().expect("a type");
        let is_of = |line: &&Line| line.owner.eq_ignore_ascii_case(&owner) && line.type_ == type_;
        let there: Vec<&Line> = at_legacy.iter().filter(is_of).collect();
        assert!(there.iter().all(|line| Some(line.ttl) == spec["ttl"].as_u64()), "{spec}: {there:?}");
        // Others may be written in more than one way.
        if ["A", "AAAA", "CNAME", "MX", "NS", "SRV"].contains(&type_) {
            let here = spec["values"].as_array().expect("values").iter();
            let mut here: Vec<&str> = here.filter_map(Value::as_str).collect();
            let mut there: Vec<&str> = there.iter().map(|line| line.value.as_str()).collect();
            here.sort_unstable();
            there.sort_unstable();
            assert_eq!(here, there, "{owner} {type_}");
        }
    }
    // What resolvers say of it, octet by octet.
    for resolver in &rig.platform.resolvers {
        let address = resolver.address();
        let (server, port) = (format!("@{}", address.ip()), address.port().to_string());
        for (owner, type_) in [(rig.domain.clone(), "MX"), (format!("www.{}", rig.domain), "AAAA")] {
            let arguments = [&server, "-p", &port, "+noall", "+answer", &owner, type_];
            let answer = process::run("kdig", &arguments, Path::new("/")).stdout;
            let mut said: Vec<Line> = answer.lines().filter_map(Line::read).collect();
            let mut there: Vec<Line> = at_legacy.iter().filter(|line| line.type_ == type_).cloned().collect();
            // An answer repeats the owner as it was asked for.
            said.iter_mut().chain(&mut there).for_each(|line| line.owner.make_ascii_lowercase());
            assert_eq!(said, there, "{answer}");
        }
    }
}

/// A record as `kdig` prints it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Line {
    owner: String,
    ttl: u64,
    type_: String,
    value: String,
}

impl Line {
    fn read(line: &str) -> Option<Line> {
        let mut words = line.split_ascii_whitespace();
        let owner = words.next().filter(|owner| !owner.starts_with(';'))?.to_owned();
        let ttl = words.next()?.parse().ok()?;
        words.next().filter(|class| *class == "IN")?;
        let type_ = words.next()?.to_owned();
        Some(Line { owner, ttl, type_, value: words.collect::<Vec<_>>().join(" ") })
    }
}

/// What legacy gives in a transfer.
fn transferred(rig: &Rig<'_>) -> Vec<Line> {
    let port = rig.legacy.address().port().to_string();
    let key = format!("hmac-sha256:{}:{}", Holder::Mover.name(), Holder::Mover.secret());
    let arguments = ["@127.0.0.1", "-p", &port, "-y", &key, &rig.domain, "AXFR"];
    let done = process::run("kdig", &arguments, Path::new("/"));
    done.stdout.lines().filter_map(Line::read).collect()
}

/// "Resumable": killed in the middle of it, the operator goes on where it was.
#[test]
fn a_backfill_that_is_cut_off_goes_on_and_brings_nothing_twice() {
    const HOSTS: usize = 1000;
    let platform = &mut Platform::start(programs(), settings());
    let records: String = (0..HOSTS).map(|host| format!("h{host} A 192.0.2.1\n")).collect();
    let rig = Rig::new(platform, Program::Bind, "cutoff", &records);
    rig.migrate("backfill: {from: Transfer}");
    // Each object by its name, with what says whether it is the same one as before.
    let here = |platform: &Platform, namespace: &str| -> BTreeMap<String, String> {
        let each = "{range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.generation}{\"\\n\"}{end}";
        let arguments = ["get", "dnsrecords", "-n", namespace, "-o", &format!("jsonpath={each}")];
        let done = platform.cluster.kubectl(&arguments);
        assert!(done.success, "{done:?}");
        let lines = done.stdout.lines().filter_map(|line| line.split_once(' '));
        lines.map(|(name, which)| (name.to_owned(), which.to_owned())).collect()
    };
    eventually("some of it", || match here(rig.platform, &rig.namespace).len() {
        0 => Err("nothing is here".to_owned()),
        _ => Ok(()),
    });
    let Rig { legacy, namespace, domain, .. } = rig;
    platform.kill_operator();
    let before = here(platform, &namespace);
    assert!((1..HOSTS).contains(&before.len()), "{} were here when it was killed", before.len());
    platform.start_operator();
    let rig = Rig { platform, legacy, namespace, domain };
    rig.status_comes_to("all of it", |status| status["backfilled"] == format!("{HOSTS}/{HOSTS}"));
    let message = rig.comes_to("Backfilled=True Complete");
    assert!(message.contains(&format!("all {HOSTS} RRsets")), "{message}");
    rig.comes_to("InSync=True Equal");
    assert_eq!(rig.status()["rejected"], 0);
    let after = here(rig.platform, &rig.namespace);
    // As many objects as RRsets that are the same as at legacy: none is there twice.
    assert_eq!(after.len(), HOSTS);
    for (name, which) in &before {
        assert_eq!(after.get(name), Some(which), "{name} was written again");
    }
    for host in ["h0", "h500", "h999"] {
        rig.comes_to_be_here(host, "A", "NoError 192.0.2.1");
    }
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
