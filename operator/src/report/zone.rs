//! The status of a Zone.

use k8s_openapi::jiff::Timestamp;
use port53_crds::{
    ConditionType, KEEP_ANNOTATION, RELEASE_ANNOTATION, ROLLBACK_ANNOTATION, Reason, Status, ZoneStatus,
    condition, set_condition,
};

use super::{Service, is_accepted, refusal, warnings};
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
    /// The serial of the revision that it is rolled back to.
    pub pinned: Option<u32>,
    /// When it is withdrawn, because its Zone was deleted.
    pub leaves_at: Option<Timestamp>,
    /// What else a person should know, such as why a rollback is not possible.
    pub note: Option<&'a str>,
}

/// Removals that are named in a message; the others are counted.
const NAMED: usize = 20;

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
        Some(held) => set(ConditionType::Held, Status::True, Reason::RemovalsHeld, held_message(held)),
    }
    if is_accepted(verdict) {
        set(ConditionType::Accepted, Status::True, Reason::Accepted, warnings(verdict));
    } else {
        let (reason, message) = refusal(verdict);
        set(ConditionType::Accepted, Status::False, reason, message);
    }
    let (status, reason, message) = ready(verdict, facts);
    set(ConditionType::Ready, status, reason, message);
    new.serving = match facts.service {
        Service::Served(confirmation) | Service::Waiting { confirmation: Some(confirmation), .. } => {
            Some(confirmation.share())
        }
        _ => old.serving.clone(),
    };
    (new != old).then_some(new)
}

fn ready(verdict: &Verdict, facts: &Facts<'_>) -> (Status, Reason, String) {
    let (status, mut reason, mut message) = match facts.service {
        Service::Unpublished if !is_accepted(verdict) => {
            let (reason, message) = refusal(verdict);
            (Status::False, reason, message)
        }
        Service::Unpublished | Service::Pinned(_) => {
            (Status::False, Reason::Pending, "not published yet".to_owned())
        }
        Service::Waiting { serial, confirmation } => {
            let message = match confirmation {
                Some(confirmation) => confirmation.to_string(),
                None => format!("published as serial {serial}; nobody was asked yet"),
            };
            (Status::False, Reason::WaitingForNameservers, message)
        }
        Service::Served(confirmation) => (Status::True, Reason::Served, confirmation.to_string()),
    };
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

fn held_message(held: &Held) -> String {
    let named: Vec<&str> = held.removals.iter().take(NAMED).map(String::as_str).collect();
    let more = match held.removals.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{} removals are held, more than the guard lets go at once: {}{more}. To let exactly these go, annotate the \
         Zone with {RELEASE_ANNOTATION}={}",
        held.removals.len(),
        named.join(", "),
        held.id
    )
}
