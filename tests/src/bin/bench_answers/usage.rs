//! What a server used: processor time and memory of its process group, from `/proc`.

use std::fs;
use std::io;
use std::time::Duration;

/// Of a second in `/proc/PID/stat` (USER_HZ, 100 on every Linux).
const TICK: Duration = Duration::from_millis(10);

/// As of a moment, or between two.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Resident octets; a page that several processes share is counted once (PSS).
    pub(crate) resident: u64,
    /// The most that was ever resident, summed over processes.
    pub(crate) peak: u64,
}

/// Of all processes of the group that `leader` leads.
pub(crate) fn of_group(leader: u32) -> io::Result<Usage> {
    let mut usage = Usage::default();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // Not a process, or one that ended meanwhile.
        let Ok(stat) = fs::read_to_string(path.join("stat")) else { continue };
        let Some((_, tail)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = tail.split(' ').collect();
        let number = |field: usize| fields.get(field).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        // proc(5) counts from 1 and the name is 2: group 5, user time 14, system time 15.
        if number(2) != leader {
            continue;
        }
        usage.user += number(11) * TICK;
        usage.system += number(12) * TICK;
        usage.resident += kibibytes(&path.join("smaps_rollup"), "Pss:");
        usage.peak += kibibytes(&path.join("status"), "VmHWM:");
    }
    Ok(usage)
}

fn kibibytes(file: &std::path::Path, field: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value =
        text.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse().ok());
    value.unwrap_or(0u64) * 1024
}

impl Usage {
    /// Processor time since `before`; memory as it is now.
    pub(crate) fn since(&self, before: &Usage) -> Usage {
        Usage {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            ..*self
        }
    }
}
