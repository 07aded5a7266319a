//! The next serial of a zone: as its policy has it, and always above every serial that is known (RFC 1982).

use port53_crds::SerialPolicy;
use port53_zone::serial::{is_newer, next_after};

/// The next serial after all of `known` and not below `least`. `now` is in seconds since 1970 and counts for
/// the policies UnixTime and Date (UTC). Where the policy's own choice would not be newer, it is the lowest
/// that may be: the successor of the highest, or `least`.
pub fn next(policy: SerialPolicy, now: u64, least: Option<u32>, known: impl IntoIterator<Item = u32>) -> u32 {
    let mut known = known.into_iter().peekable();
    let is_first = known.peek().is_none();
    let successor = next_after(known);
    // With nothing known there is nothing to compare with: 1 is as good a beginning as any other.
    let lowest = least.filter(|&least| is_first || is_newer(least, successor)).unwrap_or(successor);
    let choice = match policy {
        SerialPolicy::Increment => return lowest,
        SerialPolicy::UnixTime => now as u32,
        SerialPolicy::Date => date(now),
    };
    if is_newer(choice, lowest) { choice } else { lowest }
}

/// The serial as written in a master file, where it is above all of `known`; else the successor of the highest.
pub fn written(written: u32, known: impl IntoIterator<Item = u32>) -> u32 {
    let mut known = known.into_iter().peekable();
    if known.peek().is_none() {
        return written;
    }
    let successor = next_after(known);
    if written == successor || is_newer(written, successor) { written } else { successor }
}

/// The day of `now` and 00: 2026112300.
fn date(now: u64) -> u32 {
    // Days to a date of the Gregorian calendar, in years that begin in March, so that the leap day is last.
    let days = now / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    ((year * 10_000 + month * 100 + day) * 100) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICIES: [SerialPolicy; 3] = [SerialPolicy::Increment, SerialPolicy::UnixTime, SerialPolicy::Date];
    /// 2026-11-24T16:00:00Z.
    const NOW: u64 = 1_795_536_000;

    fn of_each(least: Option<u32>, known: &[u32]) -> [u32; 3] {
        POLICIES.map(|policy| next(policy, NOW, least, known.iter().copied()))
    }

    #[test]
    fn each_policy_has_its_own_choice_while_that_is_newer() {
        assert_eq!(of_each(None, &[]), [1, 1_795_536_000, 2_026_112_400]);
        assert_eq!(of_each(None, &[7, 9, 8]), [10, 1_795_536_000, 2_026_112_400]);
    }

    /// From dates to seconds would be backwards, and a second publication on a day has no date of its own.
    #[test]
    fn a_choice_that_is_not_newer_gives_way_to_the_successor() {
        assert_eq!(of_each(None, &[2_026_112_400]), [2_026_112_401; 3]);
        assert_eq!(of_each(None, &[1_795_536_000]), [1_795_536_001, 1_795_536_001, 2_026_112_400]);
    }

    /// RFC 1982 §3.1: after the highest comes the lowest; zero is left out.
    #[test]
    fn rfc1982_3_1_serials_go_round() {
        assert_eq!(next(SerialPolicy::Increment, NOW, None, [u32::MAX]), 1);
        assert_eq!(next(SerialPolicy::Increment, NOW, None, [u32::MAX, 3]), 4);
        assert_eq!(next(SerialPolicy::Increment, NOW, Some(u32::MAX), [3]), 4);
        assert_eq!(next(SerialPolicy::Increment, NOW, Some(3), [u32::MAX]), 3);
    }

    #[test]
    fn the_initial_serial_is_the_first_and_never_gone_below() {
        assert_eq!(next(SerialPolicy::Increment, NOW, Some(42), []), 42);
        // Compared with 1, these would be behind on the circle.
        assert_eq!(next(SerialPolicy::Increment, NOW, Some(3_000_000_000), []), 3_000_000_000);
        assert_eq!(of_each(Some(42), &[]), [42, 1_795_536_000, 2_026_112_400]);
        assert_eq!(of_each(Some(2_030_010_100), &[]), [2_030_010_100; 3]);
        assert_eq!(next(SerialPolicy::Increment, NOW, Some(42), [7]), 42);
        assert_eq!(next(SerialPolicy::Increment, NOW, Some(42), [42]), 43);
        assert_eq!(next(SerialPolicy::Increment, NOW, Some(42), [99]), 100);
    }

    #[test]
    fn a_master_file_has_the_serial_that_is_written_unless_that_is_behind() {
        assert_eq!(written(0, []), 0);
        assert_eq!(written(7, []), 7);
        assert_eq!(written(8, [7]), 8);
        assert_eq!(written(100, [7]), 100);
        assert_eq!(written(7, [7]), 8);
        assert_eq!(written(2, [7, 9]), 10);
        assert_eq!(written(2, [u32::MAX]), 2);
    }

    #[test]
    fn the_date_is_that_of_the_calendar() {
        let cases = [
            (0, 1_970_010_100),
            (951_782_399, 2_000_022_800),
            (951_782_400, 2_000_022_900),
            (951_868_800, 2_000_030_100),
            (1_709_164_800, 2_024_022_900),
            (1_735_689_599, 2_024_123_100),
            (1_735_689_600, 2_025_010_100),
        ];
        for (now, expected) in cases {
            assert_eq!(date(now), expected, "{now}");
        }
    }
}
