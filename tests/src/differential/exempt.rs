//! Why a peer may answer otherwise. Each exemption is a narrow predicate with its RFC beside it.

use super::facts::{Difference, is_at_or_below};
use crate::generate::Asked;
use crate::normal::Line;
use crate::peer::Program::{self, Bind, Knot, Nsd, PowerDns};
use std::collections::BTreeSet;

/// A difference that is no bug of ours.
#[derive(Debug)]
pub struct Exemption {
    /// What the peer does, in a few words; counts are kept by it.
    pub name: &'static str,
    /// Which peers do so.
    pub peers: &'static [Program],
    /// Who says that ours is right.
    pub rfc: &'static str,
    holds: fn(&Difference<'_>) -> bool,
}

/// Whether each is one RRset, and both are of one name: what is in them is compared when their types are asked for.
fn is_other_rrset(ours: &BTreeSet<Line>, theirs: &BTreeSet<Line>) -> bool {
    let sets = |lines: &BTreeSet<Line>| -> BTreeSet<(Vec<u8>, u16)> {
        lines.iter().map(|line| (line.owner().to_vec(), line.rtype())).collect()
    };
    let (ours, theirs) = (sets(ours), sets(theirs));
    let owners = |sets: &BTreeSet<(Vec<u8>, u16)>| sets.iter().map(|(owner, _)| owner.clone()).next();
    ours.len() == 1 && theirs.len() == 1 && owners(&ours) == owners(&theirs)
}

/// The first exemption that explains a difference.
pub fn explain(difference: &Difference<'_>) -> Option<&'static Exemption> {
    EXEMPTIONS.iter().find(|one| one.peers.contains(&difference.program) && (one.holds)(difference))
}

/// What is counted where a peer's answer is no message.
pub(super) const UNREADABLE: &str = "an answer to ANY with a record of type 0, which is none (RFC 6895 §3.1)";

/// PowerDNS keeps empty non-terminals as records of type 0, and sends them when it is asked for ANY.
pub(super) fn may_be_unreadable(program: Program, asked: &Asked) -> bool {
    program == Program::PowerDns && asked.rtype == "ANY"
}

const EXEMPTIONS: &[Exemption] = &[
    Exemption {
        name: "another choice of addresses outside of the cut, or one that fits",
        peers: &Program::ALL,
        rfc: "RFC 9471 §3.2: what is not in-domain may be left out; RFC 2181 §9",
        holds: |it| {
            it.is_of_glue_alone()
                && it.ours.glue.symmetric_difference(&it.theirs.glue).all(|line| !it.is_in_domain(line))
        },
    },
    Exemption {
        name: "leaves out in-domain glue that does not fit, without TC",
        peers: &[Nsd, Bind],
        rfc: "RFC 9471 §3.1: then TC is set",
        holds: |it| {
            let limit = it.limit();
            let is_large = |sections| limit.is_some_and(|limit| it.uncompressed(sections) > limit);
            !it.theirs.truncated
                && it.theirs.rcode == it.ours.rcode
                && it.theirs.authoritative == it.ours.authoritative
                && it.theirs.authority.is_superset(&it.our_sections.authority)
                && (it.ours.truncated || it.is_of_glue_alone() && is_large(it.our_sections))
                && it.theirs.authority.iter().any(|line| line.rtype() == NS)
        },
    },
    Exemption {
        name: "is larger without the names that ours is compressed by, and TC",
        peers: &Program::ALL,
        rfc: "RFC 1035 §4.1.4: compression is allowed, not asked for",
        holds: |it| it.is_truncated_alone() && it.is_large_uncompressed(),
    },
    Exemption {
        name: "sets TC where addresses outside of the cut do not fit",
        peers: &[Nsd, PowerDns, Knot],
        rfc: "RFC 9471 §3.2: they may be left out",
        holds: |it| {
            it.is_truncated_alone()
                && it
                    .referral()
                    .any(|ns| !is_at_or_below(ns.value(), ns.owner()) && !it.ours_has_address_of(ns))
        },
    },
    Exemption {
        name: "takes an address for a nameserver below the cut from a wildcard there",
        peers: &[Nsd, Knot],
        rfc: "RFC 1034 §4.3.3: delegation cancels the wildcard defaults",
        holds: |it| {
            let is_wild = |line: &Line| it.zone_has_wildcard_above(line.owner());
            it.is_of_glue_alone() && it.theirs.glue.difference(&it.ours.glue).all(is_wild)
        },
    },
    Exemption {
        name: "sets TC where an address that it takes from a wildcard there does not fit",
        peers: &[Nsd, Knot],
        rfc: "RFC 1034 §4.3.3: delegation cancels the wildcard defaults",
        holds: |it| {
            it.is_truncated_alone()
                && it
                    .referral()
                    .any(|ns| it.zone_has_wildcard_above(ns.value()) && !it.ours_has_address_of(ns))
        },
    },
    Exemption {
        name: "refers to the lower of two cuts",
        peers: &[PowerDns],
        rfc: "RFC 1034 §4.3.2 step 3b: matching goes down, label by label; RFC 2181 §6.1",
        holds: |it| {
            let lower = |line: &Line| it.referral().any(|ns| is_at_or_below(line.owner(), ns.owner()));
            it.theirs.rcode == it.ours.rcode
                && it.theirs.authoritative == it.ours.authoritative
                && it.theirs.answer == it.ours.answer
                && (it.theirs.truncated
                    || it.theirs.authority.iter().any(|line| line.rtype() == NS && lower(line)))
        },
    },
    Exemption {
        name: "denies DS at a cut below another",
        peers: &[PowerDns],
        rfc: "RFC 4035 §3.1.4.1: the parent is the zone below the upper cut",
        holds: |it| {
            it.asked.rtype == "DS"
                && it.theirs.rcode == "NOERROR"
                && it.referral().next().is_some()
                && it.theirs.answer == it.ours.answer
        },
    },
    Exemption {
        name: "follows the CNAME made of a DNAME although CNAME was asked",
        peers: &[PowerDns],
        rfc: "RFC 1034 §3.6.2: a question for the CNAME is not restarted",
        holds: |it| {
            it.asked.rtype == "CNAME"
                && it.chain().len() > 1
                && it.theirs.authoritative == it.ours.authoritative
                && (it.theirs.truncated || it.theirs.answer.is_superset(&it.ours.answer))
        },
    },
    Exemption {
        name: "follows the CNAME made of a DNAME although ANY was asked",
        peers: &[Nsd, Knot, PowerDns],
        rfc: "RFC 1034 §4.3.2 step 3a: ANY matches the CNAME; RFC 8482 §4",
        holds: |it| {
            it.asked.rtype == "ANY"
                && it.chain().len() > 1
                && it.theirs.authoritative == it.ours.authoritative
                && (it.theirs.truncated || it.theirs.answer.is_superset(&it.ours.answer))
        },
    },
    Exemption {
        name: "another choice for ANY",
        peers: &Program::ALL,
        rfc: "RFC 8482 §4.1: a subset, chosen by the server",
        holds: |it| {
            let (ours, theirs) = (&it.our_sections.answer, &it.their_sections.answer);
            it.asked.rtype == "ANY"
                && it.ours.rcode == it.theirs.rcode
                && it.ours.authoritative == it.theirs.authoritative
                && !theirs.is_empty()
                && !ours.is_empty()
                && (theirs.is_subset(ours) || ours.is_subset(theirs) || is_other_rrset(ours, theirs))
        },
    },
    Exemption {
        name: "more for ANY than fits",
        peers: &Program::ALL,
        rfc: "RFC 8482 §4.1: a subset, chosen by the server",
        holds: |it| it.asked.rtype == "ANY" && it.is_truncated_alone(),
    },
    Exemption {
        name: "goes on into another zone that it has",
        peers: &[Nsd, PowerDns, Bind],
        rfc: "RFC 1034 §4.3.2 step 3a allows it; ours stops at the border, for the other zone may be another tenant's",
        holds: |it| {
            it.leads_to_other_zone()
                && it.theirs.authoritative == it.ours.authoritative
                && (it.theirs.truncated || it.theirs.answer.is_superset(&it.ours.answer))
        },
    },
    Exemption {
        name: "says SERVFAIL to a loop or a long chain",
        peers: &[Bind, PowerDns],
        rfc: "RFC 1034 §3.6.2: programs do not fail on chains and loops",
        // What comes in another zone is not seen in our answer.
        holds: |it| {
            it.theirs.rcode == "SERVFAIL"
                && (it.is_loop() || it.grows() || it.chain().len() > LONG_CHAIN || it.leads_to_other_zone())
        },
    },
    Exemption {
        name: "follows an alias that was asked for itself, into a loop",
        peers: &[PowerDns],
        rfc: "RFC 1034 §3.6.2: a question for the CNAME is not restarted",
        holds: |it| {
            ["CNAME", "ANY"].contains(&it.asked.rtype.as_str())
                && it.theirs.rcode == "SERVFAIL"
                && it.chain().len() > 1
        },
    },
    Exemption {
        name: "takes another name for the closest encloser where labels hold the octets 0 or 1",
        peers: &[Knot],
        rfc: "RFC 2181 §11: any octet may be in a label; RFC 4034 §6.1",
        holds: |it| {
            // What is below a cut is then taken for what is not.
            let may_be_below = it.referral().any(|ns| is_at_or_below(&it.owner(), ns.owner()));
            it.zone_has_low_octets()
                && (it.theirs.authoritative == it.ours.authoritative || may_be_below)
                && ["NOERROR", "NXDOMAIN", "YXDOMAIN"].contains(&it.theirs.rcode.as_str())
        },
    },
    Exemption {
        name: "says all that ours has no room for, compressed by more names",
        peers: &Program::ALL,
        rfc: "RFC 1035 §4.1.4: compression is allowed, not asked for",
        holds: |it| {
            it.ours.truncated
                && !it.theirs.truncated
                && it.theirs.rcode == it.ours.rcode
                && it.theirs.authoritative == it.ours.authoritative
                && it.theirs.answer == it.our_sections.answer
                && it.theirs.authority == it.our_sections.authority
        },
    },
    Exemption {
        name: "ends a chain early",
        peers: &[Knot],
        rfc: "RFC 1034 §5.2.2: the client asks on",
        holds: |it| {
            it.theirs.authoritative == it.ours.authoritative
                && it.theirs.answer.is_subset(&it.our_sections.answer)
                && (it.theirs.answer.len() < it.our_sections.answer.len() || it.ours.rcode == "YXDOMAIN")
                && it.chain().len() > KNOT_CHAIN
        },
    },
    Exemption {
        name: "follows a chain for longer than ours",
        peers: &[Nsd],
        rfc: "RFC 1034 §5.2.2: the client asks on",
        holds: |it| {
            it.theirs.authoritative == it.ours.authoritative
                && it.chain().len() > OUR_CHAIN
                && (it.theirs.truncated || it.theirs.answer.is_superset(&it.ours.answer))
        },
    },
    Exemption {
        name: "goes through each DNAME once",
        peers: &[Nsd],
        rfc: "RFC 6672 §3.2, RFC 1034 §4.3.2 step 3c: the search begins anew with each target",
        holds: |it| {
            it.theirs.authoritative == it.ours.authoritative
                && it.theirs.answer.is_subset(&it.our_sections.answer)
                && it.steps_through_one_dname() > 1
        },
    },
    Exemption {
        name: "says REFUSED to RRSIG",
        peers: &[PowerDns],
        rfc: "RFC 4034 §3: a type like others, and here none",
        holds: |it| it.asked.rtype == "RRSIG" && it.theirs.rcode == "REFUSED",
    },
    Exemption {
        name: "has no NSEC that a zone brings",
        peers: &[PowerDns],
        rfc: "RFC 4034 §4: a type like others",
        holds: |it| {
            it.theirs.rcode == "NOERROR"
                && it.theirs.authoritative
                && it.theirs.answer.is_empty()
                && it.asked.rtype == "NSEC"
                && it.ours.answer.iter().all(|line| line.rtype() == NSEC)
        },
    },
    Exemption {
        name: "answers the NSEC of a cut",
        peers: &[Bind],
        rfc: "RFC 1034 §4.3.2 step 3b: a cut is referred to; RFC 4035 §3.1.4.1 excepts DS alone",
        holds: |it| {
            let is_here = |line: &Line| line.rtype() == NSEC && line.owner() == it.owner();
            it.asked.rtype == "NSEC"
                && it.referral().any(|ns| ns.owner() == it.owner())
                && it.theirs.rcode == "NOERROR"
                && it.theirs.answer.iter().all(is_here)
        },
    },
    Exemption {
        name: "does not follow an alias for a type that may stand beside it",
        peers: &[Bind, Knot],
        rfc: "RFC 1034 §4.3.2 step 3a: each type but CNAME follows; RFC 4035 §2.5 lets RRSIG and NSEC stand there, and they do not",
        holds: |it| {
            ["RRSIG", "NSEC"].contains(&it.asked.rtype.as_str())
                && it.theirs.rcode == "NOERROR"
                && it.chain().len() > 1
                && it.theirs.answer.is_subset(&it.our_sections.answer)
        },
    },
    Exemption {
        name: "says NOERROR where a chain is cut",
        peers: &[Knot],
        rfc: "RFC 6604 §3: the rcode is that of the end of the chain",
        holds: |it| {
            it.theirs.truncated
                && (it.ours.truncated || it.is_large_uncompressed())
                && it.theirs.rcode == "NOERROR"
                && it.theirs.authoritative == it.ours.authoritative
                && !it.our_sections.answer.is_empty()
        },
    },
    Exemption {
        name: "sets TC where the addresses of a target do not fit",
        peers: &[PowerDns],
        rfc: "RFC 2181 §9: TC is not set for what is added as a courtesy",
        holds: |it| {
            it.is_truncated_alone() && it.ours.answer.iter().any(|line| [NS, MX, SRV].contains(&line.rtype()))
        },
    },
    Exemption {
        name: "leaves out the SOA of a denial that does not fit, without TC",
        peers: &[Knot],
        rfc: "RFC 2308 §3: it must be there; RFC 2181 §9: then TC is set",
        holds: |it| {
            (it.ours.truncated || it.is_large_uncompressed())
                && !it.theirs.truncated
                && it.theirs.rcode == it.ours.rcode
                && it.theirs.authoritative == it.ours.authoritative
                && it.theirs.answer == it.our_sections.answer
                && it.theirs.authority.is_empty()
                && it.our_sections.authority.iter().all(|line| line.rtype() == SOA)
        },
    },
    Exemption {
        name: "goes on after YXDOMAIN",
        peers: &[Knot],
        rfc: "RFC 6672 §3.2: there is no name to go on with",
        holds: |it| {
            it.ours.rcode == "YXDOMAIN"
                && ["YXDOMAIN", "NXDOMAIN"].contains(&it.theirs.rcode.as_str())
                && it.ours.authoritative == it.theirs.authoritative
                && (it.theirs.truncated || it.theirs.answer.is_superset(&it.ours.answer))
        },
    },
];

const NS: u16 = 2;
const SOA: u16 = 6;
const MX: u16 = 15;
const SRV: u16 = 33;
const NSEC: u16 = 47;
/// From so many steps on BIND (16) and PowerDNS (10) give up.
const LONG_CHAIN: usize = 10;
/// Names that ours goes through, and that Knot does.
const OUR_CHAIN: usize = 16;
const KNOT_CHAIN: usize = 5;
