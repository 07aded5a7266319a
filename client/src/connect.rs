//! The client of the API server, and what its errors mean for a person.

use crate::chain;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config, Error};
use std::time::Duration;
use tower::{BoxError, ServiceBuilder};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection over which nothing comes is probed after this long: a watch may be silent for a minute.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Between probes that are not answered, and after how many of them the connection is lost.
const PROBE: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;

/// Whether this process was told of a cluster: by KUBECONFIG, by the file where kubectl looks for it, or by
/// being in a pod.
pub fn is_configured() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let of_kubectl = std::env::home_dir().map(|home| home.join(".kube/config"));
    is_set("KUBECONFIG") || is_set("KUBERNETES_SERVICE_HOST") || of_kubectl.is_some_and(|file| file.is_file())
}

/// A client of the cluster that this process was told of, and the namespace that it was told.
///
/// # Errors
/// In words, when there is none or its configuration cannot be read.
pub async fn connect() -> Result<(Client, String), String> {
    let config = Config::infer().await.map_err(|error| format!("no cluster can be found: {error}"))?;
    let namespace = config.default_namespace.clone();
    let client = client(config).map_err(|error| explain(&error))?;
    Ok((client, namespace))
}

/// A client with TCP_NODELAY, which the library's own does not set: without it an acknowledgement that is
/// delayed costs 40 ms.
///
/// # Errors
/// When the certificates or the credentials of `config` cannot be read.
pub fn client(config: Config) -> Result<Client, Error> {
    if config.proxy_url.is_some() {
        // The library says which proxies it can be built for.
        return Client::try_from(config);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(PROBE));
    tcp.set_keepalive_retries(Some(PROBES));
    let tls = config.rustls_https_connector_with_connector(tcp)?;
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(tls);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

/// What went wrong, with what to do where that is known.
pub fn explain(error: &Error) -> String {
    match error {
        Error::Api(status) => match status.code {
            401 => "the API server does not know who this is: check the credentials".to_owned(),
            403 if is_role_missing(&status.message) => format!(
                "the API server forbids it: {}: create that role; an API server that has just started finds one \
                 that is there within seconds",
                status.message
            ),
            403 => format!("the API server forbids it: {}: grant that right", status.message),
            404 if status.details.as_ref().is_none_or(|details| details.name.is_empty()) => {
                "the API server does not know this resource: apply the definitions in crds/manifests"
                    .to_owned()
            }
            _ => format!("the API server says {}: {}", status.code, status.message),
        },
        other => chain(other),
    }
}

/// Whether who asks is bound to a role that the API server does not find. One that has just started may not have
/// read its roles yet, and says the same; while it has not read the bindings either it says nothing of a role, and
/// cannot be told from one that forbids for good.
fn is_role_missing(message: &str) -> bool {
    message.rsplit_once("RBAC: ").is_some_and(|(_, why)| why.contains("not found"))
}

/// Whether the API server cannot be reached, is overloaded or broken, rather than sure of what it says.
pub fn is_passing(error: &Error) -> bool {
    match error {
        Error::Api(status) => status.code == 429 || status.code >= 500,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn forbidden(message: &str) -> String {
        let message = format!(
            "zones.port53.dev is forbidden: User \"u\" cannot list resource \"zones\" in API group \"port53.dev\" \
             at the cluster scope{message}"
        );
        explain(&Error::Api(Box::new(Status { code: 403, message, ..Status::default() })))
    }

    #[test]
    fn a_role_that_is_not_found_is_not_told_to_be_granted() {
        assert!(forbidden("").ends_with("at the cluster scope: grant that right"));
        let why = forbidden(": RBAC: clusterrole.rbac.authorization.k8s.io \"dns\" not found");
        assert!(why.contains("create that role") && !why.contains("grant that right"), "{why}");
    }
}
