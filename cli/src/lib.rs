//! `port53`, which is also `kubectl port53`: dev, check, import, export, diff.
//!
//! | room | what it does |
//! |---|---|
//! | [`yaml`] | YAML as `kubectl` reads it, with the line of every field; and its writer |
//! | [`admission`] | what an API server refuses by looking at one object alone: schema, rules, unknown fields |
//! | [`convert`] | records to manifests |

pub mod admission;
pub mod convert;
pub mod yaml;
