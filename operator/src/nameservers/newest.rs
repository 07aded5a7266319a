//! Which version of an object is the newest that was seen. What is written here is known by the answer, and by the watch
//! too, in either order; and what others did in between comes by the watch alone. Only what is newer counts.

use std::collections::BTreeMap;

use kube::api::DynamicObject;

use super::objects::Kind;
use crate::index::{Key, key};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Newest(BTreeMap<(Kind, Key), u64>);

impl Newest {
    /// Whether an object is not older than what was seen of it.
    pub(super) fn admits(&mut self, kind: Kind, object: &DynamicObject) -> bool {
        let version = object.metadata.resource_version.as_deref();
        let version = version.and_then(|version| version.parse::<u64>().ok()).unwrap_or_default();
        let newest = self.0.entry((kind, key(&object.metadata))).or_default();
        let is_newer = version >= *newest;
        *newest = version.max(*newest);
        is_newer
    }

    /// After a restore of etcd versions are lower: what is listed then is how it is.
    pub(super) fn forget(&mut self, kind: Kind) {
        self.0.retain(|(of, _), _| *of != kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(version: &str) -> DynamicObject {
        let object = json!({"metadata": {"namespace": "n", "name": "d", "resourceVersion": version}});
        serde_json::from_value(object).expect("an object")
    }

    /// Found by putting a nameserver back: Kubernetes had looked at the Deployment, and the watch told so, before the
    /// answer to what was applied was looked at; that then stood for ever.
    #[test]
    fn an_answer_that_comes_after_the_watch_counts_for_nothing() {
        let mut newest = Newest::default();
        assert!(newest.admits(Kind::Deployment, &at("100")));
        assert!(newest.admits(Kind::Deployment, &at("102")));
        assert!(!newest.admits(Kind::Deployment, &at("101")));
        assert!(newest.admits(Kind::Deployment, &at("102")));
        assert!(newest.admits(Kind::DaemonSet, &at("7")), "another kind");
        newest.forget(Kind::Deployment);
        assert!(newest.admits(Kind::Deployment, &at("5")), "after a restore");
    }
}
