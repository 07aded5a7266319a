//! The next serial of a zone: as its policy has it, and always above every serial that is known (RFC 1982).

use port53_crds::SerialPolicy;
use port53_zone::serial::{is_newer, next_after};

/// The next serial after all of `known`. `now` is in seconds since 1970 and counts for the policies UnixTime
/// and Date (UTC). Where the policy's own choice would not be newer, it is the successor of the highest.
pub fn next(policy: SerialPolicy, now: u64, known: impl IntoIterator<Item = u32>) -> u32 {
    let successor = next_after(known);
    let choice = match policy {
        SerialPolicy::Increment => return successor,
        SerialPolicy::UnixTime => now as u32,
        SerialPolicy::Date => date(now),
    };
    if choice == successor || is_newer(choice, successor) { choice } else { successor }
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
