//! Types that the `domain` crate does not know, as a table of their fields.

use super::{Token, ValueError, display_rtype};
use crate::name;
use crate::rrset::wire_name_len;
use bytes::Bytes;
use domain::base::iana::{Rtype, SecurityAlgorithm};
use domain::rdata::dnssec::RtypeBitmap;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// One field of a value, in wire form and in presentation form.
#[derive(Clone, Copy)]
enum Field {
    U8,
    U16,
    U32,
    U64,
    /// A name, already absolute in presentation form.
    Name,
    /// A string of at most 255 octets.
    String,
    /// Perhaps one more string.
    MaybeString,
    /// One string or more, to the end.
    Strings,
    /// A string to the end without a length, in quotes (RFC 7553 §4.4).
    Text,
    /// Octets in hex to the end.
    Hex,
    /// Octets in base64 to the end.
    Base64,
    /// The same, and `-` for none.
    Base64OrNone,
    /// Octets in hex as one word that begins with `0x`, dots where one likes (RFC 1706 §6).
    Nsap,
    Ipv4,
    /// Four groups of four hex digits (RFC 6742 §2.1.2).
    Groups,
    /// So many octets in hex with hyphens (RFC 7043 §3.2).
    Hyphens(usize),
    /// A type of certificate (RFC 4398 §2.1).
    CertificateType,
    /// An algorithm of DNSSEC.
    Algorithm,
    /// A type.
    Type,
    /// A way to notify (RFC 9859 §2.1): `NOTIFY` or a number.
    Scheme,
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
    Algorithm, Base64, Base64OrNone, CertificateType, Groups, Hex, Hyphens, Ipv4, MaybeString, Name, Nsap,
    Scheme, String as Str, Strings, Text, Type, Types, U8, U16, U32, U64,
};

const LAYOUTS: &[Layout] = &[
    layout(Rtype::AFSDB, "AFSDB", &[U16, Name], "1 afs.example.com."),
    layout(Rtype::X25, "X25", &[Str], "311061700956"),
    layout(Rtype::ISDN, "ISDN", &[Str, MaybeString], "150862028003217 004"),
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
    layout(Rtype::NSAP, "NSAP", &[Nsap], "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00"),
    layout(Rtype::NSAPPTR, "NSAP-PTR", &[Name], "host.example.com."),
    layout(Rtype::KEY, "KEY", &[U16, U8, Algorithm, Base64], "256 3 8 and the key in base64"),
    layout(Rtype::EID, "EID", &[Hex], "the identifier in hex"),
    layout(Rtype::NIMLOC, "NIMLOC", &[Hex], "the locator in hex"),
    layout(Rtype::NSEC, "NSEC", &[Name, Types], "next.example.com. A NS"),
    layout(Rtype::NINFO, "NINFO", &[Strings], "\"text\""),
    layout(Rtype::RKEY, "RKEY", &[U16, U8, Algorithm, Base64], "0 3 8 and the key in base64"),
    layout(Rtype::TALINK, "TALINK", &[Name, Name], "before.example.com. after.example.com."),
    layout(Rtype::DSYNC, "DSYNC", &[Type, Scheme, U16, Name], "CDS NOTIFY 5300 scanner.example.com."),
    layout(Rtype::HHIT, "HHIT", &[Base64], "the tag in base64"),
    layout(Rtype::BRID, "BRID", &[Base64], "the identifier in base64"),
    layout(Rtype::AVC, "AVC", &[Strings], "\"app-name:name\""),
    layout(
        Rtype::DOA,
        "DOA",
        &[U32, U32, U8, Str, Base64OrNone],
        "0 1 2 \"text/plain\" and the data in base64",
    ),
    layout(Rtype::RESINFO, "RESINFO", &[Strings], "qnamemin exterr=15-17"),
    layout(Rtype::WALLET, "WALLET", &[Strings], "\"currency\" \"address\""),
    layout(Rtype::CLA, "CLA", &[Strings], "\"TCP-v4\""),
    layout(Rtype::IPN, "IPN", &[U64], "4294967297"),
    layout(Rtype::TA, "TA", &[U16, Algorithm, U8, Hex], "60485 8 2 and the digest in hex"),
    layout(Rtype::DLV, "DLV", &[U16, Algorithm, U8, Hex], "60485 8 2 and the digest in hex"),
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

/// Names of algorithms that BIND writes, beside those of the registry.
const ALGORITHMS: &[(&str, u8)] = &[("NSEC3DSA", 6), ("NSEC3RSASHA1", 7), ("ECCGOST", 12)];

fn layout_of(rtype: Rtype) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.rtype == rtype)
}

/// Whether this table has the type.
pub(crate) fn knows(rtype: Rtype) -> bool {
    layout_of(rtype).is_some()
}

/// A decimal number, digits only.
pub(crate) fn number<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The number of an algorithm of DNSSEC, from its number or mnemonic (RFC 4034 §2.2, appendix A.1).
pub(crate) fn algorithm(text: &str) -> Option<u8> {
    let named = || SecurityAlgorithm::from_mnemonic(text.to_ascii_uppercase().as_bytes());
    let by_others = || ALGORITHMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    number(text)
        .or_else(|| named().map(|algorithm| algorithm.to_int()))
        .or_else(|| by_others().map(|(_, number)| *number))
}

/// The type with this mnemonic or number, be it one of records or not.
pub(crate) fn any_rtype(text: &str) -> Option<Rtype> {
    Rtype::from_str(text).ok().or_else(|| rtype_of(text))
}

fn rtype_of(mnemonic: &str) -> Option<Rtype> {
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

/// Octets of a field that must have some.
fn some(octets: Vec<u8>, at: usize) -> Result<Vec<u8>, ValueError> {
    if octets.is_empty() { Err(ValueError::at(at, "it is empty")) } else { Ok(octets) }
}

/// Reads a field at token `at`. Returns the token after it.
fn parse_field(field: Field, tokens: &[Token], at: usize, wire: &mut Vec<u8>) -> Result<usize, ValueError> {
    if matches!(field, Types | MaybeString) && at == tokens.len() {
        return Ok(at);
    }
    let token = tokens.get(at).ok_or_else(|| ValueError::at(at, "something is missing at the end"))?;
    let text = token.text();
    let wrong = |expected: &str| ValueError::at(at, format!("\"{text}\" is no {expected}"));
    match field {
        U8 => wire.push(number(text).ok_or_else(|| wrong("number up to 255"))?),
        U16 => {
            wire.extend(number::<u16>(text).ok_or_else(|| wrong("number up to 65535"))?.to_be_bytes());
        }
        U32 => {
            wire.extend(number::<u32>(text).ok_or_else(|| wrong("number up to 4294967295"))?.to_be_bytes());
        }
        U64 => wire.extend(number::<u64>(text).ok_or_else(|| wrong("number"))?.to_be_bytes()),
        Name => {
            let name = name::parse_absolute(text)
                .map_err(|error| ValueError::at(at, format!("the name {error}")))?;
            wire.extend_from_slice(name.as_slice());
        }
        Str | MaybeString => push_string(token, at, wire)?,
        Strings => {
            for (index, token) in tokens.iter().enumerate().skip(at) {
                push_string(token, index, wire)?;
            }
            return Ok(tokens.len());
        }
        Text if text.is_empty() => return Err(ValueError::at(at, "the target is empty")),
        Text => wire.extend(token.octets()),
        Nsap => {
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            let digits = digits.ok_or_else(|| wrong("address that begins with 0x"))?.replace('.', "");
            let octets = hex_octets(&digits).filter(|octets| !octets.is_empty());
            wire.extend(octets.ok_or_else(|| wrong("address in hex"))?);
        }
        Hex => {
            wire.extend(some(parse_hex(&tokens[at..], at)?, at)?);
            return Ok(tokens.len());
        }
        Base64OrNone if text == "-" => {}
        Base64 | Base64OrNone => {
            wire.extend(some(parse_base64(&tokens[at..], at)?, at)?);
            return Ok(tokens.len());
        }
        Ipv4 => wire.extend(Ipv4Addr::from_str(text).map_err(|_| wrong("IPv4 address"))?.octets()),
        Groups => {
            let groups: Vec<&str> = text.split(':').collect();
            if groups.len() != 4 {
                return Err(wrong("four groups of hex digits"));
            }
            for group in groups {
                let digits = format!("{group:0>4}");
                let octets = hex_octets(&digits).filter(|octets| octets.len() == 2 && !group.is_empty());
                wire.extend(octets.ok_or_else(|| wrong("four groups of hex digits"))?);
            }
        }
        Hyphens(count) => {
            let octets: Option<Vec<u8>> = text
                .split('-')
                .map(|pair| hex_octets(pair)?.try_into().ok().map(|[octet]: [u8; 1]| octet))
                .collect();
            match octets {
                Some(octets) if octets.len() == count => wire.extend(octets),
                _ => return Err(wrong("pairs of hex digits with hyphens")),
            }
        }
        CertificateType => {
            let known = CERTIFICATE_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            let number = known.map(|(_, number)| *number).or_else(|| self::number(text));
            wire.extend(number.ok_or_else(|| wrong("type of certificate"))?.to_be_bytes());
        }
        Algorithm => {
            wire.push(algorithm(text).ok_or_else(|| wrong("algorithm of DNSSEC"))?);
        }
        Type => wire.extend(any_rtype(text).ok_or_else(|| wrong("type"))?.to_int().to_be_bytes()),
        Scheme if text.eq_ignore_ascii_case("NOTIFY") => wire.push(1),
        Scheme => wire.push(number(text).ok_or_else(|| wrong("scheme, such as NOTIFY"))?),
        Types => {
            let mut bitmap = RtypeBitmap::<Bytes>::builder();
            for (index, token) in tokens.iter().enumerate().skip(at) {
                let rtype = any_rtype(token.text())
                    .ok_or_else(|| ValueError::at(index, format!("\"{}\" is no type", token.text())))?;
                let Ok(()) = bitmap.add(rtype);
            }
            let bitmap = bitmap.finalize();
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

fn hex_octets(digits: &str) -> Option<Vec<u8>> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).map(|digit| digit as u8);
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

/// Octets in base64 over all `tokens`, the first of which is number `first` of the value.
pub(crate) fn parse_base64(tokens: &[Token], first: usize) -> Result<Vec<u8>, ValueError> {
    let joined: String = tokens.iter().map(Token::text).collect();
    domain::utils::base64::decode(&joined)
        .map_err(|error| ValueError::at(first, format!("\"{joined}\" is no base64: {error}")))
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
        U64 => u64::from_be_bytes(take(rest, 8)?.try_into().ok()?).to_string(),
        Name => {
            let length = wire_name_len(rest)?;
            let octets = Bytes::copy_from_slice(take(rest, length)?);
            name::display(&name::Name::from_octets(octets).ok()?)
        }
        MaybeString if rest.is_empty() => String::new(),
        Str | MaybeString => {
            let length = usize::from(take(rest, 1)?[0]);
            quoted(take(rest, length)?)
        }
        Strings => display_strings(take(rest, rest.len())?)?,
        Text => {
            // RFC 7553 §4.4: the target is not empty.
            let octets = take(rest, rest.len())?;
            if octets.is_empty() { return None } else { quoted(octets) }
        }
        Base64OrNone if rest.is_empty() => "-".to_owned(),
        Hex | Base64 | Nsap if rest.is_empty() => return None,
        Nsap => format!("0x{}", hex(take(rest, rest.len())?, "")),
        Hex => hex(take(rest, rest.len())?, ""),
        Base64 | Base64OrNone => domain::utils::base64::encode_string(take(rest, rest.len())?),
        Ipv4 => Ipv4Addr::from(<[u8; 4]>::try_from(take(rest, 4)?).ok()?).to_string(),
        Groups => {
            let groups: Vec<String> = take(rest, 8)?.chunks(2).map(|pair| hex(pair, "")).collect();
            groups.join(":")
        }
        Hyphens(count) => hex(take(rest, count)?, "-"),
        Type => display_rtype(Rtype::from_int(u16::from_be_bytes(take(rest, 2)?.try_into().ok()?))),
        Scheme => match take(rest, 1)?[0] {
            1 => "NOTIFY".to_owned(),
            scheme => scheme.to_string(),
        },
        Types => {
            let bitmap = RtypeBitmap::from_octets(take(rest, rest.len())?).ok()?;
            let types: Vec<String> = bitmap.iter().map(display_rtype).collect();
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

/// Octets as a string in double quotes.
pub(crate) fn quoted(octets: &[u8]) -> String {
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

/// Octets in hex with `between` after each but the last.
pub(crate) fn hex(octets: &[u8], between: &str) -> String {
    let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    pairs.join(between)
}

/// The first `length` octets, which are taken off `rest`.
pub(crate) fn take<'o>(rest: &mut &'o [u8], length: usize) -> Option<&'o [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}
