//! The content of a checkpoint, out of slices that are fetched one by one.
//!
//! [`Content::from_slices`] asks for slices in the order of the tree and checks each. It runs on a thread
//! that may wait, and here is what it waits for: a few slices ahead of it are on their way, never more, so that
//! memory is bounded by the content and a handful of slices, whatever the size of the zone. Slices that are
//! known from an attempt before are not fetched again.

use crate::slices::SliceError;
use port53_store::Checkpoint;
use port53_zone::Name;
use port53_zone::content::{Content, ContentError, Digest, Slice};
use std::collections::HashMap;
use std::future::Future;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Slices of a zone on their way at once.
const AHEAD: usize = 8;

/// Why a slice is not had.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// A slice could not be had.
    #[error("slice {0}: {1}")]
    Slice(Digest, SliceError),
    /// All were had, and they are not the content that the head says.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// They are a content, but not that of the checkpoint.
    #[error("spec.checkpoint.digest: the slices below spec.checkpoint.root are another content")]
    WrongDigest,
    /// The work ended in another way than it can.
    #[error("a bug: {0}")]
    Bug(String),
}

impl FetchError {
    /// Whether it may go better another time: what is stored was not seen to be wrong.
    pub fn is_passing(&self) -> bool {
        matches!(self, FetchError::Slice(_, SliceError::Unreachable(_)) | FetchError::Bug(_))
    }
}

/// Reads the content of a checkpoint, with who owns what. `get` fetches a slice; `known` has the
/// slices of an earlier checkpoint. Blocks the thread.
pub(crate) fn checkpoint<G, F>(
    runtime: &Handle,
    apex: &Name,
    at: &Checkpoint,
    known: Option<&Content>,
    get: G,
) -> Result<Content, FetchError>
where
    G: Fn(Digest) -> F,
    F: Future<Output = Result<Slice, SliceError>> + Send + 'static,
{
    let known = known.map(|content| content.slices().collect()).unwrap_or_default();
    let mut reader =
        ReadAhead { runtime, get, known, pending: Vec::new(), coming: HashMap::new(), failed: None };
    reader.pending.extend(at.root);
    let content = Content::from_slices(apex.clone(), at.salt, at.root, &mut |digest| reader.next(*digest));
    match (content, reader.failed.take()) {
        (_, Some((digest, why))) => Err(FetchError::Slice(digest, why)),
        (Err(error), None) => Err(error.into()),
        (Ok(content), None) if content.digest() != at.digest => Err(FetchError::WrongDigest),
        (Ok(content), None) => Ok(content),
    }
}

struct ReadAhead<'r, G> {
    runtime: &'r Handle,
    get: G,
    known: HashMap<Digest, Slice>,
    /// What will be asked for, the next one last.
    pending: Vec<Digest>,
    coming: HashMap<Digest, JoinHandle<Result<Slice, SliceError>>>,
    failed: Option<(Digest, SliceError)>,
}

impl<G, F> ReadAhead<'_, G>
where
    G: Fn(Digest) -> F,
    F: Future<Output = Result<Slice, SliceError>> + Send + 'static,
{
    /// The slice that is asked for now.
    fn next(&mut self, digest: Digest) -> Option<Slice> {
        if self.pending.pop() != Some(digest) {
            return None;
        }
        let slice = match self.known.remove(&digest) {
            Some(slice) => slice,
            None => self.fetched(digest)?,
        };
        // What is malformed is found by who asked.
        self.pending.extend(slice.children().unwrap_or_default().into_iter().rev());
        self.look_ahead();
        Some(slice)
    }

    fn fetched(&mut self, digest: Digest) -> Option<Slice> {
        let coming = self.coming.remove(&digest).unwrap_or_else(|| self.runtime.spawn((self.get)(digest)));
        match self.runtime.block_on(coming) {
            Ok(Ok(slice)) => return Some(slice),
            Ok(Err(why)) => self.failed = Some((digest, why)),
            Err(gone) => self.failed = Some((digest, SliceError::Unreachable(gone.to_string()))),
        }
        None
    }

    fn look_ahead(&mut self) {
        for &digest in self.pending.iter().rev().take(AHEAD) {
            if !self.known.contains_key(&digest) && !self.coming.contains_key(&digest) {
                self.coming.insert(digest, self.runtime.spawn((self.get)(digest)));
            }
        }
    }
}

impl<G> Drop for ReadAhead<'_, G> {
    fn drop(&mut self) {
        self.coming.values().for_each(JoinHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::rdata::parse_value;
    use port53_zone::{RRset, Rtype, name};
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    fn content(hosts: u32, odd: u32) -> Content {
        let rrsets = (0..hosts).map(|host| {
            let owner = name::parse(&format!("h{host}"), &apex()).expect("a name");
            let value = if host == odd { "192.0.2.2" } else { "192.0.2.1" };
            let value = parse_value(Rtype::A, value).expect("a value");
            (RRset::new(owner, Rtype::A, 60, [value]), Some(Arc::from("dns/www")))
        });
        Content::build(apex(), [7; 16], rrsets).expect("a content")
    }

    fn at(content: &Content) -> Checkpoint {
        Checkpoint::of(content, 1)
    }

    /// Slices as somebody else has them, and what was asked of them.
    #[derive(Clone, Default)]
    struct Elsewhere {
        slices: Arc<Mutex<HashMap<Digest, Slice>>>,
        asked: Arc<Mutex<HashSet<Digest>>>,
    }

    impl Elsewhere {
        fn with(content: &Content) -> Self {
            Elsewhere { slices: Arc::new(Mutex::new(content.slices().collect())), ..Self::default() }
        }

        fn get(&self, digest: Digest) -> impl Future<Output = Result<Slice, SliceError>> + Send + 'static {
            assert!(self.asked.lock().expect("a lock").insert(digest), "{digest} was asked for twice");
            let slice = self.slices.lock().expect("a lock").get(&digest).cloned();
            async move { slice.ok_or_else(|| SliceError::Lost("not found".to_owned())) }
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime")
    }

    #[test]
    fn every_slice_is_fetched_once() {
        let runtime = runtime();
        let content = content(20_000, 0);
        let elsewhere = Elsewhere::with(&content);
        let read = checkpoint(runtime.handle(), &apex(), &at(&content), None, |digest| elsewhere.get(digest));
        assert!(read.expect("whole").iter().eq(content.iter()));
        assert_eq!(elsewhere.asked.lock().expect("a lock").len(), content.slices().count());
    }

    #[test]
    fn what_is_known_from_before_is_not_fetched() {
        let runtime = runtime();
        let (before, after) = (content(20_000, 0), content(20_000, 7));
        let elsewhere = Elsewhere::with(&after);
        let read =
            checkpoint(runtime.handle(), &apex(), &at(&after), Some(&before), |digest| elsewhere.get(digest));
        assert!(read.expect("whole").iter().eq(after.iter()));
        let asked = elsewhere.asked.lock().expect("a lock").len();
        assert!((1..=6).contains(&asked), "{asked}");
    }

    #[test]
    fn what_is_missing_or_something_else_is_said_by_name() {
        let runtime = runtime();
        let content = content(2_000, 0);
        let elsewhere = Elsewhere::with(&content);
        let (leaf, _) = content.slices().last().expect("a slice");
        let removed = elsewhere.slices.lock().expect("a lock").remove(&leaf);
        let read = checkpoint(runtime.handle(), &apex(), &at(&content), None, |digest| elsewhere.get(digest));
        assert_eq!(read.err(), Some(FetchError::Slice(leaf, SliceError::Lost("not found".to_owned()))));

        let mut wrong = at(&content);
        wrong.digest = Digest::of(b"another");
        let elsewhere = Elsewhere::with(&content);
        let read = checkpoint(runtime.handle(), &apex(), &wrong, None, |digest| elsewhere.get(digest));
        assert_eq!(read.err(), Some(FetchError::WrongDigest));

        let elsewhere = Elsewhere::with(&content);
        let first = removed.expect("it was there").0;
        elsewhere.slices.lock().expect("a lock").insert(leaf, Slice(first.slice(..first.len() - 1)));
        let read = checkpoint(runtime.handle(), &apex(), &at(&content), None, |digest| elsewhere.get(digest));
        assert_eq!(read.err(), Some(FetchError::Content(ContentError::WrongDigest(leaf))));
    }
}
