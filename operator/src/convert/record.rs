//! A DNSRecord: owner, type and values as text, and what is refused.
//!
//! Values are written by `port53_zone::rdata`, and each is read back before it is believed. Only TXT is
//! written otherwise where it can be: as the text it is, without quotes.

use super::names;
use port53_crds::{KNOWN_TYPES, MAX_TTL, MAX_VALUE_LENGTH, MAX_VALUES};
use port53_zone::{Name, RRset, Rdata, Rtype, rdata};
use serde_json::{Value, json};

/// The spec of the DNSRecord of an RRset, or why there is none.
pub(super) fn spec(rrset: &RRset, apex: &Name, zone: &str) -> Result<Value, String> {
    let rtype = rrset.rtype;
    if !rrset.name.ends_with(apex) {
        return Err("the name is not in the zone".to_owned());
    }
    check_type(rtype)?;
    check_rules(rrset, apex)?;
    if rrset.ttl > MAX_TTL {
        return Err(format!("the TTL is greater than {MAX_TTL} (RFC 2181 section 8)"));
    }
    if rrset.values().len() > MAX_VALUES as usize {
        return Err(format!(
            "there are {} values, and a DNSRecord has at most {MAX_VALUES}",
            rrset.values().len()
        ));
    }
    let values = rrset.values().iter().map(|value| text(rtype, value)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "zoneRef": {"name": zone},
        "name": names::spec_name(&rrset.name, apex),
        "type": type_text(rtype),
        "ttl": rrset.ttl,
        "values": values,
    }))
}

fn check_type(rtype: Rtype) -> Result<(), String> {
    let reason = match rtype {
        Rtype::SOA => {
            "SOA is no DNSRecord: a zone has one, at its apex, in the soa of the Zone's spec".to_owned()
        }
        Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3 => {
            format!("{rtype} comes with signing and is never a DNSRecord")
        }
        rtype if !rdata::is_data(rtype) || rtype.to_int() == u16::MAX => {
            format!("{rtype} is not a type of records (RFC 6895 section 3.1)")
        }
        _ => return Ok(()),
    };
    Err(reason)
}

/// What the definition of DNSRecord refuses by looking at name, type and number of values.
fn check_rules(rrset: &RRset, apex: &Name) -> Result<(), String> {
    let is_apex = rrset.name == *apex;
    let reason = match rrset.rtype {
        Rtype::CNAME if is_apex => {
            "a CNAME cannot stand at the apex, beside SOA and NS (RFC 1034 section 3.6.2)"
        }
        Rtype::DS if is_apex => "the DS of a zone belongs into the zone above it (RFC 4035 section 2.4)",
        Rtype::CNAME | Rtype::DNAME if rrset.values().len() > 1 => {
            "there is more than one target (RFC 2181 section 10.1, RFC 6672 section 2.4)"
        }
        _ => return Ok(()),
    };
    Err(reason.to_owned())
}

/// The type as a DNSRecord may state it.
fn type_text(rtype: Rtype) -> String {
    let mnemonic = rdata::display_rtype(rtype);
    if KNOWN_TYPES.contains(&mnemonic.as_str()) { mnemonic } else { format!("TYPE{}", rtype.to_int()) }
}

/// A value as it is read back by [`rdata::parse_value`].
fn text(rtype: Rtype, value: &Rdata) -> Result<String, String> {
    let text = as_it_stands(rtype, value).unwrap_or_else(|| rdata::display(rtype, value));
    if text.len() > MAX_VALUE_LENGTH as usize {
        let length = text.len();
        return Err(format!(
            "a value has {length} characters as text, and at most {MAX_VALUE_LENGTH} are taken"
        ));
    }
    match rdata::parse_value(rtype, &text) {
        Ok(read) if read == *value => Ok(text),
        _ => Err(format!("the value {text} is read as another")),
    }
}

/// A text without the quotes of its strings, if that is read as the same strings. Not with a backslash in
/// it, which would look like an escape and be none.
fn as_it_stands(rtype: Rtype, value: &Rdata) -> Option<String> {
    if !matches!(rtype, Rtype::TXT | Rtype::SPF) {
        return None;
    }
    let mut octets = Vec::new();
    let mut rest = value.as_slice();
    while let Some((&length, after)) = rest.split_first() {
        octets.extend_from_slice(after.get(..length.into())?);
        rest = &after[length.into()..];
    }
    let text = String::from_utf8(octets).ok()?;
    let is_plain =
        !text.is_empty() && !text.starts_with('"') && !text.chars().any(|c| c.is_control() || c == '\\');
    (is_plain && rdata::parse_value(rtype, &text).as_ref() == Ok(value)).then_some(text)
}
