//! What people wrote, as far as the watches have told it, and which slices and revisions are stored.
//!
//! An object that cannot be read keeps its last version. Before every kind was listed once nothing is known
//! to be missing, and nothing must be published.
//!
//! Kept is what the stages look at and nothing else: no field managers, no annotations of others, no labels but
//! those of namespaces. Statuses stand beside the objects, so that a status that is written makes no object new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::api::DynamicObject;
use kube::core::ObjectMeta;
use port53_crds::{DNSRecord, DNSRecordStatus, GROUP, Zone, ZoneRevision, ZoneStatus};
use port53_store::Revision;
use port53_zone::Name;
use port53_zone::content::Digest;
use serde::de::DeserializeOwned;

use crate::objects::{Objects, Records};
use port53_client::watch::What;

/// Namespace and name.
pub type Key = (String, String);

/// What a message of a watch changed.
#[derive(Debug, Eq, PartialEq)]
pub enum Noted {
    /// Nothing that counts here.
    Nothing,
    /// What the stages look at.
    Input,
    /// The same; and it is another object than was there under this name.
    New(Key),
    /// The status of this object alone.
    Status(Key),
    /// These are gone.
    Gone(Vec<Key>),
}

/// What people wrote.
#[derive(Debug, Default)]
pub struct Index {
    /// Zones.
    pub zones: Shelf<Zone>,
    records: Shelf<DNSRecord>,
    /// The same by the Zone that they refer to.
    by_zone: Records,
    namespaces: Shelf<Labels>,
    /// The labels of namespaces as the stages take them, until one changes.
    labels: Option<Arc<BTreeMap<String, BTreeMap<String, String>>>>,
    /// Revisions, by their names. Their namespace is the operator's.
    pub revisions: Shelf<Stored>,
    /// Slices.
    pub slices: Shelf<StoredSlice>,
}

/// The labels of a namespace.
#[derive(Debug, Default, PartialEq)]
pub struct Labels(BTreeMap<String, String>);

/// A revision that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// What it says.
    pub revision: Revision,
    /// When it was created, in seconds since 1970.
    pub created: i64,
    /// Of the object.
    pub uid: String,
}

/// A slice that is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredSlice {
    /// Of the object, where it is known: not while the watch has not told of what was just written.
    pub uid: Option<String>,
}

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

impl Index {
    /// Whether every kind was listed to its end.
    pub fn is_whole(&self) -> bool {
        self.zones.is_whole
            && self.records.is_whole
            && self.namespaces.is_whole
            && self.revisions.is_whole
            && self.slices.is_whole
    }

    /// DNSRecords.
    pub fn records(&self) -> &Shelf<DNSRecord> {
        &self.records
    }

    /// Takes note of what was told of DNSRecords.
    pub fn note_record(&mut self, what: What) -> Noted {
        let key = match &what {
            What::Object(object) | What::Deleted(object) => Some(key(&object.metadata)),
            _ => None,
        };
        let before = key.as_ref().and_then(|key| self.records.get(key)).cloned();
        let noted = self.records.note(what);
        match (&key, &noted) {
            (Some(key), Noted::Input | Noted::New(_) | Noted::Gone(_)) => {
                before.iter().for_each(|record| self.by_zone.remove(record));
                self.records.get(key).cloned().into_iter().for_each(|record| self.by_zone.put(record));
            }
            (None, Noted::Gone(_)) => {
                self.by_zone = self.records.iter().map(|(_, record)| record.clone()).collect();
            }
            _ => {}
        }
        noted
    }

    /// Takes note of the status of a DNSRecord that was written. As [`Shelf::status_is`].
    pub fn record_status_is(&mut self, key: &Key, uid: Option<&str>, status: DNSRecordStatus) {
        self.records.status_is(key, uid, status);
    }

    /// The revisions of a zone, in no order.
    pub fn revisions_of(&self, apex: &Name) -> impl Iterator<Item = &Arc<Stored>> {
        self.revisions.iter().map(|(_, stored)| stored).filter(move |stored| stored.revision.apex == *apex)
    }

    /// Takes note of what was told of namespaces.
    pub fn note_namespace(&mut self, what: What) -> Noted {
        let noted = self.namespaces.note(what);
        if noted != Noted::Nothing {
            self.labels = None;
        }
        noted
    }

    /// What people wrote, for the stages; all Zones but those that are left out.
    pub fn objects(&mut self, left_out: &BTreeSet<Key>) -> Objects {
        let labels = self.labels.get_or_insert_with(|| {
            let all = self.namespaces.iter();
            Arc::new(all.map(|((_, name), labels)| (name.clone(), labels.0.clone())).collect())
        });
        Objects {
            namespaces: labels.clone(),
            zones: self
                .zones
                .iter()
                .filter(|(key, _)| !left_out.contains(*key))
                .map(|(_, zone)| zone.clone())
                .collect(),
            records: self.by_zone.clone(),
            master_zones: Vec::new(),
        }
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

impl Kept for Zone {
    type Status = ZoneStatus;

    fn read(object: DynamicObject) -> Result<(Self, Option<ZoneStatus>), String> {
        let mut zone: Zone = parse(object)?;
        let status = zone.status.take();
        let ours = format!("{GROUP}/");
        let mut annotations = zone.metadata.annotations.take().unwrap_or_default();
        annotations.retain(|name, _| name.starts_with(&ours));
        zone.metadata = ObjectMeta {
            annotations: (!annotations.is_empty()).then_some(annotations),
            deletion_timestamp: zone.metadata.deletion_timestamp.take(),
            finalizers: zone.metadata.finalizers.take(),
            ..lean(&mut zone.metadata)
        };
        Ok((zone, status))
    }

    fn uid(&self) -> Option<&str> {
        self.metadata.uid.as_deref()
    }
}

impl Kept for DNSRecord {
    type Status = DNSRecordStatus;

    fn read(object: DynamicObject) -> Result<(Self, Option<DNSRecordStatus>), String> {
        let mut record: DNSRecord = parse(object)?;
        let status = record.status.take();
        record.metadata = lean(&mut record.metadata);
        Ok((record, status))
    }

    fn uid(&self) -> Option<&str> {
        self.metadata.uid.as_deref()
    }
}

impl Kept for Labels {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        Ok((Labels(object.metadata.labels.unwrap_or_default().into_iter().collect()), None))
    }
}

impl Kept for Stored {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        let created = object.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let revision: ZoneRevision = parse(object)?;
        let revision = Revision::read(&revision).map_err(|error| error.to_string())?;
        Ok((Stored { revision, created, uid }, None))
    }
}

impl Kept for StoredSlice {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        Ok((StoredSlice { uid: object.metadata.uid }, None))
    }
}

impl Shelf<StoredSlice> {
    /// Whether a slice is stored.
    pub fn has(&self, namespace: &str, digest: &Digest) -> bool {
        self.objects.contains_key(&(namespace.to_owned(), digest.to_string()))
    }
}

/// What of the metadata counts for every kind.
fn lean(metadata: &mut ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        namespace: metadata.namespace.take(),
        name: metadata.name.take(),
        uid: metadata.uid.take(),
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp.take(),
        ..ObjectMeta::default()
    }
}

/// An object as what it should be.
pub(crate) fn parse<T: DeserializeOwned>(object: DynamicObject) -> Result<T, String> {
    serde_json::to_value(object).and_then(serde_json::from_value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_client::watch::Trouble;
    use serde_json::json;

    fn record(name: &str, value: &str, status: Option<i64>) -> Box<DynamicObject> {
        let mut object = json!({
            "apiVersion": "port53.dev/v1alpha1",
            "kind": "DNSRecord",
            "metadata": {"namespace": "dns", "name": name, "generation": 1, "annotations": {"a": "b"}},
            "spec": {"zoneRef": {"name": "example-com"}, "name": name, "type": "A", "values": [value]},
        });
        if let Some(generation) = status {
            object["status"] = json!({"observedGeneration": generation});
        }
        Box::new(serde_json::from_value(object).expect("an object"))
    }

    fn www() -> Key {
        ("dns".to_owned(), "www".to_owned())
    }

    #[test]
    fn a_status_makes_no_object_new() {
        let mut shelf = Shelf::<DNSRecord>::default();
        assert_eq!(shelf.note(What::Object(record("www", "192.0.2.1", None))), Noted::Input);
        let before = shelf.get(&www()).expect("it is there").clone();
        assert_eq!(shelf.note(What::Object(record("www", "192.0.2.1", Some(1)))), Noted::Status(www()));
        assert_eq!(shelf.note(What::Object(record("www", "192.0.2.1", Some(1)))), Noted::Nothing);
        assert!(Arc::ptr_eq(&before, shelf.get(&www()).expect("it is there")));
        assert_eq!(shelf.status(&www()).map(|status| status.observed_generation), Some(1));
        assert_eq!(shelf.note(What::Object(record("www", "192.0.2.2", Some(1)))), Noted::Input);
    }

    #[test]
    fn a_status_that_ends_after_its_object_was_created_again_is_not_that_of_the_new_one() {
        let with_uid = |uid: &str| {
            let mut record = record("www", "192.0.2.1", None);
            record.metadata.uid = Some(uid.to_owned());
            What::Object(record)
        };
        let status = || DNSRecordStatus { observed_generation: 1, ..DNSRecordStatus::default() };
        let mut shelf = Shelf::<DNSRecord>::default();
        shelf.note(with_uid("old"));
        assert_eq!(shelf.note(with_uid("new")), Noted::New(www()));
        shelf.status_is(&www(), Some("old"), status());
        assert_eq!(shelf.status(&www()), None);
        shelf.status_is(&www(), Some("new"), status());
        assert_eq!(shelf.status(&www()), Some(&status()));
    }

    #[test]
    fn what_a_whole_list_has_not_is_gone_and_what_half_a_list_has_not_stays() {
        let mut shelf = Shelf::<DNSRecord>::default();
        shelf.note(What::ListBegins);
        shelf.note(What::Object(record("www", "192.0.2.1", None)));
        shelf.note(What::Object(record("mail", "192.0.2.1", None)));
        assert!(!shelf.is_whole());
        assert_eq!(shelf.note(What::Listed), Noted::Input);
        assert!(shelf.is_whole());
        shelf.note(What::ListBegins);
        shelf.note(What::Lost(Trouble { why: "the connection".to_owned(), is_forbidden: false }));
        assert_eq!(shelf.iter().count(), 2);
        shelf.note(What::ListBegins);
        shelf.note(What::Object(record("www", "192.0.2.1", None)));
        assert_eq!(shelf.note(What::Listed), Noted::Gone(vec![("dns".to_owned(), "mail".to_owned())]));
        assert_eq!(shelf.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [www()]);
    }

    /// The first list broke off, and something that it had told of is gone from the second.
    #[test]
    fn a_list_that_is_whole_is_so_whatever_went_before() {
        let mut shelf = Shelf::<DNSRecord>::default();
        shelf.note(What::ListBegins);
        shelf.note(What::Object(record("www", "192.0.2.1", None)));
        shelf.note(What::Object(record("mail", "192.0.2.1", None)));
        shelf.note(What::ListBegins);
        shelf.note(What::Object(record("www", "192.0.2.1", None)));
        assert!(matches!(shelf.note(What::Listed), Noted::Gone(_)));
        assert!(shelf.is_whole());
    }

    #[test]
    fn what_cannot_be_read_keeps_its_last_version() {
        let mut shelf = Shelf::<DNSRecord>::default();
        shelf.note(What::Object(record("www", "192.0.2.1", None)));
        let mut odd = record("www", "192.0.2.2", None);
        odd.data["spec"]["values"] = json!(7);
        assert_eq!(shelf.note(What::Object(odd)), Noted::Nothing);
        assert_eq!(shelf.get(&www()).expect("it is there").spec.values, ["192.0.2.1"]);
        assert!(shelf.unreadable().is_empty());
        // Of one that this process has never read, only that it is there is known.
        let mut shelf = Shelf::<DNSRecord>::default();
        let mut odd = record("www", "192.0.2.2", None);
        odd.data["spec"]["values"] = json!(7);
        shelf.note(What::Object(odd));
        assert!(shelf.get(&www()).is_none() && shelf.unreadable().contains(&www()));
        shelf.note(What::Deleted(record("www", "192.0.2.2", None)));
        assert!(shelf.unreadable().is_empty());
    }
}
