//! The messages that answer a query of ours, one after another (RFC 8945 §5.3.1): the first and the last are signed,
//! and at most 99 in a row between are not. Each signature covers the one before it and what came unsigned since.

use super::{
    BADKEY, BADSIG, BADTIME, BADTRUNC, MOST_UNSIGNED, Signer, find_in_response, prefixed, variables,
};
use crate::keys::Key;
use std::sync::Arc;

/// Checks the answers to one query.
pub struct Answers {
    key: Arc<Key>,
    /// What the next MAC covers before its message.
    before: Vec<u8>,
    /// How many messages since the last that was signed.
    unsigned: u32,
    is_first: bool,
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// The first, the last or the only answer has no TSIG.
    #[error(
        "is not signed, although the query was: let the server answer with the key that it was asked with"
    )]
    Unsigned,
    /// A hundred messages in a row have none (RFC 8945 §5.3.1).
    #[error("has more than 99 messages in a row without a signature")]
    TooFewSigned,
    /// It has a TSIG that cannot be one, or not in its place (RFC 8945 §5.1).
    #[error("has a TSIG record that is malformed or not the last")]
    Malformed,
    /// Signed, but with another key or algorithm.
    #[error("is signed with another key or algorithm than the query")]
    AnotherKey,
    /// The MAC is not that of the message (RFC 8945 §5.3).
    #[error("has a wrong signature: it was changed on its way, or the secrets of both sides differ")]
    WrongMac,
    /// Signed at a time too far from ours.
    #[error("was signed at {theirs}, and it is {ours} here (seconds since 1970): set both clocks")]
    WrongTime {
        /// When it says that it was signed, in seconds since 1970.
        theirs: u64,
        /// Our time.
        ours: u64,
    },
    /// The server says that our query was not signed rightly. Nobody may have signed that (RFC 8945 §5.3.2), so it
    /// explains and proves nothing.
    #[error("says {0}")]
    Said(TsigError),
}

/// What a TSIG record says of the query before (RFC 8945 §3, §5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TsigError {
    /// 16: the signature was not right.
    #[error("BADSIG: the server has another secret for the key; write the same on both sides")]
    BadSig,
    /// 17: the key or its algorithm is not known there, or not for this.
    #[error("BADKEY: the server knows no key of this name and algorithm; name one that it has")]
    BadKey,
    /// 18: the clocks are too far apart.
    #[error("BADTIME: the clocks of both sides differ by more than five minutes; set them")]
    BadTime,
    /// 22: a signature was shorter than the server takes.
    #[error("BADTRUNC: the server takes no shortened signature; use an algorithm without truncation")]
    BadTrunc,
    /// Another.
    #[error("error {0} of TSIG")]
    Other(u16),
}

impl From<u16> for TsigError {
    fn from(error: u16) -> Self {
        match error {
            BADSIG => TsigError::BadSig,
            BADKEY => TsigError::BadKey,
            BADTIME => TsigError::BadTime,
            BADTRUNC => TsigError::BadTrunc,
            other => TsigError::Other(other),
        }
    }
}

impl Answers {
    /// Those to a query that `signer` has signed.
    pub fn to(signer: &Signer) -> Self {
        Answers { key: signer.key.clone(), before: signer.before.clone(), unsigned: 0, is_first: true }
    }

    /// Takes the next message at the time `now`, in seconds since 1970. What is wrong once stays wrong: nothing of
    /// the answers may be used.
    ///
    /// # Errors
    /// Why it is not an answer to the query.
    pub fn take(&mut self, message: &[u8], now: u64) -> Result<(), Flaw> {
        let tsig = match find_in_response(message) {
            Some(Ok(tsig)) => tsig,
            Some(Err(())) => return Err(Flaw::Malformed),
            None if self.is_first => return Err(Flaw::Unsigned),
            None if self.unsigned == MOST_UNSIGNED => return Err(Flaw::TooFewSigned),
            None => {
                self.before.extend_from_slice(message);
                self.unsigned += 1;
                return Ok(());
            }
        };
        if tsig.error != 0 {
            return Err(Flaw::Said(tsig.error.into()));
        }
        if tsig.key != self.key.name || tsig.algorithm != self.key.algorithm.name() {
            return Err(Flaw::AnotherKey);
        }
        let covered = if self.is_first {
            variables(&tsig.key, &tsig.algorithm, tsig.time, tsig.fudge, tsig.error, &tsig.other)
        } else {
            [&tsig.time.to_be_bytes()[2..], &tsig.fudge.to_be_bytes()].concat()
        };
        if tsig.mac.len() != self.key.algorithm.octets()
            || !self.key.is_mac_of(&[&self.before, &tsig.message, &covered], &tsig.mac)
        {
            return Err(Flaw::WrongMac);
        }
        if now.abs_diff(tsig.time) > u64::from(tsig.fudge) {
            return Err(Flaw::WrongTime { theirs: tsig.time, ours: now });
        }
        self.before = prefixed(&tsig.mac);
        (self.unsigned, self.is_first) = (0, false);
        Ok(())
    }

    /// Whether what was taken so far may be all: the last message must be signed.
    pub fn may_end(&self) -> bool {
        !self.is_first && self.unsigned == 0
    }
}
