//! What came of an object, for the person who wrote it: plain enough to be printed with file and line, and
//! complete enough to write a status from.

use port53_crds::Reason;
use port53_zone::Name;
use port53_zone::master::Position;
pub use port53_zone::rules::Severity;

use crate::objects::ObjectRef;

/// What came of one object. A master file is one object; its complaints have positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whom it is about.
    pub object: ObjectRef,
    /// `metadata.generation` that was looked at; 0 where there is none.
    pub generation: i64,
    /// The apex of the zone it belongs to, where one was found.
    pub zone: Option<Name>,
    /// The absolute owner name of a DNSRecord, whatever its spelling.
    pub name: Option<Name>,
    /// Whether it counts.
    pub outcome: Outcome,
    /// What is wrong or doubtful, errors first. Empty only when all is well.
    pub complaints: Vec<Complaint>,
}

/// Whether what an object says is in service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// All of it.
    Accepted,
    /// Not this version; the last good one stays. Of a master file: some records are as they were before.
    LastGoodKept,
    /// None of it. Of a master file or a Zone: the zone is not served from it.
    Rejected,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// An error keeps what it is about out of service; a warning does not.
    pub severity: Severity,
    /// Why, as in the conditions.
    pub reason: Reason,
    /// The rule that is broken, where there is one ([`port53_zone::rules`]).
    pub rule: Option<&'static str>,
    /// The field, such as `spec.values[3]`. Empty for a master file.
    pub field: String,
    /// Where it stands in a master file.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to write or do instead. Empty where the message says it.
    pub fix: String,
    /// Who else is concerned, such as the one who holds the name.
    pub related: Vec<ObjectRef>,
}

impl Complaint {
    /// An error without rule, position or relatives.
    pub fn error(
        reason: Reason,
        field: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Complaint {
            severity: Severity::Error,
            reason,
            rule: None,
            field: field.into(),
            position: None,
            message: message.into(),
            fix: fix.into(),
            related: Vec::new(),
        }
    }

    /// The same with another who is concerned.
    pub fn related_to(mut self, object: ObjectRef) -> Self {
        self.related.push(object);
        self
    }

    /// The same as a warning.
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

impl Verdict {
    /// Puts errors before warnings and, within them, complaints in a fixed order, without repetition.
    pub(crate) fn settle(&mut self) {
        let at = |complaint: &Complaint| complaint.position.as_ref().map(|at| (at.line, at.column));
        self.complaints.sort_by(|a, b| {
            (a.severity, at(a), &a.field, a.reason, &a.message).cmp(&(
                b.severity,
                at(b),
                &b.field,
                b.reason,
                &b.message,
            ))
        });
        self.complaints.dedup();
    }
}
