//! What would come of one object: the stages over what of its zone can have a part in it, with the zones below as they
//! are published.

use super::before::Before;
use super::gather::{Gathered, gather};
use super::{Children, Inputs, validate};
use crate::objects::{ObjectRef, namespaced};
use crate::verdict::Verdict;

/// The verdict that a plan would have for an object of the inputs; nothing when it is not among them.
pub fn judge(inputs: &Inputs<'_>, object: &ObjectRef) -> Option<Verdict> {
    let Gathered { mut zones, verdicts, .. } = gather(inputs);
    if let Some(verdict) = verdicts.into_iter().find(|verdict| verdict.object == *object) {
        return Some(verdict);
    }
    let held = zones.iter_mut().find(|held| match object {
        ObjectRef::Record { namespace, name } => {
            held.records.iter().any(|one| namespaced(&one.metadata) == (namespace, name))
        }
        _ => held.object == *object,
    })?;
    let mut children = Children::new();
    for published in held.children.iter().filter_map(|apex| inputs.published.get(apex)) {
        let apex = published.content.apex().clone();
        children.insert(apex, (published.holder.clone(), published.content.clone()));
    }
    let before = Before::of(inputs.published.get(&held.apex));
    held.records = validate::around(held, object, &before);
    let validated = validate::validate(inputs, held, &children, &before);
    validated.verdicts.into_iter().find(|verdict| verdict.object == *object)
}
