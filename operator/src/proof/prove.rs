//! Asking one pod a sample and judging what it says.

use std::net::SocketAddr;

use super::Question;
use super::ask::{self, Replied, Transport};
use super::judge::{Reply, expected_text};
use super::oracle::Zones;

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

fn judge(zones: &Zones, questions: &[Question], over_udp: &[Replied], over_tcp: &[Replied]) -> Proof {
    let mut proof = Proof::default();
    for ((question, udp), tcp) in questions.iter().zip(over_udp).zip(over_tcp) {
        let Some(expected) = zones.expect(question) else { continue };
        let expected_said = || expected_text(&expected);
        let serial = zones.of(question).map(|zone| zone.soa.serial);
        let read = |replied: &Replied, transport| -> Result<Reply, Mismatch> {
            let wrong = |answered| Mismatch {
                question: question.clone(),
                transport,
                expected: expected_said(),
                answered,
            };
            let (octets, _) = replied.as_ref().map_err(|why| wrong(Answered::Nothing(why.clone())))?;
            Reply::read(octets, question).map_err(|said| wrong(Answered::Otherwise(said)))
        };
        let replies = [read(udp, Transport::Udp), read(tcp, Transport::Tcp)];
        let is_stale = |reply: &Result<Reply, Mismatch>| {
            reply.as_ref().is_ok_and(|reply| reply.serial.is_some() && reply.serial != serial)
        };
        if replies.iter().any(is_stale) {
            proof.stale.push(question.clone());
            continue;
        }
        proof.asked += 1;
        let [udp, tcp] = replies;
        let whole = tcp.as_ref().map(|tcp| tcp.octets).ok();
        let verdicts = [(udp, Transport::Udp), (tcp, Transport::Tcp)].map(|(reply, transport)| {
            let reply = reply?;
            let is_right = match (reply.is_truncated, transport) {
                (false, _) => reply.is(&expected),
                (true, Transport::Udp) => {
                    reply.rcode == expected.rcode && whole.is_none_or(|octets| octets > ALWAYS_FITS)
                }
                (true, Transport::Tcp) => false,
            };
            match is_right {
                true => Ok(()),
                false => {
                    let cut = if reply.is_truncated { " and TC" } else { "" };
                    let answered = Answered::Otherwise(format!("{}{cut}", reply.text()));
                    Err(Mismatch {
                        question: question.clone(),
                        transport,
                        expected: expected_said(),
                        answered,
                    })
                }
            }
        });
        match verdicts.into_iter().find_map(Result::err) {
            None => proof.right += 1,
            Some(mismatch) if proof.mismatches.len() < KEPT => proof.mismatches.push(mismatch),
            Some(_) => {}
        }
    }
    proof
}
