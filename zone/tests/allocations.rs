//! No allocation on the path of a query: every kind of answer is given while a counting allocator looks on.

use port53_zone::answer::{Asked, Secrets, Settings, Text, Transport, respond};
use port53_zone::content::Content;
use port53_zone::image::{Image, ZoneState, Zones};
use port53_zone::rrset::{RRset, Soa};
use port53_zone::{Name, Rtype, name, rdata};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A zone from lines of `owner type value`.
fn image(apex: &str, lines: impl IntoIterator<Item = String>) -> (Name, ZoneState) {
    let apex = name::parse_absolute(apex).expect("an apex");
    let mut sets: BTreeMap<(String, Rtype), Vec<rdata::Rdata>> = BTreeMap::new();
    for line in lines {
        let [owner, kind, value] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let rtype = rdata::parse_rtype(kind).expect("a type");
        let value = rdata::parse_value(rtype, value).expect("a value");
        sets.entry((owner.to_owned(), rtype)).or_default().push(value);
    }
    let rrsets = sets.into_iter().map(|((owner, rtype), values)| {
        (RRset::new(name::parse(&owner, &apex).expect("an owner"), rtype, 300, values), None)
    });
    let content = Content::build(apex.clone(), [1; 16], rrsets).expect("a content");
    let (primary, contact) = (apex.clone(), apex.clone());
    let soa = Soa { primary, contact, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1, ttl: 1 };
    (apex, ZoneState::Serving(Arc::new(Image::new(content, soa))))
}

/// One zone small enough to have no index, and one that has one.
fn zones() -> Zones {
    let lines = [
        "@ NS ns.cut.APEX.",
        "@ MX 10 www.APEX.",
        "@ TXT text",
        "www A 192.0.2.1",
        "www AAAA 2001:db8::1",
        "srv SRV 1 2 3 www.APEX.",
        "svc HTTPS 1 www.APEX. alpn=h2",
        "cut NS ns.cut.APEX.",
        "cut NS ns.other.APEX.",
        "cut DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000",
        "ns.cut A 192.0.2.2",
        "ns.other A 192.0.2.3",
        "a CNAME b.APEX.",
        "b CNAME www.APEX.",
        "out CNAME www.elsewhere.test.",
        "gone CNAME none.APEX.",
        "loop CNAME loop.APEX.",
        "*.wild A 192.0.2.4",
        "*.alias CNAME www.APEX.",
        "sub.*.ent A 192.0.2.5",
        "dname DNAME APEX.",
        "far DNAME elsewhere.test.",
        "long DNAME a-label-that-is-long-enough-to-make-the-name-too-long.APEX.",
    ];
    let of = |apex: &str| lines.iter().map(|line| line.replace("APEX", apex)).collect::<Vec<_>>();
    let wide = (0..100).map(|i| format!("wide A 192.0.2.{i}"));
    let many = (0..2_000).map(|i| format!("host-{i} A 192.0.2.7"));
    let small = image("small.test", of("small.test").into_iter().chain(wide.clone()));
    let large = image("large.test", of("large.test").into_iter().chain(wide).chain(many));
    let signature = |of: &str| format!("@ RRSIG {of} 13 2 1 20300101000000 20200101000000 1 APEX. AAAA");
    let nsec = [signature("SOA"), signature("NSEC"), "@ NSEC APEX. NS SOA RRSIG NSEC".to_owned()];
    let hash = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom";
    let nsec3 = [
        signature("SOA"),
        "@ NSEC3PARAM 1 0 3 aabb".to_owned(),
        format!("{hash} NSEC3 1 1 3 aabb {hash} NS SOA RRSIG"),
        format!("{hash} RRSIG NSEC3 13 3 1 20300101000000 20200101000000 1 APEX. AAAA"),
    ];
    let proved = |apex: &str, proofs: &[String]| {
        image(apex, of(apex).into_iter().chain(proofs.iter().map(|line| line.replace("APEX", apex))))
    };
    let (by_names, by_hashes) = (proved("nsec.test", &nsec), proved("nsec3.test", &nsec3));
    let assembling = (name::parse_absolute("later.test").expect("a name"), ZoneState::Assembling);
    [small, large, by_names, by_hashes, assembling]
        .into_iter()
        .fold(Zones::default(), |zones, (apex, state)| zones.put(&apex, state))
}

fn query(owner: &str, rtype: u16, edns: bool) -> Vec<u8> {
    let mut message = vec![1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
    message.extend_from_slice(name::parse_absolute(owner).expect("a name").as_slice());
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if edns {
        message.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    }
    message
}

fn asked(transport: Transport) -> Asked {
    Asked::new(transport, [192, 0, 2, 100].into(), 1_700_000_000_000)
}

/// Every option that is known, cookies of every kind, and a query for a cookie.
fn with_options(settings: &Settings, zones: &Zones) -> Vec<(String, Vec<u8>)> {
    let with = |mut message: Vec<u8>, cookie: &[u8]| {
        let mut options = vec![0, 3, 0, 0, 0, 11, 0, 0, 0, 12, 0, 0, 0, 19, 0, 0, 0, 8, 0, 4, 0, 1, 0, 0];
        options.extend([0, 10, 0, cookie.len() as u8]);
        options.extend_from_slice(cookie);
        let length_at = message.len() - 1;
        message[length_at] = options.len() as u8;
        message.extend(options);
        message
    };
    let question = || query("www.small.test", 1, true);
    let mut out = vec![0; 65_535];
    let first = with(question(), &[7; 8]);
    let made = respond(zones, settings, &asked(Transport::Udp), &first, &mut out).expect("a response");
    let cookie_at = out[..made.len].windows(4).position(|four| four == [0, 10, 0, 24]).expect("a cookie");
    let valid = out[cookie_at + 4..cookie_at + 28].to_vec();
    let cookies = [&[7; 8][..], &valid, &[7; 24], &[7; 30], &[7; 5]];
    let mut all: Vec<_> =
        cookies.iter().map(|cookie| (format!("cookie {cookie:?}"), with(question(), cookie))).collect();
    let mut no_question = question();
    no_question.drain(12..no_question.len() - 11);
    no_question[5] = 0;
    all.extend(
        cookies.iter().map(|cookie| ("a query for a cookie".into(), with(no_question.clone(), cookie))),
    );
    all
}

#[test]
fn no_answer_allocates() {
    let zones = zones();
    let text = |text| Text::new(text).expect("short");
    let settings = Settings {
        cookies: Secrets::new(&[[1; 16], [2; 16]]),
        nsid: text("ns1"),
        chaos_version: text("1"),
        chaos_id: text("ns1"),
        ..Settings::default()
    };
    let mut out = vec![0; 65_535];
    let label = "x".repeat(63);
    let mut queries: Vec<(String, Vec<u8>)> = Vec::new();
    for apex in ["small.test", "large.test", "nsec.test", "nsec3.test"] {
        let long = format!("{label}.{label}.{label}.{}.long.{apex}", "x".repeat(30));
        for owner in [
            "@",
            "www",
            "srv",
            "svc",
            "cut",
            "x.cut",
            "a",
            "out",
            "gone",
            "loop",
            "q.wild",
            "q.alias",
            "ent",
            "q.ent",
            "none",
            "www.dname",
            "x.far",
            "wide",
            "host-7",
        ] {
            let owner = if owner == "@" { apex.to_owned() } else { format!("{owner}.{apex}") };
            for rtype in [1u16, 2, 5, 6, 15, 16, 28, 33, 39, 43, 65, 255] {
                queries.push((format!("{owner} {rtype}"), query(&owner, rtype, true)));
                queries.push((format!("{owner} {rtype} without EDNS"), query(&owner, rtype, false)));
            }
        }
        queries.push((format!("{long} A"), query(&long, 1, true)));
    }
    queries.push(("refused".into(), query("elsewhere.test", 1, true)));
    queries.push(("servfail".into(), query("later.test", 1, true)));
    queries.push(("transfer".into(), query("small.test", 252, true)));
    let good = query("www.small.test", 1, true);
    for (what, at, octet) in [
        ("opcode", 2, 0x20),
        ("response", 2, 0x80),
        ("questions", 5, 2),
        ("pointer", 12, 0xc0),
        ("OPT", 11, 2),
        ("version", good.len() - 5, 1),
    ] {
        let mut message = good.clone();
        message[at] = octet;
        queries.push((what.into(), message));
    }
    let mut chaos = query("version.bind", 16, true);
    let class_at = chaos.len() - 12;
    chaos[class_at] = 3;
    queries.push(("CHAOS".into(), chaos));
    queries.extend(with_options(&settings, &zones));
    // The key of the hashes is drawn with the first name.
    respond(&zones, &settings, &asked(Transport::Udp), &good, &mut out);
    let mut rcodes = [0; 24];
    for (what, message) in &queries {
        for (transport, is_limited) in
            [(Transport::Udp, false), (Transport::Udp, true), (Transport::Tcp, false)]
        {
            let asked = Asked { is_limited, is_encrypted: true, keepalive: Some(100), ..asked(transport) };
            let mut responded = None;
            let counted = allocation_counter::measure(|| {
                responded = respond(&zones, &settings, &asked, message, &mut out);
            });
            assert_eq!(counted.count_total, 0, "{what} over {transport:?}");
            if let Some(responded) = responded {
                rcodes[usize::from(responded.rcode)] += 1;
            }
        }
    }
    // Every kind of answer was among them: NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, YXDOMAIN, BADVERS,
    // BADCOOKIE.
    for rcode in [0, 1, 2, 3, 4, 5, 6, 16, 23] {
        assert!(rcodes[rcode] > 0, "rcode {rcode}: {rcodes:?}");
    }
    let counted = allocation_counter::measure(|| drop(vec![0u8; 100])).count_total;
    assert_eq!(counted, 1, "the allocator counts");
}
