//! Values of every type, to wire form and back.

use super::*;
use proptest::prelude::*;

fn rtype(text: &str) -> Rtype {
    parse_rtype(text).unwrap_or_else(|| panic!("{text} is a type"))
}

fn value(kind: &str, text: &str) -> Rdata {
    parse_value(rtype(kind), text).unwrap_or_else(|error| panic!("{kind} {text}: {error}"))
}

fn refusal(kind: &str, text: &str) -> String {
    match parse_value(rtype(kind), text) {
        Ok(value) => panic!("{kind} {text} is taken as {}", display(rtype(kind), &value)),
        Err(error) => error.message,
    }
}

/// One value at least of each type, as it is written back.
const ALL: &[(&str, &str)] = &[
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("NS", "ns.example.com."),
    ("CNAME", "a\\.b.example.com."),
    ("PTR", "*.example.com."),
    ("DNAME", "example.net."),
    ("MX", "10 mail.example.com."),
    ("MX", "0 ."),
    ("SRV", "0 5 5060 sip.example.com."),
    ("SRV", "0 0 0 ."),
    ("SOA", "ns.example.com. host\\.master.example.com. 1 3600 600 604800 300"),
    ("TXT", "\"a \\\"b\\\" \\\\ c\" \"\" \"\\000\\255\""),
    ("HINFO", "\"PC\" \"Linux\""),
    ("RP", "mbox.example.com. txt.example.com."),
    ("CAA", "0 issue \"ca.example.net; account=230123\""),
    ("NAPTR", "100 10 \"U\" \"E2U+sip\" \"!^.*$!sip:a@example.com!\" ."),
    ("DS", "60485 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ("DNSKEY", "256 3 8 AwEAAQ=="),
    ("TLSA", "3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971"),
    ("SSHFP", "4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789"),
    ("SVCB", "0 foo.example.com."),
    ("HTTPS", "1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1"),
    ("OPENPGPKEY", "AwEAAQ=="),
    ("CDS", "0 0 0 00"),
    (
        "ZONEMD",
        "2018031900 1 1 C68090D90A7AED716BC459F9340E3D7C1370D4D24B7E2FC3A1DDC0B9A87153B9A9713B3C9AE5CC27777F98B8E730044C",
    ),
    ("AFSDB", "1 afs.example.com."),
    ("KX", "10 kx.example.com."),
    ("RT", "10 relay.example.com."),
    ("CERT", "1 0 0 AwEAAQ=="),
    ("CSYNC", "66 3 A NS AAAA"),
    ("SMIMEA", "3 1 1 d2abde24"),
    ("URI", "10 1 \"https://example.com/?a=\\\"b\\\"\""),
    ("LOC", "51 30 12.748 N 0 7 39.611 W -10.50m 1.00m 10000.00m 10.00m"),
    ("SPF", "\"v=spf1 -all\""),
    ("NID", "10 0014:4fff:ff20:ee64"),
    ("L32", "10 10.1.2.0"),
    ("L64", "10 2001:0db8:1140:1000"),
    ("LP", "10 l64.example.com."),
    ("EUI48", "00-00-5e-00-53-2a"),
    ("EUI64", "00-00-5e-ef-10-00-00-2a"),
    ("DHCID", "AwEAAQ=="),
    ("X25", "\"311061700956\""),
    ("TYPE65280", "\\# 4 0A000001"),
    ("TYPE65280", "\\# 0"),
];

#[test]
fn every_type_is_written_as_it_is_read() {
    for (kind, text) in ALL {
        let rdata = value(kind, text);
        assert_eq!(display(rtype(kind), &rdata), *text, "{kind}");
        assert_eq!(from_wire(rtype(kind), rdata.shared()), Ok(rdata), "{kind} {text}");
    }
}

/// A line of `values.txt`.
struct Line<'t> {
    rtype: Rtype,
    text: &'t str,
    wire: &'t str,
    written: &'t str,
}

fn lines() -> Vec<Line<'static>> {
    let text = include_str!("../../tests/fixtures/values.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| match line.trim_start_matches('*').split(" | ").collect::<Vec<_>>()[..] {
            [kind, text, wire, written] => Line { rtype: rtype(kind), text, wire, written },
            _ => panic!("{line}"),
        })
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// The wire forms of others, and back.
#[test]
fn every_type_has_the_wire_form_that_others_give_it() {
    for Line { rtype, text, wire, written } in lines() {
        let tokens = tokens::of_value(text).expect("tokens");
        let rdata = from_tokens(rtype, &tokens, &crate::name::root())
            .unwrap_or_else(|error| panic!("{rtype} {text}: {error}"));
        assert_eq!(hex(rdata.as_slice()), wire, "{rtype} {text}");
        assert_eq!(from_wire(rtype, rdata.shared()).as_ref(), Ok(&rdata), "{rtype} {text}");
        assert_eq!(display(rtype, &rdata), written, "{rtype} {text}");
        let general = format!("\\# {} {wire}", rdata.as_slice().len());
        assert_eq!(parse_value(rtype, &general).as_ref(), Ok(&rdata), "{rtype} {general}");
        assert_eq!(parse_rtype(&display_rtype(rtype)), Some(rtype));
        assert_eq!(parse_rtype(&format!("TYPE{}", rtype.to_int())), Some(rtype));
    }
}

/// Every mnemonic of the registry is read and has a value in the table, but for those that the module names.
#[test]
fn no_type_is_forgotten() {
    const ONLY_IN_GENERAL_FORM: [&str; 10] =
        ["NULL", "SIG", "NXT", "ATMA", "A6", "SINK", "UINFO", "UID", "GID", "UNSPEC"];
    let lines = lines();
    for rtype in (0..=u16::MAX).map(Rtype::from_int).filter(|&rtype| is_data(rtype)) {
        let mnemonic = display_rtype(rtype);
        if mnemonic.starts_with("TYPE") {
            continue;
        }
        assert_eq!(parse_rtype(&mnemonic.to_lowercase()), Some(rtype));
        let has_value = lines.iter().any(|line| line.rtype == rtype && !line.written.starts_with("\\#"));
        assert_eq!(has_value, !ONLY_IN_GENERAL_FORM.contains(&&mnemonic[..]), "{mnemonic}");
        let error = parse_value(rtype, "\"no value\" of any kind").err();
        assert_eq!(
            error.is_some_and(|error| error.message.contains("write it as RFC 3597 says")),
            !has_value,
            "{mnemonic}"
        );
    }
}

/// RFC 3597 §5: the general form is right for known types too, and must be of the type.
#[test]
fn rfc3597_5_general_form() {
    assert_eq!(value("A", "\\# 4 c0000201"), value("A", "192.0.2.1"));
    assert_eq!(value("A", "\\# 4 c0 00 02 01"), value("A", "192.0.2.1"));
    assert!(refusal("A", "\\# 3 c00002").contains("not a value of type A"));
    assert!(refusal("TYPE65280", "\\# 3 c0").contains("says 3 octets, but 1 follow"));
    assert!(refusal("TYPE65280", "\\# 1 c").contains("odd number"));
    assert!(refusal("TYPE65280", "192.0.2.1").contains("write it as RFC 3597 says"));
    assert!(refusal("NS", "\\# 2 c00c").contains("not a value of type NS"), "no pointers in stored values");
}

/// What BIND refuses as well.
#[test]
fn values_that_are_none() {
    for line in include_str!("../../tests/fixtures/no-values.txt").lines() {
        let (kind, text) = line.split_once(' ').expect("type and value");
        let value =
            tokens::of_value(text).and_then(|tokens| from_tokens(rtype(kind), &tokens, &crate::name::root()));
        assert!(value.is_err(), "{line} is taken as {value:?}");
    }
}

/// A value is not a line of a master file.
#[test]
fn text_without_quotes_stands_as_it_is() {
    assert_eq!(value("TXT", "v=DKIM1; k=rsa").as_slice(), b"\x0ev=DKIM1; k=rsa");
    assert_eq!(value("TXT", "a\\b (c) \"d\"").as_slice(), b"\x0ba\\b (c) \"d\"");
    let long = "x".repeat(300);
    let wire = value("TXT", &long);
    assert_eq!((wire.as_slice()[0], wire.as_slice()[256], wire.as_slice().len()), (255, 45, 302));
    assert_eq!(value("TXT", "").as_slice(), b"\x00");
    assert_eq!(value("TXT", "grüße").as_slice(), "\u{7}grüße".as_bytes());
    assert_eq!(value("TXT", "\"a\" \"b\"").as_slice(), b"\x01a\x01b");
    assert!(refusal("TXT", "\"a").contains("closing double quote"));
}

/// What begins like the form of RFC 3597 and goes on otherwise is text.
#[test]
fn text_may_begin_with_a_backslash() {
    assert_eq!(value("TXT", "\\#hash").as_slice(), b"\x06\\#hash");
    assert_eq!(value("TXT", "\\# 2 0161").as_slice(), b"\x01a");
}

/// Two strings that touch are two strings; only SVCB has parameters.
#[test]
fn a_quote_after_an_equals_sign() {
    assert_eq!(value("TXT", "\"a=\"\"b c\"").as_slice(), b"\x02a=\x03b c");
    let tokens = tokens::of_value("key=\"a b\" c").expect("tokens");
    let text = from_tokens(Rtype::TXT, &tokens, &crate::name::root()).expect("a value");
    assert_eq!(text.as_slice(), b"\x04key=\x03a b\x01c");
}

/// RFC 1035 §5.1: names inside values are below the origin, wherever in the value they stand.
#[test]
fn names_below_the_origin() {
    let origin = crate::name::parse_absolute("example.com").expect("a name");
    for (kind, text, absolute) in [
        ("IPSECKEY", "10 3 2 gw AAAA", "10 3 2 gw.example.com. AAAA"),
        ("AMTRELAY", "10 0 3 gw", "10 0 3 gw.example.com."),
        ("HIP", "2 aabb AAAA a @", "2 aabb AAAA a.example.com. example.com."),
        ("TALINK", "a @", "a.example.com. example.com."),
        ("DSYNC", "CDS NOTIFY 53 a", "CDS NOTIFY 53 a.example.com."),
        ("PX", "1 a @", "1 a.example.com. example.com."),
        ("NAPTR", "1 2 \"u\" \"x\" \"\" a", "1 2 \"u\" \"x\" \"\" a.example.com."),
        ("HTTPS", "1 a alpn=h2", "1 a.example.com. alpn=h2"),
        ("LP", "1 a", "1 a.example.com."),
        ("NSEC", "a A", "a.example.com. A"),
    ] {
        let tokens = tokens::of_value(text).expect("tokens");
        let found = from_tokens(rtype(kind), &tokens, &origin).expect("a value");
        assert_eq!(display(rtype(kind), &found), absolute, "{kind}");
    }
    assert!(refusal("IPSECKEY", "10 3 2 gw AAAA").contains("was \"gw.<zone>\" meant?"));
}

/// RFC 9460 §2.1: the value of a parameter may stand in quotes.
#[test]
fn rfc9460_2_1_quoted_parameters() {
    assert_eq!(value("HTTPS", "1 . alpn=\"h2,h3\" port=8443"), value("HTTPS", "1 . alpn=h2,h3 port=8443"));
}

#[test]
fn names_in_values_are_absolute() {
    assert_eq!(value("MX", "10 mail.example.com"), value("MX", "10 mail.example.com."));
    assert_eq!(value("CNAME", "com.").as_slice(), b"\x03com\x00");
    assert!(refusal("MX", "10 mail").contains("was \"mail.<zone>\" meant?"));
    assert!(refusal("CNAME", "@").contains("write the whole name"));
    assert!(refusal("NS", "a..b.").contains("empty label"));
}

#[test]
fn what_is_wrong_is_said_with_an_example() {
    for (kind, text) in [
        ("A", "2001:db8::1"),
        ("A", "192.0.2"),
        ("A", "192.0.2.1 192.0.2.2"),
        ("AAAA", "192.0.2.1"),
        ("MX", "mail.example.com."),
        ("MX", "70000 mail.example.com."),
        ("SRV", "1 2 host.example.com."),
        ("CAA", "issue"),
        ("LOC", "91 0 0 N 0 0 0 E 0m"),
        ("EUI48", "00-00"),
        ("CERT", "WHAT 0 0 AwEAAQ=="),
        ("URI", "10 1"),
    ] {
        assert!(refusal(kind, text).contains("write it as in"), "{kind} {text}: {}", refusal(kind, text));
    }
    assert!(refusal("A", "").contains("is empty"));
    assert_eq!(parse_rtype("ANY"), None);
    assert_eq!(parse_rtype("OPT"), None);
    assert_eq!(parse_rtype("AXFR"), None);
    assert_eq!(parse_rtype("TYPE0"), None);
    assert_eq!(parse_rtype("type1"), Some(Rtype::A));
}

/// RFC 4034 §6.2 and §6.3: names inside count without case, text with it.
#[test]
fn rfc4034_6_canonical_order() {
    let compare = |kind: &str, a: &str, b: &str| value(kind, a).canonical_cmp(&value(kind, b), rtype(kind));
    assert_eq!(compare("MX", "10 Mail.Example.", "10 mail.example."), Ordering::Equal);
    assert_eq!(compare("NSEC", "Mail.Example. A", "mail.example. A"), Ordering::Less);
    assert_eq!(compare("TXT", "A", "a"), Ordering::Less);
    assert_eq!(compare("A", "192.0.2.2", "192.0.2.10"), Ordering::Less);
}

#[test]
fn the_names_inside_are_found() {
    let found = |kind: &str, text: &str| -> Vec<(String, bool)> {
        let wire = value(kind, text).shared();
        names(rtype(kind), &wire)
            .map(|place| {
                let inside = Name::from_octets(wire.slice(place.start..place.end)).expect("a name");
                (crate::name::display(&inside), place.compressible)
            })
            .collect()
    };
    assert_eq!(found("MX", "10 a.b."), [("a.b.".to_owned(), true)]);
    assert_eq!(found("SOA", "a.b. c.d. 1 2 3 4 5"), [("a.b.".to_owned(), true), ("c.d.".to_owned(), true)]);
    assert_eq!(found("SRV", "1 2 3 a.b."), [("a.b.".to_owned(), false)]);
    assert_eq!(found("NAPTR", "1 2 \"u\" \"x\" \"\" a.b."), [("a.b.".to_owned(), false)]);
    assert_eq!(found("A", "192.0.2.1"), []);
}

/// RFC 4034 §3.2 takes seconds and dates; NSD 4.6 loads dates alone.
#[test]
fn rrsig_times_are_written_as_dates() {
    for (seconds, date) in [
        ("0", "19700101000000"),
        ("951782399", "20000228235959"),
        ("951782400", "20000229000000"),
        ("1893456000", "20300101000000"),
        ("4107542400", "21000301000000"),
        ("4294967295", "21060207062815"),
    ] {
        let text = format!("A 8 2 300 {seconds} {seconds} 12345 example.com. AwEAAQ==");
        let written = format!("A 8 2 300 {date} {date} 12345 example.com. AwEAAQ==");
        assert_eq!(display(Rtype::RRSIG, &value("RRSIG", &text)), written);
        assert_eq!(value("RRSIG", &text), value("RRSIG", &written));
    }
}

/// Such a value was read, and then not taken for one when it came from a journal.
#[test]
fn octets_that_are_not_there_are_refused() {
    for (kind, text) in [
        ("HHIT", "\"\""),
        ("BRID", "\"\""),
        ("DHCID", "\"\" \"\""),
        ("CERT", "PKIX 0 0 \"\""),
        ("SMIMEA", "3 1 1 \"\""),
        ("EID", "\"\""),
        ("DOA", "0 1 2 \"\" \"\""),
    ] {
        let refused = parse_value(rtype(kind), text).expect_err(kind).to_string();
        assert!(refused.contains("empty"), "{kind}: {refused}");
    }
}

/// NSD and Knot refuse a bare dollar sign in a name.
#[test]
fn dollar_signs_in_names_are_escaped() {
    for (kind, text) in [
        ("CNAME", "a\\$b.example.com."),
        ("MX", "10 \\$.example.com."),
        ("SOA", "\\$a.example. \\$a.example. 1 2 3 4 5"),
        ("NAPTR", "1 2 \"\" \"\" \"!^a$b.c.$!x!\" a\\$b.c."),
        ("SRV", "0 0 1 a\\$\\$b.example.com."),
        ("RRSIG", "A 8 2 300 20300101000000 20200101000000 12345 \\$.example. AwEAAQ=="),
    ] {
        assert_eq!(display(rtype(kind), &value(kind, text)), text);
    }
}

/// In a line, a bare semicolon begins a comment. Fuzzing found it.
#[test]
fn semicolons_in_names_are_escaped() {
    for (kind, text) in [
        ("CNAME", "\\;.example.com."),
        ("MX", "10 a\\;b\\$.example.com."),
        ("SOA", "\\;.example. a\\;.example. 1 2 3 4 5"),
        ("NAPTR", "1 2 \"\" \"\" \"!^a;b.c.!x!\" a\\;b.c."),
        ("RRSIG", "A 8 2 300 20300101000000 20200101000000 12345 \\;.example. AwEAAQ=="),
    ] {
        assert_eq!(display(rtype(kind), &value(kind, text)), text);
    }
}

proptest! {
    /// Any octets that are a value are written in a form that is read as the same octets.
    #[test]
    fn wire_to_text_and_back(kind in 1u16..300, octets in prop::collection::vec(any::<u8>(), 0..80)) {
        let rtype = Rtype::from_int(kind);
        if let Ok(rdata) = from_wire(rtype, octets.into()) {
            let text = display(rtype, &rdata);
            let tokens = tokens::of_value(&text).expect("tokens");
            let again = from_tokens(rtype, &tokens, &crate::name::root());
            prop_assert_eq!(again.map(|again| again.shared()), Ok(rdata.shared()), "{} {}", rtype, text);
        }
    }

    #[test]
    fn any_text_is_a_value_or_an_error(kind in 1u16..300, text in ".{0,60}") {
        let rtype = Rtype::from_int(kind);
        if let Ok(rdata) = parse_value(rtype, &text) {
            prop_assert_eq!(from_wire(rtype, rdata.shared()), Ok(rdata));
        }
    }

    /// Words that are more often a value: what is read must be what octets of the type are taken for, or a
    /// journal could not be read.
    #[test]
    fn what_is_read_is_a_value_in_wire_form(kind in prop::sample::select((1u16..263).chain([32_768, 32_769]).collect::<Vec<_>>()),
        words in prop::collection::vec(prop::sample::select(vec![
            "0", "1", "2", "3", "10", "255", "65535", "a.", ".", "-", "AAAA", "\"x\"", "\"\"", "192.0.2.1", "::1", "A", "NS",
            "0x47", "alpn=h2", "key7=", "1:1.2.3.4/8", "N", "E", "10m", "20200101000000", "issue", "00",
        ]), 0..10)) {
        let rtype = Rtype::from_int(kind);
        if let Ok(rdata) = parse_value(rtype, &words.join(" ")) {
            prop_assert_eq!(from_wire(rtype, rdata.shared()), Ok(rdata));
        }
    }
}

/// RFC 1035 §4.1.4 and RFC 3597 §4: names in values of a message are expanded, and what is after them stays.
#[test]
fn rfc3597_4_names_in_values_of_messages() {
    let message = b"\x07Example\x03org\0\0\x0a\x04mail\xc0\0\xc0\0\xc0\x08\x01\x02";
    let at = |rtype, range: std::ops::Range<usize>| expand(rtype, message, range);
    let mx = at(Rtype::MX, 13..22).expect("an MX");
    assert_eq!(from_wire(Rtype::MX, mx.into()).as_ref(), Ok(&value("MX", "10 mail.Example.org.")));
    let rp = at(rtype("RP"), 22..26).expect("an RP");
    assert_eq!(from_wire(rtype("RP"), rp.into()).as_ref(), Ok(&value("RP", "Example.org. org.")));
    assert_eq!(at(Rtype::A, 22..26).as_deref(), Some(&b"\xc0\0\xc0\x08"[..]), "no names");
    assert_eq!(at(Rtype::NS, 22..28).as_deref(), Some(&b"\x07Example\x03org\0\xc0\x08\x01\x02"[..]));
    assert_eq!(at(rtype("RP"), 22..25), None, "over its end");
    assert_eq!(
        at(Rtype::MX, 13..14).as_deref(),
        Some(&b"\0"[..]),
        "too short for a name: no value, but no damage"
    );
    assert_eq!(at(Rtype::NS, 22..40), None, "after the message");
}
