//! What a scalar means: the types of YAML 1.1 as go-yaml v2 resolves them, then JSON.
//!
//! Only a plain scalar without a tag is guessed at. Numbers lose their underscores first, `010` is octal,
//! and `0x`, `0o` and `0b` are known. There are no sexagesimal numbers. A date is a string. JSON has one
//! kind of number, so a float without a fraction is an integer, as an API server stores it.

use serde_json::{Number, Value};

/// A scalar resolved.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
}

/// The tags that have a meaning here, without `tag:yaml.org,2002:`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tag {
    Str,
    Binary,
    Null,
    Bool,
    Int,
    Float,
    Merge,
    Seq,
    Map,
}

impl Tag {
    /// The tag that is written in full as `tag`.
    pub(super) fn of(tag: &str) -> Option<Self> {
        Some(match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("str") => Tag::Str,
            Some("binary") => Tag::Binary,
            Some("null") => Tag::Null,
            Some("bool") => Tag::Bool,
            Some("int") => Tag::Int,
            Some("float") => Tag::Float,
            Some("merge") => Tag::Merge,
            Some("seq") => Tag::Seq,
            Some("map") => Tag::Map,
            // The tag that says "not to be guessed at".
            None if tag == "!" => Tag::Str,
            _ => return None,
        })
    }
}

/// Why a scalar has no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Misfit {
    /// The text is not what the tag says.
    Tag,
    /// JSON has no infinity and no "not a number".
    NotFinite,
}

/// What `text` is under `tag`.
pub(super) fn tagged(tag: Tag, text: &str) -> Result<Scalar, Misfit> {
    let resolved = match tag {
        Tag::Str => return Ok(Scalar::Text(text.to_owned())),
        Tag::Binary => return decoded(text).ok_or(Misfit::Tag),
        _ => plain(text),
    };
    let fits = matches!(
        (&resolved, tag),
        (Scalar::Null, Tag::Null)
            | (Scalar::Bool(_), Tag::Bool)
            | (Scalar::Integer(_), Tag::Int | Tag::Float)
            | (Scalar::Float(_), Tag::Float)
    );
    if fits { Ok(resolved) } else { Err(Misfit::Tag) }
}

/// What a plain scalar is.
pub(super) fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => number(text).unwrap_or_else(|| Scalar::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Scalar> {
    match text.as_bytes()[0] {
        // Here underscores stay.
        b'.' => float(text),
        b'+' | b'-' | b'0'..=b'9' => {
            let digits = text.replace('_', "");
            integer(&digits).or_else(|| float(&digits))
        }
        _ => None,
    }
}

fn integer(text: &str) -> Option<Scalar> {
    let (sign, magnitude) = signed(text);
    let (radix, digits) = match magnitude.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &magnitude[2..]),
        [b'0', b'b' | b'B', ..] => (2, &magnitude[2..]),
        [b'0', b'o' | b'O', ..] => (8, &magnitude[2..]),
        [b'0', _, ..] => (8, &magnitude[1..]),
        _ => (10, magnitude),
    };
    // go-yaml takes a sign after 0b as well.
    let (inner_sign, digits) = if text.starts_with("0b") { signed(digits) } else { (1, digits) };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, radix).ok()?) * sign * inner_sign;
    // A number of 64 bits has no sign.
    let is_signed = text.contains(['+', '-']);
    (!is_signed || i64::try_from(value).is_ok()).then_some(Scalar::Integer(value))
}

fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, unless it is too large for a float.
fn float(text: &str) -> Option<Scalar> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (_, rest) = signed(text);
    let whole = digits(rest);
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if whole + length == 0 {
            return None;
        }
        rest = &fraction[length..];
    } else if whole == 0 {
        return None;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || digits(exponent) < exponent.len() {
            return None;
        }
    } else if !rest.is_empty() {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Scalar::Float)
}

/// Base64 (RFC 4648 §4) as text; what is not UTF-8 in it becomes U+FFFD, an octet each.
fn decoded(text: &str) -> Option<Scalar> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let text: Vec<u8> = text.bytes().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
    let octets = BASE64_STANDARD.decode(text).ok()?;
    let mut decoded = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Some(Scalar::Text(decoded))
}

impl Scalar {
    /// As a value of JSON.
    pub(super) fn into_value(self) -> Result<Value, Misfit> {
        Ok(match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Integer(value) => Value::Number(Number::from_i128(value).ok_or(Misfit::NotFinite)?),
            Scalar::Float(value) => Value::Number(as_stored(value).ok_or(Misfit::NotFinite)?),
            Scalar::Text(text) => Value::String(text),
        })
    }

    /// As a key of an object. `None` for what `kubectl` refuses as a key.
    pub(super) fn into_key(self) -> Option<String> {
        match self {
            Scalar::Text(text) => Some(text),
            Scalar::Bool(value) => Some(value.to_string()),
            Scalar::Integer(value) => i64::try_from(value).ok().map(|value| value.to_string()),
            Scalar::Float(value) => Some(shortest(value as f32)),
            Scalar::Null => None,
        }
    }
}

/// 2^63.
const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;

/// The number as it is after it was written and read as JSON.
fn as_stored(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && (-BEYOND_I64..BEYOND_I64).contains(&value) {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

/// The shortest text of a float of 32 bits, as C's `%g` has it.
fn shortest(value: f32) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            ".nan"
        } else if value > 0.0 {
            ".inf"
        } else {
            "-.inf"
        }
        .to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => value.to_string(),
    }
}
