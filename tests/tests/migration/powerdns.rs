//! `docs/migrate-from-powerdns.md`, word by word: its settings, its commands and its manifests, with a server of one's own. What
//! is put in the place of what the document cannot know is in [`filled_in`].

use crate::document::{self, Document, assert_printed};
use crate::shared;
use port53_tests::eventually;
use port53_tests::legacy::database_of_powerdns;
use port53_tests::migration::record;
use port53_tests::peer::{Program, start_answering};
use port53_tests::ports::free_address;
use port53_tests::process::{self, Process};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const DOCUMENT: Document = Document(include_str!("../../../docs/migrate-from-powerdns.md"));

/// The commands of the block that has `command`.
fn console(command: &str) -> Vec<document::Command> {
    document::commands(DOCUMENT.block("console", command))
}

/// The server is here, and so are the operator's pods, which are no pods.
fn filled_in(text: &str, address: SocketAddr, secret: &str, namespace: &str) -> String {
    text.replace("192.0.2.0/24", "127.0.0.0/8")
        .replace("@192.0.2.53", &format!("@127.0.0.1 -p {}", address.port()))
        .replace("192.0.2.53", &address.to_string())
        .replace("SECRET", secret)
        .replace("namespace: dns", &format!("namespace: {namespace}"))
        .replace(
            "kind: ServiceAccount, name: port53-operator, namespace: port53",
            "apiGroup: rbac.authorization.k8s.io, kind: User, name: 'system:serviceaccount:port53:operator'",
        )
}

fn run(command: &str, dir: &Path) -> String {
    let mut words = command.split_whitespace();
    let (program, rest) = (words.next().expect("a program"), words.collect::<Vec<_>>());
    let mut arguments = if program == "pdnsutil" { vec!["--config-dir=."] } else { Vec::new() };
    arguments.extend(rest);
    let done = process::run(program, &arguments, dir);
    assert!(done.success, "{command}: {}{}", done.stdout, done.stderr);
    done.stdout
}

/// A PowerDNS as its distribution has it, with a zone, and the settings of the document.
fn server(dir: &Path) -> (Process, SocketAddr) {
    let address = free_address();
    let settings = DOCUMENT.blocks("ini").concat();
    let own = format!(
        "launch=gsqlite3\ngsqlite3-database={0}/database\nlocal-address=127.0.0.1\nlocal-port={1}\nsocket-dir={0}\n\
         daemon=no\nguardian=no\nwrite-pid=no\nsecurity-poll-suffix=\n",
        dir.display(),
        address.port()
    );
    fs::write(dir.join("pdns.conf"), own + &filled_in(&settings, address, "", "")).expect("a configuration");
    database_of_powerdns(dir);
    for command in [
        "pdnsutil create-zone example.com ns1.example.net",
        "pdnsutil add-record example.com www A 300 192.0.2.1",
        "pdnsutil add-record example.com mail A 300 192.0.2.25",
    ] {
        run(command, dir);
    }
    let mut command = Command::new(process::find("pdns_server"));
    command.arg("--config-dir=.").current_dir(dir);
    let process =
        start_answering(Program::PowerDns, command, dir, address, &["example.com"]).expect("it starts");
    (process, address)
}

#[test]
fn the_document_leads_from_powerdns_to_port53() {
    let dir = TempDir::new().expect("a directory");
    let dir = dir.path();
    let (_server, address) = server(dir);
    for (command, expected) in console("generate-tsig-key") {
        let printed = run(command, dir);
        assert_printed(command, &expected, &printed);
    }
    let keys = run("pdnsutil list-tsig-keys", dir);
    let secret = keys.split_whitespace().nth(2).expect("a secret");
    let platform = shared();
    let (namespace, _) = platform.place("powerdns");
    let fill_in = |text: &str| filled_in(text, address, secret, &namespace);
    for (command, _) in console("kdig") {
        let printed = run(&fill_in(command), dir);
        assert!(!command.contains("AXFR") || printed.contains("192.0.2.1"), "{printed}");
    }
    // Without the key nobody has the zone.
    let arguments = fill_in("kdig @192.0.2.53 +tcp example.com AXFR");
    let without = process::run("kdig", &arguments.split_whitespace().skip(1).collect::<Vec<_>>(), dir);
    assert!(!without.stdout.contains("192.0.2.1"), "{without:?}");

    platform.apply(&fill_in(DOCUMENT.block("yaml", "ZoneMigration")));
    platform.comes_to("zonemigration", &namespace, "example-com", "Backfilled=True Complete");
    platform.comes_to("zonemigration", &namespace, "example-com", "InSync=True Equal");
    platform.come_to_say("www.example.com A", "NoError 192.0.2.1");
    // Step 5: what changes on one side comes to the other.
    let patch = r#"{"spec":{"dualWrite":"Async","compare":{"poll":"1s"}}}"#;
    let arguments = ["patch", "zmig", "example-com", "-n", &namespace, "--type=merge", "-p", patch];
    let patched = platform.cluster.kubectl(&arguments);
    assert!(patched.success, "{patched:?}");
    platform.comes_to("zonemigration", &namespace, "example-com", "DualWriting=True Written");
    let new = "name: new, type: A, ttl: 300, values: ['192.0.2.7']";
    platform.apply(&record(&namespace, "example-com", "new", new));
    eventually("the record at PowerDNS", || {
        let zone = run("pdnsutil list-zone example.com", dir);
        if zone.contains("192.0.2.7") { Ok(()) } else { Err(zone) }
    });
}
