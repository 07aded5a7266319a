//! Who may transfer which zone: what Zones say, and what the Secrets hold that they name. Pure.
//!
//! A key belongs to a Secret, and a zone may be had with a key only where its Zone names the Secret that the key
//! is in. Two Secrets may have keys of one name, but a nameserver knows one: the older Secret has the name, or
//! whoever wrote the younger could have the zones of others. What cannot be read now is as it was.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use port53_crds::{Reason, Zone};
use port53_secondaries::keys::Key as TsigKey;
use port53_zone::transfer::Allow;
use port53_zone::{Name, name};

use crate::index::Key;
use crate::verdict::Complaint;

/// Where secondaries are, unless they say so.
const PORT: u16 = 53;
/// The algorithm of a key whose Secret names none.
const ALGORITHM: &str = "hmac-sha256";

/// What is known of a Secret.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Seen {
    /// Nothing: it was never read, for this reason, as far as one is known.
    #[default]
    Unread,
    /// It cannot be read.
    Unreadable(String),
    /// It is not there.
    Missing,
    /// It is there, since this second of 1970, with this key or what is wrong with it.
    There(i64, Result<Held, String>),
}

/// Of what was never looked for.
static UNREAD: Seen = Seen::Unread;

impl Seen {
    /// What is known of the Secret `key`.
    pub fn of<'a>(secrets: &'a BTreeMap<Key, Seen>, key: &Key) -> &'a Seen {
        secrets.get(key).unwrap_or(&UNREAD)
    }

    /// Whether it was once found what the Secret holds, or that it is not there.
    pub fn is_read(&self) -> bool {
        matches!(self, Seen::Missing | Seen::There(..))
    }
}

/// A key as a Secret holds it.
#[derive(Clone, Eq, PartialEq)]
pub struct Held {
    /// Its name.
    pub name: Name,
    /// `ALGORITHM:BASE64`, as resolvers read it from a file of that name.
    pub text: String,
}

/// Without the secret.
impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Held").field(&name::display(&self.name)).finish()
    }
}

/// Who may transfer one zone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transferable {
    /// Those who are known.
    pub allow: Vec<Allow>,
    /// Whether these are all.
    pub known: Known,
    /// The key that signs NOTIFY; `None` within where it is not known yet.
    pub signs: Option<Option<Name>>,
}

/// How far it is known who may transfer a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Known {
    /// A Secret was not looked for yet: of none is anything said.
    Unread,
    /// A Secret cannot be read, which may pass. What keeps it and others away, for a person.
    Partly(Vec<String>),
    /// As far as it can be, and this keeps others away, for a person.
    Wholly(Vec<String>),
}

/// Everyone is known.
impl Default for Known {
    fn default() -> Self {
        Known::Wholly(Vec::new())
    }
}

impl Known {
    /// What keeps others away, where that is known.
    pub fn missing(&self) -> &[String] {
        match self {
            Known::Unread => &[],
            Known::Partly(missing) | Known::Wholly(missing) => missing,
        }
    }

    /// Also this is so.
    fn and(self, other: Known) -> Known {
        match (self, other) {
            (Known::Unread, _) | (_, Known::Unread) => Known::Unread,
            (Known::Wholly(mut missing), Known::Wholly(more)) => {
                missing.extend(more);
                Known::Wholly(missing)
            }
            (
                Known::Partly(mut missing) | Known::Wholly(mut missing),
                Known::Partly(more) | Known::Wholly(more),
            ) => {
                missing.extend(more);
                Known::Partly(missing)
            }
        }
    }
}

/// What is wrong with `spec.transfer` of a Zone.
pub fn complaints(zone: &Zone) -> Vec<Complaint> {
    let Some(transfer) = &zone.spec.transfer else { return Vec::new() };
    let wrong = |field: String, text: &str, what: &str, fix: &str| {
        Complaint::error(Reason::InvalidSpec, field, format!("\"{text}\" {what}"), fix)
    };
    let mut complaints = Vec::new();
    for (i, allow) in transfer.allow.iter().enumerate() {
        if let Some(text) = &allow.cidr
            && let Err(error) = text.parse::<port53_zone::prefix::Prefix>()
        {
            complaints.push(wrong(format!("spec.transfer.allow[{i}].cidr"), text, &error.to_string(), ""));
        }
    }
    for (i, text) in transfer.notify.iter().enumerate() {
        if address(text).is_none() {
            let fix = "write it as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353";
            complaints.push(wrong(format!("spec.transfer.notify[{i}]"), text, "is not an address", fix));
        }
    }
    complaints
}

/// Where the secondaries of a Zone are told of new versions.
pub fn secondaries(zone: &Zone) -> Vec<SocketAddr> {
    let texts = zone.spec.transfer.iter().flat_map(|transfer| &transfer.notify);
    texts.filter_map(|text| address(text)).collect()
}

fn address(text: &str) -> Option<SocketAddr> {
    let with_port = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT));
    text.parse().ok().or_else(with_port)
}

/// The Secrets that a Zone names.
pub fn secrets(zone: &Zone) -> impl Iterator<Item = Key> {
    let namespace = zone.metadata.namespace.as_deref().unwrap_or_default();
    let allow = zone.spec.transfer.iter().flat_map(|transfer| &transfer.allow);
    let named = allow.filter_map(|allow| allow.tsig_secret_ref.as_ref());
    named.map(move |secret| (namespace.to_owned(), secret.name.clone()))
}

/// Reads the key that a Secret holds.
///
/// # Errors
/// With what to write instead.
pub fn read(secret: &Secret) -> Result<Held, String> {
    let entry = |key: &str| secret.data.as_ref().and_then(|data| data.get(key));
    let text = |key: &str| {
        entry(key)
            .map(|octets| String::from_utf8(octets.0.clone()).map(|text| text.trim().to_owned()))
            .transpose()
            .map_err(|_| format!("its {key} is no text"))
    };
    let own_name = secret.metadata.name.clone().unwrap_or_default();
    let name = text("name")?.unwrap_or(own_name);
    let algorithm = text("algorithm")?.unwrap_or_else(|| ALGORITHM.to_owned());
    let missing = "has no secret: write the key of both sides under stringData.secret, in base64";
    let secret = text("secret")?.ok_or(missing)?;
    let text = format!("{}:{secret}", algorithm.to_ascii_lowercase());
    TsigKey::parse(&name, &text).map_err(|error| format!("holds no key: {error}"))?;
    let name = name::parse_absolute(&name).map_err(|error| format!("its name {error}"))?;
    Ok(Held { name, text })
}

/// Whose each name of a key is: the oldest Secret's that holds one of that name.
pub fn holders(secrets: &BTreeMap<Key, Seen>) -> BTreeMap<Name, Key> {
    let mut held: Vec<(i64, &Key, &Name)> = Vec::new();
    for (key, seen) in secrets {
        if let Seen::There(created, Ok(Held { name, .. })) = seen {
            held.push((*created, key, name));
        }
    }
    held.sort();
    let mut holders = BTreeMap::new();
    for (_, key, name) in held {
        holders.entry(name.clone()).or_insert_with(|| key.clone());
    }
    holders
}

/// The keys that nameservers are to know, as files: the name of the key, and `ALGORITHM:BASE64`.
pub fn files(secrets: &BTreeMap<Key, Seen>, holders: &BTreeMap<Name, Key>) -> BTreeMap<String, String> {
    let file = |(name, key): (&Name, &Key)| match secrets.get(key) {
        Some(Seen::There(_, Ok(held))) => Some((file_name(name), held.text.clone())),
        _ => None,
    };
    holders.iter().filter_map(file).collect()
}

/// The name of a key as one of a file: without the last dot, in lower case.
fn file_name(key: &Name) -> String {
    name::display(key).trim_end_matches('.').to_ascii_lowercase()
}

/// Who may transfer the zone of a Zone.
pub fn transferable(
    zone: &Zone,
    secrets: &BTreeMap<Key, Seen>,
    holders: &BTreeMap<Name, Key>,
) -> Transferable {
    let mut all = Transferable::default();
    let Some(transfer) = &zone.spec.transfer else { return all };
    let namespace = zone.metadata.namespace.as_deref().unwrap_or_default();
    for (i, allow) in transfer.allow.iter().enumerate() {
        if let Some(Ok(prefix)) = allow.cidr.as_deref().map(str::parse) {
            all.allow.push(Allow::Prefix(prefix));
        }
        let Some(secret) = &allow.tsig_secret_ref else { continue };
        let key = (namespace.to_owned(), secret.name.clone());
        let name = match key_of(&key, &format!("spec.transfer.allow[{i}].tsigSecretRef"), secrets, holders) {
            Ok(name) => Some(name),
            Err(known) => {
                all.known = std::mem::take(&mut all.known).and(known);
                None
            }
        };
        all.signs.get_or_insert(name.clone());
        all.allow.extend(name.map(Allow::Key));
    }
    all
}

/// The key in the Secret that `field` names, or how far that leaves it known who may transfer.
fn key_of(
    key: &Key,
    field: &str,
    secrets: &BTreeMap<Key, Seen>,
    holders: &BTreeMap<Name, Key>,
) -> Result<Name, Known> {
    let (namespace, secret) = key;
    let no = |why: String| Known::Wholly(vec![format!("{field}: {why}")]);
    match Seen::of(secrets, key) {
        Seen::Unread => Err(Known::Unread),
        Seen::Unreadable(why) => Err(Known::Partly(vec![format!(
            "{field}: Secret {namespace}/{secret} cannot be read: {why}; let the operator list and watch the Secret of \
             this name by a Role and a RoleBinding in {namespace}"
        )])),
        Seen::Missing => Err(no(format!("there is no Secret {namespace}/{secret}: create it"))),
        Seen::There(_, Err(why)) => Err(no(format!("Secret {namespace}/{secret} {why}"))),
        Seen::There(_, Ok(held)) => match holders.get(&held.name) {
            Some(holder) if holder == key => Ok(held.name.clone()),
            _ => Err(no(format!(
                "a key of the name {} is in an older Secret already: give this one another name on both sides, under \
                 stringData.name",
                name::display(&held.name)
            ))),
        },
    }
}

/// The data of a Secret, from texts.
pub(crate) fn encoded(files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| (name.clone(), BASE64_STANDARD.encode(text))).collect()
}

/// The texts in the data of a Secret; what is no text is left out.
pub(crate) fn decoded(secret: &Secret) -> BTreeMap<String, String> {
    let data = secret.data.iter().flatten();
    data.filter_map(|(name, octets)| Some((name.clone(), String::from_utf8(octets.0.clone()).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    const SECRET: &str = "c2VjcmV0IG9mIGJvdGggc2lkZXM=";

    fn secret(name: &str, data: &[(&str, &str)]) -> Secret {
        let entry = |(key, text): &(&str, &str)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec()));
        let mut secret = Secret { data: Some(data.iter().map(entry).collect()), ..Secret::default() };
        secret.metadata.name = Some(name.to_owned());
        secret
    }

    fn zone(namespace: &str, transfer: &str) -> Zone {
        let text = format!(
            r#"{{"apiVersion": "port53.dev/v1alpha1", "kind": "Zone",
                "metadata": {{"name": "z", "namespace": "{namespace}"}},
                "spec": {{"domain": "example.com", "transfer": {transfer}}}}}"#
        );
        serde_json::from_str(&text).expect("a Zone")
    }

    fn key(namespace: &str, name: &str) -> Key {
        (namespace.to_owned(), name.to_owned())
    }

    fn there(created: i64, name: &str) -> Seen {
        Seen::There(created, read(&secret(name, &[("secret", SECRET)])))
    }

    #[test]
    fn a_secret_holds_a_key_and_what_is_left_out_has_a_default() {
        let held = read(&secret("xfr.example", &[("secret", SECRET)])).expect("a key");
        assert_eq!(
            (name::display(&held.name), held.text),
            ("xfr.example.".to_owned(), format!("hmac-sha256:{SECRET}"))
        );
        let all = [("name", "Of.Both.\n"), ("algorithm", "HMAC-SHA512"), ("secret", SECRET)];
        let held = read(&secret("s", &all)).expect("a key");
        assert_eq!(file_name(&held.name), "of.both");
        assert!(held.text.starts_with("hmac-sha512:") && !format!("{held:?}").contains(SECRET));
        for (data, what) in [
            (&[][..], "has no secret"),
            (&[("secret", "not base64!")][..], "base64"),
            (&[("secret", SECRET), ("algorithm", "hmac-md5")][..], "hmac-sha256"),
            (&[("secret", SECRET), ("name", "a..b")][..], "name"),
        ] {
            let wrong = read(&secret("s", data)).expect_err("wrong");
            assert!(wrong.contains(what) && !wrong.contains("not base64!"), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_that_of_the_oldest_secret_and_gives_nobody_the_zones_of_others() {
        let mut secrets = BTreeMap::from([
            (key("a", "xfr"), there(20, "xfr")),
            (key("b", "xfr"), there(10, "xfr")),
            (key("b", "other"), there(30, "other")),
        ]);
        let allow = r#"{"allow": [{"tsigSecretRef": {"name": "xfr"}}, {"cidr": "192.0.2.0/24"}]}"#;
        let holders_now = holders(&secrets);
        let younger = transferable(&zone("a", allow), &secrets, &holders_now);
        assert_eq!(younger.allow, ["192.0.2.0/24".parse().expect("an entry")]);
        assert!(younger.known.missing()[0].contains("in an older Secret already"), "{younger:?}");
        assert!(matches!(younger.known, Known::Wholly(_)) && younger.signs == Some(None));
        let older = transferable(&zone("b", allow), &secrets, &holders_now);
        assert_eq!(older.allow.len(), 2);
        assert_eq!(older.signs, Some(name::parse_absolute("xfr").ok()));
        assert_eq!(files(&secrets, &holders_now).len(), 2);
        secrets.insert(key("b", "xfr"), Seen::Missing);
        let holders_now = holders(&secrets);
        assert_eq!(transferable(&zone("a", allow), &secrets, &holders_now).allow.len(), 2);
        let gone = transferable(&zone("b", allow), &secrets, &holders_now);
        let missing = "spec.transfer.allow[0].tsigSecretRef: there is no Secret b/xfr: create it";
        assert_eq!(gone.known, Known::Wholly(vec![missing.to_owned()]));
    }

    #[test]
    fn what_was_not_read_is_not_known_to_be_missing() {
        let allow = r#"{"allow": [{"tsigSecretRef": {"name": "gone"}}, {"tsigSecretRef": {"name": "xfr"}}]}"#;
        let known = |seen: Option<Seen>| {
            let seen = seen.into_iter().map(|seen| (key("a", "xfr"), seen));
            let secrets = seen.chain([(key("a", "gone"), Seen::Missing)]).collect();
            transferable(&zone("a", allow), &secrets, &BTreeMap::new()).known
        };
        assert_eq!(known(None), Known::Unread);
        assert_eq!(known(Some(Seen::Unread)), Known::Unread);
        let unreadable = known(Some(Seen::Unreadable("forbidden".to_owned())));
        assert!(matches!(&unreadable, Known::Partly(missing) if missing.len() == 2), "{unreadable:?}");
        let missing = known(Some(Seen::Missing));
        assert!(matches!(&missing, Known::Wholly(missing) if missing.len() == 2), "{missing:?}");
    }

    #[test]
    fn addresses_and_prefixes_are_checked() {
        let right = zone(
            "a",
            r#"{"allow": [{"cidr": "2001:db8::/32"}], "notify": ["192.0.2.1", "[::1]:5353", "::2"]}"#,
        );
        assert!(complaints(&right).is_empty());
        let expected =
            ["192.0.2.1:53", "[::1]:5353", "[::2]:53"].map(|text| text.parse().expect("an address"));
        assert_eq!(secondaries(&right), expected);
        let wrong = zone("a", r#"{"allow": [{"cidr": "192.0.2.1/24"}], "notify": ["192.0.2.999"]}"#);
        let fields: Vec<String> = complaints(&wrong).into_iter().map(|complaint| complaint.field).collect();
        assert_eq!(fields, ["spec.transfer.allow[0].cidr", "spec.transfer.notify[0]"]);
    }
}
