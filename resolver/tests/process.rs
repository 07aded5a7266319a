//! The real binary: it answers from its disk, whatever became of the process or the file before, says how it
//! is, and leaves when told to.

mod support;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use port53_resolver::disk::{self, DiskStatus, Writer};
use port53_resolver::source::Publisher;
use port53_resolver::transfer::Transfers;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use support::*;

/// Writes example.com at `serial` (with enough names for several slices) and example.org into a cache.
fn write_cache(directory: &Path, serial: u32, www: &str) {
    let (publisher, status) = (Publisher::new(), Arc::new(DiskStatus::default()));
    let loaded = disk::load(directory, &publisher, &Transfers::default(), &status);
    let often = Duration::from_millis(1);
    let writer = Writer::start(directory, publisher.clone(), Arc::default(), loaded, often, status.clone())
        .expect("starts");
    publisher.put(image("example.com.", serial, www, 1500)).expect("newer");
    publisher.put(image("example.org.", 3, "192.0.2.2", 0)).expect("the same");
    writer.finish();
    assert_eq!(status.failure(), None);
}

/// A running resolver. Killed, as by SIGKILL, when dropped.
struct Process {
    child: Child,
    dns: SocketAddr,
    health: SocketAddr,
    /// For TLS, when it listens there.
    tls: Option<SocketAddr>,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-resolver"));
    command
        .args(["--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0", "--log-format=json", "--source=disk"])
        .args(arguments);
    command.stderr(Stdio::piped()).stdout(Stdio::null());
    command
}

impl Process {
    fn start(cache: &Path, more: &[&str]) -> Self {
        let cache = format!("--cache-dir={}", cache.display());
        let mut child = command(&[&[cache.as_str()], more].concat()).spawn().expect("starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let (mut line, mut tls) = (String::new(), None);
        let address = |line: &str, name: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = line["fields"][name].as_str().expect("a field");
            text.trim_matches(['[', ']']).parse().expect("an address")
        };
        while !line.contains("listening") {
            line.clear();
            assert!(log.read_line(&mut line).expect("reads") > 0, "it ended before it listened");
            if line.contains("\"encrypted\"") {
                tls = Some(address(&line, "tls"));
            }
        }
        // So that the pipe never fills.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Process { child, dns: address(&line, "addresses"), health: address(&line, "health"), tls }
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.health).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("sets");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sends");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("reads");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
    }

    fn www(&self) -> Vec<String> {
        values(&ask_udp(self.dns, WWW, RecordType::A))
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("runs").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_killed_process_answers_from_its_disk_when_it_is_started_again() {
    let cache = tempfile::tempdir().expect("a directory");
    write_cache(cache.path(), 7, "192.0.2.1");
    for _ in 0..3 {
        let process = Process::start(cache.path(), &[]);
        assert_eq!(process.www(), ["192.0.2.1"]);
        assert_eq!(values(&ask_tcp(process.dns, "host77.example.com.", RecordType::A)), ["198.51.100.7"]);
        assert_eq!(rcode(&ask_udp(process.dns, "example.net.", RecordType::A)), ResponseCode::Refused);
        eventually("it is ready", || process.get("/readyz") == (200, "ok\n".to_owned()));
        // SIGKILL.
        drop(process);
    }
}

#[test]
fn a_truncated_slice_is_set_aside_and_its_zone_alone_is_servfail_until_it_is_whole() {
    let cache = tempfile::tempdir().expect("a directory");
    write_cache(cache.path(), 7, "192.0.2.1");
    let zone = cache.path().join("example.com.zone");
    let slices = |suffix: &str| -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(&zone).expect("lists").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.to_str().is_some_and(|path| path.ends_with(suffix))).collect()
    };
    let victim = slices(".slice").pop().expect("a slice");
    let octets = fs::read(&victim).expect("reads");
    fs::write(&victim, &octets[..octets.len() / 2]).expect("writes");

    let process = Process::start(cache.path(), &[]);
    assert_eq!(rcode(&ask_udp(process.dns, WWW, RecordType::A)), ResponseCode::ServFail);
    assert_eq!(values(&ask_udp(process.dns, "www.example.org.", RecordType::A)), ["192.0.2.2"]);
    assert_eq!(slices(".corrupt").len(), 1);
    let (status, detail) = process.get("/readyz?verbose");
    assert_eq!(status, 503, "{detail}");
    assert!(detail.contains("[-] zone example.com. is not complete"), "{detail}");
    assert!(process.get("/metrics").1.contains("port53_disk_corrupt_files_total 1\n"));
    drop(process);

    // It is SERVFAIL alone: it keeps nobody from being ready when its time is over.
    let process = Process::start(cache.path(), &["--assembly-grace=0s"]);
    eventually("it is ready", || process.get("/readyz").0 == 200);
    let (_, detail) = process.get("/readyz?verbose");
    assert!(detail.contains("[!] zone example.com.: not complete, answered with SERVFAIL"), "{detail}");
    drop(process);

    write_cache(cache.path(), 7, "192.0.2.1");
    assert_eq!(Process::start(cache.path(), &[]).www(), ["192.0.2.1"]);
}

#[test]
fn told_to_leave_it_answers_on_and_then_ends_without_an_error() {
    let cache = tempfile::tempdir().expect("a directory");
    write_cache(cache.path(), 7, "192.0.2.1");
    let mut process = Process::start(cache.path(), &["--drain-quiet=20s", "--drain-most=20s"]);
    eventually("it is ready", || process.get("/readyz").0 == 200);
    process.terminate();
    assert_eq!(process.www(), ["192.0.2.1"]);
    assert_eq!(process.get("/readyz").0, 200, "it stays ready");
    assert_eq!(process.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(process.child.try_wait().expect("waits"), None);
    drop(process);

    let mut process = Process::start(cache.path(), &["--drain-quiet=0s"]);
    process.terminate();
    assert!(process.child.wait().expect("ends").success());
}

/// A directory that cannot be, and so no zone and no cache: said, and no query is drawn here.
#[test]
fn who_knows_no_zone_is_not_ready_and_a_disk_that_cannot_be_written_is_told_at_once() {
    let process = Process::start(Path::new("/proc/nope"), &[]);
    eventually("it is told", || process.get("/readyz?verbose").1.contains("disk cache: cannot be written"));
    let (status, detail) = process.get("/readyz?verbose");
    assert_eq!(status, 503);
    assert!(detail.contains("the list of zones is not complete"), "{detail}");
    assert!(process.get("/metrics").1.contains("port53_disk_writable 0"));
}

#[test]
fn what_cannot_run_says_why() {
    let output = command(&["--udp-limit=9", "--tcp-idle=soon"]).output().expect("runs");
    let told = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--udp-limit \"9\"") && told.contains("--tcp-idle \"soon\""), "{told}");

    let cache = tempfile::tempdir().expect("a directory");
    let other = Process::start(cache.path(), &[]);
    let output = Command::new(env!("CARGO_BIN_EXE_port53-resolver"))
        .args([format!("--listen={}", other.dns), "--health-listen=127.0.0.1:0".to_owned()])
        .output()
        .expect("runs");
    let told = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("another program has it"), "{told}");
}

/// A scrape as samples by family, checked against the rules of OpenMetrics 1.0: each family is described
/// once, before its samples, which stand together; names go with the type; nothing is said twice.
fn openmetrics(text: &str) -> BTreeMap<String, Vec<(String, f64)>> {
    let body = text.strip_suffix("# EOF\n").expect("ends in # EOF");
    let mut families: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut current, mut seen) = ("", BTreeSet::new());
    for line in body.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", family, help] => {
                assert!(
                    !help.is_empty() && families.insert(family.to_owned(), Vec::new()).is_none(),
                    "{line}"
                );
                current = family;
            }
            ["#", "TYPE", family, kind] => {
                assert!(family == current && kinds.insert(family, kind).is_none(), "{line}");
            }
            [..] => {
                let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
                let name = sample.split('{').next().expect("a name");
                let suffixes: &[&str] = match kinds[current] {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    other => panic!("{other}: {line}"),
                };
                assert!(suffixes.contains(&name.strip_prefix(current).expect("of its family")), "{line}");
                assert!(seen.insert(sample), "twice: {line}");
                let value: f64 = value.parse().expect("a number");
                assert!(value >= 0.0, "{line}");
                families.get_mut(current).expect("described").push((sample.to_owned(), value));
            }
        }
    }
    families
}

#[test]
fn a_scrape_is_openmetrics_and_counts_what_was_asked() {
    let cache = tempfile::tempdir().expect("a directory");
    write_cache(cache.path(), 7, "192.0.2.1");
    let process = Process::start(cache.path(), &[]);
    eventually("it is ready", || process.get("/readyz").0 == 200);
    for _ in 0..3 {
        process.www();
    }
    ask_tcp(process.dns, "nothing.example.com.", RecordType::AAAA);
    // A response is counted after it was handed to the system, so the client may be faster.
    let mut families = BTreeMap::new();
    eventually("the responses are counted", || {
        families = openmetrics(&process.get("/metrics").1);
        let timed = families["port53_query_duration_seconds"].iter();
        let timed: f64 = timed.filter(|(name, _)| name.contains("_count")).map(|(_, count)| count).sum();
        // Two are of the process to itself.
        timed == 6.0
    });
    let value = |family: &str, sample: &str| {
        let found = families[family].iter().find(|(name, _)| name == sample);
        found.unwrap_or_else(|| panic!("{sample} in {:?}", families[family])).1
    };
    let queries = "port53_queries";
    assert_eq!(value(queries, r#"port53_queries_total{transport="udp",qtype="A",rcode="NOERROR"}"#), 3.0);
    assert_eq!(value(queries, r#"port53_queries_total{transport="tcp",qtype="AAAA",rcode="NXDOMAIN"}"#), 1.0);
    assert_eq!(value("port53_zones", r#"port53_zones{state="serving"}"#), 2.0);
    assert_eq!(value("port53_zone_serial", r#"port53_zone_serial{zone="example.com."}"#), 7.0);
    assert_eq!(value("port53_source_state", r#"port53_source_state{state="disk-only"}"#), 1.0);
    assert_eq!(value("port53_disk_writable", "port53_disk_writable"), 1.0);
    assert_eq!(value("port53_ready", "port53_ready"), 1.0);
    assert!(families["port53_zone_age_seconds"].len() == 2 && families["port53_zone_rrsets"].len() == 2);
    // The histogram: buckets that include the ones before, the last without a bound, which is the count.
    for transport in ["udp", "tcp"] {
        let label = format!("transport=\"{transport}\"");
        let of = |suffix: &str| -> Vec<f64> {
            let samples = families["port53_query_duration_seconds"].iter();
            let mine = samples.filter(|(name, _)| name.contains(&label) && name.contains(suffix));
            mine.map(|(_, value)| *value).collect()
        };
        let (buckets, count) = (of("_bucket"), of("_count"));
        assert!(buckets.is_sorted() && buckets.last() == count.first(), "{buckets:?} {count:?}");
        assert_eq!(of("le=\"+Inf\"").len(), 1);
        let answered: f64 =
            families[queries].iter().filter(|(name, _)| name.contains(&label)).map(|(_, value)| value).sum();
        assert_eq!(count, [answered]);
    }
}

/// The flags of the encrypted transports, as an operator would use them, and what the metrics say of it.
#[test]
fn the_program_answers_over_tls_and_its_metrics_say_so() {
    let cache = tempfile::tempdir().expect("a directory");
    write_cache(cache.path(), 7, "192.0.2.1");
    let dir = tempfile::tempdir().expect("a directory");
    tls::write(dir.path(), &tls::issue());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let flags = [
        "--listen-tls=127.0.0.1:0".to_owned(),
        "--listen-quic=127.0.0.1:0".to_owned(),
        "--listen-https=127.0.0.1:0".to_owned(),
        format!("--tls-certificate={}", file("tls.crt")),
        format!("--tls-key={}", file("tls.key")),
    ];
    let process = Process::start(cache.path(), &flags.each_ref().map(String::as_str));
    let address = process.tls.expect("it listens");
    let kdig = |name: &str| {
        let output = Command::new("kdig")
            .args([format!("@{}", address.ip()), format!("-p{}", address.port())])
            .args([format!("+tls-ca={}", file("tls.crt")), format!("+tls-hostname={name}")])
            .args([WWW, "A"])
            .output()
            .expect("kdig of the package knot-dnsutils");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = kdig(tls::NAME);
    assert!(text.contains("192.0.2.1"), "{text}");
    assert!(!kdig("other.example.com").contains("192.0.2.1"), "kdig looks at the name");
    let metric = |line: &str| process.get("/metrics").1.lines().any(|had| had == line);
    assert!(metric("port53_queries_total{transport=\"tls\",qtype=\"A\",rcode=\"NOERROR\"} 1"));
    assert!(metric("port53_connections_accepted_total{transport=\"tls\"} 2"));
    assert!(metric("port53_connections_accepted_total{transport=\"quic\"} 0"));
    assert!(metric("port53_certificate_wrong 0"));
    fs::write(dir.path().join("tls.crt"), "").expect("writes");
    eventually("it is noticed", || metric("port53_certificate_wrong 1"));
    assert!(metric("port53_certificate_failures_total 1"));
}

/// Without its files nothing is listened on.
#[test]
fn a_certificate_that_is_not_there_is_told_at_the_start() {
    let output =
        command(&["--listen-tls=127.0.0.1:0", "--tls-certificate=/nowhere/tls.crt", "--tls-key=/nowhere"])
            .output()
            .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot read /nowhere/tls.crt: No such file"), "{error}");
}
