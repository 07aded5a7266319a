//! The published form of a zone: what the operator writes and the resolvers read.
//!
//! A [`ZoneHead`](crate::ZoneHead) is the only thing about a zone that changes; it names an immutable
//! [`ZoneRevision`](crate::ZoneRevision) as its checkpoint, and this its top [`ZoneSlice`](crate::ZoneSlice).
//! Here are the parts that they share: types, bounds, names of objects. People read these objects and write
//! none. So their rules guard shapes and immutability; whether base64 and digests hold what they say is
//! looked at by every reader, and a rule over 64 KiB of journal would cost each publication milliseconds.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bounds::{self, MAX_NAME_LENGTH, rule};
use crate::migration::MAX_LEFT_OUT;

/// Octets of a journal in a head. Beyond that a checkpoint comes first.
pub const MAX_JOURNAL: usize = 64 * 1024;
/// Names of which a head says what is meant.
pub const MAX_INTENTS: usize = 32;
/// Octets of a slice. A leaf ends at 64 KiB or after the owner that goes beyond, and all records of a name
/// are at most 512 KiB; with who owns them it stays below this, and in base64 below the 1.5 MiB that etcd
/// takes.
pub const MAX_SLICE: usize = 786_432;
/// Characters of the name of a head: a revision appends a dot and a serial, and a name has at most 253.
pub const MAX_HEAD_NAME: usize = 242;
/// Characters of a domain that are kept in the name of a head which is no domain.
const READABLE: usize = 100;

/// The Zone object that holds a domain.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Holder {
    /// The namespace of the Zone.
    #[schemars(schema_with = "bounds::namespace_name")]
    pub namespace: String,
    /// Its name.
    #[schemars(schema_with = "bounds::object_name")]
    pub name: String,
}

/// The start of authority as it is published (RFC 1035 §3.3.13), but for its serial. Times are seconds.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct PublishedSoa {
    /// The primary nameserver, as a domain name.
    #[schemars(schema_with = "name")]
    pub primary: String,
    /// The mailbox of who is responsible, as a domain name.
    #[schemars(schema_with = "name")]
    pub contact: String,
    /// How often secondaries ask for a new serial.
    #[schemars(schema_with = "unsigned")]
    pub refresh: u32,
    /// How soon secondaries ask again after a failure.
    #[schemars(schema_with = "unsigned")]
    pub retry: u32,
    /// How long secondaries answer without having reached a primary.
    #[schemars(schema_with = "unsigned")]
    pub expire: u32,
    /// MINIMUM: with the TTL, how long resolvers remember that a name or type does not exist (RFC 2308 §4).
    #[schemars(schema_with = "unsigned")]
    pub minimum: u32,
    /// The TTL of the SOA itself.
    #[schemars(schema_with = "unsigned")]
    pub ttl: u32,
}

/// The name of the head of a zone. `domain` is in presentation form, spelled in one way: what is escaped
/// only where it must be. Case and a last dot do not count.
///
/// It is the domain itself where that can be the name of an object, which is so for hostnames. For all
/// others (the root, underscores, a slash, an escape, or longer than [`MAX_HEAD_NAME`]) it is what can be
/// read of the domain and the 64 hexadecimal digits of its SHA-256. These make a label of more than 63
/// characters, which no domain has: so the head of one zone is never the head of another, whatever the
/// other is called, `root` included.
pub fn head_name(domain: &str) -> String {
    let domain = domain.to_ascii_lowercase();
    let text = match domain.strip_suffix('.') {
        Some(before) if !before.ends_with('\\') => before,
        _ => &domain,
    };
    if text.len() <= MAX_HEAD_NAME && text.split('.').all(is_hostname_label) {
        return text.to_owned();
    }
    let mut readable = String::new();
    for character in text.chars() {
        match character {
            'a'..='z' | '0'..='9' => readable.push(character),
            _ if readable.ends_with('-') || readable.is_empty() => {}
            _ => readable.push('-'),
        }
        if readable.len() == READABLE {
            break;
        }
    }
    let readable = match readable.trim_end_matches('-') {
        "" if text.is_empty() => "root",
        "" => "zone",
        readable => readable,
    };
    let digest: String = Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{readable}-{digest}")
}

fn is_hostname_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The name of the revision of a zone with this serial: that of its head, a dot, the serial.
pub fn revision_name(head: &str, serial: u32) -> String {
    format!("{head}.{serial}")
}

/// The head whose revision has this name, and its serial: what [`revision_name`] put together.
pub fn parse_revision_name(name: &str) -> Option<(&str, u32)> {
    let (head, text) = name.rsplit_once('.')?;
    let serial: u32 = text.parse().ok()?;
    (!head.is_empty() && serial.to_string() == text).then_some((head, serial))
}

/// `spec.domain` of a head or revision.
pub(crate) fn domain(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_NAME_LENGTH,
        "x-kubernetes-validations": [
            rule("self == oldSelf", "domain is immutable: create an object for the other domain and leave this one"),
            absolute(),
        ],
    })
}

/// A domain name in presentation form.
pub(crate) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_NAME_LENGTH,
        "x-kubernetes-validations": [absolute()],
    })
}

fn absolute() -> serde_json::Value {
    rule(
        "self.matches('^[!-~]+$')",
        "not a domain name: write labels with dots between them, such as example.com, octets outside printable \
         ASCII as \\DDD, and \".\" for the root",
    )
}

/// `spec.transfer` of a head: prefixes of addresses, and names of keys.
pub(crate) fn allowed(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": MAX_NAME_LENGTH + 4},
    })
}

/// Milliseconds that a legacy DNS may take when a head does not say it, and the least and the most that it may say.
pub const LEGACY_TIMEOUT: u32 = 1500;
/// The least.
pub const LEAST_LEGACY_TIMEOUT: u32 = 100;
/// The most.
pub const GREATEST_LEGACY_TIMEOUT: u32 = 5000;

/// `spec.forwarding.addresses` of a head.
pub(crate) fn legacy_addresses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 8,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": 64,
            "x-kubernetes-validations": [rule(
                r"self.matches(r'^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$')",
                "not an address and a port: write 192.0.2.53:53 or [2001:db8::53]:53",
            )],
        },
    })
}

/// `spec.forwarding.cutOver` of a head: names of nameservers.
pub(crate) fn cut_over(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 26,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 63},
    })
}

/// `spec.forwarding.notCompared` of a head: owner names.
pub(crate) fn left_out(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_LEFT_OUT,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": MAX_NAME_LENGTH},
    })
}

/// `spec.forwarding.timeoutMilliseconds` of a head.
pub(crate) fn legacy_timeout(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "integer",
        "format": "int32",
        "minimum": LEAST_LEGACY_TIMEOUT,
        "maximum": GREATEST_LEGACY_TIMEOUT,
        "default": LEGACY_TIMEOUT,
    })
}

/// A number of 32 bits: a serial (RFC 1982) or seconds of a SOA.
pub(crate) fn unsigned(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX})
}

/// A number of RRsets.
pub(crate) fn rrsets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX})
}

/// A number of octets.
pub(crate) fn octets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": 1u64 << 40})
}

/// A digest of 256 bits, in base32 of lower case.
pub(crate) fn digest(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 52,
        "x-kubernetes-validations": [rule(
            "self.matches('^[a-z2-7]{52}$')",
            "not a digest: write 52 characters of base32 in lower case (RFC 4648 section 6)",
        )],
    })
}

/// 16 octets in hexadecimal.
pub(crate) fn salt(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [rule(
            "self.matches('^[0-9a-f]{32}$')",
            "not a salt: write 32 hexadecimal digits in lower case",
        )],
    })
}

/// Up to [`MAX_JOURNAL`] octets in base64.
pub(crate) fn journal(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": base64_length(MAX_JOURNAL)})
}

/// `spec.dualWrite.intents` of a head.
pub(crate) fn intents(generator: &mut SchemaGenerator) -> Schema {
    let intent = generator.subschema_for::<crate::head::Intent>();
    json_schema!({
        "type": "array",
        "maxItems": MAX_INTENTS,
        "x-kubernetes-list-type": "atomic",
        "items": intent,
    })
}

/// Up to [`MAX_SLICE`] octets in base64.
pub(crate) fn data(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": base64_length(MAX_SLICE),
        "x-kubernetes-validations": [rule(
            "self != ''",
            "a slice is not empty: write its octets in base64 (RFC 4648 section 4)",
        )],
    })
}

/// The format of a slice.
pub(crate) fn format(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 255})
}

fn base64_length(octets: usize) -> usize {
    octets.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostnames_name_their_heads_themselves() {
        for domain in ["example.com", "Example.COM.", "com", "root", "xn--p1ai", "2.0.192.in-addr.arpa"] {
            let expected = domain.to_ascii_lowercase();
            assert_eq!(head_name(domain), expected.trim_end_matches('.'));
        }
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(50));
        assert_eq!((head_name(&longest), longest.len()), (longest.clone(), MAX_HEAD_NAME));
    }

    #[test]
    fn the_head_of_one_zone_is_never_that_of_another() {
        let odd = [
            ".",
            "_tcp.example.com",
            "0/25.2.0.192.in-addr.arpa",
            "-a.example",
            "a-.example",
            "\\000.example",
            "a\\.b.example",
            "a.b.example\\.",
            "___",
            &format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(51)),
            &["\\255"; 63].concat(),
        ];
        let mut names: Vec<String> = odd.iter().map(|domain| head_name(domain)).collect();
        for name in &names {
            assert!(name.len() <= MAX_HEAD_NAME, "{name}");
            // An object may have this name, and a domain may not (RFC 1035 §2.3.4).
            assert!(name.split('.').any(|label| label.len() > 63), "{name}");
            let of_objects = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.split('.').all(|label| label.chars().all(of_objects)), "{name}");
            assert!(name.split('.').all(|label| !label.starts_with('-') && !label.ends_with('-')), "{name}");
        }
        assert!(names[0].starts_with("root-") && names[8].starts_with("zone-"), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), odd.len());
    }

    #[test]
    fn revisions_tell_their_head_and_serial() {
        for domain in ["example.com", ".", "0/25.2.0.192.in-addr.arpa"] {
            let head = head_name(domain);
            for serial in [0, 7, u32::MAX] {
                let name = revision_name(&head, serial);
                assert!(name.len() <= 253);
                assert_eq!(parse_revision_name(&name), Some((head.as_str(), serial)));
            }
        }
        for name in ["example", "example.com", "example.07", "example.+7", ".7", "example.4294967296"] {
            assert_eq!(parse_revision_name(name), None, "{name}");
        }
    }
}
