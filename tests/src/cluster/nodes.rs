//! The nodes of a cluster, and the controllers that it needs with them.

use super::node::{self, Node, Of, SANDBOX};
use super::{Cluster, POLL, STARTS_WITHIN, User, programs};
use crate::process::{Process, find};
use k8s_openapi::api::core::v1::{Node as NodeObject, ServiceAccount};
use kube::Api;
use port53_images::{Image, Part};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Its own program, of Debian: it reaps what a pod leaves behind and waits to be ended.
const PAUSE: &str = "catatonit";

impl Cluster {
    /// Starts controller-manager, scheduler and the nodes, if there are to be any, and waits until pods can be created.
    ///
    /// # Panics
    /// With what they printed when that takes too long.
    pub(super) fn start_nodes(&mut self) {
        if self.settings.nodes == 0 {
            return;
        }
        let user = |name: &str| User { name: format!("system:{name}"), group: None };
        let [manager, scheduler] =
            ["kube-controller-manager", "kube-scheduler"].map(|name| self.inner_kubeconfig(&user(name)));
        for (name, command) in [
            ("kube-controller-manager", programs::controller_manager(&manager, &self.pki)),
            ("kube-scheduler", programs::scheduler(&scheduler)),
        ] {
            let dir = self.dir().join(name);
            fs::create_dir(&dir).expect("a directory");
            let process = self.tied(name, command, &dir);
            self.controllers.push(process);
        }
        self.settings.images.push(self.sandbox_image());
        for number in 1..=self.settings.nodes {
            self.add_node(number);
        }
        self.wait_for_nodes();
    }

    fn add_node(&mut self, number: u8) {
        let name = node::name(number);
        let identity = self.pki.node(&name, &node::addresses(number));
        let [certificate, key] = self.pki.write(&name, &identity);
        let proxy = User { name: "system:kube-proxy".to_owned(), group: None };
        let proxy_identity = self.pki.user(&proxy.name, None);
        let url = self.inner_url();
        let kubeconfig = self.kubeconfig_with(&name, &identity, &url);
        let proxy_kubeconfig = self.kubeconfig_with(&proxy.name, &proxy_identity, &url);
        let node = Node::start(
            number,
            &Of {
                inner: self.inner.as_ref().expect("a cluster with nodes has one"),
                dir: self.dir(),
                kubeconfigs: [&kubeconfig, &proxy_kubeconfig],
                certificate: [certificate, key, self.pki.authority_file()],
                images: &self.settings.images,
            },
        );
        self.nodes.push(node);
    }

    /// The directory of the programs that it is made of, kubectl among them.
    pub fn programs(&self) -> &'static Path {
        programs::directory(self.settings.programs())
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node, to do something to it; from 1.
    pub fn node(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number - 1]
    }

    /// Makes an image known to every node.
    ///
    /// # Panics
    /// With what containerd says when it does not take it.
    pub fn load(&self, archive: &Path) {
        self.nodes.iter().for_each(|node| node.load(archive));
    }

    fn inner_url(&self) -> String {
        format!("https://{}:{}", super::inner::CONTROL_PLANE, self.ports.api)
    }

    fn inner_kubeconfig(&self, user: &User) -> PathBuf {
        let identity = self.pki.user(&user.name, user.group.as_deref());
        let file = self.dir().join(format!("{}.kubeconfig", user.name.replace(':', "-")));
        let value = self.kubeconfig_with(&user.name, &identity, &self.inner_url());
        fs::write(&file, value.to_string()).expect("a kubeconfig");
        file
    }

    fn sandbox_image(&self) -> PathBuf {
        let file = self.dir().join("sandbox.tar");
        let program = find(PAUSE);
        let image = Image {
            name: SANDBOX.to_owned(),
            entrypoint: vec![format!("/{PAUSE}"), "-P".to_owned()],
            parts: vec![
                Part::of_program(&program, &format!("/{PAUSE}")).expect("a program that can be read"),
            ],
            ..Image::default()
        };
        image.write(&file).expect("an image");
        file
    }

    fn wait_for_nodes(&self) {
        let until = Instant::now() + STARTS_WITHIN;
        while let Err(missing) = self.block_on(async || self.are_nodes_ready().await) {
            assert!(Instant::now() < until, "still {missing}\n{}\n{}", self.output(), self.nodes_output());
            std::thread::sleep(POLL);
        }
    }

    /// What the nodes and controllers printed last.
    pub fn nodes_output(&self) -> String {
        let controllers = self.controllers.iter().map(Process::output);
        controllers.chain(self.nodes.iter().map(Node::output)).collect()
    }

    async fn are_nodes_ready(&self) -> Result<(), String> {
        let client = self.client();
        let nodes: Api<NodeObject> = Api::all(client.clone());
        for number in 1..=self.settings.nodes {
            let name = node::name(number);
            let found = nodes.get(&name).await.map_err(|error| format!("{name}: {error}"))?;
            let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
            if !conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
                return Err(format!("{name} is not ready"));
            }
        }
        // Without it no pod is admitted.
        let accounts: Api<ServiceAccount> = Api::default_namespaced(client);
        accounts.get("default").await.map(drop).map_err(|error| format!("service account default: {error}"))
    }
}
