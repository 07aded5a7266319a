//! When this process is ready, and the query it asks itself.
//!
//! Ready, at start: the list of zones is complete, each zone in it is in service or could not be assembled
//! for thirty seconds (then it is SERVFAIL alone), and a query of our own was answered over UDP and TCP on
//! every address. Once ready, always ready: no zone, no source and no disk makes it unready, because a pod
//! that is taken out answers nothing, and the last good content is better than that. But one that was told to leave and
//! is still asked says after a while that it is not ready (`--drain-ready`), and goes on answering: then kube-proxy
//! forgets which clients it has led here, and leads them to others before this process is gone.
//!
//! Alive: no thread that answers has ended.

use crate::disk::DiskStatus;
use crate::source::{Overview, Publisher, SourceState};
use port53_zone::{Name, name};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a zone may keep readiness waiting (DESIGN "Health").
pub const ASSEMBLY_GRACE: Duration = Duration::from_secs(30);
/// How long an answer to our own query may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// Pause between attempts until we are ready.
const PROBE_PAUSE: Duration = Duration::from_millis(100);
/// Zones that are named in the detail; more are counted.
const NAMED: usize = 20;

/// What is known of the health of this process.
pub struct Health {
    publisher: Publisher,
    disk: Option<Arc<DiskStatus>>,
    grace: Duration,
    ready: AtomicBool,
    serving: AtomicBool,
    gives_up_clients: AtomicBool,
    unanswered: Mutex<BTreeSet<String>>,
}

/// What readiness is judged from, and the verdict.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Whether queries should come here.
    pub ready: bool,
    /// What is still waited for; empty when ready by itself.
    pub waiting: Vec<String>,
    /// What is not as it should be and does not make unready.
    pub notes: Vec<String>,
}

impl Health {
    /// Health of what serves from `publisher` on `addresses`. `grace` is [`ASSEMBLY_GRACE`] but in tests.
    pub fn new(
        publisher: Publisher,
        addresses: &[SocketAddr],
        disk: Option<Arc<DiskStatus>>,
        grace: Duration,
    ) -> Arc<Self> {
        let unanswered =
            addresses.iter().flat_map(|a| [probe_name("UDP", a), probe_name("TCP", a)]).collect();
        Arc::new(Health {
            publisher,
            disk,
            grace,
            ready: AtomicBool::new(false),
            serving: AtomicBool::new(true),
            gives_up_clients: AtomicBool::new(false),
            unanswered: Mutex::new(unanswered),
        })
    }

    /// Says that serving has ended, which means that this process is of no more use.
    pub fn serving_ended(&self) {
        self.serving.store(false, Ordering::Release);
    }

    /// Whether this process is not ready from now on, although it answers: clients are to be led to others.
    pub fn give_up_clients(&self, gives_up: bool) {
        self.gives_up_clients.store(gives_up, Ordering::Release);
    }

    /// Whether this process should live on.
    pub fn alive(&self) -> bool {
        self.serving.load(Ordering::Acquire)
    }

    /// Judges readiness now. Once it was given it stays, until clients are given up.
    pub fn report(&self) -> Report {
        let overview = self.publisher.overview();
        let mut waiting = zones_waited_for(&overview, Instant::now(), self.grace);
        let unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(
            unanswered.iter().map(|probe| format!("a query to ourselves over {probe} is not answered")),
        );
        if waiting.is_empty() {
            self.ready.store(true, Ordering::Release);
        }
        let gives_up_clients = self.gives_up_clients.load(Ordering::Acquire);
        if gives_up_clients {
            waiting.push("told to leave: it answers, and others are to be asked".to_owned());
        }
        let ready = self.ready.load(Ordering::Acquire) && !gives_up_clients;
        Report { ready, waiting, notes: self.notes(&overview) }
    }

    fn notes(&self, overview: &Overview) -> Vec<String> {
        let mut notes = Vec::new();
        let missing: Vec<&Name> =
            overview.zones.iter().filter(|zone| zone.image.is_none()).map(|zone| &zone.apex).collect();
        notes.extend(
            missing
                .iter()
                .take(NAMED)
                .map(|apex| format!("zone {}: not complete, answered with SERVFAIL", name::display(apex))),
        );
        if missing.len() > NAMED {
            notes.push(format!("{} more zones are not complete", missing.len() - NAMED));
        }
        match &overview.source {
            SourceState::Starting | SourceState::Following => {}
            SourceState::DiskOnly => {
                notes.push("source: the disk cache alone; nothing gives changes".to_owned())
            }
            SourceState::Lost(why) => {
                notes.push(format!("source: lost ({why}); the last good content is served"))
            }
        }
        if !self.publisher.forwarding_override().is_empty() {
            notes.push(
                "forwarding: an override says who answers, whatever heads say; port53-resolver fallback --release \
                 ends it"
                    .to_owned(),
            );
        }
        if let Some(failure) = self.disk.as_ref().and_then(|disk| disk.failure()) {
            notes.push(format!("disk cache: cannot be written ({failure}); a restart would need the source"));
        }
        notes
    }

    /// Asks every one of `addresses` over UDP and TCP until all have answered once, or `stop`.
    pub async fn probe(self: Arc<Self>, addresses: Vec<SocketAddr>, stop: CancellationToken) {
        let work = async {
            for address in addresses {
                while !answers_udp(address).await {
                    tokio::time::sleep(PROBE_PAUSE).await;
                }
                self.answered(&probe_name("UDP", &address));
                while !answers_tcp(address).await {
                    tokio::time::sleep(PROBE_PAUSE).await;
                }
                self.answered(&probe_name("TCP", &address));
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    }

    fn answered(&self, probe: &str) {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).remove(probe);
    }
}

fn probe_name(protocol: &str, address: &SocketAddr) -> String {
    format!("{protocol} at {address}")
}

/// The part of the verdict that zones have.
fn zones_waited_for(overview: &Overview, now: Instant, grace: Duration) -> Vec<String> {
    if !overview.list_complete {
        return vec!["the list of zones is not complete".to_owned()];
    }
    let waited = |since: Instant| now.saturating_duration_since(since) < grace;
    let missing: Vec<&Name> = overview
        .zones
        .iter()
        .filter(|zone| zone.image.is_none() && waited(zone.known_since))
        .map(|zone| &zone.apex)
        .collect();
    let mut waiting: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(|apex| format!("zone {} is not complete", name::display(apex)))
        .collect();
    if missing.len() > NAMED {
        waiting.push(format!("{} more zones are not complete", missing.len() - NAMED));
    }
    waiting
}

/// SOA of the root, class IN: every resolver has some answer to that, if only REFUSED.
const QUESTION: [u8; 17] = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];

fn question(id: u16) -> [u8; 17] {
    let mut question = QUESTION;
    question[..2].copy_from_slice(&id.to_be_bytes());
    question
}

fn is_answer(id: u16, message: &[u8]) -> bool {
    message.len() >= 12 && message[..2] == id.to_be_bytes() && message[2] & 0x80 != 0
}

async fn answers_udp(address: SocketAddr) -> bool {
    matches!(timeout(PROBE_PATIENCE, ask_udp(reachable(address))).await, Ok(Ok(true)))
}

async fn answers_tcp(address: SocketAddr) -> bool {
    matches!(timeout(PROBE_PATIENCE, ask_tcp(reachable(address))).await, Ok(Ok(true)))
}

async fn ask_udp(address: SocketAddr) -> io::Result<bool> {
    let ours: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((ours, 0)).await?;
    socket.connect(address).await?;
    // The port is fresh and the socket connected: it tells our answers from others.
    let id = socket.local_addr()?.port();
    socket.send(&question(id)).await?;
    let mut answer = [0; 512];
    let len = socket.recv(&mut answer).await?;
    Ok(is_answer(id, &answer[..len]))
}

async fn ask_tcp(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let id = stream.local_addr()?.port();
    let mut query = [0; 2 + QUESTION.len()];
    query[1] = QUESTION.len() as u8;
    query[2..].copy_from_slice(&question(id));
    stream.write_all(&query).await?;
    let len = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(len)];
    stream.read_exact(&mut answer).await?;
    Ok(is_answer(id, &answer))
}

/// A wildcard address is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apex() -> Name {
        name::parse_absolute("example.com.").expect("a name")
    }

    /// DESIGN "Health": every zone in the list, except one that could not be assembled for thirty seconds.
    #[test]
    fn a_zone_is_waited_for_until_the_grace_is_over() {
        let publisher = Publisher::new();
        let now = Instant::now();
        assert_eq!(
            zones_waited_for(&publisher.overview(), now, ASSEMBLY_GRACE),
            ["the list of zones is not complete"]
        );
        publisher.assembling(apex());
        publisher.list_complete();
        let overview = publisher.overview();
        let since = overview.zones[0].known_since;
        let last_moment = since + ASSEMBLY_GRACE - Duration::from_nanos(1);
        assert_eq!(
            zones_waited_for(&overview, last_moment, ASSEMBLY_GRACE),
            ["zone example.com. is not complete"]
        );
        assert!(zones_waited_for(&overview, since + ASSEMBLY_GRACE, ASSEMBLY_GRACE).is_empty());
    }

    #[test]
    fn once_ready_nothing_makes_it_unready() {
        let publisher = Publisher::new();
        let health = Health::new(publisher.clone(), &[], None, ASSEMBLY_GRACE);
        assert!(!health.report().ready);
        publisher.list_complete();
        assert!(health.report().ready);
        publisher.assembling(apex());
        publisher.source_is(SourceState::Lost("gone".to_owned()));
        let report = health.report();
        assert!(report.ready);
        assert_eq!(report.notes.len(), 2, "{report:?}");
    }

    #[test]
    fn one_that_leaves_gives_up_its_clients_and_lives_on() {
        let publisher = Publisher::new();
        let health = Health::new(publisher.clone(), &[], None, ASSEMBLY_GRACE);
        publisher.list_complete();
        assert!(health.report().ready);
        health.give_up_clients(true);
        let report = health.report();
        assert!(!report.ready && health.alive());
        assert_eq!(report.waiting, ["told to leave: it answers, and others are to be asked"]);
    }

    #[test]
    fn a_probe_that_is_not_answered_makes_unready() {
        let publisher = Publisher::new();
        publisher.list_complete();
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let health = Health::new(publisher, &[address], None, ASSEMBLY_GRACE);
        assert_eq!(health.report().waiting.len(), 2);
        health.answered("UDP at 127.0.0.1:1");
        assert!(!health.report().ready);
        health.answered("TCP at 127.0.0.1:1");
        assert!(health.report().ready);
    }
}
