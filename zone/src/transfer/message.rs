//! One message of a transfer, being filled.
//!
//! Names are compressed against the apex and against the owner before, with regard to case (RFC 5936 §3.4:
//! what is transferred keeps its case). The apex is where the question is, when it was asked in the case of
//! the zone.

use super::Entry;
use super::request::{Request, opt};
use crate::rdata;

const HEADER: usize = 12;
/// The greatest message (RFC 1035 §4.2.2).
const MESSAGE: usize = 65_535;
/// Pointers reach 14 bits (RFC 1035 §4.1.4).
const GREATEST_POINTER: usize = 0x3fff;

/// See the module. It is written at the end of `out`, after two octets for its length.
pub(super) struct Message<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    target: usize,
    apex: &'a [u8],
    names: Names,
    records: u16,
}

/// Where names stand that later ones are compressed against, as offsets in the message.
#[derive(Clone, Copy, Default)]
struct Names {
    apex: Option<u16>,
    /// The last owner, and how long its labels below the apex are.
    owner: Option<(u16, u8)>,
}

impl<'a> Message<'a> {
    /// Begins a message of about `target` octets, more only when one record needs them. The first of a
    /// transfer has the OPT (RFC 5936 §2.2.5).
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        request: &Request,
        apex: &'a [u8],
        target: usize,
        with_question: bool,
    ) -> Self {
        let begin = out.len() + 2;
        out.extend_from_slice(&[0; 2 + HEADER]);
        out[begin..begin + 2].copy_from_slice(&request.id);
        // QR, AA, and RD as it was asked (RFC 5936 §2.2.1).
        out[begin + 2] = 0x84 | u8::from(request.recursion_desired);
        let mut names = Names::default();
        if with_question {
            out.extend_from_slice(&request.question);
            out[begin + 5] = 1;
            if request.question.starts_with(apex) {
                names.apex = Some(HEADER as u16);
            }
        }
        Message { out, begin, target, apex, names, records: 0 }
    }

    /// Writes a record, unless there are others already and it would make the message larger than it should
    /// be. Says whether it was written.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> bool {
        let (end, names) = (self.out.len(), self.names);
        self.owner(entry.owner);
        self.out.extend_from_slice(&entry.rtype.to_int().to_be_bytes());
        self.out.extend_from_slice(&[0, 1]);
        self.out.extend_from_slice(&entry.ttl.to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        self.value(entry);
        // A value is at most 65,535 octets, and compression only makes it shorter.
        let length = (self.out.len() - length_at - 2) as u16;
        self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        let is_too_large = self.len() > self.target && self.records > 0;
        if is_too_large || self.len() > MESSAGE || self.records == u16::MAX {
            self.out.truncate(end);
            self.names = names;
            return false;
        }
        self.records += 1;
        true
    }

    /// Octets so far, without those of the length.
    pub(super) fn len(&self) -> usize {
        self.out.len() - self.begin
    }

    pub(super) fn records(&self) -> u16 {
        self.records
    }

    /// Writes the OPT when asked for one that fits, and the length.
    pub(super) fn finish(self, with_opt: Option<bool>) {
        let Message { out, begin, records, .. } = self;
        out[begin + 6..begin + 8].copy_from_slice(&records.to_be_bytes());
        if let Some(dnssec_ok) = with_opt {
            out.extend_from_slice(&opt(dnssec_ok));
            out[begin + 11] = 1;
        }
        let length = (out.len() - begin) as u16;
        out[begin - 2..begin].copy_from_slice(&length.to_be_bytes());
    }

    fn owner(&mut self, relative: &[u8]) {
        if let Some((at, length)) = self.names.owner
            && usize::from(length) == relative.len()
            && self.out[self.begin + usize::from(at)..].starts_with(relative)
        {
            self.pointer(at);
            return;
        }
        let at = self.len();
        self.out.extend_from_slice(relative);
        self.apex();
        if !relative.is_empty() && at <= GREATEST_POINTER {
            self.names.owner = Some((at as u16, relative.len() as u8));
        }
    }

    fn apex(&mut self) {
        if self.apex.len() == 1 {
            // The root is shorter than a pointer.
            self.out.push(0);
            return;
        }
        match self.names.apex {
            Some(at) => self.pointer(at),
            None => {
                let at = self.len();
                self.out.extend_from_slice(self.apex);
                self.names.apex = (at <= GREATEST_POINTER).then_some(at as u16);
            }
        }
    }

    fn value(&mut self, entry: &Entry<'_>) {
        let value = entry.value;
        let mut from = 0;
        for name in rdata::names(entry.rtype, value).filter(|name| name.compressible) {
            let below = labels_below(&value[name.start..name.end], self.apex);
            if let Some(length) = below {
                self.out.extend_from_slice(&value[from..name.start + length]);
                self.apex();
                from = name.end;
            }
        }
        self.out.extend_from_slice(&value[from..]);
    }

    fn pointer(&mut self, at: u16) {
        self.out.extend_from_slice(&(0xc000 | at).to_be_bytes());
    }
}

/// Octets of the labels before `apex` in `name`, when `name` ends in it octet by octet.
fn labels_below(name: &[u8], apex: &[u8]) -> Option<usize> {
    let length = name.len().checked_sub(apex.len())?;
    let mut at = 0;
    while at < length {
        at += 1 + usize::from(name[at]);
    }
    (at == length && name[at..] == *apex).then_some(length)
}
