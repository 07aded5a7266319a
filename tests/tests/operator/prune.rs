//! Pruning beside publications: what a head names is there, whatever is deleted meanwhile.

use crate::{programs, record, zone};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings};
use port53_tests::resolver::Resolver;

/// So many that one of them is always being stored.
const ZONES: usize = 20;
/// Contents that each of them has by turns.
const CONTENTS: usize = 4;
/// Looks that delete something.
const LOOKS: usize = 8;

/// Each zone has one of a few contents by turns, and two of them are named. So the slices of the others are unnamed,
/// then marked, and wanted again when they are about to be deleted; and who stores a zone may find them still there.
#[test]
fn what_is_published_again_while_it_is_pruned_is_there() {
    let settings = Settings {
        operator: ["--prune-interval=1s", "--history-octets=1"].map(str::to_owned).to_vec(),
        ..Settings::default()
    };
    let platform = Platform::start(programs(), settings);
    let (namespace, domain) = platform.place("pruned-beside");
    let names: Vec<String> = (1..=ZONES).map(|n| format!("z{n}")).collect();
    let zones = names.iter().map(|name| zone(&namespace, name, &format!("{name}.{domain}")));
    platform.apply(&zones.collect::<String>());
    let publish = |round: usize| {
        let spec = format!("name: www, type: A, values: [192.0.2.{}]", round % CONTENTS);
        let records = names.iter().map(|name| record(&namespace, name, name, &spec));
        platform.apply(&records.collect::<String>());
    };
    let pruned = || {
        let output = platform.operator_output();
        let slices = |line: &&str| line.contains("\"pruned\"") && !line.contains("\"slices\":0");
        output.lines().filter(slices).count()
    };
    let mut round = 0;
    for look in 1..=LOOKS {
        eventually("slices are pruned", || {
            round += 1;
            publish(round);
            match pruned() {
                count if count >= look => Ok(()),
                count => Err(format!("pruned {count} times in {round} rounds, not {look}")),
            }
        });
    }
    for name in &names {
        platform.comes_to("dnsrecord", &namespace, name, "Ready=True Served");
    }
    // One that comes now has nothing but what is stored.
    let new = Resolver::start(&platform.resolver_settings());
    for name in &names {
        new.comes_to_say(&format!("www.{name}.{domain} A"), &format!("NoError 192.0.2.{}", round % CONTENTS));
        let head = platform.head(&format!("{name}.{domain}")).expect("a head");
        let root = head["spec"]["checkpoint"]["root"].as_str().expect("a root");
        assert!(platform.get("zoneslice", NAMESPACE, root).is_some(), "{root} of {name}");
    }
    assert_eq!(new.metric("port53_assembly_failures_total"), 0);
    // Nor was anything deleted that had to be stored again.
    let output = platform.operator_output();
    let restored = output.lines().find(|line| line.contains("what was deleted by another is stored again"));
    assert_eq!(restored, None);
}
