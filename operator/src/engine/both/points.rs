//! Where a process may end between the two writes of a change, and what the next one finds there.
//!
//! Each is passed by every change that goes that way. So that a test can end a process exactly there, `--end-at POINT`
//! makes it abort at the first one that it reaches; without it, to pass a point is to load a number.

use std::sync::atomic::{AtomicU8, Ordering};

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// See the module.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
        #[value(rename_all = "PascalCase")]
        pub enum Point {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Point {
            /// All of them, in the order in which a change reaches them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

points! {
    /// The head says what is meant; legacy has not been asked.
    Intended,
    /// Legacy was sent the change and has answered, or not; what it has now was not looked at.
    Sent,
    /// Legacy was seen to have the change; nothing of it is published.
    AtLegacy,
    /// It is published; no resolver was asked.
    Published,
    /// Every resolver answers it; the head still says what was meant.
    Confirmed,
    /// The head says that it is put back; legacy has not been asked.
    BackIntended,
    /// Legacy was seen to have again what it had; the head still says that it is put back.
    BackAtLegacy,
}

/// No point has this number.
const NONE: u8 = u8::MAX;
static END_AT: AtomicU8 = AtomicU8::new(NONE);

/// Has this process end at a point.
pub fn end_at(point: Point) {
    END_AT.store(point as u8, Ordering::Relaxed);
}

/// A change has come this far.
pub(crate) fn reached(point: Point) {
    if END_AT.load(Ordering::Relaxed) == point as u8 {
        eprintln!("ends at {point:?}, as --end-at says");
        std::process::abort();
    }
}
