//! The machine, and what the processes of the measurement used of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Instant;

/// Of a second of `/proc/PID/stat` (USER_HZ, 100 on every Linux).
const TICKS: f64 = 100.0;

/// Processor time and memory of this process and its children.
pub(crate) struct Usage {
    at: Instant,
    by_pid: BTreeMap<u32, Used>,
}

/// Of one process.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) name: String,
    /// At first seconds; the share of a core when it is between two times.
    pub(crate) cpu: f64,
    pub(crate) mebibytes: u64,
}

impl Usage {
    pub(crate) fn now() -> io::Result<Self> {
        let own = std::process::id();
        let mut by_pid = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // It may have ended meanwhile.
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            let Some((head, tail)) = stat.rsplit_once(") ") else { continue };
            let fields: Vec<&str> = tail.split(' ').collect();
            let number = |field: usize| {
                fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default()
            };
            if pid != own && number(1) != u64::from(own) {
                continue;
            }
            let name = head.split_once('(').map(|(_, name)| name.to_owned()).unwrap_or_default();
            let cpu = (number(11) + number(12)) as f64 / TICKS;
            by_pid.insert(pid, Used { name, cpu, mebibytes: (number(21) * 4096) >> 20 });
        }
        Ok(Usage { at: Instant::now(), by_pid })
    }

    /// What each process used of a core since then, the most first.
    pub(crate) fn since(&self, before: &Usage) -> Vec<Used> {
        let seconds = (self.at - before.at).as_secs_f64();
        let used = self.by_pid.iter().map(|(pid, used)| {
            let cpu = before.by_pid.get(pid).map_or(0.0, |before| before.cpu);
            Used { cpu: (used.cpu - cpu) / seconds, ..used.clone() }
        });
        let mut used: Vec<Used> = used.collect();
        used.sort_by(|a, b| b.cpu.total_cmp(&a.cpu));
        used
    }
}

/// The machine in one line.
pub(crate) fn describe(commit: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let of_memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let memory = of_memory.unwrap_or_default().div_ceil(1 << 20);
    let load: Vec<&str> = load.split(' ').take(3).collect();
    format!("{cores} cores, {memory} GiB, Linux {kernel}; commit {commit}; load average {}.", load.join(" "))
}
