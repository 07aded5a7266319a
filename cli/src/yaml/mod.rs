//! YAML as `kubectl` reads it, with the place of every field; and its writer.
//!
//! What is read here must be what `kubectl apply` sends to an API server, so that `port53 check` and a
//! cluster say the same. `kubectl` cuts a file at lines that are `---` ([`split`]), parses each document
//! alone, and resolves plain scalars by YAML 1.1 as go-yaml v2 does ([`scalar`]): `no` is a boolean and
//! `010` is eight. What it would read in silence but not as it was meant is refused instead: a key that
//! stands twice, an unknown tag, text after `...`. The parser itself is one of YAML 1.2. What it takes
//! otherwise than go-yaml v2 is seen only between brackets: a plain key whose colon touches what follows,
//! `{a:}`, and a plain scalar that begins with a question mark, `{?a: 1}`.
//!
//! ```text
//! octets ──split──▶ documents, each alone ──nodes──▶ nodes ──tree──▶ value and places
//!                                   (saphyr-parser's events)   (aliases and merge keys resolved)
//! ```
//!
//! The text may come from a stranger in a pull request, so everything has a bound:
//!
//! | what | bound | why |
//! |---|---|---|
//! | a document | [`MAX_DOCUMENT`] octets, before and after aliases | an API server takes half of it |
//! | nesting | [`MAX_DEPTH`] collections | what recurses over a value stays on its stack |
//! | nodes | [`MAX_NODES`] in a document | memory |
//! | nodes that come from aliases | [`MAX_ALIASED`] | a few lines can stand for billions |
//!
//! What is imported is not sent on as it is, and may be a whole zone in one document: [`Reading::LIST`] and
//! [`Reading::AS_WRITTEN`] have wider bounds. The second guesses at nothing, because what wrote the file guesses by
//! rules of its own.
//!
//! An anchor inside itself is refused. The time to read a document grows with its octets and the nodes
//! that aliases add, and nothing else.

mod nodes;
mod places;
mod scalar;
mod split;
mod surrogates;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use places::{Place, Places};
pub use write::{manifests, write};

/// Octets of one document, before and after its aliases are expanded. The API server takes 1.5 MiB.
pub const MAX_DOCUMENT: usize = 3 << 20;
/// Collections inside one another.
pub const MAX_DEPTH: usize = 64;
/// Nodes of one document, after its aliases are expanded.
pub const MAX_NODES: usize = 1_000_000;
/// Nodes of one document that come from expanding aliases.
pub const MAX_ALIASED: usize = 100_000;

/// How documents are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Whether plain scalars are the text they are, but for null.
    is_as_written: bool,
    /// Octets of a document, before and after aliases.
    max_document: usize,
    /// Values of a document.
    max_nodes: usize,
}

impl Reading {
    /// What `kubectl apply` sends to an API server.
    pub const MANIFESTS: Self =
        Reading { is_as_written: false, max_document: MAX_DOCUMENT, max_nodes: MAX_NODES };
    /// What `kubectl get` prints: all objects in one document.
    pub const LIST: Self =
        Reading { is_as_written: false, max_document: 64 * MAX_DOCUMENT, max_nodes: 20 * MAX_NODES };
    /// What another program than `kubectl` reads: keys and values without quotes are their text, so that `no`,
    /// `010` and `1.10` stay what they are. Nothing, `~` and `null` are null.
    pub const AS_WRITTEN: Self = Reading { is_as_written: true, ..Self::LIST };
}

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: serde_json::Value,
    /// Where each field stands in the file.
    pub places: Places,
    /// The line of the file on which its content begins, from 1.
    pub line: u32,
}

/// Why a document is refused: what is wrong, where, and what to write instead.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}: {fix}")]
pub struct Problem {
    /// Where in the file.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub fix: String,
}

impl Problem {
    fn new(place: Place, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Problem { place, message: message.into(), fix: fix.into() }
    }
}

/// The documents of a file, in order. Each is read alone: one that is refused hides no other. Empty ones
/// are left out.
pub fn documents(text: &[u8]) -> Vec<Result<Document, Problem>> {
    read(text, Reading::MANIFESTS)
}

/// As [`documents`], read in another way.
pub fn read(text: &[u8], reading: Reading) -> Vec<Result<Document, Problem>> {
    if let Some(problem) = split::wrong_encoding(text) {
        return vec![Err(problem)];
    }
    let document = |piece| tree::read(piece, reading);
    let pieces = split::pieces(text, reading.max_document).into_iter();
    pieces.filter_map(|piece| piece.and_then(document).transpose()).collect()
}
