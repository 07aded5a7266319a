//! A message that another server wrote, taken apart into its records. Nothing in it is trusted.

use super::query::{HEADER, skip_name};
use crate::rdata::names;
use domain::base::iana::Rtype;

/// Sections of records, as their order in a message.
pub(super) const AUTHORITY: usize = 1;
pub(super) const ADDITIONAL: usize = 2;

/// Where a record stands, and what it says of itself.
#[derive(Clone, Copy)]
pub(super) struct RecordAt {
    pub(super) section: usize,
    pub(super) start: usize,
    pub(super) rtype: Rtype,
    pub(super) class: u16,
    pub(super) ttl: u32,
    /// Where its TTL stands.
    pub(super) ttl_at: usize,
    /// Where its value begins.
    pub(super) value: usize,
    /// Where it ends.
    pub(super) end: usize,
}

impl RecordAt {
    /// The owner, its names written out.
    pub(super) fn owner(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut owner = Vec::new();
        crate::name::read_from_message(message, self.start, &mut owner)?;
        Some(owner)
    }

    /// The value, with its names written out.
    pub(super) fn value(&self, message: &[u8]) -> Option<Vec<u8>> {
        names::expand(self.rtype, message, self.value..self.end)
    }
}

/// A message with one question.
pub(super) struct Parts {
    /// After the question.
    pub(super) question_end: usize,
    pub(super) records: Vec<RecordAt>,
}

/// Takes a message apart. `None` for one that has not exactly one question, ends before it says so, or goes on after
/// it.
pub(super) fn parts(message: &[u8]) -> Option<Parts> {
    let head = message.first_chunk::<HEADER>()?;
    let count = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    if count(4) != 1 {
        return None;
    }
    let question_end = skip_name(message, HEADER)? + 4;
    let mut at = question_end;
    let mut records = Vec::new();
    for (section, count) in [count(6), count(8), count(10)].into_iter().enumerate() {
        for _ in 0..count {
            let record = record(message, section, at)?;
            at = record.end;
            records.push(record);
        }
    }
    (at == message.len()).then_some(Parts { question_end, records })
}

fn record(message: &[u8], section: usize, start: usize) -> Option<RecordAt> {
    let at = skip_name(message, start)?;
    let fixed: &[u8; 10] = message.get(at..at + 10)?.try_into().ok()?;
    let number = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let (value, ttl_at) = (at + 10, at + 4);
    let end = value + usize::from(number(8));
    message.get(value..end)?;
    let ttl = u32::from(number(4)) << 16 | u32::from(number(6));
    let rtype = Rtype::from_int(number(0));
    Some(RecordAt { section, start, rtype, class: number(2), ttl, ttl_at, value, end })
}
