//! Writing to legacy what is here and is to be there, and reading back what it has then.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use port53_crds::DualWrite;
use port53_legacy::{Outcome, Prerequisite};

use super::super::agreed::Print;
use super::super::merge::{Apart, Changed};
use super::super::prefer::{Prefer, Side};
use super::super::sending::{NotTaken, write_and_read_back};
use super::super::updates::updates;
use super::{AT_ONCE, Turn, Worker};

/// Updates on their way at the same time.
const UPDATES_AT_A_TIME: usize = 8;

/// How long it counts that legacy takes no updates.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// What legacy said to an update that changes nothing.
#[derive(Debug, Default)]
pub(super) enum Updates {
    /// It was not asked yet.
    #[default]
    NotAsked,
    /// It takes them, for all that can be seen without a change.
    Taken,
    /// It does not: why, and when that was said.
    Refused(String, Instant),
}

impl Updates {
    /// Why legacy takes none.
    pub(super) fn refused(&self) -> Option<&str> {
        match self {
            Updates::Refused(why, _) => Some(why),
            Updates::NotAsked | Updates::Taken => None,
        }
    }
}

impl Worker {
    /// Asks legacy whether it takes updates at all, before there is anything to write: it is better known now than with the
    /// first change.
    pub(super) async fn ask_for_updates(&mut self, turn: &Turn) {
        if turn.migration.spec.dual_write == DualWrite::None {
            self.updates = Updates::NotAsked;
            return;
        }
        let is_due = match &self.updates {
            Updates::NotAsked => true,
            Updates::Taken => false,
            Updates::Refused(_, at) => at.elapsed() >= REFUSED_FOR,
        };
        if !is_due || !matches!(self.legacy, Some(Ok(()))) || self.shared.fence.is_closed() {
            return;
        }
        let Ok(server) = self.server(&turn.migration).await else { return };
        let apex = &turn.scope.apex;
        self.updates = match server.holds(apex, &[Prerequisite::InUse(apex.clone())]).await {
            Ok(_) => Updates::Taken,
            Err(trouble) if trouble.outcome() == Outcome::Final => {
                let why = format!("legacy takes no updates of this zone: {trouble}");
                Updates::Refused(why, Instant::now())
            }
            // Whether it can be reached is said elsewhere.
            Err(_) => Updates::NotAsked,
        };
    }

    /// Writes to legacy what is here and is to be there. Says how much of it waits.
    pub(super) async fn write_there(
        &mut self,
        turn: &Turn,
        found: &[Apart],
        prefer: Option<&Prefer>,
    ) -> usize {
        let mut to_go = to_go(turn, found, prefer);
        // Written whole, it would lose there what cannot be held here.
        to_go.retain(|one| !self.unheld.has(one.place()));
        let now = Instant::now();
        let mut planned = updates(to_go.iter().copied());
        planned.retain(|planned| self.memory.may_try(&planned.update.name, now));
        planned.truncate(AT_ONCE);
        // What cannot be reached is found again by the next look at it. A zone that is not published has removed nothing.
        if turn.published.is_none()
            || planned.is_empty()
            || self.shared.fence.is_closed()
            || !matches!(self.legacy, Some(Ok(())))
        {
            return to_go.len();
        }
        let server = match self.server(&turn.migration).await {
            Ok(server) => server,
            Err(trouble) => {
                self.legacy = Some(Err(trouble));
                return to_go.len();
            }
        };
        let apex = turn.scope.apex.clone();
        let sending = stream::iter(planned)
            .map(move |planned| write_and_read_back(server.clone(), apex.clone(), planned, || {}));
        let mut sending = sending.buffer_unordered(UPDATES_AT_A_TIME);
        let mut done = 0;
        while let Some(written) = sending.next().await {
            for (rtype, rrset) in &written.read {
                self.memory.read_back(&written.name, *rtype, rrset.clone());
            }
            match written.result {
                Ok(()) => {
                    done += written.apart.len();
                    // Both agree, though it may have changed here again before they are seen to.
                    if let Some(agreed) = &mut self.agreed {
                        for one in &written.apart {
                            agreed.note(one.place(), one.ours.as_ref().map(Print::of));
                        }
                    }
                }
                Err(NotTaken::Said(said) | NotTaken::Partly(said)) => {
                    self.memory.tried(&written.name, &written.apart, Some(said), now);
                }
                Err(NotTaken::Changed(_)) => {
                    self.memory.tried(&written.name, &written.apart, None, now);
                    self.transferred = None;
                }
                Err(NotTaken::Passing(trouble)) => {
                    self.memory.tried(&written.name, &written.apart, None, now);
                    self.legacy = Some(Err(trouble));
                    // The others would wait as long, each.
                    break;
                }
            }
        }
        // What was written, or found to be another, is seen in the next turn, which begins at once.
        self.polled = self.polled.filter(|_| done == 0 && self.transferred.is_some());
        to_go.len() - done
    }
}

/// What is here and is to be at legacy.
fn to_go<'a>(turn: &Turn, found: &'a [Apart], prefer: Option<&Prefer>) -> Vec<&'a Apart> {
    let is_on = turn.migration.spec.dual_write != DualWrite::None;
    let is_to_go = |one: &&Apart| match prefer.filter(|prefer| prefer.is_about(one)) {
        Some(prefer) => prefer.side == Side::Port53,
        None => is_on && one.changed == Changed::Port53,
    };
    found.iter().filter(is_to_go).collect()
}
