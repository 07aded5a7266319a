//! What was sent and what came of it, and the table.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of what went wrong, as much is told one by one.
const TOLD: usize = 40;

/// How a question is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    /// Over UDP, from the port that all of its kind come from.
    FixedPort,
    /// Over UDP, from a port of its own.
    FreshPort,
    /// Over a connection of its own.
    Connection,
}

impl By {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            By::FixedPort => "UDP from one port",
            By::FreshPort => "UDP from fresh ports",
            By::Connection => "TCP",
        }
    }
}

/// Of one act.
#[derive(Debug)]
pub(crate) struct Counts {
    begun: Instant,
    sent: AtomicU64,
    connections: AtomicU64,
    lost: AtomicU64,
    wrong: AtomicU64,
    took: Mutex<Vec<Duration>>,
    told: Mutex<Vec<String>>,
    ended: Mutex<Option<Duration>>,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Counts {
            begun: Instant::now(),
            sent: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            took: Mutex::default(),
            told: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    pub(crate) fn sent(&self, by: By) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if by == By::Connection {
            self.connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn answered(&self, took: Duration) {
        self.took.lock().expect("nobody panics").push(took);
    }

    pub(crate) fn lost(&self, what: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.tell("lost", what);
    }

    pub(crate) fn wrong(&self, what: &str) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        self.tell("wrong", what);
    }

    pub(crate) fn over(&self) {
        *self.ended.lock().expect("nobody panics") = Some(self.begun.elapsed());
    }

    fn tell(&self, how: &str, what: &str) {
        let mut told = self.told.lock().expect("nobody panics");
        if told.len() < TOLD {
            told.push(format!("  {:.1} s: {how}: {what}", self.begun.elapsed().as_secs_f64()));
        }
    }

    /// A row of the table.
    pub(crate) fn row(&self, act: &str) -> String {
        let mut took = std::mem::take(&mut *self.took.lock().expect("nobody panics"));
        took.sort_unstable();
        let at =
            |share: usize| took.get(took.len() * share / 1000).map_or(0.0, |it| it.as_secs_f64() * 1000.0);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let judged = took.len() as u64 + count(&self.lost) + count(&self.wrong);
        assert_eq!(count(&self.sent), judged, "{act}: what was sent was answered, lost or answered wrongly");
        format!(
            "| {act} | {:.0} | {} | {} | {} | {} | {:.2} | {:.1} |",
            self.ended.lock().expect("nobody panics").unwrap_or_default().as_secs_f64(),
            count(&self.sent),
            count(&self.connections),
            count(&self.lost),
            count(&self.wrong),
            at(500),
            at(990),
        )
    }

    /// What went wrong, one by one.
    pub(crate) fn detail(&self) -> String {
        let told = self.told.lock().expect("nobody panics");
        told.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

/// The head of the table.
pub(crate) fn head(machine: &str) -> String {
    format!(
        "# What clients lose\n\n\
         `make e2e-loss`: {machine} Everything (control plane, node, nameservers, load) is on this machine. Clients ask the addresses of the Services inside of \
         the cluster; load balancers and `externalTrafficPolicy: Local` are not on the way. Each act is counted on for ten \
         seconds.\n\n\
         | what was done | seconds | sent | of them TCP | lost | wrong | p50 ms | p99 ms |\n\
         |---|---|---|---|---|---|---|---|"
    )
}
