//! What questions show: those of clients, those that are put to both sides, and those to legacy before it is forwarded to.
//! What takes long is begun in one turn and taken in another.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use port53_crds::{Answers, AutomaticFallback, Reason, ZoneMigration, parse_duration};
use tokio_util::task::AbortOnDropHandle;

use super::super::questions::{self, Otherwise};
use super::super::shadow::{gate, latch, limits};
use super::super::{LEGACY_ADDRESSES, address, beforehand};
use super::{Shared, Turn, Worker};
use crate::cluster::confirm::Resolver;
use crate::index;

/// Before the same questions are put to both once more, where nothing could be told.
const ASKED_AGAIN: Duration = Duration::from_secs(5);

impl Worker {
    /// Looks at what questions of clients show, now that both sides were looked at: whether they are the same.
    pub(super) fn look_at_gate(&mut self, turn: &Turn, is_same: bool) {
        let observed = self.watching.observed.borrow().clone();
        let serials = self.theirs.as_ref().zip(turn.published.as_ref());
        let serials = serials.map(|(theirs, ours)| [ours.soa.serial, theirs.soa.serial]);
        if let Some([began, ended]) = observed.at {
            self.gate.heard(began, ended, observed.compared);
        }
        if let Some(polled) = self.polled {
            // What is published was so when the world was made.
            self.gate.looked(polled.min(turn.world.at), serials.filter(|_| is_same));
        }
        let Some(shadow) = turn.migration.spec.shadow.as_ref().filter(|_| is_same) else {
            self.waits = None;
            return;
        };
        let cut_over = turn.world.forwardings.get(&turn.scope.apex);
        let cut_over = cut_over.map(|forwarding| forwarding.cut_over.as_slice()).unwrap_or_default();
        let wanted = turn.migration.spec.cutover.iter().filter(|name| !cut_over.contains(name));
        let next: Vec<&str> = wanted.map(String::as_str).collect();
        let rollout = self.shared.rollouts.borrow().waits(&next);
        let compared = self.gate.compared(Instant::now());
        self.waits = rollout.map(|why| (Reason::WaitingForRollout, why)).or_else(|| {
            Some((Reason::WaitingForShadow, gate::waits(shadow, compared, &observed.told.samples)?))
        });
    }

    /// Falls back where nameservers that are not cut over find too many answers to differ.
    pub(super) async fn heed_differences(&mut self, turn: &Turn) {
        let is_any_cut_over = turn
            .world
            .forwardings
            .get(&turn.scope.apex)
            .is_some_and(|forwarding| !forwarding.cut_over.is_empty());
        let limits = turn.migration.spec.shadow.as_ref().and_then(|shadow| shadow.fallback_on.as_ref());
        let Some(limits) = limits.filter(|_| is_any_cut_over && self.fallback(&turn.migration).is_none())
        else {
            return;
        };
        if let Some(beyond) = limits::differences(limits, self.gate.compared(Instant::now())) {
            let Shared { client, fence, latches, .. } = &self.shared;
            latch::begin(client, fence, latches, &turn.migration, &beyond).await;
        }
    }

    /// The automatic fallback that holds now.
    pub(super) fn fallback(&self, migration: &ZoneMigration) -> Option<AutomaticFallback> {
        let begun = self.shared.latches.borrow().get(&index::key(&migration.metadata)).cloned();
        let written = self.said.as_ref().and_then(|said| said.fallback.as_ref());
        latch::holding(migration, begun.as_ref(), written).cloned()
    }

    /// Has the same questions put to both sides, where that is due, and takes what came of it; when a person has asked for it,
    /// now.
    pub(super) async fn ask_both(&mut self, turn: &Turn, is_requested: bool) {
        let interval =
            parse_duration(&turn.migration.spec.compare.interval).unwrap_or(Duration::from_secs(300));
        let is_due = is_requested || self.asked_at.is_none_or(|at| at.elapsed() >= interval);
        if is_requested {
            // What was asked before may be of another version.
            self.asking = None;
        }
        let serials = self.serials(turn);
        let are_same = serials.is_some() && serials == self.same_at;
        if self.asking.is_none() && is_due && are_same {
            self.asking = self.begin_to_ask_both(turn);
            (self.asked_of, self.answered_at) = (serials, None);
        }
        if self.asking.as_ref().is_some_and(|asking| asking.is_finished()) {
            self.answered_at.get_or_insert_with(Instant::now);
        }
        // Legacy was looked at since: it has the records that it had.
        let is_looked_at =
            self.answered_at.zip(self.polled).is_some_and(|(answered, polled)| polled >= answered);
        let Some(asking) = self.asking.take_if(|_| is_requested || is_looked_at) else { return };
        match asking.await {
            Ok(Some(found)) if are_same && serials == self.asked_of => {
                self.otherwise = questions::listed(&found, &self.otherwise, Timestamp::now());
            }
            // The zone changed meanwhile, as when its apex comes to show other NS: soon once more.
            _ => self.asked_at = Instant::now().checked_sub(interval.saturating_sub(ASKED_AGAIN)),
        }
    }

    /// The serials of both sides as they are known, here first.
    pub(super) fn serials(&self, turn: &Turn) -> Option<[u32; 2]> {
        let (theirs, ours) = self.theirs.as_ref().zip(turn.published.as_ref())?;
        Some([ours.soa.serial, theirs.soa.serial])
    }

    /// While records differ, answers do, and that is said already.
    fn begin_to_ask_both(&mut self, turn: &Turn) -> Option<AbortOnDropHandle<Option<Vec<Otherwise>>>> {
        let published = turn.published.as_ref().filter(|_| self.is_same)?;
        let legacy = turn
            .migration
            .spec
            .legacy
            .addresses
            .iter()
            .find_map(|text| address(LEGACY_ADDRESSES, text).ok())?;
        let pod = turn.world.resolvers.first()?.address;
        self.asked_at = Some(Instant::now());
        let zone = (published.soa.clone(), published.content.clone());
        let left_out = turn.scope.left_out.names().cloned().collect();
        Some(AbortOnDropHandle::new(tokio::spawn(questions::otherwise(legacy, pod, zone, left_out))))
    }

    /// Has legacy asked much at once and as by others, where that is due, and takes what came of it.
    pub(super) async fn check_beforehand(&mut self, turn: &Turn) {
        if let Some(checking) = self.checking.take_if(|checking| checking.is_finished()) {
            // One that panicked has seen nothing, which is a bug.
            if let Ok(check) = checking.await {
                self.check = Some(check);
            }
        }
        let (Some(theirs), Some(Ok(()))) = (&self.theirs, &self.legacy) else { return };
        if self.checking.is_some() {
            return;
        }
        let addresses = turn.migration.spec.legacy.addresses.clone();
        let forwards = |resolver: &&Resolver| self.seen.answers.get(&resolver.name) == Some(&Answers::Legacy);
        // Pods compare what they forward: answers differ while records do.
        let forwarding = turn.world.resolvers.iter().filter(|pod| self.is_same && forwards(pod));
        let pods: Vec<Resolver> = forwarding.cloned().collect();
        let due = beforehand::due(self.check.as_ref(), &addresses, pods.len(), Timestamp::now());
        let Some(due) = due else { return };
        let zone = (theirs.soa.clone(), theirs.content.clone());
        let asking =
            beforehand::check(due, self.check.clone(), addresses, zone, pods, self.shared.bursts.clone());
        self.checking = Some(AbortOnDropHandle::new(tokio::spawn(asking)));
    }
}
