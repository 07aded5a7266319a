//! Response rate limiting: how many responses that are alike go to one prefix of clients in a second.
//!
//! Whoever sends queries in the name of others makes us send responses to them. Nothing in a UDP query says
//! whether its address is real, so it is the responses that are counted: by the prefix that they go to, and by
//! what makes them alike ([`Responded::kind`], [`Responded::alike`]): answers by their name, but those that
//! were made for it, and everything else, by the zone, so that random names count together; and all of a prefix
//! together, whatever they are. Beyond the limit there is no response, but for every second of them (slip): that
//! one is as short as the query and sends a client that is real to TCP, or gives it a cookie. Not counted are clients whose cookie shows that they are
//! where they say, those over TCP, and the prefixes of a list.
//!
//! A table belongs to one thread, has a fixed size, and is looked into once or twice a response. An entry is a
//! bucket that holds what may be sent in a second and is filled with time. Four entries share a cache line; who
//! needs a fifth takes the place of the one that was idle longest.

use foldhash::fast::RandomState;
use port53_zone::answer::{Cookie, Responded};
use port53_zone::prefix::{Prefix, bits, mask};
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

/// What may be set about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rates {
    /// Responses a second that are alike, to one prefix, from one thread. 0 for no limit at all.
    pub alike: u32,
    /// Responses a second of all kinds, to one prefix, from one thread. 0 for no such limit.
    pub all: u32,
    /// Of the responses beyond the limit, one in so many is sent as TC or BADCOOKIE. 0 for none.
    pub slip: u32,
    /// Bits of a prefix of IPv4.
    pub ipv4_len: u32,
    /// Bits of a prefix of IPv6.
    pub ipv6_len: u32,
    /// Clients without limits.
    pub exempt: Vec<Prefix>,
}

impl Default for Rates {
    fn default() -> Self {
        // They are written in a form that can be read; a test shows it.
        let exempt = PRIVATE.iter().filter_map(|prefix| prefix.parse().ok()).collect();
        Rates { alike: 200, all: 2000, slip: 2, ipv4_len: 24, ipv6_len: 56, exempt }
    }
}

/// Addresses that nobody has in the public network. Behind a load balancer or a Service that hides its clients,
/// these are what every client seems to have, and limiting one would limit all.
pub const PRIVATE: [&str; 10] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1",
    "fc00::/7",
    "fe80::/10",
    "64:ff9b:1::/48",
];

/// What becomes of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Send,
    /// A short one in its place, by which a real client finds another way.
    Slip,
    Drop,
}

/// Entries of a table: 1 MiB.
const ENTRIES: usize = 1 << 16;
const TOGETHER: usize = 4;
const CACHE_LINE: usize = 64;
/// One response in the unit of buckets, which are filled by the millisecond.
const RESPONSE: u64 = 1000;

/// What was sent lately, by one thread.
pub(super) struct Table {
    /// Buckets as numbers, zeros at first: memory that nobody has touched is not there yet.
    buckets: Box<[u128]>,
    /// The first that begins a cache line.
    first: usize,
    /// Drawn anew, so that nobody can choose what shares a set.
    key: RandomState,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// Which responses; 0 when nobody has it.
    tag: u32,
    /// When it was last filled, in milliseconds, turning over.
    at: u32,
    /// What may still be sent, in thousandths of a response.
    left: u32,
    /// Responses that were not sent.
    denied: u32,
}

impl Bucket {
    fn read(number: u128) -> Self {
        let field = |at: u32| (number >> (32 * at)) as u32;
        Bucket { tag: field(0), at: field(1), left: field(2), denied: field(3) }
    }

    fn number(self) -> u128 {
        [self.denied, self.left, self.at, self.tag]
            .into_iter()
            .fold(0, |all, field| all << 32 | u128::from(field))
    }
}

impl Table {
    pub(super) fn new() -> Self {
        let buckets = vec![0; ENTRIES + TOGETHER - 1].into_boxed_slice();
        let first = buckets.as_ptr().align_offset(CACHE_LINE).min(TOGETHER - 1);
        Table { buckets, first, key: RandomState::default() }
    }

    /// What becomes of `made` for `client` at `now`, in milliseconds.
    pub(super) fn judge(&mut self, rates: &Rates, client: IpAddr, made: &Responded, now: u64) -> Verdict {
        // The list is short, and no memory is touched that is seldom in a cache.
        let is_exempt = || rates.exempt.iter().any(|prefix| prefix.holds(client));
        if rates.alike == 0 || made.cookie == Cookie::Valid || is_exempt() {
            return Verdict::Send;
        }
        let len = if client.to_canonical().is_ipv4() { 96 + rates.ipv4_len } else { rates.ipv6_len };
        let prefix = bits(client) & mask(len);
        let all = self.hash(prefix, None);
        let alike = self.hash(prefix, Some((made.kind as u64, made.alike)));
        match self.take(alike, rates.alike, rates.slip, now) {
            Verdict::Send if rates.all > 0 => self.take(all, rates.all, rates.slip, now),
            verdict => verdict,
        }
    }

    fn hash(&self, prefix: u128, what: Option<(u64, u64)>) -> u64 {
        let mut hasher = self.key.build_hasher();
        hasher.write_u128(prefix);
        if let Some((kind, alike)) = what {
            hasher.write_u64(kind);
            hasher.write_u64(alike);
        }
        hasher.finish()
    }

    /// Takes one response from a bucket that is filled at `rate` a second and holds as much.
    fn take(&mut self, hash: u64, rate: u32, slip: u32, now: u64) -> Verdict {
        // No bucket has tag 0.
        let (tag, at) = ((hash >> 32) as u32 | 1, now as u32);
        let full = u64::from(rate) * RESPONSE;
        let begin = self.first + hash as usize % (ENTRIES / TOGETHER) * TOGETHER;
        let set = &mut self.buckets[begin..begin + TOGETHER];
        let mut place = 0;
        let mut longest = 0;
        for (i, bucket) in set.iter().enumerate() {
            let bucket = Bucket::read(*bucket);
            if bucket.tag == tag {
                place = i;
                break;
            }
            let idle = if bucket.tag == 0 { u32::MAX } else { at.wrapping_sub(bucket.at) };
            if idle >= longest {
                (place, longest) = (i, idle);
            }
        }
        let mut bucket = Bucket::read(set[place]);
        let mut left = full;
        if bucket.tag == tag {
            let filled = u64::from(at.wrapping_sub(bucket.at)) * u64::from(rate);
            left = full.min(u64::from(bucket.left) + filled);
        } else {
            bucket = Bucket { tag, ..Bucket::default() };
        }
        let verdict = match left.checked_sub(RESPONSE) {
            Some(rest) => {
                left = rest;
                Verdict::Send
            }
            None => {
                bucket.denied = bucket.denied.wrapping_add(1);
                if slip > 0 && bucket.denied.is_multiple_of(slip) { Verdict::Slip } else { Verdict::Drop }
            }
        };
        (bucket.at, bucket.left) = (at, left as u32);
        set[place] = bucket.number();
        verdict
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
