//! Telling people: the status, the lists beside it, and events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use port53_crds::{AnswerDifference, Reason, ZoneMigration, ZoneMigrationStatus};
use port53_zone::name;

use super::super::doubt::Size;
use super::super::merge::Apart;
use super::super::status::{self, Seen};
use super::super::writing;
use super::{Turn, Worker};
use crate::cluster::events::{self, News};
use crate::index;

/// Differences that are listed, in canonical order; of others the number is told.
const LISTED: usize = 10_000;
/// How often lists are written while much comes over.
const LISTED_EVERY: Duration = Duration::from_secs(30);
/// Reasons of conditions that are not True, and nobody needs to do anything about.
const USUAL: [Reason; 4] =
    [Reason::NotWanted, Reason::InProgress, Reason::WaitingForCutover, Reason::WaitingForCaches];

impl Worker {
    pub(super) fn list_differences(&mut self, found: &[Apart]) {
        let counted = found.iter().filter_map(|one| Some((one, self.memory.counts_since(one.place())?)));
        self.unlisted = counted.clone().count().saturating_sub(LISTED);
        let listed = counted.take(LISTED).map(|(one, since)| {
            let kept = self.memory.kept(one.place()).or_else(|| self.memory.said(&one.name));
            status::difference(one, since, kept)
        });
        // What is answered otherwise where records differ by now is no other difference.
        let apart: std::collections::BTreeSet<String> =
            found.iter().map(|one| name::display(&one.name)).collect();
        let otherwise = self.otherwise.iter().filter(|one| !apart.contains(&one.name)).cloned();
        self.differences = listed.chain(otherwise).collect();
    }

    /// Says how far it is, where that is something new.
    pub(super) async fn report(
        &mut self,
        migration: &Arc<ZoneMigration>,
        trouble: Option<&(Reason, String)>,
        turn: Option<&Turn>,
        found: &[Apart],
        waiting: Option<usize>,
    ) {
        let refused = self.memory.any_said().map(|(name, said)| format!("{}: {said}", name::display(name)));
        let refused = refused.or_else(|| self.updates.refused().map(str::to_owned));
        let dual_writes = turn.and_then(|turn| turn.world.dual_writes.get(&turn.scope.apex));
        let observed = self.watching.observed.borrow().clone();
        let fallback = self.fallback(migration);
        let seen = Seen {
            migration,
            shadow: observed.at.map(|_| &observed.told),
            silent: &observed.silent,
            waits: self.waits.as_ref(),
            fallback: fallback.as_ref(),
            check: self.check.as_ref(),
            trouble,
            legacy: self.legacy.clone(),
            theirs: self
                .theirs
                .as_ref()
                .map(|theirs| Size { serial: theirs.soa.serial, rrsets: theirs.content.len() as u64 }),
            of: self.counted,
            doubt: self.doubt.as_deref(),
            ours: turn.and_then(|turn| turn.published.as_ref()).map(|published| published.soa.serial),
            is_compared: waiting.is_some(),
            apart: found,
            differences: &self.differences,
            rejects: &self.rejects,
            unheld: &self.unheld,
            unlisted: self.unlisted,
            waiting: waiting.unwrap_or_default()
                + dual_writes.map_or(0, |on_their_way| on_their_way.names.len()),
            refused: refused.as_deref(),
            dual_writes,
            answers: &self.seen.answers,
            apex_ns: turn.and_then(Turn::apex_ns),
            parent: &self.parent,
            is_finished: self.is_finished,
            finishing: turn.and_then(|turn| self.waits_to_finish(turn, found)),
            unsigned: turn.and_then(|turn| self.unsigned_is_refused(turn)),
            cut_over: turn.and_then(Turn::told),
            compared: self.compared.as_deref(),
            now: Timestamp::now(),
        };
        let status = status::status(&seen, self.said.as_ref());
        // While much comes over the lists are others each time, and long.
        let is_moving = self.is_behind || self.place.is_waited_for();
        let is_due = !is_moving || self.listed_at.is_none_or(|at| at.elapsed() >= LISTED_EVERY);
        if waiting.is_some() && is_due {
            self.listed_at = Some(Instant::now());
            self.write_lists(migration, &observed.samples).await;
        }
        if self.said.as_ref() == Some(&status) || self.shared.fence.is_closed() {
            return;
        }
        let had_fallback = self.said.as_ref().is_some_and(|said| said.fallback.is_some());
        let is_over = had_fallback && status.fallback.is_none();
        match writing::write_status(&self.shared.client, migration, &status, is_over).await {
            Ok(()) => {
                self.tell(migration, &status);
                self.said = Some(status);
            }
            Err(error) => tracing::debug!("the status of a migration is not written yet: {error}"),
        }
    }

    /// Events about what a person should notice: conditions that are other than they were.
    pub(super) fn tell(&self, migration: &ZoneMigration, status: &ZoneMigrationStatus) {
        let before = self.said.as_ref().map(|said| said.conditions.as_slice()).unwrap_or_default();
        for condition in status.conditions.iter().filter(|condition| condition.type_ != "Ready") {
            let was = before.iter().find(|before| before.type_ == condition.type_);
            let is_news =
                was.is_some_and(|was| (&was.status, &was.reason) != (&condition.status, &condition.reason));
            if !is_news || condition.status == "Unknown" && condition.reason == Reason::Pending.as_str() {
                continue;
            }
            let is_usual = USUAL.iter().any(|reason| reason.as_str() == condition.reason);
            let is_limit = condition.reason == Reason::LimitExceeded.as_str();
            let is_warning = is_limit || !is_usual && condition.status != "True";
            let news = News {
                is_warning,
                action: "Migrate",
                reason: format!("{}{}", condition.type_, condition.reason),
                note: condition.message.clone(),
            };
            let uid = migration.metadata.uid.clone().unwrap_or_default();
            let key = index::key(&migration.metadata);
            tokio::spawn(events::tell(self.shared.client.clone(), "ZoneMigration", key, uid, news));
        }
    }

    pub(super) async fn write_lists(&mut self, migration: &ZoneMigration, samples: &[AnswerDifference]) {
        let (client, fence) = (&self.shared.client, &self.shared.fence);
        let prints = [print_of(&self.rejects), print_of(&self.differences), print_of(samples)];
        for (which, print) in prints.into_iter().enumerate() {
            let is_empty = [self.rejects.is_empty(), self.differences.is_empty(), samples.is_empty()][which];
            // Nothing was ever listed where there is nothing to list.
            if self.listed[which] == Some(print)
                || self.listed[which].is_none() && is_empty
                || fence.is_closed()
            {
                continue;
            }
            let written = match which {
                0 => writing::write_list(client, migration, "rejects", &self.rejects).await,
                1 => writing::write_list(client, migration, "differences", &self.differences).await,
                _ => writing::write_list(client, migration, "shadow", samples).await,
            };
            match written {
                Ok(()) => self.listed[which] = Some(print),
                Err(error) => tracing::warn!("a list of a migration is not written yet: {error}"),
            }
        }
    }
}

/// Tells a list from another.
fn print_of<T: serde::Serialize>(list: &[T]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for item in list {
        // One by one: a list may be long.
        serde_json::json!(item).to_string().hash(&mut hasher);
    }
    hasher.finish()
}
