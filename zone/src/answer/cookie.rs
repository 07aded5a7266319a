//! DNS cookies (RFC 7873) in the form that all servers can share (RFC 9018).
//!
//! A client sends eight octets of its choice. The server adds sixteen that only it can make, from these, the
//! client's address and the time, and keeps nothing. A client that sends them back has received them, so its
//! address is real. Every server with the same secret makes and knows the same cookies; with several secrets
//! the first makes and all verify, which is how a secret is replaced without a cookie being lost (RFC 9018 §5).

use siphasher::sip::SipHasher24;
use std::net::IpAddr;

/// A secret, 16 octets that all servers behind an address share.
pub type Secret = [u8; 16];

/// How old a cookie may be, and how far in the future, in seconds (RFC 9018 §4.3).
const GREATEST_AGE: u32 = 3600;
const GREATEST_LEAD: u32 = 300;
/// A cookie older than this is replaced by a new one (RFC 9018 §4.3).
const RENEWED_AFTER: u32 = 1800;
const VERSION: u8 = 1;

/// The secrets in use. Without one there are no cookies.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Secrets {
    sip: Vec<Sip>,
}

#[derive(Clone)]
struct Sip {
    secret: Secret,
    hasher: SipHasher24,
}

/// Octets of a whole cookie: the client's, then ours.
pub(crate) const WHOLE: usize = 24;

/// The COOKIE option of a query.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    client: [u8; 8],
    server: Server,
}

#[derive(Clone, Copy)]
enum Server {
    None,
    /// Of our length.
    Octets([u8; 16]),
    /// Of a length that RFC 7873 allows and we never make.
    Other,
}

/// What a query said about its sender by a cookie.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Cookie {
    /// There was none, or cookies are off.
    #[default]
    None,
    /// The client speaks cookies and has none of ours.
    Client,
    /// One that is not of ours, or too old.
    Invalid,
    /// The client has received an answer of ours at this address.
    Valid,
}

impl Secrets {
    /// The first makes cookies, all verify.
    pub fn new(secrets: &[Secret]) -> Self {
        let sip = |secret: &Secret| Sip { secret: *secret, hasher: SipHasher24::new_with_key(secret) };
        Secrets { sip: secrets.iter().map(sip).collect() }
    }

    /// Whether there are no cookies.
    pub fn is_empty(&self) -> bool {
        self.sip.is_empty()
    }

    /// What `sent` proves of `client` at `now` (seconds since 1970), and the cookie to answer with.
    pub(crate) fn judge(&self, sent: &Sent, client: IpAddr, now: u32) -> (Cookie, [u8; WHOLE]) {
        let Some(first) = self.sip.first() else { return (Cookie::None, [0; WHOLE]) };
        let valid_by = match &sent.server {
            Server::Octets(server) if server[0] == VERSION && is_in_time(server, now) => {
                let hash = server[8..].try_into().ok();
                self.sip.iter().position(|sip| Some(sip.hash(&sent.client, &server[..8], client)) == hash)
            }
            _ => None,
        };
        let cookie = match (&sent.server, valid_by) {
            (Server::None, _) => Cookie::Client,
            (_, None) => Cookie::Invalid,
            (_, Some(_)) => Cookie::Valid,
        };
        let mut whole = [0; WHOLE];
        whole[..8].copy_from_slice(&sent.client);
        match &sent.server {
            // RFC 9018 §4.3: one that is young is sent back as it came.
            Server::Octets(server) if valid_by == Some(0) && is_young(server, now) => {
                whole[8..].copy_from_slice(server);
            }
            _ => {
                whole[8] = VERSION;
                whole[12..16].copy_from_slice(&now.to_be_bytes());
                let hash = first.hash(&sent.client, &whole[8..16], client);
                whole[16..].copy_from_slice(&hash);
            }
        }
        (cookie, whole)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.sip.len())
    }
}

impl PartialEq for Sip {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Eq for Sip {}

impl Sip {
    /// RFC 9018 §4.4: over the client's cookie, version, reserved and time as they stand, and its address.
    fn hash(&self, client_cookie: &[u8; 8], head: &[u8], client: IpAddr) -> [u8; 8] {
        let mut octets = [0u8; 32];
        octets[..8].copy_from_slice(client_cookie);
        octets[8..16].copy_from_slice(head);
        let len = match client.to_canonical() {
            IpAddr::V4(address) => {
                octets[16..20].copy_from_slice(&address.octets());
                20
            }
            IpAddr::V6(address) => {
                octets[16..32].copy_from_slice(&address.octets());
                32
            }
        };
        self.hasher.hash(&octets[..len]).to_le_bytes()
    }
}

impl Sent {
    /// `None` for a length that there is not: the query is malformed (RFC 7873 §5.2.2).
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let (client, server) = value.split_first_chunk::<8>()?;
        let server = match server.len() {
            0 => Server::None,
            16 => Server::Octets(server.try_into().ok()?),
            8..=32 => Server::Other,
            _ => return None,
        };
        Some(Sent { client: *client, server })
    }
}

/// Seconds since the cookie was made, in serial arithmetic (RFC 9018 §4.3): 2^32 - 1 is a second from now.
fn age(server: &[u8; 16], now: u32) -> u32 {
    now.wrapping_sub(u32::from_be_bytes([server[4], server[5], server[6], server[7]]))
}

fn is_in_time(server: &[u8; 16], now: u32) -> bool {
    let age = age(server, now);
    age <= GREATEST_AGE || is_ahead(age)
}

fn is_young(server: &[u8; 16], now: u32) -> bool {
    let age = age(server, now);
    age <= RENEWED_AFTER || is_ahead(age)
}

fn is_ahead(age: u32) -> bool {
    age.wrapping_neg() <= GREATEST_LEAD
}

#[cfg(test)]
mod tests;
