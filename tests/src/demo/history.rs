//! What each RRset was, on either side, and when: what may be answered.
//!
//! A version begins with the request that makes it and ends with the answer to the request that makes another, on whichever
//! side. When the other side has it is not known, so what has ended may be answered for [`BOUND`] more.

use super::BOUND;
use super::zones::{CHANGING, Moving};
use crate::ask::Question;
use crate::normal::{Line, Normal};
use hickory_proto::op::Message;
use port53_zone::{RRset, name, rdata};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A question as `owner TYPE`.
pub type Key = String;

/// What is said to a question about an RRset.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// The response code.
    pub rcode: String,
    /// The records of that owner and type.
    pub records: BTreeSet<Line>,
}

#[derive(Debug)]
struct Version {
    said: Said,
    until: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub struct History(Mutex<BTreeMap<Key, Vec<Version>>>);

impl Said {
    /// What is said where there is this RRset.
    pub fn rrset(rrset: &RRset) -> Self {
        let owner = rrset.name.as_slice();
        let line =
            |value: &rdata::Rdata| Line::from_wire(owner, rrset.rtype.to_int(), rrset.ttl, value.as_slice());
        Said { rcode: "NOERROR".to_owned(), records: rrset.values().iter().map(line).collect() }
    }

    /// What is said where there is nothing of that name.
    pub fn no_such_name() -> Self {
        Said { rcode: "NXDOMAIN".to_owned(), records: BTreeSet::new() }
    }

    /// What an answer says to a question: not what an alias leads to, which may be another zone's.
    pub fn of(question: &Question, message: &Message) -> Self {
        let normal = Normal::of(message);
        let is_asked = |line: &Line| question.is_about(line.owner(), line.rtype());
        Said { rcode: normal.rcode, records: normal.answer.into_iter().filter(is_asked).collect() }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records: Vec<String> = self.records.iter().map(Line::to_string).collect();
        write!(f, "{} {}", self.rcode, records.join(", "))
    }
}

impl History {
    /// As the zones are before anything changes.
    pub fn of(zones: &[Moving]) -> Self {
        let mut sets = BTreeMap::new();
        for zone in zones {
            for rrset in zone.asked() {
                let key = format!("{} {}", name::display(&rrset.name), rdata::display_rtype(rrset.rtype));
                let version = Version { said: Said::rrset(rrset), until: None };
                sets.insert(key, vec![version]);
            }
            if !zone.has_wildcard_at_top() {
                let version = Version { said: Said::no_such_name(), until: None };
                sets.insert(format!("{} A", zone.owner("no-such-name")), vec![version]);
            }
        }
        History(Mutex::new(sets))
    }

    /// The questions: those whose answers never change, and those whose answers do.
    pub fn questions(&self) -> [Vec<(Key, Question)>; 2] {
        let sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (changing, fixed): (Vec<&Key>, Vec<&Key>) =
            sets.keys().partition(|key| CHANGING.iter().any(|label| key.starts_with(label)));
        [fixed, changing]
            .map(|keys| keys.into_iter().map(|key| (key.clone(), Question::new(key, Some(1232)))).collect())
    }

    /// A change is requested now.
    pub fn begins(&self, key: &str, said: Said) {
        let version = Version { said, until: None };
        self.with(key, |versions| versions.push(version));
    }

    /// The newest version is there now: those before it have ended.
    pub fn is_made(&self, key: &str) {
        let now = Instant::now();
        self.with(key, |versions| {
            let count = versions.len();
            versions.iter_mut().take(count - 1).for_each(|version| _ = version.until.get_or_insert(now));
        });
    }

    /// What is wrong with an answer, if anything is, to a question that was asked then.
    pub fn wrong(&self, key: &str, said: &Said, asked: Instant) -> Option<String> {
        self.with(key, |versions| {
            let may_be = |version: &&Version| version.until.is_none_or(|until| asked <= until + BOUND);
            if versions.iter().filter(may_be).any(|version| version.said == *said) {
                return None;
            }
            let ended =
                versions.iter().rfind(|version| version.said == *said).and_then(|version| version.until);
            let right: Vec<String> =
                versions.iter().filter(may_be).map(|version| version.said.to_string()).collect();
            let since = ended.map_or_else(
                || "which was never so".to_owned(),
                |ended| format!("which ended {:.1} s before it was asked", (asked - ended).as_secs_f64()),
            );
            Some(format!("{said}, {since}; not {}", right.join(" or ")))
        })
    }

    fn with<T>(&self, key: &str, work: impl FnOnce(&mut Vec<Version>) -> T) -> T {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(sets.get_mut(key).unwrap_or_else(|| panic!("{key} is in no zone that moves")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::Rtype;
    use std::time::Duration;

    fn said(address: &str) -> Said {
        let owner = name::parse_absolute("www.example").expect("a name");
        let value = rdata::parse_value(Rtype::A, address).expect("an address");
        Said::rrset(&RRset::new(owner, Rtype::A, 60, [value]))
    }

    #[test]
    fn what_was_before_is_right_for_a_while_and_then_wrong() {
        let first = Version { said: said("192.0.2.1"), until: None };
        let history = History(Mutex::new([("www.example. A".to_owned(), vec![first])].into()));
        let key = "www.example. A";
        let now = Instant::now();
        assert!(history.wrong(key, &said("192.0.2.2"), now).is_some_and(|why| why.contains("never so")));
        history.begins(key, said("192.0.2.2"));
        let is_right = |address, asked| history.wrong(key, &said(address), asked).is_none();
        let later = Instant::now() + BOUND + Duration::from_secs(1);
        // Requested: both may be answered, for as long as it takes.
        assert!(is_right("192.0.2.1", later) && is_right("192.0.2.2", now));
        history.is_made(key);
        assert!(is_right("192.0.2.1", Instant::now()) && is_right("192.0.2.2", later));
        let why = history.wrong(key, &said("192.0.2.1"), Instant::now() + BOUND + Duration::from_secs(1));
        assert!(why.is_some_and(|why| why.contains("ended 11.")));
        assert!(history.wrong(key, &Said::no_such_name(), now).is_some());
    }
}
