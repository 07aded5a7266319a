//! What a transfer takes in memory: the content that it gives, and a bounded part more on the way.

use port53_legacy::{Limits, Progress, Reader};
use port53_zone::name;

const NAMES: u32 = 60_000;
const IN_EACH_MESSAGE: u32 = 250;
const SOA: &[u8] =
    b"\xc0\x0c\0\x06\0\x01\0\0\0\x3c\0\x18\xc0\x0c\xc0\x0c\0\0\0\x07\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01";

/// The message that answers the query with records `from` on; the SOA is the first and the last of all.
fn message(query: &[u8], from: u32, records: u32) -> Vec<u8> {
    let until = (from + IN_EACH_MESSAGE).min(records);
    let mut message = query[..12 + b"\x07example\0".len() + 4].to_vec();
    message[2] = 0x84;
    let mut count = (until - from) as u16;
    let mut soa = |message: &mut Vec<u8>| {
        count += 1;
        message.extend_from_slice(SOA);
    };
    if from == 0 {
        soa(&mut message);
    }
    for number in from..until {
        // 7,919 is a prime that is no divisor of the number of names: each comes once, far from its neighbours.
        let host = format!("host{:08}", u64::from(number) * 7919 % u64::from(NAMES));
        message.push(host.len() as u8);
        message.extend_from_slice(host.as_bytes());
        message.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04");
        message.extend_from_slice(&[192, 0, 2, (number / NAMES) as u8]);
    }
    if until == records {
        soa(&mut message);
    }
    message[6..8].copy_from_slice(&count.to_be_bytes());
    message
}

/// Records of names in no order. Those of one name come apart: first one of each name, then the other.
#[test]
fn a_transfer_is_held_as_content_and_a_part_more() {
    for (of_each_name, most_kept, most_on_the_way) in [(1, 70, 110), (2, 50, 100)] {
        let apex = name::parse_absolute("example").expect("a name");
        let (mut got, records) = (None, NAMES * of_each_name);
        let all = allocation_counter::measure(|| {
            let mut reader = Reader::whole(&apex, [7; 16], &Limits::default());
            let query = reader.query().to_vec();
            for from in (0..records).step_by(IN_EACH_MESSAGE as usize) {
                if reader.read(&message(&query, from, records)).expect("right") == Progress::Full {
                    reader.settle().expect("it fits");
                }
            }
            got = reader.finish().expect("a zone");
        });
        let content = got.expect("changed").version.content;
        assert_eq!(content.len(), NAMES as usize);
        let (kept, most) =
            (all.bytes_current as u64 / u64::from(records), all.bytes_max / u64::from(records));
        println!(
            "{records} records, {of_each_name} of each name: {kept} octets each at the end, {most} at most"
        );
        assert!(
            kept <= most_kept && most <= most_on_the_way,
            "{kept} octets each at the end, {most} at most"
        );
    }
}
