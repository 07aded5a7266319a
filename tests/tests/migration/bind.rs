//! `docs/migrate-from-bind.md`, word by word: all of its commands in their order, its settings and its manifests, on a machine
//! with a BIND of one's own. What is put in the place of what the document cannot know is in [`Machine::filled_in`].

use crate::cutover::platform;
use crate::document::{Document, assert_printed, commands};
use port53_tests::eventually;
use port53_tests::migration::record;
use port53_tests::peer::{self, Program, start_answering};
use port53_tests::platform::Platform;
use port53_tests::ports::free_address;
use port53_tests::process::{Process, find};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const DOCUMENT: Document = Document(include_str!("../../../docs/migrate-from-bind.md"));

/// What the other links to.
const MIGRATION: Document = Document(include_str!("../../../docs/migration.md"));

/// Where daemons and their tools are.
const DAEMONS: &str = "/usr/sbin:/usr/local/sbin:/sbin";

/// The zone that moves by a ZoneMigration.
const COM: &str = "$TTL 300
@ SOA ns1.example.com. hostmaster.example.com. 2026113001 3600 600 604800 3600
@ NS ns1.example.com.
@ MX 10 mail
ns1 A 192.0.2.10
www A 192.0.2.80
mail A 192.0.2.25
_dmarc TXT \"v=DMARC1; p=none\"
";

/// The one that moves at once, with a signature that somebody forgot.
const ORG: &str = "$TTL 300
@ SOA ns1 hostmaster 7 3600 600 604800 3600
@ NS ns1
ns1 A 192.0.2.10
www A 192.0.2.81
; from the time when it was signed
old RRSIG A 8 3 300 20261201000000 20261101000000 12345 example.org. c2lnbmF0dXJl
";

/// Its line 3 is what the document has a message about.
const LOCAL: &str = "zone \"example.com\" { type primary; file \"/var/lib/bind/db.example.com\"; };
zone \"example.org\" { type primary; file \"/var/lib/bind/db.example.org\"; };
zone \"example.net\" { type secondary; primaries { 127.0.0.1; }; file \"/var/lib/bind/db.example.net\"; };
";

const DEFAULT_ZONES: &str = "// what every resolver knows
zone \".\" { type hint; file \"/etc/bind/db.root\"; };
";

const ROOT: &str = ". 3600 NS a.root-servers.net.\na.root-servers.net. 3600 A 127.0.0.1\n";

/// A machine with BIND and `rndc`, `kubectl` and `port53`, below a directory.
struct Machine<'p> {
    platform: &'p Platform,
    dir: TempDir,
    /// Where BIND answers.
    address: SocketAddr,
    /// Where it is told what to do by `rndc`.
    control: SocketAddr,
    /// Where `port53 dev` answers.
    dev: SocketAddr,
    named: Option<Process>,
}

impl<'p> Machine<'p> {
    fn new(platform: &'p Platform) -> Self {
        let dir = TempDir::new().expect("a directory");
        let [address, control, dev] = [free_address(), free_address(), free_address()];
        let mut machine = Machine { platform, dir, address, control, dev, named: None };
        for directory in ["bin", "etc/bind", "var/lib/bind", "work", "dev"] {
            fs::create_dir_all(machine.path(directory)).expect("a directory");
        }
        let rndc = format!(
            "#!/bin/sh\nexec {} -s 127.0.0.1 -p {} -k {} \"$@\"\n",
            find("rndc").display(),
            control.port(),
            machine.path("etc/bind/rndc.key").display()
        );
        fs::write(machine.path("bin/rndc"), rndc).expect("a script");
        fs::set_permissions(machine.path("bin/rndc"), fs::Permissions::from_mode(0o755)).expect("a mode");
        symlink(env!("CARGO_BIN_EXE_port53-tested"), machine.path("bin/port53")).expect("a link");
        symlink(port53_tests::cluster::kubectl(), machine.path("bin/kubectl")).expect("a link");
        machine.start_bind();
        machine
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn start_bind(&mut self) {
        let controls = format!(
            "include \"/etc/bind/rndc.key\";\n\
             controls {{ inet 127.0.0.1 port {} allow {{ 127.0.0.1; }} keys {{ \"rndc-key\"; }}; }};",
            self.control.port()
        );
        let settings = peer::settings(Program::Bind)
            .replace("controls { };", &controls)
            .replace("DIR", "/var/lib/bind")
            .replace("PORT", &self.address.port().to_string());
        let includes =
            "include \"/etc/bind/named.conf.local\";\ninclude \"/etc/bind/named.conf.default-zones\";\n";
        for (file, text) in [
            ("etc/bind/named.conf", &format!("{settings}{includes}")[..]),
            ("etc/bind/named.conf.local", LOCAL),
            ("etc/bind/named.conf.default-zones", DEFAULT_ZONES),
            ("etc/bind/db.root", ROOT),
            ("etc/bind/rndc.key", "key \"rndc-key\" { algorithm hmac-sha256; secret \"cm5kYw==\"; };\n"),
            ("var/lib/bind/db.example.com", COM),
            ("var/lib/bind/db.example.org", ORG),
        ] {
            fs::write(self.path(file), self.filled_in(text)).expect("a file");
        }
        let mut command = Command::new(find("named"));
        command.args(["-g", "-n", "1", "-c"]).arg(self.path("etc/bind/named.conf"));
        let apexes = ["example.com", "example.org"];
        self.named = start_answering(Program::Bind, command, self.dir.path(), self.address, &apexes);
        assert!(self.named.is_some(), "it starts");
    }

    /// Files are below a directory, servers on loopback; the operator is no pod, and asks nobody beyond this host for the zone
    /// above.
    fn filled_in(&self, text: &str) -> String {
        let (port, dev) = (self.address.port(), self.dev.port());
        text.replace("@192.0.2.53", &format!("@127.0.0.1 -p {port}"))
            .replace("server 192.0.2.53", &format!("server 127.0.0.1 {port}"))
            .replace("192.0.2.53", &self.address.to_string())
            .replace("127.0.0.1:5353", &self.dev.to_string())
            .replace("-p 5353", &format!("-p {dev}"))
            .replace("/etc/bind", &self.path("etc/bind").display().to_string())
            .replace("/var/lib/bind", &self.path("var/lib/bind").display().to_string())
            .replace("SECRET", &self.secret())
            .replace(
                "kind: ServiceAccount, name: port53-operator, namespace: port53",
                "apiGroup: rbac.authorization.k8s.io, kind: User, name: 'system:serviceaccount:port53:operator'",
            )
            .replace(
                "  backfill: {from: Transfer}",
                "  backfill: {from: Transfer}\n  compare: {poll: 1s}\n  parent: {addresses: ['127.0.0.1:1'], poll: 1s}",
            )
    }

    /// That of the key, once there is one.
    fn secret(&self) -> String {
        let text = fs::read_to_string(self.path("etc/bind/port53.key")).unwrap_or_default();
        let rest = text.split_once("secret \"").map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    }

    fn shell(&self, command: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .args(["-ec", &self.filled_in(command)])
            .current_dir(self.path("work"))
            .env("PATH", format!("{}:{path}:{DAEMONS}", self.path("bin").display()))
            .env("KUBECONFIG", self.platform.cluster.kubeconfig())
            .env("HOME", self.dir.path());
        shell
    }

    /// Runs a command to its end, and gives what it prints, with paths as the document has them.
    fn run(&self, command: &str) -> String {
        println!("$ {command}");
        let output = self.shell(command).output().expect("a shell");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let printed = text(&output.stdout) + &text(&output.stderr);
        // "Status 0 means that all was taken, 1 that something was left out."
        let may_be = if command.starts_with("port53 import") { 1 } else { 0 };
        let code = output.status.code();
        assert!(code == Some(0) || code == Some(may_be), "$ {command}\n{code:?}: {printed}");
        printed.replace(&self.dir.path().display().to_string(), "")
    }

    /// Follows a block.
    #[track_caller]
    fn follow(&self, block: &'static str) {
        let mut in_another_terminal = Vec::new();
        for (command, expected) in commands(block) {
            if command.contains("in another terminal") {
                let process = Process::start(command, self.shell(command), &self.path("dev"));
                eventually(command, || {
                    peer::answers_soa(self.dev, "example.com").map_err(|why| why + &process.output())
                });
                in_another_terminal.push(process);
            } else {
                assert_printed(command, &expected, &self.run(command));
            }
        }
    }
}

/// The settings of the document take the place of what the zone had.
fn configure(machine: &Machine<'_>) {
    let others: Vec<&str> = LOCAL.lines().skip(1).collect();
    let text = DOCUMENT.block("conf", "update-policy").to_owned() + &others.join("\n") + "\n";
    fs::write(machine.path("etc/bind/named.conf.local"), machine.filled_in(&text)).expect("a file");
}

#[test]
fn the_document_leads_from_bind_to_port53() {
    let platform = platform();
    platform.cluster.ensure_namespace("dns");
    let machine = Machine::new(&platform);
    // Every block of commands is followed, in the order of the document.
    let mut followed = Vec::new();
    let mut follow = |words: &str| {
        let block = DOCUMENT.block("console", words);
        machine.follow(block);
        followed.push(block);
    };
    follow("named-checkconf -z");
    follow("port53 dev");
    follow("port53 apply");
    platform.come_to_say("www.example.org A", "NoError 192.0.2.81");

    follow("tsig-keygen");
    configure(&machine);
    follow("rndc reconfig");
    // Without the key nobody has the zone, and with it all of it.
    let whole = "dig @192.0.2.53 -k /etc/bind/port53.key example.com AXFR";
    assert!(machine.run(whole).contains("192.0.2.80"));
    assert!(!machine.run("dig @192.0.2.53 example.com AXFR").contains("192.0.2.80"));

    let manifests = machine.filled_in(DOCUMENT.block("yaml", "ZoneMigration"));
    fs::write(machine.path("work/migration.yaml"), manifests).expect("a file");
    follow("migration.yaml");
    platform.come_to_say("www.example.com A", "NoError 192.0.2.80");

    follow(r#""dualWrite":"Async""#);
    let new = "name: new, type: A, ttl: 300, values: ['192.0.2.7']";
    platform.apply(&record("dns", "example-com", "new", new));
    let at_bind = || machine.run("dig @192.0.2.53 +tcp +short new.example.com A");
    eventually("the record at BIND", || match at_bind() {
        said if said.trim() == "192.0.2.7" => Ok(()),
        said => Err(said),
    });

    follow(r#""shadow":"#);
    machine.follow(MIGRATION.block("console", "kubectl describe"));
    // Clients come, and what they show is seen.
    platform.come_to_say("mail.example.com A", "NoError 192.0.2.25");
    eventually("answers that were compared", || {
        let status = platform.get("zmig", "dns", "example-com").unwrap_or_default()["status"].take();
        match status["shadow"]["compared"].as_u64() {
            Some(1..) => Ok(()),
            _ => Err(status.to_string()),
        }
    });
    follow(r#""cutover":["ns1"]"#);
    follow("fallback example.com -n dns --off");
    follow("migration finish");
    assert_eq!(followed, DOCUMENT.blocks("console"), "every block, and in this order");
    // "To have them in Git, write them out and take them over".
    machine.follow(MIGRATION.block("console", "--format manifests"));
    // BIND is turned off.
    drop(machine);
    for (name, address) in [("www", "192.0.2.80"), ("new", "192.0.2.7"), ("_dmarc", "")] {
        let rtype = if address.is_empty() { "TXT" } else { "A" };
        let said = platform.resolvers[0].says(&format!("{name}.example.com {rtype}"));
        assert!(said.starts_with("NoError ") && said.ends_with(address), "{name}: {said}");
    }
}
