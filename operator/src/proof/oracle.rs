//! What must be answered: the algorithm of RFC 1034 §4.3.2 as it stands there, with wildcards by RFC 4592 and DNAME by
//! RFC 6672, over the content of zones. Nothing is precomputed and nothing is shared with the code that resolvers
//! answer with, which is what makes it worth asking.
//!
//! Of a response it says the code, AA, the answers as a set, and what must stand in the authority section: the SOA of a
//! denial, the NS of a referral. It knows nothing of DNSSEC: questions for it are asked without DO.

use std::collections::{BTreeMap, BTreeSet};

use port53_zone::content::Content;
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Rtype, Soa, rdata};

use super::Question;

/// How many steps of a chain of CNAME and DNAME are followed; what comes after them is not said.
const LONGEST_CHAIN: usize = 16;
/// Of a name, with the root (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 255;

/// A zone as it is published.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its content.
    pub content: Content,
    /// Its SOA, with the serial.
    pub soa: Soa,
}

/// The zones of a nameserver, by their names in canonical order.
#[derive(Clone, Debug, Default)]
pub struct Zones(BTreeMap<Name, Zone>);

/// A record as it is compared: names in it may be written in any case, so it is by the canonical form of its value
/// (RFC 4034 §6.2).
pub type Record = (Name, Rtype, u32, Vec<u8>);

/// What must be answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The response code.
    pub rcode: u16,
    /// Whether AA is set.
    pub is_authoritative: bool,
    /// The answer section.
    pub answer: BTreeSet<Record>,
    /// What must stand in the authority section: all of it, if it is a denial or a referral.
    pub authority: BTreeSet<Record>,
    /// Whether more may stand in the authority section: of a positive answer nothing is said about it.
    pub is_authority_open: bool,
}

const NOERROR: u16 = 0;
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;

impl Zones {
    /// Those that are given.
    pub fn new(zones: impl IntoIterator<Item = Zone>) -> Self {
        Zones(zones.into_iter().map(|zone| (zone.content.apex().clone(), zone)).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.0.values()
    }

    /// The zone of this name.
    pub fn get(&self, apex: &Name) -> Option<&Zone> {
        self.0.get(apex)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The zone that answers a question: the nearest at or above its name, and for DS the one above (RFC 4035 §3.1.4.1).
    pub fn of(&self, question: &Question) -> Option<&Zone> {
        let mut at = Some(question.name.clone());
        let mut below = None;
        while let Some(name) = at {
            if let Some(zone) = self.0.get(&name) {
                match question.rtype == Rtype::DS && name == question.name && below.is_none() {
                    true => below = Some(zone),
                    false => return Some(zone),
                }
            }
            at = name.parent();
        }
        below
    }

    /// What must be answered to a question; nothing when that is beyond what is followed here.
    pub fn expect(&self, question: &Question) -> Option<Expected> {
        let Some(zone) = self.of(question) else {
            return Some(Expected {
                rcode: REFUSED,
                is_authoritative: false,
                answer: BTreeSet::new(),
                authority: BTreeSet::new(),
                is_authority_open: false,
            });
        };
        zone.expect(question)
    }
}

/// Where a name leads in a zone.
enum Found {
    /// To the name itself, or to what a wildcard makes of it.
    Here(Vec<RRset>),
    /// To a zone below.
    Cut(RRset),
    /// To another name, by the DNAME above it.
    Dname(RRset),
    /// Nowhere.
    Nothing,
    /// To a wildcard that is a cut or a DNAME, of which the standards do not say what it means (RFC 4592 §4.2, §4.4).
    Undefined,
}

impl Zone {
    fn expect(&self, question: &Question) -> Option<Expected> {
        let mut answer = BTreeSet::new();
        let mut name = question.name.clone();
        for _ in 0..LONGEST_CHAIN {
            let done = |rcode, authority: Option<RRset>, answer: BTreeSet<Record>, is_authoritative| {
                Some(Expected {
                    rcode,
                    is_authoritative,
                    answer,
                    is_authority_open: authority.is_none(),
                    authority: authority.iter().flat_map(records).collect(),
                })
            };
            match self.find(&name, question.rtype) {
                Found::Undefined => return None,
                Found::Nothing => return done(NXDOMAIN, Some(self.denial()), answer, true),
                // Behind an alias of ours AA is about the alias (RFC 1034 §6.2.7, RFC 2181 §5.4.1).
                Found::Cut(ns) => {
                    let is_first = answer.is_empty();
                    return done(NOERROR, Some(ns), answer, !is_first);
                }
                Found::Dname(dname) => {
                    answer.extend(records(&dname));
                    let Some(next) = substitute(&name, &dname) else {
                        return done(YXDOMAIN, None, answer, true);
                    };
                    answer.insert((
                        name.clone(),
                        Rtype::CNAME,
                        dname.ttl,
                        canonical_value(Rtype::CNAME, next.as_slice()),
                    ));
                    if question.rtype == Rtype::CNAME {
                        return done(NOERROR, None, answer, true);
                    }
                    name = next;
                }
                Found::Here(rrsets) => {
                    if let Some(wanted) = rrsets.iter().find(|rrset| rrset.rtype == question.rtype) {
                        answer.extend(records(wanted));
                        return done(NOERROR, None, answer, true);
                    }
                    let Some(alias) = rrsets.iter().find(|rrset| rrset.rtype == Rtype::CNAME) else {
                        return done(NOERROR, Some(self.denial()), answer, true);
                    };
                    let is_again = !answer.is_disjoint(&records(alias).collect());
                    answer.extend(records(alias));
                    let target = Name::from_octets(alias.values()[0].shared()).ok()?;
                    // A loop leads nowhere new: what was followed is all there is.
                    if is_again {
                        return done(NOERROR, None, answer, true);
                    }
                    name = target;
                }
            }
            if !name.ends_with(self.content.apex()) {
                return done(NOERROR, None, answer, true);
            }
        }
        None
    }

    /// Walks from the apex down to the name, as RFC 1034 §4.3.2 does.
    fn find(&self, name: &Name, rtype: Rtype) -> Found {
        let apex = self.content.apex();
        let below = name.label_count() - apex.label_count();
        let mut encloser = apex.clone();
        for depth in 0..=below {
            let at: Name = name.iter_suffixes().nth(below - depth).unwrap_or_else(|| apex.clone());
            let is_apex = depth == 0;
            let is_last = depth == below;
            let is_asked_above = is_apex || (is_last && rtype == Rtype::DS);
            if !is_asked_above && let Some(ns) = self.content.get(&at, Rtype::NS) {
                return Found::Cut(ns);
            }
            if !is_last && let Some(dname) = self.content.get(&at, Rtype::DNAME) {
                return Found::Dname(dname);
            }
            if !self.exists(&at) {
                return match wildcard(&encloser).filter(|wildcard| self.exists(wildcard)) {
                    None => Found::Nothing,
                    Some(wildcard) => {
                        let mut rrsets = self.at(&wildcard);
                        if rrsets.iter().any(|rrset| matches!(rrset.rtype, Rtype::NS | Rtype::DNAME)) {
                            return Found::Undefined;
                        }
                        // A wildcard stands for whatever is asked (RFC 4592 §3.3).
                        rrsets.iter_mut().for_each(|rrset| rrset.name = name.clone());
                        Found::Here(rrsets)
                    }
                };
            }
            encloser = at;
        }
        Found::Here(self.at(name))
    }

    /// Whether there is a name: it owns something, or one below it does (RFC 4592 §2.2.2).
    fn exists(&self, name: &Name) -> bool {
        let apex = self.content.apex();
        if name == apex {
            return true;
        }
        let relative = &name.as_slice()[..name.len() - apex.len()];
        let key = SortKey::of_relative(relative);
        let (_, at_or_after) = self.content.neighbours(key.as_slice());
        at_or_after.is_some_and(|owner| {
            let owner = owner.name();
            let ends = owner.len() >= relative.len();
            ends && is_suffix(owner, relative)
        })
    }

    /// All that a name owns. At the apex the SOA too.
    fn at(&self, name: &Name) -> Vec<RRset> {
        let apex = self.content.apex();
        let relative = &name.as_slice()[..name.len() - apex.len()];
        let key = SortKey::of_relative(relative);
        let (_, owner) = self.content.neighbours(key.as_slice());
        let owner = owner.filter(|owner| owner.name().eq_ignore_ascii_case(relative));
        let types = owner.iter().flat_map(|owner| owner.rrsets().map(|rrset| rrset.rtype));
        let mut all: Vec<RRset> = types.filter_map(|rtype| self.content.get(name, rtype)).collect();
        if name == apex {
            let soa = RRset::new(apex.clone(), Rtype::SOA, self.soa.ttl, [self.soa.rdata()]);
            all.push(soa);
        }
        all
    }

    /// The SOA as it stands in a denial (RFC 2308 §3).
    fn denial(&self) -> RRset {
        RRset::new(self.content.apex().clone(), Rtype::SOA, self.soa.negative_ttl(), [self.soa.rdata()])
    }
}

/// Whether the labels of `name`, in wire form without the root, end in those of `end`.
fn is_suffix(name: &[u8], end: &[u8]) -> bool {
    let mut rest = name;
    while rest.len() > end.len() {
        rest = &rest[1 + usize::from(rest[0])..];
    }
    rest.eq_ignore_ascii_case(end)
}

/// The wildcard below a name.
fn wildcard(encloser: &Name) -> Option<Name> {
    let mut wire = b"\x01*".to_vec();
    wire.extend_from_slice(encloser.as_slice());
    (wire.len() <= LONGEST_NAME).then(|| Name::from_octets(wire.into()).ok()).flatten()
}

/// The name that a DNAME makes of another (RFC 6672 §2.2); none when it would be too long.
fn substitute(name: &Name, dname: &RRset) -> Option<Name> {
    let kept = &name.as_slice()[..name.len() - dname.name.len()];
    let wire = [kept, dname.values()[0].as_slice()].concat();
    (wire.len() <= LONGEST_NAME).then(|| Name::from_octets(wire.into()).ok()).flatten()
}

/// The records of an RRset as they are compared.
pub(super) fn records(rrset: &RRset) -> impl Iterator<Item = Record> + '_ {
    rrset.values().iter().map(|value| {
        (rrset.name.clone(), rrset.rtype, rrset.ttl, canonical_value(rrset.rtype, value.as_slice()))
    })
}

/// A value in which names that may be written in any case are in lower case.
pub(super) fn canonical_value(rtype: Rtype, value: &[u8]) -> Vec<u8> {
    let mut octets = value.to_vec();
    for name in rdata::names(rtype, value) {
        octets[name.start..name.end].make_ascii_lowercase();
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use port53_zone::{name, rdata};

    fn absolute(text: &str) -> Name {
        name::parse_absolute(text).expect("a name")
    }

    /// A zone of lines `owner ttl type value`.
    fn zone(apex: &str, lines: &str) -> Zone {
        let apex = absolute(apex);
        let rrsets = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
            let mut fields = line.splitn(3, ' ');
            let mut field = || fields.next().expect("owner, type, value");
            let owner = name::parse(field(), &apex).expect("a name");
            let rtype = rdata::parse_rtype(field()).expect("a type");
            let value = rdata::parse_value(rtype, field()).expect("a value");
            (RRset::new(owner, rtype, 60, [value]), None)
        });
        let content = Content::build(apex.clone(), [0; 16], rrsets.collect::<Vec<_>>()).expect("a content");
        let soa = Soa {
            primary: absolute("ns1.example.net"),
            contact: absolute("hostmaster.example.net"),
            serial: 7,
            refresh: 1,
            retry: 1,
            expire: 1,
            minimum: 30,
            ttl: 3600,
        };
        Zone { content, soa }
    }

    fn said(zones: &Zones, question: &str) -> String {
        let (name, rtype) = question.split_once(' ').expect("name and type");
        let question = Question { name: absolute(name), rtype: rdata::parse_rtype(rtype).expect("a type") };
        let Some(expected) = zones.expect(&question) else { return "nothing is said".to_owned() };
        let show = |records: &BTreeSet<Record>| -> Vec<String> {
            let one = |(owner, rtype, ttl, value): &Record| {
                let value = rdata::from_wire(*rtype, Bytes::copy_from_slice(value)).expect("a value");
                let value = rdata::display(*rtype, &value);
                format!("{} {ttl} {} {value}", name::display(owner), rdata::display_rtype(*rtype))
            };
            records.iter().map(one).collect()
        };
        let aa = if expected.is_authoritative { " AA" } else { "" };
        let authority = show(&expected.authority);
        format!("{}{aa} [{}] [{}]", expected.rcode, show(&expected.answer).join(", "), authority.join(", "))
    }

    const SOA: &str = "example.com. 30 SOA ns1.example.net. hostmaster.example.net. 7 1 1 1 30";

    #[test]
    fn rfc1034_each_way_that_a_question_ends() {
        let zones = Zones::new([
            zone(
                "example.com",
                "@ NS ns1.example.net.
                 www A 192.0.2.1
                 alias CNAME www.example.com.
                 away CNAME www.example.org.
                 loop CNAME loop.example.com.
                 a.b.ent A 192.0.2.2
                 *.wild A 192.0.2.3
                 *.wild TXT \"wild\"
                 x.y.wild A 192.0.2.4
                 cut NS ns.cut.example.com.
                 ns.cut A 192.0.2.5
                 cut DS 1 8 200 AA
                 old DNAME new.example.com.
                 host.new A 192.0.2.6
                 *.odd NS ns1.example.net.",
            ),
            zone("child.example.com", "@ NS ns1.example.net.\nwww A 192.0.2.9"),
        ]);
        for (question, expected) in [
            ("www.example.com A", "0 AA [www.example.com. 60 A 192.0.2.1] []".to_owned()),
            ("WWW.example.COM A", "0 AA [www.example.com. 60 A 192.0.2.1] []".to_owned()),
            ("www.example.com TXT", format!("0 AA [] [{SOA}]")),
            ("none.example.com A", format!("3 AA [] [{SOA}]")),
            // RFC 4592 §2.2.2: an empty non-terminal exists.
            ("ent.example.com A", format!("0 AA [] [{SOA}]")),
            ("b.ent.example.com A", format!("0 AA [] [{SOA}]")),
            ("c.ent.example.com A", format!("3 AA [] [{SOA}]")),
            (
                "alias.example.com A",
                "0 AA [alias.example.com. 60 CNAME www.example.com., www.example.com. 60 A 192.0.2.1] []"
                    .to_owned(),
            ),
            ("alias.example.com CNAME", "0 AA [alias.example.com. 60 CNAME www.example.com.] []".to_owned()),
            ("away.example.com A", "0 AA [away.example.com. 60 CNAME www.example.org.] []".to_owned()),
            ("loop.example.com A", "0 AA [loop.example.com. 60 CNAME loop.example.com.] []".to_owned()),
            ("q.wild.example.com A", "0 AA [q.wild.example.com. 60 A 192.0.2.3] []".to_owned()),
            ("p.q.wild.example.com A", "0 AA [p.q.wild.example.com. 60 A 192.0.2.3] []".to_owned()),
            ("q.wild.example.com MX", format!("0 AA [] [{SOA}]")),
            // RFC 4592 §2.2.1: the closest encloser of what is below an existing name is that name.
            ("z.y.wild.example.com A", format!("3 AA [] [{SOA}]")),
            ("a.cut.example.com A", "0 [] [cut.example.com. 60 NS ns.cut.example.com.]".to_owned()),
            ("ns.cut.example.com A", "0 [] [cut.example.com. 60 NS ns.cut.example.com.]".to_owned()),
            ("cut.example.com DS", "0 AA [cut.example.com. 60 DS 1 8 200 AA] []".to_owned()),
            (
                "host.old.example.com A",
                "0 AA [host.new.example.com. 60 A 192.0.2.6, old.example.com. 60 DNAME new.example.com., \
                 host.old.example.com. 60 CNAME host.new.example.com.] []"
                    .to_owned(),
            ),
            ("old.example.com DNAME", "0 AA [old.example.com. 60 DNAME new.example.com.] []".to_owned()),
            ("old.example.com A", format!("0 AA [] [{SOA}]")),
            ("www.child.example.com A", "0 AA [www.child.example.com. 60 A 192.0.2.9] []".to_owned()),
            ("child.example.com DS", format!("3 AA [] [{SOA}]")),
            ("any.odd.example.com A", "nothing is said".to_owned()),
            ("example.org A", "5 [] []".to_owned()),
        ] {
            assert_eq!(said(&zones, question), expected, "{question}");
        }
        assert!(said(&zones, "example.com SOA").starts_with("0 AA [example.com. 3600 SOA"));
    }
}
