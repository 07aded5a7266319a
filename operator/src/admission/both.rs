//! What of a change legacy is known beforehand to refuse, where each change is to be there first (`dualWrite: Sync`). Pure.
//!
//! Legacy is written to only if it has what is published, so what is known to be otherwise there would be refused in a moment.
//! What was written there and not looked at since says nothing.

use port53_crds::{DNSRecord, Reason};
use port53_zone::{Name, RRset, Rtype, rdata};

use super::World;
use crate::engine::both::shown;
use crate::verdict::{Complaint, Outcome, Verdict};

/// Adds to a verdict what legacy has otherwise, unless it is refused already.
pub(super) fn judge(world: &World, record: &DNSRecord, verdict: &mut Verdict) {
    if verdict.outcome != Outcome::Accepted {
        return;
    }
    let (Some(apex), Some(name)) = (&verdict.zone, &verdict.name) else { return };
    let Some(rtype) = rdata::parse_rtype(&record.spec.type_) else { return };
    if let Some(clash) = clash(world, apex, name, rtype, record) {
        let fix = "wait until it is brought over, or settle it with port53 migration resolve, one way or the other; \
                   what spec.compare.leaveOut of the ZoneMigration names is left to each side";
        let message = format!("legacy has {clash} there, and not what is published here");
        verdict.complaints.push(Complaint::error(Reason::LegacyRefused, "spec.values", message, fix));
        verdict.outcome = Outcome::Rejected;
    }
}

fn clash(world: &World, apex: &Name, name: &Name, rtype: Rtype, record: &DNSRecord) -> Option<String> {
    let counterpart = world.counterparts.get(apex)?;
    let theirs = &counterpart.seen.as_ref()?.content;
    let ours = &world.published.get(apex)?.content;
    let is_unseen = world.dual_writes.get(apex).is_some_and(|writes| writes.unseen.contains(name));
    if is_unseen || !counterpart.scope.takes(name, rtype) {
        return None;
    }
    let at = |rtype: Rtype| (theirs.get(name, rtype), ours.get(name, rtype));
    if let (there, here) = at(rtype)
        && !are_same(there.as_ref(), here.as_ref())
        && there.as_ref().is_none_or(|there| !says(record, there))
    {
        return Some(shown(&[(rtype, there)]));
    }
    // Beside an alias there is nothing (RFC 1034 §3.6.2): what is not here is in its way there.
    let in_the_way = match rtype {
        Rtype::CNAME => {
            let mut there = theirs.all_of(name).into_iter();
            there.find(|rrset| rrset.rtype != Rtype::CNAME && ours.get(name, rrset.rtype).is_none())
        }
        _ => theirs.get(name, Rtype::CNAME).filter(|_| ours.get(name, Rtype::CNAME).is_none()),
    };
    in_the_way.map(|rrset| shown(&[(rrset.rtype, Some(rrset))]))
}

fn are_same(a: Option<&RRset>, b: Option<&RRset>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.says_the_same_as(b),
        (None, None) => true,
        _ => false,
    }
}

/// Whether an RRset has the values that a record says.
fn says(record: &DNSRecord, rrset: &RRset) -> bool {
    let values = record.spec.values.iter().map(|value| rdata::parse_value(rrset.rtype, value).ok());
    let Some(values) = values.collect::<Option<Vec<_>>>() else { return false };
    RRset::new(rrset.name.clone(), rrset.rtype, rrset.ttl, values).says_the_same_as(rrset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::DualWrites;
    use crate::engine::both::{Counterpart, Seen};
    use crate::migrations::scope::{NotCounted, Scope};
    use crate::objects::ObjectRef;
    use crate::stages::Published;
    use port53_zone::content::Content;
    use port53_zone::{Soa, name};
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Instant;

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    fn content(records: &[(&str, Rtype, &str)]) -> Content {
        let rrsets = records.iter().map(|(owner, rtype, value)| {
            let owner = name::parse(owner, &apex()).expect("a name");
            let value = rdata::parse_value(*rtype, value).expect("a value");
            (RRset::new(owner, *rtype, 300, [value]), None)
        });
        Content::build(apex(), [1; 16], rrsets).expect("a content")
    }

    /// A zone whose changes legacy is to have first, as it is at both.
    fn world(here: &Content, there: &Content) -> World {
        let holder = ObjectRef::Zone { namespace: "dns".to_owned(), name: "example".to_owned() };
        let (primary, contact) = (apex(), apex());
        let soa = Soa { primary, contact, serial: 1, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 };
        let scope = Scope { apex: apex(), apex_ns: false, left_out: NotCounted::default() };
        let server = Err((Reason::Pending, String::new()));
        let seen = Some(Seen { serial: 1, content: there.clone(), asked: Instant::now() });
        let counterpart = Counterpart { scope, server, seen };
        World {
            published: BTreeMap::from([(apex(), Published { holder, content: here.clone(), soa })]),
            counterparts: BTreeMap::from([(apex(), Arc::new(counterpart))]),
            ..World::empty()
        }
    }

    fn judged(world: &World, owner: &str, rtype: &str, value: &str) -> Option<String> {
        let record: DNSRecord = serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "DNSRecord", "metadata": {"name": "r", "namespace": "dns"},
            "spec": {"zoneRef": {"name": "example"}, "name": owner, "type": rtype, "values": [value]},
        }))
        .expect("a record");
        let mut verdict = Verdict {
            object: ObjectRef::of_record(&record),
            generation: 1,
            zone: Some(apex()),
            name: Some(name::parse(owner, &apex()).expect("a name")),
            outcome: Outcome::Accepted,
            complaints: Vec::new(),
        };
        judge(world, &record, &mut verdict);
        (verdict.outcome == Outcome::Rejected).then(|| verdict.complaints[0].message.clone())
    }

    #[test]
    fn what_legacy_has_otherwise_is_refused_beforehand() {
        let same = [("www", Rtype::A, "192.0.2.1"), ("mail", Rtype::A, "192.0.2.2")];
        let there = content(&[
            ("www", Rtype::A, "192.0.2.9"),
            ("mail", Rtype::A, "192.0.2.2"),
            ("x", Rtype::TXT, "t"),
        ]);
        let world = world(&content(&same), &there);
        let message = judged(&world, "www", "A", "192.0.2.3").expect("refused");
        assert!(message.contains("300 A 192.0.2.9"), "{message}");
        // To say what legacy says settles it.
        assert_eq!(judged(&world, "www", "A", "192.0.2.9"), None);
        assert_eq!(judged(&world, "mail", "A", "192.0.2.3"), None);
        assert_eq!(judged(&world, "new", "A", "192.0.2.3"), None);
        // An alias beside what only legacy has would be ignored there without a word (RFC 2136 §3.4.2.2).
        let message = judged(&world, "x", "CNAME", "www.example.com.").expect("refused");
        assert!(message.contains("TXT"), "{message}");
    }

    #[test]
    fn what_was_written_there_and_not_seen_since_refuses_nothing() {
        let mut world =
            world(&content(&[("www", Rtype::A, "192.0.2.2")]), &content(&[("www", Rtype::A, "192.0.2.1")]));
        assert!(judged(&world, "www", "A", "192.0.2.3").is_some());
        let unseen = vec![name::parse("www", &apex()).expect("a name")];
        world.dual_writes.insert(apex(), DualWrites { unseen, ..DualWrites::default() });
        assert_eq!(judged(&world, "www", "A", "192.0.2.3"), None);
    }
}
