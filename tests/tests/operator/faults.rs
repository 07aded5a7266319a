//! The operator killed, the API server stopped, watches that expired, time that went back, definitions and rights
//! that are missing. Each has a cluster of its own.

use crate::{hosts, programs, record, zone};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings};
use port53_tests::resolver::Resolver;

fn start() -> Platform {
    Platform::start(programs(), Settings::default())
}

fn serial(platform: &Platform, domain: &str) -> u64 {
    platform.head(domain).expect("a head")["spec"]["serial"].as_u64().expect("a serial")
}

#[test]
fn the_operator_may_be_killed_at_any_moment() {
    let mut platform = start();
    let (namespace, domain) = platform.place("killed");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=30, 2)));
    for n in 1..=30 {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    // The incumbent of a clash, by name the last.
    let first = record(&namespace, "zz", "here", "name: www, type: A, values: [192.0.2.1]");
    platform.apply(&first);
    platform.comes_to("dnsrecord", &namespace, "zz", "Ready=True Served");

    // Killed while it has something to do, again and again: between any two of its writes.
    for round in 3..=12 {
        platform.apply(&hosts(&namespace, 1..=30, round));
        platform.kill_operator();
        platform.say(&format!("h1.{domain} NS"), "NoError");
        platform.start_operator();
    }
    platform.apply(&record(&namespace, "aa", "here", "name: www, type: A, values: [192.0.2.2]"));
    for n in 1..=30 {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
        platform.say(&format!("h{n}.{domain} A"), &format!("NoError 192.0.12.{n}"));
    }
    // Who was published is known from what is published.
    platform.comes_to("dnsrecord", &namespace, "aa", "Ready=False Conflicted");
    platform.say(&format!("www.{domain} A"), "NoError 192.0.2.1");

    // One that starts again and finds all well writes nothing.
    let versions = |platform: &Platform| {
        let path = "-o=jsonpath={.items[*].metadata.resourceVersion}";
        platform.kubectl(&format!("get dnsrecords,zones -n {namespace} {path}"))
    };
    let before = versions(&platform);
    platform.kill_operator();
    platform.start_operator();
    platform.apply(&record(&namespace, "last", "here", "name: last, type: A, values: [192.0.2.9]"));
    platform.comes_to("dnsrecord", &namespace, "last", "Ready=True Served");
    platform.kubectl(&format!("delete dnsrecord last -n {namespace}"));
    let after = versions(&platform);
    let rewritten: Vec<&str> = after
        .split_whitespace()
        .filter(|version| !before.split_whitespace().any(|old| old == *version))
        .collect();
    // The Zone alone: its serial and number of records are others.
    assert!(rewritten.len() <= 1, "{rewritten:?}");
}

#[test]
fn serials_never_go_back_even_when_all_that_is_published_was_deleted_by_hand() {
    let mut platform = start();
    let (namespace, domain) = platform.place("deleted");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=3, 2)));
    platform.comes_to("dnsrecord", &namespace, "h3", "Ready=True Served");
    for round in 3..=6 {
        platform.apply(&hosts(&namespace, 1..=3, round));
        platform.comes_to("dnsrecord", &namespace, "h3", "Ready=True Served");
    }
    let before = serial(&platform, &domain);
    platform.kill_operator();
    for kind in ["zoneheads", "zonerevisions", "zoneslices"] {
        platform.kubectl(&format!("delete {kind} --all -n {NAMESPACE}"));
    }
    platform.kubectl(&format!(
        "patch zone here -n {namespace} --subresource=status --type=merge -p {{\"status\":{{\"serial\":1}}}}"
    ));
    platform.say(&format!("h3.{domain} A"), "NoError 192.0.6.3");
    platform.start_operator();
    platform.apply(&hosts(&namespace, 1..=3, 7));
    platform.comes_to("dnsrecord", &namespace, "h3", "Ready=True Served");
    platform.say(&format!("h3.{domain} A"), "NoError 192.0.7.3");
    assert!(serial(&platform, &domain) > before);
}

#[test]
fn the_api_server_may_go_expire_its_watches_and_go_back_in_time() {
    let mut platform = start();
    let (namespace, domain) = platform.place("outage");
    let www_a = format!("h1.{domain} A");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=2, 2)));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");

    platform.cluster.stop_api_server();
    platform.say(&www_a, "NoError 192.0.2.1");
    platform.cluster.start_api_server();
    platform.apply(&hosts(&namespace, 1..=2, 3));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.3.1");

    // Asleep while things change, are deleted, and are compacted away: it has to list again.
    platform.apply(&hosts(&namespace, 3..=3, 3));
    platform.comes_to("dnsrecord", &namespace, "h3", "Ready=True Served");
    platform.pause_operator();
    platform.apply(&hosts(&namespace, 1..=2, 4));
    platform.kubectl(&format!("delete dnsrecord h3 -n {namespace}"));
    platform.cluster.compact();
    platform.cluster.stop_api_server();
    platform.cluster.start_api_server();
    platform.resume_operator();
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.4.1");
    platform.come_to_say(&format!("h3.{domain} A"), "NXDomain");

    // What was written after the backup is gone from the API server, and serials go on all the same.
    let backup = platform.cluster.backup();
    platform.apply(&hosts(&namespace, 1..=2, 5));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.5.1");
    let before = serial(&platform, &domain);
    platform.cluster.put_back(&backup);
    platform.come_to_say(&www_a, "NoError 192.0.4.1");
    assert!(serial(&platform, &domain) > before);
    platform.apply(&hosts(&namespace, 1..=2, 6));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    platform.say(&www_a, "NoError 192.0.6.1");
}

/// A record that is stored and that the operator cannot read was not removed, also when it never could read it.
#[test]
fn a_record_that_cannot_be_read_after_a_restart_stays_in_service() {
    let mut platform = start();
    let (namespace, domain) = platform.place("unreadable");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=3, 2)));
    for n in 1..=3 {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    platform.kill_operator();
    // A definition that lets everything in, as one of a later version might let in what this one does not know.
    let schema = r#"[
        {"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
         "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
        {"op": "remove", "path": "/spec/versions/0/selectableFields"}
    ]"#;
    let patch = |what: &[&str], type_: &str, patch: &str| {
        platform.cluster.kubectl(&[&["patch"], what, &["--type", type_, "-p", patch]].concat())
    };
    let done = patch(&["crd", "dnsrecords.port53.dev"], "json", schema);
    assert!(done.success, "{done:?}");
    let h1 = ["dnsrecord", "h1", "-n", &namespace];
    eventually("it is stored", || match patch(&h1, "merge", r#"{"spec":{"values":7}}"#) {
        done if done.success => Ok(()),
        done => Err(done.stderr),
    });
    platform.start_operator();
    platform.apply(&(hosts(&namespace, 2..=2, 3) + &hosts(&namespace, 4..=4, 2)));
    platform.comes_to("dnsrecord", &namespace, "h2", "Ready=True Served");
    platform.comes_to("dnsrecord", &namespace, "h4", "Ready=True Served");
    platform.say(&format!("h1.{domain} A"), "NoError 192.0.2.1");
    platform.say(&format!("h2.{domain} A"), "NoError 192.0.3.2");
    let output = platform.operator_output();
    let is_said = |line: &str| line.contains("cannot be read") && line.contains("h1");
    assert!(output.lines().any(is_said), "{output}");
    // One that is removed goes, and so does this one when it is.
    platform.kubectl(&format!("delete dnsrecord h3 -n {namespace}"));
    platform.come_to_say(&format!("h3.{domain} A"), "NXDomain");
    platform.say(&format!("h1.{domain} A"), "NoError 192.0.2.1");
    platform.kubectl(&format!("delete dnsrecord h1 -n {namespace}"));
    platform.come_to_say(&format!("h1.{domain} A"), "NXDomain");
}

/// While no operator is there to store it again, a slice is deleted and made anew with other octets.
#[test]
fn a_slice_that_is_replaced_is_noticed_by_its_digest_and_put_right() {
    let mut platform = start();
    let (namespace, domain) = platform.place("octets");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=3, 2)));
    for n in 1..=3 {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    let wanted = serial(&platform, &domain);
    eventually("a checkpoint", || {
        let name = format!("{domain}.{wanted}");
        platform.get("zonerevision", NAMESPACE, &name).map(drop).ok_or(name)
    });
    platform.kill_operator();
    for slice in platform.kubectl(&format!("get zoneslices -n {NAMESPACE} -o name")).lines() {
        let (_, name) = slice.split_once('/').expect("KIND/NAME");
        let mut other = platform.get("zoneslice", NAMESPACE, name).expect("it is there");
        platform.kubectl(&format!("delete {slice} -n {NAMESPACE}"));
        other["metadata"] = serde_json::json!({"name": name, "namespace": NAMESPACE});
        other["spec"]["data"] = "AAAA".into();
        platform.apply(&other.to_string());
    }
    let h1_a = format!("h1.{domain} A");
    platform.say(&h1_a, "NoError 192.0.2.1");
    let settings = platform.resolver_settings();
    let new = Resolver::start(&settings);
    new.comes_to_say(&h1_a, "ServFail");
    platform.say(&h1_a, "NoError 192.0.2.1");
    platform.start_operator();
    new.comes_to_say(&h1_a, "NoError 192.0.2.1");
    platform.apply(&hosts(&namespace, 1..=1, 3));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    new.comes_to_say(&h1_a, "NoError 192.0.3.1");
}

/// It starts, says what it lacks in one line, and tries again.
#[test]
fn what_the_operator_lacks_is_said_in_a_line_and_found_when_it_is_there() {
    let mut platform = start();
    let said = |platform: &Platform, what: &str| {
        eventually(what, || {
            let output = platform.operator_output();
            let line =
                output.lines().find(|line| line.contains("WARN") && line.contains(what)).map(str::to_owned);
            line.ok_or(output)
        })
    };
    platform.kill_operator();
    platform.kubectl("delete crd zones.port53.dev dnsrecords.port53.dev");
    platform.start_operator();
    let line = said(&platform, "does not know this resource");
    assert!(line.contains("cannot follow zones, dnsrecords: "), "{line}");
    assert!(line.contains("apply the definitions in crds/manifests"), "{line}");
    platform.cluster.apply_crds();
    let (namespace, domain) = platform.place("lacking");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=1, 2)));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");

    platform.kill_operator();
    platform.kubectl("delete clusterrolebinding port53-operator");
    platform.start_operator();
    let line = said(&platform, "the API server forbids list and watch of");
    assert!(line.contains("of zones, dnsrecords, namespaces: grant them to"), "{line}");
    // Nothing is known of any record now, and absence removes nothing.
    platform.say(&format!("h1.{domain} A"), "NoError 192.0.2.1");
    platform.grant_operator();
    platform.apply(&hosts(&namespace, 1..=1, 3));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    platform.say(&format!("h1.{domain} A"), "NoError 192.0.3.1");
    // It was asked again and again meanwhile, and said once.
    let output = platform.operator_output();
    let warned = output.lines().filter(|line| line.contains("WARN") && line.contains("forbids"));
    assert_eq!(warned.count(), 1, "{output}");
}

#[test]
fn history_has_a_cap_and_what_nothing_names_goes() {
    let settings = Settings {
        operator: ["--prune-interval=1s", "--history-octets=1"].map(str::to_owned).to_vec(),
        ..Settings::default()
    };
    let platform = Platform::start(programs(), settings);
    let (namespace, domain) = platform.place("pruned");
    let count = |kind: &str| platform.kubectl(&format!("get {kind} -n {NAMESPACE} -o name")).lines().count();
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=3, 2)));
    platform.comes_to("dnsrecord", &namespace, "h1", "Ready=True Served");
    for round in 3..=6 {
        platform.apply(&hosts(&namespace, 1..=3, round));
        platform.comes_to("dnsrecord", &namespace, "h3", "Ready=True Served");
        let wanted = serial(&platform, &domain);
        eventually("a revision", || {
            let name = format!("{domain}.{wanted}");
            platform.get("zonerevision", NAMESPACE, &name).ok_or_else(|| format!("no {name}"))
        });
    }
    // The newest, and the one that the head still builds on.
    eventually("pruning", || match (count("zonerevisions"), count("zoneslices")) {
        (1..=2, 1..=2) => Ok(()),
        counts => Err(format!("{counts:?} revisions and slices")),
    });
    platform.say(&format!("h3.{domain} A"), "NoError 192.0.6.3");
    platform.apply(&hosts(&namespace, 1..=3, 7));
    platform.comes_to("dnsrecord", &namespace, "h3", "Ready=True Served");
    platform.say(&format!("h3.{domain} A"), "NoError 192.0.7.3");
}
