//! Prefixes of addresses, for lists of those that are treated in another way.

use std::fmt::{Display, Formatter};
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin with the same bits. IPv4 is kept as mapped into IPv6.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    bits: u128,
    len: u32,
}

/// Bits before an IPv4 address that is mapped into IPv6.
const MAPPED: u32 = 96;

/// What is no prefix, and what to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrefixError {
    /// Not an address with a length.
    #[error("is no prefix: write it as 192.0.2.0/24, 2001:db8::/48 or 192.0.2.1")]
    Syntax,
    /// Bits are set beyond the length.
    #[error("has bits beyond its length: write {0}")]
    BitsBeyond(Prefix),
}

impl Prefix {
    /// The prefix of `address` with so many bits, by its family.
    pub fn of(address: IpAddr, bits_v4: u8, bits_v6: u8) -> Self {
        let len = match address.to_canonical() {
            IpAddr::V4(_) => MAPPED + u32::from(bits_v4.min(32)),
            IpAddr::V6(_) => u32::from(bits_v6.min(128)),
        };
        Prefix { bits: bits(address) & mask(len), len }
    }

    /// Whether it holds `address`.
    pub fn holds(&self, address: IpAddr) -> bool {
        (bits(address) ^ self.bits) & mask(self.len) == 0
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = match text.split_once('/') {
            None => (text, None),
            Some((address, len)) => (address, Some(len.parse::<u32>().map_err(|_| PrefixError::Syntax)?)),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Syntax)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let len = len.unwrap_or(whole);
        if len > whole {
            return Err(PrefixError::Syntax);
        }
        let len = len + 128 - whole;
        let prefix = Prefix { bits: bits(address) & mask(len), len };
        if prefix.bits != bits(address) {
            return Err(PrefixError::BitsBeyond(prefix));
        }
        Ok(prefix)
    }
}

impl Display for Prefix {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let address = Ipv6Addr::from(self.bits);
        match address.to_ipv4_mapped() {
            Some(address) if self.len >= MAPPED => write!(f, "{address}/{}", self.len - MAPPED),
            _ => write!(f, "{address}/{}", self.len),
        }
    }
}

/// The address as IPv6, where IPv4 is mapped into it.
pub fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// So many ones, from the first bit on.
pub fn mask(len: u32) -> u128 {
    u128::MAX.checked_shl(128 - len).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_what_begins_with_it() {
        for (prefix, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.0/24", "::ffff:192.0.2.7", "::192.0.2.7"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::/0", "192.0.2.1", ""),
        ] {
            let parsed: Prefix = prefix.parse().expect("a prefix");
            assert!(parsed.holds(inside.parse().expect("an address")), "{prefix} {inside}");
            if let Ok(outside) = outside.parse() {
                assert!(!parsed.holds(outside), "{prefix} {outside}");
            }
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{parsed}");
        }
    }

    #[test]
    fn what_is_no_prefix_is_told() {
        for text in ["", "example.com", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/-1", "/24"]
        {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError::Syntax), "{text}");
        }
        let error = "192.0.2.1/24".parse::<Prefix>().expect_err("bits beyond");
        assert_eq!(error.to_string(), "has bits beyond its length: write 192.0.2.0/24");
    }
}
