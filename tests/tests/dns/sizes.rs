//! Answers that do not fit (RFC 1035 §4.2.1, RFC 2181 §9, RFC 6891 §6.2.5): TC over UDP, whole over TCP.

use super::table::{Case, Group};
use port53_tests::peer::Program::{Bind, Knot, Nsd};

const PARTIAL_GLUE: &str =
    "gives the glue that fits and no TC, as servers did before RFC 9471, whose §3.1 asks for TC";

pub(crate) const GROUP: Group = Group {
    zones: &[(
        "big.test.",
        "@ NS ns.invalid.
             to-many CNAME many
             to-few CNAME few
             to-long CNAME ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
             ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd CNAME eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee
             eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee CNAME fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
             many A 192.0.2.{1..90}
             few A 192.0.2.{1..40}
             txt TXT \"{1..12}\" \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"
             cut NS ns{1..13}.cut
             ns{1..13}.cut A 192.0.2.{1..13}
             ns{1..13}.cut AAAA 2001:db8::{1..13}
             mx MX {1..15} host{1..15}
             host{1..15} A 192.0.2.{1..15}
             host{1..15} AAAA 2001:db8::{1..15}",
    )],
    cases: &[
        Case::new(
            "RFC 6604 §3: the rcode is that of the end of the chain, also where the chain does not fit",
            "to-long.big.test. A",
            "NXDOMAIN aa
             answer to-long.big.test. 3600 CNAME ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.big.test.
             answer ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.big.test. 3600 CNAME eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.big.test.
             answer eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.big.test. 3600 CNAME fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.big.test.
             negative big.test.",
        )
        .offering(None)
        .cut_over_udp()
        .differs(&[(Knot, "says NOERROR with TC; RFC 6604 §3 has the rcode of the end")]),
        Case::new("RFC 6891 §6.2.5: 90 addresses are above 1232 octets", "many.big.test. A", MANY).cut_over_udp(),
        Case::new("RFC 1035 §4.2.1: and above 512", "many.big.test. A", MANY).offering(None).cut_over_udp(),
        Case::new(
            "RFC 9715 §3.2: what the client could take does not count alone",
            "many.big.test. A",
            MANY,
        )
        .offering(Some(4096))
        .cut_over_udp(),
        Case::new("RFC 6891 §6.2.5: 40 addresses fit 1232 octets", "few.big.test. A", FEW),
        Case::new("RFC 1035 §4.2.1: but not 512", "few.big.test. A", FEW).offering(None).cut_over_udp(),
        Case::new("RFC 6891 §6.2.3: below 512 is 512", "few.big.test. A", FEW).offering(Some(100)).cut_over_udp(),
        Case::new("RFC 2181 §9: behind an alias", "to-few.big.test. A", TO_FEW).offering(None).cut_over_udp(),
        Case::new("RFC 2181 §9", "to-few.big.test. A", TO_FEW),
        Case::new("RFC 1035 §4.2.1: three thousand octets of text", "txt.big.test. TXT", TXT).cut_over_udp(),
        Case::new("RFC 1034 §4.3.2 step 3b: thirteen nameservers and their glue", "www.cut.big.test. A", CUT),
        Case::new("RFC 9471 §3.1: glue that does not fit is TC", "www.cut.big.test. A", CUT)
            .offering(None)
            .cut_over_udp()
            .differs(&[
                (Bind, PARTIAL_GLUE), (Nsd, PARTIAL_GLUE)
            ]),
        Case::new("RFC 2181 §9: additional records that do not fit are no reason for TC", "mx.big.test. MX", MX)
            .offering(None),
        Case::new("RFC 1035 §4.2.1: negative answers are small", "mx.big.test. A", "NOERROR aa\nnegative big.test.")
            .offering(None),
    ],
};

/// A zone whose SOA fits 512 octets, but not with the names that are asked for.
pub(crate) const LONG_SOA: Group = Group {
    zones: &[(
        "long-soa.test.",
        "@ 3600 SOA llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.primary.invalid. mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.contact.invalid. 7 3600 600 604800 300
         @ NS ns.invalid.
         *.www A 192.0.2.1
         to-nothing CNAME nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
    )],
    cases: &[
        Case::new("RFC 2308 §2.1: a name error is one although its SOA does not fit", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.long-soa.test. A", NOTHING)
            .offering(None)
            .cut_over_udp()
            .differs(&[(Knot, NOERROR_WHEN_CUT)]),
        Case::new("RFC 2308 §2.1", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.long-soa.test. A", NOTHING),
        Case::new("RFC 6604 §3: behind an alias", "to-nothing.long-soa.test. A", TO_NOTHING)
            .offering(None)
            .cut_over_udp()
            .differs(&[(Knot, NOERROR_WHEN_CUT)]),
        Case::new("RFC 2308 §2.2", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.www.long-soa.test. MX", NO_DATA).offering(None).cut_over_udp()
            .differs(&[(Knot, NO_SOA)]),
    ],
};

const NOERROR_WHEN_CUT: &str =
    "says NOERROR when the SOA does not fit, which is what RFC 2308 §2.2 has for no data";

const NO_SOA: &str = "leaves the SOA out without TC, so nobody learns that there is more (RFC 2181 §9) or for how long \
    it holds (RFC 2308 §5)";

const NOTHING: &str = "NXDOMAIN aa
    authority long-soa.test. 300 SOA llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.primary.invalid. mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.contact.invalid. 7 3600 600 604800 300";

const TO_NOTHING: &str = "NXDOMAIN aa
    answer to-nothing.long-soa.test. 3600 CNAME nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.long-soa.test.
    authority long-soa.test. 300 SOA llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.primary.invalid. mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.contact.invalid. 7 3600 600 604800 300";

const NO_DATA: &str = "NOERROR aa
    authority long-soa.test. 300 SOA llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.llllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.primary.invalid. mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm.contact.invalid. 7 3600 600 604800 300";

const MANY: &str = "NOERROR aa\nanswer many.big.test. 3600 A 192.0.2.{1..90}";

const FEW: &str = "NOERROR aa\nanswer few.big.test. 3600 A 192.0.2.{1..40}";

const TO_FEW: &str = "NOERROR aa
    answer to-few.big.test. 3600 CNAME few.big.test.
    answer few.big.test. 3600 A 192.0.2.{1..40}";

const TXT: &str = "NOERROR aa
    answer txt.big.test. 3600 TXT \"{1..12}\" \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"";

const CUT: &str = "NOERROR
    authority cut.big.test. 3600 NS ns{1..13}.cut.big.test.
    glue ns{1..13}.cut.big.test. 3600 A 192.0.2.{1..13}
    glue ns{1..13}.cut.big.test. 3600 AAAA 2001:db8::{1..13}";

const MX: &str = "NOERROR aa\nanswer mx.big.test. 3600 MX {1..15} host{1..15}.big.test.";
