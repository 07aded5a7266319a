//! Who may ask the API server: users by their certificates, as kubeconfig files and as clients.

use super::Cluster;
use super::pki::Identity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use tokio::runtime::Handle;

/// A user of a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// Its name in RBAC.
    pub name: String,
    /// Its group, if any, beside `system:authenticated`.
    pub group: Option<String>,
}

impl User {
    /// Who may do everything.
    pub fn admin() -> Self {
        User { name: "admin".to_owned(), group: Some("system:masters".to_owned()) }
    }

    /// Who may do what RBAC grants to this name, at first nothing.
    pub fn named(name: &str) -> Self {
        User { name: name.to_owned(), group: None }
    }

    /// Who may do what RBAC grants to this service account. (Its certificate says so; there is no controller that
    /// would make it a token.)
    pub fn service_account(namespace: &str, name: &str) -> Self {
        User::named(&format!("system:serviceaccount:{namespace}:{name}"))
    }
}

impl Cluster {
    /// A kubeconfig file with all rights.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_of(&User::admin())
    }

    /// A kubeconfig file of `user`.
    pub fn kubeconfig_of(&self, user: &User) -> PathBuf {
        let file = self.dir().join(format!("kubeconfig-{}", user.name.replace(':', "-")));
        // Written anew each time, aside: whoever reads the one before is not disturbed.
        let aside = tempfile::NamedTempFile::new_in(self.dir()).expect("a file");
        let value = self.kubeconfig_value(user, &self.url());
        fs::write(aside.path(), value.to_string()).expect("a kubeconfig");
        aside.persist(&file).expect("a kubeconfig in its place");
        file
    }

    /// A client of `user`. It belongs to the runtime that this is called on; without one, to the cluster's.
    pub fn client_as(&self, user: &User) -> Client {
        let config: Kubeconfig = serde_json::from_value(self.kubeconfig_value(user, &self.url()))
            .expect("a kubeconfig in its form");
        let options = KubeConfigOptions::default();
        let config = self
            .block_on(async || Config::from_custom_kubeconfig(config, &options).await)
            .expect("a kubeconfig that is right");
        let runtime = self.runtime.as_ref().expect("it is there until the drop");
        let _entered = Handle::try_current().is_err().then(|| runtime.enter());
        Client::try_from(config).expect("a client")
    }

    /// A client of `user` for a measurement, as the operator has: with TCP_NODELAY, which `kubectl` sets too. It belongs to
    /// the runtime that this is called on.
    ///
    /// # Errors
    /// When the kubeconfig is none.
    pub async fn client_without_delay(&self, user: &User) -> Result<Client, Box<dyn Error>> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig_of(user))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(port53_client::client(config)?)
    }

    fn kubeconfig_value(&self, user: &User, url: &str) -> Value {
        let identity = self.pki.user(&user.name, user.group.as_deref());
        self.kubeconfig_with(&user.name, &identity, url)
    }

    /// A kubeconfig, in JSON, of whom `identity` says, for the API server at `url`.
    pub(super) fn kubeconfig_with(&self, user: &str, identity: &Identity, url: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "clusters": [{"name": "tests", "cluster": {
                "server": url,
                "certificate-authority-data": STANDARD.encode(self.pki.authority()),
            }}],
            "users": [{"name": user, "user": {
                "client-certificate-data": STANDARD.encode(&identity.certificate),
                "client-key-data": STANDARD.encode(&identity.key),
            }}],
        })
    }
}
