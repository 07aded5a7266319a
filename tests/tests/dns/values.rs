//! Values of every common type as data, RRsets (RFC 2181 §5), and QTYPE ANY.

use super::table::{Case, Group};
use port53_tests::peer::Program::{Bind, Knot, Nsd};

/// Why NSD and Knot answer ANY with less.
pub(crate) const MINIMAL_ANY: &str = "answers ANY with one RRset, which RFC 8482 §4.1 allows; all that is there is what RFC 1034 §3.7.1 asks for";

const FIRST_TTL: &str = "takes the TTL of the first record for the set; RFC 2181 §5.2 has the lowest count";

pub(crate) const GROUP: Group = Group {
    zones: &[(
        "values.test.",
        "@ NS ns.invalid.
         @ MX 10 mail
         @ TXT \"at the apex\"
         host 300 A 192.0.2.1
         host 300 A 192.0.2.2
         host 900 AAAA 2001:db8::1
         host 60 TXT \"one\" \"two\"
         mail A 192.0.2.3
         mx MX 10 mail
         mx MX 20 mail.elsewhere.invalid.
         null MX 0 .
         txt TXT \"semi;colon\" \"quote\\\"d\" \"\\000\\255\"
         empty TXT \"\"
         _sip._tcp SRV 0 5 5060 host
         ptr PTR host
         caa CAA 128 issue \"ca.invalid; policy=ev\"
         _443._tcp TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
         sshfp SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
         naptr NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@values.test!\" .
         loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m
         https HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
         svcb SVCB 0 host
         uri URI 10 1 \"https://values.test/\"
         cert CERT PGP 0 0 AAECAwQ=
         hinfo HINFO \"any cpu\" \"any os\"
         rp RP who.values.test. txt.values.test.
         afsdb AFSDB 1 host
         key DNSKEY 257 3 8 AwEAAQ==
         cds CDS 0 0 0 00
         openpgp OPENPGPKEY AAECAwQ=
         smimea SMIMEA 3 0 0 aabbcc
         unknown TYPE65280 \\# 4 0a000001
         rrsig 300 RRSIG A 8 3 300 20300101000000 20200101000000 12345 values.test. AAECAwQ=
         rrsig 300 A 192.0.2.4
         next NSEC ptr.values.test. A RRSIG NSEC
         twice A 192.0.2.5
         twice A 192.0.2.5
         differ 900 A 192.0.2.6
         differ 300 A 192.0.2.7
         case CNAME HoSt.VALUES.test.
         zero 0 A 192.0.2.8
         most 2147483647 A 192.0.2.9",
    )],
    cases: &[
        Case::new(
            "RFC 2181 §5: an RRset is whole",
            "host.values.test. A",
            "NOERROR aa
             answer host.values.test. 300 A 192.0.2.1
             answer host.values.test. 300 A 192.0.2.2",
        ),
        Case::new("RFC 3596 §2.1", "host.values.test. AAAA", "NOERROR aa\nanswer host.values.test. 900 AAAA 2001:db8::1"),
        Case::new(
            "RFC 1035 §3.3.14",
            "host.values.test. TXT",
            "NOERROR aa\nanswer host.values.test. 60 TXT \"one\" \"two\"",
        ),
        Case::new(
            "RFC 1034 §3.7.1: ANY is all that is there",
            "host.values.test. ANY",
            "NOERROR aa
             answer host.values.test. 300 A 192.0.2.1
             answer host.values.test. 300 A 192.0.2.2
             answer host.values.test. 900 AAAA 2001:db8::1
             answer host.values.test. 60 TXT \"one\" \"two\"",
        )
        .differs(&[(Nsd, MINIMAL_ANY), (Knot, MINIMAL_ANY)]),
        Case::new(
            "RFC 1034 §3.7.1: at the apex with the SOA",
            "values.test. ANY",
            "NOERROR aa
             answer values.test. 3600 SOA ns.invalid. hostmaster.invalid. 7 3600 600 604800 300
             answer values.test. 3600 NS ns.invalid.
             answer values.test. 3600 MX 10 mail.values.test.
             answer values.test. 3600 TXT \"at the apex\"",
        )
        .differs(&[(Nsd, MINIMAL_ANY), (Knot, MINIMAL_ANY)]),
        Case::new("RFC 8482 §4, RFC 2308 §2.1", "missing.values.test. ANY", "NXDOMAIN aa\nnegative values.test."),
        Case::new(
            "RFC 1035 §3.3.9",
            "mx.values.test. MX",
            "NOERROR aa
             answer mx.values.test. 3600 MX 10 mail.values.test.
             answer mx.values.test. 3600 MX 20 mail.elsewhere.invalid.",
        ),
        Case::new("RFC 7505 §3", "null.values.test. MX", "NOERROR aa\nanswer null.values.test. 3600 MX 0 ."),
        Case::new(
            "RFC 1035 §5.1",
            "txt.values.test. TXT",
            "NOERROR aa\nanswer txt.values.test. 3600 TXT \"semi;colon\" \"quote\\\"d\" \"\\000\\255\"",
        ),
        Case::new("RFC 1035 §3.3.14", "empty.values.test. TXT", "NOERROR aa\nanswer empty.values.test. 3600 TXT \"\""),
        Case::new(
            "RFC 2782",
            "_sip._tcp.values.test. SRV",
            "NOERROR aa\nanswer _sip._tcp.values.test. 3600 SRV 0 5 5060 host.values.test.",
        ),
        Case::new("RFC 1035 §3.3.12", "ptr.values.test. PTR", "NOERROR aa\nanswer ptr.values.test. 3600 PTR host.values.test."),
        Case::new(
            "RFC 8659 §4.1",
            "caa.values.test. CAA",
            "NOERROR aa\nanswer caa.values.test. 3600 CAA 128 issue \"ca.invalid; policy=ev\"",
        ),
        Case::new(
            "RFC 6698 §2.1",
            "_443._tcp.values.test. TLSA",
            "NOERROR aa\nanswer _443._tcp.values.test. 3600 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
        Case::new(
            "RFC 4255 §3.1",
            "sshfp.values.test. SSHFP",
            "NOERROR aa\nanswer sshfp.values.test. 3600 SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
        Case::new(
            "RFC 3403 §4.1",
            "naptr.values.test. NAPTR",
            "NOERROR aa\nanswer naptr.values.test. 3600 NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@values.test!\" .",
        ),
        Case::new(
            "RFC 1876 §2",
            "loc.values.test. LOC",
            "NOERROR aa\nanswer loc.values.test. 3600 TYPE29 \\# 16 001216138b3cf018810cbce0009895b8",
        ),
        Case::new(
            "RFC 9460 §2.2",
            "https.values.test. HTTPS",
            "NOERROR aa\nanswer https.values.test. 3600 HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1",
        ),
        Case::new("RFC 9460 §2.2", "svcb.values.test. SVCB", "NOERROR aa\nanswer svcb.values.test. 3600 SVCB 0 host.values.test."),
        Case::new(
            "RFC 7553 §4.5",
            "uri.values.test. URI",
            "NOERROR aa\nanswer uri.values.test. 3600 URI 10 1 \"https://values.test/\"",
        ),
        Case::new("RFC 4398 §2", "cert.values.test. CERT", "NOERROR aa\nanswer cert.values.test. 3600 TYPE37 \\# 10 00030000000001020304"),
        Case::new(
            "RFC 1035 §3.3.2",
            "hinfo.values.test. HINFO",
            "NOERROR aa\nanswer hinfo.values.test. 3600 HINFO \"any cpu\" \"any os\"",
        ),
        Case::new("RFC 1183 §2.2", "rp.values.test. RP", "NOERROR aa\nanswer rp.values.test. 3600 RP who.values.test. txt.values.test."),
        Case::new("RFC 1183 §1", "afsdb.values.test. AFSDB", "NOERROR aa\nanswer afsdb.values.test. 3600 AFSDB 1 host.values.test."),
        Case::new("RFC 4034 §2.1", "key.values.test. DNSKEY", "NOERROR aa\nanswer key.values.test. 3600 DNSKEY 257 3 8 AwEAAQ=="),
        Case::new("RFC 8078 §4", "cds.values.test. CDS", "NOERROR aa\nanswer cds.values.test. 3600 CDS 0 0 0 00"),
        Case::new("RFC 7929 §2.1", "openpgp.values.test. OPENPGPKEY", "NOERROR aa\nanswer openpgp.values.test. 3600 TYPE61 \\# 5 0001020304"),
        Case::new("RFC 8162 §2", "smimea.values.test. SMIMEA", "NOERROR aa\nanswer smimea.values.test. 3600 TYPE53 \\# 6 030000aabbcc"),
        Case::new(
            "RFC 3597 §5",
            "unknown.values.test. TYPE65280",
            "NOERROR aa\nanswer unknown.values.test. 3600 TYPE65280 \\# 4 0a000001",
        ),
        Case::new(
            "RFC 4034 §3.1: RRSIG as data",
            "rrsig.values.test. RRSIG",
            "NOERROR aa
             answer rrsig.values.test. 300 RRSIG A 8 3 300 20300101000000 20200101000000 12345 values.test. AAECAwQ=",
        ),
        Case::new(
            "RFC 4035 §3.1: without DO no signatures beside data",
            "rrsig.values.test. A",
            "NOERROR aa\nanswer rrsig.values.test. 300 A 192.0.2.4",
        ),
        Case::new(
            "RFC 4034 §4.1: NSEC as data",
            "next.values.test. NSEC",
            "NOERROR aa\nanswer next.values.test. 3600 NSEC ptr.values.test. A RRSIG NSEC",
        ),
        Case::new("RFC 2181 §5: duplicates count once", "twice.values.test. A", "NOERROR aa\nanswer twice.values.test. 3600 A 192.0.2.5"),
        Case::new(
            "RFC 2181 §5.2: one TTL for a set, the lowest",
            "differ.values.test. A",
            "NOERROR aa
             answer differ.values.test. 300 A 192.0.2.6
             answer differ.values.test. 300 A 192.0.2.7",
        )
        .differs(&[(Nsd, FIRST_TTL), (Bind, FIRST_TTL)]),
        Case::new(
            "RFC 4343 §4: names in values too",
            "case.values.test. TXT",
            "NOERROR aa
             answer case.values.test. 3600 CNAME host.values.test.
             answer host.values.test. 60 TXT \"one\" \"two\"",
        ),
        Case::new("RFC 2181 §8: the least TTL", "zero.values.test. A", "NOERROR aa\nanswer zero.values.test. 0 A 192.0.2.8"),
        Case::new("RFC 2181 §8: and the greatest", "most.values.test. A", "NOERROR aa\nanswer most.values.test. 2147483647 A 192.0.2.9"),
    ],
};
