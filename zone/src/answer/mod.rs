//! From the octets of a query to the octets of its response.
//!
//! Parse, find the zone, look up, fill the sections, encode: [`query`], [`lookup`], [`sections`],
//! [`writer`]. No allocation, no lock, no log line. The caller brings the buffer and says what it may
//! hold: the transport sets the limit.

mod asked;
mod lookup;
mod qname;
mod query;
mod sections;
mod writer;

pub use asked::{Asked, Transport};

use crate::image::{ZoneState, Zones};
use domain::base::iana::Rtype;
use query::{Edns, Header, Parsed, Query, Verdict};
use writer::{Flags, Writer};

/// What may be set about answering.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest UDP response in octets, 512 to 4096. 1232 fits every path of IPv6 (RFC 9715 §3.2).
    pub udp_limit: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { udp_limit: 1232 }
    }
}

/// What was answered, for the metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Responded {
    /// Octets of the response at the start of the buffer.
    pub len: usize,
    /// The response code, the extended bits of RFC 6891 included.
    pub rcode: u16,
    /// The type that was asked for; 0 when no question could be read.
    pub qtype: u16,
    /// Whether TC was set.
    pub truncated: bool,
}

#[cfg(test)]
mod tests;

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;
const NOTAUTH: u16 = 9;
const BADVERS: u16 = 16;

const CLASS_IN: u16 = 1;
/// The least that a message over UDP can always be (RFC 1035 §4.2.1).
const LEAST_UDP: u16 = 512;

/// Writes the response to `query` into `out` (at least 512 octets; what TCP may need is 65,535). `None`
/// when there must be no response. `asked` is what is known of the query beside its octets.
pub fn respond(
    zones: &Zones,
    settings: &Settings,
    asked: &Asked,
    query: &[u8],
    out: &mut [u8],
) -> Option<Responded> {
    let Parsed { header, verdict, query, edns } = query::parse(query)?;
    Some(match (verdict, &query) {
        (Verdict::Query, Some(query)) => respond_to_query(zones, settings, asked, header, query, out),
        (Verdict::OtherOpcode, _) => without_question(settings, header, NOTIMP, edns, out),
        (_, None) => without_question(settings, header, FORMERR, edns, out),
        (_, Some(query)) => without_answer(settings, asked, header, query, FORMERR, out),
    })
}

fn respond_to_query(
    zones: &Zones,
    settings: &Settings,
    asked: &Asked,
    header: Header,
    query: &Query,
    out: &mut [u8],
) -> Responded {
    if let Some(rcode) = refusal(zones, query) {
        return without_answer(settings, asked, header, query, rcode, out);
    }
    match find_zone(zones, query) {
        None => without_answer(settings, asked, header, query, REFUSED, out),
        Some((_, ZoneState::Assembling)) => without_answer(settings, asked, header, query, SERVFAIL, out),
        Some((apex_labels, ZoneState::Serving(image))) => {
            let mut writer = begin(settings, asked, query, out);
            let (rcode, flags) = sections::fill(&mut writer, image, apex_labels, query);
            end(writer, settings, header, query, rcode, flags)
        }
    }
}

/// What is not answered, whatever is in the zones.
fn refusal(zones: &Zones, query: &Query) -> Option<u16> {
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return Some(BADVERS);
    }
    if query.qclass != CLASS_IN {
        return Some(REFUSED);
    }
    match query.qtype {
        // Zone transfers are not offered by this function; RFC 5936 §2.2.1 has an rcode for each reason.
        Rtype::AXFR | Rtype::IXFR => {
            let is_apex = find_zone(zones, query).is_some_and(|(labels, _)| labels == query.name.labels());
            Some(if is_apex { REFUSED } else { NOTAUTH })
        }
        // NXNAME: RFC 9824 §3.5.
        Rtype::OPT | Rtype::TSIG | Rtype::TKEY | Rtype::NXNAME => Some(FORMERR),
        Rtype::MAILA | Rtype::MAILB => Some(NOTIMP),
        _ => None,
    }
}

/// The zone with the longest apex at or above the name. DS is asked of the parent when the parent is here
/// too (RFC 4035 §3.1.4.1): then the apex must be above the name.
fn find_zone<'z>(zones: &'z Zones, query: &Query) -> Option<(usize, &'z ZoneState)> {
    let name = &query.name;
    let longest = |greatest| zones.longest_match(name.hashes(), greatest, |labels| name.suffix(labels));
    match longest(name.labels()) {
        Some((labels, _)) if query.qtype == Rtype::DS && labels == name.labels() && labels > 0 => {
            longest(labels - 1).or_else(|| longest(labels))
        }
        found => found,
    }
}

fn begin<'a>(settings: &Settings, asked: &Asked, query: &'a Query, out: &'a mut [u8]) -> Writer<'a> {
    let limit = match asked.transport {
        Transport::Tcp => usize::from(u16::MAX),
        Transport::Udp => {
            let theirs = query.edns.map_or(LEAST_UDP, |edns| edns.payload.max(LEAST_UDP));
            usize::from(theirs.min(our_payload(settings)))
        }
    };
    Writer::new(out, limit, &query.name, query.qtype, query.qclass, query.edns.is_some())
}

fn end(
    writer: Writer<'_>,
    settings: &Settings,
    header: Header,
    query: &Query,
    rcode: u16,
    flags: Flags,
) -> Responded {
    let edns: Option<(Edns, u16)> = query.edns.map(|theirs| (theirs, our_payload(settings)));
    let len = writer.finish(header, rcode, flags, edns);
    Responded { len, rcode, qtype: query.qtype.to_int(), truncated: flags.truncated }
}

fn without_answer(
    settings: &Settings,
    asked: &Asked,
    header: Header,
    query: &Query,
    rcode: u16,
    out: &mut [u8],
) -> Responded {
    end(begin(settings, asked, query, out), settings, header, query, rcode, Flags::default())
}

/// A response to what has no question that could be repeated: a header, and an OPT if there was one.
fn without_question(
    settings: &Settings,
    header: Header,
    rcode: u16,
    edns: Option<Edns>,
    out: &mut [u8],
) -> Responded {
    let flags = 0x8000
        | u16::from(header.opcode) << 11
        | u16::from(header.recursion_desired) << 8
        | u16::from(header.checking_disabled) << 4
        | rcode;
    out[..query::HEADER].fill(0);
    out[..2].copy_from_slice(&header.id);
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    let mut len = query::HEADER;
    if let Some(theirs) = edns {
        let opt = writer::opt(theirs, our_payload(settings), rcode);
        out[query::HEADER - 1] = 1;
        out[len..len + opt.len()].copy_from_slice(&opt);
        len += opt.len();
    }
    Responded { len, rcode, qtype: 0, truncated: false }
}

/// What is offered to clients, and the most that is sent over UDP.
fn our_payload(settings: &Settings) -> u16 {
    settings.udp_limit.max(LEAST_UDP)
}
