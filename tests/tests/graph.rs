//! The graph of crates: who may depend on whom, as the design draws it.
//!
//! `zone` is pure, `crds` does not know `zone`, operator and resolver do not know each other, and there is
//! one TLS provider. What `cargo metadata` resolved is what is looked at, so a dependency of a dependency
//! counts as much as one of our own.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// What the images are built for.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Packages that wait, talk, watch or encrypt: none belongs into a crate that computes. A `*` at the end
/// stands for anything.
const IO: &[&str] = &[
    "kube*",
    "k8s-*",
    "tokio*",
    "async-*",
    "futures*",
    "smol",
    "mio",
    "polling",
    "socket2",
    "nix",
    "hyper*",
    "h2",
    "h3*",
    "quinn*",
    "reqwest",
    "ureq",
    "tower*",
    "axum*",
    "tonic*",
    "hickory-*",
    "rustls*",
    "ring",
    "native-tls",
    "notify*",
    "inotify*",
    "signal-hook*",
];

/// What would stand beside ring as a second provider of TLS.
const OTHER_PROVIDERS: &[&str] = &[
    "aws-lc*",
    // Not openssl-probe, which only looks where the system keeps its authorities.
    "openssl",
    "openssl-sys",
    "openssl-src",
    "native-tls",
    "boring*",
    "rustls-openssl",
    "rustls-rustcrypto",
    "rustls-mbedtls*",
    "rustls-graviola",
    "wolfssl*",
];

struct Graph {
    metadata: Metadata,
}

/// Which dependencies of the first package count. Those of the others are what they are linked with or
/// built by.
#[derive(Clone, Copy)]
enum Of {
    /// What users of the package get.
    Package,
    /// And what its tests get.
    PackageAndTests,
}

impl Graph {
    fn read() -> Self {
        let metadata = MetadataCommand::new()
            .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
            .other_options(["--locked", "--filter-platform", PLATFORM].map(str::to_owned))
            .exec()
            .expect("cargo metadata");
        Graph { metadata }
    }

    fn member(&self, name: &str) -> &Package {
        let members = self.metadata.workspace_packages();
        members.into_iter().find(|package| package.name == name).expect("a member of the workspace")
    }

    /// Everything that `name` depends on, each with a shortest way to it, as `a → b → c`.
    fn dependencies(&self, name: &str, of: Of) -> BTreeMap<String, String> {
        let resolve = self.metadata.resolve.as_ref().expect("a resolved graph");
        let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
        let first = &self.member(name).id;
        let mut ways = BTreeMap::from([(first, name.to_owned())]);
        let mut next = vec![first];
        while !next.is_empty() {
            let mut found = BTreeSet::new();
            for id in next {
                let with_tests = id == first && matches!(of, Of::PackageAndTests);
                for dep in &nodes[id].deps {
                    let counts = dep
                        .dep_kinds
                        .iter()
                        .any(|kind| with_tests || !matches!(kind.kind, DependencyKind::Development));
                    if counts && !ways.contains_key(&dep.pkg) {
                        ways.insert(&dep.pkg, format!("{} → {}", ways[id], self.metadata[&dep.pkg].name));
                        found.insert(&dep.pkg);
                    }
                }
            }
            next = found.into_iter().collect();
        }
        ways.remove(first);
        ways.into_iter().map(|(id, way)| (self.metadata[id].name.to_string(), way)).collect()
    }

    #[track_caller]
    fn refuse(&self, name: &str, of: Of, unwanted: &[&str], why: &str) {
        let dependencies = self.dependencies(name, of);
        let ways: Vec<&String> = dependencies
            .iter()
            .filter(|(dependency, _)| unwanted.iter().any(|pattern| matches(pattern, dependency)))
            .map(|(_, way)| way)
            .collect();
        assert!(ways.is_empty(), "{name}: {why}; take these dependencies out: {ways:#?}");
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[test]
fn zone_computes_and_does_nothing_else() {
    let graph = Graph::read();
    let why = "the DNS model is pure: no kube, no tokio, no sockets";
    graph.refuse("port53-zone", Of::PackageAndTests, IO, why);
    graph.refuse("port53-zone", Of::PackageAndTests, &["port53-*"], "the DNS model stands below all others");
}

#[test]
fn crds_does_not_know_zone() {
    let graph = Graph::read();
    let why = "the custom resources are types alone";
    graph.refuse("port53-crds", Of::PackageAndTests, &["port53-*", "domain"], why);
}

#[test]
fn operator_and_resolver_do_not_know_each_other() {
    let graph = Graph::read();
    let why = "what they say to each other goes through the API server";
    graph.refuse("port53-operator", Of::PackageAndTests, &["port53-resolver", "port53-cli"], why);
    graph.refuse("port53-resolver", Of::PackageAndTests, &["port53-operator", "port53-cli"], why);
}

#[test]
fn store_knows_the_model_and_the_resources_alone() {
    let graph = Graph::read();
    let above = ["port53-client", "port53-operator", "port53-resolver", "port53-cli"];
    graph.refuse("port53-store", Of::PackageAndTests, &above, "it stands between them and below them");
    let below = graph.dependencies("port53-store", Of::Package);
    assert!(below.contains_key("port53-zone") && below.contains_key("port53-crds"));
}

#[test]
fn client_is_below_all_who_have_an_api_server_to_go_to() {
    let graph = Graph::read();
    let above = ["port53-operator", "port53-resolver", "port53-cli"];
    graph.refuse("port53-client", Of::PackageAndTests, &above, "it is the way, not who goes it");
}

#[test]
fn legacy_knows_dns_and_nothing_of_kubernetes() {
    let graph = Graph::read();
    let others: Vec<&str> =
        ["port53-crds", "port53-store", "port53-client", "port53-operator", "port53-resolver"]
            .into_iter()
            .chain(["port53-cli", "kube*", "k8s-*"])
            .collect();
    graph.refuse(
        "port53-legacy",
        Of::PackageAndTests,
        &others,
        "it is asked by others, and knows none of them",
    );
    let below = graph.dependencies("port53-legacy", Of::Package);
    assert!(below.contains_key("port53-zone") && below.contains_key("port53-secondaries"));
}

#[test]
fn tests_are_nobodys_dependency() {
    let graph = Graph::read();
    for member in graph.metadata.workspace_packages() {
        if member.name != "port53-tests" {
            graph.refuse(&member.name, Of::PackageAndTests, &["port53-tests"], "it is above all others");
        }
    }
}

/// Two providers in one program are two sets of bugs, and rustls then cannot tell which is meant.
#[test]
fn ring_is_the_only_tls_provider() {
    let graph = Graph::read();
    for member in graph.metadata.workspace_packages() {
        graph.refuse(&member.name, Of::PackageAndTests, OTHER_PROVIDERS, "ring is the only TLS provider");
    }
}

/// The tests above would pass on a graph that was not read.
#[test]
fn the_graph_is_there() {
    let graph = Graph::read();
    let of_cli = graph.dependencies("port53-cli", Of::Package);
    for expected in ["port53-zone", "port53-crds", "port53-operator", "port53-resolver", "tokio", "domain"] {
        assert!(of_cli.contains_key(expected), "{expected} among {of_cli:#?}");
    }
    assert!(!graph.dependencies("port53-zone", Of::Package).contains_key("proptest"));
    assert!(graph.dependencies("port53-zone", Of::PackageAndTests).contains_key("proptest"));
}
