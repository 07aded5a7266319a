//! Validate: what of a zone's records is served, and what its objects are told.
//!
//! Each record is read alone ([`record`]), looked at for a grant ([`grants`]), and then for what it clashes
//! with ([`clash`]). What is wrong with one takes nothing from another. In service stays the last good
//! version of what became wrong; what lost its grant goes.

mod around;
mod below;
mod candidate;
mod clash;
mod grants;
mod master;
mod record;
mod written;

use std::sync::Arc;

use port53_crds::Reason;
use port53_zone::RRset;

pub(super) use self::around::around;
use self::candidate::{Candidate, Rank, Version};
use self::clash::{Objection, Settled, Told};
use super::before::Before;
use super::gather::{Held, Source, generation};
use super::{Children, Inputs};
use crate::objects::ObjectRef;
use crate::verdict::{Complaint, Outcome, Severity, Verdict};

/// What of a zone is served.
#[derive(Debug)]
pub(crate) struct Validated {
    /// With who owns each, in canonical order.
    pub(crate) accepted: Vec<(RRset, Arc<str>)>,
    /// That of the zone first.
    pub(crate) verdicts: Vec<Verdict>,
    /// DNSRecords, or records of the master file, that are not served as written.
    pub(crate) rejected: usize,
    /// Objects may be told more once this is published; what is served stays the same.
    pub(crate) is_provisional: bool,
}

/// Objects and what they would have served, while it is being decided.
#[derive(Debug)]
struct Draft {
    /// That of the zone first; a candidate's source is an index of these.
    verdicts: Vec<Verdict>,
    candidates: Vec<Candidate>,
    rejected: usize,
}

pub(crate) fn validate(
    inputs: &Inputs<'_>,
    held: &Held<'_>,
    children: &Children,
    before: &Before,
) -> Validated {
    let mut draft = Draft { verdicts: vec![verdict(held)], candidates: Vec::new(), rejected: 0 };
    match held.source {
        Source::Written(zone) => written::draft(inputs, held, zone, children, before, &mut draft),
        Source::Master(master) => master::draft(held, master, children, before, &mut draft),
    }
    below::draft(held, children, &mut draft);
    // All that follows goes by name and type: sorted once, it is in order for each.
    draft.candidates.sort_by(|a, b| a.place().cmp(&b.place()));
    let settled = clash::settle(&held.apex, &mut draft.candidates, &inputs.settings.limits);
    let is_provisional = settled.is_provisional;
    tell(held, settled, &mut draft);
    finish(held, draft, is_provisional)
}

/// The verdict of the zone itself, before its records are looked at.
fn verdict(held: &Held<'_>) -> Verdict {
    let complaints = held.terms.complaints.clone();
    let is_wrong = complaints.iter().any(|complaint| complaint.severity == Severity::Error);
    let outcome = if is_wrong { Outcome::LastGoodKept } else { Outcome::Accepted };
    Verdict {
        object: held.object.clone(),
        generation: generation(&held.source),
        zone: Some(held.apex.clone()),
        name: None,
        outcome,
        complaints,
    }
}

/// Brings what was objected to before those whom it concerns.
fn tell(held: &Held<'_>, settled: Settled, draft: &mut Draft) {
    for told in settled.of_zone {
        let reason = match told.rule.map(|rule| rule.name) {
            Some("no-apex-nameservers") => Reason::NoNameservers,
            _ => Reason::RuleViolated,
        };
        let field = if matches!(held.source, Source::Written(_)) { "spec.nameservers" } else { "" };
        let mut complaint = Complaint::error(reason, field, told.message, told.fix).as_warning();
        complaint.rule = told.rule.map(|rule| rule.name);
        if let Source::Master(master) = held.source {
            complaint.position = Some(master.soa.position.clone());
        }
        draft.verdicts[0].complaints.push(complaint);
    }
    let errors = settled.errors.into_iter().map(|objection| (Severity::Error, objection));
    let warnings = settled.warnings.into_iter().map(|objection| (Severity::Warning, objection));
    for (severity, objection) in errors.chain(warnings) {
        let candidate = &draft.candidates[objection.candidate];
        // A zone below answers for itself; spec.nameservers give way to a DNSRecord without a word.
        let is_silent = match candidate.rank() {
            Rank::Child => true,
            Rank::Default | Rank::Legacy => objection.finding.rule.is_none(),
            Rank::Incumbent | Rank::Newcomer => false,
        };
        if !is_silent {
            let complaints = complaints(draft, severity, &objection);
            draft.verdicts[candidate.source].complaints.extend(complaints);
        }
    }
}

/// An objection as complaints: one for each line of a master file.
fn complaints(draft: &Draft, severity: Severity, objection: &Objection) -> Vec<Complaint> {
    let candidate = &draft.candidates[objection.candidate];
    let mut related: Vec<ObjectRef> = Vec::new();
    for &other in &objection.related {
        let other = &draft.candidates[other];
        let object = &draft.verdicts[other.source].object;
        match (object, other.positions.first()) {
            (ObjectRef::MasterFile(file), Some(position)) => {
                related.push(ObjectRef::MasterRecord { file: file.clone(), position: position.clone() })
            }
            _ if other.source != candidate.source => related.push(object.clone()),
            _ => {}
        }
    }
    related.sort();
    related.dedup();
    let Told { rule, message, fix } = &objection.finding;
    let message = match related.first() {
        Some(holder) if objection.reason == Reason::Conflicted && rule.is_none() => {
            message.replace("held by another", &format!("held by {holder}"))
        }
        Some(holder) if objection.reason == Reason::Conflicted => format!("{message}; held by {holder}"),
        _ => message.clone(),
    };
    let one = Complaint {
        severity,
        reason: objection.reason,
        rule: rule.map(|rule| rule.name),
        field: field(candidate, rule.map(|rule| rule.name)).to_owned(),
        position: None,
        message,
        fix: fix.clone(),
        related,
    };
    let lines: Vec<usize> = match objection.lines.is_empty() {
        true => (0..candidate.positions.len()).collect(),
        false => objection.lines.clone(),
    };
    let positions: Vec<_> = lines.iter().filter_map(|&line| candidate.positions.get(line)).collect();
    if positions.is_empty() {
        return vec![one];
    }
    positions.into_iter().map(|at| Complaint { position: Some(at.clone()), ..one.clone() }).collect()
}

/// The field that a rule is about.
fn field(candidate: &Candidate, rule: Option<&str>) -> &'static str {
    if candidate.rank() == Rank::Default {
        return "spec.nameservers";
    }
    if !candidate.positions.is_empty() || candidate.rank() == Rank::Legacy {
        return "";
    }
    match rule {
        Some(
            "multiple-cnames"
            | "multiple-dnames"
            | "too-many-records"
            | "many-records"
            | "rrset-too-large"
            | "name-too-large"
            | "target-is-alias"
            | "missing-glue"
            | "missing-address"
            | "duplicate-value"
            | "too-many-nameservers"
            | "relative-name-meant",
        ) => "spec.values",
        Some("ttls-differ") => "spec.ttl",
        Some("too-many-types" | "wildcard-ns" | "wildcard-dname" | "ds-without-delegation") => "spec.type",
        _ => "spec.name",
    }
}

fn finish(held: &Held<'_>, draft: Draft, is_provisional: bool) -> Validated {
    let Draft { mut verdicts, candidates, mut rejected } = draft;
    let is_master = matches!(held.source, Source::Master(_));
    let mut accepted = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let is_from_people = matches!(candidate.rank(), Rank::Incumbent | Rank::Newcomer);
        if is_from_people && candidate.version != Version::Written {
            if is_master {
                rejected += candidate.positions.len();
            }
            let outcome = match (candidate.version, is_master) {
                (Version::LastGood, _) => Outcome::LastGoodKept,
                (_, true) => verdicts[candidate.source].outcome,
                (_, false) => Outcome::Rejected,
            };
            verdicts[candidate.source].outcome = outcome;
        }
        if !candidate.is_out() {
            accepted.push(candidate.into_served());
        }
    }
    if !is_master {
        rejected = verdicts.iter().skip(1).filter(|verdict| verdict.outcome != Outcome::Accepted).count();
    }
    // But for those that stepped back to another name it is in order.
    accepted.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name).then_with(|| a.rtype.cmp(&b.rtype)));
    verdicts.iter_mut().for_each(Verdict::settle);
    Validated { accepted, verdicts, rejected, is_provisional }
}
