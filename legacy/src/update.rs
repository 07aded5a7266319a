//! A change of one name by UPDATE (RFC 2136).
//!
//! One update is of one owner name, and is done in whole or not at all (RFC 2136 §3.4). Each RRset that is put is
//! deleted first, so that what is there afterwards does not depend on what was there before; and all deletions come
//! first, so that a CNAME can take the place of other data and other data that of a CNAME.
//!
//! NOERROR does not mean that it was done: a CNAME beside other data, other data beside a CNAME, and a removal of the SOA or
//! of all NS of the apex are ignored without a word (RFC 2136 §3.4.2). Who must know reads back.

use crate::message::{ANY, IN, MESSAGE, NONE, Section, Writer};
use port53_zone::{Name, RRset, Rtype, name};

const UPDATE: u8 = 5;
const ANY_TYPE: Rtype = Rtype::ANY;
/// Octets that a signature needs at most: two names, the fixed fields, a MAC.
const SIGNATURE: usize = 2 * 255 + 26 + 64;

/// What one name is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Update {
    /// The name, in the zone.
    pub name: Name,
    /// What must hold before. When one does not, nothing is done.
    pub prerequisites: Vec<Prerequisite>,
    /// Types of which nothing is to be left.
    pub removed: Vec<Rtype>,
    /// RRsets of the name, each in the place of what was there of its type.
    pub put: Vec<RRset>,
}

/// A condition for an update (RFC 2136 §2.4). All are about what the zone holds, not about what it answers: aliases,
/// wildcards and delegations do not matter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Prerequisite {
    /// The RRset is there with these values and no others; its TTL does not count (§2.4.2).
    Is(RRset),
    /// An RRset of this name and type is there, whatever it says (§2.4.1).
    IsThere {
        /// The name.
        name: Name,
        /// The type.
        rtype: Rtype,
    },
    /// None is there (§2.4.3).
    IsNot {
        /// The name.
        name: Name,
        /// The type.
        rtype: Rtype,
    },
    /// The name has a record of any type (§2.4.4).
    InUse(Name),
    /// The name has none (§2.4.5).
    NotInUse(Name),
}

impl Update {
    /// The message, not yet signed.
    ///
    /// # Errors
    /// When it is no update of one name in the zone, or fits no message.
    pub(crate) fn message(&self, apex: &Name) -> Result<Vec<u8>, String> {
        if !self.name.ends_with(apex) {
            return Err(format!("{} is not in the zone {}", name::display(&self.name), name::display(apex)));
        }
        if let Some(other) = self.put.iter().find(|rrset| rrset.name != self.name) {
            let (name, other) = (name::display(&self.name), name::display(&other.name));
            return Err(format!(
                "an update of {name} puts records of {other}: make one update for each name"
            ));
        }
        let mut writer = Writer::new(UPDATE, apex, Rtype::SOA);
        for prerequisite in &self.prerequisites {
            prerequisite.write(&mut writer);
        }
        for rtype in self.removed.iter().copied().chain(self.put.iter().map(|rrset| rrset.rtype)) {
            writer.push(Section::Authority, &self.name, rtype, ANY, 0, &[]);
        }
        for rrset in &self.put {
            for value in rrset.values() {
                writer.push(Section::Authority, &rrset.name, rrset.rtype, IN, rrset.ttl, value.as_slice());
            }
        }
        bounded(writer.finish(), &self.name)
    }
}

/// The message that asks whether all of `prerequisites` hold, and changes nothing.
///
/// # Errors
/// When it fits no message.
pub(crate) fn question(apex: &Name, prerequisites: &[Prerequisite]) -> Result<Vec<u8>, String> {
    let mut writer = Writer::new(UPDATE, apex, Rtype::SOA);
    for prerequisite in prerequisites {
        prerequisite.write(&mut writer);
    }
    bounded(writer.finish(), apex)
}

fn bounded(message: Vec<u8>, name: &Name) -> Result<Vec<u8>, String> {
    if message.len() + SIGNATURE > MESSAGE {
        let (name, octets) = (name::display(name), message.len());
        return Err(format!(
            "the update of {name} takes {octets} octets, and a message has 65535: use fewer values"
        ));
    }
    Ok(message)
}

impl Prerequisite {
    fn write(&self, writer: &mut Writer) {
        let mut push = |name, rtype, class, value: &[u8]| {
            writer.push(Section::Answer, name, rtype, class, 0, value);
        };
        match self {
            Prerequisite::Is(rrset) => {
                for value in rrset.values() {
                    push(&rrset.name, rrset.rtype, IN, value.as_slice());
                }
            }
            Prerequisite::IsThere { name, rtype } => push(name, *rtype, ANY, &[]),
            Prerequisite::IsNot { name, rtype } => push(name, *rtype, NONE, &[]),
            Prerequisite::InUse(name) => push(name, ANY_TYPE, ANY, &[]),
            Prerequisite::NotInUse(name) => push(name, ANY_TYPE, NONE, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Raw};
    use port53_zone::rdata::parse_value;

    fn name(text: &str) -> Name {
        name::parse_absolute(text).expect("a name")
    }

    fn a(owner: &str, values: &[&str]) -> RRset {
        RRset::new(
            name(owner),
            Rtype::A,
            60,
            values.iter().map(|value| parse_value(Rtype::A, value).expect("a value")),
        )
    }

    fn update(put: Vec<RRset>) -> Update {
        Update { name: name("www.example.org"), prerequisites: Vec::new(), removed: vec![Rtype::CNAME], put }
    }

    /// Type, class, TTL and octets of the value of each record of a section.
    fn records(message: &[u8], section: Section) -> Vec<(u16, u16, u32, usize)> {
        let message = Message::read(message).expect("a message");
        let records: Vec<Raw> = message.records(section).collect::<Result<_, _>>().expect("records");
        let of = |raw: &Raw| (raw.rtype.to_int(), raw.class, raw.ttl, raw.octets(&message).len());
        records.iter().map(of).collect()
    }

    /// RFC 2136 §2.4 and §2.5, every form that is used; all deletions before all additions.
    #[test]
    fn rfc2136_2_how_it_is_written() {
        let www = name("www.example.org");
        let prerequisites = vec![
            Prerequisite::Is(a("www.example.org", &["192.0.2.1", "192.0.2.2"])),
            Prerequisite::IsThere { name: www.clone(), rtype: Rtype::MX },
            Prerequisite::IsNot { name: www.clone(), rtype: Rtype::TXT },
            Prerequisite::InUse(www.clone()),
            Prerequisite::NotInUse(www),
        ];
        let update =
            Update { prerequisites, ..update(vec![a("WWW.example.org", &["192.0.2.3", "192.0.2.4"])]) };
        let message = update.message(&name("example.org")).expect("it fits");
        assert_eq!((message[2], message[3]), (5 << 3, 0));
        assert_eq!(message[4..12], [0, 1, 0, 6, 0, 4, 0, 0]);
        assert_eq!(
            records(&message, Section::Answer),
            [
                (1, 1, 0, 4),
                (1, 1, 0, 4),
                (15, 255, 0, 0),
                (16, 254, 0, 0),
                (255, 255, 0, 0),
                (255, 254, 0, 0)
            ]
        );
        assert_eq!(
            records(&message, Section::Authority),
            [(5, 255, 0, 0), (1, 255, 0, 0), (1, 1, 60, 4), (1, 1, 60, 4)]
        );
    }

    #[test]
    fn what_is_no_update_of_one_name_is_not_sent() {
        let apex = name("example.org");
        let said =
            update(vec![a("other.example.org", &["192.0.2.1"])]).message(&apex).expect_err("two names");
        assert!(said.contains("www.example.org. puts records of other.example.org."), "{said}");
        let said = update(Vec::new()).message(&name("example.net")).expect_err("another zone");
        assert!(said.contains("not in the zone example.net."), "{said}");
        // 2,200 of them are an RRset that fits an answer, but without compressed names no update.
        let many: Vec<String> = (0..2200).map(|n| format!("192.0.{}.{}", n / 250, n % 250)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let said = update(vec![a("www.example.org", &many)]).message(&apex);
        assert!(said.is_err(), "{:?}", said.map(|message| message.len()));
        let few = update(vec![a("www.example.org", &many[..1500])]).message(&apex);
        assert!(few.is_ok(), "{few:?}");
    }
}
