//! Names that YAML 1.1 takes for something else: a host `no`, or `1.10` in a reverse zone.
//!
//! octoDNS reads a name without quotes as PyYAML resolves it, and serves the text of what comes of it: `no` is
//! served as `false`, `010` as `8`. Whoever wrote it meant another, so what is to be taken over is not known.

use std::sync::LazyLock;

use regex::Regex;

/// What PyYAML resolves to a truth value. `y` and `n` it does not.
const TRUTHS: [&str; 6] = ["yes", "no", "true", "false", "on", "off"];

/// Numbers that are written otherwise when they are written again.
#[expect(clippy::expect_used, reason = "the patterns are right: a test uses them")]
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^[-+]?(
            0[0-7_]+ | 0x[0-9a-fA-F_]+ | 0b[01_]+   # another base
          | [0-9]+_[0-9_]*                          # underscores go
          | [0-9][0-9_]*\.[0-9_]*0 | [0-9][0-9_]*\. # zeros at the end
          | 0[0-9_]+\.[0-9_]+ | [0-9_]*_[0-9_]*\.[0-9_]+
        )$|^\+[0-9]+(\.[0-9]+)?$",
    )
    .expect("a pattern")
});

/// Whether octoDNS serves another name than the text of this key, which has no quotes.
pub(super) fn is_read_otherwise(key: &str) -> bool {
    let is_one_case = [key.to_lowercase(), key.to_uppercase(), capital(key)].iter().any(|case| case == key);
    is_one_case && TRUTHS.iter().any(|truth| key.eq_ignore_ascii_case(truth))
        || NUMBERS.is_match(key) && !key.ends_with(".0")
}

fn capital(key: &str) -> String {
    let mut text = key.to_lowercase();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PyYAML 6.0 has them.
    #[test]
    fn names_that_octodns_reads_as_something_else() {
        for key in [
            "no", "NO", "No", "yes", "on", "off", "true", "010", "0x1f", "1_0", "1.10", "10.20", "1.", "+1",
            "01.5",
        ] {
            assert!(is_read_otherwise(key), "{key}");
        }
        for key in ["nO", "y", "n", "10", "0", "1.2", "1.0", "08", "10.2.3", "www", "*", "2a", "0a", "10.0.0"]
        {
            assert!(!is_read_otherwise(key), "{key}");
        }
    }
}
