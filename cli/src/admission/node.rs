//! A schema as a tree, for what walks an object: unknown fields, defaults, and the rules of each field.

use serde_json::{Map, Value};

use super::Refusal;
use super::nearest::nearest;
use super::path::Path;
use super::rules::{Engine, Rule};

/// What a schema says of one value.
#[derive(Default)]
pub(super) struct Node {
    pub(super) type_name: String,
    pub(super) properties: Vec<(String, Node)>,
    /// The schema of the values of a map.
    pub(super) values: Option<Box<Node>>,
    pub(super) items: Option<Box<Node>>,
    pub(super) list: List,
    /// The range of an integer's format.
    pub(super) range: Option<(i64, i64)>,
    pub(super) rules: Vec<Rule>,
    /// The first sentence of its description.
    pub(super) summary: String,
    default: Option<Value>,
    /// Whether fields that it does not have are kept as they are.
    keeps_unknown: bool,
}

/// What must differ between the items of a list.
#[derive(Default, PartialEq)]
pub(super) enum List {
    /// Nothing.
    #[default]
    Atomic,
    /// The items.
    Set,
    /// These fields of the items together.
    Map(Vec<String>),
}

/// The keywords that are for people, or for the JSON Schema library alone.
const ELSEWHERE: &[&str] = &[
    "type",
    "format",
    "title",
    "required",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
];

impl Node {
    /// Reads a structural schema. A keyword that nothing here evaluates is an error: it would be left out in
    /// silence.
    pub(super) fn new(schema: &Value, engine: &mut Engine) -> Result<Self, String> {
        let mut node = Node::default();
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            match keyword.as_str() {
                "properties" => {
                    for (name, schema) in value.as_object().into_iter().flatten() {
                        node.properties.push((name.clone(), Node::new(schema, engine)?));
                    }
                }
                "additionalProperties" => node.values = Some(Box::new(Node::new(value, engine)?)),
                "items" => node.items = Some(Box::new(Node::new(value, engine)?)),
                "default" => node.default = Some(value.clone()),
                "description" => node.summary = first_sentence(value),
                "x-kubernetes-list-type" if value == "set" => node.list = List::Set,
                "x-kubernetes-list-type" if value == "atomic" || value == "map" => {}
                "x-kubernetes-preserve-unknown-fields" => node.keeps_unknown = value == true,
                "x-kubernetes-list-map-keys" => node.list = List::Map(strings(value)),
                "x-kubernetes-validations" => {
                    for rule in value.as_array().into_iter().flatten() {
                        node.rules.push(engine.compile(rule)?);
                    }
                }
                keyword if ELSEWHERE.contains(&keyword) => {}
                keyword => return Err(format!("its schema has the keyword {keyword}")),
            }
        }
        node.type_name = schema["type"].as_str().unwrap_or_default().to_owned();
        node.range = match schema["format"].as_str() {
            Some("int32") => Some((i32::MIN.into(), i32::MAX.into())),
            Some("int64") => Some((i64::MIN, i64::MAX)),
            _ => None,
        };
        Ok(node)
    }

    /// The schema of a field, or of a map's value.
    pub(super) fn property(&self, name: &str) -> Option<&Node> {
        let known = self.properties.iter().find(|(known, _)| known == name).map(|(_, node)| node);
        known.or(self.values.as_deref())
    }

    /// Fills in defaults. A null stands for a field that is not written.
    pub(super) fn fill(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, value| !value.is_null() || self.property(name).is_none());
                for (name, node) in &self.properties {
                    if let Some(default) = node.default.as_ref().filter(|_| !fields.contains_key(name)) {
                        fields.insert(name.clone(), default.clone());
                    }
                }
                for (name, value) in fields {
                    if let Some(node) = self.property(name) {
                        node.fill(value);
                    }
                }
            }
            Value::Array(items) => {
                for (node, item) in items.iter_mut().filter_map(|item| Some((self.items.as_ref()?, item))) {
                    node.fill(item);
                }
            }
            _ => {}
        }
    }

    /// Refuses the fields that the schema does not have.
    pub(super) fn refuse_unknown(&self, value: &Value, path: &mut Path, refusals: &mut Vec<Refusal>) {
        match value {
            Value::Object(fields) if self.type_name == "object" => {
                for (name, value) in fields {
                    path.field(name, |path| match self.property(name) {
                        Some(node) => node.refuse_unknown(value, path, refusals),
                        None if self.keeps_unknown => {}
                        None => refusals.push(unknown(name, path, self.names(), fields)),
                    });
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(node) = &self.items {
                        path.item(index, |path| node.refuse_unknown(item, path, refusals));
                    }
                }
            }
            _ => {}
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(|(name, _)| name.as_str())
    }
}

/// The refusal of an unknown field, `path`, among `siblings`.
pub(super) fn unknown<'n>(
    name: &str,
    path: &Path,
    known: impl Iterator<Item = &'n str>,
    siblings: &Map<String, Value>,
) -> Refusal {
    let known: Vec<&str> = known.collect();
    let absent = known.iter().copied().filter(|known| !siblings.contains_key(*known));
    let fix = match nearest(name, absent) {
        Some(meant) => format!("write {meant} if that is meant, or leave it out"),
        None => format!("leave it out; the fields here are {}", known.join(", ")),
    };
    Refusal { field: path.as_str().to_owned(), message: format!("unknown field \"{}\"", path.as_str()), fix }
}

fn first_sentence(description: &Value) -> String {
    let text = description.as_str().unwrap_or_default();
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.').to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}
