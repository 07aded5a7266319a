//! The Zone: its domain, and the SOA as it was.

use super::{ZoneData, names, object};
use port53_crds::MAX_TTL;
use port53_zone::{Name, name};
use serde_json::{Map, Value, json};

/// The Zone object. What the SOA has and a Zone cannot say is told in `warnings`.
pub(super) fn object_of(
    zone: &ZoneData,
    name: &str,
    namespace: Option<&str>,
    warnings: &mut Vec<String>,
) -> Value {
    let soa = &zone.soa;
    let mut spec = Map::new();
    match hostname(&soa.primary) {
        Some(primary) => {
            spec.insert("primary".to_owned(), primary.into());
        }
        None => warnings.push(format!(
            "the primary of the SOA, {}, is no hostname and is left out: the first nameserver or the domain \
             stands in its place",
            name::display(&soa.primary)
        )),
    }
    spec.insert("contact".to_owned(), contact(&soa.contact).into());
    let seconds = [
        ("ttl", soa.ttl),
        ("refresh", soa.refresh),
        ("retry", soa.retry),
        ("expire", soa.expire),
        ("negativeTTL", soa.minimum),
    ];
    for (field, value) in seconds {
        if value > MAX_TTL {
            warnings
                .push(format!("{field} of the SOA is {value}, more than a Zone takes: {MAX_TTL} is written"));
        }
        spec.insert(field.to_owned(), value.min(MAX_TTL).into());
    }
    spec.insert("initialSerial".to_owned(), soa.serial.into());
    object("Zone", name, namespace, json!({"domain": domain(&zone.apex), "soa": spec}))
}

/// The name of the zone without its last dot.
fn domain(apex: &Name) -> String {
    names::without_asterisks(&without_last_dot(apex))
}

fn without_last_dot(name: &Name) -> String {
    let mut text = name::display(name);
    if !name.is_root() {
        text.pop();
    }
    text
}

/// A name as a Zone takes it for a host: letters, digits, underscores, and hyphens inside; a single label
/// with its last dot.
fn hostname(host: &Name) -> Option<String> {
    let is_host_label = |label: &[u8]| {
        let ends = [label.first(), label.last()];
        label.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
            && ends.iter().all(|end| end.is_some_and(|octet| *octet != b'-'))
    };
    let mut labels = host.iter().take(host.label_count() - 1);
    if host.is_root() || !labels.all(|label| is_host_label(label.as_slice())) {
        return None;
    }
    Some(if host.label_count() == 2 { name::display(host) } else { without_last_dot(host) })
}

/// RNAME as an e-mail address: its first label is the part before the @, dots and all (RFC 1035 §8). As a
/// name where there is no such address.
fn contact(mailbox: &Name) -> String {
    let local = mailbox.first().as_slice();
    let is_local = local.iter().all(|octet| octet.is_ascii_graphic() && *octet != b'@');
    match mailbox.parent() {
        Some(parent) if is_local && !parent.is_root() => {
            let domain = without_last_dot(&parent);
            if !domain.contains('@') {
                return format!("{}@{domain}", String::from_utf8_lossy(local));
            }
        }
        _ => {}
    }
    // An @ would make an address of it.
    name::display(mailbox).replace("\\@", "\\064")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_addresses_where_there_is_one() {
        for (mailbox, expected) in [
            ("hostmaster.example.com.", "hostmaster@example.com"),
            ("host\\.master.example.com.", "host.master@example.com"),
            ("a\\\\b.example.com.", "a\\b@example.com"),
            ("hostmaster.", "hostmaster."),
            (".", "."),
            ("a\\@b.example.com.", "a\\064b.example.com."),
            ("a.b\\@c.com.", "a.b\\064c.com."),
            ("a\\032b.example.com.", "a\\032b.example.com."),
        ] {
            assert_eq!(contact(&name::parse_absolute(mailbox).expect("a name")), expected, "{mailbox}");
        }
    }

    #[test]
    fn hostnames_are_what_a_zone_takes() {
        for (host, expected) in [
            ("ns1.example.com.", Some("ns1.example.com")),
            ("NS_1.example-1.com.", Some("NS_1.example-1.com")),
            ("localhost.", Some("localhost.")),
            (".", None),
            ("-a.example.com.", None),
            ("a\\.b.example.com.", None),
            ("*.example.com.", None),
        ] {
            assert_eq!(hostname(&name::parse_absolute(host).expect("a name")).as_deref(), expected, "{host}");
        }
    }
}
