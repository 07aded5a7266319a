//! What the threads that answer over UDP ask of the system: recvmmsg and sendmmsg, and nothing else, whatever is
//! asked of them. Seen by strace, which looks on at a resolver that is running.

use port53_resolver::disk;
use port53_resolver::source::Publisher;
use port53_resolver::transfer::Transfers;
use port53_tests::process::{self, Process};
use port53_tests::read::read;
use port53_tests::{PATIENCE, eventually};
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::name;
use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const ZONE: &str = "example.test. 300 IN SOA ns1 host 1 2 3 4 300\n\
                    example.test. 300 IN NS ns1.example.test.\n\
                    ns1.example.test. 300 IN A 192.0.2.53\n\
                    cut.example.test. 300 IN NS ns1.example.test.\n\
                    *.wild.example.test. 300 IN A 192.0.2.1\n\
                    alias.example.test. 300 IN CNAME ns1.example.test.\n";

/// Queries sent while the resolver stands still.
const TOGETHER: usize = 64;

#[test]
fn answering_over_udp_calls_recvmmsg_and_sendmmsg_for_a_batch_and_nothing_else() {
    for (listen, asked) in [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
        let dir = TempDir::new().expect("a temporary directory");
        let mut resolver = start(listen, dir.path());
        let port = eventually("the resolver", || {
            assert!(!resolver.has_ended(), "it ended and printed:\n{}", resolver.output());
            address(&resolver.output()).map(|address| address.port()).ok_or("no address".to_owned())
        });
        let client = client(SocketAddr::new(asked.parse().expect("an address"), port));
        let threads = udp_threads(resolver.pid());
        assert_eq!(threads.len(), 1, "{threads:?}");
        // All that is done once has been done.
        ask_all(&client);

        let traced = TempDir::new().expect("a temporary directory");
        let trace = traced.path().join("trace");
        let mut command = Command::new(process::find("strace"));
        command.args(["-f", "-p", &resolver.pid().to_string(), "-o"]).arg(&trace);
        let mut strace = Process::start("strace", command, traced.path());
        eventually("strace", || {
            assert!(!strace.has_ended(), "it ended and printed:\n{}", strace.output());
            let is_there = strace.output().contains("attached");
            is_there.then_some(()).ok_or_else(|| strace.output())
        });
        ask_all(&client);
        // What came while it stood still it finds together.
        resolver.pause();
        for _ in 0..TOGETHER {
            client.send(&query("ns1.example.test", 1)).expect("sends");
        }
        resolver.resume();
        (0..TOGETHER).for_each(|_| receive(&client));

        let (calls, batches) = eventually("the trace", || {
            let calls = calls(&fs::read_to_string(&trace).unwrap_or_default(), &threads);
            let batches: Vec<usize> = calls.get("sendmmsg").cloned().unwrap_or_default();
            let sent: usize = batches.iter().sum();
            if sent < TOGETHER + QUERIES.len() { Err(format!("{calls:?}")) } else { Ok((calls, batches)) }
        });
        let names: Vec<&str> = calls.keys().map(String::as_str).collect();
        assert_eq!(names, ["recvmmsg", "sendmmsg"], "on {listen}: {calls:?}");
        assert!(batches.contains(&32), "on {listen}: {batches:?}");
    }
}

/// Owner and type of questions of every kind.
const QUERIES: [(&str, u16); 9] = [
    ("ns1.example.test", 1),
    ("ns1.example.test", 16),
    ("none.example.test", 1),
    ("x.cut.example.test", 1),
    ("x.wild.example.test", 1),
    ("alias.example.test", 1),
    ("example.test", 255),
    ("example.test", 252),
    ("elsewhere.test", 1),
];

fn ask_all(client: &UdpSocket) {
    for (owner, rtype) in QUERIES {
        client.send(&query(owner, rtype)).expect("sends");
        receive(client);
    }
}

fn receive(client: &UdpSocket) {
    let length = client.recv(&mut [0; 4096]).expect("an answer");
    assert!(length >= 12);
}

fn client(server: SocketAddr) -> UdpSocket {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).expect("a socket");
    socket.connect(server).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket
}

fn query(owner: &str, rtype: u16) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(name::parse_absolute(owner).expect("a name").as_slice());
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message
}

/// A resolver with one UDP thread that has the zone in its disk cache.
fn start(listen: &str, dir: &Path) -> Process {
    let cache = dir.join("cache");
    fs::create_dir(&cache).expect("a directory");
    let (publisher, status) = (Publisher::new(), Arc::new(disk::DiskStatus::default()));
    let loaded = disk::load(&cache, &publisher, &Transfers::default(), &status);
    let writer = disk::Writer::start(
        &cache,
        publisher.clone(),
        Arc::default(),
        loaded,
        Duration::ZERO,
        status.clone(),
    );
    let (soa, rrsets) = read("zone", ZONE.as_bytes(), "example.test.", None).rrsets();
    let apex = name::parse_absolute("example.test").expect("a name");
    let content = Content::build(apex, [1; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    publisher.put(Image::new(content.expect("a content"), soa)).expect("new");
    writer.expect("a thread").finish();
    assert_eq!(status.failure(), None);

    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-resolver-tested"));
    command.args(["--source", "disk", "--udp-threads", "1", "--health-listen", "127.0.0.1:0"]);
    command.args(["--log-format", "text", "--listen", listen, "--cache-dir"]).arg(cache);
    Process::start("port53-resolver", command, dir)
}

/// The address in the line `listening addresses=[127.0.0.1:1234] …`, once the cache was read.
fn address(output: &str) -> Option<SocketAddr> {
    output.lines().find(|line| line.contains("all that is served"))?;
    let line = output.lines().find(|line| line.contains("addresses=["))?;
    line.split_once("addresses=[")?.1.split_once("] ")?.0.parse().ok()
}

/// The ids of the threads named `udp-N`, once they are there.
fn udp_threads(pid: u32) -> Vec<String> {
    let directory = format!("/proc/{pid}/task");
    eventually("the UDP threads", || {
        let mut threads = Vec::new();
        for entry in fs::read_dir(&directory).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            if fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("udp-")) {
                threads.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
            }
        }
        if threads.is_empty() { Err("none".to_owned()) } else { Ok(threads) }
    })
}

/// The results of the calls of `threads` by name; those that failed or were interrupted are 0.
fn calls(trace: &str, threads: &[String]) -> BTreeMap<String, Vec<usize>> {
    let mut calls: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        // Signals, and the first half of a call whose second half is another line.
        if !threads.iter().any(|wanted| wanted == thread)
            || call.starts_with("---")
            || call.ends_with("<unfinished ...>")
        {
            continue;
        }
        let name = match call.strip_prefix("<... ") {
            Some(resumed) => resumed.split(' ').next(),
            None => call.split('(').next(),
        };
        let result = call.rsplit_once(" = ").and_then(|(_, result)| result.split(' ').next()?.parse().ok());
        calls.entry(name.unwrap_or_default().to_owned()).or_default().push(result.unwrap_or(0));
    }
    calls
}
