//! A place among the migrations that bring much over at the same time.
//!
//! A hundred zones that move at once share one API server. If all of them wrote a little in turn, each would compare and judge
//! all that it has to bring for every few records. So few have a place, and write until it is time to tell people how far
//! they are; the others wait in a line, first come, first served.

use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

/// Where a migration is in the line.
#[derive(Debug, Default)]
pub(super) enum Place {
    /// Nowhere.
    #[default]
    Away,
    /// In it.
    Waiting(AbortOnDropHandle<Option<OwnedSemaphorePermit>>),
    /// At its head.
    There(OwnedSemaphorePermit),
}

impl Place {
    /// The place, where it is there; else it is waited for.
    pub(super) fn take(&mut self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        match std::mem::take(self) {
            Place::Away => {
                let permit = places.clone().try_acquire_owned().ok();
                if permit.is_none() {
                    let acquired = places.clone().acquire_owned().map(Result::ok);
                    *self = Place::Waiting(AbortOnDropHandle::new(tokio::spawn(acquired)));
                }
                permit
            }
            Place::Waiting(mut waiting) => match (&mut waiting).now_or_never() {
                Some(ended) => ended.ok().flatten(),
                None => {
                    *self = Place::Waiting(waiting);
                    None
                }
            },
            Place::There(permit) => Some(permit),
        }
    }

    /// Nothing is to be brought any more: others have it.
    pub(super) fn leave(&mut self) {
        *self = Place::Away;
    }

    /// Whether it is waited for.
    pub(super) fn is_waited_for(&self) -> bool {
        matches!(self, Place::Waiting(_))
    }

    /// Ends when it is there, if it is waited for. May be dropped before that.
    pub(super) async fn comes(&mut self) {
        if let Place::Waiting(waiting) = self {
            *self = waiting.await.ok().flatten().map_or(Place::Away, Place::There);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waited_longest_is_next() {
        let places = Arc::new(Semaphore::new(1));
        let [mut first, mut second, mut third] = [const { Place::Away }; 3];
        let held = first.take(&places).expect("nobody has it");
        assert!(second.take(&places).is_none() && second.is_waited_for());
        tokio::task::yield_now().await;
        assert!(third.take(&places).is_none());
        tokio::task::yield_now().await;
        drop(held);
        // Who had it goes to the end of the line.
        assert!(first.take(&places).is_none());
        second.comes().await;
        let held = second.take(&places).expect("it waited");
        assert!(third.take(&places).is_none());
        drop(held);
        // Who does not want it any more leaves it to the next.
        third.leave();
        first.comes().await;
        assert!(first.take(&places).is_some());
    }
}
