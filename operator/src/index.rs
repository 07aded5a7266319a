//! What people wrote, as far as the watches have told it.
//!
//! An object that cannot be read keeps its last version. Before every kind was listed once nothing is known
//! to be missing, and nothing must be published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::api::DynamicObject;
use port53_crds::{DNSRecord, Zone};
use serde::de::DeserializeOwned;

use crate::cluster::watch::{Kind, Told, What};
use crate::objects::Objects;

/// Namespace and name.
pub type Key = (String, String);

/// See the module.
#[derive(Debug, Default)]
pub struct Index {
    zones: Shelf<Zone>,
    records: Shelf<DNSRecord>,
    namespaces: Shelf<BTreeMap<String, String>>,
}

/// The objects of one kind.
#[derive(Debug)]
struct Shelf<T> {
    objects: BTreeMap<Key, Arc<T>>,
    /// While a list is read: what it had so far.
    listing: Option<BTreeSet<Key>>,
    is_whole: bool,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { objects: BTreeMap::new(), listing: None, is_whole: false }
    }
}

impl Index {
    /// Takes note of what was told. Says whether anything changed.
    pub fn note(&mut self, told: Told) -> bool {
        match told.kind {
            Kind::Zone => self.zones.note(told.what, read),
            Kind::Record => self.records.note(told.what, read),
            Kind::Namespace => self.namespaces.note(told.what, |object| {
                Ok(object.metadata.labels.unwrap_or_default().into_iter().collect())
            }),
        }
    }

    /// Whether every kind was listed to its end.
    pub fn is_whole(&self) -> bool {
        self.zones.is_whole && self.records.is_whole && self.namespaces.is_whole
    }

    /// What there is, for the stages.
    pub fn objects(&self) -> Objects {
        let labels = self.namespaces.objects.iter();
        Objects {
            namespaces: Arc::new(
                labels.map(|((_, name), labels)| (name.clone(), (**labels).clone())).collect(),
            ),
            zones: self.zones.objects.values().cloned().collect(),
            records: self.records.objects.values().cloned().collect(),
            master_zones: Vec::new(),
        }
    }

    /// A Zone.
    pub fn zone(&self, key: &Key) -> Option<&Arc<Zone>> {
        self.zones.objects.get(key)
    }

    /// All Zones.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.objects.values()
    }

    /// A DNSRecord.
    pub fn record(&self, key: &Key) -> Option<&Arc<DNSRecord>> {
        self.records.objects.get(key)
    }
}

impl<T> Shelf<T> {
    fn note(&mut self, what: What, read: impl Fn(DynamicObject) -> Result<T, String>) -> bool {
        match what {
            What::ListBegins => {
                self.listing = Some(BTreeSet::new());
                false
            }
            What::Listed(object) => {
                if let Some(listing) = &mut self.listing {
                    listing.insert(key(&object));
                }
                self.put(*object, read)
            }
            What::ListEnds => {
                let listed = self.listing.take().unwrap_or_default();
                let before = self.objects.len();
                self.objects.retain(|key, _| listed.contains(key));
                let was_whole = std::mem::replace(&mut self.is_whole, true);
                !was_whole || self.objects.len() != before
            }
            What::Applied(object) => self.put(*object, read),
            What::Deleted(object) => self.objects.remove(&key(&object)).is_some(),
            What::Failed(_) => false,
        }
    }

    fn put(&mut self, object: DynamicObject, read: impl Fn(DynamicObject) -> Result<T, String>) -> bool {
        let key = key(&object);
        match read(object) {
            Ok(object) => {
                self.objects.insert(key, Arc::new(object));
                true
            }
            Err(error) => {
                let (namespace, name) = key;
                tracing::warn!(namespace, name, error, "an object cannot be read: its last version counts");
                false
            }
        }
    }
}

fn key(object: &DynamicObject) -> Key {
    let metadata = &object.metadata;
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

fn read<T: DeserializeOwned>(object: DynamicObject) -> Result<T, String> {
    serde_json::to_value(object).and_then(serde_json::from_value).map_err(|error| error.to_string())
}
