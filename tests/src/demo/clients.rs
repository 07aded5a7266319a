//! Those who ask: each question once, over UDP from a port of its own, one of sixteen over TCP. What is not answered in two
//! seconds is lost.

use super::history::{History, Key, Said};
use crate::ask::Question;
use crate::eventually;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;

/// After this an answer counts for nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// One of so many questions goes over TCP.
const OVER_TCP: u64 = 16;
/// One of so many is about what changes.
const OF_CHANGES: u64 = 4;
/// Of what went wrong, as much is told one by one.
const TOLD: usize = 40;

/// See the module.
pub struct Clients {
    shared: Arc<Shared>,
    _asking: AbortOnDropHandle<()>,
}

struct Shared {
    history: Arc<History>,
    /// Those whose answers never change, and those whose answers do.
    questions: [Vec<(Key, Question)>; 2],
    /// Who is asked, in turn.
    servers: Mutex<[SocketAddr; 2]>,
    counts: Mutex<Arc<Counts>>,
    told: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    right: AtomicU64,
    lost: AtomicU64,
    wrong: AtomicU64,
}

/// What was sent in a step, and what came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counted {
    /// Questions.
    pub sent: u64,
    /// Those without an answer.
    pub lost: u64,
    /// Those whose answer neither side had.
    pub wrong: u64,
}

impl Clients {
    /// Begins to ask so many questions a second. Needs a runtime.
    pub fn begin(history: Arc<History>, servers: [SocketAddr; 2], questions: u32) -> Self {
        let shared = Arc::new(Shared {
            questions: history.questions(),
            history,
            servers: Mutex::new(servers),
            counts: Mutex::default(),
            told: Mutex::default(),
        });
        let asking = tokio::spawn(ask(shared.clone(), questions));
        Clients { shared, _asking: AbortOnDropHandle::new(asking) }
    }

    /// From now on these are asked.
    pub fn ask(&self, servers: [SocketAddr; 2]) {
        *lock(&self.shared.servers) = servers;
    }

    /// Waits until at least so many questions were sent since it was counted last.
    pub fn see(&self, least: u64) {
        let counts = lock(&self.shared.counts).clone();
        eventually("questions", || match counts.sent.load(Ordering::Relaxed) {
            sent if sent >= least => Ok(()),
            sent => Err(format!("{sent} of {least} were sent")),
        });
    }

    /// Waits until so many more were sent.
    pub fn see_more(&self, more: u64) {
        let sent = lock(&self.shared.counts).sent.load(Ordering::Relaxed);
        self.see(sent + more);
    }

    /// What came of the questions since it was counted last. The next are counted anew.
    pub fn counted(&self) -> Counted {
        let counts = std::mem::take(&mut *lock(&self.shared.counts));
        let number = |count: &AtomicU64| count.load(Ordering::Acquire);
        eventually("the last answers", || {
            let sent = number(&counts.sent);
            let judged = number(&counts.right) + number(&counts.lost) + number(&counts.wrong);
            if judged == sent { Ok(()) } else { Err(format!("{} on their way", sent - judged)) }
        });
        Counted { sent: number(&counts.sent), lost: number(&counts.lost), wrong: number(&counts.wrong) }
    }

    /// What was lost or wrong so far, the first of it one by one.
    pub fn told(&self) -> Vec<String> {
        lock(&self.shared.told).clone()
    }
}

impl Shared {
    fn tell(&self, what: String) {
        let mut told = lock(&self.told);
        if told.len() < TOLD {
            told.push(what);
        }
    }
}

async fn ask(shared: Arc<Shared>, questions: u32) {
    let mut ticks = interval(Duration::from_secs(1) / questions);
    // Those that are late are asked all the same.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0u64.. {
        ticks.tick().await;
        let counts = {
            let counts = lock(&shared.counts);
            counts.sent.fetch_add(1, Ordering::Relaxed);
            counts.clone()
        };
        let server = lock(&shared.servers)[(number % 2) as usize];
        tokio::spawn(one(shared.clone(), counts, server, number));
    }
}

async fn one(shared: Arc<Shared>, counts: Arc<Counts>, server: SocketAddr, number: u64) {
    let all = &shared.questions[usize::from((number / 2).is_multiple_of(OF_CHANGES))];
    let (key, question) = &all[fastrand::usize(..all.len())];
    let is_over_tcp = number / 2 % OVER_TCP == 1;
    let asked = Instant::now();
    let what = |why: &str| format!("{key} at {server}{}: {why}", if is_over_tcp { " over TCP" } else { "" });
    match timeout(PATIENCE, exchange(question, server, is_over_tcp)).await {
        Ok(Ok(said)) => match shared.history.wrong(key, &said, asked) {
            None => counts.right.fetch_add(1, Ordering::Release),
            Some(why) => {
                shared.tell(format!("wrong: {}", what(&why)));
                counts.wrong.fetch_add(1, Ordering::Release)
            }
        },
        Ok(Err(error)) => {
            shared.tell(format!("lost: {}", what(&error.to_string())));
            counts.lost.fetch_add(1, Ordering::Release)
        }
        Err(_) => {
            shared.tell(format!("lost: {}", what("no answer")));
            counts.lost.fetch_add(1, Ordering::Release)
        }
    };
}

async fn exchange(question: &Question, server: SocketAddr, is_over_tcp: bool) -> io::Result<Said> {
    let query = question.query(fastrand::u16(..))?;
    let answer = if is_over_tcp { over_tcp(&query, server).await? } else { over_udp(&query, server).await? };
    let message = question.read(&query, &answer)?;
    if message.metadata.truncation && !is_over_tcp {
        // What does not fit is asked over TCP (RFC 7766 §5): that is no second attempt.
        let answer = over_tcp(&query, server).await?;
        return Ok(Said::of(question, &question.read(&query, &answer)?));
    }
    Ok(Said::of(question, &message))
}

async fn over_udp(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

async fn over_tcp(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
