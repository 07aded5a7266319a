//! The types that the `domain` crate knows.

use super::names::{self, NameIn};
use super::ttl::parse_seconds;
use super::{Token, ValueError, fields};
use bytes::Bytes;
use domain::base::iana::Rtype;
use domain::base::name::{Name, ParsedName};
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::base::scan::IterScanner;
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::rdata::ZoneRecordData;
use octseq::parse::Parser;

/// The wire form of a value whose names are absolute already.
pub(crate) fn parse(rtype: Rtype, tokens: &[Token]) -> Result<Bytes, ValueError> {
    let mut texts: Vec<String> = tokens.iter().map(|token| token.text().to_owned()).collect();
    if rtype == Rtype::SOA {
        for (index, text) in texts.iter_mut().enumerate().skip(3) {
            let seconds = parse_seconds(text).map_err(|error| ValueError::at(index, error.message))?;
            *text = seconds.to_string();
        }
    }
    let algorithm = match rtype {
        Rtype::DS | Rtype::CDS | Rtype::RRSIG => texts.get_mut(1),
        Rtype::DNSKEY | Rtype::CDNSKEY => texts.get_mut(2),
        _ => None,
    };
    if let Some(text) = algorithm
        && let Some(number) = fields::algorithm(text)
    {
        *text = number.to_string();
    }
    // Its scanner takes the last part, in hex or base64, for nothing when it is missing.
    if tokens.len() < least_tokens(rtype) {
        return Err(explain(rtype, tokens.len(), "something is missing at the end"));
    }
    let mut scanner = IterScanner::<_, Bytes>::new(&texts);
    let value = ZoneRecordData::<Bytes, Name<Bytes>>::scan(rtype, &mut scanner)
        .map_err(|error| explain(rtype, tokens.len(), &error.to_string()))?;
    if !scanner.is_exhausted() {
        return Err(explain(rtype, tokens.len(), "there is more than the type takes"));
    }
    let mut wire = Vec::new();
    let Ok(()) = value.compose_rdata(&mut wire);
    if let Some(expected) = digest_octets(rtype, &wire).filter(|expected| wire.len() != 4 + expected) {
        let what = format!("a digest of type {} has {expected} octets", wire[3]);
        return Err(explain(rtype, tokens.len(), &what));
    }
    // The scanner takes some values that the parser does not, such as a ZONEMD with too short a digest.
    let wire = Bytes::from(wire);
    if is_value(rtype, &wire) {
        Ok(wire)
    } else {
        Err(explain(rtype, tokens.len(), "a part is empty or too short"))
    }
}

fn least_tokens(rtype: Rtype) -> usize {
    match rtype {
        Rtype::OPENPGPKEY => 1,
        Rtype::SSHFP => 3,
        Rtype::DS | Rtype::CDS | Rtype::DNSKEY | Rtype::CDNSKEY | Rtype::TLSA => 4,
        Rtype::RRSIG => 9,
        _ => 0,
    }
}

/// How many octets a digest has by its type (RFC 4034 §5.1.4, RFC 4509, RFC 6605).
fn digest_octets(rtype: Rtype, wire: &[u8]) -> Option<usize> {
    let kind = wire.get(3).filter(|_| matches!(rtype, Rtype::DS | Rtype::CDS))?;
    Some(match kind {
        1 => 20,
        2 => 32,
        4 => 48,
        _ => return None,
    })
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
    // RFC 8659 §4.1: the tag is not empty.
    if rtype == Rtype::CAA && wire.get(1) == Some(&0) {
        return false;
    }
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
        value => {
            let text = value.display_zonefile(DisplayKind::Simple).to_string().trim_end().to_owned();
            let text = with_names_escaped(rtype, wire, text);
            Some(if rtype == Rtype::RRSIG { with_dates(&text) } else { text })
        }
    }
}

/// `\$` for every `$` in names, which NSD and Knot take for the start of a directive when it is bare, and `\;` for every
/// `;`, with which a comment would begin.
fn with_names_escaped(rtype: Rtype, wire: &Bytes, mut text: String) -> String {
    let names: Vec<NameIn> = names::names(rtype, wire).collect();
    // From the last to the first, because what comes before a name may hold the same letters.
    let mut end = text.len();
    for name in names.iter().rev() {
        let Ok(name) = Name::from_octets(wire.slice(name.start..name.end)) else { continue };
        let bare = name.fmt_with_dot().to_string();
        let Some(at) = text[..end].rfind(&bare) else { continue };
        if bare.contains(['$', ';']) {
            text.replace_range(at..at + bare.len(), &crate::name::display(&name));
        }
        end = at;
    }
    text
}

/// The times of a RRSIG as dates: RFC 4034 §3.2 lets both be written, NSD reads dates alone.
fn with_dates(text: &str) -> String {
    let words = text.split(' ').enumerate().map(|(index, word)| match (index, word.parse()) {
        (4 | 5, Ok(seconds)) => date(seconds),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// `YYYYMMDDHHmmSS` in UTC of seconds since 1970.
fn date(seconds: u32) -> String {
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    // Years that begin with March have their leap day last; eras of 400 years are alike.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year + u32::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

fn parsed(rtype: Rtype, wire: &Bytes) -> Option<ZoneRecordData<Bytes, ParsedName<Bytes>>> {
    let mut parser = Parser::from_ref(wire);
    let value = ZoneRecordData::parse_rdata(rtype, &mut parser).ok()??;
    (parser.remaining() == 0).then_some(value)
}
