//! The programs of a control plane: where they are, on which ports, with which flags.

use super::Settings;
use super::pki::Pki;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const INSTALLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install-control-plane");

/// Where etcd, kube-apiserver and kubectl are. Whoever asks first says on the terminal which they are: tests that
/// pass are to tell on what.
///
/// # Panics
/// With the way to get them, when they are not there: no test is passed without them.
pub(super) fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let output = Command::new(INSTALLER)
            .arg("--find")
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{INSTALLER} cannot be run: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let directory = PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim_end());
        let [etcd, kubernetes] = ["etcd", "kube-apiserver"].map(|program| version(&directory.join(program)));
        // Not with `eprintln!`, of which the test harness shows nothing when the test passes.
        writeln!(io::stderr(), "on {kubernetes} and {etcd}, of {}", directory.display()).expect("it is said");
        directory
    })
}

/// What a program calls itself, the first line that it prints of its version.
fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    assert!(output.status.success(), "{}: {output:?}", program.display());
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

/// The ports of one cluster, on loopback.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) api: u16,
    pub(super) etcd: u16,
    peer: u16,
}

impl Ports {
    /// Ports that are free at this moment.
    pub(super) fn free() -> Self {
        Ports { api: free_port(), etcd: free_port(), peer: free_port() }
    }
}

/// A port below those that the kernel gives to outgoing connections: a server that is stopped and started again
/// would lose one of those to whoever connects in between.
fn free_port() -> u16 {
    loop {
        let port = 20_000 + (RandomState::new().build_hasher().finish() % 10_000) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// etcd with its data in `dir`.
pub(super) fn etcd(ports: Ports, dir: &Path, settings: &Settings) -> Command {
    let clients = format!("http://127.0.0.1:{}", ports.etcd);
    let peers = format!("http://127.0.0.1:{}", ports.peer);
    let mut command = Command::new(directory().join("etcd"));
    command
        .args(["--name=default", "--log-level=warn", "--quota-backend-bytes=8589934592"])
        .arg(flag("data-dir", dir.join("data")))
        .arg(format!("--listen-client-urls={clients}"))
        .arg(format!("--advertise-client-urls={clients}"))
        .arg(format!("--listen-peer-urls={peers}"))
        .arg(format!("--initial-advertise-peer-urls={peers}"))
        .arg(format!("--initial-cluster=default={peers}"));
    if !settings.durable {
        command.arg("--unsafe-no-fsync");
    }
    command
}

/// kube-apiserver on that etcd.
///
/// No controller-manager makes service accounts, so that no pod may be asked to have one; and loopback is no
/// address for the endpoints of the service `kubernetes`, so they are left out.
pub(super) fn api_server(ports: Ports, pki: &Pki, settings: &Settings) -> Command {
    let (certificate, key) = pki.server_files();
    let (tokens, tokens_key) = pki.token_files();
    let mut command = Command::new(directory().join("kube-apiserver"));
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd))
        .arg(format!("--secure-port={}", ports.api))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .args(["--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16"])
        .args(["--authorization-mode=RBAC", "--allow-privileged=true"])
        .arg("--disable-admission-plugins=ServiceAccount")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(flag("service-account-key-file", tokens))
        .arg(flag("service-account-signing-key-file", tokens_key))
        .arg(flag("client-ca-file", pki.authority_file()))
        .arg(flag("tls-cert-file", certificate))
        .arg(flag("tls-private-key-file", key))
        .args(&settings.api_server_flags);
    command
}

fn flag(name: &str, path: PathBuf) -> String {
    format!("--{name}={}", path.to_str().expect("a path in UTF-8"))
}
