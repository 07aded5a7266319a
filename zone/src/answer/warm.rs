//! Many questions at once: what answering them will read is read once before, for all of them together.
//!
//! In a zone larger than the caches a lookup waits for memory several times, each time for an address that it has
//! just read. Questions do not wait for each other: taken step by step, all of them wait at the same time.
//!
//! ```text
//! each question: hash │ each: bucket of the index │ each: leaf │ each: owner
//! ```
//!
//! Nothing is decided here, so whatever is read in vain only costs its time. Names that do not exist are looked for
//! by their neighbours, which are not read here.

use super::qname::QName;
use super::query::HEADER;
use super::zone_above;
use crate::image::{Image, ZoneState, Zones};
use std::hint::black_box;

/// Questions taken together.
const TOGETHER: usize = 32;

/// Reads what the answers to `messages` will probably read, where a zone is large. No allocation.
pub fn warm<'m>(zones: &Zones, messages: impl Iterator<Item = &'m [u8]>) {
    let mut wanted: [Option<(&Image, u64)>; TOGETHER] = [None; TOGETHER];
    for (wanted, message) in wanted.iter_mut().zip(messages) {
        *wanted = looked_for(zones, message);
    }
    let mut places = [None; TOGETHER];
    for (place, (image, hash)) in
        places.iter_mut().zip(&wanted).filter_map(|(place, wanted)| Some((place, (*wanted)?)))
    {
        *place = image.place(hash);
    }
    let mut leaves = [None; TOGETHER];
    for ((leaf, place), wanted) in leaves.iter_mut().zip(places).zip(&wanted) {
        *leaf = wanted.zip(place).and_then(|((image, _), place)| image.leaf_at(place));
    }
    for (leaf, _) in leaves.iter().flatten() {
        black_box(leaf.octets().as_ptr());
    }
    for (leaf, offset) in leaves.iter().flatten() {
        black_box(leaf.octets().get(*offset).copied());
    }
}

/// The large zone and the hash of the name in it that are looked up first.
fn looked_for<'z>(zones: &'z Zones, message: &[u8]) -> Option<(&'z Image, u64)> {
    let name = QName::parse(message.get(HEADER..)?)?;
    let found = zone_above(zones, &name, name.labels())?;
    match found.state {
        ZoneState::Serving(image) if image.is_large() => {
            // Most delegations are right below the apex, and then end the walk.
            let first = found.labels + 1;
            let is_below_cut = name.labels() > first && image.content().cut_depths().any_at(1);
            Some((image, name.hash_of(if is_below_cut { first } else { name.labels() })))
        }
        _ => None,
    }
}
