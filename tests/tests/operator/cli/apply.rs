//! Writing, waiting, and putting back.

use super::{Site, managers, with_managers};
use crate::{record, zone};
use port53_tests::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write as _;
use std::process::Stdio;

#[test]
fn what_is_applied_is_served_when_apply_ends() {
    let site = Site::new("apply");
    // The record is written before its Zone.
    site.write("a.yaml", &(site.a("www", "192.0.2.1") + &site.zone()));
    let done = site.port53(0, "apply -f .");
    site.platform.say(&format!("www.{} A", site.domain), "NoError 192.0.2.1");
    let www = format!("DNSRecord {}/www: served as serial ", site.namespace);
    assert!(done.stdout.contains(&www), "{done:?}");
    for (kind, name) in [("zone", "here"), ("dnsrecord", "www")] {
        assert!(managers(&with_managers(&site, kind, name)).contains(&"port53".to_owned()));
    }

    // From standard input; and what is as it was is served already.
    let mut command = site.command("apply -f -");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let both = site.a("www", "192.0.2.1") + &site.a("new", "192.0.2.2");
    child.stdin.take().expect("a pipe").write_all(both.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    site.platform.say(&format!("new.{} A", site.domain), "NoError 192.0.2.2");
}

/// As the shell makes of `-f <(…)`, of a pipe to `-f /dev/stdin`, and of `-f /dev/stdin < file`.
#[test]
fn what_is_no_file_of_a_name_is_read_as_manifests() {
    let site = Site::new("pipes");
    site.port53_applies(&site.zone());
    site.write("manifests", &site.a("file", "192.0.2.3"));
    let port53 = env!("CARGO_BIN_EXE_port53-tested");
    site.write("a", &site.a("substituted", "192.0.2.1"));
    site.write("b", &site.a("piped", "192.0.2.2"));
    for (script, name) in [
        ("\"$0\" apply --namespace \"$1\" -f <(cat a)", "substituted"),
        ("cat b | \"$0\" apply --namespace \"$1\" -f /dev/stdin", "piped"),
        ("\"$0\" apply --namespace \"$1\" -f /dev/stdin < manifests", "file"),
    ] {
        let mut command = std::process::Command::new("bash");
        command
            .args(["-c", script, port53, &site.namespace])
            .env("KUBECONFIG", site.platform.cluster.kubeconfig())
            .env("HOME", site.files.path())
            .current_dir(site.files.path());
        let (status, done) = super::finished(command);
        assert_eq!(status, 0, "{script}: {done:?}");
        assert!(site.get("dnsrecord", name).is_some(), "{script}: {done:?}");
    }
}

#[test]
fn what_is_rejected_is_told_with_its_place_and_keeps_nothing_else_back() {
    let site = Site::new("rejected");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    let alias = "name: www, type: CNAME, values: [\"www.example.net.\"]";
    let clash = record(&site.namespace, "alias", "here", alias);
    site.write("a.yaml", &(clash + &site.a("more", "192.0.2.2")));
    let done = site.port53(1, "apply -f a.yaml");
    let place = format!("a.yaml:2: rejected: DNSRecord {}/alias: ", site.namespace);
    assert!(done.stderr.contains(&place) && done.stderr.contains("CNAME"), "{done:?}");
    site.platform.say(&format!("more.{} A", site.domain), "NoError 192.0.2.2");

    // What the definitions refuse is told by file and line, and not sent.
    let wrong = site.a("wrong", "192.0.2.3").replace("type: A", "type: a");
    site.write("b.yaml", &(wrong + &site.a("right", "192.0.2.3")));
    let done = site.port53(1, "apply -f b.yaml");
    assert!(done.stderr.contains("b.yaml:5:") && done.stderr.contains("upper case"), "{done:?}");
    assert!(site.get("dnsrecord", "wrong").is_none());
    site.platform.say(&format!("right.{} A", site.domain), "NoError 192.0.2.3");
}

#[test]
fn all_or_nothing_puts_everything_back_as_it_was() {
    let site = Site::new("atomic");
    // Somebody else wrote what is there.
    site.platform.apply(&(site.zone() + &site.a("www", "192.0.2.1")));
    site.platform.comes_to("dnsrecord", &site.namespace, "www", "Ready=True Served");
    let before = with_managers(&site, "dnsrecord", "www");

    let alias = "name: www, type: CNAME, values: [\"www.example.net.\"]";
    let clash = record(&site.namespace, "alias", "here", alias);
    let other = site.a("other", "192.0.2.9");
    let labelled =
        site.a("www", "192.0.2.2").replace("name: www, namespace", "name: www, labels: {a: b}, namespace");
    site.write("a.yaml", &(labelled + &other + &clash));
    let done = site.port53(1, "apply -f a.yaml --atomic --force-conflicts");
    assert!(done.stderr.contains("rejected") && done.stderr.contains("restored"), "{done:?}");
    for name in ["alias", "other"] {
        assert!(site.get("dnsrecord", name).is_none(), "{name} is there: {done:?}");
    }
    let after = with_managers(&site, "dnsrecord", "www");
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
    assert_eq!(managers(&after), managers(&before), "{after}");
    site.platform.come_to_say(&format!("www.{} A", site.domain), "NoError 192.0.2.1");
    site.platform.come_to_say(&format!("other.{} A", site.domain), "NXDomain");

    // What the API server refuses undoes the rest, too; and a Zone that was not there is gone with it.
    let elsewhere = zone(&site.namespace, "elsewhere", &format!("elsewhere.{}", site.domain));
    let immutable = site.a("www", "192.0.2.1").replace("name: www, type: A", "name: ftp, type: A");
    site.write("b.yaml", &(elsewhere + &immutable));
    let done = site.port53(1, "apply -f b.yaml --atomic --force-conflicts");
    assert!(done.stderr.contains("immutable"), "{done:?}");
    // It is deleted, and withdrawn without delay: the operator lets it go.
    if let Some(zone) = site.get("zone", "elsewhere") {
        assert!(zone["metadata"]["deletionTimestamp"].is_string(), "{zone}: {done:?}");
        assert_eq!(zone["spec"]["removalDelay"], "0s");
    }
    assert_eq!(with_managers(&site, "dnsrecord", "www")["spec"], before["spec"]);

    // What is wrong at a look is not begun with.
    site.write(
        "c.yaml",
        &(site.a("new", "192.0.2.1") + &site.a("www", "192.0.2.3").replace("type: A", "type: a")),
    );
    let done = site.port53(1, "apply -f c.yaml --atomic");
    assert!(done.stderr.contains("nothing is applied"), "{done:?}");
    assert!(site.get("dnsrecord", "new").is_none());
}

/// It was told afterwards, when what it had made could not be deleted any more.
#[test]
fn all_or_nothing_is_not_begun_by_who_could_not_take_it_back() {
    let site = Site::new("back");
    let namespace = &site.namespace;
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    let role = |name: &str, rule: &str| {
        site.platform.apply(&format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n\
             metadata: {{name: {name}, namespace: {namespace}}}\n\
             rules: [{{apiGroups: [port53.dev], resources: [dnsrecords], {rule}}}]\n\
             ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
             metadata: {{name: {name}, namespace: {namespace}}}\n\
             subjects: [{{kind: User, name: {namespace}, apiGroup: rbac.authorization.k8s.io}}]\n\
             roleRef: {{kind: Role, name: {name}, apiGroup: rbac.authorization.k8s.io}}\n"
        ));
    };
    let apply = || super::finished(site.command_of_team("apply -f a.yaml --atomic"));
    let is_told = |what: &str| {
        eventually(what, || match apply() {
            (2, done) if done.stderr.contains(what) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    role("writer", "verbs: [get, list, watch, create, patch]");
    site.write("a.yaml", &site.a("new", "192.0.2.2"));
    is_told(&format!("nothing is applied: you may not delete dnsrecords in namespace {namespace}"));
    assert!(site.get("dnsrecord", "new").is_none());
    site.write("a.yaml", &site.a("www", "192.0.2.2"));
    is_told(&format!("you may not update dnsrecords in namespace {namespace}"));
    assert_eq!(site.get("dnsrecord", "www").expect("www")["spec"]["values"][0], "192.0.2.1");

    // A right to that name alone is enough, and what is asked for is said.
    role("deleter", "verbs: [delete], resourceNames: [new]");
    site.write("a.yaml", &site.a("new", "192.0.2.2"));
    eventually("the right", || match apply() {
        (0, _) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// Waiting would not help: it is told at once.
#[test]
fn what_is_below_a_delegation_is_told_not_to_be_answered() {
    let site = Site::new("below");
    let cut = format!("name: cut, type: NS, values: [ns.{}.]", site.domain);
    let cut = record(&site.namespace, "cut", "here", &cut);
    site.port53_applies(&(site.zone() + &site.a("ns", "192.0.2.53") + &cut));
    let www = record(&site.namespace, "www", "here", "name: www.cut, type: A, values: [192.0.2.1]");
    site.write("a.yaml", &www);
    let done = site.port53(1, "apply -f a.yaml --timeout 10m");
    assert!(done.stderr.contains("a.yaml:2: not served: ") && done.stderr.contains("[Occluded]"), "{done:?}");
    // It is no error, for the delegation may go.
    site.write("a.yaml", &(site.zone() + &cut + &www));
    let done = site.port53(0, "check a.yaml");
    assert!(done.stdout.contains("warning: ") && done.stdout.contains("[occluded]"), "{done:?}");
}

#[test]
fn all_or_nothing_that_is_interrupted_leaves_nothing() {
    let site = Site::new("interrupted");
    site.port53_applies(&site.zone());
    site.write(
        "a.yaml",
        &site.hosts(1500).replace("192.0.2.", "2001:db8::").replace("type: A,", "type: AAAA,"),
    );
    let mut command = site.command("apply -f a.yaml --atomic");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    eventually("some records", || if site.records() > 0 { Ok(()) } else { Err("none".to_owned()) });
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).expect("it is there");
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("interrupted") && stderr.contains("restored"), "{stderr}");
    assert!(!stderr.contains("not restored"), "{stderr}");
    assert_eq!(site.records(), 0);
}

#[test]
fn who_waits_in_vain_is_told_what_for() {
    let site = Site::new("timeout");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    let serial = site.checkpoint();
    site.port53(0, &format!("rollback {} --to {serial}", site.domain));
    site.write("a.yaml", &site.a("www", "192.0.2.2"));
    // A record of a zone that is rolled back may wait for ever, so it is told at once.
    let done = site.port53(1, "apply -f a.yaml");
    assert!(done.stderr.contains("a.yaml:2: not served: ") && done.stderr.contains("[Pinned]"), "{done:?}");
    site.port53(0, &format!("rollback {} --release", site.domain));
    site.platform.say(&format!("www.{} A", site.domain), "NoError 192.0.2.2");

    site.write("a.yaml", &site.a("www", "192.0.2.3"));
    let done = site.port53(1, "apply -f a.yaml --timeout 0s");
    assert!(done.stderr.contains("not served after 0 s: DNSRecord"), "{done:?}");
    assert!(done.stderr.contains("[Pending]"), "{done:?}");
    site.platform.come_to_say(&format!("www.{} A", site.domain), "NoError 192.0.2.3");
    site.write("a.yaml", &(site.a("www", "192.0.2.4") + &site.a("new", "192.0.2.5")));
    let done = site.port53(1, "apply -f a.yaml --timeout 0s --atomic");
    assert!(done.stderr.contains("not served after 0 s"), "{done:?}");
    assert!(site.get("dnsrecord", "new").is_none());
    assert_eq!(site.get("dnsrecord", "www").expect("www")["spec"]["values"][0], "192.0.2.3");
}
