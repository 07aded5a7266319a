//! The machine that something is measured on, and what processes use of it, from `/proc` (proc(5)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of a second in `/proc/PID/stat` (USER_HZ, 100 on every Linux).
const TICK: Duration = Duration::from_millis(10);

/// The machine, a commit and the load in one line, for the head of a report.
pub fn describe(commit: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = read("/proc/cpuinfo");
    let model = value(&cpuinfo, "model name").unwrap_or("unknown processor");
    let memory =
        (kibibytes(Path::new("/proc/meminfo"), "MemTotal").unwrap_or_default() >> 10).div_ceil(1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(3).collect();
    format!(
        "{cores} cores ({model}), {memory} GiB, Linux {kernel}; commit {commit}; load average {}.",
        load.join(" ")
    )
}

/// A process, with the processor time that it used so far.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// That of the process which started it.
    pub parent: u32,
    /// Its group.
    pub group: u32,
    /// The name of its program, at most 15 octets of it.
    pub name: String,
    /// Time outside the kernel.
    pub user: Duration,
    /// Time in the kernel.
    pub system: Duration,
}

impl Running {
    /// All processes. One that ends meanwhile may be left out.
    ///
    /// # Errors
    /// When there is no `/proc`.
    pub fn all() -> io::Result<Vec<Self>> {
        let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(pids.filter_map(Self::read).collect())
    }

    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(file(pid, "stat")).ok()?;
        let (head, tail) = stat.rsplit_once(") ")?;
        let fields: Vec<u32> = tail.split(' ').map(|text| text.parse().unwrap_or_default()).collect();
        // The manual counts from 1 and the state, first here, is 3: parent 4, group 5, user time 14, system time 15.
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
        Some(Running {
            pid,
            parent: field(4),
            group: field(5),
            name: head.split_once('(')?.1.to_owned(),
            user: field(14) * TICK,
            system: field(15) * TICK,
        })
    }

    /// Octets of memory that are resident; a page that several processes share is counted once (PSS).
    pub fn share_of_memory(&self) -> u64 {
        kibibytes(&file(self.pid, "smaps_rollup"), "Pss").unwrap_or_default()
    }
}

/// Octets of a process that are resident.
///
/// # Errors
/// When it has ended.
pub fn resident(pid: u32) -> io::Result<u64> {
    kibibytes(&file(pid, "status"), "VmRSS")
}

/// The most of them that there ever were.
///
/// # Errors
/// When it has ended.
pub fn peak(pid: u32) -> io::Result<u64> {
    kibibytes(&file(pid, "status"), "VmHWM")
}

fn file(pid: u32, name: &str) -> PathBuf {
    format!("/proc/{pid}/{name}").into()
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// The octets that a line says in kilobytes.
fn kibibytes(file: &Path, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    let kibibytes = value(&text, name).and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.unwrap_or_default() << 10)
}

/// What stands behind a name and a colon.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_with_its_memory() {
        let own = std::process::id();
        let all = Running::all().expect("processes");
        let found = all.iter().find(|process| process.pid == own).expect("this one");
        assert!(all.iter().any(|process| process.pid == found.parent) || found.parent == 0);
        let (now, most) = (resident(own).expect("its memory"), peak(own).expect("its memory"));
        assert!(now > 1 << 20 && now <= most && found.share_of_memory() <= most, "{now} {most}");
        assert!(describe("0123abc").contains("Linux"), "{}", describe("0123abc"));
    }
}
