//! A cluster that was there before.
//!
//! Images come to it by a command of the user, `LOAD`, which is run by a shell for each archive, `$archive`, of an image
//! called `$image`; those names begin with `REGISTRY`. A pod in it asks, because most clusters can be entered no other
//! way: its image holds Debian's `dig` and `socat`, and what those are linked with.
//!
//! When the process of the tests ends, however it ends, what they made is taken away, but for the definitions of
//! Port53, which Helm leaves too.

use crate::ask::{Question, Transport};
use crate::images::{self, Archive};
use crate::process::{Process, find, run_with};
use hickory_proto::op::Message;
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// What labels all that goes with the tests; its value is the run.
pub(super) const LABEL: &str = "port53-tests";

/// How `socat` asks: it waits a second for an answer after it has sent the question.
const SOCAT: &str = "-t1 -";

/// What takes away what a run made, to be run by a shell. Finalizers go from what is deleted already: the operator gives no
/// new ones to that. Of what belongs to the whole cluster only that of releases in the namespaces of the run goes.
const END: &str = r#"
of_release='{range .items[*]}{.kind}/{.metadata.name} {.metadata.annotations.meta\.helm\.sh/release-namespace}{"\n"}{end}'
for namespace in $("$kubectl" get namespaces -l "$label" -o 'jsonpath={.items[*].metadata.name}'); do
    "$kubectl" delete zones.port53.dev --all -n "$namespace" --wait=false
    "$kubectl" get zones.port53.dev -n "$namespace" -o name | while read -r zone; do
        "$kubectl" patch "$zone" -n "$namespace" --type=merge -p '{"metadata":{"finalizers":null}}'
    done
    "$kubectl" get clusterroles,clusterrolebindings,validatingwebhookconfigurations \
        -l app.kubernetes.io/part-of=port53 -o "jsonpath=$of_release" | while read -r object of; do
        [ "$of" != "$namespace" ] || "$kubectl" delete "$object"
    done
done
"$kubectl" delete namespaces -l "$label" --wait=false
"$kubectl" label nodes -l "$label" "${label%%=*}-"
"#;

/// See the module.
#[derive(Debug)]
pub struct Given {
    kubeconfig: PathBuf,
    program: PathBuf,
    run: String,
    /// The image of the pod that asks.
    image: String,
    /// The namespace of that pod, when somebody has asked.
    asker: OnceLock<String>,
    dir: TempDir,
    /// Whose end takes away what was made.
    _end: Process,
}

impl Given {
    /// The cluster that `KUBECONFIG` names, if it is set, with images.
    ///
    /// # Panics
    /// With what `LOAD` says when it fails.
    pub(super) fn of_environment(archives: &[Archive]) -> Option<Self> {
        std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty())?;
        let program = crate::cluster::kubectl();
        let run = format!("{:04x}", RandomState::new().build_hasher().finish() as u16);
        let dir = TempDir::new().expect("a directory");
        // A copy, in which tests may choose a namespace.
        let view = run_with(Command::new(&program).args(["config", "view", "--raw", "--flatten"]), b"");
        assert!(view.status.success(), "{view:?}");
        let kubeconfig = dir.path().join("kubeconfig");
        fs::write(&kubeconfig, &view.stdout).expect("a kubeconfig");
        refuse_in_use(&program, &kubeconfig);
        let remove = format!(
            "export KUBECONFIG='{}' kubectl='{}' label='{LABEL}={run}'\n{END}rm -rf '{}'",
            kubeconfig.display(),
            program.display(),
            dir.path().display()
        );
        let mut wait = Command::new("sleep");
        wait.arg("infinity");
        let end = Process::start_tied_and("what ends it", &wait, dir.path(), &remove);
        let asker = images::asker_image(dir.path());
        load(archives.iter().chain([&asker]));
        Some(Given { kubeconfig, program, run, image: asker.image, asker: OnceLock::new(), dir, _end: end })
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn run(&self) -> &str {
        &self.run
    }

    pub(super) fn kubectl(&self, arguments: &[&str], input: &[u8]) -> Output {
        run_with(Command::new(&self.program).args(arguments).env("KUBECONFIG", &self.kubeconfig), input)
    }

    pub(super) fn ask(
        &self,
        server: SocketAddr,
        question: &Question,
        transport: Transport,
    ) -> io::Result<Message> {
        let over = match (transport, server) {
            (Transport::Udp, SocketAddr::V4(_)) => "UDP4",
            (Transport::Udp, SocketAddr::V6(_)) => "UDP6",
            (Transport::Tcp, SocketAddr::V4(_)) => "TCP4",
            (Transport::Tcp, SocketAddr::V6(_)) => "TCP6",
        };
        let ask = format!("{} {SOCAT} {over}:{server}", self.within("socat"));
        question.ask_through(transport, |query| {
            let done = run_with(Command::new("sh").args(["-c", &ask]), query);
            match done.status.success() && !done.stdout.is_empty() {
                true => Ok(done.stdout),
                false => Err(io::Error::other(format!("{server} over {transport}: {done:?}"))),
            }
        })
    }

    /// What runs a program in the pod that asks, where it is as on this machine.
    pub(super) fn within(&self, program: &str) -> String {
        let asker = self.asker.get_or_init(|| self.start_asker());
        let (kubectl, kubeconfig) = (self.program.display(), self.kubeconfig.display());
        format!(
            "'{kubectl}' --kubeconfig='{kubeconfig}' exec -i -n {asker} asker -- {}",
            find(program).display()
        )
    }

    /// Starts the pod that asks, and gives its namespace.
    fn start_asker(&self) -> String {
        let namespace = format!("port53-{}-asks", self.run);
        let policy = images::pull_policy();
        let objects = format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}, labels: {{{LABEL}: '{}', pod-security.kubernetes.io/enforce: restricted}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: asker, namespace: {namespace}}}
spec:
  securityContext: {{runAsNonRoot: true, runAsUser: 65532, seccompProfile: {{type: RuntimeDefault}}}}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
    - name: asker
      image: {}
      imagePullPolicy: {policy}
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
",
            self.run, self.image
        );
        for (arguments, input) in [
            (&["apply", "-f", "-"][..], objects.as_str()),
            (&["wait", "pod/asker", "-n", &namespace, "--for=condition=Ready", "--timeout=120s"], ""),
        ] {
            let done = self.kubectl(arguments, input.as_bytes());
            assert!(done.status.success(), "the pod that asks: {done:?}");
        }
        namespace
    }
}

/// Ends the tests in a cluster where others have what is written for Port53: they take every Zone that names no
/// NameserverSet, and one of them deletes the definitions.
fn refuse_in_use(program: &Path, kubeconfig: &Path) {
    for kind in ["zones", "dnsrecords", "nameserversets", "zoneheads"] {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", kubeconfig).args([
            "get",
            &format!("{kind}.port53.dev"),
            "-A",
            "-o",
            "name",
        ]);
        let there = run_with(&mut command, b"");
        let said = String::from_utf8_lossy(&there.stderr).into_owned();
        let is_unknown = said.contains("the server doesn't have a resource type");
        assert!(there.status.success() || is_unknown, "{there:?}");
        assert!(
            there.stdout.is_empty(),
            "this cluster is in use: it has {kind} of Port53, and tests would take them away"
        );
    }
}

/// Brings images to the cluster.
fn load<'a>(archives: impl Iterator<Item = &'a Archive>) {
    let load = std::env::var_os("LOAD").filter(|value| !value.is_empty()).expect(
        "LOAD is not set: with KUBECONFIG it is the command that brings an image to the cluster, such as \
         LOAD='kind load image-archive \"$archive\"'; see docs/testing.md",
    );
    for Archive { image, path } in archives {
        let mut command = Command::new("sh");
        command.arg("-ec").arg(&load).env("archive", path).env("image", image);
        let done = run_with(&mut command, b"");
        assert!(done.status.success(), "LOAD of {image}: {done:?}");
    }
}
