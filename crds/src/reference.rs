//! The reference of the API, `docs/api.md`, made of the schemas of the definitions.

use std::fmt::Write;

use serde_json::Value;

use crate::definitions;

const HEAD: &str = "# The API\n\n\
    Every field of every kind of `port53.dev/v1alpha1`, made of the definitions by `make generate`. Bounds and rules are \
    checked by the API server; `kubectl explain zone.spec` says the same. What conditions and their reasons mean is in \
    [conditions.md](conditions.md).\n";
/// A pod template of Kubernetes, of which the schema knows what must be there alone.
const DEEPEST: usize = 6;

/// The document.
///
/// # Panics
/// When a definition has no schema: all are made in this crate.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    let definitions = definitions();
    let of = |kind: &&str| definitions.iter().find(|definition| definition.spec.names.kind == *kind);
    let parts: [(&str, &[&str]); 2] = [
        ("What people write", &["Zone", "DNSRecord", "NameserverSet", "ZoneMigration"]),
        ("What is published, by the operator alone", &["ZoneHead", "ZoneRevision", "ZoneSlice"]),
    ];
    for (title, kinds) in parts {
        let _ = write!(text, "\n## {title}\n");
        for definition in kinds.iter().filter_map(of) {
            let names = &definition.spec.names;
            let version = definition.spec.versions.first().expect("a definition has a version");
            let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
            let schema = serde_json::to_value(schema).expect("a schema is JSON");
            let short = names.short_names.iter().flatten().map(|name| format!(", `{name}`"));
            let short: String = short.collect();
            let _ = write!(
                text,
                "\n### {}\n\n`{}`{short}. {}\n\n| field | type | what it is |\n|---|---|---|\n",
                names.kind,
                names.plural,
                schema["description"].as_str().unwrap_or_default()
            );
            for part in ["spec", "status"] {
                rows(part, &schema["properties"][part], 0, &mut text);
            }
        }
    }
    text
}

/// The rows of a field and of those below it.
fn rows(path: &str, schema: &Value, depth: usize, text: &mut String) {
    if schema.is_null() {
        return;
    }
    let what = schema["description"].as_str().unwrap_or_default();
    let what = what.replace('\n', " ").replace('|', "\\|");
    let default = match &schema["default"] {
        // An object whose fields have defaults of their own.
        Value::Null | Value::Object(_) => String::new(),
        default => format!(" Default: `{default}`."),
    };
    let _ = writeln!(text, "| `{path}` | {} | {what}{default} |", kind(schema));
    if depth == DEEPEST {
        return;
    }
    let (path, below) = match schema["items"].as_object() {
        Some(_) => (format!("{path}[]"), &schema["items"]),
        None => (path.to_owned(), schema),
    };
    for (name, field) in below["properties"].as_object().into_iter().flatten() {
        // Conditions are those of Kubernetes.
        if !path.ends_with("conditions[]") {
            rows(&format!("{path}.{name}"), field, depth + 1, text);
        }
    }
}

/// What may stand in a field.
fn kind(schema: &Value) -> String {
    let named = schema["type"].as_str().unwrap_or("anything");
    let values: Vec<String> = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|value| Some(format!("`{}`", value.as_str()?)))
        .collect();
    match (values.is_empty(), named) {
        (false, _) => values.join(", "),
        (true, "array") => format!("list of {}", kind(&schema["items"])),
        (true, "object") if schema["additionalProperties"].is_object() => {
            format!("map to {}", kind(&schema["additionalProperties"]))
        }
        (true, named) => named.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    fn read(file: &str) -> String {
        let path = format!("{}/../docs/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    #[test]
    fn the_reference_is_that_of_the_definitions() {
        assert_eq!(read("api.md"), document(), "run make generate");
    }

    #[test]
    fn every_field_says_what_it_is() {
        let document = document();
        let silent: Vec<&str> = document.lines().filter(|line| line.ends_with("|  |")).collect();
        // Parts of a pod template, which Kubernetes documents.
        let ours = silent.iter().filter(|line| !line.contains("spec.template"));
        assert_eq!(ours.collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    /// "what each condition and reason means and what to do"
    #[test]
    fn every_reason_is_explained() {
        let text = read("conditions.md");
        for reason in Reason::ALL {
            let reason = reason.as_str();
            assert!(text.contains(&format!("`{reason}`")), "docs/conditions.md does not explain {reason}");
        }
    }
}
