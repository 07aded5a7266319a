//! The record types that a DNSRecord may have, by their IANA mnemonics.
//!
//! Any other data type is written `TYPE` and its number (RFC 3597 §5).

/// Mnemonics of data types, in the order of their numbers.
/// Source: IANA, "Domain Name System (DNS) Parameters", Resource Record (RR) TYPEs.
pub const KNOWN_TYPES: &[&str] = &[
    "A",
    "NS",
    "CNAME",
    "PTR",
    "HINFO",
    "MX",
    "TXT",
    "RP",
    "AFSDB",
    "AAAA",
    "LOC",
    "SRV",
    "NAPTR",
    "CERT",
    "DNAME",
    "DS",
    "SSHFP",
    "DNSKEY",
    "NSEC3PARAM",
    "TLSA",
    "SMIMEA",
    "CDS",
    "CDNSKEY",
    "OPENPGPKEY",
    "CSYNC",
    "ZONEMD",
    "SVCB",
    "HTTPS",
    "URI",
    "CAA",
];

/// Types that only signing makes, and the numbers that mean the same. They are never DNSRecords.
pub const REFUSED_TYPES: &[&str] = &["RRSIG", "TYPE46", "NSEC", "TYPE47", "NSEC3", "TYPE50"];
