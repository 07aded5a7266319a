//! A real cluster with two nodes: the chart, its nameservers, and what clients get.
//!
//! One cluster for all; each test has a release of its own. `make e2e` runs them one after the other.

mod documents;
mod faults;
mod install;
mod rollout;
mod sets;

use port53_tests::cluster::{Cluster, Settings};
use port53_tests::images::{faulty_images, images};
use std::sync::OnceLock;

/// Faults that images of the tests have.
const FAULTS: [&str; 6] = ["wildcard", "names", "slow", "no-tcp", "no-udp", "leak"];

/// The cluster, with the images of `make images` and those with faults.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let dir = tempfile::TempDir::new().expect("a directory");
        let images = images().into_iter().chain(faulty_images(&FAULTS, dir.path())).collect();
        Cluster::start(Settings { nodes: 2, images, ..Settings::default() })
    })
}
