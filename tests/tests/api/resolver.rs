//! Two resolvers that follow heads and slices of a real API server, with no more rights than they need. Heads
//! and slices are written by the test; what the operator writes is the same.

use crate::published::Published;
use port53_crds::HeadState;
use port53_tests::cluster::{self, Cluster, User};
use port53_tests::eventually;
use port53_tests::resolver::{Resolver, Settings, grant};
use std::net::Ipv4Addr;

const WWW: &str = "www.example.com A";

/// How a resolver of `namespace` is started, with the rights of one.
pub(crate) fn settings(cluster: &Cluster, namespace: &str) -> Settings {
    let user = User::service_account(namespace, "resolver");
    grant(cluster, namespace, &user);
    Settings {
        program: env!("CARGO_BIN_EXE_port53-resolver-tested").into(),
        kubeconfig: cluster.kubeconfig_of(&user),
        namespace: namespace.to_owned(),
        listen: Ipv4Addr::LOCALHOST.into(),
        more: Vec::new(),
    }
}

#[track_caller]
fn both_come_to_say(resolvers: &[Resolver; 2], question: &str, expected: &str) {
    resolvers.iter().for_each(|resolver| resolver.comes_to_say(question, expected));
}

fn is_ready(resolver: &Resolver) -> Result<(), String> {
    let text = resolver.get("/readyz?verbose");
    if text.contains("[-]") { Err(text) } else { Ok(()) }
}

/// What is said of a list with nothing in it.
fn no_heads(namespace: &str) -> String {
    format!("no ZoneHeads in namespace {namespace}")
}

/// Waits until this serial of a zone is what a restart begins with.
fn is_on_disk(resolver: &Resolver, apex: &str, serial: u32) {
    let manifest = resolver.on_disk(apex).join("manifest");
    eventually("the disk", || {
        let text = std::fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
        if text.contains(&format!("\"serial\": {serial},")) { Ok(()) } else { Err(text) }
    });
}

#[test]
fn two_resolvers_answer_what_heads_say_and_fetch_slices_once() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("follow");
    let mut zone = Published::new(cluster, &namespace, "example.com", 3_000);
    let _root = Published::new(cluster, &namespace, ".", 0);
    let settings = settings(cluster, &namespace);
    // One of them asks for the list as a stream.
    let streaming = Settings { more: vec!["--streaming-list=true".to_owned()], ..settings.clone() };
    let resolvers = [Resolver::start(&settings), Resolver::start(&streaming)];
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.1");
    both_come_to_say(&resolvers, "host2999.example.com A", "NoError 198.51.100.7");
    both_come_to_say(&resolvers, "www. A", "NoError 192.0.2.1");
    let slices = zone.checkpoint.slices().count() as u64 + 1;
    assert!(slices > 10);
    for resolver in &resolvers {
        assert_eq!(resolver.metric("port53_slices_fetched_total"), slices);
        eventually("readiness", || is_ready(resolver));
    }
    // Journals, and checkpoints of what is served, need no slices.
    for round in 2..8 {
        zone.publish("www", &format!("192.0.2.{round}"));
        both_come_to_say(&resolvers, WWW, &format!("NoError 192.0.2.{round}"));
        if round % 3 == 0 {
            zone.make_checkpoint();
        }
    }
    for resolver in &resolvers {
        assert_eq!(resolver.metric("port53_slices_fetched_total"), slices);
        assert_eq!(resolver.metric("port53_heads_refused_total"), 0);
        assert_eq!(resolver.metric("port53_zones_behind"), 0);
    }
    zone.head.state = HeadState::Withdrawn;
    zone.write();
    both_come_to_say(&resolvers, "host1.example.com A", "NXDomain");
    zone.head.state = HeadState::Serving;
    zone.publish("www", "192.0.2.99");
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.99");
}

/// A list comes in pages of a hundred heads.
#[test]
fn every_page_of_the_list_is_read() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("pages");
    for zone in 0..230 {
        Published::new(cluster, &namespace, &format!("zone{zone}.example"), 0);
    }
    let resolver = Resolver::start(&settings(cluster, &namespace));
    eventually("readiness", || is_ready(&resolver));
    for zone in 0..230 {
        assert_eq!(resolver.says(&format!("www.zone{zone}.example A")), "NoError 192.0.2.1");
    }
}

#[test]
fn a_resolver_may_read_no_more_than_it_is_granted() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("rights");
    let user = User::service_account(&namespace, "resolver");
    grant(cluster, &namespace, &user);
    let may = |verb: &str, what: &str| {
        let arguments = ["auth", "can-i", verb, what, "-n", &namespace, "--as", &user.name];
        cluster.kubectl(&arguments).stdout.trim() == "yes"
    };
    eventually("its rights", || may("list", "zoneheads.port53.dev").then_some(()).ok_or("none".to_owned()));
    assert!(may("watch", "zoneheads.port53.dev") && may("get", "zoneslices.port53.dev"));
    for (verb, what) in
        [("list", "zoneslices"), ("get", "zonerevisions"), ("update", "zoneheads"), ("list", "zones")]
    {
        assert!(!may(verb, &format!("{what}.port53.dev")), "{verb} {what}");
    }
    assert!(!may("list", "secrets"));
}

#[test]
fn what_is_edited_or_deleted_by_hand_takes_nothing_out_of_service() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("by-hand");
    let mut zone = Published::new(cluster, &namespace, "example.com", 1_000);
    let other = Published::new(cluster, &namespace, "example.org", 0);
    let settings = settings(cluster, &namespace);
    let mut resolvers = [Resolver::start(&settings), Resolver::start(&settings)];
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.1");
    zone.publish("www", "192.0.2.2");
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.2");

    // The journal of a next serial is gone; its digest tells.
    let mut edited = zone.object();
    edited.spec.serial += 1;
    edited.spec.journal.clear();
    zone.write_object(edited);
    let refused = |resolver: &Resolver, count: u64| {
        eventually("a refusal", || match resolver.metric("port53_heads_refused_total") {
            found if found == count => Ok(()),
            found => Err(format!("{found} refused, not {count}; it printed:\n{}", resolver.output())),
        });
    };
    resolvers.iter().for_each(|resolver| refused(resolver, 1));
    // An older serial, and a base64 that is none.
    let mut older = zone.object();
    older.spec.serial = 1;
    zone.write_object(older);
    resolvers.iter().for_each(|resolver| refused(resolver, 2));
    let mut broken = zone.object();
    broken.spec.serial += 2;
    broken.spec.journal = "?".to_owned();
    zone.write_object(broken);
    resolvers.iter().for_each(|resolver| refused(resolver, 3));
    zone.delete_head();
    other.delete_head();
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.2");
    // Nor does one that starts now and is given a list with nothing in it.
    for (apex, serial) in [("example.com", 2), ("example.org", 1)] {
        is_on_disk(&resolvers[0], apex, serial);
    }
    resolvers[0].restart(&settings);
    eventually("the empty list", || match resolvers[0].output() {
        said if said.contains(&no_heads(&namespace)) => Ok(()),
        said => Err(said),
    });
    for (question, value) in [(WWW, "192.0.2.2"), ("www.example.org A", "192.0.2.1")] {
        assert_eq!(resolvers[0].says(question), format!("NoError {value}"), "{question}");
    }
    // Restored, with a next change: what came before is past.
    other.write();
    zone.publish("www", "192.0.2.3");
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.3");
    both_come_to_say(&resolvers, "www.example.org A", "NoError 192.0.2.1");
    for resolver in &resolvers {
        eventually("zones", || match resolver.metric("port53_zones_behind") {
            0 => Ok(()),
            behind => Err(format!("{behind} behind")),
        });
    }
    // Nor does a serial go back because the head says that it is pinned.
    let serial = zone.head.soa.serial;
    let before = resolvers.each_ref().map(|resolver| resolver.metric("port53_heads_refused_total"));
    zone.head.pinned = Some(1);
    zone.head.soa.serial = 1;
    zone.write();
    resolvers.iter().zip(before).for_each(|(resolver, before)| refused(resolver, before + 1));
    both_come_to_say(
        &resolvers,
        "example.com SOA",
        &format!("NoError ns1.example.com. hostmaster.example.com. {serial} 3600 600 604800 300"),
    );
}

/// Nothing is wrong with that, and it is what one sees who named the wrong namespace.
#[test]
fn a_namespace_without_heads_is_said_once_it_was_listed() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("none");
    let resolver = Resolver::start(&settings(cluster, &namespace));
    let expected = no_heads(&namespace);
    eventually("a word", || match resolver.output() {
        said if said.contains(&expected) => Ok(()),
        said => Err(said),
    });
    let _zone = Published::new(cluster, &namespace, "example.com", 0);
    resolver.comes_to_say(WWW, "NoError 192.0.2.1");
    assert_eq!(resolver.output().matches(&expected).count(), 1);
}

#[test]
fn a_zone_without_a_slice_is_servfail_alone_and_complete_when_it_is_back() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("slice");
    let zone = Published::new(cluster, &namespace, "example.com", 1_000);
    let _other = Published::new(cluster, &namespace, "example.org", 0);
    let (digest, _) = zone.checkpoint.slices().last().expect("a slice");
    zone.delete_slice(&digest);
    let resolver = Resolver::start(&settings(cluster, &namespace));
    resolver.comes_to_say("www.example.org A", "NoError 192.0.2.1");
    resolver.comes_to_say(WWW, "ServFail");
    eventually("a failure", || match resolver.metric("port53_assembly_failures_total") {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    });
    assert!(resolver.output().contains(&digest.to_string()), "{}", resolver.output());
    assert_eq!(resolver.metric("port53_zones_behind"), 1);
    zone.write_slices();
    resolver.comes_to_say(WWW, "NoError 192.0.2.1");
}

#[test]
fn a_resolver_without_rights_answers_from_its_disk_and_follows_when_it_has_them_again() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("forbidden");
    let mut zone = Published::new(cluster, &namespace, "example.com", 1_000);
    let settings = settings(cluster, &namespace);
    let mut resolver = Resolver::start(&settings);
    resolver.comes_to_say(WWW, "NoError 192.0.2.1");
    eventually("the disk", || resolver.has_on_disk("example.com").then_some(()).ok_or("nothing".to_owned()));
    let gone = cluster.kubectl(&["delete", "rolebinding", "resolver", "-n", &namespace]);
    assert!(gone.success, "{gone:?}");
    resolver.restart(&settings);
    resolver.comes_to_say(WWW, "NoError 192.0.2.1");
    eventually("a reason", || {
        let text = resolver.get("/readyz?verbose");
        if text.contains("grant") { Ok(()) } else { Err(format!("{text}\n{}", resolver.output())) }
    });
    zone.publish("www", "192.0.2.2");
    grant(cluster, &namespace, &User::service_account(&namespace, "resolver"));
    resolver.comes_to_say(WWW, "NoError 192.0.2.2");
    assert_eq!(resolver.metric("port53_slices_fetched_total"), 0);
    eventually("readiness", || is_ready(&resolver));
}

/// No room for what comes next: it is answered, readiness and a metric say so, and a restart has what was kept.
#[test]
fn a_full_disk_stops_no_answer_and_is_said() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("full");
    let mut zone = Published::new(cluster, &namespace, "example.com", 10);
    let settings = settings(cluster, &namespace);
    let mut resolver = Resolver::start(&settings);
    eventually("the disk", || resolver.has_on_disk("example.com").then_some(()).ok_or("nothing".to_owned()));
    // What is written first is written there: ENOSPC, whatever rights this process has.
    let full = resolver.on_disk("example.com").join("manifest.tmp");
    std::os::unix::fs::symlink("/dev/full", &full).expect("a link");
    zone.publish("www", "192.0.2.2");
    resolver.comes_to_say(WWW, "NoError 192.0.2.2");
    eventually("a reason", || {
        let text = resolver.get("/readyz?verbose");
        if text.contains("No space left on device") { Ok(()) } else { Err(text) }
    });
    eventually("readiness", || is_ready(&resolver));
    assert_eq!(resolver.metric("port53_disk_writable"), 0);
    resolver.restart(&settings);
    resolver.comes_to_say(WWW, "NoError 192.0.2.2");
    std::fs::remove_file(&full).expect("it goes");
    zone.publish("www", "192.0.2.3");
    resolver.comes_to_say(WWW, "NoError 192.0.2.3");
    eventually("it is written", || match resolver.metric("port53_disk_writable") {
        1 => Ok(()),
        _ => Err(resolver.get("/readyz?verbose")),
    });
}

#[test]
fn the_api_server_may_go_come_back_and_go_back_in_time() {
    let mut cluster = Cluster::start(cluster::Settings::default());
    cluster.apply_crds();
    let namespace = cluster.create_namespace("gone");
    let settings = settings(&cluster, &namespace);
    let mut zone = Published::new(&cluster, &namespace, "example.com", 500);
    let mut resolvers = [Resolver::start(&settings), Resolver::start(&settings)];
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.1");
    zone.publish("www", "192.0.2.2");
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.2");
    let (head, checkpoint) = zone.parts();
    eventually("the disk", || {
        resolvers[0].has_on_disk("example.com").then_some(()).ok_or("nothing".to_owned())
    });

    cluster.stop_api_server();
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.2");
    resolvers[0].restart(&settings);
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.2");
    eventually("a reason", || {
        let text = resolvers[0].get("/readyz?verbose");
        if text.contains("lost") { Ok(()) } else { Err(text) }
    });
    // A pod that is not ready is not asked, and it has all that it ever served.
    eventually("readiness", || is_ready(&resolvers[0]));
    cluster.start_api_server();
    let mut zone = Published::of(&cluster, &namespace, head, checkpoint);
    zone.publish("www", "192.0.2.3");
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.3");

    let (head, checkpoint) = zone.parts();
    let backup = cluster.backup();
    let mut zone = Published::of(&cluster, &namespace, head, checkpoint);
    zone.publish("www", "192.0.2.4");
    zone.publish("www", "192.0.2.5");
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.5");
    let (head, checkpoint) = zone.parts();
    cluster.put_back(&backup);
    // The head is that of two serials before; what was served since stays.
    for resolver in &resolvers {
        eventually("a refusal", || match resolver.metric("port53_heads_refused_total") {
            0 => Err(format!("none; it printed:\n{}", resolver.output())),
            _ => Ok(()),
        });
    }
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.5");
    let mut zone = Published::of(&cluster, &namespace, head, checkpoint);
    zone.publish("www", "192.0.2.6");
    both_come_to_say(&resolvers, WWW, "NoError 192.0.2.6");
}
