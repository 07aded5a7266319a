//! Labels in presentation form, and names as their labels from the left, relative to an apex.

use super::Chance;

/// Labels of a name, the leftmost first. Empty: the apex.
pub(super) type Labels = Vec<String>;

/// Few, so that names meet.
const FEW: [&str; 4] = ["a", "b", "*", "*"];
/// Each means something to someone: escapes, octets, asterisks that are none, the ends of the order. (NSD 4.6 does
/// not read a backslash that is written as two, Knot no brace.)
const ODD: [&str; 24] = [
    "a",
    "b",
    "*",
    "*x",
    "x*",
    "**",
    "\\*",
    "_tcp",
    "_443",
    "0",
    "-",
    "xn--a",
    "\\000",
    "\\001",
    "\\255",
    "\\195\\169",
    "a\\.b",
    "a\\032b",
    "\\092",
    "\\@",
    "z",
    "\\123",
    "a\\000",
    "ns",
];
/// Octets of the longest label and the longest name (RFC 1035 §2.3.4).
const LONGEST_LABEL: usize = 63;
pub(super) const LONGEST_NAME: usize = 255;

/// How the names of a zone are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    Few,
    Odd,
    /// Many labels.
    Deep,
    /// Labels and names as long as can be.
    Long,
}

impl Style {
    pub(super) fn by(chance: &mut Chance) -> Self {
        match chance.below(12) {
            0..=5 => Style::Few,
            6..=9 => Style::Odd,
            10 => Style::Deep,
            _ => Style::Long,
        }
    }

    /// A name below an apex of `apex` octets; never the apex itself.
    pub(super) fn name(self, apex: usize, chance: &mut Chance) -> Labels {
        let mut labels = Labels::new();
        let count = match self {
            Style::Few => 1 + chance.below(3),
            Style::Odd => 1 + chance.below(3),
            Style::Deep => 1 + chance.below(110),
            Style::Long => 1 + chance.below(4),
        };
        let mut room = LONGEST_NAME - apex;
        for i in 0..count {
            let label = match self {
                Style::Few => (*chance.one_of(&FEW)).to_owned(),
                Style::Odd => (*chance.one_of(&ODD)).to_owned(),
                // The same chain of names each time, so that some are above others.
                Style::Deep if i + 2 < count => "a".to_owned(),
                Style::Deep => (*chance.one_of(&FEW)).to_owned(),
                Style::Long => {
                    let longest = (room.saturating_sub(1)).min(LONGEST_LABEL);
                    match chance.below(6) {
                        0 => "*".to_owned(),
                        1 => "a".to_owned(),
                        2 => "b".repeat(longest.saturating_sub(1).max(1)),
                        _ => "a".repeat(longest.max(1)),
                    }
                }
            };
            if octets(&label) + 1 > room {
                break;
            }
            room -= octets(&label) + 1;
            labels.insert(0, label);
        }
        if labels.is_empty() {
            labels.push("a".to_owned());
        }
        labels
    }
}

/// Octets of a label.
pub(super) fn octets(label: &str) -> usize {
    let mut count = 0;
    let mut rest = label.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'\\' && rest.next().is_some_and(|next| next.is_ascii_digit()) {
            rest.nth(1);
        }
        count += 1;
    }
    count
}

/// Octets of the wire form of a name in presentation form, absolute.
pub(super) fn name_octets(name: &str) -> usize {
    1 + split(name).iter().map(|label| octets(label) + 1).sum::<usize>()
}

/// The labels of an absolute name in presentation form.
pub(super) fn split(name: &str) -> Labels {
    let mut labels = Labels::new();
    let mut label = String::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                label.push(c);
                label.extend(chars.next());
            }
            '.' => labels.push(std::mem::take(&mut label)),
            c => label.push(c),
        }
    }
    labels.retain(|label| !label.is_empty());
    labels
}

/// An owner as an absolute name.
pub(super) fn absolute(owner: &[String], apex: &str) -> String {
    let labels: String = owner.iter().map(|label| format!("{label}.")).collect();
    match apex {
        "." if !owner.is_empty() => labels,
        apex => labels + apex,
    }
}

/// Whether `name` is `above` or below it.
pub(super) fn is_at_or_below(name: &[String], above: &[String]) -> bool {
    name.ends_with(above)
}
