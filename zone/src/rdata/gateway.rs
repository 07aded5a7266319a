//! Types with a part whose form a number before it decides, or that are lists: IPSECKEY, AMTRELAY, HIP, APL
//! and WKS.

use super::fields::{hex, number, parse_base64, parse_hex, take};
use super::{Token, ValueError};
use crate::name::{self, Name};
use crate::rrset::wire_name_len;
use bytes::Bytes;
use domain::base::iana::Rtype;
use domain::utils::base64;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Whether the type is one of these.
pub(crate) fn knows(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::IPSECKEY | Rtype::AMTRELAY | Rtype::HIP | Rtype::APL | Rtype::WKS)
}

pub(crate) fn parse(rtype: Rtype, tokens: &[Token]) -> Result<Vec<u8>, ValueError> {
    let words = Words(tokens);
    let (parsed, example) = match rtype {
        Rtype::IPSECKEY => (ipseckey(&words), "10 1 2 192.0.2.38 and the key in base64"),
        Rtype::AMTRELAY => (amtrelay(&words), "10 0 1 203.0.113.15"),
        Rtype::HIP => (hip(&words), "2 and the tag in hex, the key in base64, then rendezvous servers"),
        Rtype::APL => (apl(&words), "1:192.0.2.0/24 !1:192.0.2.64/28 2:2001:db8::/32"),
        _ => (wks(&words), "192.0.2.1 6 25 80"),
    };
    parsed.map_err(|error| {
        let message = format!("is not a value of type {rtype} ({}): write it as in {example}", error.message);
        ValueError { message, ..error }
    })
}

/// The presentation form; `None` when the octets are not a value of the type.
pub(crate) fn display(rtype: Rtype, wire: &[u8]) -> Option<String> {
    match rtype {
        Rtype::IPSECKEY => display_ipseckey(wire),
        Rtype::AMTRELAY => display_amtrelay(wire),
        Rtype::HIP => display_hip(wire),
        Rtype::APL => display_apl(wire),
        _ => display_wks(wire),
    }
}

/// Which tokens are names (see [`super::names::tokens_of`]).
pub(crate) fn name_tokens(rtype: Rtype, tokens: &[Token]) -> Vec<usize> {
    let has = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text() == text);
    match rtype {
        Rtype::IPSECKEY if has(1, "3") => vec![3],
        Rtype::AMTRELAY if has(2, "3") => vec![3],
        Rtype::HIP => (3..tokens.len()).collect(),
        _ => Vec::new(),
    }
}

struct Words<'t>(&'t [Token]);

impl Words<'_> {
    fn text(&self, at: usize) -> Result<&str, ValueError> {
        let missing = || ValueError::at(at, "something is missing at the end");
        self.0.get(at).map(Token::text).ok_or_else(missing)
    }

    fn number<N: FromStr>(&self, at: usize, what: &str) -> Result<N, ValueError> {
        let text = self.text(at)?;
        number(text).ok_or_else(|| ValueError::at(at, format!("\"{text}\" is no {what}")))
    }

    fn name(&self, at: usize) -> Result<Name, ValueError> {
        name::parse_absolute(self.text(at)?).map_err(|error| ValueError::at(at, format!("the name {error}")))
    }

    fn base64(&self, from: usize) -> Result<Vec<u8>, ValueError> {
        parse_base64(self.0.get(from..).unwrap_or_default(), from)
    }

    fn ends_at(&self, at: usize) -> Result<(), ValueError> {
        if self.0.len() > at { Err(ValueError::at(at, "there is more than the type takes")) } else { Ok(()) }
    }

    /// A gateway or relay of a kind: nothing, IPv4, IPv6, name (RFC 4025 §2.3, RFC 8777 §4.2.3).
    fn host(&self, kind: u8, at: usize) -> Result<Vec<u8>, ValueError> {
        let text = self.text(at)?;
        let wrong = |what: &str| ValueError::at(at, format!("\"{text}\" is no {what}"));
        Ok(match kind {
            0 if text == "." => Vec::new(),
            0 => return Err(wrong("\".\", which stands for none")),
            1 => Ipv4Addr::from_str(text).map_err(|_| wrong("IPv4 address"))?.octets().to_vec(),
            2 => Ipv6Addr::from_str(text).map_err(|_| wrong("IPv6 address"))?.octets().to_vec(),
            3 => self.name(at)?.as_slice().to_vec(),
            _ => return Err(ValueError::at(at, format!("kind {kind} is not known"))),
        })
    }
}

fn display_host(kind: u8, rest: &mut &[u8]) -> Option<String> {
    Some(match kind {
        0 => ".".to_owned(),
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(take(rest, 4)?).ok()?).to_string(),
        2 => Ipv6Addr::from(<[u8; 16]>::try_from(take(rest, 16)?).ok()?).to_string(),
        3 => display_name(rest)?,
        _ => return None,
    })
}

fn display_name(rest: &mut &[u8]) -> Option<String> {
    let length = wire_name_len(rest)?;
    Some(name::display(&Name::from_octets(Bytes::copy_from_slice(take(rest, length)?)).ok()?))
}

/// RFC 4025 §2, §3.1.
fn ipseckey(words: &Words<'_>) -> Result<Vec<u8>, ValueError> {
    let kind: u8 = words.number(1, "kind of gateway")?;
    let mut wire = vec![words.number(0, "precedence")?, kind, words.number(2, "algorithm")?];
    wire.extend(words.host(kind, 3)?);
    wire.extend(words.base64(4)?);
    Ok(wire)
}

fn display_ipseckey(wire: &[u8]) -> Option<String> {
    let mut rest = wire;
    let &[precedence, kind, algorithm] = take(&mut rest, 3)? else { return None };
    let gateway = display_host(kind, &mut rest)?;
    let text = format!("{precedence} {kind} {algorithm} {gateway} {}", base64::encode_string(rest));
    Some(text.trim_end().to_owned())
}

/// RFC 8777 §4.
fn amtrelay(words: &Words<'_>) -> Result<Vec<u8>, ValueError> {
    let kind: u8 = words.number(2, "kind of relay")?;
    let discovery = match words.text(1)? {
        "0" => 0,
        "1" => 0x80,
        _ => return Err(ValueError::at(1, "the discovery bit is 0 or 1")),
    };
    let mut wire = vec![words.number(0, "precedence")?, discovery | kind & 0x7f];
    wire.extend(words.host(kind, 3)?);
    words.ends_at(4)?;
    Ok(wire)
}

fn display_amtrelay(wire: &[u8]) -> Option<String> {
    let mut rest = wire;
    let &[precedence, octet] = take(&mut rest, 2)? else { return None };
    let kind = octet & 0x7f;
    let relay = display_host(kind, &mut rest)?;
    rest.is_empty().then(|| format!("{precedence} {} {kind} {relay}", octet >> 7))
}

/// RFC 8005 §5, §6.
fn hip(words: &Words<'_>) -> Result<Vec<u8>, ValueError> {
    let algorithm: u8 = words.number(0, "algorithm")?;
    words.text(2)?;
    let tag = parse_hex(&words.0[1..2], 1)?;
    let key = parse_base64(&words.0[2..3], 2)?;
    let tag_length = u8::try_from(tag.len()).map_err(|_| ValueError::at(1, "the tag is too long"))?;
    let key_length = u16::try_from(key.len()).map_err(|_| ValueError::at(2, "the key is too long"))?;
    let mut wire = vec![tag_length, algorithm];
    wire.extend(key_length.to_be_bytes());
    wire.extend(tag);
    wire.extend(key);
    for at in 3..words.0.len() {
        wire.extend_from_slice(words.name(at)?.as_slice());
    }
    Ok(wire)
}

fn display_hip(wire: &[u8]) -> Option<String> {
    let mut rest = wire;
    let &[tag_length, algorithm, high, low] = take(&mut rest, 4)? else { return None };
    let tag = take(&mut rest, usize::from(tag_length))?;
    let key = take(&mut rest, usize::from(u16::from_be_bytes([high, low])))?;
    if tag.is_empty() || key.is_empty() {
        return None;
    }
    let mut text = format!("{algorithm} {} {}", hex(tag, ""), base64::encode_string(key));
    while !rest.is_empty() {
        text.push(' ');
        text.push_str(&display_name(&mut rest)?);
    }
    Some(text)
}

/// RFC 3123 §4, §5: `[!]family:address/prefix`, zeros at the end of an address left out.
fn apl(words: &Words<'_>) -> Result<Vec<u8>, ValueError> {
    let mut wire = Vec::new();
    for (at, token) in words.0.iter().enumerate() {
        let text = token.text();
        let wrong = || ValueError::at(at, format!("\"{text}\" is no prefix"));
        let (is_negated, item) = text.strip_prefix('!').map_or((false, text), |item| (true, item));
        let (family, item) = item.split_once(':').ok_or_else(wrong)?;
        let (address, prefix) = item.split_once('/').ok_or_else(wrong)?;
        let (family, mut address, greatest) = match family {
            "1" => (1u16, Ipv4Addr::from_str(address).map_err(|_| wrong())?.octets().to_vec(), 32),
            "2" => (2, Ipv6Addr::from_str(address).map_err(|_| wrong())?.octets().to_vec(), 128),
            _ => return Err(wrong()),
        };
        let prefix: u8 = number(prefix).filter(|&prefix| prefix <= greatest).ok_or_else(wrong)?;
        address.truncate(address.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1));
        wire.extend(family.to_be_bytes());
        wire.extend([prefix, u8::from(is_negated) << 7 | address.len() as u8]);
        wire.extend(address);
    }
    Ok(wire)
}

fn display_apl(wire: &[u8]) -> Option<String> {
    let mut rest = wire;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let &[high, low, prefix, length] = take(&mut rest, 4)? else { return None };
        let part = take(&mut rest, usize::from(length & 0x7f))?;
        let mut octets = [0; 16];
        octets.get_mut(..part.len())?.copy_from_slice(part);
        let (address, greatest) = match u16::from_be_bytes([high, low]) {
            1 if part.len() <= 4 => {
                (Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).to_string(), 32)
            }
            2 => (Ipv6Addr::from(octets).to_string(), 128),
            _ => return None,
        };
        if prefix > greatest || part.last() == Some(&0) {
            return None;
        }
        let negation = if length & 0x80 == 0 { "" } else { "!" };
        items.push(format!("{negation}{low}:{address}/{prefix}"));
    }
    Some(items.join(" "))
}

/// Protocols and services by the names of RFC 1010, as far as they are met in WKS.
const PROTOCOLS: &[(&str, u8)] = &[("icmp", 1), ("tcp", 6), ("udp", 17)];
const SERVICES: &[(&str, u16)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("tftp", 69),
    ("finger", 79),
    ("http", 80),
    ("pop3", 110),
    ("nntp", 119),
    ("ntp", 123),
];

/// RFC 1035 §3.4.2: an address, a protocol, and a bit for each port.
fn wks(words: &Words<'_>) -> Result<Vec<u8>, ValueError> {
    fn named<N: Copy + FromStr>(table: &[(&str, N)], text: &str) -> Option<N> {
        let known = table.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, number)| *number).or_else(|| number(text))
    }
    let text = words.text(0)?;
    let address =
        Ipv4Addr::from_str(text).map_err(|_| ValueError::at(0, format!("\"{text}\" is no IPv4 address")))?;
    let text = words.text(1)?;
    let protocol = named(PROTOCOLS, text)
        .ok_or_else(|| ValueError::at(1, format!("\"{text}\" is no number of a protocol")))?;
    let mut wire = address.octets().to_vec();
    wire.push(protocol);
    for (at, token) in words.0.iter().enumerate().skip(2) {
        let text = token.text();
        let port = named(SERVICES, text)
            .ok_or_else(|| ValueError::at(at, format!("\"{text}\" is no number of a port")))?;
        let octet = 5 + usize::from(port / 8);
        wire.resize(wire.len().max(octet + 1), 0);
        wire[octet] |= 0x80 >> (port % 8);
    }
    Ok(wire)
}

fn display_wks(wire: &[u8]) -> Option<String> {
    let mut rest = wire;
    let &[a, b, c, d, protocol] = take(&mut rest, 5)? else { return None };
    if rest.len() > 8_192 {
        return None;
    }
    let mut text = format!("{} {protocol}", Ipv4Addr::new(a, b, c, d));
    for port in (0..rest.len() * 8).filter(|port| rest[port / 8] & 0x80 >> (port % 8) != 0) {
        text.push_str(&format!(" {port}"));
    }
    Some(text)
}
