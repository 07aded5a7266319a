//! Records, in whatever order they come, to whole RRsets in a content.
//!
//! A transfer is never held as messages, nor all its RRsets as such: those touched last wait in a map and go into the
//! content together, so that a million records take what the content takes and a sixteenth of them a little more. How many
//! wait grows with the content, so that a zone whose names come in no order rewrites each leaf a bounded number of
//! times. An RRset whose records come apart is taken up again where it is.
//!
//! ```text
//! record ──add, remove──▶ waiting RRsets ──settle──▶ Content
//!                              ▲                       │ an RRset that is touched again
//!                              └───────────────────────┘
//! ```

use crate::trouble::Wrong;
use port53_zone::content::{Change, Content};
use port53_zone::rdata::{self, Rdata};
use port53_zone::{Name, RRset, Rtype, name};
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};

/// RRsets that wait, at least, before they go into the content.
const LEAST_WAITING: usize = 4096;
/// The part of the content that may wait.
const PART_WAITING: usize = 16;
/// RRsets that go into the content at once.
const AT_ONCE: usize = 512;
/// Octets of values that wait at most: enough for a million RRsets' sixteenth of the usual kind.
const OCTETS_WAITING: usize = 16 << 20;
/// The greatest RRset: one that fits a message (RFC 1035 §4.2.2).
const GREATEST_RRSET: usize = 65_535;
/// Notes that are kept; of others the number is.
pub const MOST_NOTES: usize = 1000;
/// Octets of a value that a note shows.
const SHOWN: usize = 64;
/// RRsets too large of which it is known that they are left out.
const MOST_TOO_LARGE: usize = 1000;

/// What a person should know of a transfer that was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    /// TTLs differ within a set, and the lowest counts (RFC 2181 §5.2).
    Ttls {
        /// The owner.
        name: Name,
        /// The type.
        rtype: Rtype,
        /// Seconds that count.
        lowest: u32,
        /// Another TTL of a record of the set.
        other: u32,
    },
    /// A TTL of which the highest bit is set counts as none (RFC 2181 §8).
    GreatTtl {
        /// The owner.
        name: Name,
        /// The type.
        rtype: Rtype,
        /// Seconds that it says.
        ttl: u32,
    },
    /// A record was left out: its value is none of its type, or the type is none of records.
    Left {
        /// The owner.
        name: Name,
        /// The type.
        rtype: Rtype,
        /// The value as RFC 3597 §5 writes it, its first octets.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// An RRset was left out because it fits no message: no one can ask for it.
    TooLarge {
        /// The owner.
        name: Name,
        /// The type.
        rtype: Rtype,
    },
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let of = |name, rtype: &Rtype| format!("{} {}", name::display(name), rdata::display_rtype(*rtype));
        match self {
            Note::Ttls { name, rtype, lowest, other } => {
                write!(
                    f,
                    "{} has the TTLs {lowest} and {other}: {lowest}, the lowest, counts",
                    of(name, rtype)
                )
            }
            Note::GreatTtl { name, rtype, ttl } => {
                write!(f, "{} has the TTL {ttl}, above 2147483647, which counts as 0", of(name, rtype))
            }
            Note::Left { name, rtype, value, why } => {
                write!(f, "{} {value} is left out: it {why}", of(name, rtype))
            }
            Note::TooLarge { name, rtype } => {
                write!(f, "{} is left out: it fits no message of 65535 octets", of(name, rtype))
            }
        }
    }
}

/// Notes, the first of them whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Notes {
    /// The first, at most [`MOST_NOTES`].
    pub kept: Vec<Note>,
    /// How many more there were.
    pub more: u64,
    /// How many of these were of something that was left out.
    pub more_left_out: u64,
}

impl Notes {
    fn push(&mut self, note: Note) {
        if self.kept.len() < MOST_NOTES {
            self.kept.push(note);
        } else {
            self.more += 1;
            self.more_left_out += u64::from(matches!(note, Note::Left { .. } | Note::TooLarge { .. }));
        }
    }
}

/// See the module.
pub(crate) struct Gather {
    content: Content,
    waiting: HashMap<(Name, Rtype), Set>,
    octets: usize,
    too_large: HashSet<(Name, Rtype)>,
    notes: Notes,
}

/// An RRset that waits, as it is to be.
struct Set {
    /// The name as it is spelled in the record that came first.
    name: Name,
    ttl: u32,
    /// In canonical order, without duplicates.
    values: Vec<Rdata>,
    /// As [`RRset::message_octets`] counts them.
    octets: usize,
    /// Whether it was noted that its TTLs differ.
    is_noted: bool,
}

/// A record whose value is of its type.
pub(crate) struct Taken {
    pub(crate) name: Name,
    pub(crate) rtype: Rtype,
    pub(crate) ttl: u32,
    pub(crate) rdata: Rdata,
}

impl Gather {
    /// From what is held already: nothing, or the version before.
    pub(crate) fn new(content: Content) -> Self {
        let (waiting, too_large) = (HashMap::new(), HashSet::new());
        Gather { content, waiting, octets: 0, too_large, notes: Notes::default() }
    }

    /// Whether so much waits that it should be settled.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= LEAST_WAITING.max(self.content.len() / PART_WAITING)
            || self.octets >= OCTETS_WAITING
    }

    /// Adds a record. Says whether it was there.
    ///
    /// # Errors
    /// When more RRsets are too large than can be kept in mind.
    pub(crate) fn add(&mut self, record: Taken) -> Result<bool, Wrong> {
        let Taken { name, rtype, ttl, rdata } = record;
        let key = (name, rtype);
        if self.too_large.contains(&key) {
            return Ok(false);
        }
        let set = touched(&mut self.waiting, &self.content, &key);
        if !set.values.is_empty() && set.ttl != ttl {
            let (lowest, other) = (set.ttl.min(ttl), set.ttl.max(ttl));
            set.ttl = lowest;
            // A signature has the TTL of what it covers (RFC 4034 §3), whatever others of its name have.
            if rtype != Rtype::RRSIG && !set.is_noted {
                set.is_noted = true;
                let name = set.name.clone();
                self.notes.push(Note::Ttls { name, rtype, lowest, other });
            }
        } else {
            set.ttl = ttl;
        }
        if set.values.is_empty() {
            set.name = key.0.clone();
        }
        let Err(place) = set.values.binary_search_by(|value| value.canonical_cmp(&rdata, rtype)) else {
            return Ok(true);
        };
        let octets = 12 + rdata.as_slice().len();
        set.octets += octets;
        self.octets += octets;
        set.values.insert(place, rdata);
        if set.octets > GREATEST_RRSET {
            if self.too_large.len() == MOST_TOO_LARGE {
                return Err(Wrong::Malformed("it has more than a thousand RRsets that fit no message"));
            }
            self.octets = self.octets.saturating_sub(set.octets);
            (set.values, set.octets) = (Vec::new(), 0);
            self.notes.push(Note::TooLarge { name: key.0.clone(), rtype });
            self.too_large.insert(key);
        }
        Ok(false)
    }

    /// Removes a record, whatever its TTL. Says whether it was there.
    pub(crate) fn remove(&mut self, record: Taken) -> bool {
        let key = (record.name, record.rtype);
        if self.too_large.contains(&key) {
            return true;
        }
        let set = touched(&mut self.waiting, &self.content, &key);
        let is = |value: &Rdata| value.canonical_cmp(&record.rdata, record.rtype);
        let Ok(place) = set.values.binary_search_by(is) else { return false };
        let octets = 12 + set.values.remove(place).as_slice().len();
        set.octets -= octets;
        self.octets = self.octets.saturating_sub(octets);
        true
    }

    /// Notes that a TTL is too great.
    pub(crate) fn note_ttl(&mut self, name: &Name, rtype: Rtype, ttl: u32) {
        self.notes.push(Note::GreatTtl { name: name.clone(), rtype, ttl });
    }

    /// Notes that a record is left out.
    pub(crate) fn note_left(&mut self, name: &Name, rtype: Rtype, octets: &[u8], why: String) {
        let mut value = format!("\\# {} ", octets.len());
        octets.iter().take(SHOWN).for_each(|octet| value.push_str(&format!("{octet:02X}")));
        self.notes.push(Note::Left { name: name.clone(), rtype, value, why });
    }

    /// Puts what waits into the content.
    ///
    /// # Errors
    /// When a name has more types than a content holds.
    pub(crate) fn settle(&mut self) -> Result<(), Wrong> {
        self.octets = 0;
        let mut changes: Vec<Change> = std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|((name, rtype), set)| match set.values.is_empty() {
                true => Change::Remove { name, rtype },
                false => Change::Put { rrset: RRset::new(set.name, rtype, set.ttl, set.values), owner: None },
            })
            .collect();
        // Neighbours together, a few at a time, so that few leaves are there twice, as they were and as they are to be. Of
        // several spellings of a name, that of the lowest type counts, as in `Content::build`.
        changes.sort_by(|a, b| (a.name(), a.rtype().to_int()).cmp(&(b.name(), b.rtype().to_int())));
        for changes in changes.chunks(AT_ONCE) {
            self.content = self.content.apply(changes)?.content;
        }
        Ok(())
    }

    /// The content, when everything is settled, and what is to be known of it.
    ///
    /// # Errors
    /// As [`Gather::settle`].
    pub(crate) fn finish(mut self) -> Result<(Content, Notes), Wrong> {
        self.settle()?;
        Ok((self.content, self.notes))
    }
}

/// The set of a name and type as it waits, or as it was settled.
fn touched<'a>(
    waiting: &'a mut HashMap<(Name, Rtype), Set>,
    content: &Content,
    key: &(Name, Rtype),
) -> &'a mut Set {
    waiting.entry(key.clone()).or_insert_with(|| match content.get(&key.0, key.1) {
        Some(rrset) => Set {
            octets: rrset.message_octets(),
            ttl: rrset.ttl,
            values: rrset.values().to_vec(),
            name: rrset.name,
            is_noted: false,
        },
        None => Set { name: key.0.clone(), ttl: 0, values: Vec::new(), octets: 0, is_noted: false },
    })
}

#[cfg(test)]
mod tests;
