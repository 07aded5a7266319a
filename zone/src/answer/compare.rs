//! Whether two servers gave the same answer to one question.
//!
//! Messages of servers that say the same differ in much that no client should heed. So both are brought into a normal
//! form first, and what is left out of it is:
//!
//! | part | what counts |
//! |---|---|
//! | header | rcode, AA. Not ID, RD, RA, AD and CD |
//! | answer | the set of its records: without order and rotation, case, and records that are there twice. So a chain of aliases is the set of its links |
//! | authority | SOA and NS of what is no positive answer: a SOA says no, NS at or above the name refer to others. Under a positive answer they are a courtesy |
//! | SOA | that there is one; without its serial, which each server counts for itself, and by setting also the rest of it |
//! | additional | nothing, the OPT and its options neither |
//! | TTLs, types of DNSSEC, what a SOA says | by setting ([`What`]) |
//!
//! An alias may lead out of the zone, and a server that has the zone beyond may go on there or not; a resolver asks for the
//! rest again, whatever it was told (RFC 1034 §5.3.3, RFC 2181 §5.4.1). So what comes after the link that leads out does not
//! count, neither does the rcode that it makes, where it is said which zone is asked for ([`compare_within`]).
//!
//! An answer with TC is not all of an answer, and is compared with nothing.

use super::message::{self, AUTHORITY, RecordAt};
use super::qname::is_at_or_below;
use super::query::HEADER;
use crate::caseless;
use crate::name::{self, Name};
use crate::rdata::{self, Rdata, names};
use domain::base::iana::Rtype;
use std::collections::BTreeSet;

const AA: u8 = 0x04;
const TC: u8 = 0x02;

/// What counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct What {
    /// Whether TTLs do.
    pub ttls: bool,
    /// Whether records of DNSSEC do: keys, signatures and proofs of what is not there. DS is the parent's data, and
    /// always counts.
    pub dnssec: bool,
    /// Whether what a SOA says does, its TTL too. Two systems have each their own primary, contact and times.
    pub soa: bool,
}

impl Default for What {
    fn default() -> Self {
        What { ttls: true, dnssec: true, soa: false }
    }
}

/// What two answers differ in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Difference {
    /// The response code.
    Rcode,
    /// AA.
    Authoritative,
    /// The records of the answer section.
    Answer,
    /// Their TTLs alone, or that of a negative answer.
    Ttl,
    /// That there is a SOA in the authority section, or what it says where that counts.
    Negative,
    /// Where a referral leads: NS and DS.
    Referral,
    /// Signatures and proofs in the authority section.
    Proof,
}

impl Difference {
    /// All of them, with their labels.
    pub const ALL: [(Difference, &'static str); 7] = [
        (Difference::Rcode, "rcode"),
        (Difference::Authoritative, "authoritative"),
        (Difference::Answer, "answer"),
        (Difference::Ttl, "ttl"),
        (Difference::Negative, "negative"),
        (Difference::Referral, "referral"),
        (Difference::Proof, "proof"),
    ];

    /// Its label.
    pub fn label(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What became of a comparison.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Compared {
    /// Both say the same.
    Same,
    /// They do not; each way once, in the order of [`Difference::ALL`].
    Differs(Vec<Difference>),
    /// One of them has TC.
    Truncated,
    /// One of them is no message with one question.
    Unreadable,
}

/// Compares two responses to one question.
pub fn compare(one: &[u8], other: &[u8], what: What) -> Compared {
    match (Normal::of(one, what), Normal::of(other, what)) {
        (Some(one), Some(other)) => compare_normal(&one, &other, what),
        _ => Compared::Unreadable,
    }
}

/// The same, as far as the zone at `apex` reaches.
pub fn compare_within(apex: &Name, one: &[u8], other: &[u8], what: What) -> Compared {
    let apex = apex.as_slice().to_ascii_lowercase();
    match (Normal::of(one, what), Normal::of(other, what)) {
        (Some(one), Some(other)) => compare_normal(&one.within(&apex), &other.within(&apex), what),
        _ => Compared::Unreadable,
    }
}

/// Whether a response is about one of `names` in the zone at `apex`: that is asked for, or an alias leads there, or to what is
/// below it, or may be made by it where it is a wildcard. All is below the apex, so that is meant alone.
pub fn is_about(message: &[u8], apex: &Name, names: &BTreeSet<Name>) -> bool {
    const WILDCARD: &[u8] = b"\x01*";
    if names.is_empty() {
        return false;
    }
    let Some(response) = Normal::of(message, What::default()) else { return false };
    let is_it = |asked: &[u8], name: &Name| match name.as_slice().strip_prefix(WILDCARD) {
        _ if name == apex => caseless::eq(asked, name.as_slice()),
        Some(above) => is_at_or_below(asked, above) && !caseless::eq(asked, above),
        None => is_at_or_below(asked, name.as_slice()),
    };
    response.chain.iter().any(|asked| names.iter().any(|name| is_it(asked, name)))
}

fn compare_normal(one: &Normal, other: &Normal, what: What) -> Compared {
    if one.is_truncated || other.is_truncated {
        return Compared::Truncated;
    }
    let without_ttls = |lines: &BTreeSet<Line>| -> BTreeSet<Line> {
        lines.iter().cloned().map(|line| Line { ttl: 0, ..line }).collect()
    };
    let is_same = |one: &BTreeSet<Line>, other: &BTreeSet<Line>| without_ttls(one) == without_ttls(other);
    let answers = is_same(&one.answer, &other.answer);
    let negative = is_same(&one.soa, &other.soa);
    let ttls = !what.ttls
        || (!answers || one.answer == other.answer)
            && (!negative || one.soa == other.soa)
            && (!is_same(&one.referral, &other.referral) || one.referral == other.referral);
    let same = [
        one.rcode == other.rcode,
        one.is_authoritative == other.is_authoritative,
        answers,
        ttls,
        negative,
        is_same(&one.referral, &other.referral),
        is_same(&one.proofs, &other.proofs),
    ];
    let differences: Vec<Difference> =
        Difference::ALL.iter().zip(same).filter(|(_, same)| !same).map(|(found, _)| found.0).collect();
    if differences.is_empty() { Compared::Same } else { Compared::Differs(differences) }
}

/// A response for people, of at most about `most` octets: rcode and flags, then a record a line as `owner TTL TYPE value`
/// with the section before it, in canonical order but for the order of sections. Without OPT.
pub fn text(message: &[u8], most: usize) -> String {
    let (Some(parts), Some(head)) = (message::parts(message), message.first_chunk::<HEADER>()) else {
        return "not a message".to_owned();
    };
    let mut text = format!("rcode {}", head[3] & 0x0f);
    text.push_str(if head[2] & AA != 0 { " aa" } else { "" });
    text.push_str(if head[2] & TC != 0 { " tc" } else { "" });
    for (section, label) in ["answer", "authority", "additional"].into_iter().enumerate() {
        let is_of = |record: &&RecordAt| record.section == section && record.rtype != Rtype::OPT;
        let records = parts.records.iter().filter(is_of);
        let lines: BTreeSet<Line> = records.filter_map(|record| Line::of(message, record)).collect();
        for line in lines {
            let line = format!("\n{label} {}", line.text());
            if text.len() + line.len() > most {
                text.push_str("\n…");
                return text;
            }
            text.push_str(&line);
        }
    }
    text
}

/// A response in normal form.
struct Normal {
    /// The names of the chain of aliases, from the one that is asked for to the last.
    chain: Vec<Vec<u8>>,
    rcode: u8,
    is_authoritative: bool,
    is_truncated: bool,
    answer: BTreeSet<Line>,
    soa: BTreeSet<Line>,
    referral: BTreeSet<Line>,
    proofs: BTreeSet<Line>,
}

/// A record, all names in lower case.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Line {
    owner: Vec<u8>,
    rtype: u16,
    class: u16,
    value: Vec<u8>,
    ttl: u32,
}

impl Normal {
    fn of(message: &[u8], what: What) -> Option<Self> {
        let head = message.first_chunk::<HEADER>()?;
        let parts = message::parts(message)?;
        let mut sections = [BTreeSet::new(), BTreeSet::new()];
        for record in parts.records.iter().filter(|record| record.section <= AUTHORITY) {
            if what.dnssec || !is_dnssec(record.rtype) {
                sections[record.section].insert(Line::of(message, record)?.reduced(what));
            }
        }
        let mut name = Vec::new();
        crate::name::read_from_message(message, HEADER, &mut name)?;
        name.make_ascii_lowercase();
        let fixed = message.get(parts.question_end - 4..parts.question_end - 2)?;
        let qtype = Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]]));
        let [answer, authority] = sections;
        let chain = chain(name, qtype, &answer);
        let name = chain.last()?.clone();
        let is_positive =
            answer.iter().any(|line| line.owner == name && (qtype == Rtype::ANY || line.is_a(qtype)));
        let of = |wanted: &dyn Fn(&Line) -> bool| -> BTreeSet<Line> {
            authority.iter().filter(|line| !is_positive && wanted(line)).cloned().collect()
        };
        Some(Normal {
            chain,
            rcode: head[3] & 0x0f,
            is_authoritative: head[2] & AA != 0,
            is_truncated: head[2] & TC != 0,
            soa: of(&|line| line.is_a(Rtype::SOA)),
            referral: of(&|line| {
                line.is_a(Rtype::DS) || line.is_a(Rtype::NS) && is_at_or_below(&name, &line.owner)
            }),
            // Also a positive answer has them, where a wildcard made it.
            proofs: authority.iter().filter(|line| is_dnssec(Rtype::from_int(line.rtype))).cloned().collect(),
            answer,
        })
    }

    /// Without what comes after an alias that leads out of the zone at `apex`, in lower case.
    fn within(mut self, apex: &[u8]) -> Self {
        const NXDOMAIN: u8 = 3;
        let Some(out) = self.chain.iter().position(|name| !is_at_or_below(name, apex)).filter(|out| *out > 0)
        else {
            return self;
        };
        let links = &self.chain[..out];
        let is_of_link = |line: &Line| {
            links.contains(&line.owner) || line.is_a(Rtype::DNAME) && is_at_or_below(&line.owner, apex)
        };
        self.answer.retain(is_of_link);
        self.proofs.retain(|line| is_at_or_below(&line.owner, apex));
        self.soa.clear();
        self.referral.clear();
        if self.rcode == NXDOMAIN {
            self.rcode = 0;
        }
        self
    }
}

impl Line {
    fn of(message: &[u8], record: &RecordAt) -> Option<Self> {
        let mut owner = record.owner(message)?;
        owner.make_ascii_lowercase();
        let value = names::lowercased(record.rtype, &record.value(message)?);
        Some(Line { owner, rtype: record.rtype.to_int(), class: record.class, value, ttl: record.ttl })
    }

    fn reduced(mut self, what: What) -> Self {
        match (self.is_a(Rtype::SOA), what.soa) {
            (true, false) => {
                self.value.clear();
                self.ttl = 0;
            }
            (true, true) => {
                if let Some(at) = self.value.len().checked_sub(20) {
                    self.value[at..at + 4].fill(0);
                }
            }
            (false, _) => {}
        }
        self
    }

    fn is_a(&self, rtype: Rtype) -> bool {
        self.rtype == rtype.to_int()
    }

    fn text(&self) -> String {
        let rtype = Rtype::from_int(self.rtype);
        let owner = Name::from_octets(self.owner.clone().into());
        let owner = owner.map_or_else(|_| "?".to_owned(), |owner| name::display(&owner));
        let value = match rdata::from_wire(rtype, self.value.clone().into()) {
            Ok(value) => rdata::display(rtype, &value),
            Err(_) => rdata::display_general(&Rdata::from_trusted_wire(self.value.clone().into())),
        };
        format!("{owner} {} {} {value}", self.ttl, rdata::display_rtype(rtype))
    }
}

/// The names of a chain of CNAMEs that begins at `name`; at least that one.
fn chain(name: Vec<u8>, qtype: Rtype, answer: &BTreeSet<Line>) -> Vec<Vec<u8>> {
    let mut chain = vec![name];
    if matches!(qtype, Rtype::CNAME | Rtype::ANY) {
        return chain;
    }
    // A loop has no more links than there are records.
    for _ in 0..answer.len() {
        let is_next = |line: &&Line| line.is_a(Rtype::CNAME) && chain.last() == Some(&line.owner);
        match answer.iter().find(is_next) {
            Some(link) => chain.push(link.value.clone()),
            None => break,
        }
    }
    chain
}

fn is_dnssec(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::RRSIG
            | Rtype::NSEC
            | Rtype::NSEC3
            | Rtype::NSEC3PARAM
            | Rtype::DNSKEY
            | Rtype::CDS
            | Rtype::CDNSKEY
    )
}

#[cfg(test)]
mod tests;
