//! JSON values as YAML, in the style in which people write manifests.
//!
//! Text stands plain where every reader takes it for text, and in quotes otherwise: not only what
//! go-yaml v2 would resolve to something else (`no`, `010`, `1e3`), but also what other readers do
//! (dates, `1:30`, `=`). Lists stand under their key without indentation, as `kubectl` prints them.

use super::scalar::{self, Scalar};
use super::split::is_allowed;
use serde::Serialize;
use serde_json::Value;
use std::net::Ipv4Addr;

/// A longer key is not found by readers unless it is announced (YAML 1.1 §7.3.3 gives them 1,024).
const LONG_KEY: usize = 1_000;

/// Writes a value as one document, with a line end at its end and without `---`.
///
/// # Panics
/// When the value cannot be JSON, which has texts for keys.
pub fn write(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).expect("a value with texts for keys");
    let mut out = String::new();
    write_block(&mut out, &value, 0);
    out
}

/// Manifests as text: documents with `---` between them.
///
/// # Panics
/// As [`write()`].
pub fn manifests(objects: &[Value]) -> String {
    objects.iter().map(write).collect::<Vec<_>>().join("---\n")
}

/// Writes `value` where a line has its indentation already.
fn write_block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (position, (key, value)) in fields.iter().enumerate() {
                if position > 0 {
                    push_indent(out, indent);
                }
                write_key(out, key, indent);
                write_value(out, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    push_indent(out, indent);
                }
                out.push_str("- ");
                write_block(out, item, indent + 2);
            }
        }
        Value::Object(_) => out.push_str("{}\n"),
        Value::Array(_) => out.push_str("[]\n"),
        Value::String(text) => {
            write_text(out, text);
            out.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            out.push_str(&value.to_string());
            out.push('\n');
        }
    }
}

fn write_key(out: &mut String, key: &str, indent: usize) {
    let start = out.len();
    write_text(out, key);
    if out.len() - start > LONG_KEY {
        out.insert_str(start, "? ");
        out.push('\n');
        push_indent(out, indent);
    }
    out.push(':');
}

/// Writes the value of a field after its colon.
fn write_value(out: &mut String, value: &Value, indent: usize) {
    let inner = match value {
        Value::Object(fields) if !fields.is_empty() => indent + 2,
        Value::Array(items) if !items.is_empty() => indent,
        _ => {
            out.push(' ');
            return write_block(out, value, indent);
        }
    };
    out.push('\n');
    push_indent(out, inner);
    write_block(out, value, inner);
}

fn push_indent(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn write_text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else if text.contains(['"', '\\']) && !text.contains('\'') && text.chars().all(is_one_line) {
        out.push('\'');
        out.push_str(text);
        out.push('\'');
    } else {
        write_quoted(out, text);
    }
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_one_line(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    out.push('"');
}

fn is_one_line(c: char) -> bool {
    is_allowed(c) && c >= ' '
}

/// Whether `text` without quotes is that text to every reader, wherever a block has it.
fn is_plain(text: &str) -> bool {
    text.starts_with(begins_text)
        && text.chars().all(is_one_line)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && matches!(scalar::plain(text), Scalar::Text(_))
        && (!is_like_number(text) || text.parse::<Ipv4Addr>().is_ok())
}

/// What means nothing else at the beginning of a scalar.
fn begins_text(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '(' | '$' | '\\' | '^') || c > '\u{a0}'
}

/// Numbers, dates, times and numbers of base 60, in any of the forms that readers have for them.
fn is_like_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| {
            c.is_ascii_digit()
                || matches!(c, '+' | '-' | '.' | ':' | '_' | ',' | ' ' | 'e' | 'E' | 't' | 'T' | 'z' | 'Z')
        })
}
