//! Whether what legacy says can be believed without a person's word. Pure.
//!
//! A server that was set up anew, half restored or mixed up says with authority that a zone is empty, another, older or
//! many times larger. Nothing of such a version is used: what is here stays as it is, and what was seen is said. A person
//! who knows better names the serial that is to be believed ([`port53_crds::ACCEPT_ANNOTATION`]).

use port53_zone::serial;

/// Zones of fewer RRsets are not guarded, as in [`crate::guard`].
const GUARDED: u64 = 10;
/// As much larger as no change makes a zone.
const TIMES: u64 = 100;
/// A zone that is small becomes many times larger on an ordinary day.
const SMALL: u64 = 1_000;

/// A version as far as it is looked at here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size {
    /// Its serial.
    pub serial: u32,
    /// Its RRsets, without the SOA.
    pub rrsets: u64,
}

/// Why a version is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Doubt {
    /// Its serial is lower (RFC 1982 §3.2).
    #[error("its serial {} is lower than {}, which was seen before: it may be an older copy", now.serial, before.serial)]
    Backwards {
        /// What was seen before.
        before: Size,
        /// What it says now.
        now: Size,
    },
    /// Much less than before.
    #[error(
        "it has {} RRsets with serial {}, and had {} with serial {}: more went at once than {percent} %",
        now.rrsets, now.serial, before.rrsets, before.serial
    )]
    Shrunk {
        /// What was seen before.
        before: Size,
        /// What it says now.
        now: Size,
        /// The share that may go.
        percent: u32,
    },
    /// Many times more than before.
    #[error("it has {} RRsets with serial {}, more than {TIMES} times the {} of serial {}", now.rrsets, now.serial, before.rrsets, before.serial)]
    Grown {
        /// What was seen before.
        before: Size,
        /// What it says now.
        now: Size,
    },
    /// Much of what both agreed on is gone, whatever else is there.
    #[error("serial {serial} lacks {gone} of {of} RRsets that both had: more than {percent} %")]
    Other {
        /// Its serial.
        serial: u32,
        /// RRsets that both had and it has not.
        gone: u64,
        /// RRsets that both had.
        of: u64,
        /// The share that may go.
        percent: u32,
    },
}

/// Why a version is not believed, after the one that was `before`. `gone` of the `agreed` RRsets that both had it has not.
pub fn doubt(before: Option<Size>, now: Size, gone: u64, agreed: u64, percent: u32) -> Option<Doubt> {
    let is_most = |gone: u64, of: u64| of >= GUARDED && gone * 100 > of * u64::from(percent);
    if let Some(before) = before {
        if serial::is_newer(before.serial, now.serial) {
            return Some(Doubt::Backwards { before, now });
        }
        if is_most(before.rrsets.saturating_sub(now.rrsets), before.rrsets) {
            return Some(Doubt::Shrunk { before, now, percent });
        }
        if before.rrsets > 0 && now.rrsets > SMALL && now.rrsets > TIMES * before.rrsets {
            return Some(Doubt::Grown { before, now });
        }
    }
    is_most(gone, agreed).then_some(Doubt::Other { serial: now.serial, gone, of: agreed, percent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_ordinary_day_brings_is_doubted() {
        let size = |serial, rrsets| Size { serial, rrsets };
        let known = Some(size(10, 100));
        for (before, now, gone, agreed, expected) in [
            (None, size(1, 0), 0, 0, "believed"),
            (None, size(1, 5_000_000), 0, 0, "believed"),
            (known, size(11, 71), 29, 100, "believed"),
            (known, size(11, 69), 31, 100, "shrunk"),
            (known, size(11, 0), 100, 100, "shrunk"),
            (known, size(9, 100), 0, 100, "backwards"),
            // RFC 1982: 2^31 - 1 above is newer.
            (Some(size(u32::MAX, 100)), size(3, 100), 0, 100, "believed"),
            (known, size(11, 10_000), 0, 100, "believed"),
            (known, size(11, 10_001), 0, 100, "grown"),
            (Some(size(1, 2)), size(2, 900), 0, 2, "believed"),
            (Some(size(1, 9)), size(2, 0), 9, 9, "believed"),
            // As many RRsets, and all of them others.
            (known, size(11, 100), 100, 100, "other"),
        ] {
            let found = match doubt(before, now, gone, agreed, 30) {
                None => "believed",
                Some(Doubt::Backwards { .. }) => "backwards",
                Some(Doubt::Shrunk { .. }) => "shrunk",
                Some(Doubt::Grown { .. }) => "grown",
                Some(Doubt::Other { .. }) => "other",
            };
            assert_eq!(found, expected, "{before:?} {now:?}");
        }
    }
}
