//! What a query for a transfer asks for.

use crate::answer::query::{self, Verdict};
use crate::name::Name;
use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::name::ToName;
use domain::base::{Message, ParsedName};
use domain::rdata::Soa;

/// A query for a transfer, and what its answer repeats of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is to be transferred.
    pub kind: Kind,
    /// The name that was asked for, which should be an apex.
    pub name: Name,
    pub(crate) id: [u8; 2],
    pub(crate) recursion_desired: bool,
    /// Name, type and class as they were asked, octet by octet.
    pub(crate) question: Box<[u8]>,
    /// Whether the query had an OPT, and with DO.
    pub(crate) edns: Option<bool>,
}

/// What is to be transferred.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The whole zone (RFC 5936).
    Axfr,
    /// What changed since a serial (RFC 1995 §3).
    Ixfr {
        /// The version that the client has; `None` when it forgot to say.
        serial: Option<u32>,
    },
}

impl Kind {
    /// The type that asks for it.
    pub fn rtype(self) -> Rtype {
        match self {
            Kind::Axfr => Rtype::AXFR,
            Kind::Ixfr { .. } => Rtype::IXFR,
        }
    }
}

const HEADER: usize = 12;

impl Request {
    /// Reads a query. `None` for everything that is not one for a transfer in class IN, and for what is
    /// malformed: then it is answered as any other query is.
    pub fn read(message: &[u8]) -> Option<Self> {
        // What any other query is told to be malformed is so here.
        if !asks_for_a_transfer(message) || query::parse(message)?.verdict != Verdict::Query {
            return None;
        }
        let message = Message::from_octets(message).ok()?;
        let header = message.header();
        if header.qr() || header.opcode() != Opcode::QUERY {
            return None;
        }
        let question = message.sole_question().ok()?;
        let name: Name = question.qname().to_name();
        // No compression is possible in the first name of a message.
        let end = HEADER + name.len() + 4;
        let asked = message.as_slice().get(HEADER..end)?;
        if question.qclass() != Class::IN {
            return None;
        }
        let opt = message.opt();
        if opt.as_ref().is_some_and(|opt| opt.version() != 0) {
            return None;
        }
        let kind = match question.qtype() {
            Rtype::AXFR => Kind::Axfr,
            Rtype::IXFR => Kind::Ixfr { serial: held_serial(&message, &name) },
            _ => return None,
        };
        Some(Request {
            kind,
            name,
            id: header.id().to_be_bytes(),
            recursion_desired: header.rd(),
            question: asked.into(),
            edns: opt.as_ref().map(|opt| opt.dnssec_ok()),
        })
    }

    /// The same for a response that gets its OPT from elsewhere.
    #[must_use]
    pub fn without_opt(self) -> Self {
        Request { edns: None, ..self }
    }

    /// A response without records.
    pub fn refuse(&self, rcode: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + self.question.len() + 11);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&[0x80 | u8::from(self.recursion_desired), rcode & 0x0f]);
        out.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        out.extend_from_slice(&self.question);
        out.extend(self.edns.iter().flat_map(|&dnssec_ok| opt(dnssec_ok)));
        out
    }
}

/// RFC 6891 §6.1.2. Over TCP the payload means nothing; it is what we say over UDP by default.
pub(crate) fn opt(dnssec_ok: bool) -> [u8; 11] {
    let payload = 1232u16.to_be_bytes();
    [0, 0, 41, payload[0], payload[1], 0, 0, u8::from(dnssec_ok) << 7, 0, 0, 0]
}

/// A look at the type in the question, for all those queries that want no transfer.
fn asks_for_a_transfer(message: &[u8]) -> bool {
    let at = root_of_question(message);
    let rtype = message.get(at + 1..at + 3).map(|octets| u16::from_be_bytes([octets[0], octets[1]]));
    rtype.is_some_and(|rtype| matches!(Rtype::from_int(rtype), Rtype::AXFR | Rtype::IXFR))
}

/// Where the labels of the first name end: at its root label, if it is a name.
fn root_of_question(message: &[u8]) -> usize {
    let mut at = HEADER;
    while let Some(&length @ 1..=63) = message.get(at) {
        at += 1 + usize::from(length);
    }
    at
}

/// Whether a glance tells that a message neither asks for a transfer nor is signed (RFC 8945 §5.1): a question, and
/// nothing else or an OPT. Most queries are such.
pub fn is_ordinary(message: &[u8]) -> bool {
    let Some([0, 1, 0, 0, 0, 0, 0, additional @ 0..=1]) = message.get(4..HEADER) else { return false };
    let at = root_of_question(message);
    let Some([0, rtype @ .., _, _]) = message.get(at..at + 5) else { return false };
    let begins_with_opt = || message[at + 5..].starts_with(&[0, 0, 41]);
    !matches!(rtype, [0, 251 | 252]) && (*additional == 0 || begins_with_opt())
}

/// RFC 1995 §3: the SOA of the version that the client has is in the authority section.
fn held_serial(message: &Message<&[u8]>, name: &Name) -> Option<u32> {
    let records = message.authority().ok()?.limit_to::<Soa<ParsedName<&[u8]>>>();
    let mut serials = records
        .flatten()
        .filter(|record| record.class() == Class::IN && record.owner().to_name::<bytes::Bytes>() == *name);
    serials.next().map(|record| record.data().serial().into_int())
}
