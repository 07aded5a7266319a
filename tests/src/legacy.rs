//! Servers that people move from: BIND, Knot, PowerDNS and NSD as processes on loopback that give transfers and take
//! updates, both by TSIG.
//!
//! | | AXFR | IXFR | UPDATE | zones are in |
//! |---|---|---|---|---|
//! | BIND | yes | from its journal | yes | files and journals |
//! | Knot | yes | from its journal | yes | files and a journal |
//! | PowerDNS | yes | no, it gives the whole | yes | SQLite |
//! | NSD | yes | no, it gives the whole | no | files, which its admin edits |
//!
//! Each knows three keys: that of who moves, that of its admin, and one that may do nothing.

use crate::peer::{self, Program, Role, start_answering};
use crate::ports::free_address;
use crate::process::{self, Process, run_with};
use crate::{Zone, eventually};
use port53_secondaries::keys::Key;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// A name, and all below it, that BIND lets nobody change who moves (`update-policy`).
pub const LOCKED: &str = "locked";

const ALGORITHM: &str = "hmac-sha256";
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// A key that a legacy server knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// May have transfers and make updates.
    Mover,
    /// So may the one whose server it is.
    Admin,
    /// May do nothing.
    Stranger,
}

impl Holder {
    const ALL: [Holder; 3] = [Holder::Mover, Holder::Admin, Holder::Stranger];

    /// The name of the key.
    pub fn name(self) -> &'static str {
        match self {
            Holder::Mover => "mover.key.example",
            Holder::Admin => "admin.key.example",
            Holder::Stranger => "stranger.key.example",
        }
    }

    /// Its secret in base64.
    pub fn secret(self) -> &'static str {
        match self {
            Holder::Mover => "c2VjcmV0IG9mIHdobyBtb3ZlcyBhd2F5IGZyb20gaXQ=",
            Holder::Admin => "c2VjcmV0IG9mIHdob3NlIHNlcnZlciBpdCBpcyBub3c=",
            Holder::Stranger => "c2VjcmV0IG9mIG9uZSB3aG8gbWF5IGRvIG5vdGhpbmc=",
        }
    }

    /// What the file of the key holds.
    pub fn text(self) -> String {
        format!("{ALGORITHM}:{}", self.secret())
    }

    /// The key.
    ///
    /// # Panics
    /// Never: it is one.
    pub fn key(self) -> Arc<Key> {
        Arc::new(Key::parse(self.name(), &self.text()).expect("a key"))
    }
}

/// A running legacy server. Ended when dropped.
#[derive(Debug)]
pub struct Legacy {
    program: Program,
    address: SocketAddr,
    apexes: Vec<String>,
    process: Option<Process>,
    /// Further options of BIND.
    options: String,
    dir: TempDir,
}

impl Legacy {
    /// Starts `program` with `zones` and waits until it answers the SOA of each.
    ///
    /// # Panics
    /// With its output when it does not.
    pub fn start(program: Program, zones: &[Zone<'_>]) -> Self {
        Self::start_with(program, "", zones)
    }

    /// The same, with further `options` of BIND.
    ///
    /// # Panics
    /// With its output when it does not answer.
    pub fn start_with(program: Program, options: &str, zones: &[Zone<'_>]) -> Self {
        // As for peers: another process may take the port first.
        for _ in 0..5 {
            let dir = TempDir::new().expect("a temporary directory");
            for zone in zones {
                fs::write(dir.path().join(zone.file_name()), zone.text).expect("a zone file");
            }
            // Where Knot has its journal.
            fs::create_dir(dir.path().join("db")).expect("a directory");
            let apexes = zones.iter().map(|zone| zone.apex.to_owned()).collect();
            let options = options.to_owned();
            let mut legacy = Legacy { program, address: free_address(), apexes, process: None, options, dir };
            let command = legacy.command();
            if program == Program::PowerDns {
                fill_database(legacy.dir.path(), zones);
            }
            if legacy.run(command) {
                return legacy;
            }
        }
        panic!("{program} ended each time that it was started; see its output above");
    }

    /// Which it is.
    pub fn program(&self) -> Program {
        self.program
    }

    /// Where it answers, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it printed since it was started last.
    pub fn output(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    /// Its process, while it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// An outage: it is gone at once, as by a loss of power.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again, on the same port with the data that it had.
    ///
    /// # Panics
    /// With its output when it does not answer.
    pub fn start_again(&mut self) {
        self.stop();
        let command = self.command();
        assert!(self.run(command), "{} did not start again; see its output above", self.program);
    }

    /// A change as the admin makes it, in lines of `nsupdate`, all in one update of the zone.
    ///
    /// # Panics
    /// With what `nsupdate` said when it is not done.
    pub fn change(&self, apex: &str, lines: &str) {
        let (address, port) = (self.address.ip(), self.address.port());
        let script = format!("server {address} {port}\nzone {apex}\n{lines}\nsend\n");
        let key = format!("{ALGORITHM}:{}:{}", Holder::Admin.name(), Holder::Admin.secret());
        let mut command = Command::new(process::find("nsupdate"));
        let output = run_with(command.args(["-v", "-y", &key]), script.as_bytes());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{} did not take {lines:?}: {said}; {}",
            self.program,
            self.output()
        );
    }

    /// A change as the admin of NSD makes it: another master file. It is served when `is_served` says so.
    ///
    /// # Panics
    /// When it is not served.
    pub fn rewrite(&self, zone: Zone<'_>, mut is_served: impl FnMut() -> Result<(), String>) {
        fs::write(self.dir.path().join(zone.file_name()), zone.text).expect("a zone file");
        self.process().expect("it runs").reload();
        eventually("the new master file", || is_served().map_err(|missing| missing + &self.output()));
    }

    fn run(&mut self, command: Command) -> bool {
        let apexes: Vec<&str> = self.apexes.iter().map(String::as_str).collect();
        self.process = start_answering(self.program, command, self.dir.path(), self.address, &apexes);
        self.process.is_some()
    }

    fn command(&self) -> Command {
        let settings = match self.program {
            Program::PowerDns => format!("{POWERDNS}{}", peer::POWERDNS),
            program => peer::settings(program).replace("options {", &format!("options {{ {}", self.options)),
        };
        let files = self.apexes.iter().map(|apex| {
            let file = Zone { apex, text: "" }.file_name();
            (apex, self.dir.path().join(file).display().to_string())
        });
        let dir = self.dir.path();
        peer::command(self.program, &settings, self.address.port(), dir, files, &role(self.program))
    }
}

/// The keys, and what they may.
fn role(program: Program) -> Role {
    let [mover, admin] = [Holder::Mover.name(), Holder::Admin.name()];
    let each = |text: &dyn Fn(&str, &str) -> String| -> String {
        Holder::ALL.iter().map(|holder| text(holder.name(), holder.secret())).collect()
    };
    let (head, of_zone) = match program {
        Program::Bind => (
            each(&|name, secret| {
                format!("key \"{name}\" {{ algorithm {ALGORITHM}; secret \"{secret}\"; }};\n")
            }),
            // A small zone changes by more than its size, and then the whole is given otherwise.
            format!(
                "allow-transfer {{ key \"{mover}\"; key \"{admin}\"; }}; max-ixfr-ratio unlimited; \
                 update-policy {{ deny \"{mover}\" subdomain {LOCKED}.$APEX ANY; \
                 grant \"{mover}\" zonesub ANY; grant \"{admin}\" zonesub ANY; }};"
            ),
        ),
        Program::Knot => (
            format!(
                "key:\n{}acl:\n  - id: movers\n    key: [{mover}, {admin}]\n    action: [transfer, update]\n",
                each(&|name, secret| {
                    format!("  - id: {name}\n    algorithm: {ALGORITHM}\n    secret: {secret}\n")
                })
            ),
            // As Knot has it by default: each change is in the file at once, and in the journal.
            "    acl: movers\n    zonefile-sync: 0\n    journal-content: changes\n".to_owned(),
        ),
        Program::Nsd => (
            each(&|name, secret| {
                format!("key:\n  name: \"{name}\"\n  algorithm: {ALGORITHM}\n  secret: \"{secret}\"\n")
            }),
            format!("  provide-xfr: 127.0.0.1 {mover}\n  provide-xfr: 127.0.0.1 {admin}\n"),
        ),
        // Both are in its database.
        Program::PowerDns => (String::new(), String::new()),
    };
    Role { head, of_zone, is_secondary: false }
}

/// Makes `database` in `dir`, as PowerDNS has it before there is a zone.
///
/// # Panics
/// With the way to get what is missing.
pub fn database_of_powerdns(dir: &Path) {
    let schema = fs::read(SCHEMA)
        .unwrap_or_else(|error| panic!("{SCHEMA} cannot be read ({error}): run tests/install-peers as root"));
    let made = run_with(Command::new(process::find("sqlite3")).arg(dir.join("database")), &schema);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Makes the database of PowerDNS, whose configuration is in `dir`, and puts the zones into it.
fn fill_database(dir: &Path, zones: &[Zone<'_>]) {
    database_of_powerdns(dir);
    let util = |arguments: &[&str]| {
        let done = process::run("pdnsutil", &[&["--config-dir=."], arguments].concat(), dir);
        assert!(done.success, "pdnsutil {arguments:?}: {}{}", done.stdout, done.stderr);
    };
    for holder in Holder::ALL {
        util(&["import-tsig-key", holder.name(), ALGORITHM, holder.secret()]);
    }
    let movers = [Holder::Mover.name(), Holder::Admin.name()];
    for zone in zones {
        util(&["load-zone", zone.apex, &zone.file_name()]);
        // Without it a wildcard answers for what is below an empty non-terminal, against RFC 4592 §2.2.2.
        util(&["rectify-zone", zone.apex]);
        for kind in ["TSIG-ALLOW-AXFR", "TSIG-ALLOW-DNSUPDATE"] {
            util(&[&["set-meta", zone.apex, kind], &movers[..]].concat());
        }
        util(&["set-meta", zone.apex, "SOA-EDIT-DNSUPDATE", "INCREASE"]);
    }
}

const POWERDNS: &str = "
launch=gsqlite3
gsqlite3-database=DIR/database
gsqlite3-pragma-synchronous=0
dnsupdate=yes
allow-dnsupdate-from=127.0.0.1
disable-axfr=no
allow-axfr-ips=192.0.2.1";
