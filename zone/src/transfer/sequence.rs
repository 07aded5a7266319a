//! The records of a transfer in their order, and how far they have been sent.

use super::message::Message;
use super::{Delta, Entry, Request};
use crate::content::Leaf;
use crate::image::Image;
use domain::base::iana::Rtype;
use std::sync::Arc;

/// Octets of a message when its records allow, the signature that may follow not counted. Large enough that
/// what comes once a message does not count, small enough for a thousand clients.
pub const TARGET: usize = 16 << 10;

/// See the module.
pub struct Sequence {
    request: Request,
    image: Arc<Image>,
    body: Body,
    at: At,
    is_first: bool,
}

/// What is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// Every record.
    Whole,
    /// What changed.
    Differences,
    /// The SOA alone.
    Soa,
}

/// What is between the first and the last SOA.
enum Body {
    /// Nothing, not even the last SOA: the client has this version.
    Nothing,
    /// Every record (RFC 5936 §2.2); the leaves once they are on their way.
    Whole(Vec<Arc<Leaf>>),
    /// The differences, the oldest first (RFC 1995 §4).
    Differences(Vec<Arc<Delta>>),
}

/// What is to be sent next.
#[derive(Clone, Copy)]
enum At {
    FirstSoa,
    /// In a leaf, an owner and a record of it; in a difference, an octet of it.
    Body {
        part: usize,
        owner: usize,
        record: usize,
    },
    LastSoa,
    End,
    /// A record fits no message. What was sent is not the zone, and the client must not take it for that.
    Stuck,
}

impl Sequence {
    /// The whole zone: the answer to AXFR, and to IXFR where the differences are not known.
    pub fn whole(request: Request, image: Arc<Image>) -> Self {
        Self::new(request, image, Body::Whole(Vec::new()))
    }

    /// The differences, each from where the one before ended, the last to `image`.
    pub fn differences(request: Request, image: Arc<Image>, deltas: Vec<Arc<Delta>>) -> Self {
        Self::new(request, image, Body::Differences(deltas))
    }

    /// The SOA alone: there is nothing newer, or it does not fit a message over UDP (RFC 1995 §2).
    pub fn soa_alone(request: Request, image: Arc<Image>) -> Self {
        Self::new(request, image, Body::Nothing)
    }

    fn new(request: Request, image: Arc<Image>, body: Body) -> Self {
        Sequence { request, image, body, at: At::FirstSoa, is_first: true }
    }

    /// What was asked.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What is sent.
    pub fn extent(&self) -> Extent {
        match self.body {
            Body::Nothing => Extent::Soa,
            Body::Differences(_) => Extent::Differences,
            Body::Whole(_) => Extent::Whole,
        }
    }

    /// The serial that the client has at the end.
    pub fn serial(&self) -> u32 {
        self.image.soa().serial
    }

    /// Appends the next message, of about `target` octets, with two octets of its length before it. `false` when
    /// everything has been sent.
    pub fn next_into(&mut self, out: &mut Vec<u8>, target: usize) -> bool {
        if matches!(self.at, At::End | At::Stuck) {
            return false;
        }
        let begin = out.len();
        let (at, is_first) = (self.at, self.is_first);
        if !self.write(out, target, true) {
            // A record of nearly 64 KiB has no room for a question beside it, which only the first message
            // must have; that one has the SOA, which is short.
            out.truncate(begin);
            (self.at, self.is_first) = (at, is_first);
            if !self.write(out, target, false) {
                out.truncate(begin);
                self.at = At::Stuck;
                return false;
            }
        }
        true
    }

    /// Whether everything was written. When it is not and there is no further message, the client must see the
    /// connection end.
    pub fn is_complete(&self) -> bool {
        matches!(self.at, At::End)
    }

    /// Writes one message. Says whether it has a record.
    fn write(&mut self, out: &mut Vec<u8>, target: usize, with_question: bool) -> bool {
        let image = self.image.clone();
        if let (At::FirstSoa, Body::Whole(leaves)) = (self.at, &mut self.body) {
            *leaves = image.content().leaves().cloned().collect();
        }
        let mut message = Message::new(out, &self.request, image.apex().as_slice(), target, with_question);
        let soa = Entry { owner: &[], rtype: Rtype::SOA, ttl: image.soa().ttl, value: image.soa_rdata() };
        loop {
            let is_full = match self.at {
                At::FirstSoa if message.push(&soa) => {
                    self.at = match self.body {
                        Body::Nothing => At::End,
                        _ => At::Body { part: 0, owner: 0, record: 0 },
                    };
                    false
                }
                At::LastSoa if message.push(&soa) => {
                    self.at = At::End;
                    false
                }
                At::Body { part, owner, record } => {
                    self.at = match &self.body {
                        Body::Nothing => At::End,
                        Body::Whole(leaves) => push_leaves(leaves, (part, owner, record), &mut message),
                        Body::Differences(deltas) => push_deltas(deltas, (part, record), &mut message),
                    };
                    matches!(self.at, At::Body { .. })
                }
                At::FirstSoa | At::LastSoa => true,
                At::End | At::Stuck => break,
            };
            if is_full {
                break;
            }
        }
        let has_records = message.records() > 0;
        message.finish(self.request.edns.filter(|_| self.is_first));
        self.is_first = false;
        has_records
    }
}

/// Pushes records until the message is full, and says where to go on.
fn push_leaves(leaves: &[Arc<Leaf>], from: (usize, usize, usize), message: &mut Message<'_>) -> At {
    let (mut part, mut owner, mut record) = from;
    while let Some(leaf) = leaves.get(part) {
        while let Some(found) = leaf.owner(owner) {
            let all = found.rrsets().flat_map(|rrset| rrset.values().map(move |value| (rrset, value)));
            for (i, (rrset, value)) in all.enumerate().skip(record) {
                let entry = Entry::new(found.name(), rrset.rtype, rrset.ttl(), value);
                if !message.push(&entry) {
                    return At::Body { part, owner, record: i };
                }
            }
            (owner, record) = (owner + 1, 0);
        }
        (part, owner) = (part + 1, 0);
    }
    At::LastSoa
}

fn push_deltas(deltas: &[Arc<Delta>], from: (usize, usize), message: &mut Message<'_>) -> At {
    let (mut part, mut at) = from;
    while let Some(delta) = deltas.get(part) {
        while let Some((entry, next)) = delta.entry(at) {
            if !message.push(&entry) {
                return At::Body { part, owner: 0, record: at };
            }
            at = next;
        }
        (part, at) = (part + 1, 0);
    }
    At::LastSoa
}
