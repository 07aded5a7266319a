//! Admission: the API server asks before it stores what people write, and what would be refused in a status is refused
//! there and then, in the same words (a validating webhook).
//!
//! ```text
//! kubectl apply ──▶ API server ──AdmissionReview──▶ serve ──World──▶ review ──stages::judge──▶ yes, or why not
//!                       ▲                             │  ▲
//!          caBundle ────┤         key, certificate ───┘  └── engine: what is written and published now
//!                    keeping ──▶ Secret port53-webhook
//! ```
//!
//! It is a courtesy, and nothing depends on it: the operator decides when it publishes, whether it was asked or not, and
//! the configuration says `failurePolicy: Ignore`, so that what people write is stored while no operator is there. What may
//! become right by itself, as a record that comes before its Zone, is let through. It has no effect beside its answer, so
//! that `--dry-run=server` is judged like everything else.
//!
//! | room | what it does |
//! |---|---|
//! | `review` | what is answered to a question. Pure |
//! | `both` | what legacy is known to refuse. Pure |
//! | `serve` | HTTPS |
//! | `authority` | certificates, and when they are made anew. Pure but for the keys |
//! | `keeping` | the Secret that they are kept in, and what the API server is to trust |

mod authority;
mod both;
mod keeping;
mod review;
mod serve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use port53_store::Forwarding;
use port53_zone::Name;
use tokio::sync::{mpsc, oneshot};

use crate::cluster::confirm::Resolver;
use crate::engine::both::Counterpart;
use crate::index::{Key, Scope};
use crate::objects::Objects;
use crate::stages::{Published, Settings};

pub use keeping::{Identity, Keeper, Kept};
pub use serve::serve;

/// What is written and published at some moment. Shared, not copied.
#[derive(Clone, Debug)]
pub struct World {
    /// When that was.
    pub at: Instant,
    /// What people wrote.
    pub objects: Objects,
    /// What is published, by apex.
    pub published: BTreeMap<Name, Published>,
    /// As those of the engine.
    pub settings: Settings,
    /// Which Zones are looked after here: of others nothing is said.
    pub scope: Scope,
    /// Zones of others, by namespace and name.
    pub of_others: BTreeSet<Key>,
    /// The resolvers that are asked.
    pub resolvers: Arc<[Resolver]>,
    /// Who answers for zones that move here from another DNS, as it is published.
    pub forwardings: BTreeMap<Name, Forwarding>,
    /// What is on its way to a legacy DNS and here, of zones whose changes are at both or at neither.
    pub dual_writes: BTreeMap<Name, DualWrites>,
    /// The legacy DNS that is to have changes of a zone first, by apex.
    pub counterparts: BTreeMap<Name, Arc<Counterpart>>,
}

#[cfg(test)]
impl World {
    /// One with nothing in it.
    fn empty() -> Self {
        World {
            at: Instant::now(),
            objects: Objects::default(),
            published: BTreeMap::new(),
            settings: Settings {
                now: 0,
                salt: [0; 16],
                limits: port53_zone::rules::Limits::default(),
                nameservers: Vec::new(),
                sets: None,
                apexes: BTreeMap::new(),
                missing_zone: crate::stages::MissingZone::Keep,
            },
            scope: Scope { namespace: "port53".to_owned(), only_named: false },
            of_others: BTreeSet::new(),
            resolvers: Arc::from([]),
            forwardings: BTreeMap::new(),
            dual_writes: BTreeMap::new(),
            counterparts: BTreeMap::new(),
        }
    }
}

/// What is on its way to a legacy DNS and here.
#[derive(Clone, Debug, Default)]
pub struct DualWrites {
    /// The names that the head speaks of.
    pub names: Vec<Name>,
    /// Those, and names that were written to legacy and not seen there since.
    pub unseen: Vec<Name>,
    /// Names of which legacy does not remove what was removed here, and why.
    pub not_removed: Vec<(Name, String)>,
}

/// What becomes of what is wrong because of other objects: a name that is held, a grant that is missing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Conflicts {
    /// It is refused.
    #[default]
    Deny,
    /// It is let through with a warning, and its status says the same: for tools that apply many objects in an order of
    /// their own, and make new ones before they take away old ones.
    Warn,
}

/// Asks the engine for the world as it is; nobody answers while it is not known.
pub type Worlds = mpsc::Sender<oneshot::Sender<Option<World>>>;
