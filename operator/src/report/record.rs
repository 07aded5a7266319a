//! The status of a DNSRecord.

use k8s_openapi::jiff::Timestamp;
use port53_crds::{ConditionType, DNSRecordStatus, Reason, Status, condition, find_condition, set_condition};
use port53_zone::name;

use super::{KEPT, Service, is_accepted, refusal, sentence, warnings};
use crate::verdict::{Outcome, Verdict};

/// What a record is told that was answered until its grant went.
const TAKEN_OUT: &str =
    "; it was taken out of service, unless the condition Held of its Zone says that the guard holds it";

/// The status that a record is to have, or nothing when it has it. Once a generation is served it stays so:
/// later troubles of pods are told by the Zone, not by a hundred thousand records. Who answers is told only of what
/// may be answered: not of a record that is withdrawn or waits for the end of a rollback.
pub fn record_status(
    verdict: &Verdict,
    service: Service<'_>,
    old: Option<&DNSRecordStatus>,
    now: Timestamp,
) -> Option<DNSRecordStatus> {
    let old = old.cloned().unwrap_or_default();
    let mut new = old.clone();
    let generation = verdict.generation;
    new.observed_generation = generation;
    new.published_name = verdict.name.as_ref().map(name::display);
    let is_latched = old.observed_generation == generation
        && find_condition(&old.conditions, ConditionType::Ready).is_some_and(|ready| ready.status == "True");
    let mut conditions = std::mem::take(&mut new.conditions);
    let mut set = |type_, status, reason, message: String| {
        set_condition(&mut conditions, condition(type_, status, reason, message, generation, now));
    };
    if let (true, Service::Refused(reason, why)) = (is_accepted(verdict), service) {
        let message = format!("{why}{KEPT}");
        set(ConditionType::Accepted, Status::False, reason, message.clone());
        set(ConditionType::Ready, Status::False, reason, message);
    } else if is_accepted(verdict) {
        set(ConditionType::Accepted, Status::True, Reason::Accepted, warnings(verdict));
        match service {
            Service::Pinned(serial) => {
                let message =
                    format!("the zone is rolled back to serial {serial}: this waits until that is released");
                set(ConditionType::Ready, Status::False, Reason::Pinned, message);
                (new.serial, new.serving) = (None, None);
            }
            _ if let Some(why) = occlusion(verdict) => {
                set(ConditionType::Ready, Status::False, Reason::Occluded, why);
                (new.serial, new.serving) = (None, None);
            }
            _ if is_latched => {}
            Service::StillBelow => {
                let message = "it is below a delegation that is to go and is answered until then; where the guard \
                               holds it, the condition Held of the Zone says so";
                set(ConditionType::Ready, Status::False, Reason::Occluded, message.to_owned());
                (new.serial, new.serving) = (None, None);
            }
            Service::LegacyUnreachable(why) => {
                let message = format!(
                    "legacy is to have it first, and is asked again: {why}; what was before is answered"
                );
                set(ConditionType::Ready, Status::False, Reason::LegacyUnreachable, message);
            }
            Service::Unpublished | Service::Refused(..) => {
                set(ConditionType::Ready, Status::False, Reason::Pending, "not published yet".to_owned());
            }
            Service::Waiting { serial, confirmation } => {
                let message = match confirmation {
                    Some(confirmation) => confirmation.to_string(),
                    None => format!("published as serial {serial}; nobody was asked yet"),
                };
                set(ConditionType::Ready, Status::False, Reason::WaitingForNameservers, message);
                new.serial = Some(serial);
                new.serving = confirmation.map(|confirmation| confirmation.share());
            }
            Service::Served(confirmation) => {
                set(ConditionType::Ready, Status::True, Reason::Served, confirmation.to_string());
                new.serial = Some(confirmation.serial);
                new.serving = Some(confirmation.share());
            }
        }
    } else {
        let (reason, mut message) = refusal(verdict);
        if verdict.outcome == Outcome::Rejected {
            if reason == Reason::NotPermitted && was_in_service(&old) {
                message.push_str(TAKEN_OUT);
            }
            (new.serial, new.serving) = (None, None);
        }
        set(ConditionType::Accepted, Status::False, reason, message.clone());
        set(ConditionType::Ready, Status::False, reason, message);
    }
    new.conditions = conditions;
    (new != old).then_some(new)
}

/// Why nobody is ever answered a record that is accepted: it is below a delegation, and no glue. It is in the zone,
/// and answered as soon as the delegation is gone.
fn occlusion(verdict: &Verdict) -> Option<String> {
    let occluded = verdict.complaints.iter().find(|complaint| complaint.reason == Reason::Occluded)?;
    Some(sentence(occluded))
}

/// Whether a record that may not be there any more was answered before: as it was told then, and is told since.
fn was_in_service(old: &DNSRecordStatus) -> bool {
    let said = find_condition(&old.conditions, ConditionType::Ready).map(|ready| ready.message.as_str());
    old.serial.is_some() || said.is_some_and(|said| said.ends_with(TAKEN_OUT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::confirm::Confirmation;
    use crate::objects::ObjectRef;
    use crate::verdict::Complaint;
    use std::time::Duration;

    fn verdict(outcome: Outcome, complaints: Vec<Complaint>) -> Verdict {
        let object = ObjectRef::Record { namespace: "dns".to_owned(), name: "www".to_owned() };
        Verdict { object, generation: 3, zone: None, name: None, outcome, complaints }
    }

    fn confirmation(answering: usize) -> Confirmation {
        let others = (answering..2).map(|n| format!("ns{n} does not answer")).collect();
        let took = Duration::from_millis(14);
        Confirmation { serial: 7, answering, asked: 2, nameservers: answering, others, newest: None, took }
    }

    fn ready(status: &DNSRecordStatus) -> (String, String, String) {
        let ready = find_condition(&status.conditions, ConditionType::Ready).expect("Ready");
        (ready.status.clone(), ready.reason.clone(), ready.message.clone())
    }

    #[test]
    fn served_is_said_when_every_resolver_answered_and_then_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let accepted = verdict(Outcome::Accepted, Vec::new());
        let some = confirmation(1);
        let waiting = Service::Waiting { serial: 7, confirmation: Some(&some) };
        let status = record_status(&accepted, waiting, None, now).expect("a status");
        assert_eq!(ready(&status).1, "WaitingForNameservers");
        assert_eq!(status.serving.as_deref(), Some("1/2"));

        let all = confirmation(2);
        let status = record_status(&accepted, Service::Served(&all), Some(&status), now).expect("a status");
        assert_eq!(
            ready(&status),
            (
                "True".into(),
                "Served".into(),
                "served as serial 7 by 2 of 2 pods, 2 nameservers, 14 ms".into()
            )
        );
        // A pod that goes away later changes nothing of this generation.
        assert_eq!(record_status(&accepted, waiting, Some(&status), now), None);
    }

    #[test]
    fn what_is_refused_says_why_and_what_to_write() {
        let complaint =
            Complaint::error(Reason::InvalidValue, "spec.values[0]", "\"x\" is no address", "write one");
        let refused = verdict(Outcome::LastGoodKept, vec![complaint]);
        let status =
            record_status(&refused, Service::Unpublished, None, Timestamp::UNIX_EPOCH).expect("a status");
        assert_eq!(
            ready(&status),
            (
                "False".into(),
                "InvalidValue".into(),
                "spec.values[0]: \"x\" is no address: write one; the last good version stays in service"
                    .into()
            )
        );
    }

    fn served(confirmation: &Confirmation) -> DNSRecordStatus {
        let accepted = verdict(Outcome::Accepted, Vec::new());
        record_status(&accepted, Service::Served(confirmation), None, Timestamp::UNIX_EPOCH)
            .expect("a status")
    }

    #[test]
    fn a_record_whose_grant_went_is_served_by_nobody_and_says_that_it_was_taken_out() {
        let now = Timestamp::UNIX_EPOCH;
        let before = served(&confirmation(2));
        assert_eq!(before.serving.as_deref(), Some("2/2"));
        let complaint =
            Complaint::error(Reason::NotPermitted, "spec.zoneRef", "Zone dns/z grants nothing", "ask");
        let gone = verdict(Outcome::Rejected, vec![complaint.clone()]);
        let status = record_status(&gone, Service::Unpublished, Some(&before), now).expect("a status");
        assert_eq!((status.serving.as_deref(), status.serial), (None, None));
        let (_, reason, message) = ready(&status);
        assert_eq!(reason, "NotPermitted");
        assert!(message.contains("; it was taken out of service"), "{message}");
        // It stays said, and nothing is written again.
        assert_eq!(record_status(&gone, Service::Unpublished, Some(&status), now), None);
        // One that never was in service is told nothing of it.
        let status = record_status(&gone, Service::Unpublished, None, now).expect("a status");
        assert!(!ready(&status).2.contains("taken out"));
        // What stays in service is answered as before.
        let kept = verdict(Outcome::LastGoodKept, vec![complaint]);
        let status = record_status(&kept, Service::Unpublished, Some(&before), now).expect("a status");
        assert_eq!((status.serving.as_deref(), status.serial), (Some("2/2"), Some(7)));
    }

    /// It was said to be served, and nobody was ever answered it.
    #[test]
    fn a_record_below_a_delegation_is_accepted_and_said_to_be_occluded() {
        let now = Timestamp::UNIX_EPOCH;
        let all = confirmation(2);
        let before = served(&all);
        let mut below = verdict(Outcome::Accepted, Vec::new());
        below.complaints =
            vec![Complaint::error(Reason::Occluded, "spec.name", "a.b is below b", "move it").as_warning()];
        let status = record_status(&below, Service::Served(&all), Some(&before), now).expect("a status");
        assert_eq!(
            ready(&status),
            ("False".into(), "Occluded".into(), "spec.name: a.b is below b: move it".into())
        );
        let accepted = find_condition(&status.conditions, ConditionType::Accepted).expect("Accepted");
        assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("True", "Accepted"));
        assert_eq!((status.serving.as_deref(), status.serial), (None, None));
        assert_eq!(record_status(&below, Service::Unpublished, Some(&status), now), None);
        // The delegation went.
        let again = verdict(Outcome::Accepted, Vec::new());
        let status = record_status(&again, Service::Served(&all), Some(&status), now).expect("a status");
        assert_eq!(ready(&status).1, "Served");
    }

    #[test]
    fn a_record_of_a_zone_that_is_rolled_back_is_served_by_nobody() {
        let now = Timestamp::UNIX_EPOCH;
        let all = confirmation(2);
        let accepted = verdict(Outcome::Accepted, Vec::new());
        let status =
            record_status(&accepted, Service::Pinned(3), Some(&served(&all)), now).expect("a status");
        assert_eq!((status.serving.as_deref(), status.serial), (None, None));
        let status = record_status(&accepted, Service::Served(&all), Some(&status), now).expect("a status");
        assert_eq!(status.serving.as_deref(), Some("2/2"));
    }
}
