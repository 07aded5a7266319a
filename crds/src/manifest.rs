//! The definitions as they go to a cluster, and as the files of `crds/manifests`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};

/// The definitions of all resources, in the order of their files.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    [
        crate::DNSRecord::crd(),
        crate::NameserverSet::crd(),
        crate::ZoneHead::crd(),
        crate::ZoneMigration::crd(),
        crate::ZoneRevision::crd(),
        crate::Zone::crd(),
        crate::ZoneSlice::crd(),
    ]
    .into_iter()
    .map(with_default_status)
    .collect()
}

/// Where the files are, from this package: for people, and for Helm, which follows no links without a word.
pub const DIRECTORIES: [&str; 2] = ["manifests", "../charts/port53/crds"];

/// A file of `crds/manifests`.
pub struct Manifest {
    /// Its name in that directory.
    pub file: String,
    /// What stands in it.
    pub text: String,
}

/// The files of `crds/manifests` as they should be.
pub fn manifests() -> Result<Vec<Manifest>, ManifestError> {
    definitions().iter().map(manifest).collect()
}

fn manifest(definition: &CustomResourceDefinition) -> Result<Manifest, ManifestError> {
    let mut value = serde_json::to_value(definition).map_err(|error| ManifestError(error.to_string()))?;
    with_integers(&mut value);
    let options = serde_saphyr::ser_options! { compact_list_indent: true, prefer_block_scalars: false };
    let yaml = serde_saphyr::to_string_with_options(&value, options)
        .map_err(|error| ManifestError(error.to_string()))?;
    Ok(Manifest {
        file: format!("{}.yaml", definition.spec.names.plural),
        text: format!("# Written by `make generate` from the types in crds/src. Do not edit.\n{yaml}"),
    })
}

/// A definition that cannot be written as YAML.
#[derive(Debug)]
pub struct ManifestError(String);

impl std::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ManifestError {}

/// A new object has a status that nobody has looked at it: what waits for it by kstatus (Helm, Flux) takes an
/// object without a known condition, and without this, for current.
fn with_default_status(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        tidy(schema);
        if let Some(status) = schema.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            status.default = Some(JSON(json!({"observedGeneration": crate::NOT_OBSERVED})));
        }
    }
    definition
}

/// An optional field is left out, never null: an API server then drops a null as if it were not written. A
/// description is one paragraph, wherever the comment it comes from breaks its lines.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        tidy(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

/// Bounds of integers are floating-point numbers in a definition's type; people read them as integers.
fn with_integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 2e15) {
                *number = (float as i64).into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(with_integers),
        Value::Object(fields) => fields.values_mut().for_each(with_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_is_committed_is_what_is_generated() {
        for directory in DIRECTORIES {
            let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(directory);
            let mut expected = Vec::new();
            for manifest in manifests().unwrap() {
                let committed = fs::read_to_string(directory.join(&manifest.file)).unwrap_or_default();
                assert_eq!(committed, manifest.text, "{}: run `make generate`", manifest.file);
                expected.push(manifest.file);
            }
            expected.sort();
            let mut found: Vec<String> = fs::read_dir(&directory)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            let shown = directory.display();
            assert_eq!(found, expected, "{shown} has other files: remove them, then run `make generate`");
        }
    }

    #[test]
    fn a_new_object_has_a_status_that_nobody_looked() {
        for definition in definitions() {
            let schema = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
            let status = schema.properties.unwrap().remove("status");
            let is_written_by_people = ["Zone", "DNSRecord", "NameserverSet", "ZoneMigration"]
                .contains(&definition.spec.names.kind.as_str());
            let expected = is_written_by_people.then(|| JSON(json!({"observedGeneration": -1})));
            assert_eq!(status.map(|status| status.default), expected.map(Some));
        }
    }

    /// Strings, lists and maps without a bound make the price of a rule the largest possible.
    #[test]
    fn everything_is_bounded() {
        fn check(path: &str, schema: &JSONSchemaProps) {
            match schema.type_.as_deref() {
                Some("string") => assert!(schema.max_length.is_some() || schema.enum_.is_some(), "{path}"),
                Some("array") => assert!(schema.max_items.is_some(), "{path}"),
                Some("object") if schema.additional_properties.is_some() => {
                    assert!(schema.max_properties.is_some(), "{path}");
                }
                Some("integer") if path.contains(".spec.") => {
                    assert!(schema.minimum.is_some() && schema.maximum.is_some(), "{path}");
                }
                _ => {}
            }
            for (name, property) in schema.properties.iter().flatten() {
                check(&format!("{path}.{name}"), property);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
                check(&format!("{path}[]"), items);
            }
            if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
                check(&format!("{path}[key]"), values);
            }
            for rule in schema.x_kubernetes_validations.iter().flatten() {
                let message = rule.message.as_deref().unwrap_or_default();
                let fix = message.split_once(": ").map(|(_, fix)| fix).unwrap_or_default();
                assert!(
                    ["write ", "create ", "leave "].iter().any(|verb| fix.starts_with(verb)),
                    "{path}: the message {message:?} says not what to write"
                );
            }
        }
        for definition in definitions() {
            let schema = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
            check(&definition.spec.names.kind, &schema);
        }
    }
}
