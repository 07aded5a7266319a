//! Packets to zones. The first octets of an input make the zones, the others the packets; without others
//! the whole input is one raw packet as well.

use crate::generate::{Chance, Known, Made, questions, zones};
use crate::packet;
use domain::base::{Message, ToName};
use domain::rdata::AllRecordData;
use hickory_proto::op::Message as Hickory;
use port53_zone::answer::{self, Asked, Responded, Settings, Transport};
use port53_zone::content::Content;
use port53_zone::image::{Image, ZoneState, Zones};
use port53_zone::master::{Options, Reader};
use port53_zone::{Name, RRset, Record, Rtype, Soa, name};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Octets that make the zones.
const ZONE: usize = 64;
/// Questions of one input.
const QUESTIONS: usize = 24;

/// Runs one input.
///
/// # Panics
/// When an answer is not as it must be.
pub fn run(input: &[u8]) {
    let (zone, rest) = input.split_at(input.len().min(ZONE));
    let mut chance = Chance::from_octets(zone);
    let made = zones("f", 1 + chance.below(3), &mut chance);
    let served = made.iter().fold(Zones::default(), |zones, made| {
        let (apex, image) = image(made);
        zones.put(&apex, ZoneState::Serving(Arc::new(image)))
    });
    let mut chance = Chance::from_octets(rest);
    check(&served, rest);
    for zone in &made {
        for asked in questions(&Known::from(zone), QUESTIONS, &mut chance) {
            check(&served, &packet::query(&asked, &mut chance));
        }
    }
}

/// The image of a zone, by way of its master file.
fn image(made: &Made) -> (Name, Image) {
    let apex = name::parse_absolute(&made.apex).expect("an apex");
    let text = made.text();
    let options = Options { origin: Some(apex.clone()), ..Options::default() };
    let mut sets: BTreeMap<(Vec<u8>, u16), Vec<Record>> = BTreeMap::new();
    let mut soa = None;
    for record in Reader::new("zone", Box::new(text.as_bytes()), options) {
        let record = record.unwrap_or_else(|problem| panic!("{problem}\n{text}")).value;
        if record.rtype == Rtype::SOA {
            soa = Soa::from_rdata(&record.rdata, record.ttl);
            continue;
        }
        let key = (record.name.as_slice().to_ascii_lowercase(), record.rtype.to_int());
        sets.entry(key).or_default().push(record);
    }
    let rrsets = sets.into_values().map(|records| {
        let values = records.iter().map(|record| record.rdata.clone());
        (RRset::new(records[0].name.clone(), records[0].rtype, records[0].ttl, values), None)
    });
    let content = Content::build(apex.clone(), [53; 16], rrsets).expect("a content");
    (apex, Image::new(content, soa.expect("a SOA")))
}

fn respond(zones: &Zones, transport: Transport, packet: &[u8], out: &mut [u8]) -> Option<Responded> {
    let asked = Asked::new(transport, std::net::Ipv4Addr::LOCALHOST.into(), 1_795_536_000_000);
    answer::respond(zones, &Settings::default(), &asked, packet, out)
}

fn check(zones: &Zones, packet: &[u8]) {
    let mut out = vec![0xa5; 65_535];
    let over_tcp = respond(zones, Transport::Tcp, packet, &mut out).map(|made| out[..made.len].to_vec());
    let mut out = vec![0xa5; 65_535];
    let over_udp = respond(zones, Transport::Udp, packet, &mut out).map(|made| out[..made.len].to_vec());
    assert_eq!(over_tcp.is_some(), over_udp.is_some(), "answered over one transport alone");
    let (Some(tcp), Some(udp)) = (over_tcp, over_udp) else {
        let is_answerable = packet.len() >= 12 && packet[2] & 0x80 == 0;
        assert!(!is_answerable, "no answer");
        return;
    };
    assert!(packet.len() >= 12 && packet[2] & 0x80 == 0, "a response is answered (RFC 1035 §4.1.1)");
    let limit = udp_limit(packet);
    assert!(udp.len() <= limit, "{} octets, {limit} may be", udp.len());
    let (tcp_sets, udp_sets) = (read(packet, &tcp), read(packet, &udp));
    assert_eq!(tcp[2] & 0x02, 0, "TC over TCP");
    for (set, values) in &tcp_sets {
        let different: BTreeSet<&Vec<u8>> = values.iter().collect();
        assert_eq!(different.len(), values.len(), "a record twice (RFC 2181 §5): {set:?}");
    }
    for (set, values) in &udp_sets {
        assert_eq!(tcp_sets.get(set), Some(values), "a partial RRset: {set:?}");
    }
}

/// What a client can take: what its OPT says, within 512 and 1232 (RFC 6891 §6.2.5). Where hickory does not read
/// the packet, the most that we ever send.
fn udp_limit(packet: &[u8]) -> usize {
    match Hickory::from_vec(packet) {
        Ok(message) => usize::from(message.edns.map_or(512, |edns| edns.max_payload())).clamp(512, 1232),
        Err(_) => 1232,
    }
}

/// Section, owner and type.
type Set = (u8, Vec<u8>, u16);

/// The sets of an answer, read by hickory and by domain, which must agree on how many records there are.
fn read(packet: &[u8], answer: &[u8]) -> BTreeMap<Set, Vec<Vec<u8>>> {
    assert_eq!(answer[..2], packet[..2], "another ID");
    assert_eq!(answer[2] & 0x80, 0x80, "no response");
    assert_eq!(answer[2] & 0x78, packet[2] & 0x78, "another opcode");
    let hickory = Hickory::from_vec(answer).unwrap_or_else(|error| panic!("hickory: {error}"));
    let message = Message::from_octets(answer).expect("a header");
    let mut sets: BTreeMap<Set, Vec<Vec<u8>>> = BTreeMap::new();
    let mut count = 0;
    let sections = [message.answer(), message.authority(), message.additional()];
    for (number, section) in sections.into_iter().enumerate() {
        for record in section.expect("a section").limit_to::<AllRecordData<_, _>>() {
            let record = record.expect("a record");
            if record.rtype() == Rtype::OPT {
                continue;
            }
            count += 1;
            let mut owner = record.owner().to_vec().as_slice().to_vec();
            owner.make_ascii_lowercase();
            let value = record.data().to_string().into_bytes();
            sets.entry((number as u8, owner, record.rtype().to_int())).or_default().push(value);
        }
    }
    let theirs = hickory.answers.len() + hickory.authorities.len() + hickory.additionals.len();
    assert_eq!(theirs, count, "hickory and domain count differently");
    sets
}
