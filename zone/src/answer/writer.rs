//! The encoder: header, question, records and OPT into a buffer of the caller's.
//!
//! Records come ready for the wire, owned by a pointer to the question, so an RRset of addresses is one
//! copy. Only names are worked on: owners other than the question, and the names inside the types of
//! RFC 1035, which may be compressed (RFC 3597 §4). They are compressed against the question and against
//! a few names written before.

use super::opt;
use super::qname::QName;
use super::query::{HEADER, Header};
use crate::caseless;
use crate::content::RRsetRef;
use crate::rdata;
use domain::base::iana::Rtype;

/// The next RRset does not fit.
pub(crate) struct Full;

/// Whose records they are.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'n> {
    /// The name in the question.
    Question,
    /// Another name, in wire form with its root label.
    Name(&'n [u8]),
    /// The name at this offset of the message.
    At(u16),
}

/// The sections of a response, as places in the header.
#[derive(Clone, Copy)]
pub(crate) enum Section {
    Answer,
    Authority,
    Additional,
}

/// Pointers reach 14 bits (RFC 1035 §4.1.4).
const GREATEST_POINTER: usize = 0x3fff;
/// Names written before that later ones are compressed against.
const REMEMBERED: usize = 32;

/// A name in the message that others may end with.
#[derive(Clone, Copy, Default)]
struct Remembered {
    offset: u16,
    /// Octets that it has without compression.
    octets: u8,
    /// The last octet of its first label in lower case: names of nameservers often differ in it.
    tells: u8,
}

/// A message being written.
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    limit: usize,
    /// Octets of the OPT that is kept room for beyond `limit`.
    opt: usize,
    question: &'a QName<'a>,
    counts: [u16; 3],
    remembered: [Remembered; REMEMBERED],
    remembered_len: usize,
    /// Whether nothing more is written: something did not fit.
    is_closed: bool,
}

impl<'a> Writer<'a> {
    /// Begins a message of at most `limit` octets with the question; room for an OPT of `opt` octets is set
    /// aside. `out` must hold at least 512 octets: a question always fits.
    pub(crate) fn new(
        out: &'a mut [u8],
        limit: usize,
        question: &'a QName<'a>,
        qtype: Rtype,
        qclass: u16,
        opt: usize,
    ) -> Self {
        let limit = limit.min(out.len()) - opt;
        let wire = question.wire();
        let end = HEADER + wire.len();
        out[..HEADER].fill(0);
        out[HEADER..end].copy_from_slice(wire);
        out[end..end + 2].copy_from_slice(&qtype.to_int().to_be_bytes());
        out[end + 2..end + 4].copy_from_slice(&qclass.to_be_bytes());
        let remembered = [Remembered::default(); REMEMBERED];
        let (at, counts) = (end + 4, [0; 3]);
        Writer { out, at, limit, opt, question, counts, remembered, remembered_len: 0, is_closed: false }
    }

    /// From now on, what is written is left out.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Writes all records of `rrset`, or none of them.
    pub(crate) fn rrset(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rrset: &RRsetRef<'_>,
    ) -> Result<(), Full> {
        let ready = matches!(owner, Owner::Question) && !has_compressible_names(rrset.rtype);
        self.all_or_nothing(section, rrset.count, |writer| {
            if ready {
                return writer.octets(rrset.records);
            }
            writer.each(owner, rrset.rtype, rrset.ttl(), rrset.values())
        })
    }

    /// Writes one record, or nothing.
    pub(crate) fn record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: Rtype,
        ttl: u32,
        value: &[u8],
    ) -> Result<(), Full> {
        self.records(section, owner, rtype, ttl, std::iter::once(value))
    }

    /// Writes a record for each value, or none of them.
    pub(crate) fn records<'v>(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: Rtype,
        ttl: u32,
        values: impl Iterator<Item = &'v [u8]> + Clone,
    ) -> Result<(), Full> {
        let count = values.clone().count() as u16;
        self.all_or_nothing(section, count, |writer| writer.each(owner, rtype, ttl, values))
    }

    /// The owner `name`, looked for once in what is written so far.
    pub(crate) fn owner<'n>(&self, name: &'n [u8]) -> Owner<'n> {
        self.find_suffix(name).map_or(Owner::Name(name), Owner::At)
    }

    /// Whether there is a record in the answer section.
    pub(crate) fn has_answer(&self) -> bool {
        self.counts[Section::Answer as usize] > 0
    }

    /// Writes a text of class CHAOS for the question, to be forgotten at once.
    pub(crate) fn chaos_text(&mut self, text: &[u8]) -> Result<(), Full> {
        let length = text.len() as u8;
        self.all_or_nothing(Section::Answer, 1, |writer| {
            writer.octets(&[0xc0, HEADER as u8, 0, 16, 0, 3, 0, 0, 0, 0, 0, length + 1, length])?;
            writer.octets(text)
        })
    }

    /// Fills in the header and the OPT record, and returns the length of the message.
    pub(crate) fn finish(
        mut self,
        header: Header,
        rcode: u16,
        flags: Flags,
        opt: Option<&[u8]>,
        is_padded: bool,
    ) -> usize {
        if let Some(opt) = opt {
            self.limit += self.opt;
            if self.octets(opt).is_ok() {
                self.counts[Section::Additional as usize] += 1;
            }
        }
        let mut bits = 0x8000 | u16::from(header.opcode) << 11 | (rcode & 0x0f);
        for (set, bit) in [
            (flags.authoritative, 0x0400),
            (flags.truncated, 0x0200),
            (header.recursion_desired, 0x0100),
            (header.checking_disabled, 0x0010),
        ] {
            bits |= if set { bit } else { 0 };
        }
        self.out[..2].copy_from_slice(&header.id);
        self.out[2..4].copy_from_slice(&bits.to_be_bytes());
        self.out[4..6].copy_from_slice(&1u16.to_be_bytes());
        for (i, count) in self.counts.iter().enumerate() {
            self.out[6 + 2 * i..8 + 2 * i].copy_from_slice(&count.to_be_bytes());
        }
        match opt {
            Some(opt) if is_padded => opt::pad(self.out, self.at, opt.len()),
            _ => self.at,
        }
    }

    fn all_or_nothing(
        &mut self,
        section: Section,
        count: u16,
        write: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        if self.is_closed {
            return Ok(());
        }
        let (at, remembered) = (self.at, self.remembered_len);
        let result = write(self);
        match result {
            Ok(()) => self.counts[section as usize] += count,
            Err(Full) => (self.at, self.remembered_len) = (at, remembered),
        }
        result
    }

    /// Writes a record for each value; the owner is looked for once.
    fn each<'v>(
        &mut self,
        mut owner: Owner<'_>,
        rtype: Rtype,
        ttl: u32,
        values: impl Iterator<Item = &'v [u8]>,
    ) -> Result<(), Full> {
        for value in values {
            owner = self.record_parts(owner, rtype, ttl, value)?;
        }
        Ok(())
    }

    /// Writes a record and returns its owner for the next.
    fn record_parts<'n>(
        &mut self,
        owner: Owner<'n>,
        rtype: Rtype,
        ttl: u32,
        value: &[u8],
    ) -> Result<Owner<'n>, Full> {
        let owner = match owner {
            Owner::Name(name) => match u16::try_from(self.name(name)?) {
                // The root is shorter than a pointer to it.
                Ok(offset) if usize::from(offset) <= GREATEST_POINTER && name.len() > 1 => Owner::At(offset),
                _ => owner,
            },
            Owner::At(offset) => {
                self.pointer(offset)?;
                owner
            }
            Owner::Question => {
                self.pointer(HEADER as u16)?;
                owner
            }
        };
        let ([t0, t1], [l0, l1, l2, l3]) = (rtype.to_int().to_be_bytes(), ttl.to_be_bytes());
        self.array([t0, t1, 0, 1, l0, l1, l2, l3, 0, 0])?;
        let begin = self.at;
        self.value(rtype, value)?;
        let length = (self.at - begin) as u16;
        self.out[begin - 2..begin].copy_from_slice(&length.to_be_bytes());
        Ok(owner)
    }

    fn value(&mut self, rtype: Rtype, value: &[u8]) -> Result<(), Full> {
        let mut from = 0;
        if has_compressible_names(rtype) {
            for name in rdata::names(rtype, value).filter(|name| name.compressible) {
                self.octets(&value[from..name.start])?;
                self.name(&value[name.start..name.end])?;
                from = name.end;
            }
        }
        self.octets(&value[from..])
    }

    /// Writes a name, its longest suffix that is already in the message as a pointer. Returns where the name stands
    /// then.
    fn name(&mut self, wire: &[u8]) -> Result<usize, Full> {
        let begin = self.at;
        let mut at = 0;
        while wire[at] != 0 {
            if let Some(offset) = self.find_suffix(&wire[at..]) {
                if at == 0 {
                    self.pointer(offset)?;
                    return Ok(offset.into());
                }
                self.octets(&wire[..at])?;
                self.pointer(offset)?;
                self.remember(begin, wire, at);
                return Ok(begin);
            }
            at += 1 + usize::from(wire[at]);
        }
        self.octets(&wire[..=at])?;
        self.remember(begin, wire, at);
        Ok(begin)
    }

    fn pointer(&mut self, offset: u16) -> Result<(), Full> {
        self.array((0xc000 | offset).to_be_bytes())
    }

    /// Remembers the suffixes of `wire` that begin before `end` and were just written at `begin`.
    fn remember(&mut self, begin: usize, wire: &[u8], end: usize) {
        let mut at = 0;
        while at < end && begin + at <= GREATEST_POINTER && self.remembered_len < REMEMBERED {
            let (offset, octets, tells) = ((begin + at) as u16, (wire.len() - at) as u8, tells(&wire[at..]));
            self.remembered[self.remembered_len] = Remembered { offset, octets, tells };
            self.remembered_len += 1;
            at += 1 + usize::from(wire[at]);
        }
    }

    /// Where `suffix` stands in the message already.
    fn find_suffix(&self, suffix: &[u8]) -> Option<u16> {
        let question = self.question.wire();
        if let Some(offset) = question.len().checked_sub(suffix.len())
            && self.question.is_label_start(offset)
            && caseless::eq(&question[offset..], suffix)
        {
            return Some((HEADER + offset) as u16);
        }
        let (octets, tells) = (suffix.len() as u8, tells(suffix));
        self.remembered[..self.remembered_len]
            .iter()
            .filter(|name| name.octets == octets && name.tells == tells)
            .find(|name| self.stands_at(usize::from(name.offset), suffix))
            .map(|name| name.offset)
    }

    /// Whether the name at `offset` of the message, pointers followed, is `name`.
    fn stands_at(&self, mut offset: usize, mut name: &[u8]) -> bool {
        loop {
            let length = usize::from(self.out[offset]);
            if length >= 0xc0 {
                offset = (length & 0x3f) << 8 | usize::from(self.out[offset + 1]);
                continue;
            }
            if !caseless::eq(&self.out[offset..=offset + length], &name[..=usize::from(name[0])]) {
                return false;
            }
            if length == 0 {
                return true;
            }
            offset += 1 + length;
            name = &name[1 + length..];
        }
    }

    /// Few octets of a known number, without a call.
    #[inline]
    fn array<const N: usize>(&mut self, octets: [u8; N]) -> Result<(), Full> {
        if self.at + N > self.limit {
            return Err(Full);
        }
        self.out[self.at..self.at + N].copy_from_slice(&octets);
        self.at += N;
        Ok(())
    }

    fn octets(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.at + octets.len();
        if end > self.limit {
            return Err(Full);
        }
        self.out[self.at..end].copy_from_slice(octets);
        self.at = end;
        Ok(())
    }
}

/// The last octet of the first label of a name, in lower case.
fn tells(name: &[u8]) -> u8 {
    name[usize::from(name[0])].to_ascii_lowercase()
}

/// The flags of a response that are the answer's own.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    /// Not a bit of the header: the answer was made for this name, by a wildcard or DNAME, so that there are as
    /// many like it as there are names.
    pub(crate) synthesised: bool,
}

/// The types of RFC 1035 with names inside that are still met. Others are never compressed.
fn has_compressible_names(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::NS
            | Rtype::CNAME
            | Rtype::SOA
            | Rtype::PTR
            | Rtype::MX
            | Rtype::MB
            | Rtype::MG
            | Rtype::MR
            | Rtype::MINFO
            | Rtype::MD
            | Rtype::MF
    )
}
