//! Serial number arithmetic (RFC 1982): serials are compared on a circle of 2^32.

use std::cmp::Ordering;

/// Compares two serials. `None` when they are exactly half the circle apart, where RFC 1982 §3.2 leaves
/// the order undefined.
pub fn compare(a: u32, b: u32) -> Option<Ordering> {
    match b.wrapping_sub(a) {
        0 => Some(Ordering::Equal),
        0x8000_0000 => None,
        distance if distance < 0x8000_0000 => Some(Ordering::Less),
        _ => Some(Ordering::Greater),
    }
}

/// Whether a secondary that has `held` would take `offered` as newer.
pub fn is_newer(offered: u32, held: u32) -> bool {
    compare(held, offered) == Some(Ordering::Less)
}

/// The next serial after all of `known`: the successor of the highest, or 1 when nothing is known.
/// Zero is left out because some software takes it for "no serial".
pub fn next_after(known: impl IntoIterator<Item = u32>) -> u32 {
    let highest = known.into_iter().reduce(|a, b| if is_newer(b, a) { b } else { a });
    match highest {
        None => 1,
        Some(u32::MAX) => 1,
        Some(serial) => serial + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1982 §3.2 and §5.2.
    #[test]
    fn rfc1982_comparison() {
        assert_eq!(compare(0, 1), Some(Ordering::Less));
        assert_eq!(compare(0, 100), Some(Ordering::Less));
        assert_eq!(compare(u32::MAX, 0), Some(Ordering::Less));
        assert_eq!(compare(100, 0xffff_ff00), Some(Ordering::Greater));
        assert_eq!(compare(1, 0x8000_0001), None);
        assert!(is_newer(2026112301, 1_800_000_000));
        assert!(!is_newer(1_800_000_000, 2026112301));
    }

    #[test]
    fn the_next_serial_is_newer_than_all() {
        assert_eq!(next_after([]), 1);
        assert_eq!(next_after([7, 9, 8]), 10);
        assert_eq!(next_after([u32::MAX, u32::MAX - 1]), 1);
        assert!(is_newer(next_after([u32::MAX]), u32::MAX));
    }

    proptest! {
        /// RFC 1982 §3.2: as long as no two of them are half the circle apart or more, in any order.
        #[test]
        fn the_next_serial_is_newer_than_all_in_any_order(start in any::<u32>(), steps in prop::collection::vec(0u32..0x7fff_fff0, 1..8)) {
            let known: Vec<u32> = steps.iter().map(|step| start.wrapping_add(*step)).collect();
            let next = next_after(known.iter().copied());
            prop_assert!(known.iter().all(|&serial| is_newer(next, serial)), "{} after {:?}", next, known);
            prop_assert_eq!(next, next_after(known.into_iter().rev()));
            prop_assert!(next != 0);
        }

        /// RFC 1982 §3.2: one of two is newer, or neither where it is not defined.
        #[test]
        fn the_order_is_never_both_ways(a in any::<u32>(), b in any::<u32>()) {
            prop_assert!(!(is_newer(a, b) && is_newer(b, a)));
            prop_assert_eq!(compare(a, b).map(Ordering::reverse), compare(b, a));
        }
    }
}
