//! DNSRecords by the Zone that they refer to, so that a record that changes concerns the list of that Zone alone:
//! the lists of others are the very same as before, whoever kept them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use port53_crds::DNSRecord;

use super::namespaced;

/// The records that refer to one Zone, by namespace and name.
pub type OfZone = Arc<Vec<Arc<DNSRecord>>>;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// By namespace and name of the Zone, whether or not it is there. No list is empty.
    of_zones: BTreeMap<(String, String), OfZone>,
}

impl Records {
    /// Adds a record, or puts it in the place of the one with its namespace and name that refers to the same Zone.
    pub fn put(&mut self, record: Arc<DNSRecord>) {
        let list = Arc::make_mut(self.of_zones.entry(zone_of(&record)).or_default());
        match place(list, &record) {
            Ok(place) => list[place] = record,
            Err(place) => list.insert(place, record),
        }
    }

    /// Takes a record away, found by its namespace and name and the Zone that it refers to.
    pub fn remove(&mut self, record: &DNSRecord) {
        let zone = zone_of(record);
        let Some(list) = self.of_zones.get_mut(&zone) else { return };
        if let Ok(place) = place(list, record) {
            Arc::make_mut(list).remove(place);
        }
        if list.is_empty() {
            self.of_zones.remove(&zone);
        }
    }

    /// The lists, by namespace and name of the Zone that they refer to.
    pub fn by_zone(&self) -> impl Iterator<Item = (&(String, String), &OfZone)> {
        self.of_zones.iter()
    }

    /// Keeps the records of those Zones alone, by namespace and name.
    pub fn retain(&mut self, is_kept: impl Fn(&(String, String)) -> bool) {
        self.of_zones.retain(|zone, _| is_kept(zone));
    }

    /// All records.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<DNSRecord>> {
        self.of_zones.values().flat_map(|list| list.iter())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.of_zones.values().map(|list| list.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.of_zones.is_empty()
    }
}

/// Of two with the same namespace and name the first counts.
impl FromIterator<Arc<DNSRecord>> for Records {
    fn from_iter<I: IntoIterator<Item = Arc<DNSRecord>>>(records: I) -> Self {
        let records: Vec<Arc<DNSRecord>> = records.into_iter().collect();
        let mut seen = BTreeSet::new();
        let mut of_zones: BTreeMap<_, Vec<Arc<DNSRecord>>> = BTreeMap::new();
        for record in records.iter().filter(|record| seen.insert(namespaced(&record.metadata))) {
            of_zones.entry(zone_of(record)).or_default().push(record.clone());
        }
        let sorted = of_zones.into_iter().map(|(zone, mut list)| {
            list.sort_by(|a, b| namespaced(&a.metadata).cmp(&namespaced(&b.metadata)));
            (zone, Arc::new(list))
        });
        Records { of_zones: sorted.collect() }
    }
}

/// Namespace and name of the Zone that a record refers to.
/// The Zone that a record refers to, by namespace and name.
pub(crate) fn zone_of(record: &DNSRecord) -> (String, String) {
    owned(borrowed_zone_of(record))
}

fn borrowed_zone_of(record: &DNSRecord) -> (&str, &str) {
    let to = &record.spec.zone_ref;
    let (of_record, _) = namespaced(&record.metadata);
    (to.namespace.as_deref().unwrap_or(of_record), &to.name)
}

fn owned((namespace, name): (&str, &str)) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

fn place(list: &[Arc<DNSRecord>], record: &DNSRecord) -> Result<usize, usize> {
    list.binary_search_by(|other| namespaced(&other.metadata).cmp(&namespaced(&record.metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(name: &str, zone: &str, value: &str) -> Arc<DNSRecord> {
        let object = json!({
            "apiVersion": "port53.dev/v1alpha1",
            "kind": "DNSRecord",
            "metadata": {"namespace": "dns", "name": name},
            "spec": {"zoneRef": {"name": zone}, "name": name, "type": "A", "values": [value]},
        });
        serde_json::from_value(object).expect("a DNSRecord")
    }

    fn list(records: &Records) -> Vec<String> {
        let text = |record: &Arc<DNSRecord>| {
            let name = record.metadata.name.clone().unwrap_or_default();
            format!("{}/{name} {}", record.spec.zone_ref.name, record.spec.values[0])
        };
        records.iter().map(text).collect()
    }

    #[test]
    fn a_change_is_one_of_its_zone_alone() {
        let mut records: Records = [
            record("b", "one", "1"),
            record("a", "one", "1"),
            record("c", "two", "1"),
            record("a", "two", "9"),
        ]
        .into_iter()
        .collect();
        assert_eq!(list(&records), ["one/a 1", "one/b 1", "two/c 1"]);
        let before = records.clone();
        records.put(record("a", "one", "2"));
        records.put(record("d", "one", "2"));
        assert_eq!(list(&records), ["one/a 2", "one/b 1", "one/d 2", "two/c 1"]);
        let is_same: Vec<bool> =
            before.by_zone().zip(records.by_zone()).map(|((_, a), (_, b))| Arc::ptr_eq(a, b)).collect();
        assert_eq!(is_same, [false, true]);
        records.remove(&record("c", "two", "1"));
        records.remove(&record("c", "one", "1"));
        assert_eq!((list(&records).len(), records.len(), records.by_zone().count()), (3, 3, 1));
    }
}
