//! Cookies in messages, what an address that is not proven gets, and what tells responses that are alike.

use super::edns::{ask_with, asking, option, question, with_opt};
use super::*;

fn example() -> Zones {
    let wide: Vec<String> = (0..60).map(|i| format!("wide A 192.0.2.{i}")).collect();
    let lines = format!(
        "www A 192.0.2.1\n{}\ncut NS ns.test.\nalias CNAME none.example.\n*.wild A 192.0.2.3\ndname DNAME example.",
        wide.join("\n")
    );
    zones([zone("example", &lines), zone("test", "www A 192.0.2.2")])
}

fn with_cookies() -> Settings {
    Settings { cookies: Secrets::new(&[[1; 16]]), ..Settings::default() }
}

/// A whole cookie for the client of [`asked`].
fn valid_cookie(settings: &Settings) -> Vec<u8> {
    let query = asking("www.example A", &[option(10, &[7; 8])]);
    let said = ask_with(&example(), settings, &asked(Transport::Udp), &query);
    said.option(10).expect("a cookie").to_vec()
}

/// RFC 7873 §5.2: answered as without, with a cookie beside it; a length that there is not is FORMERR.
#[test]
fn rfc7873_5_2_queries_with_cookies() {
    let zones = example();
    let settings = with_cookies();
    let valid = valid_cookie(&settings);
    assert_eq!((valid.len(), &valid[..8]), (24, &[7; 8][..]));
    let mut invalid = valid.clone();
    invalid[20] ^= 1;
    for transport in [Transport::Udp, Transport::Tcp] {
        for (cookie, judged) in [
            (&valid[..], Cookie::Valid),
            (&invalid, Cookie::Invalid),
            (&valid[..8], Cookie::Client),
            (&[7; 40], Cookie::Invalid),
        ] {
            let query = asking("www.example A", &[option(10, cookie), option(10, b"ignored")]);
            let mut out = [0; 512];
            let responded =
                respond(&zones, &settings, &asked(transport), &query, &mut out).expect("a response");
            assert_eq!((responded.rcode, responded.cookie), (NOERROR, judged));
            let said = ask_with(&zones, &settings, &asked(transport), &query);
            let whole = said.option(10).expect("a cookie");
            assert_eq!(
                (whole.len(), whole == valid),
                (24, cookie[..8] == valid[..8]),
                "the same second, the same cookie"
            );
        }
        for len in [0, 7, 9, 15, 41] {
            let query = asking("www.example A", &[option(10, &vec![7; len])]);
            let said = ask_with(&zones, &settings, &asked(transport), &query);
            assert_eq!((said.rcode, said.opt.expect("an OPT").options), (FORMERR, vec![]), "§5.2.2: {len}");
        }
    }
    let query = asking("www.example A", &[option(10, &[7; 8])]);
    let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &query);
    assert_eq!((said.rcode, said.option(10)), (NOERROR, None), "without a secret it is an unknown option");
}

/// RFC 7873 §5.4: no question, only a cookie.
#[test]
fn rfc7873_5_4_a_query_for_a_cookie() {
    let zones = example();
    let settings = with_cookies();
    let valid = valid_cookie(&settings);
    let ask = |settings: &Settings, cookie: &[u8]| {
        let query = with_opt(vec![0; 12], 1232, 0, 0, &option(10, cookie));
        let said = ask_with(&zones, settings, &asked(Transport::Udp), &query);
        (said.rcode, said.option(10).map(<[u8]>::to_vec))
    };
    assert_eq!(ask(&settings, &[7; 8]), (NOERROR, Some(valid.clone())));
    assert_eq!(ask(&settings, &valid), (NOERROR, Some(valid.clone())));
    assert_eq!(ask(&settings, &[7; 24]), (BADCOOKIE, Some(valid)));
    assert_eq!(ask(&Settings::default(), &[7; 8]), (FORMERR, None));
    let without = with_opt(vec![0; 12], 1232, 0, 0, &[]);
    assert_eq!(ask_with(&zones, &settings, &asked(Transport::Udp), &without).rcode, FORMERR, "RFC 9619");
}

/// RFC 7873 §5.2.3, §5.2.4: BADCOOKIE where it is set, to clients that speak cookies, over UDP.
#[test]
fn rfc7873_5_2_3_badcookie_where_it_is_set() {
    let zones = example();
    let settings = Settings { require_cookies: true, ..with_cookies() };
    let valid = valid_cookie(&settings);
    for (transport, cookie, rcode) in [
        (Transport::Udp, Some(&valid[..]), NOERROR),
        (Transport::Udp, Some(&[7; 8][..]), BADCOOKIE),
        (Transport::Udp, Some(&[7; 24][..]), BADCOOKIE),
        (Transport::Udp, None, NOERROR),
        (Transport::Tcp, Some(&[7; 8][..]), NOERROR),
        (Transport::Tcp, Some(&[7; 24][..]), NOERROR),
    ] {
        let options: Vec<Vec<u8>> = cookie.iter().map(|cookie| option(10, cookie)).collect();
        let said = ask_with(&zones, &settings, &asked(transport), &asking("www.example A", &options));
        assert_eq!(said.rcode, rcode, "{transport:?} {cookie:?}");
        assert_eq!(said.option(10).map(<[u8]>::len), cookie.map(|_| 24));
    }
}

/// Who had too many responses gets a way to prove its address, and never more than it sent.
#[test]
fn who_is_limited_gets_a_cookie_or_tc() {
    let zones = example();
    let settings = with_cookies();
    let valid = valid_cookie(&settings);
    let limited = Asked { is_limited: true, ..asked(Transport::Udp) };
    for question_text in ["wide.example A", "none.example A", "elsewhere A", "x.cut.example A"] {
        let (owner, _) = question_text.split_once(' ').expect("name type");
        let plain = question(owner, 1, CLASS_IN);
        let said = ask_with(&zones, &settings, &limited, &plain);
        assert_eq!((said.rcode, &*said.flags, said.len), (NOERROR, "tc", plain.len()), "{question_text}");
        let query = asking(question_text, &[option(10, &[7; 8])]);
        let said = ask_with(&zones, &settings, &limited, &query);
        assert_eq!((said.rcode, said.option(10)), (BADCOOKIE, Some(&valid[..])), "{question_text}");
        let query = asking(question_text, &[option(10, &valid)]);
        let free = ask_with(&zones, &settings, &asked(Transport::Udp), &query);
        assert_eq!(
            ask_with(&zones, &settings, &limited, &query).len,
            free.len,
            "a cookie proves the address"
        );
    }
}

/// dns-traps, amplification: so many times what came goes to an address that is not proven.
#[test]
fn no_more_than_so_many_times_the_query_goes_to_an_address_that_is_not_proven() {
    let zones = example();
    let settings = |udp_ratio| Settings { udp_ratio, ..with_cookies() };
    let ask = |udp_ratio, client: &str, transport, options: &[Vec<u8>]| {
        let asked = Asked::new(transport, client.parse().expect("an address"), asked(transport).now);
        let query = asking("wide.example A", options);
        let said = ask_with(&zones, &settings(udp_ratio), &asked, &query);
        let headers = if client.contains(':') { 48 } else { 28 };
        let most = (query.len() + headers) * usize::from(udp_ratio)
            - headers.min((query.len() + headers) * usize::from(udp_ratio));
        (said.flags, said.len, most)
    };
    let (flags, whole, _) = ask(0, "192.0.2.100", Transport::Udp, &[]);
    assert_eq!(flags, "aa", "no limit: {whole}");
    assert!(whole > 900);
    for client in ["192.0.2.100", "2001:db8::1"] {
        for udp_ratio in [1, 7, 10, 16] {
            let (flags, len, most) = ask(udp_ratio, client, Transport::Udp, &[]);
            let fits = whole <= most.max(512);
            assert_eq!(
                (&*flags, len == whole),
                (if fits { "aa" } else { "aa tc" }, fits),
                "{client} {udp_ratio}"
            );
            assert!(len <= most.max(512));
            assert_eq!(ask(udp_ratio, client, Transport::Tcp, &[]).0, "aa");
        }
    }
    let cookie = option(10, &valid_cookie(&with_cookies()));
    assert_eq!(
        ask(1, "192.0.2.100", Transport::Udp, std::slice::from_ref(&cookie)).0,
        "aa",
        "proven by a cookie"
    );
    assert_eq!(ask(1, "192.0.2.101", Transport::Udp, &[cookie]).0, "aa tc", "not from another address");
}

/// What tells the limits on how often which responses are alike.
#[test]
fn responses_that_are_alike() {
    let zones = example();
    let kind = |question_text: &str| {
        let mut out = [0; 4096];
        let query = asking(question_text, &[]);
        let made = respond(&zones, &Settings::default(), &asked(Transport::Udp), &query, &mut out);
        made.map(|made| (made.kind, made.alike)).expect("a response")
    };
    for (question_text, expected) in [
        ("www.example A", Kind::Answer),
        ("example SOA", Kind::Answer),
        ("www.example TXT", Kind::NoData),
        ("none.example A", Kind::NameError),
        ("alias.example A", Kind::NameError),
        ("x.cut.example A", Kind::Referral),
        ("elsewhere A", Kind::Error),
        ("example TYPE252", Kind::Error),
    ] {
        assert_eq!(kind(question_text).0, expected, "{question_text}");
    }
    assert_eq!(kind("a.example A"), kind("x.y.EXAMPLE MX"), "random names of a zone are alike");
    assert_ne!(kind("a.example A"), kind("a.test A"), "zones are not");
    assert_eq!(kind("www.example A"), kind("WWW.example A"));
    assert_ne!(kind("www.example A").1, kind("wide.example A").1, "answers are by their name");
    assert_eq!(kind("elsewhere A"), kind("nowhere A"));
    assert_eq!(kind("a.wild.example A"), kind("b.wild.example A"), "a wildcard has any name");
    assert_eq!(kind("www.dname.example A"), kind("wide.dname.example A"), "and so has a DNAME");
    assert_eq!(kind("a.wild.example A").0, Kind::Answer);
}

/// dns-traps, attacks by packets: a question has nothing that a pointer could point to.
#[test]
fn attack_pointers_in_a_question() {
    let zones = example();
    for name in
        [&b"\xc0\x0c"[..], b"\xc0\x00", b"\x03www\xc0\x0c", b"\x03www\xc0\xff", b"\x40", b"\x80\x00", b"\x3f"]
    {
        let mut query = question("example", 1, CLASS_IN);
        query.splice(12..query.len() - 4, name.iter().copied());
        let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &query);
        assert_eq!((said.rcode, said.len), (FORMERR, 12), "{name:?}");
    }
}

/// Each octet of a query is read once, however many records it says to have and wherever its pointers lead.
#[test]
fn attack_queries_that_make_work() {
    let zones = example();
    let settings = Settings::default();
    let mut out = vec![0; 65_535];
    // As many records as fit, each with a pointer to the pointer before it.
    let mut chained = question("www.example", 1, CLASS_IN);
    let (mut records, mut before) = (0u16, 12u16);
    while chained.len() + 12 <= 0x3fff {
        let here = chained.len() as u16;
        chained.extend_from_slice(&(0xc000 | before).to_be_bytes());
        chained.extend_from_slice(&[0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        (records, before) = (records + 1, here);
    }
    chained[10..12].copy_from_slice(&records.to_be_bytes());
    let responded =
        respond(&zones, &settings, &asked(Transport::Tcp), &chained, &mut out).expect("a response");
    assert_eq!(responded.rcode, NOERROR);
    // Counts that are not true.
    for at in [4, 6, 8, 10] {
        let mut query = question("www.example", 1, CLASS_IN);
        query[at..at + 2].copy_from_slice(&u16::MAX.to_be_bytes());
        let responded =
            respond(&zones, &settings, &asked(Transport::Tcp), &query, &mut out).expect("a response");
        assert_eq!(responded.rcode, FORMERR, "count at {at}");
    }
    // As many empty options as fit.
    let options = [0xff, 0xfd, 0, 0].repeat(16_000);
    let query = with_opt(question("www.example", 1, CLASS_IN), 1232, 0, 0, &options);
    let said = ask_with(&zones, &settings, &asked(Transport::Tcp), &query);
    assert_eq!((said.rcode, said.opt.expect("an OPT").options.len()), (NOERROR, 0));
}

/// CAMP: a chain ends after sixteen steps, with what was found.
#[test]
fn attack_long_chains_of_aliases() {
    let lines: Vec<String> = (0..40)
        .map(|i| format!("c{i} CNAME c{}.example.", i + 1))
        .chain(["c40 A 192.0.2.1".into()])
        .collect();
    let zones = zones([zone("example", &lines.join("\n"))]);
    let answers = |owner: &str| {
        let mut out = vec![0; 65_535];
        let query = question(owner, 1, CLASS_IN);
        respond(&zones, &Settings::default(), &asked(Transport::Tcp), &query, &mut out).expect("a response");
        u16::from_be_bytes([out[6], out[7]])
    };
    assert_eq!(answers("c25.example"), 16, "fifteen aliases and the address");
    assert_eq!(answers("c24.example"), 16, "sixteen aliases and no further");
    assert_eq!(answers("c0.example"), 16);
}

/// RFC 9276 §3.2: hashes so expensive are not made, so no proofs are given.
#[test]
fn attack_nsec3_with_many_iterations() {
    let records = |iterations: u16| {
        let lines = format!(
            "@ NSEC3PARAM 1 0 {iterations} -
             @ RRSIG SOA 13 1 300 20261230000000 20261130000000 1 example. AAAA
             0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 {iterations} - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM SOA RRSIG"
        );
        let zones = zones([zone("example", &lines)]);
        let query = with_opt(question("x.example", 1, CLASS_IN), 1232, 0, 0x8000, &[]);
        let mut out = vec![0; 65_535];
        let made = respond(&zones, &Settings::default(), &asked(Transport::Udp), &query, &mut out);
        let message = Message::from_octets(&out[..made.expect("a response").len]).expect("a message");
        message
            .authority()
            .expect("a section")
            .filter(|record| record.as_ref().is_ok_and(|r| r.rtype() == Rtype::NSEC3))
            .count()
    };
    assert_eq!([records(50), records(51)], [1, 0]);
}

/// TsuNAME: delegations here whose nameservers are each below the other. Nobody follows them: one referral each time.
#[test]
fn attack_tsuname() {
    let zones = zones([zone("a.test", "sub NS ns.sub.b.test."), zone("b.test", "sub NS ns.sub.a.test.")]);
    check(
        &zones,
        &[
            ("ns.sub.a.test A", "NOERROR | | sub.a.test 300 NS ns.sub.b.test |"),
            ("ns.sub.b.test A", "NOERROR | | sub.b.test 300 NS ns.sub.a.test |"),
        ],
    );
}
