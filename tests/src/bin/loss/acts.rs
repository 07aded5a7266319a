//! What is done to the cluster while clients ask.

use crate::Stage;
use crate::load::Load;
use crate::questions::CHANGING;
use port53_tests::images::{faulty, other};
use port53_tests::machine::Running;
use port53_tests::release::Release;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Values of the release.
pub(crate) const VALUES: [&str; 1] = [r#"nameservers.rollout.soak="10s""#];

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(200);

/// One act.
pub(crate) struct Act {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&mut Stage, &Load),
}

/// All of them, in their order.
pub(crate) const ALL: [Act; 15] = [
    Act { name: "nothing", play: |_, _| sleep(Duration::from_secs(20)) },
    Act {
        name: "`helm upgrade`: a setting",
        play: |stage, _| upgrade(stage, &[r#"nameservers.config={"nsid":"other"}"#]),
    },
    Act {
        name: "`helm upgrade`: an image",
        play: |stage, _| upgrade(stage, &[&format!(r#"nameservers.image="{}""#, other())]),
    },
    Act {
        name: "`helm upgrade`: resources",
        play: |stage, _| upgrade(stage, &[r#"nameservers.resources={"limits":{"memory":"256Mi"}}"#]),
    },
    Act { name: "a bad image is rolled out and put back", play: |stage, _| bad_image(stage) },
    Act { name: "a pod is deleted", play: |stage, _| pod_deleted(stage) },
    Act { name: "a resolver is killed (`kill -9`)", play: |stage, _| killed(stage) },
    Act { name: "pods: 2 → 3 → 2 each", play: |stage, _| scaled(stage) },
    Act { name: "the operator is gone for 20 s", play: |stage, _| operator_gone(stage) },
    Act { name: "a record changes every second", play: record_changes },
    Act { name: "etcd is restarted", play: |stage, _| stage.cluster().restart_etcd() },
    Act { name: "the API server is gone for a minute", play: |stage, _| api_server_gone(stage, 0, None) },
    Act {
        name: "the same, and a resolver ends and begins again (SIGTERM)",
        play: |stage, _| api_server_gone(stage, 2, Some(Signal::TERM)),
    },
    Act {
        name: "the same, and a resolver is killed (`kill -9`)",
        play: |stage, _| api_server_gone(stage, 3, Some(Signal::KILL)),
    },
    Act { name: "nothing, at the end", play: |_, _| sleep(Duration::from_secs(20)) },
];

/// The release as these values have it beside its own, rolled out, with nothing left of what was before.
fn upgrade(stage: &Stage, values: &[&str]) {
    let release = stage.release();
    release.upgrade(&[&VALUES[..], values].concat());
    release.comes_to("Ready=True RolledOut");
    are_gone(&release);
}

/// Waits until pods that leave have left: clients may still be led to them.
fn are_gone(release: &Release<'_>) {
    until(release, "pods that leave", PATIENCE, || {
        pods(release).iter().all(|pod| !pod.is_leaving && pod.is_ready)
    });
}

fn bad_image(stage: &Stage) {
    let release = stage.release();
    let [listen, image] = faulty("wildcard");
    release.upgrade(&[&VALUES[..], &[&listen, &image]].concat());
    release.comes_to("Stalled=True WrongAnswer");
    upgrade(stage, &[]);
}

fn pod_deleted(stage: &Stage) {
    let release = stage.release();
    let pod = &pods(&release)[0].name;
    release.kubectl(&format!("delete pod {pod} --wait=true"));
    are_gone(&release);
}

fn scaled(stage: &Stage) {
    let release = stage.release();
    for replicas in [3, 2] {
        release.upgrade(&[&VALUES[..], &[&format!("nameservers.replicas={replicas}")]].concat());
        until(&release, "pods", PATIENCE, || {
            let pods = pods(&release);
            pods.len() == 2 * replicas && pods.iter().all(|pod| pod.is_ready && !pod.is_leaving)
        });
    }
    release.comes_to("Ready=True RolledOut");
}

fn operator_gone(stage: &Stage) {
    let release = stage.release();
    let deployment = format!("deployment/{}-operator", release.namespace);
    release.kubectl(&format!("scale {deployment} --replicas=0"));
    sleep(Duration::from_secs(20));
    release.kubectl(&format!("scale {deployment} --replicas=2"));
    release.kubectl(&format!("rollout status {deployment} --timeout=60s"));
}

fn record_changes(stage: &mut Stage, load: &Load) {
    for number in 1..=30 {
        let begun = Instant::now();
        let address = change(stage, number);
        // "A record says Serving when every pod of every nameserver was asked and answered it."
        load.is_at_least(address);
        sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
    }
}

/// Gives the record that changes an address, and waits until that is served.
pub(crate) fn change(stage: &Stage, number: u8) -> Ipv4Addr {
    let namespace = stage.domain.trim_end_matches(".example");
    let address = Ipv4Addr::new(198, 18, 0, number);
    let record = format!(
        "apiVersion: port53.dev/v1alpha1\nkind: DNSRecord\n\
         metadata: {{name: {CHANGING}, namespace: {namespace}}}\n\
         spec: {{zoneRef: {{name: zone}}, name: {CHANGING}, type: A, values: ['{address}']}}\n"
    );
    let done = stage.site.kubectl_with(&["apply", "--server-side", "-f", "-"], &record);
    assert!(done.success, "{done:?}");
    stage.release().object_comes_to("dnsrecord", namespace, CHANGING, "Ready=True Served");
    address
}

/// The API server is gone for a minute, and the resolver of a pod gets a signal meanwhile. Ends once that has begun again.
fn api_server_gone(stage: &mut Stage, pod: usize, sent: Option<Signal>) {
    let before = pods(&stage.release()).swap_remove(pod);
    stage.cluster().stop_api_server();
    sleep(Duration::from_secs(5));
    if let Some(sent) = sent {
        signal(&before.name, sent);
    }
    sleep(Duration::from_secs(55));
    stage.cluster().start_api_server();
    let restarts = before.restarts + u64::from(sent.is_some());
    until(&stage.release(), "a resolver that begins again", PATIENCE, || {
        pods(&stage.release()).iter().any(|pod| pod.name == before.name && pod.restarts >= restarts)
    });
    are_gone(&stage.release());
    stage.release().comes_to("Ready=True RolledOut");
}

fn killed(stage: &Stage) {
    let release = stage.release();
    // The kubelet waits before it starts again what ended a short time ago: another pod for each such act.
    signal(&pods(&release)[1].name, Signal::KILL);
    sleep(Duration::from_secs(5));
    are_gone(&release);
}

/// Sends a signal to the resolver of a pod.
fn signal(pod: &str, signal: Signal) {
    let all = Running::all().expect("/proc");
    let found = all.iter().find(|process| {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        let nsid = format!("PORT53_NSID={pod}");
        environment.split(|octet| *octet == 0).any(|variable| variable == nsid.as_bytes())
    });
    let pid = found.unwrap_or_else(|| panic!("pod {pod} has no process")).pid;
    kill_process(Pid::from_raw(pid as i32).expect("a process"), signal).expect("it is there");
}

struct Pod {
    name: String,
    is_ready: bool,
    is_leaving: bool,
    /// How often its container began again.
    restarts: u64,
}

/// The pods of the nameservers.
fn pods(release: &Release<'_>) -> Vec<Pod> {
    let text = release.kubectl("get pods -l app.kubernetes.io/component=nameserver -o json");
    let list: Value = serde_json::from_str(&text).expect("JSON");
    let all = list["items"].as_array().expect("pods");
    let is_ready = |pod: &Value| {
        let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    all.iter()
        .map(|pod| Pod {
            name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            is_ready: is_ready(pod),
            is_leaving: pod["metadata"]["deletionTimestamp"].is_string(),
            restarts: pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0),
        })
        .collect()
}

fn until(release: &Release<'_>, what: &str, patience: Duration, is_so: impl Fn() -> bool) {
    let until = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not so after {patience:?}\n{}", release.seen());
        sleep(POLL);
    }
}
