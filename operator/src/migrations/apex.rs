//! Which NS the apex shows of a zone that moves here. Pure.
//!
//! Caches keep to the NS that a zone says of itself, so with ours in the first answer of the first nameserver that is cut
//! over, clients would leave legacy for all the others too. So the apex shows those of legacy until every nameserver answers
//! by itself, unless the spec has it otherwise.
//!
//! | spec.apexNS | nameservers | the apex shows |
//! |---|---|---|
//! | one of the three | any | that |
//! | left out, or finish is true and there is no fallback | all told to answer by themselves, and seen to | Port53 |
//! | left out | some are not told to | Legacy |
//! | any | it is not known, or not all are seen | what it shows now |
//!
//! What it shows now stays too while it is not known what legacy has: before the first look, and in the outage that an
//! operator began in.

use std::collections::BTreeMap;

use port53_crds::{Answers, ApexNameservers, ZoneMigration};
use port53_store::Forwarding;
use port53_zone::RRset;

use crate::stages::Apex;

/// What the apex is to show, where `now` is who answers and `theirs` what legacy has.
pub(super) fn apex(
    migration: &ZoneMigration,
    now: Option<&Forwarding>,
    answers: &BTreeMap<String, Answers>,
    theirs: Option<&RRset>,
) -> Apex {
    let spec = &migration.spec;
    let is_to_end = spec.finish && !spec.fallback;
    let wanted = match spec.apex_ns.filter(|_| !is_to_end) {
        Some(wanted) => wanted,
        None => match moved(now, answers) {
            Moved::All => ApexNameservers::Port53,
            // What a person asked for stays until it is its turn to end.
            Moved::Some => spec.apex_ns.unwrap_or(ApexNameservers::Legacy),
            Moved::Unknown => return Apex::AsPublished,
        },
    };
    match (wanted, theirs) {
        (ApexNameservers::Port53, _) => Apex::Port53,
        (ApexNameservers::Legacy, Some(theirs)) => Apex::Legacy(theirs.clone()),
        (ApexNameservers::Both, Some(theirs)) => Apex::Both(theirs.clone()),
        (ApexNameservers::Legacy | ApexNameservers::Both, None) => Apex::AsPublished,
    }
}

/// Which nameservers answer by themselves.
enum Moved {
    All,
    /// Not all, or none.
    Some,
    /// It was not looked at, or some are told to and not seen to: perhaps a pod begins anew.
    Unknown,
}

fn moved(now: Option<&Forwarding>, answers: &BTreeMap<String, Answers>) -> Moved {
    let is_told = |name: &String| now.is_none_or(|now| now.cut_over.contains(name));
    if answers.is_empty() {
        Moved::Unknown
    } else if !answers.keys().all(is_told) {
        Moved::Some
    } else if answers.values().all(|answers| *answers == Answers::Port53) {
        Moved::All
    } else {
        Moved::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::{Rtype, name, rdata};
    use serde_json::{Value, json};

    fn theirs() -> RRset {
        let value = rdata::parse_value(Rtype::NS, "ns1.legacy.example.").expect("a name");
        RRset::new(name::parse_absolute("example.com").expect("a name"), Rtype::NS, 60, [value])
    }

    /// What the apex shows with `more` in the spec, these cut over, and these seen to answer so.
    fn shown(more: Value, cut_over: &[&str], seen: &[(&str, Answers)]) -> &'static str {
        let mut spec =
            json!({"zoneRef": {"name": "z"}, "legacy": {"addresses": ["192.0.2.53"]}, "shadow": {}});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let migration: ZoneMigration = serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "ZoneMigration", "metadata": {"name": "m"}, "spec": spec,
        }))
        .expect("a migration");
        let mut now = Forwarding::to("192.0.2.53:53".parse().expect("an address"));
        now.cut_over = cut_over.iter().map(|name| (*name).to_owned()).collect();
        let answers = seen.iter().map(|(name, answers)| ((*name).to_owned(), *answers)).collect();
        match apex(&migration, Some(&now), &answers, Some(&theirs())) {
            Apex::AsPublished => "as it is",
            Apex::Legacy(_) => "legacy",
            Apex::Both(_) => "both",
            Apex::Port53 => "port53",
        }
    }

    use Answers::{Legacy, Port53, Unknown};

    /// "Legacy by default until every nameserver is moved: else caches move with the first answer of ns1."
    #[test]
    fn the_apex_shows_those_of_legacy_until_every_nameserver_is_moved() {
        let none = json!({});
        let both = ["ns1", "ns2"];
        for (cut_over, seen, expected) in [
            (&[][..], &[("ns1", Legacy), ("ns2", Legacy)][..], "legacy"),
            (&["ns1"], &[("ns1", Port53), ("ns2", Legacy)], "legacy"),
            (&both, &[("ns1", Port53), ("ns2", Legacy)], "as it is"),
            (&both, &[("ns1", Port53), ("ns2", Port53)], "port53"),
            // A pod begins anew; an operator does.
            (&both, &[("ns1", Port53), ("ns2", Unknown)], "as it is"),
            (&both, &[], "as it is"),
            // A third has come.
            (&both, &[("ns1", Port53), ("ns2", Port53), ("ns3", Legacy)], "legacy"),
        ] {
            assert_eq!(shown(none.clone(), cut_over, seen), expected, "{cut_over:?} {seen:?}");
        }
    }

    #[test]
    fn what_a_person_asks_for_is_shown_until_it_ends() {
        let (some, all) = ([("ns1", Port53), ("ns2", Legacy)], [("ns1", Port53), ("ns2", Port53)]);
        assert_eq!(shown(json!({"apexNS": "Both"}), &["ns1"], &some), "both");
        assert_eq!(shown(json!({"apexNS": "Port53"}), &[], &some), "port53");
        assert_eq!(shown(json!({"apexNS": "Legacy"}), &["ns1", "ns2"], &all), "legacy");
        let finish = json!({"apexNS": "Legacy", "finish": true});
        assert_eq!(shown(finish.clone(), &["ns1"], &some), "legacy");
        assert_eq!(shown(finish, &["ns1", "ns2"], &all), "port53");
    }

    /// "Never serve less than you know."
    #[test]
    fn what_is_published_stays_while_it_is_not_known_what_legacy_has() {
        let migration: ZoneMigration = serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "ZoneMigration", "metadata": {"name": "m"},
            "spec": {"zoneRef": {"name": "z"}, "legacy": {"addresses": ["192.0.2.53"]}, "apexNS": "Both"},
        }))
        .expect("a migration");
        assert_eq!(apex(&migration, None, &BTreeMap::new(), None), Apex::AsPublished);
    }
}
