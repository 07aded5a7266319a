//! LOC (RFC 1876): `51 30 12.748 N 0 7 39.611 W 10m 1m 10000m 10m`.

use super::fields::number;
use super::{Token, ValueError};

/// The equator and the prime meridian in thousandths of a second of arc (RFC 1876 §2).
const ZERO: i64 = 1 << 31;
/// Altitude is counted from 100,000 m below the ellipsoid, in centimetres.
const ALTITUDE_BASE: i64 = 10_000_000;
const EXAMPLE: &str = "51 30 12.748 N 0 7 39.611 W 10m 1m 10000m 10m";

/// The 16 octets of a location.
pub(crate) fn parse(tokens: &[Token]) -> Result<Vec<u8>, ValueError> {
    let mut words = Words { tokens, at: 0 };
    let latitude = words.angle(90, ["N", "S"])?;
    let longitude = words.angle(180, ["E", "W"])?;
    let altitude = words.metres()?.ok_or_else(|| wrong(words.at, "the altitude is missing"))?;
    let altitude = u32::try_from(altitude + ALTITUDE_BASE)
        .map_err(|_| wrong(words.at - 1, "the altitude is from -100000m to 42849672.95m"))?;
    // Size and precisions: 1 m, 10,000 m and 10 m unless said otherwise.
    let mut sizes = [0x12, 0x16, 0x13];
    for size in &mut sizes {
        if let Some(centimetres) = words.metres()? {
            *size = exponent_form(centimetres)
                .ok_or_else(|| wrong(words.at - 1, "a size is from 0 to 90000000m"))?;
        }
    }
    if words.at < tokens.len() {
        return Err(wrong(words.at, "there is more than the type takes"));
    }
    let mut wire = vec![0, sizes[0], sizes[1], sizes[2]];
    for number in [latitude, longitude, altitude] {
        wire.extend_from_slice(&number.to_be_bytes());
    }
    Ok(wire)
}

fn wrong(at: usize, what: &str) -> ValueError {
    ValueError::at(at, format!("is not a location ({what}): write it as in {EXAMPLE}"))
}

struct Words<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Option<&str> {
        self.at += 1;
        self.tokens.get(self.at - 1).map(Token::text)
    }

    /// Degrees, perhaps minutes, perhaps seconds, and the half of the globe.
    fn angle(&mut self, greatest: i64, halves: [&str; 2]) -> Result<u32, ValueError> {
        let at = self.at;
        let bad = || wrong(at, "an angle is degrees, minutes and seconds, then N or S, E or W");
        let mut total = 0i64;
        for (i, (unit, limit)) in [(3_600_000, greatest), (60_000, 59), (1_000, 59)].into_iter().enumerate() {
            let word = self.next().ok_or_else(bad)?;
            if let Some(half) = halves.iter().position(|half| half.eq_ignore_ascii_case(word)) {
                if i == 0 {
                    return Err(bad());
                }
                return half_of_globe(total, half, greatest).ok_or_else(bad);
            }
            let part = if unit == 1_000 {
                decimal(word, 3)
            } else {
                number::<i64>(word).and_then(|n| n.checked_mul(1_000))
            };
            let part = part.filter(|&part| part >= 0 && part < (limit + 1) * 1_000).ok_or_else(bad)?;
            total += part * (unit / 1_000);
        }
        let word = self.next().ok_or_else(bad)?;
        let half = halves.iter().position(|half| half.eq_ignore_ascii_case(word)).ok_or_else(bad)?;
        half_of_globe(total, half, greatest).ok_or_else(bad)
    }

    /// Metres with an optional `m`, in centimetres; `None` at the end.
    fn metres(&mut self) -> Result<Option<i64>, ValueError> {
        let at = self.at;
        let Some(token) = self.tokens.get(at) else { return Ok(None) };
        self.at += 1;
        let text = token.text().strip_suffix(['m', 'M']).unwrap_or(token.text());
        decimal(text, 2).map(Some).ok_or_else(|| wrong(at, "a length is metres, such as 10m or -2.50m"))
    }
}

fn half_of_globe(total: i64, half: usize, greatest: i64) -> Option<u32> {
    (total <= greatest * 3_600_000).then(|| (if half == 0 { ZERO + total } else { ZERO - total }) as u32)
}

/// A decimal number times 10 to the power of `places`, which is as many digits as may follow the point.
fn decimal(text: &str, places: u32) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 10
        || fraction.len() > places as usize
        || !is_digits(whole)
        || !is_digits(fraction)
    {
        return None;
    }
    let scale = 10i64.pow(places - fraction.len() as u32);
    let fraction: i64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some(sign * (whole.parse::<i64>().ok()? * 10i64.pow(places) + fraction * scale))
}

/// A length as one digit and a power of ten of centimetres.
fn exponent_form(centimetres: i64) -> Option<u8> {
    if centimetres < 0 {
        return None;
    }
    let (mut mantissa, mut exponent) = (centimetres, 0u8);
    while mantissa > 9 {
        mantissa /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((mantissa as u8) << 4 | exponent)
}

/// The presentation form; `None` when the octets are no location of version 0.
pub(crate) fn display(wire: &[u8]) -> Option<String> {
    let octets: &[u8; 16] = wire.try_into().ok()?;
    if octets[0] != 0 || octets[1..4].iter().any(|size| size >> 4 > 9 || size & 15 > 9) {
        return None;
    }
    let number = |at: usize| {
        i64::from(u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]))
    };
    let latitude = angle(number(4) - ZERO, 90, ["N", "S"])?;
    let longitude = angle(number(8) - ZERO, 180, ["E", "W"])?;
    let sizes =
        octets[1..4].iter().map(|size| metres(i64::from(size >> 4) * 10i64.pow(u32::from(size & 15))));
    let sizes: Vec<String> = sizes.collect();
    Some(format!("{latitude} {longitude} {} {}", metres(number(12) - ALTITUDE_BASE), sizes.join(" ")))
}

fn angle(thousandths: i64, greatest: i64, halves: [&str; 2]) -> Option<String> {
    let total = thousandths.abs();
    let half = halves[usize::from(thousandths < 0)];
    let (degrees, minutes) = (total / 3_600_000, total / 60_000 % 60);
    let (seconds, fraction) = (total / 1_000 % 60, total % 1_000);
    (total <= greatest * 3_600_000).then(|| format!("{degrees} {minutes} {seconds}.{fraction:03} {half}"))
}

fn metres(centimetres: i64) -> String {
    let sign = if centimetres < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}m", centimetres.abs() / 100, centimetres.abs() % 100)
}
