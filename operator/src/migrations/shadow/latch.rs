//! The automatic fallback. It is written into the status before it is carried out, so that an operator that begins anew finds
//! it; and it holds until a person says otherwise, be it by another spec or by the annotation that names it.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use port53_crds::{AutomaticFallback, END_FALLBACK_ANNOTATION, ZoneMigration};
use tokio::sync::watch;

use super::super::writing;
use crate::election::Fence;
use crate::index::{self, Key};

/// Those that were begun since this operator works, by migration.
pub(in super::super) type Latches = watch::Sender<BTreeMap<Key, AutomaticFallback>>;

/// Characters of what was seen.
const LONGEST: usize = 1024;

/// The automatic fallback that holds for a migration as it is now: of the one that was begun here, and the one of its status.
pub(in super::super) fn holding<'a>(
    migration: &ZoneMigration,
    begun: Option<&'a AutomaticFallback>,
    written: Option<&'a AutomaticFallback>,
) -> Option<&'a AutomaticFallback> {
    let annotations = migration.metadata.annotations.as_ref();
    let ended = annotations.and_then(|annotations| annotations.get(END_FALLBACK_ANNOTATION));
    let holds = |fallback: &&AutomaticFallback| {
        migration.spec.shadow.is_some()
            && Some(fallback.generation) == migration.metadata.generation
            && Some(&fallback.since) != ended
    };
    begun.filter(holds).or_else(|| written.filter(holds))
}

/// Begins one. It is carried out also when it cannot be written down now: the next status has it.
pub(in super::super) async fn begin(
    client: &Client,
    fence: &Fence,
    latches: &Latches,
    migration: &ZoneMigration,
    seen: &str,
) {
    if fence.is_closed() {
        return;
    }
    let fallback = AutomaticFallback {
        since: Timestamp::now().to_string(),
        generation: migration.metadata.generation.unwrap_or_default(),
        message: seen.chars().take(LONGEST).collect(),
    };
    let key = index::key(&migration.metadata);
    tracing::warn!(
        migration = format!("{}/{}", key.0, key.1),
        "every nameserver falls back to legacy: {seen}"
    );
    if let Err(error) = writing::write_fallback(client, migration, &fallback).await {
        tracing::warn!("that it fell back is not written down yet: {error}");
    }
    latches.send_modify(|all| drop(all.insert(key, fallback)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn migration(generation: i64, annotations: &Value) -> ZoneMigration {
        serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "ZoneMigration",
            "metadata": {"name": "m", "generation": generation, "annotations": annotations},
            "spec": {"zoneRef": {"name": "z"}, "legacy": {"addresses": ["192.0.2.53"]}, "shadow": {}},
        }))
        .expect("a migration")
    }

    fn fallback(since: &str, generation: i64) -> AutomaticFallback {
        AutomaticFallback { since: since.to_owned(), generation, message: String::new() }
    }

    /// "It latches: until a person changes the spec (or an annotation) it stays, also through restarts of the operator."
    #[test]
    fn it_holds_until_a_person_says_otherwise() {
        let none = json!({});
        let (first, second) = (fallback("18:00", 4), fallback("19:00", 4));
        let written = holding(&migration(4, &none), None, Some(&first));
        assert_eq!(written, Some(&first), "found by an operator that begins anew");
        assert_eq!(holding(&migration(5, &none), Some(&first), Some(&first)), None, "another spec");
        let ended = json!({END_FALLBACK_ANNOTATION: "18:00"});
        assert_eq!(holding(&migration(4, &ended), Some(&first), Some(&first)), None);
        // The annotation stays there, and is about no later one.
        assert_eq!(holding(&migration(4, &ended), Some(&second), Some(&first)), Some(&second));
        assert_eq!(holding(&migration(4, &none), None, None), None);
    }
}
