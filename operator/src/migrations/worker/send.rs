//! Writing to legacy what is here and is to be there, and reading back what it has then.

use std::time::Instant;

use futures::{StreamExt, stream};
use port53_crds::{DualWrite, Reason};
use port53_legacy::{Outcome, Prerequisite, Server, Trouble, Wrong};
use port53_zone::{Name, RRset, Rtype};

use super::super::agreed::Print;
use super::super::merge::{Apart, Changed};
use super::super::prefer::{Prefer, Side};
use super::super::updates::{Planned, updates};
use super::look::said;
use super::{AT_ONCE, Turn, Worker};

/// Updates on their way at the same time.
const UPDATES_AT_A_TIME: usize = 8;

impl Worker {
    /// Writes to legacy what is here and is to be there. Says how much of it waits.
    pub(super) async fn write_there(
        &mut self,
        turn: &Turn,
        found: &[Apart],
        prefer: Option<&Prefer>,
    ) -> usize {
        let to_go = to_go(turn, found, prefer);
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
            .map(move |planned| write_and_read_back(server.clone(), apex.clone(), planned));
        let mut sending = sending.buffer_unordered(UPDATES_AT_A_TIME);
        let mut done = 0;
        while let Some(written) = sending.next().await {
            for (rtype, rrset) in &written.read {
                self.memory.read_back(&written.name, *rtype, rrset.clone());
            }
            match written.result {
                Ok(()) => done += written.apart.len(),
                Err(NotTaken::Said(said)) => {
                    self.memory.tried(&written.name, &written.apart, Some(said), now);
                }
                Err(NotTaken::Changed) => {
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

/// What an update came to.
struct Written {
    name: Name,
    apart: Vec<Apart>,
    /// What is there now, where that is known.
    read: Vec<(Rtype, Option<RRset>)>,
    result: Result<(), NotTaken>,
}

enum NotTaken {
    /// It said no, or yes and did not do it.
    Said(String),
    /// Somebody has changed it there meanwhile.
    Changed,
    Passing((Reason, String)),
}

/// Writes one name, and reads back what there is then, whatever the answer was.
async fn write_and_read_back(server: Server, apex: Name, planned: Planned) -> Written {
    let answer = server.update(&apex, &planned.update).await;
    let (read, unread) = match read_back(&server, &apex, &planned).await {
        Ok(read) => (read, None),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let is_there = |one: &Apart| {
        let found = read.iter().find(|(rtype, _)| *rtype == one.rtype);
        found.is_some_and(|(_, found)| found.as_ref().map(Print::of) == one.ours.as_ref().map(Print::of))
    };
    let result = match (answer, unread) {
        _ if planned.apart.iter().all(is_there) => Ok(()),
        (Err(trouble), _) if matches!(trouble.wrong(), Some(Wrong::Prerequisite(_))) => {
            Err(NotTaken::Changed)
        }
        (Err(trouble), _) if trouble.outcome() == Outcome::Final => Err(NotTaken::Said(trouble.to_string())),
        (Err(trouble), _) | (Ok(()), Some(trouble)) => Err(NotTaken::Passing(said(trouble))),
        (Ok(()), None) => {
            Err(NotTaken::Said("legacy said NOERROR and did not do it (RFC 2136 section 3.4.2)".to_owned()))
        }
    };
    Written { name: planned.update.name, apart: planned.apart, read, result }
}

/// What legacy has of what was to be written: nothing of it when it is not that. Prerequisites are about what a zone holds
/// (RFC 2136 §2.4); an answer could be made from a wildcard. They say nothing of TTLs, and an answer does.
async fn read_back(
    server: &Server,
    apex: &Name,
    planned: &Planned,
) -> Result<Vec<(Rtype, Option<RRset>)>, Trouble> {
    let held = planned.apart.iter().map(|one| match &one.ours {
        Some(ours) => Prerequisite::Is(ours.clone()),
        None => Prerequisite::IsNot { name: one.name.clone(), rtype: one.rtype },
    });
    if !server.holds(apex, &held.collect::<Vec<_>>()).await? {
        return Ok(Vec::new());
    }
    let mut read = Vec::new();
    for one in &planned.apart {
        let found = match &one.ours {
            Some(_) => server.rrset(apex, &one.name, one.rtype).await?,
            None => None,
        };
        read.push((one.rtype, found));
    }
    Ok(read)
}
