//! One fixture for each rule: exactly the lines that its first line names are found by it.

use super::*;
use crate::master::{Options, Reader};
use crate::rdata::Rdata;
use crate::rrset::Record;
use std::fs;
use std::path::PathBuf;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rules")
}

struct Zone {
    expected: String,
    records: Vec<(Record, u32)>,
}

fn read(name: &str) -> Zone {
    let text = fs::read_to_string(fixtures().join(format!("{name}.zone")))
        .unwrap_or_else(|error| panic!("rule {name} has no fixture: {error}"));
    let first = text.lines().next().expect("a line").to_owned();
    let expected = first.strip_prefix("; expect: ").expect("what is expected").to_owned();
    let records = Reader::new(name, Box::new(text.as_bytes()), Options::default())
        .map(|found| found.unwrap_or_else(|problem| panic!("{problem}")))
        .map(|found| (found.value, found.position.line))
        .collect();
    Zone { expected, records }
}

fn findings(zone: &Zone) -> Vec<Finding> {
    let apex = crate::name::parse_absolute("example.com").expect("a name");
    let items: Vec<Item<'_>> = zone
        .records
        .iter()
        .map(|(record, _)| Item {
            name: &record.name,
            rtype: record.rtype,
            ttl: record.ttl,
            values: std::slice::from_ref(&record.rdata),
        })
        .collect();
    check(&apex, &items, &Limits::default())
}

#[test]
fn every_rule_finds_exactly_the_lines_of_its_fixture() {
    for rule in RULES {
        let zone = read(rule.name);
        let found = findings(&zone);
        let of_rule: Vec<&Finding> = found.iter().filter(|finding| finding.rule == rule).collect();
        assert!(!of_rule.is_empty(), "{} finds nothing", rule.name);
        let mut lines: Vec<u32> =
            of_rule.iter().flat_map(|finding| &finding.items).map(|&item| zone.records[item].1).collect();
        lines.sort_unstable();
        lines.dedup();
        let lines: Vec<String> = lines.iter().map(u32::to_string).collect();
        let lines = if lines.is_empty() { "the zone".to_owned() } else { lines.join(" ") };
        assert_eq!(lines, zone.expected, "{}: {found:#?}", rule.name);
        let others: Vec<_> = found
            .iter()
            .filter(|finding| finding.rule.severity == Severity::Error && finding.rule != rule)
            .collect();
        assert!(others.is_empty(), "{}: {others:#?}", rule.name);
    }
}

#[test]
fn a_clean_zone_has_no_findings() {
    let zone = read("clean");
    assert_eq!(findings(&zone), []);
}

#[test]
fn every_fixture_belongs_to_a_rule() {
    for entry in fs::read_dir(fixtures()).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        assert!(name == "clean" || RULES.iter().any(|rule| rule.name == name), "{name}");
    }
}

#[test]
fn the_table_is_in_order() {
    assert!(RULES.is_sorted_by_key(|rule| rule.severity));
    for rule in RULES {
        assert!(
            !rule.fix.is_empty() && !rule.reference.is_empty() && rule.summary.ends_with('.'),
            "{}",
            rule.name
        );
    }
}

/// What an error leaves out is not there for the warnings: glue that is refused is missing.
#[test]
fn warnings_are_about_what_errors_leave() {
    let text = "$ORIGIN example.com.\n$TTL 5\n@ NS ns.example.net.\na NS ns.a\nns.a A 192.0.2.1\nns.a CNAME x.example.net.\n";
    let records = Reader::new("f", Box::new(text.as_bytes()), Options::default())
        .map(|found| found.map(|found| (found.value, found.position.line)).expect("a record"))
        .collect();
    let found = findings(&Zone { expected: String::new(), records });
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule.name).collect();
    assert_eq!(rules, ["cname-and-other-data", "missing-glue"]);
}

/// The findings of a zone as `rule: lines`.
fn found_in(text: &str) -> Vec<String> {
    let text = format!("$ORIGIN example.com.\n$TTL 5\n@ NS ns.example.net.\n{text}");
    let records = Reader::new("f", Box::new(text.as_bytes()), Options::default())
        .map(|found| found.map(|found| (found.value, found.position.line - 3)).expect("a record"))
        .collect();
    let zone = Zone { expected: String::new(), records };
    let lines = |items: &[usize]| items.iter().map(|&item| zone.records[item].1).collect::<Vec<_>>();
    findings(&zone).iter().map(|found| format!("{}: {:?}", found.rule.name, lines(&found.items))).collect()
}

/// What stands below a DNAME that is itself left out can be answered.
#[test]
fn data_below_a_dname_that_is_left_out_stays() {
    for (text, expected) in [
        ("d DNAME a.test.\nd CNAME b.test.\nx.d A 192.0.2.1\n", "cname-and-other-data: [1, 2]"),
        ("d DNAME a.test.\nd DNAME b.test.\nx.d A 192.0.2.1\n", "multiple-dnames: [1, 2]"),
    ] {
        assert_eq!(found_in(text), [expected], "{text}");
    }
    let found = found_in("d DNAME a.test.\nd NS b.test.\nx.d A 192.0.2.1\n");
    assert_eq!(found, ["dname-at-delegation: [1, 2]"]);
    let found = found_in("@ DNAME a.test.\n@ CNAME b.test.\nx A 192.0.2.1\n");
    assert_eq!(found, ["cname-and-other-data: [2]", "data-below-dname: [3]"], "at the apex the DNAME stays");
}

/// RFC 2181 §6.1: a DNAME below a delegation is not in the zone, and the glue below it can be given.
#[test]
fn glue_below_a_dname_that_is_occluded_stays() {
    let found = found_in("cut NS ns.x.cut\nx.cut DNAME a.test.\nns.x.cut A 192.0.2.1\n");
    assert_eq!(found, ["occluded: [2]"]);
}

/// RFC 2181 §5: a value counts once, however often it stands.
#[test]
fn values_that_stand_twice_count_once() {
    let text: String = (0..202).map(|i| format!("a A 192.0.2.{}\n", i % 70)).collect();
    assert_eq!(found_in(&text).len(), 1);
    assert!(found_in(&text)[0].starts_with("duplicate-value: [71, "));
    assert_eq!(found_in("c CNAME a.test.\nc CNAME A.test.\n"), ["duplicate-value: [2]"]);
}

/// RFC 9471 §2: glue is the address of a nameserver; another address below a delegation is never answered.
#[test]
fn addresses_below_a_delegation_that_are_no_glue() {
    let found = found_in(
        "cut NS ns.cut\ncut NS ns.side\nside NS cut\nns.cut A 192.0.2.1\nns.side A 192.0.2.2\ncut A 192.0.2.3\n\
         www.cut A 192.0.2.4\nwww.cut TXT t\n*.cut AAAA 2001:db8::1\n@ NS apex.cut\napex.cut A 192.0.2.5\n",
    );
    assert_eq!(found, ["occluded: [9]", "occluded: [7, 8]"]);
}

/// A large zone with everything at odds: each rule is one pass, or this does not end.
#[test]
fn large_zones_are_judged() {
    let apex = crate::name::parse_absolute("example.com").expect("a name");
    let cname = crate::rdata::parse_value(Rtype::CNAME, "x.d.example.com").expect("a value");
    let mx = crate::rdata::parse_value(Rtype::MX, "10 n1.example.com").expect("a value");
    let values: [(Rtype, Rdata); 2] = [(Rtype::CNAME, cname), (Rtype::MX, mx)];
    let names: Vec<Name> =
        (0..60_000).map(|i| crate::name::parse(&format!("n{i}.d"), &apex).expect("a name")).collect();
    let items: Vec<Item<'_>> = names
        .iter()
        .flat_map(|name| {
            values.iter().map(move |(rtype, value)| Item {
                name,
                rtype: *rtype,
                ttl: 5,
                values: std::slice::from_ref(value),
            })
        })
        .collect();
    assert_eq!(check(&apex, &items, &Limits::default()).len(), 60_001);
}

/// `docs/rules.md` is the table; `UPDATE=1` writes it.
#[test]
fn the_document_is_the_table() {
    let mut text = String::from(
        "# The semantic rules\n\nWhat `port53 check`, `port53 dev` and the operator say about the records of a zone. \
         An error leaves out\nexactly the records it names; a warning leaves out nothing. Written from the table in \
         `zone/src/rules` by\n`make generate`.\n\n| rule | severity | from | what is wrong | what to write instead |\n\
         |---|---|---|---|---|\n",
    );
    for rule in RULES {
        let severity = if rule.severity == Severity::Error { "error" } else { "warning" };
        text.push_str(&format!(
            "| `{}` | {severity} | {} | {} | {} |\n",
            rule.name, rule.reference, rule.summary, rule.fix
        ));
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).expect("writes docs/rules.md");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "run `make generate`");
}

/// A set of a real zone: 103 records at one name, which are served.
#[test]
fn a_set_of_more_records_than_bind_takes_is_a_warning() {
    let text: String = (0..103).map(|i| format!("_proof TXT \"verify={i}\"\n")).collect();
    let found = found_in(&text);
    assert!(found.len() == 1 && found[0].starts_with("many-records: [1, 2, "), "{found:?}");
}

/// KeyTrap (CVE-2023-50387): keys of one tag and signatures without number, which whoever validates would try each with
/// each. Each set has its limit, so the product has one.
#[test]
fn attack_keytrap() {
    let keys = |count: usize| -> String {
        (0..count).map(|n| format!("@ DNSKEY 257 3 13 {:04}\n", n % 10_000)).collect()
    };
    let signatures = |count: usize| -> String {
        let of = |n| format!("@ RRSIG DNSKEY 13 2 5 20261230000000 20261130000000 1 example.com. {n:04}\n");
        (0..count).map(of).collect()
    };
    let refused = |text: String| found_in(&text).iter().any(|found| found.starts_with("too-many-records"));
    let most = Limits::default().records_per_rrset;
    assert!(!refused(keys(most)) && !refused(signatures(most)));
    assert!(refused(keys(most + 1)));
    assert!(refused(signatures(most + 1)));
}

/// NXNS: a delegation to many names makes who follows it ask for all of them. More than 13 are warned of.
#[test]
fn attack_nxns() {
    let cut =
        |count: usize| -> String { (0..count).map(|n| format!("cut NS ns{n}.victim.test.\n")).collect() };
    assert_eq!(found_in(&cut(13)), Vec::<String>::new());
    assert!(found_in(&cut(14))[0].starts_with("too-many-nameservers"));
}
