//! A file into documents, before anything is parsed: so a document that is malformed hides no other.
//!
//! The reader of `kubectl` ends a document at a line that begins with `---` when nothing or a comment
//! follows. With content on that line it goes on, and its parser then drops in silence what follows: here
//! such a line begins a document, as YAML has it. A file that is one or more JSON objects, one after the
//! other without any `---`, is read as such, as `kubectl` does.

use super::{Place, Problem};
use serde::de::IgnoredAny;

/// The text of one document.
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    /// Where it begins in the file.
    pub(super) place: Place,
    /// Whether it is known to be JSON.
    pub(super) is_json: bool,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What cannot be read as one octet a character at all.
pub(super) fn wrong_encoding(text: &[u8]) -> Option<Problem> {
    let is_utf16 = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    is_utf16.then(|| {
        Problem::new(Place { line: 1, column: 1 }, "the file is in UTF-16 or UTF-32", "save it as UTF-8")
    })
}

/// The documents of a file, the empty ones among them.
pub(super) fn pieces(text: &[u8], max: usize) -> Vec<Result<Piece<'_>, Problem>> {
    let text = without_bom(text);
    let cut = || cut_at_lines(text).map(|(text, line)| checked(text, line, max)).collect();
    json_objects(text, max).unwrap_or_else(cut)
}

fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(BOM).unwrap_or(text)
}

/// The text between the lines that begin a document, and the number of its first line.
fn cut_at_lines(text: &[u8]) -> impl Iterator<Item = (&[u8], u32)> {
    let mut cuts = vec![(0, 0, 1)];
    let mut at = 0;
    for (line, number) in text.split_inclusive(|&octet| octet == b'\n').zip(1..) {
        match begins_document(line) {
            None => {}
            Some(Rest::Nothing) => cuts.push((at, at + line.len(), number + 1)),
            Some(Rest::Content) => cuts.push((at, at, number)),
        }
        at += line.len();
    }
    let ends: Vec<usize> = cuts.iter().skip(1).map(|cut| cut.0).chain([text.len()]).collect();
    cuts.into_iter().zip(ends).map(|((_, start, line), end)| (&text[start..end], line))
}

/// What follows `---` on its line.
enum Rest {
    /// Nothing, or a comment.
    Nothing,
    Content,
}

fn begins_document(line: &[u8]) -> Option<Rest> {
    let rest = line.strip_prefix(b"---")?;
    match rest.trim_ascii().first() {
        None | Some(b'#') => Some(Rest::Nothing),
        Some(_) if rest[0].is_ascii_whitespace() => Some(Rest::Content),
        Some(_) => None,
    }
}

fn checked(text: &[u8], line: u32, max: usize) -> Result<Piece<'_>, Problem> {
    let text = without_bom(text);
    let place = Place { line, column: 1 };
    check_size(text, place, max)?;
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = String::from_utf8_lossy(&text[..error.valid_up_to()]);
        let octet = text[error.valid_up_to()];
        Problem::new(
            after(&before, place),
            format!("the octet 0x{octet:02x} is not UTF-8"),
            "save the file as UTF-8",
        )
    })?;
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        None => Ok(Piece { text, place, is_json: false }),
        Some((at, c)) => Err(not_allowed(c, after(&text[..at], place))),
    }
}

fn check_size(text: &[u8], place: Place, max: usize) -> Result<(), Problem> {
    if text.len() <= max {
        return Ok(());
    }
    Err(too_large(place, text.len(), max))
}

pub(super) fn too_large(place: Place, octets: usize, max: usize) -> Problem {
    Problem::new(
        place,
        format!(
            "the document has {octets} octets, and more than {max} are not read: an API server takes \
             1.5 MiB"
        ),
        "divide it into several objects, with --- between them",
    )
}

/// The place after `before`, which begins at `start`.
fn after(before: &str, start: Place) -> Place {
    match before.rsplit_once('\n') {
        None => Place { line: start.line, column: start.column + count(before.chars()) },
        Some((lines, last)) => {
            Place { line: start.line + 1 + count(lines.matches('\n')), column: 1 + count(last.chars()) }
        }
    }
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// What may stand in a YAML text as it is (YAML 1.1 §5.1), without the line ends that YAML 1.1 has and
/// YAML 1.2 has not: readers do not agree on them.
pub(super) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

fn not_allowed(c: char, place: Place) -> Problem {
    Problem::new(
        place,
        format!("the character U+{:04X} may not stand in YAML as it is", u32::from(c)),
        match c {
            '\0' => "write it as \"\\0\" inside double quotes; if there is one at every second place, the file is in \
                     UTF-16: save it as UTF-8"
                .to_owned(),
            c => format!("leave it out, or write it as \"\\u{:04X}\" inside double quotes", u32::from(c)),
        },
    )
}

/// The objects of a file that is nothing but JSON objects.
fn json_objects(text: &[u8], max: usize) -> Option<Vec<Result<Piece<'_>, Problem>>> {
    if text.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut pieces = Vec::new();
    let mut place = Place { line: 1, column: 1 };
    let mut start = 0;
    while let Some(object) = objects.next() {
        object.ok()?;
        let piece = &text[start..objects.byte_offset()];
        pieces.push(check_size(piece.as_bytes(), place, max).map(|()| Piece {
            text: piece,
            place,
            is_json: true,
        }));
        place = after(piece, place);
        start = objects.byte_offset();
    }
    Some(pieces)
}
