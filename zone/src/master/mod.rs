//! Master files (RFC 1035 §5): from the syntax of BIND to records with absolute names, and back.
//!
//! ```text
//! octets ──lexer──▶ entries of tokens ──reader──▶ records and problems
//! ```
//!
//! It is a stream: one entry is held at a time. Every problem is reported with its place and what was
//! expected, and reading goes on with the next entry, so one bad line never hides the others. A parenthesis
//! or a quote that is never closed ends where an entry can no longer be meant: see [`lexer`].
//!
//! There is no I/O here: the caller opens files, `$INCLUDE` included ([`Includes`]).

mod generate;
mod lexer;
mod parts;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::{Includes, Limits, Options, Reader};
pub use writer::{write, write_record};

use std::fmt;
use std::sync::Arc;

/// A place in a file: line and column from 1, the column in octets.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The file as the caller named it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The octet in the line, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is wrong at a place, and what to write instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where.
    pub position: Position,
    /// What is wrong.
    pub message: String,
    /// What was expected there.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; expected {}", self.position, self.message, self.expected)
    }
}

/// Something with the place where it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Located<T> {
    /// What was written.
    pub value: T,
    /// Where it begins.
    pub position: Position,
    /// The line on which it ends; more than the first where parentheses are used.
    pub end_line: u32,
}
