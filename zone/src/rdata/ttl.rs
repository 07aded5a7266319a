//! Times in seconds, with the units that BIND allows.

use super::ValueError;

/// Greatest TTL (RFC 2181 §8).
const GREATEST: u64 = (1 << 31) - 1;

/// Seconds as a number, or with units: `1h30m`, `2W`. At most 2^31 - 1 (RFC 2181 §8).
pub fn parse_ttl(text: &str) -> Result<u32, ValueError> {
    match parse_seconds(text)? {
        seconds if u64::from(seconds) > GREATEST => {
            Err(ValueError::new(format!("\"{text}\" is more than {GREATEST} seconds, the greatest TTL")))
        }
        seconds => Ok(seconds),
    }
}

/// The same for the times of a SOA, which have all of 32 bits (RFC 1035 §3.3.13).
pub(crate) fn parse_seconds(text: &str) -> Result<u32, ValueError> {
    let wrong = || {
        ValueError::new(format!(
            "\"{text}\" is no time: write seconds, or numbers with w, d, h, m or s, such as 1h30m"
        ))
    };
    let mut total = 0u64;
    let mut number: Option<u64> = None;
    let mut has_units = false;
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit)));
            continue;
        }
        let unit = match character.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        has_units = true;
        total = total.saturating_add(number.take().ok_or_else(wrong)?.saturating_mul(unit));
    }
    match number {
        // BIND reads a number after units as seconds.
        Some(seconds) => total = total.saturating_add(seconds),
        None if has_units => {}
        None => return Err(wrong()),
    }
    u32::try_from(total).map_err(|_| {
        ValueError::new(format!("\"{text}\" is more than 4294967295 seconds, which is all that fits"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, seconds) in [
            ("0", 0),
            ("300", 300),
            ("1h30m", 5_400),
            ("2W", 1_209_600),
            ("1d1", 86_401),
            ("2147483647", 2_147_483_647),
        ] {
            assert_eq!(parse_ttl(text), Ok(seconds), "{text}");
        }
        for text in ["", "h", "1x", "-1", "2147483648", "99999999999999999999w", "1 h", "١"] {
            assert!(parse_ttl(text).is_err(), "{text}");
        }
    }
}
