//! What the tests of the resolver share: zones, a running server, a client that asks over real sockets.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part of it")]

pub mod tls;
pub mod transfers;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name as HickoryName, RecordType};
use port53_resolver::serve::{
    self, Caps, Drain, Encrypted, Ended, Listeners, ServeError, Settings, TcpLimits,
};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::Traffic;
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::rdata::parse_value;
use port53_zone::{Name, RRset, Rtype, Soa, name};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A name that [`published`] has an address for.
pub const WWW: &str = "www.example.com.";

/// Longer than anything here takes; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What is served by most tests: the zone example.com.
pub fn published() -> Publisher {
    let publisher = Publisher::new();
    publisher.put(image("example.com.", 7, "192.0.2.1", 0)).expect("new");
    publisher
}

/// Settings with these limits on connections.
pub fn limits(tcp: TcpLimits) -> Settings {
    Settings { tcp, ..hasty() }
}

pub fn zone_name(text: &str) -> Name {
    name::parse_absolute(text).expect("a name")
}

pub fn soa(apex: &str, serial: u32) -> Soa {
    Soa {
        primary: zone_name(&format!("ns1.{apex}")),
        contact: zone_name(&format!("hostmaster.{apex}")),
        serial,
        refresh: 3600,
        retry: 600,
        expire: 604_800,
        minimum: 300,
        ttl: 3600,
    }
}

pub fn rrset(owner: &str, rtype: Rtype, values: &[&str]) -> RRset {
    let values = values.iter().map(|value| parse_value(rtype, value).expect("a value"));
    RRset::new(zone_name(owner), rtype, 300, values)
}

/// A zone with NS, `www` A, `big` TXT of about 3,000 octets, and `hosts` further names.
pub fn image(apex: &str, serial: u32, www: &str, hosts: usize) -> Image {
    let text = format!("\"{}\"", "x".repeat(250));
    let big: Vec<String> = (0..12).map(|n| format!("\"{n}\" {text}")).collect();
    let big: Vec<&str> = big.iter().map(String::as_str).collect();
    let mut rrsets = vec![
        rrset(apex, Rtype::NS, &[&format!("ns1.{apex}")]),
        rrset(&format!("ns1.{apex}"), Rtype::A, &["192.0.2.53"]),
        rrset(&format!("www.{apex}"), Rtype::A, &[www]),
        rrset(&format!("big.{apex}"), Rtype::TXT, &big),
    ];
    rrsets.extend((0..hosts).map(|n| rrset(&format!("host{n}.{apex}"), Rtype::A, &["198.51.100.7"])));
    let content = Content::build(zone_name(apex), [7; 16], rrsets.into_iter().map(|rrset| (rrset, None)))
        .expect("a content");
    Image::new(content, soa(apex, serial))
}

pub struct Server {
    pub address: SocketAddr,
    pub encrypted: Encrypted,
    pub traffic: Arc<Traffic>,
    pub leave: CancellationToken,
    pub task: JoinHandle<Result<Ended, ServeError>>,
}

/// Starts serving what `publisher` has on a free port of loopback.
pub fn start(publisher: &Publisher, settings: Settings) -> Server {
    start_on("127.0.0.1:0", publisher, settings)
}

pub fn start_on(address: &str, publisher: &Publisher, settings: Settings) -> Server {
    let listeners = Listeners::bind(&[address.parse().expect("an address")], 2).expect("a free port");
    run(listeners, publisher, settings)
}

/// With the encrypted transports, each on a free port.
pub fn start_encrypted(publisher: &Publisher, settings: Settings) -> Server {
    let any = || vec!["127.0.0.1:0".parse().expect("an address")];
    let encrypted = Encrypted { tls: any(), quic: any(), https: any() };
    let listeners = Listeners::bind(&any(), 1).expect("a free port");
    run(listeners.bind_encrypted(&encrypted).expect("free ports"), publisher, settings)
}

fn run(listeners: Listeners, publisher: &Publisher, settings: Settings) -> Server {
    let (address, encrypted) = (listeners.addresses()[0], listeners.encrypted());
    let traffic = Arc::new(Traffic::default());
    let leave = CancellationToken::new();
    let run = serve::run(listeners, publisher.zones(), settings, traffic.clone(), leave.clone());
    Server { address, encrypted, traffic, leave, task: tokio::spawn(run) }
}

/// Leaves at once when told to.
pub fn hasty() -> Settings {
    Settings {
        drain: Drain { quiet: Duration::ZERO, most: Duration::ZERO, ..Drain::default() },
        ..Settings::default()
    }
}

/// So many connections, and so many from one address.
pub fn caps(all: usize, prefix: usize) -> Caps {
    Caps { all, prefix, prefix_v4: 32, prefix_v6: 56 }
}

impl Server {
    /// Ends it without leaving gracefully.
    pub async fn abandon(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|ended| ended.is_cancelled()), "it was still running");
    }

    pub async fn stop(self) -> Ended {
        self.leave.cancel();
        self.task.await.expect("no panic").expect("served")
    }
}

pub fn query(id: u16, owner: &str, rtype: RecordType) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(HickoryName::from_str(owner).expect("a name"), rtype));
    message.to_vec().expect("encodes")
}

pub fn ask_udp(server: SocketAddr, owner: &str, rtype: RecordType) -> Message {
    let socket = UdpSocket::bind((unspecified(server), 0)).expect("a socket");
    socket.connect(server).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket.send(&query(4711, owner, rtype)).expect("sends");
    let mut answer = [0; 65_535];
    let len = socket.recv(&mut answer).expect("an answer");
    let message = Message::from_vec(&answer[..len]).expect("a message");
    assert_eq!(message.metadata.id, 4711);
    message
}

fn unspecified(server: SocketAddr) -> &'static str {
    if server.is_ipv4() { "0.0.0.0" } else { "::" }
}

pub fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("sets");
    stream
}

/// From an address of loopback other than the usual.
pub fn connect_from(source: &str, server: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::for_address(server), socket2::Type::STREAM, None)
        .expect("a socket");
    let source: std::net::IpAddr = source.parse().expect("an address");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("binds");
    socket.connect(&server.into()).expect("connects");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("sets");
    stream
}

pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = u16::try_from(message.len()).expect("short").to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    framed
}

pub fn read_framed(stream: &mut TcpStream) -> Message {
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a length");
    let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut octets).expect("a message");
    Message::from_vec(&octets).expect("a message")
}

pub fn ask_tcp(server: SocketAddr, owner: &str, rtype: RecordType) -> Message {
    let mut stream = connect(server);
    stream.write_all(&framed(&query(1, owner, rtype))).expect("sends");
    read_framed(&mut stream)
}

pub fn rcode(message: &Message) -> ResponseCode {
    message.metadata.response_code
}

/// The values of the answer section as text, sorted.
pub fn values(message: &Message) -> Vec<String> {
    let mut values: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
    values.sort();
    values
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "never came: {what}");
        std::thread::yield_now();
    }
}
