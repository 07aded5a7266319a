//! One DNSRecord alone: its name, type and values.

use port53_crds::{DNSRecord, Reason};
use port53_zone::{Name, Rdata, Rtype, name, rdata};

use crate::verdict::Complaint;

/// A DNSRecord as it was read, as far as it could be.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) name: Option<Name>,
    pub(super) rtype: Option<Rtype>,
    pub(super) ttl: u32,
    /// All values, when nothing is wrong with any.
    pub(super) values: Vec<Rdata>,
    pub(super) complaints: Vec<Complaint>,
}

pub(super) fn read(record: &DNSRecord, apex: &Name, default_ttl: u32) -> Read {
    let spec = &record.spec;
    let mut complaints = Vec::new();
    let name = owner(&spec.name, apex).map_err(|complaint| complaints.push(*complaint)).ok();
    let rtype = data_type(&spec.type_).map_err(|complaint| complaints.push(*complaint)).ok();
    let mut values = Vec::with_capacity(spec.values.len());
    if let Some(rtype) = rtype {
        for (i, text) in spec.values.iter().enumerate() {
            match rdata::parse_value(rtype, text) {
                Ok(value) => values.push(value),
                Err(error) => {
                    let said = error.to_string();
                    // What begins with a word goes on from the value: "192.0.2.300" is not …
                    let join = if said.starts_with('"') { ":" } else { "" };
                    let message = format!("\"{}\"{join} {said}", shortened(text));
                    let field = format!("spec.values[{i}]");
                    complaints.push(Complaint::error(Reason::InvalidValue, field, message, ""));
                }
            }
        }
        if spec.values.is_empty() {
            let fix = "write at least one value, or delete the DNSRecord";
            complaints.push(Complaint::error(Reason::InvalidValue, "spec.values", "there is no value", fix));
        }
    }
    let ttl = spec.ttl.unwrap_or(default_ttl);
    if ttl > port53_crds::MAX_TTL {
        let message = format!("{ttl} seconds are more than a TTL may have (RFC 2181 §8)");
        let fix = format!("write at most {}", port53_crds::MAX_TTL);
        complaints.push(Complaint::error(Reason::InvalidSpec, "spec.ttl", message, fix));
    }
    Read { name, rtype, ttl, values, complaints }
}

/// The owner, whatever its spelling: relative to the zone, or absolute with the name of the zone at its end.
fn owner(text: &str, apex: &Name) -> Result<Name, Box<Complaint>> {
    let zone = name::display(apex);
    let parsed = name::parse(text, apex).map_err(|error| {
        let fix = "write a name relative to the zone, such as www, or \"@\" for the apex";
        Box::new(Complaint::error(
            Reason::InvalidName,
            "spec.name",
            format!("\"{}\" {error}", shortened(text)),
            fix,
        ))
    })?;
    if !parsed.ends_with(apex) {
        let fix = format!("write it relative to the zone, without a last dot, or ending in .{zone}");
        let message = format!("{} is not in zone {zone}", name::display(&parsed));
        return Err(Box::new(Complaint::error(Reason::OutOfZone, "spec.name", message, fix)));
    }
    if let Some(meant) = name::with_forgotten_dot(text, apex) {
        let message = format!(
            "\"{}\" has no last dot, so it is relative to the zone and means {}: was {} meant?",
            shortened(text),
            name::display(&parsed),
            name::display(&meant),
        );
        let fix = format!(
            "write \"{}\", or \"{}\" with its last dot if that is meant",
            name::display_relative(&meant, apex),
            name::display(&parsed)
        );
        return Err(Box::new(Complaint::error(Reason::InvalidName, "spec.name", message, fix)));
    }
    Ok(parsed)
}

fn data_type(text: &str) -> Result<Rtype, Box<Complaint>> {
    let refuse = |message: String, fix: &str| {
        Box::new(Complaint::error(Reason::InvalidType, "spec.type", message, fix))
    };
    match rdata::parse_rtype(text) {
        None => Err(refuse(
            format!("\"{}\" is not a type of records", shortened(text)),
            "write a type such as A, AAAA, CNAME, MX or TXT, or TYPE and its number (RFC 3597)",
        )),
        Some(Rtype::SOA) => {
            Err(refuse("SOA is not a DNSRecord".to_owned(), "set the fields of spec.soa of the Zone"))
        }
        Some(rtype @ (Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3)) => Err(refuse(
            format!("{rtype} is made by signing, and never a DNSRecord"),
            "remove the DNSRecord; the signer of the zone makes these records",
        )),
        Some(rtype) => Ok(rtype),
    }
}

/// A text as it is quoted in a message: its first 60 characters.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
