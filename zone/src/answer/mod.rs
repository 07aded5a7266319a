//! From the octets of a query to the octets of its response.
//!
//! Parse, find the zone, look up, fill the sections, encode: [`query`], [`lookup`], [`sections`],
//! [`writer`]. What is said beside the sections (OPT and its options, cookies, how large the response may be)
//! is [`reply`]'s. No allocation, no lock, no log line. The caller brings the buffer and says what it may
//! hold: the transport sets the limit.
//!
//! Of what other servers answer: [`forward`] makes it a response of ours, and [`compare`] says whether it is what we
//! would say.

mod asked;
mod chaos;
pub mod compare;
mod cookie;
pub mod forward;
mod lookup;
mod message;
mod opt;
mod proofs;
mod qname;
pub(crate) mod query;
mod reply;
mod sections;
mod settings;
mod warm;
mod writer;

pub use asked::{Asked, Transport};
pub use cookie::{Cookie, Secret, Secrets};
pub use settings::{GREATEST_TEXT, Settings, Text};
pub use warm::warm;

use crate::image::{Forward, Found, Image, ZoneState, Zones};
use domain::base::iana::Rtype;
use opt::ExtendedError;
use qname::QName;
use query::{Query, Verdict};
use reply::Reply;

/// What was answered, for the metrics and for the limits on how often.
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
    /// What kind of answer it is.
    pub kind: Kind,
    /// Responses of one kind with the same number are alike: answers by their name; what has no answer, or one
    /// by a wildcard or DNAME, by its zone, so that random names below it count together. It means nothing
    /// outside this process.
    pub alike: u64,
    /// What the query's cookie says of its sender.
    pub cookie: Cookie,
    /// Who is to be asked instead, for who may pass questions on ([`Asked::may_forward`]). There is no response in
    /// the buffer then, and the rest is as if there were an answer.
    pub forward: Option<Forward>,
}

/// Kinds of responses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// Records that were asked for.
    Answer,
    /// The name has none of that type.
    NoData,
    /// There is no such name.
    NameError,
    /// Others are to be asked.
    Referral,
    /// Anything that is not from a zone.
    Error,
}

#[cfg(test)]
mod tests;

/// Octets of the longest OPT of a response.
pub const GREATEST_OPT: usize = opt::GREATEST;

/// An EDNS option, of those for local use (RFC 6891 §9): the question is answered here, whoever answers for its zone
/// ([`Asked::may_forward`]). So the operator, and people, see what a nameserver has while it forwards. Its value is
/// ignored.
pub const ANSWER_HERE: u16 = query::code::ANSWER_HERE;

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;
const NOTAUTH: u16 = 9;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;

const CLASS_IN: u16 = 1;
const CLASS_CHAOS: u16 = 3;

/// Writes the response to `query` into `out` (at least 512 octets; what TCP may need is 65,535). `None`
/// when there must be no response. `asked` is what is known of the query beside its octets.
pub fn respond(
    zones: &Zones,
    settings: &Settings,
    asked: &Asked,
    query: &[u8],
    out: &mut [u8],
) -> Option<Responded> {
    let parsed = query::parse(query)?;
    let mut reply = Reply::new(settings, asked, &parsed, query.len());
    Some(match (parsed.verdict, &parsed.query) {
        (Verdict::OtherOpcode, _) => {
            reply.says(ExtendedError::NotSupported);
            reply.without_question(NOTIMP, out)
        }
        (Verdict::CookieOnly, _) if reply.cookie() == Cookie::Invalid => {
            reply.without_question(BADCOOKIE, out)
        }
        (Verdict::CookieOnly, _) if reply.cookie() != Cookie::None => reply.without_question(NOERROR, out),
        (_, None) => reply.without_question(FORMERR, out),
        (Verdict::Query, Some(query)) => respond_to_query(zones, reply, query, out),
        (_, Some(query)) => reply.without_answer(query, FORMERR, out),
    })
}

/// Writes the response to `query`, which is well-formed, with a message of another, that of a zone transfer or of
/// another server: `make` is told how many octets it may have and gives it without OPT; `None` for one that has more. All that is said and
/// demanded beside the sections is as in [`respond`].
pub fn respond_with(
    settings: &Settings,
    asked: &Asked,
    query: &[u8],
    out: &mut [u8],
    make: impl FnOnce(usize) -> Option<Vec<u8>>,
) -> Option<Responded> {
    let parsed = query::parse(query)?;
    let reply = Reply::new(settings, asked, &parsed, query.len());
    let query = parsed.query.as_ref()?;
    Some(match reply.must_prove_address() {
        true => reply.prove_address(query, out),
        false => reply.with_message(query, make, out),
    })
}

fn respond_to_query(zones: &Zones, mut reply: Reply<'_>, query: &Query<'_>, out: &mut [u8]) -> Responded {
    if let Some((rcode, why)) = refusal(zones, query) {
        why.into_iter().for_each(|why| reply.says(why));
        return reply.without_answer(query, rcode, out);
    }
    if reply.must_prove_address() {
        return reply.prove_address(query, out);
    }
    if query.qclass == CLASS_CHAOS {
        return chaos::respond(reply, query, out);
    }
    let Some(found) = find_zone(zones, query) else {
        reply.says(ExtendedError::NotAuthoritative);
        return reply.without_answer(query, REFUSED, out);
    };
    if let Some(forward) = found.forward
        && reply.may_forward()
    {
        return reply.forwarded(query, forward);
    }
    match found.state {
        ZoneState::Assembling => {
            reply.says(ExtendedError::NotReady);
            reply.without_answer(query, SERVFAIL, out)
        }
        ZoneState::Serving(image) => respond_from_zone(reply, image, found.labels, query, out),
    }
}

fn respond_from_zone(
    mut reply: Reply<'_>,
    image: &Image,
    apex_labels: usize,
    query: &Query<'_>,
    out: &mut [u8],
) -> Responded {
    reply.zone_version(apex_labels, image.soa().serial);
    let minimal_any = reply.is_over_udp();
    let mut writer = reply.begin(query, out);
    let (rcode, flags) = sections::fill(&mut writer, image, apex_labels, query, minimal_any);
    let (name, zone) = (query.name.hash(), query.name.hash_of(apex_labels));
    let (kind, alike) = match rcode {
        NXDOMAIN => (Kind::NameError, zone),
        _ if !flags.authoritative => (Kind::Referral, zone),
        _ if writer.has_answer() => (Kind::Answer, if flags.synthesised { zone } else { name }),
        _ => (Kind::NoData, zone),
    };
    let made = reply.end(writer, query, rcode, flags);
    Responded { kind, alike, ..made }
}

/// What is not answered, whatever is in the zones, and what may be said of it (RFC 8914).
fn refusal(zones: &Zones, query: &Query<'_>) -> Option<(u16, Option<ExtendedError>)> {
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return Some((BADVERS, None));
    }
    if query.qclass != CLASS_IN && query.qclass != CLASS_CHAOS {
        return Some((REFUSED, Some(ExtendedError::NotSupported)));
    }
    match query.qtype {
        // Zone transfers are not offered by this function; RFC 5936 §2.2.1 has an rcode for each reason.
        Rtype::AXFR | Rtype::IXFR => {
            let is_apex = query.qclass == CLASS_IN
                && find_zone(zones, query).is_some_and(|found| found.labels == query.name.labels());
            Some(match is_apex {
                true => (REFUSED, Some(ExtendedError::Prohibited)),
                false => (NOTAUTH, Some(ExtendedError::NotAuthoritative)),
            })
        }
        Rtype::NXNAME => Some((FORMERR, Some(ExtendedError::InvalidQueryType))),
        Rtype::OPT | Rtype::TSIG | Rtype::TKEY => Some((FORMERR, None)),
        Rtype::MAILA | Rtype::MAILB => Some((NOTIMP, Some(ExtendedError::NotSupported))),
        _ => None,
    }
}

/// The zone with the longest apex at or above the name. DS is asked of the parent when the parent is here
/// too (RFC 4035 §3.1.4.1): then the apex must be above the name.
fn find_zone<'z>(zones: &'z Zones, query: &Query<'_>) -> Option<Found<'z>> {
    let name = &query.name;
    match zone_above(zones, name, name.labels()) {
        Some(found) if query.qtype == Rtype::DS && found.labels == name.labels() && found.labels > 0 => {
            zone_above(zones, name, found.labels - 1).or(Some(found))
        }
        found => found,
    }
}

/// The zone with the longest apex at or above the name, of at most so many labels.
fn zone_above<'z>(zones: &'z Zones, name: &QName<'_>, greatest: usize) -> Option<Found<'z>> {
    zones.longest_match(greatest, |labels| name.hash_of(labels), |labels| name.suffix(labels))
}
