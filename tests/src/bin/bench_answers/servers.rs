//! How each server is started: one thread, on its own core, with its defaults but for what would make it answer
//! less or something else (response rate limits, more than the answer in an answer).

use crate::Result;
use crate::inputs::{Input, Zone};
use port53_tests::disk_cache;
use port53_tests::dnsperf::CORE_OF_SERVER;
use port53_tests::peer::{self, Program, Role, answers_soa};
use port53_tests::ports::free_address;
use port53_tests::process::Process;
use port53_zone::content::Content;
use port53_zone::image::Image;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Server {
    Ours,
    Echo,
    Peer(Program),
}

/// A server that answers for all of its zones. Ended when dropped.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// From the start of its process until it answered for every zone.
    pub(crate) loaded_in: Duration,
    pub(crate) _dir: TempDir,
}

impl Server {
    pub(crate) const ALL: [Server; 6] = [
        Server::Ours,
        Server::Echo,
        Server::Peer(Program::Nsd),
        Server::Peer(Program::Knot),
        Server::Peer(Program::Bind),
        Server::Peer(Program::PowerDns),
    ];

    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Server::Peer(_))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Ours => f.write_str("Port53"),
            Server::Echo => f.write_str("echo"),
            Server::Peer(program) => program.fmt(f),
        }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Server::ALL.into_iter().find(|server| server.to_string().eq_ignore_ascii_case(text));
        found
            .ok_or_else(|| format!("{text} is not one of {:?}", Server::ALL.map(|server| server.to_string())))
    }
}

/// Starts `server` with the zones of `input` and waits until it answers. The echo server's answers have `octets`.
pub(crate) fn start(server: Server, input: &Input, octets: usize) -> Result<Running> {
    let dir = TempDir::new()?;
    let address = free_address();
    let command = match server {
        Server::Ours => ours(address, dir.path(), &input.zones)?,
        Server::Echo => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["echo", "--listen", &address.to_string(), "--octets", &octets.to_string()]);
            command
        }
        Server::Peer(program) => peer(program, address.port(), dir.path(), &input.zones),
    };
    let mut pinned = Command::new("taskset");
    pinned
        .args(["-c", CORE_OF_SERVER])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(dir.path());
    let begun = Instant::now();
    let mut process = Process::start(&server.to_string(), pinned, dir.path());
    let mut zones = input.zones.iter();
    let mut waited_for = zones.next();
    while let Some(zone) = waited_for {
        let apex = zone.apex.fmt_with_dot().to_string();
        let answers = match server {
            Server::Echo => echoes(address),
            _ => answers_soa(address, &apex),
        };
        match answers {
            Ok(()) if server == Server::Echo => break,
            Ok(()) => waited_for = zones.next(),
            Err(missing) if process.has_ended() || begun.elapsed() > PATIENCE => {
                return Err(format!("{server}: {missing}; it printed:\n{}", process.output()).into());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    Ok(Running { process, address, loaded_in: begun.elapsed(), _dir: dir })
}

fn echoes(address: SocketAddr) -> Result<(), String> {
    let ask = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        socket.connect(address)?;
        socket.send(&[0; 12])?;
        socket.recv(&mut [0; 4096])
    };
    ask().map(drop).map_err(|error: std::io::Error| error.to_string())
}

/// Ours starts as in a pod that is started again: from its disk cache, which is written here.
fn ours(address: SocketAddr, dir: &Path, zones: &[Zone]) -> Result<Command> {
    let cache = dir.join("cache");
    fs::create_dir(&cache)?;
    let images: Vec<Image> = zones
        .iter()
        .map(|zone| {
            let rrsets = zone.rrsets.iter().map(|rrset| (rrset.clone(), None));
            Ok(Image::new(Content::build(zone.apex.clone(), [53; 16], rrsets)?, zone.soa.clone()))
        })
        .collect::<Result<_>>()?;
    disk_cache::write(&cache, images)?;
    let mut command = Command::new(std::env::current_exe()?.with_file_name("port53-resolver-tested"));
    command.args(["--source", "disk", "--udp-threads", "1", "--health-listen", "127.0.0.1:0"]);
    command.args(["--listen", &address.to_string(), "--cache-dir"]).arg(cache);
    Ok(command)
}

fn peer(program: Program, port: u16, dir: &Path, zones: &[Zone]) -> Command {
    let settings = match program {
        Program::Nsd => NSD,
        Program::Knot => KNOT,
        Program::Bind => BIND,
        Program::PowerDns => POWERDNS,
    };
    let files = zones.iter().map(|zone| (zone.apex.fmt_with_dot(), zone.file.display()));
    peer::command(program, settings, port, dir, files, &Role::default())
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
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"#;

const KNOT: &str = r#"
server:
  listen: 127.0.0.1@PORT
  rundir: DIR
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: DIR/db
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
  notify no;
  check-names primary ignore;
  check-mx-cname ignore;
  check-srv-cname ignore;
  check-integrity no;
  max-records-per-type 0;
  max-types-per-name 0;
};
controls { };
"#;

const POWERDNS: &str = r#"
launch=bind
bind-config=DIR/config
local-address=127.0.0.1
local-port=PORT
socket-dir=DIR
daemon=no
guardian=no
setuid=
setgid=
receiver-threads=1
loglevel=3
"#;
