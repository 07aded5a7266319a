//! Bringing over: what legacy has and is to be here, as DNSRecords.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, future, stream};
use port53_crds::DualWrite;
use port53_legacy::Version;
use port53_zone::name;

use super::super::RECORDS_AT_A_TIME;
use super::super::agreed::{Place, Print};
use super::super::candidates::{self, candidates};
use super::super::merge::{Apart, Changed};
use super::super::prefer::{Prefer, Side};
use super::super::round::Judged;
use super::super::writing::{self, NotWritten};
use super::{AT_ONCE, Shared, Turn, Worker};
use crate::index::Key;

/// How long one turn goes on to write: then people are told how far it is. Many zones that move at once wait for each other.
pub(super) const WRITES_FOR: Duration = Duration::from_secs(5);
/// RRsets that are brought over without a place among those that bring much.
const LITTLE: usize = 64;

impl Worker {
    /// Writes here what legacy has and is to be here.
    pub(super) async fn bring_here(
        &mut self,
        turn: &Turn,
        theirs: &Version,
        found: &[Apart],
        prefer: Option<&Prefer>,
    ) {
        let to_come = self.to_come(turn, found, prefer);
        // What is little, as a change that somebody made at legacy, waits for nobody.
        let _place = if to_come.len() > LITTLE {
            let Some(place) = self.place.take(&self.shared.places) else { return };
            Some(place)
        } else {
            self.place.leave();
            None
        };
        let judged = self.round.next(&to_come);
        let candidates = candidates(&turn.world, &turn.zone, &turn.scope.apex, &theirs.soa, judged);
        let now = Instant::now();
        let prints: BTreeMap<Place, Option<Print>> =
            judged.iter().map(|one| (one.place(), one.theirs.as_ref().map(Print::of))).collect();
        let print = |place| prints.get(&place).copied().flatten();
        candidates.kept.into_iter().for_each(|(place, who)| self.memory.is_kept(place, who));
        let mut came = Judged { refused: candidates.rejects, is_all_written: true };
        let mut writes = Vec::new();
        for (place, value) in candidates.apply {
            if let Some(reject) = self.memory.refusal(place, print(place), now) {
                came.refused.push((place, reject.clone()));
            } else if !self.memory.is_sent(place, print(place), now) {
                writes.push((place, Write::Apply(value)));
            }
        }
        for (place, key) in candidates.delete {
            if !self.memory.is_sent(place, None, now) {
                writes.push((place, Write::Delete(key)));
            }
        }
        let count = writes.len();
        writes.truncate(AT_ONCE);
        let shared = self.shared.clone();
        let writing = stream::iter(writes)
            .take_while(|_| future::ready(now.elapsed() < WRITES_FOR))
            .map(move |(place, write)| carry_out(shared.clone(), place, write));
        let ended: Vec<(Place, Result<(), NotWritten>)> =
            writing.buffer_unordered(RECORDS_AT_A_TIME).collect().await;
        came.is_all_written = ended.len() == count;
        self.is_behind = !came.is_all_written;
        for (place, written) in ended {
            match written {
                Ok(()) => self.memory.sent(place, print(place), now),
                Err(NotWritten::Refused(why)) => {
                    let rrset =
                        judged.iter().find(|one| one.place() == place).and_then(|one| one.theirs.as_ref());
                    if let Some(rrset) = rrset {
                        let reject = candidates::reject(rrset, "Refused", why);
                        came.refused.push((place, reject.clone()));
                        self.memory.refused(place, print(place), reject, now);
                    }
                }
                Err(NotWritten::Managed(who)) => self.memory.is_kept(place, who),
                Err(NotWritten::Passing(why)) => {
                    tracing::debug!(
                        zone = name::display(&turn.scope.apex),
                        "a record is not written yet: {why}"
                    );
                }
            }
        }
        self.round.judged(&to_come, judged, came);
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
