//! A file of manifests as objects: each document alone is read, sorted by kind and admitted as an API server
//! would, so that what is wrong with one takes nothing from the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use port53_crds::{DNSRecord, Reason, Zone};
use port53_operator::objects::ObjectRef;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::admission::{Admission, Known};
use crate::finding::{Finding, MALFORMED};
use crate::yaml::{self, Document, Places};

/// What names an object.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Key {
    Namespace(String),
    Ours(ObjectRef),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Namespace(name) => write!(f, "Namespace {name}"),
            Key::Ours(object) => object.fmt(f),
        }
    }
}

/// An object as it counts.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Zone(Arc<Zone>),
    Record(Arc<DNSRecord>),
    /// The labels of a Namespace.
    Namespace(BTreeMap<String, String>),
}

/// An object and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) key: Key,
    pub(crate) object: Object,
    /// As it was admitted, defaults and all: what an update is compared with.
    pub(crate) admitted: Value,
    /// As it is written, where that is kept.
    pub(crate) source: Option<Value>,
    pub(crate) file: Arc<str>,
    /// Of the newest version of its document, which need not be the one that counts.
    pub(crate) places: Arc<Places>,
    /// Where in the document it is: empty, or `items[3]`.
    pub(crate) path: String,
}

impl Written {
    /// Line and column of a field.
    pub(crate) fn at(&self, field: &str) -> (u32, u32) {
        let place = self.places.of(&joined(&self.path, field));
        (place.line, place.column)
    }
}

/// What a file of manifests holds.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) written: Vec<Arc<Written>>,
    pub(crate) findings: Vec<Finding>,
    /// Documents of which it is not known what object they are: objects that the file had before may be
    /// among them.
    pub(crate) unknown: usize,
    /// Objects of kinds that are not ours.
    pub(crate) foreign: usize,
}

/// How objects are read.
pub(crate) struct Context<'a> {
    pub(crate) admission: &'a Admission,
    /// Where objects are that name no namespace.
    pub(crate) namespace: &'a str,
    /// The version of an object that counts so far.
    pub(crate) before: &'a dyn Fn(&Key) -> Option<Arc<Written>>,
    /// Whether objects are kept as they are written, too.
    pub(crate) is_source_kept: bool,
}

/// Reads the text of a file. `file` is what it is called in findings.
pub(crate) fn read(context: &Context<'_>, file: &Arc<str>, text: &[u8]) -> Read {
    let mut read = Read::default();
    for document in yaml::documents(text) {
        match document {
            Ok(Document { value, places, .. }) => {
                let mut reader = Reader { context, file, places: Arc::new(places), read: &mut read };
                reader.object(value, "");
            }
            Err(problem) => {
                let at = (problem.place.line, problem.place.column);
                read.findings.push(Finding::error(file, at, MALFORMED, problem.message, problem.fix));
                read.unknown += 1;
            }
        }
    }
    read
}

struct Reader<'a> {
    context: &'a Context<'a>,
    file: &'a Arc<str>,
    places: Arc<Places>,
    read: &'a mut Read,
}

impl Reader<'_> {
    /// Takes the object at `path` of the document: the whole of it, or an item of a List.
    fn object(&mut self, mut value: Value, path: &str) {
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let (Some(api_version), Some(kind)) = (text(&value, "apiVersion"), text(&value, "kind")) else {
            let message = "this is no object of Kubernetes: it has no apiVersion and kind";
            let fix = "write apiVersion: port53.dev/v1alpha1 and kind: Zone or DNSRecord";
            return self.refuse_unknown(path, "", message, fix);
        };
        if api_version == "v1" && kind == "List" {
            if let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) {
                for (i, item) in items.into_iter().enumerate() {
                    self.object(item, &format!("items[{i}]"));
                }
            }
            return;
        }
        if api_version == "v1" && kind == "Namespace" {
            return self.namespace(&value, path);
        }
        match self.context.admission.knows(&api_version, &kind) {
            Known::Foreign => self.read.foreign += 1,
            Known::UnknownKind | Known::UnknownVersion => {
                self.refuse_as_admission_does(&value, path, &["apiVersion", "kind"]);
            }
            Known::Ours if kind == "NameserverSet" => self.judged(value, path),
            Known::Ours if !["Zone", "DNSRecord"].contains(&kind.as_str()) => {
                let message = format!("a {kind} is written by the operator, out of Zones and DNSRecords");
                self.refuse_unknown(path, "kind", &message, "leave this object out");
            }
            Known::Ours => self.ours(value, &kind, path),
        }
    }

    fn ours(&mut self, mut value: Value, kind: &str, path: &str) {
        let Some(key) = self.name(&mut value, kind) else {
            return self.refuse_as_admission_does(&value, path, &["metadata", "metadata.name"]);
        };
        let before = (self.context.before)(&key);
        let old = before.as_ref().map(|before| &before.admitted);
        let read = match self.context.admission.admit(&value, old) {
            Err(refusals) => Err(refusals
                .into_iter()
                .map(|refusal| self.at(path, &refusal.field, refusal.message, refusal.fix))
                .collect()),
            Ok(admitted) => typed(kind, &admitted)
                .map(|object| (object, admitted))
                .map_err(|message| vec![self.at(path, "", message, String::new())]),
        };
        match read {
            Ok((object, admitted)) => {
                let source = self.context.is_source_kept.then_some(value);
                self.take(key, object, admitted, source, path);
            }
            Err(findings) => {
                let findings: Vec<Finding> = findings;
                let is_kept = before.is_some();
                self.read.findings.extend(findings.into_iter().map(|mut finding| {
                    finding.object = Some(key.to_string());
                    finding.last_good_kept = is_kept;
                    finding
                }));
                // The object is there, as it was before.
                if let Some(before) = before {
                    let (file, places, path) = (self.file.clone(), self.places.clone(), path.to_owned());
                    self.read.written.push(Arc::new(Written { file, places, path, ..(*before).clone() }));
                }
            }
        }
    }

    /// Says what is wrong with an object that has no part in what is served here.
    fn judged(&mut self, mut value: Value, path: &str) {
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.entry("namespace").or_insert_with(|| self.context.namespace.into());
        }
        match self.context.admission.admit(&value, None) {
            Ok(_) => self.read.foreign += 1,
            Err(refusals) => {
                for refusal in refusals {
                    let finding = self.at(path, &refusal.field, refusal.message, refusal.fix);
                    self.read.findings.push(finding);
                }
                self.read.unknown += 1;
            }
        }
    }

    fn take(&mut self, key: Key, object: Object, admitted: Value, source: Option<Value>, path: &str) {
        let (file, places, path) = (self.file.clone(), self.places.clone(), path.to_owned());
        self.read.written.push(Arc::new(Written { key, object, admitted, source, file, places, path }));
    }

    fn namespace(&mut self, value: &Value, path: &str) {
        let metadata = &value["metadata"];
        let Some(name) = metadata["name"].as_str() else {
            let message = "this Namespace has no name";
            return self.refuse_unknown(path, "metadata.name", message, "write metadata.name");
        };
        let labels = match &metadata["labels"] {
            Value::Null => Ok(BTreeMap::new()),
            labels => serde_json::from_value(labels.clone()),
        };
        match labels {
            Ok(labels) => {
                let key = Key::Namespace(name.to_owned());
                self.take(key, Object::Namespace(labels), Value::Null, None, path);
            }
            Err(_) => {
                let message = "labels are text by text";
                self.refuse_unknown(path, "metadata.labels", message, "write each value in quotes");
            }
        }
    }

    /// The key of one of our objects; writes the namespace into it where it names none.
    fn name(&self, value: &mut Value, kind: &str) -> Option<Key> {
        let metadata = value.get_mut("metadata")?.as_object_mut()?;
        let name = metadata.get("name")?.as_str()?.to_owned();
        let namespace = metadata.entry("namespace").or_insert_with(|| self.context.namespace.into());
        if namespace.is_null() || *namespace == "" {
            *namespace = self.context.namespace.into();
        }
        // Of another type: admission says so.
        let namespace = namespace.as_str().unwrap_or_default().to_owned();
        Some(Key::Ours(match kind {
            "Zone" => ObjectRef::Zone { namespace, name },
            _ => ObjectRef::Record { namespace, name },
        }))
    }

    fn at(&self, path: &str, field: &str, message: String, fix: String) -> Finding {
        let place = self.places.of(&joined(path, field));
        let at = (place.line, place.column);
        Finding {
            field: field.to_owned(),
            ..Finding::error(self.file, at, Reason::InvalidSpec.as_str(), message, fix)
        }
    }

    /// Refuses what it is not known to be, in the words of admission about those fields.
    fn refuse_as_admission_does(&mut self, value: &Value, path: &str, fields: &[&str]) {
        let refusals = self.context.admission.admit(value, None).err().unwrap_or_default();
        for refusal in refusals.iter().filter(|refusal| fields.contains(&refusal.field.as_str())) {
            self.refuse_unknown(path, &refusal.field, &refusal.message, &refusal.fix);
        }
    }

    fn refuse_unknown(&mut self, path: &str, field: &str, message: &str, fix: &str) {
        let place = self.places.of(&joined(path, field));
        let at = (place.line, place.column);
        let finding = Finding::error(self.file, at, MALFORMED, message, fix);
        self.read.findings.push(Finding { field: field.to_owned(), ..finding });
        self.read.unknown += 1;
    }
}

fn typed(kind: &str, admitted: &Value) -> Result<Object, String> {
    fn from<T: DeserializeOwned>(value: &Value) -> Result<Arc<T>, String> {
        T::deserialize(value).map(Arc::new).map_err(|error| format!("it cannot be read: {error}"))
    }
    match kind {
        "Zone" => from(admitted).map(Object::Zone),
        _ => from(admitted).map(Object::Record),
    }
}

fn joined(path: &str, field: &str) -> String {
    match (path, field) {
        ("", field) => field.to_owned(),
        (path, "") => path.to_owned(),
        (path, field) => format!("{path}.{field}"),
    }
}
