//! Report: verdicts and what the resolvers answered, as the statuses that `kubectl` shows. Pure: what is to be
//! written is compared with what is there, and nothing is written when nothing changes.

mod record;
mod zone;

pub use record::record_status;
pub use zone::{Facts, Held, zone_status};

use port53_crds::Reason;

use crate::cluster::confirm::Confirmation;
use crate::verdict::{Complaint, Outcome, Severity, Verdict};

/// How far what an object says is in service.
#[derive(Clone, Copy, Debug)]
pub enum Service<'a> {
    /// It is not published yet.
    Unpublished,
    /// It is published with this serial; not every resolver answers it yet.
    Waiting {
        /// The serial that brings it.
        serial: u32,
        /// What the resolvers said last, where they were asked.
        confirmation: Option<&'a Confirmation>,
    },
    /// It is published, below a delegation that is to go and is still answered.
    StillBelow,
    /// It waits, because a person rolled the zone back to the revision of this serial.
    Pinned(u32),
    /// A legacy DNS is to have it first, and cannot be asked: why.
    LegacyUnreachable(&'a str),
    /// It is neither at a legacy DNS nor here, because one of them did not take it: why.
    Refused(Reason, &'a str),
    /// Every resolver was asked and answers it.
    Served(&'a Confirmation),
}

/// Ends what is said of a change that is at neither.
pub(crate) const KEPT: &str = "; what was before stays at both";

/// Why an object is not accepted: the first error says it in one word, all of them in a message.
pub(crate) fn refusal(verdict: &Verdict) -> (Reason, String) {
    let errors: Vec<&Complaint> =
        verdict.complaints.iter().filter(|complaint| complaint.severity == Severity::Error).collect();
    let reason = errors.first().map_or(Reason::InvalidSpec, |complaint| complaint.reason);
    let mut message = errors.into_iter().map(sentence).collect::<Vec<_>>().join("; ");
    if verdict.outcome == Outcome::LastGoodKept {
        message.push_str("; the last good version stays in service");
    }
    (reason, message)
}

/// What is doubtful about an object that is accepted.
fn warnings(verdict: &Verdict) -> String {
    verdict
        .complaints
        .iter()
        .map(|complaint| format!("warning: {}", sentence(complaint)))
        .collect::<Vec<_>>()
        .join("; ")
}

/// `spec.values[0]: "192.0.2.300" is …: write …`.
pub(crate) fn sentence(complaint: &Complaint) -> String {
    let mut text = String::new();
    if !complaint.field.is_empty() {
        text.push_str(&format!("{}: ", complaint.field));
    }
    text.push_str(&complaint.message);
    if !complaint.fix.is_empty() {
        text.push_str(&format!(": {}", complaint.fix));
    }
    text
}

fn is_accepted(verdict: &Verdict) -> bool {
    verdict.outcome == Outcome::Accepted
}
