//! The kinds of attack. Each is a thread or two that do one thing until their time is up.

use super::APEX;
use port53_tests::generate::Random;
use port53_zone::name;
use std::fmt;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Sockets of an attack that comes from many addresses.
const SOURCES: usize = 250;
/// Connections that a hoard opens at most.
const HOARD: usize = 4_000;
/// Packets or connections of one attack at most.
const MOST: u64 = 50_000_000;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attack {
    RandomSubdomains(From),
    Any(From),
    Large(From),
    Malformed(From),
    ManySources,
    Connections,
    SlowWriters,
    SlowReaders,
    Handshakes,
}

/// Where an attack comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum From {
    /// The /24 of the client that behaves.
    ItsPrefix,
    /// Another.
    Elsewhere,
}

impl Attack {
    pub(crate) const ALL: [Attack; 13] = [
        Attack::RandomSubdomains(From::ItsPrefix),
        Attack::RandomSubdomains(From::Elsewhere),
        Attack::Any(From::ItsPrefix),
        Attack::Any(From::Elsewhere),
        Attack::Large(From::ItsPrefix),
        Attack::Large(From::Elsewhere),
        Attack::Malformed(From::ItsPrefix),
        Attack::Malformed(From::Elsewhere),
        Attack::ManySources,
        Attack::Connections,
        Attack::SlowWriters,
        Attack::SlowReaders,
        Attack::Handshakes,
    ];
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attack::RandomSubdomains(from) => write!(f, "random subdomains, {from}"),
            Attack::Any(from) => write!(f, "ANY of the apex, {from}"),
            Attack::Large(from) => write!(f, "a large TXT, {from}"),
            Attack::Malformed(from) => write!(f, "malformed packets, {from}"),
            Attack::ManySources => write!(f, "random subdomains from {SOURCES} networks"),
            Attack::Connections => write!(f, "connections that say nothing"),
            Attack::SlowWriters => write!(f, "queries octet by octet"),
            Attack::SlowReaders => write!(f, "answers that are never read"),
            Attack::Handshakes => write!(f, "TLS handshakes begun and left"),
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            From::ItsPrefix => "from the client's /24",
            From::Elsewhere => "from another /24",
        })
    }
}

impl From {
    fn address(self, number: u8) -> Ipv4Addr {
        match self {
            From::ItsPrefix => Ipv4Addr::new(127, 0, 1, number.max(2)),
            From::Elsewhere => Ipv4Addr::new(127, 66, 6, number.max(2)),
        }
    }
}

/// Threads at their work.
pub(crate) struct Attackers {
    threads: Vec<JoinHandle<()>>,
    work: Arc<Work>,
}

struct Work {
    server: SocketAddr,
    /// Where it speaks TLS.
    tls: SocketAddr,
    until: Instant,
    is_over: AtomicBool,
    sent: AtomicU64,
}

/// Begins an attack that lasts a little longer than `lasts`.
pub(crate) fn start(attack: Attack, server: SocketAddr, tls: SocketAddr, lasts: Duration) -> Attackers {
    let until = Instant::now() + lasts + Duration::from_millis(200);
    let work =
        Arc::new(Work { server, tls, until, is_over: AtomicBool::new(false), sent: AtomicU64::new(0) });
    let threads = (0..2).map(|number| {
        let work = work.clone();
        std::thread::spawn(move || work.attack(attack, number))
    });
    Attackers { threads: threads.collect(), work: work.clone() }
}

impl Attackers {
    /// Ends it. Returns how many packets or connections there were.
    pub(crate) fn end(self) -> u64 {
        self.work.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // One that could not go on has said so.
            let _ = thread.join();
        }
        self.work.sent.load(Ordering::Relaxed)
    }
}

impl Work {
    fn attack(&self, attack: Attack, thread: u8) {
        let done = match attack {
            Attack::RandomSubdomains(from) => self.packets(&[from.address(2 + thread)], random_subdomain),
            Attack::Any(from) => self.packets(&[from.address(2 + thread)], |_| question(APEX, 255)),
            Attack::Large(from) => {
                self.packets(&[from.address(2 + thread)], |_| question(&format!("large.{APEX}"), 16))
            }
            Attack::Malformed(from) => self.packets(&[from.address(2 + thread)], malformed),
            Attack::ManySources => {
                let sources: Vec<Ipv4Addr> =
                    (0..SOURCES as u8).map(|number| Ipv4Addr::new(127, 100 + thread, number, 9)).collect();
                self.packets(&sources, random_subdomain)
            }
            Attack::Connections => self.connections(self.server, thread, |_| Ok(()), |_| Ok(())),
            Attack::SlowWriters => {
                let octet = |stream: &mut TcpStream| stream.write_all(&[0]);
                self.connections(self.server, thread, octet, octet)
            }
            Attack::SlowReaders => self.connections(self.server, thread, fill, fill),
            Attack::Handshakes => client_hello().and_then(|hello| {
                let begin = |stream: &mut TcpStream| stream.write_all(&hello);
                self.connections(self.tls, thread, begin, leave_when_answered)
            }),
        };
        if let Err(error) = done {
            eprintln!("{attack}: {error}");
        }
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
            && Instant::now() < self.until
            && self.sent.load(Ordering::Relaxed) < MOST
    }

    /// Sends packets as fast as they go, and reads none of the answers.
    fn packets(&self, sources: &[Ipv4Addr], make: impl Fn(u64) -> Vec<u8>) -> std::io::Result<()> {
        let sockets: Vec<UdpSocket> =
            sources.iter().map(|address| UdpSocket::bind((*address, 0))).collect::<Result<_, _>>()?;
        let mut number: u64 = 0;
        while self.goes_on() {
            for _ in 0..64 {
                number += 1;
                let socket = &sockets[number as usize % sockets.len()];
                // A full queue is the point.
                let _ = socket.send_to(&make(number), self.server);
            }
            self.sent.fetch_add(64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Opens connections to `server`, does `first` on each and then `more` again and again, and opens those anew that
    /// were closed.
    fn connections(
        &self,
        server: SocketAddr,
        thread: u8,
        first: impl Fn(&mut TcpStream) -> std::io::Result<()>,
        more: impl Fn(&mut TcpStream) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let mut open: Vec<TcpStream> = Vec::new();
        while self.goes_on() {
            if open.len() < HOARD / 2
                && let Ok(mut stream) = self.connect(server, thread, open.len())
            {
                self.sent.fetch_add(1, Ordering::Relaxed);
                let _ = first(&mut stream);
                open.push(stream);
            }
            let length = open.len();
            if length > 0 {
                let place = self.sent.load(Ordering::Relaxed) as usize % length;
                let is_closed = matches!(
                    more(&mut open[place]),
                    Err(error) if error.kind() != ErrorKind::WouldBlock
                );
                if is_closed {
                    open.swap_remove(place);
                }
            }
        }
        Ok(())
    }

    /// From an address for each 200, so that they are as many as a botnet's.
    fn connect(&self, server: SocketAddr, thread: u8, number: usize) -> std::io::Result<TcpStream> {
        let from = Ipv4Addr::new(127, 120 + thread, (number / 200) as u8, 1);
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect_timeout(&server.into(), Duration::from_millis(100))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

/// What a client of TLS says first: answering it costs the server a key exchange and a signature.
fn client_hello() -> std::io::Result<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("dns.flood.test").map_err(std::io::Error::other)?;
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello)?;
    Ok(hello)
}

/// The server has done its part.
fn leave_when_answered(stream: &mut TcpStream) -> std::io::Result<()> {
    match stream.peek(&mut [0])? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Err(ErrorKind::ConnectionAborted.into()),
    }
}

/// Queries until nothing more can be written.
fn fill(stream: &mut TcpStream) -> std::io::Result<()> {
    let query = question(&format!("large.{APEX}"), 16);
    let framed = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
    stream.write(&framed.repeat(100)).map(drop)
}

fn question(owner: &str, rtype: u16) -> Vec<u8> {
    let mut message = vec![0x53, 0x53, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let owner = name::parse_absolute(owner).map(|name| name.as_slice().to_vec());
    message.extend_from_slice(&owner.unwrap_or_default());
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
    message
}

fn random_subdomain(number: u64) -> Vec<u8> {
    question(&format!("{:x}.{APEX}", Random(number).next()), 1)
}

/// A question of which some octets are others, or missing.
fn malformed(number: u64) -> Vec<u8> {
    let mut message = question(&format!("host-1.{APEX}"), 1);
    let mut chance = Random(number).next();
    for _ in 0..1 + chance % 4 {
        let length = message.len() as u64;
        message[(chance % length) as usize] = (chance >> 32) as u8;
        chance = Random(chance).next();
    }
    if chance.is_multiple_of(3) {
        message.truncate((chance >> 8) as usize % message.len());
    }
    message
}
