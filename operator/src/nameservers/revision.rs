//! What nameservers run: the part of a set's spec that makes them what they are, named by its hash. A change of it is
//! what is rolled out, and the ones before are kept to go back to.
//!
//! A nameserver takes from it what is its own ([`Revision::of`]); that has a name too, so that a nameserver which a
//! change does not concern is left alone.

use std::collections::BTreeMap;

use port53_crds::{NameserverSetSpec, ServiceTemplate, WorkloadKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Characters of a name: enough for all the revisions of a set, few enough to read.
const LENGTH: usize = 10;
/// Digits that no word is made of, as Kubernetes has them in names of pods.
const DIGITS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// See the module.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    workload: WorkloadKind,
    template: Value,
    service: ServiceTemplate,
    /// What single nameservers have that the others do not, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    own: BTreeMap<String, Own>,
}

/// What one nameserver has that the others do not.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Own {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    node_selector: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<ServiceTemplate>,
}

/// What one nameserver runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Form {
    /// What it is made of.
    pub workload: WorkloadKind,
    /// Its pods.
    pub template: Value,
    /// Labels of the nodes that they may run on, beside those of the template.
    pub node_selector: BTreeMap<String, String>,
    /// Its Service.
    pub service: ServiceTemplate,
}

impl Revision {
    /// That of a spec.
    pub fn of_spec(spec: &NameserverSetSpec) -> Self {
        let own = spec.nameservers.iter().filter_map(|nameserver| {
            let own =
                Own { node_selector: nameserver.node_selector.clone(), service: nameserver.service.clone() };
            (own != Own::default()).then(|| (nameserver.name.clone(), own))
        });
        Revision {
            workload: spec.workload,
            template: spec.template.clone(),
            service: spec.service.clone(),
            own: own.collect(),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        hash(self)
    }

    /// What one nameserver takes from it.
    pub fn of(&self, nameserver: &str) -> Form {
        let own = self.own.get(nameserver).cloned().unwrap_or_default();
        Form {
            workload: self.workload,
            template: self.template.clone(),
            node_selector: own.node_selector,
            service: own.service.map_or_else(|| self.service.clone(), |own| merged(&self.service, own)),
        }
    }
}

impl Form {
    /// Its name.
    pub fn name(&self) -> String {
        hash(self)
    }
}

/// What a nameserver says of its Service stands above what the set says; annotations add up.
fn merged(all: &ServiceTemplate, own: ServiceTemplate) -> ServiceTemplate {
    let annotations = all.annotations.clone().into_iter().chain(own.annotations).collect();
    ServiceTemplate {
        kind: own.kind.or(all.kind),
        annotations,
        load_balancer_ip: own.load_balancer_ip.or_else(|| all.load_balancer_ip.clone()),
        cluster_ips: if own.cluster_ips.is_empty() { all.cluster_ips.clone() } else { own.cluster_ips },
        load_balancer_class: own.load_balancer_class.or_else(|| all.load_balancer_class.clone()),
        external_traffic_policy: own.external_traffic_policy.or(all.external_traffic_policy),
        ip_family_policy: own.ip_family_policy.or(all.ip_family_policy),
        protocols: own.protocols.or(all.protocols),
        node_port: own.node_port.or(all.node_port),
    }
}

/// A short name for a value, the same whatever the order in which its fields were written.
fn hash(value: &impl Serialize) -> String {
    // All keys are texts, so there is nothing that JSON could not hold.
    let value = serde_json::to_value(value).unwrap_or_default();
    let mut text = String::new();
    write_sorted(&value, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(LENGTH).map(|octet| char::from(DIGITS[usize::from(*octet) % DIGITS.len()])).collect()
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in fields {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(template: Value, own: Value) -> NameserverSetSpec {
        serde_json::from_value(json!({
            "nameservers": [
                {"name": "ns1", "hostname": "ns1.example.net"},
                {"name": "ns2", "hostname": "ns2.example.net", "service": own},
            ],
            "template": template,
            "service": {"type": "LoadBalancer", "annotations": {"a": "1"}},
        }))
        .expect("a spec")
    }

    #[test]
    fn the_order_of_fields_and_what_is_not_run_do_not_count() {
        let one = Revision::of_spec(&spec(json!({"spec": {"containers": [], "volumes": []}}), Value::Null));
        let other = Revision::of_spec(&spec(json!({"spec": {"volumes": [], "containers": []}}), Value::Null));
        assert_eq!(one.name(), other.name());
        assert_eq!(one.name().len(), LENGTH);
        let mut spec = spec(json!({"spec": {"containers": [], "volumes": []}}), Value::Null);
        spec.replicas = Some(7);
        spec.rollout.soak = "1h".to_owned();
        assert_eq!(Revision::of_spec(&spec).name(), one.name());
    }

    #[test]
    fn what_concerns_one_nameserver_leaves_the_others_as_they_are() {
        let template = json!({"spec": {"containers": []}});
        let before = Revision::of_spec(&spec(template.clone(), Value::Null));
        let after = Revision::of_spec(&spec(
            template,
            json!({"loadBalancerIP": "192.0.2.2", "annotations": {"b": "2"}}),
        ));
        assert_ne!(before.name(), after.name());
        assert_eq!(before.of("ns1"), after.of("ns1"));
        assert_eq!(before.of("ns1").name(), after.of("ns1").name());
        assert_ne!(before.of("ns2").name(), after.of("ns2").name());
        let service = after.of("ns2").service;
        assert_eq!(service.load_balancer_ip.as_deref(), Some("192.0.2.2"));
        assert_eq!(service.kind, Some(port53_crds::ServiceKind::LoadBalancer));
        assert_eq!(service.annotations.len(), 2);
    }

    #[test]
    fn what_was_kept_is_read_as_it_was() {
        let revision = Revision::of_spec(&spec(
            json!({"spec": {"containers": [{"name": "resolver"}]}}),
            json!({"nodePort": 30053}),
        ));
        let text = serde_json::to_string(&revision).expect("JSON");
        let read: Revision = serde_json::from_str(&text).expect("a revision");
        assert_eq!((read.name(), &read), (revision.name(), &revision));
    }
}
