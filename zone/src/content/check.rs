//! Looks at every octet of a leaf that comes from a disk or a network, before anyone reads it.
//!
//! Readers index without asking, so all that they rely on is asked here: lengths add up, names are whole
//! and in canonical order and fit below the apex, types ascend, every record is of its set and ready for
//! the wire, and the names inside values (which are followed and compressed) are names. Whether values are
//! good in other ways is not asked: what was stored by an older version must not become unreadable because
//! a newer one is stricter. A digest says that octets are those that were written; this says that they
//! harm nobody even so.

use super::ContentError;
use super::leaf::{u16_at, u32_at};
use super::limits::{GREATEST_OFFSET, GREATEST_OWNERS, GREATEST_RRSET, GREATEST_TYPES};
use crate::name::SortKey;
use crate::rdata;
use domain::base::iana::Rtype;

/// Checks the octets of a leaf of a zone whose apex leaves names `room` octets. Returns how many RRsets
/// there are.
pub(crate) fn leaf(octets: &[u8], room: usize) -> Result<usize, ContentError> {
    if u32::try_from(octets.len()).is_err() {
        return Err(ContentError::Malformed("a leaf beyond 4 GiB"));
    }
    let mut cursor = Cursor { octets, at: 0 };
    let (mut owners, mut rrsets) = (0, 0);
    let mut previous: Option<SortKey> = None;
    while cursor.at < octets.len() {
        if cursor.at > GREATEST_OFFSET {
            return Err(ContentError::Malformed("an owner that begins far beyond where a leaf ends"));
        }
        let name = cursor.name(room)?;
        let key = SortKey::of_relative(name);
        if previous.is_some_and(|previous| previous >= key) {
            return Err(ContentError::Malformed("owners out of canonical order"));
        }
        previous = Some(key);
        rrsets += cursor.rrsets()?;
        owners += 1;
    }
    if owners > GREATEST_OWNERS {
        return Err(ContentError::Malformed("a leaf of too many owners"));
    }
    Ok(rrsets)
}

/// Reads octets that may be anything.
struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ContentError> {
        let end = self.at.checked_add(length).ok_or(ContentError::Malformed("a leaf cut short"))?;
        let taken = self.octets.get(self.at..end).ok_or(ContentError::Malformed("a leaf cut short"))?;
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, ContentError> {
        self.take(2).map(|octets| u16_at(octets, 0))
    }

    fn u32(&mut self) -> Result<u32, ContentError> {
        self.take(4).map(|octets| u32_at(octets, 0))
    }

    fn name(&mut self, room: usize) -> Result<&'a [u8], ContentError> {
        let length = usize::from(self.take(1)?[0]);
        let name = self.take(length)?;
        let mut at = 0;
        while at < name.len() {
            match name[at] {
                1..=63 => at += 1 + usize::from(name[at]),
                _ => return Err(ContentError::Malformed("a label of no or too many octets")),
            }
        }
        if at != name.len() || name.len() > room {
            return Err(ContentError::Malformed("a name cut short, or of more than 255 octets"));
        }
        Ok(name)
    }

    /// The RRsets of an owner; returns how many there are, at least one.
    fn rrsets(&mut self) -> Result<usize, ContentError> {
        let count = usize::from(self.u16()?);
        if !(1..=GREATEST_TYPES).contains(&count) {
            return Err(ContentError::Malformed("an owner of no or too many RRsets"));
        }
        let mut previous = None;
        for _ in 0..count {
            let rtype = self.u16()?;
            if previous.is_some_and(|previous| previous >= rtype) {
                return Err(ContentError::Malformed("types out of order"));
            }
            if Rtype::from_int(rtype) == Rtype::SOA {
                return Err(ContentError::Malformed("a SOA, which is kept beside the content"));
            }
            previous = Some(rtype);
            let records = self.u16()?;
            let length = self.u32()? as usize;
            if length > GREATEST_RRSET {
                return Err(ContentError::Malformed("an RRset that fits no message"));
            }
            check_records(self.take(length)?, rtype, records)?;
        }
        Ok(count)
    }
}

fn check_records(octets: &[u8], rtype: u16, count: u16) -> Result<(), ContentError> {
    let mut cursor = Cursor { octets, at: 0 };
    let mut set_ttl = None;
    for _ in 0..count {
        let head = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        let ttl = cursor.u32()?;
        let length = usize::from(cursor.u16()?);
        let value = cursor.take(length)?;
        if head != (0xc00c, rtype, 1) || *set_ttl.get_or_insert(ttl) != ttl {
            return Err(ContentError::Malformed("a record that is not of its set"));
        }
        if !rdata::names::are_whole(Rtype::from_int(rtype), value) {
            return Err(ContentError::Malformed("a value without the name that its type has"));
        }
    }
    if count == 0 || cursor.at != octets.len() {
        return Err(ContentError::Malformed("an RRset of another length than it says"));
    }
    Ok(())
}
