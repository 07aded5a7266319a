//! What tests put into a cluster: the definitions of Port53, namespaces, and whatever `kubectl` takes.

use super::{Cluster, POLL};
use crate::process::{Finished, run_with};
use crate::{PATIENCE, cluster::programs};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::discovery::ApiResource;
use kube::{Api, Client, Error, ResourceExt};
use port53_cli::yaml;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds/manifests");

impl Cluster {
    /// Applies `crds/manifests` on the server's side, and waits until every definition is established and its
    /// resource is listed.
    ///
    /// # Panics
    /// With what the API server says when it refuses one.
    pub fn apply_crds(&self) {
        let client = self.client();
        self.block_on(async || {
            let definitions = definitions();
            let api: Api<CustomResourceDefinition> = Api::all(client.clone());
            for definition in &definitions {
                let params = PatchParams::apply("port53-tests").force();
                let applied = api.patch(&definition.name_any(), &params, &Patch::Apply(definition)).await;
                applied.unwrap_or_else(|error| panic!("{}: {error}", definition.name_any()));
            }
            let until = Instant::now() + PATIENCE;
            for definition in &definitions {
                while let Err(missing) = is_served(&client, &api, definition).await {
                    assert!(Instant::now() < until, "{}: still {missing}", definition.name_any());
                    tokio::time::sleep(POLL).await;
                }
            }
        });
    }

    /// Creates a namespace whose name begins with `prefix`, and gives its name: no test has one that another has.
    pub fn create_namespace(&self, prefix: &str) -> String {
        self.create_labelled_namespace(prefix, &[])
    }

    /// Creates a namespace like [`Cluster::create_namespace`], with labels.
    pub fn create_labelled_namespace(&self, prefix: &str, labels: &[(&str, &str)]) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let created = self.try_create_namespace(&name, labels);
        created.unwrap_or_else(|error| panic!("namespace {name}: {error}"));
        name
    }

    /// Creates the namespace `name` unless it is there.
    ///
    /// # Panics
    /// With what the API server says when it refuses it.
    pub fn ensure_namespace(&self, name: &str) {
        match self.try_create_namespace(name, &[]) {
            Err(Error::Api(status)) if status.is_already_exists() => {}
            created => created.unwrap_or_else(|error| panic!("namespace {name}: {error}")),
        }
    }

    fn try_create_namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result<(), Error> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        let owned = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
        namespace.metadata.labels = Some(owned.collect());
        let client = self.client();
        self.block_on(async || Api::all(client).create(&PostParams::default(), &namespace).await.map(|_| ()))
    }

    /// `kubectl` with these arguments and all rights.
    pub fn kubectl(&self, arguments: &[&str]) -> Finished {
        self.kubectl_with(arguments, "")
    }

    /// `kubectl` with these arguments, `input` and all rights: `["apply", "--server-side", "-f", "-"]`.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Finished {
        run_with(self.kubectl_command().args(arguments), input.as_bytes()).into()
    }

    /// `kubectl`, to be given arguments, with all rights and its caches in the cluster's directory.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(programs::directory(self.settings.programs()).join("kubectl"));
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.dir()).current_dir(self.dir());
        command
    }
}

/// The definitions as their files have them.
fn definitions() -> Vec<CustomResourceDefinition> {
    let entries = fs::read_dir(MANIFESTS).expect("crds/manifests");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let documents = files.iter().flat_map(|file| {
        let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        yaml::documents(&text)
    });
    let values = documents.map(|document| document.unwrap_or_else(|problem| panic!("{problem}")).value);
    values.map(|value| serde_json::from_value(value).expect("a definition")).collect()
}

/// Whether objects of this definition can be written and read. Established is said some tenths of a second before
/// that is so.
async fn is_served(
    client: &Client,
    api: &Api<CustomResourceDefinition>,
    definition: &CustomResourceDefinition,
) -> Result<(), String> {
    let found = api.get(&definition.name_any()).await.map_err(|error| error.to_string())?;
    let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
    for (condition, wanted) in [("NamesAccepted", "True"), ("Established", "True")] {
        let found = conditions.iter().find(|one| one.type_ == condition);
        if found.is_none_or(|one| one.status != wanted) {
            return Err(format!("not {condition}: {found:?}"));
        }
    }
    let spec = &definition.spec;
    for version in spec.versions.iter().filter(|version| version.served) {
        let group_version = format!("{}/{}", spec.group, version.name);
        let resources =
            client.list_api_group_resources(&group_version).await.map_err(|error| error.to_string())?;
        if !resources.resources.iter().any(|resource| resource.name == spec.names.plural) {
            return Err(format!("not in discovery of {group_version}"));
        }
        let kind = GroupVersionKind::gvk(&spec.group, &version.name, &spec.names.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &spec.names.plural);
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        objects.list(&ListParams::default().limit(1)).await.map_err(|error| format!("no list: {error}"))?;
    }
    Ok(())
}
