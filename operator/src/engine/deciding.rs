//! What is next for a zone, from what people want and what is published. Pure but for the state.

use std::time::Duration;

use port53_crds::{HeadState, Holder};
use port53_store::{Forwarding, Head, Intent};
use port53_zone::content::ContentError;
use port53_zone::transfer::Allow;
use port53_zone::{Soa, serial};

use super::both::{First, Gated, Stamps, View};
use super::version::{Stored, Version, Wish};
use super::zone::{Restore, Rollback, ZoneState};
use crate::guard::Memory;
use crate::stages::ZoneOutcome;

/// What people say beside the records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    pub(crate) max_removed_percent: u32,
    pub(crate) released: Option<String>,
    pub(crate) rollback: Option<u32>,
    /// The lowest serial that the zone may have.
    pub(crate) least: Option<u32>,
    /// Who may transfer it; nothing where that is not known, and stays as it is.
    pub(crate) transfer: Option<Vec<Allow>>,
    /// Who answers while the zone moves here; nothing where that is not known, and stays as it is.
    pub(crate) forwarding: Option<Option<Forwarding>>,
    /// Who is to have changes first.
    pub(crate) first: First,
    /// The objects that own what changes, where somebody is.
    pub(crate) stamps: Stamps,
}

impl Orders {
    /// Whether others may transfer the zone, or answer for it, than its head says.
    fn are_otherwise(&self, head: &Head) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| *transfer != head.transfer)
            || self.forwarding.as_ref().is_some_and(|forwarding| *forwarding != head.forwarding)
    }
}

/// What a head says of what is on its way to a legacy DNS and here.
type Intents = Option<Vec<Intent>>;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Decision {
    /// What people want is published; what is not is held or pinned.
    Settled,
    /// The same, but for removals that wait so long for a replacement.
    Again(Duration),
    /// Nothing yet: something is on its way.
    Wait,
    /// The revision of this serial must be read first.
    Read(u32),
    /// Write this. Then the guard is so, and the id that a person released is spent.
    Publish(Box<Version>, Memory, Option<String>),
}

impl ZoneState {
    /// What is to be done, when nothing is being done. `now` is since some fixed moment.
    ///
    /// # Errors
    /// When the content cannot hold the changes, which the rules should have refused.
    pub(crate) fn decide(
        &mut self,
        outcome: &ZoneOutcome,
        holder: &Holder,
        orders: &Orders,
        now: Duration,
    ) -> Result<Decision, ContentError> {
        let published = || self.serving().map(|stored| stored.head.transfer.clone());
        let transfer = orders.transfer.clone().or_else(published).unwrap_or_default();
        let published = || self.serving().and_then(|stored| stored.head.forwarding.clone());
        let forwarding = orders.forwarding.clone().unwrap_or_else(published);
        let before = self.serving().and_then(|stored| stored.head.intents.clone());
        let (decision, intents) = self.decide_content(outcome, holder, orders, now)?;
        // Nothing was looked at while it is rolled back.
        let pinned = || before.as_ref().map(|intents| self.both.while_pinned(intents));
        let intents = intents.unwrap_or_else(pinned);
        let decision = match (decision, self.serving()) {
            (Decision::Settled, Some(stored)) if intents != stored.head.intents => {
                Decision::Publish(Box::new(Version::again(stored)), self.guard.clone(), None)
            }
            (decision, _) => decision,
        };
        Ok(match decision {
            Decision::Publish(version, guard, released) => {
                let version =
                    version.with_transfer(transfer).with_forwarding(forwarding).with_intents(intents);
                Decision::Publish(Box::new(version), guard, released)
            }
            decision => decision,
        })
    }

    /// The same, but for who may transfer what is written, and who answers. With what is on its way to legacy then, where
    /// that was looked at.
    fn decide_content(
        &mut self,
        outcome: &ZoneOutcome,
        holder: &Holder,
        orders: &Orders,
        now: Duration,
    ) -> Result<(Decision, Option<Intents>), ContentError> {
        if orders.released.is_none() {
            self.spent = None;
        }
        if let Some(decision) = self.rolled_back(holder, orders) {
            return Ok((decision, None));
        }
        let known = self.serials_above();
        let answered = self.answered();
        let serving = |stored: &&Stored| stored.head.state == HeadState::Serving;
        let Some(stored) = self.stored.as_ref().filter(serving) else {
            let wish = Wish {
                holder: holder.clone(),
                soa: outcome.soa.clone(),
                content: outcome.applied.content.clone(),
                changes: Vec::new(),
            };
            let version = Version::next(None, None, wish);
            return Ok((Decision::Publish(Box::new(version), self.guard.clone(), None), None));
        };
        let old = &stored.head;
        let wanted = Soa { serial: old.soa.serial, ..outcome.soa.clone() };
        let is_behind = orders.least.is_some_and(|least| serial::is_newer(least, old.soa.serial));
        let is_as_wanted = wanted == old.soa
            && !is_behind
            && old.pinned.is_none()
            && self.restore == Restore::Nothing
            && !orders.are_otherwise(old)
            && old.holder == *holder;
        // Nearly all zones, nearly always.
        if is_as_wanted
            && outcome.changes.is_empty()
            && self.held.is_none()
            && !self.guard.is_waiting()
            && self.both.is_quiet(old, &orders.first)
        {
            return Ok((Decision::Settled, None));
        }
        let mut guard = self.guard.clone();
        let screened = guard.screen(
            &stored.content,
            outcome.changes.clone(),
            orders.max_removed_percent,
            orders.released.as_deref().filter(|&id| self.spent.as_deref() != Some(id)),
            now,
        )?;
        let wanted_changes = screened.changes.len();
        let view = View {
            stored,
            first: &orders.first,
            stamps: &orders.stamps,
            answered,
            trouble: self.trouble.as_deref(),
            now,
        };
        let Gated { changes, intents, is_less } = self.both.gate(&view, screened.changes);
        let content = match is_less || changes.len() != wanted_changes {
            true => stored.content.apply(&changes)?.content,
            false => screened.applied.content,
        };
        let is_new_version = content.digest() != old.digest
            || wanted != old.soa
            || is_behind
            || self.restore == Restore::HigherSerial;
        let is_meant = intents == old.intents;
        let decision = if is_as_wanted && is_meant && !is_new_version && changes.is_empty() {
            match screened.again_after {
                Some(after) => Decision::Again(after),
                None => Decision::Settled,
            }
        } else {
            let serial = match is_new_version {
                false => old.soa.serial,
                true if serial::is_newer(outcome.soa.serial, old.soa.serial) => outcome.soa.serial,
                true => serial::next_after(known.into_iter().chain([old.soa.serial])),
            };
            let wish = Wish { holder: holder.clone(), soa: Soa { serial, ..wanted }, content, changes };
            let version = Version::next(Some(stored), self.ready(), wish);
            // What a person released is released until all of it is gone.
            let released = screened.released.filter(|_| !is_less);
            Decision::Publish(Box::new(version), guard.clone(), released)
        };
        self.held = screened.held;
        if !matches!(decision, Decision::Publish(..)) {
            self.guard = guard;
        }
        Ok((decision, Some(intents)))
    }

    /// What a rollback that a person wants comes to; nothing when none is wanted or possible.
    fn rolled_back(&mut self, holder: &Holder, orders: &Orders) -> Option<Decision> {
        let Some(wanted) = orders.rollback else {
            self.rollback = Rollback::Nowhere;
            return None;
        };
        let stored = self.serving()?;
        let above = || serial::next_after(self.serials_above().into_iter().chain([stored.head.soa.serial]));
        if stored.head.pinned == Some(wanted) {
            // Whether or not its revision is still kept.
            let version = match self.restore {
                Restore::Nothing if !orders.are_otherwise(&stored.head) => {
                    return Some(Decision::Settled);
                }
                Restore::Nothing | Restore::AsItWas => Version::again(stored),
                Restore::HigherSerial => Version::again_as(stored, above()),
            };
            return Some(Decision::Publish(Box::new(version), self.guard.clone(), None));
        }
        match &self.rollback {
            Rollback::Read(read) if read.0.soa.serial == wanted => {
                let (revision, content) = (&read.0, read.1.clone());
                let version = Version::rolled_back(holder.clone(), revision, content, above());
                Some(Decision::Publish(Box::new(version), self.guard.clone(), None))
            }
            // What is pinned to another revision stays so while this one cannot be had.
            Rollback::Impossible(serial, _) if *serial == wanted => {
                stored.head.pinned.is_some().then_some(Decision::Settled)
            }
            Rollback::Reading(serial) if *serial == wanted => Some(Decision::Wait),
            _ => Some(Decision::Read(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::version::{Ready, Stored};
    use crate::engine::zone::Keeping;
    use crate::objects::ObjectRef;
    use port53_store::{Checkpoint, Revision};
    use port53_zone::content::{Change, Content};
    use port53_zone::{Name, RRset, Rtype, name, rdata};
    use std::sync::Arc;
    use std::time::Instant;

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    fn content(hosts: usize) -> Content {
        let rrsets = (0..hosts).map(|host| {
            let owner = name::parse(&format!("h{host}"), &apex()).expect("a name");
            let value = rdata::parse_value(Rtype::A, "192.0.2.1").expect("a value");
            (RRset::new(owner, Rtype::A, 60, [value]), Some(Arc::from("dns/www")))
        });
        Content::build(apex(), [1; 16], rrsets).expect("a content")
    }

    fn soa(serial: u32) -> Soa {
        let (primary, contact) = (apex(), apex());
        Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 }
    }

    fn holder() -> Holder {
        Holder { namespace: "dns".to_owned(), name: "example-com".to_owned() }
    }

    /// What the stages would say: from a content of `before` hosts to one of `after`, with this serial.
    fn outcome(before: usize, after: usize, serial: u32) -> ZoneOutcome {
        let (old, new) = (content(before), content(after));
        let changes: Vec<Change> = port53_zone::content::diff(&old, &new)
            .into_iter()
            .map(port53_zone::content::Difference::into_change)
            .collect();
        ZoneOutcome {
            holder: ObjectRef::Zone { namespace: "dns".to_owned(), name: "example-com".to_owned() },
            apex: apex(),
            soa: soa(serial),
            applied: old.apply(&changes).expect("applies"),
            is_new_version: before != after,
            accepted: after,
            rejected: 0,
            changes,
        }
    }

    fn orders() -> Orders {
        Orders { max_removed_percent: 30, ..Orders::default() }
    }

    fn publish(zone: &mut ZoneState, outcome: &ZoneOutcome, orders: &Orders, now: u64) -> Stored {
        match zone.decide(outcome, &holder(), orders, Duration::from_secs(now)).expect("decided") {
            Decision::Publish(version, guard, _) => {
                let now = Instant::now();
                zone.guard = guard;
                zone.written("v".to_owned(), version.stored.clone(), now, now);
                version.stored
            }
            other => panic!("{other:?}"),
        }
    }

    fn serving(hosts: usize, serial: u32) -> ZoneState {
        let mut zone = ZoneState::new(Instant::now());
        publish(&mut zone, &outcome(0, hosts, serial), &orders(), 0);
        zone
    }

    #[test]
    fn what_is_published_is_settled_and_a_change_is_published() {
        let mut zone = serving(3, 1);
        let decided = zone.decide(&outcome(3, 3, 1), &holder(), &orders(), Duration::from_secs(1));
        assert!(matches!(decided, Ok(Decision::Settled)));
        let stored = publish(&mut zone, &outcome(3, 4, 2), &orders(), 2);
        assert_eq!((stored.head.soa.serial, stored.head.rrsets), (2, 4));
    }

    /// Who may transfer the zone is no part of its content: no new serial, also while it is pinned.
    #[test]
    fn other_words_on_transfers_take_no_new_serial() {
        let mut zone = serving(3, 1);
        let allow = |text: &str| {
            let transfer = Some(vec![text.parse().expect("an entry")]);
            Orders { transfer, ..orders() }
        };
        let stored = publish(&mut zone, &outcome(3, 3, 1), &allow("192.0.2.1"), 1);
        assert_eq!(
            (stored.head.soa.serial, &stored.head.transfer[..]),
            (1, &["192.0.2.1".parse().expect("one")][..])
        );
        // What is not known stays, and stays with what is published next.
        let decided = zone.decide(&outcome(3, 3, 1), &holder(), &orders(), Duration::from_secs(2));
        assert!(matches!(decided, Ok(Decision::Settled)));
        assert_eq!(publish(&mut zone, &outcome(3, 4, 2), &orders(), 3).head.transfer, stored.head.transfer);
        let revision = Revision::of(&stored.content, stored.head.soa.clone(), holder(), 0);
        zone.rollback = Rollback::Read(Box::new((revision, stored.content)));
        let back = Orders { rollback: Some(1), ..orders() };
        let pinned = publish(&mut zone, &outcome(4, 4, 2), &back, 4);
        assert_eq!((pinned.head.soa.serial, &pinned.head.transfer), (3, &stored.head.transfer));
        let other = Orders { rollback: Some(1), ..allow("key:xfr.example") };
        let pinned = publish(&mut zone, &outcome(4, 4, 2), &other, 5);
        assert_eq!((pinned.head.soa.serial, pinned.head.pinned), (3, Some(1)));
        assert_eq!(pinned.head.transfer, other.transfer.clone().expect("said"));
        let decided = zone.decide(&outcome(4, 4, 2), &holder(), &other, Duration::from_secs(6));
        assert!(matches!(decided, Ok(Decision::Settled)));
    }

    #[test]
    fn removals_beyond_the_limit_take_no_new_serial_and_are_said() {
        let mut zone = serving(20, 1);
        let less = outcome(20, 5, 2);
        let first = zone.decide(&less, &holder(), &orders(), Duration::from_secs(1)).expect("decided");
        assert!(matches!(first, Decision::Again(_)), "{first:?}");
        let then = zone.decide(&less, &holder(), &orders(), Duration::from_secs(3)).expect("decided");
        assert!(matches!(then, Decision::Settled), "{then:?}");
        let id = zone.held.clone().expect("held").id;
        let released = Orders { released: Some(id), ..orders() };
        assert_eq!(publish(&mut zone, &less, &released, 4).head.rrsets, 5);
        assert!(zone.held.is_none());
    }

    #[test]
    fn a_head_that_was_edited_is_written_again_and_above_a_serial_that_may_have_been_followed() {
        let mut zone = serving(3, 1);
        zone.restore = Restore::AsItWas;
        assert_eq!(publish(&mut zone, &outcome(3, 3, 1), &orders(), 1).head.soa.serial, 1);
        zone.restore = Restore::HigherSerial;
        zone.serials.insert(9);
        assert_eq!(publish(&mut zone, &outcome(3, 3, 1), &orders(), 2).head.soa.serial, 10);
    }

    #[test]
    fn a_rollback_is_read_published_kept_and_left() {
        let mut zone = serving(3, 1);
        let old = zone.stored.clone().expect("stored");
        publish(&mut zone, &outcome(3, 4, 2), &orders(), 1);
        let back = Orders { rollback: Some(1), ..orders() };
        let decided = zone.decide(&outcome(4, 4, 2), &holder(), &back, Duration::from_secs(2));
        assert!(matches!(decided, Ok(Decision::Read(1))));
        let revision = Revision::of(&old.content, old.head.soa.clone(), holder(), 0);
        zone.rollback = Rollback::Read(Box::new((revision, old.content)));
        let pinned = publish(&mut zone, &outcome(4, 4, 2), &back, 3);
        assert_eq!((pinned.head.soa.serial, pinned.head.pinned, pinned.head.rrsets), (3, Some(1), 3));
        let waits = outcome(3, 4, 4);
        let decided = zone.decide(&waits, &holder(), &back, Duration::from_secs(4));
        assert!(matches!(decided, Ok(Decision::Settled)));
        assert_eq!(zone.owners_waiting(&waits).len(), 0, "a difference has no owners");
        let on = publish(&mut zone, &waits, &orders(), 5);
        assert_eq!((on.head.soa.serial, on.head.pinned, on.head.rrsets), (4, None, 4));
    }

    #[test]
    fn a_zone_that_is_pinned_is_restored_above_a_serial_that_may_have_been_followed() {
        let mut zone = serving(3, 1);
        let old = zone.stored.clone().expect("stored");
        publish(&mut zone, &outcome(3, 4, 2), &orders(), 1);
        let back = Orders { rollback: Some(1), ..orders() };
        let revision = Revision::of(&old.content, old.head.soa.clone(), holder(), 0);
        zone.rollback = Rollback::Read(Box::new((revision, old.content)));
        publish(&mut zone, &outcome(4, 4, 2), &back, 2);
        // The revision was deleted since.
        zone.rollback = Rollback::Impossible(1, "there is none".to_owned());
        zone.restore = Restore::HigherSerial;
        zone.serials.insert(9);
        let pinned = publish(&mut zone, &outcome(3, 4, 2), &back, 3);
        assert_eq!((pinned.head.soa.serial, pinned.head.pinned, pinned.head.rrsets), (10, Some(1), 3));
    }

    /// The checkpoint was stored for a journal that the rollback took away.
    #[test]
    fn a_checkpoint_from_before_a_rollback_is_not_taken_up_after_it() {
        let mut zone = serving(3, 1);
        let old = zone.stored.clone().expect("stored");
        let second = publish(&mut zone, &outcome(3, 4, 2), &orders(), 1);
        let back = Orders { rollback: Some(1), ..orders() };
        let revision = Revision::of(&old.content, old.head.soa.clone(), holder(), 0);
        zone.rollback = Rollback::Read(Box::new((revision, old.content)));
        publish(&mut zone, &outcome(4, 4, 2), &back, 2);
        zone.keeping = Keeping::Stored(Ready {
            checkpoint: Checkpoint::of(&second.content, 2),
            content: second.content,
            covers: 1,
        });
        // What people want is meanwhile what the rollback has.
        let on = publish(&mut zone, &outcome(3, 3, 3), &orders(), 3);
        assert_eq!(on.base.digest(), on.head.checkpoint.digest);
        let content = on.head.content(&on.base).expect("a right head");
        assert_eq!((content.len(), on.head.pinned), (3, None));
    }

    /// A resolver was seen to be ahead while a version was being written.
    #[test]
    fn a_serial_that_was_seen_during_a_publication_is_still_to_be_exceeded() {
        let mut zone = serving(3, 1);
        zone.restore = Restore::HigherSerial;
        zone.serials.extend([50, 1]);
        let (stored, now) = (zone.stored.clone().expect("stored"), Instant::now());
        zone.written("v".to_owned(), stored, now, now);
        assert_eq!(zone.restore, Restore::HigherSerial);
        assert_eq!(publish(&mut zone, &outcome(3, 3, 1), &orders(), 1).head.soa.serial, 51);
        assert!(zone.restore == Restore::Nothing && zone.serials.is_empty());
    }

    #[test]
    fn a_rollback_that_is_not_possible_changes_nothing() {
        let mut zone = serving(3, 1);
        zone.rollback = Rollback::Impossible(7, "there is none".to_owned());
        let back = Orders { rollback: Some(7), ..orders() };
        assert_eq!(publish(&mut zone, &outcome(3, 4, 2), &back, 1).head.rrsets, 4);
    }
}
