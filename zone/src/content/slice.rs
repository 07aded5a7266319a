//! Slices: nodes of the tree as they are stored, each named by the digest of its octets.
//!
//! ```text
//! leaf:  01 | 00 | u32 octets of the data | the data (format 1 of a leaf) | who owns
//!        who owns: nothing, or u16 number of names | (u16 length | UTF-8) each | u16 per RRset, 0: nobody,
//!        n: the n-th name
//! inner: 01 | height | u16 number of children | (u16 length | least key | digest | u64 RRsets) each
//! ```

use super::digest::{self, Digest, Sum};
use super::leaf::Leaf;
use super::tree::{Child, Inner, Node, least_of};
use super::{Content, ContentError, Depths};
use crate::name::{Name, SortKey};
use bytes::{Buf, Bytes};
use domain::base::iana::Rtype;
use std::sync::{Arc, OnceLock};

const FORMAT: u8 = 1;
/// More levels than a tree of 2^32 owners has; deeper is an attack.
const GREATEST_HEIGHT: u8 = 16;

/// A stored node: its octets. Its name is their [`Digest`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slice(pub Bytes);

impl Slice {
    /// The name of the slice.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl Content {
    /// The digest of the top slice, `None` for a content without RRsets.
    pub fn root(&self) -> Option<Digest> {
        self.root.as_ref().map(digest_of)
    }

    /// All slices with their names, the top one first.
    pub fn slices(&self) -> impl Iterator<Item = (Digest, Slice)> + '_ {
        self.slices_beyond(|_| false)
    }

    /// The slices that are not `known`; below a known one all are taken to be known. So writing a version
    /// after another costs what they do not share.
    pub fn slices_beyond<'a>(
        &'a self,
        known: impl Fn(&Digest) -> bool + 'a,
    ) -> impl Iterator<Item = (Digest, Slice)> + 'a {
        let mut stack: Vec<&Node> = self.root.iter().collect();
        std::iter::from_fn(move || {
            loop {
                let node = stack.pop()?;
                let digest = digest_of(node);
                if known(&digest) {
                    continue;
                }
                if let Node::Inner(inner) = node {
                    stack.extend(inner.children.iter().rev().map(|child| &child.node));
                }
                return Some((digest, Slice(encode(node).into())));
            }
        })
    }

    /// The content whose top slice is `root`. Every slice is checked: its digest, its structure, and that
    /// its keys lie where its parent says. `fetch` gives a slice by name.
    pub fn from_slices(
        apex: Name,
        salt: [u8; 16],
        root: Option<Digest>,
        fetch: &mut dyn FnMut(&Digest) -> Option<Slice>,
    ) -> Result<Self, ContentError> {
        let mut content = Content::empty(apex, salt);
        if let Some(root) = root {
            let node = read(root, None, fetch)?;
            check_order(&node)?;
            content.root = Some(node);
        }
        let (mut sum, mut cuts, mut dnames) = (Sum::default(), Depths::default(), Depths::default());
        let longest = 255 - content.apex.as_slice().len();
        for owner in content.leaves().flat_map(|leaf| leaf.owners()) {
            if owner.name().len() > longest {
                return Err(ContentError::Malformed("a name of more than 255 octets"));
            }
            let depth = crate::rrset::count_labels(owner.name());
            for rrset in owner.rrsets() {
                sum.add(digest::of_rrset(owner.name(), rrset.rtype, rrset.ttl(), rrset.values()));
                match rrset.rtype {
                    Rtype::NS if depth > 0 => cuts.count(depth, true),
                    Rtype::DNAME => dnames.count(depth, true),
                    _ => {}
                }
            }
        }
        (content.sum, content.cuts, content.dnames) = (sum, cuts, dnames);
        Ok(content)
    }

    /// The same content without who owns what: what a resolver holds.
    pub fn without_owners(&self) -> Self {
        let root = self.root.as_ref().map(strip);
        Content { root, ..self.clone() }
    }
}

fn strip(node: &Node) -> Node {
    match node {
        Node::Leaf(leaf) if leaf.owned_by().is_empty() => node.clone(),
        Node::Leaf(leaf) => Node::Leaf(Arc::new(Leaf::from_trusted(leaf.octets().clone(), Box::default()))),
        Node::Inner(inner) => {
            let children = inner
                .children
                .iter()
                .map(|child| Child { least: child.least.clone(), node: strip(&child.node) })
                .collect();
            Node::Inner(Arc::new(Inner::new(inner.height, children)))
        }
    }
}

/// The digest of a node's slice, computed once a node.
pub(crate) fn digest_of(node: &Node) -> Digest {
    let cell: &OnceLock<Digest> = match node {
        Node::Leaf(leaf) => leaf.digest_cell(),
        Node::Inner(inner) => &inner.digest,
    };
    *cell.get_or_init(|| Digest::of(&encode(node)))
}

fn encode(node: &Node) -> Vec<u8> {
    let mut out = vec![FORMAT, node.height()];
    match node {
        Node::Leaf(leaf) => {
            out.extend_from_slice(&(leaf.octets().len() as u32).to_be_bytes());
            out.extend_from_slice(leaf.octets());
            encode_owners(leaf.owned_by(), &mut out);
        }
        Node::Inner(inner) => {
            out.extend_from_slice(&(inner.children.len() as u16).to_be_bytes());
            for child in &inner.children {
                let key = child.least.as_slice();
                out.extend_from_slice(&(key.len() as u16).to_be_bytes());
                out.extend_from_slice(key);
                out.extend_from_slice(digest_of(&child.node).octets());
                out.extend_from_slice(&child.node.rrsets().to_be_bytes());
            }
        }
    }
    out
}

fn encode_owners(owned_by: &[Option<Arc<str>>], out: &mut Vec<u8>) {
    if owned_by.is_empty() {
        return;
    }
    let mut names: Vec<&Arc<str>> = owned_by.iter().flatten().collect();
    names.sort_unstable();
    names.dedup();
    out.extend_from_slice(&(names.len() as u16).to_be_bytes());
    for name in &names {
        out.extend_from_slice(&(name.len() as u16).to_be_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    for owner in owned_by {
        let index = owner.as_ref().and_then(|owner| names.binary_search(&owner).ok()).map_or(0, |i| i + 1);
        out.extend_from_slice(&(index as u16).to_be_bytes());
    }
}

/// Reads the slice `digest` and all below it. `height` is what its parent says.
fn read(
    digest: Digest,
    height: Option<u8>,
    fetch: &mut dyn FnMut(&Digest) -> Option<Slice>,
) -> Result<Node, ContentError> {
    let slice = fetch(&digest).ok_or(ContentError::Missing(digest))?;
    if slice.digest() != digest {
        return Err(ContentError::WrongDigest(digest));
    }
    let mut octets = slice.0;
    let (format, found) = (take_u8(&mut octets)?, take_u8(&mut octets)?);
    if format != FORMAT {
        return Err(ContentError::UnknownFormat(format));
    }
    if found > GREATEST_HEIGHT || height.is_some_and(|height| height != found) {
        return Err(ContentError::Malformed("a slice at the wrong height"));
    }
    let node = if found == 0 { read_leaf(octets)? } else { read_inner(octets, found, fetch)? };
    Ok(node)
}

fn read_leaf(mut octets: Bytes) -> Result<Node, ContentError> {
    let length = take_u32(&mut octets)? as usize;
    let data = take(&mut octets, length)?;
    let owned_by = read_owners(octets)?;
    // A copy of its own, so that a leaf does not keep the octets of a whole response alive.
    let leaf = Leaf::check(Bytes::copy_from_slice(&data), owned_by.into_boxed_slice())?;
    if leaf.is_empty() {
        return Err(ContentError::Malformed("a leaf without owners"));
    }
    Ok(Node::Leaf(Arc::new(leaf)))
}

fn read_owners(mut octets: Bytes) -> Result<Vec<Option<Arc<str>>>, ContentError> {
    if octets.is_empty() {
        return Ok(Vec::new());
    }
    let mut names: Vec<Arc<str>> = Vec::new();
    for _ in 0..take_u16(&mut octets)? {
        let length = usize::from(take_u16(&mut octets)?);
        let name = take(&mut octets, length)?;
        let name =
            std::str::from_utf8(&name).map_err(|_| ContentError::Malformed("an owner that is not UTF-8"))?;
        names.push(name.into());
    }
    let mut owned_by = Vec::new();
    while !octets.is_empty() {
        owned_by.push(match usize::from(take_u16(&mut octets)?) {
            0 => None,
            index => {
                let name =
                    names.get(index - 1).ok_or(ContentError::Malformed("an owner that is not listed"))?;
                Some(name.clone())
            }
        });
    }
    Ok(owned_by)
}

fn read_inner(
    mut octets: Bytes,
    height: u8,
    fetch: &mut dyn FnMut(&Digest) -> Option<Slice>,
) -> Result<Node, ContentError> {
    let count = take_u16(&mut octets)?;
    let mut children = Vec::with_capacity(usize::from(count).min(1024));
    for _ in 0..count {
        let length = usize::from(take_u16(&mut octets)?);
        let key = take(&mut octets, length)?;
        let digest: [u8; 32] = take(&mut octets, 32)?[..].try_into().unwrap_or([0; 32]);
        let rrsets = take(&mut octets, 8)?.get_u64();
        let node = read(Digest::from_octets(digest), Some(height - 1), fetch)?;
        let least = least_of(&node);
        if least.as_slice() != &key[..] || node.rrsets() != rrsets {
            return Err(ContentError::Malformed("a child that is not what its parent says"));
        }
        children.push(Child { least, node });
    }
    if children.is_empty() || !octets.is_empty() {
        return Err(ContentError::Malformed("an inner slice of another length than it says"));
    }
    Ok(Node::Inner(Arc::new(Inner::new(height, children))))
}

/// That the leaves under `node` follow one another in canonical order.
fn check_order(node: &Node) -> Result<(), ContentError> {
    let mut previous: Option<SortKey> = None;
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        match node {
            Node::Inner(inner) => stack.extend(inner.children.iter().rev().map(|child| &child.node)),
            Node::Leaf(leaf) => {
                let key = |place: usize| leaf.owner(place).map(|owner| SortKey::of_relative(owner.name()));
                if previous.is_some() && previous >= key(0) {
                    return Err(ContentError::Malformed("slices out of canonical order"));
                }
                previous = key(leaf.owner_count() - 1);
            }
        }
    }
    Ok(())
}

pub(crate) fn take(octets: &mut Bytes, length: usize) -> Result<Bytes, ContentError> {
    if octets.len() < length {
        return Err(ContentError::Malformed("cut short"));
    }
    Ok(octets.split_to(length))
}

pub(crate) fn take_u8(octets: &mut Bytes) -> Result<u8, ContentError> {
    take(octets, 1).map(|mut octets| octets.get_u8())
}

pub(crate) fn take_u16(octets: &mut Bytes) -> Result<u16, ContentError> {
    take(octets, 2).map(|mut octets| octets.get_u16())
}

pub(crate) fn take_u32(octets: &mut Bytes) -> Result<u32, ContentError> {
    take(octets, 4).map(|mut octets| octets.get_u32())
}
