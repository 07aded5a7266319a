//! What is at neither, and how long that stays so. Pure.
//!
//! What legacy refuses, and what could not be served here, is final until the object that owns it changes. Of a removal there
//! is none, so it is tried again after a while; and what somebody else had changed at legacy, once that is settled.

use std::sync::Arc;
use std::time::Duration;

use port53_crds::Reason;
use port53_store::Intent;
use port53_zone::content::Change;

use super::moves::{self, Move, Place};
use super::{Both, Seen, Stamp, Stamps, View};

/// What is said of a change that somebody else has made there.
pub(super) const SETTLE: &str = "Settle that with port53 migration resolve, one way or the other";

/// A change that is at neither.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) new: Vec<Change>,
    pub(super) stamps: Stamps,
    pub(super) reason: Reason,
    pub(super) text: String,
    /// The serial of legacy when it was found to have something that nobody here knew of.
    pub(super) other_since: Option<Option<u32>>,
    /// When it is tried again although nothing changed.
    pub(super) again: Option<Duration>,
}

impl Both {
    pub(super) fn roll_back(&mut self, key: &Place, intent: &Intent, stamps: &Stamps, text: String) {
        let refusal = Refusal {
            new: intent.new.clone(),
            stamps: moves::stamps(&intent.new, stamps),
            reason: Reason::RolledBack,
            text,
            other_since: None,
            again: None,
        };
        self.refused.insert(key.clone(), refusal);
    }

    /// What a process before this one has refused, and has said so, is not tried again by this one.
    pub(super) fn remember_refusal(&mut self, key: &Place, wanted: &Move, stamps: &Stamps) {
        if self.refused.contains_key(key) {
            return;
        }
        let stamps = moves::stamps(&wanted.new, stamps);
        let said = stamps.values().find_map(|stamp| stamp.refused.clone());
        if let Some((reason, text)) = said {
            let new = wanted.new.clone();
            // One about what somebody else had changed there holds until that is settled.
            let other_since = text.contains(SETTLE).then_some(None);
            let refusal = Refusal { new, stamps, reason, text, other_since, again: None };
            self.refused.insert(key.clone(), refusal);
        }
    }

    /// Whether what is wanted was refused, and nothing has changed since.
    pub(super) fn is_refused(
        &mut self,
        key: &Place,
        wanted: &Move,
        view: &View<'_>,
        seen: Option<&Seen>,
    ) -> bool {
        let Some(refusal) = self.refused.get(key) else { return false };
        let stamps = moves::stamps(&wanted.new, view.stamps);
        let is_same_version = |(owner, stamp): (&Arc<str>, &Stamp)| {
            stamps.get(owner).is_some_and(|now| (&now.uid, now.generation) == (&stamp.uid, stamp.generation))
        };
        let is_settled_there = match (refusal.other_since, seen) {
            (Some(since), Some(seen)) => {
                since != Some(seen.serial) && moves::missing(&wanted.old, &seen.content).is_empty()
            }
            _ => false,
        };
        let is_so = refusal.new == wanted.new
            && refusal.stamps.len() == stamps.len()
            && refusal.stamps.iter().all(is_same_version)
            && refusal.again.is_none_or(|again| view.now < again)
            && !is_settled_there;
        if !is_so {
            self.refused.remove(key);
        }
        is_so
    }

    /// An RRset is so large that an intent cannot hold it.
    pub(super) fn refuse_what_does_not_fit(&mut self, key: &Place, wanted: &Move, view: &View<'_>) {
        let refusal = Refusal {
            new: wanted.new.clone(),
            stamps: moves::stamps(&wanted.new, view.stamps),
            reason: Reason::TooLarge,
            text: "with dualWrite Sync all records of a name are at most 64 KiB: use fewer values".to_owned(),
            other_since: None,
            again: None,
        };
        self.refused.insert(key.clone(), refusal);
    }
}
