//! When a migration may end: once nobody can be led to legacy any more, as far as that can be seen from here. Pure.
//!
//! | waits until | seen by |
//! |---|---|
//! | every nameserver answers by itself | asking each of its pods |
//! | legacy has nothing that is not here, where it is reached | the comparison |
//! | the zone above and the apex name the nameservers of the Zone alone | asking nameservers of the zone above |
//! | what they said before is in no cache | the longest TTL of it, since that was seen |
//! | nobody asks legacy | nobody here: a person says so |
//!
//! The last three are for new nameservers alone. Where the addresses of legacy lead here, caches need not learn anything, and
//! nobody reaches legacy by them.
//!
//! How often a server is asked is nothing that DNS tells, and what BIND, Knot or PowerDNS tell of it is off in most places
//! and a protocol of its own in each. Of those who ask legacy still, one kind is known to be none: our own nameservers, which
//! were seen to answer by themselves.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use port53_crds::{Answers, Entry, QUIET_ANNOTATION, Reason, Status, ZoneMigration, ZoneMigrationSpec};
use port53_zone::Name;

use super::parent::{Parent, Waits};

/// What is known of a migration that is to end.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) migration: &'a ZoneMigration,
    /// Who was seen to answer at each nameserver.
    pub(super) answers: &'a BTreeMap<String, Answers>,
    /// The nameservers that are told to answer by themselves; nothing where all are.
    pub(super) told: Option<&'a [String]>,
    /// Whether legacy is reached and has what is not here.
    pub(super) has_more: bool,
    pub(super) parent: &'a Parent,
    /// The hostnames of the Zone's own nameservers, where they are known.
    pub(super) ours: Option<&'a BTreeSet<Name>>,
    pub(super) now: Timestamp,
}

/// Whether one that was found to be `finished` is over: it still is to be, and does not fall back.
pub(super) fn is_over(spec: &ZoneMigrationSpec, finished: bool) -> bool {
    finished && spec.finish && !spec.fallback
}

/// What is waited for; nothing where it may end.
pub(super) fn waits(given: &Given<'_>) -> Option<Waits> {
    let spec = &given.migration.spec;
    if spec.fallback {
        let message = "spec.fallback is true: every nameserver answers with what legacy says".to_owned();
        return Some((Status::False, Reason::WaitingForCutover, message));
    }
    if given.answers.is_empty() {
        return Some((Status::Unknown, Reason::Pending, "no nameserver was asked yet".to_owned()));
    }
    let is_told = |name: &String| given.told.is_none_or(|told| told.contains(name));
    let late = given.answers.iter().filter(|(name, answers)| !is_told(name) || **answers != Answers::Port53);
    let late: Vec<&str> = late.map(|(name, _)| name.as_str()).collect();
    if !late.is_empty() {
        let unasked: Vec<&str> = match spec.shadow {
            Some(_) => {
                late.iter().copied().filter(|name| !spec.cutover.iter().any(|told| told == name)).collect()
            }
            None => Vec::new(),
        };
        let mut message = format!("not seen to answer by themselves yet: {}", late.join(", "));
        if !unasked.is_empty() {
            message += &format!("; write into spec.cutover: {}", unasked.join(", "));
        }
        return Some((Status::False, Reason::WaitingForCutover, message));
    }
    if given.has_more {
        let name = given.migration.metadata.name.as_deref().unwrap_or_default();
        let message = format!(
            "legacy has what is not here, and would be lost: see status.differences; where legacy is gone for good, \
             kubectl annotate zonemigration {name} {QUIET_ANNOTATION}=true"
        );
        return Some((Status::False, Reason::Differences, message));
    }
    // The last moment to say so: after it legacy, which signs, is given up.
    let generation = given.migration.metadata.generation;
    if let Err(waits @ (Status::False, ..)) = given.parent.allows_unsigned(false, generation, given.now) {
        return Some(waits);
    }
    match spec.entry {
        Some(Entry::NewNameservers) => new_nameservers(given),
        Some(Entry::AddressTakeover) => None,
        // The API server does not let it through.
        None => Some((Status::False, Reason::InvalidSpec, "spec.entry is missing".to_owned())),
    }
}

fn new_nameservers(given: &Given<'_>) -> Option<Waits> {
    let Some(ours) = given.ours else {
        let message =
            "which nameservers the Zone has is not known: write them into its spec.nameservers".to_owned();
        return Some((Status::False, Reason::WaitingForDelegation, message));
    };
    if let Err(waits) = given.parent.leads_here(ours, given.now) {
        return Some(waits);
    }
    let annotations = given.migration.metadata.annotations.as_ref();
    let is_quiet = annotations.and_then(|all| all.get(QUIET_ANNOTATION)).is_some_and(|said| said == "true");
    if is_quiet {
        return None;
    }
    let name = given.migration.metadata.name.as_deref().unwrap_or_default();
    let message = format!(
        "no cache is led to legacy any more, and whether anybody asks it nevertheless cannot be seen from here: look at its \
         log of queries, and when it is quiet, kubectl annotate zonemigration {name} {QUIET_ANNOTATION}=true"
    );
    Some((Status::False, Reason::WaitingForConfirmation, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nameservers::above::Above;
    use port53_zone::name;
    use serde_json::{Value, json};

    fn migration(more: Value, annotations: Value) -> ZoneMigration {
        let mut spec = json!({
            "zoneRef": {"name": "z"}, "legacy": {"addresses": ["192.0.2.53"]}, "shadow": {}, "finish": true,
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "ZoneMigration",
            "metadata": {"name": "m", "annotations": annotations}, "spec": spec,
        }))
        .expect("a migration")
    }

    /// What a migration waits for with all nameservers so, told or not.
    fn waits_for(
        migration: &ZoneMigration,
        answers: &[(&str, Answers)],
        told: &[&str],
        parent: &Parent,
    ) -> Option<Reason> {
        let ours = BTreeSet::from([name::parse_absolute("ns1.port53.example").expect("a name")]);
        let told: Vec<String> = told.iter().map(|name| (*name).to_owned()).collect();
        let given = Given {
            migration,
            answers: &answers.iter().map(|(name, answers)| ((*name).to_owned(), *answers)).collect(),
            told: Some(&told),
            has_more: false,
            parent,
            ours: Some(&ours),
            now: Timestamp::UNIX_EPOCH,
        };
        waits(&given).map(|(_, reason, _)| reason)
    }

    const ALL: [(&str, Answers); 2] = [("ns1", Answers::Port53), ("ns2", Answers::Port53)];
    const BOTH: [&str; 2] = ["ns1", "ns2"];

    #[test]
    fn every_nameserver_is_told_and_seen_to_answer_by_itself_first() {
        let takeover = migration(json!({"entry": "AddressTakeover", "cutover": BOTH}), json!({}));
        let none = Parent::default();
        assert_eq!(waits_for(&takeover, &[], &BOTH, &none), Some(Reason::Pending));
        let cutover = Some(Reason::WaitingForCutover);
        let one = [("ns1", Answers::Port53), ("ns2", Answers::Legacy)];
        assert_eq!(waits_for(&takeover, &one, &BOTH, &none), cutover);
        // It answers from here because legacy does not.
        assert_eq!(waits_for(&takeover, &ALL, &BOTH[..1], &none), cutover);
        assert_eq!(waits_for(&takeover, &ALL, &BOTH, &none), None);
        let fallen =
            migration(json!({"entry": "AddressTakeover", "cutover": BOTH, "fallback": true}), json!({}));
        assert_eq!(waits_for(&fallen, &ALL, &BOTH, &none), cutover);
    }

    #[test]
    fn what_only_legacy_has_would_be_lost() {
        let takeover = migration(json!({"entry": "AddressTakeover"}), json!({}));
        let answers = ALL.map(|(name, answers)| (name.to_owned(), answers)).into();
        let given = Given {
            migration: &takeover,
            answers: &answers,
            told: None,
            has_more: true,
            parent: &Parent::default(),
            ours: None,
            now: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(waits(&given).map(|(_, reason, _)| reason), Some(Reason::Differences));
        assert_eq!(waits(&Given { has_more: false, ..given }), None);
    }

    /// "`finish` waits for the longest of parent NS, apex NS and glue TTL after the change was seen, and for legacy's queries
    /// to stop."
    #[test]
    fn new_nameservers_wait_for_the_zone_above_for_caches_and_for_a_word() {
        let spec = json!({"entry": "NewNameservers", "cutover": BOTH});
        let silent = migration(spec.clone(), json!({}));
        let quiet = migration(spec, json!({QUIET_ANNOTATION: "true"}));
        let ours = BTreeSet::from([name::parse_absolute("ns1.port53.example").expect("a name")]);
        let mut parent = Parent::default();
        let mut look = |nameserver: &str, seconds| {
            let nameservers = BTreeSet::from([name::parse_absolute(nameserver).expect("a name")]);
            let now = Timestamp::from_second(seconds).expect("a time");
            let said = Ok(Above { nameservers, ttl: 60, ..Above::default() });
            parent.looked(said, None, Some(&ours), 60, now);
            parent.clone()
        };
        let before = look("ns1.legacy.example", -100);
        assert_eq!(waits_for(&quiet, &ALL, &BOTH, &before), Some(Reason::WaitingForDelegation));
        let changed = look("ns1.port53.example", -59);
        assert_eq!(waits_for(&quiet, &ALL, &BOTH, &changed), Some(Reason::WaitingForCaches));
        let mut long_ago = Parent::default();
        let now = Timestamp::from_second(-60).expect("a time");
        let said = Ok(Above { nameservers: ours.clone(), ttl: 60, ..Above::default() });
        long_ago.looked(said, None, Some(&ours), 60, now);
        assert_eq!(waits_for(&silent, &ALL, &BOTH, &long_ago), Some(Reason::WaitingForConfirmation));
        assert_eq!(waits_for(&quiet, &ALL, &BOTH, &long_ago), None);
    }
}
