//! The manifest of a zone on disk, and the name of its directory.
//!
//! ```text
//! port53-cache 1 DIGEST-OF-THE-REST
//! {"apex":"example.com.","serial":7,…}
//! ```

use port53_crds::Forwarding as ForwardingFields;
use port53_store::Forwarding;
use port53_zone::content::Digest;
use port53_zone::image::Image;
use port53_zone::transfer::Allow;
use port53_zone::{Name, Rdata, Soa, name};
use serde::{Deserialize, Serialize};

const MAGIC: &str = "port53-cache 1 ";
const SUFFIX: &str = ".zone";
/// Longer names of directories are replaced by a digest: file systems allow 255 octets.
const LONGEST: usize = 200;

/// What the manifest says of a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Manifest {
    pub(super) apex: Name,
    pub(super) soa: Soa,
    pub(super) salt: [u8; 16],
    /// The top slice; `None` when the zone has nothing but its SOA.
    pub(super) root: Option<Digest>,
    /// Of the whole content.
    pub(super) digest: Digest,
    /// What its source says beside that.
    pub(super) beside: Beside,
}

/// What a source says of a zone that is not its content, and can change without a new serial.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Beside {
    /// Who may transfer the zone.
    pub(super) transfer: Vec<Allow>,
    /// Who answers while it moves here.
    pub(super) forwarding: Option<Forwarding>,
}

/// The form in the file. The SOA is the hexadecimal form of its wire form; the serial is repeated for
/// people who look.
#[derive(Serialize, Deserialize)]
struct Text {
    apex: String,
    serial: u32,
    soa: String,
    soa_ttl: u32,
    salt: String,
    root: Option<String>,
    digest: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transfer: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forwarding: Option<ForwardingFields>,
}

impl Manifest {
    pub(super) fn of(image: &Image, beside: Beside) -> Self {
        let content = image.content();
        Manifest {
            apex: image.apex().clone(),
            soa: image.soa().clone(),
            salt: content.salt(),
            root: content.root(),
            digest: content.digest(),
            beside,
        }
    }

    pub(super) fn encode(&self) -> String {
        let text = Text {
            apex: name::display(&self.apex),
            serial: self.soa.serial,
            soa: hex(self.soa.rdata().as_slice()),
            soa_ttl: self.soa.ttl,
            salt: hex(&self.salt),
            root: self.root.map(|root| root.to_string()),
            digest: self.digest.to_string(),
            transfer: self.beside.transfer.iter().map(Allow::to_string).collect(),
            forwarding: self.beside.forwarding.as_ref().map(Forwarding::to_fields),
        };
        // Strings and numbers always have a form in JSON.
        let body = serde_json::to_string_pretty(&text).unwrap_or_default();
        format!("{MAGIC}{}\n{body}", Digest::of(body.as_bytes()))
    }

    /// Reads what [`Self::encode`] wrote; otherwise says what is wrong with it.
    pub(super) fn decode(octets: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(octets).map_err(|_| "is not UTF-8")?;
        let rest = text.strip_prefix(MAGIC).ok_or("is not a manifest of format 1")?;
        let (digest, body) = rest.split_once('\n').ok_or("is cut off")?;
        if Digest::parse(digest) != Some(Digest::of(body.as_bytes())) {
            return Err("does not have the digest that it states");
        }
        let text: Text = serde_json::from_str(body).map_err(|_| "is not the JSON of a manifest")?;
        text.read().ok_or("holds a value that cannot be")
    }
}

impl Text {
    fn read(&self) -> Option<Manifest> {
        let soa = Rdata::from_trusted_wire(unhex(&self.soa)?.into());
        Some(Manifest {
            apex: name::parse_absolute(&self.apex).ok()?,
            soa: Soa::from_rdata(&soa, self.soa_ttl)?,
            salt: unhex(&self.salt)?.try_into().ok()?,
            root: match &self.root {
                Some(root) => Some(Digest::parse(root)?),
                None => None,
            },
            digest: Digest::parse(&self.digest)?,
            beside: Beside {
                transfer: self.transfer.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?,
                forwarding: match &self.forwarding {
                    Some(fields) => Some(Forwarding::read(fields).ok()?),
                    None => None,
                },
            },
        })
    }
}

/// The name of the directory of a zone: its name in lower case, readable, with `%XX` for what a file name
/// should not have.
pub(super) fn directory_of(apex: &Name) -> String {
    let mut text = String::new();
    for octet in name::display(apex).to_ascii_lowercase().trim_end_matches('.').bytes() {
        match octet {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(char::from(octet)),
            other => text.push_str(&format!("%{other:02x}")),
        }
    }
    if text.len() > LONGEST {
        text = format!("%{}", Digest::of(apex.to_string().to_ascii_lowercase().as_bytes()));
    }
    text + SUFFIX
}

/// The zone whose directory this is, when its name still tells.
pub(super) fn apex_of(directory: &str) -> Option<Name> {
    let mut octets = Vec::new();
    let mut rest = directory.strip_suffix(SUFFIX)?.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        octets.extend(unhex(std::str::from_utf8(digits).ok()?)?);
        rest = after;
    }
    let text = String::from_utf8(octets).ok()?;
    let apex = if text.is_empty() { name::root() } else { name::parse_absolute(&text).ok()? };
    // Only the very name that we would write: anything else is not ours.
    (directory_of(&apex) == directory).then_some(apex)
}

/// Whether a directory of this name was made by this program.
pub(super) fn is_zone_directory(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apex(text: &str) -> Name {
        name::parse_absolute(text).expect("a name")
    }

    #[test]
    fn directories_tell_their_zone() {
        assert_eq!(directory_of(&apex("Example.COM.")), "example.com.zone");
        for text in
            [".", "example.com.", "a\\.b.example.", "\\000\\255.example.", "0/25.2.0.192.in-addr.arpa."]
        {
            let directory = directory_of(&apex(text));
            assert!(!directory.contains('/'), "{directory}");
            assert_eq!(apex_of(&directory), Some(apex(text)), "{directory}");
        }
        let long = apex(&format!("{0}.{0}.{0}.example.", "%".repeat(60)));
        assert!(directory_of(&long).len() < 255);
        assert_eq!(apex_of(&directory_of(&long)), None);
        assert_eq!(apex_of("%4"), None);
        assert_eq!(apex_of("%zz.zone"), None);
        assert_eq!(apex_of("EXAMPLE.zone"), None);
    }

    #[test]
    fn every_torn_or_changed_manifest_is_noticed() {
        let manifest = Manifest {
            apex: apex("example.com."),
            soa: Soa {
                primary: apex("ns1.example.com."),
                contact: apex("hostmaster.example.com."),
                serial: 7,
                refresh: 1,
                retry: 2,
                expire: 3,
                minimum: 4,
                ttl: 5,
            },
            salt: [9; 16],
            root: Some(Digest::of(b"root")),
            digest: Digest::of(b"whole"),
            beside: Beside {
                transfer: vec!["192.0.2.0/24".parse().expect("one"), "key:xfr".parse().expect("one")],
                forwarding: Some(Forwarding::to("192.0.2.53:53".parse().expect("an address"))),
            },
        };
        let written = manifest.encode().into_bytes();
        assert_eq!(Manifest::decode(&written), Ok(manifest));
        for at in 0..written.len() {
            assert!(Manifest::decode(&written[..at]).is_err(), "cut at {at}");
            let mut changed = written.clone();
            changed[at] ^= 1;
            assert!(Manifest::decode(&changed).is_err(), "changed at {at}");
        }
    }
}
