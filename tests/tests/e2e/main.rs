//! A real cluster, one with two nodes or that which `KUBECONFIG` names: the chart, its nameservers, and what clients get.
//!
//! One cluster for all; each test has a release of its own. `make e2e` runs them one after the other.

mod documents;
mod faults;
mod install;
mod migration;
mod rollout;
mod sets;

use port53_tests::images::{bind_image, faulty_images, images};
use port53_tests::site::Site;
use std::sync::OnceLock;

/// Faults that images of the tests have.
const FAULTS: [&str; 6] = ["wildcard", "names", "slow", "no-tcp", "no-udp", "leak"];

/// The cluster, with the images of `make images` and those with faults.
fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let dir = tempfile::TempDir::new().expect("a directory");
        let images = images().into_iter().chain(faulty_images(&FAULTS, dir.path()));
        let images: Vec<_> = images.chain([bind_image(dir.path())]).collect();
        Site::start(2, &images)
    })
}
