//! The fixtures of `tests/fixtures/api` through admission: what is accepted, and what is refused with exactly
//! the fields and messages that its first lines say. `tests/tests/api` tries the same on a real API server.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod fixtures;

use std::collections::BTreeSet;

use port53_cli::admission::Admission;
use serde_json::Value;

use fixtures::{Expected, fixtures, without_indices};

#[test]
fn what_is_right_is_accepted() {
    let admission = Admission::new().unwrap();
    for fixture in fixtures("accepted") {
        let (objects, old) = fixture.objects();
        assert!(!objects.is_empty(), "{}", fixture.name);
        for object in objects {
            if let Err(refusals) = admission.admit(object, old) {
                panic!("{}: {refusals:#?}", fixture.name);
            }
        }
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_field_and_message() {
    let admission = Admission::new().unwrap();
    let mut wrong = Vec::new();
    for fixture in fixtures("refused") {
        let (objects, old) = fixture.objects();
        let [object] = objects else { panic!("{}: one object a file", fixture.name) };
        let refusals = admission.admit(object, old).err().unwrap_or_default();
        assert!(refusals.iter().all(|refusal| !refusal.fix.is_empty()), "{}: {refusals:#?}", fixture.name);
        let mut found: Vec<(String, String)> =
            refusals.into_iter().map(|refusal| (refusal.field, refusal.message)).collect();
        found.sort();
        let expected: Vec<(String, String)> =
            fixture.expected.iter().map(|one| (one.field.clone(), one.message.clone())).collect();
        if found != expected || found.is_empty() {
            wrong.push(format!("{}: {found:#?}, instead of {expected:#?}", fixture.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule, bound or type of a definition: the kind it belongs to, the field, and how a message about it begins.
type Demand = (String, String, String);

/// What the spec of each definition demands, with list indices and map keys left out.
fn demands() -> BTreeSet<Demand> {
    let mut demands = BTreeSet::new();
    for definition in port53_crds::definitions() {
        let definition = serde_json::to_value(definition).unwrap();
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        collect(kind, "spec", spec, &mut demands);
    }
    demands
}

fn collect(kind: &str, field: &str, schema: &Value, demands: &mut BTreeSet<Demand>) {
    for (keyword, value) in schema.as_object().unwrap() {
        let mut demand = |field: &str, message: &str| {
            demands.insert((kind.to_owned(), field.to_owned(), message.to_owned()));
        };
        match keyword.as_str() {
            "type" => demand(field, &format!("must be of type {}", value.as_str().unwrap())),
            "maxLength" => demand(field, "may not be more than"),
            "maxItems" | "maxProperties" => demand(field, "must have at most"),
            "minLength" | "minItems" => demand(field, "should"),
            "minimum" => demand(field, "should be greater"),
            "maximum" => demand(field, "should be less"),
            "enum" => demand(field, "Unsupported value"),
            "x-kubernetes-list-type" if value == "set" => demand(&format!("{field}[]"), "Duplicate value"),
            "required" => {
                for name in value.as_array().unwrap() {
                    demand(&format!("{field}.{}", name.as_str().unwrap()), "Required value");
                }
            }
            "x-kubernetes-validations" => {
                for rule in value.as_array().unwrap() {
                    let below = rule["fieldPath"].as_str().unwrap_or_default();
                    demand(&format!("{field}{below}"), rule["message"].as_str().unwrap());
                }
            }
            "properties" => {
                for (name, schema) in value.as_object().unwrap() {
                    collect(kind, &format!("{field}.{name}"), schema, demands);
                }
            }
            "items" => collect(kind, &format!("{field}[]"), value, demands),
            "additionalProperties" => collect(kind, &format!("{field}[]"), value, demands),
            _ => {}
        }
    }
}

#[test]
fn every_rule_and_every_bound_has_a_file_that_breaks_it() {
    let broken: Vec<Demand> = fixtures("refused")
        .into_iter()
        .flat_map(|fixture| {
            let kind = fixture.kind().to_owned();
            let demand = move |one: Expected| (kind.clone(), without_indices(&one.field), one.message);
            fixture.expected.into_iter().map(demand)
        })
        .collect();
    let unbroken: Vec<Demand> = demands()
        .into_iter()
        .filter(|(kind, field, start)| {
            !broken
                .iter()
                .any(|(of, at, message)| of == kind && at == field && message.contains(start.as_str()))
        })
        .collect();
    assert!(unbroken.is_empty(), "no refused fixture breaks these: {unbroken:#?}");
}

/// The fields of an object that have a value, as [`demands`] names them.
fn fields(object: &Value) -> BTreeSet<String> {
    fn collect(field: &str, value: &Value, fields: &mut BTreeSet<String>) {
        match value {
            // As good as not written.
            Value::Null => return,
            Value::Array(items) => items.iter().for_each(|item| collect(&format!("{field}[]"), item, fields)),
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                collect(&without_indices(&format!("{field}.{name}")), value, fields);
            }),
            _ => {}
        }
        fields.insert(field.to_owned());
    }
    let mut fields = BTreeSet::new();
    collect("spec", &object["spec"], &mut fields);
    fields
}

/// What is right of a field that has a rule or bound is accepted, and of one that may not change an update is.
#[test]
fn every_field_with_a_rule_or_bound_is_in_a_file_that_is_accepted() {
    let (mut created, mut updated) = (BTreeSet::new(), BTreeSet::new());
    for fixture in fixtures("accepted") {
        let (objects, old) = fixture.objects();
        for object in objects {
            let kind = object["kind"].as_str().unwrap();
            let with_kind = |field: String| (kind.to_owned(), field);
            let before = old.map(fields);
            updated.extend(fields(object).into_iter().filter_map(|field| {
                before.as_ref().is_some_and(|before| before.contains(&field)).then(|| with_kind(field))
            }));
            created.extend(fields(object).into_iter().map(with_kind));
        }
    }
    let missing: Vec<Demand> = demands()
        .into_iter()
        .filter(|(kind, field, start)| {
            let place = (kind.clone(), field.clone());
            let accepted = if start.contains("immutable") { &updated } else { &created };
            !accepted.contains(&place)
        })
        .collect();
    assert!(missing.is_empty(), "no accepted fixture has these: {missing:#?}");
}
