//! What is wrong, for the person who wrote it: file, line, object, field, what it is and what to write
//! instead.

use std::sync::Arc;

pub use port53_operator::verdict::Severity;
use serde::{Serialize, Serializer};

/// One thing that is wrong, at its place.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The file as the person named it, or the way to it from the directory they named.
    pub file: Arc<str>,
    /// The line, from 1; 0 when it is about the file as a whole.
    pub line: u32,
    /// The column, from 1; 0 when it is not known.
    pub column: u32,
    /// An error keeps what it is about out of service; a warning does not.
    #[serde(serialize_with = "severity_name")]
    pub severity: Severity,
    /// Why, in one word: a reason of the conditions, `Malformed` or `Unreadable`.
    pub reason: &'static str,
    /// The rule that is broken, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// The object, such as `DNSRecord dns/www`. Nothing for a line of a master file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field, such as `spec.values[3]`. Empty for a line of a master file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to write or do instead. Empty where the message says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fix: String,
    /// Whether the last good version stays in service. `port53 dev` only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last_good_kept: bool,
}

/// The reason of what is no YAML, no object or no record at all.
pub const MALFORMED: &str = "Malformed";
/// The reason of what could not be read.
pub const UNREADABLE: &str = "Unreadable";

impl Finding {
    /// An error about a place in a file.
    pub fn error(
        file: &Arc<str>,
        (line, column): (u32, u32),
        reason: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Finding {
            file: file.clone(),
            line,
            column,
            severity: Severity::Error,
            reason,
            rule: None,
            object: None,
            field: String::new(),
            message: message.into(),
            fix: fix.into(),
            last_good_kept: false,
        }
    }

    /// The same, about an object and a field of it.
    pub fn about(mut self, object: impl Into<String>, field: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self.field = field.into();
        self
    }

    /// The same as a warning.
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether something is kept out of service.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A severity as it is printed.
pub fn severity_text(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn severity_name<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity_text(*severity))
}
