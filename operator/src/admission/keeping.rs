//! Keeping the webhook's certificates: in a Secret that all operators of a namespace share, or in two files that others
//! keep (cert-manager); and telling the API server whom to trust.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Client, ResourceExt};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::authority::{self, Material};
use crate::cluster::people::MANAGER;
use crate::cluster::store::{WriteError, in_time};

/// The Secret of the certificates.
const SECRET: &str = "port53-webhook";
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// After something failed.
const AGAIN: Duration = Duration::from_secs(5);
/// Entries of the Secret.
const ENTRIES: [&str; 4] = ["ca.crt", "ca.key", "tls.crt", "tls.key"];

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Kept {
    /// From an authority of our own. `service` is the name of the Service in the operator's namespace, and
    /// `configuration` that of the ValidatingWebhookConfiguration which is to trust it.
    Own {
        /// See there.
        service: String,
        /// See there.
        configuration: String,
    },
    /// From files that somebody else keeps, in PEM.
    Files {
        /// The chain, that of the server first.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// The certificate that is used now, if there is one yet.
#[derive(Debug, Default)]
pub struct Identity(ArcSwapOption<CertifiedKey>);

impl Identity {
    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.0.load().is_some()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// Looks after the certificate until it is told to leave.
pub struct Keeper {
    /// The cluster.
    pub client: Client,
    /// The operator's namespace.
    pub namespace: String,
    /// From where.
    pub kept: Kept,
    /// Where it goes.
    pub identity: Arc<Identity>,
}

impl Keeper {
    /// See there.
    pub async fn run(self, leave: CancellationToken) {
        let mut trouble = None;
        loop {
            let pause = match self.look().await {
                Ok(()) => {
                    trouble = None;
                    LOOK
                }
                Err(why) => {
                    // Once for each reason: it is tried again every few seconds.
                    if trouble.as_ref() != Some(&why) {
                        tracing::warn!("the webhook's certificate: {why}; it is tried again");
                    }
                    trouble = Some(why);
                    AGAIN
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = leave.cancelled() => return,
            }
        }
    }

    async fn look(&self) -> Result<(), String> {
        let certified = match &self.kept {
            Kept::Files { certificate, key } => {
                let read = async |file: &PathBuf| {
                    tokio::fs::read(file).await.map_err(|error| format!("{}: {error}", file.display()))
                };
                authority::certified(&read(certificate).await?, &read(key).await?)?
            }
            Kept::Own { service, configuration } => {
                let material = self.material(service).await?;
                let certified = material.certified()?;
                self.trust(configuration, &material.authorities).await?;
                certified
            }
        };
        self.identity.0.store(Some(Arc::new(certified)));
        Ok(())
    }

    /// What the Secret holds, made anew where that is due. Two operators may find so at once: what was written first
    /// counts.
    async fn material(&self, service: &str) -> Result<Material, String> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let host = format!("{service}.{}.svc", self.namespace);
        let names = [host.clone(), format!("{host}.cluster.local")];
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let found = in_time(secrets.get_opt(SECRET)).await.map_err(|error| error.to_string())?;
        let kept = found.as_ref().and_then(material);
        let renewed = match &kept {
            Some(kept) => kept.renewed(&names, now)?,
            None => Some(Material::new(&names, now)?),
        };
        let Some(renewed) = renewed else {
            return kept.ok_or_else(|| format!("Secret {SECRET} is empty"));
        };
        let secret = self.secret(&renewed, found.as_ref());
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = match found {
            Some(_) => in_time(secrets.replace(SECRET, &params, &secret)).await,
            None => in_time(secrets.create(&params, &secret)).await,
        };
        match written {
            Ok(_) => {
                tracing::info!("the webhook's certificate was made anew");
                Ok(renewed)
            }
            Err(WriteError::Conflict) => Err("another operator has just made one".to_owned()),
            Err(error) => Err(format!("Secret {SECRET} cannot be written: {error}")),
        }
    }

    fn secret(&self, material: &Material, found: Option<&Secret>) -> Secret {
        let Material { authorities, authority_key, certificate, key } = material;
        let values = [authorities, authority_key, certificate, key];
        let data = ENTRIES.iter().zip(values);
        let data: BTreeMap<String, ByteString> =
            data.map(|(name, pem)| ((*name).to_owned(), ByteString(pem.clone().into_bytes()))).collect();
        Secret {
            metadata: ObjectMeta {
                name: Some(SECRET.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some([("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())].into()),
                resource_version: found.and_then(ResourceExt::resource_version),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..Secret::default()
        }
    }

    /// Tells the API server whom to trust, unless it does. Without the configuration nobody asks, and nothing is wrong.
    async fn trust(&self, configuration: &str, authorities: &str) -> Result<(), String> {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let said = |error: WriteError| format!("ValidatingWebhookConfiguration {configuration}: {error}");
        let Some(found) = in_time(api.get_opt(configuration)).await.map_err(said)? else { return Ok(()) };
        let webhooks = found.webhooks.unwrap_or_default();
        let trusts = |bundle: &Option<ByteString>| {
            bundle.as_ref().is_some_and(|bundle| bundle.0 == authorities.as_bytes())
        };
        if webhooks.iter().all(|webhook| trusts(&webhook.client_config.ca_bundle)) {
            return Ok(());
        }
        let bundle = ByteString(authorities.as_bytes().to_vec());
        let webhooks: Vec<_> = webhooks
            .iter()
            .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}))
            .collect();
        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": configuration},
            "webhooks": webhooks,
        });
        let params = PatchParams::apply(MANAGER).force();
        in_time(api.patch(configuration, &params, &Patch::Apply(object))).await.map_err(said)?;
        tracing::info!(configuration, "the API server trusts the webhook");
        Ok(())
    }
}

/// What a Secret holds, where it is all there.
fn material(secret: &Secret) -> Option<Material> {
    let text = |name: &str| {
        let octets = &secret.data.as_ref()?.get(name)?.0;
        String::from_utf8(octets.clone()).ok()
    };
    let [authorities, authority_key, certificate, key] = ENTRIES;
    Some(Material {
        authorities: text(authorities)?,
        authority_key: text(authority_key)?,
        certificate: text(certificate)?,
        key: text(key)?,
    })
}
