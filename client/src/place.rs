//! How far a follower has heard, and whether it may go on from there.
//!
//! A version alone does not tell a restored etcd: what its API server writes by itself takes its versions past
//! those that were seen, and a watch that goes on from there leaves out without a word what was undone. So the newest
//! object that was seen is looked at as well: only when it is as it was is the past still the same.

use kube::api::ListParams;
use kube::core::ObjectMeta;

/// How far was heard.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Where a watch goes on; nothing when a list is needed.
    from: Option<String>,
    /// The highest resourceVersion seen.
    highest: Option<u64>,
    /// The object that changed last, of those that were seen.
    newest: Option<Newest>,
}

/// An object as it was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Newest {
    namespace: Option<String>,
    name: String,
    /// Nothing when it was deleted.
    version: Option<String>,
}

impl Place {
    /// Where a watch goes on; nothing when a list is needed.
    pub(crate) fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// A list is needed, whatever was heard.
    pub(crate) fn needs_a_list(&mut self) {
        self.from = None;
    }

    /// A list begins.
    pub(crate) fn list_begins(&mut self) {
        (self.from, self.newest) = (None, None);
    }

    /// An object of a list, in which they come in any order.
    pub(crate) fn lists(&mut self, metadata: &ObjectMeta) {
        let listed = Newest::of(metadata, true);
        let newest = self.newest.as_ref().and_then(|newest| number(newest.version.as_deref()?));
        if !is_lower(listed.version.as_deref().and_then(number), newest) {
            self.newest = Some(listed);
        }
    }

    /// A list or a restart of time: what it shows is where we are, be it lower than before.
    pub(crate) fn begins_at(&mut self, version: String) {
        let number = number(&version);
        if is_lower(number, self.highest) {
            tracing::warn!(version, "the API server went back in time");
        }
        self.highest = number;
        self.from = Some(version).filter(|version| !version.is_empty());
    }

    /// An event of an object: the watch goes on after it, unless time went backwards.
    pub(crate) fn goes_past(&mut self, metadata: &ObjectMeta, is_there: bool) {
        if self.from.is_none() {
            // Before the end of a streaming list there is no place to go on from.
            return self.lists(metadata);
        }
        self.newest = Some(Newest::of(metadata, is_there));
        self.goes_to(metadata.resource_version.clone().unwrap_or_default());
    }

    /// A bookmark: the watch goes on from it, unless time went backwards.
    pub(crate) fn goes_to(&mut self, version: String) {
        if self.from.is_some() && self.sees(&version) {
            self.from = Some(version).filter(|version| !version.is_empty());
        }
    }

    /// What to list before a watch goes on over another connection.
    pub(crate) fn check(&self) -> ListParams {
        let params = ListParams::default().limit(1);
        let Some(Newest { namespace, name, .. }) = &self.newest else { return params };
        let namespace = namespace.iter().map(|namespace| format!(",metadata.namespace={namespace}"));
        params.fields(&format!("metadata.name={name}{}", namespace.collect::<String>()))
    }

    /// Takes note of what [`Place::check`] found, at `version`. When the past is another one a list is needed.
    pub(crate) fn found(&mut self, found: Option<&ObjectMeta>, version: &str) {
        let found = found.and_then(|metadata| metadata.resource_version.as_deref());
        let is_as_it_was = self.newest.as_ref().is_none_or(|newest| newest.version.as_deref() == found);
        if !is_as_it_was {
            self.from = None;
        }
        self.sees(version);
    }

    /// Whether time goes forward at `version`. When it does not, a list is needed.
    fn sees(&mut self, version: &str) -> bool {
        let number = number(version);
        if is_lower(number, self.highest) {
            self.from = None;
            return false;
        }
        self.highest = number.or(self.highest);
        true
    }
}

impl Newest {
    fn of(metadata: &ObjectMeta, is_there: bool) -> Self {
        Newest {
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
            version: metadata.resource_version.clone().filter(|_| is_there),
        }
    }
}

/// Versions of etcd are numbers that grow. What is not a number cannot be compared.
fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

fn is_lower(number: Option<u64>, highest: Option<u64>) -> bool {
    number.zip(highest).is_some_and(|(number, highest)| number < highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, version: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        }
    }

    /// One that listed a at 97 and b at 98, and then heard of c at 101.
    fn followed() -> Place {
        let mut place = Place::default();
        place.list_begins();
        place.lists(&object("b", "98"));
        place.lists(&object("a", "97"));
        place.begins_at("100".to_owned());
        assert_eq!(place.check().field_selector.as_deref(), Some("metadata.name=b"));
        place.goes_past(&object("c", "101"), true);
        assert_eq!(place.check().field_selector.as_deref(), Some("metadata.name=c"));
        place
    }

    #[test]
    fn time_that_goes_backwards_asks_for_a_list() {
        let mut place = Place::default();
        place.begins_at("100".to_owned());
        place.goes_to("105".to_owned());
        assert_eq!(place.from(), Some("105"));
        place.goes_to("105".to_owned());
        place.goes_to("104".to_owned());
        assert_eq!(place.from(), None);
        // What a list says is where time is now.
        place.begins_at("50".to_owned());
        place.goes_to("51".to_owned());
        assert_eq!(place.from(), Some("51"));
        place.found(None, "49");
        assert_eq!(place.from(), None);
    }

    #[test]
    fn versions_that_are_no_numbers_are_not_compared() {
        let mut place = Place::default();
        place.begins_at("b".to_owned());
        place.goes_to("a".to_owned());
        assert_eq!(place.from(), Some("a"));
        place.goes_to(String::new());
        assert_eq!(place.from(), None);
    }

    #[test]
    fn events_of_a_streaming_list_are_no_place_to_go_on_from() {
        let mut place = Place::default();
        place.goes_past(&object("a", "7"), true);
        assert_eq!((place.from(), place.highest), (None, None));
    }

    /// The versions of a restored etcd come past those that were seen before anyone looks.
    #[test]
    fn a_restore_is_noticed_by_the_newest_object_when_versions_have_overtaken() {
        let mut same = followed();
        same.found(Some(&object("c", "101")), "150");
        assert_eq!(same.from(), Some("101"));
        let mut undone = followed();
        undone.found(Some(&object("c", "90")), "150");
        assert_eq!(undone.from(), None);
        let mut never_created = followed();
        never_created.found(None, "150");
        assert_eq!(never_created.from(), None);
        let mut deleted = followed();
        deleted.goes_past(&object("a", "102"), false);
        deleted.found(None, "150");
        assert_eq!(deleted.from(), Some("102"));
        deleted.found(Some(&object("a", "97")), "150");
        assert_eq!(deleted.from(), None);
    }

    #[test]
    fn what_lies_in_a_namespace_is_looked_for_there() {
        let mut place = Place::default();
        place.begins_at("1".to_owned());
        assert_eq!(place.check().field_selector, None);
        let here = ObjectMeta { namespace: Some("dns".to_owned()), ..object("www", "2") };
        place.goes_past(&here, true);
        let selector = place.check().field_selector;
        assert_eq!(selector.as_deref(), Some("metadata.name=www,metadata.namespace=dns"));
    }
}
