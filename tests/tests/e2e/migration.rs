//! A zone moves here from BIND, which is a pod of the cluster, to nameservers that the chart has installed.

use crate::install::VALUES;
use crate::site;
use port53_tests::ask::Transport;
use port53_tests::eventually;
use port53_tests::images::{pull_policy, registry};
use port53_tests::legacy::Holder;
use port53_tests::migration::{key_for, migration, record, zone};
use port53_tests::release::{Helm, Release};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;

/// The Zone and its migration.
const NAME: &str = "moving";
/// Where BIND listens in its pod.
const PORT: u16 = 5300;
/// The chart lets a migration work, and nameservers reach that port.
const MIGRATIONS: [&str; 2] = ["operator.migrations=true", "networkPolicy.dnsPorts=[53,5300]"];
/// A form of the nameservers of which no pod is ever placed.
const NEVER: [&str; 2] =
    [r#"nameservers.nodeSelector={"no":"such"}"#, r#"nameservers.rollout.deadline="15s""#];

/// One that moves, as far as it is.
struct Moving<'a> {
    release: &'a Release<'a>,
    namespace: String,
    domain: String,
    legacy: SocketAddr,
}

impl<'a> Moving<'a> {
    /// BIND in a pod, with a zone.
    fn start(release: &'a Release<'a>) -> Self {
        let namespace = site().create_namespace("moving");
        let domain = format!("{namespace}.example");
        let (mover, secret) = (Holder::Mover.name(), Holder::Mover.secret());
        let config = format!(
            "key \"{mover}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
             options {{ directory \"/data\"; listen-on port {PORT} {{ any; }}; listen-on-v6 port {PORT} {{ any; }};\n\
             recursion no; allow-query {{ any; }}; pid-file none; session-keyfile none; notify no; }};\n\
             controls {{ }};\n\
             zone \"{domain}\" {{ type primary; file \"/config/zone\"; journal \"/data/journal\";\n\
             allow-transfer {{ key \"{mover}\"; }}; update-policy {{ grant \"{mover}\" zonesub ANY; }}; }};\n"
        );
        let hosts: String = (0..50).map(|host| format!("h{host} A 192.0.2.{host}\n")).collect();
        let text = format!(
            "$TTL 300\n@ SOA ns.legacy.example. hostmaster.legacy.example. 2014 3600 600 604800 300\n\
             @ NS ns.legacy.example.\nwww A 192.0.2.80\n{hosts}"
        );
        let metadata = json!({"name": "bind", "namespace": namespace});
        let pod = json!({
            "containers": [{
                "name": "bind", "image": format!("{}/port53-tests-bind:1", registry()), "imagePullPolicy": pull_policy(),
                "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
                "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "data", "mountPath": "/data"}],
            }],
            "securityContext": {"fsGroup": 65532},
            "volumes": [{"name": "config", "configMap": {"name": "bind"}}, {"name": "data", "emptyDir": {}}],
        });
        apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"named.conf": config, "zone": text}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        ]}).to_string());
        kubectl(&["wait", "--for=condition=Ready", "pod/bind", "-n", &namespace, "--timeout=120s"]);
        let ip = kubectl(&["get", "pod", "bind", "-n", &namespace, "-o", "jsonpath={.status.podIP}"]);
        let legacy = SocketAddr::new(ip.parse().expect("an address"), PORT);
        Moving { release, namespace, domain, legacy }
    }

    /// Applies the migration with this in its spec.
    fn migrate(&self, more: &str) {
        apply(&migration(&self.namespace, NAME, self.legacy, &format!("compare: {{poll: 1s}}, {more}")));
    }

    #[track_caller]
    fn comes_to(&self, expected: &str) {
        self.release.object_comes_to("zonemigration", &self.namespace, NAME, expected);
    }

    /// Waits until the nameservers, in order, answer as these: the primary of a SOA is each system's own.
    #[track_caller]
    fn answer(&self, expected: [&str; 2]) {
        let question = format!("{} SOA", self.domain);
        for (nameserver, expected) in ["ns1", "ns2"].into_iter().zip(expected) {
            eventually(&format!("{question} at {nameserver}"), || {
                let said =
                    self.release.says(self.release.addresses(nameserver)[0], &question, Transport::Udp);
                if said.starts_with(&format!("NoError {expected}")) { Ok(()) } else { Err(said) }
            });
        }
    }

    /// Waits until an address says this of `owner A`.
    fn comes_to_say(&self, address: SocketAddr, owner: &str, expected: &str) {
        let question = format!("{owner}.{} A", self.domain);
        eventually(&question, || match self.release.says(address, &question, Transport::Udp) {
            said if said == expected => Ok(()),
            said => Err(format!("{said}\n{}", self.release.seen())),
        });
    }

    /// `port53 migration …` on the zone.
    fn port53(&self, verb: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_port53-tested"))
            .args(["migration", verb, &self.domain, "--namespace", &self.namespace])
            .args(["--operator-namespace", &self.release.namespace])
            .env("KUBECONFIG", site().kubeconfig())
            .output()
            .expect("port53 can be run");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The pods of both nameservers, by name and restarts.
    fn pods(&self) -> String {
        let columns = "custom-columns=:.metadata.name,:.status.containerStatuses[*].restartCount";
        self.release.kubectl(&format!("get pods -l app.kubernetes.io/component=nameserver -o {columns}"))
    }
}

fn kubectl(arguments: &[&str]) -> String {
    let done = site().kubectl(arguments);
    assert!(done.success, "kubectl {arguments:?}: {}", done.stderr);
    done.stdout
}

fn apply(objects: &str) {
    let done = site().kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], objects);
    assert!(done.success, "{done:?}");
}

const LEGACY: &str = "ns.legacy.example.";
const PORT53: &str = "ns1.dns.example.net.";

/// "`cutover: [ns1]` makes one nameserver answer from Port53, after the gate: in sync, shadow differences within the limit,
/// rollout finished; then the next. No pod is restarted for it".
#[test]
fn a_zone_moves_to_the_nameservers_of_the_chart() {
    let release = Release::install(site(), Helm::Four, &[&VALUES[..], &MIGRATIONS].concat());
    release.comes_to("Ready=True RolledOut");
    let moving = Moving::start(&release);
    let operator = format!("system:serviceaccount:{}:{}-operator", release.namespace, release.namespace);
    apply(&key_for(&moving.namespace, &operator));
    apply(&zone(&moving.namespace, NAME, &format!("domain: {}, defaultTTL: 300", moving.domain)));
    let with =
        |more: &str| moving.migrate(&format!("backfill: {{from: Transfer}}, dualWrite: Async, {more}"));
    with("shadow: {}");
    for expected in ["Backfilled=True Complete", "InSync=True Equal", "Shadowing=True Seen"] {
        moving.comes_to(expected);
    }
    moving.answer([LEGACY, LEGACY]);
    apply(&record(&moving.namespace, NAME, "new", "name: new, type: A, ttl: 300, values: ['192.0.2.7']"));
    moving.comes_to_say(moving.legacy, "new", "NoError 192.0.2.7");

    // Nothing is cut over while nameservers are changed.
    release.upgrade(&[&VALUES[..], &MIGRATIONS, &NEVER].concat());
    release.comes_to("Stalled=True DeadlineExceeded");
    with("shadow: {}, cutover: [ns1]");
    moving.comes_to("CutOver=False WaitingForRollout");
    moving.answer([LEGACY, LEGACY]);
    release.upgrade(&[&VALUES[..], &MIGRATIONS].concat());
    release.comes_to("Ready=True RolledOut");
    let pods = moving.pods();
    moving.comes_to("CutOver=True Seen");
    moving.answer([PORT53, LEGACY]);
    with("shadow: {}, cutover: [ns1, ns2]");
    moving.comes_to("CutOver=True Seen");
    moving.answer([PORT53, PORT53]);

    moving.port53("fallback");
    moving.answer([LEGACY, LEGACY]);
    moving.comes_to("FallenBack=True Seen");
    with("shadow: {}, cutover: [ns1, ns2], fallback: false");
    moving.answer([PORT53, PORT53]);

    // On the pods themselves, whatever heads say.
    let fallback = |arguments: &str| {
        for pod in release.kubectl("get pods -o name -l port53.dev/nameserver=ns1").lines() {
            release.kubectl(&format!("exec {pod} -c resolver -- /port53-resolver fallback{arguments}"));
        }
    };
    fallback("");
    moving.answer([LEGACY, PORT53]);
    fallback(" --release");
    moving.answer([PORT53, PORT53]);
    assert_eq!(moving.pods(), pods, "the same pods, none of them restarted\n{}", release.seen());

    with("shadow: {}, cutover: [ns1, ns2], entry: AddressTakeover, finish: true");
    moving.comes_to("Finished=True Finished");
    kubectl(&["delete", "pod", "bind", "-n", &moving.namespace, "--grace-period=0", "--force"]);
    kubectl(&["delete", "zonemigration", NAME, "-n", &moving.namespace]);
    moving.answer([PORT53, PORT53]);
    for nameserver in ["ns1", "ns2"] {
        moving.comes_to_say(release.addresses(nameserver)[0], "www", "NoError 192.0.2.80");
        moving.comes_to_say(release.addresses(nameserver)[0], "new", "NoError 192.0.2.7");
    }
    let left = kubectl(&["get", "dnsrecords", "-n", &moving.namespace, "-o", "json"]);
    let left: Value = serde_json::from_str(&left).expect("JSON");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(52), "its records are those of the team");
}
