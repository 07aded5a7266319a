//! The journal that `named` keeps beside the file of a zone that is changed by UPDATE or transfer. The file is
//! written a while later, so the journal tells whether the file is all there is.
//!
//! ```text
//! octets  0..16  ";BIND LOG V9\n" or ";BIND LOG V9.2\n", filled with zeros
//!        16..24  the first serial, and where its changes begin
//!        24..32  the last serial, and where its changes end
//! ```

use std::io::Read;

use port53_zone::serial;

/// What begins a journal, in each of its versions.
const MAGIC: &[u8] = b";BIND LOG V9";
/// Octets that are read.
const HEAD: usize = 32;

/// What a journal has that its file has not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Beyond {
    /// Nothing.
    Nothing,
    /// Changes up to this serial.
    Changes(u32),
    /// It is none that is known.
    Unknown,
}

/// Compares a journal with the serial of the file.
pub(super) fn beyond(journal: impl Read, of_file: u32) -> Beyond {
    let mut head = Vec::with_capacity(HEAD);
    if journal.take(HEAD as u64).read_to_end(&mut head).is_err() {
        return Beyond::Unknown;
    }
    let field = |at: usize| {
        let octets = head.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(octets))
    };
    match (field(20), field(24), field(28)) {
        // `named` makes it before it writes into it.
        _ if head.is_empty() => Beyond::Nothing,
        (Some(begin), Some(last), Some(end)) if head.starts_with(MAGIC) => {
            let is_beyond = begin != end && serial::is_newer(last, of_file);
            if is_beyond { Beyond::Changes(last) } else { Beyond::Nothing }
        }
        _ => Beyond::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(last: u32) -> Vec<u8> {
        let mut octets = b";BIND LOG V9.2\n\0".to_vec();
        octets.extend([0, 0, 0, 1, 0, 0, 2, 0]);
        octets.extend(last.to_be_bytes());
        octets.extend([0, 0, 3, 0]);
        octets.extend([0; 32]);
        octets
    }

    /// By serial number arithmetic (RFC 1982).
    #[test]
    fn a_journal_with_a_later_serial_has_changes() {
        for (last, of_file, expected) in [
            (7, 7, Beyond::Nothing),
            (6, 7, Beyond::Nothing),
            (8, 7, Beyond::Changes(8)),
            (1, u32::MAX, Beyond::Changes(1)),
        ] {
            assert_eq!(beyond(&journal(last)[..], of_file), expected, "{last} {of_file}");
        }
        assert_eq!(beyond(&b""[..], 7), Beyond::Nothing);
        // As it is made: no changes, and a serial of nothing.
        let empty = [&b";BIND LOG V9.2\n\0"[..], &[0; 48]].concat();
        assert_eq!(beyond(&empty[..], u32::MAX), Beyond::Nothing);
        for odd in [&b";BIND LOG V9.2\n"[..], b"something else that is long enough to be one"] {
            assert_eq!(beyond(odd, 7), Beyond::Unknown);
        }
    }
}
