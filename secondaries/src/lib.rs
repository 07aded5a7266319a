//! What a primary and its secondaries say to each other beside transfers: keys, signatures, NOTIFY.
//!
//! | room | what it does |
//! |---|---|
//! | [`keys`] | TSIG keys, and a directory that they are read from |
//! | [`tsig`] | messages that are signed (RFC 8945). Pure |
//! | [`notify`] | secondaries are told of new versions (RFC 1996) |
//!
//! TSIG is our own over the `hmac` crates: that of `domain` has neither SHA-224 nor the truncated algorithms of
//! RFC 8945 §6, which all peers have.

pub mod keys;
pub mod notify;
pub mod tsig;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::SystemTime;

/// Seconds since 1970, as TSIG has them.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// An ID for a message of ours that nobody can guess (RFC 5452 §9.2).
pub fn random_id() -> [u8; 2] {
    (RandomState::new().build_hasher().finish() as u16).to_be_bytes()
}
