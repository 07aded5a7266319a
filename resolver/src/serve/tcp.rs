//! TCP (RFC 7766): messages with two octets of length before each, as many on a connection as the client
//! likes, answered in their order.
//!
//! A connection takes what has arrived, answers the whole messages in it, hands the answers to the client,
//! and only then reads on. So a client that does not read its answers holds at most [`BATCH`] octets and
//! one message, and is cut off when its time is up; so is one that sends a query octet by octet, or
//! nothing at all.

use super::Settings;
use super::connections::{Connections, Slot};
use crate::traffic::{self, Closed, Traffic};
use crate::transfer::{Answered, Over, Waiting};
use arc_swap::ArcSwap;
use port53_zone::answer::{self, Transport};
use port53_zone::image::Zones;
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// The greatest message (RFC 1035 §4.2.2).
const MESSAGE: usize = 65_535;
/// The least message: a header.
const HEADER: usize = 12;
/// Answers that are collected before they are handed to the client.
const BATCH: usize = 16 << 10;
const READ: usize = 4 << 10;
/// Pause after the system refused a connection, so that a lack of descriptors is not a busy loop.
const PAUSE: Duration = Duration::from_millis(50);

thread_local! {
    /// Where an answer is written before its size is known.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MESSAGE].into_boxed_slice());
}

/// What all connections share.
pub(super) struct Shared {
    zones: Arc<ArcSwap<Zones>>,
    settings: Settings,
    traffic: Arc<Traffic>,
    counters: Arc<traffic::Worker>,
    connections: Arc<Connections>,
    stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(
        zones: Arc<ArcSwap<Zones>>,
        settings: Settings,
        traffic: Arc<Traffic>,
        stop: CancellationToken,
    ) -> Self {
        let counters = traffic.worker(Transport::Tcp);
        let connections = Arc::new(Connections::new(settings.tcp.connections));
        Shared { zones, settings, traffic, counters, connections, stop }
    }
}

/// Accepts connections until told to stop, then waits for those that are open to end.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    shared.traffic.connection_opened();
                    // Places are given in the order of arrival, whichever task runs first.
                    let slot = shared.connections.enter();
                    open.spawn(serve(stream, peer.ip(), slot, shared.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "a TCP connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = open.join_next() => {}
            () = shared.stop.cancelled() => break,
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, client: IpAddr, slot: Slot, shared: Arc<Shared>) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let mut connection =
        Connection { stream, client, shared: &shared, input: Vec::new(), output: Vec::new() };
    let reason = tokio::select! {
        reason = connection.run(&slot) => reason,
        () = slot.evicted() => Closed::Evicted,
    };
    shared.traffic.connection_closed(reason);
}

struct Connection<'a> {
    stream: TcpStream,
    client: IpAddr,
    shared: &'a Shared,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Connection<'_> {
    async fn run(&mut self, slot: &Slot) -> Closed {
        let limits = &self.shared.settings.tcp;
        let mut query_due = None;
        loop {
            let answered = match self.answer_all(slot).await {
                Ok(answered) => answered,
                Err(reason) => return reason,
            };
            if answered {
                slot.useful();
            }
            let now = Instant::now();
            let (due, late) = if self.input.is_empty() {
                query_due = None;
                (now + limits.idle, Closed::Idle)
            } else {
                // The time counts from the first octet of this message, not from the last that came.
                if answered {
                    query_due = None;
                }
                (*query_due.get_or_insert(now + limits.query), Closed::SlowQuery)
            };
            let read = tokio::select! {
                biased;
                read = timeout_at(due, read_some(&mut self.stream, &mut self.input)) => read,
                () = self.shared.stop.cancelled() => return self.leave(slot).await,
            };
            match read {
                Err(_) => return late,
                Ok(Err(_)) => return Closed::Broken,
                Ok(Ok(0)) => return Closed::ByClient,
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Answers what has arrived already, says goodbye, and ends.
    async fn leave(&mut self, slot: &Slot) -> Closed {
        let mut block = [0; READ];
        while let Ok(len @ 1..) = self.stream.try_read(&mut block) {
            self.input.extend_from_slice(&block[..len]);
            if let Err(reason) = self.answer_all(slot).await {
                return reason;
            }
        }
        let _ = self.stream.shutdown().await;
        Closed::Leaving
    }

    /// Answers every whole message in the input. Says whether there was one.
    async fn answer_all(&mut self, slot: &Slot) -> Result<bool, Closed> {
        let mut taken = 0;
        while let Some(message) = whole_message(&self.input[taken..]) {
            if message.len() < HEADER {
                // What came before it was right and has its answers.
                self.flush().await?;
                return Err(Closed::Malformed);
            }
            taken += 2 + message.len();
            let message = taken - message.len()..taken;
            if let Some(transfer) = self.answer(message) {
                self.transfer(transfer, slot).await?;
            }
            if self.output.len() >= BATCH {
                self.flush().await?;
            }
        }
        self.input.drain(..taken);
        self.flush().await?;
        if self.input.is_empty() && self.input.capacity() > READ {
            self.input = Vec::new();
        }
        Ok(taken > 0)
    }

    /// Answers a message, or gives the transfer that answers it.
    fn answer(&mut self, message: std::ops::Range<usize>) -> Option<Box<Waiting>> {
        let begun = std::time::Instant::now();
        let counters = &self.shared.counters;
        counters.received();
        SCRATCH.with_borrow_mut(|scratch| {
            let zones = self.shared.zones.load();
            let Settings { answer, transfers, .. } = &self.shared.settings;
            let query = &self.input[message];
            let respond =
                |query: &[u8], out: &mut [u8]| answer::respond(&zones, answer, Transport::Tcp, query, out);
            match transfers.answer(&zones, query, self.client, Over::Stream, scratch, respond) {
                Answered::Nothing => counters.unanswered(),
                Answered::Transfer(transfer) => return Some(transfer),
                Answered::Response(made) => {
                    // A message has at most 65,535 octets, so its length fits.
                    self.output.extend_from_slice(&(made.len as u16).to_be_bytes());
                    self.output.extend_from_slice(&scratch[..made.len]);
                    counters.answered(made.qtype, made.rcode, made.truncated, begun.elapsed());
                }
            }
            None
        })
    }

    /// Sends one message of a transfer after another, each when the client has taken the one before.
    async fn transfer(&mut self, transfer: Box<Waiting>, slot: &Slot) -> Result<(), Closed> {
        let begun = std::time::Instant::now();
        self.flush().await?;
        let mut transfer = transfer.enter(&self.shared.settings.transfers).await;
        while transfer.next_into(&mut self.output) {
            self.flush().await?;
            slot.useful();
        }
        let made = transfer.finish().ok_or(Closed::Broken)?;
        self.shared.counters.answered(made.qtype, made.rcode, made.truncated, begun.elapsed());
        Ok(())
    }

    /// Hands all answers to the client.
    async fn flush(&mut self) -> Result<(), Closed> {
        if self.output.is_empty() {
            return Ok(());
        }
        let due = Instant::now() + self.shared.settings.tcp.write;
        match timeout_at(due, self.stream.write_all(&self.output)).await {
            Err(_) => return Err(Closed::SlowReader),
            Ok(Err(_)) => {
                self.shared.counters.send_failed();
                return Err(Closed::Broken);
            }
            Ok(Ok(())) => {}
        }
        // An idle connection keeps no buffer.
        self.output = Vec::new();
        Ok(())
    }
}

/// Reads what there is, at most [`READ`] octets, after what is in `input`.
async fn read_some(stream: &mut TcpStream, input: &mut Vec<u8>) -> std::io::Result<usize> {
    stream.readable().await?;
    input.reserve(READ);
    (&mut *stream).take(READ as u64).read_buf(input).await
}

/// The first message in `octets` without its length, when all of it is there.
fn whole_message(octets: &[u8]) -> Option<&[u8]> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::whole_message;

    /// RFC 1035 §4.2.2: two octets of length, which do not count themselves.
    #[test]
    fn rfc1035_4_2_2_framing() {
        assert_eq!(whole_message(&[]), None);
        assert_eq!(whole_message(&[0]), None);
        assert_eq!(whole_message(&[0, 0]), Some(&[][..]));
        assert_eq!(whole_message(&[0, 2, 1]), None);
        assert_eq!(whole_message(&[0, 2, 1, 2, 3]), Some(&[1, 2][..]));
    }
}
