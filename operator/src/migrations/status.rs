//! The status of a migration: what `kubectl get zmig` and `kubectl wait` are told. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use port53_crds::{
    Answers, AtOnce, AutomaticFallback, ByClient, ChangedSide, ConditionType, DifferenceKind, DualWrite,
    LegacyCheck, LegacySeen, MigrationPhase, RRsetDifference, Reason, Reject, ShadowSeen, Status,
    ZoneMigration, ZoneMigrationStatus, condition, find_condition, set_condition,
};
use port53_zone::{RRset, name, rdata};

use super::doubt::Size;
use super::merge::{Apart, Changed};
use super::parent::{Parent, Waits};
use super::unheld::Unheld;
use super::{answering, candidates};
use crate::admission::DualWrites;

/// Rejects and differences in a status.
const SHOWN: usize = 20;
/// Characters of one side of a difference, and of why it stays.
const SHOWN_SIDE: usize = 512;

/// What was seen of a migration.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) migration: &'a ZoneMigration,
    /// Why nothing can be done at all, if so.
    pub(super) trouble: Option<&'a (Reason, String)>,
    /// How legacy answered last; nothing before it was asked.
    pub(super) legacy: Option<Result<(), (Reason, String)>>,
    /// The version of legacy that is believed.
    pub(super) theirs: Option<Size>,
    /// RRsets of it that count.
    pub(super) of: usize,
    /// Why a newer one is not.
    pub(super) doubt: Option<&'a str>,
    /// The serial that is published here.
    pub(super) ours: Option<u32>,
    /// What was looked at in full at least once since the start.
    pub(super) is_compared: bool,
    /// All that differs.
    pub(super) apart: &'a [Apart],
    /// What of it counts as a difference.
    pub(super) differences: &'a [RRsetDifference],
    /// How many more do, that are too many to be listed.
    pub(super) unlisted: usize,
    pub(super) rejects: &'a [Reject],
    /// What of legacy nothing here can hold.
    pub(super) unheld: &'a Unheld,
    /// Changes that wait to be written to legacy.
    pub(super) waiting: usize,
    /// What legacy said to a change that it refused.
    pub(super) refused: Option<&'a str>,
    /// What is on its way to both, where a change is at both or at neither.
    pub(super) dual_writes: Option<&'a DualWrites>,
    /// What questions of clients show, once pods were looked at.
    pub(super) shadow: Option<&'a ShadowSeen>,
    /// Pods that do not tell what they count.
    pub(super) silent: &'a [String],
    /// What the next nameserver waits for, though both sides are the same.
    pub(super) waits: Option<&'a (Reason, String)>,
    /// What was seen when legacy was asked much at once, and as by others.
    pub(super) check: Option<&'a LegacyCheck>,
    /// The automatic fallback that holds.
    pub(super) fallback: Option<&'a AutomaticFallback>,
    /// Who was seen to answer at each nameserver.
    pub(super) answers: &'a BTreeMap<String, Answers>,
    /// The NS that the apex shows here.
    pub(super) apex_ns: Option<RRset>,
    /// What was seen of the zone above.
    pub(super) parent: &'a Parent,
    /// Whether it may end, or was over and is taken back.
    pub(super) is_finished: bool,
    /// What is waited for, where it is to end.
    pub(super) finishing: Option<Waits>,
    /// Why no nameserver may answer without signatures, where that is so.
    pub(super) unsigned: Option<Waits>,
    /// The nameservers that are told to answer by themselves, while any forwards.
    pub(super) cut_over: Option<&'a [String]>,
    /// The last request to compare that was carried out.
    pub(super) compared: Option<&'a str>,
    pub(super) now: Timestamp,
}

pub(super) type Said = (ConditionType, Status, Reason, String);

/// The status that a migration is to have. `before` is the one that it has.
pub(super) fn status(seen: &Seen<'_>, before: Option<&ZoneMigrationStatus>) -> ZoneMigrationStatus {
    let generation = seen.migration.metadata.generation.unwrap_or_default();
    let was_in_sync = before
        .and_then(|before| find_condition(&before.conditions, ConditionType::InSync))
        .is_some_and(|condition| condition.status == Status::True.as_str());
    let mut said = vec![
        seen.reachable(),
        seen.suitable(),
        seen.backfilled(),
        seen.in_sync(was_in_sync),
        seen.dual_writing(),
    ];
    said.extend(answering::conditions(seen));
    said.extend(seen.finished());
    let mut conditions = before.map(|before| before.conditions.clone()).unwrap_or_default();
    // They go with what they are about.
    conditions.retain(|condition| {
        let is_of_nameservers = answering::TYPES.iter().any(|type_| type_.as_str() == condition.type_);
        let is_of_end = condition.type_ == ConditionType::Finished.as_str();
        (!is_of_nameservers || seen.migration.spec.shadow.is_some())
            && (!is_of_end || seen.migration.spec.finish || seen.is_finished)
    });
    let ready = seen.ready(&said);
    for (type_, status, reason, message) in [ready].into_iter().chain(said.clone()) {
        set_condition(&mut conditions, condition(type_, status, reason, message, generation, seen.now));
    }
    let backfilled =
        seen.is_compared.then(|| format!("{}/{}", seen.of().saturating_sub(seen.missing()), seen.of()));
    ZoneMigrationStatus {
        observed_generation: generation,
        phase: Some(seen.phase(&said)),
        legacy: seen.theirs.map(|size| LegacySeen { serial: size.serial, records: size.rrsets }),
        backfilled,
        rejected: seen.is_compared.then_some(seen.rejects.len() as u64),
        rejects: seen.rejects.iter().take(SHOWN).map(candidates::shown).collect(),
        inconsistent: seen.is_compared.then_some((seen.differences.len() + seen.unlisted) as u64),
        differences: seen.differences.iter().take(SHOWN).cloned().collect(),
        waiting: (seen.migration.spec.dual_write != DualWrite::None).then_some(seen.waiting as u64),
        cutover: answering::counted(seen),
        nameservers: answering::nameservers(seen),
        apex_ns: answering::apex_ns(seen),
        parent: seen.parent.seen(),
        shadow: answering::shadow(seen, before),
        legacy_check: seen.check.cloned(),
        fallback: seen.fallback.cloned(),
        compared: seen.compared.map(str::to_owned),
        conditions,
    }
}

/// What was removed here, and legacy does not remove.
fn not_removed(dual_writes: &DualWrites) -> Option<String> {
    let (first, why) = dual_writes.not_removed.first()?;
    let others = dual_writes.not_removed.len() - 1;
    let more = if others > 0 { format!(" and {others} more names") } else { String::new() };
    Some(format!("{}{more} cannot be removed there, so it is answered here too: {why}", name::display(first)))
}

/// It may end, and nameservers are told so.
pub(super) fn ends() -> Waits {
    let message = "nameservers are told that legacy is not to be asked any more".to_owned();
    (Status::False, Reason::InProgress, message)
}

/// The status of a migration that is over; `waits` is what remains to be written before that is so.
pub(super) fn finished(
    migration: &ZoneMigration,
    waits: Option<Waits>,
    before: Option<&ZoneMigrationStatus>,
    now: Timestamp,
) -> ZoneMigrationStatus {
    let generation = migration.metadata.generation.unwrap_or_default();
    let before = before.cloned().unwrap_or_default();
    let is_over = waits.is_none();
    let (status, reason, message) = waits.unwrap_or_else(|| {
        let message = "legacy is not asked any more, and nothing is written to it: delete this ZoneMigration";
        (Status::True, Reason::Finished, message.to_owned())
    });
    let mut conditions = before.conditions;
    conditions.retain(|condition| !answering::TYPES.iter().any(|type_| type_.as_str() == condition.type_));
    for type_ in [ConditionType::Ready, ConditionType::Finished] {
        set_condition(&mut conditions, condition(type_, status, reason, &message, generation, now));
    }
    for type_ in [
        ConditionType::LegacyReachable,
        ConditionType::LegacySuitable,
        ConditionType::Backfilled,
        ConditionType::InSync,
        ConditionType::DualWriting,
    ] {
        let message = "the migration is over: legacy is not asked any more";
        let said = condition(type_, Status::Unknown, Reason::NotWanted, message, generation, now);
        set_condition(&mut conditions, said);
    }
    ZoneMigrationStatus {
        observed_generation: generation,
        phase: Some(if is_over { MigrationPhase::Finished } else { MigrationPhase::Finishing }),
        nameservers: before.nameservers,
        cutover: before.cutover,
        parent: before.parent,
        compared: before.compared,
        conditions,
        ..ZoneMigrationStatus::default()
    }
}

impl Seen<'_> {
    /// Whether it is over; nothing where it is not to end.
    fn finished(&self) -> Option<Said> {
        if !self.migration.spec.finish {
            return None;
        }
        let (status, reason, message) = match &self.finishing {
            Some(waits) => waits.clone(),
            None if self.is_finished => ends(),
            None => {
                let message = "it was not looked at yet whether it may end".to_owned();
                (Status::Unknown, Reason::Pending, message)
            }
        };
        Some((ConditionType::Finished, status, reason, message))
    }

    /// RRsets of legacy that are not here. What was deleted here, and what both sides changed, is not to come.
    fn missing(&self) -> usize {
        self.apart.iter().filter(|one| is_missing(one)).count() + self.unheld.whole()
    }

    /// RRsets that are to be here: those of legacy without what was deleted here since.
    fn of(&self) -> usize {
        let deleted = self.apart.iter().filter(|one| one.ours.is_none() && !is_missing(one)).count();
        self.of.saturating_sub(deleted)
    }

    /// How many of these are not listed as refused.
    fn not_refused(&self, of: impl Fn(&Apart) -> bool) -> usize {
        let is_refused: BTreeSet<(&str, &str)> =
            self.rejects.iter().map(|one| (one.name.as_str(), one.type_.as_str())).collect();
        let all = self.apart.iter().filter(|one| of(one));
        if is_refused.is_empty() {
            return all.count();
        }
        let is_open = |one: &&Apart| {
            let (name, type_) = (name::display(&one.name), rdata::display_rtype(one.rtype));
            !is_refused.contains(&(name.as_str(), type_.as_str()))
        };
        all.filter(is_open).count()
    }

    fn reachable(&self) -> Said {
        let (status, reason, message) = match (&self.legacy, self.theirs) {
            (None, _) => (Status::Unknown, Reason::Pending, "legacy was not asked yet".to_owned()),
            (Some(Err((reason, why))), _) => (Status::False, *reason, why.clone()),
            (Some(Ok(())), Some(Size { serial, rrsets })) => {
                (Status::True, Reason::Answered, format!("serial {serial} with {rrsets} RRsets"))
            }
            (Some(Ok(())), None) => (Status::True, Reason::Answered, "it answers".to_owned()),
        };
        (ConditionType::LegacyReachable, status, reason, message)
    }

    fn suitable(&self) -> Said {
        let (status, reason, message) = match self.check {
            None => (Status::Unknown, Reason::Pending, "legacy was not asked much at once yet".to_owned()),
            Some(check) => {
                let (status, reason) = match (check.at_once, check.by_client) {
                    (AtOnce::Silent, _) => (Status::False, Reason::NoAnswerOverUDP),
                    (AtOnce::Limited, _) => (Status::False, Reason::RateLimited),
                    (AtOnce::Answered, ByClient::Differs) => (Status::False, Reason::AnswersByClient),
                    (AtOnce::Answered, ByClient::Untold) => (Status::Unknown, Reason::NotAsked),
                    (AtOnce::Answered, ByClient::Alike) => (Status::True, Reason::Answered),
                };
                (status, reason, format!("as of {}: {}; {}", check.at, check.burst, check.clients))
            }
        };
        (ConditionType::LegacySuitable, status, reason, message)
    }

    fn backfilled(&self) -> Said {
        let rejected = self.rejects.len();
        let (missing, of) = (self.missing(), self.of());
        let (status, reason, message) = if !self.is_compared {
            (Status::Unknown, Reason::Pending, "the zone was not transferred yet".to_owned())
        } else if missing == 0 {
            (Status::True, Reason::Complete, format!("all {of} RRsets of legacy are here"))
        } else if self.not_refused(is_missing) == 0 {
            let message = format!(
                "{} of {of} RRsets of legacy are here; {rejected} are refused: see status.rejects",
                of.saturating_sub(missing)
            );
            (Status::True, Reason::Rejected, message)
        } else if self.migration.spec.backfill.is_none() {
            let message = format!(
                "{missing} of {of} RRsets of legacy are not here, and spec.backfill does not ask for them"
            );
            (Status::False, Reason::NotWanted, message)
        } else {
            let message = format!("{} of {of} RRsets of legacy are here", of.saturating_sub(missing));
            (Status::False, Reason::InProgress, message)
        };
        (ConditionType::Backfilled, status, reason, message)
    }

    /// `was` says whether it was so before: what was seen to differ once does not count.
    fn in_sync(&self, was: bool) -> Said {
        let unheld = self.unheld.told().map(|told| format!("; {told}")).unwrap_or_default();
        let (status, reason, message) = match (self.doubt, self.theirs, self.ours) {
            (Some(doubt), ..) => {
                let message = format!("what legacy says is not believed, and nothing of it is used: {doubt}");
                (Status::Unknown, Reason::LegacyImplausible, message)
            }
            (None, Some(theirs), Some(ours))
                if self.is_compared && self.migration.spec.compare.serial && ours != theirs.serial =>
            {
                let message = format!("serial {ours} is published here and {} at legacy", theirs.serial);
                (Status::False, Reason::Differences, message)
            }
            (None, Some(theirs), Some(ours))
                if self.is_compared && self.apart.is_empty() && self.unheld.is_empty() =>
            {
                let answers = match self.answers_otherwise() {
                    0 => String::new(),
                    count => format!(
                        "; {count} questions are answered otherwise nevertheless: see status.differences"
                    ),
                };
                let left_out = match self.migration.spec.compare.leave_out.len() {
                    0 => String::new(),
                    count => format!(", but for {count} entries of spec.compare.leaveOut"),
                };
                let message = format!(
                    "{} RRsets are the same at serial {ours} here and {} at legacy{left_out}{answers}{unheld}",
                    self.of(),
                    theirs.serial
                );
                (Status::True, Reason::Equal, message)
            }
            (None, Some(_), Some(_)) if self.is_compared && was && self.is_passing() => {
                let message = format!("{} RRsets were seen to differ once, which may pass", self.apart.len());
                (Status::True, Reason::Equal, message)
            }
            (None, Some(_), Some(_)) if self.is_compared => {
                (Status::False, Reason::Differences, self.difference() + &unheld)
            }
            _ => (Status::Unknown, Reason::Pending, "they were not compared yet".to_owned()),
        };
        (ConditionType::InSync, status, reason, message)
    }

    /// Whether nothing that differs was seen to do so twice.
    fn is_passing(&self) -> bool {
        self.differences.len() == self.answers_otherwise() && self.unheld.is_empty()
    }

    fn difference(&self) -> String {
        let first = self.differences.first().map(|first| format!(", the first is {}", first.in_short()));
        format!(
            "{} RRsets differ, {} of them seen twice{}",
            self.apart.len(),
            self.differences.len() + self.unlisted - self.answers_otherwise(),
            first.unwrap_or_default()
        )
    }

    /// Questions that are answered otherwise though the records are the same.
    fn answers_otherwise(&self) -> usize {
        self.differences.iter().filter(|one| one.kind == DifferenceKind::Answer).count()
    }

    fn dual_writing(&self) -> Said {
        let is_sync = self.migration.spec.dual_write == DualWrite::Sync;
        let refused = self.refused.map(str::to_owned).or_else(|| self.dual_writes.and_then(not_removed));
        let (status, reason, message) = match (self.migration.spec.dual_write, refused) {
            (DualWrite::None, _) => (Status::False, Reason::NotWanted, "spec.dualWrite is None".to_owned()),
            (_, Some(refused)) => (Status::False, Reason::LegacyRefused, refused),
            (_, None) if is_sync && self.dual_writes.is_none() => {
                let why = "changes are not yet held until legacy has them".to_owned();
                (Status::Unknown, Reason::Pending, why)
            }
            (_, None) if !self.is_compared => {
                (Status::Unknown, Reason::Pending, "they were not compared yet".to_owned())
            }
            (_, None) if self.waiting > 0 => (
                Status::True,
                Reason::Waiting,
                format!("{} changes wait to be written to legacy", self.waiting),
            ),
            (DualWrite::Async, None) => {
                (Status::True, Reason::Written, "what changes on one side is written to the other".to_owned())
            }
            (DualWrite::Sync, None) => {
                (Status::True, Reason::Written, "a change here is at both or at neither".to_owned())
            }
        };
        (ConditionType::DualWriting, status, reason, message)
    }

    /// What is asked for is so.
    fn ready(&self, said: &[Said]) -> Said {
        let type_ = ConditionType::Ready;
        if let Some((reason, why)) = self.trouble {
            return (type_, Status::False, *reason, why.clone());
        }
        let is_wanted = |condition: ConditionType| match condition {
            ConditionType::Backfilled => self.migration.spec.backfill.is_some(),
            ConditionType::DualWriting => self.migration.spec.dual_write != DualWrite::None,
            // What is refused here is not the same on both sides, and is listed.
            ConditionType::InSync => {
                let only_rejects = !self.migration.spec.compare.serial && self.not_refused(|_| true) == 0;
                !only_rejects || !self.is_compared || self.doubt.is_some()
            }
            ConditionType::CutOver => {
                !self.migration.spec.cutover.is_empty() && !self.migration.spec.fallback
            }
            ConditionType::FallenBack => self.migration.spec.fallback,
            ConditionType::Finished => self.migration.spec.finish,
            // It may be so on purpose, and only questions of clients show whether it matters.
            ConditionType::LegacySuitable => false,
            ConditionType::Shadowing => {
                !said.iter().any(|(type_, _, reason, _)| *type_ == condition && *reason == Reason::NotWanted)
            }
            _ => true,
        };
        match said.iter().find(|(condition, status, ..)| is_wanted(*condition) && *status != Status::True) {
            Some((_, status, reason, message)) => (type_, *status, *reason, message.clone()),
            None => (type_, Status::True, Reason::Equal, "all that the spec asks for is so".to_owned()),
        }
    }

    fn phase(&self, said: &[Said]) -> MigrationPhase {
        let is = |type_: ConditionType| {
            said.iter().any(|(one, status, ..)| *one == type_ && *status == Status::True)
        };
        let is_cut_over = self.cut_over.is_some_and(|told| !told.is_empty());
        let falls_back = self.migration.spec.fallback || self.fallback.is_some();
        if self.migration.spec.shadow.is_some() && falls_back {
            MigrationPhase::FallenBack
        } else if self.migration.spec.finish {
            MigrationPhase::Finishing
        } else if is(ConditionType::CutOver) {
            MigrationPhase::CutOver
        } else if is_cut_over {
            MigrationPhase::CuttingOver
        } else if is(ConditionType::Shadowing) {
            MigrationPhase::Shadowing
        } else if !self.is_compared {
            MigrationPhase::Waiting
        } else if is(ConditionType::DualWriting) {
            MigrationPhase::DualWriting
        } else if self.migration.spec.backfill.is_some() && !is(ConditionType::Backfilled) {
            MigrationPhase::Backfilling
        } else {
            MigrationPhase::Comparing
        }
    }
}

/// Whether legacy has it, it is not here, and is to come.
fn is_missing(one: &Apart) -> bool {
    one.ours.is_none() && one.changed == Changed::Legacy
}

/// What is apart, as it is listed.
pub(super) fn difference(apart: &Apart, since: Timestamp, kept: Option<&str>) -> RRsetDifference {
    let kind = match (&apart.ours, &apart.theirs) {
        (None, _) => DifferenceKind::MissingHere,
        (_, None) => DifferenceKind::MissingThere,
        (Some(ours), Some(theirs)) => {
            let mut with_ttl = ours.clone();
            with_ttl.ttl = theirs.ttl;
            if with_ttl.says_the_same_as(theirs) { DifferenceKind::TTL } else { DifferenceKind::Values }
        }
    };
    let cut = |text: String| text.chars().take(SHOWN_SIDE).collect::<String>();
    RRsetDifference {
        name: name::display(&apart.name),
        type_: rdata::display_rtype(apart.rtype),
        kind,
        port53: apart.ours.as_ref().map(|rrset| cut(text(rrset))),
        legacy: apart.theirs.as_ref().map(|rrset| cut(text(rrset))),
        changed: match apart.changed {
            Changed::Port53 => ChangedSide::Port53,
            Changed::Legacy => ChangedSide::Legacy,
            Changed::Both => ChangedSide::Both,
        },
        since: since.to_string(),
        kept: kept.map(|kept| cut(kept.to_owned())),
    }
}

/// `300 192.0.2.1, 192.0.2.2`.
fn text(rrset: &RRset) -> String {
    let values: Vec<String> = rrset.values().iter().map(|value| rdata::display(rrset.rtype, value)).collect();
    format!("{} {}", rrset.ttl, values.join(", "))
}
