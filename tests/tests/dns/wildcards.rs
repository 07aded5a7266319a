//! Wildcards (RFC 4592).

use super::table::{Case, Group};
use port53_tests::peer::Program::{Bind, Knot, Nsd};

/// The example zone of RFC 4592 §2.2.1, as it stands there.
pub(crate) const RFC4592: Group = Group {
    zones: &[(
        "example.",
        "example. 3600 NS ns.example.com.
         example. 3600 NS ns.example.net.
         *.example. 3600 TXT \"this is a wildcard\"
         *.example. 3600 MX 10 host1.example.
         sub.*.example. 3600 TXT \"this is not a wildcard\"
         host1.example. 3600 A 192.0.2.1
         _ssh._tcp.host1.example. 3600 SRV 0 0 22 host1.example.
         _ssh._tcp.host2.example. 3600 SRV 0 0 22 host2.example.
         subdel.example. 3600 NS ns.example.com.
         subdel.example. 3600 NS ns.example.net.",
    )],
    cases: &[
        // What §2.2.1 says is synthesised.
        Case::new(
            "RFC 4592 §2.2.1",
            "host3.example. MX",
            "NOERROR aa\nanswer host3.example. 3600 MX 10 host1.example.",
        ),
        Case::new("RFC 4592 §2.2.1", "host3.example. A", "NOERROR aa\nnegative example."),
        Case::new(
            "RFC 4592 §2.2.1",
            "foo.bar.example. TXT",
            "NOERROR aa\nanswer foo.bar.example. 3600 TXT \"this is a wildcard\"",
        ),
        // And what is not.
        Case::new(
            "RFC 4592 §2.2.1: because host1 exists",
            "host1.example. MX",
            "NOERROR aa\nnegative example.",
        ),
        Case::new(
            "RFC 4592 §2.2.1: because sub.* exists",
            "sub.*.example. MX",
            "NOERROR aa\nnegative example.",
        ),
        Case::new(
            "RFC 4592 §2.2.1: because _tcp.host1 exists",
            "_telnet._tcp.host1.example. SRV",
            "NXDOMAIN aa\nnegative example.",
        ),
        Case::new(
            "RFC 4592 §2.2.1: because subdel is delegated",
            "host.subdel.example. A",
            "NOERROR
             authority subdel.example. 3600 NS ns.example.com.
             authority subdel.example. 3600 NS ns.example.net.",
        ),
        Case::new(
            "RFC 4592 §2.2.1: because *.example exists",
            "ghost.*.example. MX",
            "NXDOMAIN aa\nnegative example.",
        ),
        // Empty non-terminals.
        Case::new("RFC 4592 §2.2.2", "_tcp.host1.example. A", "NOERROR aa\nnegative example."),
        Case::new("RFC 4592 §2.2.2", "_tcp.host2.example. MX", "NOERROR aa\nnegative example."),
        Case::new("RFC 4592 §2.2.2", "host2.example. MX", "NOERROR aa\nnegative example."),
        Case::new("RFC 4592 §2.2.2", "other.host2.example. MX", "NXDOMAIN aa\nnegative example."),
        // The wildcard's own name.
        Case::new(
            "RFC 4592 §2.1.3",
            "*.example. TXT",
            "NOERROR aa\nanswer *.example. 3600 TXT \"this is a wildcard\"",
        ),
        Case::new("RFC 4592 §2.1.3", "*.example. A", "NOERROR aa\nnegative example."),
        Case::new(
            "RFC 4592 §2.1.3: * that is not the leftmost label is not special",
            "sub.*.example. TXT",
            "NOERROR aa\nanswer sub.*.example. 3600 TXT \"this is not a wildcard\"",
        ),
        Case::new("RFC 4592 §2.1.3: nor in a question", "*.*.example. TXT", "NXDOMAIN aa\nnegative example."),
        Case::new(
            "RFC 4592 §3.3.1: any number of labels",
            "a.b.c.d.e.f.example. MX",
            "NOERROR aa\nanswer a.b.c.d.e.f.example. 3600 MX 10 host1.example.",
        ),
        Case::new(
            "RFC 4592 §3.3.1, RFC 1034 §3.7.1",
            "host3.example. ANY",
            "NOERROR aa
             answer host3.example. 3600 TXT \"this is a wildcard\"
             answer host3.example. 3600 MX 10 host1.example.",
        )
        .differs(&[(Nsd, super::values::MINIMAL_ANY), (Knot, super::values::MINIMAL_ANY)]),
        Case::new(
            "RFC 4592 §3.3.1: the closest encloser is host1",
            "x.host1.example. MX",
            "NXDOMAIN aa\nnegative example.",
        ),
        Case::new(
            "RFC 4592 §3.3.1, RFC 4343 §4",
            "HOST3.Example. TXT",
            "NOERROR aa\nanswer host3.example. 3600 TXT \"this is a wildcard\"",
        ),
    ],
};

/// What the example zone leaves out.
pub(crate) const MORE: Group = Group {
    zones: &[(
        "wild.test.",
        "@ NS ns.invalid.
         target A 192.0.2.1
         *.alias CNAME target
         exact.alias A 192.0.2.2
         *.outside CNAME www.elsewhere.invalid.
         *.nowhere CNAME missing
         *.loop CNAME again.loop
         *.block A 192.0.2.3
         b.ent.block A 192.0.2.4
         foo.*.middle A 192.0.2.5
         *.cut A 192.0.2.6
         cut NS ns.invalid.
         a*b A 192.0.2.7
         ** A 192.0.2.8
         \\042.escaped A 192.0.2.9
         *.*.twice A 192.0.2.10
         *.deep A 192.0.2.11
         *.x.deep A 192.0.2.12
         *.srv._tcp SRV 1 2 3 target",
    )],
    cases: &[
        Case::new(
            "RFC 4592 §3.3.3: a CNAME is synthesised and followed",
            "q.alias.wild.test. A",
            "NOERROR aa
             answer q.alias.wild.test. 3600 CNAME target.wild.test.
             answer target.wild.test. 3600 A 192.0.2.1",
        ),
        Case::new(
            "RFC 4592 §3.3.3, RFC 2308 §2.2",
            "q.alias.wild.test. MX",
            "NOERROR aa
             answer q.alias.wild.test. 3600 CNAME target.wild.test.
             negative wild.test.",
        ),
        Case::new(
            "RFC 4592 §3.3.3",
            "q.alias.wild.test. CNAME",
            "NOERROR aa\nanswer q.alias.wild.test. 3600 CNAME target.wild.test.",
        ),
        Case::new(
            "RFC 4592 §2.2.1: the name exists",
            "exact.alias.wild.test. TXT",
            "NOERROR aa\nnegative wild.test.",
        ),
        Case::new("RFC 4592 §3.3.1", "q.exact.alias.wild.test. A", "NXDOMAIN aa\nnegative wild.test."),
        Case::new(
            "RFC 4592 §3.3.3",
            "q.outside.wild.test. A",
            "NOERROR aa\nanswer q.outside.wild.test. 3600 CNAME www.elsewhere.invalid.",
        ),
        Case::new(
            "RFC 6604 §3",
            "q.nowhere.wild.test. A",
            "NXDOMAIN aa
             answer q.nowhere.wild.test. 3600 CNAME missing.wild.test.
             negative wild.test.",
        ),
        Case::new(
            "RFC 4592 §3.3.3, RFC 1034 §3.6.2: a loop ends",
            "q.loop.wild.test. A",
            "NOERROR aa
             answer q.loop.wild.test. 3600 CNAME again.loop.wild.test.
             answer again.loop.wild.test. 3600 CNAME again.loop.wild.test.",
        )
        .differs(&[(Bind, super::aliases::LOOP)]),
        Case::new(
            "RFC 4592 §2.2.2: an empty non-terminal",
            "ent.block.wild.test. A",
            "NOERROR aa\nnegative wild.test.",
        ),
        Case::new("RFC 4592 §2.2.2, §3.3.1", "q.ent.block.wild.test. A", "NXDOMAIN aa\nnegative wild.test."),
        Case::new(
            "RFC 4592 §3.3.1",
            "q.block.wild.test. A",
            "NOERROR aa\nanswer q.block.wild.test. 3600 A 192.0.2.3",
        ),
        Case::new(
            "RFC 4592 §4.9: a wildcard that is an empty non-terminal",
            "q.middle.wild.test. A",
            "NOERROR aa\nnegative wild.test.",
        ),
        Case::new("RFC 4592 §4.9", "foo.q.middle.wild.test. A", "NOERROR aa\nnegative wild.test."),
        Case::new(
            "RFC 4592 §2.1.3",
            "foo.*.middle.wild.test. A",
            "NOERROR aa\nanswer foo.*.middle.wild.test. 3600 A 192.0.2.5",
        ),
        Case::new(
            "RFC 4592 §4.2, RFC 1034 §4.3.2 step 3b: the delegation comes first",
            "q.cut.wild.test. A",
            "NOERROR\nauthority cut.wild.test. 3600 NS ns.invalid.",
        ),
        Case::new(
            "RFC 1034 §4.3.2 step 3b",
            "*.cut.wild.test. A",
            "NOERROR\nauthority cut.wild.test. 3600 NS ns.invalid.",
        ),
        Case::new(
            "RFC 4592 §2.1.1: an asterisk with others in its label is no wildcard",
            "a*b.wild.test. A",
            "NOERROR aa\nanswer a*b.wild.test. 3600 A 192.0.2.7",
        ),
        Case::new("RFC 4592 §2.1.1", "axb.wild.test. A", "NXDOMAIN aa\nnegative wild.test."),
        Case::new("RFC 4592 §2.1.1", "q.**.wild.test. A", "NXDOMAIN aa\nnegative wild.test."),
        Case::new("RFC 4592 §2.1.1", "**.wild.test. A", "NOERROR aa\nanswer **.wild.test. 3600 A 192.0.2.8"),
        Case::new(
            "RFC 4592 §2.1.1: how it is written does not matter",
            "q.escaped.wild.test. A",
            "NOERROR aa\nanswer q.escaped.wild.test. 3600 A 192.0.2.9",
        ),
        Case::new(
            "RFC 4592 §2.1.3: the second asterisk is a label like others",
            "q.*.twice.wild.test. A",
            "NOERROR aa\nanswer q.*.twice.wild.test. 3600 A 192.0.2.10",
        ),
        Case::new("RFC 4592 §4.9", "q.r.twice.wild.test. A", "NOERROR aa\nnegative wild.test."),
        Case::new(
            "RFC 4592 §3.3.1: the closest encloser decides",
            "q.x.deep.wild.test. A",
            "NOERROR aa\nanswer q.x.deep.wild.test. 3600 A 192.0.2.12",
        ),
        Case::new(
            "RFC 4592 §3.3.1",
            "q.y.deep.wild.test. A",
            "NOERROR aa\nanswer q.y.deep.wild.test. 3600 A 192.0.2.11",
        ),
        Case::new("RFC 4592 §2.2.2", "x.deep.wild.test. A", "NOERROR aa\nnegative wild.test."),
        Case::new(
            "RFC 4592 §4.5",
            "q.srv._tcp.wild.test. SRV",
            "NOERROR aa\nanswer q.srv._tcp.wild.test. 3600 SRV 1 2 3 target.wild.test.",
        ),
    ],
};
