//! A node: containerd, kubelet and kube-proxy in namespaces of their own, so that they take this machine for theirs
//! and leave nothing on it. They keep what they keep in the cluster's directory.
//!
//! ```text
//! network of the control plane   br0 172.30.0.1 ── etcd, kube-apiserver, controller-manager, scheduler
//!     │ veth
//! network of node 1              eth0 172.30.0.11, cni0 10.88.1.0/24 ── containerd, kubelet, kube-proxy, pods
//! ```

use super::inner::{Inner, PODS};
use super::netns::{Netns, finish};
use super::{POLL, programs};
use crate::PATIENCE;
use crate::machine::Running;
use crate::process::Process;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// What runs as process 1.
const INIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cluster/node.sh");
/// Where Debian puts the plug-ins for the network of containers.
const PLUGINS: &str = "/usr/lib/cni";
/// Control groups of this machine.
const GROUPS: &str = "/sys/fs/cgroup";

/// A running node. Gone with all that runs on it when dropped.
#[derive(Debug)]
pub struct Node {
    name: String,
    dir: PathBuf,
    // Dropped in this order: first who uses the network and the groups.
    init: Option<Process>,
    groups: Groups,
    netns: Netns,
}

/// What a node needs to know of the cluster.
#[derive(Debug)]
pub(super) struct Of<'a> {
    /// The network of the control plane.
    pub(super) inner: &'a Inner,
    /// The directory of the cluster.
    pub(super) dir: &'a Path,
    /// A kubeconfig of the node, and one of kube-proxy.
    pub(super) kubeconfigs: [&'a Value; 2],
    /// Certificate and key of the node, and that of the authority.
    pub(super) certificate: [PathBuf; 3],
    /// Archives of images that it is to know from the start.
    pub(super) images: &'a [PathBuf],
}

impl Node {
    /// Starts node `number`, from 1. It is ready some seconds later.
    ///
    /// # Panics
    /// When something is not there that it needs, or it cannot be started.
    pub(super) fn start(number: u8, of: &Of<'_>) -> Self {
        let name = name(number);
        let dir = of.dir.join(&name);
        for part in ["kubelet", "containerd", "cni", "log", "images", "plugins"] {
            fs::create_dir_all(dir.join(part)).expect("a directory of the node");
        }
        for image in of.images {
            let name = image.file_name().expect("a file of an image");
            fs::copy(image, dir.join("images").join(name)).expect("the node has the image");
        }
        let whole = format!("{}-{name}", of.inner.id());
        let node = Node {
            init: None,
            groups: Groups::create(&whole),
            netns: of.inner.attach(&whole, number),
            name,
            dir,
        };
        node.write_settings(number, &whole, of);
        node.started(number)
    }

    fn started(mut self, number: u8) -> Self {
        let addresses = addresses(number).join(",");
        let mut command = self.netns.command("unshare");
        command
            .args(["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL", "--mount-proc"])
            .arg(INIT)
            .arg(&self.dir)
            .args([&self.name, &addresses])
            .arg(programs::directory(programs::Set::Node));
        let remove = format!(
            "ip netns delete {}; {}; rm -rf '{}'",
            self.netns.name(),
            self.groups.removal(),
            self.dir.display()
        );
        self.init = Some(Process::start_tied_and(&self.name, &command, &self.dir, &remove));
        self
    }

    fn write_settings(&self, number: u8, group: &str, of: &Of<'_>) {
        let [kubeconfig, proxy_kubeconfig] = of.kubeconfigs;
        let write =
            |file: &str, text: &str| fs::write(self.dir.join(file), text).expect("a file of settings");
        write("kubeconfig", &kubeconfig.to_string());
        write("kube-proxy.kubeconfig", &proxy_kubeconfig.to_string());
        write("resolv.conf", "");
        write("kubelet.json", &self.kubelet(group, of).to_string());
        write("kube-proxy.json", &self.kube_proxy().to_string());
        write("containerd.toml", &self.containerd());
        write("plugins/10-port53.conflist", &network(number).to_string());
    }

    fn kubelet(&self, group: &str, of: &Of<'_>) -> Value {
        let [certificate, key, authority] = &of.certificate;
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true},
                "x509": {"clientCAFile": authority},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": certificate,
            "tlsPrivateKeyFile": key,
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{group}"),
            "failSwapOn": false,
            // Some machines still have the first version of control groups.
            "failCgroupV1": false,
            "clusterDomain": "cluster.local",
            "resolvConf": self.dir.join("resolv.conf"),
            "readOnlyPort": 0,
            // Nobody could get an image again that was cleared away.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {
                "memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%",
            },
        })
    }

    fn kube_proxy(&self) -> Value {
        let soon = json!({"minSyncPeriod": "50ms", "syncPeriod": "30s"});
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": self.dir.join("kube-proxy.kubeconfig")},
            "mode": "iptables",
            "clusterCIDR": PODS.join(","),
            "hostnameOverride": self.name,
            "bindAddress": "0.0.0.0",
            // Limits of the whole machine cannot be set from here.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "iptables": soon,
        })
    }

    fn containerd(&self) -> String {
        let plugins = self.dir.join("plugins");
        format!(
            r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{SANDBOX}"
disable_hugetlb_controller = true
# Where root may not lower the scores by which the kernel chooses whom to end, no pod would start.
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{}"
"#,
            plugins.display()
        )
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network, that of its pods too.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// What its programs printed so far.
    pub fn output(&self) -> String {
        let of = |file: &str| {
            let text = fs::read(self.dir.join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            format!("{} {file}:\n{}\n", self.name, lines[lines.len().saturating_sub(20)..].join("\n"))
        };
        ["output", "containerd.output", "kubelet.output", "kube-proxy.output"].map(of).concat()
    }

    /// Makes an image known to it, an archive in the form of OCI.
    ///
    /// # Panics
    /// With what containerd says when it does not take it.
    pub fn load(&self, archive: &Path) {
        finish(self.command("ctr").args(["--namespace=k8s.io", "images", "import"]).arg(archive));
    }

    /// A program on it, in its namespaces.
    ///
    /// # Panics
    /// When it does not run.
    pub fn command(&self, program: &str) -> Command {
        let outside = self.init.as_ref().expect("it runs").pid();
        let until = Instant::now() + PATIENCE;
        let inside = loop {
            let all = Running::all().expect("/proc");
            if let Some(one) = all.into_iter().find(|one| one.parent == outside && one.name == "node.sh") {
                break one.pid;
            }
            assert!(Instant::now() < until, "{} does not run:\n{}", self.name, self.output());
            std::thread::sleep(POLL);
        };
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={inside}"))
            .args(["--mount", "--pid", "--net", "--ipc", "--uts", program]);
        command
    }

    /// Kills it and all that runs on it, at once: a machine that lost its power.
    pub fn kill(&mut self) {
        self.init = None;
    }
}

/// The image of the container that holds a pod's namespaces.
pub(super) const SANDBOX: &str = "localhost/port53-tests/sandbox:1";

/// The name of a node.
pub(super) fn name(number: u8) -> String {
    format!("node-{number}")
}

/// Its addresses, of both families.
pub(super) fn addresses(number: u8) -> [String; 2] {
    [format!("172.30.0.{}", 10 + number), format!("fd30::{:x}", 0x10 + number)]
}

/// The network of the pods of a node: a bridge that leads to all others by the node.
fn network(number: u8) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "port53",
        "plugins": [
            {
                "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/var/lib/cni/networks",
                    "ranges": [
                        [{"subnet": format!("10.88.{number}.0/24")}],
                        [{"subnet": format!("fd88:0:0:{number:x}::/64")}],
                    ],
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

/// The control groups of a node, of every hierarchy that there is. Removed when dropped.
#[derive(Debug)]
struct Groups(Vec<PathBuf>);

impl Groups {
    fn create(name: &str) -> Self {
        let root = Path::new(GROUPS);
        let hierarchies: Vec<PathBuf> = match root.join("cgroup.controllers").exists() {
            true => vec![root.to_owned()],
            false => {
                let entries = fs::read_dir(root).expect("control groups").filter_map(Result::ok);
                entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
            }
        };
        let all: Vec<PathBuf> = hierarchies.iter().map(|hierarchy| hierarchy.join(name)).collect();
        for group in &all {
            fs::create_dir_all(group).unwrap_or_else(|error| panic!("{}: {error}", group.display()));
        }
        Groups(all)
    }

    /// A script that removes them once their processes are gone.
    fn removal(&self) -> String {
        let all: Vec<String> = self.0.iter().map(|group| format!("'{}'", group.display())).collect();
        format!(
            "for wait in 1 2 3 4 5 6 7 8 9; do find {} -depth -type d -exec rmdir {{}} + 2>/dev/null; sleep 0.2; done",
            all.join(" ")
        )
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // Processes that were killed leave them within moments.
        let until = Instant::now() + PATIENCE;
        for group in &self.0 {
            while remove(group).is_err() && Instant::now() < until {
                std::thread::sleep(POLL);
            }
        }
    }
}

/// Removes a control group and those below it.
fn remove(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)?.filter_map(Result::ok) {
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
