//! Zones that are transferred, and queries for them.

use super::{rrset, soa};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name as HickoryName, RecordType};
use port53_resolver::transfer::{self, Policy};
use port53_zone::image::Image;
use port53_zone::{Rtype, content};
use std::str::FromStr;

pub const APEX: &str = "xfr.example.";

/// Who may have every zone: everyone on loopback.
pub fn open() -> transfer::Settings {
    let policy = Policy { allow: vec!["127.0.0.0/8".parse().expect("a prefix")], notify: Vec::new() };
    transfer::Settings { policy, ..transfer::Settings::default() }
}

/// A query for a transfer; IXFR with the serial that the client has.
pub fn transfer_query(apex: &str, held: Option<u32>) -> Vec<u8> {
    let rtype = if held.is_some() { RecordType::IXFR } else { RecordType::AXFR };
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    let name = HickoryName::from_str(apex).expect("a name");
    message.add_query(Query::query(name, rtype));
    let mut octets = message.to_vec().expect("encodes");
    if let Some(serial) = held {
        octets[9] = 1;
        let value = soa(apex, serial).rdata();
        octets.extend_from_slice(&[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0]);
        octets.extend_from_slice(&u16::try_from(value.as_slice().len()).expect("short").to_be_bytes());
        octets.extend_from_slice(value.as_slice());
    }
    octets
}

/// The same zone with another address of `www`.
pub fn next(image: &Image, serial: u32, www: &str) -> Image {
    let change = content::Change::Put { rrset: rrset(&format!("www.{APEX}"), Rtype::A, &[www]), owner: None };
    image.with(image.content().apply(&[change]).expect("applies"), soa(APEX, serial))
}
