//! The programs of a control plane: where they are, on which ports, with which flags.

use super::Settings;
use super::inner::{CONTROL_PLANE, PODS, SERVICES};
use super::pki::Pki;
use crate::ports::free_address;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const INSTALLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install-control-plane");

/// Which programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Set {
    /// etcd, kube-apiserver and kubectl, of the version that the environment says.
    ControlPlane,
    /// All that a cluster with nodes needs, of the version that is for those.
    Node,
}

/// Where the programs are. Whoever asks first says on the terminal which they are: tests that pass are to tell on what.
///
/// # Panics
/// With the way to get them, when they are not there: no test is passed without them.
pub(super) fn directory(set: Set) -> &'static Path {
    static CONTROL_PLANE: OnceLock<PathBuf> = OnceLock::new();
    static NODE: OnceLock<PathBuf> = OnceLock::new();
    let mut installer = Command::new(INSTALLER);
    installer.arg("--find").stdin(Stdio::null());
    let directory = match set {
        Set::ControlPlane => &CONTROL_PLANE,
        Set::Node => {
            installer.env_remove("KUBEBUILDER_ASSETS").env_remove("PORT53_ENVTEST_URL");
            installer.env("PORT53_KUBERNETES", "node");
            &NODE
        }
    };
    directory.get_or_init(|| {
        let output = installer.output().unwrap_or_else(|error| panic!("{INSTALLER} cannot be run: {error}"));
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
        let [api, etcd, peer] = [(); 3].map(|()| free_address().port());
        Ports { api, etcd, peer }
    }
}

/// etcd with its data in `dir`.
pub(super) fn etcd(ports: Ports, dir: &Path, settings: &Settings) -> Command {
    let clients = format!("http://127.0.0.1:{}", ports.etcd);
    let peers = format!("http://127.0.0.1:{}", ports.peer);
    let mut command = Command::new(directory(settings.programs()).join("etcd"));
    command
        .args(["--name=default", "--log-level=warn", "--quota-backend-bytes=8589934592"])
        .arg(flag("data-dir", &dir.join("data")))
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
pub(super) fn api_server(ports: Ports, pki: &Pki, settings: &Settings) -> Command {
    let (certificate, key) = pki.server_files();
    let (tokens, tokens_key) = pki.token_files();
    let mut command = Command::new(directory(settings.programs()).join("kube-apiserver"));
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd))
        .arg(format!("--secure-port={}", ports.api))
        .arg("--allow-privileged=true")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(flag("service-account-key-file", &tokens))
        .arg(flag("service-account-signing-key-file", &tokens_key))
        .arg(flag("client-ca-file", &pki.authority_file()))
        .arg(flag("tls-cert-file", &certificate))
        .arg(flag("tls-private-key-file", &key))
        .arg(format!("--service-cluster-ip-range={}", SERVICES.join(",")));
    match settings.nodes {
        // No controller-manager makes service accounts, so that no pod may be asked to have one; and loopback is no
        // address for the endpoints of the service `kubernetes`, so they are left out.
        0 => command
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            .args(["--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount"])
            .arg("--authorization-mode=RBAC"),
        _ => {
            let (certificate, key) = pki.kubelet_client_files();
            command
                .args(["--bind-address=0.0.0.0", "--authorization-mode=Node,RBAC"])
                .arg(format!("--advertise-address={CONTROL_PLANE}"))
                .arg("--enable-admission-plugins=NodeRestriction")
                .arg("--kubelet-preferred-address-types=InternalIP")
                .arg(flag("kubelet-client-certificate", &certificate))
                .arg(flag("kubelet-client-key", &key))
                .arg(flag("kubelet-certificate-authority", &pki.authority_file()))
        }
    };
    command.args(&settings.api_server_flags);
    command
}

/// kube-controller-manager. Clusters start fast and are asked much: it may ask as much as it likes.
pub(super) fn controller_manager(kubeconfig: &Path, pki: &Pki) -> Command {
    let mut command = Command::new(directory(Set::Node).join("kube-controller-manager"));
    command
        .arg(flag("kubeconfig", kubeconfig))
        .args(["--leader-elect=false", "--bind-address=127.0.0.1", "--use-service-account-credentials=true"])
        .args(["--kube-api-qps=500", "--kube-api-burst=1000", "--node-monitor-grace-period=20s"])
        .args(["--allocate-node-cidrs=false".to_owned(), format!("--cluster-cidr={}", PODS.join(","))])
        .arg(format!("--service-cluster-ip-range={}", SERVICES.join(",")))
        .arg(flag("service-account-private-key-file", &pki.token_files().1))
        .arg(flag("root-ca-file", &pki.authority_file()));
    command
}

/// kube-scheduler.
pub(super) fn scheduler(kubeconfig: &Path) -> Command {
    let mut command = Command::new(directory(Set::Node).join("kube-scheduler"));
    command
        .arg(flag("kubeconfig", kubeconfig))
        .args(["--leader-elect=false", "--bind-address=127.0.0.1"])
        .args(["--kube-api-qps=500", "--kube-api-burst=1000"]);
    command
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.to_str().expect("a path in UTF-8"))
}
