//! What a query came with: everything about it that is not in its octets.

use std::net::IpAddr;

/// How a query came, which decides how large its response may be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// At most what the client takes, and never more than [`super::Settings::udp_limit`]. The client's address
    /// is only said, so anyone may have sent the query.
    Udp,
    /// As large as the buffer, 65,535 octets at most: TCP, and whatever else proves the client's address before
    /// it asks (TLS, QUIC, HTTPS).
    Tcp,
}

/// What a query came with.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// How it came.
    pub transport: Transport,
    /// Where it came from: what cookies are made for (RFC 9018 §4).
    pub client: IpAddr,
    /// The time, in milliseconds since 1970.
    pub now: u64,
    /// Whether nobody but the client can read the response, so that it hides its length when asked to
    /// (RFC 7830, RFC 8467).
    pub is_encrypted: bool,
    /// How long the connection may stay idle, in tenths of a second, for clients that ask (RFC 7828).
    pub keepalive: Option<u16>,
    /// Whether this client had too many responses: it gets none of substance, but a way to prove its address
    /// (BADCOOKIE with a cookie, RFC 7873 §5.2.3; else TC, which sends it to TCP).
    pub is_limited: bool,
    /// Whether who asks for the response can pass the question on to another server, where a zone wants that. If not,
    /// it is answered from what is here.
    pub may_forward: bool,
}

impl Asked {
    /// Over `transport` from `client` at `now` (milliseconds since 1970), and nothing else.
    pub fn new(transport: Transport, client: IpAddr, now: u64) -> Self {
        Asked {
            transport,
            client,
            now,
            is_encrypted: false,
            keepalive: None,
            is_limited: false,
            may_forward: false,
        }
    }
}
