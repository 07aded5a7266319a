//! The first step: the events of the parser become nodes in a row.
//!
//! Aliases stay what they are. The bounds on depth and number hold while reading, so nothing larger is
//! ever built; the parser is asked for one event after the other and itself refuses brackets inside one
//! another beyond 255.

use super::scalar::Tag;
use super::surrogates::Shifts;
use super::{MAX_DEPTH, Place, Problem};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use std::borrow::Cow;
use std::collections::HashMap;

/// Where a document stands in its file.
pub(super) struct Whereabouts {
    pub(super) start: Place,
    /// Its last line; what is wrong with its end is said of that.
    pub(super) last_line: u32,
    pub(super) shifts: Shifts,
}

impl Whereabouts {
    fn of(&self, mark: &Marker) -> Place {
        let place =
            self.shifts.undo(Place { line: mark.line().max(1) as u32, column: mark.col() as u32 + 1 });
        let column = if place.line == 1 { self.start.column + place.column - 1 } else { place.column };
        Place { line: (self.start.line + place.line - 1).min(self.last_line), column }
    }
}

/// A node as the parser saw it.
pub(super) struct Node<'t> {
    pub(super) place: Place,
    pub(super) kind: Kind<'t>,
}

pub(super) enum Kind<'t> {
    Scalar {
        text: Cow<'t, str>,
        /// Whether its type is to be guessed.
        is_plain: bool,
        is_block: bool,
        /// Whether there is no text at all, so that its place is somewhere behind its key.
        is_missing: bool,
        tag: Option<Tag>,
    },
    Sequence(Vec<usize>),
    /// Keys and values in turn.
    Mapping(Vec<usize>),
    /// The node that the anchor stands for.
    Alias(usize),
}

/// The nodes of a document; the first is the root.
pub(super) struct Nodes<'t>(pub(super) Vec<Node<'t>>);

impl<'t> Nodes<'t> {
    /// Reads a text, which may have one document.
    pub(super) fn read(text: &'t str, whereabouts: &Whereabouts, max: usize) -> Result<Self, Problem> {
        let mut reader = Reader::new(whereabouts, max);
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| not_yaml(&error, whereabouts))?;
            reader.take(event, span)?;
        }
        Ok(Nodes(reader.nodes))
    }
}

/// Takes the events.
struct Reader<'t, 'w> {
    whereabouts: &'w Whereabouts,
    /// The most nodes.
    max: usize,
    nodes: Vec<Node<'t>>,
    /// The collections that are not read to their ends, from the outside in.
    open: Vec<usize>,
    /// The nodes of the anchors, by the parser's number.
    anchors: HashMap<usize, usize>,
    has_begun: bool,
}

impl<'t, 'w> Reader<'t, 'w> {
    fn new(whereabouts: &'w Whereabouts, max: usize) -> Self {
        let (nodes, open, anchors) = (Vec::new(), Vec::new(), HashMap::new());
        Reader { whereabouts, max, nodes, open, anchors, has_begun: false }
    }

    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), Problem> {
        let place = self.whereabouts.of(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                let is_missing = is_plain && is_missing(&text, span);
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let tag = known(tag, place)?;
                self.add(place, Kind::Scalar { text, is_plain, is_block, is_missing, tag }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                expect(known(tag, place)?, Tag::Seq, place)?;
                self.open(place, Kind::Sequence(Vec::new()), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                expect(known(tag, place)?, Tag::Map, place)?;
                self.open(place, Kind::Mapping(Vec::new()), anchor)
            }
            Event::Alias(anchor) => {
                let target = whole(&self.anchors, &self.open, anchor, place)?;
                self.add(place, Kind::Alias(target), NO_ANCHOR)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                Ok(())
            }
            Event::DocumentStart(_) if self.has_begun => Err(second_document(place)),
            Event::DocumentStart(_) => {
                self.has_begun = true;
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, place: Place, kind: Kind<'t>, anchor: usize) -> Result<(), Problem> {
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(place));
        }
        self.add(place, kind, anchor)?;
        self.open.push(self.nodes.len() - 1);
        Ok(())
    }

    fn add(&mut self, place: Place, kind: Kind<'t>, anchor: usize) -> Result<(), Problem> {
        let index = self.nodes.len();
        if index == self.max {
            return Err(too_many_nodes(place, self.max));
        }
        if let Some(parent) = self.open.last()
            && let Kind::Sequence(inside) | Kind::Mapping(inside) = &mut self.nodes[*parent].kind
        {
            inside.push(index);
        }
        if anchor != NO_ANCHOR {
            self.anchors.insert(anchor, index);
        }
        self.nodes.push(Node { place, kind });
        Ok(())
    }
}

/// What the parser has for the number of an anchor when there is none.
const NO_ANCHOR: usize = 0;

/// The parser gives `~` for what is not there, at a place of no extent.
fn is_missing(text: &str, span: Span) -> bool {
    text.is_empty() || text == "~" && span.is_empty()
}

fn known(tag: Option<Cow<'_, saphyr_parser::Tag>>, place: Place) -> Result<Option<Tag>, Problem> {
    let Some(tag) = tag else { return Ok(None) };
    let full = format!("{}{}", tag.handle, tag.suffix);
    match Tag::of(&full) {
        Some(known) => Ok(Some(known)),
        None => Err(Problem::new(
            place,
            format!("the tag {full:?} means nothing here"),
            "leave the tag out; of the tags, !!str, !!int, !!float, !!bool, !!null and !!binary are known",
        )),
    }
}

/// A collection has no tag but its own.
fn expect(tag: Option<Tag>, own: Tag, place: Place) -> Result<(), Problem> {
    match tag {
        None => Ok(()),
        Some(tag) if tag == own => Ok(()),
        Some(_) => Err(Problem::new(
            place,
            "the tag is one of another kind of value than the list or mapping it stands before",
            "leave the tag out",
        )),
    }
}

/// The node of an anchor, if all of it has been read.
fn whole(
    anchors: &HashMap<usize, usize>,
    open: &[usize],
    anchor: usize,
    place: Place,
) -> Result<usize, Problem> {
    match anchors.get(&anchor) {
        Some(index) if !open.contains(index) => Ok(*index),
        _ => Err(Problem::new(
            place,
            "the alias stands inside the value of its own anchor, which has no end",
            "write the value out in the place of the alias",
        )),
    }
}

pub(super) fn too_deep(place: Place) -> Problem {
    Problem::new(
        place,
        format!("there are more than {MAX_DEPTH} lists and mappings inside one another"),
        "no resource of Port53 is that deep: look for brackets that are not closed",
    )
}

pub(super) fn too_many_nodes(place: Place, max: usize) -> Problem {
    Problem::new(
        place,
        format!("the document has more than {max} values"),
        "divide it into several objects, with --- between them",
    )
}

fn second_document(place: Place) -> Problem {
    Problem::new(
        place,
        "kubectl reads nothing of what follows the end of the document before this line",
        "write --- alone on the line between two documents",
    )
}

/// What the parser said, and what is most often the cause.
fn not_yaml(error: &ScanError, whereabouts: &Whereabouts) -> Problem {
    let fix = match error.info() {
        info if info.contains("tab") => "indent with spaces, not with tabs",
        info if info.contains("anchor") => "write the anchor, such as &name, before its alias *name",
        info if info.contains("escape") => {
            "inside double quotes write a backslash as \\\\, or use single quotes, in which it is an ordinary character"
        }
        info if info.contains("quoted scalar") => {
            "end the text with the quote it begins with, and indent each of its lines further than its key"
        }
        info if info.contains("unexpected character") => {
            "put the value in quotes: YAML keeps @, ` and % at the beginning of a value for itself"
        }
        _ => {
            "look at this line and the one before for indentation, a missing quote or bracket, or a blank missing \
              after a colon"
        }
    };
    Problem::new(whereabouts.of(error.marker()), format!("not YAML: {}", error.info()), fix)
}
