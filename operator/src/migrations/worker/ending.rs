//! Ending: what is waited for, and a migration that is over. Then legacy is not asked and nothing is written to it.
//!
//! That it is over is told first, so that nameservers answer by themselves and the apex shows those of the Zone; once that is
//! written, the status says so. Taken back, the status says so until the head has it that nameservers may be led to legacy:
//! an operator that begins between the two finds all of them cut over, as they are.

use k8s_openapi::jiff::Timestamp;
use port53_crds::{ConditionType, QUIET_ANNOTATION, ZoneMigrationStatus, find_condition};

use super::super::finish::{Given, is_over, waits};
use super::super::merge::{Apart, Changed};
use super::super::parent::Waits;
use super::super::status;
use super::super::writing;
use super::{Turn, Worker, annotation};

/// Whether a status says that it is over.
pub(in super::super) fn is_finished(status: &ZoneMigrationStatus) -> bool {
    find_condition(&status.conditions, ConditionType::Finished).is_some_and(|one| one.status == "True")
}

impl Worker {
    /// Whether it is over, and legacy is not to be asked.
    pub(super) fn is_over(&mut self, turn: &Turn) -> bool {
        let spec = &turn.migration.spec;
        let is_over = is_over(spec, self.is_finished);
        let is_forwarded = turn.world.forwardings.contains_key(&turn.scope.apex);
        if self.is_finished && !is_over && (is_forwarded || spec.shadow.is_none()) {
            // Taken back.
            self.is_finished = false;
        }
        is_over
    }

    /// What is waited for, of a migration that is to end and is not over.
    pub(super) fn waits_to_finish(&self, turn: &Turn, found: &[Apart]) -> Option<Waits> {
        if !turn.migration.spec.finish {
            return None;
        }
        let is_reached = matches!(self.legacy, Some(Ok(())));
        let is_gone = annotation(&turn.migration, QUIET_ANNOTATION) == Some("true");
        let given = Given {
            migration: &turn.migration,
            answers: &self.seen.answers,
            told: turn.told(),
            // One question that was lost is no reason to forget what it has; that it is gone for good a person says.
            has_more: (is_reached || !is_gone)
                && (found.iter().any(|one| one.changed != Changed::Port53)
                    || !self.unheld.is_empty()
                    || self.doubt.is_some()),
            parent: &self.parent,
            ours: self.ours.as_ref(),
            now: Timestamp::now(),
        };
        waits(&given)
    }

    /// Looks whether it may end now, after both sides were compared.
    pub(super) fn finish(&mut self, turn: &Turn, found: &[Apart]) {
        let spec = &turn.migration.spec;
        let is_looked_after =
            self.looked_after == turn.migration.metadata.generation || !matches!(self.legacy, Some(Ok(())));
        if spec.finish && is_looked_after && self.waits_to_finish(turn, found).is_none() {
            self.is_finished = true;
        }
    }

    /// Says that it is over, once every nameserver is told to answer by itself.
    pub(super) async fn report_finished(&mut self, turn: &Turn) {
        let waits = turn.told().map(|_| status::ends());
        let status = status::finished(&turn.migration, waits, self.said.as_ref(), Timestamp::now());
        if self.said.as_ref() == Some(&status) || self.shared.fence.is_closed() {
            return;
        }
        match writing::write_status(&self.shared.client, &turn.migration, &status, true).await {
            Ok(()) => {
                self.tell(&turn.migration, &status);
                self.said = Some(status);
            }
            Err(error) => tracing::debug!("the status of a migration is not written yet: {error}"),
        }
    }
}

impl Turn {
    /// The nameservers that are told to answer by themselves; nothing where all are.
    pub(super) fn told(&self) -> Option<&[String]> {
        self.world.forwardings.get(&self.scope.apex).map(|forwarding| forwarding.cut_over.as_slice())
    }
}
