//! The metadata of an object, which no schema of a definition describes. What is wrong with a name or a key is said
//! in the words of an API server.

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
        Text::Given(name) => {
            refusals.extend(subdomain(name).map(|wrong| refusal("metadata.name", wrong, FIX)));
        }
        Text::Refused => {}
    }
}

fn namespace(fields: &Map<String, Value>, refusals: &mut Vec<Refusal>) {
    const FIX: &str = "write lower case letters, digits and hyphens, at most 63 characters, with a letter or digit \
                       at both ends, such as dns";
    match text(fields, "namespace", refusals) {
        Text::Given(name) => {
            refusals.extend(label(name).map(|wrong| refusal("metadata.namespace", wrong, FIX)));
        }
        Text::Absent | Text::Refused => {}
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
        refusals.extend(qualified_name(&lower).into_iter().map(|wrong| {
            refusal(
                &path,
                invalid(&lower, &wrong),
                "write letters, digits, hyphens, underscores and dots as the key, at most 63, with a letter or digit \
                 at both ends, and before them a DNS name and a slash if you like, such as example.com/team",
            )
        }));
        match value {
            Value::String(text) => {
                size += key.len() + text.len();
                if is_label {
                    refusals.extend(label_value(text).map(|wrong| {
                        refusal(
                            &path,
                            invalid(text, wrong),
                            &format!(
                                "write letters, digits, hyphens, underscores and dots as the value of {key}, at most \
                                 63, with a letter or digit at both ends"
                            ),
                        )
                    }));
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

/// What is wrong with one of several texts of a field.
fn invalid(text: &str, wrong: &str) -> String {
    format!("Invalid value: {:?}: {wrong}", text.chars().take(80).collect::<String>())
}

/// What is wrong with a namespace's name: RFC 1123 §2.1, in lower case.
fn label(text: &str) -> impl Iterator<Item = &'static str> {
    [
        (text.len() > 63).then_some("must be no more than 63 characters"),
        (!is_lower_label(text)).then_some(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
             and end with an alphanumeric character",
        ),
    ]
    .into_iter()
    .flatten()
}

/// What is wrong with an object's name.
fn subdomain(text: &str) -> impl Iterator<Item = &'static str> {
    [
        (text.len() > 253).then_some("must be no more than 253 characters"),
        (!text.split('.').all(is_lower_label)).then_some(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character",
        ),
    ]
    .into_iter()
    .flatten()
}

/// What is wrong with a key.
fn qualified_name(key: &str) -> Vec<String> {
    const FORM: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                        alphanumeric character";
    let (prefix, name) = match key.split_once('/') {
        Some((_, name)) if name.contains('/') => return vec![format!("a qualified name {FORM}")],
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let mut wrong = Vec::new();
    match prefix {
        Some("") => wrong.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => wrong.extend(subdomain(prefix).map(|wrong| format!("prefix part {wrong}"))),
        None => {}
    }
    match name {
        "" => wrong.push("name part must be non-empty".to_owned()),
        name if name.len() > 63 => wrong.push("name part must be no more than 63 characters".to_owned()),
        _ => {}
    }
    if !is_name(name) {
        wrong.push(format!("name part {FORM}"));
    }
    wrong
}

/// What is wrong with a label's value.
fn label_value(text: &str) -> impl Iterator<Item = &'static str> {
    [
        (text.len() > 63).then_some("must be no more than 63 characters"),
        (!text.is_empty() && !is_name(text)).then_some(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
        ),
    ]
    .into_iter()
    .flatten()
}

fn is_lower_label(text: &str) -> bool {
    is_between_alphanumerics(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), "-")
}

fn is_name(text: &str) -> bool {
    is_between_alphanumerics(text, |c| c.is_ascii_alphanumeric(), "-_.")
}

fn is_between_alphanumerics(text: &str, is_alphanumeric: fn(char) -> bool, others: &str) -> bool {
    text.starts_with(is_alphanumeric)
        && text.ends_with(is_alphanumeric)
        && text.chars().all(|c| is_alphanumeric(c) || others.contains(c))
}
