//! The operator and two resolvers on a real API server: what people apply, what is answered, what they are told.
//!
//! | file | what it shows |
//! |---|---|
//! | `admission` | the webhook |
//! | `cli` | `port53` against a cluster |
//! | `records` | created, edited, refused, deleted; conflicts; CNAME replaced by A |
//! | `zones` | grants, delegation, child zones; deleted, kept, restored |
//! | `hands` | heads, revisions and slices edited and deleted by hand |
//! | `election` | two operators, of which one works |
//! | `faults` | the operator killed, the API server gone and back in time, rights and definitions missing; pruning |
//! | `starts` | heads that were edited while no operator looked |
//! | `between` | the operator killed between two of its writes |
//! | `transfers` | zones for secondaries: keys in Secrets, who may, who is told |
//! | `guards` | what a person decides: removals held, rollback |
//! | `nameservers` | who has to answer: one that is silent, those that EndpointSlices name |
//! | `sets` | whose Zones an operator looks after |
//! | `quiet` | what is written and asked no more often than it must be |
//! | `prune` | pruning while it is published |
//! | `versions` | every version of an object, for those above |

mod admission;
mod between;
mod cli;
mod election;
mod faults;
mod guards;
mod hands;
mod nameservers;
mod prune;
mod quiet;
mod records;
mod sets;
mod starts;
mod transfers;
mod versions;
mod zones;

use port53_tests::platform::{NAMESPACE, Platform, Programs, Settings};
use std::sync::OnceLock;

/// The platform of all tests that disturb nobody. Each has namespaces and domains of its own.
fn shared() -> &'static Platform {
    static SHARED: OnceLock<Platform> = OnceLock::new();
    SHARED.get_or_init(|| Platform::start(programs(), Settings::default()))
}

/// The programs, built with the tests.
fn programs() -> Programs {
    Programs {
        operator: env!("CARGO_BIN_EXE_port53-operator-tested").into(),
        resolver: env!("CARGO_BIN_EXE_port53-resolver-tested").into(),
    }
}

/// A Zone.
fn zone(namespace: &str, name: &str, domain: &str) -> String {
    zone_with(namespace, name, domain, "defaultTTL: 300")
}

/// A Zone with something more in its spec.
fn zone_with(namespace: &str, name: &str, domain: &str, more: &str) -> String {
    format!(
        "---\napiVersion: port53.dev/v1alpha1\nkind: Zone\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{domain: {domain}, {more}}}\n"
    )
}

/// A DNSRecord of the Zone `zone` in the same namespace.
fn record(namespace: &str, name: &str, zone: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: port53.dev/v1alpha1\nkind: DNSRecord\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{zoneRef: {{name: {zone}}}, {spec}}}\n"
    )
}

/// DNSRecords `hN` of the Zone `here`, with the addresses 192.0.THIRD.N.
fn hosts(namespace: &str, numbers: std::ops::RangeInclusive<usize>, third: usize) -> String {
    let one = |n: usize| {
        let spec = format!("name: h{n}, type: A, values: [192.0.{third}.{n}]");
        record(namespace, &format!("h{n}"), "here", &spec)
    };
    numbers.map(one).collect()
}

/// Edits the head of a zone, as a person would who may.
fn patch_head(platform: &Platform, domain: &str, patch: &str) {
    let arguments = ["patch", "zonehead", domain, "-n", NAMESPACE, "--type=merge", "-p", patch];
    let done = platform.cluster.kubectl(&arguments);
    assert!(done.success, "{done:?}");
}
