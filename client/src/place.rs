//! How far a follower has heard, and whether it may go on from there.
//!
//! A version alone does not tell a restored etcd: what its API server writes by itself takes its versions past
//! those that were seen, and a watch that goes on from there leaves out without a word what was undone. So the newest of
//! the objects that were seen is looked at as well, and the last that was deleted: only when both are as they were is
//! the past still the same. Where there was no object there must be none.

use std::collections::VecDeque;

use kube::api::ListParams;
use kube::core::ObjectMeta;

/// Objects that are remembered: as many of the newest may be deleted, and one is left to look at.
const RECENT: usize = 16;

/// How far was heard.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Where a watch goes on; nothing when a list is needed.
    from: Option<String>,
    /// The highest resourceVersion seen.
    highest: Option<u64>,
    /// The objects that changed last, of those that are there; the newest is the last.
    recent: VecDeque<Seen>,
    others: Others,
    /// What changed last was deleted.
    deleted: Option<Seen>,
}

/// Whether there are objects that are not remembered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Others {
    /// Nothing was listed.
    #[default]
    Unknown,
    None,
    Some,
}

/// An object as it was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    namespace: Option<String>,
    name: String,
    version: Option<String>,
}

/// What to look at before a watch goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    /// Only at the version of it all.
    Version,
    /// There is no object.
    Nothing,
    /// This object is as it was.
    Unchanged(Seen),
    /// This object is not there.
    Gone(Seen),
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
        *self = Place { highest: self.highest, others: Others::None, ..Place::default() };
    }

    /// An object of a list, in which they come in any order.
    pub(crate) fn lists(&mut self, metadata: &ObjectMeta) {
        let listed = Seen::of(metadata);
        self.recent.retain(|seen| !seen.is_same_object(&listed));
        let is_before = |seen: &Seen| !is_lower(listed.number(), seen.number());
        let at = self.recent.iter().rposition(is_before).map_or(0, |before| before + 1);
        self.recent.insert(at, listed);
        self.remember_no_more();
    }

    fn remember_no_more(&mut self) {
        if self.recent.len() > RECENT {
            self.recent.pop_front();
            self.others = Others::Some;
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
        let seen = Seen::of(metadata);
        if self.from.is_none() && is_there {
            // Before the end of a streaming list there is no place to go on from.
            return self.lists(metadata);
        }
        self.recent.retain(|other| !other.is_same_object(&seen));
        self.deleted = (!is_there).then(|| seen.clone());
        if is_there {
            self.recent.push_back(seen);
            self.remember_no_more();
        }
        self.goes_to(metadata.resource_version.clone().unwrap_or_default());
    }

    /// A bookmark: the watch goes on from it, unless time went backwards.
    pub(crate) fn goes_to(&mut self, version: String) {
        if self.from.is_some() && self.sees(&version) {
            self.from = Some(version).filter(|version| !version.is_empty());
        }
    }

    /// What to look at before a watch goes on over another connection. A list is needed when nothing can tell.
    pub(crate) fn checks(&mut self) -> Vec<Check> {
        let live = match (self.recent.back(), self.others) {
            (Some(newest), _) => Check::Unchanged(newest.clone()),
            (None, Others::Unknown) => Check::Version,
            (None, Others::None) => Check::Nothing,
            (None, Others::Some) => {
                self.from = None;
                return Vec::new();
            }
        };
        self.deleted.iter().cloned().map(Check::Gone).chain([live]).collect()
    }

    /// Takes note of what a check found, at `version`. When the past is another one a list is needed.
    pub(crate) fn found(&mut self, check: &Check, found: Option<&ObjectMeta>, version: &str) {
        let is_as_it_was = match check {
            Check::Version => true,
            // One that is new since then is told of by the list as well.
            Check::Nothing | Check::Gone(_) => found.is_none(),
            Check::Unchanged(seen) => found.is_some_and(|metadata| metadata.resource_version == seen.version),
        };
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

impl Check {
    /// What is listed for it.
    pub(crate) fn params(&self) -> ListParams {
        let params = ListParams::default().limit(1);
        let (Check::Unchanged(Seen { namespace, name, .. }) | Check::Gone(Seen { namespace, name, .. })) =
            self
        else {
            return params;
        };
        let namespace = namespace.iter().map(|namespace| format!(",metadata.namespace={namespace}"));
        params.fields(&format!("metadata.name={name}{}", namespace.collect::<String>()))
    }
}

impl Seen {
    fn of(metadata: &ObjectMeta) -> Self {
        Seen {
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
            version: metadata.resource_version.clone(),
        }
    }

    fn is_same_object(&self, other: &Seen) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }

    fn number(&self) -> Option<u64> {
        number(self.version.as_deref()?)
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
        assert_eq!(place.checks(), [Check::Unchanged(Seen::of(&object("b", "98")))]);
        place.goes_past(&object("c", "101"), true);
        assert_eq!(place.checks(), [Check::Unchanged(Seen::of(&object("c", "101")))]);
        place
    }

    /// Looks at what there is by now, and says whether the watch goes on.
    fn goes_on(mut place: Place, there: &[ObjectMeta]) -> bool {
        for check in place.checks() {
            let fields = check.params().field_selector;
            let is_asked_for = |object: &&ObjectMeta| {
                let name = object.name.as_deref().unwrap_or_default();
                fields.as_ref().is_none_or(|fields| *fields == format!("metadata.name={name}"))
            };
            place.found(&check, there.iter().find(is_asked_for), "150");
        }
        place.from().is_some()
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
        place.found(&Check::Version, None, "49");
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
        let backup = [object("a", "97"), object("b", "98")];
        assert!(goes_on(followed(), &[object("a", "97"), object("b", "98"), object("c", "101")]));
        assert!(!goes_on(followed(), &[object("a", "97"), object("b", "98"), object("c", "90")]));
        assert!(!goes_on(followed(), &backup), "c was never created");
        let mut deleted = followed();
        deleted.goes_past(&object("a", "102"), false);
        assert!(goes_on(deleted, &[object("b", "98"), object("c", "101")]));
        let mut deleted = followed();
        deleted.goes_past(&object("a", "102"), false);
        assert!(!goes_on(deleted, &[object("a", "97"), object("b", "98"), object("c", "101")]));
    }

    #[test]
    fn a_restore_of_objects_where_none_were_is_noticed_when_versions_have_overtaken() {
        let empty = || {
            let mut place = Place::default();
            place.list_begins();
            place.begins_at("100".to_owned());
            place
        };
        assert!(goes_on(empty(), &[]));
        assert!(!goes_on(empty(), &[object("a", "97")]));
        // Who knows what there was from elsewhere has nothing to look at but the version.
        let mut told = Place::default();
        told.begins_at("100".to_owned());
        assert!(goes_on(told, &[object("a", "97")]));
        // All that was listed is gone.
        let mut emptied = empty();
        emptied.goes_past(&object("a", "101"), true);
        emptied.goes_past(&object("a", "102"), false);
        assert!(goes_on(emptied, &[]));
        let mut emptied = empty();
        emptied.goes_past(&object("a", "101"), true);
        emptied.goes_past(&object("a", "102"), false);
        assert!(!goes_on(emptied, &[object("b", "97")]));
    }

    /// What was heard last is the deletion of an object that the backup never had; what was undone is another's change.
    #[test]
    fn a_restore_is_noticed_after_the_deletion_of_what_the_backup_never_had() {
        let deleted = || {
            let mut place = followed();
            place.goes_past(&object("a", "102"), true);
            place.goes_past(&object("c", "103"), false);
            place
        };
        assert!(goes_on(deleted(), &[object("a", "102"), object("b", "98")]));
        assert!(!goes_on(deleted(), &[object("a", "97"), object("b", "98")]));
        // The newest ones may go as well: there is one before them.
        let mut more = deleted();
        more.goes_past(&object("d", "104"), true);
        more.goes_past(&object("d", "105"), false);
        assert!(!goes_on(more, &[object("a", "97"), object("b", "98")]));
    }

    #[test]
    fn when_all_that_is_remembered_was_deleted_a_list_is_needed() {
        let mut place = Place::default();
        place.list_begins();
        let many: Vec<ObjectMeta> =
            (0..=RECENT).map(|number| object(&format!("n{number}"), &number.to_string())).collect();
        many.iter().for_each(|object| place.lists(object));
        place.begins_at("100".to_owned());
        let deleted = |place: &mut Place, number: usize| {
            place.goes_past(&object(&format!("n{number}"), &(101 + number).to_string()), false);
        };
        (2..=RECENT).for_each(|number| deleted(&mut place, number));
        assert_eq!(place.checks().last(), Some(&Check::Unchanged(Seen::of(&many[1]))));
        deleted(&mut place, 1);
        assert_eq!((place.checks(), place.from()), (Vec::new(), None));
    }

    #[test]
    fn what_lies_in_a_namespace_is_looked_for_there() {
        let mut place = Place::default();
        place.begins_at("1".to_owned());
        assert_eq!(place.checks(), [Check::Version]);
        assert_eq!(Check::Version.params().field_selector, None);
        let here = ObjectMeta { namespace: Some("dns".to_owned()), ..object("www", "2") };
        place.goes_past(&here, true);
        let selectors: Vec<_> = place.checks().iter().map(|check| check.params().field_selector).collect();
        assert_eq!(selectors, [Some("metadata.name=www,metadata.namespace=dns".to_owned())]);
    }
}
