//! Delegations (RFC 1034 §4.3.2 step 3b), their glue (RFC 9471), DS at the parent's side (RFC 4035
//! §3.1.4.1), and parent and child in one server.

use super::table::{Case, Group};
use port53_tests::peer::Program::{Bind, Knot, Nsd};

pub(crate) const GROUP: Group = Group {
    zones: &[(
        "deleg.test.",
        "@ NS ns.invalid.
         in 1800 NS ns.in
         ns.in 900 A 192.0.2.1
         ns.in 900 AAAA 2001:db8::1
         www.in A 192.0.2.99
         sib NS ns.in
         far NS ns.elsewhere.invalid.
         both NS ns.both
         both NS ns.elsewhere.invalid.
         ns.both A 192.0.2.2
         apart NS ns.host
         ns.host A 192.0.2.3
         signed NS ns.elsewhere.invalid.
         signed 600 DS 12345 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
         a.b.c NS ns.elsewhere.invalid.
         upper NS ns.elsewhere.invalid.
         lower.upper NS ns.other.invalid.
         under.upper DNAME in.deleg.test.
         *.upper TXT \"never seen\"
         bare NS ns.bare
         deep NS ns.x.y.deep
         ns.x.y.deep A 192.0.2.4
         MiXed NS Ns.MixeD
         wild NS ns.wild
         *.wild A 192.0.2.6
         ns.mixed A 192.0.2.5",
    )],
    cases: &[
        Case::new("RFC 1034 §4.3.2 step 3b", "www.in.deleg.test. A", IN),
        Case::new("RFC 1034 §4.3.2 step 3b: at the cut", "in.deleg.test. A", IN),
        Case::new("RFC 1034 §4.2.1: NS at a cut is not authoritative", "in.deleg.test. NS", IN),
        Case::new("RFC 1034 §4.2.1", "in.deleg.test. SOA", IN),
        Case::new("RFC 1034 §4.3.2 step 3b, RFC 8482 §4", "in.deleg.test. ANY", IN),
        Case::new("RFC 1034 §4.3.2 step 3b", "in.deleg.test. CNAME", IN),
        Case::new("RFC 1034 §4.2.1: glue is not authoritative", "ns.in.deleg.test. A", IN),
        Case::new("RFC 1034 §4.2.1", "ns.in.deleg.test. MX", IN),
        Case::new("RFC 1034 §4.3.2 step 3b: whether the child has it is not known", "no.such.in.deleg.test. TXT", IN),
        Case::new("RFC 4035 §3.1.4.1: DS below a cut is the child's", "www.in.deleg.test. DS", IN),
        Case::new(
            "RFC 9471 §2.2: sibling glue",
            "www.sib.deleg.test. A",
            "NOERROR
             authority sib.deleg.test. 3600 NS ns.in.deleg.test.
             glue ns.in.deleg.test. 900 A 192.0.2.1
             glue ns.in.deleg.test. 900 AAAA 2001:db8::1",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3b: no glue where none is needed",
            "www.far.deleg.test. A",
            "NOERROR\nauthority far.deleg.test. 3600 NS ns.elsewhere.invalid.",
        ),
        Case::new(
            "RFC 9471 §2.1",
            "www.both.deleg.test. A",
            "NOERROR
             authority both.deleg.test. 3600 NS ns.both.deleg.test.
             authority both.deleg.test. 3600 NS ns.elsewhere.invalid.
             glue ns.both.deleg.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3b: the address of a nameserver in this zone",
            "www.apart.deleg.test. A",
            "NOERROR
             authority apart.deleg.test. 3600 NS ns.host.deleg.test.
             glue ns.host.deleg.test. 3600 A 192.0.2.3",
        )
        .differs(&[(Bind, "leaves it out with minimal responses; it is outside of the cut, so RFC 9471 §2 leaves it to the server")]),
        Case::new(
            "RFC 1034 §4.2.1: which is authoritative itself",
            "ns.host.deleg.test. A",
            "NOERROR aa\nanswer ns.host.deleg.test. 3600 A 192.0.2.3",
        ),
        Case::new(
            "RFC 4035 §3.1.4.1: DS is of the parent's side",
            "signed.deleg.test. DS",
            "NOERROR aa
             answer signed.deleg.test. 600 DS 12345 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
        Case::new(
            "RFC 3225 §3: without DO no DS in a referral",
            "signed.deleg.test. A",
            "NOERROR\nauthority signed.deleg.test. 3600 NS ns.elsewhere.invalid.",
        ),
        Case::new("RFC 4035 §3.1.4.1: no DS", "in.deleg.test. DS", "NOERROR aa\nnegative deleg.test."),
        Case::new("RFC 4035 §3.1.4.1: at a name without a cut", "ns.host.deleg.test. DS", "NOERROR aa\nnegative deleg.test."),
        Case::new("RFC 4035 §3.1.4.1: at a name that is not there", "nothing.deleg.test. DS", "NXDOMAIN aa\nnegative deleg.test."),
        Case::new("RFC 4035 §3.1.4.1: at the apex, without the parent here", "deleg.test. DS", "NOERROR aa\nnegative deleg.test."),
        Case::new(
            "RFC 1034 §4.3.2 step 3b: below empty non-terminals",
            "x.a.b.c.deleg.test. A",
            "NOERROR\nauthority a.b.c.deleg.test. 3600 NS ns.elsewhere.invalid.",
        ),
        Case::new("RFC 8020 §3.1: above the cut", "b.c.deleg.test. A", "NOERROR aa\nnegative deleg.test."),
        Case::new("RFC 8020 §2: beside the cut", "x.b.c.deleg.test. A", "NXDOMAIN aa\nnegative deleg.test."),
        Case::new(
            "RFC 1034 §4.3.2 step 3b: the upper of two cuts counts",
            "x.lower.upper.deleg.test. A",
            UPPER,
        ),
        Case::new("RFC 2181 §6.1: what is below a cut is not in the zone", "x.under.upper.deleg.test. TXT", UPPER),
        Case::new("RFC 2181 §6.1", "lower.upper.deleg.test. DS", UPPER),
        Case::new(
            "RFC 9471 §3.1: glue that is missing cannot be given",
            "x.bare.deleg.test. A",
            "NOERROR\nauthority bare.deleg.test. 3600 NS ns.bare.deleg.test.",
        ),
        Case::new(
            "RFC 1034 §4.3.3: a wildcard below a cut gives nothing, no glue either",
            "x.wild.deleg.test. A",
            "NOERROR\nauthority wild.deleg.test. 3600 NS ns.wild.deleg.test.",
        )
        .differs(&[(Nsd, WILD_GLUE), (Knot, WILD_GLUE)]),
        Case::new(
            "RFC 9471 §2.1: in-domain at any depth",
            "deep.deleg.test. A",
            "NOERROR
             authority deep.deleg.test. 3600 NS ns.x.y.deep.deleg.test.
             glue ns.x.y.deep.deleg.test. 3600 A 192.0.2.4",
        ),
        Case::new(
            "RFC 4343 §4",
            "WWW.mIxEd.deleg.TEST. A",
            "NOERROR
             authority mixed.deleg.test. 3600 NS ns.mixed.deleg.test.
             glue ns.mixed.deleg.test. 3600 A 192.0.2.5",
        ),
        Case::new(
            "RFC 2181 §6.1: the apex NS are authoritative",
            "deleg.test. NS",
            "NOERROR aa\nanswer deleg.test. 3600 NS ns.invalid.",
        ),
    ],
};

const WILD_GLUE: &str = "takes the address of the nameserver from the wildcard, which the delegation cancels \
    (RFC 1034 §4.3.3)";

const IN: &str = "NOERROR
    authority in.deleg.test. 1800 NS ns.in.deleg.test.
    glue ns.in.deleg.test. 900 A 192.0.2.1
    glue ns.in.deleg.test. 900 AAAA 2001:db8::1";

const UPPER: &str = "NOERROR\nauthority upper.deleg.test. 3600 NS ns.elsewhere.invalid.";

const ONE_TREE: &str = "keeps the names of all its zones in one tree, so the parent's wildcard below the cut makes \
    the child's name exist; RFC 1034 §4.3.2 step 2 has the nearest zone alone answer, and it has no such name";

/// A parent, its child and the child of that, all served by one server.
pub(crate) const PARENT_AND_CHILD: Group = Group {
    zones: &[
        (
            "family.test.",
            "@ NS ns.invalid.
             kid NS ns.kid
             ns.kid A 192.0.2.1
             kid 700 DS 1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
             other NS ns.kid
             www.kid A 192.0.2.66
             *.kid A 192.0.2.67",
        ),
        (
            "kid.family.test.",
            "@ 800 NS ns
             ns A 192.0.2.1
             www A 192.0.2.2
             son NS ns.son
             ns.son A 192.0.2.3",
        ),
        ("son.kid.family.test.", "@ NS ns\nns A 192.0.2.3"),
    ],
    cases: &[
        Case::new(
            "RFC 1034 §4.3.2 step 2: the nearest zone answers",
            "www.kid.family.test. A",
            "NOERROR aa\nanswer www.kid.family.test. 3600 A 192.0.2.2",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 2: so the child's NS",
            "kid.family.test. NS",
            "NOERROR aa\nanswer kid.family.test. 800 NS ns.kid.family.test.",
        ),
        Case::new("RFC 1034 §4.3.2 step 2", "kid.family.test. MX", "NOERROR aa\nnegative kid.family.test."),
        Case::new(
            "RFC 1034 §4.3.2 step 2: what the parent has below the cut does not count",
            "q.kid.family.test. A",
            "NXDOMAIN aa\nnegative kid.family.test.",
        )
        .differs(&[(Nsd, ONE_TREE)]),
        Case::new(
            "RFC 4035 §3.1.4.1: DS is asked of the parent",
            "kid.family.test. DS",
            "NOERROR aa\nanswer kid.family.test. 700 DS 1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
        Case::new(
            "RFC 4035 §3.1.4.1: and its absence",
            "son.kid.family.test. DS",
            "NOERROR aa\nnegative kid.family.test.",
        ),
        Case::new("RFC 4035 §3.1.4.1", "www.kid.family.test. DS", "NOERROR aa\nnegative kid.family.test."),
        Case::new("RFC 4035 §3.1.4.1", "q.kid.family.test. DS", "NXDOMAIN aa\nnegative kid.family.test.")
            .differs(&[(Nsd, ONE_TREE)]),
        Case::new(
            "RFC 1034 §4.3.2 step 2",
            "ns.son.kid.family.test. A",
            "NOERROR aa\nanswer ns.son.kid.family.test. 3600 A 192.0.2.3",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3b: a sister that is not here",
            "www.other.family.test. A",
            "NOERROR
             authority other.family.test. 3600 NS ns.kid.family.test.
             glue ns.kid.family.test. 3600 A 192.0.2.1",
        ),
        Case::new("RFC 1034 §4.3.2 step 2", "x.family.test. A", "NXDOMAIN aa\nnegative family.test."),
    ],
};
