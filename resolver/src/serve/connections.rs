//! How many TCP connections there are, and which one goes when there are too many.
//!
//! Each open connection has a slot that remembers when it last had a query answered. At the cap, the
//! connection for which that is longest ago is told to close and its place is given away, so that a hoard
//! of connections cannot keep out clients that really ask.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// All open connections. The lock is taken when one opens and when one closes.
pub(super) struct Connections {
    limit: usize,
    begun: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Place>>>,
}

struct Place {
    /// Milliseconds since `begun` when a query was last answered, or when the connection opened.
    last_useful: AtomicU64,
    evicted: CancellationToken,
}

/// The place of one connection, given back when dropped.
pub(super) struct Slot {
    id: u64,
    place: Arc<Place>,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Self {
        Connections {
            limit: limit.max(1),
            begun: Instant::now(),
            next: AtomicU64::new(0),
            open: Mutex::default(),
        }
    }

    /// A place for a new connection; evicts another when there is none free.
    pub(super) fn enter(self: &Arc<Self>) -> Slot {
        let id = self.next.fetch_add(1, Relaxed);
        let place =
            Arc::new(Place { last_useful: AtomicU64::new(self.now()), evicted: CancellationToken::new() });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.limit {
            let oldest = open.iter().min_by_key(|(id, place)| (place.last_useful.load(Relaxed), **id));
            if let Some(id) = oldest.map(|(id, _)| *id)
                && let Some(place) = open.remove(&id)
            {
                place.evicted.cancel();
            }
        }
        open.insert(id, place.clone());
        Slot { id, place, connections: self.clone() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Slot {
    /// A query was answered.
    pub(super) fn useful(&self) {
        self.place.last_useful.store(self.connections.now(), Relaxed);
    }

    /// Resolves when another connection got this place.
    pub(super) async fn evicted(&self) {
        self.place.evicted.cancelled().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7766 §6.2.3: idle connections go first when resources run out.
    #[test]
    fn rfc7766_6_2_3_at_the_cap_the_longest_unused_goes() {
        let connections = Arc::new(Connections::new(2));
        let first = connections.enter();
        let second = connections.enter();
        first.place.last_useful.store(u64::MAX, Relaxed);
        let third = connections.enter();
        assert!(second.place.evicted.is_cancelled());
        assert!(!first.place.evicted.is_cancelled() && !third.place.evicted.is_cancelled());
        drop(first);
        let _fourth = connections.enter();
        assert!(!third.place.evicted.is_cancelled(), "a place was free");
    }
}
