//! Pairs of surrogates in JSON, `"\ud83d\ude00"`, which YAML does not have.
//!
//! They become the `\U0001f600` of YAML. That is two characters less, so what stands after it on the line
//! has moved: [`Shifts`] knows by how much.

use super::Place;
use std::borrow::Cow;

/// Where characters were taken out: line and column after it, in the new text.
#[derive(Default)]
pub(super) struct Shifts(Vec<Place>);

impl Shifts {
    /// The place that a place in the new text has in the old one.
    pub(super) fn undo(&self, place: Place) -> Place {
        let until = self.0.partition_point(|shift| *shift <= place);
        let from = self.0.partition_point(|shift| shift.line < place.line);
        Place { column: place.column + 2 * (until - from) as u32, ..place }
    }
}

/// The JSON `text` with its pairs of surrogates written as YAML has them.
pub(super) fn without_pairs(text: &str) -> (Cow<'_, str>, Shifts) {
    let mut new = String::new();
    let mut shifts = Shifts::default();
    let mut place = Place { line: 1, column: 1 };
    let mut copied = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        place.column += 1;
        match c {
            '\n' => place = Place { line: place.line + 1, column: 1 },
            '\\' => match pair(&text[at..]) {
                Some(c) => {
                    new.push_str(&text[copied..at]);
                    new.push_str(&format!("\\U{:08x}", u32::from(c)));
                    copied = at + PAIR;
                    chars.nth(PAIR - 2);
                    place.column += PAIR as u32 - 3;
                    shifts.0.push(place);
                }
                None => {
                    chars.next();
                    place.column += 1;
                }
            },
            _ => {}
        }
    }
    if copied == 0 {
        return (text.into(), shifts);
    }
    new.push_str(&text[copied..]);
    (new.into(), shifts)
}

/// Characters of `\ud83d\ude00`.
const PAIR: usize = 12;

fn pair(text: &str) -> Option<char> {
    let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let high = unit(text.strip_prefix("\\u")?)?;
    let low = unit(text.get(6..)?.strip_prefix("\\u")?)?;
    char::decode_utf16([high, low]).next()?.ok().filter(|&c| c > '\u{ffff}')
}
