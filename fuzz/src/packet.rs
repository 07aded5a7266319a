//! Queries with structure: a header, a question about names of the zone, EDNS, and what may be wrong with each.

use crate::generate::{Asked, Chance};
use port53_zone::{name, rdata};

/// A query for `asked`, most often as it should be.
pub(crate) fn query(asked: &Asked, chance: &mut Chance) -> Vec<u8> {
    let owner = name::parse_absolute(&asked.owner).expect("a generated name");
    let rtype = rdata::parse_rtype(&asked.rtype).map_or(255, |rtype| rtype.to_int());
    let flags: u16 = match chance.below(12) {
        0 => 1 << chance.below(16),
        1 => 0x8000,
        2 => (chance.below(16) as u16) << 11,
        _ => 0x0100,
    };
    let has_opt = asked.payload.is_some();
    let mut counts = [1, 0, 0, u16::from(has_opt)];
    if chance.once_in(12) {
        counts[chance.below(4)] = chance.below(4) as u16;
    }
    let class: u16 = if chance.once_in(20) { *chance.one_of(&[3, 254, 255, 0]) } else { 1 };
    let rtype = if chance.once_in(20) { chance.below(300) as u16 } else { rtype };
    let mut packet = vec![0x12, 0x34];
    packet.extend(flags.to_be_bytes());
    packet.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    packet.extend_from_slice(owner.as_slice());
    packet.extend(rtype.to_be_bytes());
    packet.extend(class.to_be_bytes());
    if let Some(payload) = asked.payload {
        packet.extend(opt(payload, asked.dnssec_ok, chance));
    }
    damage(&mut packet, chance);
    packet
}

fn opt(payload: u16, dnssec_ok: bool, chance: &mut Chance) -> Vec<u8> {
    let payload = if chance.once_in(4) { chance.below(4000) as u16 } else { payload };
    let version = if chance.once_in(16) { 1 } else { 0 };
    let mut options = Vec::new();
    for _ in 0..chance.below(4) {
        // ECS, cookie, keepalive, NSID, padding, zone version, and any other.
        let code = *chance.one_of(&[8_u16, 10, 11, 3, 12, 19, 15, 65001]);
        let len = *chance.one_of(&[0_usize, 1, 2, 4, 7, 8, 16, 24, 40]);
        options.extend(code.to_be_bytes());
        let said = if chance.once_in(12) { len + 1 } else { len };
        options.extend((said as u16).to_be_bytes());
        options.extend((0..len).map(|_| chance.below(256) as u8));
    }
    let mut opt = vec![0, 0, 41];
    opt.extend(payload.to_be_bytes());
    opt.extend([0, version, if dnssec_ok { 0x80 } else { 0 }, 0]);
    opt.extend((options.len() as u16).to_be_bytes());
    opt.extend(options);
    opt
}

/// Cut, longer, or with octets changed; most often left alone.
fn damage(packet: &mut Vec<u8>, chance: &mut Chance) {
    match chance.below(16) {
        0 => packet.truncate(chance.below(packet.len() + 1)),
        1 => packet.extend((0..1 + chance.below(20)).map(|_| chance.below(256) as u8)),
        2 => {
            for _ in 0..1 + chance.below(3) {
                let place = chance.below(packet.len());
                packet[place] = chance.below(256) as u8;
            }
        }
        _ => {}
    }
}
