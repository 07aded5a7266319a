//! The fixtures of `tests/fixtures/api` through admission: what is accepted, and what is refused with exactly
//! the fields and messages that its first lines say. A file that says `# update` has the old object before the
//! new one.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use port53_cli::admission::Admission;
use port53_cli::yaml;
use serde_json::Value;

struct Fixture {
    name: String,
    objects: Vec<Value>,
    is_update: bool,
    /// Field and message.
    expected: Vec<(String, String)>,
}

fn fixtures(side: &str) -> Vec<Fixture> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/api").join(side);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Fixture {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(path).unwrap();
    let mut fixture = Fixture { name, objects: Vec::new(), is_update: false, expected: Vec::new() };
    for line in text.lines().take_while(|line| line.starts_with("# ")) {
        if line == "# update" {
            fixture.is_update = true;
        } else if let Some(field) = line.strip_prefix("# field: ") {
            fixture.expected.push((field.to_owned(), String::new()));
        } else if let Some(message) = line.strip_prefix("# message: ") {
            fixture.expected.last_mut().expect("a field before its message").1 = message.to_owned();
        }
    }
    fixture.objects = yaml::documents(text.as_bytes())
        .into_iter()
        .map(|document| document.unwrap_or_else(|problem| panic!("{}: {problem}", fixture.name)).value)
        .collect();
    fixture.expected.sort();
    fixture
}

impl Fixture {
    /// What is judged, and the old object of an update.
    fn objects(&self) -> (&[Value], Option<&Value>) {
        if self.is_update {
            assert_eq!(self.objects.len(), 2, "{}: an old and a new object", self.name);
            (&self.objects[1..], Some(&self.objects[0]))
        } else {
            (&self.objects, None)
        }
    }
}

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
        if found != fixture.expected || found.is_empty() {
            wrong.push(format!("{}: {found:#?}, instead of {:#?}", fixture.name, fixture.expected));
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
            let kind = fixture.objects[0]["kind"].as_str().unwrap_or_default().to_owned();
            let at = |field: &str| without_indices(field);
            fixture.expected.into_iter().map(move |(field, message)| (kind.clone(), at(&field), message))
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

/// `spec.records[0].names[2]` as `spec.records[].names[]`; a key of matchLabels as an index.
fn without_indices(field: &str) -> String {
    let mut text = String::new();
    let mut is_index = false;
    for c in field.chars() {
        is_index = (is_index || c == '[') && c != ']';
        if !is_index || c == '[' {
            text.push(c);
        }
    }
    match text.split_once("matchLabels.") {
        Some((before, _)) => format!("{before}matchLabels[]"),
        None => text,
    }
}
