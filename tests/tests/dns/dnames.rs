//! DNAME (RFC 6672).

use super::table::{Case, Group};
use port53_tests::peer::Program::{Bind, Knot, Nsd};

const OTHER_ZONE: &str = "goes on into another zone that it has, which RFC 6672 §3.2 allows; ours stops at the \
    border, for the other zone may be another tenant's";

pub(crate) const GROUP: Group = Group {
    zones: &[
        (
            "dname.test.",
            "@ NS ns.invalid.
             old 1234 DNAME new
             old A 192.0.2.1
             x.new A 192.0.2.2
             alias.new CNAME x.new
             a.b.new TXT \"two labels\"
             xold A 192.0.2.3
             *.wild A 192.0.2.4
             to-wild DNAME wild
             far DNAME elsewhere.invalid.
             other DNAME moved.test.
             to-root DNAME .
             in CNAME x.old
             one DNAME two
             two DNAME new
             to-cut DNAME cut
             cut NS ns.cut
             ns.cut A 192.0.2.5
             below DNAME deep.below-target
             w.deep.below-target MX 10 x.new
             long DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
             cyc DNAME cyc",
        ),
        ("moved.test.", "@ NS ns.invalid.\nx A 192.0.2.6"),
        ("all.test.", "@ NS ns.invalid.\n@ DNAME new.dname.test.\n@ MX 10 mail.invalid."),
    ],
    cases: &[
        Case::new(
            "RFC 6672 §3.2, §3.1: the synthesised CNAME has the TTL of the DNAME",
            "x.old.dname.test. A",
            "NOERROR aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer x.old.dname.test. 1234 CNAME x.new.dname.test.
             answer x.new.dname.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 6672 §2.2: whatever is before the owner stays",
            "a.b.old.dname.test. TXT",
            "NOERROR aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer a.b.old.dname.test. 1234 CNAME a.b.new.dname.test.
             answer a.b.new.dname.test. 3600 TXT \"two labels\"",
        ),
        Case::new(
            "RFC 6672 §3.2: to an empty non-terminal",
            "b.old.dname.test. A",
            "NOERROR aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer b.old.dname.test. 1234 CNAME b.new.dname.test.
             negative dname.test.",
        ),
        Case::new(
            "RFC 6672 §3.2: on by a CNAME",
            "alias.old.dname.test. A",
            "NOERROR aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer alias.old.dname.test. 1234 CNAME alias.new.dname.test.
             answer alias.new.dname.test. 3600 CNAME x.new.dname.test.
             answer x.new.dname.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 6604 §3, RFC 6672 §3.2",
            "missing.old.dname.test. A",
            "NXDOMAIN aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer missing.old.dname.test. 1234 CNAME missing.new.dname.test.
             negative dname.test.",
        ),
        Case::new(
            "RFC 6672 §2.3: the owner itself is not redirected",
            "old.dname.test. A",
            "NOERROR aa\nanswer old.dname.test. 3600 A 192.0.2.1",
        ),
        Case::new("RFC 6672 §2.3", "old.dname.test. MX", "NOERROR aa\nnegative dname.test."),
        Case::new(
            "RFC 6672 §2.3",
            "old.dname.test. DNAME",
            "NOERROR aa\nanswer old.dname.test. 1234 DNAME new.dname.test.",
        ),
        Case::new("RFC 6672 §2.3", "old.dname.test. CNAME", "NOERROR aa\nnegative dname.test."),
        Case::new(
            "RFC 6672 §2.2, table 1: labels count, not octets",
            "xold.dname.test. A",
            "NOERROR aa\nanswer xold.dname.test. 3600 A 192.0.2.3",
        ),
        Case::new(
            "RFC 6672 §3.2: a question for DNAME below a DNAME is redirected as others",
            "x.old.dname.test. DNAME",
            "NOERROR aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer x.old.dname.test. 1234 CNAME x.new.dname.test.
             negative dname.test.",
        ),
        Case::new(
            "RFC 6672 §3.2, RFC 1034 §3.6.2: the CNAME that was asked for is made",
            "x.old.dname.test. CNAME",
            "NOERROR aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer x.old.dname.test. 1234 CNAME x.new.dname.test.",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3a, RFC 8482 §4: ANY matches the CNAME that was made",
            "gone.old.dname.test. ANY",
            "NOERROR aa
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer gone.old.dname.test. 1234 CNAME gone.new.dname.test.",
        )
        .differs(&[
            (Nsd, "goes on to the target, which RFC 8482 §4 leaves to the server"),
            (Knot, "goes on to the target, which RFC 8482 §4 leaves to the server"),
        ]),
        Case::new(
            "RFC 6672 §3.2, RFC 4592 §3.3",
            "q.to-wild.dname.test. A",
            "NOERROR aa
             answer to-wild.dname.test. 3600 DNAME wild.dname.test.
             answer q.to-wild.dname.test. 3600 CNAME q.wild.dname.test.
             answer q.wild.dname.test. 3600 A 192.0.2.4",
        ),
        Case::new(
            "RFC 6672 §3.2: out of the zone",
            "x.far.dname.test. A",
            "NOERROR aa
             answer far.dname.test. 3600 DNAME elsewhere.invalid.
             answer x.far.dname.test. 3600 CNAME x.elsewhere.invalid.",
        ),
        Case::new(
            "RFC 6672 §3.2; the border of the zone is the border of who may answer",
            "x.other.dname.test. A",
            "NOERROR aa
             answer other.dname.test. 3600 DNAME moved.test.
             answer x.other.dname.test. 3600 CNAME x.moved.test.",
        )
        .differs(&[(Nsd, OTHER_ZONE)]),
        Case::new(
            "RFC 6672 §2.2, table 1: the root as target",
            "invalid.to-root.dname.test. A",
            "NOERROR aa
             answer to-root.dname.test. 3600 DNAME .
             answer invalid.to-root.dname.test. 3600 CNAME invalid.",
        ),
        Case::new(
            "RFC 6672 §3.2: a CNAME on to a name below a DNAME",
            "in.dname.test. A",
            "NOERROR aa
             answer in.dname.test. 3600 CNAME x.old.dname.test.
             answer old.dname.test. 1234 DNAME new.dname.test.
             answer x.old.dname.test. 1234 CNAME x.new.dname.test.
             answer x.new.dname.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 6672 §3.2: one DNAME after another",
            "x.one.dname.test. A",
            "NOERROR aa
             answer one.dname.test. 3600 DNAME two.dname.test.
             answer x.one.dname.test. 3600 CNAME x.two.dname.test.
             answer two.dname.test. 3600 DNAME new.dname.test.
             answer x.two.dname.test. 3600 CNAME x.new.dname.test.
             answer x.new.dname.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 6672 §3.2, RFC 1034 §4.3.2 step 3b",
            "x.to-cut.dname.test. A",
            "NOERROR aa
             answer to-cut.dname.test. 3600 DNAME cut.dname.test.
             answer x.to-cut.dname.test. 3600 CNAME x.cut.dname.test.
             authority cut.dname.test. 3600 NS ns.cut.dname.test.
             glue ns.cut.dname.test. 3600 A 192.0.2.5",
        ),
        Case::new(
            "RFC 6672 §3.2",
            "w.below.dname.test. MX",
            "NOERROR aa
             answer below.dname.test. 3600 DNAME deep.below-target.dname.test.
             answer w.below.dname.test. 3600 CNAME w.deep.below-target.dname.test.
             answer w.deep.below-target.dname.test. 3600 MX 10 x.new.dname.test.",
        ),
        Case::new(
            "RFC 6672 §3.2: a target that is too long is YXDOMAIN",
            "cccccccccccccccccccccccccccccccccccccccccccccccccccccc.dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.eeeeeeeeeeeeeeeeeeeeeeeeee.long.dname.test. A",
            "YXDOMAIN aa
             answer long.dname.test. 3600 DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.dname.test.",
        )
        .differs(&[(Knot, "says NXDOMAIN; RFC 6672 §3.2 and RFC 1034 §4.3.2 as it amends it say YXDOMAIN")]),
        Case::new(
            "RFC 6672 §2.2, table 1: onto itself",
            "x.cyc.dname.test. A",
            "NOERROR aa
             answer cyc.dname.test. 3600 DNAME cyc.dname.test.
             answer x.cyc.dname.test. 3600 CNAME x.cyc.dname.test.",
        )
        .differs(&[(Bind, super::aliases::LOOP)]),
        Case::new(
            "RFC 6672 §2.3: beside other data at the apex",
            "all.test. MX",
            "NOERROR aa\nanswer all.test. 3600 MX 10 mail.invalid.",
        ),
        Case::new("RFC 6672 §2.3", "all.test. A", "NOERROR aa\nnegative all.test."),
        Case::new(
            "RFC 6672 §2.3, §3.2",
            "x.all.test. A",
            "NOERROR aa
             answer all.test. 3600 DNAME new.dname.test.
             answer x.all.test. 3600 CNAME x.new.dname.test.",
        )
        .differs(&[(Nsd, OTHER_ZONE)]),
    ],
};
