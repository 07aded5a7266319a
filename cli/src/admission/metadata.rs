//! The metadata of an object, which no schema of a definition describes.

use serde_json::{Map, Value};

use super::node::unknown;
use super::path::Path;
use super::{Refusal, structure};

const FIELDS: [&str; 15] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "generateName",
    "finalizers",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// Octets of all annotations together.
const MAX_ANNOTATIONS: usize = 262_144;

/// Refuses metadata that an API server would not take.
pub(super) fn check(metadata: Option<&Value>, refusals: &mut Vec<Refusal>) {
    let empty = Map::new();
    let fields = match metadata {
        Some(Value::Object(fields)) => fields,
        None | Some(Value::Null) => &empty,
        Some(other) => {
            let message = structure::wrong_type("object", other);
            refusals.push(refusal("metadata", message, "write a mapping with at least a name"));
            return;
        }
    };
    let mut path = Path::default();
    path.field("metadata", |path| {
        for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            path.field(name, |path| refusals.push(unknown(name, path, FIELDS.into_iter(), fields)));
        }
    });
    name(fields, refusals);
    namespace(fields, refusals);
    for (field, is_label) in [("labels", true), ("annotations", false)] {
        pairs(fields, field, is_label, refusals);
    }
}

fn name(fields: &Map<String, Value>, refusals: &mut Vec<Refusal>) {
    const FIX: &str = "write lower case letters, digits, hyphens and dots, at most 253 characters, with a letter or \
                       digit on both sides of each dot and at both ends, such as www-a";
    match text(fields, "name", refusals) {
        Text::Absent => refusals.push(refusal("metadata.name", "Required value", FIX)),
        Text::Given(name) if is_subdomain(name) => {}
        Text::Given(_) => refusals.push(refusal("metadata.name", "not a lowercase RFC 1123 subdomain", FIX)),
        Text::Refused => {}
    }
}

fn namespace(fields: &Map<String, Value>, refusals: &mut Vec<Refusal>) {
    match text(fields, "namespace", refusals) {
        Text::Given(name) if !is_label(name) => refusals.push(refusal(
            "metadata.namespace",
            "not a lowercase RFC 1123 label",
            "write lower case letters, digits and hyphens, at most 63 characters, with a letter or digit at both \
             ends, such as dns",
        )),
        Text::Absent | Text::Given(_) | Text::Refused => {}
    }
}

enum Text<'v> {
    Absent,
    Given(&'v str),
    Refused,
}

fn text<'v>(fields: &'v Map<String, Value>, name: &str, refusals: &mut Vec<Refusal>) -> Text<'v> {
    match fields.get(name) {
        None | Some(Value::Null) => Text::Absent,
        Some(Value::String(text)) if text.is_empty() => Text::Absent,
        Some(Value::String(text)) => Text::Given(text),
        Some(other) => {
            refusals.push(not_text(&format!("metadata.{name}"), other));
            Text::Refused
        }
    }
}

/// Labels, or annotations.
fn pairs(fields: &Map<String, Value>, field: &str, is_label: bool, refusals: &mut Vec<Refusal>) {
    let path = format!("metadata.{field}");
    let pairs = match fields.get(field) {
        None | Some(Value::Null) => return,
        Some(Value::Object(pairs)) => pairs,
        Some(other) => {
            let message = structure::wrong_type("object", other);
            refusals.push(refusal(&path, message, "write a mapping of texts"));
            return;
        }
    };
    let mut size = 0;
    for (key, value) in pairs {
        let lower = if is_label { key.clone() } else { key.to_lowercase() };
        if !is_qualified(&lower) {
            refusals.push(refusal(
                &path,
                format!("the key \"{key}\" is not a qualified name"),
                "write letters, digits, hyphens, underscores and dots, at most 63, with a letter or digit at both \
                 ends, and before them a DNS name and a slash if you like, such as example.com/team",
            ));
        }
        match value {
            Value::String(text) => {
                size += key.len() + text.len();
                if is_label && !is_label_value(text) {
                    refusals.push(refusal(
                        &path,
                        format!("the value \"{}\" of {key} is not a label's", text.chars().take(80).collect::<String>()),
                        "write letters, digits, hyphens, underscores and dots, at most 63, with a letter or digit \
                         at both ends",
                    ));
                }
            }
            other => refusals.push(not_text(&format!("{path}.{key}"), other)),
        }
    }
    if !is_label && size > MAX_ANNOTATIONS {
        refusals.push(refusal(
            &path,
            format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes"),
            "write less into annotations",
        ));
    }
}

fn not_text(field: &str, value: &Value) -> Refusal {
    refusal(field, structure::wrong_type("string", value), &structure::right_type("string", value, None))
}

fn refusal(field: &str, message: impl Into<String>, fix: &str) -> Refusal {
    Refusal { field: field.to_owned(), message: message.into(), fix: fix.to_owned() }
}

/// RFC 1123 §2.1, in lower case.
fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_between_alphanumerics(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), "-")
}

fn is_subdomain(text: &str) -> bool {
    let is_part =
        |part: &str| is_between_alphanumerics(part, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), "-");
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_qualified(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

fn is_label_value(text: &str) -> bool {
    text.is_empty()
        || (text.len() <= 63 && is_between_alphanumerics(text, |c| c.is_ascii_alphanumeric(), "-_."))
}

fn is_between_alphanumerics(text: &str, is_alphanumeric: fn(char) -> bool, others: &str) -> bool {
    text.starts_with(is_alphanumeric)
        && text.ends_with(is_alphanumeric)
        && text.chars().all(|c| is_alphanumeric(c) || others.contains(c))
}
