//! The operator of Port53: what people write, checked, published, confirmed and reported.
//!
//! ```text
//! Objects, published zones ──gather──▶ who holds which domain, which records belong where
//!                          ──validate─▶ what is accepted, and a verdict for every object
//!                          ──build────▶ content, changes, SOA with the next serial
//!                          ──guard, publish──▶ one PUT of the ZoneHead ──confirm──▶ ──report──▶ statuses
//! ```
//!
//! The stages have no client, no clock and no other I/O: the time is an input, and the outcome is a function
//! of the inputs, whatever their order. `port53 dev` and `port53 check` run them over a directory.
//!
//! | room | what it does |
//! |---|---|
//! | [`objects`] | what people write, typed, with who wrote it |
//! | [`stages`] | gather, validate, build; the planner that remembers what did not change |
//! | [`verdict`] | what came of an object |
//! | [`guard`] | how much may go from a zone at once |
//! | [`history`] | which revisions are kept |
//! | [`report`] | verdicts and answers as statuses |
//! | [`transfer`] | who may transfer which zone |
//! | [`convert`] | records to manifests |
//! | [`index`] | what the watches told |
//! | [`engine`] | decides what is done, and when |
//! | [`nameservers`] | NameserverSets: their objects, and how a change is rolled out over them |
//! | [`proof`] | whether a nameserver answers what is published |
//! | [`migrations`] | zones that move here from another DNS |
//! | [`cluster`] | I/O: the API server, questions to the resolvers |
//! | [`election`] | which of several operators works |
//! | [`admission`] | the webhook: what would be refused is refused when it is written |
//! | [`metrics`], [`http`] | what is counted, and where it is told |
//! | [`config`], [`program`] | flags; the program around the engine |

pub mod admission;
pub mod cluster;
pub mod config;
pub mod convert;
pub mod election;
pub mod engine;
pub mod guard;
pub mod history;
pub mod http;
pub mod index;
pub mod metrics;
pub mod migrations;
pub mod nameservers;
pub mod objects;
pub mod program;
pub mod proof;
pub mod report;
pub mod stages;
pub mod transfer;
pub mod verdict;

/// 16 octets that nobody knows beforehand, to salt the content of a zone: who chooses names should not choose where
/// its slices end.
pub fn salt() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = |number: u64| u128::from(RandomState::new().hash_one(number));
    (half(1) << 64 | half(2)).to_be_bytes()
}
