//! One custom resource, compiled.

use jsonschema::{Draft, Validator};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value};

use super::node::Node;
use super::path::{Broken, Path};
use super::rules::Engine;
use super::{Refusal, structure};

/// The fields of every object, which no schema lists.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

pub(super) struct Kind {
    pub(super) api_version: String,
    pub(super) name: String,
    schema: Validator,
    root: Node,
}

impl Kind {
    pub(super) fn new(definition: &CustomResourceDefinition, engine: &mut Engine) -> Result<Self, String> {
        let spec = &definition.spec;
        let [version] = spec.versions.as_slice() else {
            return Err(format!("it has {} versions instead of one", spec.versions.len()));
        };
        let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let schema = serde_json::to_value(schema).map_err(|error| error.to_string())?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true)
            .build(&schema)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            api_version: format!("{}/{}", spec.group, version.name),
            name: spec.names.kind.clone(),
            schema: validator,
            root: Node::new(&schema, engine)?,
        })
    }

    /// The object with defaults; it is admitted when `refusals` stays as it was.
    pub(super) fn admit(
        &self,
        engine: &Engine,
        object: &Value,
        old: Option<&Value>,
        refusals: &mut Vec<Refusal>,
    ) -> Value {
        let mut admitted = object.clone();
        let body = self.body(&mut admitted);
        self.root.refuse_unknown(&body, &mut Path::default(), refusals);
        let mut broken = Broken::default();
        structure::check(&self.schema, &self.root, &body, &mut broken, refusals);
        let old = old.map(|old| self.body(&mut old.clone()));
        engine.check(&self.root, &body, old.as_ref(), &mut Path::default(), &broken, refusals);
        if let (Value::Object(admitted), Value::Object(body)) = (&mut admitted, body) {
            admitted.extend(body);
        }
        admitted
    }

    /// What the schema is about, with defaults, taken out of `object`.
    fn body(&self, object: &mut Value) -> Value {
        let mut body = Map::new();
        if let Value::Object(fields) = object {
            for (name, value) in std::mem::take(fields) {
                let part = if OF_EVERY_OBJECT.contains(&name.as_str()) { &mut *fields } else { &mut body };
                part.insert(name, value);
            }
        }
        let mut body = Value::Object(body);
        self.root.fill(&mut body);
        body
    }
}
