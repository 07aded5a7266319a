//! The journal: changes as octets, small enough to travel with the head of a zone.
//!
//! ```text
//! 01 | u32 number of changes | the changes
//! put:    01 | u8 length | relative name | u16 type | u32 TTL | u16 number of values
//!         | (u16 length | value) each | u16 length + 1 of who owns it, 0: nobody | UTF-8
//! remove: 00 | u8 length | relative name | u16 type
//! ```

use super::digest::relative;
use super::limits::GREATEST_OWNED_BY;
use super::slice::{take, take_u8, take_u16, take_u32};
use super::{Change, ContentError};
use crate::name::Name;
use crate::rdata::Rdata;
use crate::rrset::RRset;
use bytes::Bytes;
use domain::base::iana::Rtype;

const FORMAT: u8 = 1;

/// `changes` as octets. They must be such as [`super::Content::apply`] takes for a content at `apex`:
/// apply them first.
pub fn encode(apex: &Name, changes: &[Change]) -> Vec<u8> {
    let mut out = vec![FORMAT];
    out.extend_from_slice(&(changes.len() as u32).to_be_bytes());
    for change in changes {
        let name = relative(change.name(), apex);
        out.push(u8::from(matches!(change, Change::Put { .. })));
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        out.extend_from_slice(&change.rtype().to_int().to_be_bytes());
        if let Change::Put { rrset, owner } = change {
            out.extend_from_slice(&rrset.ttl.to_be_bytes());
            out.extend_from_slice(&(rrset.values().len() as u16).to_be_bytes());
            for value in rrset.values() {
                out.extend_from_slice(&(value.as_slice().len() as u16).to_be_bytes());
                out.extend_from_slice(value.as_slice());
            }
            let owner = owner.as_deref();
            out.extend_from_slice(&owner.map_or(0, |owner| owner.len() as u16 + 1).to_be_bytes());
            out.extend_from_slice(owner.unwrap_or_default().as_bytes());
        }
    }
    out
}

/// The changes in `octets`, which may be anything: what is malformed is an error, never a panic.
pub fn decode(apex: &Name, octets: &[u8]) -> Result<Vec<Change>, ContentError> {
    let mut octets = Bytes::copy_from_slice(octets);
    let format = take_u8(&mut octets)?;
    if format != FORMAT {
        return Err(ContentError::UnknownFormat(format));
    }
    let count = take_u32(&mut octets)?;
    let mut changes = Vec::new();
    for _ in 0..count {
        changes.push(decode_change(apex, &mut octets)?);
    }
    if octets.is_empty() { Ok(changes) } else { Err(ContentError::Malformed("octets after the last change")) }
}

fn decode_change(apex: &Name, octets: &mut Bytes) -> Result<Change, ContentError> {
    let kind = take_u8(octets)?;
    let length = usize::from(take_u8(octets)?);
    let labels = take(octets, length)?;
    let name = Name::from_octets(Bytes::from([&labels[..], apex.as_slice()].concat()))
        .ok()
        .filter(|name| name.ends_with(apex))
        .ok_or(ContentError::Malformed("a name that is none"))?;
    let rtype = Rtype::from_int(take_u16(octets)?);
    match kind {
        0 => Ok(Change::Remove { name, rtype }),
        1 => {
            let ttl = take_u32(octets)?;
            let mut values = Vec::new();
            for _ in 0..take_u16(octets)? {
                let length = usize::from(take_u16(octets)?);
                let value = Bytes::copy_from_slice(&take(octets, length)?);
                // As in a leaf, only the names are looked at: what an older version took must stay readable.
                if !crate::rdata::names::are_whole(rtype, &value) {
                    return Err(ContentError::Malformed("a value without the name that its type has"));
                }
                values.push(Rdata::from_trusted_wire(value));
            }
            if values.is_empty() {
                return Err(ContentError::Malformed("an RRset without values"));
            }
            let owner = match usize::from(take_u16(octets)?) {
                0 => None,
                length => {
                    let owner = take(octets, length - 1)?;
                    if owner.len() > GREATEST_OWNED_BY {
                        return Err(ContentError::Malformed("an owner that is too long"));
                    }
                    let owner = std::str::from_utf8(&owner)
                        .map_err(|_| ContentError::Malformed("an owner that is not UTF-8"))?;
                    Some(owner.into())
                }
            };
            Ok(Change::Put { rrset: RRset::new(name, rtype, ttl, values), owner })
        }
        _ => Err(ContentError::Malformed("a change of an unknown kind")),
    }
}
