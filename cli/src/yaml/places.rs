//! Where each field of a document stands in its file.
//!
//! The places are a tree of the shape of the value. Keys of a mapping are sorted, so that a field is
//! found without walking its siblings.

/// A place in a file. Both count from 1; the column counts characters, not octets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// The places of the fields of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Places(pub(super) Node);

/// A value and the places inside it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// What a person looks for when the value is meant: the scalar, or the key of a collection and of what
    /// is left empty.
    pub(super) place: Place,
    pub(super) inside: Inside,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Inside {
    Nothing,
    Sequence(Vec<Node>),
    /// Sorted by key, each key once.
    Mapping(Vec<(Box<str>, Node)>),
}

impl Places {
    /// The place of a field, by its path as Kubernetes writes it: `spec.values[3]`,
    /// `metadata.labels[a.b/c]`, and nothing for the document. Of a mapping, a sequence and an empty value
    /// it is the place of the key. Of a field that is not there it is that of the nearest field around it.
    pub fn of(&self, field: &str) -> Place {
        let mut node = &self.0;
        let mut rest = field;
        while let Some((inner, after)) = step(&node.inside, rest) {
            node = inner;
            rest = after;
        }
        node.place
    }
}

/// The node that the first step of a path leads to, and the rest of the path.
fn step<'n, 'p>(inside: &'n Inside, path: &'p str) -> Option<(&'n Node, &'p str)> {
    match (inside, path.strip_prefix('[')) {
        (Inside::Sequence(items), Some(path)) => {
            let (index, rest) = path.split_once(']')?;
            Some((items.get(index.parse::<usize>().ok()?)?, rest))
        }
        (Inside::Mapping(_), Some(path)) => {
            ends_of_brackets(path).find_map(|end| Some((field(inside, &path[..end])?, &path[end + 1..])))
        }
        (Inside::Mapping(_), None) => {
            let path = path.strip_prefix('.').unwrap_or(path);
            let end = path.find(['.', '[']).unwrap_or(path.len());
            Some((field(inside, &path[..end]).filter(|_| end > 0)?, &path[end..]))
        }
        _ => None,
    }
}

/// Where a key in brackets may end: a key may have brackets of its own.
fn ends_of_brackets(path: &str) -> impl Iterator<Item = usize> + '_ {
    path.match_indices(']')
        .map(|(end, _)| end)
        .filter(|&end| matches!(path.as_bytes().get(end + 1), None | Some(b'.' | b'[')))
}

fn field<'n>(inside: &'n Inside, key: &str) -> Option<&'n Node> {
    let Inside::Mapping(fields) = inside else { return None };
    let found = fields.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
    Some(&fields[found].1)
}
