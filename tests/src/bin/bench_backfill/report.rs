//! What is printed: tables in Markdown.

use crate::bare::Bare;
use crate::changes::Took;
use crate::progress::Reached;
use port53_tests::machine::{self, Running};
use std::fmt;
use std::time::Duration;

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) zones: usize,
    pub(crate) records: usize,
    pub(crate) rate: f64,
    pub(crate) backfill: Backfill,
    pub(crate) bare: Bare,
}

/// What the backfill came to.
pub(crate) struct Backfill {
    pub(crate) reached: Reached,
    /// Until both resolvers answered the last record of each zone.
    pub(crate) answered: Duration,
    /// Requests that the API server put off or failed at.
    pub(crate) refused_requests: u64,
    /// Records that were not written at the first attempt.
    pub(crate) not_written: usize,
    /// What the operator warned of, and how often.
    pub(crate) complaints: Vec<(String, usize)>,
    pub(crate) memory_before: Memory,
    pub(crate) memory: Memory,
    pub(crate) quiet: Took,
    pub(crate) beside: Took,
}

/// The most memory that each program ever had, in MiB.
pub(crate) struct Memory(Vec<(String, u64)>);

/// Programs whose memory is told.
const PROGRAMS: [&str; 4] = ["port53-operator", "kube-apiserver", "etcd", "port53-resolver"];

impl Memory {
    /// Of the children of this process.
    pub(crate) fn of(all: &[Running]) -> Self {
        let own = std::process::id();
        let is_told =
            |process: &&Running| process.parent == own && PROGRAMS.iter().any(|name| process.name == *name);
        let peak = |process: &Running| machine::peak(process.pid).unwrap_or_default() >> 20;
        let mut told: Vec<(String, u64)> =
            all.iter().filter(is_told).map(|process| (process.name.clone(), peak(process))).collect();
        told.sort();
        Memory(told)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { machine, zones, records, rate, backfill, bare } = self;
        let rate_of = |time: Duration| *records as f64 / time.as_secs_f64();
        writeln!(f, "{machine}\n\n{records} records in {zones} zones.\n")?;
        writeln!(f, "| | seconds | records a second | of bare creates |\n|---|---|---|---|")?;
        let rows = [
            ("backfilled: every record is here and published", backfill.reached.backfilled),
            ("in sync: both sides are the same", backfill.reached.in_sync),
            ("both resolvers answer the last record of each zone", backfill.answered),
            ("the same objects created without an operator", bare.created),
            ("the same objects applied without an operator", bare.applied),
        ];
        for (what, time) in rows {
            let of_bare = bare.created.as_secs_f64() / time.as_secs_f64();
            writeln!(f, "| {what} | {:.1} | {:.0} | {of_bare:.2} |", time.as_secs_f64(), rate_of(time))?;
        }
        let Backfill { reached, refused_requests, not_written, .. } = backfill;
        writeln!(
            f,
            "\n| refused records | requests that the API server put off (429) or failed at (5xx) | records not written at once |"
        )?;
        writeln!(f, "|---|---|---|\n| {} | {refused_requests} | {not_written} |", reached.rejected)?;
        for (message, count) in &backfill.complaints {
            writeln!(f, "\nThe operator warned {count} times: {message}")?;
        }
        writeln!(
            f,
            "\nSingle changes, {rate} a second, from the request until both resolvers answer, ms:\n"
        )?;
        writeln!(f, "| | changes | failed | p50 | p90 | p99 | max |\n|---|---|---|---|---|---|---|")?;
        for (what, took) in
            [("nothing else happens", &backfill.quiet), ("beside the backfill", &backfill.beside)]
        {
            let [p50, p90, p99, max] = [500, 900, 990, 1000].map(|share| took.at(share));
            let (count, failed) = (took.sorted.len() + took.failed, took.failed);
            writeln!(f, "| {what} | {count} | {failed} | {p50:.1} | {p90:.1} | {p99:.1} | {max:.1} |")?;
        }
        writeln!(
            f,
            "\nThe most memory that was resident (VmHWM), MiB:\n\n| program | before the backfill | after |\n|---|---|---|"
        )?;
        for ((name, before), (_, after)) in backfill.memory_before.0.iter().zip(&backfill.memory.0) {
            writeln!(f, "| {name} | {before} | {after} |")?;
        }
        Ok(())
    }
}
