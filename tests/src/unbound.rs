//! unbound from Debian as a process on loopback: a resolver that validates what it is told of given zones, and knows
//! no others.

use crate::eventually;
use crate::ports::free_address;
use crate::process::{self, Process};
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

/// A running unbound. Ended when dropped.
#[derive(Debug)]
pub struct Unbound {
    address: SocketAddr,
    process: Process,
    _dir: TempDir,
}

/// Where it asks for a zone, and why it believes what it is told.
#[derive(Clone, Debug)]
pub struct Stub<'a> {
    /// The zone's name.
    pub apex: &'a str,
    /// Its nameserver, on loopback.
    pub server: SocketAddr,
    /// The record of its key. Without, it is what the DS at its parent says.
    pub anchor: Option<String>,
}

impl Unbound {
    /// Starts it and waits until it answers. It makes no proof of what it was told before.
    ///
    /// # Panics
    /// With its output when it does not.
    pub fn start(stubs: &[Stub<'_>]) -> Self {
        // Another process may take the free port before it does; then it ends, and another is tried.
        for _ in 0..5 {
            if let Some(unbound) = Self::try_start(stubs) {
                return unbound;
            }
        }
        panic!("unbound ended each time that it was started; see its output above");
    }

    /// Where it answers, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it printed so far: why it took something for wrong, among others.
    pub fn output(&self) -> String {
        self.process.output()
    }

    fn try_start(stubs: &[Stub<'_>]) -> Option<Self> {
        let dir = TempDir::new().expect("a temporary directory");
        let address = free_address();
        let mut settings = SETTINGS.replace("PORT", &address.port().to_string());
        for Stub { anchor, .. } in stubs {
            if let Some(anchor) = anchor {
                let _ = writeln!(settings, "  trust-anchor: '{anchor}'");
            }
        }
        for Stub { apex, server, .. } in stubs {
            let (ip, port) = (server.ip(), server.port());
            let _ = writeln!(settings, "stub-zone:\n  name: \"{apex}\"\n  stub-addr: {ip}@{port}");
        }
        let file = dir.path().join("config");
        fs::write(&file, settings).expect("a configuration");
        let mut command = Command::new(process::find("unbound"));
        command.args(["-d", "-p", "-c"]).arg(&file).current_dir(dir.path());
        let mut process = Process::start("unbound", command, dir.path());
        let is_ready = eventually(&format!("unbound on {address}"), || {
            if process.has_ended() {
                return Ok(false);
            }
            let said = process.output();
            if said.contains("start of service") { Ok(true) } else { Err(format!("no start in:\n{said}")) }
        });
        if !is_ready {
            eprintln!("unbound ended and printed:\n{}", process.output());
            return None;
        }
        Some(Unbound { address, process, _dir: dir })
    }
}

const SETTINGS: &str = r#"
server:
  interface: 127.0.0.1
  port: PORT
  username: ""
  chroot: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  val-log-level: 2
  num-threads: 1
  access-control: 127.0.0.0/8 allow_setrd
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  aggressive-nsec: no
  neg-cache-size: 0
  harden-glue: yes
  harden-dnssec-stripped: yes
  harden-below-nxdomain: yes
  harden-algo-downgrade: yes
  harden-large-queries: yes
  harden-short-bufsize: yes
  ignore-cd-flag: yes
  val-permissive-mode: no
  minimal-responses: no
  qname-minimisation: no
remote-control:
  control-enable: no
server:
"#;
