//! A question that another server answers: what it is asked, what its response is worth, and what the client gets of
//! it. Pure; sockets, IDs and times are the caller's.
//!
//! ```text
//! query ─Question::read─▶ Question ─query(id)─▶ the other server
//!                            │ hear(response) ─▶ Heard ─▶ Answer ─respond─▶ response to the client
//! ```
//!
//! What goes to the other server is made anew, of nothing but the question in the client's case, and an OPT where the
//! client sent one: with DO as it was set, and without options. A cookie or a client subnet is between a client and us.
//! RD is never set: a server that recurses for us would recurse for everyone. The OPT says how large the message may
//! be so that it fits the client together with our own OPT; so the other server truncates, which knows best what can
//! be left out, and its TC is the client's.
//!
//! What comes back counts only when ID and question are those that were sent, octet by octet (RFC 5452 §9.1). The
//! client gets its sections, AA, TC and rcode, with its own ID, RD and CD and our own OPT. AD and RA say nothing that
//! we could vouch for and are cleared. An extended rcode belongs to the OPT that we sent and is no answer.

use super::message::{self, ADDITIONAL, AUTHORITY, Parts, RecordAt};
use super::query::{self, HEADER};
use super::reply::Reply;
use super::{
    Asked, NOERROR, NOTAUTH, NOTIMP, NXDOMAIN, REFUSED, Responded, SERVFAIL, Settings, respond_with,
};
use super::{FORMERR, Transport};
use crate::caseless;
use crate::name::Name;
use domain::base::iana::Rtype;

/// Octets of an OPT without options.
const OPT: usize = 11;
/// The least payload that an OPT can state (RFC 6891 §6.2.3).
const LEAST_PAYLOAD: usize = 512;
/// Payload that we state over TCP, where it means nothing.
const PAYLOAD: usize = 1232;
/// In the third and fourth octet of a message.
const QR: u8 = 0x80;
const OPCODE: u8 = 0x78;
const AA: u8 = 0x04;
const TC: u8 = 0x02;
const RD: u8 = 0x01;
const CD: u8 = 0x10;
const RCODE: u8 = 0x0f;

/// A question to be passed on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// Name, type and class as the client wrote them.
    question: Vec<u8>,
    edns: Option<Edns>,
    /// RD and CD of the query.
    flags: [u8; 2],
}

/// What is said in the OPT that goes to the other server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Edns {
    payload: u16,
    dnssec_ok: bool,
}

/// What a message from the other server is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// No response to what was asked: of another ID, question or opcode. Whoever sent it, the answer may still come.
    Foreign,
    /// A response that cannot be used: cut off, longer than it says, or of an extended rcode.
    Useless,
    /// It does not know EDNS (RFC 6891 §7): the same is to be asked without.
    WithoutEdns,
    /// It does not answer for the zone: SERVFAIL, REFUSED or NOTAUTH, with neither records nor AA. With these it is what
    /// it says of that name or type: BIND of a chain of aliases without end, PowerDNS of RRSIG.
    Refused(Answer),
    /// An answer.
    Answer(Answer),
}

/// A response of another server, without its OPT.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    message: Vec<u8>,
}

impl Question {
    /// Reads a query that is well-formed. `None` for any other. `asked` is what it came with.
    pub fn read(settings: &Settings, asked: &Asked, query: &[u8]) -> Option<Self> {
        let parsed = query::parse(query)?;
        let question = parsed.query.as_ref()?;
        let room = Reply::new(settings, asked, &parsed, query.len()).room();
        let payload = match asked.transport {
            Transport::Udp => (room + OPT).clamp(LEAST_PAYLOAD, usize::from(u16::MAX)) as u16,
            Transport::Tcp => PAYLOAD as u16,
        };
        Some(Question {
            question: query[HEADER..HEADER + question.name.wire().len() + 4].to_vec(),
            edns: parsed.edns.map(|edns| Edns { payload, dnssec_ok: edns.dnssec_ok }),
            flags: [query[2] & RD, query[3] & CD],
        })
    }

    /// A question of our own, about a name itself, without EDNS.
    pub fn of(name: &Name, rtype: Rtype) -> Self {
        let question = [name.as_slice(), &rtype.to_int().to_be_bytes(), &[0, 1]].concat();
        Question { question, edns: None, flags: [0, 0] }
    }

    /// The message that asks it, with this ID; without OPT where `edns` is not set.
    pub fn query(&self, id: u16, edns: bool) -> Vec<u8> {
        let edns = self.edns.filter(|_| edns);
        let mut message = Vec::with_capacity(HEADER + self.question.len() + OPT);
        message.extend_from_slice(&id.to_be_bytes());
        message.extend_from_slice(&[0, self.flags[1], 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
        message.extend_from_slice(&self.question);
        if let Some(Edns { payload, dnssec_ok }) = edns {
            let [high, low] = payload.to_be_bytes();
            let flags = if dnssec_ok { 0x80 } else { 0 };
            message.extend_from_slice(&[0, 0, 41, high, low, 0, 0, flags, 0, 0, 0]);
        }
        message
    }

    /// Whether there is an OPT in what is asked.
    pub fn has_edns(&self) -> bool {
        self.edns.is_some()
    }

    /// Whether DO is set.
    pub fn is_dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// What `response` is to the query with `id`.
    pub fn hear(&self, id: u16, edns: bool, response: &[u8]) -> Heard {
        let Some(head) = response.first_chunk::<HEADER>() else { return Heard::Foreign };
        if head[..2] != id.to_be_bytes() || head[2] & (QR | OPCODE) != QR {
            return Heard::Foreign;
        }
        let (rcode, sent_edns) = (u16::from(head[3] & RCODE), edns && self.has_edns());
        let may_be_edns = sent_edns && matches!(rcode, FORMERR | NOTIMP);
        if head[4..] == [0; 8] && may_be_edns {
            return Heard::WithoutEdns;
        }
        if response.get(HEADER..HEADER + self.question.len()) != Some(&self.question[..]) {
            return Heard::Foreign;
        }
        let Some(Parts { question_end, records }) = message::parts(response) else { return Heard::Useless };
        if question_end != HEADER + self.question.len() {
            return Heard::Foreign;
        }
        let opt = records.iter().position(|record| record.rtype == Rtype::OPT);
        let Some(at) = opt else {
            return match may_be_edns {
                true => Heard::WithoutEdns,
                false => self.heard(rcode, response.to_vec()),
            };
        };
        let opt = records[at];
        if opt.section != ADDITIONAL || opt.ttl >> 24 != 0 {
            return Heard::Useless;
        }
        // What stands behind it is additional too, and may point into it.
        let mut message = response[..opt.start].to_vec();
        let before = records[..at].iter().filter(|record| record.section == ADDITIONAL).count();
        set_count(&mut message, ADDITIONAL, before);
        self.heard(rcode, message)
    }

    fn heard(&self, rcode: u16, message: Vec<u8>) -> Heard {
        // Who speaks for the zone says so by AA (RFC 1035 §4.1.1).
        let says_nothing = message[6..8] == [0, 0] && message[2] & (AA | TC) == 0;
        let answer = Answer { message };
        match rcode {
            SERVFAIL | REFUSED | NOTAUTH if says_nothing => Heard::Refused(answer),
            _ => Heard::Answer(answer),
        }
    }

    /// What makes questions alike: the name without its case, type and class, and DO.
    pub fn key(&self) -> Vec<u8> {
        let (name, rest) = self.question.split_at(self.question.len() - 4);
        let mut key = name.to_ascii_lowercase();
        key.extend_from_slice(rest);
        key.push(u8::from(self.is_dnssec_ok()));
        key
    }

    /// The name.
    pub fn name(&self) -> Option<Name> {
        Name::from_octets(self.question[..self.question.len() - 4].to_vec().into()).ok()
    }

    /// The type.
    pub fn rtype(&self) -> Rtype {
        let at = self.question.len() - 4;
        Rtype::from_int(u16::from_be_bytes([self.question[at], self.question[at + 1]]))
    }

    /// Writes the response to `query`, from which this question was read, with what the other server said; within the
    /// limits and with the OPT of any response of ours. `None` when there must be none.
    pub fn respond(
        &self,
        settings: &Settings,
        asked: &Asked,
        query: &[u8],
        answer: &Answer,
        out: &mut [u8],
    ) -> Option<Responded> {
        let id = query.first_chunk::<2>()?;
        respond_with(settings, asked, query, out, |limit| answer.fit(*id, self, limit))
    }
}

impl Answer {
    /// The message, without OPT.
    pub fn as_slice(&self) -> &[u8] {
        &self.message
    }

    /// Whether TC is set, so that it is not all of the answer.
    pub fn is_truncated(&self) -> bool {
        self.message[2] & TC != 0
    }

    /// Whether it says what is, or that there is nothing, and says all of it: what can be said again later.
    pub fn can_be_kept(&self) -> bool {
        let rcode = u16::from(self.message[3] & RCODE);
        matches!(rcode, NOERROR | NXDOMAIN) && !self.is_truncated()
    }

    /// The same `seconds` later: TTLs are that much less, but not below `floor` where they were not before.
    #[must_use]
    pub fn aged(&self, seconds: u32, floor: u32) -> Self {
        let mut aged = self.clone();
        for record in message::parts(&self.message).map(|parts| parts.records).unwrap_or_default() {
            let ttl = record.ttl.saturating_sub(seconds).max(record.ttl.min(floor));
            aged.message[record.ttl_at..record.ttl_at + 4].copy_from_slice(&ttl.to_be_bytes());
        }
        aged
    }

    /// The message for the client of `question`, in at most `limit` octets: whole RRsets from the end are left out
    /// (RFC 2181 §9). TC says so, but where only additional records are missing that a client can do without.
    fn fit(&self, id: [u8; 2], question: &Question, limit: usize) -> Option<Vec<u8>> {
        let mut message = self.message.clone();
        message[..2].copy_from_slice(&id);
        message[2] = QR | message[2] & (AA | TC) | question.flags[0];
        message[3] = message[3] & RCODE | question.flags[1];
        // An answer that was kept may have been asked for in another case.
        let end = HEADER + question.question.len();
        if !caseless::eq(message.get(HEADER..end)?, &question.question) {
            return None;
        }
        message[HEADER..end].copy_from_slice(&question.question);
        if message.len() <= limit {
            return Some(message);
        }
        let parts = message::parts(&message)?;
        let kept = kept(&message, &parts.records, limit);
        let (left, out) = parts.records.split_at(kept);
        if out.iter().any(|record| record.section != ADDITIONAL) || is_referral(&message, &parts.records) {
            message[2] |= TC;
        }
        message.truncate(out.first().map_or(message.len(), |record| record.start));
        for section in 0..=ADDITIONAL {
            let count = left.iter().filter(|record| record.section == section).count();
            set_count(&mut message, section, count);
        }
        Some(message)
    }
}

/// How many of the records stay, so that all of them and no RRset in part are within `limit` octets.
fn kept(message: &[u8], records: &[RecordAt], limit: usize) -> usize {
    let mut kept = records.partition_point(|record| record.end <= limit);
    while kept > 0 && kept < records.len() && is_one_rrset(message, &records[kept - 1], &records[kept]) {
        kept -= 1;
    }
    kept
}

fn is_one_rrset(message: &[u8], one: &RecordAt, next: &RecordAt) -> bool {
    let what = |record: &RecordAt| (record.section, record.rtype, record.class);
    let is_same = |(one, next): (Vec<u8>, Vec<u8>)| one.len() == next.len() && caseless::eq(&one, &next);
    what(one) == what(next) && one.owner(message).zip(next.owner(message)).is_some_and(is_same)
}

/// Whether the addresses in the additional section are glue, which a client cannot do without (RFC 9471 §3).
fn is_referral(message: &[u8], records: &[RecordAt]) -> bool {
    let has_nameservers =
        records.iter().any(|record| record.section == AUTHORITY && record.rtype == Rtype::NS);
    message[2] & AA == 0 && has_nameservers
}

fn set_count(message: &mut [u8], section: usize, count: usize) {
    let at = 6 + 2 * section;
    message[at..at + 2].copy_from_slice(&(count as u16).to_be_bytes());
}

#[cfg(test)]
mod tests;
