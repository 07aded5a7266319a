//! How many connections there are, and which one goes when there are too many.
//!
//! Each open connection has a slot that remembers when it last had a query answered. At a cap (of all
//! connections, or of those of one prefix of addresses) the connection for which that is longest ago is
//! told to close and its place is given away, so that a hoard of connections cannot keep out clients that
//! really ask. Handshakes that are not finished are counted so too, apart from connections.

use port53_zone::prefix::Prefix;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How many may be open.
#[derive(Clone, Debug)]
pub struct Caps {
    /// In all.
    pub all: usize,
    /// From one prefix.
    pub prefix: usize,
    /// Bits of an IPv4 prefix, at most 32.
    pub prefix_v4: u8,
    /// Bits of an IPv6 prefix, at most 128.
    pub prefix_v6: u8,
}

/// All that are open. The lock is taken when one opens and when one closes.
pub(super) struct Connections {
    caps: Caps,
    begun: Instant,
    next: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    places: HashMap<u64, Arc<Place>>,
    of_prefix: HashMap<Prefix, usize>,
}

struct Place {
    /// Nothing for a trusted proxy, which speaks for many.
    client: Option<IpAddr>,
    /// Of the client.
    prefix: Option<Prefix>,
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
    pub(super) fn new(caps: Caps) -> Self {
        Connections { caps, begun: Instant::now(), next: AtomicU64::new(0), open: Mutex::default() }
    }

    /// A place for a new connection of `client`; evicts another when there is none free.
    pub(super) fn enter(self: &Arc<Self>, client: Option<IpAddr>) -> Slot {
        let id = self.next.fetch_add(1, Relaxed);
        let prefix = client.map(|client| Prefix::of(client, self.caps.prefix_v4, self.caps.prefix_v6));
        let place = Arc::new(Place {
            client,
            prefix,
            last_useful: AtomicU64::new(self.now()),
            evicted: CancellationToken::new(),
        });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_prefix = prefix.and_then(|prefix| open.of_prefix.get(&prefix).copied()).unwrap_or(0);
        if of_prefix >= self.caps.prefix.max(1) {
            open.evict(|place| place.prefix == prefix);
        } else if open.places.len() >= self.caps.all.max(1) {
            open.evict(|_| true);
        }
        open.places.insert(id, place.clone());
        if let Some(prefix) = prefix {
            *open.of_prefix.entry(prefix).or_default() += 1;
        }
        Slot { id, place, connections: self.clone() }
    }

    /// How long a connection may stay without a query, `idle` being the most: less when three quarters of
    /// the places are taken, nothing when almost all are (RFC 7828 §3.3.2).
    pub(super) fn patience(&self, idle: Duration) -> Duration {
        let taken = self.open.lock().unwrap_or_else(PoisonError::into_inner).places.len();
        match taken.saturating_mul(16) / self.caps.all.max(1) {
            ..12 => idle,
            12..15 => idle / 4,
            15.. => Duration::ZERO,
        }
    }

    /// Whether half of the places are taken: time to ask more of those who come.
    pub(super) fn are_many(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).places.len() * 2 >= self.caps.all
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Open {
    /// Tells the longest unused of those that `may` go to close.
    fn evict(&mut self, may: impl Fn(&Place) -> bool) {
        let candidates = self.places.iter().filter(|(_, place)| may(place));
        let oldest = candidates.min_by_key(|(id, place)| (place.last_useful.load(Relaxed), **id));
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.remove(id).inspect(|place| place.evicted.cancel());
        }
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Place>> {
        let place = self.places.remove(&id)?;
        if let Some(prefix) = place.prefix
            && let Some(count) = self.of_prefix.get_mut(&prefix)
        {
            *count -= 1;
            if *count == 0 {
                self.of_prefix.remove(&prefix);
            }
        }
        Some(place)
    }
}

impl Slot {
    /// Whose it is.
    pub(super) fn client(&self) -> IpAddr {
        // A place of a proxy is one for the time before its client is known.
        self.place.client.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
    }

    /// A query was answered.
    pub(super) fn useful(&self) {
        self.place.last_useful.store(self.connections.now(), Relaxed);
    }

    /// How long ago a query was last answered, or since it opened.
    pub(super) fn unused(&self) -> Duration {
        let last = self.place.last_useful.load(Relaxed);
        Duration::from_millis(self.connections.now().saturating_sub(last))
    }

    /// Resolves when another connection got this place.
    pub(super) async fn evicted(&self) {
        self.place.evicted.cancelled().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(all: usize, prefix: usize) -> Arc<Connections> {
        Arc::new(Connections::new(Caps { all, prefix, prefix_v4: 24, prefix_v6: 56 }))
    }

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    fn is_evicted(slot: &Slot) -> bool {
        slot.place.evicted.is_cancelled()
    }

    /// RFC 7766 §6.2.3: idle connections go first when resources run out.
    #[test]
    fn rfc7766_6_2_3_at_the_cap_the_longest_unused_goes() {
        let connections = connections(2, 2);
        let first = connections.enter(None);
        let second = connections.enter(None);
        first.place.last_useful.store(u64::MAX, Relaxed);
        let third = connections.enter(None);
        assert!(is_evicted(&second));
        assert!(!is_evicted(&first) && !is_evicted(&third));
        drop(first);
        let _fourth = connections.enter(None);
        assert!(!is_evicted(&third), "a place was free");
    }

    #[test]
    fn at_the_cap_of_a_prefix_one_of_the_same_prefix_goes() {
        let connections = connections(10, 2);
        let oldest = connections.enter(from("198.51.100.1"));
        let v6 = connections.enter(from("2001:db8:0:100::1"));
        let first = connections.enter(from("192.0.2.1"));
        let second = connections.enter(from("::ffff:192.0.2.2"));
        let third = connections.enter(from("192.0.2.3"));
        assert!(is_evicted(&first), "the oldest of 192.0.2.0/24");
        assert!(!is_evicted(&oldest) && !is_evicted(&second) && !is_evicted(&third));
        let _v6 =
            [connections.enter(from("2001:db8:0:1ff::1")), connections.enter(from("2001:db8:0:1fe::1"))];
        assert!(is_evicted(&v6), "the oldest of 2001:db8:0:100::/56");
        drop((second, third));
        let _others = [connections.enter(from("192.0.2.4")), connections.enter(from("192.0.2.5"))];
        let open = connections.open.lock().expect("no panic");
        assert_eq!(open.places.len(), 5);
        assert_eq!(open.of_prefix.values().sum::<usize>(), 5, "what closed is not counted");
    }

    /// RFC 7828 §3.3.2: a server short of resources says a shorter time, or 0.
    #[test]
    fn rfc7828_3_3_2_patience_shrinks_near_the_cap() {
        let connections = connections(16, 16);
        let idle = Duration::from_secs(8);
        let mut slots: Vec<Slot> = (0..11).map(|_| connections.enter(None)).collect();
        assert_eq!(connections.patience(idle), idle);
        slots.push(connections.enter(None));
        assert_eq!(connections.patience(idle), idle / 4);
        slots.extend((0..3).map(|_| connections.enter(None)));
        assert_eq!(connections.patience(idle), Duration::ZERO);
    }
}
