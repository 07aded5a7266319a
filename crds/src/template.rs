//! The schema of a pod template.
//!
//! The whole of it, as an API server has it, would be a hundred times as long as all else here, and would make a
//! definition too large for client-side apply. So it says what is looked at here (the names and images of containers),
//! and keeps whatever else is there. What Kubernetes does not take is found by the operator, which has it looked at by
//! the API server before anything is changed.

use crate::bounds::rule;
use schemars::{Schema, SchemaGenerator, json_schema};

/// The container that must be there.
pub const CONTAINER: &str = "resolver";

pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "spec": {
                "type": "object",
                "required": ["containers"],
                "x-kubernetes-preserve-unknown-fields": true,
                "properties": {
                    "containers": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 16,
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "x-kubernetes-preserve-unknown-fields": true,
                            "properties": {
                                "name": {"type": "string", "maxLength": 63},
                                "image": {"type": "string", "maxLength": 1024},
                            },
                        },
                        "x-kubernetes-validations": [
                            rule(
                                format!("self.exists(container, container.name == '{CONTAINER}')"),
                                "there is no container called resolver: write that name for the one that runs port53-resolver",
                            ),
                            rule(
                                format!(
                                    "self.all(container, container.name != '{CONTAINER}' || (has(container.image) && \
                                     container.image.matches('^[a-zA-Z0-9][-a-zA-Z0-9._:/@]*$')))"
                                ),
                                "the container resolver has no image, or one with a character that no image has: write \
                                 it as registry.example.net/port53/port53-resolver:0.1.0",
                            ),
                        ],
                    },
                },
            },
        },
    })
}
