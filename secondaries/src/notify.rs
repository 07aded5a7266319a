//! NOTIFY (RFC 1996): secondaries are told of a new version at once, and again with growing pauses until they
//! answer or there is a newer one.
//!
//! Each zone and secondary has a task of its own. A secondary is told of [`AT_ONCE`] zones at a time, so that a
//! dead one has its own queue and delays no other.

use crate::keys::Keys;
use crate::tsig::Signer;
use crate::{now, random_id};
use arc_swap::ArcSwap;
use port53_zone::{Name, Soa, name};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

/// Zones that one secondary is told of at a time.
const AT_ONCE: usize = 64;
/// Octets of the largest answer that is read.
const ANSWER: usize = 4096;
const HEADER: usize = 12;
const NOTAUTH: u8 = 9;

/// How often a secondary is told, and how long is waited for its answer.
#[derive(Clone, Debug)]
pub struct Pauses {
    /// For the first answer. Doubled each time.
    pub first: Duration,
    /// At most.
    pub most: Duration,
    /// How often, at most.
    pub times: u32,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses { first: Duration::from_secs(2), most: Duration::from_secs(60), times: 10 }
    }
}

/// Tells secondaries of new versions.
pub struct Notifier {
    keys: Arc<ArcSwap<Keys>>,
    pauses: Pauses,
    secondaries: Mutex<HashMap<SocketAddr, Arc<Semaphore>>>,
    telling: Mutex<HashMap<(Name, SocketAddr), AbortHandle>>,
    counts: Arc<Counts>,
}

/// How it went, for the metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages that were sent.
    pub sent: AtomicU64,
    /// Those that were answered.
    pub answered: AtomicU64,
    /// Versions that a secondary never heard of.
    pub given_up: AtomicU64,
}

/// What one secondary is told of one zone.
struct Told {
    apex: Name,
    serial: u32,
    query: Vec<u8>,
    key: Option<Vec<u8>>,
    to: SocketAddr,
}

impl Notifier {
    /// Nobody is told anything yet. `keys` are looked up when they are needed.
    pub fn new(keys: Arc<ArcSwap<Keys>>, pauses: Pauses) -> Self {
        Notifier {
            keys,
            pauses,
            secondaries: Mutex::default(),
            telling: Mutex::default(),
            counts: Arc::default(),
        }
    }

    /// How it went so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Tells `secondaries` of the version of a zone with this SOA, on `runtime`, signed with the key of this name.
    /// What they are being told of another version ends.
    pub fn announce(
        &self,
        apex: &Name,
        soa: &Soa,
        secondaries: &[SocketAddr],
        key: Option<&Name>,
        runtime: &Handle,
    ) {
        for &to in secondaries {
            let told = Told {
                apex: apex.clone(),
                serial: soa.serial,
                query: query(apex, soa),
                key: key.map(|key| key.as_slice().to_ascii_lowercase()),
                to,
            };
            let place = lock(&self.secondaries)
                .entry(to)
                .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)))
                .clone();
            let (keys, pauses, counts) = (self.keys.clone(), self.pauses.clone(), self.counts.clone());
            let task =
                runtime.spawn(async move { told.until_answered(&keys, &pauses, &place, &counts).await });
            let mut telling = lock(&self.telling);
            // Now and then: there may be ten thousand zones.
            if telling.len() == telling.capacity() {
                telling.retain(|_, task| !task.is_finished());
            }
            if let Some(older) = telling.insert((apex.clone(), to), task.abort_handle()) {
                older.abort();
            }
        }
    }

    /// The zone is withdrawn: nobody is told of it any more.
    pub fn forget(&self, apex: &Name) {
        lock(&self.telling).retain(|(zone, _), task| {
            if zone == apex {
                task.abort();
            }
            zone != apex
        });
    }
}

impl Told {
    async fn until_answered(self, keys: &ArcSwap<Keys>, pauses: &Pauses, place: &Semaphore, counts: &Counts) {
        let zone = name::display(&self.apex);
        let mut pause = pauses.first;
        let mut problem = String::new();
        for _ in 0..pauses.times {
            let Ok(permit) = place.acquire().await else { return };
            let begun = Instant::now();
            counts.sent.fetch_add(1, Relaxed);
            match self.once(keys, begun + pause).await {
                Ok(rcode) => {
                    counts.answered.fetch_add(1, Relaxed);
                    if rcode != 0 {
                        tracing::warn!(zone, secondary = %self.to, rcode, "a secondary does not take NOTIFY");
                    }
                    return;
                }
                Err(error) => problem = error.to_string(),
            }
            drop(permit);
            // What fails at once, such as a port that is closed, is not tried again at once.
            sleep(pause.saturating_sub(begun.elapsed())).await;
            pause = (pause * 2).min(pauses.most);
        }
        counts.given_up.fetch_add(1, Relaxed);
        let serial = self.serial;
        tracing::warn!(zone, serial, secondary = %self.to, problem, "a secondary does not answer NOTIFY");
    }

    /// Tells once, and waits for the answer. Its rcode is given: whatever it is, it was heard (RFC 1996 §4.8).
    async fn once(&self, keys: &ArcSwap<Keys>, due: Instant) -> io::Result<u8> {
        let mut query = self.query.clone();
        let id = random_id();
        query[..2].copy_from_slice(&id);
        let mut signer = None;
        if let Some(name) = &self.key {
            let missing =
                || io::Error::other("its key is not among the TSIG keys: NOTIFY is not sent unsigned");
            let key = keys.load().get(name).cloned().ok_or_else(missing)?;
            let signing = signer.insert(Signer::of_query(key, now()));
            signing.sign(&mut query, now());
        }
        let local: IpAddr = match self.to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // A socket of its own has a port of its own, and takes answers from this secondary only.
        let socket = UdpSocket::bind((local, 0)).await?;
        socket.connect(self.to).await?;
        socket.send(&query).await?;
        let (mut answer, mut refused) = ([0; ANSWER], false);
        loop {
            let late = |_| {
                let what =
                    "only unsigned answers of NOTAUTH: have both sides the same key, and the same time?";
                io::Error::new(io::ErrorKind::TimedOut, if refused { what } else { "no answer" })
            };
            let length = timeout_at(due, socket.recv(&mut answer)).await.map_err(late)??;
            let answer = &answer[..length];
            let is_answer = length >= HEADER && answer[..2] == id && answer[2] & 0xf8 == 0xa0;
            if is_answer && signer.as_ref().is_none_or(|signer| signer.is_right(answer, now())) {
                return Ok(answer[3] & 0x0f);
            }
            if is_answer && answer[3] & 0x0f == NOTAUTH {
                // Nobody's word, so it is told again; but it is what a wrong key looks like.
                refused = true;
            }
        }
    }
}

/// RFC 1996 §3.7: the zone as the question, and the new SOA as a hint.
fn query(apex: &Name, soa: &Soa) -> Vec<u8> {
    let value = soa.rdata();
    let mut query = vec![0, 0, 0x24, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    query.extend_from_slice(apex.as_slice());
    query.extend_from_slice(&[0, 6, 0, 1, 0xc0, HEADER as u8, 0, 6, 0, 1]);
    query.extend_from_slice(&soa.ttl.to_be_bytes());
    query.extend_from_slice(&(value.as_slice().len() as u16).to_be_bytes());
    query.extend_from_slice(value.as_slice());
    query
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
