//! What may be set about answering.

use super::cookie::Secrets;
use super::opt::GREATEST_NSID;

/// What may be set about answering.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest UDP response in octets, 512 to 4096. 1232 fits every path of IPv6 (RFC 9715 §3.2).
    pub udp_limit: u16,
    /// How many times as much as came may go to an address that is not proven, headers of IP and UDP counted;
    /// 512 octets may in any case. 0 for no such limit.
    pub udp_ratio: u16,
    /// DNS cookies (RFC 7873, RFC 9018). Without secrets there are none.
    pub cookies: Secrets,
    /// Whether who speaks cookies must have one of ours to be answered over UDP, and gets BADCOOKIE with one
    /// until then (RFC 7873 §5.2.3). Who does not speak them is answered.
    pub require_cookies: bool,
    /// Which server this is, for who asks (NSID, RFC 5001).
    pub nsid: Text,
    /// `version.bind` and `version.server` of class CHAOS (RFC 4892); refused when empty.
    pub chaos_version: Text,
    /// `id.server` and `hostname.bind` of class CHAOS (RFC 4892); refused when empty.
    pub chaos_id: Text,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            udp_limit: 1232,
            udp_ratio: 24,
            cookies: Secrets::default(),
            require_cookies: false,
            nsid: Text::default(),
            chaos_version: Text::default(),
            chaos_id: Text::default(),
        }
    }
}

/// A short text of the operator's choice, or none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Text(Box<[u8]>);

/// Octets that a [`Text`] may have, so that it has room in every response.
pub const GREATEST_TEXT: usize = GREATEST_NSID;

impl Text {
    /// `None` when it is longer than [`GREATEST_TEXT`].
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= GREATEST_TEXT).then(|| Text(text.as_bytes().into()))
    }

    /// Its octets; none when there is no text.
    pub fn octets(&self) -> Option<&[u8]> {
        Some(&*self.0).filter(|octets| !octets.is_empty())
    }
}
