//! Whole files, and what octoDNS itself makes of one.

use std::collections::BTreeMap;

use super::*;
use port53_zone::master;
use port53_zone::name::SortKey;
use proptest::prelude::*;

/// A file with every type, and what octoDNS 1.22.0 serves of it: see `served.py` beside them.
const FILE: &str = include_str!("../../../tests/legacy/octodns/example.com.yaml");
const SERVED: &str = include_str!("../../../tests/legacy/octodns/served.zone");

fn apex() -> Name {
    name::parse_absolute("example.com").expect("a name")
}

fn read_text(text: &str) -> Read {
    read(text.as_bytes(), &"example.com.yaml".into(), &apex(), DEFAULT_TTL)
}

fn line(rrset: &RRset) -> String {
    let values: Vec<String> = rrset.values().iter().map(|value| rdata::display(rrset.rtype, value)).collect();
    format!("{} {} {} {}", name::display(&rrset.name), rrset.ttl, rrset.rtype, values.join(" | "))
}

#[test]
fn every_type_is_read_as_octodns_serves_it() {
    let file: Arc<str> = "served.zone".into();
    let mut served: BTreeMap<(SortKey, Rtype), (Name, u32, Vec<_>)> = BTreeMap::new();
    for line in master::Reader::new(&file, Box::new(SERVED.as_bytes()), master::Options::default()) {
        let record = line.expect("a record").value;
        let set = served.entry((SortKey::of(&record.name), record.rtype));
        set.or_insert((record.name, record.ttl, Vec::new())).2.push(record.rdata);
    }
    let served: Vec<RRset> = served
        .into_iter()
        .map(|((_, rtype), (owner, ttl, values))| RRset::new(owner, rtype, ttl, values))
        .collect();

    let read = read_text(FILE);
    assert_eq!((&read.left_out[..], &read.findings[..]), (&[][..], &[][..]));
    let mut rrsets: Vec<RRset> = read.rrsets.into_iter().map(|(rrset, _)| rrset).collect();
    rrsets.sort_by_key(|rrset| (SortKey::of(&rrset.name), rrset.rtype));
    let lines = |rrsets: &[RRset]| rrsets.iter().map(line).collect::<Vec<_>>();
    assert_eq!(lines(&rrsets), lines(&served));
    assert_eq!(rrsets, served);
    let types: std::collections::BTreeSet<String> =
        rrsets.iter().map(|rrset| rrset.rtype.to_string()).collect();
    let untried: Vec<&&str> = TYPES.iter().filter(|known| !types.contains(**known)).collect();
    assert_eq!(untried, [&"OPENPGPKEY", &"SPF"]);
}

#[test]
fn the_zone_is_that_of_the_name_of_the_file_or_of_its_directory() {
    for (path, expected) in [
        ("config/example.com.yaml", Some("example.com.")),
        ("example.co.uk.yml", Some("example.co.uk.")),
        ("config/example.com./www.yaml", Some("example.com.")),
        ("config/example.com./$example.com.yaml", Some("example.com.")),
        ("production.yaml", None),
        ("example.com", None),
    ] {
        assert_eq!(origin(Path::new(path)).map(|apex| name::display(&apex)).as_deref(), expected, "{path}");
    }
}

#[test]
fn what_depends_on_a_provider_is_left_out_with_its_line_and_the_others_are_read() {
    let text = "\
'':
  - type: ALIAS
    value: www.example.net.
  - type: A
    values: [192.0.2.1]
    geo: {NA-US: [192.0.2.2]}
dyn:
  dynamic: {pools: {a: {values: [{value: 192.0.2.2}]}}, rules: [{pool: a}]}
  type: A
  value: 192.0.2.1
fwd:
  type: URLFWD
  value: {code: 301, masking: 2, path: /, query: 0, target: http://x}
ignored:
  octodns: {ignored: true}
  type: A
  value: 192.0.2.1
included:
  octodns: {included: [route53, ns1]}
  type: A
  value: 192.0.2.1
odd:
  type: Route53Provider/ALIAS
  value: x
proxied:
  octodns: {cloudflare: {proxied: true}, healthcheck: {path: /}, excluded: [x]}
  type: A
  value: 192.0.2.1
";
    let read = read_text(text);
    let told: Vec<(u32, &str)> = read.left_out.iter().map(|it| (it.position.line, &it.what[..])).collect();
    assert_eq!(
        told,
        [
            (2, "example.com. ALIAS"),
            (4, "example.com. A"),
            (9, "dyn.example.com. A"),
            (12, "fwd.example.com. URLFWD"),
            (16, "ignored.example.com. A"),
            (20, "included.example.com. A"),
            (23, "odd.example.com. Route53Provider/ALIAS"),
        ]
    );
    for (left_out, words) in read.left_out.iter().zip([
        "write A and AAAA with those",
        "by place (geo)",
        "delegate the name",
        "redirect over HTTP",
        "octodns.ignored",
        "gives it to route53, ns1 only",
        "no type of octoDNS itself",
    ]) {
        assert!(left_out.why.contains(words), "{left_out:?}");
    }
    let lines: Vec<String> = read.rrsets.iter().map(|(rrset, _)| line(rrset)).collect();
    assert_eq!(lines, ["proxied.example.com. 3600 A 192.0.2.1"]);
    let [finding] = &read.findings[..] else { panic!("{:?}", read.findings) };
    assert!(
        !finding.is_error() && finding.line == 27 && finding.message.contains("octodns.cloudflare are for")
    );
}

#[test]
fn names_are_what_is_written_or_left_out() {
    let text = "\
no: {type: A, value: 192.0.2.1}
'off': {type: AAAA, value: '2001:db8::1'}
y: {type: A, value: 192.0.2.1}
1.10: {type: A, value: 192.0.2.1}
\"1.20\": {type: A, value: 192.0.2.1}
7: {type: A, ttl: 60, value: 192.0.2.1}
WWW: {type: A, value: 192.0.2.1}
'@': {type: A, value: 192.0.2.1}
www.example.com.: {type: A, value: 192.0.2.1}
www.example.com: {type: A, value: 192.0.2.1}
a..b: {type: A, value: 192.0.2.1}
empty: {type: A, value: }
untyped: {value: 192.0.2.1}
ttl: {type: A, ttl: 1h, value: 192.0.2.1}
list: [x]
octal: {type: A, ttl: 060, value: 192.0.2.1}
mx: {type: MX, value: {preference: 010, exchange: a.}}
";
    let read = read_text(text);
    assert_eq!(read.findings, []);
    let owners: Vec<String> = read.rrsets.iter().map(|(rrset, _)| name::display(&rrset.name)).collect();
    let expected =
        ["off", "y", "1.20", "7", "WWW", "www.example.com"].map(|name| format!("{name}.example.com."));
    assert_eq!(owners, expected);
    assert_eq!(read.rrsets[3].0.ttl, 60);
    for (left_out, (line, words)) in read.left_out.iter().zip([
        (1, "write 'no' in quotes"),
        (4, "write '1.10' in quotes"),
        (8, "write '' for the apex"),
        (9, "ends in a dot"),
        (11, "has an empty label"),
        (12, "a value is empty"),
        (13, "it has no type"),
        (14, "no number of seconds"),
        (15, "it is no record"),
        (16, "ttl is 060, which octoDNS reads as another number"),
        (17, "preference is 010, which octoDNS reads as another number"),
    ]) {
        assert!(
            left_out.position.line == line && left_out.why.contains(words),
            "{line} {words}: {left_out:?}"
        );
    }
    assert_eq!(read.left_out.len(), 11, "{:?}", read.left_out);
}

#[test]
fn what_is_no_yaml_or_no_zone_is_told_with_its_line() {
    for (text, line) in [("a: [\n", 1), ("- a\n", 1), ("a: !include b.yaml\n", 1), ("a: 1\na: 2\n", 2)] {
        let read = read_text(text);
        assert!(read.rrsets.is_empty() && read.findings.len() == 1, "{text}: {read:?}");
        assert!(read.findings[0].line >= line, "{text}: {:?}", read.findings);
    }
}

proptest! {
    /// Whatever is in a file, each record of it is read or left out.
    #[test]
    fn each_record_is_read_or_left_out(
        names in prop::collection::btree_set("[a-z0-9*._@-]{1,12}", 1..8),
        rtype in "(A|TXT|MX|ALIAS|X|)",
        value in "[ -~]{0,12}",
    ) {
        let value = value.replace('\'', "''");
        let text: String =
            names.iter().map(|name| format!("'{name}': {{type: '{rtype}', value: '{value}'}}\n")).collect();
        let read = read_text(&text);
        prop_assert_eq!(read.rrsets.len() + read.left_out.len(), names.len(), "{:?}", read);
    }
}
