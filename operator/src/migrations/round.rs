//! What of all that is to be brought over is judged next: so much at a time, round and round. Pure.
//!
//! To judge a record costs time and memory, and a zone may lack a million of them. What came of one stays so until it is judged
//! again.

use std::collections::{BTreeMap, BTreeSet};

use port53_crds::Reject;
use port53_zone::Rtype;
use port53_zone::name::SortKey;

use super::agreed::Place;
use super::merge::Apart;

/// RRsets that are judged together.
const TOGETHER: usize = 5_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Where the next begins; nothing at the beginning.
    from: Option<(SortKey, Rtype)>,
    refused: BTreeMap<Place, Reject>,
}

/// What came of those that were judged.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// What is refused.
    pub(super) refused: Vec<(Place, Reject)>,
    /// Whether all that may be written was.
    pub(super) is_all_written: bool,
}

impl Round {
    /// Those that are judged now, of all in canonical order.
    pub(super) fn next<'a, 'b>(&self, to_come: &'b [&'a Apart]) -> &'b [&'a Apart] {
        let begin = self.from.as_ref().map_or(0, |from| to_come.partition_point(|one| key(one) < *from));
        let rest = if begin < to_come.len() { &to_come[begin..] } else { to_come };
        &rest[..rest.len().min(TOGETHER)]
    }

    /// Takes note of what came of them.
    pub(super) fn judged(&mut self, to_come: &[&Apart], now: &[&Apart], came: Judged) {
        if !self.refused.is_empty() {
            let places = |all: &[&Apart]| all.iter().map(|one| one.place()).collect::<BTreeSet<Place>>();
            let (there, judged) = (places(to_come), places(now));
            self.refused.retain(|place, _| there.contains(place) && !judged.contains(place));
        }
        self.refused.extend(came.refused);
        self.from = match now {
            [first, ..] if !came.is_all_written => Some(key(first)),
            [.., last] => {
                let end = to_come.partition_point(|one| key(one) <= key(last));
                to_come.get(end).map(|one| key(one))
            }
            [] => None,
        };
    }

    /// Whether this is refused.
    pub(super) fn is_refused(&self, place: Place) -> bool {
        self.refused.contains_key(&place)
    }

    /// What is refused, by name and type.
    pub(super) fn refused(&self) -> Vec<Reject> {
        let mut refused: Vec<Reject> = self.refused.values().cloned().collect();
        refused.sort_by(|a, b| (&a.name, &a.type_).cmp(&(&b.name, &b.type_)));
        refused
    }
}

fn key(apart: &Apart) -> (SortKey, Rtype) {
    (SortKey::of(&apart.name), apart.rtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::candidates::reject;
    use crate::migrations::merge::Changed;
    use port53_zone::{RRset, name, rdata};

    fn apart(number: usize) -> Apart {
        let owner = name::parse_absolute(&format!("h{number:05}.example.com")).expect("a name");
        let value = rdata::parse_value(Rtype::A, "192.0.2.1").expect("an address");
        let theirs = Some(RRset::new(owner.clone(), Rtype::A, 60, [value]));
        Apart { name: owner, rtype: Rtype::A, ours: None, theirs, changed: Changed::Legacy }
    }

    /// What came of them: at the most one is refused.
    fn came(refused: Option<&Apart>, is_all_written: bool) -> Judged {
        let refused = refused.map(|one| {
            let rrset = one.theirs.as_ref().expect("legacy has it");
            (one.place(), reject(rrset, "Refused", "no".to_owned()))
        });
        Judged { refused: refused.into_iter().collect(), is_all_written }
    }

    #[test]
    fn all_are_judged_in_turn_and_what_is_refused_is_kept() {
        let all: Vec<Apart> = (0..TOGETHER * 2 + 10).map(apart).collect();
        let mut to_come: Vec<&Apart> = all.iter().collect();
        let mut round = Round::default();
        let begins = |round: &Round, to_come: &[&Apart]| round.next(to_come)[0].name.to_string();
        let now = round.next(&to_come).to_vec();
        assert_eq!(now.len(), TOGETHER);
        round.judged(&to_come, &now, came(Some(&all[7]), false));
        // Not all of them were written: they are judged again.
        assert_eq!(begins(&round, &to_come), "h00000.example.com");
        round.judged(&to_come, &now, came(Some(&all[7]), true));
        // What was written is published meanwhile.
        to_come.retain(|one| one.place() == all[7].place() || !now.contains(one));
        for (begin, count) in [("h05000.example.com", TOGETHER), ("h10000.example.com", 10)] {
            assert_eq!(begins(&round, &to_come), begin);
            let now = round.next(&to_come).to_vec();
            assert_eq!(now.len(), count);
            round.judged(&to_come, &now, came(Some(now[0]), true));
        }
        assert_eq!(round.refused().len(), 3);
        // From the beginning: it is right by now.
        assert_eq!(begins(&round, &to_come), "h00007.example.com");
        let now = round.next(&to_come).to_vec();
        round.judged(&to_come, &now, came(None, true));
        assert_eq!(round.refused().len(), 1, "of those after");
        round.judged(&[], &[], came(None, true));
        assert_eq!(round.refused(), []);
        assert_eq!(round.next(&[]), &[] as &[&Apart]);
    }
}
