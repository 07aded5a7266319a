//! What other DNS systems keep their zones in, read for `port53 import`.
//!
//! ```text
//! named.conf ──named──▶ which master file is which zone ─┐
//! octoDNS YAML ──octodns──▶ a zone without SOA ──────────┼──▶ RRsets with places, and what is left out
//! DNSEndpoints ──endpoints──▶ RRsets of known zones ─────┘
//! ```
//!
//! What is left out is told like that which is refused later: its place, what it is, why, and what to do instead.
//!
//! | room | what it does |
//! |---|---|
//! | [`format`] | tells by name and content what a file is |
//! | [`named`] | a `named.conf` of BIND: its views and zones, and which of them are whole in their files |
//! | [`octodns`] | YAML of octoDNS, a file for each zone |
//! | [`endpoints`] | DNSEndpoints of external-dns, put into the zones that are known |

pub mod endpoints;
pub mod format;
pub mod named;
pub mod octodns;

use std::sync::Arc;

use port53_zone::master::Position;
use port53_zone::{Name, RRset};
use serde_json::Value;

/// What is not taken over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeftOut {
    /// Where it stands; line 0 for a file as a whole.
    pub position: Position,
    /// The zone, when it is a whole one.
    pub zone: Option<Name>,
    /// What it is: `zone example.com`, or `www.example.com. A`.
    pub what: String,
    /// Why, and what to do instead.
    pub why: String,
}

/// A zone that has no SOA where it was: its provider has one for it.
#[derive(Clone, Debug)]
pub struct LegacyZone {
    /// What it was read from.
    pub file: Arc<str>,
    /// Its name.
    pub apex: Name,
    /// Its Zone, where it was among what was read.
    pub object: Option<Value>,
    /// Its RRsets, each owner and type once, and where each stands.
    pub rrsets: Vec<(RRset, Position)>,
    /// What it has beside them.
    pub left_out: Vec<LeftOut>,
}
