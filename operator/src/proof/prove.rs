//! Asking one pod a sample and judging what it says.

use std::net::SocketAddr;

use super::Question;
use super::ask::{self, Replied, Transport};
use super::judge::{Reply, expected_text};
use super::oracle::{Expected, Zones};

/// A response that is truncated although it has no more octets than this is wrong whatever the limits are set to: every
/// client takes them (RFC 1035 §2.3.4).
const ALWAYS_FITS: usize = 512;
/// How many mismatches are kept.
const KEPT: usize = 10;

/// What came of asking.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Questions that were asked, each over UDP and over TCP, and judged.
    pub asked: usize,
    /// Of them, those that were answered rightly over both.
    pub right: usize,
    /// Questions that were answered from another version than is known here: they prove nothing.
    pub stale: Vec<Question>,
    /// The first of those that were not.
    pub mismatches: Vec<Mismatch>,
}

/// A question that was not answered as it must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// The question.
    pub question: Question,
    /// Over which transport.
    pub transport: Transport,
    /// What must be answered.
    pub expected: String,
    /// What was answered.
    pub answered: Answered,
}

/// What was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answered {
    /// Something else.
    Otherwise(String),
    /// Nothing, and why.
    Nothing(String),
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mismatch { question, transport, expected, answered } = self;
        write!(f, "{question} over {}: ", transport.as_str())?;
        match answered {
            Answered::Otherwise(said) => write!(f, "answered {said}; right is {expected}"),
            Answered::Nothing(why) => write!(f, "{why}; right is {expected}"),
        }
    }
}

/// Asks a pod the questions, over UDP and over TCP, and judges what it says.
pub async fn prove(address: SocketAddr, zones: &Zones, questions: &[Question]) -> Proof {
    let (over_udp, over_tcp) = futures::join!(
        ask::all(address, Transport::Udp, questions),
        ask::all(address, Transport::Tcp, questions)
    );
    judge(zones, questions, &over_udp, &over_tcp)
}

/// Asks a pod the questions over one transport that never truncates, and judges what it says.
pub async fn prove_over(
    transport: Transport,
    address: SocketAddr,
    zones: &Zones,
    questions: &[Question],
) -> Proof {
    let replies = ask::all(address, transport, questions).await;
    let mut proof = Proof::default();
    for (question, replied) in questions.iter().zip(&replies) {
        let Some(asked) = Asked::of(zones, question) else { continue };
        let reply = asked.read(replied, transport);
        if asked.is_stale(&reply) {
            proof.stale.push(question.clone());
            continue;
        }
        proof.note(asked.verdict(reply, transport, None));
    }
    proof
}

fn judge(zones: &Zones, questions: &[Question], over_udp: &[Replied], over_tcp: &[Replied]) -> Proof {
    let mut proof = Proof::default();
    for ((question, udp), tcp) in questions.iter().zip(over_udp).zip(over_tcp) {
        let Some(asked) = Asked::of(zones, question) else { continue };
        let (udp, tcp) = (asked.read(udp, Transport::Udp), asked.read(tcp, Transport::Tcp));
        if asked.is_stale(&udp) || asked.is_stale(&tcp) {
            proof.stale.push(question.clone());
            continue;
        }
        let whole = tcp.as_ref().map(|tcp| tcp.octets).ok();
        let verdict = asked.verdict(udp, Transport::Udp, whole);
        proof.note(verdict.and_then(|()| asked.verdict(tcp, Transport::Tcp, whole)));
    }
    proof
}

impl Proof {
    fn note(&mut self, verdict: Result<(), Mismatch>) {
        self.asked += 1;
        match verdict {
            Ok(()) => self.right += 1,
            Err(mismatch) if self.mismatches.len() < KEPT => self.mismatches.push(mismatch),
            Err(_) => {}
        }
    }
}

/// A question with what must be answered.
struct Asked<'q> {
    question: &'q Question,
    expected: Expected,
    serial: Option<u32>,
}

impl<'q> Asked<'q> {
    fn of(zones: &Zones, question: &'q Question) -> Option<Self> {
        let expected = zones.expect(question)?;
        let serial = zones.of(question).map(|zone| zone.soa.serial);
        Some(Asked { question, expected, serial })
    }

    fn read(&self, replied: &Replied, transport: Transport) -> Result<Reply, Mismatch> {
        let (octets, _) =
            replied.as_ref().map_err(|why| self.mismatch(transport, Answered::Nothing(why.clone())))?;
        Reply::read(octets, self.question).map_err(|said| self.mismatch(transport, Answered::Otherwise(said)))
    }

    /// Whether an answer is of another version than is known here.
    fn is_stale(&self, reply: &Result<Reply, Mismatch>) -> bool {
        reply.as_ref().is_ok_and(|reply| reply.serial.is_some() && reply.serial != self.serial)
    }

    /// Whether an answer is right. `whole` is how many octets it has where nothing is cut, if that is known.
    fn verdict(
        &self,
        reply: Result<Reply, Mismatch>,
        transport: Transport,
        whole: Option<usize>,
    ) -> Result<(), Mismatch> {
        let reply = reply?;
        let is_right = match (reply.is_truncated, transport) {
            (false, _) => reply.is(&self.expected),
            (true, Transport::Udp) => {
                reply.rcode == self.expected.rcode && whole.is_none_or(|octets| octets > ALWAYS_FITS)
            }
            (true, _) => false,
        };
        if is_right {
            return Ok(());
        }
        let cut = if reply.is_truncated { " and TC" } else { "" };
        Err(self.mismatch(transport, Answered::Otherwise(format!("{}{cut}", reply.text()))))
    }

    fn mismatch(&self, transport: Transport, answered: Answered) -> Mismatch {
        let (question, expected) = (self.question.clone(), expected_text(&self.expected));
        Mismatch { question, transport, expected, answered }
    }
}
