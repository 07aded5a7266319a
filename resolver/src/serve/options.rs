//! The EDNS options that belong to a stream and not to the answer: keepalive (RFC 7828) and padding
//! (RFC 7830, RFC 8467). They are asked for in the OPT record of a query and added to that of its response.

use domain::base::ParsedName;
use octseq::Parser;
use std::ops::Range;
use std::time::Duration;

const OPT: u16 = 41;
const KEEPALIVE: u16 = 11;
const PADDING: u16 = 12;
/// Octets of a message header, and of the code and length of an option.
const HEADER: usize = 12;
const OPTION: usize = 4;
/// Responses are padded to a multiple of this (RFC 8467 §4.1).
const BLOCK: usize = 468;

/// What a query asks of its stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Asked {
    pub(super) keepalive: bool,
    pub(super) padding: bool,
}

/// What `query` asks for; nothing when it has no OPT record that can be read.
pub(super) fn asked(query: &[u8]) -> Asked {
    let mut asked = Asked::default();
    // Most queries over a stream have no additional record, or none of these options.
    let Some(mut options) = opt(query).map(|rdata| &query[rdata]) else { return asked };
    while let Some((head, rest)) = options.split_first_chunk::<OPTION>() {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        match u16::from_be_bytes([head[0], head[1]]) {
            // RFC 7828 §3.2.1: a client sends no time.
            KEEPALIVE => asked.keepalive = length == 0,
            PADDING => asked.padding = true,
            _ => {}
        }
        options = rest.get(length..).unwrap_or(&[]);
    }
    asked
}

/// Adds the time that an idle connection stays (RFC 7828 §3.1) to the response of `len` octets in
/// `buffer`. Gives the new length: the same when there is no OPT record at the end, or no room.
pub(super) fn add_keepalive(buffer: &mut [u8], len: usize, idle: Duration) -> usize {
    // In units of 100 milliseconds.
    let units = u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX);
    add(buffer, len, KEEPALIVE, 2, |value| value.copy_from_slice(&units.to_be_bytes()))
}

/// Pads the response of `len` octets in `buffer` to a multiple of 468 octets. Gives the new length, as
/// [`add_keepalive`] does. Nothing may be added after it.
pub(super) fn add_padding(buffer: &mut [u8], len: usize) -> usize {
    let most = buffer.len().min(usize::from(u16::MAX));
    let Some(zeros) = (len + OPTION).next_multiple_of(BLOCK).min(most).checked_sub(len + OPTION) else {
        return len;
    };
    add(buffer, len, PADDING, zeros, |value| value.fill(0))
}

fn add(buffer: &mut [u8], len: usize, code: u16, length: usize, write: impl FnOnce(&mut [u8])) -> usize {
    let Some(rdata) = opt(&buffer[..len]).filter(|rdata| rdata.end == len) else { return len };
    let (Some(room), Ok(grown), Ok(value)) = (
        buffer.get_mut(len..len + OPTION + length),
        u16::try_from(rdata.len() + OPTION + length),
        u16::try_from(length),
    ) else {
        return len;
    };
    room[..2].copy_from_slice(&code.to_be_bytes());
    room[2..OPTION].copy_from_slice(&value.to_be_bytes());
    write(&mut room[OPTION..]);
    buffer[rdata.start - 2..rdata.start].copy_from_slice(&grown.to_be_bytes());
    len + OPTION + length
}

/// Where the RDATA of the OPT record stands.
fn opt(message: &[u8]) -> Option<Range<usize>> {
    let head = message.first_chunk::<HEADER>()?;
    let count = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    if count(10) == 0 {
        return None;
    }
    let mut parser = Parser::from_ref(message);
    parser.advance(HEADER).ok()?;
    for _ in 0..count(4) {
        ParsedName::skip(&mut parser).ok()?;
        parser.advance(4).ok()?;
    }
    for _ in 0..count(6) + count(8) + count(10) {
        ParsedName::skip(&mut parser).ok()?;
        let rtype = parser.parse_u16_be().ok()?;
        parser.advance(6).ok()?;
        let length = usize::from(parser.parse_u16_be().ok()?);
        let begin = parser.pos();
        parser.advance(length).ok()?;
        if rtype == OPT {
            return Some(begin..begin + length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message with a question, and an OPT record with these options.
    fn message(options: &[u8]) -> Vec<u8> {
        let mut message = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, b'a', 0, 0, 1, 0, 1];
        message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
        message.extend(u16::try_from(options.len()).expect("short").to_be_bytes());
        message.extend(options);
        message
    }

    fn added(message: &[u8], add: impl FnOnce(&mut [u8], usize) -> usize) -> Vec<u8> {
        let mut buffer = message.to_vec();
        buffer.resize(65_535, 0xff);
        let len = add(&mut buffer, message.len());
        buffer.truncate(len);
        buffer
    }

    /// RFC 7828 §3.1: two octets, in units of 100 milliseconds; §3.2.1: without a time in a query.
    #[test]
    fn rfc7828_3_keepalive_is_asked_for_and_added() {
        assert_eq!(asked(&message(&[])), Asked::default());
        let both = message(&[0, 10, 0, 1, 9, 0, 11, 0, 0, 0, 12, 0, 2, 0, 0]);
        assert_eq!(asked(&both), Asked { keepalive: true, padding: true });
        assert!(!asked(&message(&[0, 11, 0, 2, 0, 1])).keepalive, "a client has no time to give");
        let with =
            |idle| added(&message(&[0, 3, 0, 1, b'x']), |buffer, len| add_keepalive(buffer, len, idle));
        assert_eq!(with(Duration::from_secs(10)), message(&[0, 3, 0, 1, b'x', 0, 11, 0, 2, 0, 100]));
        assert_eq!(with(Duration::ZERO), message(&[0, 3, 0, 1, b'x', 0, 11, 0, 2, 0, 0]));
        assert_eq!(with(Duration::from_secs(36_000)), message(&[0, 3, 0, 1, b'x', 0, 11, 0, 2, 255, 255]));
    }

    /// RFC 8467 §4.1.
    #[test]
    fn rfc8467_4_1_responses_are_padded_to_blocks_of_468_octets() {
        for octets in [0, 100, 430, 434, 435, 500] {
            let mut option = vec![0, 3];
            option.extend(u16::try_from(octets).expect("short").to_be_bytes());
            option.resize(OPTION + octets, 1);
            let padded = added(&message(&option), add_padding);
            assert_eq!(padded.len() % BLOCK, 0, "{octets}");
            assert!(asked(&padded).padding, "{octets}");
        }
        let mut full = message(&[0, 3, 0, 0]);
        full.truncate(full.len() - 6);
        full.extend(65_531u16.wrapping_sub(30).to_be_bytes());
        full.resize(65_535, 0);
        assert_eq!(added(&full, add_padding).len(), 65_535, "no room is no padding");
    }

    #[test]
    fn without_an_opt_record_at_the_end_nothing_is_added() {
        let plain = [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        assert_eq!(added(&plain, add_padding), plain);
        let mut followed = message(&[]);
        followed[11] = 2;
        followed.extend([0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0]);
        assert_eq!(added(&followed, |b, len| add_keepalive(b, len, Duration::ZERO)), followed);
    }

    proptest! {
        #[test]
        fn no_message_is_too_odd(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            asked(&octets);
            added(&octets, add_padding);
            added(&octets, |buffer, len| add_keepalive(buffer, len, Duration::from_secs(1)));
        }
    }
}
