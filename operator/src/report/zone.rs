//! The status of a Zone.

use k8s_openapi::jiff::Timestamp;
use port53_crds::{ConditionType, RELEASE_ANNOTATION, Reason, Status, ZoneStatus, condition, set_condition};

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

/// What is served of a zone.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// The serial that was published last.
    pub serial: Option<u32>,
    /// RRsets that are published.
    pub records: u64,
    /// DNSRecords that are not served as written.
    pub rejected: u64,
}

/// Removals that are named in a message; the others are counted.
const NAMED: usize = 20;

/// The status that a Zone is to have, or nothing when it has it.
pub fn zone_status(
    verdict: &Verdict,
    counts: Counts,
    service: Service<'_>,
    held: Option<&Held>,
    old: Option<&ZoneStatus>,
    now: Timestamp,
) -> Option<ZoneStatus> {
    let old = old.cloned().unwrap_or_default();
    let mut new = old.clone();
    let generation = verdict.generation;
    new.observed_generation = generation;
    new.serial = counts.serial;
    new.records = Some(counts.records);
    new.rejected = Some(counts.rejected);
    let mut set = |type_, status, reason, message: String| {
        set_condition(&mut new.conditions, condition(type_, status, reason, message, generation, now));
    };
    match held {
        None => set(ConditionType::Held, Status::False, Reason::NothingHeld, String::new()),
        Some(held) => set(ConditionType::Held, Status::True, Reason::RemovalsHeld, held_message(held)),
    }
    if is_accepted(verdict) {
        set(ConditionType::Accepted, Status::True, Reason::Accepted, warnings(verdict));
    } else {
        let (reason, message) = refusal(verdict);
        set(ConditionType::Accepted, Status::False, reason, message);
    }
    let (status, reason, message) = match service {
        Service::Unpublished if !is_accepted(verdict) => {
            let (reason, message) = refusal(verdict);
            (Status::False, reason, message)
        }
        Service::Unpublished => (Status::False, Reason::Pending, "not published yet".to_owned()),
        Service::Waiting { serial, confirmation } => {
            let message = match confirmation {
                Some(confirmation) => confirmation.to_string(),
                None => format!("published as serial {serial}; nobody was asked yet"),
            };
            (Status::False, Reason::WaitingForNameservers, message)
        }
        Service::Served(confirmation) => (Status::True, Reason::Served, confirmation.to_string()),
    };
    set(ConditionType::Ready, status, reason, message);
    new.serving = match service {
        Service::Served(confirmation) | Service::Waiting { confirmation: Some(confirmation), .. } => {
            Some(confirmation.share())
        }
        Service::Unpublished | Service::Waiting { confirmation: None, .. } => old.serving.clone(),
    };
    (new != old).then_some(new)
}

fn held_message(held: &Held) -> String {
    let named: Vec<&str> = held.removals.iter().take(NAMED).map(String::as_str).collect();
    let more = match held.removals.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{} removals are held, more than the guard lets go at once: {}{more}. To let exactly these go, annotate the \
         Zone with {}={}",
        held.removals.len(),
        named.join(", "),
        RELEASE_ANNOTATION,
        held.id
    )
}
