//! Heads that say who answers while a zone moves here, written into a real API server; and what holds when it is gone.

use crate::published::Published;
use crate::resolver::settings;
use port53_store::Forwarding;
use port53_tests::cluster::{self, Cluster};
use port53_tests::peer::{Peer, Program};
use port53_tests::process;
use port53_tests::resolver::{Resolver, Settings};
use port53_tests::{Zone, eventually};
use std::time::Duration;

const WWW: &str = "www.example.com A";
const OURS: &str = "NoError 192.0.2.1";
const LEGACYS: &str = "NoError 192.0.2.99";

const TEXT: &str = "example.com. 300 IN SOA ns1 host 1 2 3 4 300\n\
                    example.com. 300 IN NS ns1.example.net.\n\
                    www.example.com. 300 IN A 192.0.2.99\n";

fn legacy() -> Peer {
    Peer::start(Program::Bind, &[Zone { apex: "example.com.", text: TEXT }])
}

/// How the resolver of a nameserver is started.
fn of(settings: &Settings, nameserver: &str) -> Settings {
    Settings { more: vec![format!("--nameserver={nameserver}")], ..settings.clone() }
}

fn to(legacy: &Peer, cut_over: &[&str]) -> Option<Forwarding> {
    Some(Forwarding {
        cut_over: cut_over.iter().map(|name| (*name).to_owned()).collect(),
        compare: true,
        timeout: Duration::from_secs(5),
        ..Forwarding::to(legacy.address())
    })
}

/// One nameserver after the other, and back at once; each by one write of the head, with the serial that it has.
#[test]
fn nameservers_are_cut_over_one_after_the_other() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("cutover");
    let legacy = legacy();
    let mut zone = Published::new(cluster, &namespace, "example.com", 0);
    let settings = settings(cluster, &namespace);
    let [ns1, ns2] = ["ns1", "ns2"].map(|name| Resolver::start(&of(&settings, name)));
    let unnamed = Resolver::start(&settings);
    let mut say = |cut_over: Option<&[&str]>, expected: [&str; 2]| {
        zone.head.forwarding = cut_over.and_then(|cut_over| to(&legacy, cut_over));
        zone.write();
        for (resolver, expected) in [&ns1, &ns2].into_iter().zip(expected) {
            resolver.comes_to_say(WWW, expected);
        }
        // Without a name it answers by itself, once it has the zone.
        unnamed.comes_to_say(WWW, OURS);
    };
    say(None, [OURS, OURS]);
    say(Some(&[]), [LEGACYS, LEGACYS]);
    say(Some(&["ns1"]), [OURS, LEGACYS]);
    say(Some(&["ns1", "ns2"]), [OURS, OURS]);
    say(Some(&[]), [LEGACYS, LEGACYS]);
    say(None, [OURS, OURS]);
    for resolver in [&ns1, &ns2, &unnamed] {
        assert_eq!(resolver.metric("port53_heads_refused_total"), 0);
        assert_eq!(resolver.metric("port53_zones_behind"), 0);
    }
    // What cannot be is refused, by the API server where it can see it.
    for edit in [
        |forwarding: &mut port53_crds::Forwarding| forwarding.addresses.clear(),
        |forwarding: &mut port53_crds::Forwarding| {
            forwarding.addresses = vec!["ns.example.net:53".to_owned()]
        },
        |forwarding: &mut port53_crds::Forwarding| forwarding.timeout_milliseconds = 50,
    ] {
        let mut object = zone.object();
        let mut fields = to(&legacy, &[]).expect("one").to_fields();
        edit(&mut fields);
        object.spec.forwarding = Some(fields);
        let manifest = serde_json::to_string(&object).expect("JSON");
        let done =
            cluster.kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifest);
        assert!(!done.success && done.stderr.contains("spec.forwarding"), "{done:?}");
    }
}

/// A zone that is not complete here is answered by legacy, and a version that is refused changes nothing of that.
#[test]
fn who_answers_does_not_wait_for_the_content() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("before");
    let legacy = legacy();
    let mut zone = Published::new(cluster, &namespace, "example.com", 1_000);
    let (digest, _) = zone.checkpoint.slices().last().expect("a slice");
    zone.delete_slice(&digest);
    zone.head.forwarding = to(&legacy, &[]);
    zone.write();
    let resolver = Resolver::start(&of(&settings(cluster, &namespace), "ns1"));
    resolver.comes_to_say(WWW, LEGACYS);
    assert_eq!(resolver.metric("port53_zones_behind"), 1);
    zone.write_slices();
    eventually("it is complete", || match resolver.metric("port53_zones_behind") {
        0 => Ok(()),
        behind => Err(behind.to_string()),
    });
    assert_eq!(resolver.says(WWW), LEGACYS);
}

#[test]
fn with_the_api_server_gone_it_goes_on_and_falls_back() {
    let mut cluster = Cluster::start(cluster::Settings::default());
    cluster.apply_crds();
    let namespace = cluster.create_namespace("gone");
    let legacy = legacy();
    let settings = settings(&cluster, &namespace);
    let [forwarding, cut_over] = {
        let mut zone = Published::new(&cluster, &namespace, "example.com", 0);
        zone.head.forwarding = to(&legacy, &["ns1"]);
        zone.write();
        let resolvers = ["ns2", "ns1"].map(|name| Resolver::start(&of(&settings, name)));
        resolvers[0].comes_to_say(WWW, LEGACYS);
        resolvers[1].comes_to_say(WWW, OURS);
        for resolver in &resolvers {
            let manifest = resolver.on_disk("example.com").join("manifest");
            eventually("the disk", || {
                let text = std::fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
                if text.contains("cutOver") { Ok(()) } else { Err(text) }
            });
        }
        resolvers
    };
    cluster.stop_api_server();
    let mut both = [(forwarding, of(&settings, "ns2"), LEGACYS), (cut_over, of(&settings, "ns1"), OURS)];
    for (resolver, settings, expected) in &mut both {
        assert_eq!(resolver.says(WWW), *expected);
        resolver.restart(settings);
        resolver.comes_to_say(WWW, expected);
        let cache = format!("--cache-dir={}", resolver.cache().display());
        let program = settings.program.to_str().expect("a path in UTF-8");
        for (arguments, expected) in [
            (&[cache.as_str(), "fallback"][..], LEGACYS),
            (&[&cache, "fallback", "--answer"], OURS),
            (&[&cache, "fallback", "--release"], *expected),
        ] {
            let done = process::run(program, arguments, &resolver.cache());
            assert!(done.success, "{done:?}");
            resolver.comes_to_say(WWW, expected);
        }
    }
}
