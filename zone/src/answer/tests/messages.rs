//! Messages: headers, EDNS, limits, and what is hostile.

use super::*;
use proptest::prelude::*;

fn big() -> Zones {
    let glue: Vec<String> = (0..20)
        .map(|i| {
            format!(
                "cut NS nameserver-{i}.a-long-label-to-fill.cut.example.\n\
                 nameserver-{i}.a-long-label-to-fill.cut A 192.0.2.{i}\n\
                 nameserver-{i}.a-long-label-to-fill.cut AAAA 2001:db8::{i}"
            )
        })
        .collect();
    // RRsets stand together.
    let mut lines: Vec<&str> = glue.iter().flat_map(|text| text.lines()).collect();
    lines.sort_by_key(|line| !line.starts_with("cut"));
    let side: Vec<String> = (0..13).map(|i| format!("side NS ns{i}.other.example.")).collect();
    let side_glue: Vec<String> =
        (0..13).flat_map(|i| (0..20).map(move |k| format!("ns{i}.other AAAA 2001:db8::{k}"))).collect();
    let lines = format!(
        "{}\n{}\n{}\nmx MX 10 ns0.other.example.",
        lines.join("\n"),
        side.join("\n"),
        side_glue.join("\n")
    );
    zones([zone("example", &lines)])
}

/// RFC 9471 §3.1: in-domain glue that does not fit is TC; RFC 2181 §9: other additional records are left out.
#[test]
fn rfc9471_glue_that_does_not_fit() {
    let zones = big();
    let (responded, octets) = ask(&zones, "x.cut.example A", Transport::Udp, Some(1232));
    assert!(responded.truncated && describe(&octets).starts_with("NOERROR tc |  | cut.example 300 NS "));
    let (responded, octets) = ask(&zones, "x.cut.example A", Transport::Tcp, Some(1232));
    assert!(!responded.truncated);
    assert_eq!(describe(&octets).matches(" AAAA ").count(), 20);
    let (responded, octets) = ask(&zones, "x.side.example A", Transport::Udp, Some(1232));
    assert!(!responded.truncated, "sibling glue is not needed");
    assert_eq!(describe(&octets).matches(" AAAA ").count() % 20, 0, "RRsets are whole");
    let (responded, octets) = ask(&zones, "mx.example MX", Transport::Udp, None);
    assert!(!responded.truncated);
    assert!(describe(&octets).ends_with(" MX 10 ns0.other.example |  | "), "{}", describe(&octets));
}

/// RFC 2308 §2.1: a name error is one although its SOA does not fit; RFC 2181 §9: TC says that it does not.
#[test]
fn rfc2308_2_1_a_name_error_whose_soa_does_not_fit() {
    let label = "l".repeat(60);
    let apex = format!("{label}.{label}.{label}.example");
    let (name, state) = zone(&apex, &format!("www A 192.0.2.1\nalias CNAME missing.{apex}."));
    let ZoneState::Serving(image) = state else { panic!("no image") };
    let mut soa = image.soa().clone();
    soa.primary = name::parse_absolute(&format!("{label}.{label}.{label}.primary")).expect("a name");
    soa.contact = name::parse_absolute(&format!("{label}.{label}.{label}.contact")).expect("a name");
    let image = Image::new(image.content().clone(), soa);
    let zones = zones([(name, ZoneState::Serving(Arc::new(image)))]);
    for (owner, rcode) in [("missing", "NXDOMAIN"), ("alias", "NXDOMAIN"), ("www", "NOERROR")] {
        let question = format!("{owner}.{apex} MX");
        let (_, octets) = ask(&zones, &question, Transport::Udp, None);
        assert!(describe(&octets).starts_with(&format!("{rcode} aa tc | ")), "{}", describe(&octets));
        let (_, octets) = ask(&zones, &question, Transport::Tcp, None);
        assert!(describe(&octets).starts_with(&format!("{rcode} aa | ")), "{}", describe(&octets));
    }
}

/// RFC 6891 §6.2.3 to §6.2.5, RFC 3225 §3.
#[test]
fn rfc6891_edns() {
    let zones = big();
    for (payload, greatest) in [(0, 512), (511, 512), (512, 512), (700, 700), (4096, 1232), (65_535, 1232)] {
        let (responded, octets) = ask(&zones, "x.side.example A", Transport::Udp, Some(payload));
        assert!(responded.len <= greatest, "{payload}: {}", responded.len);
        let opt = &octets[octets.len() - 11..];
        assert_eq!(opt, [0, 0, 41, 1232u16.to_be_bytes()[0], 1232u16.to_be_bytes()[1], 0, 0, 0x80, 0, 0, 0]);
    }
    let (_, octets) = ask(&zones, "x.example A", Transport::Udp, None);
    assert_eq!(&octets[10..12], [0, 0], "no OPT where none was asked");
    let mut out = [0; 512];
    let mut without_do = query("x.example A", Some(1232));
    let flags_at = without_do.len() - 4;
    without_do[flags_at] = 0x7f;
    let responded = respond(&zones, &Settings::default(), &asked(Transport::Udp), &without_do, &mut out)
        .expect("an answer");
    assert_eq!(out[responded.len - 4], 0, "DO is not set, and no other flag comes back");
    let bad_version = {
        let mut message = query("x.example A", Some(1232));
        let version_at = message.len() - 5;
        message[version_at] = 1;
        message
    };
    let responded = respond(&zones, &Settings::default(), &asked(Transport::Udp), &bad_version, &mut out)
        .expect("an answer");
    assert_eq!(responded.rcode, BADVERS);
    assert_eq!(
        (out[3] & 0x0f, &out[responded.len - 6..responded.len - 4]),
        (0, &[1, 0][..]),
        "RFC 6891 §6.1.3"
    );
}

/// RFC 6891 §6.1.1: one OPT, of the root, in the additional section.
#[test]
fn rfc6891_6_1_1_one_opt_of_the_root() {
    let zones = zones([zone("example", "www A 192.0.2.1")]);
    let rcode = |message: &[u8]| {
        let mut out = [0; 512];
        let responded = respond(&zones, &Settings::default(), &asked(Transport::Udp), message, &mut out);
        (responded.expect("an answer").rcode, out[11])
    };
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let with = |counts: [u8; 3], records: &[&[u8]]| {
        let mut message = query("www.example A", None);
        (message[7], message[9], message[11]) = (counts[0], counts[1], counts[2]);
        message.extend(records.concat());
        rcode(&message)
    };
    assert_eq!(with([0, 0, 1], &[&opt]), (NOERROR, 1));
    assert_eq!(with([0, 0, 2], &[&opt, &opt]), (FORMERR, 1));
    assert_eq!(with([1, 0, 0], &[&opt]), (FORMERR, 1));
    assert_eq!(with([0, 1, 0], &[&opt]), (FORMERR, 1));
    assert_eq!(with([0, 0, 1], &[&[1, b'a'], &opt]), (FORMERR, 0), "an owner other than the root");
    assert_eq!(with([0, 0, 1], &[&opt[..9], &[0, 3, 0, 3, 0]]), (FORMERR, 1), "an option cut short");
    assert_eq!(with([0, 0, 1], &[&opt[..9], &[0, 6, 0, 3, 0, 2, 1, 2]]), (NOERROR, 1), "an option");
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1];
    assert_eq!(with([0, 0, 2], &[&record, &opt]), (NOERROR, 1), "OPT may stand anywhere in its section");
}

/// RFC 6891 §6.1.1: who sends an OPT gets one, also when there is no question to repeat.
#[test]
fn rfc6891_6_1_1_opt_in_answers_without_a_question() {
    let opt = [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];
    let answer = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = query("www.example A", Some(1232));
        change(&mut message);
        let mut out = [0; 512];
        let responded =
            respond(&Zones::default(), &Settings::default(), &asked(Transport::Udp), &message, &mut out);
        let len = responded.expect("an answer").len;
        (responded.expect("an answer").rcode, out[4..len].to_vec())
    };
    let header = |additional: u8| vec![0, 0, 0, 0, 0, 0, 0, additional];
    let with_opt = [header(1), opt.to_vec()].concat();
    // RFC 8914: not supported.
    let said = [&header(1)[..], &opt[..10], &[6, 0, 15, 0, 2, 0, 21]].concat();
    let opcode = |message: &mut Vec<u8>| message[2] |= 4 << 3;
    assert_eq!(answer(&opcode), (NOTIMP, said));
    let two_questions = |message: &mut Vec<u8>| {
        message[5] = 2;
        message.splice(12..12, [0, 0, 1, 0, 1]);
    };
    assert_eq!(answer(&two_questions), (FORMERR, with_opt.clone()));
    let no_question = |message: &mut Vec<u8>| {
        message[5] = 0;
        message.drain(12..message.len() - opt.len());
    };
    assert_eq!(answer(&no_question), (FORMERR, with_opt));
    let bad_option = |message: &mut Vec<u8>| {
        opcode(message);
        message.truncate(message.len() - 1);
    };
    assert_eq!(answer(&bad_option), (NOTIMP, header(0)));
}

/// RFC 1035 §4.1.4: a pointer points to what came before it.
#[test]
fn rfc1035_4_1_4_pointers_forward() {
    let rcode = |pointer: u8| {
        let mut message = query("www.example A", None);
        message[11] = 1;
        message.extend([0xc0, pointer, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1]);
        let mut out = [0; 512];
        let responded =
            respond(&Zones::default(), &Settings::default(), &asked(Transport::Udp), &message, &mut out);
        responded.expect("an answer").rcode
    };
    assert_eq!(rcode(12), REFUSED);
    assert_eq!(rcode(29), FORMERR, "at itself");
    assert_eq!(rcode(30), FORMERR);
    assert_eq!(rcode(255), FORMERR);
}

/// RFC 5936 §2.2.1, RFC 1995 §2: of a zone that is here it is refused; of others it is said that they are not.
#[test]
fn rfc5936_2_2_1_transfers() {
    let zones = zones([zone("example", "www A 192.0.2.1")])
        .put(&name::parse_absolute("test").expect("a name"), ZoneState::Assembling);
    for rtype in [251, 252] {
        let rcode = |owner: &str| {
            let mut message = query(&format!("{owner} A"), None);
            let type_at = message.len() - 3;
            message[type_at] = rtype;
            let mut out = [0; 512];
            let responded = respond(&zones, &Settings::default(), &asked(Transport::Tcp), &message, &mut out);
            responded.expect("an answer").rcode
        };
        assert_eq!(rcode("example"), REFUSED);
        assert_eq!(rcode("test"), REFUSED);
        assert_eq!(rcode("www.example"), NOTAUTH);
        assert_eq!(rcode("elsewhere"), NOTAUTH);
    }
}

/// RFC 1035 §4.1.1: opcode, ID, RD and CD come back; AA, TC, RA, Z and AD do not (RFC 4035 §3.1.6, §3.2.2).
#[test]
fn header_bits() {
    let zones = zones([zone("example", "www A 192.0.2.1")]);
    let answer = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = query("www.example A", None);
        change(&mut message);
        let mut out = [0; 512];
        let responded = respond(&zones, &Settings::default(), &asked(Transport::Udp), &message, &mut out);
        responded.map(|responded| (responded.rcode, out[..responded.len].to_vec()))
    };
    let (_, out) = answer(&|m| (m[2], m[3]) = (0x07, 0xff)).expect("an answer");
    assert_eq!(out[..8], [0xab, 0xcd, 0x85, 0x10, 0, 1, 0, 1]);
    let (_, out) = answer(&|m| (m[2], m[3]) = (0, 0)).expect("an answer");
    assert_eq!(out[2..4], [0x84, 0]);
    for opcode in 1..16u8 {
        let (rcode, out) = answer(&|m| m[2] = opcode << 3 | 0x07).expect("an answer");
        assert_eq!((rcode, out.len(), out[2], out[3]), (NOTIMP, 12, 0x80 | opcode << 3 | 1, 4), "{opcode}");
        assert_eq!(answer(&|m| m[2] = 0x80 | opcode << 3), None, "a response is never answered");
    }
    let (_, out) = answer(&|m| m[5] = 0).expect("an answer");
    assert_eq!((out.len(), out[3] & 15, &out[4..12]), (12, 1, &[0; 8][..]));
}

/// Questions for what is no record: RFC 9824 §3.5 (NXNAME), RFC 6895 §3.1.
#[test]
fn types_that_are_none() {
    let zones = zones([zone("example", "www A 192.0.2.1")]);
    let rcode = |rtype: u16, class: u16, transport| {
        let mut message = query("www.example A", Some(1232));
        let at = message.len() - 15;
        message[at..at + 2].copy_from_slice(&rtype.to_be_bytes());
        message[at + 2..at + 4].copy_from_slice(&class.to_be_bytes());
        let mut out = [0; 512];
        respond(&zones, &Settings::default(), &asked(transport), &message, &mut out).expect("an answer").rcode
    };
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_eq!(rcode(1, 1, transport), NOERROR);
        for (rtype, expected) in
            [(0, NOERROR), (41, FORMERR), (128, FORMERR), (200, NOERROR), (249, FORMERR), (250, FORMERR)]
        {
            assert_eq!(rcode(rtype, 1, transport), expected, "{rtype}");
        }
        for (rtype, expected) in
            [(251, NOTAUTH), (252, NOTAUTH), (253, NOTIMP), (254, NOTIMP), (65_535, NOERROR)]
        {
            assert_eq!(rcode(rtype, 1, transport), expected, "{rtype}");
        }
        for class in [0, 3, 4, 254, 255, 65_535] {
            assert_eq!(rcode(1, class, transport), REFUSED, "class {class}");
        }
    }
}

/// RFC 3597 §4: of values, only the names in types of RFC 1035 are compressed.
#[test]
fn rfc3597_4_only_old_types_are_compressed() {
    let zones = zones([zone(
        "example",
        "old MX 10 host.example.\nnew SRV 1 2 3 host.example.\nrp RP who.example. txt.example.\nd KX 1 kx.example.",
    )]);
    let length = |question: &str| {
        let (_, octets) = ask(&zones, question, Transport::Udp, None);
        let question_end = 12 + 9 + question.find('.').expect("a label") + 1 + 4;
        u16::from_be_bytes([octets[question_end + 10], octets[question_end + 11]])
    };
    assert_eq!(length("old.example MX"), 2 + 5 + 2);
    assert_eq!(length("new.example SRV"), 6 + 14);
    assert_eq!(length("rp.example RP"), 13 + 13);
    assert_eq!(length("d.example KX"), 2 + 12);
}

proptest! {
    /// Any octets: no panic, and never more than may be.
    #[test]
    fn any_octets_are_answered_within_limits(
        octets in prop::collection::vec(any::<u8>(), 0..120),
        udp_limit in 0u16..5000,
        room in 512usize..3000,
    ) {
        let zones = big();
        let mut out = vec![0; room];
        for transport in [Transport::Udp, Transport::Tcp] {
            if let Some(responded) = respond(&zones, &Settings { udp_limit, ..Settings::default() }, &asked(transport), &octets, &mut out) {
                prop_assert!(responded.len <= room);
            }
        }
    }

    /// Questions with changes: what is answered is a message that others can read.
    #[test]
    fn changed_questions_are_answered_with_messages(
        question in prop::sample::select(vec!["x.cut.example A", "x.side.example NS", "mx.example MX", "cut.example ANY", "example SOA", "no.example A"]),
        payload in prop::option::of(any::<u16>()),
        changes in prop::collection::vec((0usize..60, any::<u8>()), 0..4),
        room in 512usize..3000,
    ) {
        let zones = big();
        let mut message = query(question, payload);
        for (at, octet) in changes {
            let at = at % message.len();
            message[at] = octet;
        }
        let mut out = vec![0; room];
        for transport in [Transport::Udp, Transport::Tcp] {
            let Some(responded) = respond(&zones, &Settings::default(), &asked(transport), &message, &mut out) else { continue };
            if transport == Transport::Udp {
                let payload = usize::from(payload.unwrap_or(0));
                prop_assert!(responded.len <= 1232.max(payload));
            }
            let read = Message::from_octets(&out[..responded.len]).expect("a message");
            for section in [read.answer(), read.authority(), read.additional()] {
                for record in section.expect("a section").limit_to::<AllRecordData<_, _>>() {
                    prop_assert!(record.is_ok(), "{:?}", record.err());
                }
            }
        }
    }
}
