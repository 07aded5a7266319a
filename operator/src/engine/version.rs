//! The next version of a zone: what its head will say, and what must be stored before. Pure.
//!
//! A publication is one write: the changes go into the journal of the head. Where the journal would be too long,
//! and for the first version of a zone, the content is made a checkpoint first and the journal starts again. A
//! checkpoint that was stored meanwhile is taken up with the next version.

use port53_crds::{HeadState, Holder};
use port53_store::{Checkpoint, Forwarding, Head, Intent, Revision};
use port53_zone::content::{Change, Content};
use port53_zone::transfer::Allow;
use port53_zone::{Name, Soa, serial};

/// A zone as its head says, with what its journal builds on.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) head: Head,
    /// The content at the head's serial, with who owns what.
    pub(crate) content: Content,
    /// That of the head's checkpoint.
    pub(crate) base: Content,
}

/// A checkpoint that is stored and not yet in the head.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) content: Content,
    /// How many changes of the head's journal it has.
    pub(crate) covers: usize,
}

/// What is to be published.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) holder: Holder,
    pub(crate) soa: Soa,
    pub(crate) content: Content,
    /// What makes the published content this one.
    pub(crate) changes: Vec<Change>,
}

/// The next version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) stored: Stored,
    /// The checkpoint that must be stored before the head is written.
    pub(crate) first: Option<Revision>,
}

impl Version {
    /// The version after `stored`.
    pub(crate) fn next(stored: Option<&Stored>, ready: Option<&Ready>, wish: Wish) -> Self {
        // What is withdrawn is not built on.
        let stored = stored.filter(|stored| stored.head.state == HeadState::Serving);
        let Some(stored) = stored else { return Version::first(wish) };
        // One of before a rollback covers what this journal has not.
        let ready = ready.filter(|ready| ready.covers <= stored.head.journal.len());
        let (checkpoint, base, covers) = match ready {
            Some(ready) => (ready.checkpoint.clone(), ready.content.clone(), ready.covers),
            None => (stored.head.checkpoint.clone(), stored.base.clone(), 0),
        };
        let mut journal = stored.head.journal.get(covers..).unwrap_or_default().to_vec();
        journal.extend(wish.changes.iter().cloned());
        let apex = wish.content.apex();
        if Head::encoded_journal(apex, &journal).is_none() {
            let mut wish = wish;
            if wish.soa.serial == stored.head.checkpoint.serial || wish.soa.serial == checkpoint.serial {
                // A revision of that serial is there with other owners, and never changes.
                wish.soa.serial = serial::next_after([wish.soa.serial]);
            }
            return Version::first(wish);
        }
        let head = head(&wish, checkpoint, journal);
        Version { stored: Stored { head, content: wish.content, base }, first: None }
    }

    /// The version that is its own checkpoint.
    fn first(wish: Wish) -> Self {
        let head = head(&wish, Checkpoint::of(&wish.content, wish.soa.serial), Vec::new());
        // What it takes to store it is known when it is stored.
        let first = Revision::of(&wish.content, wish.soa, wish.holder, 0);
        let stored = Stored { head, base: wish.content.clone(), content: wish.content };
        Version { stored, first: Some(first) }
    }

    /// The content of an older revision under a new serial.
    pub(crate) fn rolled_back(holder: Holder, revision: &Revision, content: Content, serial: u32) -> Self {
        let soa = Soa { serial, ..revision.soa.clone() };
        let wish = Wish { holder, soa, content, changes: Vec::new() };
        let mut head = head(&wish, revision.checkpoint.clone(), Vec::new());
        head.pinned = Some(revision.soa.serial);
        Version { stored: Stored { head, base: wish.content.clone(), content: wish.content }, first: None }
    }

    /// The zone out of service. Its content is no longer needed here.
    pub(crate) fn withdrawn(stored: &Stored) -> Self {
        let head = Head { state: HeadState::Withdrawn, pinned: None, ..stored.head.clone() };
        let nothing = Content::empty(head.apex.clone(), head.checkpoint.salt);
        Version { stored: Stored { head, content: nothing.clone(), base: nothing }, first: None }
    }

    /// What is stored, to be written as it was.
    pub(crate) fn again(stored: &Stored) -> Self {
        Version { stored: stored.clone(), first: None }
    }

    /// The same under another serial.
    pub(crate) fn again_as(stored: &Stored, serial: u32) -> Self {
        let mut version = Version::again(stored);
        version.stored.head.soa.serial = serial;
        version
    }

    /// The same with other words on who may transfer it.
    pub(crate) fn with_transfer(mut self, transfer: Vec<Allow>) -> Self {
        self.stored.head.transfer = transfer;
        self
    }

    /// The same with other words on who answers while the zone moves here.
    pub(crate) fn with_forwarding(mut self, forwarding: Option<Forwarding>) -> Self {
        self.stored.head.forwarding = forwarding;
        self
    }

    /// The same with other words on what is on its way to a legacy DNS and here.
    pub(crate) fn with_intents(mut self, intents: Option<Vec<Intent>>) -> Self {
        self.stored.head.intents = intents;
        self
    }

    pub(crate) fn apex(&self) -> &Name {
        &self.stored.head.apex
    }
}

fn head(wish: &Wish, checkpoint: Checkpoint, journal: Vec<Change>) -> Head {
    Head {
        apex: wish.content.apex().clone(),
        holder: wish.holder.clone(),
        state: HeadState::Serving,
        soa: wish.soa.clone(),
        digest: wish.content.digest(),
        rrsets: wish.content.len() as u64,
        checkpoint,
        journal,
        pinned: None,
        transfer: Vec::new(),
        forwarding: None,
        intents: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::{RRset, Rtype, name, rdata};

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    fn put(host: usize) -> Change {
        let owner = name::parse(&format!("h{host}"), &apex()).expect("a name");
        let value = rdata::parse_value(Rtype::A, "192.0.2.1").expect("a value");
        Change::Put { rrset: RRset::new(owner, Rtype::A, 60, [value]), owner: Some("dns/www".into()) }
    }

    fn wish(before: &Content, hosts: std::ops::Range<usize>, serial: u32) -> Wish {
        let changes: Vec<Change> = hosts.map(put).collect();
        let content = before.apply(&changes).expect("applies").content;
        let (primary, contact) = (apex(), apex());
        let soa = Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 };
        let holder = Holder { namespace: "dns".to_owned(), name: "example-com".to_owned() };
        Wish { holder, soa, content, changes }
    }

    fn first() -> Stored {
        let version = Version::next(None, None, wish(&Content::empty(apex(), [1; 16]), 0..3, 1));
        assert_eq!(version.first.expect("a checkpoint first").checkpoint, version.stored.head.checkpoint);
        version.stored
    }

    /// What every reader does with a head.
    fn is_right(stored: &Stored) -> bool {
        stored.base.digest() == stored.head.checkpoint.digest
            && stored
                .head
                .content(&stored.base)
                .is_ok_and(|content| content.digest() == stored.content.digest())
    }

    #[test]
    fn a_change_goes_into_the_journal() {
        let stored = first();
        let version = Version::next(Some(&stored), None, wish(&stored.content, 3..5, 2));
        assert!(version.first.is_none() && is_right(&version.stored));
        assert_eq!(version.stored.head.journal.len(), 2);
        assert_eq!(version.stored.head.checkpoint, stored.head.checkpoint);
    }

    #[test]
    fn a_checkpoint_is_taken_up_and_the_journal_starts_again() {
        let stored = first();
        let second = Version::next(Some(&stored), None, wish(&stored.content, 3..5, 2)).stored;
        let third = Version::next(Some(&second), None, wish(&second.content, 5..6, 3)).stored;
        let ready =
            Ready { checkpoint: Checkpoint::of(&second.content, 2), content: second.content, covers: 2 };
        let fourth = Version::next(Some(&third), Some(&ready), wish(&third.content, 6..7, 4)).stored;
        assert!(is_right(&fourth));
        assert_eq!((fourth.head.checkpoint.serial, fourth.head.journal), (2, vec![put(5), put(6)]));
    }

    #[test]
    fn what_is_more_than_a_journal_holds_is_a_checkpoint_first() {
        let stored = first();
        let version = Version::next(Some(&stored), None, wish(&stored.content, 3..3_000, 2));
        let revision = version.first.expect("a checkpoint first");
        assert_eq!((revision.soa.serial, version.stored.head.journal.len()), (2, 0));
        assert!(is_right(&version.stored));
        // That only owners change makes no new serial; a revision that is there never changes.
        let version = Version::next(Some(&stored), None, wish(&stored.content, 3..3_000, 1));
        assert_eq!(version.first.expect("a checkpoint first").soa.serial, 2);
    }

    #[test]
    fn a_rollback_is_the_old_content_under_a_new_serial_and_is_left_by_a_journal() {
        let stored = first();
        let old = Revision::of(&stored.content, stored.head.soa.clone(), stored.head.holder.clone(), 0);
        let second = Version::next(Some(&stored), None, wish(&stored.content, 3..5, 2)).stored;
        let back = Version::rolled_back(second.head.holder.clone(), &old, stored.content.clone(), 3).stored;
        assert!(is_right(&back));
        assert_eq!((back.head.soa.serial, back.head.pinned), (3, Some(1)));
        let on = Version::next(Some(&back), None, wish(&back.content, 3..5, 4)).stored;
        assert!(is_right(&on) && on.head.pinned.is_none());
        assert_eq!(on.head.digest, second.head.digest);
    }

    #[test]
    fn a_zone_that_returns_is_not_built_on_what_was_withdrawn() {
        let withdrawn = Version::withdrawn(&first()).stored;
        let version = Version::next(Some(&withdrawn), None, wish(&Content::empty(apex(), [1; 16]), 0..1, 2));
        assert!(version.first.is_some() && version.stored.content.len() == 1);
    }
}
