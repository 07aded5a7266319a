//! The definitions as they go to a cluster, and as YAML.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The definitions of all resources, in the order of their names.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![crate::DNSRecord::crd(), crate::Zone::crd()]
}

/// `definition` as YAML.
pub fn to_yaml(definition: &CustomResourceDefinition) -> String {
    serde_json::to_string_pretty(definition).unwrap_or_default()
}
