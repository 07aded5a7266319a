//! TSIG (RFC 8945): messages signed with a secret that both sides know. Pure: the time is given.
//!
//! ```text
//! query ──Asked::read──▶ its TSIG apart ──verify──▶ Signer ──sign──▶ response, or one after another
//! Signer ──sign──▶ a query of ours ──▶ Answers ──take──▶ its response, or one after another
//! ```
//!
//! All of RFC 8945 §6 but HMAC-MD5, which must not be used any more, and GSS-TSIG. A MAC must have its full
//! length.

mod answers;

pub use answers::{Answers, Flaw, TsigError};

use crate::keys::{Key, Keys};
use std::sync::Arc;

const HEADER: usize = 12;
/// The greatest name (RFC 1035 §2.3.4).
const GREATEST_NAME: usize = 255;
/// The greatest message (RFC 1035 §4.2.2).
const MESSAGE: usize = 65_535;
const TSIG: [u8; 2] = [0, 250];
const ANY: [u8; 2] = [0, 255];
/// Seconds that the clocks of both sides may differ in what we send (RFC 8945 §10).
const FUDGE: u16 = 300;

/// Messages in a row that may go without a signature (RFC 8945 §5.3.1).
const MOST_UNSIGNED: u32 = 99;

const FORMERR: u8 = 1;
const NOTAUTH: u8 = 9;
const BADSIG: u16 = 16;
const BADKEY: u16 = 17;
const BADTIME: u16 = 18;
const BADTRUNC: u16 = 22;

/// What a message says of its signature.
pub enum Asked {
    /// Nothing.
    Unsigned,
    /// It has a TSIG that cannot be one (RFC 8945 §5.1).
    Malformed,
    /// This.
    Signed(Tsig),
}

/// A TSIG record, taken apart (RFC 8945 §4.2), and the message without it.
pub struct Tsig {
    key: Vec<u8>,
    algorithm: Vec<u8>,
    time: u64,
    fudge: u16,
    mac: Vec<u8>,
    error: u16,
    other: Vec<u8>,
    /// The message as it was before it was signed, with its ID of then.
    message: Vec<u8>,
    id: [u8; 2],
}

impl Asked {
    /// Reads the TSIG of a message, which is its last record. What cannot be read at all is left to others.
    pub fn read(message: &[u8]) -> Asked {
        match Self::find(message) {
            None => Asked::Unsigned,
            Some(Err(())) => Asked::Malformed,
            Some(Ok(tsig)) => Asked::Signed(tsig),
        }
    }

    fn find(message: &[u8]) -> Option<Result<Tsig, ()>> {
        let count = |at: usize| Some(u16::from_be_bytes(*message.get(at..)?.first_chunk::<2>()?));
        if count(10)? == 0 || message[2] & 0x80 != 0 {
            return None;
        }
        let mut at = HEADER;
        for _ in 0..count(4)? {
            at = skip_labels(message, at)? + 4;
        }
        let mut found = None;
        let (before, additional) = (u32::from(count(6)?) + u32::from(count(8)?), u32::from(count(10)?));
        for place in 1..=before + additional {
            let begin = at;
            let fixed_at = skip_name(message, at)?;
            let fixed = message.get(fixed_at..)?.first_chunk::<10>()?;
            at = fixed_at + 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            let rdata = message.get(fixed_at + 10..at)?;
            if fixed[..2] == TSIG {
                let is_in_its_place =
                    place == before + additional && fixed[2..4] == ANY && fixed[4..8] == [0; 4];
                let tsig = is_in_its_place.then(|| Tsig::read(message, begin, rdata)).flatten();
                found = Some(tsig.ok_or(()));
                if !is_in_its_place {
                    return found;
                }
            }
        }
        found
    }
}

impl Tsig {
    fn read(message: &[u8], begin: usize, rdata: &[u8]) -> Option<Self> {
        let key = expand_name(message, begin)?;
        // RFC 8945 §4.2: it is not compressed, and a name as any other.
        let (algorithm, rest) = rdata.split_at_checked(skip_labels(rdata, 0)?)?;
        let (fixed, rest) = rest.split_first_chunk::<10>()?;
        let (mac, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([fixed[8], fixed[9]])))?;
        let (end, other) = rest.split_first_chunk::<6>()?;
        if other.len() != usize::from(u16::from_be_bytes([end[4], end[5]])) || algorithm.len() > GREATEST_NAME
        {
            return None;
        }
        let mut unsigned = message[..begin].to_vec();
        let additional = u16::from_be_bytes([unsigned[10], unsigned[11]]) - 1;
        unsigned[10..12].copy_from_slice(&additional.to_be_bytes());
        unsigned[..2].copy_from_slice(&end[..2]);
        Some(Tsig {
            key,
            algorithm: algorithm.to_ascii_lowercase(),
            time: u64::from_be_bytes([0, 0, fixed[0], fixed[1], fixed[2], fixed[3], fixed[4], fixed[5]]),
            fudge: u16::from_be_bytes([fixed[6], fixed[7]]),
            mac: mac.to_vec(),
            error: u16::from_be_bytes([end[2], end[3]]),
            other: other.to_vec(),
            message: unsigned,
            id: [message[0], message[1]],
        })
    }

    /// Checks the signature in the order of RFC 8945 §5.2: key, MAC, time, truncation.
    ///
    /// # Errors
    /// The whole response that says why it is not right.
    pub fn verify(self, keys: &Keys, now: u64) -> Result<Verified, Vec<u8>> {
        let Some(key) = keys.get(&self.key).filter(|key| key.algorithm.name() == self.algorithm) else {
            return Err(self.refuse_unsigned(BADKEY));
        };
        let full = key.algorithm.octets();
        if self.mac.len() > full || self.mac.len() < (full / 2).max(10) {
            // RFC 8945 §5.2.2.1.
            return Err(error_response(&self.message, self.id, FORMERR));
        }
        let variables = variables(&self.key, &self.algorithm, self.time, self.fudge, self.error, &self.other);
        if !key.is_mac_of(&[&self.message, &variables], &self.mac) {
            return Err(self.refuse_unsigned(BADSIG));
        }
        let mut message = self.message;
        message[..2].copy_from_slice(&self.id);
        let before = prefixed(&self.mac);
        let signer =
            Signer { key: key.clone(), time: now, fudge: FUDGE, before, unsigned: 0, is_first: true };
        let problem = if now.abs_diff(self.time) > u64::from(self.fudge) {
            BADTIME
        } else if self.mac.len() < full {
            BADTRUNC
        } else {
            return Ok(Verified { message, signer });
        };
        // RFC 8945 §5.2.3: such a response is signed, BADTIME with the time and fudge of the client, and our time
        // beside them.
        let mut response = error_response(&message, self.id, NOTAUTH);
        let other = if problem == BADTIME { &now.to_be_bytes()[2..] } else { &[] };
        let (time, fudge) = if problem == BADTIME { (self.time, self.fudge) } else { (now, FUDGE) };
        let signer = Signer { time, fudge, ..signer };
        signer.finish(&mut response, problem, other);
        Err(response)
    }

    /// RFC 8945 §5.2.1 and §5.2.2: with a TSIG that has no MAC.
    fn refuse_unsigned(&self, error: u16) -> Vec<u8> {
        let mut response = error_response(&self.message, self.id, NOTAUTH);
        let (name, algorithm) = (&self.key, &self.algorithm);
        append(&mut response, name, algorithm, self.time, self.fudge, &[], self.id, error, &[]);
        response
    }
}

/// A query whose signature was right.
pub struct Verified {
    /// The query without its TSIG.
    pub message: Vec<u8>,
    /// Signs what answers it.
    pub signer: Signer,
}

/// Signs the messages that answer one query, or a query of ours.
pub struct Signer {
    key: Arc<Key>,
    time: u64,
    fudge: u16,
    /// What the next MAC covers before its message: the MAC of the message before with its length, and the
    /// messages since then that were not signed.
    before: Vec<u8>,
    /// How many these are.
    unsigned: u32,
    is_first: bool,
}

impl Signer {
    /// Signs a query of ours.
    pub fn of_query(key: Arc<Key>, now: u64) -> Self {
        Signer { key, time: now, fudge: FUDGE, before: Vec::new(), unsigned: 0, is_first: true }
    }

    /// The key.
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Octets that a signature adds.
    pub fn octets(&self) -> usize {
        let Key { name, algorithm, .. } = &*self.key;
        name.len() + 10 + algorithm.name().len() + 16 + algorithm.octets()
    }

    /// Signs the next message. One that has no room for it stays without, which the first and the last may not be,
    /// nor a hundred in a row (RFC 8945 §5.3.1). Says whether it may be sent.
    pub fn sign(&mut self, message: &mut Vec<u8>, now: u64) -> bool {
        if message.len() + self.octets() > MESSAGE {
            if self.is_first || self.unsigned == MOST_UNSIGNED {
                return false;
            }
            self.before.extend_from_slice(message);
            self.unsigned += 1;
            return true;
        }
        self.time = now;
        let mac = self.mac(message, 0, &[]);
        self.append(message, &mac, 0, &[]);
        self.before = prefixed(&mac);
        (self.unsigned, self.is_first) = (0, false);
        true
    }

    /// Whether a message is the only answer to a query of ours that this has signed, at the time `now`.
    pub fn is_right(&self, response: &[u8], now: u64) -> bool {
        Answers::to(self).take(response, now).is_ok()
    }

    fn finish(self, message: &mut Vec<u8>, error: u16, other: &[u8]) {
        let mac = self.mac(message, error, other);
        self.append(message, &mac, error, other);
    }

    fn mac(&self, message: &[u8], error: u16, other: &[u8]) -> Vec<u8> {
        let timers = [&self.time.to_be_bytes()[2..], &self.fudge.to_be_bytes()].concat();
        let all = variables(&self.key.name, self.key.algorithm.name(), self.time, self.fudge, error, other);
        // RFC 8945 §5.3.1: from the second message on only the timers.
        self.key.mac(&[&self.before, message, if self.is_first { &all } else { &timers }])
    }

    fn append(&self, message: &mut Vec<u8>, mac: &[u8], error: u16, other: &[u8]) {
        let id = [message[0], message[1]];
        let Key { name, algorithm, .. } = &*self.key;
        append(message, name, algorithm.name(), self.time, self.fudge, mac, id, error, other);
    }
}

fn find_in_response(response: &[u8]) -> Option<Result<Tsig, ()>> {
    let mut message = response.to_vec();
    *message.get_mut(2)? &= 0x7f;
    let mut found = Asked::find(&message)?;
    if let Ok(tsig) = &mut found {
        tsig.message[2] |= 0x80;
    }
    Some(found)
}

/// The response to a query that is answered with its question and nothing else.
fn error_response(query: &[u8], id: [u8; 2], rcode: u8) -> Vec<u8> {
    let one_question = query.get(4..6) == Some(&[0, 1]);
    let end = one_question.then(|| skip_labels(query, HEADER)).flatten().map(|at| at + 4);
    let question = end.and_then(|end| query.get(HEADER..end)).unwrap_or_default();
    let flags = [0x80 | (query[2] & 0x79), (query[3] & 0x10) | rcode];
    let counts = [0, u8::from(!question.is_empty()), 0, 0, 0, 0, 0, 0];
    [&id[..], &flags, &counts, question].concat()
}

/// What RFC 8945 says a message is answered with whose TSIG is out of place.
pub fn malformed(query: &[u8]) -> Vec<u8> {
    error_response(query, [query[0], query[1]], FORMERR)
}

/// RFC 8945 §5.3: a response without room for its signature is its question with TC.
pub fn truncate(response: &mut Vec<u8>) {
    let id = [response[0], response[1]];
    let has_authority = response[2] & 0x04;
    *response = error_response(response, id, 0);
    response[2] |= 0x02 | has_authority;
}

/// RFC 8945 §4.3.3, names in canonical form.
fn variables(key: &[u8], algorithm: &[u8], time: u64, fudge: u16, error: u16, other: &[u8]) -> Vec<u8> {
    let key = key.to_ascii_lowercase();
    let length = (other.len() as u16).to_be_bytes();
    let (time, fudge, error) = (time.to_be_bytes(), fudge.to_be_bytes(), error.to_be_bytes());
    [&key[..], &ANY, &[0; 4], algorithm, &time[2..], &fudge, &error, &length, other].concat()
}

/// RFC 8945 §4.2.
#[expect(clippy::too_many_arguments, reason = "the fields of the record")]
fn append(
    message: &mut Vec<u8>,
    key: &[u8],
    algorithm: &[u8],
    time: u64,
    fudge: u16,
    mac: &[u8],
    id: [u8; 2],
    error: u16,
    other: &[u8],
) {
    let length = (algorithm.len() + 16 + mac.len() + other.len()) as u16;
    for part in [key, &TSIG, &ANY, &[0; 4], &length.to_be_bytes(), algorithm, &time.to_be_bytes()[2..]] {
        message.extend_from_slice(part);
    }
    message.extend_from_slice(&fudge.to_be_bytes());
    message.extend_from_slice(&prefixed(mac));
    message.extend_from_slice(&id);
    message.extend_from_slice(&error.to_be_bytes());
    message.extend_from_slice(&prefixed(other));
    let additional = u16::from_be_bytes([message[10], message[11]]) + 1;
    message[10..12].copy_from_slice(&additional.to_be_bytes());
}

/// With two octets of length before.
fn prefixed(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u16).to_be_bytes()[..], octets].concat()
}

/// The offset after a name without pointers, as that of a question is: nothing is before it to point to.
fn skip_labels(message: &[u8], mut at: usize) -> Option<usize> {
    while let length @ 1..=63 = *message.get(at)? {
        at += 1 + usize::from(length);
    }
    (message[at] == 0).then_some(at + 1)
}

/// The offset after a name that may end in a pointer.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return message.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
    }
}

/// A name with its pointers followed, which only lead back (RFC 1035 §4.1.4), in lower case.
fn expand_name(message: &[u8], mut at: usize) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut begin = at;
    loop {
        match *message.get(at)? {
            length @ 0..=63 => {
                let end = at + 1 + usize::from(length);
                name.extend_from_slice(message.get(at..end)?);
                if name.len() > 255 {
                    return None;
                }
                if length == 0 {
                    name.make_ascii_lowercase();
                    return Some(name);
                }
                at = end;
            }
            high @ 0xc0.. => {
                let target = usize::from(high & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                if target >= begin {
                    return None;
                }
                (begin, at) = (target, target);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
