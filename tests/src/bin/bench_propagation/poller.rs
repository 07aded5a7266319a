//! A thread that asks every resolver for each record that changes, every millisecond, until it answers the change.
//! What has not come after a fifth of a second, above all removals, is asked for every two milliseconds.

use crate::objects::{Act, Change};
use crate::{Moment, PATIENCE, now};
use domain::base::iana::{Class, Rcode};
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::A;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const ROUND: Duration = Duration::from_millis(1);
/// Answers come within this, and are looked for this often.
const LOOK: Duration = Duration::from_micros(250);
/// What takes longer is asked for every second round.
const SLOW: Duration = Duration::from_millis(200);

/// The thread.
pub(crate) struct Poller {
    changes: Sender<(usize, Change)>,
    thread: JoinHandle<io::Result<Polled>>,
}

/// What it saw.
#[derive(Default)]
pub(crate) struct Polled {
    /// When each resolver answered a change first, by the number of the change.
    pub(crate) answered: BTreeMap<usize, Vec<Moment>>,
    /// What of a core it took.
    pub(crate) cpu: f64,
}

/// A record that is asked for.
struct Wanted {
    change: usize,
    query: Vec<u8>,
    expected: Option<Ipv4Addr>,
    since: Instant,
    answered: Vec<Option<Moment>>,
}

pub(crate) fn start(resolvers: &[SocketAddr]) -> io::Result<Poller> {
    let sockets = resolvers.iter().map(|resolver| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(resolver)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    let (changes, receiver) = channel();
    Ok(Poller { changes, thread: std::thread::spawn(move || poll(&sockets, &receiver)) })
}

impl Poller {
    /// Asks for a record from now on.
    pub(crate) fn watch(&self, number: usize, change: &Change) {
        // When the thread has ended, its end says why.
        let _ = self.changes.send((number, *change));
    }

    /// Waits until every change is answered, or too long.
    pub(crate) fn end(self) -> io::Result<Polled> {
        drop(self.changes);
        self.thread.join().map_err(|_| io::Error::other("the poller panicked"))?
    }
}

fn poll(sockets: &[UdpSocket], changes: &Receiver<(usize, Change)>) -> io::Result<Polled> {
    let mut polled = Polled::default();
    let mut wanted: BTreeMap<u16, Wanted> = BTreeMap::new();
    let begun = Instant::now();
    let cpu = cpu()?;
    for round in 0u64.. {
        let start = Instant::now();
        let mut is_over = false;
        loop {
            match changes.try_recv() {
                Ok((number, change)) => {
                    let id = number as u16;
                    wanted.insert(id, Wanted::new(number, id, &change, sockets.len())?);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    is_over = true;
                    break;
                }
            }
        }
        wanted.retain(|_, wanted| match wanted.is_done() {
            Some(answered) => {
                polled.answered.insert(wanted.change, answered);
                false
            }
            None => wanted.since.elapsed() < PATIENCE,
        });
        if is_over && wanted.is_empty() {
            break;
        }
        for wanted in wanted.values() {
            if round % 2 == 0 || wanted.since.elapsed() < SLOW {
                wanted.ask(sockets)?;
            }
        }
        while start.elapsed() < ROUND {
            std::thread::sleep(LOOK);
            read(sockets, &mut wanted)?;
        }
    }
    polled.cpu = (self::cpu()? - cpu) / begun.elapsed().as_secs_f64();
    Ok(polled)
}

fn read(sockets: &[UdpSocket], wanted: &mut BTreeMap<u16, Wanted>) -> io::Result<()> {
    let mut answer = [0; 1232];
    for (place, socket) in sockets.iter().enumerate() {
        loop {
            let len = match socket.recv(&mut answer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let Ok(message) = Message::from_octets(&answer[..len]) else { continue };
            if let Some(wanted) = wanted.get_mut(&message.header().id())
                && wanted.answered[place].is_none()
                && wanted.is_answered_by(&message)
            {
                wanted.answered[place] = Some(now());
            }
        }
    }
    Ok(())
}

impl Wanted {
    fn new(number: usize, id: u16, change: &Change, resolvers: usize) -> io::Result<Self> {
        let owner: Name<Vec<u8>> = Name::from_str(&change.record.owner()).map_err(io::Error::other)?;
        let mut query = MessageBuilder::new_vec();
        query.header_mut().set_id(id);
        let mut query = query.question();
        query.push((owner, Rtype::A, Class::IN)).map_err(io::Error::other)?;
        Ok(Wanted {
            change: number,
            query: query.finish(),
            expected: (change.act != Act::Delete).then(|| change.address.into()),
            since: Instant::now(),
            answered: vec![None; resolvers],
        })
    }

    fn ask(&self, sockets: &[UdpSocket]) -> io::Result<()> {
        for (socket, answered) in sockets.iter().zip(&self.answered) {
            if answered.is_none() {
                socket.send(&self.query)?;
            }
        }
        Ok(())
    }

    fn is_answered_by(&self, message: &Message<&[u8]>) -> bool {
        match self.expected {
            None => message.header().rcode() == Rcode::NXDOMAIN,
            Some(address) => message.answer().is_ok_and(|answer| {
                answer.limit_to::<A>().flatten().any(|record| record.data().addr() == address)
            }),
        }
    }

    /// When each resolver answered, if all have.
    fn is_done(&self) -> Option<Vec<Moment>> {
        self.answered.iter().copied().collect()
    }
}

/// Seconds that this thread has run.
fn cpu() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.map(|nanoseconds| nanoseconds / 1e9).ok_or_else(|| io::Error::other("schedstat has no times"))
}
