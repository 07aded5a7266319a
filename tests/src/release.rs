//! Port53 installed by its chart in a cluster with nodes, by Helm 3 or 4, and asked through its Services.

use crate::PATIENCE;
use crate::ask::{Question, Transport};
use crate::images;
use crate::platform::condition;
use crate::process::Finished;
use crate::site::Site;
use hickory_proto::op::Message;
use serde_json::Value;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/port53");
const INSTALLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install-helm");
/// How long a rollout over all nameservers may take on a machine that has other things to do.
const ROLLOUT: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(200);

/// Which Helm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Helm {
    /// Helm 3.
    Three,
    /// Helm 4.
    Four,
}

impl Helm {
    /// Where it is.
    ///
    /// # Panics
    /// With how to get it where it is not there.
    pub fn program(self) -> PathBuf {
        static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
        let directory = DIRECTORY.get_or_init(|| {
            let found =
                Command::new(INSTALLER).arg("--find").stdin(Stdio::null()).output().expect("a script");
            assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
            String::from_utf8(found.stdout).expect("a path in UTF-8").trim_end().into()
        });
        directory.join(match self {
            Helm::Three => "helm3",
            Helm::Four => "helm4",
        })
    }
}

/// A release of the chart.
pub struct Release<'a> {
    /// Where it is installed.
    pub site: &'a Site,
    /// The namespace, which is the name of the release too.
    pub namespace: String,
    /// With what.
    pub helm: Helm,
}

impl<'a> Release<'a> {
    /// Installs it into a namespace that takes nothing but restricted pods, with values in the form of `--set-json`.
    ///
    /// # Panics
    /// With what Helm says when it does not.
    pub fn install(site: &'a Site, helm: Helm, values: &[&str]) -> Installed<'a> {
        Self::install_into(site, helm, values, &[("pod-security.kubernetes.io/enforce", "restricted")])
    }

    /// The same into a namespace with these labels.
    ///
    /// # Panics
    /// With what Helm says when it does not.
    pub fn install_into(
        site: &'a Site,
        helm: Helm,
        values: &[&str],
        labels: &[(&str, &str)],
    ) -> Installed<'a> {
        let namespace = site.create_labelled_namespace("port53", labels);
        let release = Release { site, namespace, helm };
        let done = release.helm("install", values);
        assert!(done.success, "{done:?}");
        Installed(release)
    }

    /// One that was installed by somebody else, which goes with the test.
    pub fn into_installed(self) -> Installed<'a> {
        Installed(self)
    }

    /// Upgrades it to these values.
    ///
    /// # Panics
    /// With what Helm says when it does not.
    pub fn upgrade(&self, values: &[&str]) {
        let done = self.helm("upgrade", values);
        assert!(done.success, "{done:?}");
    }

    /// Runs Helm with these values over the chart.
    pub fn helm(&self, verb: &str, values: &[&str]) -> Finished {
        let images = [
            format!("image.registry=\"{}\"", images::registry()),
            format!("image.pullPolicy=\"{}\"", images::pull_policy()),
        ];
        let mut arguments = vec![verb, &self.namespace, CHART];
        for value in images.iter().map(String::as_str).chain(values.iter().copied()) {
            arguments.extend(["--set-json", value]);
        }
        self.helm_with(&arguments)
    }

    /// Runs Helm in the namespace.
    pub fn helm_with(&self, arguments: &[&str]) -> Finished {
        let home = self.site.dir().join("helm");
        let output = Command::new(self.helm.program())
            .args(arguments)
            .args(["--namespace", &self.namespace])
            .env("KUBECONFIG", self.site.kubeconfig())
            .envs(["CACHE", "CONFIG", "DATA"].map(|kind| (format!("HELM_{kind}_HOME"), home.join(kind))))
            .stdin(Stdio::null())
            .output()
            .expect("Helm can be run");
        output.into()
    }

    /// Runs `kubectl` in the namespace, with arguments separated by spaces.
    ///
    /// # Panics
    /// With what it says when it fails.
    #[track_caller]
    pub fn kubectl(&self, arguments: &str) -> String {
        let mut all: Vec<&str> = vec!["--namespace", &self.namespace];
        all.extend(arguments.split_whitespace());
        let done = self.site.kubectl(&all);
        assert!(done.success, "kubectl {arguments}: {}", done.stderr);
        done.stdout
    }

    /// An object of the namespace.
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let done = self.site.kubectl(&["get", kind, name, "-n", &self.namespace, "-o", "json"]);
        done.success.then(|| serde_json::from_str(&done.stdout).expect("JSON"))
    }

    /// The NameserverSet.
    ///
    /// # Panics
    /// When it is not there.
    pub fn set(&self) -> Value {
        self.get("nameserverset", &self.namespace).expect("the chart makes a NameserverSet")
    }

    /// Waits until a condition of the set is as expected, such as `Ready=True RolledOut`, and gives its message.
    ///
    /// # Panics
    /// With what it is, and what there is to see, when it does not come so.
    #[track_caller]
    pub fn comes_to(&self, expected: &str) -> String {
        let (type_, state) = expected.split_once('=').expect("TYPE=STATUS REASON");
        let until = Instant::now() + ROLLOUT;
        loop {
            let set = self.set();
            let (said, message) = condition(&set, type_);
            if said == state {
                return message;
            }
            assert!(Instant::now() < until, "{type_}={said} ({message}), not {state}\n{}", self.seen());
            std::thread::sleep(POLL);
        }
    }

    /// What there is to see of it, for a test that fails.
    pub fn seen(&self) -> String {
        let get = |what: &str| {
            let mut arguments: Vec<&str> = what.split(' ').collect();
            arguments.extend(["-n", &self.namespace]);
            let done = self.site.kubectl(&arguments);
            format!("$ kubectl {what}\n{}{}\n", done.stdout, done.stderr)
        };
        [
            "get nsset,deployments,services,pods -o wide",
            "get events --sort-by=.lastTimestamp",
            "get nsset -o yaml",
            "logs --tail=40 -l app.kubernetes.io/name=port53-operator",
            "logs --tail=10 -l app.kubernetes.io/component=nameserver --prefix",
        ]
        .map(get)
        .concat()
    }

    /// The addresses of a nameserver's Service inside of the cluster, of both families.
    ///
    /// # Panics
    /// When it has none.
    pub fn addresses(&self, nameserver: &str) -> Vec<SocketAddr> {
        let service = self.get("service", &format!("{}-{nameserver}", self.namespace)).expect("a Service");
        let all = service["spec"]["clusterIPs"].as_array().expect("addresses");
        let address = |text: &Value| text.as_str().expect("a text").parse::<IpAddr>().expect("an address");
        all.iter().map(|text| SocketAddr::new(address(text), 53)).collect()
    }

    /// Asks an address `owner TYPE`, from the network of the cluster.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, address: SocketAddr, question: &str, transport: Transport) -> io::Result<Message> {
        self.site.ask(address, &Question::new(question, Some(1232)), transport)
    }

    /// The response code and the values of the answer, as `NOERROR 192.0.2.1`.
    pub fn says(&self, address: SocketAddr, question: &str, transport: Transport) -> String {
        match self.ask(address, question, transport) {
            Ok(answer) => {
                let values = answer.answers.iter().map(|record| format!(" {}", record.data));
                format!("{:?}{}", answer.metadata.response_code, values.collect::<String>())
            }
            Err(error) => format!("no answer: {error}"),
        }
    }

    /// Makes a zone with some of everything, waits until it is served, and gives its domain.
    ///
    /// # Panics
    /// When it is not served.
    pub fn zone(&self) -> String {
        self.zone_of(None)
    }

    /// The same, of the set of this name in this namespace.
    ///
    /// # Panics
    /// When it is not served.
    pub fn zone_of(&self, set: Option<&str>) -> String {
        let named = set.map(|set| format!(", nameserverSetRef: {{name: {set}, namespace: {set}}}"));
        let named = named.unwrap_or_default();
        let namespace = self.site.create_namespace("dns");
        let domain = format!("{namespace}.example");
        let mut objects = format!(
            "
apiVersion: port53.dev/v1alpha1
kind: Zone
metadata: {{name: zone, namespace: {namespace}}}
spec: {{domain: {domain}{named}}}
"
        );
        let mut record = |name: &str, owner: &str, rtype: &str, value: &str| {
            objects.push_str(&format!(
                "
---
apiVersion: port53.dev/v1alpha1
kind: DNSRecord
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{zoneRef: {{name: zone}}, name: \"{owner}\", type: {rtype}, values: ['{value}']}}
"
            ));
        };
        record("www", "www", "A", "192.0.2.10");
        record("wild", "*.wild", "A", "192.0.2.11");
        record("alias", "alias", "CNAME", &format!("www.{domain}."));
        record("cut", "cut", "NS", &format!("ns.cut.{domain}."));
        record("glue", "ns.cut", "A", "192.0.2.12");
        record("text", "text", "TXT", &"x".repeat(2000));
        for number in 0..300 {
            record(
                &format!("h{number}"),
                &format!("h{number}"),
                "A",
                &format!("198.51.100.{}", number % 256),
            );
        }
        let done = self.site.kubectl_with(&["apply", "--server-side", "-f", "-"], &objects);
        assert!(done.success, "{done:?}");
        self.object_comes_to("dnsrecord", &namespace, "www", "Ready=True Served");
        self.object_comes_to("dnsrecord", &namespace, "h299", "Ready=True Served");
        domain
    }

    /// Waits until an object elsewhere has a condition, such as `Ready=True Served`.
    ///
    /// # Panics
    /// With what it is when it does not.
    #[track_caller]
    pub fn object_comes_to(&self, kind: &str, namespace: &str, name: &str, expected: &str) {
        let (type_, state) = expected.split_once('=').expect("TYPE=STATUS REASON");
        let until = Instant::now() + PATIENCE * 2;
        loop {
            let done = self.site.kubectl(&["get", kind, name, "-n", namespace, "-o", "json"]);
            let object: Value = serde_json::from_str(&done.stdout).unwrap_or_default();
            let (said, message) = condition(&object, type_);
            if said == state {
                return;
            }
            assert!(Instant::now() < until, "{type_}={said} ({message}), not {state}\n{}", self.seen());
            std::thread::sleep(POLL);
        }
    }
}

/// A release that is uninstalled when dropped: its operator looks at all zones of the cluster, and the next test has one
/// of its own.
pub struct Installed<'a>(Release<'a>);

impl<'a> Deref for Installed<'a> {
    type Target = Release<'a>;

    fn deref(&self) -> &Release<'a> {
        &self.0
    }
}

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        let _ = self.0.helm_with(&["uninstall", &self.0.namespace, "--ignore-not-found"]);
    }
}
