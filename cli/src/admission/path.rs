//! Field paths: `spec.records[0].names[2]`.

use std::collections::HashSet;

/// A path that grows and shrinks while an object is walked.
#[derive(Default)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Calls `inside` with the path of a field of what is here.
    pub(super) fn field<T>(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.0.len();
        if length > 0 {
            self.0.push('.');
        }
        self.0.push_str(name);
        let outcome = inside(self);
        self.0.truncate(length);
        outcome
    }

    /// Calls `inside` with the path of an item of the list here.
    pub(super) fn item<T>(&mut self, index: usize, inside: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.0.len();
        self.0.push_str(&format!("[{index}]"));
        let outcome = inside(self);
        self.0.truncate(length);
        outcome
    }
}

/// Fields whose schema is violated.
#[derive(Default)]
pub(super) struct Broken {
    fields: HashSet<String>,
    /// Everything that contains one of them.
    above: HashSet<String>,
}

impl Broken {
    pub(super) fn insert(&mut self, field: &str) {
        for (end, _) in field.match_indices(['.', '[']) {
            if !self.above.contains(&field[..end]) {
                self.above.insert(field[..end].to_owned());
            }
        }
        self.fields.insert(field.to_owned());
    }

    /// Whether the field itself is.
    pub(super) fn is(&self, path: &Path) -> bool {
        self.fields.contains(&path.0)
    }

    /// Whether something in the field is.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.above.contains(&path.0)
    }
}
