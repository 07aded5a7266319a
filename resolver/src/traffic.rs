//! Counters of queries: one [`Worker`] a thread, summed when someone asks.
//!
//! A thread writes only its own counters, so no cache line is shared while queries are answered and
//! nothing is locked. A UDP thread, the only writer of its counters, does not even need atomic additions. Labels are bounded: types and rcodes that are not in the tables here are counted
//! as `other`, whatever a client sends.

use port53_zone::answer::Cookie;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The query types that have a label of their own.
pub const QTYPES: [(u16, &str); 27] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (52, "TLSA"),
    (59, "CDS"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
];

/// The rcodes that have a label of their own (RFC 1035, 2136, 6891, 7873).
pub const RCODES: [(u16, &str); 10] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (9, "NOTAUTH"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
];

/// Upper bounds of the latency histogram, in nanoseconds. Above the last is one more bucket.
pub const LATENCY_BOUNDS: [u64; 12] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// What cookies of queries say, as labels.
pub const COOKIES: [(Cookie, &str); 3] =
    [(Cookie::Client, "client-only"), (Cookie::Invalid, "invalid"), (Cookie::Valid, "valid")];

const OTHER: &str = "other";

/// The transports, each counted apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// RFC 7766.
    Tcp,
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over QUIC (RFC 9250).
    Quic,
    /// DNS over HTTPS (RFC 8484), HTTP/2 and HTTP/3.
    Https,
}

impl Transport {
    /// All transports with their labels.
    pub const ALL: [(Transport, &'static str); 5] = [
        (Transport::Udp, "udp"),
        (Transport::Tcp, "tcp"),
        (Transport::Tls, "tls"),
        (Transport::Quic, "quic"),
        (Transport::Https, "https"),
    ];
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// The client closed it.
    ByClient,
    /// No query within the idle time.
    Idle,
    /// A query was begun and did not arrive in time.
    SlowQuery,
    /// The client did not read its answers in time.
    SlowReader,
    /// It was the longest without a query when a cap was reached.
    Evicted,
    /// TLS, QUIC or the PROXY header before them failed, or took too long.
    Handshake,
    /// What came is not a DNS message.
    Malformed,
    /// The connection broke.
    Broken,
    /// This process is leaving.
    Leaving,
}

impl Closed {
    /// All reasons with their labels.
    pub const ALL: [(Closed, &'static str); 9] = [
        (Closed::ByClient, "client"),
        (Closed::Idle, "idle"),
        (Closed::SlowQuery, "slow-query"),
        (Closed::SlowReader, "slow-reader"),
        (Closed::Evicted, "evicted"),
        (Closed::Handshake, "handshake"),
        (Closed::Malformed, "malformed"),
        (Closed::Broken, "broken"),
        (Closed::Leaving, "leaving"),
    ];
}

/// The counters of a process.
#[derive(Debug, Default)]
pub struct Traffic {
    workers: Mutex<Vec<Arc<Worker>>>,
    accepted: [AtomicU64; Transport::ALL.len()],
    closed: [[AtomicU64; Closed::ALL.len()]; Transport::ALL.len()],
}

/// The counters of one thread, or of everything that shares one.
#[derive(Debug)]
#[repr(align(128))]
pub struct Worker {
    transport: Transport,
    /// By type (the last is `other`), then by rcode (the last is `other`).
    queries: [[AtomicU64; RCODES.len() + 1]; QTYPES.len() + 1],
    latency: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    latency_sum: AtomicU64,
    truncated: AtomicU64,
    received: AtomicU64,
    unanswered: AtomicU64,
    bad_source: AtomicU64,
    send_failed: AtomicU64,
    panics: AtomicU64,
    limited: AtomicU64,
    slipped: AtomicU64,
    /// In the order of [`COOKIES`].
    cookies: [AtomicU64; COOKIES.len()],
}

/// Sums over all workers of one transport.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// (type label, rcode label, responses); only those that are not zero.
    pub queries: Vec<(&'static str, &'static str, u64)>,
    /// Responses by latency: one for each of [`LATENCY_BOUNDS`], then those above. Not cumulative.
    pub latency: [u64; LATENCY_BOUNDS.len() + 1],
    /// Nanoseconds.
    pub latency_sum: u64,
    /// Responses with TC.
    pub truncated: u64,
    /// Messages received.
    pub received: u64,
    /// Messages that the protocol forbids to answer, such as responses.
    pub unanswered: u64,
    /// Datagrams from a port that no resolver has (0, echo, chargen), or from an address of ours.
    pub bad_source: u64,
    /// Responses that the kernel did not take.
    pub send_failed: u64,
    /// Times a worker had to be begun again.
    pub panics: u64,
    /// Responses that a client did not get because it had too many.
    pub limited: u64,
    /// Responses that were shortened to TC or BADCOOKIE for the same reason.
    pub slipped: u64,
    /// Queries with a cookie, in the order of [`COOKIES`].
    pub cookies: [u64; COOKIES.len()],
}

impl Traffic {
    /// A new set of counters for a thread.
    pub fn worker(&self, transport: Transport) -> Arc<Worker> {
        let worker = Arc::new(Worker::new(transport));
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
        worker
    }

    /// Sums over the workers of `transport`.
    pub fn totals(&self, transport: Transport) -> Totals {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = Totals::default();
        let mut table = [[0u64; RCODES.len() + 1]; QTYPES.len() + 1];
        for worker in workers.iter().filter(|worker| worker.transport == transport) {
            worker.add_to(&mut totals, &mut table);
        }
        for (q, row) in table.iter().enumerate() {
            for (r, &count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
                let qtype = QTYPES.get(q).map_or(OTHER, |t| t.1);
                let rcode = RCODES.get(r).map_or(OTHER, |t| t.1);
                totals.queries.push((qtype, rcode, count));
            }
        }
        totals
    }

    /// Everything that ever came: datagrams, connections and the messages in them. That it does not
    /// grow means that nobody asks any more.
    pub fn arrivals(&self) -> u64 {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let received: u64 = workers.iter().map(|worker| worker.received.load(Relaxed)).sum();
        received + self.accepted.iter().map(|count| count.load(Relaxed)).sum::<u64>()
    }

    /// Counts an accepted connection.
    pub fn connection_opened(&self, transport: Transport) {
        self.accepted[transport as usize].fetch_add(1, Relaxed);
    }

    /// Counts the end of a connection.
    pub fn connection_closed(&self, transport: Transport, reason: Closed) {
        self.closed[transport as usize][reason as usize].fetch_add(1, Relaxed);
    }

    /// Connections accepted.
    pub fn accepted(&self, transport: Transport) -> u64 {
        self.accepted[transport as usize].load(Relaxed)
    }

    /// Connections ended for `reason`.
    pub fn closed(&self, transport: Transport, reason: Closed) -> u64 {
        self.closed[transport as usize][reason as usize].load(Relaxed)
    }
}

impl Worker {
    fn new(transport: Transport) -> Self {
        Worker {
            transport,
            queries: Default::default(),
            latency: Default::default(),
            latency_sum: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            received: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            bad_source: AtomicU64::new(0),
            send_failed: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            slipped: AtomicU64::new(0),
            cookies: Default::default(),
        }
    }

    /// A message came.
    pub fn received(&self) {
        self.received.fetch_add(1, Relaxed);
    }

    /// A message is not answered because the protocol says so.
    pub fn unanswered(&self) {
        self.unanswered.fetch_add(1, Relaxed);
    }

    /// A datagram came from a port that no resolver has, or from an address of ours.
    pub fn bad_source(&self) {
        self.bad_source.fetch_add(1, Relaxed);
    }

    /// The kernel did not take a response.
    pub fn send_failed(&self) {
        self.send_failed.fetch_add(1, Relaxed);
    }

    /// The worker panicked and goes on.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// A client did not get a response because it had too many.
    pub fn limited(&self) {
        self.limited.fetch_add(1, Relaxed);
    }

    /// A response was shortened because its client had too many.
    pub fn slipped(&self) {
        self.slipped.fetch_add(1, Relaxed);
    }

    /// A query had this cookie.
    pub fn cookie(&self, cookie: Cookie) {
        if let Some(at) = COOKIES.iter().position(|(known, _)| *known == cookie) {
            self.cookies[at].fetch_add(1, Relaxed);
        }
    }

    /// A response was made.
    pub fn answered(&self, qtype: u16, rcode: u16, truncated: bool, took: Duration) {
        let nanos = nanos(took);
        self.queries[qtype_at(qtype)][rcode_at(rcode)].fetch_add(1, Relaxed);
        self.latency[latency_at(nanos)].fetch_add(1, Relaxed);
        self.latency_sum.fetch_add(nanos, Relaxed);
        self.truncated.fetch_add(u64::from(truncated), Relaxed);
    }

    /// Messages came. For a thread that alone writes these counters, as [`Self::made`] and [`Self::sent`].
    pub fn received_together(&self, count: usize) {
        add_alone(&self.received, count as u64);
    }

    /// A response was made, which will be [`Self::sent`].
    pub fn made(&self, qtype: u16, rcode: u16, truncated: bool) {
        add_alone(&self.queries[qtype_at(qtype)][rcode_at(rcode)], 1);
        if truncated {
            add_alone(&self.truncated, 1);
        }
    }

    /// Responses were handed to the system together, `failed` of them in vain, `took` after their queries came.
    pub fn sent(&self, count: usize, failed: usize, took: Duration) {
        let (count, nanos) = (count as u64, nanos(took));
        add_alone(&self.latency[latency_at(nanos)], count);
        add_alone(&self.latency_sum, nanos.saturating_mul(count));
        add_alone(&self.send_failed, failed as u64);
    }

    fn add_to(&self, totals: &mut Totals, table: &mut [[u64; RCODES.len() + 1]; QTYPES.len() + 1]) {
        for (sums, row) in table.iter_mut().zip(&self.queries) {
            for (sum, count) in sums.iter_mut().zip(row) {
                *sum += count.load(Relaxed);
            }
        }
        for (sum, count) in totals.latency.iter_mut().zip(&self.latency) {
            *sum += count.load(Relaxed);
        }
        totals.latency_sum += self.latency_sum.load(Relaxed);
        totals.truncated += self.truncated.load(Relaxed);
        totals.received += self.received.load(Relaxed);
        totals.unanswered += self.unanswered.load(Relaxed);
        totals.bad_source += self.bad_source.load(Relaxed);
        totals.send_failed += self.send_failed.load(Relaxed);
        totals.panics += self.panics.load(Relaxed);
        totals.limited += self.limited.load(Relaxed);
        totals.slipped += self.slipped.load(Relaxed);
        for (sum, count) in totals.cookies.iter_mut().zip(&self.cookies) {
            *sum += count.load(Relaxed);
        }
    }
}

/// Adds to a counter that no other thread writes; others may read it meanwhile.
fn add_alone(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

fn latency_at(nanos: u64) -> usize {
    LATENCY_BOUNDS.partition_point(|&bound| bound < nanos)
}

fn qtype_at(qtype: u16) -> usize {
    QTYPES.binary_search_by_key(&qtype, |t| t.0).unwrap_or(QTYPES.len())
}

fn rcode_at(rcode: u16) -> usize {
    RCODES.binary_search_by_key(&rcode, |t| t.0).unwrap_or(RCODES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_so_that_they_can_be_searched() {
        assert!(QTYPES.is_sorted_by_key(|t| t.0));
        assert!(RCODES.is_sorted_by_key(|t| t.0));
        assert!(LATENCY_BOUNDS.is_sorted());
        for (at, (reason, _)) in Closed::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
        for (at, (transport, _)) in Transport::ALL.into_iter().enumerate() {
            assert_eq!(transport as usize, at);
        }
    }

    #[test]
    fn workers_are_summed_by_transport_and_labels_are_bounded() {
        let traffic = Traffic::default();
        let workers =
            [traffic.worker(Transport::Udp), traffic.worker(Transport::Udp), traffic.worker(Transport::Tcp)];
        for worker in &workers {
            worker.received();
            worker.answered(1, 0, false, Duration::from_nanos(1_000));
        }
        for qtype in 60_000..60_100 {
            workers[0].answered(qtype, 11, true, Duration::from_secs(1));
        }
        let udp = traffic.totals(Transport::Udp);
        assert_eq!(udp.queries, [("A", "NOERROR", 2), ("other", "other", 100)]);
        assert_eq!((udp.received, udp.truncated), (2, 100));
        assert_eq!((udp.latency[0], udp.latency[LATENCY_BOUNDS.len()]), (2, 100));
        assert_eq!(traffic.totals(Transport::Tcp).queries, [("A", "NOERROR", 1)]);
        assert_eq!(traffic.arrivals(), 3);
    }

    #[test]
    fn a_batch_is_counted_as_its_messages_are() {
        let traffic = Traffic::default();
        let worker = traffic.worker(Transport::Udp);
        worker.received_together(4);
        worker.made(1, 0, false);
        worker.made(1, 0, false);
        worker.made(16, 0, true);
        worker.unanswered();
        worker.sent(3, 1, Duration::from_nanos(900));
        let udp = traffic.totals(Transport::Udp);
        assert_eq!(udp.queries, [("A", "NOERROR", 2), ("TXT", "NOERROR", 1)]);
        assert_eq!((udp.received, udp.unanswered, udp.truncated, udp.send_failed), (4, 1, 1, 1));
        assert_eq!((udp.latency[0], udp.latency_sum), (3, 2_700));
    }
}
