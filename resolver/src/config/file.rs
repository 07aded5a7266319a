//! A configuration file: a YAML mapping from the names of flags, without their hyphens, to values.
//!
//! ```yaml
//! listen: ["0.0.0.0:5353", "[::]:5353"]
//! rate-limit: 100
//! nsid: ns1
//! ```
//!
//! It stands below flags and environment: what is set there is not taken from the file. Values are text for the
//! same checks that flags have, and what is wrong with the file itself is told with its line.

use saphyr_parser::{Event, Parser};
use std::fs;
use std::path::Path;

/// A setting in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    /// One value, or those of a list.
    pub(super) values: Vec<String>,
}

/// The settings in the file at `path`, and what is wrong with it.
pub(super) fn read(path: &Path) -> (Vec<Entry>, Vec<String>) {
    match fs::read_to_string(path) {
        Err(error) => (Vec::new(), vec![format!("{} cannot be read: {error}", path.display())]),
        Ok(text) => {
            let (entries, wrong) = parse(&text);
            let name = path.display();
            (entries, wrong.into_iter().map(|(line, what)| format!("{name}:{line}: {what}")).collect())
        }
    }
}

/// Where in the document an event is.
enum Place {
    Before,
    /// A key is next.
    Mapping,
    /// The value of this key is next.
    Value {
        key: String,
        line: usize,
    },
    /// More values of the last entry.
    List,
    After,
}

fn parse(text: &str) -> (Vec<Entry>, Vec<(usize, String)>) {
    let (mut entries, mut wrong): (Vec<Entry>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
    let mut place = Place::Before;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                wrong.push((error.marker().line(), format!("is not YAML: {}", error.info())));
                break;
            }
        };
        let line = span.start.line();
        place = match (place, event) {
            (place, Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd) => {
                place
            }
            (place, Event::Nothing) => place,
            (Place::Before, Event::MappingStart(..)) => Place::Mapping,
            // An empty document.
            (Place::Before, Event::Scalar(text, ..)) if matches!(&*text, "" | "~") => Place::After,
            (Place::Mapping, Event::Scalar(key, ..)) => {
                if let Some(earlier) = entries.iter().find(|entry| entry.key == *key) {
                    wrong.push((line, format!("{key} is set in line {} already: set it once", earlier.line)));
                }
                Place::Value { key: key.into_owned(), line }
            }
            (Place::Mapping, Event::MappingEnd) => Place::After,
            (Place::Value { key, line }, Event::Scalar(value, ..)) => {
                entries.push(Entry { key, line, values: vec![value.into_owned()] });
                Place::Mapping
            }
            (Place::Value { key, line }, Event::SequenceStart(..)) => {
                entries.push(Entry { key, line, values: Vec::new() });
                Place::List
            }
            (Place::List, Event::Scalar(value, ..)) => {
                entries.iter_mut().last().into_iter().for_each(|entry| entry.values.push(value.to_string()));
                Place::List
            }
            (Place::List, Event::SequenceEnd) => Place::Mapping,
            _ => {
                let what = "is neither `name: value` nor `name: [value, value]`: write the flag's name without \
                            its hyphens, and its value";
                wrong.push((line, what.to_owned()));
                break;
            }
        };
    }
    (entries, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_names_and_values() {
        let text =
            "# ours\nnsid: ns1\nlisten: [\"127.0.0.1:53\", '[::1]:53']\n\nrate-limit: 20 # low\nlog:\n- a\n";
        let entry = |key: &str, line, values: &[&str]| Entry {
            key: key.to_owned(),
            line,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let expected = [
            entry("nsid", 2, &["ns1"]),
            entry("listen", 3, &["127.0.0.1:53", "[::1]:53"]),
            entry("rate-limit", 5, &["20"]),
            entry("log", 6, &["a"]),
        ];
        assert_eq!(parse(text), (expected.to_vec(), vec![]));
        for text in ["", "# nothing\n", "---\n", "{}\n"] {
            assert_eq!(parse(text), (vec![], vec![]), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_such_file_is_told_with_its_line() {
        for (text, line) in [
            ("- nsid\n", 1),
            ("nsid\n", 1),
            ("nsid: a\nlisten: {a: b}\n", 2),
            ("nsid: [[a]]\n", 1),
            ("nsid: a\nnsid: b\n", 2),
            ("a: &x b\nc: *x\n", 2),
            ("nsid: \"a\n", 1),
        ] {
            let (_, wrong) = parse(text);
            assert_eq!(wrong.len(), 1, "{text:?}: {wrong:?}");
            assert!(wrong[0].0 >= line, "{text:?}: {wrong:?}");
        }
    }
}
