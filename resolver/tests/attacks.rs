//! Attacks by packets, against a running server on loopback. Those of a single packet are tested where answers
//! are made.

mod support;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use port53_resolver::limits::{Answering, Rates};
use port53_resolver::serve::Settings;
use port53_resolver::source::Publisher;
use port53_zone::answer::{self, Secrets};
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use support::*;

const COUNT: usize = 300;

/// At most `alike` responses a second, and nobody exempt.
fn limited(alike: u32, slip: u32) -> Settings {
    let rates = Rates { alike, slip, exempt: Vec::new(), ..Rates::default() };
    let answer = answer::Settings { cookies: Secrets::new(&[[1; 16]]), ..answer::Settings::default() };
    let settings = hasty();
    settings.answering.store(Arc::new(Answering { answer, rates }));
    settings
}

fn publisher() -> Publisher {
    let publisher = Publisher::new();
    publisher.put(image("example.com.", 7, "192.0.2.1", 0)).expect("newer");
    publisher
}

/// A query with a COOKIE option.
fn with_cookie(mut query: Vec<u8>, cookie: &[u8]) -> Vec<u8> {
    query[11] = 1;
    query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4 + cookie.len() as u8]);
    query.extend_from_slice(&[0, 10, 0, cookie.len() as u8]);
    query.extend_from_slice(cookie);
    query
}

/// Sends all from one socket, and counts what comes until the answer to a last query, which has a valid cookie
/// and so is always answered: (answered, TC or BADCOOKIE).
fn flood(server: SocketAddr, queries: &[Vec<u8>]) -> (usize, usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    let cookie = cookie(server);
    let (mut answered, mut short) = (0, 0);
    for query in queries {
        // One at a time, so that no buffer overflows: each is followed by one that must be answered.
        socket.send(query).expect("sends");
        socket
            .send(&with_cookie(support::query(9999, "www.example.com.", RecordType::A), &cookie))
            .expect("sends");
        loop {
            let mut octets = [0; 4096];
            let len = socket.recv(&mut octets).expect("the good client is always answered");
            let message = Message::from_vec(&octets[..len]).expect("a message");
            if message.metadata.id == 9999 {
                assert_eq!((rcode(&message), message.metadata.truncation), (ResponseCode::NoError, false));
                break;
            }
            assert!(len <= query.len() + 64, "no amplification");
            match message.metadata.truncation || rcode(&message) == ResponseCode::BADCOOKIE {
                true => short += 1,
                false => answered += 1,
            }
        }
    }
    (answered, short)
}

/// A whole cookie for our address, fetched over TCP, where nobody is limited.
fn cookie(server: SocketAddr) -> Vec<u8> {
    let mut stream = connect(server);
    let query = with_cookie(query(1, "www.example.com.", RecordType::A), &[7; 8]);
    stream.write_all(&framed(&query)).expect("sends");
    let answer = read_framed(&mut stream).to_vec().expect("encodes");
    let at = answer.windows(4).position(|four| four == [0, 10, 0, 24]).expect("a cookie");
    answer[at + 4..at + 28].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn random_subdomains_are_limited_and_a_client_with_a_cookie_is_not() {
    let server = start(&publisher(), limited(1, 2));
    let address = server.address;
    let done = tokio::task::spawn_blocking(move || {
        let names = (0..COUNT).map(|i| query(i as u16, &format!("x{i}.example.com."), RecordType::A));
        flood(address, &names.collect::<Vec<_>>())
    });
    let (answered, short) = done.await.expect("asked");
    // Whole seconds may pass, each with one more.
    assert!(answered < COUNT / 3, "{answered} answered");
    assert!(short > COUNT / 3, "{short} short");
    let totals = server.traffic.totals(port53_resolver::traffic::Transport::Udp);
    assert_eq!(answered + short + totals.limited as usize, COUNT);
    assert_eq!(totals.slipped as usize, short);
    // TCP is open to whoever is sent there.
    for i in 0..20 {
        let name = format!("y{i}.example.com.");
        let answer =
            tokio::task::spawn_blocking(move || ask_tcp(address, &name, RecordType::A)).await.expect("asked");
        assert_eq!(rcode(&answer), ResponseCode::NXDomain);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_and_refused_floods_are_limited_too() {
    let server = start(&publisher(), limited(1, 0));
    let address = server.address;
    for name in ["example.com.", "elsewhere.test."] {
        let done = tokio::task::spawn_blocking(move || {
            flood(address, &(0..COUNT).map(|i| query(i as u16, name, RecordType::ANY)).collect::<Vec<_>>())
        });
        let (answered, short) = done.await.expect("asked");
        assert!(answered < COUNT / 3, "{name}: {answered} answered");
        assert_eq!(short, 0, "slip is off");
    }
    server.stop().await;
}

/// Who is limited and speaks cookies is given one instead of being sent to TCP (RFC 7873 §5.2.3).
#[tokio::test(flavor = "multi_thread")]
async fn a_limited_client_that_speaks_cookies_gets_one() {
    let server = start(&publisher(), limited(1, 1));
    let address = server.address;
    let done = tokio::task::spawn_blocking(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(address).expect("connects");
        socket.set_read_timeout(Some(PATIENCE)).expect("sets");
        let (mut octets, mut rcodes) = ([0; 4096], Vec::new());
        for i in 0..20 {
            let ask = with_cookie(query(i, "www.example.com.", RecordType::A), &[7; 8]);
            socket.send(&ask).expect("sends");
            let len = socket.recv(&mut octets).expect("an answer");
            rcodes.push(rcode(&Message::from_vec(&octets[..len]).expect("a message")));
        }
        rcodes
    });
    let rcodes = done.await.expect("asked");
    assert_eq!(rcodes[0], ResponseCode::NoError);
    assert!(rcodes.contains(&ResponseCode::BADCOOKIE), "{rcodes:?}");
    server.stop().await;
}

/// Settings that are replaced hold for the next query, without a new thread.
#[tokio::test(flavor = "multi_thread")]
async fn limits_can_be_changed_while_queries_come() {
    let settings = limited(1, 0);
    let shared = settings.answering.clone();
    let server = start(&publisher(), settings);
    let address = server.address;
    let queries: Vec<Vec<u8>> = (0..50).map(|i| query(i, "www.example.com.", RecordType::A)).collect();
    let ask = |queries: Vec<Vec<u8>>| tokio::task::spawn_blocking(move || flood(address, &queries));
    assert!(ask(queries.clone()).await.expect("asked").0 < 25);
    let mut without = shared.load().as_ref().clone();
    without.rates.alike = 0;
    shared.store(Arc::new(without));
    assert_eq!(ask(queries).await.expect("asked").0, 50);
    server.stop().await;
}
