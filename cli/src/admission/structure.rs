//! What the schema refuses without its rules, in the words of an API server.
//!
//! A JSON Schema library finds the violations. What OpenAPI and Kubernetes add to JSON Schema is looked for
//! here: the ranges of integer formats, and lists that are sets or maps.

use std::collections::HashSet;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::Refusal;
use super::node::{List, Node};
use super::path::{Broken, Path};

/// Refuses what the schema does, and notes which fields keep rules from being evaluated.
pub(super) fn check(
    schema: &Validator,
    root: &Node,
    body: &Value,
    broken: &mut Broken,
    refusals: &mut Vec<Refusal>,
) {
    for error in schema.iter_errors(body) {
        let refusal = refusal(root, &error);
        if is_blocking(error.kind()) {
            broken.insert(&refusal.field);
        }
        refusals.push(refusal);
    }
    beyond_json_schema(root, body, &mut Path::default(), refusals);
}

/// Whether an API server evaluates no rules of what holds this. A number out of its bounds, or a list that is too
/// short, is one that rules can be asked about.
fn is_blocking(kind: &ValidationErrorKind) -> bool {
    matches!(
        kind,
        ValidationErrorKind::Type { .. }
            | ValidationErrorKind::Required { .. }
            | ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::MaxLength { .. }
            | ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::MaxProperties { .. }
    )
}

fn refusal(root: &Node, error: &ValidationError<'_>) -> Refusal {
    let mut field = String::new();
    let mut node = Some(root);
    for segment in error.instance_path().segments() {
        match segment {
            LocationSegment::Index(index) => {
                field.push_str(&format!("[{index}]"));
                node = node.and_then(|node| node.items.as_deref());
            }
            LocationSegment::Property(name) => {
                push_field(&mut field, &name);
                node = node.and_then(|node| node.property(&name));
            }
        }
    }
    if let ValidationErrorKind::Required { property } = error.kind() {
        let name = property.as_str().unwrap_or_default();
        push_field(&mut field, name);
        let node = node.and_then(|node| node.property(name));
        return Refusal { field, message: "Required value".to_owned(), fix: missing(name, node) };
    }
    let (message, fix) = explain(error, node);
    Refusal { field, message, fix }
}

fn push_field(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

fn missing(name: &str, node: Option<&Node>) -> String {
    match node.map(|node| node.summary.as_str()).filter(|summary| !summary.is_empty()) {
        Some(summary) => format!("write {name}: {summary}"),
        None => format!("write {name}"),
    }
}

/// The message and the fix of anything but a missing field.
fn explain(error: &ValidationError<'_>, node: Option<&Node>) -> (String, String) {
    let value = error.instance();
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(expected) } => {
            let expected = expected.to_string();
            (wrong_type(&expected, value), right_type(&expected, value, node))
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> =
                options.as_array().into_iter().flatten().map(ToString::to_string).collect();
            let options = options.join(", ");
            (
                format!("Unsupported value: {}: supported values: {options}", short(value)),
                format!("write one of {options}"),
            )
        }
        ValidationErrorKind::MaxLength { limit } => {
            (format!("may not be more than {limit} bytes"), format!("write at most {limit} characters"))
        }
        ValidationErrorKind::MinLength { limit } => {
            (format!("should be at least {limit} chars long"), format!("write at least {limit} characters"))
        }
        ValidationErrorKind::MaxItems { limit } => {
            (format!("must have at most {limit} items"), format!("write at most {limit}"))
        }
        ValidationErrorKind::MinItems { limit } => {
            (format!("should have at least {limit} items"), format!("write at least {limit}"))
        }
        ValidationErrorKind::MaxProperties { limit } => {
            (format!("must have at most {limit} items"), format!("write at most {limit}"))
        }
        ValidationErrorKind::Maximum { limit } => {
            let limit = whole(limit);
            (format!("should be less than or equal to {limit}"), format!("write a number up to {limit}"))
        }
        ValidationErrorKind::Minimum { limit } => {
            let limit = whole(limit);
            (format!("should be greater than or equal to {limit}"), format!("write a number from {limit}"))
        }
        ValidationErrorKind::Pattern { pattern } => {
            (format!("should match '{pattern}'"), format!("write a text that matches {pattern}"))
        }
        ValidationErrorKind::Format { format } => {
            (format!("must be of type {format}: {}", short(value)), format!("write it in the form {format}"))
        }
        _ => (error.to_string(), "write what the definition of the resource says".to_owned()),
    }
}

/// As an API server says it.
pub(super) fn wrong_type(expected: &str, value: &Value) -> String {
    format!("must be of type {expected}: \"{}\"", type_name(value))
}

/// The type of a value in the words of a schema.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_whole(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// What to write instead of a value of the wrong type.
pub(super) fn right_type(expected: &str, value: &Value, node: Option<&Node>) -> String {
    match (expected, value) {
        ("string", Value::Bool(_)) => {
            "write it in quotes: without them YAML reads no, off, on, yes and their like as booleans"
                .to_owned()
        }
        ("string", Value::Number(number)) => {
            format!("write it in quotes: without them YAML reads the number {number}")
        }
        ("string", _) => "write one text".to_owned(),
        ("integer", Value::String(text)) => match (text.parse::<i64>(), port53_crds::parse_duration(text)) {
            (Ok(number), _) => format!("write it without quotes: {number}"),
            (_, Ok(duration)) => format!("write seconds: {}", duration.as_secs()),
            _ => "write a whole number".to_owned(),
        },
        ("integer", _) => "write a whole number".to_owned(),
        ("array", Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
            format!("write a list, even of one: [{}]", short(value))
        }
        ("array", _) => "write a list, its items after dashes or in brackets".to_owned(),
        ("object", _) => match node.filter(|node| !node.properties.is_empty()) {
            Some(node) => {
                let names: Vec<&str> = node.properties.iter().map(|(name, _)| name.as_str()).collect();
                format!("write a mapping with the fields {}", names.join(", "))
            }
            None => "write a mapping".to_owned(),
        },
        _ => format!("write a value of type {expected}"),
    }
}

/// A value as JSON, cut where it gets long.
fn short(value: &Value) -> String {
    const LONGEST: usize = 64;
    let json = match value {
        Value::String(text) => Value::from(text.chars().take(LONGEST + 1).collect::<String>()).to_string(),
        Value::Array(_) | Value::Object(_) => return type_name(value).to_owned(),
        other => other.to_string(),
    };
    match json.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &json[..end]),
        None => json,
    }
}

/// A bound of an integer, which a definition holds as a floating-point number.
fn whole(limit: &Value) -> String {
    match limit.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{}", float as i64),
        _ => limit.to_string(),
    }
}

fn beyond_json_schema(node: &Node, value: &Value, path: &mut Path, refusals: &mut Vec<Refusal>) {
    match value {
        Value::Number(number) => {
            if let Some((least, most)) = node.range.filter(|_| is_whole(number)) {
                let inside =
                    number.as_f64().is_some_and(|float| float >= least as f64 && float < most as f64 + 1.0);
                if !inside {
                    refusals.push(Refusal {
                        field: path.as_str().to_owned(),
                        message: format!("should be between {least} and {most}"),
                        fix: format!("write a number from {least} to {most}"),
                    });
                }
            }
        }
        Value::Array(items) => {
            let Some(item_node) = &node.items else { return };
            let mut seen = HashSet::new();
            for (index, item) in items.iter().enumerate() {
                path.item(index, |path| {
                    if matches!(node.list, List::Map(_)) && !item.is_object() {
                        refusals.push(Refusal {
                            field: path.as_str().to_owned(),
                            message: format!(
                                "Invalid value: {item}: must be an object for an array of list-type map"
                            ),
                            fix: "write a mapping".to_owned(),
                        });
                    }
                    if let Some(key) = key(&node.list, item).filter(|key| !seen.insert(key.clone())) {
                        refusals.push(Refusal {
                            field: path.as_str().to_owned(),
                            message: format!("Duplicate value: {key}"),
                            fix: "write it once".to_owned(),
                        });
                    }
                    beyond_json_schema(item_node, item, path, refusals);
                });
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(node) = node.property(name) {
                    path.field(name, |path| beyond_json_schema(node, value, path, refusals));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// What must not stand twice in the list, of one item.
fn key(list: &List, item: &Value) -> Option<String> {
    match list {
        List::Atomic => None,
        List::Set => Some(item.to_string()),
        List::Map(names) => {
            let keys: serde_json::Map<String, Value> =
                names.iter().filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect();
            (keys.len() == names.len()).then(|| Value::Object(keys).to_string())
        }
    }
}
