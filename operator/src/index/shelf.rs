//! The objects of one kind, as the watch tells of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::api::DynamicObject;
use kube::core::ObjectMeta;
use port53_client::watch::What;
use serde::de::DeserializeOwned;

use super::{Key, Noted};

/// What is kept of a kind, and how it is read.
pub trait Kept: Sized + PartialEq {
    /// Its status.
    type Status: std::fmt::Debug + PartialEq;

    /// Reads an object, and what of its status there is.
    ///
    /// # Errors
    /// With the field that cannot be.
    fn read(object: DynamicObject) -> Result<(Self, Option<Self::Status>), String>;

    /// What tells it from another object of the same name, where that counts.
    fn uid(&self) -> Option<&str> {
        None
    }
}

/// The objects of one kind.
#[derive(Debug)]
pub struct Shelf<T: Kept> {
    objects: BTreeMap<Key, Entry<T>>,
    /// Objects that are there and could never be read.
    unreadable: BTreeSet<Key>,
    /// While a list is read: what it had so far.
    listing: Option<BTreeSet<Key>>,
    is_whole: bool,
}

#[derive(Debug)]
struct Entry<T: Kept> {
    object: Arc<T>,
    status: Option<T::Status>,
}

impl<T: Kept> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { objects: BTreeMap::new(), unreadable: BTreeSet::new(), listing: None, is_whole: false }
    }
}

impl<T: Kept> Shelf<T> {
    /// Takes note of what was told.
    pub fn note(&mut self, what: What) -> Noted {
        match what {
            What::ListBegins => {
                self.listing = Some(BTreeSet::new());
                Noted::Nothing
            }
            What::Object(object) => {
                if let Some(listing) = &mut self.listing {
                    listing.insert(key(&object.metadata));
                }
                self.put(*object)
            }
            What::Listed => {
                let listed = self.listing.take().unwrap_or_default();
                let gone: Vec<Key> =
                    self.objects.keys().filter(|key| !listed.contains(*key)).cloned().collect();
                gone.iter().for_each(|key| drop(self.objects.remove(key)));
                self.unreadable.retain(|key| listed.contains(key));
                let was_whole = std::mem::replace(&mut self.is_whole, true);
                match (gone.is_empty(), was_whole) {
                    (false, _) => Noted::Gone(gone),
                    (true, false) => Noted::Input,
                    (true, true) => Noted::Nothing,
                }
            }
            What::Deleted(object) => {
                let key = key(&object.metadata);
                let was_unreadable = self.unreadable.remove(&key);
                match self.objects.remove(&key) {
                    None if was_unreadable => Noted::Input,
                    Some(_) => Noted::Gone(vec![key]),
                    None => Noted::Nothing,
                }
            }
            What::Following | What::Lost(_) => Noted::Nothing,
        }
    }

    /// Whether the kind was listed to its end.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// An object.
    pub fn get(&self, key: &Key) -> Option<&Arc<T>> {
        self.objects.get(key).map(|entry| &entry.object)
    }

    /// All objects.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<T>)> {
        self.objects.iter().map(|(key, entry)| (key, &entry.object))
    }

    /// Objects that are there and could never be read: what they say is not known to have changed.
    pub fn unreadable(&self) -> &BTreeSet<Key> {
        &self.unreadable
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The status of an object, if it has one.
    pub fn status(&self, key: &Key) -> Option<&T::Status> {
        self.objects.get(key)?.status.as_ref()
    }

    /// Takes note of a status that was written to the object of this uid. One that has its name by now has no
    /// status yet.
    pub fn status_is(&mut self, key: &Key, uid: Option<&str>, status: T::Status) {
        if let Some(entry) = self.objects.get_mut(key).filter(|entry| entry.object.uid() == uid) {
            entry.status = Some(status);
        }
    }

    /// Takes note of an object that was written here, before the watch tells of it.
    pub fn insert(&mut self, key: Key, object: T) {
        self.objects.entry(key).or_insert_with(|| Entry { object: Arc::new(object), status: None });
    }

    /// Takes note that an object was deleted from here.
    pub fn remove(&mut self, key: &Key) {
        self.objects.remove(key);
    }

    fn put(&mut self, object: DynamicObject) -> Noted {
        let key = key(&object.metadata);
        let (object, status) = match T::read(object) {
            Ok(read) => read,
            Err(error) => {
                let (namespace, name) = key;
                tracing::warn!(namespace, name, error, "an object cannot be read: its last version counts");
                let key = (namespace, name);
                if !self.objects.contains_key(&key) {
                    self.unreadable.insert(key);
                }
                return Noted::Nothing;
            }
        };
        self.unreadable.remove(&key);
        match self.objects.get_mut(&key) {
            Some(entry) if *entry.object == object && entry.status == status => Noted::Nothing,
            Some(entry) if *entry.object == object => {
                entry.status = status;
                Noted::Status(key)
            }
            before => {
                let is_new = before.is_some_and(|entry| entry.object.uid() != object.uid());
                self.objects.insert(key.clone(), Entry { object: Arc::new(object), status });
                if is_new { Noted::New(key) } else { Noted::Input }
            }
        }
    }
}

/// The key of an object.
pub fn key(metadata: &ObjectMeta) -> Key {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// An object as what it should be.
pub(crate) fn parse<T: DeserializeOwned>(object: DynamicObject) -> Result<T, String> {
    serde_json::to_value(object).and_then(serde_json::from_value).map_err(|error| error.to_string())
}
