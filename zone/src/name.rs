//! Names: what people write, made absolute, and put in canonical order.
//!
//! A name is [`domain::base::Name`] over shared octets: uncompressed wire form, at most 255 octets,
//! compared without regard to case (RFC 4343) and ordered canonically (RFC 4034 §6.1). This room adds
//! how text becomes a name, with errors that say what to write instead, and the [`SortKey`].

use bytes::Bytes;
use std::cmp::Ordering;

/// An absolute domain name in uncompressed wire form, the root label included.
pub type Name = domain::base::Name<Bytes>;

/// Why a text is not a name. Display says what is wrong and what to write instead.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// Two dots in a row, or a dot at the beginning.
    #[error("has an empty label: write one dot between labels and none at the beginning")]
    EmptyLabel,
    /// A label of more than 63 octets (RFC 1035 §2.3.4).
    #[error("has a label of {0} octets: a label may have at most 63")]
    LongLabel(usize),
    /// More than 255 octets in wire form (RFC 1035 §2.3.4).
    #[error("is too long: a name may have at most 255 octets in wire form")]
    LongName,
    /// A backslash that is not followed by three digits up to 255, or by one character.
    #[error("has a bad escape: write \\DDD with a decimal number up to 255, or \\X with one character")]
    BadEscape,
    /// A character outside printable ASCII, written as it is.
    #[error(
        "has the character {0:?}: write internationalised names in their xn-- form, other octets as \\DDD"
    )]
    NotAscii(char),
    /// No text at all.
    #[error("is empty: write \"@\" for the apex of the zone")]
    Empty,
}

/// Parses `text` as a name. With a last dot it is absolute; without one, `origin` is appended.
/// `@` alone is the origin (RFC 1035 §5.1). Escapes are `\DDD` and `\X`.
pub fn parse(text: &str, origin: &Name) -> Result<Name, NameError> {
    if text == "@" {
        return Ok(origin.clone());
    }
    let (mut wire, absolute) = parse_labels(text)?;
    if absolute {
        wire.push(0);
    } else {
        wire.extend_from_slice(origin.as_slice());
    }
    from_wire(wire)
}

/// Parses `text` as an absolute name whether or not it ends in a dot.
pub fn parse_absolute(text: &str) -> Result<Name, NameError> {
    parse(text, &root())
}

/// Whether `text` ends in a dot that is not escaped.
pub fn is_absolute(text: &str) -> bool {
    let Some(before) = text.strip_suffix('.') else { return false };
    let backslashes = before.bytes().rev().take_while(|&octet| octet == b'\\').count();
    backslashes % 2 == 0
}

/// The root.
pub fn root() -> Name {
    Name::root_bytes()
}

/// What a relative name in the zone at `apex` was perhaps meant to be: with a last dot it would be in the zone as well, such as
/// `www.example.com` in example.com, which means www.example.com.example.com.
pub fn with_forgotten_dot(text: &str, apex: &Name) -> Option<Name> {
    if is_absolute(text) || apex.is_root() {
        return None;
    }
    parse_absolute(text).ok().filter(|meant| meant.ends_with(apex))
}

/// The name as people write it, with the last dot. What has a meaning in a master file is escaped, octets
/// outside printable ASCII and spaces are `\DDD`.
pub fn display(name: &Name) -> String {
    if name.is_root() { ".".to_owned() } else { display_labels(name, name.label_count() - 1) + "." }
}

/// `name` relative to `apex` as people write it: `@` for the apex, absolute when it is not below it.
pub fn display_relative(name: &Name, apex: &Name) -> String {
    if name == apex {
        return "@".to_owned();
    }
    if !name.ends_with(apex) || apex.is_root() {
        return display(name);
    }
    display_labels(name, name.label_count() - apex.label_count())
}

/// The first `count` labels with dots between.
fn display_labels(name: &Name, count: usize) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    for (i, label) in name.iter().take(count).enumerate() {
        if i > 0 {
            text.push('.');
        }
        for &octet in label.as_slice() {
            match octet {
                b'"' | b'(' | b')' | b'.' | b';' | b'@' | b'$' | b'\\' => {
                    text.push('\\');
                    text.push(char::from(octet));
                }
                b'!'..=b'~' => text.push(char::from(octet)),
                _ => text.push_str(&format!("\\{octet:03}")),
            }
        }
    }
    text
}

/// Reads the name at `at` of a message, its pointers followed and its case kept, and the offset after it. `None` when
/// it is not one: pointers lead back only (RFC 1035 §4.1.4), to before the labels that end in them, so that there is
/// an end.
pub fn from_message(message: &[u8], at: usize) -> Option<(Name, usize)> {
    let mut wire = Vec::with_capacity(64);
    let after = read_from_message(message, at, &mut wire)?;
    Some((from_wire(wire).ok()?, after))
}

/// Appends the name at `at` of `message`, pointers followed, to `out`. The offset after it. Each pointer leads further
/// back than the one before, so none is followed without end.
pub(crate) fn read_from_message(message: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let (begin, mut after, mut lowest) = (out.len(), None, at);
    loop {
        match *message.get(at)? {
            0 => {
                out.push(0);
                let is_name = out.len() - begin <= GREATEST;
                return is_name.then_some(after.unwrap_or(at + 1));
            }
            length @ 1..=63 => {
                let next = at + 1 + usize::from(length);
                out.extend_from_slice(message.get(at..next)?);
                if out.len() - begin > GREATEST {
                    return None;
                }
                at = next;
            }
            high @ 0xc0.. => {
                let target = usize::from(high & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                after.get_or_insert(at + 2);
                if target >= lowest {
                    return None;
                }
                (at, lowest) = (target, target);
            }
            _ => return None,
        }
    }
}

/// Octets of the longest name (RFC 1035 §2.3.4).
const GREATEST: usize = 255;

fn from_wire(wire: Vec<u8>) -> Result<Name, NameError> {
    Name::from_octets(Bytes::from(wire)).map_err(|_| NameError::LongName)
}

/// The labels of `text` in wire form, without the root label, and whether it ended in a dot.
fn parse_labels(text: &str) -> Result<(Vec<u8>, bool), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text == "." {
        return Ok((Vec::new(), true));
    }
    let mut wire = Vec::with_capacity(text.len() + 2);
    let mut label = Vec::with_capacity(64);
    let mut chars = text.chars();
    let mut absolute = false;
    while let Some(c) = chars.next() {
        absolute = false;
        match c {
            '.' => {
                push_label(&mut wire, &mut label)?;
                absolute = true;
            }
            '\\' => label.push(parse_escape(&mut chars)?),
            ' '..='~' => label.push(c as u8),
            other => return Err(NameError::NotAscii(other)),
        }
    }
    if !absolute {
        push_label(&mut wire, &mut label)?;
    }
    Ok((wire, absolute))
}

fn push_label(wire: &mut Vec<u8>, label: &mut Vec<u8>) -> Result<(), NameError> {
    match label.len() {
        0 => Err(NameError::EmptyLabel),
        length @ 1..=63 => {
            wire.push(length as u8);
            wire.append(label);
            Ok(())
        }
        length => Err(NameError::LongLabel(length)),
    }
}

/// What follows a backslash: three decimal digits, or one character that is not a digit.
fn parse_escape(chars: &mut std::str::Chars<'_>) -> Result<u8, NameError> {
    let first = chars.next().ok_or(NameError::BadEscape)?;
    let Some(hundreds) = first.to_digit(10) else {
        return u8::try_from(first)
            .ok()
            .filter(|octet| (0x20..0x7f).contains(octet))
            .ok_or(NameError::BadEscape);
    };
    let mut digit = || chars.next().and_then(|c| c.to_digit(10)).ok_or(NameError::BadEscape);
    let value = hundreds * 100 + digit()? * 10 + digit()?;
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

/// A name as octets whose order as memory is the canonical order of names (RFC 4034 §6.1).
///
/// Labels from the right, lowercased, without the root; each ends in 0x00. So that nothing inside a
/// label sorts before its end, 0x00 is written 0x01 0x01 and 0x01 is written 0x01 0x02. The key of an
/// ancestor is a prefix of the key of its descendants, so a subtree is one run of keys.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SortKey(Box<[u8]>);

impl SortKey {
    /// The key of `name`, all its labels counted from the root.
    pub fn of(name: &Name) -> Self {
        Self::of_relative(name.as_slice())
    }

    /// The key of the labels in `wire` (wire form, with or without a root label at the end), such as a
    /// name relative to the apex of its zone.
    pub fn of_relative(wire: &[u8]) -> Self {
        SortKey(KeyBuffer::new().write(wire).into())
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// How the key of the labels in `wire`, as [`KeyBuffer::write`] would write it, compares with `key`; quicker, for most
/// names differ early.
pub(crate) fn compare_to_key(wire: &[u8], mut key: &[u8]) -> Ordering {
    let mut compare = |octet: u8| match key.split_first() {
        None => Ordering::Greater,
        Some((first, rest)) => {
            key = rest;
            octet.cmp(first)
        }
    };
    let mut starts = [0u8; 128];
    let count = label_starts(wire, &mut starts);
    for &start in starts[..count].iter().rev() {
        let (length, rest) = (usize::from(wire[usize::from(start)]), &wire[usize::from(start) + 1..]);
        for &octet in &rest[..length] {
            let compared = match octet.to_ascii_lowercase() {
                escaped @ (0 | 1) => compare(1).then_with(|| compare(escaped + 1)),
                other => compare(other),
            };
            if compared.is_ne() {
                return compared;
            }
        }
        let compared = compare(0);
        if compared.is_ne() {
            return compared;
        }
    }
    if key.is_empty() { Ordering::Equal } else { Ordering::Less }
}

/// Where each label of `wire` starts, from the left, and how many there are. A root label is none.
pub(crate) fn label_starts(wire: &[u8], starts: &mut [u8; 128]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < wire.len() && wire[at] != 0 {
        starts[count] = at as u8;
        count += 1;
        at += 1 + usize::from(wire[at]);
    }
    count
}

/// Room for one [`SortKey`] on the stack, for those who may not allocate.
pub struct KeyBuffer([u8; KeyBuffer::OCTETS]);

impl KeyBuffer {
    /// Every octet of a name of 255 may need two.
    const OCTETS: usize = 512;

    /// An empty buffer.
    pub fn new() -> Self {
        KeyBuffer([0; Self::OCTETS])
    }

    /// Writes the key of the labels in `wire`, which must be well formed: at most 255 octets in wire form,
    /// with or without a root label at the end.
    pub fn write(&mut self, wire: &[u8]) -> &[u8] {
        let mut starts = [0u8; 128];
        let count = label_starts(wire, &mut starts);
        let mut end = 0;
        let mut push = |octet: u8| {
            self.0[end] = octet;
            end += 1;
        };
        for &start in starts[..count].iter().rev() {
            let start = usize::from(start);
            for &octet in &wire[start + 1..start + 1 + usize::from(wire[start])] {
                match octet.to_ascii_lowercase() {
                    escaped @ (0 | 1) => {
                        push(1);
                        push(escaped + 1);
                    }
                    other => push(other),
                }
            }
            push(0);
        }
        &self.0[..end]
    }
}

impl Default for KeyBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::borrow::Borrow<[u8]> for SortKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        parse_absolute(text).expect("a name")
    }

    /// RFC 4034 §6.1, its example of canonical order.
    #[test]
    fn rfc4034_6_1_canonical_order() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        for pair in sorted.windows(2) {
            assert!(SortKey::of(&name(pair[0])) < SortKey::of(&name(pair[1])), "{} < {}", pair[0], pair[1]);
            assert!(name(pair[0]) < name(pair[1]));
        }
    }

    #[test]
    fn spellings_of_one_name_are_one_name() {
        let zone = name("example.com.");
        let expected = name("www.example.com.");
        for text in ["www", "WWW", "www.example.com.", "\\119ww", "w\\ww"] {
            assert_eq!(parse(text, &zone), Ok(expected.clone()), "{text}");
        }
        assert_eq!(parse("@", &zone), Ok(zone.clone()));
        assert_eq!(display_relative(&expected, &zone), "www");
        assert_eq!(display_relative(&zone, &zone), "@");
        assert_eq!(display_relative(&name("www.example.org"), &zone), "www.example.org.");
    }

    /// RFC 1035 §4.1.4, its example, and pointers that lead nowhere.
    #[test]
    fn rfc1035_4_1_4_names_in_messages() {
        let message = b"\x01F\x03ISI\x04ARPA\0\x03FOO\xc0\0\xc0\x06\0\xc0\x16\xc0\x18\x40\xc0";
        let read = |at| from_message(message, at).map(|(name, after)| (display(&name), after));
        assert_eq!(read(0), Some(("F.ISI.ARPA.".to_owned(), 12)));
        assert_eq!(read(12), Some(("FOO.F.ISI.ARPA.".to_owned(), 18)));
        assert_eq!(read(18), Some(("ARPA.".to_owned(), 20)));
        assert_eq!(read(20), Some((".".to_owned(), 21)));
        assert_eq!(read(21), None, "ahead");
        assert_eq!(read(23), None, "ahead, to one of an unknown kind");
        assert_eq!(read(25), None, "an unknown kind of label");
        assert_eq!(read(26), None, "after the end");
        assert_eq!(from_message(b"\x01a\xc0\0", 0), None, "to itself");
        let long = [&[&[63][..], &[b'a'; 63]].concat().repeat(4)[..], &[0]].concat();
        assert_eq!(from_message(&long, 0), None, "more than 255 octets");
    }

    #[test]
    fn bad_names_say_what_is_wrong() {
        let parse = parse_absolute;
        assert_eq!(parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(parse(".a"), Err(NameError::EmptyLabel));
        assert_eq!(parse(&"a".repeat(64)), Err(NameError::LongLabel(64)));
        assert_eq!(parse(&"a.".repeat(128)), Err(NameError::LongName));
        assert_eq!(parse("\\256"), Err(NameError::BadEscape));
        assert_eq!(parse("a\\"), Err(NameError::BadEscape));
        assert_eq!(parse("bücher.example"), Err(NameError::NotAscii('ü')));
        assert_eq!(parse(""), Err(NameError::Empty));
    }

    prop_compose! {
        fn any_name()(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) -> Name {
            let mut wire = Vec::new();
            for label in labels {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
            wire.push(0);
            from_wire(wire).expect("short enough")
        }
    }

    /// Relative names of few different octets, in labels shorter than this, so that many begin alike, are equal or need
    /// an escape in a key.
    pub(crate) fn like_others(longer: usize) -> impl Strategy<Value = Vec<u8>> {
        let octet = prop::sample::select(vec![0u8, 1, b'a', b'b', 0xff]);
        prop::collection::vec(prop::collection::vec(octet, 1..longer), 0..4).prop_map(|labels| {
            labels.into_iter().flat_map(|label| [vec![label.len() as u8], label].concat()).collect()
        })
    }

    proptest! {
        #[test]
        fn sort_keys_order_as_names_do(a in any_name(), b in any_name()) {
            prop_assert_eq!(SortKey::of(&a).cmp(&SortKey::of(&b)), a.cmp(&b));
            let prefixed = SortKey::of(&b).as_slice().starts_with(SortKey::of(&a).as_slice());
            prop_assert_eq!(prefixed, b.ends_with(&a));
        }

        #[test]
        fn a_name_compares_to_a_key_as_its_own_key_does(a in like_others(4), b in like_others(4)) {
            for other in [&a, &b] {
                let key = SortKey::of_relative(other);
                let upper = a.to_ascii_uppercase();
                prop_assert_eq!(compare_to_key(&upper, key.as_slice()), SortKey::of_relative(&a).cmp(&key));
            }
        }

        #[test]
        fn text_and_back(a in any_name()) {
            prop_assert_eq!(parse_absolute(&display(&a)).expect("reads its own writing"), a);
        }
    }
}
