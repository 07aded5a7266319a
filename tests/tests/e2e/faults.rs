//! "Seeded faults prove the gate": each is caught at the first nameserver, put back, and named. All but a leak are caught
//! by a trial, before anybody could ask.

use crate::install::VALUES;
use crate::site;
use port53_tests::ask::Transport;
use port53_tests::images::{faulty, registry};
use port53_tests::release::{Helm, Release};

/// Rolls out a change that has a fault, and gives what is said of it once it was put back. What is found in a trial has
/// never been where clients come.
fn is_put_back(release: &Release<'_>, reason: &str, change: &[&str], by: Found) -> String {
    let seen = || {
        ["ns1", "ns2"].map(|name| {
            let deployment = release.get("deployment", &format!("{}-{name}", release.namespace));
            let form = deployment.expect("a Deployment")["metadata"]["labels"]["port53.dev/form"].clone();
            (form, release.kubectl(&format!("get pods -o name -l port53.dev/nameserver={name}")))
        })
    };
    let before = seen();
    release.upgrade(&[&VALUES[..], change].concat());
    let message = release.comes_to(&format!("Stalled=True {reason}"));
    let now = seen();
    assert_eq!(now[0].0, before[0].0, "it runs what it ran\n{}", release.seen());
    assert_eq!(now[1], before[1], "the other is not touched\n{}", release.seen());
    assert_eq!(now[0] == before[0], by == Found::InTrial, "{before:?} {now:?}\n{}", release.seen());
    let failure = &release.set()["status"]["failure"];
    assert_eq!((failure["nameserver"].as_str(), failure["reason"].as_str()), (Some("ns1"), Some(reason)));
    let trial = format!("{}-ns1-trial", release.namespace);
    assert!(release.get("deployment", &trial).is_none(), "the trial is over\n{}", release.seen());
    println!("{reason}: {message}");
    message
}

/// When a fault is found.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    /// Before anything is changed.
    InTrial,
    /// While what was changed is watched.
    Watched,
}

#[test]
fn what_does_not_run_is_put_back() {
    let release = Release::install(site(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    let domain = release.zone();
    let said = is_put_back(
        &release,
        "ImageNotPulled",
        &[&format!(r#"nameservers.image="{}/no-such:1""#, registry())],
        Found::InTrial,
    );
    assert!(said.contains("no-such"), "{said}");
    let said =
        is_put_back(&release, "CrashLoop", &[r#"nameservers.config={"rate-limit":"many"}"#], Found::InTrial);
    assert!(said.contains("rate-limit"), "{said}");
    let never = r#"nameservers.nodeSelector={"no":"such"}"#;
    let said = is_put_back(
        &release,
        "DeadlineExceeded",
        &[never, r#"nameservers.rollout.deadline="15s""#],
        Found::InTrial,
    );
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
    let release = Release::install(site(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    release.zone();
    for (fault, reason) in [
        ("wildcard", "WrongAnswer"),
        ("names", "WrongAnswer"),
        ("slow", "Slow"),
        ("no-tcp", "NoAnswer"),
        ("no-udp", "NoAnswer"),
    ] {
        let [listen, image] = faulty(fault);
        let said = is_put_back(&release, reason, &[&listen, &image], Found::InTrial);
        if reason == "WrongAnswer" {
            assert!(said.contains("answered NXDOMAIN; right is NOERROR"), "{said}");
        }
    }
}

/// It answers rightly until it is killed, which is seen because it is watched for a while.
#[test]
fn what_leaks_memory_is_put_back() {
    let release = Release::install(site(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    release.zone();
    let [listen, image] = faulty("leak");
    let memory = r#"nameservers.resources={"limits":{"memory":"128Mi"}}"#;
    let said = is_put_back(
        &release,
        "CrashLoop",
        &[&listen, &image, memory, r#"nameservers.rollout.soak="60s""#],
        Found::Watched,
    );
    assert!(said.contains("OOMKilled"), "{said}");
}
