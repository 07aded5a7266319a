//! What the tests over more than one crate share.
//!
//! | module | what it does |
//! |---|---|
//! | [`process`] | starts programs, keeps what they print, ends them when dropped |
//! | [`peer`] | NSD, Knot, BIND and PowerDNS on loopback with given zones |
//! | [`legacy`] | servers that people move from: BIND, Knot, PowerDNS and NSD that give transfers and take updates |
//! | [`liar`] | a legacy server that lies |
//! | [`migration`] | what is written into a cluster so that a zone moves here from such a server |
//! | [`demo`] | zones that move from such a server while clients ask and both sides change |
//! | [`ports`] | ports that servers of tests listen on |
//! | [`unbound`] | unbound on loopback, which validates what given servers say |
//! | [`ours`] | Port53 on loopback with given zones |
//! | [`ask`] | one question over UDP or TCP, asked and read by hickory |
//! | [`normal`] | the normal form of an answer, for comparison |
//! | [`generate`] | zones and questions that nobody thought of |
//! | [`differential`] | the same questions to Port53 and the peers, and why their answers differ |
//! | [`cluster`] | a real etcd and kube-apiserver, and nodes |
//! | [`resolver`] | `port53-resolver` on loopback, following a cluster |
//! | [`disk_cache`] | a disk cache with given zones |
//! | [`machine`] | the machine, and what processes use of it |
//! | [`usage`], [`dnsperf`] | what a server used for answers, and who asked for them |
//! | [`webhook`] | the operator's webhook, as an API server is told of it |
//! | [`platform`] | a cluster with the operator and two resolvers at work |
//! | [`images`] | images that `make e2e` has built, and others of the same programs |
//! | [`site`] | a cluster with nodes, of the tests' own or one that was there before |
//! | [`release`] | Port53 installed by its chart in it |
//! | [`read`] | master files, and what Port53 reads in them |

pub mod ask;
pub mod cluster;
pub mod demo;
pub mod differential;
pub mod disk_cache;
pub mod dnsperf;
pub mod generate;
pub mod images;
pub mod legacy;
pub mod liar;
pub mod machine;
pub mod migration;
pub mod normal;
pub mod ours;
pub mod peer;
pub mod platform;
pub mod ports;
pub mod process;
pub mod read;
pub mod release;
pub mod resolver;
pub mod site;
pub mod unbound;
pub mod usage;
pub mod webhook;

use port53_zone::{Name, Soa, name};
use std::time::{Duration, Instant};

/// Longer than anything here takes; who waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A zone as a server is given it.
#[derive(Clone, Copy, Debug)]
pub struct Zone<'a> {
    /// Its name, with the last dot.
    pub apex: &'a str,
    /// Its master file.
    pub text: &'a str,
}

impl Zone<'_> {
    /// The name of its file. What `port53 dev` takes from it, `$ORIGIN` may say otherwise.
    pub fn file_name(&self) -> String {
        match self.apex.trim_end_matches('.') {
            "" => "root.zone".to_owned(),
            name => format!("{name}.zone"),
        }
    }
}

/// The SOA of a zone that a test makes.
///
/// # Panics
/// When the apex is so long that nothing fits below it.
pub fn soa(apex: &Name, serial: u32) -> Soa {
    let below = |label: &str| name::parse(label, apex).expect("a name");
    Soa {
        primary: below("ns1"),
        contact: below("hostmaster"),
        serial,
        refresh: 3600,
        retry: 600,
        expire: 604_800,
        minimum: 300,
        ttl: 3600,
    }
}

/// Waits until `condition` gives something, and panics with what it last said was missing when it never
/// does.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match condition() {
            Ok(found) => return found,
            Err(missing) => assert!(Instant::now() < until, "{what}: still {missing}"),
        }
        // The machine is given to those who are waited for.
        std::thread::sleep(Duration::from_millis(2));
    }
}
