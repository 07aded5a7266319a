//! The writer: a canonical master file that BIND, NSD and Knot load: absolute names, one record a line, the
//! SOA first.
//!
//! Types that one of them does not know by name are written in the form of RFC 3597, which all read.

use crate::name::{self, Name};
use crate::rdata;
use crate::rrset::{RRset, Record, Soa};
use domain::base::iana::Rtype;
use std::io::{self, Write};

/// Writes a zone. `rrsets` are written in the order they come in; [`crate::content::Content::iter`] gives
/// canonical order.
pub fn write(
    out: &mut dyn Write,
    apex: &Name,
    soa: &Soa,
    rrsets: impl IntoIterator<Item = RRset>,
) -> io::Result<()> {
    let record = Record { name: apex.clone(), rtype: Rtype::SOA, ttl: soa.ttl, rdata: soa.rdata() };
    write_record(out, &record)?;
    for rrset in rrsets {
        for record in rrset.records() {
            write_record(out, &record)?;
        }
    }
    Ok(())
}

/// Writes one record as a line: owner, TTL, class, type, value.
pub fn write_record(out: &mut dyn Write, record: &Record) -> io::Result<()> {
    let (name, ttl, rtype) = (name::display(&record.name), record.ttl, record.rtype);
    if is_read_by_all(rtype) {
        let (kind, value) = (rdata::display_rtype(rtype), rdata::display(rtype, &record.rdata));
        return writeln!(out, "{name} {ttl} IN {kind} {value}");
    }
    let value = rdata::display_general(&record.rdata);
    writeln!(out, "{name} {ttl} IN TYPE{} {value}", rtype.to_int())
}

/// Whether BIND 9.18, NSD 4.6 and Knot 3.2 know the type by its name.
fn is_read_by_all(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::A
            | Rtype::NS
            | Rtype::CNAME
            | Rtype::SOA
            | Rtype::PTR
            | Rtype::HINFO
            | Rtype::MINFO
            | Rtype::MX
            | Rtype::TXT
            | Rtype::RP
            | Rtype::AFSDB
            | Rtype::RT
            | Rtype::KEY
            | Rtype::AAAA
            | Rtype::LOC
            | Rtype::SRV
            | Rtype::NAPTR
            | Rtype::KX
            | Rtype::CERT
            | Rtype::DNAME
            | Rtype::APL
            | Rtype::DS
            | Rtype::SSHFP
            | Rtype::IPSECKEY
            | Rtype::RRSIG
            | Rtype::NSEC
            | Rtype::DNSKEY
            | Rtype::DHCID
            | Rtype::NSEC3
            | Rtype::NSEC3PARAM
            | Rtype::TLSA
            | Rtype::SMIMEA
            | Rtype::CDS
            | Rtype::CDNSKEY
            | Rtype::OPENPGPKEY
            | Rtype::CSYNC
            | Rtype::ZONEMD
            | Rtype::SVCB
            | Rtype::HTTPS
            | Rtype::SPF
            | Rtype::NID
            | Rtype::L32
            | Rtype::L64
            | Rtype::LP
            | Rtype::EUI48
            | Rtype::EUI64
            | Rtype::URI
            | Rtype::CAA
    )
}
