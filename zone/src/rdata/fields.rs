//! Types that the `domain` crate does not know, as a table of their fields.

use super::{Token, ValueError};
use crate::name;
use crate::rrset::wire_name_len;
use bytes::Bytes;
use domain::base::iana::{Rtype, SecurityAlgorithm};
use domain::base::scan::IterScanner;
use domain::rdata::dnssec::RtypeBitmap;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// One field of a value, in wire form and in presentation form.
#[derive(Clone, Copy)]
enum Field {
    U8,
    U16,
    U32,
    /// A name, already absolute in presentation form.
    Name,
    /// A string of at most 255 octets.
    String,
    /// One string or more, to the end.
    Strings,
    /// A string to the end without a length, in quotes (RFC 7553 §4.4).
    Text,
    /// Octets in hex to the end.
    Hex,
    /// Octets in base64 to the end.
    Base64,
    Ipv4,
    /// Four groups of four hex digits (RFC 6742 §2.1.2).
    Groups,
    /// So many octets in hex with hyphens (RFC 7043 §3.2).
    Hyphens(usize),
    /// A type of certificate (RFC 4398 §2.1).
    CertificateType,
    /// An algorithm of DNSSEC.
    Algorithm,
    /// A bitmap of types to the end (RFC 4034 §4.1.2).
    Types,
}

struct Layout {
    rtype: Rtype,
    mnemonic: &'static str,
    fields: &'static [Field],
    example: &'static str,
}

const fn layout(
    rtype: Rtype,
    mnemonic: &'static str,
    fields: &'static [Field],
    example: &'static str,
) -> Layout {
    Layout { rtype, mnemonic, fields, example }
}

use Field::{
    Algorithm, Base64, CertificateType, Groups, Hex, Hyphens, Ipv4, Name, String as Str, Strings, Text,
    Types, U8, U16, U32,
};

const LAYOUTS: &[Layout] = &[
    layout(Rtype::AFSDB, "AFSDB", &[U16, Name], "1 afs.example.com."),
    layout(Rtype::X25, "X25", &[Str], "311061700956"),
    layout(Rtype::ISDN, "ISDN", &[Strings], "150862028003217 004"),
    layout(Rtype::RT, "RT", &[U16, Name], "10 relay.example.com."),
    layout(Rtype::PX, "PX", &[U16, Name, Name], "10 map822.example.com. mapx400.example.com."),
    layout(Rtype::GPOS, "GPOS", &[Str, Str, Str], "-32.6882 116.8652 10.0"),
    layout(Rtype::KX, "KX", &[U16, Name], "10 kx.example.com."),
    layout(
        Rtype::CERT,
        "CERT",
        &[CertificateType, U16, Algorithm, Base64],
        "PKIX 0 0 and the certificate in base64",
    ),
    layout(Rtype::DHCID, "DHCID", &[Base64], "the identifier in base64"),
    layout(Rtype::SMIMEA, "SMIMEA", &[U8, U8, U8, Hex], "3 1 1 and the digest in hex"),
    layout(Rtype::CSYNC, "CSYNC", &[U32, U16, Types], "66 3 A NS AAAA"),
    layout(Rtype::SPF, "SPF", &[Strings], "\"v=spf1 -all\""),
    layout(Rtype::NID, "NID", &[U16, Groups], "10 0014:4fff:ff20:ee64"),
    layout(Rtype::L32, "L32", &[U16, Ipv4], "10 10.1.2.0"),
    layout(Rtype::L64, "L64", &[U16, Groups], "10 2001:0db8:1140:1000"),
    layout(Rtype::LP, "LP", &[U16, Name], "10 l64-subnet.example.com."),
    layout(Rtype::EUI48, "EUI48", &[Hyphens(6)], "00-00-5e-00-53-2a"),
    layout(Rtype::EUI64, "EUI64", &[Hyphens(8)], "00-00-5e-ef-10-00-00-2a"),
    layout(Rtype::URI, "URI", &[U16, U16, Text], "10 1 \"https://example.com/\""),
];

/// RFC 4398 §2.1.
const CERTIFICATE_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

fn layout_of(rtype: Rtype) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.rtype == rtype)
}

/// Whether this table has the type.
pub(crate) fn knows(rtype: Rtype) -> bool {
    layout_of(rtype).is_some()
}

pub(crate) fn rtype_of(mnemonic: &str) -> Option<Rtype> {
    LAYOUTS.iter().find(|layout| layout.mnemonic.eq_ignore_ascii_case(mnemonic)).map(|layout| layout.rtype)
}

pub(crate) fn mnemonic(rtype: Rtype) -> Option<&'static str> {
    layout_of(rtype).map(|layout| layout.mnemonic)
}

/// The wire form of a value of one of these types.
pub(crate) fn parse(rtype: Rtype, tokens: &[Token]) -> Result<Vec<u8>, ValueError> {
    let Some(layout) = layout_of(rtype) else {
        return Err(ValueError::new("is of a type that is not known"));
    };
    let mut wire = Vec::new();
    let mut at = 0;
    for field in layout.fields {
        at = parse_field(*field, tokens, at, &mut wire).map_err(|error| explain(layout, error))?;
    }
    if at < tokens.len() {
        return Err(explain(layout, ValueError::at(at, "there is more than the type takes")));
    }
    Ok(wire)
}

fn explain(layout: &Layout, error: ValueError) -> ValueError {
    let message = format!(
        "is not a value of type {} ({}): write it as in {}",
        layout.mnemonic, error.message, layout.example
    );
    ValueError { message, ..error }
}

/// Reads a field at token `at`. Returns the token after it.
fn parse_field(field: Field, tokens: &[Token], at: usize, wire: &mut Vec<u8>) -> Result<usize, ValueError> {
    if matches!(field, Types) && at == tokens.len() {
        return Ok(at);
    }
    let token = tokens.get(at).ok_or_else(|| ValueError::at(at, "something is missing at the end"))?;
    let text = token.text();
    let wrong = |expected: &str| ValueError::at(at, format!("\"{text}\" is no {expected}"));
    match field {
        U8 => wire.push(text.parse().map_err(|_| wrong("number up to 255"))?),
        U16 => wire.extend(text.parse::<u16>().map_err(|_| wrong("number up to 65535"))?.to_be_bytes()),
        U32 => wire.extend(text.parse::<u32>().map_err(|_| wrong("number up to 4294967295"))?.to_be_bytes()),
        Name => {
            let name = name::parse_absolute(text)
                .map_err(|error| ValueError::at(at, format!("the name {error}")))?;
            wire.extend_from_slice(name.as_slice());
        }
        Str => push_string(token, at, wire)?,
        Strings => {
            for (index, token) in tokens.iter().enumerate().skip(at) {
                push_string(token, index, wire)?;
            }
            return Ok(tokens.len());
        }
        Text => wire.extend(token.octets()),
        Hex => {
            wire.extend(parse_hex(&tokens[at..], at)?);
            return Ok(tokens.len());
        }
        Base64 => {
            let joined: String = tokens[at..].iter().map(Token::text).collect();
            let octets: Vec<u8> = domain::utils::base64::decode(&joined).map_err(|_| wrong("base64"))?;
            wire.extend(octets);
            return Ok(tokens.len());
        }
        Ipv4 => wire.extend(Ipv4Addr::from_str(text).map_err(|_| wrong("IPv4 address"))?.octets()),
        Groups => {
            let groups: Vec<&str> = text.split(':').collect();
            if groups.len() != 4 {
                return Err(wrong("four groups of hex digits"));
            }
            for group in groups {
                let number =
                    u16::from_str_radix(group, 16).map_err(|_| wrong("four groups of hex digits"))?;
                wire.extend(number.to_be_bytes());
            }
        }
        Hyphens(count) => {
            let octets: Result<Vec<u8>, _> = text
                .split('-')
                .map(
                    |pair| {
                        if pair.len() == 2 { u8::from_str_radix(pair, 16).map_err(|_| ()) } else { Err(()) }
                    },
                )
                .collect();
            match octets {
                Ok(octets) if octets.len() == count => wire.extend(octets),
                _ => return Err(wrong("pairs of hex digits with hyphens")),
            }
        }
        CertificateType => {
            let known = CERTIFICATE_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            let number = known.map(|(_, number)| *number).or_else(|| text.parse().ok());
            wire.extend(number.ok_or_else(|| wrong("type of certificate"))?.to_be_bytes());
        }
        Algorithm => {
            let algorithm = text
                .parse()
                .ok()
                .or_else(|| SecurityAlgorithm::from_str(text).ok().map(|known| known.to_int()));
            wire.push(algorithm.ok_or_else(|| wrong("algorithm of DNSSEC"))?);
        }
        Types => {
            let mut scanner = IterScanner::<_, Bytes>::new(tokens[at..].iter().map(|token| token.text()));
            let bitmap = RtypeBitmap::scan(&mut scanner).map_err(|_| wrong("list of types"))?;
            wire.extend_from_slice(bitmap.as_slice());
            return Ok(tokens.len());
        }
    }
    Ok(at + 1)
}

fn push_string(token: &Token, at: usize, wire: &mut Vec<u8>) -> Result<(), ValueError> {
    let octets = token.octets();
    let length = u8::try_from(octets.len()).map_err(|_| {
        ValueError::at(at, format!("a string of {} octets: at most 255 fit, split it", octets.len()))
    })?;
    wire.push(length);
    wire.extend(octets);
    Ok(())
}

/// Octets in hex over all `tokens`, the first of which is number `first` of the value.
pub(crate) fn parse_hex(tokens: &[Token], first: usize) -> Result<Vec<u8>, ValueError> {
    let mut digits = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        for character in token.text().chars() {
            let digit = character
                .to_digit(16)
                .ok_or_else(|| ValueError::at(first + index, format!("{character:?} is no hex digit")))?;
            digits.push(digit as u8);
        }
    }
    if digits.len() % 2 == 1 {
        return Err(ValueError::new("has an odd number of hex digits"));
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The presentation form; `None` when the octets are not a value of the type.
pub(crate) fn display(rtype: Rtype, wire: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = wire;
    for field in layout_of(rtype)?.fields {
        parts.push(display_field(*field, &mut rest)?);
    }
    rest.is_empty().then(|| parts.join(" ").trim_end().to_owned())
}

fn display_field(field: Field, rest: &mut &[u8]) -> Option<String> {
    Some(match field {
        U8 | Algorithm => take(rest, 1)?[0].to_string(),
        U16 | CertificateType => u16::from_be_bytes(take(rest, 2)?.try_into().ok()?).to_string(),
        U32 => u32::from_be_bytes(take(rest, 4)?.try_into().ok()?).to_string(),
        Name => {
            let length = wire_name_len(rest)?;
            let octets = Bytes::copy_from_slice(take(rest, length)?);
            name::display(&name::Name::from_octets(octets).ok()?)
        }
        Str => {
            let length = usize::from(take(rest, 1)?[0]);
            quoted(take(rest, length)?)
        }
        Strings => display_strings(take(rest, rest.len())?)?,
        Text => {
            // RFC 7553 §4.4: the target is not empty.
            let octets = take(rest, rest.len())?;
            if octets.is_empty() { return None } else { quoted(octets) }
        }
        Hex | Base64 if rest.is_empty() => return None,
        Hex => hex(take(rest, rest.len())?, ""),
        Base64 => domain::utils::base64::encode_string(take(rest, rest.len())?),
        Ipv4 => Ipv4Addr::from(<[u8; 4]>::try_from(take(rest, 4)?).ok()?).to_string(),
        Groups => {
            let groups: Vec<String> = take(rest, 8)?.chunks(2).map(|pair| hex(pair, "")).collect();
            groups.join(":")
        }
        Hyphens(count) => hex(take(rest, count)?, "-"),
        Types => {
            let bitmap = RtypeBitmap::from_octets(take(rest, rest.len())?).ok()?;
            let types: Vec<String> = bitmap.iter().map(|rtype| rtype.to_string()).collect();
            types.join(" ")
        }
    })
}

/// Strings with a length each, in quotes; `None` when there is none or they are cut short.
pub(crate) fn display_strings(mut wire: &[u8]) -> Option<String> {
    let mut strings = Vec::new();
    while !wire.is_empty() {
        let length = usize::from(take(&mut wire, 1)?[0]);
        strings.push(quoted(take(&mut wire, length)?));
    }
    (!strings.is_empty()).then(|| strings.join(" "))
}

fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(octet));
            }
            0x20..=0x7e => text.push(char::from(octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
    text
}

fn hex(octets: &[u8], between: &str) -> String {
    let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    pairs.join(between)
}

fn take<'o>(rest: &mut &'o [u8], length: usize) -> Option<&'o [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}
