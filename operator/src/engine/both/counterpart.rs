//! The legacy DNS that is to have changes of a zone first, as it is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use port53_crds::Reason;
use port53_legacy::Server;
use port53_zone::Name;
use port53_zone::content::Content;

use crate::migrations::scope::Scope;

/// A legacy DNS that is to have each change of a zone first.
#[derive(Clone, Debug)]
pub struct Counterpart {
    /// What of the zone is to be the same.
    pub scope: Scope,
    /// Where it is written to; or why that cannot be said.
    pub server: Result<Server, (Reason, String)>,
    /// What it was seen to have last.
    pub seen: Option<Seen>,
}

/// A version of a zone at a legacy DNS.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its serial.
    pub serial: u32,
    /// Its records.
    pub content: Content,
    /// When it was asked for: what was written there since may be missing.
    pub asked: Instant,
}

impl Counterpart {
    /// Whether another says the same.
    pub fn is_same(&self, other: &Counterpart) -> bool {
        let are_same_servers = match (&self.server, &other.server) {
            (Ok(a), Ok(b)) => a.is(b),
            (Err(a), Err(b)) => a == b,
            _ => false,
        };
        let is_same_version = match (&self.seen, &other.seen) {
            (Some(a), Some(b)) => a.serial == b.serial && a.content.is(&b.content) && a.asked == b.asked,
            (None, None) => true,
            _ => false,
        };
        self.scope == other.scope && are_same_servers && is_same_version
    }
}

/// Who is to have changes of a zone first.
#[derive(Clone, Debug, Default)]
pub enum First {
    /// It is not known yet: as the head says.
    #[default]
    Unknown,
    /// Nobody: they are published at once.
    Nobody,
    /// A legacy DNS.
    Legacy(Arc<Counterpart>),
}

/// Zones of which a legacy DNS is to have each change first, by apex; nothing before that is known.
pub type Counterparts = Option<BTreeMap<Name, Arc<Counterpart>>>;
