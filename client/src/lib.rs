//! The way to an API server, for all who have one to go: operator, resolver and `kubectl port53`.
//!
//! | room | what it does |
//! |---|---|
//! | `connect` | a client with what the library's own lacks, and its errors in words |
//! | [`watch`] | lists and watches; when to list again |
//! | `place` | how far a watch came, and whether it may go on from there. Pure |
//! | `fetch` | a checkpoint out of slices that are fetched one by one |
//! | `program` | what every program of ours does at its ends |
//! | [`slices`] | fetching them from a namespace, with patience |
//!
//! What is read is not judged here: that is for those who ask.

mod connect;
mod fetch;
mod place;
mod program;
pub mod slices;
pub mod watch;

pub use connect::{client, connect, explain, is_configured, is_passing};
pub use fetch::FetchError;
pub use program::{chain, on_signal};

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// From half of `pause` to all of it: who lost the same API server should not come back at once.
pub fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) as u32;
    pause / 2 + (pause / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread() {
        let pauses: Vec<Duration> = (0..50).map(|_| jittered(Duration::from_secs(1))).collect();
        assert!(pauses.iter().all(|pause| (500..=1000).contains(&pause.as_millis())));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
