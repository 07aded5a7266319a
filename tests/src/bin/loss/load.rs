//! Asks at a steady rate, each question once, and looks at each answer.

use crate::counts::{By, Counts};
use crate::questions::{self, Question};
use crate::{PATIENCE, Stage};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Between bursts of two questions over UDP.
const TICK: Duration = Duration::from_millis(1);
const EACH_TICK: usize = 2;
/// Ticks between connections over TCP.
const CONNECT: usize = 20;

/// See the module.
pub(crate) struct Load {
    counts: Arc<Mutex<Arc<Counts>>>,
    changing: Arc<AtomicU32>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Begins, in the network of the cluster.
pub(crate) fn start(stage: &mut Stage) -> Load {
    let release = stage.release();
    let addresses: Vec<SocketAddr> = ["ns1", "ns2"].iter().flat_map(|name| release.addresses(name)).collect();
    assert_eq!(addresses.len(), 4, "two nameservers, two families");
    let changing = Arc::new(AtomicU32::new(0));
    let questions: Arc<[Question]> = questions::all(&stage.domain, &changing).into();
    let counts = Arc::new(Mutex::new(Arc::new(Counts::new())));
    let is_over = Arc::new(AtomicBool::new(false));
    let asking = (counts.clone(), is_over.clone());
    // A thread that is made by one in a network namespace is in it, too.
    let thread = stage.cluster().within(|| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(ask(&addresses, &questions, &asking.0, &asking.1));
        })
    });
    Load { counts, changing, is_over, thread }
}

impl Load {
    /// What is asked from now on is counted apart.
    pub(crate) fn next(&self) -> Arc<Counts> {
        let counts = Arc::new(Counts::new());
        *self.counts.lock().expect("nobody panics") = counts.clone();
        counts
    }

    /// From now on the address that changes is this one or a later one.
    pub(crate) fn is_at_least(&self, address: Ipv4Addr) {
        self.changing.store(address.into(), Ordering::Release);
    }

    /// Ends asking.
    pub(crate) fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

async fn ask(
    addresses: &[SocketAddr],
    questions: &Arc<[Question]>,
    counts: &Mutex<Arc<Counts>>,
    is_over: &AtomicBool,
) {
    let mut fixed = Vec::new();
    for &address in addresses {
        fixed.push(Fixed::open(address).await.expect("a socket"));
    }
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0.. {
        ticks.tick().await;
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let counts = counts.lock().expect("nobody panics").clone();
        let asked = |by: By, place: usize| Asked {
            counts: counts.clone(),
            questions: questions.clone(),
            question: fastrand::usize(..questions.len()),
            address: addresses[place % addresses.len()],
            by,
            begun: Instant::now(),
        };
        for turn in number * EACH_TICK..(number + 1) * EACH_TICK {
            // Each address by both kinds of client.
            match turn / addresses.len() % 2 {
                0 => {
                    drop(tokio::spawn(fixed[turn % addresses.len()].clone().ask(asked(By::FixedPort, turn))))
                }
                _ => drop(tokio::spawn(fresh(asked(By::FreshPort, turn)))),
            }
        }
        if number % CONNECT == 0 {
            tokio::spawn(connection(asked(By::Connection, number / CONNECT)));
        }
    }
}

/// A question on its way.
struct Asked {
    counts: Arc<Counts>,
    questions: Arc<[Question]>,
    question: usize,
    address: SocketAddr,
    by: By,
    begun: Instant,
}

impl Asked {
    fn question(&self) -> &Question {
        &self.questions[self.question]
    }

    fn octets(&self, id: u16) -> Vec<u8> {
        let mut octets = self.question().octets.clone();
        octets[..2].copy_from_slice(&id.to_be_bytes());
        octets
    }

    /// Counts what comes of it, while it is waited for.
    async fn judged(self, answer: impl Future<Output = io::Result<Vec<u8>>>) {
        self.counts.sent(self.by);
        let floor = self.question().floor();
        let what = |why: &str| {
            let (question, by, address) = (&self.question().text, self.by.as_str(), self.address.ip());
            format!("{question} by {by} at {address}: {why}")
        };
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => match self.question().wrong(&answer, floor) {
                None => self.counts.answered(self.begun.elapsed()),
                Some(why) => self.counts.wrong(&what(&why)),
            },
            Ok(Err(error)) => self.counts.lost(&what(&error.to_string())),
            Err(_) => self.counts.lost(&what("no answer")),
        }
    }
}

/// A client that asks from one port.
struct Fixed {
    socket: UdpSocket,
    waiting: Mutex<HashMap<u16, oneshot::Sender<Vec<u8>>>>,
    next: AtomicU32,
}

impl Fixed {
    async fn open(address: SocketAddr) -> io::Result<Arc<Self>> {
        let socket = udp(address).await?;
        let fixed = Arc::new(Fixed { socket, waiting: Mutex::default(), next: AtomicU32::new(0) });
        tokio::spawn(fixed.clone().receive());
        Ok(fixed)
    }

    async fn receive(self: Arc<Self>) {
        let mut octets = [0; 4096];
        loop {
            // That nobody listens there is said by an error for each packet; it counts when no answer comes.
            let Ok(length) = self.socket.recv(&mut octets).await else { continue };
            let id = u16::from_be_bytes([octets[0], octets[1]]);
            if let Some(waiting) = self.waiting.lock().expect("nobody panics").remove(&id) {
                let _ = waiting.send(octets[..length].to_vec());
            }
        }
    }

    async fn ask(self: Arc<Self>, asked: Asked) {
        // Less than all numbers are on their way within the time that an answer may take.
        let id = self.next.fetch_add(1, Ordering::Relaxed) as u16;
        let (told, waits) = oneshot::channel();
        self.waiting.lock().expect("nobody panics").insert(id, told);
        let query = asked.octets(id);
        asked
            .judged(async {
                // An error is that of a packet before.
                if self.socket.send(&query).await.is_err() {
                    self.socket.send(&query).await?;
                }
                waits.await.map_err(io::Error::other)
            })
            .await;
        self.waiting.lock().expect("nobody panics").remove(&id);
    }
}

async fn fresh(asked: Asked) {
    let (query, address) = (asked.octets(fastrand::u16(..)), asked.address);
    asked
        .judged(async {
            let socket = udp(address).await?;
            socket.send(&query).await?;
            let mut answer = vec![0; 4096];
            let length = socket.recv(&mut answer).await?;
            answer.truncate(length);
            Ok(answer)
        })
        .await;
}

async fn connection(asked: Asked) {
    let (query, address) = (asked.octets(fastrand::u16(..)), asked.address);
    asked
        .judged(async {
            let mut stream = TcpStream::connect(address).await?;
            let length = (query.len() as u16).to_be_bytes();
            stream.write_all(&[&length[..], &query].concat()).await?;
            let mut answer = vec![0; stream.read_u16().await?.into()];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        })
        .await;
}

async fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}
