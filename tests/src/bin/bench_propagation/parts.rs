//! The times of each change, and the parts between them.

use crate::Moment;
use crate::changes::Done;
use crate::log::{Heard, Publication};
use crate::objects::Act;
use crate::poller::Polled;
use crate::statuses::Statuses;

/// The times of one change.
#[derive(Debug)]
pub(crate) struct Times {
    pub(crate) act: Act,
    pub(crate) sent: Moment,
    pub(crate) accepted: Moment,
    /// The publication that took it out.
    pub(crate) publication: Option<Publication>,
    /// When the first and the last resolver answered it.
    pub(crate) answered: Option<(Moment, Moment)>,
    /// When the watch told that its status says Ready.
    pub(crate) told: Option<Moment>,
}

/// A part of the way of a change.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&Times) -> Option<Moment>,
}

/// In the order in which they come.
pub(crate) const PARTS: [Part; 8] = [
    Part { name: "request → API server's answer", of: |t| Some(t.accepted - t.sent) },
    Part { name: "request → operator heard", of: |t| Some(t.publication?.heard - t.sent) },
    Part { name: "heard → write begun (plan)", of: |t| Some(t.publication?.begun - t.publication?.heard) },
    Part {
        name: "write begun → head written", of: |t| Some(t.publication?.written - t.publication?.begun)
    },
    Part {
        name: "write begun → first resolver swapped", of: |t| Some(t.answered?.0 - t.publication?.begun)
    },
    Part { name: "first → last resolver swapped", of: |t| Some(t.answered?.1 - t.answered?.0) },
    Part { name: "last resolver swapped → status written", of: |t| Some(t.told? - t.answered?.1) },
    Part { name: "request → status written", of: |t| Some(t.told? - t.sent) },
];

pub(crate) fn of(done: &[Done], polled: &Polled, heard: &Heard, statuses: &Statuses) -> Vec<Times> {
    let times = done.iter().enumerate().map(|(number, done)| {
        let answered = polled.answered.get(&number);
        let answered = answered.and_then(|all| Some((*all.iter().min()?, *all.iter().max()?)));
        let publications = heard.publications.get(&done.change.record.domain());
        let publication = publications.zip(answered).and_then(|(all, (first, _))| {
            // The last that had begun when it was answered first: who comes after it waits twice as long as it took.
            let begun = |publication: &&Publication| (done.sent..first).contains(&publication.begun);
            all.iter().rfind(begun).copied()
        });
        Times {
            act: done.change.act,
            sent: done.sent,
            accepted: done.accepted,
            publication,
            answered,
            told: statuses.ready_at(&done.change.record.name(), done.generation),
        }
    });
    times.collect()
}
