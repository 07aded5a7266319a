//! Port53 as a process on loopback with given zones: `port53 dev` over a directory of master files.

use crate::process::Process;
use crate::{Zone, eventually, peer};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

/// A running Port53. Ended when dropped.
#[derive(Debug)]
pub struct Ours {
    address: SocketAddr,
    process: Process,
    _dir: TempDir,
}

impl Ours {
    /// Starts `program`, which is `env!("CARGO_BIN_EXE_port53-tested")` in tests, with `zones`, and waits
    /// until it answers the SOA of each.
    ///
    /// # Panics
    /// With its output when it does not.
    pub fn start(program: &str, zones: &[Zone<'_>]) -> Self {
        Self::start_on(([127, 0, 0, 1], 0).into(), program, zones)
    }

    /// The same at an address of loopback, of which port 0 is any.
    ///
    /// # Panics
    /// As [`Ours::start`].
    pub fn start_on(listen: SocketAddr, program: &str, zones: &[Zone<'_>]) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let served = dir.path().join("zones");
        fs::create_dir(&served).expect("a directory");
        for zone in zones {
            fs::write(served.join(zone.file_name()), zone.text).expect("a zone file");
        }
        let mut command = Command::new(program);
        command.arg("dev").arg(&served).args(["--listen", &listen.to_string()]);
        let mut process = Process::start("Port53", command, dir.path());
        let address = eventually("Port53", || {
            assert!(!process.has_ended(), "Port53 ended and printed:\n{}", process.output());
            address(&process.output()).ok_or_else(|| format!("no address in:\n{}", process.output()))
        });
        for zone in zones {
            eventually("Port53", || {
                peer::answers_soa(address, zone.apex)
                    .map_err(|missing| format!("{missing}; it printed:\n{}", process.output()))
            });
        }
        Ours { address, process, _dir: dir }
    }

    /// Where it answers, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it printed so far: the zones and what is wrong in them.
    pub fn output(&self) -> String {
        self.process.output()
    }
}

/// The address in the line that says where it listens.
fn address(output: &str) -> Option<SocketAddr> {
    let line = output.lines().find_map(|line| line.strip_prefix("listening on "))?;
    line.split_once(' ')?.0.parse().ok()
}
