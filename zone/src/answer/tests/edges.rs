//! Lookups where two rules meet.

use super::*;

/// RFC 4592 §3.3.1 and §2.2.2: a wildcard that exists only as an empty non-terminal is the source of
/// synthesis all the same, and has no data.
#[test]
fn rfc4592_a_wildcard_that_is_an_empty_non_terminal() {
    let zones = zones([zone("example", "sub.* TXT x\na.b.*.c TXT y")]);
    let no_data = format!("NOERROR aa | | {NEGATIVE} |");
    let name_error = format!("NXDOMAIN aa | | {NEGATIVE} |");
    check(
        &zones,
        &[
            ("foo.example TXT", &no_data),
            ("foo.bar.example TXT", &no_data),
            ("*.example TXT", &no_data),
            ("foo.*.example TXT", &name_error),
            ("sub.foo.example TXT", &no_data),
            ("q.c.example A", &no_data),
            ("q.b.*.c.example A", &name_error),
        ],
    );
}

/// RFC 6672 §2.3: a DNAME at the apex leaves the apex alone and takes everything below.
#[test]
fn rfc6672_dname_at_the_apex() {
    let zones = zones([zone("example", "@ NS ns.test.\n@ TXT here\n@ DNAME other.test.")]);
    check(
        &zones,
        &[
            ("example TXT", "NOERROR aa | example 300 TXT \"here\" | |"),
            ("example SOA", "NOERROR aa | example 3600 SOA ns.test who.test 9 1 2 3 60 | |"),
            ("example DNAME", "NOERROR aa | example 300 DNAME other.test | |"),
            ("example A", &format!("NOERROR aa | | {NEGATIVE} |")),
            (
                "a.b.example A",
                "NOERROR aa | example 300 DNAME other.test; a.b.example 300 CNAME a.b.other.test | |",
            ),
            (
                "a.example DNAME",
                "NOERROR aa | example 300 DNAME other.test; a.example 300 CNAME a.other.test | |",
            ),
        ],
    );
}

/// Found by fuzzing: it stood in the answer twice.
#[test]
fn a_dname_that_is_asked_for_and_led_back_to_stands_once() {
    let zones =
        zones([zone("example", "b.b.a DNAME b.a.example.\n*.w DNAME other.test.\nd DNAME *.w.example.")]);
    check(
        &zones,
        &[
            (
                "b.b.b.a.example DNAME",
                "NOERROR aa | b.b.a.example 300 DNAME b.a.example; \
                 b.b.b.a.example 300 CNAME b.b.a.example | |",
            ),
            // The same records of another owner are another set.
            ("q.w.example DNAME", "NOERROR aa | q.w.example 300 DNAME other.test | |"),
        ],
    );
}

/// Its signatures were there a second time for who asked for all signatures.
#[test]
fn the_signatures_of_a_dname_that_is_led_back_to_stand_once() {
    let signature = |of: &str, labels| {
        format!("RRSIG {of} 13 {labels} 300 20300101000000 20200101000000 1 example. AAAA")
    };
    let zones = zones([zone(
        "example",
        &format!(
            "@ {}\n@ NSEC b.b.a.example. SOA RRSIG NSEC\nb.b.a DNAME b.a.example.\nb.b.a {}\nb.b.a {}\nb.b.a NSEC example. DNAME RRSIG NSEC",
            signature("SOA", 1),
            signature("DNAME", 4),
            signature("NSEC", 4),
        ),
    )]);
    let answer = describe(&ask(&zones, "b.b.b.a.example RRSIG", Transport::Tcp, Some(1232)).1);
    assert_eq!(answer.matches("RRSIG DNAME").count(), 1, "{answer}");
    assert_eq!(answer.matches("RRSIG NSEC").count(), 1, "{answer}");
}

/// RFC 6672 §3.2 step 3C: a DNAME that a wildcard has is not that of the names it stands for.
#[test]
fn dname_at_a_wildcard_aliases_nothing() {
    let zones = zones([zone("example", "*.w DNAME other.test.\n*.v CNAME x.d.example.\nd DNAME w.example.")]);
    let no_data = format!("NOERROR aa | | {NEGATIVE} |");
    check(
        &zones,
        &[
            ("a.w.example A", &no_data),
            ("b.a.w.example A", &no_data),
            (
                "q.v.example A",
                &format!(
                    "NOERROR aa | q.v.example 300 CNAME x.d.example; d.example 300 DNAME w.example; \
                     x.d.example 300 CNAME x.w.example | {NEGATIVE} |"
                ),
            ),
        ],
    );
}

/// RFC 6672 §5.3.1 and RFC 1034 §3.6.2: what turns in a circle ends, each DNAME once.
#[test]
fn chains_that_turn_in_circles() {
    let zones = zones([zone(
        "example",
        "a DNAME b.example.\nb DNAME a.example.\ngrow CNAME x.grow.example.\nself CNAME self.example.\nd DNAME x.d.example.",
    )]);
    check(
        &zones,
        &[
            (
                "x.a.example A",
                "NOERROR aa | a.example 300 DNAME b.example; x.a.example 300 CNAME x.b.example; \
                 b.example 300 DNAME a.example; x.b.example 300 CNAME x.a.example | |",
            ),
            ("self.example A", "NOERROR aa | self.example 300 CNAME self.example | |"),
            (
                "grow.example A",
                &format!("NXDOMAIN aa | grow.example 300 CNAME x.grow.example | {NEGATIVE} |"),
            ),
        ],
    );
    let (responded, octets) = ask(&zones, "y.d.example A", Transport::Tcp, None);
    assert_eq!(responded.rcode, NOERROR);
    assert_eq!(describe(&octets).matches(" CNAME ").count(), 16, "a chain that grows ends");
}

/// RFC 4035 §3.1.4.1: DS at the apex where the parent is not here, and where the parent is being assembled.
#[test]
fn ds_at_the_apex() {
    let child = zone("child.example", "@ NS ns.test.");
    let negative = "child.example 60 SOA ns.test who.test 9 1 2 3 60";
    check(&zones([child.clone()]), &[("child.example DS", &format!("NOERROR aa | | {negative} |"))]);
    let (apex, _) = zone("example", "");
    check(&zones([child.clone(), (apex, ZoneState::Assembling)]), &[("child.example DS", "SERVFAIL | | |")]);
    // Above the parent: its referral.
    let both = zones([child, zone(".", "example NS ns.test.")]);
    check(&both, &[("child.example DS", "NOERROR | | example 300 NS ns.test |")]);
    let root = zones([zone(".", "@ NS a.test.\na.test A 192.0.2.1")]);
    check(
        &root,
        &[
            (". DS", "NOERROR aa | | 60 SOA ns.test who.test 9 1 2 3 60 |"),
            (". NS", "NOERROR aa | 300 NS a.test | | a.test 300 A 192.0.2.1"),
            ("nothing A", "NXDOMAIN aa | | 60 SOA ns.test who.test 9 1 2 3 60 |"),
            ("test A", "NOERROR aa | | 60 SOA ns.test who.test 9 1 2 3 60 |"),
        ],
    );
}

/// RFC 1034 §4.3.2 step 3b and §3.7.1: a delegation is a referral for every type but DS; ANY is what is there.
#[test]
fn any_and_ns() {
    let zones = zones([zone(
        "example",
        "@ NS ns.test.
         cut NS ns.test.
         cut DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
         alias CNAME www.example.
         www A 192.0.2.1
         www TXT t
         deep.ent A 192.0.2.2
         *.w TXT t
         *.w CNAME www.example.",
    )]);
    let referral = "NOERROR | | cut.example 300 NS ns.test |";
    check(
        &zones,
        &[
            ("cut.example NS", referral),
            ("cut.example ANY", referral),
            ("cut.example SOA", referral),
            ("x.cut.example ANY", referral),
            ("alias.example ANY", "NOERROR aa | alias.example 300 CNAME www.example | |"),
            ("www.example ANY", "NOERROR aa | www.example 300 A 192.0.2.1; www.example 300 TXT \"t\" | |"),
            ("ent.example ANY", &format!("NOERROR aa | | {NEGATIVE} |")),
            ("none.example ANY", &format!("NXDOMAIN aa | | {NEGATIVE} |")),
            (
                "example ANY",
                "NOERROR aa | example 3600 SOA ns.test who.test 9 1 2 3 60; example 300 NS ns.test | |",
            ),
            (
                "q.w.example ANY",
                "NOERROR aa | q.w.example 300 CNAME www.example; q.w.example 300 TXT \"t\" | |",
            ),
        ],
    );
}

/// RFC 1034 §4.3.2 step 3a: AA is that of the first owner, the rcode that of the last (RFC 6604 §3).
#[test]
fn chains_to_their_end() {
    let zones = zones([zone(
        "example",
        "to-cut CNAME x.cut.example.
         cut NS ns.cut.example.
         ns.cut A 192.0.2.1
         ent CNAME e.example.
         a.e TXT t
         mail CNAME mx.example.
         mx MX 10 h.example.
         h A 192.0.2.2
         apex CNAME example.
         far CNAME example.test.
         fars CNAME xexample.",
    )]);
    check(
        &zones,
        &[
            (
                "to-cut.example A",
                "NOERROR aa | to-cut.example 300 CNAME x.cut.example | cut.example 300 NS ns.cut.example | \
                 ns.cut.example 300 A 192.0.2.1",
            ),
            ("ent.example A", &format!("NOERROR aa | ent.example 300 CNAME e.example | {NEGATIVE} |")),
            (
                "mail.example MX",
                "NOERROR aa | mail.example 300 CNAME mx.example; mx.example 300 MX 10 h.example | | h.example 300 A 192.0.2.2",
            ),
            (
                "apex.example SOA",
                "NOERROR aa | apex.example 300 CNAME example; example 3600 SOA ns.test who.test 9 1 2 3 60 | |",
            ),
            ("far.example A", "NOERROR aa | far.example 300 CNAME example.test | |"),
            ("fars.example A", "NOERROR aa | fars.example 300 CNAME xexample | |"),
        ],
    );
}

/// Glue is what this zone holds: in-domain, then sibling; names of other zones are left to others.
#[test]
fn glue_is_of_this_zone() {
    let zones = zones([
        zone(
            "example",
            "cut NS ns.cut.example.
             cut NS ns.sibling.example.
             cut NS ns.hosted.
             cut NS in-zone.example.
             ns.cut A 192.0.2.1
             sibling NS ns.sibling.example.
             ns.sibling AAAA 2001:db8::2
             in-zone A 192.0.2.3
             *.wild A 192.0.2.4
             w NS any.wild.example.",
        ),
        zone("hosted", "ns A 192.0.2.9"),
    ]);
    check(
        &zones,
        &[
            (
                "cut.example A",
                "NOERROR | | cut.example 300 NS ns.cut.example; cut.example 300 NS ns.hosted; \
                 cut.example 300 NS ns.sibling.example; cut.example 300 NS in-zone.example | \
                 ns.cut.example 300 A 192.0.2.1; ns.sibling.example 300 AAAA 2001:db8::2; \
                 in-zone.example 300 A 192.0.2.3",
            ),
            ("w.example A", "NOERROR | | w.example 300 NS any.wild.example |"),
        ],
    );
}

/// RFC 9460 §4.1: the addresses of the targets of SVCB and HTTPS, and the next SVCB, are added.
#[test]
fn rfc9460_4_1_targets_of_service_bindings() {
    let zones = zones([zone(
        "example",
        "@ HTTPS 0 pool.example.
         pool HTTPS 1 . alpn=h2
         pool A 192.0.2.1
         svc SVCB 1 . port=1
         svc SVCB 2 pool.example. port=2
         svc AAAA 2001:db8::1",
    )]);
    check(
        &zones,
        &[
            (
                "example HTTPS",
                "NOERROR aa | example 300 HTTPS 0 pool.example | | \
                 pool.example 300 A 192.0.2.1; pool.example 300 HTTPS 1  alpn=h2",
            ),
            (
                "pool.example HTTPS",
                "NOERROR aa | pool.example 300 HTTPS 1  alpn=h2 | | pool.example 300 A 192.0.2.1",
            ),
            (
                "svc.example SVCB",
                "NOERROR aa | svc.example 300 SVCB 1  port=1; svc.example 300 SVCB 2 pool.example port=2 | | \
                 svc.example 300 AAAA 2001:db8::1; pool.example 300 A 192.0.2.1",
            ),
        ],
    );
}

/// RFC 6604 §3: the rcode is that of the end of the chain, also where the chain does not fit (found by
/// `make differential`: NSD, BIND and PowerDNS said NXDOMAIN and we NOERROR).
#[test]
fn rfc6604_3_the_rcode_of_a_chain_that_is_cut() {
    let long = "a".repeat(63);
    let zones =
        zones([zone("example", &format!("old DNAME {long}.{long}.new.example.\nnew NS ns.invalid."))]);
    let gone = zone("gone", &format!("old DNAME {long}.{long}.new.gone.\nnew A 192.0.2.1"));
    let zones = zones.put(&gone.0, gone.1);
    for (apex, rcode) in [("example", "NOERROR aa tc"), ("gone", "NXDOMAIN aa tc")] {
        let question = format!("{}.{}.old.{apex} A", "b".repeat(50), "c".repeat(50));
        let (responded, octets) = ask(&zones, &question, Transport::Udp, None);
        assert!(describe(&octets).starts_with(rcode), "{}", describe(&octets));
        assert_eq!(responded.rcode == NXDOMAIN, apex == "gone");
    }
}
