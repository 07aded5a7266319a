//! Slices: nodes of the tree as they are stored, each named by the digest of its octets.
//!
//! ```text
//! leaf:  01 | 00 | u32 octets of the data | the data (format 1 of a leaf) | who owns
//!        who owns: nothing, or u16 number of names | (u16 length | UTF-8) each | u16 per RRset, 0: nobody,
//!        n: the n-th name
//! inner: 01 | height | u16 number of children | (u16 length | least key | digest | u64 RRsets) each
//! ```

use super::digest::{self, Digest, Sum};
use super::leaf::{Leaf, OwnerRef};
use super::limits::{GREATEST_OWNED_BY, GREATEST_OWNERS};
use super::tree::{Child, Inner, Node, least_of};
use super::{Content, ContentError, Counts};
use crate::name::{Name, SortKey};
use bytes::{Buf, Bytes};
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

    /// How many levels are below: 0 of a leaf. The octets may be anything.
    pub fn height(&self) -> u8 {
        self.0.get(1).copied().unwrap_or(0)
    }

    /// The names of the slices right below this one, in their order; none of a leaf. The octets may be
    /// anything: that the slices are there and fit is looked at by [`Content::from_slices`].
    ///
    /// # Errors
    /// [`UnknownFormat`](ContentError::UnknownFormat), [`Malformed`](ContentError::Malformed).
    pub fn children(&self) -> Result<Vec<Digest>, ContentError> {
        let mut octets = self.0.clone();
        let (format, height) = (take_u8(&mut octets)?, take_u8(&mut octets)?);
        if format != FORMAT {
            return Err(ContentError::UnknownFormat(format));
        }
        if height == 0 {
            return Ok(Vec::new());
        }
        let count = usize::from(take_u16(&mut octets)?);
        (0..count).map(|_| take_child(&mut octets).map(|(_, digest, _)| digest)).collect()
    }
}

/// What an inner slice says of one child: its least key, its name, how many RRsets are below it.
fn take_child(octets: &mut Bytes) -> Result<(Bytes, Digest, u64), ContentError> {
    let length = usize::from(take_u16(octets)?);
    let key = take(octets, length)?;
    let digest: [u8; 32] = take(octets, 32)?[..].try_into().unwrap_or([0; 32]);
    Ok((key, Digest::from_octets(digest), take(octets, 8)?.get_u64()))
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

    /// The content whose top slice is `root`. `fetch` gives a slice by name.
    ///
    /// Every slice is checked: its digest, its structure, and that its keys lie where its parent says, each
    /// as it is read. Keys only ever go up, so slices that name one another many times over are refused
    /// when the first of them comes back, and the work is in proportion to what is there. Where the cuts
    /// are is not checked: a tree that was cut in another way (with another salt) reads as well, and each
    /// edit cuts what it touches as it should be.
    ///
    /// # Errors
    /// [`Missing`](ContentError::Missing), [`WrongDigest`](ContentError::WrongDigest),
    /// [`UnknownFormat`](ContentError::UnknownFormat),
    /// [`MalformedSlice`](ContentError::MalformedSlice): with the name of the slice.
    pub fn from_slices(
        apex: Name,
        salt: [u8; 16],
        root: Option<Digest>,
        fetch: &mut dyn FnMut(&Digest) -> Option<Slice>,
    ) -> Result<Self, ContentError> {
        let mut content = Content::empty(apex, salt);
        let Some(root) = root else { return Ok(content) };
        let room = 255 - content.apex.as_slice().len();
        content.root = Some(Reader { fetch, room, last: None }.read(root, None)?);
        let (mut sum, mut counts) = (Sum::default(), Counts::default());
        for owner in content.leaves().flat_map(|leaf| leaf.owners()) {
            counts.owner(&owner, true);
            for rrset in owner.rrsets() {
                sum.add(digest::of_rrset(owner.name(), rrset.rtype, rrset.ttl(), rrset.values()));
            }
        }
        (content.sum, content.counts) = (sum, counts);
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
    *digest_cell(node).get_or_init(|| Digest::of(&encode(node)))
}

fn digest_cell(node: &Node) -> &OnceLock<Digest> {
    match node {
        Node::Leaf(leaf) => leaf.digest_cell(),
        Node::Inner(inner) => &inner.digest,
    }
}

pub(crate) fn encode(node: &Node) -> Vec<u8> {
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

/// Reads slices that may be anything.
struct Reader<'f> {
    fetch: &'f mut dyn FnMut(&Digest) -> Option<Slice>,
    /// Octets that a name may have below the apex.
    room: usize,
    /// The key of the last owner that was read: what comes next must be greater.
    last: Option<SortKey>,
}

impl Reader<'_> {
    /// Reads the slice `digest` and all below it. `height` is what its parent says.
    fn read(&mut self, digest: Digest, height: Option<u8>) -> Result<Node, ContentError> {
        let slice = (self.fetch)(&digest).ok_or(ContentError::Missing(digest))?;
        if slice.digest() != digest {
            return Err(ContentError::WrongDigest(digest));
        }
        let node = self.read_node(slice.0, height).map_err(|error| match error {
            ContentError::Malformed(flaw) => ContentError::MalformedSlice { slice: digest, flaw },
            other => other,
        })?;
        // There is one way to write a node, so this is what it would be found to be.
        let _ = digest_cell(&node).set(digest);
        Ok(node)
    }

    fn read_node(&mut self, mut octets: Bytes, height: Option<u8>) -> Result<Node, ContentError> {
        let (format, found) = (take_u8(&mut octets)?, take_u8(&mut octets)?);
        if format != FORMAT {
            return Err(ContentError::UnknownFormat(format));
        }
        if found > GREATEST_HEIGHT || height.is_some_and(|height| height != found) {
            return Err(ContentError::Malformed("a slice at the wrong height"));
        }
        if found == 0 { self.read_leaf(octets) } else { self.read_inner(octets, found) }
    }

    fn read_leaf(&mut self, mut octets: Bytes) -> Result<Node, ContentError> {
        let length = take_u32(&mut octets)? as usize;
        let data = take(&mut octets, length)?;
        let owned_by = read_owners(octets)?;
        // A copy of its own, so that a leaf does not keep the octets of a whole response alive.
        let leaf = Leaf::check(Bytes::copy_from_slice(&data), owned_by.into_boxed_slice(), self.room)?;
        let key = |owner: Option<OwnerRef<'_>>| owner.map(|owner| SortKey::of_relative(owner.name()));
        let (first, last) = (key(leaf.owners().next()), key(leaf.owners().next_back()));
        if first.is_none() {
            return Err(ContentError::Malformed("a leaf without owners"));
        }
        if self.last.is_some() && first <= self.last {
            return Err(ContentError::Malformed("slices out of canonical order"));
        }
        self.last = last;
        Ok(Node::Leaf(Arc::new(leaf)))
    }

    fn read_inner(&mut self, mut octets: Bytes, height: u8) -> Result<Node, ContentError> {
        let count = usize::from(take_u16(&mut octets)?);
        if !(1..=GREATEST_OWNERS).contains(&count) {
            return Err(ContentError::Malformed("an inner slice of no or too many children"));
        }
        let mut children = Vec::with_capacity(count);
        for _ in 0..count {
            let (key, digest, rrsets) = take_child(&mut octets)?;
            if self.last.as_ref().is_some_and(|last| last.as_slice() >= &key[..]) {
                return Err(ContentError::Malformed("slices out of canonical order"));
            }
            let node = self.read(digest, Some(height - 1))?;
            let least = least_of(&node);
            if least.as_slice() != &key[..] || node.rrsets() != rrsets {
                return Err(ContentError::Malformed("a child that is not what its parent says"));
            }
            children.push(Child { least, node });
        }
        if !octets.is_empty() {
            return Err(ContentError::Malformed("an inner slice of another length than it says"));
        }
        Ok(Node::Inner(Arc::new(Inner::new(height, children))))
    }
}

/// Reads what [`encode_owners`] writes, and nothing else: a slice has one spelling.
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
        if length > GREATEST_OWNED_BY || names.last().is_some_and(|last| **last >= *name) {
            return Err(ContentError::Malformed("owners that are too long or not in order"));
        }
        names.push(name.into());
    }
    let mut is_used = vec![false; names.len()];
    let mut owned_by = Vec::new();
    while !octets.is_empty() {
        owned_by.push(match usize::from(take_u16(&mut octets)?) {
            0 => None,
            index => {
                let name =
                    names.get(index - 1).ok_or(ContentError::Malformed("an owner that is not listed"))?;
                is_used[index - 1] = true;
                Some(name.clone())
            }
        });
    }
    if names.is_empty() || is_used.contains(&false) {
        return Err(ContentError::Malformed("owners of nothing"));
    }
    Ok(owned_by)
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
