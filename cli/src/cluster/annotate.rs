//! What a person says to the operator beside a spec: annotations of an object, each with a field manager of its
//! own, so that whoever manages the rest (Argo CD, Flux) leaves it alone.

use kube::api::{Api, Patch, PatchParams};
use port53_client::explain;
use port53_crds::{
    COMPARE_ANNOTATION, END_FALLBACK_ANNOTATION, PAUSE_ANNOTATION, PIN_ANNOTATION, PREFER_ANNOTATION,
    QUIET_ANNOTATION, RELEASE_ANNOTATION, RETRY_ANNOTATION, ROLLBACK_ANNOTATION,
};
use serde_json::{Value, json};

use super::zones::namespaced;
use super::{Cluster, Kind};

/// Something that a person may say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Annotation {
    /// Which version is served instead of the records.
    Rollback,
    /// Which held removals may go.
    Release,
    /// That a rollout stops where it is.
    Pause,
    /// That a revision is tried again.
    Retry,
    /// Which revision runs instead of the spec.
    Pin,
    /// That both sides of a migration are compared now.
    Compare,
    /// Which side of a migration is right.
    Prefer,
    /// That nobody asks legacy any more.
    Quiet,
    /// Which fallback that came by itself is over.
    EndFallback,
}

impl Annotation {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Annotation::Rollback => ROLLBACK_ANNOTATION,
            Annotation::Release => RELEASE_ANNOTATION,
            Annotation::Pause => PAUSE_ANNOTATION,
            Annotation::Retry => RETRY_ANNOTATION,
            Annotation::Pin => PIN_ANNOTATION,
            Annotation::Compare => COMPARE_ANNOTATION,
            Annotation::Prefer => PREFER_ANNOTATION,
            Annotation::Quiet => QUIET_ANNOTATION,
            Annotation::EndFallback => END_FALLBACK_ANNOTATION,
        }
    }

    fn manager(self) -> &'static str {
        match self {
            Annotation::Rollback => "port53-rollback",
            Annotation::Release => "port53-release",
            Annotation::Pause => "port53-pause",
            Annotation::Retry => "port53-retry",
            Annotation::Pin => "port53-undo",
            Annotation::Compare => "port53-compare",
            Annotation::Prefer => "port53-resolve",
            Annotation::Quiet => "port53-finish-quiet",
            Annotation::EndFallback => "port53-end-fallback",
        }
    }

    /// What an object has of it.
    pub(crate) fn of(self, object: &impl Kind) -> Option<&str> {
        object.meta().annotations.as_ref()?.get(self.key()).map(String::as_str)
    }
}

impl Cluster {
    /// Says it, whatever was said before.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(crate) async fn annotate<K: Kind>(
        &self,
        object: &K,
        annotation: Annotation,
        value: &str,
    ) -> Result<K, String> {
        let params = PatchParams::apply(annotation.manager()).force();
        let said = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": {"annotations": {annotation.key(): value}},
        });
        self.patch(object, &params, &Patch::Apply(said)).await
    }

    /// Takes it back, whoever said it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(crate) async fn take_back<K: Kind>(&self, object: &K, annotation: Annotation) -> Result<K, String> {
        let params =
            PatchParams { field_manager: Some(annotation.manager().to_owned()), ..PatchParams::default() };
        let change = json!({"metadata": {"annotations": {annotation.key(): null}}});
        self.patch(object, &params, &Patch::Merge(change)).await
    }

    async fn patch<K: Kind>(
        &self,
        object: &K,
        params: &PatchParams,
        change: &Patch<Value>,
    ) -> Result<K, String> {
        let (namespace, name) = namespaced(object);
        let api: Api<K> = self.of(namespace);
        let patched = self.patiently(|| api.patch(name, params, change)).await;
        patched.map_err(|error| format!("{} {namespace}/{name}: {}", K::kind(&()), explain(&error)))
    }
}
