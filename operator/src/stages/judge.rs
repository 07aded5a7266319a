//! What would come of one object: the stages over what of its zone can have a part in it, with the zones below as they
//! are published.

use super::before::Before;
use super::gather::{Gathered, Held, gather};
use super::{Children, Inputs, Published, validate};
use crate::objects::{ObjectRef, namespaced};
use crate::verdict::Verdict;

/// The verdicts that a plan would have for a Zone and all its records; nothing when it holds no domain.
pub fn judge_zone(inputs: &Inputs<'_>, zone: &ObjectRef) -> Option<Vec<Verdict>> {
    let Gathered { zones, .. } = gather(inputs);
    let held = zones.iter().find(|held| held.object == *zone)?;
    let before = Before::of(inputs.published.get(&held.apex));
    Some(validate::validate(inputs, held, &children_of(held, inputs), &before).verdicts)
}

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
    let children = children_of(held, inputs);
    let before = Before::of(inputs.published.get(&held.apex));
    held.records = validate::around(held, object, &before);
    let validated = validate::validate(inputs, held, &children, &before);
    validated.verdicts.into_iter().find(|verdict| verdict.object == *object)
}

/// The zones below one, as they are published.
fn children_of(held: &Held<'_>, inputs: &Inputs<'_>) -> Children {
    let published = held.children.iter().filter_map(|apex| inputs.published.get(apex));
    let of = |published: &Published| {
        let apex = published.content.apex().clone();
        (apex, (published.holder.clone(), published.content.clone()))
    };
    published.map(of).collect()
}
