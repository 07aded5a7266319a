//! The real program, run over directories, and asked over real sockets.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with these files.
pub(crate) fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a directory");
    for (name, text) in files {
        write(directory.path(), name, text);
    }
    directory
}

/// Writes a file as a program does that puts another in its place.
pub(crate) fn write(directory: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `port53` in `directory`.
pub(crate) fn port53(directory: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_port53"))
        .current_dir(directory)
        .args(arguments)
        .output()
        .expect("the program runs");
    Run {
        status: output.status.code().expect("it ended by itself"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

impl Run {
    /// The findings of `check --output json`.
    pub(crate) fn findings(&self) -> Vec<Value> {
        let report: Value = serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("JSON: {self:?}"));
        report["findings"].as_array().expect("findings").clone()
    }

    /// Zones with the number of RRsets that would be served.
    pub(crate) fn zones(&self) -> Vec<(String, u64)> {
        let report: Value = serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("JSON: {self:?}"));
        let zones = report["zones"].as_array().expect("zones");
        let row = |zone: &Value| {
            (zone["zone"].as_str().expect("a zone").to_owned(), zone["rrsets"].as_u64().expect("a count"))
        };
        zones.iter().map(row).collect()
    }
}

/// A running `port53 dev`.
pub(crate) struct Dev {
    child: Child,
    updates: Receiver<Value>,
    pub(crate) address: SocketAddr,
    pub(crate) first: Value,
}

impl Dev {
    /// Serves `directory` on a free port.
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[])
    }

    pub(crate) fn start_with(directory: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_port53"))
            .args(["dev", "--listen", "127.0.0.1:0", "--output", "json"])
            .args(more)
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (sender, updates) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).expect("a line of JSON"));
            }
        });
        let first: Value = updates.recv_timeout(PATIENCE).expect("its first line");
        let address = first["listening"][0].as_str().expect("an address").parse().expect("an address");
        Dev { child, updates, address, first }
    }

    /// The next update that is as `wanted`.
    pub(crate) fn update(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while let Ok(update) = self.updates.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if wanted(&update) {
                return update;
            }
            last = update;
        }
        panic!("no such update; the last was {last:#}");
    }

    /// What it answers now: the response code and the values of the answer, sorted.
    pub(crate) fn ask(&self, name: &str, rtype: RecordType) -> (String, Vec<String>) {
        ask(self.address, name, rtype)
    }

    /// Waits until it answers so.
    pub(crate) fn answers(&self, name: &str, rtype: RecordType, wanted: &[&str]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (rcode, values) = self.ask(name, rtype);
            if values == wanted {
                return;
            }
            assert!(Instant::now() < until, "{name} {rtype}: {rcode} {values:?}, wanted {wanted:?}");
            std::thread::yield_now();
        }
    }

    /// Waits until it says so.
    pub(crate) fn says(&self, name: &str, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        while self.ask(name, RecordType::SOA).0 != wanted {
            assert!(Instant::now() < until, "{name}: not {wanted}");
            std::thread::yield_now();
        }
    }

    /// Tells it to leave, as a keyboard or a supervisor does, and waits until it has.
    pub(crate) fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        self.child.wait().expect("it ends").code().expect("by itself")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(address: SocketAddr, name: &str, rtype: RecordType) -> (String, Vec<String>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    query.add_query(Query::query(Name::from_str(name).expect("a name"), rtype));
    socket.send_to(&query.to_vec().expect("a message"), address).expect("it is sent");
    let mut buffer = [0; 4096];
    let (len, _) = socket.recv_from(&mut buffer).expect("an answer");
    let answer = Message::from_vec(&buffer[..len]).expect("a message");
    let mut values: Vec<String> = answer.answers.iter().map(|record| record.data.to_string()).collect();
    values.sort();
    (format!("{:?}", answer.metadata.response_code), values)
}

/// A Zone and its DNSRecords: `(name, owner, type, value)`.
pub(crate) fn zone_yaml(domain: &str, records: &[(&str, &str, &str, &str)]) -> String {
    let id = domain.replace('.', "-");
    let mut text = format!(
        "apiVersion: port53.dev/v1alpha1\nkind: Zone\nmetadata: {{name: {id}}}\nspec:\n  domain: {domain}\n  \
         nameservers: [ns1.dns.example.net]\n"
    );
    for (name, owner, rtype, value) in records {
        text.push_str(&record_yaml(&id, name, owner, rtype, value));
    }
    text
}

/// A document with one DNSRecord.
pub(crate) fn record_yaml(zone: &str, name: &str, owner: &str, rtype: &str, value: &str) -> String {
    format!(
        "---\napiVersion: port53.dev/v1alpha1\nkind: DNSRecord\nmetadata:\n  name: {name}\nspec:\n  \
         zoneRef: {{name: {zone}}}\n  name: \"{owner}\"\n  type: {rtype}\n  values: ['{value}']\n"
    )
}
