//! A real control plane: etcd and kube-apiserver in a temporary directory, each cluster with its own ports,
//! certificates and data, ready after some seconds, and gone when it is dropped or the tests end.
//!
//! ```text
//! Cluster ──▶ etcd ◀── kube-apiserver ◀── client(), client_as(), kubectl(), kubeconfig()
//!                           ▲
//!                           └── with nodes: controller-manager, scheduler, and on each node kubelet and kube-proxy
//! ```
//!
//! Without nodes all is on loopback, and there is no controller-manager and no scheduler: what is created stays as it
//! was written. Deleting a namespace therefore never ends; tests take a new namespace each
//! ([`Cluster::create_namespace`]). With nodes ([`Settings::nodes`]) pods run and Services lead to them, of both
//! families of addresses; that is in network namespaces of its own and takes root ([`Inner`], [`Node`]).
//!
//! [`shared`] is one for all tests of a binary. Whatever would disturb the others, stopping a server above all,
//! needs a cluster of one's own (`&mut self`).
//!
//! Everything here is for tests with a runtime and without one: it waits on threads of its own.

mod access;
mod etcd;
mod inner;
mod netns;
mod node;
mod nodes;
mod objects;
mod pki;
mod programs;

pub use access::User;
pub use inner::{BALANCERS, Inner};
pub use netns::Netns;
pub use node::Node;

use crate::process::Process;
use kube::Client;
use pki::Pki;
use programs::{Ports, Set};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Longer than a control plane takes to start on a machine that has other things to do.
const STARTS_WITHIN: Duration = Duration::from_secs(180);

/// How often what is waited for is looked at. More often would slow down who is waited for.
const POLL: Duration = Duration::from_millis(20);

/// `kubectl` of the version that tests against an API server have, for a cluster that was there before.
///
/// # Panics
/// With the way to get it when it is not there.
pub fn kubectl() -> PathBuf {
    programs::directory(Set::ControlPlane).join("kubectl")
}

/// How a cluster is to be.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether etcd waits for the disk. Tests need not, and measurements have to.
    pub durable: bool,
    /// Further flags of kube-apiserver.
    pub api_server_flags: Vec<String>,
    /// How many nodes there are to run pods. With any, the whole is in network namespaces of its own.
    pub nodes: u8,
    /// Archives of images that the nodes are to know from the start.
    pub images: Vec<PathBuf>,
}

impl Settings {
    /// Which programs such a cluster is made of.
    fn programs(&self) -> Set {
        match self.nodes {
            0 => Set::ControlPlane,
            _ => Set::Node,
        }
    }
}

/// A running control plane.
pub struct Cluster {
    // Dropped in this order: first who asks, then who writes, then where it is written.
    nodes: Vec<Node>,
    controllers: Vec<Process>,
    api_server: Option<Process>,
    etcd: Option<Process>,
    inner: Option<Inner>,
    runtime: Option<Runtime>,
    pki: Pki,
    ports: Ports,
    settings: Settings,
    dir: TempDir,
}

/// The cluster of this test binary, with the definitions of Port53 applied. Started by the first who asks.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cluster = Cluster::start(Settings::default());
        cluster.apply_crds();
        cluster
    })
}

impl Cluster {
    /// Starts etcd and kube-apiserver, and waits until they are ready.
    ///
    /// # Panics
    /// With their output when they do not become ready, and with the way to get them when they are not there.
    pub fn start(settings: Settings) -> Self {
        // Another process may take a free port first; then the program ends, and other ports are tried.
        for _ in 0..5 {
            let mut cluster = Cluster::new(settings.clone());
            cluster.start_etcd();
            cluster.spawn_api_server();
            if cluster.is_ready_in_time() {
                cluster.start_nodes();
                return cluster;
            }
            eprintln!("{}", cluster.output());
        }
        panic!("the control plane ended each time that it was started; see its output above");
    }

    fn new(settings: Settings) -> Self {
        let dir =
            tempfile::Builder::new().prefix("port53-cluster-").tempdir().expect("a temporary directory");
        for part in ["etcd", "api-server"] {
            fs::create_dir(dir.path().join(part)).expect("a directory");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let pki = Pki::create(dir.path().join("certificates"));
        let ports = Ports::free();
        let inner = (settings.nodes > 0).then(|| Inner::create(ports.api));
        Cluster {
            nodes: Vec::new(),
            controllers: Vec::new(),
            api_server: None,
            etcd: None,
            inner,
            runtime: Some(runtime),
            pki,
            ports,
            settings,
            dir,
        }
    }

    /// Where the API server answers.
    pub fn url(&self) -> String {
        let address = match &self.inner {
            None => SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.api)),
            Some(inner) => inner.outside(),
        };
        format!("https://{address}")
    }

    /// The network of a cluster with nodes: from there its Services and pods are reached.
    pub fn inner(&self) -> Option<&Inner> {
        self.inner.as_ref()
    }

    /// Does `work` where the control plane is: on this machine, or in its network.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.inner {
            None => work(),
            Some(inner) => inner.netns().within(work),
        }
    }

    /// A directory of this cluster that goes with it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What etcd and kube-apiserver printed so far.
    pub fn output(&self) -> String {
        let of = |name, process: &Option<Process>| match process {
            Some(process) => format!("{name} printed:\n{}", process.output()),
            None => format!("{name} is stopped"),
        };
        format!("{}\n{}", of("etcd", &self.etcd), of("kube-apiserver", &self.api_server))
    }

    /// Kills the API server: connections are reset, and nobody listens.
    pub fn stop_api_server(&mut self) {
        self.api_server = None;
    }

    /// Starts the API server again, with the same data on the same port, and waits until it is ready.
    ///
    /// # Panics
    /// With its output when it does not become ready.
    pub fn start_api_server(&mut self) {
        self.spawn_api_server();
        assert!(self.is_ready_in_time(), "it ended instead of starting again:\n{}", self.output());
    }

    /// Kills etcd. The API server stays and cannot do a thing.
    pub fn stop_etcd(&mut self) {
        self.etcd = None;
    }

    /// Starts etcd on the data that it had, or that was put in its place.
    pub fn start_etcd(&mut self) {
        let command = programs::etcd(self.ports, &self.etcd_dir(), &self.settings);
        self.etcd = Some(self.tied("etcd", command, &self.etcd_dir()));
    }

    /// Kills etcd and starts it again, and waits until the API server is ready with it.
    ///
    /// # Panics
    /// With the output of both when it does not become ready.
    pub fn restart_etcd(&mut self) {
        self.stop_etcd();
        self.start_etcd();
        assert!(self.is_ready_in_time(), "one of them ended:\n{}", self.output());
    }

    /// The data as it is now, for [`Cluster::put_back`]. Stops both servers meanwhile.
    pub fn backup(&mut self) -> Backup {
        self.stop_api_server();
        self.stop_etcd();
        let copy = TempDir::new_in(self.dir.path()).expect("a directory for a copy");
        copy_dir(&self.etcd_dir().join("data"), &copy.path().join("data"));
        self.start_etcd();
        self.start_api_server();
        Backup(copy)
    }

    /// Puts the data of a backup in the place of what is there: the cluster goes back in time, its
    /// resourceVersions with it.
    pub fn put_back(&mut self, backup: &Backup) {
        self.stop_api_server();
        self.stop_etcd();
        let data = self.etcd_dir().join("data");
        fs::remove_dir_all(&data).expect("the data can be removed");
        copy_dir(&backup.0.path().join("data"), &data);
        self.start_etcd();
        self.start_api_server();
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.client_as(&User::admin())
    }

    /// Runs `work` to its end, from a test with a runtime as well as from one without.
    pub fn block_on<T: Send>(&self, work: impl AsyncFnOnce() -> T + Send) -> T {
        let handle = self.runtime.as_ref().expect("it is there until the drop").handle();
        // A runtime may not wait for another on its own threads.
        let finished = thread::scope(|scope| scope.spawn(|| handle.block_on(work())).join());
        finished.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    fn etcd_dir(&self) -> PathBuf {
        self.dir.path().join("etcd")
    }

    fn spawn_api_server(&mut self) {
        let command = programs::api_server(self.ports, &self.pki, &self.settings);
        let dir = self.dir.path().join("api-server");
        self.api_server = Some(self.tied("kube-apiserver", command, &dir));
    }

    /// Starts a program of the control plane where that is. It ends with this process, and all of the cluster with it.
    fn tied(&self, name: &str, command: Command, dir: &Path) -> Process {
        match &self.inner {
            None => Process::start_tied(name, &command, dir, self.dir()),
            Some(inner) => {
                let netns = inner.netns();
                let remove = format!("ip netns delete {}; rm -rf '{}'", netns.name(), self.dir().display());
                Process::start_tied_and(name, &netns.enter(&command), dir, &remove)
            }
        }
    }

    /// Waits until the API server is ready, and says false when it or etcd ended instead.
    ///
    /// # Panics
    /// With the output of both when nothing happens.
    fn is_ready_in_time(&mut self) -> bool {
        let until = Instant::now() + STARTS_WITHIN;
        loop {
            let ended = |process: &mut Option<Process>| process.as_mut().is_some_and(Process::has_ended);
            if ended(&mut self.api_server) || ended(&mut self.etcd) {
                return false;
            }
            let Err(missing) = self.block_on(async || self.ready().await) else { return true };
            assert!(Instant::now() < until, "the API server: still {missing}\n{}", self.output());
            thread::sleep(POLL);
        }
    }

    async fn ready(&self) -> Result<(), String> {
        let client = self.client();
        // A namespace can be used before the one that is always there is made, and is not in /readyz.
        for path in ["/readyz", "/api/v1/namespaces/default"] {
            let request = http::Request::get(path).body(Vec::new()).expect("a request");
            client.request_text(request).await.map_err(|error| format!("{path}: {error}"))?;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A runtime may not be dropped on the threads of another, unless it waits for nothing.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The data of a cluster at some moment.
#[derive(Debug)]
pub struct Backup(TempDir);

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
