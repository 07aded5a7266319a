//! The second step: the nodes of a document become its value and places.
//!
//! An alias is what its anchor says, once more, within bounds of its own, and merge keys are resolved. An
//! alias refers only to a node that is whole, so this ends.

use super::nodes::{Kind, Node, Nodes, Whereabouts, too_deep, too_many_nodes};
use super::places::{Inside, Node as PlaceNode};
use super::scalar::{self, Misfit, Scalar, Tag};
use super::split::{Piece, too_large};
use super::surrogates::{self, Shifts};
use super::{Document, MAX_ALIASED, MAX_DEPTH, Place, Places, Problem, Reading};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Reads a document. `None` when nothing is in it.
pub(super) fn read(piece: Piece<'_>, reading: Reading) -> Result<Option<Document>, Problem> {
    let (text, shifts) = match piece.is_json {
        true => surrogates::without_pairs(piece.text),
        false => (ended(piece.text).into(), Shifts::default()),
    };
    let lines = piece.text.lines().count().max(1) as u32;
    let whereabouts = Whereabouts { start: piece.place, last_line: piece.place.line + lines - 1, shifts };
    let mut nodes = Nodes::read(&text, &whereabouts, reading.max_nodes)?;
    without_added_end(&mut nodes, piece.text);
    let Some(root) = nodes.0.first() else { return Ok(None) };
    let line = root.place.line;
    let mut builder = Builder { nodes: &nodes.0, reading, built: 0, aliased: 0, octets: 0, in_alias: false };
    let (value, place) = builder.build(0, 0)?;
    Ok((!value.is_null()).then_some(Document { value, places: Places(place), line }))
}

/// The text with a mark of its end: without it, the parser gives a block scalar that ends with the file a
/// line end that is not there.
fn ended(text: &str) -> String {
    let mut ended = String::with_capacity(text.len() + 5);
    ended.push_str(text);
    if !text.ends_with('\n') {
        ended.push('\n');
    }
    ended.push_str("...\n");
    ended
}

/// A block scalar on the last line of a file without a line end has none either.
fn without_added_end(nodes: &mut Nodes<'_>, text: &str) {
    let last_line = text.rsplit('\n').next().unwrap_or(text).trim();
    if last_line.is_empty() {
        return;
    }
    if let Some(Node { kind: Kind::Scalar { text, is_block: true, .. }, .. }) = nodes.0.last_mut()
        && text.strip_suffix('\n').is_some_and(|text| text.ends_with(last_line))
    {
        text.to_mut().pop();
    }
}

/// What becomes of the nodes, and how much.
struct Builder<'n, 't> {
    nodes: &'n [Node<'t>],
    reading: Reading,
    built: usize,
    aliased: usize,
    /// Octets of the texts built.
    octets: usize,
    in_alias: bool,
}

/// A field of a mapping while it is built.
struct Field {
    key: String,
    key_place: Place,
    value: Value,
    node: PlaceNode,
    /// Whether it came by a merge key, and may be said again.
    is_merged: bool,
}

/// The fields of a mapping while they are gathered.
#[derive(Default)]
struct Fields {
    list: Vec<Field>,
    /// Where each key is in the list; empty while there are [`Fields::FEW`] at most, which are looked
    /// through.
    index: HashMap<String, usize>,
}

impl Fields {
    const FEW: usize = 8;

    /// Adds a field that is written in the mapping itself. Again the same key is refused, unless it came by
    /// a merge key.
    fn add(&mut self, field: Field) -> Result<(), Problem> {
        match self.find(&field.key) {
            Some(at) if self.list[at].is_merged => self.list[at] = field,
            Some(at) => return Err(twice(&field, &self.list[at])),
            None => self.push(field),
        }
        Ok(())
    }

    /// Adds a field that came by a merge key. As in go-yaml, what stands later counts.
    fn merge(&mut self, field: Field) {
        match self.find(&field.key) {
            Some(at) => self.list[at] = Field { is_merged: self.list[at].is_merged, ..field },
            None => self.push(field),
        }
    }

    fn find(&self, key: &str) -> Option<usize> {
        if self.list.len() <= Self::FEW {
            return self.list.iter().position(|field| field.key == key);
        }
        self.index.get(key).copied()
    }

    fn push(&mut self, field: Field) {
        self.list.push(field);
        if self.list.len() <= Self::FEW {
            return;
        }
        let indexed = self.index.len();
        for (at, field) in self.list.iter().enumerate().skip(indexed) {
            self.index.insert(field.key.clone(), at);
        }
    }
}

impl<'n> Builder<'n, '_> {
    fn build(&mut self, index: usize, depth: usize) -> Result<(Value, PlaceNode), Problem> {
        let node = &self.nodes[index];
        let place = node.place;
        if let Kind::Alias(target) = node.kind {
            let (value, mut inside) = self.aliased(|this| this.build(target, depth))?;
            inside.place = place;
            return Ok((value, inside));
        }
        self.count(node)?;
        let inner = depth + 1;
        if inner > MAX_DEPTH && !matches!(node.kind, Kind::Scalar { .. }) {
            return Err(too_deep(place));
        }
        Ok(match &node.kind {
            Kind::Scalar { .. } => {
                let value = self.scalar(node)?.into_value().map_err(|misfit| unfit(misfit, place))?;
                (value, PlaceNode { place, inside: Inside::Nothing })
            }
            Kind::Sequence(items) => {
                let mut values = Vec::with_capacity(items.len());
                let mut places = Vec::with_capacity(items.len());
                for item in items {
                    let (value, inside) = self.build(*item, inner)?;
                    values.push(value);
                    places.push(inside);
                }
                (Value::Array(values), PlaceNode { place, inside: Inside::Sequence(places) })
            }
            Kind::Mapping(entries) => finished(self.fields(entries, inner)?, place),
            Kind::Alias(_) => unreachable!("taken care of above"),
        })
    }

    /// The fields of a mapping, each key once, in the order in which they were first named.
    fn fields(&mut self, entries: &[usize], depth: usize) -> Result<Vec<Field>, Problem> {
        let mut fields = Fields::default();
        for entry in entries.chunks_exact(2) {
            let (key, value) = (entry[0], entry[1]);
            if is_merge(&self.nodes[key]) {
                for field in self.merged(value, depth)? {
                    fields.merge(field);
                }
                continue;
            }
            let key_place = self.nodes[key].place;
            let key = self.key(key)?;
            let is_at_key = !matches!(self.kind(value), Kind::Scalar { is_missing: false, .. });
            let (value, mut node) = self.build(value, depth)?;
            if is_at_key {
                node.place = key_place;
            }
            fields.add(Field { key, key_place, value, node, is_merged: false })?;
        }
        Ok(fields.list)
    }

    /// The fields that a merge key brings: of a mapping, or of several, of which the first counts.
    fn merged(&mut self, index: usize, depth: usize) -> Result<Vec<Field>, Problem> {
        let node = &self.nodes[index];
        match &node.kind {
            Kind::Alias(target) if matches!(self.nodes[*target].kind, Kind::Mapping(_)) => {
                self.aliased(|this| this.merged(*target, depth))
            }
            Kind::Mapping(entries) => {
                self.count(node)?;
                let mut fields = self.fields(entries, depth)?;
                fields.iter_mut().for_each(|field| field.is_merged = true);
                Ok(fields)
            }
            Kind::Sequence(items)
                if items.iter().all(|item| matches!(self.kind(*item), Kind::Mapping(_))) =>
            {
                let mut all = Vec::new();
                for item in items.iter().rev() {
                    all.extend(self.merged(*item, depth)?);
                }
                Ok(all)
            }
            _ => Err(Problem::new(
                node.place,
                "a merge key takes a mapping or a list of mappings",
                "write an alias of a mapping after <<:, or write \"<<\" in quotes if a field of that name is meant",
            )),
        }
    }

    /// What a node is when its alias is resolved.
    fn kind(&self, index: usize) -> &'n Kind<'_> {
        match &self.nodes[index].kind {
            Kind::Alias(target) => &self.nodes[*target].kind,
            kind => kind,
        }
    }

    fn key(&mut self, index: usize) -> Result<String, Problem> {
        let place = self.nodes[index].place;
        let (node, is_alias) = match self.nodes[index].kind {
            Kind::Alias(target) => (&self.nodes[target], true),
            _ => (&self.nodes[index], false),
        };
        let refused = |what: &str, fix: &str| Err(Problem::new(place, what, fix));
        if !matches!(node.kind, Kind::Scalar { .. }) {
            return refused(
                "a list or mapping cannot be a key",
                "write a text as the key, in quotes if need be",
            );
        }
        if is_alias {
            self.aliased(|this| this.count(node))?;
        } else {
            self.count(node)?;
        }
        match self.scalar(node)?.into_key() {
            Some(key) => Ok(key),
            None => refused(
                "the key is null or a number too large",
                "write a key, in quotes if it is meant as text",
            ),
        }
    }

    fn scalar(&self, node: &Node<'_>) -> Result<Scalar, Problem> {
        scalar(node, self.reading.is_as_written)
    }

    fn aliased<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.in_alias, true);
        let built = build(self);
        self.in_alias = before;
        built
    }

    /// Holds what is built against the bounds.
    fn count(&mut self, node: &Node<'_>) -> Result<(), Problem> {
        self.built += 1;
        self.aliased += usize::from(self.in_alias);
        if let Kind::Scalar { text, .. } = &node.kind {
            self.octets += text.len();
        }
        if self.octets > self.reading.max_document {
            return Err(too_large(node.place, self.octets, self.reading.max_document));
        }
        if self.built > self.reading.max_nodes {
            return Err(too_many_nodes(node.place, self.reading.max_nodes));
        }
        if self.aliased > MAX_ALIASED {
            return Err(Problem::new(
                node.place,
                format!("the aliases of the document stand for more than {MAX_ALIASED} values"),
                "write the values out, in several objects",
            ));
        }
        Ok(())
    }
}

fn finished(fields: Vec<Field>, place: Place) -> (Value, PlaceNode) {
    let mut object = Map::with_capacity(fields.len());
    let mut places = Vec::with_capacity(fields.len());
    for field in fields {
        places.push((field.key.as_str().into(), field.node));
        object.insert(field.key, field.value);
    }
    places.sort_by(|a: &(Box<str>, PlaceNode), b| a.0.cmp(&b.0));
    (Value::Object(object), PlaceNode { place, inside: Inside::Mapping(places) })
}

fn is_merge(node: &Node<'_>) -> bool {
    match &node.kind {
        Kind::Scalar { text, is_plain, tag, .. } => {
            text == "<<" && (*is_plain && tag.is_none() || *tag == Some(Tag::Merge))
        }
        _ => false,
    }
}

fn scalar(node: &Node<'_>, is_as_written: bool) -> Result<Scalar, Problem> {
    let Kind::Scalar { text, is_plain, is_missing, tag, .. } = &node.kind else {
        unreachable!("asked of scalars only");
    };
    let text: &str = if *is_missing { "" } else { text };
    match tag {
        Some(tag) => scalar::tagged(*tag, text).map_err(|misfit| unfit(misfit, node.place)),
        None if *is_plain => match scalar::plain(text) {
            Scalar::Null => Ok(Scalar::Null),
            _ if is_as_written => Ok(Scalar::Text(text.to_owned())),
            resolved => Ok(resolved),
        },
        None => Ok(Scalar::Text(text.to_owned())),
    }
}

fn unfit(misfit: Misfit, place: Place) -> Problem {
    match misfit {
        Misfit::Tag => Problem::new(
            place,
            "the value is not what its tag says",
            "leave the tag out, or write a value of its kind",
        ),
        Misfit::NotFinite => Problem::new(
            place,
            "an infinity or \"not a number\" cannot be sent to an API server, which takes JSON",
            "write a number, or the text in quotes",
        ),
    }
}

fn twice(second: &Field, first: &Field) -> Problem {
    Problem::new(
        second.key_place,
        format!(
            "the key {:?} is on line {} and on line {} again",
            second.key, first.key_place.line, second.key_place.line
        ),
        "keep one of the two: readers do not agree on which counts",
    )
}
