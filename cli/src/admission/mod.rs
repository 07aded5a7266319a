//! What an API server refuses by looking at one object alone.
//!
//! The source is the custom resource definitions themselves, as `port53-crds` gives them to a cluster: their
//! schemas are evaluated by a JSON Schema library, their CEL rules by a CEL library, and nothing that they say
//! is written a second time here. So `port53 check` and `kubectl apply` say the same.
//!
//! An object goes through the steps of an API server, in its order: size, metadata, unknown fields (which
//! `kubectl` refuses by name), defaults, schema, rules. Unlike there no step hides the next: a field of the wrong
//! shape keeps from being evaluated only the rules of what contains it, so that a person sees everything at once.
//! What is refused is the same.
//!
//! | file | what it does |
//! |---|---|
//! | `kind` | one custom resource: its steps after metadata |
//! | `node` | a schema as a tree: unknown fields, defaults |
//! | `structure` | what JSON Schema and the list types refuse, in the words of an API server |
//! | `rules` | CEL: compiled rules, patterns compiled once |
//! | `metadata` | name, namespace, labels, annotations |
//! | `path` | field paths, and which of them are broken |
//! | `nearest` | what a misspelt field was meant to be |

mod kind;
mod metadata;
mod nearest;
mod node;
mod path;
mod rules;
mod structure;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

use kind::Kind;
use rules::Engine;

/// The largest object that is stored, in octets of JSON: what etcd takes in one request by default.
pub const MAX_OBJECT: usize = 1_572_864;

/// The definitions, ready to judge objects. Built once: schemas, rules and patterns are compiled.
pub struct Admission {
    kinds: Vec<Kind>,
    engine: Engine,
}

/// Why an object, or one field of it, is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The field, as `kubectl` names it: `spec.values[3]`. Empty when it is the object as a whole.
    pub field: String,
    /// What is wrong; of a rule, its message as it is written in the definition.
    pub message: String,
    /// What to write instead; of a rule, the end of its message.
    pub fix: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if !self.message.ends_with(&self.fix) {
            write!(f, ": {}", self.fix)?;
        }
        Ok(())
    }
}

/// Whose an object is, by its apiVersion and kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Known {
    /// One of the definitions is for it.
    Ours,
    /// It is of the group `port53.dev`, in a version that there is not.
    UnknownVersion,
    /// It is of the group `port53.dev`, of a kind that there is not.
    UnknownKind,
    /// Another group's.
    Foreign,
}

/// A definition that cannot be evaluated here.
#[derive(Debug, thiserror::Error)]
#[error("the definition of {kind} cannot be evaluated: {reason}")]
pub struct AdmissionError {
    kind: String,
    reason: String,
}

impl Admission {
    /// Compiles what `port53_crds::definitions` gives.
    pub fn new() -> Result<Self, AdmissionError> {
        let mut engine = Engine::new()
            .map_err(|error| AdmissionError { kind: "any kind".to_owned(), reason: error.to_string() })?;
        let kinds = port53_crds::definitions()
            .iter()
            .map(|definition| {
                Kind::new(definition, &mut engine)
                    .map_err(|reason| AdmissionError { kind: definition.spec.names.kind.clone(), reason })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { kinds, engine })
    }

    /// Whose objects of this apiVersion and kind are.
    pub fn knows(&self, api_version: &str, kind: &str) -> Known {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        if group != port53_crds::GROUP {
            Known::Foreign
        } else if self.kind_of(api_version, kind).is_some() {
            Known::Ours
        } else if self.kinds.iter().any(|known| known.api_version == api_version) {
            Known::UnknownKind
        } else {
            Known::UnknownVersion
        }
    }

    /// The object with the defaults of its schema, or everything that is wrong with it. With `old` it is an
    /// update of that, and what is immutable is compared. (An API server lets an update keep what was wrong
    /// before; here the whole object is judged all the same.)
    pub fn admit(&self, object: &Value, old: Option<&Value>) -> Result<Value, Vec<Refusal>> {
        let api_version = text(object, "apiVersion").map_err(|refusal| vec![refusal])?;
        let name = text(object, "kind").map_err(|refusal| vec![refusal])?;
        let Some(kind) = self.kind_of(api_version, name) else {
            return Err(vec![self.not_ours(api_version, name)]);
        };
        if let Some(refusal) = too_large(object) {
            return Err(vec![refusal]);
        }
        let mut refusals = Vec::new();
        metadata::check(object.get("metadata"), &mut refusals);
        let admitted = kind.admit(&self.engine, object, old, &mut refusals);
        if refusals.is_empty() { Ok(admitted) } else { Err(refusals) }
    }

    fn kind_of(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.kinds.iter().find(|known| known.api_version == api_version && known.name == kind)
    }

    fn not_ours(&self, api_version: &str, kind: &str) -> Refusal {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name.as_str()).collect();
        match self.knows(api_version, kind) {
            Known::UnknownVersion | Known::Foreign => Refusal {
                field: "apiVersion".to_owned(),
                message: format!("no matches for kind \"{kind}\" in version \"{api_version}\""),
                fix: format!("write {}", port53_crds::API_VERSION),
            },
            Known::Ours | Known::UnknownKind => Refusal {
                field: "kind".to_owned(),
                message: format!("no matches for kind \"{kind}\" in version \"{api_version}\""),
                fix: match nearest::nearest(kind, kinds.iter().copied()) {
                    Some(meant) => format!("write {meant} if that is meant"),
                    None => format!("write one of {}", kinds.join(", ")),
                },
            },
        }
    }
}

/// `apiVersion` or `kind`.
fn text<'v>(object: &'v Value, field: &str) -> Result<&'v str, Refusal> {
    let fix = match field {
        "apiVersion" => format!("write apiVersion: {}", port53_crds::API_VERSION),
        _ => "write kind: Zone or kind: DNSRecord".to_owned(),
    };
    let (field, message) = match object.get(field) {
        Some(Value::String(text)) if !text.is_empty() => return Ok(text),
        _ if !object.is_object() => {
            ("", format!("an object is a mapping, and this is of type {}", structure::type_name(object)))
        }
        None | Some(Value::Null | Value::String(_)) => (field, "Required value".to_owned()),
        Some(other) => (field, structure::wrong_type("string", other)),
    };
    Err(Refusal { field: field.to_owned(), message, fix })
}

fn too_large(object: &Value) -> Option<Refusal> {
    let size = Size::of(object);
    (size > MAX_OBJECT).then(|| Refusal {
        field: String::new(),
        message: format!(
            "the object has {size} octets as JSON, and at most {MAX_OBJECT} are stored (etcd's limit of a request)"
        ),
        fix: "spread its values over more objects".to_owned(),
    })
}

/// Counts what would be written.
struct Size(usize);

impl Size {
    fn of(object: &Value) -> usize {
        let mut size = Size(0);
        match serde_json::to_writer(&mut size, object) {
            Ok(()) => size.0,
            Err(_) => usize::MAX,
        }
    }
}

impl std::io::Write for Size {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
