//! The operator's webhook as an API server is told of it, where nobody proxies: the API server asks the endpoints of the
//! Service itself.

use crate::cluster::Settings as ClusterSettings;
use crate::eventually;
use crate::platform::{NAMESPACE, Platform, Settings, address};
use crate::ports::free_address_of;
use std::net::SocketAddr;

/// Settings by which the operator listens for it, and the API server may ask it; and where it listens.
///
/// # Panics
/// When there is no port for it.
pub fn listening(settings: Settings) -> (Settings, SocketAddr) {
    let listen = free_address_of(address());
    let operator = [settings.operator, vec![format!("--webhook-listen={listen}")]].concat();
    let flags = vec!["--enable-aggregator-routing=true".to_owned()];
    let cluster = ClusterSettings {
        api_server_flags: [settings.cluster.api_server_flags, flags].concat(),
        ..settings.cluster
    };
    (Settings { operator, cluster, ..settings }, listen)
}

/// The Service, its endpoint, and that the API server is to ask there of records and Zones.
pub fn configuration(listen: SocketAddr) -> String {
    let (ip, port) = (listen.ip(), listen.port());
    let webhook = |resource: &str| {
        format!(
            "- name: {resource}.port53.dev
  rules:
  - {{apiGroups: [port53.dev], apiVersions: [v1alpha1], resources: [{resource}], operations: [CREATE, UPDATE]}}
  clientConfig:
    service: {{namespace: {NAMESPACE}, name: port53-operator, path: /validate, port: 443}}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  timeoutSeconds: 5
"
        )
    };
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: port53-operator, namespace: {NAMESPACE}}}
spec:
  ports: [{{name: webhook, port: 443, targetPort: {port}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: port53-operator
  namespace: {NAMESPACE}
  labels: {{kubernetes.io/service-name: port53-operator}}
addressType: IPv4
ports: [{{name: webhook, port: {port}, protocol: TCP}}]
endpoints: [{{addresses: ['{ip}'], conditions: {{ready: true}}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: port53}}
webhooks:
{}{}",
        webhook("dnsrecords"),
        webhook("zones")
    )
}

/// Waits until the operator has told the API server whom to trust.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn is_trusted(platform: &Platform) {
    eventually("whom to trust", || {
        let found = platform.cluster.kubectl(&[
            "get",
            "validatingwebhookconfiguration",
            "port53",
            "-o",
            "jsonpath={.webhooks[*].clientConfig.caBundle}",
        ]);
        match found.stdout.split_whitespace().count() {
            2 => Ok(()),
            _ => Err(format!("the API server is not told whom to trust: {found:?}")),
        }
    });
}
