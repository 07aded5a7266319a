//! A zone, its manifests, and the zone again.

use crate::yaml;
use port53_crds::{DNSRecord, MAX_TTL, Zone};
use port53_operator::convert::{Converted, Options, ZoneData, manifests, zone_object_name};
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Rdata, Rtype, Soa, name, rdata};
use proptest::prelude::*;
use serde_json::json;

fn name_of(text: &str) -> Name {
    name::parse_absolute(text).expect(text)
}

fn soa() -> Soa {
    Soa {
        primary: name_of("ns1.example.net."),
        contact: name_of("host\\.master.example.com."),
        serial: 2_026_112_301,
        refresh: 7_200,
        retry: 900,
        expire: 1_209_600,
        minimum: 60,
        ttl: 86_400,
    }
}

fn rrset(owner: &str, rtype: Rtype, values: &[&str]) -> RRset {
    let values = values.iter().map(|value| rdata::parse_value(rtype, value).expect(value));
    RRset::new(name_of(owner), rtype, 300, values)
}

fn with_ttl(ttl: u32, mut rrset: RRset) -> RRset {
    rrset.ttl = ttl;
    rrset
}

fn converted(rrsets: Vec<RRset>) -> Converted {
    let options = Options { namespace: Some("dns".to_owned()), ..Options::default() };
    manifests(&ZoneData { apex: name_of("example.com."), soa: soa(), rrsets }, &options)
}

#[test]
fn a_zone_becomes_a_zone_object_and_a_record_for_each_rrset() {
    let converted = converted(vec![
        rrset("www.example.com.", Rtype::A, &["192.0.2.1", "192.0.2.2"]),
        rrset("_dmarc.example.com.", Rtype::TXT, &["v=DMARC1; p=none"]),
        rrset("example.com.", Rtype::NS, &["ns1.example.net.", "ns2.example.net."]),
        rrset("*.shop.example.com.", Rtype::CNAME, &["www.example.com."]),
        rrset("example.com.", Rtype::MX, &["10 mail.example.com."]),
    ]);
    let expected = r#"apiVersion: port53.dev/v1alpha1
kind: Zone
metadata:
  name: example-com
  namespace: dns
spec:
  domain: example.com
  soa:
    primary: ns1.example.net
    contact: host.master@example.com
    ttl: 86400
    refresh: 7200
    retry: 900
    expire: 1209600
    negativeTTL: 60
    initialSerial: 2026112301
---
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata:
  name: apex-ns.example-com
  namespace: dns
spec:
  zoneRef:
    name: example-com
  name: "@"
  type: NS
  ttl: 300
  values:
  - ns1.example.net.
  - ns2.example.net.
---
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata:
  name: apex-mx.example-com
  namespace: dns
spec:
  zoneRef:
    name: example-com
  name: "@"
  type: MX
  ttl: 300
  values:
  - 10 mail.example.com.
---
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata:
  name: dmarc-txt-33bfmjxw.example-com
  namespace: dns
spec:
  zoneRef:
    name: example-com
  name: _dmarc
  type: TXT
  ttl: 300
  values:
  - v=DMARC1; p=none
---
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata:
  name: wildcard-shop-cname.example-com
  namespace: dns
spec:
  zoneRef:
    name: example-com
  name: "*.shop"
  type: CNAME
  ttl: 300
  values:
  - www.example.com.
---
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata:
  name: www-a.example-com
  namespace: dns
spec:
  zoneRef:
    name: example-com
  name: www
  type: A
  ttl: 300
  values:
  - 192.0.2.1
  - 192.0.2.2
"#;
    assert_eq!(yaml::manifests(&converted.objects), expected);
    assert!(converted.refused.is_empty() && converted.warnings.is_empty());
}

#[test]
fn what_can_never_be_a_dnsrecord_is_handed_back_with_the_reason() {
    let general = |owner: &str, rtype| rrset(owner, Rtype::from_int(rtype), &["\\# 0"]);
    let refused = vec![
        rrset("example.com.", Rtype::NSEC, &["www.example.com. A"]),
        rrset("example.com.", Rtype::CNAME, &["example.net."]),
        rrset("example.com.", Rtype::DS, &[&format!("1 8 2 {}", "00".repeat(32))]),
        rrset("a.example.com.", Rtype::CNAME, &["example.net.", "example.org."]),
        rrset("a.example.com.", Rtype::SOA, &["a. b. 1 2 3 4 5"]),
        rrset("example.org.", Rtype::A, &["192.0.2.1"]),
        general("b.example.com.", 65_535),
        with_ttl(MAX_TTL + 1, rrset("c.example.com.", Rtype::A, &["192.0.2.1"])),
        RRset::new(
            name_of("d.example.com."),
            Rtype::A,
            1,
            (0..513u32).map(|i| rdata::from_wire(Rtype::A, i.to_be_bytes().to_vec().into()).expect("A")),
        ),
    ];
    let count = refused.len();
    let converted = converted([refused, vec![rrset("www.example.com.", Rtype::A, &["192.0.2.1"])]].concat());
    assert_eq!(converted.refused.len(), count, "{:?}", converted.refused);
    assert_eq!(converted.objects.len(), 2);
    for part in [
        "NSEC comes with signing",
        "apex",
        "DS of a zone",
        "more than one target",
        "SOA is no DNSRecord",
        "not in the zone",
        "TYPE65535",
        "TTL",
        "513 values",
    ] {
        assert!(
            converted.refused.iter().any(|(_, reason)| reason.contains(part)),
            "{part}: {:?}",
            converted.refused
        );
    }
}

#[test]
fn a_second_rrset_of_the_same_owner_and_type_is_refused() {
    let converted = converted(vec![
        rrset("www.example.com.", Rtype::A, &["192.0.2.1"]),
        rrset("WWW.example.com.", Rtype::A, &["192.0.2.2"]),
    ]);
    assert_eq!((converted.objects.len(), converted.refused.len()), (2, 1));
}

#[test]
fn a_soa_that_a_zone_cannot_say_is_told() {
    let soa = Soa { primary: name::root(), expire: u32::MAX, ..soa() };
    let converted = manifests(&ZoneData { apex: name::root(), soa, rrsets: Vec::new() }, &Options::default());
    assert_eq!(converted.warnings.len(), 2, "{:?}", converted.warnings);
    let zone = &converted.objects[0];
    assert_eq!(zone["metadata"], json!({"name": "root"}));
    assert_eq!(zone["spec"]["domain"], ".");
    assert_eq!(zone["spec"]["soa"]["expire"], MAX_TTL);
    assert_eq!(zone["spec"]["soa"].get("primary"), None);
}

#[test]
fn txt_is_written_as_it_stands_where_that_is_the_same_text() {
    let long = "k".repeat(255);
    for (value, expected) in [
        ("\"v=DKIM1; k=rsa\"".to_owned(), "v=DKIM1; k=rsa".to_owned()),
        ("say \"hi\"".to_owned(), "say \"hi\"".to_owned()),
        ("grüße".to_owned(), "grüße".to_owned()),
        (format!("\"{long}\" \"x\""), format!("{long}x")),
        ("\"a\" \"b\"".to_owned(), "\"a\" \"b\"".to_owned()),
        ("\"\"".to_owned(), "\"\"".to_owned()),
        ("\"\\\"a\\\"\"".to_owned(), "\"\\\"a\\\"\"".to_owned()),
        ("\"a\\\\b\"".to_owned(), "\"a\\\\b\"".to_owned()),
        ("\"a\\010b\"".to_owned(), "\"a\\010b\"".to_owned()),
        ("\\# 1 00".to_owned(), "\"\"".to_owned()),
    ] {
        let converted = converted(vec![rrset("a.example.com.", Rtype::TXT, &[&value])]);
        assert_eq!(converted.objects[1]["spec"]["values"], json!([expected]), "{value}");
    }
}

/// Reads the manifests as the operator does.
fn read_back(text: &str) -> ZoneData {
    let mut objects = yaml::documents(text.as_bytes()).into_iter().map(|read| read.expect("YAML").value);
    let first = objects.next().expect("a Zone");
    let serial = first["spec"]["soa"]["initialSerial"].as_u64().expect("a serial") as u32;
    let zone: Zone = serde_json::from_value(first).expect("a Zone");
    let apex = name_of(&zone.spec.domain);
    let soa = zone.spec.soa;
    let contact = soa.contact.expect("a contact");
    let contact = match contact.split_once('@') {
        None => name_of(&contact),
        Some((local, domain)) => {
            let local = local.replace('\\', "\\\\").replace('.', "\\.");
            name::parse(&local, &name_of(domain)).expect("a mailbox")
        }
    };
    let soa = Soa {
        primary: name_of(&soa.primary.unwrap_or_else(|| ".".to_owned())),
        contact,
        serial,
        refresh: soa.refresh,
        retry: soa.retry,
        expire: soa.expire,
        minimum: soa.negative_ttl,
        ttl: soa.ttl,
    };
    let rrsets = objects.map(|object| {
        let spec = serde_json::from_value::<DNSRecord>(object).expect("a DNSRecord").spec;
        assert_eq!(Some(&spec.zone_ref.name), zone.metadata.name.as_ref());
        let rtype = rdata::parse_rtype(&spec.type_).expect("a type");
        let values: Vec<Rdata> =
            spec.values.iter().map(|text| rdata::parse_value(rtype, text).expect(text)).collect();
        assert!(
            values
                .iter()
                .all(|_| !spec.values.iter().any(|text| text.is_empty() || text.contains(['\r', '\n'])))
        );
        RRset::new(name::parse(&spec.name, &apex).expect("a name"), rtype, spec.ttl.expect("a TTL"), values)
    });
    ZoneData { rrsets: rrsets.collect(), apex: apex.clone(), soa }
}

/// What an API server takes as the name of an object.
fn is_valid_name(name: &str) -> bool {
    let is_inner = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
    name.len() <= 253
        && name.split('.').all(|part| {
            part.bytes().all(|octet| is_inner(octet) || octet == b'-')
                && part.bytes().next().is_some_and(is_inner)
                && part.bytes().last().is_some_and(is_inner)
        })
}

fn any_label() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "(www|WWW|a|b|a-b|mail|_dmarc|_tcp|shop|apex|wildcard|wildcard-a|name|x-a|example|com|root)".prop_map(String::into_bytes),
        1 => Just(b"*".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..8),
        1 => "[-a-z0-9_*.@]{1,63}".prop_map(String::into_bytes),
    ]
}

fn wire(labels: &[Vec<u8>], end: &[u8]) -> Option<Name> {
    let mut wire = Vec::new();
    for label in labels {
        wire.push(label.len() as u8);
        wire.extend(label);
    }
    wire.extend(end);
    Name::from_octets(wire.into()).ok()
}

fn any_name() -> impl Strategy<Value = Name> {
    prop::collection::vec(any_label(), 0..5).prop_filter_map("short enough", |labels| wire(&labels, &[0]))
}

fn any_apex() -> impl Strategy<Value = Name> {
    prop_oneof![
        2 => Just(name_of("example.com.")),
        1 => Just(name_of("my-shop.example.")),
        1 => Just(name::root()),
        1 => any_name(),
        1 => Just(name_of(&"a23456789.".repeat(20))),
    ]
}

/// A value of any type: of the common ones by their fields, of all others by what their readers let pass.
fn any_values() -> impl Strategy<Value = (Rtype, Vec<Rdata>)> {
    let octets = || prop::collection::vec(any::<u8>(), 0..40);
    let text = || {
        prop_oneof![
            octets(),
            "[ -~]{0,30}".prop_map(String::into_bytes),
            "\\PC{0,20}".prop_map(String::into_bytes)
        ]
    };
    let strings = prop::collection::vec(text(), 1..4).prop_map(|strings| {
        strings
            .into_iter()
            .flat_map(|string| {
                [vec![string.len().min(255) as u8], string[..string.len().min(255)].to_vec()].concat()
            })
            .collect::<Vec<u8>>()
    });
    let with_name = |octets: usize| {
        (prop::collection::vec(any::<u8>(), octets), any_name())
            .prop_map(|(start, name)| [&start[..], name.as_slice()].concat())
    };
    let of =
        |rtype: Rtype, wire: BoxedStrategy<Vec<u8>>| (Just(rtype), prop::collection::vec(wire, 1..4)).boxed();
    prop_oneof![
        of(Rtype::A, prop::collection::vec(any::<u8>(), 4).boxed()),
        of(Rtype::AAAA, prop::collection::vec(any::<u8>(), 16).boxed()),
        of(Rtype::TXT, strings.boxed()),
        of(Rtype::NS, with_name(0).boxed()),
        of(Rtype::CNAME, with_name(0).boxed()),
        of(Rtype::MX, with_name(2).boxed()),
        of(Rtype::SRV, with_name(6).boxed()),
        of(Rtype::HTTPS, with_name(2).boxed()),
        (any::<u16>(), octets()).prop_map(|(rtype, wire)| (Rtype::from_int(rtype), vec![wire])),
        (0..300u16, octets()).prop_map(|(rtype, wire)| (Rtype::from_int(rtype), vec![wire])),
    ]
    .prop_filter_map("a value", |(rtype, wires)| {
        let values: Option<Vec<Rdata>> =
            wires.into_iter().map(|wire| rdata::from_wire(rtype, wire.into()).ok()).collect();
        Some((rtype, values?))
    })
}

fn any_zone() -> impl Strategy<Value = ZoneData> {
    let rrset = (prop::collection::vec(any_label(), 0..4), any_values(), 0..=MAX_TTL);
    let times = prop::collection::vec(0..=MAX_TTL, 5);
    (any_apex(), any_name(), any_name(), any::<u32>(), times, prop::collection::vec(rrset, 0..12)).prop_map(
        |(apex, primary, contact, serial, times, rrsets)| {
            let [refresh, retry, expire, minimum, ttl] = times[..] else { unreachable!("five") };
            let rrsets = rrsets.into_iter().filter_map(|(labels, (rtype, values), ttl)| {
                Some(RRset::new(wire(&labels, apex.as_slice())?, rtype, ttl, values))
            });
            let mut rrsets: Vec<RRset> = rrsets.collect();
            rrsets.sort_by_cached_key(|rrset| (SortKey::of(&rrset.name), rrset.rtype.to_int()));
            rrsets.dedup_by_key(|rrset| (SortKey::of(&rrset.name), rrset.rtype));
            ZoneData {
                apex,
                soa: Soa { primary, contact, serial, refresh, retry, expire, minimum, ttl },
                rrsets,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_zone_read_back_from_its_manifests_is_the_same(zone in any_zone()) {
        let converted = manifests(&zone, &Options::default());
        let again = read_back(&yaml::manifests(&converted.objects));
        prop_assert_eq!(&again.apex, &zone.apex);
        prop_assert_eq!(&again.soa, &Soa { primary: again.soa.primary.clone(), ..zone.soa.clone() });
        prop_assert!(again.soa.primary == zone.soa.primary || !converted.warnings.is_empty());
        let refused: Vec<&RRset> = converted.refused.iter().map(|(rrset, _)| rrset).collect();
        let expected: Vec<RRset> = zone.rrsets.iter().filter(|rrset| !refused.contains(rrset)).cloned().collect();
        prop_assert_eq!(&again.rrsets, &expected);
        for (rrset, reason) in &converted.refused {
            let is_never = matches!(rrset.rtype, Rtype::SOA | Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 | Rtype::CNAME | Rtype::DNAME);
            let is_at_apex = rrset.name == zone.apex && rrset.rtype == Rtype::DS;
            prop_assert!(is_never || is_at_apex || rrset.rtype.to_int() == u16::MAX, "{reason}");
        }
    }

    #[test]
    fn names_of_objects_are_valid_and_differ(zone in any_zone()) {
        let objects = manifests(&zone, &Options::default()).objects;
        let mut names: Vec<&str> = objects.iter().map(|object| object["metadata"]["name"].as_str().expect("a name")).collect();
        for name in &names {
            prop_assert!(is_valid_name(name), "{name}");
        }
        let (zone, records) = names.split_at_mut(1);
        prop_assert!(is_valid_name(zone[0]));
        records.sort_unstable();
        prop_assert!(records.windows(2).all(|pair| pair[0] != pair[1]), "{records:?}");
    }

    #[test]
    fn an_rrset_has_the_same_object_whatever_is_beside_it(zone in any_zone()) {
        let together = manifests(&zone, &Options::default());
        let mut alone = Vec::new();
        for rrset in &zone.rrsets {
            let zone = ZoneData { rrsets: vec![rrset.clone()], ..zone.clone() };
            alone.extend(manifests(&zone, &Options::default()).objects.into_iter().skip(1));
        }
        prop_assert_eq!(&together.objects[1..], &alone[..]);
    }

    #[test]
    fn domains_that_differ_have_zones_that_differ(a in any_name(), b in any_name()) {
        prop_assume!(a != b);
        prop_assert_ne!(zone_object_name(&a), zone_object_name(&b));
    }
}
