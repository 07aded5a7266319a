//! Who answers at each nameserver: its pods are asked for the SOA of the zone, as a client would ask, and once more for their
//! own.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use port53_crds::Answers;
use port53_zone::{Name, Soa};

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
}

/// Asks all pods.
pub(super) async fn seen(resolvers: &[Resolver], apex: &Name, ours: &Soa, theirs: &Soa) -> Seen {
    let asked =
        resolvers.iter().cloned().map(|resolver| one(resolver, apex.clone(), ours.clone(), theirs.clone()));
    let asked: Vec<(String, Answers, bool)> = stream::iter(asked).buffer_unordered(AT_A_TIME).collect().await;
    let mut seen = Seen { answers: BTreeMap::new(), have_it: !asked.is_empty() };
    for (nameserver, answers, has_it) in asked {
        seen.have_it &= has_it;
        let all = seen.answers.entry(nameserver).or_insert(answers);
        if *all != answers {
            *all = Answers::Unknown;
        }
    }
    seen
}

async fn one(resolver: Resolver, apex: Name, ours: Soa, theirs: Soa) -> (String, Answers, bool) {
    let told = confirm::soa(resolver.address, &apex).await.ok().flatten();
    let own = confirm::ask(resolver.address, &apex).await;
    let has_it = matches!(own, Ok(confirm::Answer::Serial(serial)) if serial == ours.serial);
    (resolver.name, told.map_or(Answers::Unknown, |told| whose(&told, &ours, &theirs)), has_it)
}

/// Whose SOA it is: by what else is in it where that differs, for the serials of both go on.
fn whose(told: &Soa, ours: &Soa, theirs: &Soa) -> Answers {
    let with_serial = |soa: &Soa| Soa { serial: told.serial, ..soa.clone() };
    match (*told == with_serial(ours), *told == with_serial(theirs)) {
        (true, false) => Answers::Port53,
        (false, true) => Answers::Legacy,
        (true, true) if told.serial == ours.serial && told.serial != theirs.serial => Answers::Port53,
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
            assert_eq!(whose(&told, &ours, &theirs), expected, "{told:?}");
        }
        // Alike but for the serial.
        let theirs = soa("ns1.port53.example", 10);
        assert_eq!(whose(&soa("ns1.port53.example", 12), &ours, &theirs), Answers::Port53);
        assert_eq!(whose(&soa("ns1.port53.example", 10), &ours, &theirs), Answers::Legacy);
        assert_eq!(whose(&soa("ns1.port53.example", 11), &ours, &theirs), Answers::Unknown);
    }
}
