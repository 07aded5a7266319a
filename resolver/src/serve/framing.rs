//! Messages on a stream, with two octets of length before each (RFC 1035 §4.2.2), as many on a connection
//! as the client likes, answered in their order (RFC 7766). Over TCP and over TLS (RFC 7858 §3.3) alike.
//!
//! A connection takes what has arrived, answers the whole messages in it, hands the answers to the client,
//! and only then reads on. So a client that does not read its answers holds at most [`BATCH`] octets and
//! one message, and is cut off when its time is up; so is one that sends a query octet by octet, or
//! nothing at all. Queries that are forwarded ([`crate::forward`]) are on their way a few at a time, and their answers
//! come in the order of the queries like all others. A zone transfer is sent one message after another, in its place among the answers. An idle
//! connection holds no buffer.

use super::connections::Slot;
use super::engine::{Forwarded, HEADER, Handled, MESSAGE};
use super::front::Front;
use super::proxy;
use crate::traffic::Closed;
use crate::transfer::{Over, Waiting};
use futures::future::{Either, ready};
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, timeout, timeout_at};

/// Answers that are collected before they are handed to the client.
const BATCH: usize = 16 << 10;
const READ: usize = 4 << 10;
/// Queries of a connection that legacy is asked for at a time, and answers that wait behind them.
const WAITING: usize = 16;

thread_local! {
    static BLOCK: RefCell<[u8; READ]> = const { RefCell::new([0; READ]) };
}

/// Serves a connection to its end.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    over: Over,
    slot: &Slot,
    front: &Front,
) -> Closed {
    let client = slot.client();
    let mut connection = Connection { stream, over, client, front, input: Vec::new(), output: Vec::new() };
    tokio::select! {
        reason = connection.run(slot) => reason,
        () = slot.evicted() => Closed::Evicted,
    }
}

struct Connection<'a, S> {
    stream: S,
    /// Whether a query may have more than one response.
    over: Over,
    client: IpAddr,
    front: &'a Front,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Front {
    /// The answer to a query that is forwarded, with its length before it.
    async fn framed(&self, forwarded: Box<Forwarded>) -> Option<Vec<u8>> {
        let mut framed = Vec::new();
        frame(&self.engine.forwarded(forwarded).await?, &mut framed);
        Some(framed)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    async fn run(&mut self, slot: &Slot) -> Closed {
        let limits = &self.front.limits;
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
                (now + self.front.idle(), Closed::Idle)
            } else {
                // The time counts from the first octet of this message, not from the last that came.
                if answered {
                    query_due = None;
                }
                (*query_due.get_or_insert(now + limits.query), Closed::SlowQuery)
            };
            let read = tokio::select! {
                // Before the queries of a client, which may be many without end.
                biased;
                () = self.front.stop.cancelled() => return self.leave(slot).await,
                read = timeout_at(due, read_some(&mut self.stream, &mut self.input)) => read,
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
        // A client that never stops does not keep us.
        let until = Instant::now() + self.front.limits.goodbye();
        while let Some(Ok(1..)) = unconstrained(read_some(&mut self.stream, &mut self.input)).now_or_never()
            && Instant::now() < until
        {
            if let Err(reason) = self.answer_all(slot).await {
                return reason;
            }
        }
        let _ = timeout(self.front.limits.goodbye(), self.stream.shutdown()).await;
        Closed::Leaving
    }

    /// Answers every whole message in the input. Says whether there was one.
    async fn answer_all(&mut self, slot: &Slot) -> Result<bool, Closed> {
        let mut taken = 0;
        // Answers that legacy is asked for, and those behind them.
        let front = self.front;
        let mut waiting = FuturesOrdered::new();
        // Once for all that has arrived: it takes a lock that all connections share.
        let patience = self.front.patience();
        while let Some(message) = whole_message(&self.input[taken..]) {
            if message.len() < HEADER {
                // What came before it was right and has its answers.
                self.flush().await?;
                return Err(Closed::Malformed);
            }
            taken += 2 + message.len();
            let mut behind = (!waiting.is_empty()).then(Vec::new);
            let output = behind.as_mut().unwrap_or(&mut self.output);
            let handled = front.engine.answer(self.client, self.over, message, Some(patience), |response| {
                frame(response, output);
            });
            match (handled, behind) {
                (Handled::Forwarded(forwarded), _) => {
                    waiting.push_back(Either::Left(front.framed(forwarded)));
                }
                (Handled::Response(()), Some(framed)) => {
                    waiting.push_back(Either::Right(ready(Some(framed))));
                }
                (Handled::Transfer(transfer), _) => {
                    while let Some(answer) = waiting.next().await {
                        self.take(answer);
                    }
                    self.transfer(transfer, slot).await?;
                }
                (Handled::Response(()) | Handled::Nothing, _) => {}
            }
            if waiting.len() >= WAITING
                && let Some(answer) = waiting.next().await
            {
                self.take(answer);
            }
            if self.output.len() >= BATCH {
                self.flush().await?;
            }
        }
        while let Some(answer) = waiting.next().await {
            self.take(answer);
            if self.output.len() >= BATCH {
                self.flush().await?;
            }
        }
        self.input.drain(..taken);
        self.flush().await?;
        if self.input.starts_with(&proxy::SIGNATURE) {
            return Err(Closed::Malformed);
        }
        if self.input.is_empty() && self.input.capacity() > READ {
            self.input = Vec::new();
        }
        Ok(taken > 0)
    }

    /// Takes an answer with its length before it, when there is one.
    fn take(&mut self, answer: Option<Vec<u8>>) {
        self.output.extend(answer.into_iter().flatten());
    }

    /// Sends one message of a transfer after another, each when the client has taken the one before.
    async fn transfer(&mut self, waiting: Box<Waiting>, slot: &Slot) -> Result<(), Closed> {
        let begun = std::time::Instant::now();
        self.flush().await?;
        let mut transfer = self.front.engine.start(waiting).await;
        let sending = std::time::Instant::now();
        let mut sent = 0;
        while transfer.next_into(&mut self.output) {
            sent += self.output.len();
            self.flush().await?;
            slot.useful();
            if self.front.limits.is_too_slow(sending.elapsed(), sent) {
                return Err(Closed::SlowReader);
            }
        }
        self.front.engine.sent(transfer, begun).ok_or(Closed::Broken)
    }

    /// Hands all answers to the client.
    async fn flush(&mut self) -> Result<(), Closed> {
        if self.output.is_empty() {
            return Ok(());
        }
        let due = Instant::now() + self.front.limits.write;
        let write = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        match timeout_at(due, write).await {
            Err(_) => return Err(Closed::SlowReader),
            Ok(Err(_)) => {
                self.front.engine.send_failed();
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
async fn read_some<S: AsyncRead + Unpin>(stream: &mut S, input: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|context| {
        BLOCK.with_borrow_mut(|block| {
            let mut block = ReadBuf::new(block);
            std::task::ready!(Pin::new(&mut *stream).poll_read(context, &mut block))?;
            // Never twice what the greatest message needs.
            let most = (2 + MESSAGE + READ).saturating_sub(input.len());
            input.reserve_exact(block.filled().len().next_multiple_of(READ).min(most));
            input.extend_from_slice(block.filled());
            Ok(block.filled().len()).into()
        })
    })
    .await
}

/// Appends a message, with its length before it.
fn frame(message: &[u8], output: &mut Vec<u8>) {
    // A message has at most 65,535 octets, so its length fits.
    output.extend_from_slice(&(message.len() as u16).to_be_bytes());
    output.extend_from_slice(message);
}

/// The first message in `octets` without its length, when all of it is there.
fn whole_message(octets: &[u8]) -> Option<&[u8]> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of the greatest length that comes in small pieces, and its last octet never.
    #[tokio::test]
    async fn the_input_of_a_connection_is_bounded() {
        let octets = [0xff; 2 + MESSAGE];
        let mut input = Vec::new();
        let mut most = 0;
        for piece in octets[..1 + MESSAGE].chunks(100) {
            let mut piece = piece;
            while read_some(&mut piece, &mut input).await.expect("reads") > 0 {}
            most = most.max(input.capacity());
        }
        assert_eq!((input.len(), whole_message(&input)), (1 + MESSAGE, None));
        assert!(most <= 2 + MESSAGE + READ, "{most}");
    }

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
