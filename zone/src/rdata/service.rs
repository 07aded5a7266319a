//! SVCB and HTTPS (RFC 9460): `1 . alpn=h2,h3 port=8443 key667="any octets"`.
//!
//! A parameter is a key and, after `=`, a value as it stands or in quotes. Two levels of escapes meet in
//! lists: those of every string (`\DDD`, `\X`), and within what is left, `\,` and `\\` (appendix A.1). A key
//! written as `keyNNN` has its value in wire form.
//!
//! What parameters say together (RFC 9460 §2.4.3, §8) is asked of what people write, not of wire form.

use super::fields::{number, quoted, take};
use super::{Token, ValueError};
use crate::name;
use crate::rrset::wire_name_len;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

const EXAMPLE: &str = "1 . alpn=h2,h3 port=8443";

/// How the value of a parameter is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// A list of keys, which must be there too.
    Keys,
    /// A list of strings, in wire form with a length each.
    Strings,
    /// No value.
    Nothing,
    /// A number.
    Number,
    /// A list of numbers.
    Numbers,
    /// A list of addresses.
    Ipv4,
    /// A list of addresses.
    Ipv6,
    /// Octets in base64.
    Base64,
    /// Any octets.
    Octets,
}

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const DOHPATH: u16 = 7;

/// RFC 9460 §14.3.2, RFC 9461, RFC 9540, and the registry. Keys above are read by name, and written as
/// `keyNNN`, which those who do not know the name read as well.
const KEYS: &[(u16, &str, Form)] = &[
    (MANDATORY, "mandatory", Form::Keys),
    (ALPN, "alpn", Form::Strings),
    (NO_DEFAULT_ALPN, "no-default-alpn", Form::Nothing),
    (3, "port", Form::Number),
    (4, "ipv4hint", Form::Ipv4),
    (5, "ech", Form::Base64),
    (6, "ipv6hint", Form::Ipv6),
    (DOHPATH, "dohpath", Form::Octets),
    (8, "ohttp", Form::Nothing),
    (9, "tls-supported-groups", Form::Numbers),
];
/// The greatest key that is written by its name.
const GREATEST_NAMED: u16 = 6;

fn form_of(key: u16) -> Form {
    KEYS.iter().find(|(number, ..)| *number == key).map_or(Form::Octets, |(_, _, form)| *form)
}

fn key_name(key: u16) -> String {
    match KEYS.iter().find(|(number, ..)| *number == key && key <= GREATEST_NAMED) {
        Some((_, name, _)) => (*name).to_owned(),
        None => format!("key{key}"),
    }
}

/// The key with this name, and whether it is in the form `keyNNN`.
fn parse_key(text: &str) -> Option<(u16, bool)> {
    if let Some((key, ..)) = KEYS.iter().find(|(_, name, _)| *name == text) {
        return Some((*key, false));
    }
    let digits = text.strip_prefix("key")?;
    let has_zeros = digits.len() > 1 && digits.starts_with('0');
    number(digits).filter(|_| !has_zeros).map(|key| (key, true))
}

/// The wire form.
pub(crate) fn parse(tokens: &[Token]) -> Result<Vec<u8>, ValueError> {
    let [priority, target, parameters @ ..] = tokens else {
        return Err(wrong(tokens.len(), "priority and target are needed"));
    };
    let priority: u16 =
        number(priority.text()).ok_or_else(|| wrong(0, "the priority is a number up to 65535"))?;
    let target = name::parse_absolute(target.text())
        .map_err(|error| wrong(1, &format!("the name \"{}\" {error}", target.text())))?;
    let mut values = BTreeMap::new();
    let mut at = 0;
    while let Some(token) = parameters.get(at) {
        let place = at + 2;
        at += 1;
        if token.is_quoted() {
            return Err(wrong(place, "a parameter begins with its key; quotes may stand around its value"));
        }
        let octets = token.octets();
        let (key, mut value) = match octets.iter().position(|&octet| octet == b'=') {
            Some(end) => (&octets[..end], Some(octets[end + 1..].to_vec())),
            None => (&octets[..], None),
        };
        if value.as_ref().is_some_and(Vec::is_empty)
            && let Some(string) = parameters.get(at).filter(|next| next.is_quoted() && next.touches())
        {
            value = Some(string.octets());
            at += 1;
        }
        let key = String::from_utf8_lossy(key);
        let (number, is_general) =
            parse_key(&key).ok_or_else(|| wrong(place, &format!("\"{key}\" is no key of a parameter")))?;
        let wire = wire_value(number, is_general, value)
            .map_err(|what| wrong(place, &format!("the value of {key}: {what}")))?;
        if values.insert(number, wire).is_some() {
            return Err(wrong(place, &format!("{key} stands more than once")));
        }
    }
    check_together(&values).map_err(|what| wrong(2, &what))?;
    let mut wire = priority.to_be_bytes().to_vec();
    wire.extend_from_slice(target.as_slice());
    for (key, value) in values {
        let length = u16::try_from(value.len()).map_err(|_| wrong(2, "a value has at most 65535 octets"))?;
        wire.extend(key.to_be_bytes());
        wire.extend(length.to_be_bytes());
        wire.extend(value);
    }
    Ok(wire)
}

fn wrong(at: usize, what: &str) -> ValueError {
    ValueError::at(at, format!("is not a service binding ({what}): write it as in {EXAMPLE}"))
}

/// RFC 9460 §2.4.3 (no-default-alpn needs alpn: §7.1.1) and §8 (mandatory keys are there).
fn check_together(values: &BTreeMap<u16, Vec<u8>>) -> Result<(), String> {
    if values.contains_key(&NO_DEFAULT_ALPN) && !values.contains_key(&ALPN) {
        return Err("no-default-alpn needs alpn beside it".to_owned());
    }
    // RFC 9461 §5.
    let is_template = |path: &Vec<u8>| path.starts_with(b"/") && path.windows(4).any(|part| part == b"dns}");
    if values.get(&DOHPATH).is_some_and(|path| !is_template(path)) {
        return Err("dohpath is a path with the variable dns, such as /dns-query{?dns}".to_owned());
    }
    let mandatory = values.get(&MANDATORY).map(|keys| keys.chunks_exact(2)).into_iter().flatten();
    for key in mandatory.map(|key| u16::from_be_bytes([key[0], key[1]])) {
        if !values.contains_key(&key) {
            return Err(format!("mandatory names {}, which is not there", key_name(key)));
        }
    }
    Ok(())
}

/// The value of a parameter in wire form. The error says what is expected.
fn wire_value(key: u16, is_general: bool, value: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let form = form_of(key);
    if is_general || form == Form::Octets {
        let wire = value.unwrap_or_default();
        return if display_value(key, &wire).is_some() {
            Ok(wire)
        } else {
            Err("not of this key".to_owned())
        };
    }
    if form == Form::Nothing {
        return if value.is_none() { Ok(Vec::new()) } else { Err("it has none".to_owned()) };
    }
    let value = value.unwrap_or_default();
    let items = match form {
        Form::Base64 | Form::Number => vec![value],
        _ => split_list(&value),
    };
    let mut wire = Vec::new();
    for item in &items {
        if item.is_empty() {
            return Err("something is missing".to_owned());
        }
        let text = String::from_utf8_lossy(item);
        let expected = |what: &str| format!("\"{text}\" is no {what}");
        match form {
            Form::Strings => {
                wire.push(u8::try_from(item.len()).map_err(|_| expected("string of at most 255 octets"))?);
                wire.extend(item);
            }
            Form::Keys => wire.extend(parse_key(&text).ok_or_else(|| expected("key"))?.0.to_be_bytes()),
            Form::Number | Form::Numbers => {
                let number: u16 = number(&text).ok_or_else(|| expected("number up to 65535"))?;
                wire.extend(number.to_be_bytes());
            }
            Form::Ipv4 => {
                wire.extend(Ipv4Addr::from_str(&text).map_err(|_| expected("IPv4 address"))?.octets());
            }
            Form::Ipv6 => {
                wire.extend(Ipv6Addr::from_str(&text).map_err(|_| expected("IPv6 address"))?.octets());
            }
            Form::Base64 => {
                let octets: Vec<u8> = domain::utils::base64::decode(&text).map_err(|_| expected("base64"))?;
                wire.extend(octets);
            }
            Form::Nothing | Form::Octets => {}
        }
    }
    if form == Form::Keys {
        wire = sorted_keys(&wire).ok_or("each key once, and not mandatory itself")?;
    }
    Ok(wire)
}

/// RFC 9460 §8: in ascending order, each once, without the key "mandatory".
fn sorted_keys(wire: &[u8]) -> Option<Vec<u8>> {
    let mut keys: Vec<&[u8]> = wire.chunks_exact(2).collect();
    keys.sort_unstable();
    let is_right = keys.windows(2).all(|pair| pair[0] < pair[1]) && keys.iter().all(|key| *key != [0, 0]);
    is_right.then(|| keys.concat())
}

/// RFC 9460 appendix A.1: items between commas, with `\,` and `\\` for those octets.
fn split_list(value: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut octets = value.iter();
    while let Some(&octet) = octets.next() {
        let item = match octet {
            b',' => {
                items.push(Vec::new());
                continue;
            }
            b'\\' => *octets.next().unwrap_or(&octet),
            _ => octet,
        };
        if let Some(last) = items.last_mut() {
            last.push(item);
        }
    }
    items
}

/// The presentation form; `None` when the octets are not a value.
pub(crate) fn display(wire: &[u8]) -> Option<String> {
    let mut rest = wire;
    let priority = take_u16(&mut rest)?;
    let length = wire_name_len(rest)?;
    let target = name::Name::from_octets(Bytes::copy_from_slice(take(&mut rest, length)?)).ok()?;
    let mut text = format!("{priority} {}", name::display(&target));
    let mut last = None;
    while !rest.is_empty() {
        let key = take_u16(&mut rest)?;
        let length = usize::from(take_u16(&mut rest)?);
        let value = take(&mut rest, length)?;
        // RFC 9460 §2.2: keys only go up.
        if last.replace(key).is_some_and(|last| last >= key) {
            return None;
        }
        let shown = display_value(key, value)?;
        text.push(' ');
        text.push_str(&key_name(key));
        if key > GREATEST_NAMED && !value.is_empty() {
            text.push('=');
            text.push_str(&as_string(value));
        } else if !shown.is_empty() {
            text.push('=');
            text.push_str(&as_string(&shown));
        }
    }
    Some(text)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(take(rest, 2)?.try_into().ok()?))
}

/// A value as its octets are before they are quoted; `None` when it is not of its key.
fn display_value(key: u16, wire: &[u8]) -> Option<Vec<u8>> {
    let numbers = || wire.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let is_list_of = |octets: usize| !wire.is_empty() && wire.len().is_multiple_of(octets);
    let text = match form_of(key) {
        Form::Octets => return Some(wire.to_vec()),
        Form::Nothing => return wire.is_empty().then(Vec::new),
        Form::Strings => return display_list(wire),
        Form::Keys if is_list_of(2) && sorted_keys(wire).is_some_and(|sorted| sorted == wire) => {
            joined(numbers().map(key_name))
        }
        Form::Number if wire.len() == 2 => joined(numbers().map(|number| number.to_string())),
        Form::Numbers if is_list_of(2) => joined(numbers().map(|number| number.to_string())),
        Form::Ipv4 if is_list_of(4) => {
            joined(wire.chunks_exact(4).map(|ip| Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]).to_string()))
        }
        Form::Ipv6 if is_list_of(16) => {
            let addresses = wire.chunks_exact(16).filter_map(|ip| <[u8; 16]>::try_from(ip).ok());
            joined(addresses.map(|ip| Ipv6Addr::from(ip).to_string()))
        }
        Form::Base64 if !wire.is_empty() => domain::utils::base64::encode_string(wire),
        _ => return None,
    };
    Some(text.into_bytes())
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(",")
}

fn display_list(mut wire: &[u8]) -> Option<Vec<u8>> {
    let mut list = Vec::new();
    while !wire.is_empty() {
        let length = usize::from(take(&mut wire, 1)?[0]);
        if length == 0 {
            return None;
        }
        if !list.is_empty() {
            list.push(b',');
        }
        for &octet in take(&mut wire, length)? {
            if matches!(octet, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(octet);
        }
    }
    (!list.is_empty()).then_some(list)
}

/// As it stands where that is plain, else in quotes.
fn as_string(octets: &[u8]) -> String {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"+-./:,=_".contains(octet);
    if octets.iter().all(is_plain) { String::from_utf8_lossy(octets).into_owned() } else { quoted(octets) }
}
