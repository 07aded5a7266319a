//! The peers: NSD, Knot, BIND and PowerDNS from Debian as processes on loopback, with given zones.
//!
//! Each is set to say what its zones hold and no more: minimal responses, no refusal of ANY, no rate limit,
//! nothing written, and the same limit on UDP as ours.

use crate::ask::{Question, Transport};
use crate::ports::free_address;
use crate::process::{self, Process};
use crate::{Zone, eventually};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Which peer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Program {
    /// NSD of NLnet Labs.
    Nsd,
    /// Knot DNS of CZ.NIC.
    Knot,
    /// BIND 9 of ISC.
    Bind,
    /// PowerDNS with its backend for master files.
    PowerDns,
}

impl Program {
    /// All of them.
    pub const ALL: [Program; 4] = [Program::Nsd, Program::Knot, Program::Bind, Program::PowerDns];
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Program::Nsd => "NSD",
            Program::Knot => "Knot",
            Program::Bind => "BIND",
            Program::PowerDns => "PowerDNS",
        })
    }
}

/// A running peer. Ended when dropped.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    process: Process,
    _dir: TempDir,
}

/// Whose zones a secondary has, and how it asks for them.
#[derive(Clone, Copy, Debug)]
pub struct Secondary<'a> {
    /// Of Port53, on loopback.
    pub primary: SocketAddr,
    /// The zones.
    pub apexes: &'a [&'a str],
    /// Algorithm, name and secret of the key that signs everything between both.
    pub key: [&'a str; 3],
}

impl Peer {
    /// Starts `program` with `zones` and waits until it answers the SOA of each.
    ///
    /// # Panics
    /// With its output when it does not.
    pub fn start(program: Program, zones: &[Zone<'_>]) -> Self {
        // Another process may take the free port before the peer does; then it ends, and another is tried.
        for _ in 0..5 {
            if let Some(peer) = Self::try_start(program, zones) {
                return peer;
            }
        }
        panic!("{program} ended each time that it was started; see its output above");
    }

    /// Where it answers, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts `program` as a secondary and waits until it answers the SOA of each zone.
    ///
    /// # Panics
    /// With its output when it does not.
    pub fn start_secondary(program: Program, secondary: &Secondary<'_>) -> Self {
        let zones: Vec<Zone<'_>> = secondary.apexes.iter().map(|apex| Zone { apex, text: "" }).collect();
        for _ in 0..5 {
            if let Some(peer) = Self::try_start_as(program, &zones, Some(secondary)) {
                return peer;
            }
        }
        panic!("{program} ended each time that it was started; see its output above");
    }

    /// Stops it where it stands: what is sent to it is swallowed.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    fn try_start(program: Program, zones: &[Zone<'_>]) -> Option<Self> {
        Self::try_start_as(program, zones, None)
    }

    fn try_start_as(program: Program, zones: &[Zone<'_>], secondary: Option<&Secondary<'_>>) -> Option<Self> {
        let dir = TempDir::new().expect("a temporary directory");
        for zone in zones.iter().filter(|_| secondary.is_none()) {
            fs::write(dir.path().join(zone.file_name()), zone.text).expect("a zone file");
        }
        let address = free_address();
        let settings = settings(program);
        let files =
            zones.iter().map(|zone| (zone.apex, dir.path().join(zone.file_name()).display().to_string()));
        let role = secondary.map(|secondary| as_secondary(program, secondary)).unwrap_or_default();
        let command = command(program, &settings, address.port(), dir.path(), files, &role);
        let apexes: Vec<&str> = zones.iter().map(|zone| zone.apex).collect();
        let process = start_answering(program, command, dir.path(), address, &apexes)?;
        Some(Peer { address, process, _dir: dir })
    }
}

/// Starts a program and waits until it answers the SOA of each zone. `None` when it ends instead: another process may
/// have taken its port. What it printed is shown then.
///
/// # Panics
/// With what it printed when it does neither.
pub fn start_answering(
    program: Program,
    command: Command,
    dir: &Path,
    address: SocketAddr,
    apexes: &[&str],
) -> Option<Process> {
    let mut process = Process::start(&program.to_string(), command, dir);
    let ready = eventually(&format!("{program} on {address}"), || {
        if process.has_ended() {
            return Ok(false);
        }
        for apex in apexes {
            answers_soa(address, apex)
                .map_err(|missing| format!("{missing}; it printed:\n{}", process.output()))?;
        }
        Ok(true)
    });
    if !ready {
        eprintln!("{program} ended and printed:\n{}", process.output());
        return None;
    }
    Some(process)
}

/// What a peer is set to beside its zones, for [`command`].
pub fn settings(program: Program) -> String {
    match program {
        Program::Nsd => NSD.to_owned(),
        Program::Knot => KNOT.to_owned(),
        Program::Bind => BIND.to_owned(),
        Program::PowerDns => format!("{POWERDNS_OF_FILES}{POWERDNS}"),
    }
}

/// Whether `apex` is in service at `address`, over UDP and TCP.
///
/// # Errors
/// What is missing.
pub fn answers_soa(address: SocketAddr, apex: &str) -> Result<(), String> {
    let question = Question::new(&format!("{apex} SOA"), None);
    for transport in [Transport::Udp, Transport::Tcp] {
        let answer = question
            .ask(address, transport, Duration::from_millis(500))
            .map_err(|error| format!("no answer for {apex} over {transport}: {error}"))?;
        if answer.answers.is_empty() || !answer.metadata.authoritative {
            return Err(format!("no SOA for {apex} over {transport}: {}", answer.metadata.response_code));
        }
    }
    Ok(())
}

/// What starts `program` in `dir` with the zones, each a name and the path of its master file. `settings` is its
/// configuration but for the zones; in it DIR stands for the directory and PORT for the port. That of PowerDNS must
/// name `DIR/config` as its list of zones, when it has them from files.
pub fn command<N: fmt::Display, F: fmt::Display>(
    program: Program,
    settings: &str,
    port: u16,
    dir: &Path,
    zones: impl IntoIterator<Item = (N, F)>,
    role: &Role,
) -> Command {
    let (binary, arguments): (_, &[&str]) = match program {
        Program::Nsd => ("nsd", &["-d", "-c"]),
        Program::Knot => ("knotd", &["-c"]),
        Program::Bind => ("named", &["-g", "-n", "1", "-c"]),
        Program::PowerDns => ("pdns_server", &["--config-dir=."]),
    };
    let dir_text = dir.to_str().expect("a path in UTF-8");
    let Role { head, of_zone, is_secondary } = role;
    let kind = if *is_secondary { "secondary" } else { "primary" };
    let mut text = format!("{head}{settings}").replace("DIR", dir_text).replace("PORT", &port.to_string());
    if program == Program::PowerDns {
        fs::write(dir.join("pdns.conf"), std::mem::take(&mut text)).expect("a configuration");
    }
    for (apex, file) in zones {
        text.push_str(&match program {
            Program::Nsd => format!("zone:\n  name: \"{apex}\"\n  zonefile: \"{file}\"\n{of_zone}"),
            Program::Knot => format!("  - domain: \"{apex}\"\n    file: \"{file}\"\n{of_zone}"),
            Program::Bind => {
                let of_zone = of_zone.replace("$APEX", &apex.to_string());
                format!("zone \"{apex}\" {{ type {kind}; file \"{file}\"; {of_zone} }};\n")
            }
            Program::PowerDns => format!("zone \"{apex}\" {{ type master; file \"{file}\"; }};\n"),
        });
    }
    let file = dir.join("config");
    fs::write(&file, text).expect("a configuration");
    let mut command = Command::new(process::find(binary));
    command.args(arguments).current_dir(dir);
    // PowerDNS reads the list of zones from this file, which its own configuration names.
    if program != Program::PowerDns {
        command.arg(file);
    }
    command
}

/// What a peer is told beside its settings and zones.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Before everything else: keys, and who has them.
    pub head: String,
    /// In each zone; `$APEX` in that of BIND is its name.
    pub of_zone: String,
    /// Whether it has its zones from a primary, and writes the files.
    pub is_secondary: bool,
}

/// What a secondary is told of its primary. PowerDNS cannot be one here.
fn as_secondary(program: Program, secondary: &Secondary<'_>) -> Role {
    let [algorithm, name, secret] = secondary.key;
    let port = secondary.primary.port();
    let (head, of_zone) = match program {
        Program::Nsd => (
            format!("key:\n  name: \"{name}\"\n  algorithm: {algorithm}\n  secret: \"{secret}\"\n"),
            format!(
                "  allow-notify: 127.0.0.1 {name}\n  request-xfr: 127.0.0.1@{port} {name}\n  \
                 provide-xfr: 127.0.0.1 NOKEY\n"
            ),
        ),
        Program::Knot => (
            format!(
                "key:\n  - id: {name}\n    algorithm: {algorithm}\n    secret: {secret}\n\
                 remote:\n  - id: primary\n    address: 127.0.0.1@{port}\n    key: {name}\n\
                 acl:\n  - id: told\n    address: 127.0.0.1\n    key: {name}\n    action: notify\n  \
                 - id: asked\n    address: 127.0.0.1\n    action: transfer\n"
            ),
            "    master: primary\n    acl: [told, asked]\n".to_owned(),
        ),
        Program::Bind => (
            format!("key \"{name}\" {{ algorithm {algorithm}; secret \"{secret}\"; }};\n"),
            format!(
                "primaries port {port} {{ 127.0.0.1 key \"{name}\"; }}; \
                 allow-notify {{ key \"{name}\"; }}; allow-transfer {{ 127.0.0.1; }};"
            ),
        ),
        Program::PowerDns => panic!("PowerDNS follows from a database, which it has none of here"),
    };
    Role { head, of_zone, is_secondary: true }
}

const NSD: &str = r#"
server:
  ip-address: 127.0.0.1@PORT
  username: ""
  zonesdir: "DIR"
  database: ""
  pidfile: "DIR/pid"
  xfrdfile: "DIR/xfrd.state"
  zonelistfile: "DIR/zone.list"
  xfrdir: "DIR"
  server-count: 1
  minimal-responses: yes
  refuse-any: no
  rrl-ratelimit: 0
  ipv4-edns-size: 1232
remote-control:
  control-enable: no
"#;

const KNOT: &str = r#"
server:
  listen: 127.0.0.1@PORT
  rundir: DIR
  udp-max-payload: 1232
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: DIR/db
  journal-db-max-size: 1M
  kasp-db-max-size: 5M
  timer-db-max-size: 1M
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: DIR
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
"#;

const BIND: &str = r#"
options {
  directory "DIR";
  listen-on port PORT { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  lock-file none;
  session-keyfile "DIR/session.key";
  managed-keys-directory "DIR";
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
  minimal-responses yes;
  minimal-any no;
  zero-no-soa-ttl no;
  notify no;
  max-udp-size 1232;
  max-records-per-type 0;
  check-names primary ignore;
  check-mx-cname ignore;
  check-srv-cname ignore;
  check-integrity no;
};
controls { };
"#;

const POWERDNS_OF_FILES: &str = "
launch=bind
bind-config=DIR/config
bind-check-interval=0";

/// But for the backend.
pub(crate) const POWERDNS: &str = r#"
local-address=127.0.0.1
local-port=PORT
socket-dir=DIR
daemon=no
guardian=no
write-pid=no
receiver-threads=1
distributor-threads=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
udp-truncation-threshold=1232
any-to-tcp=no
dname-processing=yes
expand-alias=no
8bit-dns=yes
security-poll-suffix=
loglevel=3
"#;
