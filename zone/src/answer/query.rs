//! From the octets of a message to a question, or to the reason why it is not answered as one.

use super::cookie::Sent;
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
pub(crate) struct Query<'m> {
    pub(crate) name: QName<'m>,
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
    pub(crate) options: Options,
}

/// The options that are known here. Others are ignored (RFC 6891 §6.1.2), the client subnet among them: it is
/// not echoed either, which says that it was not used (RFC 7871 §7.2.1). Those of another version of EDNS are
/// not looked at.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// RFC 5001 §2.1; what it carries is ignored.
    pub(crate) wants_nsid: bool,
    /// RFC 9660 §3.1; one that carries something is ignored.
    pub(crate) wants_zone_version: bool,
    /// RFC 7828 §3.2.
    pub(crate) wants_keepalive: bool,
    /// RFC 7830 §4.
    pub(crate) wants_padding: bool,
    /// [`code::ANSWER_HERE`].
    pub(crate) wants_answer_here: bool,
    /// The first COOKIE; others are ignored (RFC 7873 §5.2).
    pub(crate) cookie: Option<Sent>,
}

/// Codes of options.
pub(crate) mod code {
    pub(crate) const NSID: u16 = 3;
    pub(crate) const COOKIE: u16 = 10;
    pub(crate) const KEEPALIVE: u16 = 11;
    pub(crate) const PADDING: u16 = 12;
    pub(crate) const EXTENDED_ERROR: u16 = 15;
    pub(crate) const ZONE_VERSION: u16 = 19;
    /// See [`super::super::ANSWER_HERE`].
    pub(crate) const ANSWER_HERE: u16 = 65_053;
}

/// A message taken apart.
pub(crate) struct Parsed<'m> {
    pub(crate) header: Header,
    pub(crate) verdict: Verdict,
    /// The question, where it could be read.
    pub(crate) query: Option<Query<'m>>,
    /// The OPT, where one could be read, whatever else is wrong: who sends one gets one (RFC 6891 §6.1.1).
    pub(crate) edns: Option<Edns>,
}

/// What a message turned out to be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// A question.
    Query,
    /// No question, but a COOKIE: its sender wants one of ours, and nothing else (RFC 7873 §5.4).
    CookieOnly,
    /// Of an opcode other than QUERY.
    OtherOpcode,
    /// Malformed.
    Malformed,
}

/// Takes a message apart. `None` for what is not to be answered at all: shorter than a header, or itself a
/// response (RFC 8906 §3.2: never answered, or two servers would talk for ever).
#[inline]
pub(crate) fn parse(message: &[u8]) -> Option<Parsed<'_>> {
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
    let (questions, counts) = (count(4), [count(6), count(8), count(10)]);
    let mut parsed = Parsed { header, verdict: Verdict::Malformed, query: None, edns: None };
    if header.opcode != 0 {
        parsed.verdict = Verdict::OtherOpcode;
        parsed.edns = after_questions(message, questions, counts).edns;
        return Some(parsed);
    }
    // RFC 9619: a QUERY has exactly one question.
    match parse_question(message).filter(|_| questions == 1) {
        None => {
            let records = after_questions(message, questions, counts);
            parsed.edns = records.edns;
            let has_cookie = records.edns.is_some_and(|edns| edns.options.cookie.is_some());
            if questions == 0 && records.well_formed && has_cookie {
                parsed.verdict = Verdict::CookieOnly;
            }
        }
        Some((query, at)) => {
            let records = parse_records(message, at, counts);
            parsed.edns = records.edns;
            parsed.query.insert(query).edns = records.edns;
            if records.well_formed {
                parsed.verdict = Verdict::Query;
            }
        }
    }
    Some(parsed)
}

/// What stands after the question.
struct Records {
    edns: Option<Edns>,
    well_formed: bool,
}

/// The records of a message that is not answered for what it asks.
fn after_questions(message: &[u8], questions: u16, counts: [u16; 3]) -> Records {
    let after_question = |at, _| Some(skip_name(message, at)? + 4);
    match (0..questions).try_fold(HEADER, after_question) {
        Some(at) => parse_records(message, at, counts),
        None => Records { edns: None, well_formed: false },
    }
}

#[inline]
fn parse_question(message: &[u8]) -> Option<(Query<'_>, usize)> {
    let name = QName::parse(message.get(HEADER..)?)?;
    let at = HEADER + name.wire().len();
    let fixed: &[u8; 4] = message.get(at..at + 4)?.try_into().ok()?;
    let qtype = Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]]));
    let qclass = u16::from_be_bytes([fixed[2], fixed[3]]);
    Some((Query { name, qtype, qclass, edns: None }, at + 4))
}

/// Walks the records after the question, to the very end of the message. Malformed is also a second OPT, one
/// outside the additional section (RFC 6891 §6.1.1), and what is left over at the end.
fn parse_records(message: &[u8], at: usize, counts: [u16; 3]) -> Records {
    let mut edns = None;
    let well_formed = walk_records(message, at, counts, &mut edns).is_some();
    Records { edns, well_formed }
}

fn walk_records(message: &[u8], mut at: usize, counts: [u16; 3], edns: &mut Option<Edns>) -> Option<()> {
    for (section, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let owner = at;
            at = skip_name(message, at)?;
            let fixed: &[u8; 10] = message.get(at..at + 10)?.try_into().ok()?;
            let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            let rdata = message.get(at + 10..at + 10 + length);
            at += 10 + length;
            if Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]])) != Rtype::OPT {
                rdata?;
                continue;
            }
            if edns.is_some() || message[owner] != 0 {
                return None;
            }
            let edns = edns.insert(Edns {
                payload: u16::from_be_bytes([fixed[2], fixed[3]]),
                version: fixed[5],
                dnssec_ok: fixed[6] & 0x80 != 0,
                options: Options::default(),
            });
            let rdata = rdata.filter(|_| section == 2)?;
            if edns.version == 0 {
                edns.options = parse_options(rdata)?;
            }
        }
    }
    (at == message.len()).then_some(())
}

fn parse_options(mut rdata: &[u8]) -> Option<Options> {
    let mut options = Options::default();
    while !rdata.is_empty() {
        let (head, rest) = rdata.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([head[2], head[3]])))?;
        rdata = rest;
        match u16::from_be_bytes([head[0], head[1]]) {
            code::NSID => options.wants_nsid = true,
            code::ZONE_VERSION => options.wants_zone_version |= value.is_empty(),
            code::KEEPALIVE => options.wants_keepalive = true,
            code::PADDING => options.wants_padding = true,
            code::ANSWER_HERE => options.wants_answer_here = true,
            code::COOKIE if options.cookie.is_none() => options.cookie = Some(Sent::parse(value)?),
            _ => {}
        }
    }
    Some(options)
}

/// The offset after a name that may end in a pointer. Which name it points to does not matter here, only
/// that it stands before (RFC 1035 §4.1.4). So no message makes more work than its own length.
pub(crate) fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
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
