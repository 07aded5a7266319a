//! "Seeded faults prove the gate": each is caught at the first nameserver, put back, and named.

use crate::cluster;
use crate::install::{VALUES, zone};
use port53_tests::ask::Transport;
use port53_tests::release::{Helm, Release};

/// Rolls out a change that has a fault, and gives what is said of it once it was put back.
fn is_put_back(release: &Release<'_>, reason: &str, change: &[&str]) -> String {
    let deployment = |name: &str| {
        let deployment =
            release.get("deployment", &format!("{}-{name}", release.namespace)).expect("a Deployment");
        deployment["metadata"]["labels"]["port53.dev/form"].clone()
    };
    let (before, other) =
        (deployment("ns1"), release.get("deployment", &format!("{}-ns2", release.namespace)));
    let generation = |deployment: &Option<serde_json::Value>| {
        deployment.as_ref().map(|deployment| deployment["metadata"]["generation"].clone())
    };
    release.upgrade(&[&VALUES[..], change].concat());
    let message = release.comes_to(&format!("Stalled=True {reason}"));
    assert_eq!(deployment("ns1"), before, "it is put back\n{}", release.seen());
    let now = release.get("deployment", &format!("{}-ns2", release.namespace));
    assert_eq!(generation(&now), generation(&other), "the other is not touched\n{}", release.seen());
    let failure = &release.set()["status"]["failure"];
    assert_eq!((failure["nameserver"].as_str(), failure["reason"].as_str()), (Some("ns1"), Some(reason)));
    println!("{reason}: {message}");
    message
}

/// Values by which the resolver is one with a fault.
fn faulty(fault: &str) -> [String; 2] {
    [
        r#"nameservers.config={"listen":"127.0.0.1:15353"}"#.to_owned(),
        format!(r#"nameservers.image="localhost/port53-tests/faulty-{fault}:1""#),
    ]
}

#[test]
fn what_does_not_run_is_put_back() {
    let release = Release::install(cluster(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    let domain = zone(&release);
    let said =
        is_put_back(&release, "ImageNotPulled", &[r#"nameservers.image="localhost/port53/no-such:1""#]);
    assert!(said.contains("no-such"), "{said}");
    let said = is_put_back(&release, "CrashLoop", &[r#"nameservers.config={"rate-limit":"many"}"#]);
    assert!(said.contains("rate-limit"), "{said}");
    let never = r#"nameservers.nodeSelector={"no":"such"}"#;
    let said = is_put_back(&release, "DeadlineExceeded", &[never, r#"nameservers.rollout.deadline="15s""#]);
    assert!(said.contains("node"), "{said}");
    for nameserver in ["ns1", "ns2"] {
        let said = release.says(release.addresses(nameserver)[0], &format!("www.{domain} A"), Transport::Udp);
        assert_eq!(said, "NoError 192.0.2.10");
    }
    // What is right again is rolled out.
    release.upgrade(&VALUES);
    release.comes_to("Ready=True RolledOut");
}

#[test]
fn what_answers_wrongly_is_put_back() {
    let release = Release::install(cluster(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    let domain = zone(&release);
    for (fault, reason) in [
        ("wildcard", "WrongAnswer"),
        ("names", "WrongAnswer"),
        ("slow", "Slow"),
        ("no-tcp", "NoAnswer"),
        ("no-udp", "NoAnswer"),
    ] {
        let [listen, image] = faulty(fault);
        let said = is_put_back(&release, reason, &[&listen, &image]);
        if reason == "WrongAnswer" {
            assert!(said.contains(&domain) && said.contains("NXDOMAIN"), "{said}");
        }
    }
}

/// It answers rightly until it is killed, which is seen because it is watched for a while.
#[test]
fn what_leaks_memory_is_put_back() {
    let release = Release::install(cluster(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    zone(&release);
    let [listen, image] = faulty("leak");
    let memory = r#"nameservers.resources={"limits":{"memory":"128Mi"}}"#;
    let said =
        is_put_back(&release, "CrashLoop", &[&listen, &image, memory, r#"nameservers.rollout.soak="60s""#]);
    assert!(said.contains("OOMKilled"), "{said}");
}
