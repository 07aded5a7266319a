//! Who is to answer for a zone that moves here: which nameservers by themselves, while all others answer with what legacy
//! says. Pure.
//!
//! What was reached stands in the head of the zone, so it is found by an operator that begins anew. A nameserver is cut over
//! when all of those before it are seen to answer by themselves, both sides are the same, and every nameserver has what is
//! published; and it must not wait for a rollout or for answers that differ ([`super::shadow`]). Nothing is asked of one
//! that is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use port53_crds::{Answers, ZoneMigration};
use port53_store::Forwarding;
use port53_zone::{Name, RRset};

/// What was seen of a zone that moves here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Facts {
    /// Of which object that was seen.
    pub(super) uid: Option<String>,
    /// Whether both sides are the same, every pod has what is published, and nothing else is waited for.
    pub(super) is_ready: bool,
    /// The generation of the spec after which that was looked at.
    pub(super) generation: Option<i64>,
    /// Who answers at each nameserver.
    pub(super) answers: BTreeMap<String, Answers>,
    /// The NS that legacy has at the apex, as far as that is known.
    pub(super) apex_ns: Option<RRset>,
    /// Whether it is over, and legacy is not asked any more.
    pub(super) is_finished: bool,
}

/// What a migration says of its legacy DNS, as it was read.
pub(super) struct Elsewhere {
    pub(super) addresses: Vec<SocketAddr>,
    /// Owner names of which each side has records of its own.
    pub(super) not_compared: BTreeSet<Name>,
}

/// Who is to answer, where that is `now` so; nothing where every nameserver answers by itself. While it `fell_back` without
/// a person none does.
pub(super) fn forwarding(
    migration: &ZoneMigration,
    fell_back: bool,
    legacy: Elsewhere,
    now: Option<&Forwarding>,
    facts: &Facts,
) -> Option<Forwarding> {
    let spec = &migration.spec;
    let shadow = spec.shadow.as_ref()?;
    // To end is to lead nobody to legacy who is not led there already.
    if spec.finish && !spec.fallback && (facts.is_finished || now.is_none()) {
        return None;
    }
    Some(Forwarding {
        addresses: legacy.addresses,
        not_compared: legacy.not_compared,
        cut_over: match spec.fallback || fell_back {
            true => Vec::new(),
            false => {
                let now = match now {
                    Some(now) => now.cut_over.as_slice(),
                    // It was over, and is taken back: none of them goes back to legacy by that.
                    None if facts.is_finished => &spec.cutover,
                    None => &[],
                };
                // Looked at before it was asked for, they may differ by now.
                let may_go_on = facts.is_ready && facts.generation == migration.metadata.generation;
                cut_over(&spec.cutover, now, may_go_on, facts)
            }
        },
        compare: shadow.compare,
        otherwise: shadow.otherwise,
        timeout: Duration::from_millis(shadow.timeout_milliseconds.into()),
    })
}

/// The nameservers that are to answer by themselves: those that may already, and perhaps one more.
fn cut_over(wanted: &[String], now: &[String], may_go_on: bool, facts: &Facts) -> Vec<String> {
    let may: BTreeSet<&String> = now.iter().collect();
    let answers_itself = |name: &&String| facts.answers.get(*name) == Some(&Answers::Port53);
    let mut cut_over: Vec<String> = wanted.iter().filter(|name| may.contains(name)).cloned().collect();
    let next = wanted.iter().find(|name| !may.contains(name) && facts.answers.contains_key(*name));
    if let Some(next) = next.filter(|_| may_go_on && cut_over.iter().all(|name| answers_itself(&name))) {
        cut_over.push(next.clone());
    }
    // In one order, so that a head is not written for another.
    cut_over.sort();
    cut_over
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn migration(more: &Value) -> ZoneMigration {
        let mut spec = json!({"zoneRef": {"name": "z"}, "legacy": {"addresses": ["192.0.2.53"]}});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "ZoneMigration", "metadata": {"name": "m"}, "spec": spec,
        }))
        .expect("a migration")
    }

    fn facts(is_ready: bool, answers: &[(&str, Answers)]) -> Facts {
        Facts {
            is_ready,
            generation: None,
            apex_ns: None,
            uid: None,
            is_finished: false,
            answers: answers.iter().map(|(name, answers)| ((*name).to_owned(), *answers)).collect(),
        }
    }

    fn legacy() -> Elsewhere {
        let address = "192.0.2.53:53".parse().expect("an address");
        Elsewhere { addresses: vec![address], not_compared: BTreeSet::new() }
    }

    /// These are cut over, as the head says.
    fn cut_over_now<'a>(names: impl IntoIterator<Item = &'a str>) -> Forwarding {
        let mut now = Forwarding::to("192.0.2.53:53".parse().expect("an address"));
        now.cut_over = names.into_iter().map(str::to_owned).collect();
        now
    }

    /// The nameservers that are cut over, told again and again until nothing changes.
    fn steps(more: &Value, from: &[&str], facts: &Facts) -> Option<Vec<String>> {
        let now = cut_over_now(from.iter().copied());
        forwarding(&migration(more), false, legacy(), Some(&now), facts).map(|next| next.cut_over)
    }

    const BOTH_LEGACY: [(&str, Answers); 2] = [("ns1", Answers::Legacy), ("ns2", Answers::Legacy)];

    #[test]
    fn one_nameserver_after_the_other_is_cut_over() {
        let spec = json!({"shadow": {}, "cutover": ["ns2", "ns1"]});
        assert_eq!(steps(&spec, &[], &facts(true, &BOTH_LEGACY)), Some(vec!["ns2".to_owned()]));
        // Told, and not seen to: the next waits.
        assert_eq!(steps(&spec, &["ns2"], &facts(true, &BOTH_LEGACY)), Some(vec!["ns2".to_owned()]));
        let second = [("ns1", Answers::Legacy), ("ns2", Answers::Port53)];
        assert_eq!(
            steps(&spec, &["ns2"], &facts(true, &second)),
            Some(vec!["ns1".to_owned(), "ns2".to_owned()])
        );
    }

    #[test]
    fn nothing_is_cut_over_while_both_sides_differ() {
        let spec = json!({"shadow": {}, "cutover": ["ns1"]});
        assert_eq!(steps(&spec, &[], &facts(false, &BOTH_LEGACY)), Some(vec![]));
        // What is cut over stays so.
        let first = [("ns1", Answers::Port53), ("ns2", Answers::Legacy)];
        assert_eq!(steps(&spec, &["ns1"], &facts(false, &first)), Some(vec!["ns1".to_owned()]));
    }

    /// "`fallback: true` returns every nameserver to legacy within a second, whatever state the rest is in".
    #[test]
    fn a_fallback_waits_for_nothing() {
        let spec = json!({"shadow": {}, "cutover": ["ns1", "ns2"], "fallback": true});
        assert_eq!(steps(&spec, &["ns1", "ns2"], &Facts::default()), Some(vec![]));
        let spec = json!({"shadow": {}, "cutover": ["ns1"]});
        assert_eq!(steps(&spec, &["ns1", "ns2"], &Facts::default()), Some(vec!["ns1".to_owned()]));
    }

    /// It was looked at before the person asked, and legacy had changed by then: the nameserver was cut over to what was
    /// no longer the same.
    #[test]
    fn what_was_seen_before_it_was_asked_for_counts_for_nothing() {
        let mut asked = migration(&json!({"shadow": {}, "cutover": ["ns1"]}));
        asked.metadata.generation = Some(2);
        let cut_over = |generation| {
            let facts = Facts { generation: Some(generation), ..facts(true, &BOTH_LEGACY) };
            forwarding(&asked, false, legacy(), None, &facts).map(|next| next.cut_over)
        };
        assert_eq!((cut_over(1), cut_over(2)), (Some(vec![]), Some(vec!["ns1".to_owned()])));
    }

    #[test]
    fn while_it_fell_back_without_a_person_nothing_is_cut_over() {
        let asked = migration(&json!({"shadow": {}, "cutover": ["ns1"]}));
        let now = cut_over_now(["ns1"]);
        let next = forwarding(&asked, true, legacy(), Some(&now), &facts(true, &BOTH_LEGACY));
        assert_eq!(next.map(|next| next.cut_over), Some(vec![]));
    }

    #[test]
    fn without_shadow_every_nameserver_answers_by_itself() {
        assert_eq!(steps(&json!({}), &["ns1"], &Facts::default()), None);
    }

    /// "With `finish: true` set and then taken back everything goes on."
    #[test]
    fn what_is_over_forwards_nothing_and_taken_back_leaves_all_as_they_are() {
        let now = cut_over_now(["ns1", "ns2"]);
        let over = Facts { is_finished: true, ..facts(true, &[]) };
        let spec = |finish, fallback| {
            migration(&json!({
                "shadow": {}, "cutover": ["ns1", "ns2"], "entry": "AddressTakeover", "finish": finish, "fallback": fallback,
            }))
        };
        let told = |finish, fallback, now: Option<&Forwarding>, facts: &Facts| {
            forwarding(&spec(finish, fallback), false, legacy(), now, facts).map(|next| next.cut_over.len())
        };
        assert_eq!(told(true, false, Some(&now), &facts(true, &[])), Some(2), "it waits for something");
        assert_eq!(told(true, false, Some(&now), &over), None);
        assert_eq!(
            told(true, false, None, &Facts::default()),
            None,
            "as an operator finds it that begins anew"
        );
        assert_eq!(told(false, false, None, &over), Some(2));
        assert_eq!(told(true, true, None, &over), Some(0), "a fallback waits for nothing");
    }

    #[test]
    fn a_name_that_no_nameserver_has_keeps_no_other_from_being_cut_over() {
        let spec = json!({"shadow": {}, "cutover": ["ns9", "ns1"]});
        assert_eq!(steps(&spec, &[], &facts(true, &BOTH_LEGACY)), Some(vec!["ns1".to_owned()]));
    }
}
