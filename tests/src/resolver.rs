//! `port53-resolver` as a process on loopback that follows a namespace of a cluster.

use crate::ask::{Question, Transport};
use crate::cluster::{Cluster, User};
use crate::process::Process;
use crate::{PATIENCE, eventually};
use hickory_proto::op::Message;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How long one answer may take. On loopback nothing is lost: only a busy machine is slow, or who waits for legacy.
const ANSWER: Duration = Duration::from_secs(10);

/// What a resolver is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `env!("CARGO_BIN_EXE_port53-resolver-tested")` in tests.
    pub program: PathBuf,
    /// Who it is.
    pub kubeconfig: PathBuf,
    /// Where the heads are.
    pub namespace: String,
    /// Where it answers, on a port of its own.
    pub listen: IpAddr,
    /// Further arguments.
    pub more: Vec<String>,
}

/// A running resolver. Killed when dropped.
#[derive(Debug)]
pub struct Resolver {
    process: Process,
    address: SocketAddr,
    health: SocketAddr,
    dir: TempDir,
}

/// Lets `user` do in `namespace` what a resolver must, and nothing else.
///
/// # Panics
/// With what kubectl says when it cannot.
pub fn grant(cluster: &Cluster, namespace: &str, user: &User) {
    let rights = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: resolver}
rules:
- {apiGroups: [port53.dev], resources: [zoneheads], verbs: [list, watch]}
- {apiGroups: [port53.dev], resources: [zoneslices], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: resolver}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: resolver}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: USER}
";
    let rights = rights.replace("USER", &user.name);
    let done = cluster.kubectl_with(&["apply", "--server-side", "-n", namespace, "-f", "-"], &rights);
    assert!(done.success, "{done:?}");
}

impl Resolver {
    /// Starts one with an empty cache, and waits until it listens.
    ///
    /// # Panics
    /// With its output when it does not.
    pub fn start(settings: &Settings) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let (process, address, health) = spawn(settings, dir.path());
        Resolver { process, address, health, dir }
    }

    /// Starts one on what is in `cache` of `dir`, without an API server.
    ///
    /// # Panics
    /// With its output when it does not listen.
    pub fn start_from_disk(program: &Path, dir: TempDir, more: &[&str]) -> Self {
        let (process, address, health) = spawn_from_disk(program, dir.path(), more);
        Resolver { process, address, health, dir }
    }

    /// Kills it and starts another like that on the same cache.
    ///
    /// # Panics
    /// As [`Resolver::start_from_disk`].
    pub fn restart_from_disk(&mut self, program: &Path, more: &[&str]) {
        self.kill();
        (self.process, self.address, self.health) = spawn_from_disk(program, self.dir.path(), more);
    }

    /// Its cache.
    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// Kills it and starts another on the same cache.
    ///
    /// # Panics
    /// As [`Resolver::start`].
    pub fn restart(&mut self, settings: &Settings) {
        self.kill();
        (self.process, self.address, self.health) = spawn(settings, self.dir.path());
    }

    /// Kills it. It stays gone until it is restarted.
    pub fn kill(&mut self) {
        self.process = Process::start("nothing", Command::new("true"), self.dir.path());
    }

    /// Stops it where it stands: nobody is answered, and nothing says that it is gone.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Where it answers, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it says how it is.
    pub fn health(&self) -> SocketAddr {
        self.health
    }

    /// The id of its process, which is that of its process group too.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it printed so far, as lines of JSON.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Whether it keeps a zone on its disk at this moment.
    pub fn has_on_disk(&self, zone: &str) -> bool {
        self.on_disk(zone).join("manifest").is_file()
    }

    /// Where it keeps a zone.
    pub fn on_disk(&self, zone: &str) -> PathBuf {
        self.cache().join(format!("{zone}.zone"))
    }

    /// The answer to `owner TYPE`, asked once over UDP.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&self, question: &str) -> io::Result<Message> {
        Question::new(question, None).ask(self.address, Transport::Udp, ANSWER)
    }

    /// The response code and the values of the answer to `owner TYPE`, as `NOERROR 192.0.2.1`.
    pub fn says(&self, question: &str) -> String {
        match self.ask(question) {
            Ok(answer) => {
                let values = answer.answers.iter().map(|record| format!(" {}", record.data));
                format!("{:?}{}", answer.metadata.response_code, values.collect::<String>())
            }
            Err(error) => format!("no answer: {error}"),
        }
    }

    /// Waits until it says `expected` to `question`.
    ///
    /// # Panics
    /// With its output when it does not.
    pub fn comes_to_say(&self, question: &str, expected: &str) {
        eventually(question, || match self.says(question) {
            said if said == expected => Ok(()),
            said => Err(format!("{said}, not {expected}; it printed:\n{}", self.output())),
        });
    }

    /// The body of `/readyz?verbose` and such.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.health).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it is answered");
        text.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
    }

    /// A metric without labels.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in:\n{text}"))
    }
}

fn spawn(settings: &Settings, dir: &Path) -> (Process, SocketAddr, SocketAddr) {
    let mut command = command(&settings.program, dir);
    command
        .arg("--source=kubernetes")
        .arg(format!("--namespace={}", settings.namespace))
        .arg(format!("--listen={}", SocketAddr::new(settings.listen, 0)))
        .args(&settings.more)
        .env("KUBECONFIG", &settings.kubeconfig);
    // A test waits for the disk; who measures says how often it is written.
    if !settings.more.iter().any(|argument| argument.starts_with("--cache-interval")) {
        command.arg("--cache-interval=10ms");
    }
    listening(&command, dir)
}

fn spawn_from_disk(program: &Path, dir: &Path, more: &[&str]) -> (Process, SocketAddr, SocketAddr) {
    let mut command = command(program, dir);
    command.arg("--source=disk").args(more);
    if !more.iter().any(|argument| argument.starts_with("--listen=")) {
        command.arg("--listen=127.0.0.1:0");
    }
    listening(&command, dir)
}

fn command(program: &Path, dir: &Path) -> Command {
    let cache = dir.join("cache");
    fs::create_dir_all(&cache).expect("a directory");
    let mut command = Command::new(program);
    command
        .args(["--health-listen=127.0.0.1:0", "--log-format=json", "--udp-threads=1"])
        .arg(format!("--cache-dir={}", cache.display()));
    command
}

/// Starts it, and waits until it listens.
fn listening(command: &Command, dir: &Path) -> (Process, SocketAddr, SocketAddr) {
    let mut process = Process::start_tied("port53-resolver", command, dir, dir);
    let (address, health) = eventually("port53-resolver", || {
        assert!(!process.has_ended(), "it ended and printed:\n{}", process.output());
        addresses(&process.output())
            .ok_or_else(|| format!("not listening; it printed:\n{}", process.output()))
    });
    (process, address, health)
}

/// Where it listens for questions and for health, when it says so.
fn addresses(output: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = output.lines().find(|line| line.contains("\"listening\""))?;
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let field = |name: &str| line["fields"][name].as_str()?.trim_matches(['[', ']']).parse().ok();
    Some((field("addresses")?, field("health")?))
}
