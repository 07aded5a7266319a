//! What the gate lets through and what it writes down, step by step, with legacy played by hand.

use super::*;
use crate::engine::version::{Version, Wish};
use crate::migrations::scope::{NotCounted, Scope};
use crate::migrations::sending::NotTaken;
use port53_crds::{Holder, LeftOut};
use port53_legacy::Server;
use port53_zone::content::Content;
use port53_zone::{Soa, name, rdata};

const OWNER: &str = "dns/www";

fn apex() -> Name {
    name::parse_absolute("example.com").expect("a name")
}

fn put(address: u8) -> Change {
    let owner = name::parse("www", &apex()).expect("a name");
    let value = rdata::parse_value(Rtype::A, &format!("192.0.2.{address}")).expect("a value");
    Change::Put { rrset: RRset::new(owner, Rtype::A, 60, [value]), owner: Some(OWNER.into()) }
}

/// A zone at both, as far as it has come.
struct Zone {
    both: Both,
    stored: Stored,
    /// What legacy was seen to have, and how long after the beginning it was asked for that.
    seen: Content,
    asked: Duration,
    generation: i64,
    answered: Option<By>,
    trouble: Option<&'static str>,
    left_out: NotCounted,
    begun: Instant,
    /// Seconds since.
    now: u64,
}

impl Zone {
    /// With one address at both.
    fn new() -> Self {
        let content = Content::empty(apex(), [1; 16]).apply(&[put(1)]).expect("applies").content;
        let (primary, contact) = (apex(), apex());
        let soa = Soa { primary, contact, serial: 1, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 };
        let holder = Holder { namespace: "dns".to_owned(), name: "example-com".to_owned() };
        let wish = Wish { holder, soa, content: content.clone(), changes: Vec::new() };
        let mut stored = Version::next(None, None, wish).stored;
        stored.head.intents = Some(Vec::new());
        let (both, answered, trouble) = (Both::default(), None, None);
        let (begun, asked, left_out) = (Instant::now(), Duration::ZERO, NotCounted::default());
        Zone { both, stored, seen: content, asked, generation: 1, answered, trouble, left_out, begun, now: 0 }
    }

    fn leave_out(&mut self, name: &str, type_: Option<&str>) {
        let entry = LeftOut { name: name.to_owned(), type_: type_.map(str::to_owned) };
        self.left_out = NotCounted::read(&[entry], &apex()).expect("it is right");
    }

    fn first(&self) -> First {
        let scope = Scope { apex: apex(), apex_ns: false, left_out: self.left_out.clone() };
        let server = Ok(Server::new(Vec::new(), None, port53_legacy::Limits::default()));
        let seen = Some(Seen { serial: 1, content: self.seen.clone(), asked: self.begun + self.asked });
        First::Legacy(Arc::new(Counterpart { scope, server, seen }))
    }

    fn stamps(&self) -> Stamps {
        let stamp = Stamp { uid: "u".to_owned(), generation: self.generation, refused: None };
        Stamps::from([(Arc::from(OWNER), stamp)])
    }

    /// A plan that wants this, written as it says. What was published of it.
    fn plan(&mut self, wanted: &[Change]) -> Vec<Change> {
        let changes = moves::missing(wanted, &self.stored.content);
        let answered = self.answered.map(|by| Answered { serial: 1, by });
        let gated = self.gate(&self.first(), &self.stamps(), answered, changes);
        self.stored.content = self.stored.content.apply(&gated.changes).expect("applies").content;
        self.stored.head.intents = gated.intents;
        gated.changes
    }

    /// What the gate says of these changes, of which nothing is written.
    fn gate(
        &mut self,
        first: &First,
        stamps: &Stamps,
        answered: Option<Answered>,
        changes: Vec<Change>,
    ) -> Gated {
        let (stored, trouble, now) = (&self.stored, self.trouble, Duration::from_secs(self.now));
        self.both.gate(&View { stored, first, stamps, answered, trouble, now }, changes)
    }

    /// Legacy is asked for what is meant, and this comes of it.
    fn legacy(&mut self, result: impl Fn() -> Result<(), NotTaken>) {
        let First::Legacy(counterpart) = self.first() else { return };
        let now = Duration::from_secs(self.now);
        for intent in self.stored.head.intents.clone().into_iter().flatten() {
            if self.both.begin_to_ask(&intent, &counterpart, now) {
                self.both.was_asked(&intent, result(), self.stamps(), Some(1), self.begun + now, now);
            }
        }
    }

    fn ways(&self) -> Vec<Way> {
        self.stored.head.intents.iter().flatten().map(|intent| intent.way).collect()
    }

    fn told(&self) -> Option<&Word> {
        self.both.told.get(OWNER)
    }
}

#[test]
fn what_is_meant_is_written_down_before_legacy_has_it_and_published_after() {
    let mut zone = Zone::new();
    assert!(zone.plan(&[put(2)]).is_empty());
    assert_eq!((zone.ways(), zone.told()), (vec![Way::Forward], Some(&Word::Underway)));
    let intent = &zone.stored.head.intents.as_ref().expect("intents")[0];
    assert_eq!((&intent.new[..], &intent.old[..]), (&[put(2)][..], &[put(1)][..]));
    // Asked once while it is being asked.
    zone.legacy(|| Ok(()));
    assert_eq!(zone.plan(&[put(2)]), [put(2)]);
    assert_eq!(zone.ways(), [Way::Forward], "until it is answered");
    zone.plan(&[put(2)]);
    zone.answered = Some(By::All);
    zone.plan(&[put(2)]);
    assert!(zone.ways().is_empty() && zone.told().is_none());
}

/// Legacy was transferred before it was written: what was seen then is old, whatever is wanted next.
#[test]
fn what_legacy_had_before_it_was_written_is_not_what_it_has() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    zone.plan(&[put(2)]);
    zone.answered = Some(By::All);
    zone.plan(&[put(2)]);
    assert!(zone.plan(&[put(1)]).is_empty(), "it has 2, though 1 was seen there");
    assert_eq!(zone.ways(), [Way::Forward]);
    // What was seen there and not written since needs no intent.
    let mut zone = Zone::new();
    zone.seen = zone.seen.apply(&[put(2)]).expect("applies").content;
    assert_eq!(zone.plan(&[put(2)]), [put(2)]);
    assert!(zone.ways().is_empty());
}

/// Nothing else has to change for that: what was written was taken for unseen until the next change, whatever was seen.
#[test]
fn what_was_written_to_legacy_is_looked_for_until_it_is_seen_there() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    zone.plan(&[put(2)]);
    zone.answered = Some(By::All);
    zone.plan(&[]);
    assert!(zone.ways().is_empty(), "it is at both");
    assert_eq!(zone.both.written_names().count(), 1);
    assert!(!zone.both.is_quiet(&zone.stored.head, &zone.first()));
    zone.seen = zone.seen.apply(&[put(2)]).expect("applies").content;
    zone.plan(&[]);
    assert_eq!(zone.both.written_names().count(), 0);
    assert!(zone.both.is_quiet(&zone.stored.head, &zone.first()));
}

/// Somebody else wrote over it before it was looked at: it was taken for unseen for ever, and what clashes with it was not
/// refused beforehand.
#[test]
fn what_was_written_over_before_it_was_seen_is_not_looked_for_any_more() {
    let mut zone = Zone::new();
    zone.now = 5;
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    zone.plan(&[put(2)]);
    zone.answered = Some(By::All);
    zone.plan(&[put(2)]);
    zone.seen = zone.seen.apply(&[put(3)]).expect("applies").content;
    for (asked, unseen) in [(4, 1), (6, 0)] {
        zone.asked = Duration::from_secs(asked);
        zone.plan(&[]);
        assert_eq!(zone.both.written_names().count(), unseen, "asked for after {asked} s");
    }
}

/// It went back and forth between both values until legacy had been put back.
#[test]
fn what_is_left_out_while_it_waits_for_legacy_is_published_and_nothing_is_put_back() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Err(NotTaken::Passing((Reason::Unreachable, "no route".to_owned()))));
    assert!(zone.plan(&[put(2)]).is_empty() && !zone.ways().is_empty());
    zone.leave_out("www", Some("A"));
    assert_eq!(zone.plan(&[put(2)]), [put(2)]);
    assert!(zone.ways().is_empty());
    assert!(zone.plan(&[put(2)]).is_empty());
}

/// The address went at once, and the alias was refused at legacy, which has an address there of its own.
#[test]
fn an_alias_beside_what_is_left_out_is_published_with_it() {
    let mut zone = Zone::new();
    zone.leave_out("www", Some("A"));
    let (owner, rtype) = (name::parse("www", &apex()).expect("a name"), Rtype::CNAME);
    let value = rdata::parse_value(rtype, "shop.example.net.").expect("a name");
    let alias =
        Change::Put { rrset: RRset::new(owner.clone(), rtype, 60, [value]), owner: Some(OWNER.into()) };
    let both = [Change::Remove { name: owner, rtype: Rtype::A }, alias];
    assert_eq!(zone.plan(&both), both);
    assert!(zone.ways().is_empty());
}

#[test]
fn what_legacy_refuses_is_final_until_the_object_changes() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Err(NotTaken::Said("REFUSED".to_owned())));
    for _ in 0..2 {
        assert!(zone.plan(&[put(2)]).is_empty());
        assert!(
            matches!(zone.told(), Some(Word::Refused(Reason::LegacyRefused, why)) if why.contains("REFUSED"))
        );
        assert!(zone.ways().is_empty());
    }
    zone.generation = 2;
    zone.plan(&[put(2)]);
    assert_eq!(zone.ways(), [Way::Forward]);
    zone.legacy(|| Err(NotTaken::Said("REFUSED".to_owned())));
    zone.plan(&[put(3)]);
    assert_eq!(zone.ways(), [Way::Forward], "another value");
}

/// A process that begins anew takes the word of the one before it.
#[test]
fn what_was_refused_and_told_is_not_tried_by_the_next_process() {
    let mut zone = Zone::new();
    let first = zone.first();
    let refused = Some((Reason::LegacyRefused, "legacy refuses it".to_owned()));
    let stamp = Stamp { uid: "u".to_owned(), generation: 1, refused };
    let stamps = Stamps::from([(Arc::from(OWNER), stamp)]);
    let gated = zone.gate(&first, &stamps, None, vec![put(2)]);
    assert!(gated.changes.is_empty() && gated.intents == Some(Vec::new()));
    assert!(matches!(zone.told(), Some(Word::Refused(Reason::LegacyRefused, _))));
}

#[test]
fn what_cannot_be_asked_is_asked_again_with_growing_pauses() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    let away = || Err(NotTaken::Passing((Reason::Unreachable, "away".to_owned())));
    for (now, again) in [(0, 1), (1, 3), (3, 7), (7, 15), (15, 31), (31, 61), (61, 91)] {
        zone.now = now;
        zone.legacy(away);
        zone.plan(&[put(2)]);
        assert_eq!(zone.told(), Some(&Word::Unreachable("away".to_owned())));
        assert_eq!(zone.both.again_at(), Some(Duration::from_secs(again)), "after one at {now}");
    }
    zone.now = 91;
    zone.legacy(|| Ok(()));
    assert_eq!(zone.plan(&[put(2)]), [put(2)]);
}

#[test]
fn what_is_not_wanted_any_more_is_put_back_and_then_what_is_wanted_goes() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    assert!(zone.plan(&[put(3)]).is_empty());
    assert_eq!(zone.ways(), [Way::Back]);
    zone.legacy(|| Ok(()));
    zone.plan(&[put(3)]);
    assert_eq!(zone.ways(), [Way::Forward]);
    assert_eq!(zone.stored.head.intents.as_ref().expect("intents")[0].new, [put(3)]);
}

#[test]
fn what_nobody_answers_or_cannot_be_published_is_put_back_at_both() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    zone.plan(&[put(2)]);
    zone.answered = Some(By::None);
    zone.plan(&[put(2)]);
    zone.now = PATIENCE.as_secs() + 1;
    assert_eq!(zone.plan(&[put(2)]), [put(1)]);
    assert_eq!(zone.ways(), [Way::Back]);
    zone.plan(&[put(2)]);
    assert!(matches!(zone.told(), Some(Word::Refused(Reason::RolledBack, _))));
    zone.legacy(|| Ok(()));
    assert!(zone.plan(&[put(2)]).is_empty());
    assert!(zone.ways().is_empty(), "final");

    // The head cannot be written: then it is not published, and legacy has again what it had.
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    zone.trouble = Some("quota exceeded");
    zone.now = PATIENCE.as_secs() + 1;
    assert!(zone.plan(&[put(2)]).is_empty());
    assert_eq!(zone.ways(), [Way::Back]);
    assert!(matches!(zone.told(), Some(Word::Refused(Reason::RolledBack, why)) if why.contains("quota")));
}

#[test]
fn some_pods_that_do_not_answer_put_nothing_back() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    zone.plan(&[put(2)]);
    zone.answered = Some(By::Some);
    zone.plan(&[put(2)]);
    assert_eq!(zone.ways(), [Way::Forward]);
    zone.now = PATIENCE.as_secs() + 1;
    assert!(zone.plan(&[put(2)]).is_empty());
    assert!(zone.ways().is_empty());
}

/// Who begins anew finds the intent, and does not know what legacy has.
#[test]
fn an_intent_that_is_found_is_gone_on_with_or_put_back() {
    for (wanted, way) in [(2, Way::Forward), (3, Way::Back), (1, Way::Back)] {
        let mut zone = Zone::new();
        zone.plan(&[put(2)]);
        zone.both = Both::default();
        zone.plan(&[put(wanted)]);
        assert_eq!(zone.ways(), [way], "{wanted} is wanted");
    }
}

#[test]
fn while_it_is_not_known_who_is_first_what_is_on_its_way_waits_and_without_anybody_nothing_does() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    let stamps = zone.stamps();
    let mut gate = |first: &First| zone.gate(first, &stamps, None, vec![put(2)]);
    let gated = gate(&First::Unknown);
    assert!(gated.changes.is_empty() && gated.intents.expect("intents").len() == 1);
    let gated = gate(&First::Nobody);
    assert!(gated.changes == [put(2)] && gated.intents.is_none());
}

#[test]
fn what_somebody_changed_at_legacy_is_tried_again_once_that_is_settled() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Err(NotTaken::Changed(vec![(Rtype::A, None)])));
    zone.plan(&[put(2)]);
    let why = match zone.told() {
        Some(Word::Refused(Reason::LegacyRefused, why)) => why.clone(),
        other => panic!("{other:?}"),
    };
    assert!(why.contains("no A"), "{why}");
    // What was seen before it was refused, and what is there since.
    for (serial, intents) in [(1, 0), (2, 1)] {
        let First::Legacy(counterpart) = zone.first() else { panic!("legacy is first") };
        let seen = Some(Seen { serial, content: zone.seen.clone(), asked: zone.begun });
        let first = First::Legacy(Arc::new(Counterpart { seen, ..counterpart.as_ref().clone() }));
        let stamps = zone.stamps();
        let gated = zone.gate(&first, &stamps, None, vec![put(2)]);
        assert_eq!(gated.intents.map(|intents| intents.len()), Some(intents));
    }
}

/// A round of questions about a version before it says nothing, and neither does that nobody was asked since.
#[test]
fn only_what_was_answered_since_puts_anything_back() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    zone.legacy(|| Ok(()));
    zone.plan(&[put(2)]);
    zone.plan(&[put(2)]);
    zone.now = PATIENCE.as_secs() + 1;
    // It was published with serial 1, and this is about the one before.
    let (first, stamps) = (zone.first(), zone.stamps());
    for answered in [None, Some(Answered { serial: 0, by: By::None })] {
        let gated = zone.gate(&first, &stamps, answered, Vec::new());
        let ways: Vec<Way> = gated.intents.iter().flatten().map(|intent| intent.way).collect();
        assert_eq!((ways, gated.changes), (vec![Way::Forward], Vec::new()), "{answered:?}");
    }
}

#[test]
fn while_a_person_has_rolled_the_zone_back_what_was_on_its_way_is_put_back() {
    let mut zone = Zone::new();
    zone.plan(&[put(2)]);
    let intents = zone.stored.head.intents.clone().expect("intents");
    let pinned = zone.both.while_pinned(&intents);
    assert_eq!(pinned.iter().map(|intent| intent.way).collect::<Vec<_>>(), [Way::Back]);
    zone.stored.head.intents = Some(pinned.clone());
    zone.legacy(|| Ok(()));
    assert!(zone.both.while_pinned(&pinned).is_empty());
}

/// A tenant with many large RRsets takes no place from the head: the others wait.
#[test]
fn what_is_on_its_way_has_room_in_an_object() {
    let mut zone = Zone::new();
    let text = format!("\"{}\" ", "x".repeat(255)).repeat(200);
    let value = rdata::parse_value(Rtype::TXT, &text).expect("a text");
    let large = |host: usize| {
        let owner = name::parse(&format!("h{host}"), &apex()).expect("a name");
        let rrset = RRset::new(owner, Rtype::TXT, 60, [value.clone()]);
        Change::Put { rrset, owner: Some(OWNER.into()) }
    };
    let changes: Vec<Change> = (0..MAX_INTENTS).map(large).collect();
    zone.plan(&changes);
    let intents = zone.stored.head.intents.as_ref().expect("intents");
    let octets_of = |changes: &[Change]| journal::encode(&apex(), changes).len();
    let octets: usize = intents.iter().map(|intent| octets_of(&intent.new) + octets_of(&intent.old)).sum();
    assert!(!intents.is_empty() && intents.len() < MAX_INTENTS && octets <= MOST_OCTETS, "{octets}");
}
