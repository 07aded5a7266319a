//! The writer: a canonical master file that BIND, NSD and Knot load: absolute names, one record a line, the
//! SOA first.

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
    writeln!(
        out,
        "{} {} IN {} {}",
        name::display(&record.name),
        record.ttl,
        rdata::display_rtype(record.rtype),
        rdata::display(record.rtype, &record.rdata)
    )
}
