//! What is printed: findings for people, for programs and for a pull request; tables.

mod github;
mod style;
mod table;
mod text;

pub use github::github;
pub use style::{Color, Style};
pub use table::table;
pub use text::{count, findings_text, shown, summary, zones_table};

use crate::yaml;
use serde::Serialize;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum ListFormat {
    /// A table for people.
    #[default]
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// `value` as JSON with indents and a last line end.
pub fn json(value: &impl Serialize) -> String {
    // What is printed has text for keys and no failing serializers.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// `value` as YAML.
pub fn yaml(value: &impl Serialize) -> String {
    yaml::write(value)
}
