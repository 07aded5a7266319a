//! The messages of a zone transfer to a version of the zone: AXFR (RFC 5936), and IXFR (RFC 1995), which the server
//! may answer with nothing new, differences, or the whole zone. Pure: octets in, no I/O.
//!
//! ```text
//!         SOA, of what is offered
//! Begin ──────────────────────────▶ Announced ──SOA of what is held──▶ Removing ⇄ Adding ──the first SOA──▶ Done
//!   │ of what is held, alone                │                           difference after difference
//!   ▼                                       └──anything else──▶ Whole ──────────────────────the first SOA──▶ Done
//! Unchanged
//! ```
//!
//! A lie is an error and never a part of a zone: what does not begin and end with the same SOA, differences that do not
//! follow each other or remove what is not there, records of elsewhere, messages that answer something else.

use crate::gather::{Gather, Notes, Taken};
use crate::message::{Asked, IN, Message, Raw, Section, Writer, ttl};
use crate::server::Limits;
use crate::trouble::Wrong;
use domain::base::iana::Rcode;
use port53_zone::content::Content;
use port53_zone::transfer::Extent;
use port53_zone::{Name, Rtype, Soa, name, rdata, serial};

/// A version of a zone.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its SOA.
    pub soa: Soa,
    /// Everything else.
    pub content: Content,
}

/// What a transfer gave.
#[derive(Clone, Debug)]
pub struct Transferred {
    /// The zone, whole.
    pub version: Version,
    /// What was sent: every record, or what changed.
    pub extent: Extent,
    /// What a person should know of it.
    pub notes: Notes,
}

/// What is to be done next with a [`Reader`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Give it the next message.
    More,
    /// [`Reader::settle`] it, which takes a while, and give it the next message.
    Full,
    /// Nothing comes any more: [`Reader::finish`] it.
    Done,
}

/// Reads the messages of one transfer.
pub struct Reader {
    apex: Name,
    query: Vec<u8>,
    /// The version that is held, of which the differences are asked.
    held: Option<Version>,
    state: State,
    gather: Gather,
    is_first_message: bool,
    octets: u64,
    records: u64,
    most_octets: u64,
    most_records: u64,
}

/// How far it is; see the picture of the module.
#[derive(Clone, Debug)]
enum State {
    Begin,
    /// What is held is what is offered.
    Unchanged,
    /// The SOA of what is offered was read.
    Announced(Soa),
    /// In the records of the whole zone.
    Whole(Soa),
    /// In what goes from version `from` on.
    Removing {
        offered: Soa,
        from: u32,
    },
    /// In what comes, which makes version `to`.
    Adding {
        offered: Soa,
        to: u32,
    },
    Done(Soa, Extent),
}

impl Reader {
    /// Asks for the whole zone. Its content will have this salt.
    pub fn whole(apex: &Name, salt: [u8; 16], limits: &Limits) -> Self {
        let query = Writer::new(0, apex, Rtype::AXFR).finish();
        Self::new(apex, salt, query, None, limits)
    }

    /// Asks what changed since a version.
    pub fn since(held: &Version, limits: &Limits) -> Self {
        let (apex, salt) = (held.content.apex().clone(), held.content.salt());
        let mut query = Writer::new(0, &apex, Rtype::IXFR);
        // RFC 1995 §3.
        query.push(Section::Authority, &apex, Rtype::SOA, IN, held.soa.ttl, held.soa.rdata().as_slice());
        Self::new(&apex, salt, query.finish(), Some(held.clone()), limits)
    }

    fn new(apex: &Name, salt: [u8; 16], query: Vec<u8>, held: Option<Version>, limits: &Limits) -> Self {
        Reader {
            gather: Gather::new(Content::empty(apex.clone(), salt)),
            apex: apex.clone(),
            query,
            held,
            state: State::Begin,
            is_first_message: true,
            octets: 0,
            records: 0,
            most_octets: limits.octets,
            most_records: limits.records,
        }
    }

    /// The query to send, not signed.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Reads the next message, whose signature was checked.
    ///
    /// # Errors
    /// When it is not what should come next. Then there is no transfer.
    pub fn read(&mut self, octets: &[u8]) -> Result<Progress, Wrong> {
        self.octets += octets.len() as u64;
        if self.octets > self.most_octets {
            return Err(Wrong::TooManyOctets(self.most_octets));
        }
        let message = Message::read(octets)?;
        message
            .check(&self.query, if self.is_first_message { Asked::Repeated } else { Asked::MayBeLeftOut })?;
        if message.rcode() != Rcode::NOERROR {
            return Err(Wrong::Refused { rcode: message.rcode(), said: None });
        }
        // Whether it is authoritative is not asked, although RFC 5936 §2.2.1 has it say so: Knot does not, and nobody
        // who is not gives a zone away.
        // RFC 5936 §2.2.4: it must be empty.
        if message.has_authority() {
            return Err(Wrong::Malformed("it has records in its authority section"));
        }
        if message.answers() == 0 && self.is_first_message {
            return Err(Wrong::NotAuthoritative(name::display(&self.apex)));
        }
        for record in message.records(Section::Answer) {
            self.record(&message, record?)?;
        }
        self.is_first_message = false;
        // RFC 1995 §4: the SOA alone, and not newer than what is held, is all there is to say.
        if let (State::Announced(offered), Some(held)) = (&self.state, &self.held)
            && offered.serial == held.soa.serial
        {
            self.state = State::Unchanged;
        }
        Ok(match self.state {
            State::Done(..) | State::Unchanged => Progress::Done,
            _ if self.gather.is_full() => Progress::Full,
            _ => Progress::More,
        })
    }

    fn record(&mut self, message: &Message<'_>, record: Raw) -> Result<(), Wrong> {
        self.records += 1;
        if self.records > self.most_records {
            return Err(Wrong::TooManyRecords(self.most_records));
        }
        if record.class != IN {
            return Err(Wrong::Class(record.class));
        }
        if record.rtype == Rtype::SOA {
            if record.name != self.apex {
                return Err(Wrong::AnotherZone(name::display(&record.name)));
            }
            let soa = record.soa(message)?;
            self.state = self.after_soa(soa)?;
            return Ok(());
        }
        if !record.name.ends_with(&self.apex) {
            return Err(Wrong::OutOfZone(record.display()));
        }
        if let State::Announced(offered) = &self.state {
            self.state = State::Whole(offered.clone());
        }
        match &self.state {
            State::Begin => return Err(Wrong::Malformed("the transfer does not begin with a SOA")),
            State::Done(..) | State::Unchanged => return Err(Wrong::AfterTheEnd),
            State::Announced(_) | State::Whole(_) | State::Removing { .. } | State::Adding { .. } => {}
        }
        let rdata = match record.value(message)? {
            Ok(rdata) => rdata,
            // It is left out when it comes, so it is not there when it goes.
            Err(_) if matches!(self.state, State::Removing { .. }) => return Ok(()),
            Err(error) => {
                let value = record.octets(message);
                self.gather.note_left(&record.name, record.rtype, value, error.message);
                return Ok(());
            }
        };
        let seconds = ttl(record.ttl);
        let taken =
            Taken { name: record.name.clone(), rtype: record.rtype, ttl: seconds, rdata: rdata.clone() };
        let wrong = match &self.state {
            State::Removing { from, .. } => {
                let is_there = self.gather.remove(taken);
                (!is_there).then(|| format!("from {from} remove what is not there"))
            }
            state => {
                if seconds != record.ttl {
                    self.gather.note_ttl(&record.name, record.rtype, record.ttl);
                }
                let was_there = self.gather.add(taken)?;
                match state {
                    State::Adding { to, .. } if was_there => Some(format!("to {to} add what is there")),
                    _ => None,
                }
            }
        };
        let display = || record.display() + " " + &rdata::display(record.rtype, &rdata);
        wrong.map_or(Ok(()), |wrong| Err(Wrong::Differences(format!("{wrong} ({})", display()))))
    }

    /// What a SOA of the apex means where it comes.
    fn after_soa(&mut self, soa: Soa) -> Result<State, Wrong> {
        let newer = |new: u32, old: u32| serial::is_newer(new, old);
        match &self.state {
            State::Begin => {
                if let Some(Version { soa: held, .. }) = &self.held
                    && held.serial != soa.serial
                    && !newer(soa.serial, held.serial)
                {
                    return Err(Wrong::Older { offered: soa.serial, held: held.serial });
                }
                Ok(State::Announced(soa))
            }
            State::Announced(offered) => match &self.held {
                _ if soa == *offered => Ok(State::Done(soa, Extent::Whole)),
                Some(held) if soa.serial == held.soa.serial => {
                    self.gather = Gather::new(held.content.clone());
                    Ok(State::Removing { offered: offered.clone(), from: soa.serial })
                }
                Some(held) => {
                    Err(Wrong::Chain { from: soa.serial, to: offered.serial, expected: held.soa.serial })
                }
                None => Err(Wrong::TwoVersions { first: offered.serial, last: soa.serial }),
            },
            State::Whole(offered) => Ok(State::Done(same(offered, soa)?, Extent::Whole)),
            State::Removing { offered, from } => {
                let chain = |expected| Wrong::Chain { from: *from, to: soa.serial, expected };
                if !newer(soa.serial, *from) || newer(soa.serial, offered.serial) {
                    return Err(chain(offered.serial));
                }
                Ok(State::Adding { offered: offered.clone(), to: soa.serial })
            }
            State::Adding { offered, to } if *to == offered.serial => {
                Ok(State::Done(same(offered, soa)?, Extent::Differences))
            }
            State::Adding { offered, to } if *to == soa.serial => {
                Ok(State::Removing { offered: offered.clone(), from: *to })
            }
            State::Adding { offered, to } => {
                Err(Wrong::Chain { from: soa.serial, to: offered.serial, expected: *to })
            }
            State::Done(..) | State::Unchanged => Err(Wrong::AfterTheEnd),
        }
    }

    /// Puts what was read into the content. Takes as long as a content of its size takes to be rewritten in part.
    ///
    /// # Errors
    /// When it cannot be held.
    pub fn settle(&mut self) -> Result<(), Wrong> {
        self.gather.settle()
    }

    /// The outcome. `None`: nothing changed.
    ///
    /// # Errors
    /// When the transfer was not done: then it is half a zone, and nothing of it is given.
    pub fn finish(self) -> Result<Option<Transferred>, Wrong> {
        match self.state {
            State::Unchanged => Ok(None),
            State::Done(soa, extent) => {
                let (content, notes) = self.gather.finish()?;
                Ok(Some(Transferred { version: Version { soa, content }, extent, notes }))
            }
            _ => Err(Wrong::Half(self.records)),
        }
    }
}

/// The SOA at the end, if it is that of the beginning.
fn same(first: &Soa, last: Soa) -> Result<Soa, Wrong> {
    if *first == last {
        return Ok(last);
    }
    Err(Wrong::TwoVersions { first: first.serial, last: last.serial })
}

#[cfg(test)]
mod tests;
