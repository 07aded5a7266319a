//! Which resolvers there are: the ready endpoints of the Services that a selector finds, one nameserver a Service.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::DynamicObject;
use kube::core::{Selector, SelectorExt};
use port53_client::watch::What;

use super::confirm::Resolver;
use crate::index::{Key, key};

/// The label by which an EndpointSlice says its Service.
const SERVICE: &str = "kubernetes.io/service-name";
/// The port that is asked: of this name, else the first over UDP.
const PORT: &str = "dns";

/// EndpointSlices as the watch told of them.
#[derive(Debug)]
pub struct Endpoints {
    selector: Selector,
    slices: BTreeMap<Key, Vec<Resolver>>,
    /// While a list is read: what it had so far.
    listing: Option<BTreeMap<Key, Vec<Resolver>>>,
}

impl Endpoints {
    /// Those that have the labels of `selector`.
    pub fn new(selector: Selector) -> Self {
        Endpoints { selector, slices: BTreeMap::new(), listing: None }
    }

    /// Takes note of what was told. Says whether a resolver came or went.
    pub fn note(&mut self, what: What) -> bool {
        let before = self.resolvers();
        match what {
            What::ListBegins => self.listing = Some(BTreeMap::new()),
            What::Object(object) => {
                let key = key(&object.metadata);
                let resolvers = self.read(*object);
                match &mut self.listing {
                    Some(listing) => listing.insert(key, resolvers),
                    None => self.slices.insert(key, resolvers),
                };
            }
            What::Listed => {
                if let Some(listed) = self.listing.take() {
                    self.slices = listed;
                }
            }
            What::Deleted(object) => drop(self.slices.remove(&key(&object.metadata))),
            What::Following | What::Lost(_) => {}
        }
        self.resolvers() != before
    }

    /// The resolvers, each once.
    pub fn resolvers(&self) -> Vec<Resolver> {
        let mut all: Vec<Resolver> = self.slices.values().flatten().cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    fn read(&self, object: DynamicObject) -> Vec<Resolver> {
        let labels = object.metadata.labels.clone().unwrap_or_default();
        if !self.selector.matches(&labels) {
            return Vec::new();
        }
        let slice: EndpointSlice = match serde_json::to_value(object).and_then(serde_json::from_value) {
            Ok(slice) => slice,
            Err(error) => {
                tracing::warn!("an EndpointSlice cannot be read and is left out: {error}");
                return Vec::new();
            }
        };
        let nameserver = labels.get(SERVICE).cloned().unwrap_or_default();
        let ports = slice.ports.unwrap_or_default();
        let is_udp = |protocol: &Option<String>| protocol.as_deref() == Some("UDP");
        let named = ports.iter().find(|port| port.name.as_deref() == Some(PORT) && is_udp(&port.protocol));
        let port = named.or_else(|| ports.iter().find(|port| is_udp(&port.protocol)));
        let Some(port) = port.and_then(|port| u16::try_from(port.port?).ok()) else { return Vec::new() };
        let ready = slice.endpoints.into_iter().filter(|endpoint| {
            endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready.unwrap_or(true))
        });
        ready
            .filter_map(|endpoint| endpoint.addresses.first()?.parse().ok())
            .map(|ip| Resolver { nameserver: nameserver.clone(), address: SocketAddr::new(ip, port) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slice(name: &str, ready: bool, address: &str) -> Box<DynamicObject> {
        let object = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"namespace": "port53", "name": name, "labels": {SERVICE: "ns1", "app": "port53"}},
            "addressType": "IPv4",
            "ports": [{"name": "dns-tcp", "port": 5353, "protocol": "TCP"}, {"name": "dns", "port": 5354, "protocol": "UDP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
        });
        Box::new(serde_json::from_value(object).expect("an object"))
    }

    #[test]
    fn ready_endpoints_of_the_selected_services_are_the_resolvers() {
        let mut endpoints = Endpoints::new([("app".to_owned(), "port53".to_owned())].into_iter().collect());
        assert!(endpoints.note(What::Object(slice("ns1-a", true, "10.0.0.1"))));
        assert!(!endpoints.note(What::Object(slice("ns1-b", false, "10.0.0.2"))));
        let address = "10.0.0.1:5354".parse().expect("an address");
        assert_eq!(endpoints.resolvers(), [Resolver { nameserver: "ns1".to_owned(), address }]);
        let mut other = slice("other", true, "10.0.0.3");
        other.metadata.labels = None;
        assert!(!endpoints.note(What::Object(other)));
        assert!(endpoints.note(What::Deleted(slice("ns1-a", true, "10.0.0.1"))));
    }
}
