//! UDP: a thread and a socket each, which share nothing while they answer.
//!
//! A thread takes what has come ([`super::batch`]), answers each of it in its own buffer, and hands all answers
//! to the system. For a query there is no allocation, no lock, no log line and no system call but these two,
//! which many share. The clock is read three times a batch, and the zones are loaded once.
//!
//! While a batch is answered the thread holds what is served then, by the guard of an [`ArcSwap`], and gives it
//! back before it sends. It never frees it: who replaces what is served keeps the old version until nobody
//! else has it ([`crate::source`]), so that freeing a million names costs no query its time.
//!
//! What comes from a trusted proxy begins with a header that says who asks ([`super::proxy`]): that one is who is
//! limited, and the answer goes to the proxy, without a header, as load balancers expect it.
//!
//! A query of a zone that forwards is handed to a task ([`crate::forward`]), which answers it by the same socket and
//! from the same address ([`super::datagram`]).
//!
//! Not answered is what can only make a loop: what comes from a port that no resolver has, or from an address
//! that we answer on ourselves.

use super::batch::{Batch, Received, Wait};
use super::datagram::Datagram;
use super::proxy;
use crate::forward::Forwarder;
use crate::limits::{self, Gate, Outcome};
use crate::traffic;
use crate::transfer::Transfers;
use arc_swap::ArcSwap;
use port53_zone::answer::{self, Asked};
use port53_zone::image::{Forward, Zones};
use port53_zone::prefix::Prefix;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a thread sleeps at most before it looks whether it shall stop.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long a batch waits at most for room to send.
const ROOM_TO_SEND: Duration = Duration::from_millis(10);
/// Pause after an error of the system that says nothing about a packet, so that it is not a busy loop.
const PAUSE: Duration = Duration::from_millis(10);
/// Batches already in the queue of the socket that are still answered when the time to leave has come.
const LAST_BATCHES: usize = 1_000;
/// From so many datagrams on, reading for all of them before is worth its time.
const WORTH_WARMING: usize = 8;
/// Larger than any response that the settings allow over UDP.
const RESPONSE: usize = 4096;
/// Ports from which no resolver asks: none, echo, chargen. Answering them makes loops.
const BAD_PORTS: [u16; 3] = [0, 7, 19];

/// One thread's work.
pub(super) struct Worker {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    zones: Arc<ArcSwap<Zones>>,
    proxies: Vec<Prefix>,
    gate: Gate,
    counters: Arc<traffic::Worker>,
    stop: Arc<AtomicBool>,
    forwarding: Option<Forwarding>,
}

/// Who forwards, and the counters of what is.
pub(super) struct Forwarding {
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) counters: Arc<traffic::Worker>,
}

impl Worker {
    #[expect(clippy::too_many_arguments, reason = "one place that gives a thread all that it has, private")]
    pub(super) fn new(
        socket: UdpSocket,
        zones: Arc<ArcSwap<Zones>>,
        answering: limits::Shared,
        transfers: Arc<Transfers>,
        proxies: Vec<Prefix>,
        counters: Arc<traffic::Worker>,
        stop: Arc<AtomicBool>,
        forwarding: Option<Forwarding>,
    ) -> io::Result<Self> {
        socket.set_read_timeout(Some(LOOK_UP))?;
        socket.set_write_timeout(Some(ROOM_TO_SEND))?;
        let address = socket.local_addr()?;
        let gate = Gate::new(answering, transfers, counters.clone()).may_forward(forwarding.is_some());
        let socket = Arc::new(socket);
        Ok(Worker { socket, address, zones, proxies, gate, counters, stop, forwarding })
    }

    /// Answers until told to stop. A panic costs one packet.
    pub(super) fn run(self) {
        let mut batch = Batch::new(RESPONSE, self.address.ip().is_unspecified());
        while catch_unwind(AssertUnwindSafe(|| self.answer_until_stopped(&mut batch))).is_err() {
            self.counters.panicked();
            tracing::error!("answering a UDP query panicked: this is a bug, please report it");
        }
    }

    fn answer_until_stopped(&self, batch: &mut Batch) {
        // What a panic left over.
        self.answer(batch, 0);
        while !self.stop.load(Ordering::Acquire) {
            self.answer_next(batch, Wait::ForOne);
        }
        (0..LAST_BATCHES).take_while(|_| self.answer_next(batch, Wait::No)).for_each(drop);
    }

    /// Answers one batch. Says whether there may be more.
    fn answer_next(&self, batch: &mut Batch, wait: Wait) -> bool {
        match batch.receive(&self.socket, wait) {
            Ok(received) => {
                self.counters.received_together(received);
                self.answer(batch, received);
                true
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => false,
                ErrorKind::Interrupted => true,
                // An earlier answer could not be delivered, which is not our concern.
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    true
                }
                _ => {
                    std::thread::sleep(PAUSE);
                    true
                }
            },
        }
    }

    /// Answers what is in the batch, of which so many have just come.
    fn answer(&self, batch: &mut Batch, received: usize) {
        let begun = Instant::now();
        let (zones, now) = (self.zones.load(), limits::milliseconds());
        if received >= WORTH_WARMING && zones.has_large() {
            answer::warm(&zones, batch.queries());
        }
        batch.answer(|received, out| self.respond(&zones, now, received, out));
        drop(zones);
        let sent = batch.send(&self.socket);
        self.counters.sent(sent.sent + sent.failed, sent.failed, begun.elapsed());
    }

    fn respond(&self, zones: &Zones, now: u64, received: &Received<'_>, out: &mut [u8]) -> Option<usize> {
        let Some((client, query)) = self.asked_by(received) else {
            self.counters.bad_source();
            return None;
        };
        match self.gate.answer(zones, client.ip(), now, query, out) {
            Outcome::Limited => None,
            Outcome::Unanswered => {
                self.counters.unanswered();
                None
            }
            Outcome::Answered(made) => {
                self.counters.made(made.qtype, made.rcode, made.truncated);
                Some(made.len)
            }
            Outcome::Forwarded(forward) => {
                self.forward(Asking { forward, client: client.ip(), now, query }, received, out)
            }
        }
    }

    /// Hands a query to a task that answers it, or answers it itself when there is no room for one more.
    fn forward(&self, asking: Asking<'_>, received: &Received<'_>, out: &mut [u8]) -> Option<usize> {
        let Forwarding { forwarder, counters } = self.forwarding.as_ref()?;
        let Asking { forward, client, now, query } = asking;
        let asked = Asked::new(answer::Transport::Udp, client, now);
        if let Some(place) = forwarder.enter(forward) {
            let datagram = Datagram {
                socket: self.socket.clone(),
                client: received.from,
                from: received.asked,
                asked,
                query: query.into(),
                counters: counters.clone(),
            };
            forwarder.runtime().spawn(datagram.answer(place));
            return None;
        }
        let made = forwarder.without_place(forward, &asked, query, out)?;
        self.counters.made(made.qtype, made.rcode, made.truncated);
        Some(made.len)
    }

    /// Who asks, and what. `None` when nobody is to be answered.
    fn asked_by<'a>(&self, received: &Received<'a>) -> Option<(SocketAddr, &'a [u8])> {
        let is_good = |client: &SocketAddr| !BAD_PORTS.contains(&client.port());
        if !is_good(&received.from) || self.is_ours(received) {
            return None;
        }
        if !self.proxies.iter().any(|prefix| prefix.holds(received.from.ip())) {
            return Some((received.from, received.octets));
        }
        // One that may name anyone and names nobody is not guessed at.
        let header = proxy::parse(received.octets).ok()?;
        let client = header.client.unwrap_or(received.from);
        is_good(&client).then_some((client, received.octets.get(header.len..)?))
    }

    /// Whether it seems to come from this very socket.
    fn is_ours(&self, received: &Received<'_>) -> bool {
        received.from.port() == self.address.port()
            && received.from.ip() == received.asked.unwrap_or(self.address.ip())
    }
}

/// A query to be forwarded.
struct Asking<'a> {
    forward: Forward,
    client: IpAddr,
    now: u64,
    query: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Traffic, Transport};

    const QUERY: &[u8] =
        b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00\x01";

    /// Whether `from` gets an answer of a socket bound to `bound`, when it asked at `asked`.
    fn answered(bound: &str, asked: Option<&str>, from: impl Fn(u16) -> String) -> bool {
        answered_to(QUERY, bound, asked, from)
    }

    fn answered_to(octets: &[u8], bound: &str, asked: Option<&str>, from: impl Fn(u16) -> String) -> bool {
        let socket = UdpSocket::bind(bound).expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        let traffic = Traffic::default();
        let worker = Worker::new(
            socket,
            Arc::default(),
            limits::Shared::default(),
            Arc::default(),
            vec!["198.51.100.0/24".parse().expect("a prefix")],
            traffic.worker(Transport::Udp),
            Arc::default(),
            None,
        )
        .expect("a socket that can be set");
        let received = Received {
            octets,
            is_cut: false,
            from: from(port).parse().expect("an address"),
            asked: asked.map(|asked| asked.parse().expect("an address")),
        };
        let answered = worker.respond(&Zones::default(), 0, &received, &mut [0; 512]).is_some();
        assert_eq!(traffic.totals(Transport::Udp).bad_source, u64::from(!answered));
        answered
    }

    #[test]
    fn no_answer_goes_to_ports_that_answer_everything() {
        for port in [0, 7, 19] {
            assert!(!answered("127.0.0.1:0", None, |_| format!("192.0.2.1:{port}")));
        }
        for port in [1, 53, 1024, 65_535] {
            assert!(answered("127.0.0.1:0", None, |_| format!("192.0.2.1:{port}")));
        }
    }

    /// A trusted proxy says who asks, and does not go without; nobody else may say so.
    #[test]
    fn behind_a_proxy_the_client_is_who_it_names() {
        let header = |port: u16, command: u8| {
            let ports = [port.to_be_bytes(), 53_u16.to_be_bytes()].concat();
            let addresses = [&[192, 0, 2, 7, 198, 51, 100, 1][..], &ports].concat();
            [b"\r\n\r\n\0\r\nQUIT\n", &[command, 0x12, 0, 12][..], &addresses, QUERY].concat()
        };
        let from_proxy =
            |octets: &[u8]| answered_to(octets, "127.0.0.1:0", None, |_| "198.51.100.1:4000".into());
        assert!(from_proxy(&header(4660, 0x21)));
        assert!(from_proxy(&header(4660, 0x20)), "it looks whether we are here");
        assert!(!from_proxy(QUERY), "no header");
        assert!(!from_proxy(&header(4660, 0x21)[..20]), "half a header");
        assert!(!from_proxy(&header(7, 0x21)), "a client that answers everything");
        // From others it is a message as any other: of an opcode that is not implemented.
        assert!(answered_to(&header(4660, 0x21), "127.0.0.1:0", None, |_| "192.0.2.9:4000".into()));
    }

    #[test]
    fn no_answer_goes_to_ourselves() {
        assert!(!answered("127.0.0.1:0", None, |port| format!("127.0.0.1:{port}")));
        assert!(!answered("0.0.0.0:0", Some("192.0.2.53"), |port| format!("192.0.2.53:{port}")));
        assert!(!answered("[::]:0", Some("2001:db8::53"), |port| format!("[2001:db8::53]:{port}")));
        // Others on this machine, and others that use the same port, ask as everybody does.
        assert!(answered("127.0.0.1:0", None, |port| format!("127.0.0.1:{}", port ^ 1)));
        assert!(answered("127.0.0.1:0", None, |port| format!("192.0.2.1:{port}")));
        assert!(answered("0.0.0.0:0", Some("192.0.2.53"), |port| format!("192.0.2.54:{port}")));
    }
}
