//! Octets without regard to the case of ASCII letters (RFC 4343), eight at once.

/// Calls `take` with what it returned before, `first` at first, and each eight octets of a label or name in lower
/// case. Those of one length are the same where and only where these words are.
#[inline]
pub(crate) fn fold(octets: &[u8], first: u64, take: impl Fn(u64, u64) -> u64) -> u64 {
    let (words, rest) = octets.as_chunks::<8>();
    let folded = words.iter().fold(first, |folded, word| take(folded, lowercase(u64::from_le_bytes(*word))));
    if rest.is_empty() { folded } else { take(folded, lowercase(word_of(rest))) }
}

/// Whether two runs of octets are the same but for case, as [`slice::eq_ignore_ascii_case`] says; quicker on names,
/// which are short.
#[inline]
pub(crate) fn eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let is_same = |a: u64, b: u64| a == b || lowercase(a) == lowercase(b);
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.iter().zip(b).all(|(a, b)| is_same(u64::from_le_bytes(*a), u64::from_le_bytes(*b)))
        && (rest_a.is_empty() || is_same(word_of(rest_a), word_of(rest_b)))
}

/// One to seven octets as a word. What is before the last of them may stand in it twice.
#[inline]
fn word_of(octets: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (octets.first_chunk::<4>(), octets.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    match octets {
        [first, .., last] => {
            u64::from(*first) | u64::from(octets[octets.len() / 2]) << 8 | u64::from(*last) << 16
        }
        [only] => u64::from(*only),
        [] => 0,
    }
}

/// All eight octets as [`u8::to_ascii_lowercase`] makes them.
#[inline]
fn lowercase(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * EACH;
    let low = word & !HIGHEST;
    // The upper bit of an octet says: at least A, above Z.
    let from_a = low + (0x80 - u64::from(b'A')) * EACH;
    let above_z = low + (0x7f - u64::from(b'Z')) * EACH;
    let is_upper = from_a & !above_z & !word & HIGHEST;
    word | is_upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_lower_case_and_tell_octets_apart() {
        for octet in 0..=255u8 {
            let word = u64::from_le_bytes([octet; 8]);
            assert_eq!(lowercase(word).to_le_bytes(), [octet.to_ascii_lowercase(); 8]);
            assert_eq!(lowercase(word & 0xff), u64::from(octet.to_ascii_lowercase()), "alone");
        }
        for len in 1..=63 {
            let octets: Vec<u8> = (0..len).map(|i| b'a' + i % 26).collect();
            let of = |octets: &[u8]| {
                fold(octets, 1, |folded, word| {
                    folded.rotate_left(7) ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                })
            };
            assert_eq!(of(&octets), of(&octets.to_ascii_uppercase()), "{len} octets");
            for changed in 0..usize::from(len) {
                let mut other = octets.clone();
                other[changed] ^= 1;
                assert_ne!(of(&octets), of(&other), "octet {changed} of {len}");
                assert!(!eq(&octets, &other) && eq(&octets, &octets.to_ascii_uppercase()));
            }
        }
    }
}
