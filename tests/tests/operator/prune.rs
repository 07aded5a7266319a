//! Pruning beside publications: what a head names is there, whatever is deleted meanwhile.

use crate::{hosts, programs, zone};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings};
use port53_tests::resolver::Resolver;

/// So many that the content is more than one slice.
const HOSTS: usize = 150;
/// Those of which the address changes.
const CHANGING: usize = 5;

/// Contents come and go by turns, so each is unnamed, marked, and wanted again: the slices of one that returns are
/// those that are about to be deleted.
#[test]
fn what_is_published_again_while_it_is_pruned_is_there() {
    let settings = Settings {
        operator: ["--prune-interval=1s", "--history-octets=1"].map(str::to_owned).to_vec(),
        ..Settings::default()
    };
    let platform = Platform::start(programs(), settings);
    let (namespace, domain) = platform.place("pruned-beside");
    platform.apply(&(zone(&namespace, "here", &domain) + &hosts(&namespace, 1..=HOSTS, 2)));
    for n in 1..=HOSTS {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    let pruned = |platform: &Platform| {
        let output = platform.operator_output();
        let slices = |line: &&str| line.contains("\"pruned\"") && !line.contains("\"slices\":0");
        output.lines().filter(slices).count()
    };
    let mut rounds = 0;
    for wanted in 1..=4 {
        eventually("slices are pruned", || {
            rounds += 1;
            platform.apply(&hosts(&namespace, 1..=CHANGING, 2 + rounds % 2));
            match pruned(&platform) {
                count if count >= wanted => Ok(()),
                count => Err(format!("pruned {count} times in {rounds} rounds, not {wanted}")),
            }
        });
    }
    let third = 2 + rounds % 2;
    for n in 1..=HOSTS {
        platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
    }
    // One that comes now has nothing but what is stored.
    let new = Resolver::start(&platform.resolver_settings());
    for n in 1..=HOSTS {
        let third = if n <= CHANGING { third } else { 2 };
        new.comes_to_say(&format!("h{n}.{domain} A"), &format!("NoError 192.0.{third}.{n}"));
    }
    assert_eq!(new.metric("port53_assembly_failures_total"), 0);
    // Nor was anything deleted that had to be stored again.
    let output = platform.operator_output();
    assert!(!output.contains("what was deleted by another is stored again"), "{output}");
    let head = platform.head(&domain).expect("a head");
    let root = head["spec"]["checkpoint"]["root"].as_str().expect("a root");
    assert!(platform.get("zoneslice", NAMESPACE, root).is_some(), "{root}");
}
