//! What is asked of another server, and what its response becomes.

use super::*;
use crate::answer::opt::GREATEST_NSID;
use crate::answer::{Cookie, Secrets, Text, respond};
use crate::content::Content;
use crate::image::{Image, ZoneState, Zones};
use crate::rdata::{self, parse_value};
use crate::{RRset, Soa, name};
use proptest::prelude::*;
use std::sync::Arc;

const ID: u16 = 0x5353;

/// The legacy: a zone with `www`, a set of 40 addresses, a delegation with glue.
fn legacy() -> Zones {
    let apex = name::parse_absolute("example").expect("a name");
    let many: Vec<String> = (1..=40).map(|n| format!("192.0.2.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let sets: [(&str, Rtype, &[&str]); 6] = [
        ("@", Rtype::NS, &["ns1.example."]),
        ("ns1", Rtype::A, &["192.0.2.53"]),
        ("www", Rtype::A, &["192.0.2.1", "192.0.2.2"]),
        ("many", Rtype::A, &many),
        ("child", Rtype::NS, &["ns.child.example.", "ns2.child.example."]),
        ("ns.child", Rtype::A, &many),
    ];
    let rrsets = sets.into_iter().map(|(owner, rtype, values)| {
        let owner = name::parse(owner, &apex).expect("a name");
        let values = values.iter().map(|value| parse_value(rtype, value).expect("a value"));
        (RRset::new(owner, rtype, 300, values), None)
    });
    let content = Content::build(apex.clone(), [7; 16], rrsets).expect("a content");
    let (primary, contact) = (apex.clone(), apex.clone());
    let soa = Soa { primary, contact, serial: 9, refresh: 1, retry: 2, expire: 3, minimum: 60, ttl: 3600 };
    Zones::default().put(&apex, ZoneState::Serving(Arc::new(Image::new(content, soa))))
}

/// A query of a client with ID 0xabcd, RD and CD; with EDNS of these octets of options, and DO, where given.
fn query(question: &str, edns: Option<(u16, &[u8])>) -> Vec<u8> {
    let (owner, rtype) = question.split_once(' ').expect("name type");
    let owner = name::parse_absolute(owner).expect("a name");
    let rtype = rdata::parse_rtype(rtype).expect("a type");
    let mut message = vec![0xab, 0xcd, RD, CD, 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())];
    message.extend_from_slice(owner.as_slice());
    message.extend_from_slice(&rtype.to_int().to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if let Some((payload, options)) = edns {
        message.extend_from_slice(&[0, 0, 41]);
        message.extend_from_slice(&payload.to_be_bytes());
        message.extend_from_slice(&[0, 0, 0x80, 0, 0, options.len() as u8]);
        message.extend_from_slice(options);
    }
    message
}

fn asked(transport: Transport) -> Asked {
    Asked::new(transport, [192, 0, 2, 100].into(), 1_700_000_000_000)
}

/// What legacy answers to a message.
fn answered(zones: &Zones, transport: Transport, message: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 65_535];
    let made =
        respond(zones, &Settings::default(), &asked(transport), message, &mut out).expect("a response");
    out.truncate(made.len);
    out
}

fn heard(question: &Question, transport: Transport) -> Answer {
    let response = answered(&legacy(), transport, &question.query(ID, true));
    match question.hear(ID, true, &response) {
        Heard::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// What a client gets for its query by way of legacy.
fn by_way_of_legacy(settings: &Settings, transport: Transport, query: &[u8]) -> (Responded, Vec<u8>) {
    let asked = asked(transport);
    let question = Question::read(settings, &asked, query).expect("a question");
    let answer = heard(&question, transport);
    let mut out = vec![0; 65_535];
    let made = question.respond(settings, &asked, query, &answer, &mut out).expect("a response");
    out.truncate(made.len);
    (made, out)
}

/// A cookie of the client's and an ECS, which are between it and us; NSID.
const OPTIONS: &[u8] =
    &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100, 0, 3, 0, 0];

fn with_nsid_and_cookies() -> Settings {
    let nsid = Text::new(&"n".repeat(GREATEST_NSID)).expect("short");
    Settings { nsid, cookies: Secrets::new(&[[1; 16]]), ..Settings::default() }
}

#[test]
fn what_is_asked_is_made_anew() {
    let query = query("wWw.ExAmple. A", Some((1232, OPTIONS)));
    let question = Question::read(&Settings::default(), &asked(Transport::Udp), &query).expect("one");
    let made = question.query(ID, true);
    // No RD: a server that recurses for us would recurse for everyone. CD is the client's (RFC 4035 §3.2.2).
    let head = [&ID.to_be_bytes()[..], &[0, CD, 0, 1, 0, 0, 0, 0, 0, 1]].concat();
    let question_of_client = &query[12..12 + 13 + 4];
    let opt = [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];
    assert_eq!(made, [&head[..], question_of_client, &opt].concat());
    assert_eq!(question.query(ID, false).len(), made.len() - opt.len());
    assert_eq!(
        question.key(),
        Question::read(
            &Settings::default(),
            &asked(Transport::Tcp),
            &self::query("www.example. A", Some((512, &[])))
        )
        .expect("one")
        .key()
    );
    assert!(Question::read(&Settings::default(), &asked(Transport::Udp), &query[..20]).is_none());
}

/// The other server truncates so that what it sends fits the client together with our OPT.
#[test]
fn what_is_asked_for_has_room_for_our_opt() {
    for (payload, options, stated) in [
        (1232, &[][..], 1232),
        (4096, &[], 1232),
        (600, &[], 600),
        (100, &[], 512),
        (1232, OPTIONS, 1232 - (4 + 128) - (4 + 24)),
        // RFC 6891 §6.2.3: no less can be said, and what is more than fits is cut here.
        (512, OPTIONS, 512),
    ] {
        let query = query("www.example. A", Some((payload, options)));
        let question = Question::read(&with_nsid_and_cookies(), &asked(Transport::Udp), &query).expect("one");
        assert_eq!(question.edns.map(|edns| edns.payload), Some(stated), "{payload}");
        let (made, octets) = by_way_of_legacy(&with_nsid_and_cookies(), Transport::Udp, &query);
        assert!(octets.len() <= usize::from(payload.clamp(512, 1232)), "{payload}");
        assert!(!made.truncated);
    }
}

/// RFC 5452 §9.1: only a response to this very question, in its case, with its ID.
#[test]
fn rfc5452_9_1_what_is_no_response_to_the_question_is_foreign() {
    let question =
        Question::read(&Settings::default(), &asked(Transport::Udp), &query("wWw.example. A", None));
    let question = question.expect("a question");
    let response = answered(&legacy(), Transport::Udp, &question.query(ID, true));
    assert!(matches!(question.hear(ID, true, &response), Heard::Answer(_)));
    assert_eq!(question.hear(ID ^ 1, true, &response), Heard::Foreign);
    for (at, what) in [(2, "QR"), (14, "the case"), (26, "the type"), (2, "opcode")] {
        let mut changed = response.clone();
        changed[at] ^= if what == "QR" { 0x80 } else { 0x20 };
        assert_eq!(question.hear(ID, true, &changed), Heard::Foreign, "{what}");
    }
    for len in 0..response.len() {
        let heard = question.hear(ID, true, &response[..len]);
        assert!(matches!(heard, Heard::Foreign | Heard::Useless), "{len}: {heard:?}");
    }
    assert_eq!(question.hear(ID, true, &[&response[..], b"x"].concat()), Heard::Useless);
}

#[test]
fn rfc6891_7_who_does_not_know_edns_is_asked_without() {
    let question = Question::read(
        &Settings::default(),
        &asked(Transport::Udp),
        &query("www.example. A", Some((1232, &[]))),
    );
    let question = question.expect("a question");
    let with = |rcode: u8, rest: &[u8]| {
        let questions = u8::from(!rest.is_empty());
        let head = [0x53, 0x53, 0x80, rcode, 0, questions, 0, 0, 0, 0, 0, 0];
        [&head[..], rest].concat()
    };
    let own = question.question.clone();
    for (response, edns, expected) in [
        (with(1, &own), true, true),
        (with(4, &own), true, true),
        (with(1, &[]), true, true),
        (with(1, &own), false, false),
        (with(3, &own), true, false),
        (with(2, &[]), true, false),
    ] {
        let heard = question.hear(ID, edns, &response);
        assert_eq!(heard == Heard::WithoutEdns, expected, "{response:?}: {heard:?}");
    }
    assert!(matches!(question.hear(ID, true, &with(5, &own)), Heard::Refused(_)));
    // BIND says SERVFAIL of aliases that lead in a circle, with some of them: that is its answer.
    let mut circle = [&with(2, &own)[..], &[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 5, 0, 2, 0xc0, 12]].concat();
    circle[7] = 1;
    assert!(matches!(question.hear(ID, true, &circle), Heard::Answer(_)));
    // PowerDNS says REFUSED of RRSIG, with AA.
    let mut of_type = with(5, &own);
    of_type[2] |= AA;
    assert!(matches!(question.hear(ID, true, &of_type), Heard::Answer(_)));
    // BADVERS, as an extended rcode, belongs to our OPT.
    let badvers = [&with(0, &own)[..11], &[1], &own, &[0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]].concat();
    assert_eq!(question.hear(ID, true, &badvers), Heard::Useless);
}

#[test]
fn the_client_gets_the_sections_with_its_own_id_case_and_opt() {
    for transport in [Transport::Udp, Transport::Tcp] {
        for question in ["wWw.exaMPle. A", "www.example. TXT", "none.example. A", "a.child.example. A"] {
            let query = query(question, Some((1232, OPTIONS)));
            let settings = Settings { nsid: Text::default(), ..with_nsid_and_cookies() };
            let (made, octets) = by_way_of_legacy(&settings, transport, &query);
            let direct = answered(&legacy(), transport, &self::query(question, Some((1232, &[]))));
            assert_eq!(octets[..2], [0xab, 0xcd]);
            // Flags, RD and CD of the query included, and the counts.
            assert_eq!(octets[2..12], direct[2..12], "{question}");
            // Up to the OPT, which legacy has without our cookie.
            let opt = direct.len() - OPT;
            assert_eq!(octets[12..opt], direct[12..opt], "{question}");
            assert_eq!(octets.len(), opt + OPT + 4 + 24);
            assert_eq!((made.cookie, made.forward), (Cookie::Client, None));
        }
    }
}

#[test]
fn what_is_not_ours_to_vouch_for_is_cleared() {
    let query = query("www.example. A", None);
    let asked = asked(Transport::Udp);
    let question = Question::read(&Settings::default(), &asked, &query).expect("a question");
    let mut response = answered(&legacy(), Transport::Udp, &question.query(ID, true));
    response[3] |= 0x80 | 0x40 | 0x20;
    let Heard::Answer(answer) = question.hear(ID, true, &response) else { panic!("no answer") };
    let mut out = [0; 512];
    question.respond(&Settings::default(), &asked, &query, &answer, &mut out).expect("a response");
    assert_eq!(out[2..4], [QR | AA | RD, CD], "RA, Z and AD");
}

/// RFC 2181 §9, and RFC 9471 §3 for glue.
#[test]
fn what_does_not_fit_is_left_out_by_whole_rrsets() {
    let query = query("child.example. A", Some((1232, &[])));
    let question = Question::read(&Settings::default(), &asked(Transport::Tcp), &query).expect("one");
    let answer = heard(&question, Transport::Tcp);
    let whole = message::parts(answer.as_slice()).expect("parts").records;
    assert_eq!(whole.len(), 2 + 40);
    for limit in 0..=answer.as_slice().len() {
        let Some(fitted) = answer.fit([0, 1], &question, limit) else { panic!("{limit}") };
        let records = message::parts(&fitted).expect("it can be read").records;
        let is_whole = limit == answer.as_slice().len();
        assert!(fitted.len() <= limit.max(12 + question.question.len()), "{limit}");
        assert_eq!(
            records.len(),
            if is_whole {
                42
            } else if fitted.len() > 12 + question.question.len() {
                2
            } else {
                0
            }
        );
        assert_eq!(fitted[2] & TC != 0, !is_whole, "{limit}");
    }
    // The address of a nameserver beside a positive answer can be asked for.
    let mut positive = answer.clone();
    positive.message[2] |= AA;
    let fitted = positive.fit([0, 1], &question, answer.as_slice().len() - 1).expect("a message");
    assert_eq!(fitted[2] & TC, 0);
}

#[test]
fn tc_is_passed_on() {
    let (made, octets) =
        by_way_of_legacy(&Settings::default(), Transport::Udp, &query("many.example. A", None));
    assert!(made.truncated && octets[2] & TC != 0);
    let (made, octets) =
        by_way_of_legacy(&Settings::default(), Transport::Tcp, &query("many.example. A", None));
    assert!(!made.truncated && octets[7] == 40);
}

#[test]
fn what_was_kept_is_told_in_the_case_of_who_asks_now() {
    let asked = asked(Transport::Udp);
    let read = |query: &[u8]| Question::read(&Settings::default(), &asked, query).expect("a question");
    let answer = heard(&read(&query("www.example. A", None)), Transport::Udp);
    let now = query("WWW.EXAMPLE. A", None);
    let mut out = [0; 512];
    let aged = answer.aged(100, 30);
    let made = read(&now).respond(&Settings::default(), &asked, &now, &aged, &mut out).expect("a response");
    assert_eq!(out[12..12 + 13], now[12..12 + 13]);
    let ttls: Vec<u32> =
        message::parts(&out[..made.len]).expect("parts").records.iter().map(|record| record.ttl).collect();
    assert_eq!(ttls, [200, 200]);
    let other = query("ftp.example. A", None);
    let made = read(&other).respond(&Settings::default(), &asked, &other, &answer, &mut out);
    assert!(made.is_some_and(|made| made.truncated), "never the answer to another question");
}

proptest! {
    /// Whatever comes from the other server, it is judged; and what is an answer becomes a message that can be read.
    #[test]
    fn any_response_is_judged(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        limit in 0usize..600,
    ) {
        let query = query("child.example. A", Some((1232, &[])));
        let question = Question::read(&Settings::default(), &asked(Transport::Tcp), &query).expect("one");
        question.hear(ID, true, &octets);
        let mut response = answered(&legacy(), Transport::Tcp, &question.query(ID, true));
        for (at, octet) in changes {
            let at = at.index(response.len());
            response[at] = octet;
        }
        if let Heard::Answer(answer) | Heard::Refused(answer) = question.hear(ID, true, &response) {
            prop_assert!(message::parts(answer.as_slice()).is_some());
            prop_assert!(message::parts(answer.aged(7, 30).as_slice()).is_some());
            if let Some(fitted) = answer.fit([0, 1], &question, limit) {
                prop_assert!(message::parts(&fitted).is_some());
            }
        }
    }
}
