//! The PROXY protocol, version 2, as load balancers speak it: a header before the first octet of a stream
//! (or of a datagram) that says who the client is. [`parse`] is pure and for both.
//!
//! It is read only from sources that are trusted, and from those it must be there: a receiver that guesses
//! would let any client name itself. From others its signature is malformed input.

use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

/// No DNS message begins like this: as a header it would announce 20,817 questions.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family, length.
const FIXED: usize = 16;
/// Longer ones are refused; the addresses of UNIX sockets have 216 octets, and what load balancers add to
/// addresses is short.
const MOST: usize = 2048;

/// A header that was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    /// The client. Nothing when the proxy speaks for itself (LOCAL, as its health checks do) or does not
    /// say: then the client is who sends.
    pub(super) client: Option<SocketAddr>,
    /// Octets of the header.
    pub(super) len: usize,
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wrong {
    /// So many octets are needed at least to tell.
    Short(usize),
    /// It is none.
    Malformed,
}

/// Reads the header at the start of `octets`. What follows the addresses (TLVs) is skipped.
pub(super) fn parse(octets: &[u8]) -> Result<Header, Wrong> {
    let signature = octets.len().min(SIGNATURE.len());
    if octets[..signature] != SIGNATURE[..signature] {
        return Err(Wrong::Malformed);
    }
    let Some(fixed) = octets.first_chunk::<FIXED>() else { return Err(Wrong::Short(FIXED)) };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let len = FIXED + length;
    if len > MOST {
        return Err(Wrong::Malformed);
    }
    let addresses = match fixed[13] {
        // Unspecified, and UNIX sockets: no address that could be used.
        0x00 | 0x31 | 0x32 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        _ => return Err(Wrong::Malformed),
    };
    let is_local = match fixed[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(Wrong::Malformed),
    };
    if !is_local && length < addresses {
        return Err(Wrong::Malformed);
    }
    let Some(rest) = octets.get(FIXED..len) else { return Err(Wrong::Short(len)) };
    let client = if is_local { None } else { source(&rest[..addresses]) };
    Ok(Header { client, len })
}

/// The source among the addresses and ports: source, destination, port of the source, port of the
/// destination.
fn source(addresses: &[u8]) -> Option<SocketAddr> {
    let (ip, ports) = match addresses.len() {
        12 => (IpAddr::from(*addresses.first_chunk::<4>()?), &addresses[8..]),
        36 => (IpAddr::from(*addresses.first_chunk::<16>()?), &addresses[32..]),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([ports[0], ports[1]])))
}

/// Takes the header off a stream, and not an octet more. `None` when there is none, or the stream ends.
pub(super) async fn take<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Header> {
    let mut octets = Vec::with_capacity(FIXED);
    loop {
        match parse(&octets) {
            Ok(header) => return Some(header),
            Err(Wrong::Malformed) => return None,
            Err(Wrong::Short(needed)) => {
                let have = octets.len();
                octets.resize(needed, 0);
                stream.read_exact(&mut octets[have..]).await.ok()?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut octets = SIGNATURE.to_vec();
        octets.extend([command, family]);
        octets.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
        octets.extend(rest);
        octets
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0, 53];

    #[test]
    fn the_client_is_read_for_ipv4_and_ipv6_streams_and_datagrams() {
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        v6[15] = 1;
        v6[32..34].copy_from_slice(&[0, 99]);
        for (family, rest, client) in [
            (0x11, &V4[..], "192.0.2.7:4660"),
            (0x12, &V4, "192.0.2.7:4660"),
            (0x21, &v6, "[2001:db8::1]:99"),
            (0x22, &v6, "[2001:db8::1]:99"),
        ] {
            let client = Some(client.parse().expect("an address"));
            let octets = header(0x21, family, rest);
            assert_eq!(parse(&octets), Ok(Header { client, len: octets.len() }));
            // TLVs after the addresses, of any type, and the message after the header.
            let octets = header(0x21, family, &[rest, &[0xea, 0, 3, 1, 2, 3][..]].concat());
            let len = octets.len();
            assert_eq!(parse(&[&octets, &b"message"[..]].concat()), Ok(Header { client, len }));
        }
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_names_no_client() {
        for (command, family, rest) in [
            (0x20, 0x00, &[][..]),
            (0x20, 0x11, &V4),
            (0x20, 0x11, &[]),
            (0x21, 0x00, &[9]),
            (0x21, 0x31, &[0; 216]),
        ] {
            let octets = header(command, family, rest);
            assert_eq!(parse(&octets), Ok(Header { client: None, len: octets.len() }), "{octets:?}");
        }
    }

    #[test]
    fn what_the_protocol_does_not_know_is_malformed() {
        for (command, family, rest) in [
            (0x11, 0x11, &V4[..]),
            (0x22, 0x11, &V4),
            (0x21, 0x13, &V4),
            (0x21, 0x41, &V4),
            (0x21, 0x11, &V4[..11]),
            (0x21, 0x21, &V4),
            (0x21, 0x11, &[0; 3000]),
        ] {
            assert_eq!(parse(&header(command, family, rest)), Err(Wrong::Malformed), "{command} {family}");
        }
        assert_eq!(parse(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), Err(Wrong::Malformed));
        assert_eq!(parse(&[0, 29, 1, 2]), Err(Wrong::Malformed));
    }

    proptest! {
        /// However the octets arrive: too few are never taken for malformed, nor for a header.
        #[test]
        fn a_header_is_the_same_in_any_pieces(rest in proptest::collection::vec(any::<u8>(), 36..300), cut in 0..400usize) {
            let octets = header(0x21, 0x21, &rest);
            let piece = &octets[..cut.min(octets.len())];
            match parse(piece) {
                Ok(header) => prop_assert_eq!(header.len, octets.len()),
                Err(Wrong::Short(needed)) => {
                    prop_assert!(piece.len() < octets.len() && needed > piece.len() && needed <= octets.len());
                }
                Err(Wrong::Malformed) => prop_assert!(false, "malformed"),
            }
        }

        #[test]
        fn any_octets_are_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..100), signed: bool) {
            let octets = if signed { [&SIGNATURE[..], &octets].concat() } else { octets };
            match parse(&octets) {
                Ok(header) => prop_assert!(header.len <= octets.len()),
                Err(Wrong::Short(needed)) => prop_assert!(needed > octets.len() && needed <= MOST),
                Err(Wrong::Malformed) => {}
            }
        }
    }
}
