//! Legacy that stops, or stands still, and a resolver that is told to fall back while nothing else can be told.

use super::{RESOLVER, count, image, resolver, resolver_with, to};
use port53_crds::Otherwise;
use port53_store::Forwarding;
use port53_tests::Zone;
use port53_tests::eventually;
use port53_tests::peer::{Peer, Program};
use port53_tests::ports::free_address;
use port53_tests::process::{self, Finished};
use port53_tests::resolver::Resolver;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const APEX: &str = "moving.test.";
const WWW: &str = "www.moving.test. A";
const OURS: &str = "NoError 192.0.2.1";
const LEGACYS: &str = "NoError 192.0.2.99";

fn text(www: &str) -> String {
    format!(
        "moving.test. 300 IN SOA ns1 host 1 2 3 4 300\n\
         moving.test. 300 IN NS ns1.moving.test.\n\
         ns1.moving.test. 300 IN A 192.0.2.53\n\
         www.moving.test. 300 IN A {www}\n"
    )
}

fn legacy(program: Program) -> Peer {
    Peer::start(program, &[Zone { apex: APEX, text: &text("192.0.2.99") }])
}

fn here(forwarding: &Forwarding) -> Resolver {
    resolver([image(APEX, &text("192.0.2.1"))], forwarding)
}

/// `port53-resolver fallback` on the cache of a resolver.
fn fallback(resolver: &Resolver, arguments: &[&str]) -> Finished {
    let cache = format!("--cache-dir={}", resolver.cache().display());
    process::run(RESOLVER, &[&["fallback", &cache][..], arguments].concat(), &resolver.cache())
}

#[test]
fn legacy_that_stops_or_stands_still_is_answered_for() {
    for (program, otherwise) in [
        (Program::Bind, Otherwise::LastKnown),
        (Program::Knot, Otherwise::Port53),
        (Program::Nsd, Otherwise::LastKnown),
    ] {
        let legacy = legacy(program);
        let timeout = Duration::from_secs(2);
        let resolver = here(&Forwarding { otherwise, timeout, ..to(legacy.address()) });
        assert_eq!(resolver.says(WWW), LEGACYS);
        let expected = match otherwise {
            Otherwise::LastKnown => LEGACYS,
            Otherwise::Port53 => OURS,
        };
        // Packets are swallowed: nothing says that it is gone.
        legacy.pause();
        eventually("another answer", || match (resolver.says(WWW), count(&resolver, "/instead/timeout")) {
            (said, 1..) if said == expected => Ok(()),
            other => Err(format!("{other:?}")),
        });
        legacy.resume();
        eventually("legacy's answer", || {
            let before = count(&resolver, "/answered/legacy");
            let said = resolver.says(WWW);
            let by_legacy = count(&resolver, "/answered/legacy") > before;
            if by_legacy && said == LEGACYS { Ok(()) } else { Err(said) }
        });
        drop(legacy);
        for _ in 0..10 {
            assert_eq!(resolver.says(WWW), expected, "{program} ended");
        }
        assert!(count(&resolver, "/instead/given-up") > 0);
    }
}

/// The address of legacy was taken over, and leads to who forwards to it: a question goes round until no place is left, and
/// then it is answered here.
#[test]
fn an_address_of_legacy_that_leads_back_here_is_answered_for() {
    let address = free_address();
    let forwarding = Forwarding { otherwise: Otherwise::Port53, ..to(address) };
    let listen = format!("--listen={address}");
    let resolver = resolver_with([image(APEX, &text("192.0.2.1"))], &forwarding, &[&listen]);
    for _ in 0..20 {
        assert_eq!(resolver.says(WWW), OURS);
    }
    assert!(count(&resolver, "/instead/full") > 0);
}

/// The operator asks for it every second, to see who answers, whether legacy is there or not.
#[test]
fn questions_for_the_soa_of_the_zone_itself_are_counted_apart_too() {
    let legacy = legacy(Program::Nsd);
    let resolver = here(&Forwarding { otherwise: Otherwise::Port53, ..to(legacy.address()) });
    let ask = |question| {
        let said = resolver.says(question);
        assert!(said.starts_with("NoError"), "{question}: {said}");
    };
    let counted = |paths: [&str; 4]| paths.map(|path| count(&resolver, path));
    let paths =
        ["/answered/legacy", "/apexSOA/answered/legacy", "/answered/port53", "/apexSOA/answered/port53"];
    ["moving.test. SOA", "moving.test. SOA", WWW].into_iter().for_each(ask);
    assert_eq!((counted(paths), count(&resolver, "/apexSOA/instead")), ([3, 2, 0, 0], 0));
    drop(legacy);
    ["moving.test. SOA", WWW].into_iter().for_each(ask);
    assert_eq!((counted(paths), count(&resolver, "/apexSOA/instead")), ([3, 2, 2, 1], 1));
}

#[test]
fn an_override_holds_without_an_api_server_and_over_a_restart() {
    let legacy = legacy(Program::Bind);
    let cut_over = Forwarding { cut_over: vec!["ns1".to_owned()], ..to(legacy.address()) };
    let mut resolver = here(&cut_over);
    assert_eq!(resolver.says(WWW), OURS);
    let done = fallback(&resolver, &[]);
    assert!(done.success, "{done:?}");
    assert_eq!(done.stdout, "moving.test.: legacy answers, whatever its head says\n");
    resolver.comes_to_say(WWW, LEGACYS);
    assert_eq!(resolver.metric("port53_forward_override"), 1);
    assert!(resolver.get("/readyz?verbose").contains("[!] forwarding: an override"));
    resolver.restart_from_disk(Path::new(RESOLVER), &["--nameserver=ns1"]);
    assert_eq!(resolver.says(WWW), LEGACYS);
    let page: serde_json::Value = serde_json::from_str(&resolver.get("/forwarding")).expect("JSON");
    assert_eq!((&page["nameserver"], &page["override"]["all"]), (&"ns1".into(), &"Legacy".into()));
    assert_eq!(
        (&page["zones"][0]["answers"], &page["zones"][0]["because"]),
        (&"Legacy".into(), &"Override".into())
    );

    let done = fallback(&resolver, &["--zone=Moving.test", "--answer"]);
    assert!(done.success && done.stdout.contains("Port53 answers"), "{done:?}");
    resolver.comes_to_say(WWW, OURS);
    let done = fallback(&resolver, &["--zone=moving.test", "--release"]);
    assert!(done.success && done.stdout.contains("as its head says"), "{done:?}");
    resolver.comes_to_say(WWW, OURS);
    let done = fallback(&resolver, &["--release"]);
    assert!(done.success, "{done:?}");
    eventually("no override", || match resolver.metric("port53_forward_override") {
        0 => Ok(()),
        other => Err(other.to_string()),
    });
    assert_eq!(resolver.says(WWW), OURS);
}

#[test]
fn a_zone_without_a_legacy_cannot_fall_back_and_that_is_said() {
    let nowhere: SocketAddr = "192.0.2.53:53".parse().expect("an address");
    let forwarding = Forwarding { cut_over: vec!["ns1".to_owned()], ..to(nowhere) };
    let resolver = here(&forwarding);
    let done = fallback(&resolver, &["--zone=other.test"]);
    assert!(!done.success && done.stderr.contains("other.test. is not in the cache"), "{done:?}");
    let done = fallback(&resolver, &["--zone=other..test"]);
    assert!(!done.success && done.stderr.contains("--zone"), "{done:?}");
    let dir = tempfile::TempDir::new().expect("a directory");
    let cache = dir.path().join("cache");
    std::fs::create_dir(&cache).expect("a directory");
    port53_tests::disk_cache::write(&cache, [image(APEX, &text("192.0.2.1"))]).expect("a cache");
    let alone = Resolver::start_from_disk(Path::new(RESOLVER), dir, &[]);
    for arguments in [&["--zone=moving.test"][..], &[], &["--answer"]] {
        let done = fallback(&alone, arguments);
        assert!(!done.success && done.stderr.contains("spec.forwarding"), "{done:?}");
    }
    assert_eq!((alone.says(WWW), alone.metric("port53_forward_override")), (OURS.to_owned(), 0));
}

/// A cut and a return under queries of a client that never asks again, by the real program.
#[test]
fn nothing_is_lost_while_a_resolver_falls_back_and_is_released() {
    let legacy = legacy(Program::Knot);
    let resolver = here(&Forwarding { cut_over: vec!["ns1".to_owned()], ..to(legacy.address()) });
    let ends = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut seen = std::collections::BTreeMap::new();
            while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                *seen.entry(resolver.says(WWW)).or_insert(0u64) += 1;
            }
            seen
        });
        let mut done = Vec::new();
        for _ in 0..5 {
            for (arguments, expected) in [(&[][..], LEGACYS), (&["--release"], OURS)] {
                done.push(fallback(&resolver, arguments));
                // An answer of the other is one of before: nobody waits for ever.
                let until = std::time::Instant::now() + port53_tests::PATIENCE;
                while resolver.says(WWW) != expected && std::time::Instant::now() < until {}
            }
        }
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(done.iter().all(|done| done.success), "{done:?}");
        let seen = asking.join().expect("no panic");
        let answers: Vec<&str> = seen.keys().map(String::as_str).collect();
        assert_eq!(answers, [OURS, LEGACYS], "{seen:?}");
    });
}
