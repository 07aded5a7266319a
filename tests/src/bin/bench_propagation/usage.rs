//! What the processes of the measurement used of the machine.

use port53_tests::machine::{self, Running};
use std::io;
use std::time::Instant;

/// Processor time and memory of this process and its children.
pub(crate) struct Usage {
    at: Instant,
    processes: Vec<(Running, u64)>,
}

/// Of one process, between two times.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) name: String,
    /// The share of a core.
    pub(crate) cpu: f64,
    pub(crate) mebibytes: u64,
}

impl Usage {
    pub(crate) fn now() -> io::Result<Self> {
        let own = std::process::id();
        let is_ours = |process: &Running| process.pid == own || process.parent == own;
        let with_memory = |process: Running| {
            let memory = machine::resident(process.pid).unwrap_or_default();
            (process, memory)
        };
        let processes = Running::all()?.into_iter().filter(is_ours).map(with_memory).collect();
        Ok(Usage { at: Instant::now(), processes })
    }

    /// What each process used of a core since then, the most first.
    pub(crate) fn since(&self, before: &Usage) -> Vec<Used> {
        let seconds = (self.at - before.at).as_secs_f64();
        let time = |process: &Running| (process.user + process.system).as_secs_f64();
        let used = self.processes.iter().map(|(process, memory)| {
            let then = before.processes.iter().find(|(then, _)| then.pid == process.pid);
            let cpu = (time(process) - then.map_or(0.0, |(then, _)| time(then))) / seconds;
            Used { name: process.name.clone(), cpu, mebibytes: memory >> 20 }
        });
        let mut used: Vec<Used> = used.collect();
        used.sort_by(|a, b| b.cpu.total_cmp(&a.cpu));
        used
    }
}
