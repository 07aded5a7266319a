//! Build: the next version of a zone, and what makes the published one into it. A zone of which neither data
//! nor SOA changed is no new version and keeps its serial.

pub mod serial;

use std::collections::BTreeMap;
use std::sync::Arc;

use port53_crds::Zone;
use port53_zone::content::{Applied, Change, Content, ContentError};
use port53_zone::name::SortKey;
use port53_zone::{RRset, Soa};

use super::gather::{Held, Source};
use super::{Inputs, Published, ZoneOutcome};

/// Canonical order of RRsets: owner, then type.
type Key = (SortKey, u16);

/// The next version of a zone, of RRsets with who owns each.
///
/// # Errors
/// When the content cannot hold them, which the rules should have refused.
pub(crate) fn build(
    inputs: &Inputs<'_>,
    held: &Held<'_>,
    accepted: Vec<(RRset, Arc<str>)>,
    rejected: usize,
) -> Result<ZoneOutcome, ContentError> {
    let published = inputs.published.get(&held.apex);
    let before = match published {
        Some(published) => published.content.clone(),
        None => Content::empty(held.apex.clone(), inputs.settings.salt),
    };
    let changes = changes(&before, accepted);
    let applied = before.apply(&changes)?;
    let is_same_data = published.is_some() && applied.content.digest() == before.digest();
    let soa = soa(inputs, held, published, is_same_data);
    Ok(ZoneOutcome {
        holder: held.object.clone(),
        apex: held.apex.clone(),
        is_new_version: !is_same_data || published.is_none_or(|published| published.soa != soa),
        soa,
        accepted: applied.content.len(),
        applied,
        changes,
        rejected,
    })
}

/// A published zone as it is.
pub(crate) fn unchanged(published: &Published, rejected: usize) -> ZoneOutcome {
    let content = published.content.clone();
    ZoneOutcome {
        holder: published.holder.clone(),
        apex: content.apex().clone(),
        soa: published.soa.clone(),
        accepted: content.len(),
        applied: Applied { content, removed: Vec::new(), added: Vec::new() },
        changes: Vec::new(),
        is_new_version: false,
        rejected,
    }
}

/// What makes `before` into exactly `accepted`, removals and puts in canonical order. An RRset that only
/// changes hands is put, too.
fn changes(before: &Content, accepted: Vec<(RRset, Arc<str>)>) -> Vec<Change> {
    let key = |rrset: &RRset| (SortKey::of(&rrset.name), rrset.rtype.to_int());
    let mut wanted: BTreeMap<Key, Option<(RRset, Arc<str>)>> =
        accepted.into_iter().map(|item| (key(&item.0), Some(item))).collect();
    let mut changes = BTreeMap::new();
    for (rrset, owner) in before.iter() {
        let key = key(&rrset);
        match wanted.get_mut(&key) {
            None => {
                changes.insert(key, Change::Remove { name: rrset.name, rtype: rrset.rtype });
            }
            Some(item) => {
                item.take_if(|(new, by)| *new == rrset && Some(&*by) == owner.as_ref());
            }
        }
    }
    changes.extend(wanted.into_iter().filter_map(|(key, item)| {
        let (rrset, owner) = item?;
        Some((key, Change::Put { rrset, owner: Some(owner) }))
    }));
    changes.into_values().collect()
}

fn soa(inputs: &Inputs<'_>, held: &Held<'_>, published: Option<&Published>, is_same_data: bool) -> Soa {
    let none = Vec::new();
    let others = inputs.serials.get(&held.apex).unwrap_or(&none);
    let known = published.map(|published| published.soa.serial).into_iter().chain(others.iter().copied());
    let written = &held.terms.soa;
    let is_same = |old: &Soa| is_same_data && Soa { serial: old.serial, ..written.clone() } == *old;
    let unchanged = published.map(|published| &published.soa).filter(|old| is_same(old));
    let serial = match (held.source, unchanged) {
        // The person who keeps the file may raise its serial without changing anything else.
        (Source::Master(_), Some(old)) if !port53_zone::serial::is_newer(written.serial, old.serial) => {
            old.serial
        }
        (Source::Master(_), _) => serial::written(written.serial, known),
        (Source::Written(zone), Some(old))
            if !least(zone).is_some_and(|least| port53_zone::serial::is_newer(least, old.serial)) =>
        {
            old.serial
        }
        (Source::Written(zone), _) => {
            serial::next(zone.spec.serial_policy, inputs.settings.now, least(zone), known)
        }
    };
    Soa { serial, ..written.clone() }
}

/// The lowest serial that a zone may have.
fn least(zone: &Zone) -> Option<u32> {
    zone.spec.soa.initial_serial
}
