//! Zones that move here: a nameserver that is not cut over answers with what legacy says, over every transport, whatever
//! becomes of legacy. Legacy is another server of ours; beside those that people move from: `tests/tests/forwarding`.

mod support;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use port53_crds::Otherwise;
use port53_resolver::forward::{self, Answerer, Forwarder, Override};
use port53_resolver::limits::{Answering, Rates};
use port53_resolver::serve::{Settings, TcpLimits};
use port53_resolver::source::Publisher;
use port53_resolver::transfer::Transfers;
use port53_secondaries::keys::{Key, Keys};
use port53_secondaries::now;
use port53_secondaries::tsig::Signer;
use port53_store::Forwarding;
use port53_zone::answer::{self, Secrets, Text};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::tls::*;
use support::*;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const OURS: &str = "192.0.2.1";
const LEGACYS: &str = "192.0.2.99";
const BIG: &str = "big.example.com.";

/// A server that serves example.com as legacy has it, with 100 hosts.
fn legacy() -> Server {
    let publisher = Publisher::new();
    publisher.put(image("example.com.", 70, LEGACYS, 100)).expect("new");
    start(&publisher, hasty())
}

fn to(address: SocketAddr) -> Forwarding {
    Forwarding::to(address)
}

/// What is served here, example.com and example.org, and what answers it: ns1, with these settings.
struct Here {
    publisher: Publisher,
    settings: Settings,
}

impl Here {
    fn new(forwarding: Forwarding) -> Self {
        Self::with(forwarding, forward::Settings::default(), answer::Settings::default())
    }

    fn with(forwarding: Forwarding, settings: forward::Settings, answer: answer::Settings) -> Self {
        let publisher = published();
        publisher.put(image("example.org.", 7, OURS, 0)).expect("new");
        publisher.set_forwarding(&zone_name("example.com."), Some(forwarding));
        let answering = Answering { answer, rates: Rates { alike: 0, ..Rates::default() } };
        let answering = Arc::new(arc_swap::ArcSwap::from_pointee(answering));
        let settings = forward::Settings { nameserver: Some("ns1".to_owned()), ..settings };
        let forwarder = Some(Forwarder::start(&publisher, answering.clone(), settings));
        Here { publisher, settings: Settings { answering, forwarder, ..hasty() } }
    }

    fn start(&self) -> Server {
        start(&self.publisher, self.settings.clone())
    }

    /// A number of `/forwarding`, of example.com.
    fn count(&self, path: &str) -> u64 {
        let page = forward::page(&self.publisher);
        let found = page["zones"][0].pointer(path).unwrap_or_else(|| panic!("{path}: {page}"));
        found.as_u64().unwrap_or_else(|| panic!("{path}: {found}"))
    }

    fn forwards(&self, forwarding: Option<Forwarding>) {
        self.publisher.set_forwarding(&zone_name("example.com."), forwarding);
    }
}

/// Nobody answers there; what is sent is swallowed.
fn silent() -> (SocketAddr, UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = tcp.local_addr().expect("bound");
        if let Ok(udp) = UdpSocket::bind(address) {
            udp.set_read_timeout(Some(PATIENCE)).expect("sets");
            return (address, udp, tcp);
        }
    }
}

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    silent().0
}

fn quick(forwarding: Forwarding) -> Forwarding {
    Forwarding { timeout: Duration::from_millis(100), ..forwarding }
}

/// With these octets of options in an OPT of 1232.
fn with_opt(mut query: Vec<u8>, options: &[u8]) -> Vec<u8> {
    query[11] = 1;
    query.extend([0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, options.len() as u8]);
    query.extend(options);
    query
}

/// With every other letter of the first two labels in upper case. Hickory writes names in lower case.
fn in_mixed_case(mut query: Vec<u8>) -> Vec<u8> {
    query[13..24].iter_mut().step_by(2).for_each(|octet| octet.make_ascii_uppercase());
    query
}

fn exchange(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket.send(query).expect("sends");
    let mut answer = vec![0; 65_535];
    let len = socket.recv(&mut answer).expect("an answer");
    answer.truncate(len);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn over_udp_and_tcp_the_client_gets_what_legacy_says() {
    let legacy = legacy();
    let here = Here::new(to(legacy.address));
    let server = here.start();
    for (owner, rtype) in [
        (WWW, RecordType::A),
        ("host7.example.com.", RecordType::A),
        ("none.example.com.", RecordType::A),
        ("example.com.", RecordType::SOA),
        (BIG, RecordType::TXT),
        (WWW, RecordType::ANY),
    ] {
        for query in [query(9, owner, rtype), with_opt(query(9, owner, rtype), &[])] {
            assert_eq!(exchange(server.address, &query), exchange(legacy.address, &query), "{owner} {rtype}");
        }
        let (mut one, mut other) = (connect(server.address), connect(legacy.address));
        for stream in [&mut one, &mut other] {
            stream.write_all(&framed(&query(9, owner, rtype))).expect("sends");
        }
        assert_eq!(read_framed(&mut one), read_framed(&mut other), "{owner} {rtype}");
    }
    // TC of legacy is the client's, and what is not forwarded is answered here.
    assert!(ask_udp(server.address, BIG, RecordType::TXT).metadata.truncation);
    assert_eq!(values(&ask_udp(server.address, "www.example.org.", RecordType::A)), [OURS]);
    assert_eq!(here.count("/answered/legacy"), 6 * 3 + 1);
    assert_eq!(here.count("/answered/port53"), 0);
    eventually("no place is taken", || here.count("/inFlight") == 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_quic_and_https_too() {
    let legacy = legacy();
    let here = Here::new(to(legacy.address));
    let dir = TempDir::new().expect("a directory");
    let pair = issue();
    write(dir.path(), &pair);
    let certificate = Some(certificate_in(dir.path()));
    let server = start_encrypted(&here.publisher, Settings { certificate, ..here.settings.clone() });
    let ca = format!("+tls-ca={}", dir.path().join("tls.crt").display());
    let name = format!("+tls-hostname={NAME}");
    for (how, address) in [("+tls", server.encrypted.tls[0]), ("+https", server.encrypted.https[0])] {
        for (owner, rtype, expected) in [(WWW, "A", 1), (BIG, "TXT", 12)] {
            let to = [format!("@{}", address.ip()), format!("-p{}", address.port())];
            let output =
                Command::new("kdig").args(to).args([how, &ca, &name, "+short", owner, rtype]).output();
            let output = output.expect("kdig, of Debian's package knot-dnsutils");
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text.lines().count(), expected, "{how}: {output:?}");
            assert!(rtype != "A" || text.trim() == LEGACYS, "{how}: {text}");
        }
    }
    // Debian's kdig does not speak QUIC.
    let trusted = pair.cert.der().clone();
    let connection =
        connect_quic(server.encrypted.quic[0], client(&trusted, &["doq"])).await.expect("connects");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(&framed(&query(0, BIG, RecordType::TXT))).await.expect("sends");
    send.finish().expect("ends");
    let octets = receive.read_to_end(70_000).await.expect("an answer");
    assert_eq!(Message::from_vec(&octets[2..]).expect("a message").answers.len(), 12);
    assert_eq!(here.count("/answered/legacy"), 5);
    server.stop().await;
}

/// RFC 7766 §6.2.1.1: a client sends many queries; here answers come in their order, those of legacy among ours.
#[tokio::test(flavor = "multi_thread")]
async fn answers_on_a_connection_keep_the_order_of_their_queries() {
    let legacy = legacy();
    let here = Here::new(to(legacy.address));
    let (settings, trusted) = with_certificate(here.settings.clone());
    let server = start_encrypted(&here.publisher, settings);
    let mut stream = connect_tls(&server, client(&trusted, &["dot"])).await.expect("connects");
    let owner = |id: u16| match id % 3 {
        0 => "www.example.org.".to_owned(),
        1 => format!("host{}.example.com.", id % 100),
        _ => format!("none{id}.example.com."),
    };
    let queries: Vec<u8> = (0..150).flat_map(|id| framed(&query(id, &owner(id), RecordType::A))).collect();
    stream.write_all(&queries).await.expect("sends");
    for id in 0..150 {
        let length = stream.read_u16().await.expect("a length");
        let mut octets = vec![0; usize::from(length)];
        stream.read_exact(&mut octets).await.expect("a message");
        let answer = Message::from_vec(&octets).expect("a message");
        assert_eq!((answer.metadata.id, answer.queries[0].name().to_string()), (id, owner(id)));
        let expected = if id % 3 == 2 { ResponseCode::NXDomain } else { ResponseCode::NoError };
        assert_eq!(rcode(&answer), expected, "{id}");
    }
    server.stop().await;
}

/// `dns-traps.md`, "Moving nameservers": fresh ID and port for each, the client's cookie stripped, OPT rebuilt, no ECS.
#[tokio::test(flavor = "multi_thread")]
async fn what_legacy_is_asked_is_fresh_and_says_nothing_of_the_client() {
    let (address, legacy, _tcp) = silent();
    let here = Here::new(to(address));
    let server = here.start();
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (mut ids, mut ports) = (HashSet::new(), HashSet::new());
    let options =
        [&[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8][..], &[0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100]].concat();
    let mut sent = with_opt(in_mixed_case(query(4711, WWW, RecordType::A)), &options);
    sent[2] |= 1;
    let mut octets = [0; 512];
    for _ in 0..64 {
        client.send_to(&sent, server.address).expect("sends");
        let (len, from) = legacy.recv_from(&mut octets).expect("a query");
        ids.insert([octets[0], octets[1]]);
        ports.insert(from.port());
        let expected = with_opt(in_mixed_case(query(0, WWW, RecordType::A)), &[]);
        // RD is not set, the case is the client's, and DO as it was.
        assert_eq!(octets[2..len], [&[0][..], &expected[3..]].concat());
    }
    assert!(ids.len() > 60 && ports.len() > 60, "{} ids, {} ports", ids.len(), ports.len());
    server.abandon().await;
}

/// What comes from legacy and is no response to what was asked is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_response_to_the_very_question_is_taken() {
    let (address, legacy, _tcp) = silent();
    let here = Here::new(to(address));
    let server = here.start();
    let answering = std::thread::spawn(move || {
        let mut octets = [0; 512];
        let (len, from) = legacy.recv_from(&mut octets).expect("a query");
        let response = |id: u8, case: u8, value: u8| {
            let mut message = octets[..len].to_vec();
            message[1] ^= id;
            message[2] = 0x84;
            message[7] = 1;
            message[13] ^= case;
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, value]);
            message
        };
        for response in [response(1, 0, 66), response(0, 0x20, 66), b"?".to_vec(), response(0, 0, 55)] {
            legacy.send_to(&response, from).expect("sends");
        }
    });
    assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), ["192.0.2.55"]);
    answering.join().expect("no panic");
    server.abandon().await;
}

/// Our cookie, our NSID, the client's ID and case; and nothing is forwarded for who must prove its address first.
#[tokio::test(flavor = "multi_thread")]
async fn the_response_says_of_the_server_what_ours_say() {
    let legacy = legacy();
    let nsid = Text::new("ns1-a").expect("short");
    let settings = answer::Settings {
        cookies: Secrets::new(&[[1; 16]]),
        require_cookies: true,
        nsid,
        ..answer::Settings::default()
    };
    let here = Here::with(to(legacy.address), forward::Settings::default(), settings);
    let server = here.start();
    let cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    let asked = in_mixed_case(query(77, WWW, RecordType::A));
    assert!(asked.windows(3).any(|window| window == b"WwW"));
    let refused = exchange(server.address, &with_opt(asked.clone(), &cookie));
    assert_eq!(rcode(&Message::from_vec(&refused).expect("a message")), ResponseCode::BADCOOKIE);
    assert_eq!(here.count("/answered/legacy"), 0);
    let whole = [&[0, 10, 0, 24][..], &refused[refused.len() - 24..], &[0, 3, 0, 0]].concat();
    let answered = exchange(server.address, &with_opt(asked.clone(), &whole));
    assert_eq!(answered[..2], asked[..2]);
    assert_eq!(answered[12..asked.len()], asked[12..], "the case");
    let message = Message::from_vec(&answered).expect("a message");
    assert_eq!(values(&message), [LEGACYS]);
    let has = |octets: &[u8]| answered.windows(octets.len()).any(|window| window == octets);
    assert!(has(b"\0\x03\0\x05ns1-a") && has(&whole[..28]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_that_is_gone_or_silent_is_answered_for_by_ours() {
    let (address, _udp, _tcp) = silent();
    for (address, why) in [(nowhere(), "/instead/failed"), (address, "/instead/timeout")] {
        let here = Here::new(quick(to(address)));
        let server = here.start();
        for asked in 1..=4 {
            assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [OURS]);
            assert_eq!((here.count(why), here.count("/answered/port53")), (asked, asked));
        }
        assert_eq!(values(&ask_tcp(server.address, WWW, RecordType::A)), [OURS]);
        // It failed five times in a row: nobody waits for it any more.
        assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [OURS]);
        assert!(here.count("/instead/given-up") > 0);
        assert_eq!(forward::page(&here.publisher)["zones"][0]["givenUp"][0], address.to_string());
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_that_comes_back_is_asked_again() {
    let address = nowhere();
    let here = Here::new(quick(to(address)));
    let server = here.start();
    eventually("it is given up", || {
        ask_udp(server.address, WWW, RecordType::A);
        here.count("/instead/given-up") > 0
    });
    let publisher = Publisher::new();
    publisher.put(image("example.com.", 70, LEGACYS, 100)).expect("new");
    let legacy = start_on(&address.to_string(), &publisher, hasty());
    eventually("it answers", || values(&ask_udp(server.address, WWW, RecordType::A)) == [LEGACYS]);
    legacy.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_legacy_last_said_is_told_when_the_zone_wants_it() {
    let legacy = legacy();
    let here = Here::new(Forwarding { otherwise: Otherwise::LastKnown, ..quick(to(legacy.address)) });
    let server = here.start();
    assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [LEGACYS]);
    legacy.stop().await;
    for query in [query(1, WWW, RecordType::A), in_mixed_case(query(2, WWW, RecordType::A))] {
        let answered = exchange(server.address, &query);
        assert_eq!((&answered[..2], &answered[12..query.len()]), (&query[..2], &query[12..]), "ID and case");
        let answer = Message::from_vec(&answered).expect("a message");
        assert_eq!(values(&answer), [LEGACYS]);
        assert!(answer.answers[0].ttl <= 300);
    }
    // What was never asked is answered by ours.
    assert_eq!(values(&ask_udp(server.address, "ns1.example.com.", RecordType::A)), ["192.0.2.53"]);
    assert_eq!(here.count("/answered/last-known"), 2);
    server.stop().await;
}

/// Its second address is asked once half of the time is over, and at once where the first is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_address_answers_for_the_first() {
    let legacy = legacy();
    let (address, _udp, _tcp) = silent();
    for first in [address, nowhere()] {
        let mut forwarding = quick(to(first));
        forwarding.addresses.push(legacy.address);
        forwarding.timeout = Duration::from_secs(1);
        let here = Here::new(forwarding);
        let server = here.start();
        assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [LEGACYS]);
        assert_eq!(values(&ask_tcp(server.address, WWW, RecordType::A)), [LEGACYS]);
        assert_eq!(here.count("/answered/port53"), 0);
        server.stop().await;
    }
}

/// A legacy that no longer has the zone.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_legacy_is_no_answer_unless_there_is_none_here() {
    let legacy = start(&Publisher::new(), hasty());
    let here = Here::new(to(legacy.address));
    let server = here.start();
    assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [OURS]);
    assert_eq!(here.count("/instead/refused"), 1);
    let later = zone_name("later.test.");
    here.publisher.set_forwarding(&later, Some(to(legacy.address)));
    here.publisher.assembling(later);
    assert_eq!(rcode(&ask_udp(server.address, "www.later.test.", RecordType::A)), ResponseCode::Refused);
    server.stop().await;
    legacy.stop().await;
}

/// A zone that is not complete here is complete at legacy.
#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_not_complete_is_answered_by_legacy() {
    let legacy = legacy();
    let publisher = Publisher::new();
    publisher.set_forwarding(&zone_name("example.com."), Some(to(legacy.address)));
    publisher.assembling(zone_name("example.com."));
    let settings = forward::Settings { nameserver: Some("ns1".to_owned()), ..Default::default() };
    let forwarder = Some(Forwarder::start(&publisher, Arc::default(), settings));
    let server = start(&publisher, Settings { forwarder, ..hasty() });
    assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [LEGACYS]);
    server.stop().await;
}

/// Beyond the bound there is an answer still: at once, by what the zone says.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_answered_beyond_the_bound() {
    let (address, _udp, _tcp) = silent();
    let settings = forward::Settings { in_flight: 20, in_flight_zone: 10, ..Default::default() };
    let forwarding = Forwarding { timeout: Duration::from_secs(5), ..to(address) };
    let here = Here::with(forwarding, settings, answer::Settings::default());
    let server = here.start();
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.connect(server.address).expect("connects");
    client.set_read_timeout(Some(PATIENCE)).expect("sets");
    let mut answer = [0; 512];
    for id in 0..10 {
        client.send(&query(id, WWW, RecordType::A)).expect("sends");
    }
    eventually("ten are on their way", || here.count("/inFlight") == 10);
    for id in 100..300 {
        client.send(&query(id, WWW, RecordType::A)).expect("sends");
        let len = client.recv(&mut answer).expect("an answer");
        let message = Message::from_vec(&answer[..len]).expect("a message");
        assert_eq!((message.metadata.id, values(&message)), (id, vec![OURS.to_owned()]));
    }
    assert_eq!(values(&ask_tcp(server.address, WWW, RecordType::A)), [OURS], "as over TCP");
    assert_eq!((here.count("/instead/full"), here.count("/inFlight")), (201, 10));
    server.abandon().await;
}

/// Bound to every address, it answers from the one that was asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_answer_comes_from_the_address_that_was_asked() {
    let legacy = legacy();
    let here = Here::new(to(legacy.address));
    let server = start_on("0.0.0.0:0", &here.publisher, here.settings.clone());
    for asked in ["127.0.0.1", "127.0.0.2", "127.0.0.53"] {
        let address = SocketAddr::new(asked.parse().expect("an address"), server.address.port());
        // Connected: from any other it would not be seen.
        assert_eq!(values(&ask_udp(address, WWW, RecordType::A)), [LEGACYS]);
    }
    server.stop().await;
}

/// The limits hold before anything is forwarded: legacy has no part in a flood.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_limited_is_not_forwarded() {
    let legacy = legacy();
    let here = Here::new(to(legacy.address));
    let rates = Rates { alike: 1, slip: 1, exempt: Vec::new(), ..Rates::default() };
    here.settings.answering.store(Arc::new(Answering { rates, ..Answering::default() }));
    let server = here.start();
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.connect(server.address).expect("connects");
    client.set_read_timeout(Some(PATIENCE)).expect("sets");
    let mut truncated = 0;
    for id in 0..40 {
        client.send(&query(id, WWW, RecordType::A)).expect("sends");
        let mut answer = [0; 512];
        let len = client.recv(&mut answer).expect("an answer");
        let answer = Message::from_vec(&answer[..len]).expect("a message");
        truncated += u64::from(answer.metadata.truncation && answer.answers.is_empty());
    }
    assert!(truncated > 0);
    assert_eq!(here.count("/answered/legacy"), 40 - truncated);
    server.stop().await;
}

/// Cut over, back, cut over: with the next query, and none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_nameservers_are_cut_over_and_back() {
    let legacy = legacy();
    let here = Here::new(to(legacy.address));
    let server = here.start();
    let ends = Arc::new(AtomicBool::new(false));
    let (address, end) = (server.address, ends.clone());
    // One that never asks again.
    let asking = std::thread::spawn(move || {
        let mut seen = [0u64; 2];
        while !end.load(Ordering::Relaxed) {
            let answer = values(&ask_udp(address, WWW, RecordType::A));
            match &answer[..] {
                [value] if value == OURS => seen[0] += 1,
                [value] if value == LEGACYS => seen[1] += 1,
                other => panic!("{other:?}"),
            }
        }
        seen
    });
    let cut_over = |names: &[&str]| {
        let cut_over = names.iter().map(|name| (*name).to_owned()).collect();
        here.forwards(Some(Forwarding { cut_over, ..to(legacy.address) }));
    };
    for _ in 0..20 {
        for (names, expected) in
            [(&["ns1"][..], OURS), (&["ns2"], LEGACYS), (&["ns2", "ns1"], OURS), (&[], LEGACYS)]
        {
            cut_over(names);
            assert_eq!(values(&ask_udp(address, WWW, RecordType::A)), [expected]);
        }
    }
    here.forwards(None);
    assert_eq!(values(&ask_udp(address, WWW, RecordType::A)), [OURS]);
    ends.store(true, Ordering::Relaxed);
    let [ours, legacys] = asking.join().expect("none is lost or wrong");
    assert!(ours > 0 && legacys > 0, "{ours} {legacys}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_override_decides_whatever_the_head_says() {
    let legacy = legacy();
    let here = Here::new(Forwarding { cut_over: vec!["ns1".to_owned()], ..to(legacy.address) });
    let server = here.start();
    let says = |expected: &str| assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [expected]);
    says(OURS);
    let mut over = Override::default();
    over.set(None, Some(Answerer::Legacy));
    here.publisher.set_override(over.clone());
    says(LEGACYS);
    assert_eq!(
        values(&ask_udp(server.address, "www.example.org.", RecordType::A)),
        [OURS],
        "it has no legacy"
    );
    here.forwards(Some(to(legacy.address)));
    over.set(Some(zone_name("example.com.")), Some(Answerer::Port53));
    here.publisher.set_override(over);
    says(OURS);
    here.publisher.set_override(Override::default());
    says(LEGACYS);
    server.stop().await;
}

/// By the EDNS option 65053, or signed with a key of ours.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_what_is_here_is_told() {
    let legacy = legacy();
    let mut here = Here::new(to(legacy.address));
    let key = || Key::parse("one.example", "hmac-sha256:c2VjcmV0IG9mIGJvdGg=").expect("a key");
    here.settings.transfers =
        Arc::new(Transfers::new(port53_resolver::transfer::Settings::default(), Keys::new([key()])));
    let server = here.start();
    let plain = query(1, WWW, RecordType::A);
    let answer =
        |query: &[u8]| values(&Message::from_vec(&exchange(server.address, query)).expect("a message"));
    assert_eq!(answer(&plain), [LEGACYS]);
    assert_eq!(answer(&with_opt(plain.clone(), &[0xfe, 0x1d, 0, 0])), [OURS]);
    let mut signed = plain.clone();
    Signer::of_query(Arc::new(key()), now()).sign(&mut signed, now());
    assert_eq!(answer(&signed), [OURS]);
    assert_eq!(here.count("/answered/legacy"), 1);
    server.stop().await;
}

/// Shadow: counted by kind, with samples, after the client has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compared_and_differences_kept() {
    let legacy = legacy();
    let here = Here::new(Forwarding { compare: true, ..to(legacy.address) });
    let server = here.start();
    for _ in 0..3 {
        assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [LEGACYS]);
    }
    ask_udp(server.address, "host7.example.com.", RecordType::A);
    ask_udp(server.address, "ns1.example.com.", RecordType::A);
    ask_udp(server.address, "none.example.com.", RecordType::A);
    // Which is each system's own.
    ask_udp(server.address, "example.com.", RecordType::SOA);
    ask_tcp(server.address, BIG, RecordType::TXT);
    ask_udp(server.address, BIG, RecordType::TXT);
    ask_udp(server.address, "example.com.", RecordType::NS);
    ask_udp(server.address, WWW, RecordType::ANY);
    let compared = || here.count("/compared/same") + here.count("/compared/differing");
    eventually("seven comparisons", || compared() == 7);
    assert_eq!(here.count("/compared/differing"), 4);
    assert_eq!((here.count("/differences/answer"), here.count("/differences/rcode")), (4, 1));
    for why in ["truncated", "apex-ns", "apex-soa", "any"] {
        assert_eq!(here.count(&format!("/notCompared/{why}")), 1, "{why}");
    }
    let page = forward::page(&here.publisher);
    let samples = page["zones"][0]["samples"].as_array().expect("samples");
    assert_eq!(samples.len(), 4);
    // Of each kind the newest: a name that is missing here, and an address that is another.
    assert_eq!(samples[0]["question"], "host7.example.com. A");
    assert_eq!(samples[0]["differences"], serde_json::json!(["rcode", "answer", "negative"]));
    assert_eq!(samples[1]["question"], "www.example.com. A");
    assert_eq!(samples[1]["legacy"], format!("rcode 0 aa\nanswer www.example.com. 300 A {LEGACYS}"));
    assert_eq!(samples[1]["port53"], format!("rcode 0 aa\nanswer www.example.com. 300 A {OURS}"));
    assert_eq!((here.count("/legacy/answers"), here.count("/answered/legacy")), (11, 11));
    server.stop().await;
}

/// A client that goes while its query is on its way leaves no place taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_leaves_no_place_taken() {
    let (address, _udp, _tcp) = silent();
    let here = Here::new(Forwarding { timeout: Duration::from_secs(5), ..to(address) });
    let limits = TcpLimits { connections: caps(1, 1), ..TcpLimits::default() };
    let server = start(&here.publisher, Settings { tcp: limits, ..here.settings.clone() });
    let mut first = connect(server.address);
    first.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
    eventually("it is on its way", || here.count("/inFlight") == 1);
    // The one place for connections goes to the next.
    let _second = connect(server.address);
    assert_eq!(first.read(&mut [0; 2]).unwrap_or_default(), 0);
    eventually("its place is free", || here.count("/inFlight") == 0);
    server.abandon().await;
}
