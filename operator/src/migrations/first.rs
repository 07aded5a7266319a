//! Which legacy DNS is to have changes of a zone first (`dualWrite: Sync`), for the engine. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use port53_crds::{DualWrite, Reason};
use port53_zone::Name;

use super::Orders;
use super::scope::{NotCounted, Scope};
use crate::engine::both::{Counterpart, Counterparts};
use crate::index::Key;

/// The Zones whose migrations ask for it.
pub(super) fn zones(there: &BTreeMap<Key, Orders>) -> BTreeSet<Key> {
    let all = there.iter().filter(|(_, orders)| is_sync(orders));
    all.map(|(key, orders)| (key.0.clone(), orders.migration.spec.zone_ref.name.clone())).collect()
}

fn is_sync(orders: &Orders) -> bool {
    orders.other.is_none() && orders.migration.spec.dual_write == DualWrite::Sync
}

/// Who is, of all zones that are known. What a worker has not said yet is as it was before, or cannot be written to.
pub(super) fn counterparts(
    there: &BTreeMap<Key, Orders>,
    apex_of: impl Fn(&Key, &str) -> Option<Name>,
    is_over: impl Fn(&Key, &Orders) -> bool,
    known: &BTreeMap<Key, Arc<Counterpart>>,
    before: &Counterparts,
) -> Counterparts {
    let counterparts = there
        .iter()
        .filter(|(key, orders)| is_sync(orders) && !is_over(key, orders))
        .filter_map(|(key, orders)| {
            let apex = apex_of(key, &orders.migration.spec.zone_ref.name)?;
            let before = before.as_ref().and_then(|before| before.get(&apex));
            let compare = &orders.migration.spec.compare;
            let left_out = NotCounted::read(&compare.leave_out, &apex);
            let counterpart = match (known.get(key).or(before), left_out) {
                // The worker says it later.
                (Some(known), Ok(left_out)) if known.scope.left_out != left_out => {
                    let scope = Scope { left_out, ..known.scope.clone() };
                    Arc::new(Counterpart { scope, ..known.as_ref().clone() })
                }
                (Some(known), _) => known.clone(),
                // What cannot be read leaves nothing out; its worker does not get on, and so no change does.
                (None, left_out) => {
                    let left_out = left_out.unwrap_or_default();
                    let scope = Scope { apex: apex.clone(), apex_ns: compare.apex_ns, left_out };
                    let why = "legacy was not looked at yet".to_owned();
                    Arc::new(Counterpart { scope, server: Err((Reason::Pending, why)), seen: None })
                }
            };
            Some((apex, counterpart))
        });
    Some(counterparts.collect())
}

/// Whether both are the very same.
pub(super) fn are_same(a: &Counterparts, b: &Counterparts) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((apex, a), (other, b))| apex == other && Arc::ptr_eq(a, b))
        }
        (None, None) => true,
        _ => false,
    }
}
