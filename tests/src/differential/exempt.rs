//! Why a peer may answer otherwise. Each exemption is a narrow predicate with its RFC beside it.

use super::facts::Difference;
use crate::generate::Asked;
use crate::peer::Program;

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

const EXEMPTIONS: &[Exemption] = &[];
