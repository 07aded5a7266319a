//! Which NS the apex of a zone shows while it moves here from another DNS. Pure.
//!
//! ```text
//! a DNSRecord at the apex  ──▶ wins, as it does over spec.nameservers: somebody wrote exactly these
//! else, while it moves here ─▶ those of legacy, or of both
//! else ─────────────────────▶ spec.nameservers, or those of its NameserverSet
//! ```
//!
//! Resolvers prefer the NS that a zone says of itself to those of the zone above (RFC 2181 §5.4.1), so the first answer with
//! ours moves all caches that it reaches. They are not records that were brought over: the Zone owns them, and nothing is
//! ever written back to legacy from them.

use port53_zone::{RRset, Rdata};

use super::Published;
use super::gather::{Terms, own_nameservers};

/// What the apex shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Apex {
    /// What it shows now: what legacy has is not known yet, or not any more.
    AsPublished,
    /// What legacy has.
    Legacy(RRset),
    /// What legacy has, and what the Zone says.
    Both(RRset),
    /// What the Zone says.
    Port53,
}

/// The NS at the apex, and whether they are others than the Zone says.
pub(super) fn nameservers(
    apex: &Apex,
    terms: &Terms,
    published: Option<&Published>,
) -> (Option<RRset>, bool) {
    let own = terms.nameservers.clone();
    let shown = match apex {
        Apex::Port53 => None,
        Apex::AsPublished => published.and_then(own_nameservers),
        Apex::Legacy(theirs) => Some(theirs.clone()),
        Apex::Both(theirs) => Some(match &own {
            Some(own) => union(own, theirs),
            None => theirs.clone(),
        }),
    };
    match shown {
        Some(shown) => {
            let is_other = own.is_none_or(|own| !own.says_the_same_as(&shown));
            (Some(shown), is_other)
        }
        None => (own, false),
    }
}

/// All values of both, with the lower TTL: caches are to ask again as early as either side wanted.
fn union(own: &RRset, theirs: &RRset) -> RRset {
    let values: Vec<Rdata> = own.values().iter().chain(theirs.values()).cloned().collect();
    RRset::new(own.name.clone(), own.rtype, own.ttl.min(theirs.ttl), values)
}
