//! Messages as they are written and read here: queries and updates with names uncompressed, answers record by record.

use crate::trouble::Wrong;
use domain::base::iana::Rcode;
use port53_secondaries::random_id;
use port53_zone::rdata::{self, Rdata, ValueError};
use port53_zone::{Name, Rtype, Soa, name};
use std::ops::Range;

pub(crate) const HEADER: usize = 12;
/// The greatest message (RFC 1035 §4.2.2).
pub(crate) const MESSAGE: usize = 65_535;
pub(crate) const IN: u16 = 1;
/// RFC 2136 §2.4 and §2.5.
pub(crate) const NONE: u16 = 254;
pub(crate) const ANY: u16 = 255;

/// The sections after the question that are written and read, as RFC 1035 §4.1 counts them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Section {
    Answer = 1,
    Authority = 2,
}

/// A message of ours, being written.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// With an ID that nobody can guess, no flag, and a question; RFC 2136 §2.3 calls it the zone.
    pub(crate) fn new(opcode: u8, name: &Name, rtype: Rtype) -> Self {
        let [high, low] = random_id();
        let mut octets = vec![high, low, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        octets.extend_from_slice(name.as_slice());
        octets.extend_from_slice(&rtype.to_int().to_be_bytes());
        octets.extend_from_slice(&IN.to_be_bytes());
        Writer(octets)
    }

    /// Writes a record into a section, none of which is after this one.
    pub(crate) fn push(
        &mut self,
        section: Section,
        name: &Name,
        rtype: Rtype,
        class: u16,
        ttl: u32,
        value: &[u8],
    ) {
        self.0.extend_from_slice(name.as_slice());
        self.0.extend_from_slice(&rtype.to_int().to_be_bytes());
        self.0.extend_from_slice(&class.to_be_bytes());
        self.0.extend_from_slice(&ttl.to_be_bytes());
        self.0.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.0.extend_from_slice(value);
        let at = 4 + 2 * section as usize;
        let count = u16::from_be_bytes([self.0[at], self.0[at + 1]]).saturating_add(1);
        self.0[at..at + 2].copy_from_slice(&count.to_be_bytes());
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A message that was read as far as its question.
pub(crate) struct Message<'a> {
    octets: &'a [u8],
    question: Option<(Name, u16, u16)>,
    records_at: usize,
}

/// A record of a message, its value not yet looked at.
pub(crate) struct Raw {
    pub(crate) name: Name,
    pub(crate) rtype: Rtype,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    value: Range<usize>,
}

impl<'a> Message<'a> {
    /// # Errors
    /// When there is no header, or no question that can be read.
    pub(crate) fn read(octets: &'a [u8]) -> Result<Self, Wrong> {
        if octets.len() < HEADER {
            return Err(Wrong::Malformed("it is shorter than a header"));
        }
        let message = Message { octets, question: None, records_at: HEADER };
        match message.count(0) {
            0 => Ok(message),
            1 => {
                let malformed = Wrong::Malformed("its question cannot be read");
                let Some((name, at)) = name::from_message(octets, HEADER) else { return Err(malformed) };
                let Some(fixed) = octets.get(at..).and_then(<[u8]>::first_chunk::<4>) else {
                    return Err(malformed);
                };
                let number = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
                Ok(Message { question: Some((name, number(0), number(2))), records_at: at + 4, ..message })
            }
            _ => Err(Wrong::Malformed("it has more than one question")),
        }
    }

    fn count(&self, section: usize) -> u16 {
        u16::from_be_bytes([self.octets[4 + 2 * section], self.octets[5 + 2 * section]])
    }

    /// Whether it answers a message of ours: its ID, that it is a response of the opcode, and the question.
    ///
    /// # Errors
    /// What is not so.
    pub(crate) fn check(&self, asked: &[u8], question: Asked) -> Result<(), Wrong> {
        if self.octets[..2] != asked[..2] {
            return Err(Wrong::Malformed("it has another ID than the query"));
        }
        if self.octets[2] & 0x80 == 0 {
            return Err(Wrong::Malformed("it is no response"));
        }
        if (self.octets[2] ^ asked[2]) & 0x78 != 0 {
            return Err(Wrong::Malformed("it has another opcode than the query"));
        }
        if self.octets[2] & 0x02 != 0 && question != Asked::OverUdp {
            return Err(Wrong::Malformed("it is truncated, over TCP"));
        }
        match &self.question {
            Some(question) if Some(question) == Message::read(asked)?.question.as_ref() => Ok(()),
            Some(_) => Err(Wrong::Malformed("it is about another question")),
            // Some repeat no question with an error, and RFC 5936 §2.2.2 has it in the first message alone.
            None if question == Asked::MayBeLeftOut || self.rcode() != Rcode::NOERROR => Ok(()),
            None => Err(Wrong::Malformed("it has no question")),
        }
    }

    pub(crate) fn is_authoritative(&self) -> bool {
        self.octets[2] & 0x04 != 0
    }

    pub(crate) fn rcode(&self) -> Rcode {
        Rcode::masked_from_int(self.octets[3])
    }

    pub(crate) fn answers(&self) -> u16 {
        self.count(1)
    }

    pub(crate) fn has_authority(&self) -> bool {
        self.count(2) > 0
    }

    /// The records of a section.
    ///
    /// # Errors
    /// For each that cannot be read, and then no more come.
    pub(crate) fn records(&self, section: Section) -> impl Iterator<Item = Result<Raw, Wrong>> {
        let before: usize = (1..section as usize).map(|section| usize::from(self.count(section))).sum();
        let all = before + usize::from(self.count(section as usize));
        let mut at = Some(self.records_at);
        (0..all)
            .map_while(move |_| {
                let record = Raw::read(self.octets, at?);
                at = record.as_ref().map(|raw| raw.value.end);
                Some(record.ok_or(Wrong::Malformed("it has a record that cannot be read")))
            })
            .enumerate()
            .filter(move |(number, record)| *number >= before || record.is_err())
            .map(|(_, record)| record)
    }
}

/// What an answer says of the question, where it may differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// The question is repeated.
    Repeated,
    /// It may be left out.
    MayBeLeftOut,
    /// It is repeated, and the answer may be truncated.
    OverUdp,
}

impl Raw {
    fn read(message: &[u8], at: usize) -> Option<Self> {
        let (name, at) = name::from_message(message, at)?;
        let fixed = message.get(at..)?.first_chunk::<10>()?;
        let begin = at + 10;
        let end = begin + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        message.get(begin..end)?;
        Some(Raw {
            name,
            rtype: Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]])),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            value: begin..end,
        })
    }

    /// The value, or why it is none of its type.
    ///
    /// # Errors
    /// When a name in it cannot be read, such as one whose pointers loop.
    pub(crate) fn value(&self, message: &Message<'_>) -> Result<Result<Rdata, ValueError>, Wrong> {
        let wire = rdata::expand(self.rtype, message.octets, self.value.clone())
            .ok_or(Wrong::Malformed("a name in a value cannot be read"))?;
        Ok(rdata::from_wire(self.rtype, wire.into()))
    }

    /// The value as it came, its names not expanded.
    pub(crate) fn octets<'a>(&self, message: &Message<'a>) -> &'a [u8] {
        &message.octets[self.value.clone()]
    }

    /// The SOA that it is.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn soa(&self, message: &Message<'_>) -> Result<Soa, Wrong> {
        let value = self.value(message)?.ok();
        value
            .and_then(|value| Soa::from_rdata(&value, ttl(self.ttl)))
            .ok_or(Wrong::Malformed("a SOA cannot be read"))
    }

    /// Its owner and type, for people.
    pub(crate) fn display(&self) -> String {
        format!("{} {}", name::display(&self.name), rdata::display_rtype(self.rtype))
    }
}

/// RFC 2181 §8: a TTL of which the highest bit is set is none.
pub(crate) fn ttl(ttl: u32) -> u32 {
    if ttl > i32::MAX as u32 { 0 } else { ttl }
}
