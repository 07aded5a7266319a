//! The types that the `domain` crate knows.

use super::scanner::TokenScanner;
use super::{Token, ValueError, fields, parse_ttl};
use bytes::Bytes;
use domain::base::iana::Rtype;
use domain::base::name::{Name, ParsedName};
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::rdata::ZoneRecordData;
use octseq::parse::Parser;

/// The wire form of a value whose names are absolute already.
pub(crate) fn parse(rtype: Rtype, tokens: &[Token]) -> Result<Vec<u8>, ValueError> {
    let mut texts: Vec<String> = tokens.iter().map(|token| token.text().to_owned()).collect();
    if rtype == Rtype::SOA {
        for (index, text) in texts.iter_mut().enumerate().skip(3) {
            let seconds = parse_ttl(text).map_err(|error| ValueError::at(index, error.message))?;
            *text = seconds.to_string();
        }
    }
    let mut scanner = TokenScanner::new(&texts);
    let value = ZoneRecordData::<Bytes, Name<Bytes>>::scan(rtype, &mut scanner)
        .map_err(|error| explain(rtype, tokens.len(), &error.to_string()))?;
    if !scanner.is_exhausted() {
        return Err(explain(rtype, tokens.len(), "there is more than the type takes"));
    }
    let mut wire = Vec::new();
    let Ok(()) = value.compose_rdata(&mut wire);
    Ok(wire)
}

/// What to write instead, by an example where there is one.
fn explain(rtype: Rtype, tokens: usize, error: &str) -> ValueError {
    let message = match example(rtype) {
        Some(example) => format!("is not a value of type {rtype} ({error}): write it as in {example}"),
        None if is_known(rtype) => format!("is not a value of type {rtype}: {error}"),
        None => format!(
            "type {rtype} has no presentation form here: write it as RFC 3597 says, such as \\# 4 0a000001"
        ),
    };
    if tokens == 1 { ValueError::at(0, message) } else { ValueError::new(message) }
}

fn example(rtype: Rtype) -> Option<&'static str> {
    Some(match rtype {
        Rtype::A => "192.0.2.1",
        Rtype::AAAA => "2001:db8::1",
        Rtype::CNAME | Rtype::NS | Rtype::PTR | Rtype::DNAME => "host.example.com.",
        Rtype::MX => "10 mail.example.com.",
        Rtype::SRV => "0 5 443 host.example.com.",
        Rtype::CAA => "0 issue \"ca.example.net\"",
        Rtype::TXT => "\"text\" \"more text\"",
        Rtype::SOA => "ns1.example.com. hostmaster.example.com. 1 3600 600 604800 300",
        Rtype::DS | Rtype::CDS => "60485 8 2 and the digest in hex",
        Rtype::TLSA => "3 1 1 and the digest in hex",
        Rtype::SSHFP => "4 2 and the fingerprint in hex",
        Rtype::NAPTR => "100 10 \"U\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .",
        Rtype::HTTPS | Rtype::SVCB => "1 . alpn=h2,h3",
        _ => return None,
    })
}

fn is_known(rtype: Rtype) -> bool {
    let mut parser = Parser::from_ref(&[][..]);
    !matches!(
        ZoneRecordData::<_, ParsedName<&[u8]>>::parse_rdata(rtype, &mut parser),
        Ok(None | Some(ZoneRecordData::Unknown(_)))
    )
}

/// Whether `wire` is a value in uncompressed form, or of a type that is not known.
pub(crate) fn is_value(rtype: Rtype, wire: &Bytes) -> bool {
    let Some(value) = parsed(rtype, wire) else { return false };
    let mut again = Vec::with_capacity(wire.len());
    let Ok(()) = value.compose_rdata(&mut again);
    again == wire[..]
}

/// The presentation form; `None` when the octets are not of the type or the type is not known.
pub(crate) fn display(rtype: Rtype, wire: &Bytes) -> Option<String> {
    if rtype == Rtype::TXT {
        return fields::display_strings(wire);
    }
    match parsed(rtype, wire)? {
        ZoneRecordData::Unknown(_) => None,
        value => Some(value.display_zonefile(DisplayKind::Simple).to_string()),
    }
}

fn parsed(rtype: Rtype, wire: &Bytes) -> Option<ZoneRecordData<Bytes, ParsedName<Bytes>>> {
    let mut parser = Parser::from_ref(wire);
    let value = ZoneRecordData::parse_rdata(rtype, &mut parser).ok()??;
    (parser.remaining() == 0).then_some(value)
}
