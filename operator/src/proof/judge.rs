//! Whether a reply is what it must be: read by the library, put into a form in which order, case and compression do
//! not count, and compared.

use std::collections::BTreeSet;
use std::fmt::Write;

use domain::base::iana::{Class, OptionCode, Rcode};
use domain::base::opt::UnknownOptData;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Message, ParsedName, ParsedRecord, ToName};
use domain::rdata::ZoneRecordData;
use port53_zone::{Name, Rdata, Rtype, name, rdata};

use super::Question;
use super::oracle::{Expected, Record, canonical_value};

/// Of a text that a person reads.
const LONGEST_TEXT: usize = 400;
/// ZONEVERSION (RFC 9660 §5): its type of version 0 is the serial of the SOA.
pub(super) const ZONEVERSION: OptionCode = OptionCode::from_int(19);
const SOA_SERIAL: u8 = 0;

/// A reply in its normal form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The response code.
    pub rcode: u16,
    /// AA.
    pub is_authoritative: bool,
    /// TC: there is more, over TCP.
    pub is_truncated: bool,
    /// The answer section.
    pub answer: BTreeSet<Record>,
    /// The authority section.
    pub authority: BTreeSet<Record>,
    /// The version that it is of, when it says so.
    pub serial: Option<u32>,
    /// Its octets.
    pub octets: usize,
}

impl Reply {
    /// Reads the reply to a question.
    ///
    /// # Errors
    /// In words, when it is none: no message, to another question, with records that cannot be read or stand there twice.
    pub fn read(octets: &[u8], question: &Question) -> Result<Self, String> {
        let message = Message::from_octets(octets).map_err(|_| "no message".to_owned())?;
        if !message.header().qr() {
            return Err("a query".to_owned());
        }
        let asked = message.sole_question().map_err(|error| format!("not one question: {error}"))?;
        if asked.qname().to_name::<Vec<u8>>().as_slice() != question.name.as_slice() {
            return Err(format!("an answer to {}", asked.qname()));
        }
        if asked.qtype() != question.rtype || asked.qclass() != Class::IN {
            return Err(format!("an answer to type {}", asked.qtype()));
        }
        let bad = |error| format!("a message that cannot be read: {error}");
        let rcode = message.opt().map_or_else(
            || Rcode::to_int(message.header().rcode()).into(),
            |opt| opt.rcode(message.header()).to_int(),
        );
        Ok(Reply {
            rcode,
            is_authoritative: message.header().aa(),
            is_truncated: message.header().tc(),
            answer: section(message.answer().map_err(bad)?)?,
            authority: section(message.authority().map_err(bad)?)?,
            serial: serial(&message),
            octets: octets.len(),
        })
    }

    /// Whether it is what must be answered. That it is truncated does not count.
    pub fn is(&self, expected: &Expected) -> bool {
        self.rcode == expected.rcode
            && self.is_authoritative == expected.is_authoritative
            && self.answer == expected.answer
            && (expected.is_authority_open || self.authority == expected.authority)
    }

    /// Whether two nameservers say the same.
    pub fn says_the_same(&self, other: &Reply) -> bool {
        (self.rcode, self.is_authoritative, &self.answer, &self.authority)
            == (other.rcode, other.is_authoritative, &other.answer, &other.authority)
    }

    /// The serial of the SOA that it answers with.
    pub fn soa_serial(&self) -> Option<u32> {
        let (_, _, _, value) = self.answer.iter().find(|(_, rtype, _, _)| *rtype == Rtype::SOA)?;
        let (_, numbers) = value.split_last_chunk::<20>()?;
        numbers.first_chunk().map(|serial| u32::from_be_bytes(*serial))
    }

    /// For a person.
    pub fn text(&self) -> String {
        text(self.rcode, self.is_authoritative, &self.answer, &self.authority)
    }
}

/// What must be answered, for a person.
pub fn expected_text(expected: &Expected) -> String {
    text(expected.rcode, expected.is_authoritative, &expected.answer, &expected.authority)
}

fn text(
    rcode: u16,
    is_authoritative: bool,
    answer: &BTreeSet<Record>,
    authority: &BTreeSet<Record>,
) -> String {
    let mut text = Rcode::masked_from_int(rcode as u8).to_string();
    if !is_authoritative {
        text.push_str(" without AA");
    }
    for (section, records) in [("", answer), (" authority", authority)] {
        for (at, record) in records.iter().enumerate() {
            let _ = write!(
                text,
                "{}{}",
                if at == 0 { format!("{section}: ") } else { "; ".to_owned() },
                show(record)
            );
        }
    }
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn show((owner, rtype, ttl, value): &Record) -> String {
    let shown = rdata::display(*rtype, &Rdata::from_trusted_wire(value.clone().into()));
    format!("{} {ttl} {} {shown}", name::display(owner), rdata::display_rtype(*rtype))
}

/// The records of a section as a set.
fn section(records: domain::base::RecordSection<'_, &[u8]>) -> Result<BTreeSet<Record>, String> {
    let mut set = BTreeSet::new();
    for record in records {
        let record = record.map_err(|error| format!("a record that cannot be read: {error}"))?;
        if record.rtype() == Rtype::OPT {
            continue;
        }
        let record = read(&record)?;
        let shown = show(&record);
        if !set.insert(record) {
            return Err(format!("a record twice: {shown}"));
        }
    }
    Ok(set)
}

fn read(record: &ParsedRecord<'_, &[u8]>) -> Result<Record, String> {
    let rtype = record.rtype();
    let owner: Name = record.owner().to_name();
    let value = record.to_record::<ZoneRecordData<&[u8], ParsedName<&[u8]>>>().map_err(|error| {
        format!("{} {rtype} with a value that cannot be read: {error}", name::display(&owner))
    })?;
    let mut octets = Vec::new();
    if let Some(value) = &value {
        // A vector takes whatever it is given.
        let _ = value.data().compose_rdata(&mut octets);
    }
    Ok((owner, rtype, record.ttl().as_secs(), canonical_value(rtype, &octets)))
}

/// The serial that a message says it is of (RFC 9660 §3).
fn serial(message: &Message<&[u8]>) -> Option<u32> {
    let opt = message.opt()?;
    let options = opt.opt().iter::<UnknownOptData<_>>();
    let version = options.filter_map(Result::ok).find(|option| option.code() == ZONEVERSION)?;
    match version.as_slice() {
        [_labels, SOA_SERIAL, a, b, c, d] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::{MessageBuilder, StaticCompressor, Ttl};
    use domain::dep::octseq::OctetsBuilder;
    use domain::rdata::{A, Cname};
    use proptest::prelude::*;

    fn question() -> Question {
        Question { name: name::parse_absolute("www.example.com").expect("a name"), rtype: Rtype::A }
    }

    /// A reply with an alias and its address, the names of which are compressed and in other case.
    fn reply() -> Vec<u8> {
        let absolute = |text: &str| name::parse_absolute(text).expect("a name");
        let mut query = MessageBuilder::new_vec().question();
        query.push((&question().name, Rtype::A, Class::IN)).expect("there is room");
        let query = Message::from_octets(query.finish()).expect("a message");
        let builder = MessageBuilder::from_target(StaticCompressor::new(Vec::new())).expect("there is room");
        let mut answer = builder.start_answer(&query, Rcode::NOERROR).expect("there is room");
        answer.header_mut().set_aa(true);
        let ttl = Ttl::from_secs(60);
        let cname = Cname::new(absolute("HOST.example.com"));
        answer.push((absolute("www.example.com"), Class::IN, ttl, cname)).expect("there is room");
        let address = A::from_octets(192, 0, 2, 1);
        answer.push((absolute("host.EXAMPLE.com"), Class::IN, ttl, address)).expect("there is room");
        let mut answer = answer.additional();
        answer
            .opt(|opt| opt.push_raw_option(ZONEVERSION, 6, |target| target.append_slice(&[2, 0, 0, 0, 0, 7])))
            .expect("there is room");
        answer.finish().into_target()
    }

    #[test]
    fn case_compression_and_order_do_not_count() {
        let reply = Reply::read(&reply(), &question()).expect("a reply");
        assert!(reply.is_authoritative && !reply.is_truncated);
        assert_eq!((reply.rcode, reply.serial), (0, Some(7)));
        assert_eq!(
            reply.text(),
            "NOERROR: HOST.example.com. 60 A 192.0.2.1; www.example.com. 60 CNAME host.example.com."
        );
        let mut expected = Expected {
            rcode: 0,
            is_authoritative: true,
            answer: reply.answer.clone(),
            authority: BTreeSet::new(),
            is_authority_open: true,
        };
        assert!(reply.is(&expected));
        expected.answer.pop_first();
        assert!(!reply.is(&expected), "a record more");
        expected.answer = reply.answer.clone();
        expected.is_authoritative = false;
        assert!(!reply.is(&expected), "AA");
    }

    #[test]
    fn what_is_no_reply_to_the_question_is_said() {
        let other =
            Question { name: name::parse_absolute("else.example.com").expect("a name"), ..question() };
        assert_eq!(Reply::read(&reply(), &other), Err("an answer to www.example.com".to_owned()));
        let mut query = reply();
        query[2] &= 0x7F;
        assert_eq!(Reply::read(&query, &question()), Err("a query".to_owned()));
        assert_eq!(Reply::read(b"short", &question()), Err("no message".to_owned()));
    }

    proptest! {
        /// What comes from the network is anything.
        #[test]
        fn nothing_that_is_damaged_is_more_than_wrong(
            at in any::<prop::sample::Index>(),
            octet in any::<u8>(),
            end in any::<prop::sample::Index>(),
        ) {
            let mut octets = reply();
            let place = at.index(octets.len());
            octets[place] = octet;
            octets.truncate(end.index(octets.len()) + 1);
            if let Ok(reply) = Reply::read(&octets, &question()) {
                let _ = reply.text();
            }
        }
    }
}
