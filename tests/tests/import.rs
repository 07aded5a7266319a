//! `port53 import` beside the programs whose zones it takes: what BIND says of a `named.conf`, and what a running
//! `named` serves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use port53_tests::ports::free_address;
use port53_tests::process::{Finished, Process, find, run};
use port53_tests::{eventually, peer};
use tempfile::TempDir;

const ZONE: &str = "$TTL 300\n@ SOA ns1 h 7 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.53\n";

/// A configuration with what is met in configurations, in what may be spelled in more than one way.
const CONFIGURATION: &str = r#"
// Comments of one kind,
#  of another with an odd " in it,
/* and of the third; zone "none.example" { type master; file "a"; }; */
acl inside { 10.0.0.0/8; !192.0.2.0/24; ::1; localhost; };
key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };
options{directory "DIR";recursion no;version "a \" { ; # // \\ b";listen-on port 5300{127.0.0.1;};};
logging { channel c { file "log" versions 3 size 5m; severity info; }; category default { c; }; };
include "more.conf";
view "in" in {
    match-clients { inside; };
    ZONE "Example.COM." IN { type MASTER; file "a"; };
    zone example.org { type primary; file "b"; allow-update { key k; }; };
    zone "0/25.2.0.192.in-addr.arpa"{type master;file"a";};
    zone "." { type hint; file "root"; };
};
view out {
    zone "example.com" { type master; file "c"; };
    zone "example.org" { in-view "in"; };
    zone "sec.example" { type secondary; primaries port 5301 { 192.0.2.1 key k; }; file "s"; };
    zone "fwd.example" { type forward; forward only; forwarders { 192.0.2.1; }; };
    zone "stub.example" { type stub; masters { 192.0.2.1; }; file "t"; };
    zone "raw.example" { type master; file "r"; masterfile-format raw; };
    include "out.conf";
};
"#;

fn bind(directory: &Path) {
    let text = CONFIGURATION.replace("DIR", &directory.display().to_string());
    for (name, text) in [
        ("named.conf", &text[..]),
        ("more.conf", "/* nothing */ server 192.0.2.1 { keys k; };\n"),
        ("out.conf", "zone \"late.example\" { type primary; file \"d\"; };\n"),
        ("a", ZONE),
        ("b", ZONE),
        ("c", ZONE),
        ("d", ZONE),
    ] {
        fs::write(directory.join(name), text).expect("a file");
    }
}

fn port53(directory: &Path, arguments: &[&str]) -> Finished {
    let program = env!("CARGO_BIN_EXE_port53-tested");
    let output = Command::new(program).args(arguments).current_dir(directory).output().expect("it runs");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Finished { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// `zone view`, of what was imported or left out of a view.
fn of_import(done: &Finished, view: &str) -> BTreeSet<String> {
    let lines = done.stderr.lines();
    let zone = |line: &str| {
        let left_out = line.split_once(": left out: zone ").map(|(_, rest)| rest);
        let written = line.split_once(": zone ").map(|(_, rest)| rest);
        let name = left_out.or(written)?.split([' ', ',', ':']).next()?;
        Some(format!("{} {view}", name.to_ascii_lowercase()))
    };
    lines.filter_map(zone).collect()
}

#[test]
fn the_zones_of_a_configuration_are_those_that_bind_finds_in_it() {
    let directory = TempDir::new().expect("a directory");
    let at = directory.path();
    bind(at);
    let listed = run("named-checkconf", &["-l", "named.conf"], at);
    assert!(listed.success, "{listed:?}");
    // Name, class, view, and the type behind it.
    let of_bind: BTreeSet<String> = listed
        .stdout
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (name, _, view) = (words.next()?, words.next()?, words.next()?);
            let name = if name == "." { name } else { name.trim_end_matches('.') };
            Some(format!("{} {view}", name.to_ascii_lowercase()))
        })
        .collect();
    assert_eq!(of_bind.len(), 11, "{listed:?}");
    let mut ours = BTreeSet::new();
    for view in ["in", "out"] {
        let done = port53(at, &["import", "named.conf", "--view", view, "-o", &format!("manifests-{view}")]);
        assert!(!done.stderr.contains("error"), "{done:?}");
        ours.extend(of_import(&done, view));
    }
    assert_eq!(ours, of_bind);
    let written = |view: &str| {
        let entries = fs::read_dir(at.join(format!("manifests-{view}"))).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
    };
    let (inside, outside): (BTreeSet<String>, BTreeSet<String>) = (written("in"), written("out"));
    assert_eq!((inside.len(), outside.len()), (3, 3), "{inside:?} {outside:?}");
    assert!(outside.contains("late-example.yaml") && inside.contains("example-org.yaml"));
}

/// The file of a zone that is changed by UPDATE is behind its journal until `named` writes it.
#[test]
fn a_zone_that_named_has_changed_is_left_out_until_its_file_is_written() {
    let directory = TempDir::new().expect("a directory");
    let at = directory.path();
    fs::write(at.join("z"), ZONE).expect("a file");
    let address = free_address();
    let configuration = format!(
        "options {{ directory \"{0}\"; pid-file none; lock-file none; session-keyfile \"{0}/session\"; recursion no;\n\
         flush-zones-on-shutdown yes; dnssec-validation no; notify no; empty-zones-enable no;\n\
         listen-on port {1} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n\
         zone \"z.example\" {{ type primary; file \"z\"; allow-update {{ 127.0.0.1; }}; }};\n",
        at.display(),
        address.port()
    );
    fs::write(at.join("named.conf"), configuration).expect("a file");
    let mut command = Command::new(find("named"));
    command.args(["-g", "-n", "1", "-c"]).arg(at.join("named.conf"));
    let named = Process::start("named", command, at);
    eventually("named", || {
        peer::answers_soa(address, "z.example").map_err(|why| format!("{why}: {}", named.output()))
    });

    // Nothing has changed: the file is all there is.
    let done = port53(at, &["import", "named.conf", "-o", "before"]);
    assert!(done.success, "{done:?}");

    let update = format!(
        "server 127.0.0.1 {}\nzone z.example\nupdate add www.z.example 60 A 192.0.2.80\nsend\n",
        address.port()
    );
    let mut nsupdate = Command::new(find("nsupdate")).stdin(Stdio::piped()).spawn().expect("nsupdate runs");
    let mut input = nsupdate.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, update.as_bytes()).expect("it reads");
    drop(input);
    assert!(nsupdate.wait().expect("it ends").success());
    let done = port53(at, &["import", "named.conf", "-o", "behind"]);
    assert!(!done.success && !at.join("behind").exists(), "{done:?}");
    let words = "z.jnl has changes up to serial 8, and its file is at 7: run rndc sync -clean z.example";
    assert!(done.stderr.contains(words), "{done:?}");

    // Told so, `named` writes the file as it leaves; the journal stays.
    named.terminate();
    eventually("the file", || {
        let text = fs::read_to_string(at.join("z")).expect("a file");
        if text.contains("192.0.2.80") { Ok(()) } else { Err(named.output()) }
    });
    assert!(at.join("z.jnl").exists());
    let done = port53(at, &["import", "named.conf", "-o", "after"]);
    assert!(done.success, "{done:?}");
    let text = fs::read_to_string(at.join("after/z-example.yaml")).expect("a file");
    assert!(text.contains("name: www\n") && text.contains("initialSerial: 8\n"), "{text}");
}
