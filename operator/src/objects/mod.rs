//! What the stages look at: the objects that people write, typed and with their metadata.

mod records;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use port53_crds::{DNSRecord, Zone};
use port53_zone::master::{Located, Position};
use port53_zone::{Name, Record, Soa};
pub(crate) use records::zone_of;
pub use records::{OfZone, Records};

/// Everything that people wrote, in any order. An object that changes is replaced by another pointer:
/// [`crate::stages::Planner`] tells what changed by that.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Namespaces and their labels. Every namespace also has the label `kubernetes.io/metadata.name`, as the
    /// API server gives it; one that is not listed has only that.
    pub namespaces: Arc<BTreeMap<String, BTreeMap<String, String>>>,
    /// Zones. Of two with the same namespace and name the first counts.
    pub zones: Vec<Arc<Zone>>,
    /// Records.
    pub records: Records,
    /// Zones from master files.
    pub master_zones: Vec<Arc<MasterZone>>,
}

/// A zone as it stands in a master file. It belongs to whoever holds the directory: it is in no namespace,
/// needs nobody's grant and cannot be referred to by a DNSRecord.
#[derive(Clone, Debug)]
pub struct MasterZone {
    /// The file, as the person named it.
    pub file: Arc<str>,
    /// The apex: the owner of the SOA.
    pub apex: Name,
    /// The SOA as written.
    pub soa: Located<Soa>,
    /// All records but the SOA, NS as written.
    pub records: Vec<Located<Record>>,
    /// How many records could not be read. While there are any, RRsets that are published from this file and
    /// no longer found in it stay: they may be what could not be read.
    pub unread: usize,
}

/// Names an object, or a record of a master file. Display is for people: `DNSRecord dns/www`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ObjectRef {
    /// A Zone.
    Zone {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A DNSRecord.
    Record {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A master file as a zone.
    MasterFile(Arc<str>),
    /// A record at a line of a master file.
    MasterRecord {
        /// The file of the zone (which may include the file of the position).
        file: Arc<str>,
        /// Where it starts.
        position: Position,
    },
}

impl ObjectRef {
    /// The reference of a Zone.
    pub fn of_zone(zone: &Zone) -> Self {
        let (namespace, name) = namespaced(&zone.metadata);
        ObjectRef::Zone { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The reference of a DNSRecord.
    pub fn of_record(record: &DNSRecord) -> Self {
        let (namespace, name) = namespaced(&record.metadata);
        ObjectRef::Record { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Who owns an RRset, as it is kept with the content of a zone: `dns/www` for a DNSRecord,
    /// `zone:dns/example-com` for what a Zone itself says, `file:example.com.zone` for a master file.
    pub fn owner(&self) -> Arc<str> {
        match self {
            ObjectRef::Zone { namespace, name } => format!("zone:{namespace}/{name}").into(),
            ObjectRef::Record { namespace, name } => owner_of_record(namespace, name).into(),
            ObjectRef::MasterFile(file) | ObjectRef::MasterRecord { file, .. } => {
                format!("file:{file}").into()
            }
        }
    }

    /// The namespace, for what is in one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            ObjectRef::Zone { namespace, .. } | ObjectRef::Record { namespace, .. } => Some(namespace),
            ObjectRef::MasterFile(_) | ObjectRef::MasterRecord { .. } => None,
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectRef::Zone { namespace, name } => write!(f, "Zone {namespace}/{name}"),
            ObjectRef::Record { namespace, name } => write!(f, "DNSRecord {namespace}/{name}"),
            ObjectRef::MasterFile(file) => write!(f, "master file {file}"),
            ObjectRef::MasterRecord { position, .. } => write!(f, "{}:{}", position.file, position.line),
        }
    }
}

type Metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Who owns the RRset of a DNSRecord, see [`ObjectRef::owner`].
pub(crate) fn owner_of_record(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// Namespace and name; `default` where no namespace is written, as `kubectl` has it.
pub(crate) fn namespaced(metadata: &Metadata) -> (&str, &str) {
    (metadata.namespace.as_deref().unwrap_or("default"), metadata.name.as_deref().unwrap_or_default())
}

/// When the object was created, in seconds since 1970, where that is known.
pub(crate) fn created(metadata: &Metadata) -> Option<i64> {
    metadata.creation_timestamp.as_ref().map(|time| time.0.as_second())
}
