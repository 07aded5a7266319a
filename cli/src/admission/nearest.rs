//! What a misspelt word was meant to be.

/// The candidate that is nearest to `word`, if one is near: the same but for case, the beginning of it (`zone`
/// for `zoneRef`), or a third of its letters away at most.
pub(super) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            if word.len() >= 3 && (lower.starts_with(&word) || word.starts_with(&lower)) {
                return Some((1, candidate));
            }
            let allowed = 1.max(lower.len() / 3);
            let is_near = lower.len().abs_diff(word.len()) <= allowed;
            let distance = is_near.then(|| distance(&word, &lower))?;
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between the two.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substitution.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_understood() {
        let fields = ["name", "ttl", "type", "values", "zoneRef", "defaultTTL"];
        for (word, meant) in [
            ("value", Some("values")),
            ("vlaues", Some("values")),
            ("TTL", Some("ttl")),
            ("zone", Some("zoneRef")),
            ("zoneref", Some("zoneRef")),
            ("nmae", Some("name")),
            ("defaultTtl", Some("defaultTTL")),
            ("typ", Some("type")),
            ("recordData", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, fields.into_iter()), meant, "{word}");
        }
    }
}
