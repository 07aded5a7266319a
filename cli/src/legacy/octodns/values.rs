//! Values as octoDNS writes them, as values of records.
//!
//! A value is a text (an address, a name, a TXT) or a mapping of fields. Fields become the presentation form of
//! the type, and that is read as any value of a DNSRecord is; strings among them are in that form already, and
//! octoDNS puts quotes around them. A TXT is octets as they stand but for `\;`, which octoDNS asks for where a
//! semicolon is meant; what another backslash stands for in it depends on its version and its provider, so that is
//! left out.

use port53_zone::{Rdata, Rtype, name, rdata};
use serde_json::Value;

use super::keys::is_read_otherwise;

/// A value of a type, or why it is none.
pub(super) fn value(rtype: Rtype, value: &Value) -> Result<Rdata, String> {
    let text = match rtype {
        Rtype::A | Rtype::AAAA | Rtype::OPENPGPKEY => scalar(value)?.to_owned(),
        Rtype::CNAME | Rtype::DNAME | Rtype::NS | Rtype::PTR => target(scalar(value)?)?,
        Rtype::TXT | Rtype::SPF => return text(rtype, scalar(value)?),
        _ => presentation(rtype, &Fields(value))?,
    };
    rdata::parse_value(rtype, &text).map_err(|error| format!("the value {text} {error}"))
}

/// The fields of a value, one after the other as the type has them.
fn presentation(rtype: Rtype, fields: &Fields<'_>) -> Result<String, String> {
    let words = match rtype {
        Rtype::MX => {
            vec![fields.either("preference", "priority")?, fields.target_of(&["exchange", "value"])?]
        }
        Rtype::SRV => {
            let numbers = fields.numbers(&["priority", "weight", "port"])?;
            vec![numbers, fields.target_of(&["target"])?]
        }
        Rtype::CAA => {
            let flags = if fields.get("flags").is_some() { fields.number("flags")? } else { "0".to_owned() };
            vec![flags, fields.word("tag")?, fields.string("value")?]
        }
        Rtype::DS => vec![fields.numbers(&["key_tag", "algorithm", "digest_type"])?, fields.word("digest")?],
        Rtype::SSHFP => {
            vec![fields.numbers(&["algorithm", "fingerprint_type"])?, fields.word("fingerprint")?]
        }
        Rtype::TLSA => {
            let numbers = fields.numbers(&["certificate_usage", "selector", "matching_type"])?;
            vec![numbers, fields.word("certificate_association_data")?]
        }
        Rtype::URI => vec![fields.numbers(&["priority", "weight"])?, fields.string("target")?],
        Rtype::NAPTR => {
            // Flags have no case (RFC 3403 §4.1), and octoDNS writes them in upper case.
            let flags = fields.string("flags")?.to_ascii_uppercase();
            let strings = [flags, fields.string("service")?, fields.string("regexp")?].join(" ");
            vec![fields.numbers(&["order", "preference"])?, strings, fields.target_of(&["replacement"])?]
        }
        Rtype::LOC => location(fields)?,
        Rtype::SVCB | Rtype::HTTPS => service(fields)?,
        other => return Err(format!("{other} has no form in octoDNS")),
    };
    Ok(words.join(" "))
}

/// RFC 1876 §3.
fn location(fields: &Fields<'_>) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for side in ["lat", "long"] {
        words.push(fields.numbers(&[&format!("{side}_degrees"), &format!("{side}_minutes")])?);
        words.push(fields.word(&format!("{side}_seconds"))?);
        words.push(fields.word(&format!("{side}_direction"))?.to_ascii_uppercase());
    }
    for field in ["altitude", "size", "precision_horz", "precision_vert"] {
        words.push(fields.word(field)? + "m");
    }
    Ok(words)
}

/// RFC 9460 §2.1.
fn service(fields: &Fields<'_>) -> Result<Vec<String>, String> {
    let mut words = vec![fields.number("svcpriority")?, fields.target_of(&["targetname"])?];
    let parameters = match fields.0.get("svcparams") {
        None | Some(Value::Null) => return Ok(words),
        Some(Value::Object(parameters)) => parameters,
        Some(_) => return Err("svcparams is no mapping: write the parameters below it".to_owned()),
    };
    for (key, value) in parameters {
        let items = match value {
            Value::Null => {
                words.push(key.clone());
                continue;
            }
            Value::Array(items) => items.iter().map(scalar).collect::<Result<Vec<_>, _>>()?,
            one => vec![scalar(one)?],
        };
        let is_odd = |c: char| c == '"' || c == '\\' || !c.is_ascii_graphic();
        let is_list = items.len() > 1;
        if let Some(item) = items.iter().find(|item| item.contains(is_odd) || is_list && item.contains(',')) {
            return Err(format!("{key} has {item:?}, which needs escapes: write a DNSRecord for it by hand"));
        }
        words.push(format!("{key}=\"{}\"", items.join(",")));
    }
    Ok(words)
}

/// A text as strings of 255 octets, as octoDNS cuts it.
fn text(rtype: Rtype, text: &str) -> Result<Rdata, String> {
    // Strings in quotes are one text to octoDNS.
    let joined = match text.strip_prefix('"') {
        Some(inside) => inside.strip_suffix('"').unwrap_or(inside).replace("\" \"", ""),
        None => text.to_owned(),
    };
    let octets = unescaped(&joined)?.into_bytes();
    let quoted = match octets.is_empty() {
        true => "\"\"".to_owned(),
        false => octets.chunks(255).map(in_quotes).collect::<Vec<_>>().join(" "),
    };
    rdata::parse_value(rtype, &quoted).map_err(|error| format!("the value {error}"))
}

/// A text without the backslashes before its semicolons.
fn unescaped(text: &str) -> Result<String, String> {
    let plain = text.replace("\\;", ";");
    match plain.contains('\\') {
        false => Ok(plain),
        true => Err(format!(
            "{text:?} has a backslash that is not before a semicolon, and what that stands for differs between \
             versions and providers of octoDNS: see what is served (dig), and write that as a DNSRecord"
        )),
    }
}

/// Octets as a string of presentation form (RFC 1035 §5.1).
fn in_quotes(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
    text
}

fn scalar(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Err("a value is empty".to_owned()),
        _ => Err("a value is a list or a mapping where a text is expected".to_owned()),
    }
}

/// Names in values are absolute, and octoDNS has them end in a dot; without it providers do not agree on what is
/// meant.
fn target(text: &str) -> Result<String, String> {
    match name::is_absolute(text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "the name {text:?} does not end in a dot: write {:?} if it is the whole name",
            format!("{text}.")
        )),
    }
}

/// A number is what octoDNS reads, not what is written.
pub(super) fn check_number(field: &str, number: &str) -> Result<(), String> {
    match number.bytes().all(|octet| octet.is_ascii_digit()) && is_read_otherwise(number) {
        false => Ok(()),
        true => Err(format!(
            "the field {field} is {number}, which octoDNS reads as another number (YAML has those with a zero before \
             them in base 8): write it without the zero, after a look at what is served"
        )),
    }
}

/// The fields of a value.
struct Fields<'v>(&'v Value);

impl<'v> Fields<'v> {
    fn get(&self, field: &str) -> Option<Result<&'v str, String>> {
        let value = self.0.get(field).filter(|value| !value.is_null())?;
        Some(scalar(value).map_err(|_| format!("the field {field} is no text or number")))
    }

    fn required(&self, field: &str) -> Result<&'v str, String> {
        self.get(field).unwrap_or_else(|| Err(format!("the value has no field {field}")))
    }

    /// A field that is one word.
    fn word(&self, field: &str) -> Result<String, String> {
        let text = self.required(field)?;
        match !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '#'))
        {
            true => Ok(text.to_owned()),
            false => Err(format!("the field {field} is {text:?}, and no single word")),
        }
    }

    fn number(&self, field: &str) -> Result<String, String> {
        let number = self.word(field)?;
        check_number(field, &number).map(|()| number)
    }

    fn numbers(&self, fields: &[&str]) -> Result<String, String> {
        let numbers = fields.iter().map(|field| self.number(field)).collect::<Result<Vec<_>, _>>()?;
        Ok(numbers.join(" "))
    }

    fn either(&self, field: &str, other: &str) -> Result<String, String> {
        self.number(if self.get(field).is_some() { field } else { other })
    }

    /// A string in quotes, escapes and all. It may be empty, but must be there.
    fn string(&self, field: &str) -> Result<String, String> {
        let text = self.get(field).unwrap_or(Ok(""))?;
        let has_end = text.replace("\\\\", "").replace("\\\"", "").contains(['"', '\n']);
        match self.0.get(field) {
            None => Err(format!("the value has no field {field}")),
            Some(_) if has_end => Err(format!("the field {field} is {text:?}: write a quote in it as \\\"")),
            Some(_) => Ok(format!("\"{text}\"")),
        }
    }

    /// The name in the first of the fields that is there.
    fn target_of(&self, fields: &[&str]) -> Result<String, String> {
        let there = fields.iter().find(|field| self.get(field).is_some());
        let text = self.required(there.unwrap_or(&fields[0]))?;
        target(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn shown(rtype: Rtype, given: Value) -> Result<String, String> {
        value(rtype, &given).map(|value| rdata::display(rtype, &value))
    }

    #[test]
    fn a_semicolon_may_have_its_backslash_and_nothing_else_has_one() {
        for (text, expected) in [
            (r"v=DKIM1\;k=rsa\; p=x", r#""v=DKIM1;k=rsa; p=x""#),
            ("v=DMARC1; p=none", r#""v=DMARC1; p=none""#),
            (r#""one" "two""#, r#""onetwo""#),
            (r#"say "yes""#, r#""say \"yes\"""#),
            ("", r#""""#),
            ("caf\u{e9}", r#""caf\195\169""#),
        ] {
            assert_eq!(shown(Rtype::TXT, json!(text)).as_deref(), Ok(expected), "{text}");
        }
        for text in [r"a\b", r"a\\;b", r#"a\"b"#, r"\195"] {
            let why = shown(Rtype::TXT, json!(text)).expect_err(text);
            assert!(why.contains("differs between versions"), "{why}");
        }
    }

    #[test]
    fn what_a_value_lacks_is_told_by_its_field() {
        for (rtype, value, words) in [
            (Rtype::MX, json!({"exchange": "mx.example."}), "no field priority"),
            (Rtype::MX, json!({"preference": "1", "exchange": "mx.example"}), "does not end in a dot"),
            (
                Rtype::SRV,
                json!({"priority": "1", "weight": "1", "port": [], "target": "."}),
                "field port is no text",
            ),
            (Rtype::DS, json!({"flags": "257", "public_key": "x"}), "no field key_tag"),
            (Rtype::CNAME, json!({"target": "a."}), "where a text is expected"),
            (Rtype::A, Value::Null, "is empty"),
            (Rtype::A, json!("192.0.2.256"), "192.0.2.256"),
            (
                Rtype::HTTPS,
                json!({"svcpriority": "1", "targetname": ".", "svcparams": []}),
                "svcparams is no mapping",
            ),
        ] {
            let why = shown(rtype, value.clone()).expect_err("refused");
            assert!(why.contains(words), "{value}: {why}");
        }
    }

    proptest! {
        /// RFC 1035 §3.3.14: of a text nothing is lost, however long it is.
        #[test]
        fn every_text_keeps_its_octets(given in "[ -\\[\\]-~\u{e9}]{0,600}") {
            prop_assume!(!given.starts_with('"'));
            let value = value(Rtype::TXT, &json!(given)).expect("a value");
            let mut octets = Vec::new();
            let mut rest = value.as_slice();
            while let Some((&length, after)) = rest.split_first() {
                octets.extend_from_slice(&after[..length.into()]);
                rest = &after[length.into()..];
            }
            prop_assert_eq!(String::from_utf8(octets).expect("UTF-8"), given);
        }

        /// Whatever stands in a file, it is a value or refused.
        #[test]
        fn fields_of_any_text_are_read_or_refused(text in "[ -~\u{e9}\n]{0,20}") {
            for rtype in [Rtype::MX, Rtype::SRV, Rtype::CAA, Rtype::NAPTR, Rtype::LOC, Rtype::HTTPS, Rtype::URI] {
                let fields = [
                    "preference", "exchange", "priority", "weight", "port", "target", "flags", "tag", "value", "order",
                    "service", "regexp", "replacement", "lat_degrees", "svcpriority", "targetname",
                ];
                let value: serde_json::Map<String, Value> =
                    fields.iter().map(|field| ((*field).to_owned(), json!(text))).collect();
                let _ = super::value(rtype, &Value::Object(value));
            }
        }
    }
}
