//! What a head means for what is held of its zone. Pure: no clock, no I/O.
//!
//! A journal is a list of puts and removals that say what is to be, not how it differs. So it may be applied
//! to the checkpoint that it builds on, and as well to any later version whose changes it repeats: to what
//! is served, above all. Which of them is right is not argued but seen, by the digest of the whole.

use port53_crds::HeadState;
use port53_store::Head;
use port53_zone::content::{Change, Content, ContentError};
use port53_zone::image::Image;
use port53_zone::serial;
use std::cmp::Ordering;
use std::sync::Arc;

/// What is held of a zone.
#[derive(Clone, Default)]
pub(super) struct Held {
    /// What is served; nothing while the zone is not complete, or not ours.
    pub(super) served: Option<Arc<Image>>,
    /// The content of a checkpoint, as an image of its own that nobody is answered from.
    pub(super) base: Option<Image>,
}

/// What to do about a head.
#[derive(Debug)]
pub(super) enum Step {
    /// It says what is served.
    Nothing,
    /// Take this into service.
    Serve(Box<Image>),
    /// Stop serving the zone.
    Withdraw,
    /// The content of its checkpoint is needed.
    Assemble,
    /// Nothing: it says what cannot be, and what is served stays.
    Refuse(Refusal),
}

/// Why a head is not followed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "serial {offered} is not above serial {held}, which is in service (RFC 1982 §3.2): publish it with a \
         higher serial"
    )]
    Backwards { held: u32, offered: u32 },
    #[error("serial {0} is in service with another content or SOA: publish this one with a higher serial")]
    SameSerial(u32),
    #[error("spec.journal: {0}")]
    Journal(ContentError),
    #[error(
        "spec.digest: the journal makes another content of the checkpoint than the head says; one of them was \
         edited or damaged"
    )]
    WrongDigest,
}

impl Held {
    /// What to do about `head`.
    pub(super) fn step(&self, head: &Head) -> Step {
        if let Some(served) = &self.served {
            let held = served.soa().serial;
            match serial::compare(held, head.soa.serial) {
                Some(Ordering::Less) => {}
                Some(Ordering::Equal) if head.state == HeadState::Withdrawn => {}
                Some(Ordering::Equal) if is_served(served, head) => return Step::Nothing,
                Some(Ordering::Equal) => return Step::Refuse(Refusal::SameSerial(held)),
                // Also a withdrawal: of a time gone by, it is no word on what was published since.
                _ => return Step::Refuse(Refusal::Backwards { held, offered: head.soa.serial }),
            }
        }
        match head.state {
            HeadState::Withdrawn => Step::Withdraw,
            HeadState::Serving => self.next_version(head),
        }
    }

    fn next_version(&self, head: &Head) -> Step {
        let changes = without_owners(&head.journal);
        if let Some(base) = self.base_of(head) {
            return match version(&base, &changes, head) {
                Ok(Some(image)) => Step::Serve(Box::new(image)),
                Ok(None) => Step::Refuse(Refusal::WrongDigest),
                Err(error) => Step::Refuse(Refusal::Journal(error)),
            };
        }
        // That a journal does not fit what it was not made for is no fault of its.
        match self.served.as_deref().map(|served| version(served, &changes, head)) {
            Some(Ok(Some(image))) => Step::Serve(Box::new(image)),
            _ => Step::Assemble,
        }
    }

    /// The image of the content that the head's journal builds on, when it is here.
    fn base_of(&self, head: &Head) -> Option<Image> {
        let is_base = |image: &&Image| image.content().digest() == head.checkpoint.digest;
        let here = [self.base.as_ref(), self.served.as_deref()];
        let empty = || {
            let image = Image::new(Content::empty(head.apex.clone(), head.checkpoint.salt), head.soa.clone());
            head.checkpoint.root.is_none().then_some(image)
        };
        here.into_iter().flatten().find(is_base).cloned().or_else(empty)
    }

    /// Keeps of all that is here what further versions after `head` build on. What is served is now as the
    /// head says, or the head is not followed.
    pub(super) fn keep_base(&mut self, head: &Head) {
        self.base = self.base_of(head);
    }
}

/// Whether `head` says what is served.
fn is_served(served: &Image, head: &Head) -> bool {
    served.content().digest() == head.digest && *served.soa() == head.soa
}

/// The version that `head` says, out of `base`; nothing when it is another one.
fn version(base: &Image, changes: &[Change], head: &Head) -> Result<Option<Image>, ContentError> {
    let applied = base.content().apply(changes)?;
    let is_right = applied.content.digest() == head.digest;
    Ok(is_right.then(|| base.with(applied, head.soa.clone())))
}

/// A resolver does not keep who owns what.
fn without_owners(journal: &[Change]) -> Vec<Change> {
    let mut changes = journal.to_vec();
    for change in &mut changes {
        if let Change::Put { owner, .. } = change {
            *owner = None;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_crds::Holder;
    use port53_store::Checkpoint;
    use port53_zone::rdata::parse_value;
    use port53_zone::{Name, RRset, Rtype, Soa, name};
    use proptest::prelude::*;

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    fn soa(serial: u32) -> Soa {
        let (primary, contact) = (apex(), apex());
        Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 }
    }

    fn put(host: u8, value: u8) -> Change {
        let owner = name::parse(&format!("h{host}"), &apex()).expect("a name");
        let value = parse_value(Rtype::A, &format!("192.0.2.{value}")).expect("a value");
        Change::Put { rrset: RRset::new(owner, Rtype::A, 60, [value]), owner: Some("dns/www".into()) }
    }

    fn remove(host: u8) -> Change {
        Change::Remove { name: name::parse(&format!("h{host}"), &apex()).expect("a name"), rtype: Rtype::A }
    }

    fn content(changes: &[Change]) -> Content {
        Content::empty(apex(), [7; 16]).apply(changes).expect("applies").content
    }

    /// The head of `journal` after a checkpoint, with this serial.
    fn head(checkpoint: &Content, journal: &[Change], serial: u32) -> Head {
        let content = checkpoint.apply(journal).expect("applies").content;
        Head {
            apex: apex(),
            holder: Holder { namespace: "dns".to_owned(), name: "example-com".to_owned() },
            state: HeadState::Serving,
            soa: soa(serial),
            digest: content.digest(),
            rrsets: content.len() as u64,
            checkpoint: Checkpoint::of(checkpoint, 1),
            journal: journal.to_vec(),
            pinned: None,
            transfer: Vec::new(),
            forwarding: None,
            intents: None,
        }
    }

    fn serving(content: &Content, serial: u32) -> Held {
        Held { served: Some(Arc::new(Image::new(content.without_owners(), soa(serial)))), base: None }
    }

    /// Follows `head`, as the source does.
    fn follow(held: &mut Held, head: &Head) -> Step {
        let step = held.step(head);
        if let Step::Serve(image) = &step {
            held.served = Some(Arc::new((**image).clone()));
            held.keep_base(head);
        }
        step
    }

    fn refusal(step: Step) -> Refusal {
        match step {
            Step::Refuse(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_zone_that_is_not_here_is_assembled_and_an_empty_one_needs_nothing() {
        let checkpoint = content(&[put(1, 1)]);
        assert!(matches!(Held::default().step(&head(&checkpoint, &[], 5)), Step::Assemble));
        assert!(matches!(Held::default().step(&head(&content(&[]), &[put(1, 1)], 5)), Step::Serve(_)));
        let base = Image::new(checkpoint.without_owners(), soa(1));
        let held = Held { served: None, base: Some(base) };
        let Step::Serve(image) = held.step(&head(&checkpoint, &[put(2, 2)], 5)) else { panic!() };
        assert_eq!((image.soa().serial, image.content().len()), (5, 2));
        assert!(image.content().iter().all(|(_, owner)| owner.is_none()));
    }

    #[test]
    fn a_running_zone_follows_journals_and_checkpoints_without_slices() {
        let first = content(&[put(1, 1), put(2, 2)]);
        let mut held = serving(&first, 5);
        assert!(matches!(held.step(&head(&first, &[], 5)), Step::Nothing));
        let journal = [put(3, 3), remove(1), put(2, 9)];
        for length in 1..=journal.len() {
            let step = follow(&mut held, &head(&first, &journal[..length], 5 + length as u32));
            assert!(matches!(step, Step::Serve(_)), "{step:?}");
        }
        // A checkpoint of what is served, in a head that says nothing else, and changes after it.
        let second = first.apply(&journal).expect("applies").content;
        assert!(matches!(held.step(&head(&second, &[], 8)), Step::Nothing));
        held.keep_base(&head(&second, &[], 8));
        let next = head(&second, &[put(4, 4)], 9);
        assert!(matches!(follow(&mut held, &next), Step::Serve(_)));
        // Changes that are taken back: the version before is not what they build on.
        assert!(matches!(follow(&mut held, &head(&second, &[put(5, 5)], 10)), Step::Serve(_)));
    }

    /// A process that starts from its disk has what was served, and not the checkpoint before it.
    #[test]
    fn what_is_loaded_from_disk_takes_up_where_the_head_stands() {
        let checkpoint = content(&[put(1, 1)]);
        let served = checkpoint.apply(&[put(2, 2)]).expect("applies").content;
        let mut held = serving(&served, 6);
        let journal = [put(2, 2), put(3, 3), remove(1)];
        assert!(matches!(held.step(&head(&checkpoint, &journal[..1], 6)), Step::Nothing));
        let step = follow(&mut held, &head(&checkpoint, &journal, 8));
        assert!(matches!(step, Step::Serve(ref image) if image.content().len() == 2), "{step:?}");
        // What the journal does not lead to from here needs the checkpoint.
        assert!(matches!(serving(&served, 6).step(&head(&checkpoint, &journal[1..], 8)), Step::Assemble));
    }

    #[test]
    fn a_serial_never_goes_back() {
        let first = content(&[put(1, 1)]);
        let held = serving(&first, 5);
        let mut old = head(&first, &[put(2, 2)], 4);
        assert_eq!(refusal(held.step(&old)), Refusal::Backwards { held: 5, offered: 4 });
        old.state = HeadState::Withdrawn;
        assert_eq!(refusal(held.step(&old)), Refusal::Backwards { held: 5, offered: 4 });
        let far = head(&first, &[put(2, 2)], 5 + (1 << 31));
        assert!(matches!(refusal(held.step(&far)), Refusal::Backwards { .. }));
        assert_eq!(refusal(held.step(&head(&first, &[put(2, 2)], 5))), Refusal::SameSerial(5));
        let mut other_soa = head(&first, &[], 5);
        other_soa.soa.ttl += 1;
        assert_eq!(refusal(held.step(&other_soa)), Refusal::SameSerial(5));

        // RFC 1982: after the highest comes a low one.
        assert!(matches!(serving(&first, u32::MAX).step(&head(&first, &[put(2, 2)], 1)), Step::Serve(_)));
    }

    /// A rollback is published under a higher serial: a lower one is of an etcd that was restored.
    #[test]
    fn a_pinned_head_of_a_restored_etcd_takes_no_serial_back() {
        let first = content(&[put(1, 1)]);
        let mut pinned = head(&first, &[put(2, 2)], 9);
        pinned.pinned = Some(4);
        assert_eq!(refusal(serving(&first, 11).step(&pinned)), Refusal::Backwards { held: 11, offered: 9 });
        assert_eq!(refusal(serving(&first, 9).step(&pinned)), Refusal::SameSerial(9));
        assert!(matches!(serving(&first, 8).step(&pinned), Step::Serve(_)));
    }

    #[test]
    fn only_a_withdrawal_withdraws() {
        let first = content(&[put(1, 1)]);
        let mut withdrawn = head(&first, &[], 5);
        withdrawn.state = HeadState::Withdrawn;
        for held in [Held::default(), serving(&first, 5), serving(&first, 4)] {
            assert!(matches!(held.step(&withdrawn), Step::Withdraw));
        }
    }

    #[test]
    fn a_head_that_was_edited_is_noticed() {
        let first = content(&[put(1, 1)]);
        let held = serving(&first, 5);
        let mut edited = head(&first, &[put(2, 2)], 6);
        edited.journal.clear();
        assert_eq!(refusal(held.step(&edited)), Refusal::WrongDigest);
        let mut foreign = head(&first, &[], 6);
        foreign.journal = vec![Change::Remove {
            name: name::parse_absolute("example.org").expect("a name"),
            rtype: Rtype::A,
        }];
        assert!(matches!(refusal(held.step(&foreign)), Refusal::Journal(_)));
    }

    fn any_change() -> impl Strategy<Value = Change> {
        (0u8..12, any::<u8>(), any::<bool>())
            .prop_map(|(host, value, is_put)| if is_put { put(host, value) } else { remove(host) })
    }

    proptest! {
        /// Wherever in a journal a zone stands, the rest of it is never answered wrongly; and where the journal
        /// only grows, no slice is needed.
        #[test]
        fn a_journal_is_followed_from_anywhere(
            before in prop::collection::vec(any_change(), 0..12),
            journal in prop::collection::vec(any_change(), 0..12),
            at in 0usize..12,
        ) {
            let checkpoint = content(&before);
            let at = at.min(journal.len());
            let served = checkpoint.apply(&journal[..at]).expect("applies").content;
            let right = checkpoint.apply(&journal).expect("applies").content;
            match serving(&served, 5).step(&head(&checkpoint, &journal, 6)) {
                Step::Serve(image) => prop_assert_eq!(image.content().digest(), right.digest()),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
