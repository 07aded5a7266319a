//! What counts as a difference, and what does not.

use super::*;
use proptest::prelude::*;

/// A record as `owner TTL TYPE value`.
fn record(text: &str, out: &mut Vec<u8>) {
    let fields: Vec<&str> = text.trim().splitn(4, ' ').collect();
    let &[owner, ttl, rtype, value] = &fields[..] else { panic!("{text}: not `owner TTL TYPE value`") };
    // Of a case that is kept.
    out.extend_from_slice(name::parse_absolute(owner).expect("a name").as_slice());
    let rtype = rdata::parse_rtype(rtype).expect("a type");
    out.extend_from_slice(&rtype.to_int().to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&ttl.parse::<u32>().expect("a TTL").to_be_bytes());
    let value = rdata::parse_value(rtype, value).expect("a value");
    out.extend_from_slice(&(value.as_slice().len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_slice());
}

/// A response as `question | flags | answer | authority | additional`, records with `; ` between. Flags are `aa`, `tc`,
/// `nxdomain`.
fn response(text: &str) -> Vec<u8> {
    let parts: Vec<&str> = text.split('|').map(str::trim).collect();
    let &[question, flags, ref sections @ ..] = &parts[..] else { panic!("{text}") };
    let has = |flag: &str| flags.split(' ').any(|one| one == flag);
    let bits = 0x80 | if has("aa") { AA } else { 0 } | if has("tc") { TC } else { 0 };
    let mut message = vec![1, 2, bits, if has("nxdomain") { 3 } else { 0 }, 0, 1, 0, 0, 0, 0, 0, 0];
    let (owner, rtype) = question.split_once(' ').expect("name type");
    message.extend_from_slice(name::parse_absolute(owner).expect("a name").as_slice());
    let rtype = if rtype == "ANY" { Rtype::ANY } else { rdata::parse_rtype(rtype).expect("a type") };
    message.extend_from_slice(&rtype.to_int().to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    for (section, records) in sections.iter().enumerate() {
        for text in records.split(';').filter(|text| !text.trim().is_empty()) {
            record(text, &mut message);
            message[7 + 2 * section] += 1;
        }
    }
    message
}

const ALL: What = What { ttls: true, dnssec: true, soa: true };

#[track_caller]
fn differ(one: &str, other: &str, what: What, expected: &[Difference]) {
    let expected = match expected {
        [] => Compared::Same,
        expected => Compared::Differs(expected.to_vec()),
    };
    let (one, other) = (response(one), response(other));
    assert_eq!(compare(&one, &other, what), expected);
    assert_eq!(compare(&other, &one, what), expected, "the other way round");
}

#[test]
fn servers_that_say_the_same_may_say_it_differently() {
    for (one, other) in [
        (
            "w.ex. A | aa | w.ex. 5 A 192.0.2.1; w.ex. 5 A 192.0.2.2",
            "W.EX. A | aa | w.EX. 5 A 192.0.2.2; w.ex. 5 A 192.0.2.1; w.ex. 5 A 192.0.2.1",
        ),
        // NS under a positive answer, and additional records.
        (
            "w.ex. A | aa | w.ex. 5 A 192.0.2.1 | ex. 5 NS ns1.ex. | ns1.ex. 5 A 192.0.2.53",
            "w.ex. A | aa | w.ex. 5 A 192.0.2.1",
        ),
        // Names in values, also of types that came after RFC 1035.
        ("w.ex. MX | aa | w.ex. 5 MX 10 Mail.EX.", "w.ex. MX | aa | w.ex. 5 MX 10 mail.ex."),
        ("w.ex. SRV | aa | w.ex. 5 SRV 1 2 3 A.ex.", "w.ex. SRV | aa | w.ex. 5 SRV 1 2 3 a.ex."),
        // The serial is each server's own.
        (
            "ex. SOA | aa | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4",
            "ex. SOA | aa | ex. 5 SOA ns.ex. h.ex. 8 1 2 3 4",
        ),
        (
            "n.ex. A | aa nxdomain | | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4",
            "n.ex. A | aa nxdomain | | ex. 5 SOA ns.ex. h.ex. 9 1 2 3 4",
        ),
        // A chain that leaves the zone: who is the zone's nameserver is a courtesy.
        ("w.ex. A | aa | w.ex. 5 CNAME o.org. | ex. 5 NS ns1.ex.", "w.ex. A | aa | w.ex. 5 CNAME o.org."),
        (
            "w.ex. A | aa | w.ex. 5 CNAME a.ex.; a.ex. 5 A 192.0.2.1",
            "w.ex. A | aa | a.ex. 5 A 192.0.2.1; w.ex. 5 CNAME A.ex. | ex. 5 NS ns1.ex.",
        ),
        ("w.ex. ANY | aa | w.ex. 5 A 192.0.2.1 | ex. 5 NS n.ex.", "w.ex. ANY | aa | w.ex. 5 A 192.0.2.1"),
    ] {
        differ(one, other, ALL, &[]);
    }
}

#[test]
fn each_difference_has_its_kind() {
    use Difference::*;
    let positive = "w.ex. A | aa | w.ex. 5 A 192.0.2.1";
    let nothing = "w.ex. A | aa | | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4";
    let referral = "w.ex. A | | | w.ex. 5 NS n.ex.";
    differ(positive, "w.ex. A | aa | w.ex. 5 A 192.0.2.2", ALL, &[Answer]);
    differ(positive, "w.ex. A | aa | w.ex. 5 A 192.0.2.1; w.ex. 5 A 192.0.2.2", ALL, &[Answer]);
    differ(positive, "w.ex. A | aa | w.ex. 6 A 192.0.2.1", ALL, &[Ttl]);
    differ(positive, "w.ex. A | | w.ex. 5 A 192.0.2.1", ALL, &[Authoritative]);
    differ(positive, nothing, ALL, &[Answer, Negative]);
    differ(positive, referral, ALL, &[Authoritative, Answer, Referral]);
    differ(nothing, "w.ex. A | aa nxdomain | | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4", ALL, &[Rcode]);
    differ(nothing, "w.ex. A | aa | |", ALL, &[Negative]);
    differ(nothing, "w.ex. A | aa | | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 9", ALL, &[Negative]);
    differ(nothing, "w.ex. A | aa | | ex. 6 SOA ns.ex. h.ex. 7 1 2 3 4", ALL, &[Ttl]);
    differ(referral, "w.ex. A | | | w.ex. 5 NS n.ex.; w.ex. 5 NS m.ex.", ALL, &[Referral]);
    differ(referral, "w.ex. A | | | w.ex. 6 NS n.ex.", ALL, &[Ttl]);
    differ(
        referral,
        "w.ex. A | | | w.ex. 5 NS n.ex.; w.ex. 5 DS 1 8 1 00112233445566778899aabbccddeeff00112233",
        ALL,
        &[Referral],
    );
    // Text is octets: its case counts (RFC 1035 §3.3.14).
    differ("w.ex. TXT | aa | w.ex. 5 TXT a", "w.ex. TXT | aa | w.ex. 5 TXT A", ALL, &[Answer]);
}

#[test]
fn ttls_and_dnssec_count_by_setting() {
    let one = "w.ex. A | aa | w.ex. 5 A 192.0.2.1";
    let what = What { ttls: false, ..ALL };
    differ(one, "w.ex. A | aa | w.ex. 6 A 192.0.2.1", what, &[]);
    let signed = "w.ex. A | aa | w.ex. 5 A 192.0.2.1; w.ex. 5 RRSIG A 8 2 5 20300101000000 20200101000000 1 ex. AAAA \
                  | v.ex. 5 NSEC x.ex. A";
    differ(one, signed, ALL, &[Difference::Answer, Difference::Proof]);
    differ(one, signed, What { dnssec: false, ..ALL }, &[]);
}

/// Two systems have each their own primary, contact and times; that a name is not there both say with a SOA (RFC 2308 §2).
#[test]
fn rfc2308_2_of_a_soa_only_that_it_is_there_counts_unless_it_is_asked_for() {
    let what = What { soa: false, ..ALL };
    let negative = "w.ex. A | aa | | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4";
    differ(negative, "w.ex. A | aa | | ex. 9 SOA other.org. i.org. 9 5 6 7 8", what, &[]);
    differ(negative, "w.ex. A | aa | |", what, &[Difference::Negative]);
    let own = "ex. SOA | aa | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4";
    differ(own, "ex. SOA | aa | ex. 9 SOA other.org. i.org. 9 5 6 7 8", what, &[]);
    differ(
        own,
        "ex. SOA | aa | | ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4",
        what,
        &[Difference::Answer, Difference::Negative],
    );
}

#[test]
fn what_is_not_all_of_an_answer_is_not_compared() {
    let one = response("w.ex. A | aa | w.ex. 5 A 192.0.2.1");
    let cut = response("w.ex. A | aa tc |");
    assert_eq!(compare(&one, &cut, ALL), Compared::Truncated);
    assert_eq!(compare(&cut, &cut, ALL), Compared::Truncated);
    assert_eq!(compare(&one, &one[..one.len() - 1], ALL), Compared::Unreadable);
    assert_eq!(compare(&[], &one, ALL), Compared::Unreadable);
}

/// RFC 1035 §4.1.4.
#[test]
fn names_are_compared_with_their_pointers_followed() {
    let long = response("w.ex. MX | aa | w.ex. 5 MX 10 a.w.ex.");
    let mut short = long[..12 + 6 + 4].to_vec();
    short.extend_from_slice(&[0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 5, 0, 6, 0, 10, 1, b'A', 0xc0, 12]);
    assert_eq!(compare(&long, &short, ALL), Compared::Same);
    // A pointer to itself, and one forward.
    for target in [12 + 6 + 4 + 16, 200] {
        let mut loops = short.clone();
        *loops.last_mut().expect("an octet") = target;
        assert_eq!(compare(&long, &loops, ALL), Compared::Unreadable);
    }
}

#[test]
fn a_text_is_for_people_and_bounded() {
    let message =
        response("w.ex. A | aa | w.ex. 5 A 192.0.2.1 | ex. 5 NS ns1.ex.; ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4");
    assert_eq!(
        text(&message, 1000),
        "rcode 0 aa\nanswer w.ex. 5 A 192.0.2.1\nauthority ex. 5 NS ns1.ex.\n\
         authority ex. 5 SOA ns.ex. h.ex. 7 1 2 3 4"
    );
    assert_eq!(text(&message, 40), "rcode 0 aa\nanswer w.ex. 5 A 192.0.2.1\n…");
    assert_eq!(text(&message[..10], 1000), "not a message");
}

/// A record of few names, so that many are alike.
fn any_record() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        (0u8..4).prop_map(|n| format!("A 192.0.2.{n}")),
        "[ab]".prop_map(|name| format!("CNAME {name}.ex.")),
        "[ab]".prop_map(|name| format!("NS {name}.ex.")),
        (0u8..3).prop_map(|n| format!("SOA ns.ex. h.ex. {n} 1 2 3 4")),
        "[ab]{1,3}".prop_map(|text| format!("TXT {text}")),
    ];
    ("[ab]", 0u8..2, value).prop_map(|(owner, ttl, value)| format!("{owner}.ex. {ttl} {value}"))
}

fn any_response() -> impl Strategy<Value = (Vec<String>, Vec<String>, bool)> {
    (prop::collection::vec(any_record(), 0..5), prop::collection::vec(any_record(), 0..4), any::<bool>())
}

fn written((answer, authority, aa): &(Vec<String>, Vec<String>, bool)) -> Vec<u8> {
    let flags = if *aa { "aa" } else { "" };
    response(&format!("a.ex. A | {flags} | {} | {}", answer.join(";"), authority.join(";")))
}

proptest! {
    /// Neither order, nor case, nor saying it twice is a difference.
    #[test]
    fn a_response_is_the_same_as_itself_in_another_order(
        one in any_response(),
        turns in 0usize..5,
        dnssec in any::<bool>(),
    ) {
        let mut other = one.clone();
        other.0.extend_from_within(..);
        let len = other.0.len();
        other.0.rotate_left(if len == 0 { 0 } else { turns % len });
        other.1.reverse();
        let in_upper_case = |text: &String| match text.split_once(" TXT ") {
            Some((before, value)) => format!("{} TXT {value}", before.to_ascii_uppercase()),
            None => text.to_ascii_uppercase(),
        };
        other.0 = other.0.iter().map(in_upper_case).collect();
        other.1 = other.1.iter().map(in_upper_case).collect();
        prop_assert_eq!(compare(&written(&one), &written(&other), What { dnssec, ..ALL }), Compared::Same);
    }

    /// Both ways the same, and what leaves more out never finds more.
    #[test]
    fn a_comparison_is_symmetric(one in any_response(), other in any_response()) {
        let (one, other) = (written(&one), written(&other));
        let found = compare(&one, &other, ALL);
        prop_assert_eq!(&found, &compare(&other, &one, ALL));
        if found == Compared::Same {
            prop_assert_eq!(compare(&one, &other, What { ttls: false, dnssec: false, soa: true }), Compared::Same);
        }
    }

    /// A record more in the answer is always seen.
    #[test]
    fn a_record_more_is_a_difference(one in any_response(), n in 100u8..) {
        let mut other = one.clone();
        other.0.push(format!("a.ex. 0 A 192.0.2.{n}"));
        let found = compare(&written(&one), &written(&other), ALL);
        prop_assert!(matches!(found, Compared::Differs(ref all) if all.contains(&Difference::Answer)), "{:?}", found);
    }

    #[test]
    fn any_octets_are_compared(
        one in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let right = response("w.ex. MX | aa | w.ex. 5 MX 10 a.w.ex. | ex. 5 NS ns1.ex.");
        compare(&one, &right, ALL);
        let mut changed = right.clone();
        for (at, octet) in changes {
            let at = at.index(changed.len());
            changed[at] = octet;
        }
        compare(&changed, &right, ALL);
        text(&changed, 500);
    }
}

/// dns-traps of the design: "CNAME chains stop at the border of a zone". Others go on where they have the zone beyond, and
/// a resolver asks for the rest again.
#[test]
fn what_is_beyond_an_alias_that_leads_out_of_the_zone_does_not_count() {
    let apex = name::parse_absolute("EX").expect("a name");
    let within = |one: &str, other: &str| {
        let (one, other) = (response(one), response(other));
        let compared = compare_within(&apex, &one, &other, ALL);
        assert_eq!(compare_within(&apex, &other, &one, ALL), compared, "the other way round");
        compared
    };
    let stops = "a.ex. A | aa | a.ex. 5 CNAME b.ex.; b.ex. 5 CNAME c.org.";
    for goes_on in [
        "a.ex. A | aa | a.ex. 5 CNAME b.ex.; b.ex. 5 CNAME c.org.; c.org. 9 CNAME d.ex.; d.ex. 9 A 192.0.2.1",
        "a.ex. A | aa nxdomain | a.ex. 5 CNAME b.ex.; b.ex. 5 CNAME c.org. | org. 5 SOA m.org. h.org. 1 2 3 4 5",
        "a.ex. A | aa | a.ex. 5 CNAME b.ex.; b.ex. 5 CNAME c.org. | c.org. 5 NS ns.c.org.",
    ] {
        assert_eq!(within(stops, goes_on), Compared::Same, "{goes_on}");
        assert_ne!(compare(&response(stops), &response(goes_on), ALL), Compared::Same, "{goes_on}");
    }
    // What is within counts: another link, another TTL, another name that is asked for.
    for (other, difference) in [
        ("a.ex. A | aa | a.ex. 5 CNAME c.org.", Difference::Answer),
        ("a.ex. A | aa | a.ex. 6 CNAME b.ex.; b.ex. 5 CNAME c.org.", Difference::Ttl),
        ("a.ex. A | aa | a.ex. 5 CNAME b.ex.; b.ex. 5 A 192.0.2.1", Difference::Answer),
    ] {
        assert_eq!(within(stops, other), Compared::Differs(vec![difference]), "{other}");
    }
    let no = "a.ex. A | aa nxdomain | | ex. 5 SOA m.ex. h.ex. 1 2 3 4 5";
    assert!(matches!(within("a.ex. A | aa", no), Compared::Differs(_)));
}

#[test]
fn an_answer_is_about_the_names_of_its_chain_and_what_they_cover() {
    let apex = name::parse_absolute("ex").expect("a name");
    for (names, text, expected) in [
        (&["shop.ex"][..], "SHOP.ex. A | aa | shop.ex. 5 A 192.0.2.1", true),
        (&["shop.ex"], "w.ex. A | aa | w.ex. 5 CNAME Shop.ex.; shop.ex. 5 A 192.0.2.1", true),
        // A delegation or DNAME, and what it covers.
        (&["shop.ex"], "a.b.shop.ex. A | aa", true),
        (&["shop.ex"], "workshop.ex. A | aa", false),
        (&["b.shop.ex"], "shop.ex. A | aa", false),
        (&["*.shop.ex"], "a.b.shop.ex. A | aa", true),
        (&["*.shop.ex"], "shop.ex. A | aa", false),
        // Everything is below the apex.
        (&["ex"], "w.ex. A | aa", false),
        (&["ex"], "w.ex. A | aa | w.ex. 5 CNAME ex.; ex. 5 A 192.0.2.1", true),
        (&["mail.ex", "w.ex"], "w.ex. MX | aa", true),
        (&[], "w.ex. A | aa", false),
    ] {
        let all = names.iter().map(|name| name::parse_absolute(name).expect("a name")).collect();
        assert_eq!(is_about(&response(text), &apex, &all), expected, "{names:?}: {text}");
    }
}
