//! Durations as people write them: `30s`, `1h`, `1d12h`.

use std::time::Duration;

/// Why a text is not a duration. Display says what to write instead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DurationError;

impl std::fmt::Display for DurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a duration: write numbers with units, the largest first, such as 30s, 1h or 1d12h")
    }
}

impl std::error::Error for DurationError {}

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Parses numbers with the units d, h, m and s, each at most once and the largest first. Takes what the
/// schema of `spec.removalDelay` takes.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    if text.is_empty() {
        return Err(DurationError);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut seconds = 0u64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError)?;
        let number: u64 = rest[..end].parse().map_err(|_| DurationError)?;
        let unit = rest[end..].chars().next().ok_or(DurationError)?;
        let (_, length) = units.find(|(name, _)| *name == unit).ok_or(DurationError)?;
        seconds =
            number.checked_mul(*length).and_then(|part| seconds.checked_add(part)).ok_or(DurationError)?;
        rest = &rest[end + 1..];
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3_600)));
        assert_eq!(parse_duration("1d12h"), Ok(Duration::from_secs(129_600)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "1", "h", "1s1h", "1h1h", "-1h", "1 h", "1w", "99999999999999999999s", "1µ"] {
            assert_eq!(parse_duration(text), Err(DurationError), "{text}");
        }
    }
}
