//! How many transfers go on at once, in all and to one client. One too many waits for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a transfer waits for its place before it is told to try again (SERVFAIL).
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Places {
    all: Arc<Semaphore>,
    per_client: usize,
    clients: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// The place of one transfer, given back when dropped.
pub(super) struct Place {
    _of_client: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(all: usize, per_client: usize) -> Self {
        Places { all: Arc::new(Semaphore::new(all)), per_client, clients: Mutex::default() }
    }

    /// A place, or none after a while. Who has many waits for his own first, and takes no place of others.
    pub(super) async fn enter(&self, client: IpAddr) -> Option<Place> {
        let of_client = self.of_client(client);
        let both = async {
            let of_client = of_client.acquire_owned().await.ok()?;
            Some(Place { _of_client: of_client, _of_all: self.all.clone().acquire_owned().await.ok()? })
        };
        timeout(PATIENCE, both).await.ok().flatten()
    }

    fn of_client(&self, client: IpAddr) -> Arc<Semaphore> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has or awaits a place has a clone.
        clients.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        clients.entry(client).or_insert_with(|| Arc::new(Semaphore::new(self.per_client))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_client_takes_no_place_of_others_and_one_too_many_is_told_so() {
        let places = Places::new(3, 2);
        let [a, b]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let first = places.enter(a).await.expect("a place");
        let _second = places.enter(a).await.expect("a place");
        assert!(places.enter(a).await.is_none(), "two for one client");
        let third = places.enter(b).await.expect("a place");
        assert!(places.enter(b).await.is_none(), "three in all");
        drop(first);
        let _fourth = places.enter(a).await.expect("a place");
        drop(third);
        let _fifth = places.enter(b).await.expect("a place");
        assert_eq!(places.clients.lock().expect("no panic").len(), 2);
    }
}
