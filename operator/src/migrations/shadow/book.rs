//! What pods have counted, of those that come, begin anew and go. Pure.
//!
//! A pod is known by its nameserver and where it answers, and by when it began to count. One that began anew counts from
//! zero: what it had counted before goes to what is past. One that is not heard keeps what it had said, for it may be back;
//! only when there are very many, those that were not heard for the longest time become past.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::page::{Counts, Told};

/// Pods that are told apart.
const MOST_PODS: usize = 512;

/// See the module.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Book {
    pods: Vec<Pod>,
    /// By nameserver, of pods that counted anew since, or are forgotten.
    past: BTreeMap<String, Counts>,
}

#[derive(Clone, Debug, Deserialize, Eq, Serialize)]
struct Pod {
    nameserver: String,
    address: SocketAddr,
    since: u64,
    counts: Counts,
    /// When it was heard last, in seconds since 1970.
    heard: i64,
}

/// When it was heard is no news.
impl PartialEq for Pod {
    fn eq(&self, other: &Self) -> bool {
        let Pod { nameserver, address, since, counts, heard: _ } = self;
        (nameserver, address, since, counts)
            == (&other.nameserver, &other.address, &other.since, &other.counts)
    }
}

impl Book {
    /// A pod tells what it counted, at this second since 1970.
    pub fn note(&mut self, nameserver: &str, address: SocketAddr, told: &Told, now: i64) {
        let Told { since, counts, .. } = told;
        let known = self.pods.iter_mut().find(|pod| pod.nameserver == nameserver && pod.address == address);
        match known {
            Some(pod) => {
                if pod.since != *since || counts.is_less_than(&pod.counts) {
                    self.past.entry(pod.nameserver.clone()).or_default().add(&pod.counts);
                }
                (pod.since, pod.counts, pod.heard) = (*since, *counts, now);
            }
            None => {
                self.pods.push(Pod {
                    nameserver: nameserver.to_owned(),
                    address,
                    since: *since,
                    counts: *counts,
                    heard: now,
                });
                self.forget();
            }
        }
    }

    fn forget(&mut self) {
        while self.pods.len() > MOST_PODS {
            let Some(oldest) = (0..self.pods.len()).min_by_key(|place| self.pods[*place].heard) else {
                return;
            };
            let pod = self.pods.swap_remove(oldest);
            self.past.entry(pod.nameserver).or_default().add(&pod.counts);
        }
    }

    /// What was counted in all, by nameserver. None is ever less than before.
    pub fn counts(&self) -> BTreeMap<String, Counts> {
        let mut all = self.past.clone();
        for pod in &self.pods {
            all.entry(pod.nameserver.clone()).or_default().add(&pod.counts);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    fn told(since: u64, forwarded: u64) -> Told {
        Told { since, counts: Counts { forwarded, ..Counts::default() }, samples: Vec::new() }
    }

    fn forwarded(book: &Book, nameserver: &str) -> u64 {
        book.counts().get(nameserver).map_or(0, |counts| counts.forwarded)
    }

    #[test]
    fn a_pod_that_begins_anew_takes_nothing_away() {
        let mut book = Book::default();
        book.note("ns1", address(1), &told(100, 50), 1);
        book.note("ns1", address(1), &told(100, 60), 2);
        book.note("ns1", address(2), &told(100, 5), 2);
        assert_eq!(forwarded(&book, "ns1"), 65);
        book.note("ns1", address(1), &told(200, 3), 3);
        assert_eq!(forwarded(&book, "ns1"), 68);
        // Within the same second.
        book.note("ns1", address(1), &told(200, 1), 4);
        assert_eq!(forwarded(&book, "ns1"), 69);
        // Another nameserver has the address by now.
        book.note("ns2", address(1), &told(300, 7), 5);
        assert_eq!((forwarded(&book, "ns1"), forwarded(&book, "ns2")), (69, 7));
    }

    #[test]
    fn a_pod_that_was_not_heard_for_a_while_is_not_counted_twice() {
        let mut book = Book::default();
        book.note("ns1", address(1), &told(100, 50), 1);
        book.note("ns1", address(2), &told(100, 1), 2);
        // Its nameserver was asked through others meanwhile, and the operator has begun anew.
        let text = serde_json::to_string(&book).expect("JSON");
        let mut book: Book = serde_json::from_str(&text).expect("a book");
        book.note("ns1", address(1), &told(100, 70), 900);
        assert_eq!(forwarded(&book, "ns1"), 71);
    }

    #[test]
    fn of_very_many_pods_those_that_are_gone_become_past() {
        let mut book = Book::default();
        for number in 0..2_000_u64 {
            let address = SocketAddr::from(([10, 0, (number / 256) as u8, (number % 256) as u8], 53));
            book.note("ns1", address, &told(1, 1), number as i64);
        }
        assert_eq!((book.pods.len(), forwarded(&book, "ns1")), (MOST_PODS, 2_000));
    }

    proptest! {
        #[test]
        fn counts_never_go_back(looks in prop::collection::vec((0_u8..3, 0_u64..3, 0_u64..100), 1..60)) {
            let mut book = Book::default();
            let mut before = 0;
            for (pod, since, count) in looks {
                book.note("ns1", address(pod), &told(since, count), 0);
                let now = forwarded(&book, "ns1");
                prop_assert!(now >= before);
                before = now;
            }
        }
    }
}
