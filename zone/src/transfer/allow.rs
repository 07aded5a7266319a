//! Who may have a zone.

use crate::name::{self, Name};
use crate::prefix::{Prefix, PrefixError};
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::str::FromStr;

/// Someone who may have a zone. As text: `192.0.2.0/24`, `2001:db8::1`, or `key:NAME`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Allow {
    /// Who asks from here.
    Prefix(Prefix),
    /// Who signs with the key of this name.
    Key(Name),
}

impl Allow {
    /// Whether it is who asks from `client` and signed with the key of this name in wire form.
    pub fn permits(&self, client: IpAddr, key: Option<&[u8]>) -> bool {
        match self {
            Allow::Prefix(prefix) => prefix.holds(client),
            Allow::Key(name) => key.is_some_and(|key| key.eq_ignore_ascii_case(name.as_slice())),
        }
    }
}

impl FromStr for Allow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(key) = text.strip_prefix("key:") {
            return name::parse_absolute(key)
                .map(Allow::Key)
                .map_err(|error| format!("names a key that {error}"));
        }
        text.parse().map(Allow::Prefix).map_err(|error| match error {
            PrefixError::Syntax => {
                "is neither a prefix nor a key: write 192.0.2.0/24, 2001:db8::1 or key:NAME".to_owned()
            }
            error => error.to_string(),
        })
    }
}

impl Display for Allow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Allow::Prefix(prefix) => write!(f, "{prefix}"),
            Allow::Key(name) => write!(f, "key:{}", name::display(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_prefix_or_a_key() {
        for right in ["192.0.2.0/24", "2001:db8::1", "key:xfr.example", "key:xfr.example."] {
            let read: Allow = right.parse().expect("an entry");
            assert_eq!(read.to_string().parse(), Ok(read), "{right}");
        }
        for (wrong, what) in [
            ("key:a..b", "names a key"),
            ("example.com", "write 192.0.2.0/24, 2001:db8::1 or key:NAME"),
            ("192.0.2.1/24", "write 192.0.2.0/24"),
        ] {
            let told = wrong.parse::<Allow>().expect_err("wrong");
            assert!(told.contains(what), "{wrong}: {told}");
        }
    }
}
