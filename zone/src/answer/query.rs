//! From the octets of a message to a question, or to the reason why it is not answered as one.

use super::qname::QName;
use domain::base::iana::Rtype;

/// Octets of a message header (RFC 1035 §4.1.1).
pub(crate) const HEADER: usize = 12;

/// The header fields that shape the response.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) id: [u8; 2],
    pub(crate) opcode: u8,
    pub(crate) recursion_desired: bool,
    pub(crate) checking_disabled: bool,
}

/// A question with what its sender said about itself.
pub(crate) struct Query {
    pub(crate) name: QName,
    pub(crate) qtype: Rtype,
    pub(crate) qclass: u16,
    pub(crate) edns: Option<Edns>,
}

/// What an OPT record says (RFC 6891 §6.1.2).
#[derive(Clone, Copy)]
pub(crate) struct Edns {
    /// The largest UDP message that the sender takes.
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
}

/// A message taken apart.
pub(crate) struct Parsed {
    pub(crate) header: Header,
    pub(crate) verdict: Verdict,
    /// The question, where it could be read.
    pub(crate) query: Option<Query>,
    /// The OPT of a message without such a question.
    pub(crate) edns: Option<Edns>,
}

/// What a message turned out to be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// A question.
    Query,
    /// Of an opcode other than QUERY.
    OtherOpcode,
    /// Malformed.
    Malformed,
}

/// Takes a message apart. `None` for what is not to be answered at all: shorter than a header, or itself a
/// response (RFC 8906 §3.2: never answered, or two servers would talk for ever).
pub(crate) fn parse(message: &[u8]) -> Option<Parsed> {
    let head = message.first_chunk::<HEADER>()?;
    if head[2] & 0x80 != 0 {
        return None;
    }
    let header = Header {
        id: [head[0], head[1]],
        opcode: head[2] >> 3 & 0x0f,
        recursion_desired: head[2] & 1 != 0,
        checking_disabled: head[3] & 0x10 != 0,
    };
    let count = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (questions, records) = (count(4), [count(6), count(8), count(10)]);
    let mut parsed = Parsed { header, verdict: Verdict::Malformed, query: None, edns: None };
    if header.opcode != 0 {
        parsed.verdict = Verdict::OtherOpcode;
        parsed.edns = parse_edns(message, questions, records);
        return Some(parsed);
    }
    // RFC 9619: a QUERY has exactly one question.
    match parse_question(message).filter(|_| questions == 1) {
        None => parsed.edns = parse_edns(message, questions, records),
        Some((query, at)) => {
            let query = parsed.query.insert(query);
            if let Some(edns) = parse_records(message, at, records) {
                query.edns = edns;
                parsed.verdict = Verdict::Query;
            }
        }
    }
    Some(parsed)
}

/// The OPT of a message that is not answered for what it asks (RFC 6891 §6.1.1: who sends one gets one).
fn parse_edns(message: &[u8], questions: u16, records: [u16; 3]) -> Option<Edns> {
    let after_question = |at, _| Some(skip_name(message, at)? + 4);
    let at = (0..questions).try_fold(HEADER, after_question)?;
    parse_records(message, at, records)?
}

fn parse_question(message: &[u8]) -> Option<(Query, usize)> {
    let name = QName::parse(message.get(HEADER..)?)?;
    let at = HEADER + name.wire().len();
    let fixed: &[u8; 4] = message.get(at..at + 4)?.try_into().ok()?;
    let qtype = Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]]));
    let qclass = u16::from_be_bytes([fixed[2], fixed[3]]);
    Some((Query { name, qtype, qclass, edns: None }, at + 4))
}

/// Walks the records after the question, to the very end of the message. `None` when they are malformed,
/// when there are two OPT records or one outside the additional section (RFC 6891 §6.1.1), or when octets
/// are left over.
fn parse_records(message: &[u8], mut at: usize, counts: [u16; 3]) -> Option<Option<Edns>> {
    let mut edns = None;
    for (section, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let owner = at;
            at = skip_name(message, at)?;
            let fixed: &[u8; 10] = message.get(at..at + 10)?.try_into().ok()?;
            let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            let rdata = message.get(at + 10..at + 10 + length)?;
            at += 10 + length;
            if Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]])) != Rtype::OPT {
                continue;
            }
            if section != 2 || edns.is_some() || message[owner] != 0 || !options_are_well_formed(rdata) {
                return None;
            }
            edns = Some(Edns {
                payload: u16::from_be_bytes([fixed[2], fixed[3]]),
                version: fixed[5],
                dnssec_ok: fixed[6] & 0x80 != 0,
            });
        }
    }
    (at == message.len()).then_some(edns)
}

fn options_are_well_formed(mut rdata: &[u8]) -> bool {
    while !rdata.is_empty() {
        let Some(length) = rdata.get(2..4).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]]))) else {
            return false;
        };
        match rdata.get(4 + length..) {
            Some(rest) => rdata = rest,
            None => return false,
        }
    }
    true
}

/// The offset after a name that may end in a pointer. Which name it points to does not matter here, only
/// that it stands before (RFC 1035 §4.1.4).
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            high @ 0xc0.. => {
                let target = usize::from(high & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                return (target < at).then_some(at + 2);
            }
            _ => return None,
        }
    }
}
