//! What a person says to the operator beside a spec: annotations of a Zone, each with a field manager of its
//! own, so that whoever manages the rest (Argo CD, Flux) leaves it alone.

use kube::api::{Api, Patch, PatchParams};
use kube::core::Resource;
use port53_client::explain;
use port53_crds::{RELEASE_ANNOTATION, ROLLBACK_ANNOTATION, Zone};
use serde_json::{Value, json};

use super::Cluster;
use super::zones::namespaced;

/// Something that a person may say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Annotation {
    /// Which version is served instead of the records.
    Rollback,
    /// Which held removals may go.
    Release,
}

impl Annotation {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Annotation::Rollback => ROLLBACK_ANNOTATION,
            Annotation::Release => RELEASE_ANNOTATION,
        }
    }

    fn manager(self) -> &'static str {
        match self {
            Annotation::Rollback => "port53-rollback",
            Annotation::Release => "port53-release",
        }
    }

    /// What a Zone has of it.
    pub(crate) fn of(self, zone: &Zone) -> Option<&str> {
        zone.meta().annotations.as_ref()?.get(self.key()).map(String::as_str)
    }
}

impl Cluster {
    /// Says it, whatever was said before.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(crate) async fn annotate(
        &self,
        zone: &Zone,
        annotation: Annotation,
        value: &str,
    ) -> Result<Zone, String> {
        let params = PatchParams::apply(annotation.manager()).force();
        let object = json!({
            "apiVersion": port53_crds::API_VERSION,
            "kind": "Zone",
            "metadata": {"annotations": {annotation.key(): value}},
        });
        self.patch(zone, &params, &Patch::Apply(object)).await
    }

    /// Takes it back, whoever said it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(crate) async fn take_back(&self, zone: &Zone, annotation: Annotation) -> Result<Zone, String> {
        let params =
            PatchParams { field_manager: Some(annotation.manager().to_owned()), ..PatchParams::default() };
        let change = json!({"metadata": {"annotations": {annotation.key(): null}}});
        self.patch(zone, &params, &Patch::Merge(change)).await
    }

    async fn patch(&self, zone: &Zone, params: &PatchParams, change: &Patch<Value>) -> Result<Zone, String> {
        let (namespace, name) = namespaced(zone);
        let zones: Api<Zone> = self.of(namespace);
        let patched = self.patiently(|| zones.patch(name, params, change)).await;
        patched.map_err(|error| format!("Zone {namespace}/{name}: {}", explain(&error)))
    }
}
