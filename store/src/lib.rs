//! The published form of a zone: heads, revisions and slices, to and from content.
//!
//! ```text
//! operator:  Content, Soa ──▶ Head, slices ──to_object──▶ ZoneHead, ZoneRevision, ZoneSlice
//! resolver:  ZoneHead, ZoneSlice ──read──▶ Head, slices ──content──▶ Content, Soa
//! ```
//!
//! The operator writes it and resolvers read it, and neither depends on the other; the resources know
//! nothing of DNS and the DNS model nothing of Kubernetes. So what translates between them stands here, once.
//! Pure: no client, no I/O. Nothing that is read is trusted: what is not what it says is an error that names
//! the field, never a panic.

mod forwarding;
mod head;
mod intent;
mod revision;
mod slice;

pub use forwarding::Forwarding;
pub use head::{Checkpoint, Head, head_object_name};
pub use intent::Intent;
pub use revision::Revision;
pub use slice::{read_slice, slice_object};

use port53_zone::content::ContentError;

/// Why an object is not what it should be. Display names the field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// A field holds what cannot be.
    #[error("{field}: {wrong}")]
    Field {
        /// The field, such as `spec.checkpoint.root`.
        field: &'static str,
        /// What is wrong with it.
        wrong: String,
    },
    /// The name of the object is not that of what it holds.
    #[error(
        "metadata.name: {name} is the name of an object that holds something else; this one's is {expected}"
    )]
    Name {
        /// As it is.
        name: String,
        /// As it should be.
        expected: String,
    },
    /// The changes do not fit the content that they build on.
    #[error("spec.journal: {0}")]
    Journal(ContentError),
    /// The content is not the one that was published.
    #[error("spec.digest: the content has another digest than the head says")]
    WrongDigest,
}

impl StoreError {
    fn field(field: &'static str, wrong: impl Into<String>) -> Self {
        StoreError::Field { field, wrong: wrong.into() }
    }
}
