//! The parts of an entry: what stands between owner and value, and where each token is.

use super::lexer::Entry;
use super::{Position, Problem};
use crate::rdata::{self, Token};
use domain::base::iana::Rtype;
use std::sync::Arc;

/// What stands between owner and value.
pub(crate) struct Head {
    pub(crate) ttl: Option<u32>,
    pub(crate) rtype: Rtype,
    /// The first token of the value.
    pub(crate) values: usize,
}

impl Head {
    /// TTL and class in either order, both optional, then the type (RFC 1035 §5.1). A TTL is stated in
    /// `last_ttl` whatever comes after it.
    pub(crate) fn read(
        context: &Context<'_>,
        first: usize,
        last_ttl: &mut Option<u32>,
    ) -> Result<Self, Problem> {
        let mut ttl = None;
        let mut has_class = false;
        let mut at = first;
        loop {
            let text = context.text(at)?;
            if !has_class && is_class(text) {
                if !text.eq_ignore_ascii_case("IN") && !text.eq_ignore_ascii_case("CLASS1") {
                    return Err(context.problem(at, format!("class {text} is not served"), "class IN"));
                }
                has_class = true;
            } else if ttl.is_none() && text.starts_with(|c: char| c.is_ascii_digit()) {
                ttl = Some(context.ttl(at)?);
                *last_ttl = ttl;
            } else {
                break;
            }
            at += 1;
        }
        let text = context.text(at)?;
        let rtype = rdata::parse_rtype(text).ok_or_else(|| {
            context.problem(
                at,
                format!("\"{text}\" is not a type of records"),
                "a type such as A, MX or TYPE65280",
            )
        })?;
        Ok(Head { ttl, rtype, values: at + 1 })
    }
}

/// Whether this is the name of a class.
pub(crate) fn is_class(text: &str) -> bool {
    let is = |class: &str| text.eq_ignore_ascii_case(class);
    let is_numbered = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("CLASS"))
        && text.len() > 5
        && text[5..].bytes().all(|octet| octet.is_ascii_digit());
    is("IN") || is("CH") || is("CHAOS") || is("HS") || is("HESIOD") || is("CS") || is_numbered
}

/// An entry and where it stands.
pub(crate) struct Context<'e> {
    pub(crate) file: &'e Arc<str>,
    pub(crate) entry: &'e Entry,
}

impl Context<'_> {
    pub(crate) fn token(&self, at: usize) -> Result<&Token, Problem> {
        self.entry.tokens.get(at).ok_or_else(|| {
            let last = self.entry.tokens.len() - 1;
            self.problem(last, "something is missing after this".into(), "owner, TTL, class, type and value")
        })
    }

    pub(crate) fn text(&self, at: usize) -> Result<&str, Problem> {
        self.token(at).map(Token::text)
    }

    /// What to say of the relative name at token `at`.
    pub(crate) fn without_origin(&self, at: usize) -> Problem {
        let text = self.text(at).unwrap_or_default();
        let message = format!("\"{text}\" is below an origin, and none is known");
        self.problem(at, message, "$ORIGIN before it, or a name that ends in a dot")
    }

    pub(crate) fn ttl(&self, at: usize) -> Result<u32, Problem> {
        let text = self.text(at)?;
        rdata::parse_ttl(text)
            .map_err(|error| self.problem(at, error.message, "a TTL from 0 to 2147483647 seconds"))
    }

    pub(crate) fn ends_at(&self, at: usize) -> Result<(), Problem> {
        match self.entry.tokens.get(at) {
            None => Ok(()),
            Some(token) => {
                let message = format!("\"{}\" is more than this takes", token.text());
                Err(self.problem(at, message, "the end of the line"))
            }
        }
    }

    pub(crate) fn position(&self, at: usize) -> Position {
        let token = self.entry.tokens.get(at);
        Position {
            file: self.file.clone(),
            line: token.map_or(self.entry.line, |token| token.line),
            column: token.map_or(1, |token| token.column),
        }
    }

    pub(crate) fn problem(&self, at: usize, message: String, expected: &str) -> Problem {
        Problem { position: self.position(at), message, expected: expected.to_owned() }
    }
}
