//! What is answered by one message, transfers included, goes by the same settings and limits; and what is signed by
//! rules of its own (RFC 8945).

mod support;

use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::EdnsCode;
use port53_resolver::limits::{Answering, Gate, Outcome, Rates};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::{self, Traffic};
use port53_resolver::transfer::{Answered, Over, Policy, Transfers};
use port53_secondaries::keys::{Key, Keys};
use port53_secondaries::tsig::Signer;
use port53_zone::Rtype;
use port53_zone::answer::{self, Asked, Cookie, Responded, Secrets, Text, Transport};
use port53_zone::content::Content;
use port53_zone::image::Image;
use std::net::IpAddr;
use std::sync::Arc;
use support::transfers::*;
use support::*;
use tokio_util::sync::CancellationToken;

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const BADCOOKIE: u16 = 23;
/// Options: NSID, and a COOKIE that is the client's alone.
const NSID: [u8; 4] = [0, 3, 0, 0];
const COOKIE: [u8; 12] = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// A zone of twelve versions, whose differences are known.
struct Primary {
    publisher: Publisher,
    transfers: Arc<Transfers>,
    end: CancellationToken,
}

impl Primary {
    fn start() -> Self {
        let publisher = Publisher::new();
        let transfers = Arc::new(Transfers::new(open(), Keys::new([key()])));
        let end = CancellationToken::new();
        transfers.follow(&publisher, None, end.clone()).expect("a thread");
        let mut version = image(APEX, 1, "192.0.2.1", 10);
        publisher.put(version.clone()).expect("newer");
        for serial in 2..=12 {
            version = next(&version, serial, &format!("192.0.2.{serial}"));
            publisher.put(version.clone()).expect("newer");
        }
        let primary = Primary { publisher, transfers, end };
        let gate = primary.gate(answer::Settings::default(), Rates::default());
        eventually("the journal", || gate.records(&ixfr(10, 1232, &[])) == 10);
        primary
    }

    fn gate(&self, answer: answer::Settings, rates: Rates) -> Asking {
        let shared = Arc::new(arc_swap::ArcSwap::from_pointee(Answering { answer, rates }));
        let counters = Traffic::default().worker(traffic::Transport::Udp);
        Asking {
            gate: Gate::new(shared, self.transfers.clone(), counters),
            publisher: self.publisher.clone(),
        }
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

struct Asking {
    gate: Gate,
    publisher: Publisher,
}

impl Asking {
    fn outcome(&self, query: &[u8], out: &mut [u8]) -> Outcome {
        self.gate.answer(&self.publisher.zones().load(), CLIENT, 1_800_000_000_000, query, out)
    }

    fn ask(&self, query: &[u8]) -> (Responded, Vec<u8>) {
        let mut out = [0; 4096];
        let Outcome::Answered(made) = self.outcome(query, &mut out) else { panic!("no answer") };
        (made, out[..made.len].to_vec())
    }

    fn records(&self, query: &[u8]) -> usize {
        message(&self.ask(query).1).answers.len()
    }
}

fn message(octets: &[u8]) -> Message {
    Message::from_vec(octets).expect("a message")
}

fn key() -> Key {
    Key::parse("one.example", "hmac-sha256:c2VjcmV0IG9mIGJvdGg=").expect("a key")
}

fn ixfr(held: u32, payload: u16, options: &[u8]) -> Vec<u8> {
    with_opt(transfer_query(APEX, Some(held)), payload, options)
}

/// The query with an OPT that has these options.
fn with_opt(mut query: Vec<u8>, payload: u16, options: &[u8]) -> Vec<u8> {
    query[11] = 1;
    query.extend([0, 0, 41]);
    query.extend(payload.to_be_bytes());
    query.extend([0, 0, 0, 0, 0, options.len() as u8]);
    query.extend(options);
    query
}

fn cookies(require_cookies: bool) -> answer::Settings {
    let nsid = Text::new("ns1").expect("short");
    answer::Settings {
        cookies: Secrets::new(&[[1; 16]]),
        require_cookies,
        nsid,
        ..answer::Settings::default()
    }
}

/// The COOKIE option as it was answered.
fn cookie_of(response: &[u8]) -> Vec<u8> {
    let at = response.windows(4).position(|four| four == [0, 10, 0, 24]).expect("a cookie");
    response[at..at + 28].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn ixfr_over_udp_had_no_cookie_and_no_nsid() {
    let primary = Primary::start();
    let gate = primary.gate(cookies(false), Rates::default());
    let (made, response) = gate.ask(&ixfr(10, 1232, &[&NSID[..], &COOKIE].concat()));
    assert_eq!(made.cookie, Cookie::Client);
    assert_eq!(message(&response).answers.len(), 10);
    let edns = message(&response).edns.expect("an OPT");
    assert!(edns.option(EdnsCode::NSID).is_some() && edns.option(EdnsCode::Cookie).is_some());
    let (made, _) = gate.ask(&ixfr(10, 1232, &cookie_of(&response)));
    assert_eq!(made.cookie, Cookie::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn ixfr_over_udp_was_answered_without_the_cookie_that_is_required() {
    let primary = Primary::start();
    let gate = primary.gate(cookies(true), Rates::default());
    let (made, response) = gate.ask(&ixfr(10, 1232, &COOKIE));
    assert_eq!((made.rcode, message(&response).answers.len()), (BADCOOKIE, 0));
    let (made, response) = gate.ask(&ixfr(10, 1232, &cookie_of(&response)));
    assert_eq!((made.rcode, message(&response).answers.len()), (0, 10));
    // Who does not speak them is answered (RFC 7873 §5.2.3).
    assert_eq!(gate.records(&ixfr(10, 1232, &[])), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn ixfr_over_udp_was_larger_than_the_ratio_allows() {
    let primary = Primary::start();
    let with = |udp_ratio| answer::Settings { udp_ratio, udp_limit: 4096, ..cookies(false) };
    let query = ixfr(1, 4096, &COOKIE);
    let (made, response) = primary.gate(with(0), Rates::default()).ask(&query);
    assert!(made.len > 512, "{made:?}");
    let gate = primary.gate(with(1), Rates::default());
    assert_eq!(gate.records(&query), 1, "the SOA alone");
    // Whose address is proven gets all.
    assert_eq!(gate.ask(&ixfr(1, 4096, &cookie_of(&response))).0.len, made.len);
}

#[tokio::test(flavor = "multi_thread")]
async fn ixfr_over_udp_is_limited_and_slips() {
    let primary = Primary::start();
    let rates = Rates { alike: 1, slip: 2, exempt: Vec::new(), ..Rates::default() };
    let gate = primary.gate(cookies(false), rates);
    let mut out = [0; 4096];
    let mut ask = |options: &[u8]| match gate.outcome(&ixfr(10, 1232, options), &mut out) {
        Outcome::Answered(made) => Some((made.rcode, made.truncated)),
        Outcome::Unanswered | Outcome::Limited | Outcome::Forwarded(_) => None,
    };
    assert_eq!([ask(&[]), ask(&[]), ask(&[])], [Some((0, false)), None, Some((0, true))]);
    assert_eq!([ask(&COOKIE), ask(&COOKIE)], [None, Some((BADCOOKIE, false))]);
}

/// RFC 8945 §5.3: a signature has room before what may be left out, and nothing is truncated for it.
#[tokio::test(flavor = "multi_thread")]
async fn the_room_of_a_signature_was_not_set_aside() {
    let hosts: Vec<String> = (0..40).map(|n| format!("host{n}.{APEX}")).collect();
    let values: Vec<String> = hosts.iter().map(|host| format!("10 {host}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let content = image(APEX, 1, "192.0.2.1", 40);
    let change = port53_zone::content::Change::Put { rrset: rrset(APEX, Rtype::MX, &values), owner: None };
    let content = content.content().apply(&[change]).expect("applies");
    let primary = Primary::start();
    let image = Image::new(content.content, soa(APEX, 100));
    primary.publisher.put(image).expect("newer");
    let gate = primary.gate(answer::Settings::default(), Rates::default());
    let query = with_opt(query(7, APEX, RecordType::MX), 1232, &[]);
    let (unsigned, response) = gate.ask(&query);
    assert!(unsigned.len > 1232 - 90 && !unsigned.truncated, "{unsigned:?}");
    let unsigned = message(&response);

    let mut query = query;
    let mut signer = Signer::of_query(Arc::new(key()), port53_secondaries::now());
    assert!(signer.sign(&mut query, port53_secondaries::now()));
    let (made, response) = gate.ask(&query);
    assert!(!made.truncated && made.len <= 1232, "{made:?}");
    let signed = message(&response);
    assert!(signed.edns.is_some());
    assert_eq!(signed.answers.len(), unsigned.answers.len());
    assert!(signed.additionals.len() < unsigned.additionals.len());
}

/// RFC 8945 §5.3.1. What is so large keeps the rules of no zone here; that it is never sent is seen all the same.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_99_messages_in_a_row_were_unsigned() {
    let rtype = Rtype::from_int(65_400);
    let value = format!("\\# 65480 {}", "ab".repeat(65_480));
    let large = rrset(&format!("large.{APEX}"), rtype, &[&value]);
    for (count, is_whole) in [(99, true), (100, false)] {
        let mut rrsets = vec![rrset(APEX, Rtype::NS, &[&format!("ns1.{APEX}")])];
        rrsets.extend((0..count).map(|n| {
            let owner = zone_name(&format!("a{n}.{APEX}"));
            port53_zone::RRset::new(owner, rtype, 300, large.values().to_vec())
        }));
        let content = Content::build(zone_name(APEX), [7; 16], rrsets.into_iter().map(|set| (set, None)));
        let publisher = Publisher::new();
        publisher.put(Image::new(content.expect("a content"), soa(APEX, 1))).expect("newer");
        let allow = vec!["key:one.example".parse().expect("an entry")];
        let settings = port53_resolver::transfer::Settings {
            policy: Policy { allow, notify: Vec::new() },
            ..Default::default()
        };
        let transfers = Transfers::new(settings, Keys::new([key()]));
        let mut query = transfer_query(APEX, None);
        let now = port53_secondaries::now();
        assert!(Signer::of_query(Arc::new(key()), now).sign(&mut query, now));
        let asked = Asked::new(Transport::Tcp, CLIENT, 0);
        let zones = publisher.zones().load();
        let answered =
            transfers.answer(&zones, &query, CLIENT, Over::Stream, &mut [0; 4096], |single, out| {
                single.respond(&zones, &answer::Settings::default(), &asked, out)
            });
        let Answered::Transfer(waiting) = answered else { panic!("no transfer") };
        let mut transfer = waiting.enter(&transfers).await;
        let (mut out, mut messages) = (Vec::new(), 0);
        while transfer.next_into(&mut out) {
            messages += 1;
            out.clear();
        }
        assert_eq!(transfer.finish().is_some(), is_whole, "{messages} messages");
        assert_eq!(messages, if is_whole { count + 2 } else { count });
    }
}
