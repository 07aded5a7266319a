//! Values of records: presentation form to wire form and back.
//!
//! Types that the `domain` crate knows are read and written by it; the others of the IANA registry by a table
//! of fields ([`fields`]) or, where a table does not do, by themselves ([`location`], [`service`],
//! [`gateway`]); and any type at all by RFC 3597 (`\# 4 0a000001`). That form is the only one for types that
//! are not in the registry, and for NULL, SIG, NXT, ATMA, A6, SINK, UINFO, UID, GID and UNSPEC, which have no
//! other or are not met any more. What is around them is done here once: tokens and their escapes
//! ([`tokens`]), names made absolute, TTL units.
//!
//! What is read is always taken for a value in wire form too ([`from_wire`]), so that what one process wrote
//! the next can read.
//!
//! A value of a DNSRecord ([`parse_value`]) is not a line of a master file: it has no comments,
//! parentheses or ends of lines, TXT without quotes is the text as it stands, and names are absolute.

mod fields;
mod gateway;
mod known;
mod location;
pub(crate) mod names;
mod service;
mod tokens;
mod ttl;

#[cfg(test)]
mod tests;

pub use names::{NameIn, expand, names};
pub use tokens::Token;
pub(crate) use tokens::{of_value, scan_word};
pub use ttl::parse_ttl;

use crate::name::{self, Name};
use bytes::Bytes;
use domain::base::iana::Rtype;
use std::cmp::Ordering;

/// Greatest length of a value in octets (RFC 1035 §3.2.1).
pub const GREATEST_VALUE: usize = 65_535;

/// A value in uncompressed wire form, at most 65,535 octets.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Rdata(Bytes);

impl Rdata {
    /// Wraps octets that are known to be right for their type: they came from a parser of this crate.
    pub fn from_trusted_wire(wire: Bytes) -> Self {
        debug_assert!(wire.len() <= GREATEST_VALUE);
        Rdata(wire)
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The octets, shared.
    pub fn shared(&self) -> Bytes {
        self.0.clone()
    }

    /// The canonical form (RFC 4034 §6.2, RFC 6840 §5.1): values that are the same have the same octets.
    pub fn canonical(&self, rtype: Rtype) -> std::borrow::Cow<'_, [u8]> {
        match names::are_lowercased(rtype) {
            true => names::lowercased(rtype, &self.0).into(),
            false => self.as_slice().into(),
        }
    }

    /// Canonical order (RFC 4034 §6.3): the octets as memory, with the names inside in lower case for the
    /// types of RFC 4034 §6.2 as corrected by RFC 6840 §5.1.
    pub fn canonical_cmp(&self, other: &Self, rtype: Rtype) -> Ordering {
        match names::are_lowercased(rtype) {
            true => self.canonical(rtype).cmp(&other.canonical(rtype)),
            false => self.0.cmp(&other.0),
        }
    }
}

/// Why a value is refused, for the person who wrote it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// What is wrong and what to write instead.
    pub message: String,
    /// The token it is about, counted from 0; `None` for the value as a whole.
    pub token: Option<usize>,
}

impl ValueError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        ValueError { message: message.into(), token: None }
    }

    pub(crate) fn at(token: usize, message: impl Into<String>) -> Self {
        ValueError { message: message.into(), token: Some(token) }
    }
}

/// The type with this mnemonic (in any case) or number (`TYPE65280`). `None` when there is none, or when it
/// is not a type of records (RFC 6895 §3.1: meta and query types).
pub fn parse_rtype(text: &str) -> Option<Rtype> {
    fields::any_rtype(text).filter(|&rtype| is_data(rtype))
}

/// The type as people write it: its mnemonic, or `TYPEnnn`.
pub fn display_rtype(rtype: Rtype) -> String {
    fields::mnemonic(rtype).map_or_else(|| rtype.to_string(), str::to_owned)
}

/// Whether records of this type can exist (RFC 6895 §3.1).
pub fn is_data(rtype: Rtype) -> bool {
    !matches!(rtype.to_int(), 0 | 41 | 128..=255)
}

/// Reads one value of a DNSRecord. See the module for how it differs from a line of a master file.
pub fn parse_value(rtype: Rtype, text: &str) -> Result<Rdata, ValueError> {
    let is_general = text == "\\#" || text.starts_with("\\# ");
    if matches!(rtype, Rtype::TXT | Rtype::SPF) && !text.starts_with('"') && !is_general {
        return text_as_it_stands(text.as_bytes());
    }
    let tokens = tokens::of_value(text)?;
    for index in names::tokens_of(rtype, &tokens).into_iter().filter(|_| !is_general) {
        if let Some(token) = tokens.get(index) {
            check_meant(token.text()).map_err(|message| ValueError::at(index, message))?;
        }
    }
    from_tokens(rtype, &tokens, &name::root())
}

/// A single label without a dot is nearly always a slip.
fn check_meant(text: &str) -> Result<(), String> {
    if text == "@" {
        return Err("\"@\" has no meaning in a value: write the whole name, such as \"example.com.\"".into());
    }
    if !text.is_empty() && !text.contains('.') {
        return Err(format!(
            "\"{text}\" is a single label: was \"{text}.<zone>\" meant? Names in values are absolute; \
             write the whole name, or \"{text}.\" if the top-level name is meant"
        ));
    }
    Ok(())
}

/// TXT as it stands, split into strings of 255 octets.
fn text_as_it_stands(text: &[u8]) -> Result<Rdata, ValueError> {
    let mut wire = Vec::with_capacity(text.len() + text.len() / 255 + 1);
    if text.is_empty() {
        wire.push(0);
    }
    for chunk in text.chunks(255) {
        wire.push(chunk.len() as u8);
        wire.extend_from_slice(chunk);
    }
    checked_length(wire.into())
}

/// Reads the value of a line of a master file. Names without a last dot are below `origin`.
pub fn from_tokens(rtype: Rtype, tokens: &[Token], origin: &Name) -> Result<Rdata, ValueError> {
    if !is_data(rtype) {
        return Err(ValueError::new(format!(
            "{rtype} is not a type of records: it exists only in questions and messages"
        )));
    }
    if tokens.first().is_some_and(Token::is_unknown_marker) {
        let wire = from_unknown_form(&tokens[1..])?;
        return from_wire(rtype, wire.into());
    }
    let tokens = absolute(rtype, tokens, origin)?;
    let wire = match Reader::of(rtype) {
        Reader::Fields => fields::parse(rtype, &tokens)?.into(),
        Reader::Location => location::parse(&tokens)?.into(),
        Reader::Service => service::parse(&tokens)?.into(),
        Reader::Gateway => gateway::parse(rtype, &tokens)?.into(),
        Reader::Domain => known::parse(rtype, &tokens)?,
    };
    checked_length(wire)
}

/// Who reads and writes the presentation form of a type.
enum Reader {
    Fields,
    Location,
    Service,
    Gateway,
    /// The `domain` crate, or nobody: then there is the form of RFC 3597.
    Domain,
}

impl Reader {
    fn of(rtype: Rtype) -> Self {
        match rtype {
            Rtype::LOC => Reader::Location,
            Rtype::SVCB | Rtype::HTTPS => Reader::Service,
            _ if gateway::knows(rtype) => Reader::Gateway,
            _ if fields::knows(rtype) => Reader::Fields,
            _ => Reader::Domain,
        }
    }

    /// The presentation form, `None` when the octets are not a value of the type or there is none.
    fn display(rtype: Rtype, wire: &Bytes) -> Option<String> {
        match Self::of(rtype) {
            Reader::Fields => fields::display(rtype, wire),
            Reader::Location => location::display(wire),
            Reader::Service => service::display(wire),
            Reader::Gateway => gateway::display(rtype, wire),
            Reader::Domain => known::display(rtype, wire),
        }
    }
}

/// The first token that is a name without a last dot, so that an origin is needed to read the value.
pub(crate) fn relative_name(rtype: Rtype, tokens: &[Token]) -> Option<usize> {
    if tokens.first().is_some_and(Token::is_unknown_marker) {
        return None;
    }
    let is_relative = |&at: &usize| tokens.get(at).is_some_and(|token| !name::is_absolute(token.text()));
    names::tokens_of(rtype, tokens).into_iter().find(is_relative)
}

fn checked_length(wire: Bytes) -> Result<Rdata, ValueError> {
    if wire.len() > GREATEST_VALUE {
        return Err(ValueError::new(format!(
            "is {} octets long: a value may have at most {GREATEST_VALUE}",
            wire.len()
        )));
    }
    Ok(Rdata(wire))
}

/// The tokens with the names among them made absolute.
fn absolute(rtype: Rtype, tokens: &[Token], origin: &Name) -> Result<Vec<Token>, ValueError> {
    let mut tokens = tokens.to_vec();
    for index in names::tokens_of(rtype, &tokens) {
        let Some(token) = tokens.get_mut(index) else { continue };
        let parsed = name::parse(token.text(), origin)
            .map_err(|error| ValueError::at(index, format!("the name \"{}\" {error}", token.text())))?;
        token.set_text(name::display(&parsed));
    }
    Ok(tokens)
}

/// RFC 3597 §5: the number of octets, then the octets in hex, with spaces where one likes.
fn from_unknown_form(tokens: &[Token]) -> Result<Vec<u8>, ValueError> {
    let expected: usize = tokens
        .first()
        .and_then(|token| fields::number(token.text()))
        .filter(|&length| length <= GREATEST_VALUE)
        .ok_or_else(|| {
            ValueError::at(1, "after \\# write the number of octets, then the octets in hex: \\# 4 0a000001")
        })?;
    let wire = fields::parse_hex(&tokens[1..], 2)?;
    if wire.len() != expected {
        return Err(ValueError::at(1, format!("says {expected} octets, but {} follow in hex", wire.len())));
    }
    Ok(wire)
}

/// Checks that `wire` is a value of the type in uncompressed wire form. Octets of a type that is not known
/// here are taken as they are.
pub fn from_wire(rtype: Rtype, wire: Bytes) -> Result<Rdata, ValueError> {
    let malformed =
        || ValueError::new(format!("the octets are not a value of type {}", display_rtype(rtype)));
    if !is_data(rtype) || wire.len() > GREATEST_VALUE || !names::are_whole(rtype, &wire) {
        return Err(malformed());
    }
    let is_right = match Reader::of(rtype) {
        Reader::Domain => known::is_value(rtype, &wire),
        _ => Reader::display(rtype, &wire).is_some(),
    };
    if is_right { Ok(Rdata(wire)) } else { Err(malformed()) }
}

/// The value in presentation form on one line, names absolute with their last dot. Read again by
/// [`parse_value`] and [`from_tokens`] it is the same value.
pub fn display(rtype: Rtype, rdata: &Rdata) -> String {
    let wire = &rdata.0;
    let text = Reader::display(rtype, wire);
    text.filter(|text| is_read_as(rtype, text, rdata)).unwrap_or_else(|| display_general(rdata))
}

/// Whether a text is read as the value it was written from. Some are not: the presentation form of an
/// IPSECKEY without a gateway, as the `domain` crate writes it, or a value that has none, such as an empty
/// bitmap. RFC 3597 has a form for them too.
fn is_read_as(rtype: Rtype, text: &str, rdata: &Rdata) -> bool {
    tokens::of_value(text).and_then(|tokens| from_tokens(rtype, &tokens, &name::root())).as_ref() == Ok(rdata)
}

/// The value in the form that is right for every type (RFC 3597 §5).
pub fn display_general(rdata: &Rdata) -> String {
    let wire = rdata.as_slice();
    let mut text = format!("\\# {}", wire.len());
    if !wire.is_empty() {
        text.push(' ');
        wire.iter().for_each(|octet| text.push_str(&format!("{octet:02X}")));
    }
    text
}
