//! Serving: from bound sockets to answers, until told to leave.
//!
//! The caller binds ([`Listeners::bind`]), so tests use port 0. [`run`] starts one thread for each UDP
//! socket (a socket a core and address, spread by SO_REUSEPORT) and one task for each listener of TCP, TLS,
//! QUIC and HTTPS, and returns when it has left gracefully: after `shutdown` everything goes on being answered until nothing
//! has come for a while, because those who still send here have not heard yet that this address goes.

pub mod batch;
mod bounded;
mod certificate;
mod connections;
mod datagram;
mod doh;
mod engine;
mod framing;
mod front;
mod h3;
mod https;
mod listen;
mod proxy;
mod quic;
mod tcp;
mod tls;
mod udp;

pub use certificate::{Certificate, CertificateError, Files, LOOK};
pub use connections::Caps;
pub use listen::{BindError, Encrypted, Listeners};

use crate::forward::Forwarder;
use crate::limits;
use crate::traffic::{Closed, Traffic, Transport};
use crate::transfer::{Over, Transfers};
use arc_swap::ArcSwap;
use front::Front;
use port53_zone::image::Zones;
use port53_zone::prefix::Prefix;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What may be set about serving. Every limit has a safe default.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What is answered, and to whom.
    pub answering: limits::Shared,
    /// Zone transfers, and whose signatures are known.
    pub transfers: Arc<Transfers>,
    /// Who asks a legacy DNS, for zones that forward. Without, they are answered from here.
    pub forwarder: Option<Arc<Forwarder>>,
    /// Limits on connections, for each transport that has them.
    pub tcp: TcpLimits,
    /// Who speaks for others by the PROXY protocol, and must begin each connection over TCP and each datagram with
    /// its header.
    pub proxies: Vec<Prefix>,
    /// The certificate of the encrypted transports.
    pub certificate: Option<Arc<Certificate>>,
    /// The graceful stop.
    pub drain: Drain,
}

/// Limits on connections (RFC 7766 §6), counted for each transport. Memory is bounded by `connections`
/// times 256 KiB.
#[derive(Clone, Debug)]
pub struct TcpLimits {
    /// Connections open at once. At a cap the one that was longest without a query goes for the new.
    pub connections: Caps,
    /// How long a connection may stay without a query (RFC 7766 §6.2.3). Less when places run out.
    pub idle: Duration,
    /// How long a query may take from its first octet to its last.
    pub query: Duration,
    /// How long a client may take to accept its answers.
    pub write: Duration,
    /// How long the handshake of TLS or QUIC may take, the PROXY header before it included.
    pub handshake: Duration,
    /// Handshakes that may go on at once, a quarter of them from one prefix. At a cap the oldest goes.
    pub handshakes: usize,
}

impl TcpLimits {
    /// How long the end of a connection may take once nothing is left to answer.
    fn goodbye(&self) -> Duration {
        self.write.min(Duration::from_secs(2))
    }

    /// Whether a transfer of so many octets took longer than it may: each message may take as long as any answer,
    /// but not all of them.
    fn is_too_slow(&self, took: Duration, octets: usize) -> bool {
        took > self.write + Duration::from_secs((octets / LEAST_RATE) as u64)
    }

    fn caps_of_handshakes(&self) -> Caps {
        Caps { all: self.handshakes, prefix: self.handshakes.div_ceil(4), ..self.connections.clone() }
    }
}

impl Default for TcpLimits {
    fn default() -> Self {
        TcpLimits {
            connections: Caps { all: 1000, prefix: 250, prefix_v4: 32, prefix_v6: 56 },
            idle: Duration::from_secs(10),
            query: Duration::from_secs(5),
            write: Duration::from_secs(10),
            handshake: Duration::from_secs(5),
            handshakes: 256,
        }
    }
}

/// Octets a second of a transfer at the least, on the average: 128 kbit/s.
const LEAST_RATE: usize = 16 << 10;

/// How to leave.
#[derive(Clone, Debug)]
pub struct Drain {
    /// Leave when nothing has come for this long.
    pub quiet: Duration,
    /// Leave after this long in any case.
    pub most: Duration,
    /// While this is set that time does not begin: the API server is gone, so nobody can be told to lead clients to
    /// others, and what they ask would be lost.
    pub is_alone: Arc<AtomicBool>,
}

impl Default for Drain {
    fn default() -> Self {
        Drain { quiet: Duration::from_secs(5), most: Duration::from_secs(60), is_alone: Arc::default() }
    }
}

/// How [`run`] ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Nobody asked any more.
    Quiet,
    /// Someone still asked when the time was up.
    StillAsked,
}

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A socket could not be prepared.
    #[error("cannot serve on {address}")]
    Socket {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// An encrypted transport is listened on, and there is no certificate for it.
    #[error("there is no certificate for TLS: give one, or listen on no encrypted transport")]
    NoCertificate,
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// A thread could not be started.
    #[error("cannot start a thread for UDP: raise the limit on processes")]
    Thread(#[source] std::io::Error),
}

/// Answers from `zones` on `listeners` until `shutdown`, then leaves gracefully. Counts in `traffic`. When the
/// future is dropped, it leaves at once.
///
/// # Errors
/// When serving cannot begin; nothing is left running then.
pub async fn run(
    listeners: Listeners,
    zones: Arc<ArcSwap<Zones>>,
    settings: Settings,
    traffic: Arc<Traffic>,
    shutdown: CancellationToken,
) -> Result<Ended, ServeError> {
    let stop = Arc::new(AtomicBool::new(false));
    let _stop_at_the_end = StopAtTheEnd(stop.clone());
    let stop_tcp = CancellationToken::new();
    let mut udp_threads = Vec::new();
    let mut tcp_tasks = JoinSet::new();
    let started =
        start(listeners, &zones, &settings, &traffic, &stop, &stop_tcp, &mut udp_threads, &mut tcp_tasks);
    let ended = match started {
        Ok(()) => {
            shutdown.cancelled().await;
            Ok(drain(&traffic, &settings.drain).await)
        }
        Err(error) => Err(error),
    };
    stop_tcp.cancel();
    stop.store(true, Ordering::Release);
    let threads = tokio::task::spawn_blocking(move || {
        for thread in udp_threads {
            // A panic was logged and counted by the thread itself.
            let _ = thread.join();
        }
    });
    let _ = threads.await;
    while tcp_tasks.join_next().await.is_some() {}
    if let Some(forwarder) = &settings.forwarder {
        forwarder.finish().await;
    }
    ended
}

/// Serves one connection of `client` to its end, as one over TCP: for streams that are no sockets, in tests and
/// fuzzing.
pub async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    client: IpAddr,
    zones: &Arc<ArcSwap<Zones>>,
    settings: &Settings,
    traffic: &Arc<Traffic>,
) -> Closed {
    let front = Front::new(Transport::Tcp, zones, settings, traffic, &CancellationToken::new());
    let slot = front.connections.enter(Some(client));
    framing::serve(stream, Over::Stream, &slot, &front).await
}

/// Tells the UDP threads to stop however [`run`] ends; its tasks end with it by themselves.
struct StopAtTheEnd(Arc<AtomicBool>);

impl Drop for StopAtTheEnd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[expect(clippy::too_many_arguments, reason = "one place that hands everything to everyone, private")]
fn start(
    listeners: Listeners,
    zones: &Arc<ArcSwap<Zones>>,
    settings: &Settings,
    traffic: &Arc<Traffic>,
    stop: &Arc<AtomicBool>,
    stop_tcp: &CancellationToken,
    udp_threads: &mut Vec<std::thread::JoinHandle<()>>,
    tcp_tasks: &mut JoinSet<()>,
) -> Result<(), ServeError> {
    let Listeners { udp, tcp, tls, quic, https } = listeners;
    let front = |transport| Arc::new(Front::new(transport, zones, settings, traffic, stop_tcp));
    let plain = front(Transport::Tcp);
    for (address, listener) in tcp {
        tcp_tasks.spawn(tcp::accept(to_tokio(address, listener)?, None, plain.clone()));
    }
    start_encrypted(tls, quic, https, settings, &front, stop_tcp, tcp_tasks)?;
    // Shared by all threads: where there is no forwarding, nobody writes to it.
    let forwarded = settings.forwarder.as_ref().map(|_| traffic.worker(Transport::Udp));
    let forwarding = || {
        let (forwarder, counters) = settings.forwarder.clone().zip(forwarded.clone())?;
        Some(udp::Forwarding { forwarder, counters })
    };
    for (address, socket) in udp {
        let worker = udp::Worker::new(
            socket,
            zones.clone(),
            settings.answering.clone(),
            settings.transfers.clone(),
            settings.proxies.clone(),
            traffic.worker(Transport::Udp),
            stop.clone(),
            forwarding(),
        )
        .map_err(|source| ServeError::Socket { address, source })?;
        let thread = std::thread::Builder::new()
            .name(format!("udp-{}", udp_threads.len()))
            .spawn(move || worker.run())
            .map_err(ServeError::Thread)?;
        udp_threads.push(thread);
    }
    Ok(())
}

/// Starts what needs a certificate, if there is any.
fn start_encrypted(
    tls: Vec<(SocketAddr, std::net::TcpListener)>,
    quic: Vec<(SocketAddr, UdpSocket)>,
    https: Vec<(SocketAddr, std::net::TcpListener, UdpSocket)>,
    settings: &Settings,
    front: &impl Fn(Transport) -> Arc<Front>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<(), ServeError> {
    if tls.is_empty() && quic.is_empty() && https.is_empty() {
        return Ok(());
    }
    let certificate = settings.certificate.clone().ok_or(ServeError::NoCertificate)?;
    tasks.spawn(certificate.clone().keep_looking(stop.clone()));
    let over_tcp = |protocol| -> Result<_, ServeError> {
        let config = tls::config(certificate.clone(), protocol, tls::OVER_TCP)?;
        Ok(Some(tokio_rustls::TlsAcceptor::from(config)))
    };
    let over_quic = |protocol| tls::config(certificate.clone(), protocol, tls::OVER_QUIC);
    let failed = |address| move |source| ServeError::Socket { address, source };
    let dns = front(Transport::Tls);
    for (address, listener) in tls {
        tasks.spawn(tcp::accept(to_tokio(address, listener)?, over_tcp(tls::DOT)?, dns.clone()));
    }
    let dns = front(Transport::Quic);
    for (address, socket) in quic {
        let endpoint = quic::endpoint(socket, over_quic(tls::DOQ)?, quic::Spoken::Dns, &dns);
        tasks.spawn(quic::accept(endpoint.map_err(failed(address))?, quic::Spoken::Dns, dns.clone()));
    }
    let http = front(Transport::Https);
    for (address, listener, socket) in https {
        tasks.spawn(tcp::accept(to_tokio(address, listener)?, over_tcp(tls::HTTP_2)?, http.clone()));
        let endpoint = quic::endpoint(socket, over_quic(tls::HTTP_3)?, quic::Spoken::Http, &http);
        tasks.spawn(quic::accept(endpoint.map_err(failed(address))?, quic::Spoken::Http, http.clone()));
    }
    Ok(())
}

fn to_tokio(
    address: SocketAddr,
    listener: std::net::TcpListener,
) -> Result<tokio::net::TcpListener, ServeError> {
    tokio::net::TcpListener::from_std(listener).map_err(|source| ServeError::Socket { address, source })
}

/// Waits until nothing has come for `drain.quiet`, at most `drain.most` since others could be told.
async fn drain(traffic: &Traffic, drain: &Drain) -> Ended {
    let mut begun = Instant::now();
    let step = (drain.quiet / 10).clamp(Duration::from_millis(1), Duration::from_millis(100));
    let (mut seen, mut last) = (traffic.arrivals(), begun);
    loop {
        let now = Instant::now();
        let arrivals = traffic.arrivals();
        if arrivals != seen {
            (seen, last) = (arrivals, now);
        }
        if now.duration_since(last) >= drain.quiet {
            return Ended::Quiet;
        }
        if drain.is_alone.load(Ordering::Relaxed) {
            begun = now;
        }
        if now.duration_since(begun) >= drain.most {
            return Ended::StillAsked;
        }
        tokio::time::sleep(step).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs [`drain`] with its defaults, in virtual time, while something arrives every `pause` seconds,
    /// `times` times. Says how it ended and after how many seconds.
    async fn drained(pause: u64, times: u32) -> (Ended, u64) {
        drained_while(pause, times, &Arc::default()).await
    }

    /// The same, alone as long as that is set.
    async fn drained_while(pause: u64, times: u32, is_alone: &Arc<AtomicBool>) -> (Ended, u64) {
        let traffic = Arc::new(Traffic::default());
        let asked = traffic.clone();
        let clients = tokio::spawn(async move {
            for _ in 0..times {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                asked.connection_opened(Transport::Tcp);
            }
        });
        let begun = Instant::now();
        let ended = drain(&traffic, &Drain { is_alone: is_alone.clone(), ..Drain::default() }).await;
        clients.abort();
        (ended, begun.elapsed().as_secs())
    }

    /// Until no packet came for five seconds. DESIGN "Health" has thirty at most, in which kube-proxy may look through its
    /// connections once only.
    #[tokio::test(start_paused = true)]
    async fn it_leaves_five_seconds_after_the_last_packet_and_after_a_minute_at_most() {
        assert_eq!(drained(1, 0).await, (Ended::Quiet, 5));
        assert_eq!(drained(4, 3).await, (Ended::Quiet, 17));
        assert_eq!(drained(4, 100).await, (Ended::StillAsked, 60));
        assert_eq!(drained(6, 100).await, (Ended::Quiet, 5));
    }

    /// Found by `make e2e-loss`: one that was told to leave while the API server was gone left clients that nobody led
    /// elsewhere.
    #[tokio::test(start_paused = true)]
    async fn it_stays_while_nobody_can_lead_clients_elsewhere() {
        let is_alone = Arc::new(AtomicBool::new(true));
        let until = is_alone.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(90)).await;
            until.store(false, Ordering::Relaxed);
        });
        assert_eq!(drained_while(4, 100, &is_alone).await, (Ended::StillAsked, 150));
        // Nobody asks.
        is_alone.store(true, Ordering::Relaxed);
        assert_eq!(drained_while(1, 0, &is_alone).await, (Ended::Quiet, 5));
    }
}
