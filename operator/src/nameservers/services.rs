//! The Service of a nameserver, or two of them. Pure.

use port53_crds::{CONTAINER, FamilyPolicy, Protocols, ServiceKind, TrafficPolicy};
use serde_json::{Value, json};

use super::objects::{Kind, Object, Place, metadata, object, selector};
use super::revision::Form;

/// Ports of the container that are offered where they are there: name, port of the Service, protocol (RFC 7858 §3.1,
/// RFC 9250 §4.1.1, RFC 8484).
const ENCRYPTED: [(&str, u16, &str); 3] =
    [("dns-tls", 853, "TCP"), ("dns-quic", 853, "UDP"), ("dns-https", 443, "TCP")];

/// See the module.
pub(super) fn services(place: &Place<'_>, form: &Form) -> Vec<Object> {
    let service = &form.service;
    let kind = service.kind.unwrap_or(ServiceKind::LoadBalancer);
    let port = |protocol: &str| {
        let mut port = json!({
            "name": if protocol == "UDP" { "dns" } else { "dns-tcp" },
            "port": 53,
            "protocol": protocol,
            "targetPort": if protocol == "UDP" { "dns" } else { "dns-tcp" },
        });
        if let Some(node_port) = service.node_port.filter(|_| kind != ServiceKind::ClusterIP) {
            port["nodePort"] = json!(node_port);
        }
        port
    };
    let encrypted = encrypted(form);
    let ports = |protocols: &[&str]| -> Value {
        let plain = protocols.iter().map(|protocol| port(protocol));
        let encrypted = encrypted.iter().filter(|port| protocols.iter().any(|one| port["protocol"] == *one));
        plain.chain(encrypted.cloned()).collect()
    };
    let one = |name: String, ports: Value| {
        let mut spec = json!({
            "type": match kind {
                ServiceKind::ClusterIP => "ClusterIP",
                ServiceKind::NodePort => "NodePort",
                ServiceKind::LoadBalancer => "LoadBalancer",
            },
            "selector": selector(place),
            "ports": ports,
            "ipFamilyPolicy": match service.ip_family_policy.unwrap_or(FamilyPolicy::PreferDualStack) {
                FamilyPolicy::SingleStack => "SingleStack",
                FamilyPolicy::PreferDualStack => "PreferDualStack",
                FamilyPolicy::RequireDualStack => "RequireDualStack",
            },
        });
        if kind != ServiceKind::ClusterIP {
            let policy = service.external_traffic_policy.unwrap_or(TrafficPolicy::Local);
            spec["externalTrafficPolicy"] = json!(match policy {
                TrafficPolicy::Cluster => "Cluster",
                TrafficPolicy::Local => "Local",
            });
        }
        if kind == ServiceKind::LoadBalancer {
            let given = [
                ("loadBalancerIP", &service.load_balancer_ip),
                ("loadBalancerClass", &service.load_balancer_class),
            ];
            for (field, value) in given {
                if let Some(value) = value {
                    spec[field] = json!(value);
                }
            }
        }
        if let Some(first) = service.cluster_ips.first() {
            spec["clusterIP"] = json!(first);
            spec["clusterIPs"] = json!(service.cluster_ips);
        }
        let mut metadata = metadata(place, &name);
        metadata["annotations"] = json!(service.annotations);
        object(Kind::Service, metadata, json!({"spec": spec}))
    };
    let name = place.name();
    match service.protocols.unwrap_or(Protocols::Together) {
        Protocols::Together => vec![one(name, ports(&["UDP", "TCP"]))],
        Protocols::Apart => {
            vec![one(name.clone(), ports(&["UDP"])), one(second(&name), ports(&["TCP"]))]
        }
    }
}

/// The ports of the encrypted transports that the pods offer.
fn encrypted(form: &Form) -> Vec<Value> {
    let containers = form.template["spec"]["containers"].as_array().into_iter().flatten();
    let resolver = containers.filter(|container| container["name"] == CONTAINER);
    let offered: Vec<&Value> =
        resolver.flat_map(|container| container["ports"].as_array().into_iter().flatten()).collect();
    ENCRYPTED
        .iter()
        .filter(|(name, ..)| offered.iter().any(|port| port["name"] == *name))
        .map(|(name, port, protocol)| {
            json!({"name": name, "port": port, "protocol": protocol, "targetPort": name})
        })
        .collect()
}

/// The name of the Service of TCP beside one of UDP.
pub(super) fn second(name: &str) -> String {
    format!("{name}-tcp")
}
