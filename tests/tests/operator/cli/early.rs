//! Imports that end before they are done: what was refused until then is told, and run again they go on.

use super::import::master;
use super::{Site, command, finished};
use crate::programs;
use port53_tests::eventually;
use port53_tests::platform::{Platform, Settings};
use port53_tests::process::Finished;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Stdio};
use tempfile::TempDir;

#[test]
fn an_import_that_is_killed_goes_on_when_it_is_run_again() {
    let site = Site::new("killed");
    site.write("here.zone", &master(&site.domain, 600, ""));
    let line = format!("import here.zone --origin {} --apply --parallel 1", site.domain);
    let mut child = site.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    eventually("some records", || match site.records() {
        0..50 => Err("fewer than 50 records".to_owned()),
        records => Ok(records),
    });
    child.kill().expect("it is there");
    child.wait().expect("it ends");
    let there = site.records();
    assert!(there < 601, "it was done before it was killed");

    let done = site.port53(0, &line);
    assert_eq!(site.records(), 601);
    let unchanged: usize = done
        .stdout
        .split(" there already")
        .next()
        .and_then(|text| text.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{done:?}"));
    assert!(unchanged >= there, "{there} were there: {done:?}");
    // A third time nothing is sent.
    let done = site.port53(0, &line);
    assert!(done.stdout.contains("0 applied") && done.stdout.contains("601 there already"), "{done:?}");
}

#[test]
fn an_import_that_is_interrupted_says_what_was_refused_until_then() {
    let site = Site::new("interrupted");
    site.write("here.zone", &master(&site.domain, 600, ""));
    claim_h0(site.platform, &site.namespace, &site.domain, site.files.path());
    let line = format!("import here.zone --origin {} --apply --parallel 1 --rejects r.yaml", site.domain);
    let child = begin(site.command(&line));
    eventually("some records", || some_records(site.records()));
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).expect("it is there");
    let (status, done) = end(child);
    assert_eq!(status, 1, "{done:?}");
    assert!(done.stdout.contains(" 1 refused, ") && done.stdout.ends_with(" not sent\n"), "{done:?}");
    assert!(done.stderr.contains("here.zone:6: refused: DNSRecord"), "{done:?}");
    assert!(done.stderr.contains("not done: interrupted: run this again, and it goes on"), "{done:?}");
    assert!(site.read("r.yaml").contains("name: h0\n"), "{}", site.read("r.yaml"));
    assert!(site.records() < 601, "it was done before it was interrupted");
}

/// It goes on by itself when the API server is back in time; else it says so, and goes on when it is run again.
#[test]
fn an_import_during_which_the_api_server_stops_goes_on() {
    let mut platform = Platform::start(programs(), Settings::default());
    let files = TempDir::new().expect("a directory");
    let (namespace, domain) = platform.place("stopped");
    std::fs::write(files.path().join("here.zone"), master(&domain, 600, "")).expect("a file");
    claim_h0(&platform, &namespace, &domain, files.path());
    let records = |platform: &Platform| {
        platform.kubectl(&format!("get dnsrecords -n {namespace} -o name")).lines().count()
    };
    let import = |platform: &Platform, more: &str| {
        let line = format!(
            "import here.zone --origin {domain} --apply --parallel 1 --rejects r.yaml --force {more}"
        );
        command(platform, &namespace, files.path(), &line)
    };

    // Longer than it has patience.
    let child = begin(import(&platform, "--timeout 1s"));
    eventually("some records", || some_records(records(&platform)));
    platform.cluster.stop_api_server();
    let (status, done) = end(child);
    assert_eq!(status, 1, "{done:?}");
    assert!(done.stderr.contains("not done: the API server is lost: "), "{done:?}");
    assert!(done.stderr.contains("run this again, and it goes on"), "{done:?}");
    assert!(done.stdout.contains(" 1 refused, ") && done.stdout.ends_with(" not sent\n"), "{done:?}");
    let rejects = std::fs::read_to_string(files.path().join("r.yaml")).expect("what was refused");
    assert!(rejects.contains("name: h0\n"), "{rejects}");
    // One that finds no API server has done nothing.
    let (status, done) = finished(import(&platform, "--timeout 1s"));
    assert_eq!((status, done.stdout.as_str()), (2, ""), "{done:?}");
    platform.cluster.start_api_server();
    let there = records(&platform);
    assert!(there < 601, "it was done before the API server stopped");

    // As long as it has patience.
    let child = begin(import(&platform, ""));
    eventually("more records", || match records(&platform) {
        now if now > there => Ok(()),
        now => Err(format!("{now} records")),
    });
    platform.cluster.stop_api_server();
    platform.cluster.start_api_server();
    let before = records(&platform);
    let (status, done) = end(child);
    assert!(before < 601, "it was done before the API server stopped");
    assert_eq!(status, 1, "{done:?}");
    assert!(!done.stderr.contains("not done") && !done.stdout.contains("not sent"), "{done:?}");
    assert!(done.stdout.contains(" 1 refused\n"), "{done:?}");
    assert_eq!(records(&platform), 601);
    platform.come_to_say(&format!("h599.{domain} A"), "NoError 192.0.2.100");
}

/// Applies h0 of the zone as somebody else, with another address: an import is refused it.
fn claim_h0(platform: &Platform, namespace: &str, domain: &str, files: &Path) {
    let line = format!("import here.zone --origin {domain} -o -");
    let (_, done) = finished(command(platform, namespace, files, &line));
    let is_h0 = |document: &&str| document.contains("name: h0\n");
    let h0 = done.stdout.split("---\n").find(is_h0).expect("h0");
    platform.apply(&h0.replace("192.0.2.1", "198.51.100.1"));
}

fn some_records(records: usize) -> Result<(), String> {
    if records < 50 { Err(format!("{records} records")) } else { Ok(()) }
}

fn begin(mut command: std::process::Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("port53 can be run")
}

fn end(child: Child) -> (i32, Finished) {
    let output = child.wait_with_output().expect("it ends");
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    (output.status.code().unwrap_or(-1), Finished { success: output.status.success(), stdout, stderr })
}
