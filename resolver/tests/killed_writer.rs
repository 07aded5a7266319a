//! A process that is killed while it writes its disk cache: what it had written is there, and nothing that is
//! there is torn. Its own `main`, because it starts itself again as the process that is killed.

mod support;

use port53_resolver::disk::{self, DiskStatus, Writer};
use port53_resolver::source::Publisher;
use port53_resolver::transfer::Transfers;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use support::*;

const WRITE: &str = "--write-until-killed";
const ROUNDS: usize = 6;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == WRITE) {
        Some(at) => write_until_killed(Path::new(&arguments[at + 1])),
        None => what_was_written_is_there_and_nothing_is_torn(),
    }
}

/// Writes version after version, each with other slices, and prints the serial of each that is written.
fn write_until_killed(directory: &Path) {
    let (publisher, status) = (Publisher::new(), Arc::new(DiskStatus::default()));
    let loaded = disk::load(directory, &publisher, &Transfers::default(), &status);
    let often = Duration::from_millis(1);
    let _writer = Writer::start(directory, publisher.clone(), Arc::default(), loaded, often, status.clone())
        .expect("starts");
    let first = serial_of(&publisher).map_or(1, |serial| serial + 1);
    for serial in first.. {
        let before = status.writes.load(Relaxed);
        let hosts = 200 + serial as usize % 7;
        publisher
            .put(image("example.com.", serial, &format!("192.0.2.{}", serial % 256), hosts))
            .expect("higher");
        eventually("it is written", || status.writes.load(Relaxed) > before);
        println!("{serial}");
    }
}

fn what_was_written_is_there_and_nothing_is_torn() {
    let directory = tempfile::tempdir().expect("a directory");
    for round in 1..=ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this file"))
            .args([WRITE.as_ref(), directory.path()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // Killed after another number of writes each time, wherever the next one has come to.
        let mut written: u32 = 0;
        for line in lines.by_ref().take(3 * round) {
            written = line.expect("reads").parse().expect("a serial");
        }
        child.kill().expect("kills");
        child.wait().expect("waits");
        for line in lines {
            written = line.expect("reads").parse().unwrap_or(written);
        }
        let (publisher, status) = (Publisher::new(), DiskStatus::default());
        let loaded = disk::load(directory.path(), &publisher, &Transfers::default(), &status);
        assert!(loaded.problems.is_empty(), "round {round}: {:?}", loaded.problems);
        let found = serial_of(&publisher).expect("the zone is there");
        assert!(
            found == written || found == written + 1,
            "round {round}: {found}, but {written} was written"
        );
    }
    println!("what was written is there and nothing is torn: ok");
}

fn serial_of(publisher: &Publisher) -> Option<u32> {
    Some(publisher.view(&zone_name("example.com."))?.image?.soa().serial)
}
