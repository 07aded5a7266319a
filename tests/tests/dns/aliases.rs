//! CNAME (RFC 1034 §3.6.2, RFC 2181 §10.1) and the rcodes of chains (RFC 6604).

use super::table::{Case, Group};
use port53_tests::peer::Program::{Bind, Knot, Nsd};

const OTHER_ZONE: &str = "goes on into another zone that it has, which RFC 1034 §4.3.2 step 3a allows; \
    ours stops at the border, for the other zone may be another tenant's";

/// What BIND says of loops.
pub(crate) const LOOP: &str = "runs around until its limit and says SERVFAIL with the chain; NSD and Knot say \
    NOERROR, and RFC 1034 §3.6.2 asks that programs do not fail on chains and loops";

pub(crate) const GROUP: Group = Group {
    zones: &[
        (
            "alias.test.",
            "@ NS ns.invalid.
             a CNAME b
             b CNAME c
             c 600 A 192.0.2.1
             c 900 AAAA 2001:db8::1
             out CNAME www.other.test.
             through CNAME out
             far CNAME www.elsewhere.invalid.
             up CNAME test.
             gone CNAME nothing
             gone-far CNAME nothing.other.test.
             loop CNAME pool
             pool CNAME loop
             self CNAME self
             to-apex CNAME @
             to-ent CNAME ent
             deep.ent TXT \"below an empty non-terminal\"
             to-cut CNAME www.cut
             at-cut CNAME cut
             cut NS ns.cut
             ns.cut A 192.0.2.2
             to-wild CNAME q.wild
             *.wild A 192.0.2.3
             to-child CNAME www.child
             child NS ns.child
             ns.child A 192.0.2.4
             chain1 CNAME chain2
             chain2 CNAME chain3
             chain3 CNAME chain4
             chain4 CNAME chain5
             chain5 CNAME chain6
             chain6 CNAME chain7
             chain7 CNAME chain8
             chain8 A 192.0.2.5
             MiXed CNAME C",
        ),
        ("other.test.", "@ NS ns.invalid.\nwww A 192.0.2.6"),
        ("child.alias.test.", "@ NS ns\nns A 192.0.2.4\nwww A 192.0.2.7"),
    ],
    cases: &[
        Case::new(
            "RFC 1034 §3.6.2",
            "a.alias.test. A",
            "NOERROR aa
             answer a.alias.test. 3600 CNAME b.alias.test.
             answer b.alias.test. 3600 CNAME c.alias.test.
             answer c.alias.test. 600 A 192.0.2.1",
        ),
        Case::new(
            "RFC 1034 §3.6.2",
            "b.alias.test. AAAA",
            "NOERROR aa
             answer b.alias.test. 3600 CNAME c.alias.test.
             answer c.alias.test. 900 AAAA 2001:db8::1",
        ),
        Case::new(
            "RFC 2308 §2.2",
            "a.alias.test. MX",
            "NOERROR aa
             answer a.alias.test. 3600 CNAME b.alias.test.
             answer b.alias.test. 3600 CNAME c.alias.test.
             negative alias.test.",
        ),
        Case::new(
            "RFC 1034 §3.6.2: a question for the CNAME is not restarted",
            "a.alias.test. CNAME",
            "NOERROR aa\nanswer a.alias.test. 3600 CNAME b.alias.test.",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3a: ANY matches the CNAME",
            "a.alias.test. ANY",
            "NOERROR aa\nanswer a.alias.test. 3600 CNAME b.alias.test.",
        ),
        Case::new("RFC 2308 §2.2", "c.alias.test. CNAME", "NOERROR aa\nnegative alias.test."),
        Case::new(
            "RFC 1034 §4.3.2 step 3a; the border of the zone is the border of who may answer",
            "out.alias.test. A",
            "NOERROR aa\nanswer out.alias.test. 3600 CNAME www.other.test.",
        )
        .differs(&[(Nsd, OTHER_ZONE)]),
        Case::new(
            "RFC 1034 §4.3.2 step 3a",
            "through.alias.test. A",
            "NOERROR aa
             answer through.alias.test. 3600 CNAME out.alias.test.
             answer out.alias.test. 3600 CNAME www.other.test.",
        )
        .differs(&[(Nsd, OTHER_ZONE)]),
        Case::new(
            "RFC 1034 §4.3.2 step 3a: what is in no zone of ours is for the client to follow",
            "far.alias.test. A",
            "NOERROR aa\nanswer far.alias.test. 3600 CNAME www.elsewhere.invalid.",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3a: above the zone is outside",
            "up.alias.test. A",
            "NOERROR aa\nanswer up.alias.test. 3600 CNAME test.",
        ),
        Case::new(
            "RFC 6604 §3: the rcode is that of the last name of the chain",
            "gone.alias.test. A",
            "NXDOMAIN aa
             answer gone.alias.test. 3600 CNAME nothing.alias.test.
             negative alias.test.",
        ),
        Case::new(
            "RFC 6604 §3: of a name in another zone nothing is said",
            "gone-far.alias.test. A",
            "NOERROR aa\nanswer gone-far.alias.test. 3600 CNAME nothing.other.test.",
        )
        .differs(&[(Nsd, OTHER_ZONE)]),
        Case::new(
            "RFC 1034 §3.6.2: a loop is no failure of the server; it is answered, once around",
            "loop.alias.test. A",
            "NOERROR aa
             answer loop.alias.test. 3600 CNAME pool.alias.test.
             answer pool.alias.test. 3600 CNAME loop.alias.test.",
        )
        .differs(&[(Bind, LOOP)]),
        Case::new(
            "RFC 1034 §3.6.2",
            "self.alias.test. A",
            "NOERROR aa\nanswer self.alias.test. 3600 CNAME self.alias.test.",
        )
        .differs(&[(Bind, LOOP)]),
        Case::new(
            "RFC 1034 §3.6.2",
            "self.alias.test. CNAME",
            "NOERROR aa\nanswer self.alias.test. 3600 CNAME self.alias.test.",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3a: the apex is a name like others",
            "to-apex.alias.test. NS",
            "NOERROR aa
             answer to-apex.alias.test. 3600 CNAME alias.test.
             answer alias.test. 3600 NS ns.invalid.",
        ),
        Case::new(
            "RFC 2308 §2.2, RFC 8020 §3.1: an empty non-terminal exists",
            "to-ent.alias.test. A",
            "NOERROR aa
             answer to-ent.alias.test. 3600 CNAME ent.alias.test.
             negative alias.test.",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3b after 3a; AA is that of the first owner, RFC 1035 §4.1.1",
            "to-cut.alias.test. A",
            "NOERROR aa
             answer to-cut.alias.test. 3600 CNAME www.cut.alias.test.
             authority cut.alias.test. 3600 NS ns.cut.alias.test.
             glue ns.cut.alias.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3b after 3a",
            "at-cut.alias.test. NS",
            "NOERROR aa
             answer at-cut.alias.test. 3600 CNAME cut.alias.test.
             authority cut.alias.test. 3600 NS ns.cut.alias.test.
             glue ns.cut.alias.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3c after 3a",
            "to-wild.alias.test. A",
            "NOERROR aa
             answer to-wild.alias.test. 3600 CNAME q.wild.alias.test.
             answer q.wild.alias.test. 3600 A 192.0.2.3",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3b after 3a: the child is another zone, although it is here",
            "to-child.alias.test. A",
            "NOERROR aa
             answer to-child.alias.test. 3600 CNAME www.child.alias.test.
             authority child.alias.test. 3600 NS ns.child.alias.test.
             glue ns.child.alias.test. 3600 A 192.0.2.4",
        )
        .differs(&[(Bind, OTHER_ZONE), (Nsd, OTHER_ZONE)]),
        Case::new(
            "RFC 1034 §3.6.2: long chains are followed",
            "chain1.alias.test. A",
            "NOERROR aa
             answer chain1.alias.test. 3600 CNAME chain2.alias.test.
             answer chain2.alias.test. 3600 CNAME chain3.alias.test.
             answer chain3.alias.test. 3600 CNAME chain4.alias.test.
             answer chain4.alias.test. 3600 CNAME chain5.alias.test.
             answer chain5.alias.test. 3600 CNAME chain6.alias.test.
             answer chain6.alias.test. 3600 CNAME chain7.alias.test.
             answer chain7.alias.test. 3600 CNAME chain8.alias.test.
             answer chain8.alias.test. 3600 A 192.0.2.5",
        )
        .differs(&[(
            Knot,
            "stops after five steps, which RFC 1034 §5.2.2 leaves to the server; the client asks on",
        )]),
        Case::new(
            "RFC 4343 §4: case does not matter on the way",
            "mIxEd.AliaS.test. A",
            "NOERROR aa
             answer mixed.alias.test. 3600 CNAME c.alias.test.
             answer c.alias.test. 600 A 192.0.2.1",
        ),
    ],
};
