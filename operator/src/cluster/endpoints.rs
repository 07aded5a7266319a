//! Which resolvers there are: the ready endpoints of the Services that a selector finds, one nameserver a Service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::DynamicObject;
use kube::core::{Selector, SelectorExt};
use port53_client::watch::What;

use super::confirm::Resolver;
use crate::index::{Kept, Noted, Shelf, parse};
use crate::nameservers::seen::NAMESERVER;

/// The label by which an EndpointSlice says its Service.
const SERVICE: &str = "kubernetes.io/service-name";
/// The port that is asked: of this name, else the first over UDP.
const PORT: &str = "dns";

/// EndpointSlices as the watch told of them.
#[derive(Debug)]
pub struct Endpoints {
    selector: Selector,
    slices: Shelf<Slice>,
}

/// What counts of an EndpointSlice.
#[derive(Debug, PartialEq)]
struct Slice {
    labels: BTreeMap<String, String>,
    /// One for each address that is ready, with the name of its pod where that is known.
    resolvers: Vec<(Resolver, Option<String>)>,
}

impl Endpoints {
    /// Those that have the labels of `selector`.
    pub fn new(selector: Selector) -> Self {
        Endpoints { selector, slices: Shelf::default() }
    }

    /// Takes note of what was told. Says whether a resolver came or went.
    pub fn note(&mut self, what: What) -> bool {
        let before = self.resolvers();
        self.slices.note(what) != Noted::Nothing && self.resolvers() != before
    }

    /// Whether they were listed to the end.
    pub fn are_whole(&self) -> bool {
        self.slices.is_whole()
    }

    /// The resolvers, each once: a Service of both families has a slice of each, and a pod an address in both.
    pub fn resolvers(&self) -> Vec<Resolver> {
        let selected = self.slices.iter().filter(|(_, slice)| self.selector.matches(&slice.labels));
        let mut all: Vec<&(Resolver, Option<String>)> =
            selected.flat_map(|(_, slice)| &slice.resolvers).collect();
        // Addresses of IPv4 come first.
        all.sort();
        let mut pods = BTreeSet::new();
        let mut resolvers: Vec<Resolver> = all
            .into_iter()
            .filter(|(resolver, pod)| pod.as_ref().is_none_or(|pod| pods.insert((&resolver.nameserver, pod))))
            .map(|(resolver, _)| resolver.clone())
            .collect();
        resolvers.dedup();
        resolvers
    }
}

impl Kept for Slice {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        let slice: EndpointSlice = parse(object)?;
        let labels = slice.metadata.labels.clone().unwrap_or_default();
        let nameserver = labels.get(SERVICE).cloned().unwrap_or_default();
        // A slice has the labels of its Service.
        let name = labels.get(NAMESERVER).unwrap_or(&nameserver);
        let resolvers = resolvers(slice, &nameserver, name);
        Ok((Slice { labels, resolvers }, None))
    }
}

fn resolvers(slice: EndpointSlice, nameserver: &str, name: &str) -> Vec<(Resolver, Option<String>)> {
    let ports = slice.ports.unwrap_or_default();
    let is_udp = |protocol: &Option<String>| protocol.as_deref() == Some("UDP");
    let named = ports.iter().find(|port| port.name.as_deref() == Some(PORT) && is_udp(&port.protocol));
    let port = named.or_else(|| ports.iter().find(|port| is_udp(&port.protocol)));
    let Some(port) = port.and_then(|port| u16::try_from(port.port?).ok()) else { return Vec::new() };
    let ready = slice.endpoints.into_iter().filter(|endpoint| {
        endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready.unwrap_or(true))
    });
    ready
        .filter_map(|endpoint| {
            let ip = endpoint.addresses.first()?.parse().ok()?;
            let pod = endpoint.target_ref.and_then(|target| target.name);
            let resolver = Resolver::new(nameserver, SocketAddr::new(ip, port));
            Some((Resolver { name: name.to_owned(), ..resolver }, pod))
        })
        .collect()
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
        assert_eq!(endpoints.resolvers(), [Resolver::new("ns1", address)]);
        let mut other = slice("other", true, "10.0.0.3");
        other.metadata.labels = None;
        assert!(!endpoints.note(What::Object(other)));
        assert!(endpoints.note(What::Deleted(slice("ns1-a", true, "10.0.0.1"))));
    }

    /// In a cluster a nameserver's Service is called after its set, and it is cut over by its name in that.
    #[test]
    fn a_nameserver_has_the_name_that_its_set_gives_it() {
        let mut endpoints = Endpoints::new(Selector::default());
        let mut slice = slice("port53-ns1-a", true, "10.0.0.1");
        let labels = json!({SERVICE: "port53-ns1", NAMESERVER: "ns1"});
        slice.metadata.labels = serde_json::from_value(labels).expect("labels");
        endpoints.note(What::Object(slice));
        let [resolver] = &endpoints.resolvers()[..] else { panic!("one") };
        assert_eq!((resolver.nameserver.as_str(), resolver.name.as_str()), ("port53-ns1", "ns1"));
    }

    /// Found by the first install into a cluster of both families: each pod was counted and asked twice.
    #[test]
    fn a_pod_with_addresses_of_both_families_is_one_resolver() {
        let mut endpoints = Endpoints::new(Selector::default());
        let of_pod = |name: &str, address: &str| {
            let mut slice = slice(name, true, address);
            slice.data["endpoints"][0]["targetRef"] = json!({"kind": "Pod", "name": "ns1-x"});
            slice
        };
        assert!(endpoints.note(What::Object(of_pod("ns1-v6", "fd88::2"))));
        assert!(endpoints.note(What::Object(of_pod("ns1-v4", "10.88.1.2"))));
        let address = "10.88.1.2:5354".parse().expect("an address");
        assert_eq!(endpoints.resolvers(), [Resolver::new("ns1", address)]);
    }

    #[test]
    fn those_that_a_whole_list_has_not_are_gone() {
        let mut endpoints = Endpoints::new(Selector::default());
        endpoints.note(What::ListBegins);
        endpoints.note(What::Object(slice("ns1-a", true, "10.0.0.1")));
        endpoints.note(What::Object(slice("ns1-b", true, "10.0.0.2")));
        assert!(!endpoints.are_whole());
        endpoints.note(What::Listed);
        assert!(endpoints.are_whole());
        endpoints.note(What::ListBegins);
        endpoints.note(What::Object(slice("ns1-b", true, "10.0.0.2")));
        assert_eq!(endpoints.resolvers().len(), 2);
        assert!(endpoints.note(What::Listed));
        assert_eq!(endpoints.resolvers().len(), 1);
    }
}
