//! What a server used: processor time and memory of its process group.

use crate::machine::{self, Running};
use std::io;
use std::time::Duration;

/// As of a moment, or between two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time outside the kernel.
    pub user: Duration,
    /// In it.
    pub system: Duration,
    /// Resident octets; a page that several processes share is counted once (PSS).
    pub resident: u64,
    /// The most that was ever resident, summed over processes.
    pub peak: u64,
}

/// Of all processes of the group that `leader` leads.
///
/// # Errors
/// When there is no `/proc`.
pub fn of_group(leader: u32) -> io::Result<Usage> {
    let mut usage = Usage::default();
    for process in Running::all()?.into_iter().filter(|process| process.group == leader) {
        usage.user += process.user;
        usage.system += process.system;
        usage.resident += process.share_of_memory();
        usage.peak += machine::peak(process.pid).unwrap_or_default();
    }
    Ok(usage)
}

impl Usage {
    /// Processor time since `before`; memory as it is now.
    pub fn since(&self, before: &Usage) -> Usage {
        Usage {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            ..*self
        }
    }
}
