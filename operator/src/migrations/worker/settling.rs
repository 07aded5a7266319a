//! What a person prefers where both sides differ: heeded until there is nothing left of it that can be settled.

use port53_crds::PREFER_ANNOTATION;

use super::super::merge::Apart;
use super::super::prefer::Prefer;
use super::super::writing;
use super::{Turn, Worker};

impl Worker {
    /// What was refused before a person said so is tried again.
    pub(super) fn heed_preference(&mut self, prefer: Option<&Prefer>) {
        if self.preferred.as_ref() == prefer {
            return;
        }
        if let Some(prefer) = prefer {
            self.memory.try_again(|name| prefer.is_about_name(name));
        }
        self.preferred = prefer.cloned();
    }

    /// Takes the preference of a person away, once nothing that it is about is apart but what cannot be settled: what is
    /// refused here or there, or said by somebody else.
    pub(super) async fn settle_preference(&mut self, turn: &Turn, found: &[Apart], prefer: Option<&Prefer>) {
        let Some(prefer) = prefer else { return };
        let is_open = |one: &Apart| {
            let place = one.place();
            let is_settled = self.memory.said(&one.name).is_some()
                || self.memory.kept(place).is_some()
                || self.round.is_refused(place)
                || self.unheld.has(place);
            prefer.is_about(one) && !is_settled
        };
        if found.iter().any(is_open) {
            return;
        }
        if let Err(error) =
            writing::take_annotation(&self.shared.client, &turn.migration, PREFER_ANNOTATION).await
        {
            tracing::debug!("an annotation stays for now: {error}");
        }
    }
}
