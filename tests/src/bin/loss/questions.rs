//! What is asked, and what is right.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A question as it is sent, but for its ID.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) octets: Vec<u8>,
    right: Right,
}

/// What is right.
#[derive(Debug)]
enum Right {
    /// These addresses.
    Addresses(Vec<Ipv4Addr>),
    /// There is no such name.
    NameError,
    /// An address that is not before this one, as a number, was when it was asked.
    NotBefore(Arc<AtomicU32>),
}

/// The questions for the zone that a release has, and the address that `changing` has at the least.
pub(crate) fn all(domain: &str, changing: &Arc<AtomicU32>) -> Vec<Question> {
    let one = |owner: &str, right: Right| {
        let text = format!("{owner}.{domain}.");
        let name = Name::from_ascii(&text).expect("a name");
        let mut message = Message::new(0, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(name, RecordType::A));
        Question { text, octets: message.to_vec().expect("a message"), right }
    };
    let address = |last: u8| Right::Addresses(vec![Ipv4Addr::new(192, 0, 2, last)]);
    let mut all = vec![one("www", address(10)), one("some.wild", address(11)), one("alias", address(10))];
    all.push(one("no-such", Right::NameError));
    all.push(one(CHANGING, Right::NotBefore(changing.clone())));
    for number in 0..100 {
        let right = Right::Addresses(vec![Ipv4Addr::new(198, 51, 100, number)]);
        all.push(one(&format!("h{number}"), right));
    }
    all
}

/// The owner whose address changes.
pub(crate) const CHANGING: &str = "changing";

impl Question {
    /// What must hold of the answer to a question that is asked now.
    pub(crate) fn floor(&self) -> u32 {
        match &self.right {
            Right::NotBefore(floor) => floor.load(Ordering::Acquire),
            Right::Addresses(_) | Right::NameError => 0,
        }
    }

    /// What is wrong with an answer, if anything is. `floor` is of the moment when it was asked.
    pub(crate) fn wrong(&self, answer: &[u8], floor: u32) -> Option<String> {
        let Ok(message) = Message::from_vec(answer) else { return Some("no message".to_owned()) };
        let rcode = message.metadata.response_code;
        let addresses: Vec<Ipv4Addr> = message
            .answers
            .iter()
            .filter_map(|record| match &record.data {
                RData::A(address) => Some(address.0),
                _ => None,
            })
            .collect();
        let is_right = match &self.right {
            Right::Addresses(expected) => rcode == ResponseCode::NoError && addresses == *expected,
            Right::NameError => rcode == ResponseCode::NXDomain && addresses.is_empty(),
            Right::NotBefore(_) => {
                rcode == ResponseCode::NoError && matches!(&addresses[..], [one] if u32::from(*one) >= floor)
            }
        };
        (!is_right).then(|| format!("{rcode:?} {addresses:?}"))
    }
}
