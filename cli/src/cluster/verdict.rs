//! What the status of an object says of one generation of its spec.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::DynamicObject;
use port53_crds::{ConditionType, DNSRecord, NOT_OBSERVED, Reason, Zone, find_condition};
use serde::Deserialize;

use crate::report::shown;

/// What the operator says of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Nobody has looked at this generation yet.
    NotSeen,
    /// Something is waited for.
    Waiting(Why),
    /// It is right and not served for now: the zone is pinned to another version, or the name is below a delegation.
    Aside(Why),
    /// It is not served as it is written.
    Rejected(Why),
    /// Every nameserver answers it.
    Ready(Why),
}

/// Reason and message of a condition, without control characters: records are written by strangers. Display is
/// both.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Why {
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Verdict {
    /// Of an object with such a status, about `generation` or a later one.
    pub(crate) fn of(generation: i64, observed: i64, conditions: &[Condition]) -> Self {
        if observed < generation {
            return Verdict::NotSeen;
        }
        let accepted = find_condition(conditions, ConditionType::Accepted);
        if let Some(refused) = accepted.filter(|accepted| accepted.status == "False") {
            return Verdict::Rejected(Why::of(refused));
        }
        match find_condition(conditions, ConditionType::Ready) {
            None => Verdict::NotSeen,
            Some(ready) if ready.status == "True" => Verdict::Ready(Why::of(ready)),
            Some(ready) if is_aside(ready) => Verdict::Aside(Why::of(ready)),
            Some(ready) => Verdict::Waiting(Why::of(ready)),
        }
    }

    /// Of a Zone as it is.
    pub(crate) fn of_zone(zone: &Zone) -> Self {
        let status = zone.status.clone().unwrap_or_default();
        Verdict::of(zone.metadata.generation.unwrap_or(0), status.observed_generation, &status.conditions)
    }

    /// Of a DNSRecord as it is.
    pub(crate) fn of_record(record: &DNSRecord) -> Self {
        let status = record.status.clone().unwrap_or_default();
        Verdict::of(record.metadata.generation.unwrap_or(0), status.observed_generation, &status.conditions)
    }

    /// Of a plain object, about `generation`.
    pub(crate) fn of_plain(object: &DynamicObject, generation: i64) -> Self {
        let status = &object.data["status"];
        let observed = status["observedGeneration"].as_i64().unwrap_or(NOT_OBSERVED);
        Verdict::of(generation, observed, &conditions(object))
    }

    /// Whether it is served.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Verdict::Ready(_))
    }

    /// `Ready` as it is printed.
    pub(crate) fn ready_text(&self) -> &'static str {
        match self {
            Verdict::Ready(_) => "True",
            Verdict::NotSeen => "Unknown",
            Verdict::Waiting(_) | Verdict::Aside(_) | Verdict::Rejected(_) => "False",
        }
    }

    /// Reason and message.
    pub(crate) fn why(&self) -> Why {
        match self {
            Verdict::NotSeen => Why {
                reason: Reason::Pending.as_str().to_owned(),
                message: "the operator has not looked at it yet: see whether it runs".to_owned(),
            },
            Verdict::Waiting(why) | Verdict::Aside(why) | Verdict::Rejected(why) | Verdict::Ready(why) => {
                why.clone()
            }
        }
    }
}

impl Why {
    fn of(condition: &Condition) -> Self {
        Why { reason: condition.reason.clone(), message: shown(&condition.message) }
    }

    /// Whether the Zone of a record is what keeps it back.
    pub(crate) fn is_about_zone(&self) -> bool {
        let reasons = [Reason::ZoneNotFound, Reason::ZoneNotAccepted, Reason::ZoneDeleted];
        reasons.iter().any(|reason| reason.as_str() == self.reason)
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.message.as_str() {
            "" => f.write_str(&self.reason),
            message => write!(f, "{message} [{}]", self.reason),
        }
    }
}

/// Whether a condition says that waiting alone does not help: somebody has to release the zone, or to take the
/// delegation away.
fn is_aside(ready: &Condition) -> bool {
    [Reason::Pinned, Reason::Occluded].iter().any(|reason| reason.as_str() == ready.reason)
}

/// The conditions of a plain object that can be read.
pub(crate) fn conditions(object: &DynamicObject) -> Vec<Condition> {
    let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().filter_map(|condition| Condition::deserialize(condition).ok()).collect()
}

/// The generation of a plain object.
pub(crate) fn generation(object: &DynamicObject) -> i64 {
    object.metadata.generation.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;
    use port53_crds::{Status, condition};

    fn conditions(accepted: Status, ready: Status, reason: Reason) -> Vec<Condition> {
        [(ConditionType::Accepted, accepted), (ConditionType::Ready, ready)]
            .map(|(type_, status)| condition(type_, status, reason, "why", 2, Timestamp::UNIX_EPOCH))
            .to_vec()
    }

    #[test]
    fn a_status_counts_for_the_generation_that_it_is_about() {
        let served = conditions(Status::True, Status::True, Reason::Served);
        assert!(Verdict::of(2, 2, &served).is_ready());
        assert!(Verdict::of(2, 3, &served).is_ready());
        assert_eq!(Verdict::of(3, 2, &served), Verdict::NotSeen);
        assert_eq!(Verdict::of(1, NOT_OBSERVED, &[]), Verdict::NotSeen);
        // What was looked at and has no conditions yet is not served.
        assert_eq!(Verdict::of(2, 2, &[]), Verdict::NotSeen);
    }

    #[test]
    fn what_is_not_accepted_is_rejected_even_while_its_last_good_version_is_served() {
        let kept = conditions(Status::False, Status::True, Reason::LastGoodKept);
        assert!(matches!(Verdict::of(2, 2, &kept), Verdict::Rejected(_)));
        let waiting = conditions(Status::True, Status::False, Reason::WaitingForNameservers);
        assert!(matches!(Verdict::of(2, 2, &waiting), Verdict::Waiting(_)));
        for reason in [Reason::Pinned, Reason::Occluded] {
            let aside = conditions(Status::True, Status::False, reason);
            assert!(matches!(Verdict::of(2, 2, &aside), Verdict::Aside(_)), "{reason:?}");
        }
    }
}
