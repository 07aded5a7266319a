//! What people wrote, as far as the watches have told it, and which slices and revisions are stored.
//!
//! An object that cannot be read keeps its last version. Before every kind was listed once nothing is known
//! to be missing, and nothing must be published.
//!
//! Kept is what the stages look at and nothing else: no field managers, no annotations of others, no labels but
//! those of namespaces. Statuses stand beside the objects, so that a status that is written makes no object new.

mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::api::DynamicObject;
use kube::core::ObjectMeta;
use port53_crds::{DNSRecord, DNSRecordStatus, GROUP, Zone, ZoneRevision, ZoneStatus};
use port53_store::Revision;
use port53_zone::Name;
use port53_zone::content::Digest;

use crate::objects::{Objects, Records, zone_of};
use port53_client::watch::What;
pub(crate) use shelf::parse;
pub use shelf::{Kept, Shelf, key};

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

/// Which Zones an operator looks after. There may be others in the cluster, each with nameservers of its own.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Its namespace, that of its NameserverSets. Where it is empty every Zone counts.
    pub namespace: String,
    /// Whether it leaves Zones that name no namespace of a NameserverSet to another.
    pub only_named: bool,
}

impl Scope {
    /// Whether it has a Zone.
    pub fn has(&self, zone: &Zone) -> bool {
        let named = zone.spec.nameserver_set_ref.as_ref().and_then(|named| named.namespace.as_deref());
        match named {
            _ if self.namespace.is_empty() => true,
            None => !self.only_named,
            Some(namespace) => namespace == self.namespace,
        }
    }
}

/// What people wrote.
#[derive(Debug, Default)]
pub struct Index {
    scope: Scope,
    /// Zones that others look after.
    of_others: BTreeSet<Key>,
    /// While Zones are listed: those of the list.
    listed_of_others: Option<BTreeSet<Key>>,
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

impl Index {
    /// One of the Zones in `scope`.
    pub fn new(scope: Scope) -> Self {
        Index { scope, ..Index::default() }
    }

    /// Zones that others look after.
    pub fn of_others(&self) -> &BTreeSet<Key> {
        &self.of_others
    }

    /// Whether a record is of a Zone that is looked after here.
    pub fn looks_after(&self, record: &DNSRecord) -> bool {
        let zone = zone_of(record);
        match self.scope.only_named {
            true => self.zones.get(&zone).is_some(),
            false => !self.of_others.contains(&zone),
        }
    }

    /// Takes note of what was told of Zones. One that others look after is not there.
    pub fn note_zone(&mut self, what: What) -> Noted {
        match what {
            What::ListBegins => self.listed_of_others = Some(BTreeSet::new()),
            // Until its end those of the list before count.
            What::Listed => self.of_others = self.listed_of_others.take().unwrap_or_default(),
            What::Object(ref object) => {
                let key = key(&object.metadata);
                // What cannot be read keeps its last version, and what it says is not known to be of others.
                let is_of_others = parse::<Zone>((**object).clone()).is_ok_and(|zone| !self.scope.has(&zone));
                match is_of_others {
                    true => {
                        if let Some(listed) = &mut self.listed_of_others {
                            listed.insert(key.clone());
                        }
                        self.of_others.insert(key);
                        return self.zones.note(What::Deleted(object.clone()));
                    }
                    false => drop(self.of_others.remove(&key)),
                }
            }
            What::Deleted(ref object) => drop(self.of_others.remove(&key(&object.metadata))),
            _ => {}
        }
        self.zones.note(what)
    }

    /// Whether every kind was listed to its end.
    pub fn is_whole(&self) -> bool {
        self.zones.is_whole()
            && self.records.is_whole()
            && self.namespaces.is_whole()
            && self.revisions.is_whole()
            && self.slices.is_whole()
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
            records: self.own_records(),
            master_zones: Vec::new(),
        }
    }
}

impl Index {
    /// DNSRecords of the Zones that are looked after here, and, unless another operator does, those without a Zone.
    fn own_records(&self) -> Records {
        let mut records = self.by_zone.clone();
        if self.scope.only_named || !self.of_others.is_empty() {
            records.retain(|zone| match self.scope.only_named {
                true => self.zones.get(zone).is_some(),
                false => !self.of_others.contains(zone),
            });
        }
        records
    }
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
        self.get(&(namespace.to_owned(), digest.to_string())).is_some()
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
