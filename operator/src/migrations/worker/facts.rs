//! What was seen, for who decides who is to answer.

use std::time::{Duration, Instant};

use port53_zone::Rtype;

use super::super::cutover::Facts;
use super::super::merge::Apart;
use super::{Turn, Worker, answers};

/// How often it is looked at who answers at each nameserver.
const SEEN_EVERY: Duration = Duration::from_secs(1);

impl Worker {
    /// Asks every pod who answers, when that is due.
    pub(super) async fn see_who_answers(&mut self, turn: &Turn) {
        let theirs = self.theirs.as_ref().map(|theirs| theirs.soa.clone());
        let (Some(theirs), Some(published)) = (theirs, &turn.published) else { return };
        let is_due = self.seen_at.is_none_or(|at| at.elapsed() >= SEEN_EVERY);
        let is_wanted = turn.migration.spec.shadow.is_some() || turn.migration.spec.finish;
        if !is_wanted || !is_due {
            return;
        }
        self.seen_at = Some(Instant::now());
        let legacy = self.server(&turn.migration).await.ok();
        let (resolvers, apex) = (&turn.world.resolvers, &turn.scope.apex);
        let seen = answers::seen(resolvers, apex, &published.soa, &theirs, legacy.as_ref()).await;
        let told = turn.world.forwardings.get(apex).cloned();
        self.seen = if told == self.told { seen.or_as(&self.seen) } else { seen };
        self.told = told;
    }

    /// Says what was seen to who decides who is to answer.
    pub(super) fn tell_facts(&mut self, turn: &Turn, found: &[Apart]) {
        let is_same =
            self.theirs.is_some() && found.is_empty() && self.unheld.is_empty() && self.doubt.is_none();
        let is_ready = is_same
            && self.seen.have_it
            && matches!(self.legacy, Some(Ok(())))
            && self.unsigned_is_refused(turn).is_none();
        self.is_same = is_same;
        self.same_at = self.serials(turn).filter(|_| is_same);
        self.look_at_gate(turn, is_ready);
        let is_ready = is_ready && self.waits.is_none();
        let facts = Facts {
            is_ready,
            generation: self.looked_after,
            answers: self.seen.answers.clone(),
            uid: turn.migration.metadata.uid.clone(),
            is_finished: self.is_finished,
            apex_ns: self.theirs.as_ref().and_then(|theirs| theirs.content.get(&turn.scope.apex, Rtype::NS)),
        };
        self.put_facts(turn, facts);
    }

    /// The same of one that is over: nobody looks any more.
    pub(super) fn say_over(&self, turn: &Turn) {
        let facts = Facts { uid: turn.migration.metadata.uid.clone(), is_finished: true, ..Facts::default() };
        self.put_facts(turn, facts);
    }

    fn put_facts(&self, turn: &Turn, facts: Facts) {
        self.shared.facts.send_if_modified(|all| {
            let is_other = all.get(&turn.key) != Some(&facts);
            if is_other {
                all.insert(turn.key.clone(), facts);
            }
            is_other
        });
    }
}
