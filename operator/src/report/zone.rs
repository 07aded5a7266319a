//! The status of a Zone.

use k8s_openapi::jiff::Timestamp;
use port53_crds::{
    ConditionType, KEEP_ANNOTATION, RELEASE_ANNOTATION, ROLLBACK_ANNOTATION, Reason, Status, ZoneStatus,
    condition, set_condition,
};

use super::{Service, is_accepted, refusal, warnings};
use crate::transfer::Known;
use crate::verdict::Verdict;

/// Removals that the guard holds back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// What releases them, and only them.
    pub id: String,
    /// `www.example.com. A`, in canonical order.
    pub removals: Vec<String>,
}

/// What is so of a zone.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The serial that was published last.
    pub serial: Option<u32>,
    /// RRsets that are published.
    pub records: u64,
    /// DNSRecords that are not served as written.
    pub rejected: u64,
    /// How far what is published is answered.
    pub service: Service<'a>,
    /// What the guard holds.
    pub held: Option<&'a Held>,
    /// The share of the RRsets that may go within ten minutes, in percent.
    pub max_removed_percent: u32,
    /// The id that a person wants to release.
    pub released: Option<&'a str>,
    /// The serial of the revision that it is rolled back to.
    pub pinned: Option<u32>,
    /// How far it is known who may transfer it; nothing where its Zone says of nobody that he may.
    pub transfers: Option<&'a Known>,
    /// When it is withdrawn, because its Zone was deleted.
    pub leaves_at: Option<Timestamp>,
    /// What else a person should know, such as why a rollback is not possible.
    pub note: Option<&'a str>,
}

/// Removals that are named in a message; the others are counted.
const NAMED: usize = 20;
/// Characters of an annotation that are shown.
const LONGEST_SHOWN: usize = 64;

/// The status that a Zone is to have, or nothing when it has it.
pub fn zone_status(
    verdict: &Verdict,
    facts: &Facts<'_>,
    old: Option<&ZoneStatus>,
    now: Timestamp,
) -> Option<ZoneStatus> {
    let old = old.cloned().unwrap_or_default();
    let mut new = old.clone();
    let generation = verdict.generation;
    new.observed_generation = generation;
    new.serial = facts.serial.or(old.serial);
    new.records = Some(facts.records);
    new.rejected = Some(facts.rejected);
    let mut set = |type_, status, reason, message: String| {
        set_condition(&mut new.conditions, condition(type_, status, reason, message, generation, now));
    };
    match facts.held {
        None => set(ConditionType::Held, Status::False, Reason::NothingHeld, String::new()),
        Some(held) => set(ConditionType::Held, Status::True, Reason::RemovalsHeld, held_message(held, facts)),
    }
    match facts.transfers {
        // What was said last stays while it is not known.
        None | Some(Known::Unread) => {}
        Some(known) => match known.missing() {
            [] => set(ConditionType::Transferable, Status::True, Reason::KeysKnown, String::new()),
            missing => {
                set(ConditionType::Transferable, Status::False, Reason::KeyMissing, missing.join("; "));
            }
        },
    }
    if is_accepted(verdict) {
        set(ConditionType::Accepted, Status::True, Reason::Accepted, warnings(verdict));
    } else {
        let (reason, message) = refusal(verdict);
        set(ConditionType::Accepted, Status::False, reason, message);
    }
    let (status, reason, message) = ready(verdict, facts);
    set(ConditionType::Ready, status, reason, message);
    if facts.transfers.is_none() {
        let transferable = ConditionType::Transferable.as_str();
        new.conditions.retain(|condition| condition.type_ != transferable);
    }
    new.serving = match facts.service {
        Service::Served(confirmation) | Service::Waiting { confirmation: Some(confirmation), .. } => {
            Some(confirmation.share())
        }
        // Of this serial it is not known.
        Service::Waiting { confirmation: None, .. } => None,
        _ => old.serving.clone(),
    };
    (new != old).then_some(new)
}

fn ready(verdict: &Verdict, facts: &Facts<'_>) -> (Status, Reason, String) {
    let (mut status, mut reason, mut message) = match facts.service {
        Service::Unpublished
        | Service::Pinned(_)
        | Service::StillBelow
        | Service::LegacyUnreachable(_)
        | Service::Refused(..) => (Status::False, Reason::Pending, "not published yet".to_owned()),
        Service::Waiting { serial, confirmation } => {
            let message = match confirmation {
                Some(confirmation) => confirmation.to_string(),
                None => format!("published as serial {serial}; nobody was asked yet"),
            };
            (Status::False, Reason::WaitingForNameservers, message)
        }
        Service::Served(confirmation) => (Status::True, Reason::Served, confirmation.to_string()),
    };
    // What is answered is not what the Zone says now.
    if !is_accepted(verdict) {
        let (why, refused) = refusal(verdict);
        message = match facts.service {
            Service::Unpublished => refused,
            _ => format!("{refused}; {message}"),
        };
        (status, reason) = (Status::False, why);
    }
    // What a person did to the zone is the first thing to say, while it is served.
    if let Some(serial) = facts.pinned {
        reason = if status == Status::True { Reason::Pinned } else { reason };
        message = format!(
            "rolled back to serial {serial}, and changes wait until annotation {ROLLBACK_ANNOTATION} is taken \
             away; {message}"
        );
    }
    if let Some(at) = facts.leaves_at {
        reason = if status == Status::True { Reason::WithdrawalPending } else { reason };
        message = format!(
            "the Zone was deleted, and the zone is withdrawn at {at:.0}; to keep it in service, annotate the Zone with \
             {KEEP_ANNOTATION}=true and create it again; {message}"
        );
    }
    if let Some(note) = facts.note {
        message = format!("{note}; {message}");
    }
    (status, reason, message)
}

fn held_message(held: &Held, facts: &Facts<'_>) -> String {
    let named: Vec<&str> = held.removals.iter().take(NAMED).map(String::as_str).collect();
    let more = match held.removals.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let another = match facts.released.filter(|released| *released != held.id) {
        Some(released) => format!(
            " (annotation {RELEASE_ANNOTATION} is \"{}\", which is not the id of these: nothing goes by it)",
            released.chars().take(LONGEST_SHOWN).collect::<String>()
        ),
        None => String::new(),
    };
    format!(
        "{} removals are held: with what went in the last ten minutes they are more than {} % of the RRsets{another}: \
         {}{more}. To let exactly these go, annotate the Zone with {RELEASE_ANNOTATION}={}",
        held.removals.len(),
        facts.max_removed_percent,
        named.join(", "),
        held.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::confirm::Confirmation;
    use crate::objects::ObjectRef;
    use crate::verdict::{Complaint, Outcome};
    use port53_crds::find_condition;
    use std::time::Duration;

    fn confirmation() -> Confirmation {
        let took = Duration::from_millis(14);
        Confirmation {
            serial: 7,
            answering: 2,
            asked: 2,
            nameservers: 2,
            others: Vec::new(),
            newest: None,
            took,
        }
    }

    fn facts(confirmation: &Confirmation) -> Facts<'_> {
        Facts {
            serial: Some(7),
            records: 20,
            rejected: 0,
            service: Service::Served(confirmation),
            held: None,
            max_removed_percent: 30,
            released: None,
            pinned: None,
            transfers: None,
            leaves_at: None,
            note: None,
        }
    }

    fn said(outcome: Outcome, complaints: Vec<Complaint>, facts: &Facts<'_>, type_: ConditionType) -> String {
        let object = ObjectRef::Zone { namespace: "dns".to_owned(), name: "z".to_owned() };
        let verdict = Verdict { object, generation: 3, zone: None, name: None, outcome, complaints };
        let status = zone_status(&verdict, facts, None, Timestamp::UNIX_EPOCH).expect("a status");
        let found = find_condition(&status.conditions, type_).expect("the condition");
        format!("{} {}: {}", found.status, found.reason, found.message)
    }

    #[test]
    fn a_zone_whose_edit_is_refused_is_not_ready_and_says_what_stays_in_service() {
        let confirmation = confirmation();
        let facts = facts(&confirmation);
        let complaint =
            Complaint::error(Reason::InvalidSpec, "spec.soa.contact", "\"x y\" is no name", "write one");
        assert_eq!(
            said(Outcome::LastGoodKept, vec![complaint], &facts, ConditionType::Ready),
            "False InvalidSpec: spec.soa.contact: \"x y\" is no name: write one; the last good version stays in \
             service; served as serial 7 by 2 of 2 pods, 2 nameservers, 14 ms"
        );
        let accepted = said(Outcome::Accepted, Vec::new(), &facts, ConditionType::Ready);
        assert_eq!(accepted, "True Served: served as serial 7 by 2 of 2 pods, 2 nameservers, 14 ms");
        let pinned = Facts { pinned: Some(4), ..facts };
        let complaint = Complaint::error(Reason::InvalidSpec, "spec", "wrong", "");
        let pinned = said(Outcome::LastGoodKept, vec![complaint], &pinned, ConditionType::Ready);
        assert!(pinned.starts_with("False InvalidSpec: rolled back to serial 4"), "{pinned}");
    }

    #[test]
    fn transfers_are_told_of_where_the_zone_says_who_may() {
        let confirmation = confirmation();
        let verdict = |facts: &Facts<'_>, old: Option<&ZoneStatus>| {
            let object = ObjectRef::Zone { namespace: "dns".to_owned(), name: "z".to_owned() };
            let (outcome, complaints) = (Outcome::Accepted, Vec::new());
            let verdict = Verdict { object, generation: 3, zone: None, name: None, outcome, complaints };
            zone_status(&verdict, facts, old, Timestamp::UNIX_EPOCH)
        };
        let told = |known: Option<&Known>| {
            let facts = Facts { transfers: known, ..facts(&confirmation) };
            let status = verdict(&facts, None).expect("a status");
            let found = find_condition(&status.conditions, ConditionType::Transferable);
            found.map(|found| format!("{} {}: {}", found.status, found.reason, found.message))
        };
        let missing = || vec!["no Secret".to_owned()];
        let all = Known::Wholly(Vec::new());
        assert_eq!(told(None), None);
        assert_eq!(told(Some(&all)).as_deref(), Some("True KeysKnown: "));
        for known in [Known::Partly(missing()), Known::Wholly(missing())] {
            assert_eq!(told(Some(&known)).as_deref(), Some("False KeyMissing: no Secret"));
        }
        let known = Facts { transfers: Some(&all), ..facts(&confirmation) };
        let before = verdict(&known, None).expect("a status");
        // A restarted operator has read no Secret yet, and takes nothing back.
        let unread = Facts { transfers: Some(&Known::Unread), ..facts(&confirmation) };
        assert_eq!(verdict(&unread, Some(&before)), None);
        let after = verdict(&facts(&confirmation), Some(&before)).expect("another");
        assert_eq!(find_condition(&after.conditions, ConditionType::Transferable), None);
    }

    #[test]
    fn what_is_held_says_why_and_that_an_annotation_of_another_id_releases_nothing() {
        let confirmation = confirmation();
        let held = Held { id: "0123456789ab".to_owned(), removals: vec!["a.example. A".to_owned()] };
        let told = |released| {
            let facts = Facts { held: Some(&held), released, ..facts(&confirmation) };
            said(Outcome::Accepted, Vec::new(), &facts, ConditionType::Held)
        };
        let message = told(None);
        let why = "1 removals are held: with what went in the last ten minutes they are more than 30 % of the RRsets: ";
        assert!(message.starts_with(&format!("True RemovalsHeld: {why}a.example. A. To let")), "{message}");
        assert_eq!(told(Some("0123456789ab")), message);
        let other = told(Some("fedcba987654"));
        assert!(
            other.contains("port53.dev/release is \"fedcba987654\", which is not the id of these"),
            "{other}"
        );
        assert!(other.ends_with("port53.dev/release=0123456789ab"), "{other}");
    }
}
