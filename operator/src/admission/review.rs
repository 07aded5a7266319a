//! What is answered to a question of the API server. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation};
use kube::core::{DynamicObject, Resource};
use port53_crds::{DNSRecord, Reason, Zone};
use serde::de::DeserializeOwned;

use super::{Conflicts, World, both};
use crate::index::key;
use crate::objects::{ObjectRef, zone_of};
use crate::report;
use crate::stages::{Inputs, judge};
use crate::verdict::{Outcome, Verdict};

/// HTTP: the request is understood, and what it says is not right (RFC 9110 §15.5.21).
const UNPROCESSABLE: u16 = 422;

/// Answers a question, knowing the world. What is not about what people write of DNS is let through.
pub(super) fn answer(
    request: &AdmissionRequest<DynamicObject>,
    mut world: World,
    conflicts: Conflicts,
) -> AdmissionResponse {
    let response = AdmissionResponse::from(request);
    let verdict = match request.kind.kind.as_str() {
        "DNSRecord" => written::<DNSRecord>(request).and_then(|Written { new, old }| {
            let zone = zone_of(&new);
            let is_there = world.objects.zones.iter().any(|zone_there| key(&zone_there.metadata) == zone);
            if world.of_others.contains(&zone) || world.scope.only_named && !is_there {
                return None;
            }
            let object = ObjectRef::of_record(&new);
            if let Some(old) = old {
                world.objects.records.remove(&old);
            }
            let new = Arc::new(new);
            world.objects.records.put(new.clone());
            let mut verdict = verdict(&world, &object)?;
            both::judge(&world, &new, &mut verdict);
            Some(verdict)
        }),
        "Zone" => written::<Zone>(request).and_then(|Written { new, .. }| {
            if !world.scope.has(&new) {
                return None;
            }
            let object = ObjectRef::of_zone(&new);
            world.objects.zones.retain(|zone| ObjectRef::of_zone(zone) != object);
            world.objects.zones.push(Arc::new(new));
            verdict(&world, &object)
        }),
        _ => None,
    };
    match verdict {
        Some(verdict) => judged(response, &verdict, conflicts),
        None => response,
    }
}

/// What somebody wants to write.
struct Written<T> {
    new: T,
    old: Option<T>,
}

/// What a request is to write, if it says something new: neither what goes nor labels and the like are judged.
fn written<T: DeserializeOwned + Resource + HasSpec>(
    request: &AdmissionRequest<DynamicObject>,
) -> Option<Written<T>> {
    if !matches!(request.operation, Operation::Create | Operation::Update) {
        return None;
    }
    // What cannot be read was let through by the schema, and is told by its status.
    let read = |object: &DynamicObject| serde_json::from_value::<T>(serde_json::to_value(object).ok()?).ok();
    let new = read(request.object.as_ref()?)?;
    let old = request.old_object.as_ref().and_then(read);
    let is_going = new.meta().deletion_timestamp.is_some();
    let says_nothing_new = old.as_ref().is_some_and(|old| old.is_same_spec(&new));
    (!is_going && !says_nothing_new).then_some(Written { new, old })
}

trait HasSpec {
    fn is_same_spec(&self, other: &Self) -> bool;
}

impl HasSpec for DNSRecord {
    fn is_same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl HasSpec for Zone {
    fn is_same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

fn verdict(world: &World, object: &ObjectRef) -> Option<Verdict> {
    let inputs = Inputs {
        objects: &world.objects,
        published: &world.published,
        serials: &BTreeMap::new(),
        settings: &world.settings,
    };
    judge(&inputs, object)
}

fn judged(mut response: AdmissionResponse, verdict: &Verdict, conflicts: Conflicts) -> AdmissionResponse {
    if verdict.outcome == Outcome::Accepted {
        let warnings: Vec<String> = verdict.complaints.iter().map(report::sentence).collect();
        response.warnings = (!warnings.is_empty()).then_some(warnings);
        return response;
    }
    let (reason, message) = report::refusal(verdict);
    if may_become_right(reason) || conflicts == Conflicts::Warn && is_about_others(reason) {
        response.warnings = Some(vec![message]);
        return response;
    }
    response = response.deny(message);
    response.result.code = UNPROCESSABLE;
    response.result.reason = reason.as_str().to_owned();
    response
}

/// Whether what is missing may come a moment later: people apply a directory in any order.
fn may_become_right(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ZoneNotFound | Reason::ZoneNotAccepted | Reason::NameserverSetNotFound | Reason::Pending
    )
}

/// Whether what is wrong depends on other objects, so that changing those mends it.
fn is_about_others(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Conflicted
            | Reason::NotPermitted
            | Reason::RuleViolated
            | Reason::QuotaExceeded
            | Reason::Occluded
            | Reason::LegacyRefused
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Objects;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn world() -> World {
        let zone: Zone = serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "Zone",
            "metadata": {
                "namespace": "dns", "name": "example", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"domain": "example.com", "nameservers": ["ns.example.net"]},
        }))
        .expect("a Zone");
        let held = record("dns", "www", "www", json!(["192.0.2.1"]));
        let held: DNSRecord = serde_json::from_value(held).expect("a record");
        World {
            objects: Objects {
                zones: vec![Arc::new(zone)],
                records: [Arc::new(held)].into_iter().collect(),
                ..Objects::default()
            },
            of_others: BTreeSet::from([("dns".to_owned(), "theirs".to_owned())]),
            ..World::empty()
        }
    }

    fn record(namespace: &str, name: &str, owner: &str, values: Value) -> Value {
        json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "DNSRecord",
            "metadata": {
                "namespace": namespace, "name": name, "generation": 1,
                "creationTimestamp": if name == "www" { "2026-01-01T00:00:00Z" } else { "2026-02-01T00:00:00Z" },
            },
            "spec": {
                "zoneRef": {"namespace": "dns", "name": "example"},
                "name": owner, "type": "A", "values": values,
            },
        })
    }

    fn asked(kind: &str, operation: &str, object: Value, old: Value) -> AdmissionResponse {
        let request = json!({
            "uid": "u", "kind": {"group": "port53.dev", "version": "v1alpha1", "kind": kind},
            "resource": {"group": "port53.dev", "version": "v1alpha1", "resource": "x"},
            "operation": operation, "userInfo": {}, "object": object, "oldObject": old, "dryRun": true,
        });
        answer(&serde_json::from_value(request).expect("a request"), world(), Conflicts::Deny)
    }

    #[test]
    fn what_a_status_would_say_is_said_at_once() {
        let right = asked("DNSRecord", "CREATE", record("dns", "a", "a", json!(["192.0.2.2"])), Value::Null);
        assert!(right.allowed, "{right:?}");
        for (object, reason, said) in [
            (record("dns", "b", "www", json!(["192.0.2.2"])), "Conflicted", "held by DNSRecord dns/www"),
            (record("dns", "c", "c", json!(["192.0.2.300"])), "InvalidValue", "spec.values[0]"),
            (record("shop", "d", "d", json!(["192.0.2.2"])), "NotPermitted", "grant"),
            (record("dns", "e", "www.example.org.", json!(["192.0.2.2"])), "OutOfZone", "spec.name"),
        ] {
            let refused = asked("DNSRecord", "CREATE", object, Value::Null);
            assert!(!refused.allowed, "{reason}");
            assert_eq!((refused.result.code, refused.result.reason.as_str()), (422, reason), "{refused:?}");
            assert!(refused.result.message.contains(said), "{}", refused.result.message);
        }
        let zone = json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "Zone",
            "metadata": {"namespace": "shop", "name": "mine", "creationTimestamp": "2026-02-01T00:00:00Z"},
            "spec": {"domain": "example.com"},
        });
        let refused = asked("Zone", "CREATE", zone, Value::Null);
        assert!(!refused.allowed && refused.result.message.contains("Zone dns/example"), "{refused:?}");
    }

    #[test]
    fn what_may_become_right_or_says_nothing_new_is_let_through() {
        let mut early = record("dns", "early", "a", json!(["192.0.2.2"]));
        early["spec"]["zoneRef"]["name"] = json!("not-yet");
        let response = asked("DNSRecord", "CREATE", early, Value::Null);
        assert!(response.allowed && response.warnings.is_some(), "{response:?}");
        // A label of what was wrong before.
        let wrong = record("dns", "c", "c", json!(["192.0.2.300"]));
        let mut labelled = wrong.clone();
        labelled["metadata"]["labels"] = json!({"team": "dns"});
        assert!(asked("DNSRecord", "UPDATE", labelled, wrong.clone()).allowed);
        // What goes.
        let mut going = record("dns", "c", "c", json!(["192.0.2.301"]));
        going["metadata"]["deletionTimestamp"] = json!("2026-02-01T00:00:00Z");
        assert!(asked("DNSRecord", "UPDATE", going, wrong).allowed);
        assert!(asked("NameserverSet", "CREATE", json!({"metadata": {"name": "n"}}), Value::Null).allowed);
    }

    /// Helm makes what is new before it takes away what is old: a record that is renamed would never be let in.
    #[test]
    fn what_depends_on_others_is_only_warned_of_where_that_is_wanted() {
        let of = |object: Value| {
            let request = json!({
                "uid": "u", "kind": {"group": "port53.dev", "version": "v1alpha1", "kind": "DNSRecord"},
                "resource": {"group": "port53.dev", "version": "v1alpha1", "resource": "x"},
                "operation": "CREATE", "userInfo": {}, "object": object,
            });
            answer(&serde_json::from_value(request).expect("a request"), world(), Conflicts::Warn)
        };
        let response = of(record("dns", "b", "www", json!(["192.0.2.2"])));
        assert!(response.allowed, "{response:?}");
        assert!(response.warnings.is_some_and(|all| all[0].contains("held by DNSRecord dns/www")));
        assert!(!of(record("dns", "c", "c", json!(["192.0.2.300"]))).allowed, "its own fault");
    }

    /// Found by two releases in one cluster: each was asked about the zones of the other.
    #[test]
    fn of_what_others_look_after_nothing_is_said() {
        let mut zone = json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "Zone",
            "metadata": {"namespace": "shop", "name": "mine", "creationTimestamp": "2026-02-01T00:00:00Z"},
            "spec": {"domain": "example.com"},
        });
        assert!(!asked("Zone", "CREATE", zone.clone(), Value::Null).allowed);
        zone["spec"]["nameserverSetRef"] = json!({"namespace": "elsewhere", "name": "public"});
        assert!(asked("Zone", "CREATE", zone, Value::Null).allowed);
        let mut record = record("dns", "b", "www", json!(["192.0.2.300"]));
        record["spec"]["zoneRef"]["name"] = json!("theirs");
        let response = asked("DNSRecord", "CREATE", record, Value::Null);
        assert!(response.allowed && response.warnings.is_none(), "{response:?}");
    }

    /// An edit takes the place of what was there, and does not stand in its own way.
    #[test]
    fn an_edit_is_judged_in_the_place_of_what_was_there() {
        let old = record("dns", "www", "www", json!(["192.0.2.1"]));
        let new = record("dns", "www", "www", json!(["192.0.2.9"]));
        assert!(asked("DNSRecord", "UPDATE", new, old).allowed);
    }
}
