//! What clients lose while Port53 is upgraded, broken and repaired in a real cluster: `make e2e-loss`, as root.
//!
//! ```text
//! load ──2,000 a second over UDP, 50 connections a second over TCP, IPv4 and IPv6──▶ Services of both nameservers
//! acts ──helm upgrade, pods killed, the API server gone, …──▶ the cluster
//! report ◀── what was sent in each act, lost, wrong
//! ```
//!
//! The load never asks twice: what is not answered within two seconds is lost. Half of it over UDP comes from one port
//! for each of the four addresses, as that of a busy resolver behind NAT, which kube-proxy leads to one pod as long as that is there;
//! the other half from a port of its own for each question. Each answer is looked at.
//!
//! | file | what it does |
//! |---|---|
//! | `load` | asks |
//! | `questions` | what is asked, and what is right |
//! | `counts` | counts, and the table |
//! | `acts` | what is done meanwhile |

mod acts;
mod counts;
mod load;
mod questions;

use clap::Parser;
use port53_tests::cluster::Cluster;
use port53_tests::images::{faulty_images, images, other_image};
use port53_tests::machine;
use port53_tests::release::{Helm, Release};
use port53_tests::site::Site;
use std::time::Duration;

/// What clients lose while things are done to a cluster
#[derive(Debug, Parser)]
struct Arguments {
    /// Only the acts whose names contain this
    #[arg(long, default_value = "")]
    only: String,
    /// The commit, for the head of the table
    #[arg(long, default_value = "unknown")]
    commit: String,
}

/// The cluster, and the release in it.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) namespace: String,
    pub(crate) domain: String,
}

impl Stage {
    pub(crate) fn release(&self) -> Release<'_> {
        Release { site: &self.site, namespace: self.namespace.clone(), helm: Helm::Four }
    }

    /// What is done to it can be done to one of one's own alone.
    pub(crate) fn cluster(&mut self) -> &mut Cluster {
        match &mut self.site {
            Site::Own(cluster) => cluster,
            Site::Given(_) => unreachable!("it is made"),
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    let mut stage = set();
    let load = load::start(&mut stage);
    println!("{}", counts::head(&machine::describe(&arguments.commit)));
    let mut last: Option<(&str, std::sync::Arc<counts::Counts>)> = None;
    for act in acts::ALL.iter().filter(|act| act.name.contains(&arguments.only)) {
        let counts = load.next();
        (act.play)(&mut stage, &load);
        // What it leaves behind may still cost clients something.
        std::thread::sleep(AFTERWARDS);
        counts.over();
        if let Some((name, counts)) = last.replace((act.name, counts)) {
            tell(name, &counts);
        }
    }
    let _ = load.next();
    // What was sent last is answered or lost by then.
    std::thread::sleep(PATIENCE * 2);
    if let Some((name, counts)) = last {
        tell(name, &counts);
    }
    load.stop();
}

fn tell(act: &str, counts: &counts::Counts) {
    println!("{}", counts.row(act));
    let detail = counts.detail();
    if !detail.is_empty() {
        eprint!("{act}:\n{detail}");
    }
}

/// A cluster with a release and a zone.
fn set() -> Stage {
    let dir = tempfile::TempDir::new().expect("a directory");
    let others = faulty_images(&["wildcard"], dir.path()).into_iter().chain([other_image(dir.path())]);
    let images: Vec<_> = images().into_iter().chain(others).collect();
    let site = Site::make(1, &images);
    let namespace = site.create_namespace("port53");
    let mut stage = Stage { site, namespace, domain: String::new() };
    let release = stage.release();
    let done = release.helm("install", &acts::VALUES);
    assert!(done.success, "{done:?}");
    release.comes_to("Ready=True RolledOut");
    let domain = release.zone();
    stage.domain = domain;
    acts::change(&stage, 0);
    stage
}

/// How long an act is counted on.
const AFTERWARDS: Duration = Duration::from_secs(10);
/// After this an answer counts for nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
