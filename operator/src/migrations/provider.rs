//! Records that only the server which has them can answer: it computes what is said, and a transfer gives what they are
//! made of, in types of private use (RFC 6895 §3.1). Brought over as they stand, nobody would get an address. Pure.

use port53_zone::Rtype;

/// ALIAS of PowerDNS: the addresses of another name, as an alias that may stand beside other data.
const ALIAS: u16 = 65_401;
/// LUA of PowerDNS: a program.
const LUA: u16 = 65_402;

/// Why a type is of its server alone, and what to do.
pub(super) fn provider_only(rtype: Rtype) -> Option<&'static str> {
    match rtype.to_int() {
        ALIAS => Some(
            "it is an ALIAS of PowerDNS, which looks the addresses up for each answer: write them there as A and AAAA, \
             or a CNAME where nothing else is at the name, or set outgoing-axfr-expand-alias=yes, which has transfers \
             give the addresses of that moment; or leave it out (spec.compare.leaveOut), and then answer it by \
             DNSRecords of your own",
        ),
        LUA => Some(
            "it is a LUA record of PowerDNS, a program that makes each answer: write there what it would answer as \
             records of that type; or leave it out (spec.compare.leaveOut), and then answer it by DNSRecords of your \
             own",
        ),
        _ => None,
    }
}
