//! Serving: from bound sockets to answers, until told to leave.
//!
//! The caller binds ([`Listeners::bind`]), so tests use port 0. [`run`] starts one thread for each UDP
//! socket (a socket a core and address, spread by SO_REUSEPORT) and one task for each TCP listener, and
//! returns when it has left gracefully: after `shutdown` everything goes on being answered until nothing
//! has come for a while, because those who still send here have not heard yet that this address goes.

mod connections;
mod listen;
mod tcp;
mod udp;

pub use listen::{BindError, Listeners};

use crate::traffic::Traffic;
use crate::transfer::Transfers;
use arc_swap::ArcSwap;
use port53_zone::answer;
use port53_zone::image::Zones;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What may be set about serving. Every limit has a safe default.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Sizes of answers.
    pub answer: answer::Settings,
    /// Limits on TCP connections.
    pub tcp: TcpLimits,
    /// The graceful stop.
    pub drain: Drain,
    /// Zone transfers and TSIG.
    pub transfers: Arc<Transfers>,
}

/// Limits on TCP connections (RFC 7766 §6). Memory is bounded by `connections` times 128 KiB.
#[derive(Clone, Debug)]
pub struct TcpLimits {
    /// Connections open at once. At the cap the one that was longest without a query goes for the new.
    pub connections: usize,
    /// How long a connection may stay without a query (RFC 7766 §6.2.3).
    pub idle: Duration,
    /// How long a query may take from its first octet to its last.
    pub query: Duration,
    /// How long a client may take to accept its answers.
    pub write: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        TcpLimits {
            connections: 1000,
            idle: Duration::from_secs(10),
            query: Duration::from_secs(5),
            write: Duration::from_secs(10),
        }
    }
}

/// How to leave.
#[derive(Clone, Debug)]
pub struct Drain {
    /// Leave when nothing has come for this long.
    pub quiet: Duration,
    /// Leave after this long in any case.
    pub most: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Drain { quiet: Duration::from_secs(5), most: Duration::from_secs(30) }
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
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
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
    ended
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
    let (udp, tcp) = listeners.into_parts();
    let shared =
        Arc::new(tcp::Shared::new(zones.clone(), settings.clone(), traffic.clone(), stop_tcp.clone()));
    for (address, listener) in tcp {
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|source| ServeError::Socket { address, source })?;
        tcp_tasks.spawn(tcp::accept(listener, shared.clone()));
    }
    for (address, socket) in udp {
        let worker = udp::Worker::new(
            socket,
            zones.clone(),
            settings.answer.clone(),
            settings.transfers.clone(),
            traffic.worker(answer::Transport::Udp),
            stop.clone(),
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

/// Waits until nothing has come for `drain.quiet`, at most `drain.most`.
async fn drain(traffic: &Traffic, drain: &Drain) -> Ended {
    let begun = Instant::now();
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
        let traffic = Arc::new(Traffic::default());
        let asked = traffic.clone();
        let clients = tokio::spawn(async move {
            for _ in 0..times {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                asked.connection_opened();
            }
        });
        let begun = Instant::now();
        let ended = drain(&traffic, &Drain::default()).await;
        clients.abort();
        (ended, begun.elapsed().as_secs())
    }

    /// DESIGN "Health": until no packet came for five seconds, thirty at most.
    #[tokio::test(start_paused = true)]
    async fn it_leaves_five_seconds_after_the_last_packet_and_after_thirty_at_most() {
        assert_eq!(drained(1, 0).await, (Ended::Quiet, 5));
        assert_eq!(drained(4, 3).await, (Ended::Quiet, 17));
        assert_eq!(drained(4, 100).await, (Ended::StillAsked, 30));
        assert_eq!(drained(6, 100).await, (Ended::Quiet, 5));
    }
}
