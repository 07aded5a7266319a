//! Which format a file is in: by its name where that is sure, else by how it begins.

use std::path::Path;

use super::octodns;

/// A format that is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// A master file (RFC 1035 §5).
    Master,
    /// A `named.conf` of BIND.
    Named,
    /// YAML of octoDNS.
    Octodns,
    /// Manifests with DNSEndpoints of external-dns.
    Endpoints,
}

/// Octets at the beginning of a file that are looked at when its name does not tell.
pub const LOOKED_AT: usize = 64 << 10;

/// What a configuration of BIND begins with, as statements of its own.
const STATEMENTS: [&str; 18] = [
    "acl",
    "controls",
    "dlz",
    "dnssec-policy",
    "http",
    "include",
    "key",
    "logging",
    "masters",
    "options",
    "plugin",
    "primaries",
    "server",
    "statistics-channels",
    "tls",
    "trust-anchors",
    "view",
    "zone",
];

/// The format of a file, by its name and its beginning. `None` for YAML that is neither manifests nor a zone of
/// octoDNS by its name.
pub fn of(path: &Path, beginning: &[u8]) -> Option<Format> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("zone") => Some(Format::Master),
        Some("yaml" | "yml" | "json") if is_manifest(beginning) => Some(Format::Endpoints),
        Some("yaml" | "yml") => octodns::origin(path).map(|_| Format::Octodns),
        Some("json") => None,
        _ if is_manifest(beginning) => Some(Format::Endpoints),
        _ if name.starts_with("named.conf") || is_named(beginning) => Some(Format::Named),
        _ => Some(Format::Master),
    }
}

/// Objects of Kubernetes say so at the beginning of a line, in JSON behind a brace.
fn is_manifest(beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    let is_json = text.trim_start().starts_with('{') && text.contains("apiVersion");
    is_json || text.lines().any(|line| line.starts_with("apiVersion:"))
}

/// Whether the first statement is one of BIND, with its block or its string.
fn is_named(beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    let Some(rest) = super::named::after_comments(&text) else { return false };
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '{' | '"')).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    // What a master file has on this line is no brace.
    STATEMENTS.iter().any(|statement| word.eq_ignore_ascii_case(statement))
        && rest.split(';').next().is_some_and(|first| first.contains(['{', '"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_and_where_they_do_not_the_beginning_does() {
        for (path, text, expected) in [
            ("example.com.zone", "options {", Some(Format::Master)),
            ("db.example", "$TTL 1h\n@ SOA a b 1 2 3 4 5\n", Some(Format::Master)),
            ("db.example", "zone IN A 192.0.2.1 ; {\n", Some(Format::Master)),
            ("etc/named.conf.local", "", Some(Format::Named)),
            ("bind.conf", "// all\n/* x */ # y\noptions\n{ directory \"/\"; };", Some(Format::Named)),
            ("rfc1918", "zone \"10.in-addr.arpa\" { type master; };", Some(Format::Named)),
            ("zones", "include \"/etc/bind/a\";", Some(Format::Named)),
            ("example.com.yaml", "? ''\n: type: A\n", Some(Format::Octodns)),
            ("example.com./www.yaml", "www: {}\n", Some(Format::Octodns)),
            ("production.yaml", "providers: {}\n", None),
            ("example.com.yaml", "# x\napiVersion: v1\nkind: List\n", Some(Format::Endpoints)),
            ("a.json", "{\"apiVersion\": \"v1\"}", Some(Format::Endpoints)),
            ("a.json", "{}", None),
            ("-", "apiVersion: v1\n", Some(Format::Endpoints)),
        ] {
            assert_eq!(of(Path::new(path), text.as_bytes()), expected, "{path} {text}");
        }
    }
}
