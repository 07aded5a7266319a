//! Which namespaces a grant is for.
//!
//! The meaning is that of a label selector of Kubernetes; a type of its own only because that one has
//! no bounds in its schema.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Selects namespaces by their labels. All of it must hold; an empty selector is every namespace.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that the namespace has, with these values. Its name is the label
    /// kubernetes.io/metadata.name. At most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::bounds::label_map")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements on labels. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// A requirement on one label.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[x_kube(
    validation = Rule::new("self.operator in ['Exists', 'DoesNotExist'] ? !has(self.values) || self.values.size() == 0 : has(self.values) && self.values.size() > 0")
        .message("In and NotIn compare with values, Exists and DoesNotExist have none: write values with the first two, and leave them out with the others")
        .field_path(".values")
)]
pub struct SelectorRequirement {
    /// The key of the label.
    #[schemars(schema_with = "label_key")]
    pub key: String,
    /// How the label is compared with the values.
    pub operator: SelectorOperator,
    /// What In and NotIn compare with. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "label_values")]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum SelectorOperator {
    /// The label is there and its value is one of the values.
    In,
    /// The label is not there, or its value is none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl NamespaceSelector {
    /// Whether a namespace with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl SelectorRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            SelectorOperator::In => value.is_some_and(|value| self.values.contains(value)),
            SelectorOperator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            SelectorOperator::Exists => value.is_some(),
            SelectorOperator::DoesNotExist => value.is_none(),
        }
    }
}

fn label_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 317})
}

fn label_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": {"type": "string", "maxLength": 63},
        "x-kubernetes-list-type": "atomic",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn requirement(operator: SelectorOperator, values: &[&str]) -> NamespaceSelector {
        NamespaceSelector {
            match_labels: BTreeMap::new(),
            match_expressions: vec![SelectorRequirement {
                key: "team".to_owned(),
                operator,
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            }],
        }
    }

    #[test]
    fn an_empty_selector_is_every_namespace() {
        assert!(NamespaceSelector::default().matches(&labels(&[])));
        assert!(NamespaceSelector::default().matches(&labels(&[("team", "shop")])));
    }

    #[test]
    fn all_labels_must_match() {
        let selector = NamespaceSelector {
            match_labels: labels(&[("team", "shop"), ("env", "prod")]),
            ..NamespaceSelector::default()
        };
        assert!(selector.matches(&labels(&[("team", "shop"), ("env", "prod"), ("other", "x")])));
        assert!(!selector.matches(&labels(&[("team", "shop")])));
        assert!(!selector.matches(&labels(&[("team", "shop"), ("env", "dev")])));
    }

    #[test]
    fn operators_mean_what_they_mean_in_kubernetes() {
        let shop = labels(&[("team", "shop")]);
        let none = labels(&[]);
        let cases = [
            (requirement(SelectorOperator::In, &["shop", "labs"]), true, false),
            (requirement(SelectorOperator::In, &["labs"]), false, false),
            (requirement(SelectorOperator::NotIn, &["shop"]), false, true),
            (requirement(SelectorOperator::NotIn, &["labs"]), true, true),
            (requirement(SelectorOperator::Exists, &[]), true, false),
            (requirement(SelectorOperator::DoesNotExist, &[]), false, true),
        ];
        for (selector, with, without) in cases {
            assert_eq!(selector.matches(&shop), with, "{selector:?}");
            assert_eq!(selector.matches(&none), without, "{selector:?}");
        }
    }
}
