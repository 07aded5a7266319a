//! Prefixes of addresses, as `192.0.2.0/24`.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address and how many of its bits count; the others are 0. IPv4 inside IPv6 is IPv4.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// The prefix of `address` with so many bits, by its family.
    pub fn of(address: IpAddr, bits_v4: u8, bits_v6: u8) -> Prefix {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = bits_v4.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Prefix { address: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), bits }
            }
            IpAddr::V6(v6) => {
                let bits = bits_v6.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Prefix { address: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), bits }
            }
        }
    }

    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Prefix::of(address, self.bits, self.bits) == *self
    }
}

impl FromStr for Prefix {
    type Err = ();

    /// `192.0.2.0/24`, `2001:db8::/32`, or an address alone. Bits after the prefix must be 0.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = bits.unwrap_or(most);
        let prefix = Prefix::of(address, bits, bits);
        if bits <= most && prefix.address == address { Ok(prefix) } else { Err(()) }
    }
}

impl Display for Prefix {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_read_and_contain_their_addresses() {
        let prefix = |text: &str| text.parse::<Prefix>();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "::ffff:192.0.2.1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("::/0", "::1", "192.0.2.1"),
        ] {
            let prefix = prefix(text).expect("a prefix");
            assert!(prefix.contains(address(inside)) && !prefix.contains(address(outside)), "{text}");
            assert_eq!(prefix.to_string().parse(), Ok(prefix));
        }
        for wrong in ["", "192.0.2.1/24", "192.0.2.0/33", "::/129", "192.0.2.0/", "example.com", "10/8"] {
            assert_eq!(prefix(wrong), Err(()), "{wrong}");
        }
    }
}
