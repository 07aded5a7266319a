//! What was seen of the zone above one that moves here, and what caches may still have of what it said before. Pure.
//!
//! Two things there decide over a move: DS, for a zone that is signed above and answered unsigned is gone for everyone who
//! validates (RFC 4035 §5); and NS, for caches follow them for their TTL after they were changed. Each is something that is
//! to go, and is gone for certain when it was seen gone and its TTL has passed since:
//!
//! ```text
//! there, TTL t ──▶ there, a shorter TTL: caches may have it for t ──▶ gone ──the last TTL──▶ no cache has it
//! ```
//!
//! Answers from here carry no signatures, so no DS is one that they validate against.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use port53_crds::{ParentSeen, Reason, Status};
use port53_zone::{Name, name};

use crate::nameservers::above::Above;

/// The TTL of a DS that was gone before anybody here looked: that of most zones with delegations, in seconds.
const DS_TTL: u32 = 86_400;
/// DS and nameservers in a status.
const MOST_DS: usize = 8;
/// Characters of one: a digest of more is of no kind that there is.
const SHOWN_DS: usize = 256;
const MOST_NAMESERVERS: usize = 26;

/// See the module.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Parent {
    ds: Fading,
    ds_there: BTreeSet<String>,
    others: Fading,
    nameservers: BTreeSet<String>,
    /// How the last look at it ended; nothing before the first.
    looked: Option<Result<(), String>>,
    /// The generation of the spec after which it was looked at.
    generation: Option<i64>,
}

/// Something that is to go, and that caches may have for a while.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Fading {
    /// Its TTL in seconds, as it was seen last.
    ttl: Option<u32>,
    /// Since when it was seen to be gone.
    gone: Option<Timestamp>,
    /// Until when caches may have it, with a TTL that it had before or once it is gone.
    cached: Option<Timestamp>,
}

impl Fading {
    fn is_there(&mut self, ttl: u32, now: Timestamp) {
        if let Some(longer) = self.ttl.filter(|before| *before > ttl) {
            self.may_be_cached(longer, now);
        }
        self.ttl = Some(ttl);
        self.gone = None;
    }

    /// `ttl` is the one that it had where it was never seen.
    fn is_gone(&mut self, ttl: u32, now: Timestamp) {
        if self.gone.is_none() {
            self.gone = Some(now);
            self.may_be_cached(self.ttl.unwrap_or(ttl), now);
        }
    }

    fn may_be_cached(&mut self, ttl: u32, now: Timestamp) {
        let until = now.saturating_add(SignedDuration::from_secs(ttl.into())).unwrap_or(now);
        self.cached = self.cached.max(Some(until));
    }

    /// Until when caches may have it, where that is still to come.
    fn lingers(&self, now: Timestamp) -> Option<Timestamp> {
        self.cached.filter(|until| now < *until)
    }
}

/// In whole seconds, for people; not before it was.
fn whole(now: Timestamp) -> Timestamp {
    let up = i64::from(now.subsec_nanosecond() > 0);
    Timestamp::from_second(now.as_second() + up).unwrap_or(now)
}

/// Why it is not gone on, for a condition.
pub(super) type Waits = (Status, Reason, String);

impl Parent {
    /// As a status says that it was seen before.
    pub(super) fn of(seen: &ParentSeen) -> Self {
        let at = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        Parent {
            ds: Fading { ttl: seen.ds_ttl, gone: at(&seen.ds_gone_since), cached: at(&seen.ds_cached_until) },
            ds_there: seen.ds.iter().cloned().collect(),
            others: Fading { ttl: seen.ttl, gone: at(&seen.ours_since), cached: at(&seen.cached_until) },
            nameservers: seen.nameservers.iter().cloned().collect(),
            looked: None,
            generation: None,
        }
    }

    /// As a status is to say it; nothing before it was looked at.
    pub(super) fn seen(&self) -> Option<ParentSeen> {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let seen = ParentSeen {
            ds: self.ds_there.iter().take(MOST_DS).map(|ds| ds.chars().take(SHOWN_DS).collect()).collect(),
            ds_ttl: self.ds.ttl,
            ds_gone_since: text(self.ds.gone),
            ds_cached_until: text(self.ds.cached),
            nameservers: self.nameservers.iter().take(MOST_NAMESERVERS).cloned().collect(),
            ttl: self.others.ttl,
            ours_since: text(self.others.gone),
            cached_until: text(self.others.cached),
        };
        (seen != ParentSeen::default()).then_some(seen)
    }

    /// Takes note of what it said, or why it could not be asked. `ours` are the nameservers of the Zone while the apex shows
    /// these and no others; `ttl` is the longest of NS at the apex, here and at legacy.
    pub(super) fn looked(
        &mut self,
        said: Result<Above, String>,
        generation: Option<i64>,
        ours: Option<&BTreeSet<Name>>,
        ttl: u32,
        now: Timestamp,
    ) {
        self.generation = generation;
        let now = whole(now);
        let said = match said {
            Ok(said) => said,
            Err(why) => {
                self.looked = Some(Err(why));
                return;
            }
        };
        self.looked = Some(Ok(()));
        match said.ds.is_empty() {
            true => self.ds.is_gone(0, now),
            false => self.ds.is_there(said.ds_ttl, now),
        }
        self.ds_there = said.ds;
        let ttl = ttl.max(said.ttl);
        let is_ours =
            ours.is_some_and(|ours| !said.nameservers.is_empty() && said.nameservers.is_subset(ours));
        match is_ours {
            true => self.others.is_gone(ttl, now),
            false => self.others.is_there(ttl, now),
        }
        self.nameservers = said.nameservers.iter().map(name::display).collect();
    }

    /// Whether a nameserver may be cut over as far as signatures go. `is_signed` says whether legacy has keys (DNSKEY); after
    /// `generation` it must have been looked at.
    ///
    /// # Errors
    /// What keeps it from that.
    pub(super) fn allows_unsigned(
        &self,
        is_signed: bool,
        generation: Option<i64>,
        now: Timestamp,
    ) -> Result<(), Waits> {
        let refused = |message| Err((Status::False, Reason::DSWithoutValidSignatures, message));
        if !self.ds_there.is_empty() {
            let ds: Vec<&str> = self.ds_there.iter().map(String::as_str).collect();
            return refused(format!(
                "the zone above has DS {}, and answers from here are unsigned: everyone who validates would lose the zone; \
                 have the DS removed there, its TTL is {} s",
                ds.join(" and "),
                self.ds.ttl.unwrap_or_default()
            ));
        }
        // It was gone before anybody here looked.
        let unseen = self.ds.gone.filter(|_| is_signed && self.ds.ttl.is_none());
        let unseen = unseen.and_then(|gone| gone.saturating_add(Duration::from_secs(DS_TTL.into())).ok());
        if let Some(until) = self.ds.lingers(now).max(unseen.filter(|until| now < *until)) {
            return refused(format!(
                "the zone above has no DS since {}, and who validates may have it until {until}: wait",
                self.ds.gone.unwrap_or(now)
            ));
        }
        match &self.looked {
            None => {
                Err((Status::Unknown, Reason::Pending, "the zone above was not asked for DS yet".to_owned()))
            }
            // Whoever validates and finds DS there has lost the zone long ago, for legacy does not sign it.
            Some(Err(_)) if !is_signed => Ok(()),
            Some(Err(why)) => Err((
                Status::Unknown,
                Reason::NotAsked,
                format!(
                    "legacy signs the zone, and whether the zone above has DS for it cannot be asked: {why}; name \
                     nameservers of the zone above that the operator reaches in spec.parent.addresses"
                ),
            )),
            Some(Ok(())) if self.generation != generation => {
                Err((Status::Unknown, Reason::Pending, "the zone above is asked for DS".to_owned()))
            }
            Some(Ok(())) => Ok(()),
        }
    }

    /// Whether no cache can be led to legacy any more by what the zone above and the apex said.
    ///
    /// # Errors
    /// What is waited for.
    pub(super) fn leads_here(&self, ours: &BTreeSet<Name>, now: Timestamp) -> Result<(), Waits> {
        let waits = |status, reason, message| Err((status, reason, message));
        match (&self.looked, self.others.gone) {
            (None, _) => {
                let message = "the zone above was not asked for its delegation yet".to_owned();
                waits(Status::Unknown, Reason::Pending, message)
            }
            (Some(Err(why)), _) => waits(
                Status::Unknown,
                Reason::NotAsked,
                format!(
                    "where the zone above delegates to cannot be asked: {why}; name nameservers of the zone above that the \
                     operator reaches in spec.parent.addresses"
                ),
            ),
            (Some(Ok(())), None) => {
                let ours: BTreeSet<String> = ours.iter().map(name::display).collect();
                let list = |all: &mut dyn Iterator<Item = &String>| {
                    let all: Vec<&str> = all.map(String::as_str).collect();
                    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
                };
                let message = format!(
                    "the zone above delegates to {}, and the nameservers of the Zone are {}: have it delegate to these and no \
                     others",
                    list(&mut self.nameservers.iter()),
                    list(&mut ours.iter())
                );
                waits(Status::False, Reason::WaitingForDelegation, message)
            }
            (Some(Ok(())), Some(gone)) => match self.others.lingers(now) {
                Some(until) => waits(
                    Status::False,
                    Reason::WaitingForCaches,
                    format!(
                        "the zone above and the apex name the nameservers of the Zone alone since {gone}, and caches may have \
                         others until {until}"
                    ),
                ),
                None => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + seconds).expect("a time")
    }

    fn names(all: &[&str]) -> BTreeSet<Name> {
        all.iter().map(|text| name::parse_absolute(text).expect("a name")).collect()
    }

    fn with_ds(ttl: u32) -> Above {
        Above { ds: ["1 13 2 AB".to_owned()].into(), ds_ttl: ttl, ..Above::default() }
    }

    fn led_to(nameservers: &[&str], ttl: u32) -> Above {
        Above { nameservers: names(nameservers), ttl, ..Above::default() }
    }

    /// As an operator that begins anew finds it in the status.
    fn again(parent: &Parent) -> Parent {
        let seen = parent.seen().map(|seen| serde_json::to_value(seen).expect("JSON"));
        let seen = seen.map(|seen| serde_json::from_value(seen).expect("a status"));
        Parent { looked: Some(Ok(())), ..Parent::of(&seen.unwrap_or_default()) }
    }

    fn look(parent: &mut Parent, said: Above, seconds: i64) {
        parent.looked(Ok(said), None, None, 0, at(seconds));
    }

    fn reason(result: Result<(), Waits>) -> Option<(Status, Reason)> {
        result.err().map(|(status, reason, _)| (status, reason))
    }

    const DS: Option<(Status, Reason)> = Some((Status::False, Reason::DSWithoutValidSignatures));

    /// "A zone with DS at its parent is cut over only if … DS has been gone for its TTL."
    #[test]
    fn a_zone_with_ds_waits_until_it_is_gone_for_its_ttl() {
        let mut parent = Parent::default();
        let allows = |parent: &Parent, seconds| reason(parent.allows_unsigned(true, None, at(seconds)));
        assert_eq!(allows(&parent, 0), Some((Status::Unknown, Reason::Pending)));
        look(&mut parent, with_ds(300), 0);
        let (_, _, message) = parent.allows_unsigned(true, None, at(1)).expect_err("it has DS");
        assert!(message.contains("1 13 2 AB"), "{message}");
        look(&mut parent, Above::default(), 1_000);
        look(&mut parent, Above::default(), 1_100);
        for parent in [&parent, &again(&parent)] {
            assert_eq!(allows(parent, 1_299), DS);
            assert_eq!(allows(parent, 1_300), None);
        }
        // It comes back.
        look(&mut parent, with_ds(60), 1_400);
        assert_eq!(allows(&parent, 1_401), DS);
    }

    /// It is common to shorten a TTL before a change: until the longer one has passed, caches may have that.
    #[test]
    fn a_ttl_that_was_longer_before_counts_until_it_has_passed() {
        let mut parent = Parent::default();
        look(&mut parent, with_ds(3_600), 0);
        look(&mut parent, with_ds(60), 100);
        look(&mut parent, Above::default(), 200);
        for (seconds, expected) in [(261, DS), (3_699, DS), (3_700, None)] {
            assert_eq!(reason(parent.allows_unsigned(true, None, at(seconds))), expected, "{seconds}");
        }
    }

    #[test]
    fn a_ds_that_nobody_saw_was_there_for_a_day_where_legacy_signs() {
        let mut parent = Parent::default();
        look(&mut parent, Above::default(), 0);
        for (is_signed, seconds, expected) in [(false, 0, None), (true, 86_399, DS), (true, 86_400, None)] {
            let allowed = parent.allows_unsigned(is_signed, None, at(seconds));
            assert_eq!(reason(allowed), expected, "{is_signed} {seconds}");
        }
    }

    /// Where nobody can be asked, a zone that legacy signs waits; one that it does not sign is no worse off.
    #[test]
    fn a_zone_above_that_cannot_be_asked_keeps_a_signed_zone_where_it_is() {
        let mut parent = Parent::default();
        parent.looked(Err("192.0.2.1:53 does not answer".to_owned()), None, None, 0, at(0));
        assert_eq!(reason(parent.allows_unsigned(false, None, at(0))), None);
        let unknown = Some((Status::Unknown, Reason::NotAsked));
        assert_eq!(reason(parent.allows_unsigned(true, None, at(0))), unknown);
        // What was seen before counts on.
        look(&mut parent, with_ds(300), 1);
        parent.looked(Err("gone".to_owned()), None, None, 0, at(2));
        assert_eq!(reason(parent.allows_unsigned(false, None, at(3))), DS);
    }

    /// It was asked for while DS was looked for last before.
    #[test]
    fn what_was_seen_before_it_was_asked_for_counts_for_nothing() {
        let mut parent = Parent::default();
        parent.looked(Ok(Above::default()), Some(1), None, 0, at(0));
        let pending = Some((Status::Unknown, Reason::Pending));
        assert_eq!(reason(parent.allows_unsigned(false, Some(2), at(1))), pending);
        assert_eq!(reason(parent.allows_unsigned(false, Some(1), at(1))), None);
    }

    /// "The longest of parent NS, apex NS and glue TTL after the change was seen."
    #[test]
    fn caches_are_waited_for_once_the_zone_above_names_ours_alone() {
        let ours = names(&["ns1.port53.example", "ns2.port53.example"]);
        let mut parent = Parent::default();
        let mut look = |said: Above, shown: Option<&BTreeSet<Name>>, seconds| {
            parent.looked(Ok(said), None, shown, 600, at(seconds));
            parent.clone()
        };
        let leads = |parent: &Parent, seconds| reason(parent.leads_here(&ours, at(seconds)));
        let delegation = Some((Status::False, Reason::WaitingForDelegation));
        let caches = Some((Status::False, Reason::WaitingForCaches));
        let both = ["ns1.port53.example", "ns1.legacy.example"];
        assert_eq!(leads(&look(led_to(&["ns1.legacy.example"], 3_600), None, 0), 0), delegation);
        assert_eq!(leads(&look(led_to(&both, 3_600), None, 10), 10), delegation);
        // There it is changed, and the apex still shows others.
        assert_eq!(leads(&look(led_to(&both[..1], 3_600), None, 20), 20), delegation);
        let seen = look(led_to(&both[..1], 60), Some(&ours), 100);
        for parent in [&seen, &again(&seen)] {
            assert_eq!(leads(parent, 3_699), caches);
            assert_eq!(leads(parent, 3_700), None);
        }
        // That of the apex is the longest.
        let mut parent = Parent::default();
        parent.looked(Ok(led_to(&both[..1], 60)), None, Some(&ours), 600, at(0));
        assert_eq!((leads(&parent, 599), leads(&parent, 600)), (caches, None));
        // Nobody is no nameserver of ours.
        let mut parent = Parent::default();
        parent.looked(Ok(Above::default()), None, Some(&ours), 600, at(0));
        assert_eq!(leads(&parent, 0), delegation);
    }
}
