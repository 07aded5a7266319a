//! What is known of a zone when it is asked about: who owns what, and where that leads.

use super::label::{Labels, absolute, split};
use super::zone::Made;
use std::collections::{BTreeMap, BTreeSet};

/// Types of which the value is a name to ask for.
const LEADING: [&str; 3] = ["CNAME", "DNAME", "NS"];

/// A zone as questions see it.
#[derive(Clone, Debug)]
pub struct Known {
    apex: String,
    types: BTreeMap<Labels, Vec<String>>,
    targets: BTreeSet<String>,
}

impl Known {
    /// The zone `apex` with these records but the SOA: owner, type and value in presentation form, names absolute and
    /// the owners at or below the apex.
    pub fn new(apex: &str, records: impl IntoIterator<Item = [String; 3]>) -> Self {
        let depth = split(apex).len();
        let mut known = Known { apex: apex.to_owned(), types: BTreeMap::new(), targets: BTreeSet::new() };
        for [owner, rtype, value] in records {
            let mut owner = split(&owner);
            owner.truncate(owner.len() - depth);
            if LEADING.contains(&rtype.as_str()) {
                known.targets.insert(value);
            }
            let types = known.types.entry(owner).or_default();
            if !types.contains(&rtype) {
                types.push(rtype);
            }
        }
        known
    }

    /// How many sets it has, beside the SOA.
    pub fn count(&self) -> usize {
        self.types.values().map(Vec::len).sum()
    }

    pub(super) fn apex(&self) -> &str {
        &self.apex
    }

    pub(super) fn absolute(&self, owner: &[String]) -> String {
        absolute(owner, &self.apex)
    }

    /// Each owner with each of its types.
    pub(super) fn sets(&self) -> impl Iterator<Item = (&Labels, &str)> {
        self.types.iter().flat_map(|(owner, types)| types.iter().map(move |rtype| (owner, rtype.as_str())))
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = &Labels> {
        self.types.keys()
    }

    pub(super) fn has(&self, owner: &Labels, rtype: &str) -> bool {
        self.types.get(owner).is_some_and(|types| types.iter().any(|here| here == rtype))
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = &String> {
        self.targets.iter()
    }
}

impl From<&Made> for Known {
    fn from(made: &Made) -> Self {
        let types = made
            .sets
            .iter()
            .map(|(owner, sets)| (owner.clone(), sets.iter().map(|set| set.rtype.to_owned()).collect()));
        let leading = made.sets.values().flatten().filter(|set| LEADING.contains(&set.rtype));
        Known {
            apex: made.apex.clone(),
            types: types.collect(),
            targets: leading.flat_map(|set| set.values.clone()).collect(),
        }
    }
}
