//! Bringing over: what legacy has and is to be here, as DNSRecords.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, future, stream};
use port53_crds::{DualWrite, Reject};
use port53_legacy::Version;
use port53_zone::name;

use super::super::RECORDS_AT_A_TIME;
use super::super::agreed::{Place, Print};
use super::super::candidates::{self, candidates};
use super::super::merge::{Apart, Changed};
use super::super::prefer::{Prefer, Side};
use super::super::writing::{self, NotWritten};
use super::{AT_ONCE, Shared, Turn, Worker};
use crate::index::Key;

/// How long one turn goes on to write: then people are told how far it is. Many zones that move at once wait for each other.
const WRITES_FOR: Duration = Duration::from_secs(5);

impl Worker {
    /// Writes here what legacy has and is to be here.
    pub(super) async fn bring_here(
        &mut self,
        turn: &Turn,
        theirs: &Version,
        found: &[Apart],
        prefer: Option<&Prefer>,
        kept: &mut Vec<(Place, String)>,
    ) {
        let to_come = self.to_come(turn, found, prefer);
        let candidates = candidates(&turn.world, &turn.zone, &turn.scope.apex, &theirs.soa, &to_come);
        let now = Instant::now();
        let prints: BTreeMap<Place, Option<Print>> =
            to_come.iter().map(|one| (one.place(), one.theirs.as_ref().map(Print::of))).collect();
        let print = |place| prints.get(&place).copied().flatten();
        kept.extend(candidates.kept);
        let mut rejects: Vec<Reject> = candidates.rejects.into_iter().map(|(_, reject)| reject).collect();
        let mut writes = Vec::new();
        for (place, value) in candidates.apply {
            if let Some(reject) = self.memory.refusal(place, print(place), now) {
                rejects.push(reject.clone());
            } else if !self.memory.is_sent(place, print(place), now) {
                writes.push((place, Write::Apply(value)));
            }
        }
        for (place, key) in candidates.delete {
            if !self.memory.is_sent(place, None, now) {
                writes.push((place, Write::Delete(key)));
            }
        }
        writes.truncate(AT_ONCE);
        let (shared, count) = (self.shared.clone(), writes.len());
        let writing = stream::iter(writes)
            .take_while(|_| future::ready(now.elapsed() < WRITES_FOR))
            .map(move |(place, write)| carry_out(shared.clone(), place, write));
        let ended: Vec<(Place, Result<(), NotWritten>)> =
            writing.buffer_unordered(RECORDS_AT_A_TIME).collect().await;
        self.is_behind = ended.len() < count;
        for (place, written) in ended {
            match written {
                Ok(()) => self.memory.sent(place, print(place), now),
                Err(NotWritten::Refused(why)) => {
                    let rrset =
                        to_come.iter().find(|one| one.place() == place).and_then(|one| one.theirs.as_ref());
                    if let Some(rrset) = rrset {
                        let reject = candidates::reject(rrset, "Refused", why);
                        rejects.push(reject.clone());
                        self.memory.refused(place, print(place), reject, now);
                    }
                }
                Err(NotWritten::Managed(who)) => kept.push((place, who)),
                Err(NotWritten::Passing(why)) => {
                    tracing::debug!(
                        zone = name::display(&turn.scope.apex),
                        "a record is not written yet: {why}"
                    );
                }
            }
        }
        rejects.sort_by(|a, b| (&a.name, &a.type_).cmp(&(&b.name, &b.type_)));
        self.rejects = rejects;
    }

    /// What legacy has and is to be here.
    fn to_come<'a>(&self, turn: &Turn, found: &'a [Apart], prefer: Option<&Prefer>) -> Vec<&'a Apart> {
        let spec = &turn.migration.spec;
        let is_to_come = |one: &&Apart| match prefer.filter(|prefer| prefer.is_about(one)) {
            Some(prefer) => prefer.side == Side::Legacy,
            None if one.changed != Changed::Legacy || self.doubt.is_some() => false,
            None if one.ours.is_none() => spec.backfill.is_some() || spec.dual_write != DualWrite::None,
            None => spec.dual_write != DualWrite::None,
        };
        found.iter().filter(is_to_come).collect()
    }
}

/// What is to be done to a DNSRecord.
enum Write {
    Apply(serde_json::Value),
    Delete(Key),
}

async fn carry_out(shared: Shared, place: Place, write: Write) -> (Place, Result<(), NotWritten>) {
    let _permit = shared.permits.acquire().await;
    let written = match write {
        _ if shared.fence.is_closed() => Err(NotWritten::Passing("another operator works".to_owned())),
        Write::Apply(value) => writing::apply_record(&shared.client, &value).await,
        Write::Delete(key) => writing::delete_record(&shared.client, &key).await,
    };
    (place, written)
}
