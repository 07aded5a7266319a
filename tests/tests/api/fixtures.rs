//! Every fixture of `tests/fixtures/api` on a real API server, as `kubectl` sends it: validated strictly, and
//! nothing is stored. An update is made of what was stored before.
//!
//! What the API server says is compared, field by field, with what the file expects and with what admission says.
//! It goes through its steps (decoding, metadata, schema, rules) and stops after the first that refuses, where
//! admission says everything at once. So it may say less of a file, never anything else; and what it does not
//! say of one file, because a step before refused it, it says of another. Where its words changed from one version
//! to another, the file has those of each, and it is held to those of the version that it is.

use crate::reader::{Expected, Fixture, fixtures, without_indices};
use kube::{Client, Error};
use port53_cli::admission::Admission;
use port53_tests::cluster::{self, Cluster};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Instant;

/// How the API server says that it stopped before the rules, as a cause without a field.
const STOPPED: &str = "some validation rules were not checked because the object was invalid";

/// How it says, since 1.36, that it cannot check the limits of a value whose type is wrong: as a cause without a
/// field, with the field at the end.
const UNCHECKED: &str = "Checked value must be of type";

/// The field of a cause without one.
const NO_FIELD: &str = "<nil>";

/// What the API server says of an object: nothing, or why it refuses it.
type Verdict = Result<(), Refused>;

#[derive(Debug)]
struct Refused {
    /// By which minor version of Kubernetes 1.
    by: u32,
    message: String,
    /// Field and message, as far as it says them one by one.
    causes: Vec<(String, String)>,
}

#[test]
fn what_is_right_is_accepted() {
    let bench = Bench::new("accepted");
    let started = Instant::now();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for fixture in fixtures("accepted") {
        for object in fixture.objects().0 {
            tried += 1;
            if let Err(refused) = bench.try_out(&fixture, object) {
                wrong.push(format!("{}: {}", fixture.name, refused.message));
            }
        }
    }
    println!("{tried} objects in {:.1?}", started.elapsed());
    assert!(tried > 0 && wrong.is_empty(), "refused by the API server:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_is_refused_in_the_words_of_admission() {
    let bench = Bench::new("refused");
    let started = Instant::now();
    let admission = Admission::new().unwrap();
    let mut wrong = Vec::new();
    let mut said = BTreeSet::new();
    let mut unsaid = Vec::new();
    let all = fixtures("refused");
    for fixture in &all {
        let (objects, old) = fixture.objects();
        let Err(refused) = bench.try_out(fixture, &objects[0]) else {
            wrong.push(format!("{}: accepted by the API server", fixture.name));
            continue;
        };
        let ours = admission.admit(&objects[0], old).err().unwrap_or_default();
        wrong.extend(refused.said_by_nobody_else(&fixture.expected).map(|cause| {
            format!("{}: only the API server says {cause:?}; admission says {ours:#?}", fixture.name)
        }));
        let (here, not_here): (Vec<&Expected>, _) =
            fixture.expected.iter().partition(|expected| refused.says(expected));
        if here.is_empty() {
            wrong.push(format!(
                "{}: the API server says none of {:#?}, but {refused:#?}",
                fixture.name, fixture.expected
            ));
        }
        said.extend(here.into_iter().map(|expected| demand(fixture, expected)));
        unsaid.extend(not_here.into_iter().map(|expected| (fixture, expected)));
    }
    for (fixture, expected) in unsaid {
        if !said.contains(&demand(fixture, expected)) {
            wrong.push(format!(
                "{}: the API server says of no file: {}: {}",
                fixture.name, expected.field, expected.message
            ));
        }
    }
    println!("{} objects in {:.1?}", all.len(), started.elapsed());
    assert!(!all.is_empty() && wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What makes two expectations of two files the same one: kind, field without indices, and the message.
fn demand(fixture: &Fixture, expected: &Expected) -> (String, String, String) {
    (fixture.kind().to_owned(), without_indices(&expected.field), expected.message.clone())
}

impl Refused {
    /// Whether it says this of this field.
    fn says(&self, expected: &Expected) -> bool {
        let since = expected.server.iter().filter(|(since, _)| *since <= self.by).max();
        let words = since.map_or(&expected.message, |(_, words)| words);
        match self.causes.as_slice() {
            // Of what it cannot decode it says what is wrong in one text, with the field in it.
            [] => self.message.contains(words),
            causes => {
                causes.iter().any(|(field, message)| *field == expected.field && message.contains(words))
            }
        }
    }

    /// What it says beyond what is expected.
    fn said_by_nobody_else(&self, expected: &[Expected]) -> impl Iterator<Item = &(String, String)> {
        self.causes.iter().filter(|cause| {
            let alone = Refused { by: self.by, message: String::new(), causes: vec![(*cause).clone()] };
            !self.says_again(cause) && !expected.iter().any(|expected| alone.says(expected))
        })
    }

    /// Whether a cause without a field says no more than that another one is there, which has the field.
    fn says_again(&self, (field, message): &(String, String)) -> bool {
        let ends_with = |field: &str| message.ends_with(&format!(" in {field}"));
        field == NO_FIELD
            && message.contains(UNCHECKED)
            && self.causes.iter().any(|(field, _)| field != NO_FIELD && ends_with(field))
    }
}

/// Where fixtures are tried.
struct Bench {
    cluster: &'static Cluster,
    client: Client,
    /// The minor version of Kubernetes 1 that the API server is.
    version: u32,
    /// Where objects are stored, to be updated.
    stored: String,
}

impl Bench {
    fn new(side: &str) -> Self {
        let cluster = cluster::shared();
        for fixture in fixtures(side) {
            for object in fixture.objects().0 {
                // One that cannot be is refused with the object in it.
                let namespace = namespace(object);
                if !namespace.contains('.') && namespace.len() <= 63 {
                    cluster.ensure_namespace(&namespace);
                }
            }
        }
        let client = cluster.client();
        let version = cluster.block_on(async || client.apiserver_version().await).expect("a version");
        assert_eq!(version.major, "1", "the fixtures tell the minor versions of Kubernetes 1 apart");
        let version = version.minor.parse().expect("a minor version");
        Bench { cluster, client, version, stored: cluster.create_namespace("updates") }
    }

    /// Tries `object` of `fixture`: created, or put in the place of the old one.
    fn try_out(&self, fixture: &Fixture, object: &Value) -> Verdict {
        let Some(old) = fixture.objects().1 else {
            let path =
                format!("{}?dryRun=All&fieldValidation=Strict", collection(object, &namespace(object)));
            return self.send(http::Method::POST, &path, object).map(|_| ());
        };
        let (mut old, mut new) = (old.clone(), object.clone());
        for object in [&mut old, &mut new] {
            object["metadata"]["namespace"] = self.stored.clone().into();
        }
        let collection = collection(&old, &self.stored);
        let created = self
            .send(http::Method::POST, &format!("{collection}?fieldValidation=Strict"), &old)
            .unwrap_or_else(|refused| panic!("{}: the old object: {}", fixture.name, refused.message));
        let path = format!("{collection}/{}", text(&created["metadata"]["name"]));
        new["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"].clone();
        let verdict = self
            .send(http::Method::PUT, &format!("{path}?dryRun=All&fieldValidation=Strict"), &new)
            .map(|_| ());
        self.send(http::Method::DELETE, &path, &Value::Null).expect("it is deleted");
        verdict
    }

    fn send(&self, method: http::Method, path: &str, object: &Value) -> Result<Value, Refused> {
        let body = if object.is_null() { Vec::new() } else { object.to_string().into_bytes() };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("a request");
        self.cluster.block_on(async || self.client.request(request).await).map_err(|error| match error {
            Error::Api(status) => Refused {
                by: self.version,
                message: status.message.clone(),
                causes: status
                    .details
                    .iter()
                    .flat_map(|details| &details.causes)
                    .filter(|cause| !cause.message.contains(STOPPED))
                    .map(|cause| (cause.field.clone(), cause.message.clone()))
                    .collect(),
            },
            other => panic!("{path}: {other}"),
        })
    }
}

/// Where `kubectl` sends it.
fn namespace(object: &Value) -> String {
    match object["metadata"]["namespace"].as_str() {
        None | Some("") => "default".to_owned(),
        Some(namespace) => namespace.to_owned(),
    }
}

fn collection(object: &Value, namespace: &str) -> String {
    let plural = format!("{}s", text(&object["kind"]).to_lowercase());
    format!("/apis/{}/namespaces/{namespace}/{plural}", text(&object["apiVersion"]))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
