//! The settings of the real binary: printed, wrong all at once, and read again while queries are answered.

mod support;

use hickory_proto::rr::RecordType;
use port53_resolver::disk::{self, DiskStatus, Writer};
use port53_resolver::source::Publisher;
use port53_resolver::transfer::Transfers;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::*;

const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const OTHER_SECRET: &str = "dd3bdf9344b678b185a6f5cb60fca715";
const NSID: u16 = 3;
const COOKIE: u16 = 10;

fn write_cache(directory: &Path) {
    let (publisher, status) = (Publisher::new(), Arc::new(DiskStatus::default()));
    let loaded = disk::load(directory, &publisher, &Transfers::default(), &status);
    let often = Duration::from_millis(1);
    let writer =
        Writer::start(directory, publisher.clone(), Arc::default(), loaded, often, status).expect("starts");
    publisher.put(image("example.com.", 7, "192.0.2.1", 0)).expect("newer");
    writer.finish();
}

fn command(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-resolver"));
    command.args(["--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0", "--source=disk"]).args(arguments);
    command
}

fn output(arguments: &[String]) -> Output {
    command(arguments).output().expect("runs")
}

/// A running resolver. Killed when dropped.
struct Process {
    child: Child,
    dns: SocketAddr,
    health: SocketAddr,
}

impl Process {
    fn start(arguments: &[String]) -> Self {
        let mut child = command(arguments)
            .arg("--log-format=json")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("listening") {
            line.clear();
            assert!(log.read_line(&mut line).expect("reads") > 0, "it ended before it listened");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let field = |name: &str| line["fields"][name].as_str().expect("a field").to_owned();
        let dns = field("addresses").trim_matches(['[', ']']).parse().expect("an address");
        Process { child, dns, health: field("health").parse().expect("an address") }
    }

    fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("runs").success());
    }

    fn metric(&self, sample: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(self.health).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("sets");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("sends");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("reads");
        let line = text.lines().find_map(|line| line.strip_prefix(sample))?;
        line.trim().parse().ok()
    }

    /// The value of an option that was asked for with `value`.
    fn option(&self, code: u16, value: &[u8]) -> Option<Vec<u8>> {
        option(self.dns, code, value)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn option(server: SocketAddr, code: u16, value: &[u8]) -> Option<Vec<u8>> {
    let mut message = query(1, WWW, RecordType::A);
    message[11] = 1;
    message.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4 + value.len() as u8]);
    message.extend_from_slice(&code.to_be_bytes());
    message.extend_from_slice(&[0, value.len() as u8]);
    message.extend_from_slice(value);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket.send_to(&message, server).expect("sends");
    let mut answer = [0; 4096];
    let len = socket.recv(&mut answer).expect("an answer");
    let answer = &answer[..len];
    // The OPT comes last, and the option that was asked for is its only one.
    let begin = answer.windows(5).rposition(|five| five == [0, 0, 41, 4, 208]).expect("an OPT");
    let options = &answer[begin + 11..];
    let (head, value) = options.split_first_chunk::<4>()?;
    assert_eq!(u16::from_be_bytes([head[0], head[1]]), code);
    Some(value.to_vec())
}

#[test]
fn the_effective_configuration_is_printed_and_can_be_given() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("port53.yaml");
    fs::write(&file, "nsid: ns1\nrate-limit: 50\n").expect("writes");
    let config = format!("--config={}", file.display());
    let printed = output(&[config, "config".to_owned()]);
    assert!(printed.status.success(), "{printed:?}");
    let text = String::from_utf8(printed.stdout).expect("text");
    for line in ["nsid: ns1", "rate-limit: 50", "listen: [\"127.0.0.1:0\"]", "tcp-idle: 10s"] {
        assert!(text.lines().any(|printed| printed.starts_with(line)), "{line}: {text}");
    }
    fs::write(&file, &text).expect("writes");
    let again = output(&[format!("--config={}", file.display()), "config".to_owned()]);
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # ").next().unwrap_or_default().trim().to_owned()).collect()
    };
    assert_eq!(values(&String::from_utf8(again.stdout).expect("text")), values(&text));
}

#[test]
fn everything_wrong_is_told_at_once_and_nothing_is_served() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("port53.yaml");
    fs::write(&file, "nsidd: a\nudp-limit: 5\n").expect("writes");
    for more in [vec![], vec!["config".to_owned()]] {
        let flags = [format!("--config={}", file.display()), "--rate-limit=x".to_owned()];
        let told = output(&[&flags[..], &more].concat());
        assert_eq!(told.status.code(), Some(2));
        let text = String::from_utf8(told.stderr).expect("text");
        assert_eq!(text.lines().filter(|line| line.starts_with("error: ")).count(), 3, "{text}");
        assert!(text.contains("port53.yaml:1: nsidd is no setting"), "{text}");
    }
}

/// While it reads its settings again, every query is answered.
#[test]
fn settings_are_read_again_without_a_lost_query() {
    let directory = tempfile::tempdir().expect("a directory");
    let cache = directory.path().join("cache");
    write_cache(&cache);
    let (file, secrets) = (directory.path().join("port53.yaml"), directory.path().join("secrets"));
    let write = |nsid: &str| {
        let secrets = secrets.display();
        fs::write(&file, format!("nsid: {nsid}\ncookie-secret-file: {secrets}\n")).expect("writes");
    };
    write("first");
    fs::write(&secrets, SECRET).expect("writes");
    let process =
        Process::start(&[format!("--cache-dir={}", cache.display()), format!("--config={}", file.display())]);
    assert_eq!(process.option(NSID, b"").as_deref(), Some(&b"first"[..]));
    let cookie = process.option(COOKIE, &[7; 8]).expect("a cookie");
    assert_eq!(process.option(COOKIE, &cookie).as_deref(), Some(&cookie[..]), "it is kept");

    let (done, dns) = (Arc::new(AtomicBool::new(false)), process.dns);
    let until = done.clone();
    let client = std::thread::spawn(move || {
        let mut asked = 0;
        while !until.load(Ordering::Relaxed) {
            assert_eq!(values(&ask_udp(dns, WWW, RecordType::A)), ["192.0.2.1"]);
            asked += 1;
        }
        asked
    });
    // Told to.
    write("second");
    process.hang_up();
    eventually("it says the second", || process.option(NSID, b"").as_deref() == Some(b"second"));
    assert_eq!(process.option(COOKIE, &cookie).as_deref(), Some(&cookie[..]), "the same secret");
    // By itself: the secret is replaced, the one before still verifies, and a new cookie is given.
    let valid = r#"port53_cookies_total{transport="udp",cookie="valid"}"#;
    let invalid = r#"port53_cookies_total{transport="udp",cookie="invalid"}"#;
    fs::write(&secrets, format!("{OTHER_SECRET}\n{SECRET}\n")).expect("writes");
    let mut new = Vec::new();
    eventually("a cookie of the new secret", || {
        new = process.option(COOKIE, &cookie).expect("a cookie");
        new != cookie
    });
    assert_eq!(process.option(COOKIE, &new).as_deref(), Some(&new[..]));
    assert_eq!(process.metric(invalid), Some(0.0), "no cookie was lost");
    assert!(process.metric(valid) >= Some(4.0));
    // What is wrong changes nothing.
    fs::write(&file, "nsid: [third]\nudp-limit: none\n").expect("writes");
    process.hang_up();
    eventually("it is refused", || process.metric("port53_config_current") == Some(0.0));
    assert_eq!(process.option(NSID, b"").as_deref(), Some(&b"second"[..]));
    write("third");
    process.hang_up();
    eventually("it is taken", || process.metric("port53_config_current") == Some(1.0));
    assert_eq!(process.option(NSID, b"").as_deref(), Some(&b"third"[..]));
    done.store(true, Ordering::Relaxed);
    assert!(client.join().expect("every query was answered") > 0);
}
