//! Options: what is asked for is answered, what is not known is ignored.

use super::*;

/// A response, as far as its questioner can see.
pub(super) struct Said {
    pub(super) len: usize,
    pub(super) rcode: u16,
    pub(super) has_soa: bool,
    /// Of `aa tc rd cd do`, those that are set.
    pub(super) flags: String,
    /// Bits that have no meaning, in header and OPT.
    pub(super) reserved: u16,
    pub(super) opt: Option<SaidOpt>,
}

pub(super) struct SaidOpt {
    pub(super) version: u8,
    pub(super) options: Vec<(u16, Vec<u8>)>,
}

impl Said {
    pub(super) fn option(&self, code: u16) -> Option<&[u8]> {
        let options = &self.opt.as_ref()?.options;
        options.iter().find(|option| option.0 == code).map(|option| &*option.1)
    }
}

pub(super) fn question(owner: &str, qtype: u16, qclass: u16) -> Vec<u8> {
    let owner = name::parse_absolute(owner).expect("a name");
    let mut query = vec![0xab, 0xcd, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(owner.as_slice());
    query.extend_from_slice(&qtype.to_be_bytes());
    query.extend_from_slice(&qclass.to_be_bytes());
    query
}

pub(super) fn with_opt(mut query: Vec<u8>, payload: u16, version: u8, flags: u16, options: &[u8]) -> Vec<u8> {
    query[11] += 1;
    query.extend_from_slice(&[0, 0, 41]);
    query.extend_from_slice(&payload.to_be_bytes());
    query.extend_from_slice(&[0, version]);
    query.extend_from_slice(&flags.to_be_bytes());
    query.extend_from_slice(&(options.len() as u16).to_be_bytes());
    query.extend_from_slice(options);
    query
}

pub(super) fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// `owner type` with these options.
pub(super) fn asking(question_text: &str, options: &[Vec<u8>]) -> Vec<u8> {
    let (owner, rtype) = question_text.split_once(' ').expect("name type");
    let rtype = match rtype.strip_prefix("TYPE") {
        Some(number) => number.parse().expect("a number"),
        None => rdata::parse_rtype(rtype).expect("a type").to_int(),
    };
    with_opt(question(owner, rtype, CLASS_IN), 1232, 0, 0, &options.concat())
}

pub(super) fn ask_with(zones: &Zones, settings: &Settings, asked: &Asked, query: &[u8]) -> Said {
    let mut out = vec![0; 65_535];
    let responded = respond(zones, settings, asked, query, &mut out).expect("a response");
    let out = &out[..responded.len];
    let message = Message::from_octets(out).expect("a message");
    let mut flags = vec![];
    for (name, bit) in [("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("cd", 0x0010)] {
        if u16::from_be_bytes([out[2], out[3]]) & bit != 0 {
            flags.push(name);
        }
    }
    let mut reserved = u16::from_be_bytes([out[2], out[3]]) & 0x00e0;
    let record = message.additional().expect("sections").find_map(|record| {
        let record = record.expect("a record");
        (record.rtype() == Rtype::OPT).then_some(record)
    });
    let opt = record.map(|record| {
        let ttl = record.ttl().as_secs();
        assert_eq!(u16::from(out[3] & 0x0f) + (ttl >> 24) as u16 * 16, responded.rcode, "RFC 6891 §6.1.3");
        if ttl & 0x8000 != 0 {
            flags.push("do");
        }
        reserved |= ttl as u16 & 0x7fff;
        let record = record.into_record::<AllRecordData<_, _>>().expect("a record").expect("a record");
        let AllRecordData::Opt(data) = record.data() else { panic!("no OPT") };
        let options = data.iter::<domain::base::opt::UnknownOptData<_>>().map(|option| {
            let option = option.expect("an option");
            (option.code().to_int(), option.as_slice().to_vec())
        });
        SaidOpt { version: (ttl >> 16) as u8, options: options.collect() }
    });
    let has_soa =
        message.answer().expect("sections").any(|record| record.expect("a record").rtype() == Rtype::SOA);
    if opt.is_none() {
        assert_eq!(u16::from(out[3] & 0x0f), responded.rcode);
    }
    Said { len: responded.len, rcode: responded.rcode, has_soa, flags: flags.join(" "), reserved, opt }
}

fn example() -> Zones {
    zones([
        zone("example", "@ NS ns.test.\nwww A 192.0.2.1\nwww AAAA 2001:db8::1\ncut NS ns.test."),
        zone("sub.example", "www A 192.0.2.2"),
    ])
    .put(&name::parse_absolute("later").expect("a name"), ZoneState::Assembling)
}

/// RFC 5001 §2: for who asks, where it is set, whatever the answer is; what the query carries is ignored.
#[test]
fn rfc5001_nsid() {
    let zones = example();
    let set = Settings { nsid: Text::new("ns1-7c9f").expect("short"), ..Settings::default() };
    for question in ["www.example A", "none.example A", "elsewhere A", "later A", "x.cut.example A"] {
        for payload in [&b""[..], b"x"] {
            let query = asking(question, &[option(3, payload)]);
            let said = ask_with(&zones, &set, &asked(Transport::Udp), &query);
            assert_eq!(said.option(3), Some(&b"ns1-7c9f"[..]), "{question}");
            let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &query);
            assert_eq!(said.option(3), None, "it is not set");
        }
        let said = ask_with(&zones, &set, &asked(Transport::Udp), &asking(question, &[]));
        assert_eq!(said.option(3), None, "nobody asked");
    }
    assert_eq!(Text::new(&"x".repeat(GREATEST_TEXT + 1)), None);
}

/// RFC 9660 §2, §3.2: the zone that answers, by its labels, and its serial; from no zone nothing.
#[test]
fn rfc9660_zone_version() {
    let zones = example();
    let version = |question: &str, value: &[u8]| {
        let query = asking(question, &[option(19, value)]);
        let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &query);
        said.option(19).map(<[u8]>::to_vec)
    };
    assert_eq!(version("www.example A", b""), Some(vec![1, 0, 0, 0, 0, 9]));
    assert_eq!(version("none.example A", b""), Some(vec![1, 0, 0, 0, 0, 9]));
    assert_eq!(version("x.cut.example A", b""), Some(vec![1, 0, 0, 0, 0, 9]), "the parent's, which refers");
    assert_eq!(version("www.sub.example SOA", b""), Some(vec![2, 0, 0, 0, 0, 9]));
    assert_eq!(version("elsewhere A", b""), None);
    assert_eq!(version("later A", b""), None);
    assert_eq!(version("www.example A", b"\x01\x00"), None, "a query's is empty");
}

/// RFC 8914 §4: why there is no answer.
#[test]
fn rfc8914_extended_errors() {
    let zones = example();
    let code = |question: &str, qclass: u16| {
        let mut query = asking(question, &[]);
        let at = query.len() - 12;
        query[at - 1..=at].copy_from_slice(&qclass.to_be_bytes());
        let said = ask_with(&zones, &Settings::default(), &asked(Transport::Tcp), &query);
        (said.rcode, said.option(15).map(|value| u16::from_be_bytes([value[0], value[1]])))
    };
    for (question, qclass, rcode, expected) in [
        ("www.example A", 1, NOERROR, None),
        ("none.example A", 1, NXDOMAIN, None),
        ("elsewhere A", 1, REFUSED, Some(20)),
        ("later A", 1, SERVFAIL, Some(14)),
        ("example TYPE252", 1, REFUSED, Some(18)),
        ("example TYPE251", 1, REFUSED, Some(18)),
        ("elsewhere TYPE252", 1, NOTAUTH, Some(20)),
        ("www.example A", 4, REFUSED, Some(21)),
        ("www.example TYPE253", 1, NOTIMP, Some(21)),
        ("www.example TYPE128", 1, FORMERR, Some(30)),
        ("version.bind TXT", 3, REFUSED, Some(18)),
    ] {
        assert_eq!(code(question, qclass), (rcode, expected), "{question}");
    }
    let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &question("elsewhere", 1, 1));
    assert!(said.opt.is_none(), "no OPT for who sends none");
}

/// RFC 7871 §7.2.1: a client subnet is not used, so it is not echoed. RFC 6891 §6.1.2: nor is what is unknown.
#[test]
fn rfc7871_7_2_1_a_client_subnet_is_ignored_and_not_echoed() {
    let zones = example();
    for value in [&[0, 1, 24, 0, 192, 0, 2][..], &[0, 1, 0, 0], &[], &[0, 9, 200, 200, 1, 2, 3]] {
        let query = asking("www.example A", &[option(8, value), option(65_001, value)]);
        let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &query);
        assert_eq!((said.rcode, said.opt.expect("an OPT").options), (NOERROR, vec![]));
    }
}

/// RFC 7828 §3.2: over TCP, for who asks.
#[test]
fn rfc7828_keepalive() {
    let zones = example();
    let over_tcp = Asked { keepalive: Some(100), ..asked(Transport::Tcp) };
    let over_udp = Asked { keepalive: Some(100), ..asked(Transport::Udp) };
    let query = asking("www.example A", &[option(11, b"")]);
    let settings = Settings::default();
    assert_eq!(ask_with(&zones, &settings, &over_tcp, &query).option(11), Some(&[0, 100][..]));
    assert_eq!(ask_with(&zones, &settings, &over_udp, &query).option(11), None);
    assert_eq!(ask_with(&zones, &settings, &over_tcp, &asking("www.example A", &[])).option(11), None);
}

/// RFC 7830 §4, RFC 8467 §4.1: to a multiple of 468, where nobody else can read it and the client pads.
#[test]
fn rfc8467_4_1_padding() {
    let zones = example();
    let encrypted = Asked { is_encrypted: true, ..asked(Transport::Tcp) };
    let settings = Settings { nsid: Text::new("ns1").expect("short"), ..Settings::default() };
    for question in ["www.example A", "elsewhere A"] {
        let query = asking(question, &[option(12, &[0; 20]), option(3, b"")]);
        let said = ask_with(&zones, &settings, &encrypted, &query);
        assert_eq!(said.len, 468, "{question}");
        assert!(said.option(12).is_some_and(|padding| padding.iter().all(|octet| *octet == 0)));
        assert_eq!(said.option(3), Some(&b"ns1"[..]));
        assert_eq!(ask_with(&zones, &settings, &asked(Transport::Tcp), &query).option(12), None);
        assert_eq!(ask_with(&zones, &settings, &encrypted, &asking(question, &[])).option(12), None);
    }
    let mut opcode = asking("www.example A", &[option(12, b"")]);
    opcode[2] = 4 << 3;
    assert_eq!(ask_with(&zones, &settings, &encrypted, &opcode).len, 468);
}

/// RFC 4892 §2: nothing is told of the server unless it is set.
#[test]
fn rfc4892_chaos_is_refused_unless_set() {
    let zones = example();
    let set = Settings {
        chaos_version: Text::new("1.2.3").expect("short"),
        chaos_id: Text::new("ns1").expect("short"),
        ..Settings::default()
    };
    for (owner, text) in [
        ("version.bind", "1.2.3"),
        ("VERSION.server", "1.2.3"),
        ("hostname.bind", "ns1"),
        ("id.server", "ns1"),
    ] {
        let query = question(owner, 16, CLASS_CHAOS);
        let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &query);
        assert_eq!((said.rcode, &*said.flags), (REFUSED, ""), "{owner}");
        let mut out = [0; 512];
        let responded = respond(&zones, &set, &asked(Transport::Udp), &query, &mut out).expect("a response");
        let out = &out[..responded.len];
        assert_eq!((responded.rcode, &out[2..12]), (NOERROR, &[0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0][..]));
        let record = [0xc0, 12, 0, 16, 0, 3, 0, 0, 0, 0, 0, text.len() as u8 + 1, text.len() as u8];
        assert_eq!(out[query.len()..], [&record[..], text.as_bytes()].concat(), "{owner}");
        let said = ask_with(&zones, &set, &asked(Transport::Udp), &question(owner, 1, CLASS_CHAOS));
        assert_eq!((said.rcode, said.len), (NOERROR, query.len()), "no other type");
    }
    for owner in ["www.example", "authors.bind", "bind"] {
        let said = ask_with(&zones, &set, &asked(Transport::Udp), &question(owner, 16, CLASS_CHAOS));
        assert_eq!(said.rcode, REFUSED, "{owner}");
    }
}

/// RFC 8482 §4.1: over UDP, ANY gets one RRset of those there; over TCP all.
#[test]
fn rfc8482_4_1_any_over_udp_gets_one_rrset() {
    let zones = example();
    for (owner, udp, tcp) in [("www.example", 1, 2), ("example", 1, 2), ("none.example", 0, 0)] {
        let answers = |transport| {
            let mut out = [0; 4096];
            let query = question(owner, 255, CLASS_IN);
            respond(&zones, &Settings::default(), &asked(transport), &query, &mut out).expect("a response");
            out[7]
        };
        assert_eq!((answers(Transport::Udp), answers(Transport::Tcp)), (udp, tcp), "{owner}");
    }
}

/// All options at once beside the longest question fit into the least message.
#[test]
fn all_options_fit_beside_the_longest_question() {
    let longest = [vec!["x".repeat(63); 3].join("."), "x".repeat(61)].join(".");
    let (apex, state) = zone(&longest[longest.len() - 125..], "@ NS ns.test.");
    let zones = zones([(apex, state)]);
    let settings = Settings {
        nsid: Text::new(&"n".repeat(GREATEST_TEXT)).expect("short"),
        cookies: Secrets::new(&[[1; 16]]),
        ..Settings::default()
    };
    let asked = Asked { keepalive: Some(100), ..asked(Transport::Tcp) };
    let options = [option(3, b""), option(10, &[1; 8]), option(11, b""), option(19, b""), option(12, b"")];
    let mut out = [0; 512];
    for owner in [&*longest, "elsewhere"] {
        let query = asking(&format!("{owner} A"), &options);
        let responded = respond(&zones, &settings, &asked, &query, &mut out).expect("a response");
        let said = Message::from_octets(&out[..responded.len]).expect("a message");
        assert!(said.opt().is_some_and(|opt| opt.opt().len() >= 4 + GREATEST_TEXT + 28 + 6));
    }
}
