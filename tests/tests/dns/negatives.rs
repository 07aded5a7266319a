//! Negative answers (RFC 2308, RFC 8020), names of any octets (RFC 2181 §11, RFC 4343), and what is no zone
//! of ours.

use super::table::{Case, Group};

pub(crate) const GROUP: Group = Group {
    zones: &[
        (
            "neg.test.",
            "@ NS ns.invalid.
             www A 192.0.2.1
             a.b.c.d TXT \"deep\"
             under.www MX 10 www
             dotted\\.label A 192.0.2.2
             \\000\\255 A 192.0.2.3
             \\195x A 192.0.2.4
             sp\\032ace A 192.0.2.5
             back\\\\slash A 192.0.2.6
             UPPER A 192.0.2.7
             - A 192.0.2.8
             _ A 192.0.2.9
             1 A 192.0.2.10
             aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa A 192.0.2.11",
        ),
        // Its SOA has a TTL below its MINIMUM.
        (
            "low.test.",
            "@ 60 SOA ns.invalid. hostmaster.invalid. 1 3600 600 604800 900
             @ NS ns.invalid.",
        ),
        ("zero.test.", "@ 60 SOA ns.invalid. hostmaster.invalid. 1 3600 600 604800 0\n@ NS ns.invalid."),
    ],
    cases: &[
        Case::new("RFC 2308 §2.1", "nothing.neg.test. A", "NXDOMAIN aa\nnegative neg.test."),
        Case::new("RFC 2308 §2.2", "www.neg.test. AAAA", "NOERROR aa\nnegative neg.test."),
        Case::new(
            "RFC 2308 §2.2: a type nobody knows",
            "www.neg.test. TYPE65280",
            "NOERROR aa\nnegative neg.test.",
        ),
        Case::new("RFC 2308 §2.2: SOA below the apex", "www.neg.test. SOA", "NOERROR aa\nnegative neg.test."),
        Case::new("RFC 2308 §2.2: NS without a cut", "www.neg.test. NS", "NOERROR aa\nnegative neg.test."),
        Case::new("RFC 2308 §2.2: at the apex", "neg.test. A", "NOERROR aa\nnegative neg.test."),
        Case::new(
            "RFC 2308 §2.2: RRSIG in an unsigned zone",
            "www.neg.test. RRSIG",
            "NOERROR aa\nnegative neg.test.",
        ),
        Case::new(
            "RFC 2308 §3: the TTL of the SOA, where it is the lesser",
            "nothing.low.test. A",
            "NXDOMAIN aa\nauthority low.test. 60 SOA ns.invalid. hostmaster.invalid. 1 3600 600 604800 900",
        ),
        Case::new(
            "RFC 2308 §3",
            "low.test. MX",
            "NOERROR aa\nauthority low.test. 60 SOA ns.invalid. hostmaster.invalid. 1 3600 600 604800 900",
        ),
        Case::new(
            "RFC 2308 §3: asked for, the SOA has its own TTL",
            "neg.test. SOA",
            "NOERROR aa\nanswer neg.test. 3600 SOA ns.invalid. hostmaster.invalid. 7 3600 600 604800 300",
        ),
        Case::new(
            "RFC 2308 §4: MINIMUM 0",
            "nothing.zero.test. A",
            "NXDOMAIN aa\nauthority zero.test. 0 SOA ns.invalid. hostmaster.invalid. 1 3600 600 604800 0",
        ),
        Case::new(
            "RFC 8020 §3.1: an empty non-terminal",
            "b.c.d.neg.test. TXT",
            "NOERROR aa\nnegative neg.test.",
        ),
        Case::new("RFC 8020 §3.1", "d.neg.test. ANY", "NOERROR aa\nnegative neg.test."),
        Case::new("RFC 8020 §2", "x.b.c.d.neg.test. TXT", "NXDOMAIN aa\nnegative neg.test."),
        Case::new(
            "RFC 8020 §2: below a name that is not there",
            "a.b.nothing.neg.test. A",
            "NXDOMAIN aa\nnegative neg.test.",
        ),
        Case::new(
            "RFC 8020 §2: below a name that has data",
            "x.www.neg.test. A",
            "NXDOMAIN aa\nnegative neg.test.",
        ),
        Case::new(
            "RFC 2181 §11: a dot in a label",
            "dotted\\.label.neg.test. A",
            "NOERROR aa\nanswer dotted\\.label.neg.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 2181 §11: which is not a border",
            "dotted.label.neg.test. A",
            "NXDOMAIN aa\nnegative neg.test.",
        ),
        Case::new(
            "RFC 2181 §11: any octet",
            "\\000\\255.neg.test. A",
            "NOERROR aa\nanswer \\000\\255.neg.test. 3600 A 192.0.2.3",
        ),
        Case::new(
            "RFC 2181 §11",
            "sp\\032ace.neg.test. A",
            "NOERROR aa\nanswer sp\\032ace.neg.test. 3600 A 192.0.2.5",
        ),
        Case::new(
            "RFC 2181 §11",
            "back\\\\slash.neg.test. A",
            "NOERROR aa\nanswer back\\\\slash.neg.test. 3600 A 192.0.2.6",
        ),
        Case::new(
            "RFC 4343 §3: case is of ASCII alone",
            "\\227x.neg.test. A",
            "NXDOMAIN aa\nnegative neg.test.",
        ),
        Case::new(
            "RFC 4343 §3",
            "\\195X.neg.test. A",
            "NOERROR aa\nanswer \\195x.neg.test. 3600 A 192.0.2.4",
        ),
        Case::new("RFC 4343 §3: a control character has no case", "neg.test\\014. A", "REFUSED"),
        Case::new("RFC 4343 §4", "upper.NEG.test. A", "NOERROR aa\nanswer upper.neg.test. 3600 A 192.0.2.7"),
        Case::new(
            "RFC 2181 §11: not only host names",
            "-.neg.test. A",
            "NOERROR aa\nanswer -.neg.test. 3600 A 192.0.2.8",
        ),
        Case::new("RFC 2181 §11", "_.neg.test. A", "NOERROR aa\nanswer _.neg.test. 3600 A 192.0.2.9"),
        Case::new("RFC 2181 §11", "1.neg.test. A", "NOERROR aa\nanswer 1.neg.test. 3600 A 192.0.2.10"),
        Case::new(
            "RFC 1035 §2.3.4: a label of 63 octets",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.neg.test. A",
            "NOERROR aa\nanswer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.neg.test. 3600 A 192.0.2.11",
        ),
        Case::new("RFC 1035 §4.1.1: no zone of ours", "www.elsewhere.invalid. A", "REFUSED"),
        Case::new("RFC 1034 §4.3.2: above our zones", "test. SOA", "REFUSED"),
        Case::new("RFC 1034 §4.3.2: the root", ". NS", "REFUSED"),
        Case::new("RFC 1034 §4.3.2: a name that only ends alike", "xneg.test. A", "REFUSED"),
    ],
};
