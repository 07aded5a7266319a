//! A change goes to one nameserver after the other, and goes on wherever the operator was killed.

use crate::install::VALUES;
use crate::site;
use port53_tests::ask::Transport;
use port53_tests::release::{Helm, Release};
use std::time::{Duration, Instant};

/// The forms of the two nameservers' workloads.
fn forms(release: &Release<'_>) -> [String; 2] {
    ["ns1", "ns2"].map(|name| {
        let deployment =
            release.get("deployment", &format!("{}-{name}", release.namespace)).expect("a Deployment");
        deployment["metadata"]["labels"]["port53.dev/form"].as_str().expect("a form").to_owned()
    })
}

#[test]
fn an_upgrade_goes_to_one_after_the_other_and_back() {
    let release = Release::install(site(), Helm::Four, &VALUES);
    release.comes_to("Ready=True RolledOut");
    let domain = release.zone();
    let before = forms(&release);
    let change = [VALUES[0], r#"nameservers.config={"nsid":"new"}"#];
    release.upgrade(&change);
    // At no time have both the new form before the first was found right.
    let until = Instant::now() + Duration::from_secs(240);
    let mut seen = vec![before.clone()];
    loop {
        let now = forms(&release);
        if seen.last() != Some(&now) {
            seen.push(now.clone());
        }
        if now[0] != before[0] && now[1] != before[1] {
            break;
        }
        if now[0] != before[0] && release.set()["status"]["nameservers"][0]["phase"] == "Updating" {
            assert_eq!(now[1], before[1], "two at once");
        }
        assert!(Instant::now() < until, "{seen:?}\n{}", release.seen());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(seen.len(), 3, "first ns1, then ns2: {seen:?}");
    assert!(seen[1][0] != before[0] && seen[1][1] == before[1], "{seen:?}");
    release.comes_to("Ready=True RolledOut");
    for nameserver in ["ns1", "ns2"] {
        let said = release.says(release.addresses(nameserver)[0], &format!("www.{domain} A"), Transport::Udp);
        assert_eq!(said, "NoError 192.0.2.10");
    }
    // "`helm rollback` rolls back nameserver by nameserver."
    let done = release.helm_with(&["rollback", &release.namespace, "1"]);
    assert!(done.success, "{done:?}");
    release.comes_to("Ready=True RolledOut");
    assert_eq!(forms(&release), before);
}

#[test]
fn an_operator_that_is_killed_goes_on_where_it_was() {
    let release = Release::install(site(), Helm::Three, &VALUES);
    release.comes_to("Ready=True RolledOut");
    release.zone();
    release.upgrade(&[VALUES[0], r#"nameservers.config={"nsid":"new"}"#]);
    let before = forms(&release);
    // Whatever it is doing, several times over.
    let until = Instant::now() + Duration::from_secs(240);
    while forms(&release)[1] == before[1] {
        release.kubectl(
            "delete pod -l app.kubernetes.io/name=port53-operator --grace-period=0 --force --wait=false",
        );
        assert!(Instant::now() < until, "{}", release.seen());
        std::thread::sleep(Duration::from_secs(6));
    }
    release.comes_to("Ready=True RolledOut");
}
