//! The normal form of an answer: what two servers with the same zone must say alike.
//!
//! Kept are the rcode, AA, TC, and the records of answer and authority with their TTLs. Order and the case
//! of names are not. Of the additional section only the glue of a referral counts, which a client cannot do
//! without (RFC 9471); the rest is a courtesy (RFC 2181 §9). When TC is set, what is left of the sections
//! is not compared: a client must not use it (RFC 2181 §9).

use hickory_proto::op::Message;
use hickory_proto::rr::{Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder, NameEncoding};
use port53_zone::rdata::{self, Rdata};
use port53_zone::{Name, Rtype, name};
use std::collections::BTreeSet;
use std::fmt;

const CLASS_IN: u16 = 1;

/// A record. Names are in lower case, the owner's and those in the value.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub struct Line {
    owner: Vec<u8>,
    rtype: u16,
    ttl: u32,
    value: Vec<u8>,
}

/// An answer in normal form.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Normal {
    /// The mnemonic of the response code.
    pub rcode: String,
    /// Whether AA is set.
    pub authoritative: bool,
    /// Whether TC is set.
    pub truncated: bool,
    /// The answer section.
    pub answer: BTreeSet<Line>,
    /// The authority section.
    pub authority: BTreeSet<Line>,
    /// Addresses in the additional section of nameservers that the authority section names.
    pub glue: BTreeSet<Line>,
}

impl Normal {
    /// The normal form of what hickory read.
    pub fn of(message: &Message) -> Self {
        let whole = Self::sections_of(message);
        if whole.truncated { whole.cut() } else { whole }
    }

    /// The same, with what is in the sections although TC is set.
    pub fn sections_of(message: &Message) -> Self {
        let metadata = &message.metadata;
        let lines = |records: &[Record]| records.iter().map(Line::of).collect::<BTreeSet<Line>>();
        let authority = lines(&message.authorities);
        let glue = lines(&message.additionals).into_iter().filter(|line| line.is_glue_of(&authority));
        Normal {
            rcode: rcode(metadata.response_code.into()),
            authoritative: metadata.authoritative,
            truncated: metadata.truncation,
            answer: lines(&message.answers),
            glue: glue.collect(),
            authority,
        }
    }

    /// Owner and type of the sets in here of which `whole` has more, or that it does not have.
    pub fn sets_not_whole_in(&self, whole: &Normal) -> Vec<String> {
        let sections =
            [(&self.answer, &whole.answer), (&self.authority, &whole.authority), (&self.glue, &whole.glue)];
        let mut sets = Vec::new();
        for (these, all) in sections {
            for line in these {
                let set = |lines: &BTreeSet<Line>| -> BTreeSet<Line> {
                    let of_set = |other: &&Line| other.owner == line.owner && other.rtype == line.rtype;
                    lines.iter().filter(of_set).cloned().collect()
                };
                if set(these) != set(all) {
                    sets.push(line.to_string());
                }
            }
        }
        sets
    }

    /// The same answer, had it not fitted.
    pub fn cut(&self) -> Self {
        Normal {
            rcode: self.rcode.clone(),
            authoritative: self.authoritative,
            truncated: true,
            ..Normal::default()
        }
    }
}

impl Line {
    /// A record as hickory read it. Its value is hickory's encoding in the canonical form of RFC 4034 §6.2,
    /// which has no compression and names in lower case.
    fn of(record: &Record) -> Self {
        let mut owner = canonical(&record.name);
        let mut value = canonical(&record.data);
        let rtype = record.record_type().into();
        // The one type with a name alone that hickory does not know.
        if Rtype::from_int(rtype) == Rtype::DNAME {
            value.make_ascii_lowercase();
        }
        owner.make_ascii_lowercase();
        Line { owner, rtype, ttl: record.ttl, value }
    }

    /// A record as it is written in a table: `owner TTL TYPE value`, names absolute.
    ///
    /// # Panics
    /// When it is not one.
    pub fn parse(text: &str) -> Self {
        let fields: Vec<&str> = text.trim().splitn(4, ' ').collect();
        let &[owner, ttl, rtype, value] = fields.as_slice() else {
            panic!("{text}: not `owner TTL TYPE value`")
        };
        let owner = name::parse_absolute(owner).unwrap_or_else(|error| panic!("{text}: {error}"));
        let ttl = ttl.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let rtype = rdata::parse_rtype(rtype).unwrap_or_else(|| panic!("{text}: no such type"));
        let value = rdata::parse_value(rtype, value).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        Line::from_wire(owner.as_slice(), rtype.to_int(), ttl, value.as_slice())
    }

    /// A record of which owner and value are in uncompressed wire form.
    ///
    /// # Panics
    /// When it is not one.
    pub fn from_wire(owner: &[u8], rtype: u16, ttl: u32, value: &[u8]) -> Self {
        let mut wire = owner.to_vec();
        wire.extend_from_slice(&rtype.to_be_bytes());
        wire.extend_from_slice(&CLASS_IN.to_be_bytes());
        wire.extend_from_slice(&ttl.to_be_bytes());
        wire.extend_from_slice(&u16::try_from(value.len()).expect("a value").to_be_bytes());
        wire.extend_from_slice(value);
        let record = Record::read(&mut BinDecoder::new(&wire)).expect("a record");
        Line::of(&record)
    }

    /// The owner in wire form and lower case.
    pub fn owner(&self) -> &[u8] {
        &self.owner
    }

    /// The type.
    pub fn rtype(&self) -> u16 {
        self.rtype
    }

    /// Seconds.
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// The value in canonical form.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The same record with another TTL.
    pub fn with_ttl(mut self, ttl: u32) -> Self {
        self.ttl = ttl;
        self
    }

    fn is_glue_of(&self, authority: &BTreeSet<Line>) -> bool {
        [RecordType::A, RecordType::AAAA].contains(&RecordType::from(self.rtype))
            && authority
                .iter()
                .any(|line| RecordType::from(line.rtype) == RecordType::NS && line.value == self.owner)
    }
}

fn canonical(written: &impl BinEncodable) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_canonical_form(true);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    written.emit(&mut encoder).expect("what was read can be written");
    octets
}

fn rcode(code: u16) -> String {
    let known = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN"];
    known.get(usize::from(code)).map_or_else(|| format!("RCODE{code}"), |&name| name.to_owned())
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = Name::from_octets(self.owner.clone().into()).expect("a name");
        let rtype = Rtype::from_int(self.rtype);
        let value = match rdata::from_wire(rtype, self.value.clone().into()) {
            Ok(value) => rdata::display(rtype, &value),
            Err(_) => rdata::display(rtype, &Rdata::from_trusted_wire(self.value.clone().into())),
        };
        write!(f, "{} {} {} {}", name::display(&owner), self.ttl, rdata::display_rtype(rtype), value)
    }
}

impl fmt::Display for Normal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rcode)?;
        f.write_str(if self.authoritative { " aa" } else { "" })?;
        f.write_str(if self.truncated { " tc" } else { "" })?;
        let sections = [("answer", &self.answer), ("authority", &self.authority), ("glue", &self.glue)];
        for (section, lines) in sections {
            lines.iter().try_for_each(|line| write!(f, "\n      {section} {line}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Normal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> BTreeSet<Line> {
        texts.iter().map(|text| Line::parse(text)).collect()
    }

    #[test]
    fn case_of_names_is_folded_and_nothing_else() {
        let same = [
            ("WWW.example. 5 CNAME A.Example.", "www.EXAMPLE. 5 CNAME a.example."),
            ("a. 5 DNAME B.", "a. 5 DNAME b."),
            ("a. 5 SOA NS. h. 88 600 3 4 5", "a. 5 SOA ns. H. 88 600 3 4 5"),
        ];
        for (one, other) in same {
            assert_eq!(Line::parse(one), Line::parse(other));
        }
        let different = [
            ("a. 5 A 192.0.2.1", "a. 6 A 192.0.2.1"),
            ("a. 5 TXT \"a\"", "a. 5 TXT \"A\""),
            ("a. 5 SOA ns. h. 88 600 3 4 5", "a. 5 SOA ns. h. 88 632 3 4 5"),
            ("\\195. 5 A 192.0.2.1", "\\227. 5 A 192.0.2.1"),
        ];
        for (one, other) in different {
            assert_ne!(Line::parse(one), Line::parse(other));
        }
    }

    #[test]
    fn a_set_that_is_cut_is_seen() {
        let whole = Normal {
            answer: lines(&["a. 5 CNAME b.", "b. 5 A 192.0.2.1", "b. 5 A 192.0.2.2"]),
            ..Normal::default()
        };
        let cut_to = |texts: &[&str]| Normal { answer: lines(texts), ..Normal::default() };
        assert!(cut_to(&[]).sets_not_whole_in(&whole).is_empty());
        assert!(cut_to(&["a. 5 CNAME b."]).sets_not_whole_in(&whole).is_empty());
        let partial = cut_to(&["a. 5 CNAME b.", "b. 5 A 192.0.2.2"]).sets_not_whole_in(&whole);
        assert_eq!(partial, ["b. 5 A 192.0.2.2"]);
    }

    #[test]
    fn glue_is_the_address_of_a_nameserver_that_is_named() {
        let authority = lines(&["a. 5 NS ns.A.", "a. 5 DS 1 8 1 00112233445566778899aabbccddeeff00112233"]);
        assert!(Line::parse("NS.a. 5 A 192.0.2.1").is_glue_of(&authority));
        assert!(Line::parse("ns.a. 5 AAAA 2001:db8::1").is_glue_of(&authority));
        assert!(!Line::parse("ns.a. 5 TXT \"x\"").is_glue_of(&authority));
        assert!(!Line::parse("other.a. 5 A 192.0.2.1").is_glue_of(&authority));
    }
}
