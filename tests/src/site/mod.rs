//! Where releases are installed: in a cluster of the tests' own, or in the one that `KUBECONFIG` names.
//!
//! Both are used alike, by `kubectl`, Helm and questions to Services. A cluster of one's own is entered through its
//! network namespaces; in another a pod asks ([`Given`]).

mod given;

pub use given::Given;

use crate::ask::{Question, Transport};
use crate::cluster::{Cluster, Settings};
use crate::images::Archive;
use crate::process::{Finished, find};
use hickory_proto::op::Message;
use serde_json::{Value, json};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long a question waits for its answer.
const ANSWER: Duration = Duration::from_secs(2);

/// See the module.
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum Site {
    /// Made from nothing, and gone with the tests.
    Own(Cluster),
    /// It was there before, and stays.
    Given(Given),
}

impl Site {
    /// The cluster that `KUBECONFIG` names, or one made with so many nodes. Its nodes know the images.
    ///
    /// # Panics
    /// When there is none.
    pub fn start(nodes: u8, images: &[Archive]) -> Self {
        Given::of_environment(images).map_or_else(|| Self::make(nodes, images), Site::Given)
    }

    /// One that is made, whatever `KUBECONFIG` says: for what would do harm to another.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn make(nodes: u8, images: &[Archive]) -> Self {
        let images = images.iter().map(|archive| archive.path.clone()).collect();
        Site::Own(Cluster::start(Settings { nodes, images, ..Settings::default() }))
    }

    /// Runs `kubectl` with all rights.
    pub fn kubectl(&self, arguments: &[&str]) -> Finished {
        self.kubectl_with(arguments, "")
    }

    /// The same with something to read: `["apply", "--server-side", "-f", "-"]`.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Finished {
        match self {
            Site::Own(cluster) => cluster.kubectl_with(arguments, input),
            Site::Given(given) => given.kubectl(arguments, input.as_bytes()).into(),
        }
    }

    /// Where `kubectl` is.
    pub fn kubectl_program(&self) -> PathBuf {
        match self {
            Site::Own(cluster) => cluster.programs().join("kubectl"),
            Site::Given(given) => given.program().to_owned(),
        }
    }

    /// A kubeconfig with all rights, which tests may change.
    pub fn kubeconfig(&self) -> PathBuf {
        match self {
            Site::Own(cluster) => cluster.kubeconfig(),
            Site::Given(given) => given.kubeconfig().to_owned(),
        }
    }

    /// A directory that goes with the tests.
    pub fn dir(&self) -> &Path {
        match self {
            Site::Own(cluster) => cluster.dir(),
            Site::Given(given) => given.dir(),
        }
    }

    /// What tells this run of the tests from others in the same cluster, as the value of a label.
    pub fn run(&self) -> &str {
        match self {
            Site::Own(_) => "own",
            Site::Given(given) => given.run(),
        }
    }

    /// Creates a namespace whose name begins with `prefix`, which goes with the tests, and gives its name: no test has
    /// one that another has.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn create_namespace(&self, prefix: &str) -> String {
        self.create_labelled_namespace(prefix, &[])
    }

    /// The same with labels.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn create_labelled_namespace(&self, prefix: &str, labels: &[(&str, &str)]) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("{prefix}-{}-{}", self.run(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {}}});
        for (key, value) in labels {
            namespace["metadata"]["labels"][key] = json!(value);
        }
        let done = self.kubectl_with(&["create", "-f", "-"], &namespace.to_string());
        assert!(done.success, "namespace {name}: {done:?}");
        name
    }

    /// Labels an object `port53-tests=RUN`: namespaces that have it go with the tests, from nodes it is taken away.
    ///
    /// # Panics
    /// When it is not there.
    pub fn takes_away(&self, kind: &str, name: &str) {
        let label = format!("{}={}", given::LABEL, self.run());
        let done = self.kubectl(&["label", kind, name, &label, "--overwrite"]);
        assert!(done.success, "{done:?}");
    }

    /// The nodes that pods can be on.
    ///
    /// # Panics
    /// When they cannot be listed, or there is none.
    pub fn nodes(&self) -> Vec<SiteNode> {
        let done = self.kubectl(&["get", "nodes", "-o", "json"]);
        let list: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        let takes_pods = |node: &&Value| {
            let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
            !taints.any(|taint| taint["effect"] != "PreferNoSchedule")
        };
        let nodes = list["items"].as_array().into_iter().flatten().filter(takes_pods);
        let nodes: Vec<SiteNode> = nodes.map(SiteNode::read).collect();
        assert!(!nodes.is_empty(), "no node takes pods");
        nodes
    }

    /// How many families of addresses Services have at least.
    pub fn families(&self) -> usize {
        match self {
            Site::Own(_) => 2,
            Site::Given(_) => 1,
        }
    }

    /// Asks an address from within the cluster.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, server: SocketAddr, question: &Question, transport: Transport) -> io::Result<Message> {
        match self {
            Site::Own(cluster) => cluster.within(|| question.ask(server, transport, ANSWER)),
            Site::Given(given) => given.ask(server, question, transport),
        }
    }

    /// A script of the shell that runs dig with what it is given, from within the cluster.
    pub fn dig(&self) -> String {
        let run = match self {
            Site::Own(cluster) => {
                let netns = cluster.inner().expect("nodes").netns().name().to_owned();
                format!("nsenter --net=/run/netns/{netns} {}", find("dig").display())
            }
            Site::Given(given) => given.within("dig"),
        };
        format!("#!/bin/sh\nexec {run} \"$@\"\n")
    }
}

/// A node of a cluster.
#[derive(Clone, Debug)]
pub struct SiteNode {
    /// What it is called.
    pub name: String,
    /// Its addresses inside of the cluster.
    pub addresses: Vec<IpAddr>,
}

impl SiteNode {
    fn read(node: &Value) -> Self {
        let all = node["status"]["addresses"].as_array().into_iter().flatten();
        let internal = all.filter(|address| address["type"] == "InternalIP");
        let addresses: Vec<IpAddr> =
            internal.filter_map(|address| address["address"].as_str()?.parse().ok()).collect();
        assert!(!addresses.is_empty(), "a node without an address: {node}");
        SiteNode { name: node["metadata"]["name"].as_str().unwrap_or_default().to_owned(), addresses }
    }
}
