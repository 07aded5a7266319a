//! Who answers at each nameserver: its pods are asked for the SOA of the zone, as a client would ask, and once more for their
//! own.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use port53_crds::Answers;
use port53_legacy::Server;
use port53_zone::{Name, Soa, serial};

use crate::cluster::confirm::{self, Resolver};

/// Pods that are asked at the same time.
const AT_A_TIME: usize = 16;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By nameserver: what all of its pods do, or that it cannot be told.
    pub(super) answers: BTreeMap<String, Answers>,
    /// Whether each pod has this serial, whatever it answers clients.
    pub(super) have_it: bool,
    /// Nameservers of which the serial alone, which both sides may have had, does not tell who answers.
    untold: BTreeSet<String>,
}

impl Seen {
    /// What could not be told is as it was `before`, when nobody else was told to answer since.
    pub(super) fn or_as(mut self, before: &Seen) -> Self {
        for nameserver in &self.untold {
            if let Some(answers) = before.answers.get(nameserver) {
                self.answers.insert(nameserver.clone(), *answers);
            }
        }
        self
    }
}

/// Asks all pods, and legacy after them, where the serial alone tells both sides from each other. `theirs` is what legacy had
/// before.
pub(super) async fn seen(
    resolvers: &[Resolver],
    apex: &Name,
    ours: &Soa,
    theirs: &Soa,
    legacy: Option<&Server>,
) -> Seen {
    let asked = resolvers.iter().cloned().map(|resolver| one(resolver, apex.clone(), ours.serial));
    let asked: Vec<(String, Option<Soa>, bool)> =
        stream::iter(asked).buffer_unordered(AT_A_TIME).collect().await;
    let is_alike = Soa { serial: ours.serial, ..theirs.clone() } == *ours;
    let now = match legacy.filter(|_| is_alike) {
        Some(legacy) => legacy.soa(apex).await.ok().map(|soa| soa.serial),
        None => None,
    };
    let mut seen = Seen { have_it: !asked.is_empty(), ..Seen::default() };
    for (nameserver, told, has_it) in asked {
        let answers = told.as_ref().map_or(Answers::Unknown, |told| whose(told, ours, theirs, now));
        if is_alike && answers == Answers::Unknown && told.is_some_and(|told| told.serial == ours.serial) {
            seen.untold.insert(nameserver.clone());
        }
        seen.have_it &= has_it;
        let all = seen.answers.entry(nameserver).or_insert(answers);
        if *all != answers {
            *all = Answers::Unknown;
        }
    }
    seen
}

async fn one(resolver: Resolver, apex: Name, serial: u32) -> (String, Option<Soa>, bool) {
    let told = confirm::soa(resolver.address, &apex).await.ok().flatten();
    let own = confirm::ask(resolver.address, &apex).await;
    let has_it = matches!(own, Ok(confirm::Answer::Serial(own)) if own == serial);
    (resolver.name, told, has_it)
}

/// Whose SOA it is: by what else is in it where that differs, for the serials of both go on. Where nothing else does, by the
/// serial, if legacy cannot have had it between `theirs` and `now`, its serial since.
fn whose(told: &Soa, ours: &Soa, theirs: &Soa, now: Option<u32>) -> Answers {
    let with_serial = |soa: &Soa| Soa { serial: told.serial, ..soa.clone() };
    let is_past = |serial: u32| serial::is_newer(theirs.serial, serial);
    let is_to_come = |serial: u32| now.is_some_and(|now| serial::is_newer(serial, now));
    match (*told == with_serial(ours), *told == with_serial(theirs)) {
        (true, false) => Answers::Port53,
        (false, true) => Answers::Legacy,
        (true, true) if told.serial == ours.serial && (is_past(told.serial) || is_to_come(told.serial)) => {
            Answers::Port53
        }
        (true, true) if told.serial == theirs.serial && told.serial != ours.serial => Answers::Legacy,
        _ => Answers::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::name;

    fn soa(primary: &str, serial: u32) -> Soa {
        let name = |text: &str| name::parse_absolute(text).expect(text);
        let (primary, contact) = (name(primary), name("hostmaster.example.com"));
        Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 }
    }

    #[test]
    fn an_soa_tells_who_answers() {
        let (ours, theirs) = (soa("ns1.port53.example", 12), soa("ns1.legacy.example", 10));
        for (told, expected) in [
            (soa("ns1.port53.example", 12), Answers::Port53),
            // A pod that is a version behind, and a legacy that has gone on.
            (soa("ns1.port53.example", 11), Answers::Port53),
            (soa("ns1.legacy.example", 12), Answers::Legacy),
            (soa("ns1.other.example", 12), Answers::Unknown),
        ] {
            assert_eq!(whose(&told, &ours, &theirs, None), expected, "{told:?}");
        }
        // Alike but for the serial: legacy may have gone on to ours.
        let theirs = soa("ns1.port53.example", 10);
        let whose_is = |serial, now| whose(&soa("ns1.port53.example", serial), &ours, &theirs, now);
        assert_eq!(whose_is(12, Some(11)), Answers::Port53);
        assert_eq!([Some(12), Some(13), None].map(|now| whose_is(12, now)), [Answers::Unknown; 3]);
        assert_eq!(whose_is(10, Some(10)), Answers::Legacy);
        assert_eq!(whose_is(11, Some(11)), Answers::Unknown);
    }
    /// It was seen to answer by itself; then legacy came to the serial that is published here.
    #[test]
    fn what_cannot_be_told_is_as_it_was_seen_before() {
        let seen = |answers, untold: &[&str]| Seen {
            answers: [("ns1".to_owned(), answers)].into(),
            have_it: true,
            untold: untold.iter().map(|&name| name.to_owned()).collect(),
        };
        let before = seen(Answers::Port53, &[]);
        let now = |untold: &[&str]| seen(Answers::Unknown, untold).or_as(&before).answers["ns1"];
        assert_eq!([now(&["ns1"]), now(&[])], [Answers::Port53, Answers::Unknown]);
    }
}
