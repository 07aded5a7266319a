//! Build: the next version of a zone, and what makes the published one into it. A zone of which neither data
//! nor SOA changed is no new version and keeps its serial.

pub mod serial;

use std::sync::Arc;

use port53_crds::Zone;
use port53_zone::content::{Applied, Change, Content, ContentError};
use port53_zone::{RRset, Soa};

use super::before::Before;
use super::gather::{Held, Source};
use super::{Inputs, Published, ZoneOutcome};

/// The next version of a zone, of RRsets with who owns each in canonical order.
///
/// # Errors
/// When the content cannot hold them, which the rules should have refused.
pub(crate) fn build(
    inputs: &Inputs<'_>,
    held: &Held<'_>,
    before: &Before,
    accepted: Vec<(RRset, Arc<str>)>,
    rejected: usize,
) -> Result<ZoneOutcome, ContentError> {
    let published = inputs.published.get(&held.apex);
    let content = match published {
        Some(published) => published.content.clone(),
        None => Content::empty(held.apex.clone(), inputs.settings.salt),
    };
    let changes = changes(before, accepted);
    let applied = content.apply(&changes)?;
    let is_same_data = published.is_some() && applied.content.digest() == content.digest();
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

/// What makes `before` into exactly `accepted`, both in canonical order: removals and puts, in that order too.
/// An RRset that only changes hands is put, too.
fn changes(before: &Before, accepted: Vec<(RRset, Arc<str>)>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut before = before.rrsets().iter().peekable();
    let remove = |old: &RRset| Change::Remove { name: old.name.clone(), rtype: old.rtype };
    for (rrset, owner) in accepted {
        let order = |old: &RRset| old.name.cmp(&rrset.name).then_with(|| old.rtype.cmp(&rrset.rtype));
        while let Some((old, _)) = before.next_if(|(old, _)| order(old).is_lt()) {
            changes.push(remove(old));
        }
        let old = before.next_if(|(old, _)| order(old).is_eq());
        if old.is_none_or(|(old, by)| *old != rrset || by.as_ref() != Some(&owner)) {
            changes.push(Change::Put { rrset, owner: Some(owner) });
        }
    }
    changes.extend(before.map(|(old, _)| remove(old)));
    changes
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
